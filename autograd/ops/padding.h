#pragma once
#include <cstdint>
#include <vector>

#include <weft/tensor/tensor.h>

/// Borders around an array.
namespace weft {

enum class PadMode : std::uint8_t {
  constant,   ///< a number
  reflect,    ///< mirrored at the first and last element, which are not repeated
  replicate,  ///< the first and last element repeated
  circular,   ///< from the other end
};

/// input with borders along its last axes: pad = {before, after} of the last axis, then of the one in front of it, and
/// so on; a negative number cuts off as many elements. Any type. Throws ConfigError for more pairs than axes,
/// ShapeError where more is cut off than there is, or mirrored or taken from the other end than there is. Gradient:
/// that of each copy added to its element.
Tensor pad(const Tensor& input, const std::vector<std::int64_t>& pad, PadMode mode = PadMode::constant,
           const Scalar& value = 0);

}  // namespace weft
