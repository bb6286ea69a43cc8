#include <weft/autograd/ops/reduction.h>

#include <cmath>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/scan.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using detail::axis_bits;
using kernels::Reduce;

namespace detail {

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

}  // namespace detail

namespace {

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

/// The reduced axes as one, the last, so that a reduction of one axis does the work.
Tensor joined(const Tensor& x, unsigned bits) {
  std::vector<int> order;
  Shape left;
  for (int i = 0; i < x.dim(); ++i)
    if (!(bits >> i & 1U)) {
      order.push_back(i);
      left.push_back(x.shape()[i]);
    }
  for (int i = 0; i < x.dim(); ++i)
    if (bits >> i & 1U) order.push_back(i);
  left.push_back(reduced_count(x.shape(), bits));
  return reshape(permute(x, order), left);
}

/// Throws unless there is something to choose along the axis, for each of the results.
void check_choice(const char* name, const Tensor& x, int axis) {
  if (x.dim() > 0 && x.shape()[axis] == 0)
    throw ShapeError(text(name, ": nothing to choose from along axis ", axis, " of shape ", x.shape()));
}

Selected extremum_along(const char* name, bool largest, const Tensor& x, int axis, bool keep) {
  const int k = normalize_axis(name, axis, x.dim());
  check_choice(name, x, k);
  return detail::selected(name, x, k, keep, [=](const Tensor& v, Tensor& places) {
    places = largest ? kernels::argmax(v, k, true) : kernels::argmin(v, k, true);
    return v.dim() == 0 ? kernels::copy(v) : kernels::gather(v, k, places);
  });
}

/// x with 0 for NaN.
Tensor without_nan(const Tensor& x) { return is_floating(x.dtype()) ? where(isnan(x), scalar(0, x.dtype()), x) : x; }

/// The gradient of a maximum or minimum: shared evenly by all that equal it.
Tensor extremum(const char* name, Reduce op, const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits(name, axes, x.dim());
  const Spread spread{x.shape(), kept_shape(x.shape(), bits)};
  const std::vector<int> list(std::span<const int>(axes).begin(), std::span<const int>(axes).end());
  return record(
      {name, {{"keep", keep}}, saves::inputs | saves::output}, {x},
      [=](const Inputs& in) { return kernels::reduce(op, in[0], axes, keep); },
      [spread, list](const Saved& s, const Tensor& dy) {
        const Tensor equal = to(eq(s.input(0), spread(s.output())), dy.dtype());
        return spread(dy) * equal / sum(equal, list, true);
      });
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits("sum", axes, x.dim());
  return record(
      {"sum", {{"keep", keep}}}, {x}, [=](const Inputs& in) { return kernels::reduce(Reduce::sum, in[0], axes, keep); },
      [spread = Spread{x.shape(), kept_shape(x.shape(), bits)}](const Saved&, const Tensor& dy) { return spread(dy); });
}

Tensor mean(const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits("mean", axes, x.dim());
  const double n = static_cast<double>(reduced_count(x.shape(), bits));
  return record(
      {"mean", {{"keep", keep}}}, {x},
      [=](const Inputs& in) { return kernels::reduce(Reduce::mean, in[0], axes, keep); },
      [n, spread = Spread{x.shape(), kept_shape(x.shape(), bits)}](const Saved&, const Tensor& dy) {
        return spread(dy / n);
      });
}

Tensor prod(const Tensor& x, const Axes& axes, bool keep) {
  const unsigned bits = axis_bits("prod", axes, x.dim());
  const std::span<const int> named = axes;
  if (named.size() != 1 || x.dim() == 0) {
    const Tensor y = prod(joined(x, bits), -1);
    return keep ? reshape(y, kept_shape(x.shape(), bits)) : y;
  }
  const int k = normalize_axis("prod", named[0], x.dim());
  return record(
      {"prod", {{"axis", k}, {"keep", keep}}, saves::inputs}, {x},
      [=](const Inputs& in) { return kernels::reduce(Reduce::prod, in[0], std::array{k}, keep); },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor& v = s.input(0);
        const Tensor others = detail::exclusive_products(v, k, false) * detail::exclusive_products(v, k, true);
        return (keep ? dy : unsqueeze(dy, k)) * others;
      });
}

