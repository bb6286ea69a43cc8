#include <weft/study/output.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <weft/tensor/error.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;

void write_whole(const fs::path& path, std::string_view bytes) {
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw FileError(std::strerror(errno ? errno : EIO));
}

fs::path beside(const fs::path& path) { return path.string() + text(".", getpid(), ".part"); }

}  // namespace

OutputFolder::OutputFolder(const char* operation, std::string path) : operation_(operation), path_(std::move(path)) {
  const fs::path probe = beside(fs::path(path_) / "writable");
  std::error_code error;
  fs::create_directories(path_, error);
  std::string reason = error ? error.message() : "";
  if (!error) try {
      write_whole(probe, "");
      fs::remove(probe, error);
    } catch (const FileError& e) {
      reason = e.what();
      fs::remove(probe, error);
    }
  if (!reason.empty())
    throw FileError(
        text(operation_, ": cannot write to ", path_, ": ", reason, "\n  help: choose another folder with --out"));
}

void OutputFolder::commit() {
  std::error_code ignored;
  std::size_t written = 0;
  const auto clean = [&] {
    for (std::size_t i = 0; i <= written && i < files_.size(); ++i) fs::remove(beside(path(files_[i].name)), ignored);
  };
  for (; written < files_.size(); ++written) try {
      write_whole(beside(path(files_[written].name)), files_[written].bytes);
    } catch (const FileError& e) {
      clean();
      throw FileError(text(operation_, ": cannot write ", path(files_[written].name), ": ", e.what()));
    }
  for (const File& file : files_) {
    std::error_code error;
    fs::rename(beside(path(file.name)), path(file.name), error);
    if (error) {
      clean();
      throw FileError(text(operation_, ": cannot write ", path(file.name), ": ", error.message()));
    }
  }
  files_.clear();
}

std::string OutputFolder::path(std::string_view name) const { return (fs::path(path_) / name).string(); }

void OutputFolder::remove(std::string_view name) const noexcept {
  std::error_code ignored;
  fs::remove(path(name), ignored);
}

}  // namespace weft::study
