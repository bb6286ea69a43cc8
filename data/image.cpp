#include <weft/data/image.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#ifdef WEFT_WITH_IMAGES
namespace {

// What one block of stb may take: pictures are small when packed and can claim anything.
thread_local std::size_t most_bytes = 0;
// Zeros: stb looks at tables that a damaged file did not fill.
void* limited_malloc(std::size_t n) { return n > most_bytes ? nullptr : std::calloc(n, 1); }
void* limited_realloc(void* p, std::size_t n) { return n > most_bytes ? nullptr : std::realloc(p, n); }
// stb asserts; the library must not end the process because of a file.
void expect(bool good) {
  if (!good) throw std::runtime_error("inconsistent");
}

}  // namespace

// stb computes with what a damaged file says and relies on integers that wrap around.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("signed-integer-overflow", "shift"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC optimize("wrapv")
#endif
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MALLOC(n) limited_malloc(n)
#define STBI_REALLOC(p, n) limited_realloc(p, n)
#define STBI_FREE(p) std::free(p)
#define STBI_ASSERT(x) expect(static_cast<bool>(x))
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // WEFT_WITH_IMAGES

#include <weft/data/file.h>
#include <weft/data/gzip.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::data {
namespace {

#ifndef WEFT_WITH_IMAGES
[[noreturn]] void without(const char* operation) {
  throw ConfigError(text(operation, ": this weft was built without stb, which reads and writes pictures\n",
                         "  help: install libstb-dev and build again with -Dimages=enabled"));
}
#else

/// What is known before anything is unpacked.
struct ImageHeader {
  std::int64_t width = 0, height = 0;
  bool wide = false;    // 16 bits
  int orientation = 1;  // of a JPEG: EXIF's
};

/// The orientation in a TIFF file as EXIF holds it; 1, as stored, where there is none that can be read.
int orientation_of(std::string_view tiff) {
  const bool little = tiff.starts_with(std::string_view("II*\0", 4));
  if (!little && !tiff.starts_with(std::string_view("MM\0*", 4))) return 1;
  bool inside = true;
  const auto number = [&](std::size_t at, std::size_t count) {
    std::uint32_t v = 0;
    if (at > tiff.size() || count > tiff.size() - at) return inside = false, v;
    for (std::size_t i = 0; i < count; ++i)
      v = v << 8 | static_cast<unsigned char>(tiff[at + (little ? count - 1 - i : i)]);
    return v;
  };
  const std::size_t directory = number(4, 4), entries = number(directory, 2);
  constexpr std::uint32_t orientation = 0x0112, of_16_bits = 3;
  for (std::size_t i = 0; inside && i < entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    if (number(at, 2) != orientation) continue;
    const std::uint32_t type = number(at + 2, 2), count = number(at + 4, 4), value = number(at + 8, 2);
    return inside && type == of_16_bits && count == 1 && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

/// Walks through a file without decoding it: a part that is missing is found here, where stb would invent the rest.
class Walk {
 public:
  Walk(const std::string& path, std::string_view bytes) : path_(path), bytes_(bytes) {}

  ImageHeader header() {
    if (bytes_.empty()) wrong(" is empty");
    if (bytes_.starts_with("\x89PNG\r\n\x1a\n")) return png();
    if (bytes_.starts_with("\xff\xd8\xff")) return jpeg();
    wrong(" is neither PNG nor JPEG");
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const { throw FileError("read_image: " + path_ + what); }
  [[noreturn]] void cut_short() const { wrong(text(" is cut short: it ends after ", bytes_.size(), " bytes")); }
  std::uint32_t number(std::size_t at, std::size_t count) const {
    if (bytes_.size() < at + count) cut_short();
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < count; ++i) v = v << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return v;
  }

  ImageHeader png() const {
    ImageHeader h;
    bool numbers = false;
    for (std::size_t at = 8;;) {
      const std::size_t size = number(at, 4);
      const std::string_view kind = bytes_.substr(at + 4, 4);
      if (size > 0x7fffffffU) wrong(" is damaged: a part has an absurd size");
      const std::uint32_t sum = number(at + 8 + size, 4);
      if (detail::checksum(bytes_.substr(at + 4, 4 + size)) != sum)
        wrong(text(" is damaged: the checksum of the part at byte ", at, " differs"));
      if ((at == 8) != (kind == "IHDR") || (kind == "IHDR" && size != 13))
        wrong(" is damaged: its header is misplaced");
      if (kind == "IHDR") {
        h = {number(at + 8, 4), number(at + 12, 4), number(at + 16, 1) == 16, 1};
      } else if (kind == "IDAT") {
        numbers = true;
      } else if (kind == "IEND") {
        if (!numbers) wrong(" is damaged: it has no pixels");
        return h;
      }
      at += 12 + size;
    }
  }

  ImageHeader jpeg() {
    ImageHeader h;
    int scans = 0;
    std::uint32_t frame = 0;
    std::optional<int> orientation;
    for (std::size_t at = 2;;) {
      if (number(at, 1) != 0xff) wrong(text(" is damaged: byte ", at, " begins no part of a JPEG"));
      while (number(at, 1) == 0xff) ++at;
      const std::uint32_t kind = number(at++, 1);
      if (kind == 0xd9) {
        if (scans == 0) wrong(" is damaged: it has no pixels");
        h.orientation = orientation.value_or(1);
        return h;
      }
      const std::size_t size = number(at, 2);
      if (size < 2) wrong(" is damaged: a part has an absurd size");
      if (bytes_.size() < at + size) cut_short();
      if (kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc) {
        if (kind > 0xc2)
          wrong(text(" is a JPEG of a kind (", kind - 0xc0, ") that is not supported\n",
                     "  help: save it as baseline or progressive JPEG, or as PNG"));
        if (size < 8) wrong(" is damaged: a part has an absurd size");
        if (const auto bits = number(at + 2, 1); bits != 8)
          wrong(text(" has ", bits, " bits per number, taken are 8 in a JPEG"));
        if (frame != 0) wrong(" is damaged: it has two headers");
        frame = kind;
        h = {number(at + 5, 2), number(at + 3, 2), false, 1};
      }
      // The first part of that name counts, wherever it is.
      if (constexpr std::string_view exif("Exif\0\0", 6);
          kind == 0xe1 && !orientation && bytes_.substr(at + 2, size - 2).starts_with(exif))
        orientation = orientation_of(bytes_.substr(at + 8, size - 8));
      if (kind == 0xc4) take_codes(at + 2, at + size);
      if (kind == 0xda) check_scan(at + 2, at + size, frame == 0xc2);
      at += size;
      if (kind != 0xda) continue;
      // A scan of a large picture costs time whatever its size: no real picture has hundreds.
      if (++scans > 200) wrong(" has more than 200 scans");
      for (;; ++at) {  // its numbers go on to a mark that is neither an escaped 0xff nor a restart
        at = bytes_.find('\xff', at);
        if (at == bytes_.npos) cut_short();
        const std::uint32_t next = number(at + 1, 1);
        if (next != 0 && next != 0xff && (next < 0xd0 || next > 0xd7)) break;
      }
    }
  }

  /// Tables of Huffman codes: stb writes beyond its own when one claims more codes than there are bytes.
  void take_codes(std::size_t at, std::size_t end) {
    while (at + 17 <= end) {
      const std::uint32_t place = number(at, 1);
      std::size_t codes = 0;
      for (std::size_t i = 1; i <= 16; ++i) codes += number(at + i, 1);
      if (codes > 256) wrong(text(" is damaged: a table has ", codes, " codes, 256 are possible"));
      if (place < 32) tables_ |= std::uint32_t{1} << place;
      at += 17 + codes;
    }
    if (at != end) wrong(" is damaged: a table of codes has another size than it says");
  }

  /// A scan's tables must be there: stb decodes with whatever lies in its memory.
  void check_scan(std::size_t at, std::size_t end, bool progressive) const {
    const std::size_t count = number(at, 1);
    if (at + 4 + 2 * count != end) wrong(" is damaged: a scan's header has another size than it says");
    const bool first = number(end - 3, 1) == 0, later = number(end - 1, 1) >> 4 != 0;
    const bool needs_dc = !progressive || (first && !later), needs_ac = !progressive || !first;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t ids = number(at + 2 + 2 * i, 1), dc = ids >> 4, ac = 16 + (ids & 15);
      if ((needs_dc && (tables_ >> dc & 1U) == 0) || (needs_ac && (tables_ >> ac & 1U) == 0))
        wrong(" is damaged: a scan has no table of codes");
    }
  }

  const std::string& path_;
  std::string_view bytes_;
  std::uint32_t tables_ = 0;  // of a JPEG, seen so far: bit 16 * class + place
};

/// (H, W, C) as stb has it -> (C, H, W), or (C, W, H), upright.
template <class T, class From>
Tensor planes(const From* from, std::int64_t height, std::int64_t width, std::int64_t channels, int orientation) {
  // What EXIF says is where the stored first row and first column are to be seen: from 5 on, rows are columns.
  const bool exchanged = orientation >= 5;
  const bool last_row_first = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool last_column_first = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  std::int64_t first = 0, down = width * channels, right = channels;
  if (last_row_first) first += (height - 1) * down, down = -down;
  if (last_column_first) first += (width - 1) * right, right = -right;
  if (exchanged) std::swap(down, right), std::swap(height, width);
  Tensor x = empty({channels, height, width}, dtype_of<T>);
  T* to = x.mutable_data<T>();
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < height; ++i)
      for (std::int64_t j = 0; j < width; ++j) *to++ = static_cast<T>(from[first + i * down + j * right + c]);
  return x;
}

/// 0 ... 1 -> 0 ... 255.
template <class T>
std::uint8_t level_of(T v) {
  if (std::isnan(v)) throw ConfigError("write_png: the picture holds NaN\n  help: replace it, e.g. with nan_to_num(x)");
  return static_cast<std::uint8_t>(std::lround(std::min<double>(std::max<double>(static_cast<double>(v), 0), 1) * 255));
}
std::uint8_t level_of(std::uint8_t v) { return v; }

/// (C, H, W) -> (H, W, C).
template <class T>
void interleave(const Tensor& x, std::string& to) {
  const std::int64_t channels = x.size(0), pixels = x.size(1) * x.size(2);
  const std::vector<T> from = to_vector<T>(x);
  for (std::int64_t i = 0; i < pixels; ++i)
    for (std::int64_t c = 0; c < channels; ++c)
      to += static_cast<char>(level_of(from[static_cast<std::size_t>(c * pixels + i)]));
}
#endif

}  // namespace

