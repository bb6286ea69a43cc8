#pragma once
#include <cstddef>
#include <cstdint>

/// Inside of weft: not installed.
namespace weft::data::detail {

/// A number of a row or column, as what containers count with.
inline std::size_t at(std::int64_t i) noexcept { return static_cast<std::size_t>(i); }

}  // namespace weft::data::detail
