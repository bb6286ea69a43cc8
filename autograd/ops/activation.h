#pragma once
#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Activations: elementwise, shape kept, floating types (integers become float32).
namespace weft {

/// max(x, 0). Gradient: dy where y > 0.
Tensor relu(const Tensor& x);
/// x where x > 0, else slope * x. Gradient: dy, slope * dy.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// 1 / (1 + exp(-x)). Gradient: dy * y * (1 - y).
Tensor sigmoid(const Tensor& x);
/// Hyperbolic tangent. Gradient: dy * (1 - y^2).
Tensor tanh(const Tensor& x);
/// x * Phi(x), Phi the normal distribution function. Gradient: dy * (Phi(x) + x * phi(x)).
/// Hendrycks and Gimpel (2016).
Tensor gelu(const Tensor& x);
/// gelu with Phi(x) approximated by (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))) / 2, as in GPT-2.
Tensor gelu_tanh(const Tensor& x);
/// x * sigmoid(x), also called swish. Gradient: dy * s * (1 + x * (1 - s)). Elfwing et al. (2017).
Tensor silu(const Tensor& x);
/// log(1 + exp(beta * x)) / beta, without overflow; x itself where beta * x > threshold. Gradient: dy * sigmoid(beta *
/// x). Throws ConfigError unless beta > 0.
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
/// log(sigmoid(x)), without overflow. Gradient: dy * sigmoid(-x).
Tensor log_sigmoid(const Tensor& x);

/// Softmax along one axis: y_i = exp(x_i - max x) / sum_j exp(x_j - max x). Shape kept. Throws
/// ShapeError if the axis is out of range. Gradient: y * (dy - sum(dy * y)). Bridle (1990).
Tensor softmax(const Tensor& x, int axis);
/// log(softmax(x)) along one axis, without overflow. Gradient: dy - exp(y) * sum(dy).
Tensor log_softmax(const Tensor& x, int axis);
/// Softmax over the entries where `mask` (bool, broadcast to x) is true; the others are exactly 0, and
/// so is every entry where the mask is false all along the axis. Gradient: as softmax, 0 where masked.
Tensor masked_softmax(const Tensor& x, const Tensor& mask, int axis);

/// While training: each element is 0 with probability p, the others are divided by 1 - p; otherwise
/// x itself. p in [0, 1]. Throws ConfigError for another p. Gradient: the same mask on dy.
/// Srivastava et al. (2014).
Tensor dropout(const Tensor& x, double p, bool training = true, Generator& generator = default_generator());

}  // namespace weft
