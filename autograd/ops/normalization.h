#pragma once
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

}  // namespace weft
