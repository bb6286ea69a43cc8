#include <doctest/doctest.h>

#include <cmath>

#include <weft/data/file.h>
#include <weft/data/image.h>
#include <weft/tensor/kernels.h>

#include "data_help.h"
#include "reader_files.h"

using namespace weft;
using namespace weft::data;

TEST_CASE("image_grid: pictures side by side, in any layout") {
  const Tensor x = from(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {3, 1, 2, 2});
  const Tensor g = image_grid(x, 2, {.padding = 1, .pad_value = 0.5});
  CHECK(g.shape() == Shape{1, 7, 7});
  const double p = 0.5;
  CHECK(to_vector<double>(g) == std::vector<double>{p, p, p,  p,  p, p, p, p, 1, 2, p, 5, 6, p,  p, 3, 4,
                                                    p, 7, 8,  p,  p, p, p, p, p, p, p, p, 9, 10, p, p, p,
                                                    p, p, 11, 12, p, p, p, p, p, p, p, p, p, p,  p});
  const Tensor turned = view_as(x, {3, 1, 2, 2}, {4, 4, 1, 2});
  CHECK(to_vector<double>(image_grid(turned, 3, {.padding = 0})) ==
        std::vector<double>{1, 3, 5, 7, 9, 11, 2, 4, 6, 8, 10, 12});
  CHECK(image_grid(zeros({2, 3, 4, 5}, DType::uint8), 8).shape() == Shape{3, 8, 16});
  CHECK(image_grid(zeros({2, 3, 4, 5}, DType::uint8), 8).dtype() == DType::uint8);
  CHECK(message<ShapeError>([] {
          image_grid(zeros({2, 3}), 1);
        }) == "image_grid: pictures are (N, C, H, W), not [2, 3]");
  CHECK(message<ShapeError>([] {
          image_grid(zeros({0, 1, 2, 2}), 1);
        }) == "image_grid: there is no picture in [0, 1, 2, 2]");
  CHECK(message<ConfigError>([] {
          image_grid(zeros({1, 1, 2, 2}), 0);
        }) == "image_grid: columns is 0, it must be at least 1");
  CHECK(message<ConfigError>([] {
          image_grid(zeros({1, 1, 2, 2}), 1, {.padding = -1});
        }) == "image_grid: padding is -1, it can be 0 to 4096");
}

#ifdef WEFT_WITH_IMAGES
namespace {

/// The message without the folder's name.
std::string complaint(const std::string& content, const ImageOptions& options = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x", content);
  const std::string m = message<FileError>([&] { read_image(path, options); }), lead = "read_image: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}

/// A PNG's bytes.
std::string png_of(const Tensor& x) {
  const TemporaryFolder folder;
  write_png(folder / "x.png", x);
  return read_file("test", folder / "x.png");
}

/// A grey PNG of 16 bits: 1 x 2 pixels, 258 and 65535, stored without packing; its checksums worked out apart.
std::string wide_png() {
  return tests::from_hex(
      "89504e470d0a1a0a0000000d494844520000000200000001100000000081d9fc15"
      "00000010494441547801010500faff000102ffff030c0202a7b64f96"
      "0000000049454e44ae426082");
}

}  // namespace

TEST_CASE("write_png and read_image: what is written comes back, whatever the layout") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.png";
  for (const std::int64_t channels : {1, 3, 4}) {
    Tensor x = empty({channels, 5, 7}, DType::uint8);
    for (std::int64_t i = 0; i < x.numel(); ++i) x.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 37);
    write_png(path, x);
    const Tensor y = read_image(path);
    CHECK(y.dtype() == DType::uint8);
    CHECK(y.shape() == x.shape());
    CHECK(to_vector<std::int64_t>(y) == to_vector<std::int64_t>(x));
    const Tensor turned = view_as(x, {channels, 7, 5}, {35, 1, 7});
    write_png(path, turned);
    CHECK(to_vector<std::int64_t>(read_image(path)) == to_vector<std::int64_t>(turned));
  }
  write_png(path, tensor({{0, 1}, {0.5, 0.251}, {-3, 7}}));
  const Tensor grey = read_image(path);
  CHECK(grey.shape() == Shape{1, 3, 2});
  CHECK(to_vector<std::int64_t>(grey) == std::vector<std::int64_t>{0, 255, 128, 64, 0, 255});
}

