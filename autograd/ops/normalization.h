#pragma once
#include <cstdint>
#include <optional>

#include <weft/tensor/tensor.h>

namespace weft {

/// y = (x - mean) / sqrt(var + eps) * weight + bias over the last axes, as many as `shape` has; weight and
/// bias have that shape or are undefined. Ba et al. (2016).
Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight = Tensor(), const Tensor& bias = Tensor(),
                  double eps = 1e-5);

/// x (B, C, ...): y = (x - mean) / sqrt(var + eps) * weight + bias per channel. Training uses the batch's own
/// mean and (biased) variance and moves running_mean and running_var (unbiased) by `momentum` towards them, in place;
/// otherwise these are used. weight, bias, running_*: (C,) or undefined. Throws ShapeError when training with one
/// value per channel. Ioffe and Szegedy (2015).
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum = 0.1, double eps = 1e-5);

/// y = x / sqrt(mean(x^2) + eps) * weight over the last axes, as many as `shape` has; weight has that shape or is
/// undefined; eps is the type's precision when left out. Zhang and Sennrich (2019).
Tensor rms_norm(const Tensor& x, const Shape& shape, const Tensor& weight = Tensor(), std::optional<double> eps = {});

/// x (B, C, ...): y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance of each image's groups of
/// C / groups channels; weight and bias (C,) or undefined. Throws ShapeError when groups do not divide the channels.
/// Wu and He (2018).
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = Tensor(), const Tensor& bias = Tensor(),
                  double eps = 1e-5);

struct InstanceNormOptions {
  bool use_input_stats = true;  ///< otherwise the running ones are used
  double momentum = 0.1;
  double eps = 1e-5;
};
/// x (B, C, ...): as group_norm with each channel of each image by itself. With the input's own statistics,
/// running_mean and running_var (C,), where defined, are moved by `momentum` towards their averages over the batch (the
/// variance unbiased), in place. Throws ShapeError for one value per channel. Ulyanov et al. (2016).
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = Tensor(), const Tensor& running_var = Tensor(),
                     const Tensor& weight = Tensor(), const Tensor& bias = Tensor(),
                     const InstanceNormOptions& options = {});

/// x (B, C, ...): y[c] = x[c] / (k + alpha / size * the sum of x[i]^2 over the `size` channels around c)^beta.
/// Krizhevsky et al. (2012).
Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);

}  // namespace weft
