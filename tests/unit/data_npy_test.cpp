#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <weft/data/npy.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;

namespace {

/// An NPY file as NumPy would write it, with any header.
std::string npy(const std::string& descr, const std::string& shape, std::string_view data, bool fortran = false,
                int version = 1) {
  std::string head =
      text("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False", ", 'shape': ", shape, ", }");
  const std::size_t lead = version == 1 ? 10 : 12;
  head.append(63 - (lead + head.size()) % 64, ' ');
  head += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (std::size_t i = 0; i < lead - 8; ++i) out += static_cast<char>(head.size() >> (8 * i) & 0xff);
  return out + head + std::string(data);
}

template <class T>
std::string bytes(const std::vector<T>& values, bool big = false) {
  std::string out;
  for (const T& v : values) {
    char b[sizeof(T)];
    std::memcpy(b, &v, sizeof(T));
    if (big) std::reverse(b, b + sizeof(T));
    out.append(b, sizeof(T));
  }
  return out;
}

Tensor load(const std::string& content) {
  const TemporaryFolder folder;
  return load_npy(folder.write("x.npy", content));
}

/// The message without the folder's name.
std::string complaint(const std::string& content) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.npy", content);
  std::string m = message<FileError>([&] { load_npy(path); });
  const std::string lead = "load_npy: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}

template <class T>
void check_widened(const char* descr, const std::vector<T>& values, DType to) {
  for (const bool big : {false, true}) {
    const Tensor x = load(npy(text(big ? ">" : "<", descr), text("(", values.size(), ",)"), bytes(values, big)));
    CHECK(x.dtype() == to);
    std::vector<double> wanted;
    for (const T v : values) wanted.push_back(static_cast<double>(v));
    CHECK(to_vector<double>(x) == wanted);
  }
}

}  // namespace

TEST_CASE("npy: every element type, either byte order") {
  check_widened<std::int8_t>("i1", {-128, 0, 127}, DType::int8);
  check_widened<std::uint8_t>("u1", {0, 255}, DType::uint8);
  check_widened<std::int16_t>("i2", {-32768, 5, 32767}, DType::int32);
  check_widened<std::uint16_t>("u2", {0, 65535}, DType::int32);
  check_widened<std::int32_t>("i4", {INT32_MIN, 7, INT32_MAX}, DType::int32);
  check_widened<std::uint32_t>("u4", {0, UINT32_MAX}, DType::int64);
  check_widened<std::int64_t>("i8", {-(std::int64_t{1} << 52), 9}, DType::int64);
  check_widened<std::uint64_t>("u8", {0, std::uint64_t{1} << 52}, DType::int64);
  check_widened<float>("f4", {-1.5F, 3e38F}, DType::float32);
  check_widened<double>("f8", {0.1, -1e300}, DType::float64);
  CHECK(truths(load(npy("|b1", "(3,)", std::string("\0\1\2", 3)))) == std::vector<bool>{false, true, true});
  CHECK(to_vector<float>(load(npy("=f4", "(1,)", bytes<float>({2})))) == std::vector<float>{2});
}

TEST_CASE("npy: float16 is widened exactly") {
  const std::vector<std::uint16_t> halves = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0400,
                                             0x0001, 0x03ff, 0x3555, 0x7c00, 0xfc00, 0x7e00};
  const std::vector<float> x = to_vector<float>(load(npy("<f2", "(12,)", bytes(halves))));
  CHECK(x[0] == 0);
  CHECK(std::signbit(x[1]));
  CHECK(x[2] == 1);
  CHECK(x[3] == -2);
  CHECK(x[4] == 65504);
  CHECK(x[5] == std::ldexp(1.F, -14));
  CHECK(x[6] == std::ldexp(1.F, -24));
  CHECK(x[7] == std::ldexp(1023.F, -24));
  CHECK(x[8] == 0.333251953125F);
  CHECK(x[9] == INFINITY);
  CHECK(x[10] == -INFINITY);
  CHECK(std::isnan(x[11]));
}

