#include <weft/data/npy.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/data/file.h>
#include <weft/data/npy_bytes.h>
#include <weft/tensor/create.h>

static_assert(std::endian::native == std::endian::little, "the readers swap bytes for little-endian hosts only");

namespace weft::data {
namespace detail {
namespace {

/// NumPy never writes more than a few hundred bytes for a plain array.
constexpr std::uint64_t longest_header = 1 << 20;

struct NpyHeader {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

/// Reads the dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view s, const std::string& where) : s_(s), where_(where) {}

  NpyHeader parse() {
    NpyHeader h;
    bool have_descr = false, have_order = false, have_shape = false;
    expect('{');
    while (!take('}')) {
      const std::string_view key = word();
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"')
          throw FileError(text(where_, ": its elements are records, which weft has no type for"));
        h.descr = word();
        have_descr = true;
      } else if (key == "fortran_order") {
        h.fortran = boolean();
        have_order = true;
      } else if (key == "shape") {
        h.shape = sizes();
        have_shape = true;
      } else {
        throw FileError(text(where_, ": damaged header: unknown key \"", key, "\""));
      }
      if (!take(',') && peek() != '}') damaged();
    }
    if (peek() != '\0' || !have_descr || !have_order || !have_shape) damaged();
    return h;
  }

 private:
  [[noreturn]] void damaged() const { throw FileError(text(where_, ": damaged header at its byte ", at_)); }
  char peek() {
    while (at_ < s_.size() && (s_[at_] == ' ' || s_[at_] == '\n' || s_[at_] == '\t')) ++at_;
    return at_ < s_.size() ? s_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) damaged();
  }
  std::string_view word() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') damaged();
    const std::size_t end = s_.find(quote, at_ + 1);
    if (end == s_.npos) damaged();
    const std::string_view w = s_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return w;
  }
  bool boolean() {
    peek();
    for (const std::string_view w : {"True", "False"})
      if (s_.substr(at_).starts_with(w)) {
        at_ += w.size();
        return w == "True";
      }
    damaged();
  }
  Shape sizes() {
    Shape shape;
    expect('(');
    while (!take(')')) {
      peek();
      std::int64_t n = 0;
      const auto [end, error] = std::from_chars(s_.data() + at_, s_.data() + s_.size(), n);
      if (error == std::errc::result_out_of_range || (error == std::errc() && n < 0))
        throw FileError(text(where_, ": absurd size ", std::string_view(s_.data() + at_, end), " in its shape"));
      if (error != std::errc()) damaged();
      at_ = static_cast<std::size_t>(end - s_.data());
      take('L');  // written by Python 2
      if (shape.size() == Shape::max_rank)
        throw FileError(text(where_, ": more than ", Shape::max_rank, " axes, the most that weft has"));
      shape.push_back(n);
      if (!take(',') && peek() != ')') damaged();
    }
    return shape;
  }

  std::string_view s_;
  const std::string& where_;
  std::size_t at_ = 0;
};

/// How elements lie in the file, and what they become.
struct Element {
  char kind = 0;  ///< b, i, u or f
  std::size_t width = 0;
  bool swapped = false;
  DType dtype = DType::float32;
  bool direct() const noexcept {
    return !swapped && kind != 'b' && width == size_of(dtype) && !(kind == 'u' && width == 8);
  }
};

std::optional<Element> element_of(std::string_view descr) {
  Element e;
  if (!descr.empty() && (descr[0] == '<' || descr[0] == '>' || descr[0] == '|' || descr[0] == '=')) {
    e.swapped = descr[0] == '>';
    descr.remove_prefix(1);
  }
  if (descr == "?") descr = "b1";
  struct Known {
    const char* name;
    DType dtype;
  };
  constexpr Known known[] = {{"b1", DType::boolean}, {"i1", DType::int8},    {"u1", DType::uint8},
                             {"i2", DType::int32},   {"u2", DType::int32},   {"i4", DType::int32},
                             {"u4", DType::int64},   {"i8", DType::int64},   {"u8", DType::int64},
                             {"f2", DType::float32}, {"f4", DType::float32}, {"f8", DType::float64}};
  for (const Known& k : known)
    if (descr == k.name) {
      e.kind = k.name[0];
      e.width = static_cast<std::size_t>(k.name[1] - '0');
      e.dtype = k.dtype;
      return e;
    }
  return std::nullopt;
}

float widen(std::uint16_t half) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fU;
  const std::uint32_t mantissa = half & 0x3ffU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 0xffU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

template <class Raw>
Raw load(const char* from, bool swapped) noexcept {
  char bytes[sizeof(Raw)];
  std::memcpy(bytes, from, sizeof(Raw));
  if (swapped) std::reverse(bytes, bytes + sizeof(Raw));
  Raw value;
  std::memcpy(&value, bytes, sizeof(Raw));
  return value;
}