TEST_CASE("read_image: channels as wanted") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.png";
  write_png(path, from(std::vector<std::uint8_t>{200, 10, 100, 20, 50, 30}, {3, 1, 2}));
  // (77 * 200 + 150 * 100 + 29 * 50) / 256 = 124.4, (77 * 10 + 150 * 20 + 29 * 30) / 256 = 18.1
  CHECK(to_vector<std::int64_t>(read_image(path, {.channels = 1})) == std::vector<std::int64_t>{124, 18});
  const Tensor four = read_image(path, {.channels = 4});
  CHECK(four.shape() == Shape{4, 1, 2});
  CHECK(to_vector<std::int64_t>(four) == std::vector<std::int64_t>{200, 10, 100, 20, 50, 30, 255, 255});
  CHECK(message<ConfigError>([&] { read_image(path, {.channels = 2}); }) ==
        "read_image: channels is 2, it can be 0 (as in the file), 1, 3 or 4");
}

TEST_CASE("read_image: JPEG, baseline and progressive") {
  const TemporaryFolder folder;
  const Tensor grey = read_image(folder.write("a.jpg", tests::grey_jpeg()));
  CHECK(grey.shape() == Shape{1, 8, 8});
  const auto v = to_vector<std::int64_t>(grey);
  for (std::size_t i = 0; i < 64; ++i) CHECK(std::abs(v[i] - 32 * static_cast<std::int64_t>(i / 8)) <= 2);
  const Tensor colour = read_image(folder.write("b.jpg", tests::colour_jpeg()));
  CHECK(colour.shape() == Shape{3, 8, 16});
  const auto c = to_vector<std::int64_t>(colour);
  for (std::size_t i = 0; i < c.size(); ++i) CHECK(std::abs(c[i] - std::vector{200, 100, 50}[i / 128]) <= 4);
}

TEST_CASE("read_image: a JPEG comes upright, as its EXIF orientation says") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& bytes, const ImageOptions& options = {}) {
    return read_image(folder.write("x.jpg", bytes), options);
  };
  const std::string jpeg = tests::two_blocks_jpeg();
  const Tensor stored = read(jpeg);
  REQUIRE(stored.shape() == Shape{1, 8, 16});
  const auto at = [](const Tensor& x, std::int64_t row, std::int64_t column) {
    return int{x.data<std::uint8_t>()[row * x.size(2) + column]};
  };
  // Darker above, even on the right: no two of the eight are the same.
  REQUIRE(at(stored, 0, 0) < 10);
  REQUIRE(at(stored, 7, 0) > 200);
  REQUIRE(at(stored, 0, 15) == at(stored, 7, 15));
  // Where the stored place (row, column) is to be seen.
  const auto seen = [](int orientation, std::int64_t r, std::int64_t c) -> std::pair<std::int64_t, std::int64_t> {
    switch (orientation) {
      case 2: return {r, 15 - c};
      case 3: return {7 - r, 15 - c};
      case 4: return {7 - r, c};
      case 5: return {c, r};
      case 6: return {c, 7 - r};
      case 7: return {15 - c, 7 - r};
      case 8: return {15 - c, r};
      default: return {r, c};
    }
  };
  for (const bool little : {false, true})
    for (int orientation = 0; orientation <= 9; ++orientation) {
      CAPTURE(orientation);
      const std::string file = tests::with_exif(jpeg, tests::orientation_tiff(orientation, little));
      const Tensor x = read(file);
      const bool turned = orientation >= 5 && orientation <= 8;
      REQUIRE(x.shape() == (turned ? Shape{1, 16, 8} : Shape{1, 8, 16}));
      int different = 0;
      for (std::int64_t r = 0; r < 8; ++r)
        for (std::int64_t c = 0; c < 16; ++c) {
          const auto [row, column] = seen(orientation, r, c);
          different += at(x, row, column) != at(stored, r, c);
        }
      CHECK(different == 0);
      CHECK(to_vector<int>(read(file, {.apply_exif_orientation = false})) == to_vector<int>(stored));
    }
  const Tensor colours = read(tests::with_exif(tests::colour_jpeg(), tests::orientation_tiff(6, true)));
  CHECK(colours.shape() == Shape{3, 16, 8});
  for (std::int64_t c = 0; c < 3; ++c)
    CHECK(std::abs(int{colours.data<std::uint8_t>()[c * 128 + 77]} -
                   std::vector{200, 100, 50}[static_cast<std::size_t>(c)]) <= 4);
}