Tensor nansum(const Tensor& x, const Axes& axes, bool keep) {
  axis_bits("nansum", axes, x.dim());
  return sum(without_nan(x), axes, keep);
}

Tensor nanmean(const Tensor& x, const Axes& axes, bool keep) {
  axis_bits("nanmean", axes, x.dim());
  const Tensor numbers = logical_not(isnan(x));
  return nansum(x, axes, keep) / to(sum(numbers, axes, keep), is_floating(x.dtype()) ? x.dtype() : DType::float32);
}

Tensor var(const Tensor& x, const Axes& axes, double correction, bool keep) {
  const unsigned bits = axis_bits("var", axes, x.dim());
  const double n = static_cast<double>(reduced_count(x.shape(), bits));
  const Tensor squares = sum(square(x - mean(x, axes, true)), axes, keep);
  return squares / (n > correction ? n - correction : 0.0);
}

Tensor amax(const Tensor& x, const Axes& axes, bool keep) { return extremum("amax", Reduce::max, x, axes, keep); }
Tensor amin(const Tensor& x, const Axes& axes, bool keep) { return extremum("amin", Reduce::min, x, axes, keep); }

Extremes aminmax(const Tensor& x, const Axes& axes, bool keep) { return {amin(x, axes, keep), amax(x, axes, keep)}; }

Selected max(const Tensor& x, int axis, bool keep) { return extremum_along("max", true, x, axis, keep); }
Selected min(const Tensor& x, int axis, bool keep) { return extremum_along("min", false, x, axis, keep); }

Tensor median(const Tensor& x) {
  if (x.numel() == 0) return sum(x) / 0.0;
  return record(
      {"median", {}, saves::inputs | saves::output}, {x},
      [](const Inputs& in) {
        Tensor places;
        const Tensor line = kernels::contiguous(in[0]);
        return view_as(kernels::median(view_as(line, {line.numel()}, {1}), 0, places), {}, {});
      },
      [](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &y = s.output();
        const Tensor equal = to(logical_or(eq(v, y), logical_and(isnan(v), isnan(y))), dy.dtype());
        return dy * (equal / sum(equal));
      });
}

Selected median(const Tensor& x, int axis, bool keep) {
  const int k = normalize_axis("median", axis, x.dim());
  check_choice("median", x, k);
  return detail::selected("median", x, k, keep,
                          [k](const Tensor& v, Tensor& places) { return kernels::median(v, k, places); });
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep) {
  const std::span<const int> named = axes;
  if (named.size() != 1 || x.dim() == 0) {
    const unsigned bits = axis_bits("logsumexp", axes, x.dim());
    if (x.dim() == 0) return copy(x);
    const Tensor y = logsumexp(joined(x, bits), -1);
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
      {"sum_to", {{"shape", shape}}}, {x}, [=](const Inputs& in) { return kernels::sum_to(in[0], shape); },
      [from = x.shape()](const Saved&, const Tensor& dy) { return expand(dy, from); });
}

Tensor any(const Tensor& x, const Axes& axes, bool keep) {
  return record({"any", {{"keep", keep}}}, {x},
                [=](const Inputs& in) { return kernels::reduce(Reduce::any, in[0], axes, keep); });
}
Tensor all(const Tensor& x, const Axes& axes, bool keep) {
  return record({"all", {{"keep", keep}}}, {x},
                [=](const Inputs& in) { return kernels::reduce(Reduce::all, in[0], axes, keep); });
}
Tensor count_nonzero(const Tensor& x, const Axes& axes) {
  axis_bits("count_nonzero", axes, x.dim());
  return sum(ne(x, 0), axes);
}
Tensor argmax(const Tensor& x, int axis, bool keep) {
  return record({"argmax", {{"axis", axis}, {"keep", keep}}}, {x},
                [=](const Inputs& in) { return kernels::argmax(in[0], axis, keep); });
}
Tensor argmin(const Tensor& x, int axis, bool keep) {
  return record({"argmin", {{"axis", axis}, {"keep", keep}}}, {x},
                [=](const Inputs& in) { return kernels::argmin(in[0], axis, keep); });
}

}  // namespace weft
