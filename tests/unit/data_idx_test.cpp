#include <doctest/doctest.h>

#include <cstdlib>

#include <weft/data/idx.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;

namespace {

std::string idx(unsigned char type, const std::vector<std::uint32_t>& sizes, std::string_view numbers) {
  std::string out{'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t n : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xff);
  return out + std::string(numbers);
}

Tensor load(const std::string& content) {
  const TemporaryFolder folder;
  return load_idx(folder.write("x-idx", content));
}

/// The message without the folder's name.
std::string complaint(const std::string& content) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x-idx", content);
  const std::string m = message<FileError>([&] { load_idx(path); }), lead = "load_idx: " + path;
  return m.starts_with(lead) ? m.substr(lead.size()) : "unexpected: " + m;
}

using namespace std::string_literals;
using namespace std::string_view_literals;

}  // namespace

TEST_CASE("load_idx: every type of number, big-endian") {
  const Tensor images = load(idx(0x08, {2, 1, 3}, "\x00\x01\x80\xff\x02\x03"sv));
  CHECK(images.dtype() == DType::uint8);
  CHECK(images.shape() == Shape{2, 1, 3});
  CHECK(to_vector<std::int64_t>(images) == std::vector<std::int64_t>{0, 1, 128, 255, 2, 3});
  CHECK(to_vector<std::int64_t>(load(idx(0x09, {2}, "\xff\x05"sv))) == std::vector<std::int64_t>{-1, 5});
  const Tensor shorts = load(idx(0x0b, {2}, "\xff\xfe\x01\x00"sv));
  CHECK(shorts.dtype() == DType::int32);
  CHECK(to_vector<std::int64_t>(shorts) == std::vector<std::int64_t>{-2, 256});
  CHECK(to_vector<std::int64_t>(load(idx(0x0c, {1}, "\x80\x00\x00\x01"sv))) == std::vector<std::int64_t>{-2147483647});
  CHECK(to_vector<double>(load(idx(0x0d, {1}, "\x3f\xc0\x00\x00"sv))) == std::vector<double>{1.5});
  const Tensor doubles = load(idx(0x0e, {1}, "\xc0\x00\x00\x00\x00\x00\x00\x00"sv));
  CHECK(doubles.dtype() == DType::float64);
  CHECK(to_vector<double>(doubles) == std::vector<double>{-2});
  CHECK(load(idx(0x08, {0, 28, 28}, "")).shape() == Shape{0, 28, 28});
}

TEST_CASE("load_idx: what is wrong with a file is said") {
  CHECK(complaint("") == " is not an IDX file: it does not begin with two zero bytes");
  CHECK(complaint("\x89PNG") == " is not an IDX file: it does not begin with two zero bytes");
  CHECK(complaint(idx(0x0a, {1}, "x")) == " has elements of unknown type 10");
  CHECK(complaint("\0\0\x08\0"s) == " has 0 axes, weft takes 1 to 8");
  CHECK(complaint("\0\0\x08\x09"s.append(36, '\0')) == " has 9 axes, weft takes 1 to 8");
  CHECK(complaint("\0\0\x08\x02\0\0\0\x01"s) == " ends within its header");
  CHECK(complaint(idx(0x08, {2, 2}, "abc")) == " needs 16 bytes for [2, 2], it has 15");
  CHECK(complaint(idx(0x08, {2, 2}, "abcde")) == " needs 16 bytes for [2, 2], it has more");
  CHECK(complaint(idx(0x0e, {0xffffffff, 0xffffffff, 0xffffffff}, "")) == " claims an absurd size");
  CHECK(complaint(idx(0x0d, {0, 0xffffffff, 0xffffffff}, "")) == " claims an absurd size");
  CHECK(contains(complaint("\x1f\x8b\x08garbage"), "gzip"));
  CHECK(contains(message<FileError>([] { load_idx("/no/such/file"); }), "load_idx: "));
}

#ifdef WEFT_WITH_ZLIB
TEST_CASE("load_idx: a file packed by gzip, and damaged ones") {
  const TemporaryFolder folder;
  const std::string path = folder.write("x-idx", idx(0x08, {4}, "wxyz"));
  REQUIRE(std::system(("gzip -n " + path).c_str()) == 0);
  CHECK(to_vector<std::int64_t>(load_idx(path + ".gz")) == std::vector<std::int64_t>{'w', 'x', 'y', 'z'});
  std::ifstream in(path + ".gz", std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (std::size_t cut = 2; cut < packed.size(); ++cut) CHECK(contains(complaint(packed.substr(0, cut)), "damaged"));
}
#endif