template <class Raw, class To>
void convert(const char* from, To* to, std::int64_t n, bool swapped) noexcept {
  for (std::int64_t i = 0; i < n; ++i)
    to[i] = static_cast<To>(load<Raw>(from + i * static_cast<std::int64_t>(sizeof(Raw)), swapped));
}

void convert_all(const Element& e, const char* from, Tensor& out, const std::string& where) {
  const std::int64_t n = out.numel();
  if (e.kind == 'b') {  // any byte but 0 is true: a C++ bool that holds 2 would be undefined
    bool* to = out.mutable_data<bool>();
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] != 0;
  } else if (e.kind == 'f' && e.width == 2) {
    float* to = out.mutable_data<float>();
    for (std::int64_t i = 0; i < n; ++i) to[i] = widen(load<std::uint16_t>(from + 2 * i, e.swapped));
  } else if (e.kind == 'f' && e.width == 4) {
    convert<float>(from, out.mutable_data<float>(), n, e.swapped);
  } else if (e.kind == 'f') {
    convert<double>(from, out.mutable_data<double>(), n, e.swapped);
  } else if (e.width == 1) {
    std::memcpy(out.body().data, from, static_cast<std::size_t>(n));
  } else if (e.kind == 'i') {
    if (e.width == 2) convert<std::int16_t>(from, out.mutable_data<std::int32_t>(), n, e.swapped);
    if (e.width == 4) convert<std::int32_t>(from, out.mutable_data<std::int32_t>(), n, e.swapped);
    if (e.width == 8) convert<std::int64_t>(from, out.mutable_data<std::int64_t>(), n, e.swapped);
  } else {
    if (e.width == 2) convert<std::uint16_t>(from, out.mutable_data<std::int32_t>(), n, e.swapped);
    if (e.width == 4) convert<std::uint32_t>(from, out.mutable_data<std::int64_t>(), n, e.swapped);
    if (e.width == 8) {
      std::int64_t* to = out.mutable_data<std::int64_t>();
      for (std::int64_t i = 0; i < n; ++i) {
        const auto value = load<std::uint64_t>(from + 8 * i, e.swapped);
        if (value > static_cast<std::uint64_t>(INT64_MAX))
          throw FileError(text(where, ": element ", i, " is ", value, ", above the largest int64"));
        to[i] = static_cast<std::int64_t>(value);
      }
    }
  }
}

/// Column-major elements of `width` bytes to row-major.
void reorder(const char* from, char* to, const Shape& shape, std::size_t width) {
  const int rank = shape.size();
  Dims index = Dims::filled(rank, 0);
  Strides strides = shape;
  std::int64_t step = 1;
  for (int axis = 0; axis < rank; ++axis) {
    strides[axis] = step;
    step *= shape[axis];
  }
  std::int64_t at = 0;
  for (std::int64_t n = shape.product(); n > 0; --n) {
    std::memcpy(to, from + at * static_cast<std::int64_t>(width), width);
    to += width;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

const char* descr_of(DType type) {
  switch (type) {
    case DType::boolean: return "|b1";
    case DType::uint8: return "|u1";
    case DType::int8: return "|i1";
    case DType::int32: return "<i4";
    case DType::int64: return "<i8";
    case DType::float64: return "<f8";
    case DType::bfloat16:
    case DType::float32: break;
  }
  return "<f4";
}

}  // namespace

FileSource::FileSource(const char* operation, const std::string& path)
    : operation_(operation), path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat about = {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &about) != 0) {
    const int error = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw FileError(text(operation, ": cannot open ", path, ": ", std::strerror(error)));
  }
  if (!S_ISREG(about.st_mode)) {
    ::close(descriptor_);
    throw FileError(text(operation, ": ", path, S_ISDIR(about.st_mode) ? " is a folder" : " is not a regular file"));
  }
  size_ = static_cast<std::uint64_t>(about.st_size);
}

FileSource::~FileSource() { ::close(descriptor_); }

