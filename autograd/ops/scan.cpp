#include <weft/autograd/ops/scan.h>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

namespace detail {
namespace {

/// x moved by one place along an axis, `edge` (one wide) where nothing comes from.
Tensor shifted(const Tensor& x, int axis, bool to_front, const Tensor& edge) {
  const std::int64_t n = x.shape()[axis];
  return to_front ? cat({slice(x, axis, 1, n), edge}, axis) : cat({edge, slice(x, axis, 0, n - 1)}, axis);
}
Tensor shifted(const Tensor& x, int axis, bool to_front) {
  Shape edge = x.shape();
  edge[axis] = 1;
  return shifted(x, axis, to_front, zeros(edge, x.dtype()));
}

}  // namespace

Tensor recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse) {
  return record(
      {"recurrence", {{"axis", axis}, {"reverse", reverse}}, saves::input(0) | saves::output}, {a, b},
      [=](const Inputs& in) { return kernels::recurrence(in[0], in[1], axis, reverse); },
      [=](const Saved& s, const Tensor& dy) {
        if (dy.numel() == 0) return gradients(dy, dy);
        const Tensor db = recurrence(shifted(s.input(0), axis, !reverse), dy, axis, !reverse);
        return gradients(s.needs(0) ? db * shifted(s.output(), axis, reverse) : Tensor(), db);
      });
}

Tensor exclusive_products(const Tensor& x, int axis, bool reverse) {
  if (x.numel() == 0) return x;
  Shape edge = x.shape();
  const std::int64_t n = edge[axis];
  edge[axis] = 1;
  // The recurrence starts from a 1 in the first place and goes on with the entry before each place.
  const Tensor one = ones(edge, x.dtype());
  edge[axis] = n - 1;
  const Tensor none = zeros(edge, x.dtype());
  return recurrence(shifted(x, axis, reverse), cat(reverse ? std::vector{none, one} : std::vector{one, none}, axis),
                    axis, reverse);
}

}  // namespace detail

namespace {

/// A tensor of rank 0 is a line of one element.
template <class F>
auto as_line(const Tensor& x, F f) {
  return reshape(f(reshape(x, {1})), {});
}

Selected cumulative(const char* name, const Tensor& x, int axis, bool largest) {
  const int k = normalize_axis(name, axis, x.dim());
  return detail::selected(name, x, k, true, [=](const Tensor& v, Tensor& places) {
    return kernels::cumulative_extremum(v, k, largest, places);
  });
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis) {
  const int k = normalize_axis("cumsum", axis, x.dim());
  return record(
      {"cumsum", {{"axis", k}}}, {x}, [k](const Inputs& in) { return kernels::cumsum(in[0], k); },
      [k](const Saved&, const Tensor& dy) {
        // The running sum from the end: everything, less what came before.
        return dy.dim() == 0 ? dy : sum(dy, k, true) - cumsum(dy, k) + dy;
      });
}

Tensor cumprod(const Tensor& x, int axis) {
  const int k = normalize_axis("cumprod", axis, x.dim());
  if (x.dim() == 0) return as_line(x, [](const Tensor& line) { return cumprod(line, 0); });
  return record(
      {"cumprod", {{"axis", k}}, saves::inputs}, {x}, [k](const Inputs& in) { return kernels::cumprod(in[0], k); },
      [k](const Saved& s, const Tensor& dy) {
        if (dy.numel() == 0) return dy;
        const Tensor& v = s.input(0);
        return detail::exclusive_products(v, k, false) * detail::recurrence(detail::shifted(v, k, true), dy, k, true);
      });
}

Selected cummax(const Tensor& x, int axis) { return cumulative("cummax", x, axis, true); }
Selected cummin(const Tensor& x, int axis) { return cumulative("cummin", x, axis, false); }

Tensor logcumsumexp(const Tensor& x, int axis) {
  const int k = normalize_axis("logcumsumexp", axis, x.dim());
  if (!is_floating(x.dtype()))
    throw DtypeError(text("logcumsumexp: x is ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
  if (x.dim() == 0) return as_line(x, [](const Tensor& line) { return logcumsumexp(line, 0); });
  return record(
      {"logcumsumexp", {{"axis", k}}, saves::inputs | saves::output}, {x},
      [k](const Inputs& in) { return kernels::logcumsumexp(in[0], k); },
      [k](const Saved& s, const Tensor& dy) {
        if (dy.numel() == 0) return dy;
        const Tensor &v = s.input(0), &y = s.output();
        // exp(x_i - y_j) as a product of steps exp(y_i - y_{i+1}), none of which exceeds 1. Equal infinities are no
        // step apart.
        const auto fall = [](const Tensor& a, const Tensor& b) {
          return exp(where(eq(a, b), scalar(0, a.dtype()), a - b));
        };
        const std::int64_t n = y.shape()[k];
        const Tensor last = slice(y, k, n - 1, n);
        const Tensor steps = fall(y, detail::shifted(y, k, true, last));
        return fall(v, y) * detail::recurrence(steps, dy, k, true);
      });
}

Tensor diff(const Tensor& x, int n, int axis, const Tensor& prepend, const Tensor& append) {
  if (x.dim() == 0) throw ShapeError("diff: a tensor of rank 0 has no neighbours");
  const int k = normalize_axis("diff", axis, x.dim());
  if (n < 0) throw ConfigError(text("diff: n is ", n, ", less than 0"));
  if (n == 0) return x;
  std::vector<Tensor> parts;
  for (const Tensor* part : {&prepend, &x, &append})
    if (part->defined()) parts.push_back(*part);
  Tensor y = parts.size() == 1 ? x : cat(parts, k);
  for (; n > 0 && y.shape()[k] > 0; --n) {
    const std::int64_t size = y.shape()[k];
    const Tensor behind = slice(y, k, 1, size), before = slice(y, k, 0, size - 1);
    y = y.dtype() == DType::boolean ? ne(behind, before) : behind - before;
  }
  return y;
}

Tensor trapezoid(const Tensor& y, double dx, int axis) {
  if (y.dim() == 0) throw ShapeError("trapezoid: a tensor of rank 0 has no neighbours");
  const int k = normalize_axis("trapezoid", axis, y.dim());
  const std::int64_t n = y.shape()[k];
  const Tensor total = sum(y, k);
  if (n == 0) return total * (dx / 2);
  return (total - (select(y, k, 0) + select(y, k, n - 1)) / 2.0) * dx;
}

Tensor trapezoid(const Tensor& y, const Tensor& x, int axis) {
  if (y.dim() == 0 || x.dim() == 0) throw ShapeError("trapezoid: a tensor of rank 0 has no neighbours");
  const int k = normalize_axis("trapezoid", axis, y.dim());
  Tensor places = x;
  if (x.dim() == 1) {
    Shape along = Shape::filled(y.dim(), 1);
    along[k] = x.shape()[0];
    places = reshape(x, along);
  }
  const int kx = places.dim() - (y.dim() - k);
  const std::int64_t n = y.shape()[k];
  if (kx < 0 || places.shape()[kx] != n)
    throw ShapeError(text("trapezoid: y ", y.shape(), " has ", n, " numbers along axis ", axis, ", x ", x.shape(),
                          " has other places"));
  const Tensor sums = slice(y, k, 1, n) + slice(y, k, 0, n - 1);
  return sum(diff(places, 1, kx) * sums, k - y.dim()) / 2.0;
}

}  // namespace weft