bool have_images() noexcept {
#ifdef WEFT_WITH_IMAGES
  return true;
#else
  return false;
#endif
}

Tensor read_image([[maybe_unused]] const std::string& path, [[maybe_unused]] const ImageOptions& options) {
#ifndef WEFT_WITH_IMAGES
  without("read_image");
#else
  if (options.channels < 0 || options.channels == 2 || options.channels > 4)
    throw ConfigError(text("read_image: channels is ", options.channels, ", it can be 0 (as in the file), 1, 3 or 4"));
  const std::string bytes = read_file("read_image", path);
  const ImageHeader h = Walk(path, bytes).header();
  const auto said = [&](const std::string& what) { return FileError("read_image: " + path + what); };
  if (h.width == 0 || h.height == 0) throw said(text(" is damaged: it claims ", h.width, " x ", h.height, " pixels"));
  if (h.height > options.max_pixels / h.width)
    throw said(text(" claims ", h.width, " x ", h.height, " pixels, allowed are ", options.max_pixels,
                    "\n  help: raise ImageOptions::max_pixels if the file is to be trusted"));
  if (bytes.size() > INT32_MAX) throw said(text(" has ", bytes.size(), " bytes, more than 2 GiB"));

  const bool wide = options.keep_16_bits && h.wide;
  most_bytes = 32 * static_cast<std::size_t>(h.width * h.height) + 2 * bytes.size() + (std::size_t{1} << 20);
  const auto* from = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  int width = 0, height = 0, channels = 0;
  std::unique_ptr<void, void (*)(void*)> pixels(nullptr, std::free);
  std::string why;
  try {
    if (wide)
      pixels.reset(stbi_load_16_from_memory(from, size, &width, &height, &channels, options.channels));
    else
      pixels.reset(stbi_load_from_memory(from, size, &width, &height, &channels, options.channels));
    if (!pixels) why = stbi_failure_reason();
  } catch (const std::runtime_error& e) {
    why = e.what();
  }
  if (!pixels) throw said(" is damaged: " + (why == "outofmem" ? "it holds more than its size allows" : why));
  if (options.channels != 0) channels = options.channels;
  const int orientation = options.apply_exif_orientation ? h.orientation : 1;
  return wide ? planes<std::int32_t>(static_cast<stbi_us*>(pixels.get()), height, width, channels, orientation)
              : planes<std::uint8_t>(static_cast<stbi_uc*>(pixels.get()), height, width, channels, orientation);
#endif
}

