#include <weft/autograd/ops/padding.h>

#include <algorithm>

#include <weft/autograd/ops/sampling.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using Int = std::int64_t;

/// How much is added (or cut off, where negative) at either end of every axis.
struct Borders {
  Dims before, after;
};

Tensor constant(const Tensor& x, const Borders& b, const Scalar& value) {
  return record(
      {"pad", {{"before", b.before}, {"after", b.after}, {"value", value.real()}}}, {x},
      [=](const Inputs& in) {
        // Where input and result overlap, seen from either.
        Shape shape = in[0].shape(), common = shape;
        Int from = 0, to = 0;
        for (int a = 0; a < shape.size(); ++a) {
          shape[a] += b.before[a] + b.after[a];
          const Int start = std::max<Int>(-b.before[a], 0), stop = common[a] - std::max<Int>(-b.after[a], 0);
          common[a] = std::max<Int>(stop - start, 0);
          from += start * in[0].strides()[a];
        }
        const Tensor y = in[0].is_contiguous() || !kernels::is_channels_last(in[0])
                             ? empty(shape, in[0].dtype())
                             : kernels::empty_channels_last(shape, in[0].dtype());
        kernels::fill(y, value);
        if (common.product() == 0) return y;
        for (int a = 0; a < shape.size(); ++a) to += std::max<Int>(b.before[a], 0) * y.strides()[a];
        kernels::copy_into(view_as(y, common, y.strides(), to), view_as(in[0], common, in[0].strides(), from));
        return y;
      },
      [b](const Saved&, const Tensor& dy) {
        Borders back = b;
        for (Dims* each : {&back.before, &back.after})
          for (Int& n : *each) n = -n;
        return constant(dy, back, 0);
      });
}

/// Which element stands at a place in [-before, n + after).
kernels::AxisMap border_map(int axis, Int n, Int before, Int after, PadMode mode) {
  kernels::AxisMap map{axis, n};
  // What wraps round is what is left after cutting.
  const Int first = std::max<Int>(-before, 0), rest = n - first - std::max<Int>(-after, 0);
  for (Int i = -before; i < n + after; ++i) {
    Int from = i;
    switch (mode) {
      case PadMode::reflect: from = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i; break;
      case PadMode::circular: from = first + ((i - first) % rest + rest) % rest; break;
      default: from = std::clamp<Int>(i, 0, n - 1); break;
    }
    map.add(from, 1);
    map.end_output();
  }
  return map;
}

}  // namespace

Tensor pad(const Tensor& input, const std::vector<Int>& pad, PadMode mode, const Scalar& value) {
  const int rank = input.dim(), axes = static_cast<int>(pad.size() / 2);
  if (pad.size() % 2 != 0)
    throw ConfigError(
        text("pad: ", pad.size(), " numbers are not pairs\n  help: give one before and one after, per axis"));
  if (axes > rank) throw ConfigError(text("pad: ", axes, " pairs for ", rank, " axes of input ", input.shape()));
  Borders b{Dims::filled(rank, 0), Dims::filled(rank, 0)};
  for (int k = 0; k < axes; ++k) {
    const int a = rank - 1 - k;
    const Int n = input.shape()[a], before = pad[static_cast<std::size_t>(2 * k)],
              after = pad[static_cast<std::size_t>(2 * k) + 1];
    b.before[a] = before;
    b.after[a] = after;
    const auto fail = [&](const char* what) {
      throw ShapeError(text("pad: ", before, " before and ", after, " after ", n, " elements along axis ", a, what));
    };
    constexpr Int unheard_of = Int{1} << 48;
    if (std::max(before, after) > unheard_of || std::min(before, after) < -unheard_of)
      fail(": no memory holds that many");
    if (n + before + after < 0) fail(": more is cut off than there is");
    if (mode == PadMode::constant) continue;
    const Int rest = n + std::min<Int>(before, 0) + std::min<Int>(after, 0);
    const Int most = std::max(before, after);
    if (mode == PadMode::reflect && most >= n && most > 0) fail(": more is mirrored than there is");
    if (mode == PadMode::circular && most > rest) fail(": more is taken from the other end than there is");
    if (n == 0 && most > 0) fail(": there is no element to repeat");
    detail::check_outputs("pad", n + before + after);
  }
  if (mode == PadMode::constant) return constant(input, b, value);
  std::vector<kernels::AxisMap> maps;
  for (int a = 0; a < rank; ++a)
    if (b.before[a] != 0 || b.after[a] != 0)
      maps.push_back(border_map(a, input.shape()[a], b.before[a], b.after[a], mode));
  return detail::linear_maps({"pad", {{"before", b.before}, {"after", b.after}, {"mode", static_cast<int>(mode)}}},
                             input, std::move(maps));
}

}  // namespace weft
