#pragma once
#include <cstdint>
#include <string>

#include <weft/tensor/tensor.h>

/// Pictures: PNG and JPEG in, PNG out. Needs stb (Meson feature `images`).
namespace weft::data {

struct ImageOptions {
  int channels = 0;           ///< 0: as in the file; 1: grey, 3: red, green, blue, 4: with opacity, 0 ... 255
  bool keep_16_bits = false;  ///< a PNG of 16 bits as int32 0 ... 65535 instead of uint8 (its upper 8 bits)
  std::int64_t max_pixels = std::int64_t{1} << 27;  ///< a file that claims more is refused before it is unpacked
  bool apply_exif_orientation = true;               ///< a JPEG is turned and mirrored as its EXIF orientation says
};

/// Reads a PNG (1 to 16 bits, palettes, interlaced) or a JPEG (baseline or progressive, 8 bits) as uint8 (C, H, W),
/// rows from top to bottom. Grey from colours is (77 R + 150 G + 29 B) / 256, opacity where the file has none 255. A
/// JPEG that a camera stored lying on its side comes upright: its EXIF orientation (tag 0x0112 of the first image
/// directory, CIPA DC-008) is applied, so that H and W may be exchanged; one that is missing, damaged or not from 1 to
/// 8 changes nothing. Throws FileError naming the file: missing, a folder, empty, of another kind, cut short (a JPEG
/// too), damaged (a PNG's checksums are checked), too many pixels; ConfigError for channels that are not 0, 1, 3 or 4,
/// and when weft was built without stb.
Tensor read_image(const std::string& path, const ImageOptions& options = {});

/// Writes a picture as PNG of 8 bits: (H, W) or (C, H, W) with C 1 (grey), 3 or 4; uint8 as it is, float32 and float64
/// from 0 (black) to 1, cut to that range and rounded to the nearest of 256 steps. All of it or nothing.
/// Throws ShapeError, DtypeError, ConfigError for NaN and when weft was built without stb, FileError.
void write_png(const std::string& path, const Tensor& picture);

struct GridOptions {
  std::int64_t padding = 2;  ///< pixels around every picture
  double pad_value = 0;
};

/// (N, C, H, W) -> (C, rows (H + padding) + padding, columns (W + padding) + padding): the pictures side by side,
/// `columns` in a row, places without one filled with pad_value; the type stays. torchvision's make_grid with
/// nrow = columns (but it repeats a single channel, this does not). Throws ShapeError, ConfigError.
Tensor image_grid(const Tensor& pictures, std::int64_t columns, const GridOptions& options = {});

/// Whether this build reads and writes pictures.
bool have_images() noexcept;

}  // namespace weft::data
