#include <algorithm>

#include "record.h"

namespace weft::tests {
namespace {

PadMode mode_of(const std::string& word) {
  if (word == "reflect") return PadMode::reflect;
  if (word == "replicate") return PadMode::replicate;
  if (word == "circular") return PadMode::circular;
  if (word == "constant") return PadMode::constant;
  throw ConfigError("pad: no mode is called " + word);
}

/// Each element of the result by the place it comes from, found by walking outwards one step at a time.
Tensor padded(const Args& a) {
  const Tensor x = a.tensor("input");
  const PadMode mode = mode_of(a.word("mode"));
  const std::vector<std::int64_t> pad = a.integers("pad");
  const double value = a.has("value") ? a.real("value") : 0;
  const std::vector<double> from = to_vector<double>(x);
  const int rank = x.dim();
  Shape shape = x.shape();
  Dims before = Dims::filled(rank, 0);
  for (std::size_t k = 0; k < pad.size() / 2; ++k) {
    const int axis = rank - 1 - static_cast<int>(k);
    before[axis] = pad[2 * k];
    shape[axis] += pad[2 * k] + pad[2 * k + 1];
  }
  std::vector<double> out;
  for (std::int64_t i = 0; i < shape.product(); ++i) {
    std::int64_t rest = i, place = 0, step = 1;
    bool inside = true;
    for (int axis = rank - 1; axis >= 0; --axis) {
      const std::int64_t n = x.shape()[axis];
      std::int64_t at = rest % shape[axis] - before[axis];
      rest /= shape[axis];
      while (mode == PadMode::reflect && (at < 0 || at >= n)) at = at < 0 ? -at : 2 * n - 2 - at;
      while (mode == PadMode::circular && (at < 0 || at >= n)) at += at < 0 ? n : -n;
      if (mode == PadMode::replicate) at = std::clamp<std::int64_t>(at, 0, n - 1);
      inside &= at >= 0 && at < n;
      place += at * step;
      step *= n;
    }
    out.push_back(inside ? from[static_cast<std::size_t>(place)] : value);
  }
  return weft::from(out, shape);
}

const Family paddings{
    Record{
        .name = "pad",
        .torch = {"nn.functional.pad(input, pad, mode='constant', value=None)"},
        .call =
            [](const Args& a) {
              return pad(a.tensor("input"), a.integers("pad"), mode_of(a.word("mode")),
                         a.has("value") ? a.number("value") : Scalar(0));
            },
        .samples = {"x(2, 3), [1, 2]", "x(2, 3), [0, 1, 2, 0], 'constant', 1.5", "x(4, 5), [-1, 2, 1, -2]", "x(), []",
                    "x(0, 3), [1, 1], value=2.0", "x(3), [-1, -2]", "x(2, 2, 3, 2), [1, 0, 0, 1, 1, 1]",
                    "x(2, 4), [3, 2], 'reflect'", "x(1, 2, 3, 4), [1, 2, 2, 0], 'reflect'",
                    "x(2, 3, 4), [-1, 2], 'reflect'", "x(0, 3, 3), [1, 2], 'reflect'",
                    "x(2, 1, 3, 3, 2), [1, 1, 2, 1, 0, 2], 'reflect'", "x(2, 3), [4, 5], 'replicate'",
                    "x(2, 1, 3, 3), [1, 2, -1, 3], 'replicate'", "x(5, 2, 4), [-4, 5], 'replicate'",
                    "x(2, 4), [4, 3], 'circular'", "x(2, 1, 3, 3), [1, 0, 2, 3], 'circular'",
                    "x(3), [2, 0], 'circular'"},
        .reference = [](const Args& a) { return padded(a); },
        .types = {DType::bfloat16, DType::int64, DType::int32, DType::uint8, DType::boolean},
        .errors = {{"x(3, 4), [1]",
                    "ConfigError: pad: 1 numbers are not pairs\n  help: give one before and one after, per axis"},
                   {"x(3), [1, 1, 1, 1]", "ConfigError: pad: 2 pairs for 1 axes of input [3]"},
                   {"x(3), [0, 9223372036854775807]",
                    "ShapeError: pad: 0 before and 9223372036854775807 after 3 elements along axis 0: "
                    "no memory holds that many"},
                   {"x(3), [0, 100000000], 'replicate'",
                    "ShapeError: pad: the result has 100000003 elements along one axis, more than 67108864"},
                   {"x(3), [-2, -2]",
                    "ShapeError: pad: -2 before and -2 after 3 elements along axis 0: more is cut off than there is"},
                   {"x(3), [3, 0], 'reflect'",
                    "ShapeError: pad: 3 before and 0 after 3 elements along axis 0: more is mirrored than there is"},
                   {"x(3), [0, 4], 'circular'",
                    "ShapeError: pad: 0 before and 4 after 3 elements along axis 0: more is "
                    "taken from the other end than there is"},
                   {"x(0), [1, 0], 'replicate'",
                    "ShapeError: pad: 1 before and 0 after 0 elements along axis 0: there is no element to repeat"}}},
};

}  // namespace
}  // namespace weft::tests