TEST_CASE("read_image: an EXIF part that cannot be read changes nothing") {
  const TemporaryFolder folder;
  const std::string jpeg = tests::two_blocks_jpeg();
  const auto shape = [&](const std::string& tiff) {
    return read_image(folder.write("x.jpg", tests::with_exif(jpeg, tiff))).shape();
  };
  const Shape stored{1, 8, 16}, turned{1, 16, 8};
  for (const bool little : {false, true}) {
    const std::string tiff = tests::orientation_tiff(6, little);
    REQUIRE(shape(tiff) == turned);
    // Up to the orientation's value nothing of it is known, behind it nothing is needed.
    for (std::size_t n = 0; n < tiff.size(); ++n) CHECK(shape(tiff.substr(0, n)) == (n < 32 ? stored : turned));
    // Any byte may be any other: it reads something, and never beyond.
    for (std::size_t i = 0; i < tiff.size(); ++i)
      for (int v = 0; v < 256; v += 5) {
        std::string other = tiff;
        other[i] = static_cast<char>(v);
        const Shape s = shape(other);
        CHECK((s == stored || s == turned));
      }
    std::string other = tiff;  // a directory far beyond the end
    for (std::size_t i = 4; i < 8; ++i) other[i] = '\xff';
    CHECK(shape(other) == stored);
    other = tiff;  // a type that no orientation has
    other[little ? 24 : 25] = 2;
    CHECK(shape(other) == stored);
    other = tiff;  // two of them
    other[little ? 26 : 29] = 2;
    CHECK(shape(other) == stored);
  }
  CHECK(shape("no TIFF file") == stored);
  // Of two parts the first counts.
  const std::string upright = tests::orientation_tiff(1, true), lying = tests::orientation_tiff(6, true);
  CHECK(read_image(folder.write("x.jpg", tests::with_exif(tests::with_exif(jpeg, lying), upright))).shape() == stored);
}

TEST_CASE("read_image: 16 bits, shortened or kept") {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.png", wide_png());
  CHECK(to_vector<std::int64_t>(read_image(path)) == std::vector<std::int64_t>{1, 255});
  const Tensor wide = read_image(path, {.keep_16_bits = true});
  CHECK(wide.dtype() == DType::int32);
  CHECK(to_vector<std::int64_t>(wide) == std::vector<std::int64_t>{258, 65535});
  write_png(path, tensor({{0, 1}}));
  CHECK(read_image(path, {.keep_16_bits = true}).dtype() == DType::uint8);
}

