#include <weft/autograd/ops/reduction.h>

#include <cmath>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using kernels::Reduce;

namespace {

/// The reduced axes, checked, as a set of bits; all of them when none is named.
unsigned axis_bits(const char* op, std::span<const int> axes, int rank) {
  if (axes.empty()) return (1U << rank) - 1U;
  unsigned bits = 0;
  for (const int axis : axes) {
    const unsigned bit = 1U << normalize_axis(op, axis, rank);
    if (bits & bit) throw ShapeError(text(op, ": axis ", axis, " is named twice"));
    bits |= bit;
  }
  return rank == 0 ? 0 : bits;
}

Shape kept_shape(const Shape& shape, unsigned bits) {
  Shape kept = shape;
  for (int i = 0; i < shape.size(); ++i)
    if (bits >> i & 1U) kept[i] = 1;
  return kept;
}

std::int64_t reduced_count(const Shape& shape, unsigned bits) {
  std::int64_t n = 1;
  for (int i = 0; i < shape.size(); ++i)
    if (bits >> i & 1U) n *= shape[i];
  return n;
}

/// What a reduction needs to spread its gradient again.
struct Spread {
  Shape shape, kept;
  Tensor operator()(const Tensor& dy) const { return expand(reshape(dy, kept), shape); }
};

/// The gradient of a maximum or minimum: shared evenly by all that equal it.
Tensor extremum(const char* name, Reduce op, const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits(name, axes, x.dim());
  const Spread spread{x.shape(), kept_shape(x.shape(), bits)};
  const std::vector<int> list(std::span<const int>(axes).begin(), std::span<const int>(axes).end());
  return record(
      {name, {{"keep", keep}}, saves::inputs | saves::output}, {x},
      [&](const Inputs& in) { return kernels::reduce(op, in[0], axes, keep); },
      [spread, list](const Saved& s, const Tensor& dy) {
        const Tensor equal = to(eq(s.input(0), spread(s.output())), dy.dtype());
        return spread(dy) * equal / sum(equal, list, true);
      });
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits("sum", axes, x.dim());
  return record(
      {"sum", {{"keep", keep}}}, {x}, [&](const Inputs& in) { return kernels::reduce(Reduce::sum, in[0], axes, keep); },
      [spread = Spread{x.shape(), kept_shape(x.shape(), bits)}](const Saved&, const Tensor& dy) { return spread(dy); });
}

Tensor mean(const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits("mean", axes, x.dim());
  const double n = static_cast<double>(reduced_count(x.shape(), bits));
  return record(
      {"mean", {{"keep", keep}}}, {x},
      [&](const Inputs& in) { return kernels::reduce(Reduce::mean, in[0], axes, keep); },
      [n, spread = Spread{x.shape(), kept_shape(x.shape(), bits)}](const Saved&, const Tensor& dy) {
        return spread(dy / n);
      });
}

Tensor var(const Tensor& x, const Axes& axes, double correction, bool keep) {
  const unsigned bits = axis_bits("var", axes, x.dim());
  const double n = static_cast<double>(reduced_count(x.shape(), bits));
  const Tensor squares = sum(square(x - mean(x, axes, true)), axes, keep);
  return squares / (n > correction ? n - correction : 0.0);
}

Tensor amax(const Tensor& x, const Axes& axes, bool keep) { return extremum("amax", Reduce::max, x, axes, keep); }
Tensor amin(const Tensor& x, const Axes& axes, bool keep) { return extremum("amin", Reduce::min, x, axes, keep); }

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep) {
  const std::span<const int> named = axes;
  if (named.size() != 1 || x.dim() == 0) {
    const unsigned bits = axis_bits("logsumexp", axes, x.dim());
    if (x.dim() == 0) return copy(x);
    // Axes side by side become one, then the kernel for one axis does it.
    std::vector<int> order;
    std::int64_t count = 1;
    Shape left;
    for (int i = 0; i < x.dim(); ++i)
      if (!(bits >> i & 1U)) {
        order.push_back(i);
        left.push_back(x.shape()[i]);
      }
    for (int i = 0; i < x.dim(); ++i)
      if (bits >> i & 1U) {
        order.push_back(i);
        count *= x.shape()[i];
      }
    left.push_back(count);
    const Tensor y = logsumexp(reshape(permute(x, order), left), -1);
    return keep ? reshape(y, kept_shape(x.shape(), bits)) : y;
  }
  const int k = normalize_axis("logsumexp", named[0], x.dim());
  return record(
      {"logsumexp", {{"axis", k}, {"keep", keep}}, saves::inputs | saves::output}, {x},
      [=](const Inputs& in) { return kernels::logsumexp(in[0], k, keep); },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor y = keep ? s.output() : unsqueeze(s.output(), k);
        return exp(s.input(0) - y) * (keep ? dy : unsqueeze(dy, k));
      });
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (shape.size() > x.dim() || !(broadcast("sum_to", x.shape(), shape) == x.shape()))
    throw ShapeError(text("sum_to: shape ", x.shape(), " is not a broadcast of ", shape));
  return record(
      {"sum_to", {{"shape", shape}}}, {x}, [&](const Inputs& in) { return kernels::sum_to(in[0], shape); },
      [from = x.shape()](const Saved&, const Tensor& dy) { return expand(dy, from); });
}

Tensor cumsum(const Tensor& x, int axis) {
  const int k = normalize_axis("cumsum", axis, x.dim());
  return record(
      {"cumsum", {{"axis", k}}}, {x}, [k](const Inputs& in) { return kernels::cumsum(in[0], k); },
      [k](const Saved&, const Tensor& dy) {
        // The running sum from the end: everything, less what came before.
        return dy.dim() == 0 ? dy : sum(dy, k, true) - cumsum(dy, k) + dy;
      });
}

Tensor any(const Tensor& x, const Axes& axes, bool keep) { return kernels::reduce(Reduce::any, x, axes, keep); }
Tensor all(const Tensor& x, const Axes& axes, bool keep) { return kernels::reduce(Reduce::all, x, axes, keep); }
Tensor argmax(const Tensor& x, int axis, bool keep) { return kernels::argmax(x, axis, keep); }
Tensor argmin(const Tensor& x, int axis, bool keep) { return kernels::argmin(x, axis, keep); }

}  // namespace weft
