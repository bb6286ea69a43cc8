#include <weft/autograd/ops/distance.h>

#include <cmath>
#include <limits>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using detail::zero_of;
using kernels::Binary;
using kernels::Reduce;
using kernels::Unary;

void check_order(const char* op, double p) {
  if (!(p >= 0)) throw ConfigError(text(op, ": p is ", p, "\n  help: choose one from 0 on, or infinity"));
}

/// Integers as float32.
Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : to(x, DType::float32); }

/// The derivative of a p-norm `length` by the entries x that it was taken of (length broadcasts with x); 0 at 0. Of
/// several largest entries each counts in full.
Tensor slope_of(const Tensor& x, const Tensor& length, double p) {
  if (p == 0) return x * 0.0;
  if (p == 1) return sign(x);
  if (std::isinf(p)) return sign(x) * to(eq(abs(x), length), x.dtype());
  const Tensor one = scalar(1, x.dtype()), flat = p == 2 ? eq(length, 0) : logical_or(eq(x, 0), eq(length, 0));
  const Tensor size = where(flat, one, length);
  if (p == 2) return where(flat, zero_of(x), x / size);
  return where(flat, zero_of(x), sign(x) * pow(where(flat, one, abs(x)) / size, p - 1));
}

/// The p-norm along an axis, which stays with size 1.
Tensor length_of(const Tensor& x, double p, int axis) {
  return record(
      {"vector_norm", {{"p", p}, {"axis", axis}}, saves::inputs | saves::output}, {x},
      [=](const Inputs& in) {
        using namespace kernels;
        const int axes[] = {axis};
        if (in[0].shape()[axis] == 0) {
          Shape shape = in[0].shape();
          shape[axis] = 1;
          return zeros(shape, in[0].dtype());
        }
        if (p == 2) return unary(Unary::sqrt, reduce(Reduce::sum_of_squares, in[0], axes, true));
        if (p == 0) return reduce(Reduce::sum, cast(binary(Binary::ne, in[0], 0), in[0].dtype()), axes, true);
        const Tensor size = unary(Unary::abs, in[0]);
        if (p == 1) return reduce(Reduce::sum, size, axes, true);
        if (std::isinf(p)) return reduce(Reduce::max, size, axes, true);
        return binary(Binary::pow, reduce(Reduce::sum, binary(Binary::pow, size, p), axes, true), 1 / p);
      },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), &y = s.output();
        const Tensor slope = slope_of(v, y, p);
        if (!std::isinf(p)) return dy * slope;
        return dy * slope / sum(to(eq(abs(v), y), v.dtype()), axis, true);
      });
}

/// Distances of rows whose leading axes agree.
Tensor distances(const Tensor& a, const Tensor& b, double p) {
  return record(
      {"cdist", {{"p", p}}, saves::inputs | saves::output}, {a, b},
      [p](const Inputs& in) { return kernels::distances(in[0], in[1], p); },
      [p](const Saved& s, const Tensor& dy) {
        const Tensor &x = s.input(0), &z = s.input(1), &y = s.output();
        Tensor dx, dz;
        if (!grad_enabled()) {
          if (s.needs(0)) dx = kernels::distances_grad(dy, y, x, z, p);
          if (s.needs(1)) dz = kernels::distances_grad(transpose(dy, -1, -2), transpose(y, -1, -2), z, x, p);
          return gradients(dx, dz);
        }
        const Tensor difference = unsqueeze(x, -2) - unsqueeze(z, -3);  // (..., n, m, k)
        const Tensor each = unsqueeze(dy, -1) * slope_of(difference, unsqueeze(y, -1), p);
        return gradients(sum(each, -2), neg(sum(each, -3)));
      });
}

}  // namespace

Tensor cdist(const Tensor& a, const Tensor& b, double p) {
  check_order("cdist", p);
  if (a.dim() < 2 || b.dim() < 2 || a.shape().back() != b.shape().back())
    throw ShapeError(
        text("cdist: a is ", a.shape(), ", b ", b.shape(), "\n  help: pass rows (..., n, k) and (..., m, k)"));
  const DType type = promote(floating(a).dtype(), floating(b).dtype());
  const auto rows = [](const Tensor& x, Shape shape) {
    shape.push_back(x.shape()[x.dim() - 2]);
    shape.push_back(x.shape()[x.dim() - 1]);
    return expand(x, shape);
  };
  const auto leading = [](const Tensor& x) {
    Shape shape = x.shape();
    shape.erase(x.dim() - 1);
    shape.erase(x.dim() - 2);
    return shape;
  };
  const Shape batch = broadcast("cdist", leading(a), leading(b));
  return distances(rows(to(a, type), batch), rows(to(b, type), batch), p);
}

Tensor pdist(const Tensor& x, double p) {
  check_order("pdist", p);
  if (x.dim() != 2) throw ShapeError(text("pdist: x is ", x.shape(), "\n  help: pass rows (n, k)"));
  const std::int64_t n = x.shape()[0];
  std::vector<std::int64_t> pairs;  // places above the diagonal
  pairs.reserve(static_cast<std::size_t>(n * (n > 0 ? n - 1 : 0) / 2));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i + 1; j < n; ++j) pairs.push_back(i * n + j);
  return index_select(reshape(cdist(x, x, p), {n * n}), 0, from(pairs));
}

Tensor dist(const Tensor& a, const Tensor& b, double p) {
  check_order("dist", p);
  const Tensor difference = floating(a - b);
  return squeeze(length_of(reshape(difference, {difference.numel()}), p, 0), 0);
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keep) {
  check_order("pairwise_distance", p);
  const Tensor difference = a - b + eps;
  if (difference.dim() == 0) throw ShapeError("pairwise_distance: tensors of rank 0 have no last axis");
  const Tensor y = length_of(difference, p, difference.dim() - 1);
  return keep ? y : squeeze(y, -1);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double eps) {
  const Shape shape = broadcast("cosine_similarity", a.shape(), b.shape());
  const int k = normalize_axis("cosine_similarity", axis, shape.size());
  const DType type = promote(floating(a).dtype(), floating(b).dtype());
  const auto direction = [&](const Tensor& x) {
    const Tensor rows = expand(to(x, type), shape);
    return rows / detail::raised(shape.empty() ? abs(rows) : length_of(rows, 2, k), eps);
  };
  const Tensor product = direction(a) * direction(b);
  return shape.empty() ? product : sum(product, k);
}

Tensor normalize(const Tensor& x, double p, int axis, double eps) {
  check_order("normalize", p);
  const int k = normalize_axis("normalize", axis, x.dim());
  const Tensor v = floating(x);
  const Tensor length = v.dim() == 0 ? (p == 0 ? to(ne(v, 0), v.dtype()) : abs(v)) : length_of(v, p, k);
  return v / clamp(length, eps, std::numeric_limits<double>::infinity());
}

}  // namespace weft