void FileSource::read(std::uint64_t at, void* to, std::size_t count) {
  char* out = static_cast<char*>(to);
  while (count > 0) {
    const ::ssize_t n = ::pread(descriptor_, out, count, static_cast<::off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    // The file may have shrunk since its size was asked.
    if (n <= 0)
      throw FileError(
          text(operation_, ": cannot read ", path_, ": ", n < 0 ? std::strerror(errno) : "it is truncated"));
    out += n;
    at += static_cast<std::uint64_t>(n);
    count -= static_cast<std::size_t>(n);
  }
}

Tensor parse_npy(ByteSource& source, const std::string& where) {
  unsigned char lead[12] = {};
  const std::uint64_t size = source.size();
  source.read(0, lead, static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof lead)));
  if (size < 6 || std::memcmp(lead, "\x93NUMPY", 6) != 0) throw FileError(text(where, ": not an NPY file"));
  if (size < sizeof lead) throw FileError(text(where, ": truncated: ", size, " bytes hold no header"));
  const int version = lead[6];
  if (version < 1 || version > 3) throw FileError(text(where, ": NPY version ", version, ", known are 1 to 3"));
  const std::uint64_t begin = version == 1 ? 10 : 12;
  std::uint64_t length = lead[8] | static_cast<std::uint64_t>(lead[9]) << 8;
  if (version > 1) length |= static_cast<std::uint64_t>(lead[10]) << 16 | static_cast<std::uint64_t>(lead[11]) << 24;
  if (length > longest_header) throw FileError(text(where, ": absurd header of ", length, " bytes"));
  if (length > size - begin)
    throw FileError(text(where, ": truncated: its header needs ", length, " bytes, ", size - begin, " are there"));

  std::string head(static_cast<std::size_t>(length), '\0');
  source.read(begin, head.data(), head.size());
  const NpyHeader h = HeaderParser(head, where).parse();
  const std::optional<Element> e = element_of(h.descr);
  if (!e) throw FileError(text(where, ": element type '", h.descr, "' has no counterpart in weft"));

  // Sizes of 0 first, so that [0, 2^60, 2^60] is what it says and not an overflow.
  std::uint64_t bytes = std::find(h.shape.begin(), h.shape.end(), 0) == h.shape.end() ? e->width : 0;
  if (bytes != 0)
    for (const std::int64_t n : h.shape)
      if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(n), &bytes))
        throw FileError(text(where, ": absurd shape ", h.shape));
  const std::uint64_t there = size - begin - length;
  if (bytes > there)
    throw FileError(text(where, ": truncated: shape ", h.shape, " of '", h.descr, "' needs ", bytes, " bytes, ", there,
                         " are there"));
  if (bytes < there) throw FileError(text(where, ": ", there - bytes, " bytes follow the data"));

  Tensor out = empty(h.shape, e->dtype);
  if (bytes == 0) return out;
  const bool reordered = h.fortran && h.shape.size() > 1;
  if (e->direct() && !reordered) {
    source.read(begin + length, out.body().data, static_cast<std::size_t>(bytes));
    return out;
  }
  auto raw = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(bytes));
  source.read(begin + length, raw.get(), static_cast<std::size_t>(bytes));
  if (reordered) {
    auto rows = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(bytes));
    reorder(raw.get(), rows.get(), h.shape, e->width);
    raw = std::move(rows);
  }
  convert_all(*e, raw.get(), out, where);
  return out;
}

std::string format_npy(const Tensor& x) {
  std::string shape = "(";
  for (const std::int64_t n : x.shape()) shape += text(n, ", ");
  if (x.dim() > 1) shape.resize(shape.size() - 2);
  if (x.dim() == 1) shape.pop_back();
  std::string head = text("{'descr': '", descr_of(x.dtype()), "', 'fortran_order': False, 'shape': ", shape, "), }");
  head.append(63 - (10 + head.size()) % 64, ' ');
  head += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(head.size() & 0xff);
  out += static_cast<char>(head.size() >> 8);
  out += head;
  const auto append = [&out](const void* from, std::size_t bytes) {
    out.append(static_cast<const char*>(from), bytes);
  };
  if (x.dtype() == DType::bfloat16) {
    const std::vector<float> values = to_vector<float>(x);
    append(values.data(), values.size() * sizeof(float));
  } else if (x.is_contiguous()) {
    append(x.body().data, static_cast<std::size_t>(x.numel()) * size_of(x.dtype()));
  } else {
    // An odometer over the strides, element by element.
    const std::size_t width = size_of(x.dtype());
    Dims index = Dims::filled(x.dim(), 0);
    const char* from = static_cast<const char*>(x.body().data);
    std::int64_t at = 0;
    for (std::int64_t n = x.numel(); n > 0; --n) {
      append(from + at * static_cast<std::int64_t>(width), width);
      for (int axis = x.dim() - 1; axis >= 0; --axis) {
        at += x.strides()[axis];
        if (++index[axis] < x.shape()[axis]) break;
        at -= x.strides()[axis] * x.shape()[axis];
        index[axis] = 0;
      }
    }
  }
  return out;
}

}  // namespace detail

Tensor load_npy(const std::string& path) {
  detail::FileSource file("load_npy", path);
  return detail::parse_npy(file, "load_npy: " + path);
}

void save_npy(const std::string& path, const Tensor& x) { write_file("save_npy", path, detail::format_npy(x)); }

}  // namespace weft::data
