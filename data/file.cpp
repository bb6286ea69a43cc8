#include <weft/data/file.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/tensor/error.h>

namespace weft::data {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

std::string reason() { return std::strerror(errno); }

/// A name beside `path` that no file has, opened for this process alone.
int open_neighbour(const std::string& path, std::string& name) {
  for (int i = 0; i < 100; ++i) {
    name = text(path, ".", ::getpid(), "-", i, ".part");
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

}  // namespace

std::string read_file(const char* operation, const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) throw FileError(text(operation, ": cannot open ", path, ": ", reason()));
  struct stat about = {};
  if (::fstat(::fileno(file.get()), &about) == 0 && S_ISDIR(about.st_mode))
    throw FileError(text(operation, ": ", path, " is a folder, not a file"));
  std::string bytes;
  if (about.st_size > 0) bytes.reserve(static_cast<std::size_t>(about.st_size));
  char block[65536];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file.get())) bytes.append(block, n);
  if (std::ferror(file.get())) throw FileError(text(operation, ": cannot read ", path, ": ", reason()));
  return bytes;
}

void write_file(const char* operation, const std::string& given, std::string_view bytes) {
  // What a link points to is replaced, not the link; a device or a pipe is written to.
  std::string path = given;
  if (char* whole = ::realpath(given.c_str(), nullptr)) {
    path = whole;
    std::free(whole);
  }
  struct stat about = {};
  const bool in_place = ::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
  std::string part;
  const int descriptor = in_place ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC) : open_neighbour(path, part);
  if (descriptor < 0) throw FileError(text(operation, ": cannot write ", given, ": ", reason()));
  bool good = true;
  while (good && !bytes.empty()) {
    const ::ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    good = n > 0 || (n < 0 && errno == EINTR);
  }
  std::string why = good ? "" : reason();
  if (::close(descriptor) != 0 && good) {
    good = false;
    why = reason();
  }
  if (good && !in_place && std::rename(part.c_str(), path.c_str()) != 0) {
    good = false;
    why = reason();
  }
  if (good) return;
  if (!in_place) ::unlink(part.c_str());
  throw FileError(text(operation, ": cannot write ", given, ": ", why));
}

}  // namespace weft::data