TEST_CASE("npy: shapes, orders and versions") {
  const std::string six = bytes<std::int32_t>({1, 2, 3, 4, 5, 6});
  CHECK(load(npy("<i4", "(2, 3)", six)).shape() == Shape{2, 3});
  CHECK(to_vector<int>(load(npy("<i4", "(2, 3)", six, true))) == std::vector<int>{1, 3, 5, 2, 4, 6});
  CHECK(to_vector<int>(load(npy("<i4", "(1, 2, 3)", six, true))) == std::vector<int>{1, 3, 5, 2, 4, 6});
  CHECK(to_vector<int>(load(npy("<i2", "(2, 2)", bytes<std::int16_t>({1, 2, 3, 4}), true))) ==
        std::vector<int>{1, 3, 2, 4});
  CHECK(load(npy("<i4", "()", bytes<std::int32_t>({7}))).item() == 7);
  CHECK(load(npy("<i4", "(0, 5)", "")).shape() == Shape{0, 5});
  CHECK(load(npy("<i4", "(2L, 3L)", six)).shape() == Shape{2, 3});
  for (const int version : {2, 3}) CHECK(load(npy("<i4", "(6,)", six, false, version)).numel() == 6);
}

TEST_CASE("npy: what is written reads back, byte for byte as NumPy writes it") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.npy";
  const auto round = [&](const Tensor& x) {
    save_npy(path, x);
    return load_npy(path);
  };
  const Tensor x = from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(to_vector<float>(round(x)) == to_vector<float>(x));
  CHECK(round(x).shape() == x.shape());
  const Tensor transposed = view_as(x, {3, 2}, {1, 3});
  CHECK(to_vector<float>(round(transposed)) == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(round(from(std::vector<std::int64_t>{-5})).dtype() == DType::int64);
  CHECK(round(from(std::vector<double>{0.5}, Shape{})).shape() == Shape{});
  CHECK(round(empty({0, 3}, DType::uint8)).shape() == Shape{0, 3});
  Tensor rounded = empty({2}, DType::bfloat16);
  rounded.mutable_data<BFloat16>()[0] = BFloat16(1.5F);
  rounded.mutable_data<BFloat16>()[1] = BFloat16(-2.F);
  CHECK(to_vector<float>(round(rounded)) == std::vector<float>{1.5F, -2.F});
  save_npy(path, x);
  std::ifstream file(path, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  CHECK(content == npy("<f4", "(2, 3)", bytes<float>({1, 2, 3, 4, 5, 6})));
}

TEST_CASE("npy: a damaged file says what is wrong") {
  const std::string six = bytes<std::int32_t>({1, 2, 3, 4, 5, 6});
  const std::string good = npy("<i4", "(2, 3)", six);
  CHECK(complaint("") == ": not an NPY file");
  CHECK(complaint("PK\3\4 something else") == ": not an NPY file");
  CHECK(complaint(good.substr(0, 8)) == ": truncated: 8 bytes hold no header");
  CHECK(complaint(good.substr(0, 40)) == ": truncated: its header needs 118 bytes, 30 are there");
  CHECK(complaint(good.substr(0, good.size() - 1)) ==
        ": truncated: shape [2, 3] of '<i4' needs 24 bytes, 23 are there");
  CHECK(complaint(good + "xy") == ": 2 bytes follow the data");
  CHECK(complaint(npy("<i4", "(2305843009213693952, 8)", six)) == ": absurd shape [2305843009213693952, 8]");
  CHECK(complaint(npy("<i4", "(1000000000000,)", six)) ==
        ": truncated: shape [1000000000000] of '<i4' needs 4000000000000 bytes, 24 are there");
  CHECK(complaint(npy("<i4", "(-6,)", six)) == ": absurd size -6 in its shape");
  CHECK(complaint(npy("<i4", "(99999999999999999999,)", six)) == ": absurd size 99999999999999999999 in its shape");
  CHECK(complaint(npy("<i4", "(1,1,1,1,1,1,1,1,6)", six)) == ": more than 8 axes, the most that weft has");
  CHECK(complaint(npy("<c8", "(3,)", six)) == ": element type '<c8' has no counterpart in weft");
  CHECK(complaint(npy("|O", "(3,)", six)) == ": element type '|O' has no counterpart in weft");
  CHECK(complaint(npy("<i4", "(2, 3", six)).starts_with(": damaged header at its byte "));
  CHECK(complaint(npy("<i4", "(2, 3), 'more': 1", six)) == ": damaged header: unknown key \"more\"");
  CHECK(complaint(npy("<i4'", "(6,)", six)).starts_with(": damaged header at its byte "));
  CHECK(complaint(npy("<u8", "(1,)", bytes<std::uint64_t>({UINT64_MAX}))) ==
        ": element 0 is 18446744073709551615, above the largest int64");
  std::string records = good;
  records.replace(records.find("'<i4'"), 5, "[ ]  ");
  CHECK(complaint(records) == ": its elements are records, which weft has no type for");
  std::string version = good;
  version[6] = 9;
  CHECK(complaint(version) == ": NPY version 9, known are 1 to 3");
  CHECK(complaint(std::string("\x93NUMPY\2\0\xff\xff\xff\xff    ", 16)) == ": absurd header of 4294967295 bytes");
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { load_npy(folder / "none"); }) ==
        "load_npy: cannot open " + (folder / "none") + ": No such file or directory");
  CHECK(contains(message<FileError>([&] { load_npy(folder / ""); }), "is a folder"));
  CHECK(message<FileError>([] { load_npy("/dev/zero"); }) == "load_npy: /dev/zero is not a regular file");
}

