#include <weft/show/event_file.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <vector>

#include <weft/tensor/error.h>

namespace weft::show {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}();

/// A checksum of data that hold checksums is of little worth: TFRecord rotates it and adds a constant.
std::uint32_t masked(std::uint32_t crc) noexcept { return std::rotr(crc, 15) + 0xA282EAD8U; }

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
  return out;
}

// ---- protocol buffers: each field is its number and wire type, then its value

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7FU) | 0x80U);
  return out + static_cast<char>(value);
}
std::string key(int field, Wire wire) {
  return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}
std::string number(int field, std::int64_t value) {
  return key(field, Wire::varint) + varint(static_cast<std::uint64_t>(value));
}
std::string real(int field, double value) {
  return key(field, Wire::fixed64) + little_endian(std::bit_cast<std::uint64_t>(value), 8);
}
std::string bytes(int field, std::string_view value) {
  return key(field, Wire::bytes) + varint(value.size()) + std::string(value);
}
std::string reals(int field, const std::vector<double>& values) {
  std::string packed;
  for (const double v : values) packed += little_endian(std::bit_cast<std::uint64_t>(v), 8);
  return bytes(field, packed);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }, Summary { value = 1 }, Value { tag = 1, ... }
std::string event_of(std::string_view tag, std::int64_t step, const std::string& value) {
  return real(1, now()) + number(2, step) + bytes(5, bytes(1, bytes(1, tag) + value));
}

/// A file's name takes no slash, and some hosts have no name.
std::string host() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || !*name) return "localhost";
  std::string out = name;
  std::ranges::replace(out, '/', '-');
  return out;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) noexcept {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFFU];
  return ~crc;
}

EventFile::EventFile(const std::string& folder) {
  static std::atomic<int> count = 0;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  path_ = (std::filesystem::path(folder) / weft::text("events.out.tfevents.", static_cast<std::int64_t>(now()), '.',
                                                      host(), '.', ::getpid(), '.', count++))
              .string();
  errno = 0;
  out_.open(path_, std::ios::binary | std::ios::trunc);
  if (!out_)
    throw FileError(
        weft::text("events: cannot write ", path_, ": ", error ? error.message() : std::strerror(errno ? errno : EIO)));
  record(real(1, now()) + bytes(3, "brain.Event:2"));
}

void EventFile::record(const std::string& event) {
  const std::string length = little_endian(event.size(), 8);
  const std::string whole =
      length + little_endian(masked(crc32c(length)), 4) + event + little_endian(masked(crc32c(event)), 4);
  errno = 0;
  out_.write(whole.data(), static_cast<std::streamsize>(whole.size())).flush();
  if (!out_) throw FileError(weft::text("events: cannot write ", path_, ": ", std::strerror(errno ? errno : EIO)));
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  record(event_of(tag, step, key(2, Wire::fixed32) + little_endian(bits, 4)));
}

void EventFile::text(std::string_view tag, std::int64_t step, std::string_view markdown) {
  // TensorProto { dtype = 1: DT_STRING, tensor_shape = 2 { dim = 2 { size = 1 } }, string_val = 8 }, and
  // SummaryMetadata { plugin_data = 1 { plugin_name = 1 } } says which tab shows it.
  const std::string tensor = number(1, 7) + bytes(2, bytes(2, number(1, 1))) + bytes(8, markdown);
  record(event_of(tag, step, bytes(8, tensor) + bytes(9, bytes(1, bytes(1, "text")))));
}

void EventFile::histogram(std::string_view tag, std::int64_t step, std::span<const double> values, int buckets) {
  if (buckets < 1) throw ConfigError(weft::text("histogram: buckets is ", buckets, "\n  help: give 1 or more"));
  std::vector<double> finite;
  for (const double v : values)
    if (std::isfinite(v)) finite.push_back(v);
  if (finite.empty()) return;
  const auto [least, largest] = std::ranges::minmax(finite);
  double sum = 0, squares = 0;
  for (const double v : finite) {
    sum += v;
    squares += v * v;
  }
  // Bucket i holds what lies in [limit i-1, limit i); the largest value belongs to the last.
  const double width = largest / buckets - least / buckets;  // the difference itself may overflow
  std::vector<double> limits, counts(static_cast<std::size_t>(buckets));
  for (int i = 1; i < buckets; ++i) limits.push_back(least + width * i);
  limits.push_back(width > 0 ? largest : std::nextafter(largest, HUGE_VAL));
  for (const double v : finite) {
    const double place = width > 0 ? std::floor(v / width - least / width) : 0;
    ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(buckets - 1)))];
  }
  const std::string histogram = real(1, least) + real(2, largest) + real(3, static_cast<double>(finite.size())) +
                                real(4, sum) + real(5, squares) + reals(6, limits) + reals(7, counts);
  record(event_of(tag, step, bytes(5, histogram)));
}

}  // namespace weft::show
