#pragma once
#include <concepts>
#include <span>

#include <weft/study/inspect.h>

/// How sheets are filled: values as JSON.
namespace weft::study {

std::string to_value(const std::string& value);
std::string to_value(const char* value);
/// With six digits, which are enough to look at; null where it is not a number.
std::string to_value(double value);
std::string to_value(const std::vector<std::string>& values);
std::string to_value(std::span<const std::int64_t> values);
std::string to_value(std::span<const double> values);
template <std::integral I>
std::string to_value(I value) {
  if constexpr (std::same_as<I, bool>)
    return value ? "true" : "false";
  else
    return std::to_string(value);
}

template <class T>
void add(Sheet& sheet, const std::string& key, const T& value) {
  sheet.facts.push_back({key, to_value(value)});
}

}  // namespace weft::study
