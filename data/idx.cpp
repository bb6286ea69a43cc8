#include <weft/data/idx.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <weft/data/file.h>
#include <weft/data/gzip.h>
#include <weft/tensor/create.h>

namespace weft::data {
namespace {

constexpr const char* idx_operation = "load_idx";

std::uint64_t big_endian(const char* at, std::size_t bytes) {
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < bytes; ++i) v = v << 8 | static_cast<unsigned char>(at[i]);
  return v;
}

struct Kind {
  DType type;
  std::size_t bytes;  // of a number in the file
};
Kind kind_of(unsigned char code, const std::string& path) {
  switch (code) {
    case 0x08: return {DType::uint8, 1};
    case 0x09: return {DType::int8, 1};
    case 0x0b: return {DType::int32, 2};
    case 0x0c: return {DType::int32, 4};
    case 0x0d: return {DType::float32, 4};
    case 0x0e: return {DType::float64, 8};
    default: throw FileError(text(idx_operation, ": ", path, " has elements of unknown type ", static_cast<int>(code)));
  }
}

template <class T>
void read_numbers(Tensor& x, const char* from, std::size_t bytes) {
  T* to = x.mutable_data<T>();
  for (std::int64_t i = 0; i < x.numel(); ++i, from += bytes) {
    const std::uint64_t v = big_endian(from, bytes);
    if constexpr (std::is_same_v<T, float>)
      to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(v));
    else if constexpr (std::is_same_v<T, double>)
      to[i] = std::bit_cast<double>(v);
    else
      to[i] = bytes == 2 ? static_cast<T>(static_cast<std::int16_t>(v)) : static_cast<T>(v);
  }
}

struct IdxHeader {
  Kind kind;
  Shape shape;
  std::size_t begin, size;  // where the numbers are and how many bytes they take
};

/// Throws unless `bytes` begins with a whole header.
IdxHeader header(const std::string& bytes, const std::string& path) {
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    throw FileError(text(idx_operation, ": ", path, " is not an IDX file: it does not begin with two zero bytes"));
  IdxHeader h{kind_of(static_cast<unsigned char>(bytes[2]), path), {}, 0, 0};
  const int axes = static_cast<unsigned char>(bytes[3]);
  if (axes < 1 || axes > Dims::max_rank)
    throw FileError(text(idx_operation, ": ", path, " has ", axes, " axes, weft takes 1 to ", Dims::max_rank));
  h.begin = 4 + 4 * static_cast<std::size_t>(axes);
  if (bytes.size() < h.begin) throw FileError(text(idx_operation, ": ", path, " ends within its header"));
  h.size = h.kind.bytes;
  for (int a = 0; a < axes; ++a) {
    const auto n = static_cast<std::int64_t>(big_endian(bytes.data() + 4 + 4 * a, 4));
    h.shape.push_back(n);
    // An axis of 0 makes the others no less absurd.
    if (__builtin_mul_overflow(h.size, static_cast<std::size_t>(std::max<std::int64_t>(n, 1)), &h.size) ||
        h.size > std::size_t{1} << 46)
      throw FileError(text(idx_operation, ": ", path, " claims an absurd size"));
  }
  if (h.shape.product() == 0) h.size = 0;
  return h;
}

}  // namespace

Tensor load_idx(const std::string& path) {
  std::string bytes = read_file(idx_operation, path);
  if (detail::is_gzip(bytes)) {
    constexpr std::size_t longest_header = 4 + 4 * 255;
    const IdxHeader h = header(detail::gunzip(idx_operation, path, bytes, longest_header), path);
    bytes = detail::gunzip(idx_operation, path, bytes, h.begin + h.size);
  }
  const IdxHeader h = header(bytes, path);
  if (bytes.size() != h.begin + h.size)
    throw FileError(text(idx_operation, ": ", path, " needs ", h.begin + h.size, " bytes for ", h.shape, ", it has ",
                         bytes.size() > h.begin + h.size ? "more" : std::to_string(bytes.size())));
  Tensor x = empty(h.shape, h.kind.type);
  const char* from = bytes.data() + h.begin;
  switch (h.kind.type) {
    case DType::int32: read_numbers<std::int32_t>(x, from, h.kind.bytes); break;
    case DType::float32: read_numbers<float>(x, from, h.kind.bytes); break;
    case DType::float64: read_numbers<double>(x, from, h.kind.bytes); break;
    default: std::memcpy(x.body().data, from, h.size); break;  // bytes
  }
  return x;
}

}  // namespace weft::data
