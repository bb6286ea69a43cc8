#pragma once
#include <cstdint>
#include <string>

#include <weft/tensor/tensor.h>

/// What NPY and NPZ share. Not installed.
namespace weft::data::detail {

/// Bytes of known number that can be read anywhere; asking beyond the end is the caller's mistake.
struct ByteSource {
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  virtual void read(std::uint64_t at, void* to, std::size_t count) = 0;
};

/// A regular file. Throws FileError beginning with `operation`.
class FileSource final : public ByteSource {
 public:
  FileSource(const char* operation, const std::string& path);
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override;
  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t at, void* to, std::size_t count) override;

 private:
  const char* operation_;
  std::string path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

/// Reads one NPY that fills the source; messages begin with `where` ("load_npy: FILE").
Tensor parse_npy(ByteSource& source, const std::string& where);
/// The bytes of an NPY file.
std::string format_npy(const Tensor& x);

}  // namespace weft::data::detail
