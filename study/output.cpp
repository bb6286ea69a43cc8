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

/// Innermost first; one that holds something stays, and so do those around it.
void remove_empty(const std::vector<std::string>& folders) noexcept {
  std::error_code error;
  for (std::size_t i = folders.size(); i-- > 0;) fs::remove(folders[i], error);
}

}  // namespace

OutputFolder::OutputFolder(const char* operation, std::string path) : operation_(operation), path_(std::move(path)) {
  const fs::path probe = beside(fs::path(path_) / "writable");
  std::error_code error;
  for (fs::path p = fs::path(path_).lexically_normal(); !p.empty() && !fs::exists(p, error); p = p.parent_path())
    made_.insert(made_.begin(), p.string());
  fs::create_directories(path_, error);
  std::string reason = error ? error.message() : "";
  if (!error) try {
      write_whole(probe, "");
      fs::remove(probe, error);
    } catch (const FileError& e) {
      reason = e.what();
      fs::remove(probe, error);
    }
  if (reason.empty()) return;
  remove_empty(made_);
  throw FileError(
      text(operation_, ": cannot write to ", path_, ": ", reason, "\n  help: choose another folder with --out"));
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  for (const File& file : files_) fs::remove(beside(path(file.name)), ignored);
  remove_empty(made_);
}

std::string csv_field(const std::string& s) {
  if (s.find_first_of(",\"\r\n") == std::string::npos) return s;
  std::string out = "\"";
  for (const char c : s) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

void OutputFolder::add(std::string name, std::string bytes) {
  files_.push_back({std::move(name), std::move(bytes), false});
}

std::string OutputFolder::stage(std::string name) {
  std::string place = beside(path(name)).string();
  files_.push_back({std::move(name), {}, true});
  return place;
}

void OutputFolder::commit() {
  const auto fail = [&](const File& file, const std::string& reason) {
    std::error_code ignored;
    for (const File& each : files_) fs::remove(beside(path(each.name)), ignored);
    const std::string where = path(file.name);
    files_.clear();
    throw FileError(text(operation_, ": cannot write ", where, ": ", reason));
  };
  for (const File& file : files_) {
    if (file.staged) continue;
    try {
      write_whole(beside(path(file.name)), file.bytes);
    } catch (const FileError& e) {
      fail(file, e.what());
    }
  }
  // What could still go wrong once the first file is in its place.
  for (const File& file : files_) {
    std::error_code error;
    if (fs::is_directory(path(file.name), error)) fail(file, std::strerror(EISDIR));
    if (!fs::exists(beside(path(file.name)), error)) fail(file, std::strerror(ENOENT));
  }
  for (const File& file : files_) {
    std::error_code error;
    fs::rename(beside(path(file.name)), path(file.name), error);
    if (error) fail(file, error.message());
  }
  files_.clear();
}

std::string OutputFolder::path(std::string_view name) const { return (fs::path(path_) / name).string(); }

void OutputFolder::remove(std::string_view name) const noexcept {
  std::error_code ignored;
  fs::remove(path(name), ignored);
}

}  // namespace weft::study
