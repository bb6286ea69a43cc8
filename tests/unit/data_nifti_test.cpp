#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/data/file.h>
#include <weft/data/nifti.h>
#include <weft/data/npy.h>
#include <weft/tensor/random.h>

#include "data_help.h"
#include "reader_files.h"

using namespace weft;
using namespace weft::data;

#ifdef WEFT_WITH_NIFTI
namespace {

using namespace weft::tests;

std::string shorts(const std::vector<int>& values, bool swap = false) {
  std::string out;
  for (const int v : values) {
    std::string s = little(static_cast<std::int16_t>(v));
    if (swap) std::swap(s[0], s[1]);
    out += s;
  }
  return out;
}

Nifti load(const std::string& content, const NiftiOptions& options = {}) {
  const TemporaryFolder folder;
  return read_nifti(folder.write("x.nii", content), options);
}

/// The message without the folder's name.
std::string complaint(const std::string& content, const NiftiOptions& options = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.nii", content);
  const std::string m = message<FileError>([&] { read_nifti(path, options); }), lead = "read_nifti: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}

/// Where a voxel lies.
std::vector<double> place(const Nifti& x, double i, double j, double k) {
  const auto m = to_vector<double>(x.affine);
  std::vector<double> out;
  for (std::size_t r = 0; r < 3; ++r) out.push_back(m[4 * r] * i + m[4 * r + 1] * j + m[4 * r + 2] * k + m[4 * r + 3]);
  return out;
}

bool have_tool(const char* name) { return std::system(text("command -v ", name, " >/dev/null 2>&1").c_str()) == 0; }

}  // namespace

TEST_CASE("read_nifti: axes x, y, z as the file has them, in either byte order") {
  for (const bool swap : {false, true}) {
    // x is the fastest in the file: voxel (i, j, k) is number i + 2 j + 6 k
    const Nifti x = load(nifti_header({2, 3, 2}, swap) + shorts({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11}, swap));
    CHECK(x.voxels.dtype() == DType::float32);
    CHECK(x.voxels.shape() == Shape{2, 3, 2});
    CHECK(to_vector<double>(x.voxels) == std::vector<double>{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, -11});
    CHECK(x.spacing == std::vector<double>{1, 2, 3});
    CHECK(x.space == "unknown");
    CHECK(to_vector<double>(x.affine) == std::vector<double>{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1});
  }
}

TEST_CASE("read_nifti: slope and intercept, types, units") {
  std::string h = nifti_header({2});
  put(h, 112, 0.5F);
  put(h, 116, -10.0F);
  const std::string content = h + shorts({100, -3});
  CHECK(to_vector<double>(load(content).voxels) == std::vector<double>{40, -11.5});
  const Nifti native = load(content, {.native = true});
  CHECK(native.voxels.dtype() == DType::int32);
  CHECK(to_vector<double>(native.voxels) == std::vector<double>{100, -3});
  for (const float no_slope : {0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    put(h, 112, no_slope);
    CHECK(to_vector<double>(load(h + shorts({100, -3})).voxels) == std::vector<double>{100, -3});
  }
  std::string wide = nifti_header({2, 1, 1, 1});
  put(wide, 70, std::int16_t{768});  // uint32
  put(wide, 72, std::int16_t{32});
  put(wide, 92, 1500.0F);
  wide[123] = 1 + 16;  // metres, milliseconds
  const Nifti w = load(wide + little(std::uint32_t{4000000000}) + little(std::uint32_t{7}), {.native = true});
  CHECK(w.voxels.dtype() == DType::int64);
  CHECK(to_vector<std::int64_t>(w.voxels) == std::vector<std::int64_t>{4000000000, 7});
  CHECK(w.spacing == std::vector<double>{1000, 2000, 3000, 1.5});
  CHECK(place(w, 1, 1, 1) == std::vector<double>{1000, 2000, 3000});
  put(wide, 70, std::int16_t{64});  // float64
  put(wide, 72, std::int16_t{64});
  CHECK(to_vector<double>(load(wide + little(0.25) + little(-2.0), {.native = true}).voxels) ==
        std::vector<double>{0.25, -2});
}

TEST_CASE("read_nifti: the sform before the qform, the qform before the spacing") {
  std::string h = nifti_header({1, 1, 1});
  put(h, 252, std::int16_t{2});
  put(h, 264, 1.0F);  // quaternion (0, 0, 0, 1): half a turn around z
  put(h, 268, 5.0F);
  put(h, 272, 6.0F);
  put(h, 276, 7.0F);
  const Nifti q = load(h + shorts({1}));
  CHECK(q.space == "aligned");
  CHECK(place(q, 1, 1, 1) == std::vector<double>{4, 4, 10});
  put_sform(h, {0, -2, 0, 9, 1, 0, 0, -8, 0, 0, 3, 7});
  const Nifti s = load(h + shorts({1}));
  CHECK(s.space == "scanner");
  CHECK(place(s, 1, 2, 3) == std::vector<double>{5, -7, 16});
}

TEST_CASE("read_nifti: to_ras turns the axes and keeps every voxel where it lies") {
  // first axis to the front, second to the left, third down
  std::string h = nifti_header({2, 3, 2});
  put_sform(h, {0, -2, 0, 9, 1, 0, 0, -8, 0, 0, -3, 7});
  const std::string content = h + shorts({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const Nifti stored = load(content), turned = load(content, {.to_ras = true});
  CHECK(turned.voxels.shape() == Shape{3, 2, 2});
  CHECK(turned.voxels.is_contiguous());
  CHECK(turned.spacing == std::vector<double>{2, 1, 3});
  // new (a, b, c) is old (b, 2 - a, 1 - c), number b + 2 (2 - a) + 6 (1 - c)
  CHECK(to_vector<double>(turned.voxels) == std::vector<double>{10, 4, 11, 5, 8, 2, 9, 3, 6, 0, 7, 1});
  for (const double a : {0., 1., 2.})
    for (const double b : {0., 1.})
      for (const double c : {0., 1.}) CHECK(place(turned, a, b, c) == place(stored, b, 2 - a, 1 - c));
  CHECK(to_vector<double>(turned.affine) == std::vector<double>{2, 0, 0, 5, 0, 1, 0, -8, 0, 0, 3, 4, 0, 0, 0, 1});
  CHECK(complaint(nifti_header({2}) + shorts({1, 2}), {.to_ras = true}) ==
        " has 1 axes, to_ras needs three\n  help: leave out NiftiOptions::to_ras");
  put_sform(h, {0, 0, 0, 9, 1, 0, 0, -8, 0, 0, -3, 7});
  CHECK(complaint(h + std::string(24, '\0'), {.to_ras = true}) ==
        " has an affine without inverse, so to_ras has no meaning\n  help: leave out NiftiOptions::to_ras");
}

TEST_CASE("write_nifti: what is written comes back, packed or not, with its place") {
  const TemporaryFolder folder;
  Generator g{3};
  const Tensor affine = from(std::vector<double>{0, -2, 0, 9, 1.5, 0, 0, -8, 0, 0, 3, 7, 0, 0, 0, 1}, {4, 4});
  for (const char* name : {"x.nii", "x.nii.gz"}) {
    if (std::string_view(name).ends_with("gz") && !have_zlib()) continue;
    for (const DType type : {DType::float32, DType::float64, DType::uint8, DType::int8, DType::int32, DType::int64}) {
      std::vector<double> v(24);
      for (double& d : v) d = std::floor(100 * g.uniform());
      Tensor x = empty({2, 3, 4}, DType::float64);
      std::copy(v.begin(), v.end(), x.mutable_data<double>());
      x = from(v, {2, 3, 4});
      Tensor y = zeros({2, 3, 4}, type);
      if (type == DType::float32) y = from(to_vector<float>(x), {2, 3, 4});
      if (type == DType::float64) y = x;
      if (type == DType::uint8) y = from(to_vector<std::uint8_t>(x), {2, 3, 4});
      if (type == DType::int8) y = from(to_vector<std::int8_t>(x), {2, 3, 4});
      if (type == DType::int32) y = from(to_vector<std::int32_t>(x), {2, 3, 4});
      if (type == DType::int64) y = from(to_vector<std::int64_t>(x), {2, 3, 4});
      write_nifti(folder / name, y, affine);
      const Nifti back = read_nifti(folder / name, {.native = true});
      CHECK(back.voxels.dtype() == type);
      CHECK(back.voxels.shape() == Shape{2, 3, 4});
      CHECK(to_vector<double>(back.voxels) == v);
      CHECK(to_vector<double>(back.affine) == to_vector<double>(affine));
      CHECK(back.spacing == std::vector<double>{1.5, 2, 3});
      CHECK(back.space == "aligned");
    }
  }
  // the qform says the same as the sform: take the sform away
  write_nifti(folder / "q.nii", zeros({2, 2, 2}), affine);
  std::string bytes = read_file("test", folder / "q.nii");
  put(bytes, 254, std::int16_t{0});
  const auto q = to_vector<double>(load(bytes).affine), a = to_vector<double>(affine);
  for (std::size_t i = 0; i < 16; ++i) CHECK(q[i] == doctest::Approx(a[i]).epsilon(1e-6));
  // an axis that NIfTI-1 cannot count makes NIfTI-2; a fourth axis has its own spacing
  write_nifti(folder / "long.nii", ones({40000, 1, 1, 1}, DType::uint8), {}, {1, 1, 1, 2.5});
  const Nifti big = read_nifti(folder / "long.nii");
  CHECK(big.voxels.shape() == Shape{40000, 1, 1, 1});
  CHECK(big.spacing == std::vector<double>{1, 1, 1, 2.5});
  write_nifti(folder / "mask.nii", tensor({0, 1}, DType::boolean));
  CHECK(read_nifti(folder / "mask.nii", {.native = true}).voxels.dtype() == DType::uint8);
}

TEST_CASE("write_nifti: what cannot be written is said") {
  CHECK(message<ShapeError>([] {
          write_nifti("x.nii", zeros({0, 2}));
        }) == "write_nifti: x.nii: a volume has 1 to 7 axes of at least 1 voxel, not [0, 2]");
  CHECK(message<ShapeError>([] {
          write_nifti("x.nii", zeros({2}), zeros({3, 4}));
        }) == "write_nifti: x.nii: the affine is (4, 4), not [3, 4]");
  CHECK(message<ConfigError>([] {
          write_nifti("x.nii", zeros({2}), zeros({4, 4}));
        }) == "write_nifti: x.nii: the affine has no inverse, or its last row is not 0 0 0 1");
  CHECK(message<ShapeError>([] {
          write_nifti("x.nii", zeros({2}), {}, {1, 2});
        }) == "write_nifti: x.nii: spacing has 2 numbers for 1 axes");
  CHECK(message<FileError>([] {
          write_nifti("/no/such/x.nii", zeros({2}));
        }).starts_with("write_nifti: cannot write /no/such/x.nii"));
}

TEST_CASE("read_nifti: what is wrong with a file is said") {
  const std::string good = nifti_header({2, 3, 2}) + std::string(24, '\0');
  const auto with = [&](std::size_t at, auto value) {
    std::string s = good;
    put(s, at, value);
    return complaint(s);
  };
  CHECK(complaint("") == " is empty");
  CHECK(complaint("\x89PNG") == " is not a NIfTI file: its header claims neither 348 nor 540 bytes");
  CHECK(complaint(good.substr(0, 300)) == " ends within its header");
  CHECK(complaint(good.substr(0, 375)) == " is cut short: it needs 376 bytes for [2, 3, 2], it has 375");
  CHECK(complaint(good + "x") == " has a wrong header: it needs 376 bytes for [2, 3, 2], it has more");
  CHECK(with(344, std::int32_t{0x0031696e}) ==
        " is half of a pair of .hdr and .img\n  help: make one .nii of it, e.g. with nifti_tool -copy_im");
  CHECK(with(344, std::int32_t{0}) == " is not a NIfTI file: its header has no mark n+1 or n+2");
  CHECK(with(40, std::int16_t{8}) == " has a wrong header: it claims 8 axes, NIfTI has 1 to 7");
  CHECK(with(44, std::int16_t{-3}) == " has a wrong header: axis 2 has -3 voxels");
  CHECK(with(70, std::int16_t{32}) ==
        " holds numbers of type 32, which are not supported (taken are whole and real numbers)");
  CHECK(with(72, std::int16_t{8}) == " has a wrong header: numbers of type 4 have 16 bits, it claims 8");
  CHECK(with(108, 0.0F) == " has a wrong header: its voxels begin at byte 0, the first possible is 352");
  CHECK(with(108, std::numeric_limits<float>::quiet_NaN()) ==
        " has a wrong header: its voxels begin at byte nan, the first possible is 352");
  std::string huge = nifti_header({32767, 32767, 32767, 32767});
  CHECK(complaint(huge) == " has a wrong header: it claims an absurd size");
  huge = nifti_header({32767, 32767});
  CHECK(complaint(huge) == " is cut short: it needs 2147352930 bytes for [32767, 32767], it has 352");
  std::string whole = nifti_header({1});
  put(whole, 70, std::int16_t{1280});
  put(whole, 72, std::int16_t{64});
  CHECK(complaint(whole + std::string(8, '\xff'), {.native = true}) ==
        " holds uint64, which weft has not\n  help: leave out NiftiOptions::native");
  if (have_zlib()) CHECK(complaint("\x1f\x8b\x08garbage") == " is damaged: gzip cannot unpack it");
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { read_nifti(folder / "no.nii"); }).starts_with("read_nifti: cannot open "));
  CHECK(message<FileError>([&] { read_nifti(folder / ""); }) ==
        "read_nifti: " + (folder / "") + " is a folder, not a file");
}

TEST_CASE("read_nifti: files of nifti_tool") {
  if (!have_tool("nifti_tool")) {
    MESSAGE("skipped: there is no nifti_tool (package nifti-bin)");
    return;
  }
  const TemporaryFolder folder;
  const std::string path = folder / "made.nii";
  // made anew with its own library, then given a place and a scale, then packed
  const std::string quiet = " >/dev/null 2>&1";
  REQUIRE(std::system(text("nifti_tool -make_im -prefix ", path, " -new_dim 3 4 3 2 0 0 0 0 -new_datatype 16", quiet)
                          .c_str()) == 0);
  const Nifti made = read_nifti(path);
  CHECK(made.voxels.shape() == Shape{4, 3, 2});
  CHECK(to_vector<double>(made.voxels) == std::vector<double>(24, 0));
  const std::string placed = folder / "placed.nii";
  REQUIRE(std::system(text("nifti_tool -mod_hdr -prefix ", placed, " -infiles ", path,
                           " -mod_field sform_code 4 -mod_field srow_x '-2 0 0 90' -mod_field srow_y '0 0 2 -126'"
                           " -mod_field srow_z '0 2.5 0 -72' -mod_field scl_slope 3 -mod_field scl_inter 1.5",
                           quiet)
                          .c_str()) == 0);
  const Nifti p = read_nifti(placed);
  CHECK(p.space == "mni");
  CHECK(place(p, 1, 2, 1) == std::vector<double>{88, -124, -67});
  CHECK(to_vector<double>(p.voxels) == std::vector<double>(24, 1.5));
  CHECK(read_nifti(placed, {.to_ras = true}).voxels.shape() == Shape{4, 2, 3});
  if (!have_zlib()) return;
  REQUIRE(std::system(
              text("nifti_tool -copy_im -prefix ", folder / "packed.nii.gz", " -infiles ", placed, quiet).c_str()) ==
          0);
  CHECK(to_vector<double>(read_nifti(folder / "packed.nii.gz").voxels) == std::vector<double>(24, 1.5));
  // and its tool accepts what weft writes
  write_nifti(folder / "ours.nii.gz", ones({2, 3, 4}), p.affine);
  CHECK(std::system(
            text("nifti_tool -check_hdr -infiles ", folder / "ours.nii.gz", " | grep -q 'header IS GOOD'").c_str()) ==
        0);
}
#else
TEST_CASE("read_nifti and write_nifti: a weft without libnifti2 says so") {
  const std::string rest =
      ": this weft was built without libnifti2, which knows NIfTI\n"
      "  help: install libnifti2-dev and build again with -Dnifti=enabled";
  CHECK(message<ConfigError>([] { read_nifti("x.nii"); }) == "read_nifti" + rest);
  CHECK(message<ConfigError>([] { write_nifti("x.nii", zeros({1})); }) == "write_nifti" + rest);
}
#endif
