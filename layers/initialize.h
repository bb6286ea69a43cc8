#pragma once
#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Filling parameters before training, in place, from this thread's default generator unless another
/// is given. Fans are those of a weight (out, in, ...): fan_in = in * receptive field, fan_out = out * receptive field.
namespace weft::initialize {

void uniform(const Tensor& x, double low, double high, Generator& generator = default_generator());
void normal(const Tensor& x, double mean, double deviation, Generator& generator = default_generator());
void constant(const Tensor& x, double value);
/// Uniform within gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio (2010).
void xavier_uniform(const Tensor& x, double gain = 1, Generator& generator = default_generator());
/// Normal with deviation gain * sqrt(2 / (fan_in + fan_out)).
void xavier_normal(const Tensor& x, double gain = 1, Generator& generator = default_generator());
/// Uniform within gain * sqrt(3 / fan_in); gain sqrt(2) suits ReLU. He et al. (2015).
void kaiming_uniform(const Tensor& x, double gain = 1.4142135623730951, Generator& generator = default_generator());
/// Normal with deviation gain / sqrt(fan_in).
void kaiming_normal(const Tensor& x, double gain = 1.4142135623730951, Generator& generator = default_generator());
/// Numbers that feed one output of a weight. Throws ShapeError for fewer than two axes.
std::int64_t fan_in(const Tensor& weight);

}  // namespace weft::initialize
