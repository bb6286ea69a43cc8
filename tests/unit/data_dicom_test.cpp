#include <doctest/doctest.h>

#include <cmath>

#include <weft/data/dicom.h>
#include <weft/data/file.h>

#include "data_help.h"
#include "reader_files.h"

using namespace weft;
using namespace weft::data;

TEST_CASE("window: the linear function of the standard") {
  // centre 40, width 400: 0 up to -160, 1 above 239, between (x - 39.5) / 399 + 0.5
  const auto v = to_vector<double>(window(tensor({-1000, -160, -159, 39.5, 40, 239, 239.5, 3000}), 40, 400));
  const std::vector<double> expected{0, 0, (-159 - 39.5) / 399 + 0.5, 0.5, 0.5 / 399 + 0.5, 1, 1, 1};
  for (std::size_t i = 0; i < v.size(); ++i) CHECK(v[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  // the standard's example for width 1: a step at centre - 0.5
  CHECK(to_vector<double>(window(tensor({9, 9.5, 9.6, 10}), 10, 1)) == std::vector<double>{0, 0, 1, 1});
  CHECK(window(zeros({2, 3, 4}), 0, 2).shape() == Shape{2, 3, 4});
  CHECK(message<ConfigError>([] { window(zeros({1}), 0, 0.5); }) ==
        "window: the width must be 1 or more and both numbers finite, not centre 0 and width 0.5");
}

TEST_CASE("displayed: windows of each function, MONOCHROME1 turned over") {
  Dicom x;
  x.pixels = tensor({0, 50, 100});
  x.photometric = "MONOCHROME2";
  CHECK(to_vector<double>(displayed(x)) == std::vector<double>{0, 0.5, 1});
  x.inverted = true;
  CHECK(to_vector<double>(displayed(x)) == std::vector<double>{1, 0.5, 0});
  x.inverted = false;
  x.windows = {{50, 100}, {1, 1}};
  x.window_function = "LINEAR_EXACT";
  CHECK(to_vector<double>(displayed(x)) == std::vector<double>{0, 0.5, 1});
  x.window_function = "SIGMOID";
  CHECK(to_vector<double>(displayed(x))[2] == doctest::Approx(1 / (1 + std::exp(-2.0))));
  x.window_function = "LINEAR";
  CHECK(to_vector<double>(displayed(x))[1] == doctest::Approx(0.5 / 99 + 0.5));
}

#ifdef WEFT_WITH_DICOM
namespace {

using namespace weft::tests;

Dicom load(const std::string& content, const DicomOptions& options = {}) {
  const TemporaryFolder folder;
  return read_dicom(folder.write("x.dcm", content), options);
}

/// The message without the folder's name.
std::string complaint(const std::string& content, const DicomOptions& options = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.dcm", content);
  const std::string m = message<FileError>([&] { read_dicom(path, options); }), lead = "read_dicom: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}
std::string complaint(std::pair<int, int> tag, const std::string& vr, const std::string& value) {
  DicomElements e = ct_slice();
  e[tag] = {vr, value};
  return complaint(dicom_file(e));
}

std::string series_complaint(const TemporaryFolder& folder) {
  const std::string at = folder / "", m = message<FileError>([&] { read_dicom_series(at); });
  const std::string lead = "read_dicom_series: " + at;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}

/// Skips with a message where a tool of DCMTK is not installed.
bool have_tool(const char* name) {
  if (std::system(text("command -v ", name, " >/dev/null 2>&1").c_str()) == 0) return true;
  MESSAGE("skipped: there is no ", name, " (package dcmtk)");
  return false;
}
bool run(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

const std::vector<double> hounsfield{-1000, -998, -996, 0, 1000, 7190};  // 2 * stored - 1000

}  // namespace

TEST_CASE("read_dicom: values by slope and intercept, place, spacing, windows") {
  const Dicom x = load(dicom_file(ct_slice("12.5")));
  CHECK(x.pixels.shape() == Shape{2, 3});
  CHECK(x.pixels.dtype() == DType::float32);
  CHECK(to_vector<double>(x.pixels) == hounsfield);
  CHECK(x.modality == "CT");
  CHECK(x.units == "HU");
  CHECK(x.photometric == "MONOCHROME2");
  CHECK_FALSE(x.inverted);
  CHECK(x.transfer_syntax == "Little Endian Explicit");
  REQUIRE(x.spacing);
  CHECK(*x.spacing == std::array<double, 2>{0.5, 0.75});
  CHECK(x.slice_thickness == 5);
  REQUIRE(x.windows.size() == 2);
  CHECK(x.windows[0].centre == 40);
  CHECK(x.windows[1].width == 1500);
  REQUIRE(x.planes.size() == 1);
  CHECK(x.planes[0].position == std::array<double, 3>{-10, 20, 12.5});
  CHECK(x.planes[0].along_row == std::array<double, 3>{1, 0, 0});
  CHECK(x.planes[0].along_column == std::array<double, 3>{0, 1, 0});
  CHECK(to_vector<double>(load(dicom_file(ct_slice()), {.rescale = false}).pixels) ==
        std::vector<double>{0, 1, 2, 500, 1000, 4095});
}

TEST_CASE("read_dicom: signed numbers, bits beside the number, 8 and 32 bits, frames, colours") {
  DicomElements e = ct_slice("0", {0xf000, 0xffff, 0x0800, 0x07ff, 0x1001, 0xf7ff});
  e[{0x28, 0x103}] = {"US", words({1})};  // 12 bits with sign; what lies above them is no part of the number
  CHECK(to_vector<double>(load(dicom_file(e), {.rescale = false}).pixels) ==
        std::vector<double>{0, -1, -2048, 2047, 1, 2047});
  e = ct_slice("0", {0x0102, 0x0304, 0x0506});
  for (const int tag : {0x100, 0x101}) e[{0x28, tag}] = {"US", words({8})};
  e[{0x28, 0x102}] = {"US", words({7})};
  CHECK(to_vector<double>(load(dicom_file(e), {.rescale = false}).pixels) == std::vector<double>{2, 1, 4, 3, 6, 5});
  e = ct_slice("0", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  e[{0x28, 0x8}] = {"IS", "2"};
  const Dicom frames = load(dicom_file(e), {.rescale = false});
  CHECK(frames.pixels.shape() == Shape{2, 2, 3});
  CHECK(to_vector<double>(frames.pixels) == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  e.erase({0x28, 0x8});
  for (const int tag : {0x100, 0x101}) e[{0x28, tag}] = {"US", words({32})};
  e[{0x28, 0x102}] = {"US", words({31})};
  CHECK(to_vector<double>(load(dicom_file(e), {.rescale = false}).pixels)[1] == 3 + 4 * 65536.0);
  e = ct_slice("0", {0x0201, 0x0403, 0x0605, 0x0807, 0x0a09, 0x0c0b, 0x0e0d, 0x100f, 0x1211});
  for (const int tag : {0x100, 0x101}) e[{0x28, tag}] = {"US", words({8})};
  e[{0x28, 0x102}] = {"US", words({7})};
  e[{0x28, 0x2}] = {"US", words({3})};
  e[{0x28, 0x4}] = {"CS", "RGB"};
  e[{0x28, 0x6}] = {"US", words({0})};
  const Dicom colour = load(dicom_file(e));
  CHECK(colour.pixels.shape() == Shape{3, 2, 3});
  CHECK(to_vector<double>(colour.pixels) ==
        std::vector<double>{1, 4, 7, 10, 13, 16, 2, 5, 8, 11, 14, 17, 3, 6, 9, 12, 15, 18});
  e[{0x28, 0x6}] = {"US", words({1})};
  CHECK(to_vector<double>(load(dicom_file(e)).pixels)[1] == 2);
  e = ct_slice();
  e[{0x28, 0x4}] = {"CS", "MONOCHROME1"};
  CHECK(load(dicom_file(e)).inverted);
  CHECK(to_vector<double>(load(dicom_file(e)).pixels) == hounsfield);
}

TEST_CASE("read_dicom: functional groups of enhanced files, frame by frame") {
  DicomElements e = ct_slice("0", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  for (const int tag : {0x1052, 0x1053}) e.erase({0x28, tag});
  e.erase({0x20, 0x32});
  e[{0x28, 0x8}] = {"IS", "2"};
  const auto item = [](const std::string& body) {
    return std::string("\xfe\xff\x00\xe0", 4) + little(static_cast<std::uint32_t>(body.size())) + body;
  };
  const auto group = [&](const std::string& z, const std::string& slope) {
    return item(
        dicom_element({0x20, 0x9113}, "SQ", item(dicom_element({0x20, 0x32}, "DS", "0\\0\\" + z))) +
        dicom_element({0x28, 0x9145}, "SQ",
                      item(dicom_element({0x28, 0x1052}, "DS", "1") + dicom_element({0x28, 0x1053}, "DS", slope))));
  };
  e[{0x5200, 0x9230}] = {"SQ", group("3", "2") + group("1", "10")};
  const Dicom x = load(dicom_file(e));
  CHECK(to_vector<double>(x.pixels) == std::vector<double>{3, 5, 7, 9, 11, 13, 71, 81, 91, 101, 111, 121});
  REQUIRE(x.planes.size() == 2);
  CHECK(x.planes[1].position[2] == 1);
  // such a file is a volume by itself
  const TemporaryFolder folder;
  folder.write("a", dicom_file(e));
  const DicomVolume v = read_dicom_series(folder / "");
  CHECK(to_vector<double>(v.voxels)[0] == 71);
  CHECK(v.spacing[0] == 2);
}

TEST_CASE("read_dicom: what is wrong with a file is said") {
  const std::string good = dicom_file(ct_slice());
  CHECK(complaint("") == " is empty");
  CHECK(complaint("\x89PNG") == " is not a DICOM file: it has no mark DICM");
  CHECK(complaint(std::string(500, '\0')) == " is not a DICOM file: it has no mark DICM");
  CHECK(complaint(good.substr(0, good.size() - 1)) == text(" is cut short: it ends after ", good.size() - 1, " bytes"));
  DicomElements e = ct_slice();
  e.erase({0x7fe0, 0x10});
  CHECK(complaint(dicom_file(e)) == " has no pixels: it is a DICOM file without the element PixelData (7FE0,0010)");
  e = ct_slice();
  e[{0x7fe0, 0x10}] = {"OW", words({1, 2, 3})};
  CHECK(complaint(dicom_file(e)) ==
        " is cut short, or has a wrong header: 1 frames of 2 x 3 x 1 numbers make 12 bytes, it has 6");
  e.erase({0x28, 0x10});
  CHECK(complaint(dicom_file(e)) == " has a wrong header: it has pixels but no Rows");
  CHECK(complaint({0x28, 0x10}, "US", words({0})) == " has a wrong header: it claims 0 rows of 3 pixels");
  CHECK(complaint({0x28, 0x100}, "US", words({1})) == " has 1 bits a pixel (BitsAllocated), taken are 8, 16 and 32");
  CHECK(complaint({0x28, 0x102}, "US", words({3})) == " has a wrong header: 12 bits stored, the highest 3, of 16");
  CHECK(complaint({0x28, 0x8}, "IS", "-2") == " has a wrong header: its number of frames is \"-2\"");
  CHECK(complaint({0x28, 0x8}, "IS", "2147483647") ==
        " claims 2147483647 frames of 2 x 3 pixels, allowed are 268435456 together\n"
        "  help: raise DicomOptions::max_pixels if the file is to be trusted");
  CHECK(complaint({0x28, 0x4}, "CS", "PALETTE COLOR") ==
        " has pixels of 1 numbers with colours \"PALETTE COLOR\", taken are MONOCHROME1, MONOCHROME2 and RGB");
  CHECK(complaint({0x28, 0x1053}, "DS", "0") == " has a wrong header: its RescaleSlope is 0");
  CHECK(complaint({0x20, 0x37}, "DS", "1\\0\\0\\1\\0\\0") ==
        " has a wrong header: ImageOrientationPatient is not two unit vectors at a right angle");
  CHECK(complaint({0x28, 0x3000}, "SQ", "") ==
        " has a lookup table instead of slope and intercept, which is not supported\n"
        "  help: set DicomOptions::rescale to false for the numbers as stored");
  const auto packed = [&](const char* uid, const char* name) {
    return complaint(dicom_file(ct_slice(), uid)) ==
           text(" is packed as \"", name, "\" (", uid, "), which is not supported\n",
                "  help: unpack it first, e.g. with dcmconv, dcmdjpls or gdcmconv --raw");
  };
  CHECK(packed("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless only)"));
  CHECK(packed("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"));
  CHECK(packed("1.2.3.4.5.6", "unknown"));
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { read_dicom(folder / "no.dcm"); }).starts_with("read_dicom: cannot open "));
  CHECK(message<FileError>([&] { read_dicom(folder / ""); }) == "read_dicom: " + (folder / "") + " is a folder");
}

TEST_CASE("read_dicom: a structure that would lead DCMTK astray is said") {
  const auto item = [](const std::string& body) {
    return std::string("\xfe\xff\x00\xe0", 4) + little(static_cast<std::uint32_t>(body.size())) + body;
  };
  const std::string good = dicom_file(ct_slice()), empty = dicom_file({});
  CHECK(complaint(empty + std::string(8, '\0')) == text(" is damaged: byte ", empty.size(), " begins no element"));
  CHECK(complaint(empty + dicom_element({0x40, 0xa730}, "SQ", dicom_element({0x8, 0x60}, "CS", "CT"))) ==
        text(" is damaged: byte ", empty.size() + 12, " begins no item"));
  CHECK(complaint(empty + dicom_element({0x40, 0xa730}, "SQ", item(item("")))) ==
        text(" is damaged: byte ", empty.size() + 20, " begins no element"));
  std::string beyond = item(dicom_element({0x8, 0x60}, "CS", "CT"));
  beyond[4] = 8;
  CHECK(complaint(empty + dicom_element({0x40, 0xa730}, "SQ", beyond)) ==
        text(" is damaged: an element reaches beyond its sequence at byte ", empty.size() + 28));
  CHECK(complaint(empty + std::string("\x08\0\x60\0OB\0\0\xff\xff\xff\xff", 12)) ==
        text(" is damaged: the element at byte ", empty.size(), " has no length"));
  CHECK(complaint(std::string(128, '\0') + "DICM") == " is damaged: it names no transfer syntax");
  // pixels in fragments
  const std::string lead("\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff", 12), end("\xfe\xff\xdd\xe0\0\0\0\0", 8);
  DicomElements e = ct_slice();
  e.erase({0x7fe0, 0x10});
  e[{0x28, 0x8}] = {"IS", "2"};
  const std::string rle = "1.2.840.10008.1.2.5", jpeg = "1.2.840.10008.1.2.4.50";
  CHECK(complaint(dicom_file(e, rle) + lead + item("") + item("ab") + end) ==
        " has 2 frames in 1 fragments, taken is one for each\n  help: unpack it first, e.g. with gdcmconv --raw");
  CHECK(complaint(dicom_file(e) + lead + item("") + item("ab") + end) ==
        " is damaged: its pixels are in fragments and its transfer syntax has none, or the other way round");
  for (const std::string& header : {std::string("\xff\xd8\xff\x7f\xff\xff\xff\xff", 8), std::string("not a JPEG"),
                                    std::string("\xff\xd8\xff\xe0\0\1\0\0", 8), std::string("\xff\xd8")})
    CHECK(complaint(dicom_file(e, jpeg) + lead + item("") + item(header) + end) ==
          " is damaged: a JPEG in it has a wrong header");
  CHECK(complaint(dicom_file(e, rle) + lead + item("") + "no item at all").find("begins no item") != std::string::npos);
  e.erase({0x28, 0x8});
  CHECK(complaint(dicom_file(e, rle) + lead + item("") + item("ab") + end)
            .starts_with(" is damaged: its pixels (RLE Lossless) cannot be unpacked: "));
}

TEST_CASE("read_dicom: any length that a file is cut to gives an error, never less than a picture") {
  const std::string good = dicom_file(ct_slice());
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(complaint(good.substr(0, n)).starts_with("unexpected"));
}

TEST_CASE("read_dicom: sequences one inside the other without end are refused, not followed to the end of the stack") {
  std::string s = dicom_file({});
  std::string nested;
  for (int i = 0; i < 200000; ++i)
    nested += std::string("\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff", 20);
  CHECK(complaint(s + nested) == " has sequences that lie more than 64 deep");
}

TEST_CASE("read_dicom_series: slices by position, whatever the names, and where they lie") {
  const TemporaryFolder folder;
  const char* heights[] = {"7.5", "2.5", "5", "0"};
  for (int i = 0; i < 4; ++i) folder.write(text("slice", i), dicom_file(ct_slice(heights[i], {i, i, i, i, i, i + 10})));
  folder.write("notes.txt", "not a DICOM file");
  const DicomVolume v = read_dicom_series(folder / "");
  CHECK(v.voxels.shape() == Shape{4, 2, 3});
  const auto x = to_vector<double>(v.voxels);
  CHECK(x[0] == 2 * 3 - 1000.0);  // the file at height 0 is the fourth
  CHECK(x[6] == 2 * 1 - 1000.0);
  CHECK(x[12] == 2 * 2 - 1000.0);
  CHECK(x[23] == 2 * 10 - 1000.0);
  CHECK(v.spacing == std::array<double, 3>{2.5, 0.5, 0.75});
  CHECK(v.normal == std::array<double, 3>{0, 0, 1});
  // (slice, row, column) -> (-10 + 0.75 column, 20 + 0.5 row, 2.5 slice)
  CHECK(to_vector<double>(v.affine) == std::vector<double>{0, 0, 0.75, -10, 0, 0.5, 0, 20, 2.5, 0, 0, 0, 0, 0, 0, 1});
  CHECK(v.files.size() == 4);
  CHECK(v.files[0] == folder / "slice3");
  CHECK(v.units == "HU");
}

TEST_CASE("read_dicom_series: what is no single volume is said") {
  const auto two = [](const TemporaryFolder& folder, std::pair<int, int> tag, const std::string& vr,
                      const std::string& value, const std::string& height = "5") {
    folder.write("a", dicom_file(ct_slice("0")));
    DicomElements e = ct_slice(height);
    e[tag] = {vr, value};
    folder.write("b", dicom_file(e));
    return series_complaint(folder);
  };
  const TemporaryFolder f;
  CHECK(series_complaint(f) == "unexpected: read_dicom_series: there is no DICOM file in " + (f / ""));
  f.write("a", dicom_file(ct_slice("0")));
  CHECK(series_complaint(f) == " holds one slice only, a\n  help: read it with read_dicom");
  CHECK(
      two(f, {0x20, 0xe}, "UI", "1.2.9") ==
      " holds more than one series: a and b differ in SeriesInstanceUID\n  help: give each series a folder of its own");
  CHECK(two(f, {0x28, 0x30}, "DS", "0.5\\0.8") == " is no single volume: a and b differ in spacing: 0.75 and 0.8 mm");
  CHECK(two(f, {0x20, 0x37}, "DS", "0\\1\\0\\1\\0\\0") ==
        " is no single volume: a and b differ in direction (ImageOrientationPatient)");
  CHECK(two(f, {0x8, 0x60}, "CS", "MR") == " is no single volume: a and b differ in modality: CT and MR");
  CHECK(two(f, {0x28, 0x1054}, "LO", "US") == " is no single volume: a and b differ in units: \"HU\" and \"US\"");
  CHECK(two(f, {0x20, 0x32}, "DS", "") ==
        ": b does not say where it lies (ImagePositionPatient, ImageOrientationPatient)");
  CHECK(two(f, {0x28, 0x30}, "DS", "") == ": b has no PixelSpacing");
  CHECK(two(f, {0x8, 0x60}, "CS", "CT", "0") == " is no single volume: a and b lie at one place");
  DicomElements e = ct_slice("5", {1, 2, 3, 4});
  e[{0x28, 0x11}] = {"US", words({2})};
  f.write("b", dicom_file(e));
  CHECK(series_complaint(f) == " is no single volume: a and b differ in size: [2, 3] and [2, 2]");
  f.write("b", dicom_file(ct_slice("5")));
  f.write("c", dicom_file(ct_slice("10")));
  f.write("d", dicom_file(ct_slice("25")));
  CHECK(series_complaint(f) == " lacks slices: 2 between c and d, which are 15 mm apart, the others 5");
  f.write("d", dicom_file(ct_slice("17")));
  CHECK(series_complaint(f) == " is unevenly spaced: c and d are 7 mm apart, the others 5");
  e = ct_slice("15");
  e[{0x20, 0x32}] = {"DS", "0\\20\\15"};
  f.write("d", dicom_file(e));
  CHECK(series_complaint(f).find("is shifted sideways") != std::string::npos);
  CHECK(message<FileError>([] { read_dicom_series("/no/such/folder"); }) ==
        "read_dicom_series: cannot look into /no/such/folder: No such file or directory");
}

TEST_CASE("read_dicom: files packed by DCMTK's own tools") {
  const TemporaryFolder folder;
  // of a size and smoothness that JPEG can do something with
  std::vector<int> ramp;
  for (int i = 0; i < 16 * 16; ++i) ramp.push_back(10 * (i / 16) + i % 16);
  DicomElements e = ct_slice("0", ramp);
  e[{0x28, 0x10}] = e[{0x28, 0x11}] = {"US", words({16})};
  const std::string plain = folder.write("plain.dcm", dicom_file(e));
  const auto expected = to_vector<double>(read_dicom(plain).pixels);
  const std::string out = folder / "packed.dcm";
  if (have_tool("dcmcrle")) {
    REQUIRE(run("dcmcrle " + plain + " " + out));
    const Dicom x = read_dicom(out);
    CHECK(x.transfer_syntax == "RLE Lossless");
    CHECK(to_vector<double>(x.pixels) == expected);
    const std::string bytes = read_file("test", out);
    for (const std::size_t cut : {std::size_t{1}, std::size_t{40}, std::size_t{100}})
      CHECK_FALSE(complaint(bytes.substr(0, bytes.size() - cut)).starts_with("unexpected"));
  }
  if (have_tool("dcmcjpeg")) {
    REQUIRE(run("dcmcjpeg +e1 " + plain + " " + out));  // lossless, first-order prediction
    CHECK(to_vector<double>(read_dicom(out).pixels) == expected);
    REQUIRE(run("dcmcjpeg +ee +q 95 " + plain + " " + out));  // extended, 12 bits
    // dcmcjpeg shifts the values so that none is negative, and the windows with them
    const Dicom lossy = read_dicom(out);
    const double shift = lossy.windows.at(0).centre - 40;
    CHECK(lossy.units == "US");
    const auto values = to_vector<double>(lossy.pixels);
    double worst = 0;
    for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::abs(values[i] - shift - expected[i]));
    CHECK(worst <= 10);  // of 330
  }
  if (have_tool("dcmcjpls")) {
    REQUIRE(run("dcmcjpls " + plain + " " + out));
    CHECK(complaint(read_file("test", out)).starts_with(" is packed as \"JPEG-LS Lossless\" (1.2.840.10008.1.2.4.80)"));
  }
  if (have_tool("dcmconv")) {
    for (const char* form : {"+ti", "+tb"}) {  // implicit; big-endian
      REQUIRE(run(text("dcmconv ", form, " ", plain, " ", out)));
      CHECK(to_vector<double>(read_dicom(out).pixels) == expected);
    }
    REQUIRE(run("dcmconv +td " + plain + " " + out));
    CHECK(complaint(read_file("test", out)).starts_with(" is packed as \"Deflated Explicit VR Little Endian\""));
  }
}

TEST_CASE("read_dicom: files made by dump2dcm and img2dcm") {
  const TemporaryFolder folder;
  if (have_tool("dump2dcm")) {
    const std::string dump =
        folder.write("x.dump",
                     "(0008,0016) UI =CTImageStorage\n(0008,0018) UI [1.2.3.4]\n(0008,0060) CS [CT]\n"
                     "(0028,0002) US 1\n(0028,0004) CS [MONOCHROME2]\n(0028,0010) US 1\n"
                     "(0028,0011) US 3\n(0028,0100) US 16\n(0028,0101) US 16\n(0028,0102) US 15\n"
                     "(0028,0103) US 1\n(0028,1052) DS [-1024]\n(0028,1053) DS [0.5]\n"
                     "(7fe0,0010) OW 0001\\fff0\\0010\n");
    REQUIRE(run("dump2dcm +te " + dump + " " + (folder / "x.dcm")));
    const Dicom x = read_dicom(folder / "x.dcm");
    CHECK(to_vector<double>(x.pixels) == std::vector<double>{-1023.5, -1032, -1016});
    CHECK(x.planes.empty());
    CHECK_FALSE(x.spacing);
  }
  if (have_tool("img2dcm")) {
    const std::string jpeg = folder.write("x.jpg", grey_jpeg());
    REQUIRE(run("img2dcm " + jpeg + " " + (folder / "y.dcm")));
    const Dicom y = read_dicom(folder / "y.dcm");
    CHECK(y.pixels.shape() == Shape{8, 8});
    const auto v = to_vector<double>(y.pixels);
    for (std::size_t i = 0; i < 64; ++i) CHECK(std::abs(v[i] - 32 * static_cast<double>(i / 8)) <= 2);
  }
}
#else
TEST_CASE("read_dicom and read_dicom_series: a weft without DCMTK says so") {
  const std::string rest =
      ": this weft was built without DCMTK, which reads DICOM\n"
      "  help: install libdcmtk-dev and build again with -Ddicom=enabled";
  CHECK(message<ConfigError>([] { read_dicom("x.dcm"); }) == "read_dicom" + rest);
  CHECK(message<ConfigError>([] { read_dicom_series("x"); }) == "read_dicom_series" + rest);
}
#endif