TEST_CASE("npy: no prefix and no single changed byte of a file does harm") {
  const std::string good = npy("<i4", "(2, 3)", bytes<std::int32_t>({1, 2, 3, 4, 5, 6}));
  const TemporaryFolder folder;
  int rejected = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    CHECK_THROWS_AS(load_npy(folder.write("x.npy", good.substr(0, i))), FileError);
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0x15);
    try {
      load_npy(folder.write("x.npy", changed));
    } catch (const FileError&) {
      ++rejected;
    }
  }
  CHECK(rejected > 50);
}

TEST_CASE("npz: what is written reads back") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.npz";
  save_npz(path,
           {{"labels", from(std::vector<std::int64_t>{1, 0})}, {"x", from(std::vector<float>{1, 2, 3, 4}, {2, 2})}});
  const auto arrays = load_npz(path);
  CHECK(arrays.size() == 2);
  CHECK(to_vector<std::int64_t>(arrays.at("labels")) == std::vector<std::int64_t>{1, 0});
  CHECK(arrays.at("x").shape() == Shape{2, 2});
  save_npz(path, {});
  CHECK(load_npz(path).empty());
  CHECK(contains(message<FileError>([&] { save_npz(folder / "no/x.npz", {}); }), "save_npz: cannot write "));
}

