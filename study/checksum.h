#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace weft::study {

/// Tells whether files still belong together (FNV-1a, 64 bits): against accidents, not against anyone's will.
class Checksum {
 public:
  void add(std::string_view bytes) noexcept {
    for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    // "ab", "c" and "a", "bc" differ.
    value_ = (value_ ^ bytes.size()) * 0x100000001b3U;
  }
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(T number) noexcept {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    add(std::string_view(bytes, sizeof number));
  }
  /// 16 hexadecimal digits.
  std::string str() const {
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[value_ >> shift & 0xfU];
    return out;
  }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace weft::study
