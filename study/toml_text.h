#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace weft::study {

/// Text in quotes, as TOML wants it.
inline std::string toml(std::string_view s) {
  constexpr const char* hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : s) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (code >= 0x20 && code != 0x7f)
      out += c;
    else
      out += std::string("\\u00") + hex[code >> 4] + hex[code & 15U];
  }
  return out + '"';
}

/// A list, with a line end after every few names.
inline std::string toml(const std::vector<std::string>& names) {
  std::string out = "[";
  std::size_t width = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string one = toml(names[i]);
    const bool wrap = width + one.size() > 90;
    if (i > 0) out += wrap ? ",\n  " : ", ";
    width = wrap ? one.size() : width + one.size() + 2;
    out += one;
  }
  return out + "]";
}

}  // namespace weft::study
