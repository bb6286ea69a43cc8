#pragma once
#include <weft/autograd/ops/reduction.h>
#include <weft/tensor/tensor.h>

/// Spread, correlation and counts.
namespace weft {

/// Standard deviation: the square root of var(). Gradient: dy (x - mean) / (y (n - correction)), 0 where y is 0.
Tensor stddev(const Tensor& x, const Axes& axes = {}, double correction = 1, bool keep = false);
struct StdMean {
  Tensor stddev, mean;
};
/// The standard deviation and the mean.
StdMean std_mean(const Tensor& x, const Axes& axes = {}, double correction = 1, bool keep = false);
struct VarMean {
  Tensor var, mean;
};
/// The variance and the mean.
VarMean var_mean(const Tensor& x, const Axes& axes = {}, double correction = 1, bool keep = false);

struct CovOptions {
  std::int64_t correction = 1;
  Tensor fweights{};  ///< (N,), whole: how often each observation counts
  Tensor aweights{};  ///< (N,), floating: how much each observation weighs
};
/// Covariance of variables (rows) over observations (columns): x (D, N) -> (D, D), (N,) -> (). With weights w = f a,
/// W = sum w and the weighted mean m: sum w (x - m) (x - m)^T / (W - correction * sum(w a) / W), or W - correction
/// without aweights; a divisor below 0 counts as 0. Throws ShapeError for more axes or other sizes, DtypeError for
/// weights of another kind, ConfigError for negative ones.
Tensor cov(const Tensor& x, const CovOptions& options = {});
/// Pearson's correlation: cov_ij / sqrt(cov_ii cov_jj), held within [-1, 1]; x as in cov.
Tensor corrcoef(const Tensor& x);

/// How many numbers lie in each of `bins` equal parts of [min, max] (the last includes max); with min == max between
/// the smallest and the largest. (bins,) in x's type; others are left out. No gradient. Throws ConfigError for
/// no bins, min > max or bounds that are not finite, DtypeError unless x is float32 or float64.
Tensor histc(const Tensor& x, std::int64_t bins = 100, double min = 0, double max = 0);
/// How often each of 0, 1, ... stands in ids (N,) (int64), or the sum of its weights (N,) (float64): as many numbers as
/// the largest id needs, `minlength` at least. No gradient. Throws ConfigError for a negative id.
Tensor bincount(const Tensor& ids, const Tensor& weights = Tensor(), std::int64_t minlength = 0);
/// x with each slice along an axis whose p-norm is above `maxnorm` scaled by maxnorm / (norm + 1e-7). Throws
/// ConfigError unless p > 0 and maxnorm >= 0, ShapeError for fewer than 2 axes.
Tensor renorm(const Tensor& x, double p, int axis, double maxnorm);

}  // namespace weft
