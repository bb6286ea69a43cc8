#pragma once
#include <cmath>
#include <concepts>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include <weft/study/inspect.h>

/// How sheets are filled. For .cpp files only.
namespace weft::study {

inline std::string to_value(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}
template <std::integral I>
std::string to_value(I value) {
  return std::to_string(value);
}
/// What is not a number is null.
inline std::string to_value(double value) {
  // Six digits are enough to look at.
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return to_value(nlohmann::ordered_json::parse(buffer));
}

inline void add(Sheet& sheet, const std::string& key, const nlohmann::ordered_json& value) {
  sheet.facts.push_back({key, to_value(value)});
}

}  // namespace weft::study