TEST_CASE("read_image: what is wrong with a file is said") {
  const std::string png = png_of(tensor({{0, 1}, {0.5, 0.25}})), jpeg = tests::grey_jpeg();
  CHECK(complaint("") == " is empty");
  CHECK(complaint("GIF89a") == " is neither PNG nor JPEG");
  for (std::size_t n = 8; n < png.size(); ++n)
    CHECK(complaint(png.substr(0, n)) == text(" is cut short: it ends after ", n, " bytes"));
  for (std::size_t n = 3; n < jpeg.size(); ++n)
    CHECK(complaint(jpeg.substr(0, n)) == text(" is cut short: it ends after ", n, " bytes"));
  const std::string waves = tests::colour_jpeg();
  for (std::size_t n = 3; n < waves.size(); ++n)
    CHECK(complaint(waves.substr(0, n)) == text(" is cut short: it ends after ", n, " bytes"));
  std::string damaged = png;
  damaged[45] = static_cast<char>(damaged[45] ^ 1);
  CHECK(complaint(damaged) == " is damaged: the checksum of the part at byte 33 differs");
  CHECK(complaint(png, {.max_pixels = 3}) ==
        " claims 2 x 2 pixels, allowed are 3\n  help: raise ImageOptions::max_pixels if the file is to be trusted");
  std::string huge = jpeg;  // 65535 x 65535 in the frame's header
  const std::size_t frame = huge.find("\xff\xc0");
  huge.replace(frame + 5, 4, "\xff\xff\xff\xff");
  CHECK(complaint(huge).starts_with(" claims 65535 x 65535 pixels, allowed are 134217728"));
  huge.replace(frame + 5, 4, std::string(4, '\0'));
  CHECK(complaint(huge) == " is damaged: it claims 0 x 0 pixels");
  huge = jpeg;
  huge[frame + 1] = '\xc3';
  CHECK(complaint(huge) ==
        " is a JPEG of a kind (3) that is not supported\n"
        "  help: save it as baseline or progressive JPEG, or as PNG");
  huge[frame + 1] = '\xc0';
  huge[frame + 4] = 12;
  CHECK(complaint(huge) == " has 12 bits per number, taken are 8 in a JPEG");
  huge = jpeg;  // a table with more codes than stb has room for
  const std::size_t table = huge.find("\xff\xc4");
  huge.replace(table + 5, 2, "\xff\xff");
  CHECK(complaint(huge).starts_with(" is damaged: a table has 51"));
  huge[table + 1] = '\xfe';  // a comment instead of the table
  CHECK(complaint(huge) == " is damaged: a scan has no table of codes");
  huge = jpeg;
  huge[table + 3] = static_cast<char>(huge[table + 3] - 1);
  CHECK(complaint(huge) == " is damaged: a table of codes has another size than it says");
  huge = jpeg;
  huge.insert(table, jpeg.substr(frame, table - frame));
  CHECK(complaint(huge) == " is damaged: it has two headers");
  huge = jpeg;
  huge[huge.find("\xff\xda") + 4] = 2;
  CHECK(complaint(huge) == " is damaged: a scan's header has another size than it says");
  const std::size_t scan = jpeg.find("\xff\xda");
  huge = jpeg.substr(0, jpeg.size() - 2);
  for (int i = 0; i < 200; ++i) huge += jpeg.substr(scan, jpeg.size() - 2 - scan);
  CHECK(complaint(huge + "\xff\xd9") == " has more than 200 scans");
  CHECK(complaint(jpeg.substr(0, 20) + "no part\xff\xd9") == " is damaged: byte 20 begins no part of a JPEG");
  CHECK(complaint(jpeg.substr(0, 20) + std::string("\xff\xfe\0\1", 4)) == " is damaged: a part has an absurd size");
  CHECK(complaint(png.substr(0, 33) + png.substr(png.size() - 12)) == " is damaged: it has no pixels");
  CHECK(complaint(png.substr(0, 8) + png.substr(33)) == " is damaged: its header is misplaced");
  CHECK(complaint(jpeg.substr(0, 20) + "\xff\xd9") == " is damaged: it has no pixels");
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { read_image(folder / "no.png"); }) ==
        "read_image: cannot open " + (folder / "no.png") + ": No such file or directory");
  CHECK(message<FileError>([&] { read_image(folder / ""); }) ==
        "read_image: " + (folder / "") + " is a folder, not a file");
}

TEST_CASE("write_png: what is no picture is said") {
  CHECK(message<ShapeError>([] {
          write_png("x.png", zeros({2, 4, 4}));
        }) == "write_png: a picture is (H, W), or (C, H, W) with 1, 3 or 4 channels, not [2, 4, 4]");
  CHECK(message<ShapeError>([] {
          write_png("x.png", zeros({0, 4}));
        }) == "write_png: [0, 4] has 0 numbers, a picture has 1 to 2^30");
  CHECK(message<DtypeError>([] {
          write_png("x.png", zeros({4, 4}, DType::int64));
        }) == "write_png: a picture is uint8, or float32 or float64 from 0 to 1, not int64");
  CHECK(message<ConfigError>([] {
          write_png("x.png", full({1, 1}, std::nan("")));
        }) == "write_png: the picture holds NaN\n  help: replace it, e.g. with nan_to_num(x)");
  CHECK(message<FileError>([] {
          write_png("/no/such/folder/x.png", zeros({1, 1}));
        }).starts_with("write_png: cannot write /no/such/folder/x.png"));
}
#else
TEST_CASE("read_image and write_png: a weft without stb says so") {
  const std::string rest =
      ": this weft was built without stb, which reads and writes pictures\n"
      "  help: install libstb-dev and build again with -Dimages=enabled";
  CHECK(message<ConfigError>([] { read_image("x.png"); }) == "read_image" + rest);
  CHECK(message<ConfigError>([] { write_png("x.png", zeros({1, 1})); }) == "write_png" + rest);
}
#endif