void write_png([[maybe_unused]] const std::string& path, [[maybe_unused]] const Tensor& given) {
#ifndef WEFT_WITH_IMAGES
  without("write_png");
#else
  const Shape& shape = given.shape();
  const bool grey = given.dim() == 2;
  if (!grey && (given.dim() != 3 || (shape[0] != 1 && shape[0] != 3 && shape[0] != 4)))
    throw ShapeError(text("write_png: a picture is (H, W), or (C, H, W) with 1, 3 or 4 channels, not ", shape));
  Tensor x = detach(given);
  if (grey) x = view_as(x, {1, shape[0], shape[1]}, {0, x.strides()[0], x.strides()[1]});
  // stb computes sizes as int.
  if (x.numel() == 0 || x.numel() > std::int64_t{1} << 30)
    throw ShapeError(text("write_png: ", shape, " has ", x.numel(), " numbers, a picture has 1 to 2^30"));
  std::string levels, out;
  levels.reserve(static_cast<std::size_t>(x.numel()));
  if (x.dtype() == DType::uint8)
    interleave<std::uint8_t>(x, levels);
  else if (x.dtype() == DType::float32)
    interleave<float>(x, levels);
  else if (x.dtype() == DType::float64)
    interleave<double>(x, levels);
  else
    throw DtypeError(text("write_png: a picture is uint8, or float32 or float64 from 0 to 1, not ", x.dtype()));
  const int width = static_cast<int>(x.size(2)), height = static_cast<int>(x.size(1)),
            channels = static_cast<int>(x.size(0));
  const auto append = [](void* to, void* data, int n) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(n));
  };
  if (!stbi_write_png_to_func(append, &out, width, height, channels, levels.data(), width * channels) || out.empty())
    throw FileError(text("write_png: ", path, ": a picture of ", shape, " cannot be packed"));
  write_file("write_png", path, out);