TEST_CASE("npz: deflated members") {
  // The member a.npy = int64 [1, 2, 3], as numpy.savez_compressed writes it.
  const unsigned char packed[] = {
      80, 75,  3,   4,   20,  0,   0,   0,   8,   0,   0,   0,   33,  0,   188, 145, 85,  142, 77,  0,   0,   0,   152,
      0,  0,   0,   5,   0,   20,  0,   97,  46,  110, 112, 121, 1,   0,   16,  0,   152, 0,   0,   0,   0,   0,   0,
      0,  77,  0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,  16,  201, 200, 80,  198, 80,  173, 158, 146,
      90, 156, 92,  164, 110, 165, 160, 110, 147, 105, 161, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152, 23,  159,
      95, 148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,  164, 2,   249, 26,  198, 58,  154,
      58, 10,  181, 10,  20,  0,   46,  70,  6,   8,   96,  130, 210, 204, 80,  26,  0,   80,  75,  1,   2,   20,  3,
      20, 0,   0,   0,   8,   0,   0,   0,   33,  0,   188, 145, 85,  142, 77,  0,   0,   0,   152, 0,   0,   0,   5,
      0,  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,   0,   0,   0,   0,   97,  46,  110, 112, 121, 80,
      75, 5,   6,   0,   0,   0,   0,   1,   0,   1,   0,   51,  0,   0,   0,   132, 0,   0,   0,   0,   0};
  const TemporaryFolder folder;
  const std::string good(reinterpret_cast<const char*>(packed), sizeof packed);
  const std::string path = folder.write("x.npz", good);
  if (have_zlib())
    CHECK(to_vector<std::int64_t>(load_npz(path).at("a")) == std::vector<std::int64_t>{1, 2, 3});
  else
    CHECK(message<FileError>([&] { load_npz(path); }) ==
          "load_npz: " + path + ": member \"a.npy\" is compressed, and this weft was built without zlib\n" +
              "  help: save it with numpy.savez");
  int rejected = 0;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int flip : {1, 0x80, 0xff}) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      folder.write("x.npz", changed);
      try {
        load_npz(path);
      } catch (const FileError&) {
        ++rejected;
      }
    }
  CHECK(rejected > 300);
}

TEST_CASE("npz: a damaged archive says what is wrong") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.npz";
  save_npz(path, {{"x", from(std::vector<float>{1, 2, 3, 4})}});
  std::ifstream file(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(file)), {});
  const auto complain = [&](std::string content) {
    folder.write("x.npz", content);
    const std::string m = message<FileError>([&] { load_npz(path); });
    const std::string lead = "load_npz: " + path + ": ";
    return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
  };
  const auto with = [&](std::size_t at, std::string_view bytes_there) {
    std::string s = good;
    s.replace(at, bytes_there.size(), bytes_there);
    return s;
  };
  const std::size_t central = good.find("PK\1\2"), end = good.find("PK\5\6");
  CHECK(complain("") == "not an NPZ file, or truncated: it has no ZIP directory");
  CHECK(complain(good.substr(0, good.size() - 1)) == "not an NPZ file, or truncated: it has no ZIP directory");
  CHECK(complain(good.substr(60)) == "truncated: its ZIP directory lies outside the file");
  CHECK(complain(with(60, "\x55")) == "member \"x.npy\" is damaged: its checksum differs");
  CHECK(complain(with(central + 8, "\1")) == "member \"x.npy\" is encrypted");
  CHECK(complain(with(central + 10, "\x0c")) ==
        "member \"x.npy\" is compressed by method 12, known are 0 (stored) and 8 (deflated)");
  CHECK(complain(with(central + 24, "\1")) == "member \"x.npy\" is stored in 144 bytes but said to have 1");
  CHECK(complain(with(central + 42, "\1")) == "member \"x.npy\" has no ZIP header where the directory says");
  CHECK(complain(with(central + 42, "\xff\xff\xff\x7f")) == "member \"x.npy\" lies outside the file");
  CHECK(complain(with(central + 20, "\xff\xff\xff\x7f")) == "member \"x.npy\" lies outside the file");
  CHECK(complain(with(central + 46, "x.txt")) == "member \"x.txt\" is not an array");
  CHECK(complain(with(central, "QQ")) == "damaged ZIP directory");
  CHECK(complain(with(end + 10, "\2")) == "damaged ZIP directory");
  if (have_zlib()) {
    std::string bomb = with(central + 10, "\x08");
    bomb.replace(central + 24, 4, "\xff\xff\xff\x7f");
    CHECK(complain(bomb) == "member \"x.npy\" claims 2147483647 bytes from 144, which deflate cannot do");
    CHECK(contains(complain(with(central + 10, "\x08")), "is damaged: deflate gave "));
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    folder.write("x.npz", good.substr(0, i));
    CHECK_THROWS_AS(load_npz(path), FileError);
  }
}
