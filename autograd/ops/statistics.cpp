#include <weft/autograd/ops/statistics.h>

#include <cmath>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/linalg.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/rearrange.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// Square root with gradient 0 at 0.
Tensor root(const Tensor& x) {
  const Tensor zero = eq(x, 0);
  return where(zero, scalar(0, x.dtype()), sqrt(where(zero, scalar(1, x.dtype()), x)));
}

void check_weights(const char* name, const Tensor& w, bool whole, std::int64_t n) {
  if (whole ? !is_integer(w.dtype()) : !is_floating(w.dtype()))
    throw DtypeError(text("cov: ", name, " are ", w.dtype(), ", not ", whole ? "whole numbers" : "floating"));
  if (!(w.shape() == Shape{n}))
    throw ShapeError(text("cov: ", name, " are ", w.shape(), ", x has ", n, " observations"));
  if (n > 0 && kernels::reduce(kernels::Reduce::min, w, {}, false).item() < 0)
    throw ConfigError(
        text("cov: ", name, " hold ", kernels::reduce(kernels::Reduce::min, w, {}, false).item(), ", less than 0"));
}

}  // namespace

Tensor stddev(const Tensor& x, const Axes& axes, double correction, bool keep) {
  detail::axis_bits("stddev", axes, x.dim());
  return root(var(x, axes, correction, keep));
}

StdMean std_mean(const Tensor& x, const Axes& axes, double correction, bool keep) {
  detail::axis_bits("std_mean", axes, x.dim());
  return {stddev(x, axes, correction, keep), mean(x, axes, keep)};
}

VarMean var_mean(const Tensor& x, const Axes& axes, double correction, bool keep) {
  detail::axis_bits("var_mean", axes, x.dim());
  return {var(x, axes, correction, keep), mean(x, axes, keep)};
}

Tensor cov(const Tensor& x, const CovOptions& options) {
  if (x.dim() > 2) throw ShapeError(text("cov: x is ", x.shape(), ", not (variables, observations)"));
  const Tensor rows = x.dim() == 2 ? x : reshape(x, {1, x.numel()});
  const std::int64_t n = rows.shape()[1];
  const Tensor &f = options.fweights, &a = options.aweights;
  if (f.defined()) check_weights("fweights", f, true, n);
  if (a.defined()) check_weights("aweights", a, false, n);
  DType type = a.defined() ? promote(x.dtype(), a.dtype()) : x.dtype();
  if (!is_floating(type)) type = DType::float32;
  const Tensor v = to(rows, type);
  const double correction = static_cast<double>(options.correction);

  Tensor weight, centred, divisor;
  if (f.defined() || a.defined()) {
    weight = !f.defined() ? to(a, type) : !a.defined() ? to(f, type) : to(f, type) * to(a, type);
    const Tensor total = sum(weight);
    centred = v - sum(v * weight, 1, true) / total;
    divisor =
        a.defined() && correction != 0 ? total - correction * sum(weight * to(a, type)) / total : total - correction;
  } else {
    centred = v - mean(v, 1, true);
    divisor = scalar(static_cast<double>(n) - correction, type);
  }
  divisor = where(lt(divisor, 0), scalar(0, type), divisor);
  const Tensor y = matmul(centred, t(weight.defined() ? centred * weight : centred)) / divisor;
  return rows.shape()[0] == 1 ? reshape(y, {}) : y;
}

Tensor corrcoef(const Tensor& x) {
  if (x.dim() > 2) throw ShapeError(text("corrcoef: x is ", x.shape(), ", not (variables, observations)"));
  const Tensor c = cov(x);
  if (c.dim() == 0) return c / c;
  const Tensor deviation = sqrt(diagonal(c));
  return clamp(c / unsqueeze(deviation, 1) / unsqueeze(deviation, 0), -1.0, 1.0);
}

Tensor histc(const Tensor& x, std::int64_t bins, double min, double max) {
  if (x.dtype() != DType::float32 && x.dtype() != DType::float64)
    throw DtypeError(text("histc: x is ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
  if (bins < 1) throw ConfigError(text("histc: ", bins, " bins\n  help: ask for one at least"));
  if (min == max && x.numel() > 0) {
    min = kernels::reduce(kernels::Reduce::min, x, {}, false).item();
    max = kernels::reduce(kernels::Reduce::max, x, {}, false).item();
  }
  if (min == max) {
    min -= 1;
    max += 1;
  }
  if (!std::isfinite(min) || !std::isfinite(max))
    throw ConfigError(text("histc: the bounds ", min, " and ", max, " are not finite"));
  if (min > max) throw ConfigError(text("histc: min ", min, " is above max ", max));
  return kernels::histogram(x, bins, min, max);
}

Tensor bincount(const Tensor& ids, const Tensor& weights, std::int64_t minlength) {
  if (ids.dim() != 1) throw ShapeError(text("bincount: the ids are ", ids.shape(), ", not one axis"));
  if (is_floating(ids.dtype())) throw DtypeError(text("bincount: the ids are ", ids.dtype(), ", not whole numbers"));
  if (minlength < 0) throw ConfigError(text("bincount: minlength is ", minlength, ", less than 0"));
  if (weights.defined() && !(weights.shape() == ids.shape()))
    throw ShapeError(text("bincount: the weights are ", weights.shape(), ", the ids ", ids.shape()));
  return kernels::bincount(ids, weights, minlength);
}

Tensor renorm(const Tensor& x, double p, int axis, double maxnorm) {
  if (x.dim() < 2) throw ShapeError(text("renorm: x is ", x.shape(), "\n  help: give it two axes at least"));
  const int k = normalize_axis("renorm", axis, x.dim());
  if (!(p > 0)) throw ConfigError(text("renorm: p is ", p, ", not above 0"));
  if (!(maxnorm >= 0)) throw ConfigError(text("renorm: maxnorm is ", maxnorm, ", less than 0"));
  std::vector<int> others;
  for (int i = 0; i < x.dim(); ++i)
    if (i != k) others.push_back(i);
  const Tensor norm = linalg::vector_norm(x, p, others, true);
  return where(gt(norm, maxnorm), x * (maxnorm / (norm + 1e-7)), x);
}

}  // namespace weft