#endif
}

Tensor image_grid(const Tensor& pictures, std::int64_t columns, const GridOptions& options) {
  if (pictures.dim() != 4) throw ShapeError(text("image_grid: pictures are (N, C, H, W), not ", pictures.shape()));
  if (columns < 1) throw ConfigError(text("image_grid: columns is ", columns, ", it must be at least 1"));
  if (options.padding < 0 || options.padding > 4096)
    throw ConfigError(text("image_grid: padding is ", options.padding, ", it can be 0 to 4096"));
  const std::int64_t count = pictures.size(0), height = pictures.size(2), width = pictures.size(3);
  if (count == 0) throw ShapeError(text("image_grid: there is no picture in ", pictures.shape()));
  const std::int64_t across = std::min(columns, count), down = (count + across - 1) / across, pad = options.padding;
  Tensor grid = full({pictures.size(1), down * (height + pad) + pad, across * (width + pad) + pad}, options.pad_value,
                     pictures.dtype());
  const auto place = [](const Tensor& x, std::int64_t offset, const Strides& strides, const Shape& shape) {
    return view_as(x, shape, strides, offset);
  };
  const Strides to = grid.strides(), from = pictures.strides();
  const Shape one{pictures.size(1), height, width};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t top = pad + n / across * (height + pad), left = pad + n % across * (width + pad);
    Tensor target = place(grid, top * to[1] + left * to[2], to, one);
    kernels::copy_into(target, place(detach(pictures), n * from[0], {from[1], from[2], from[3]}, one));
  }
  return grid;
}

}  // namespace weft::data
