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

/// x where x > 0, else alpha * (exp(x) - 1). Gradient: dy, dy * alpha * exp(x). Clevert et al. (2015).
Tensor elu(const Tensor& x, double alpha = 1);
/// x where x > 0, else alpha * (exp(x / alpha) - 1), whose slope has no jump. Gradient: dy, dy * exp(x / alpha). Throws
/// ConfigError for alpha 0. Barron (2017).
Tensor celu(const Tensor& x, double alpha = 1);
/// 1.0507 * elu(x, 1.6733), which keeps mean 0 and variance 1. Gradient: as elu. Klambauer et al. (2017).
Tensor selu(const Tensor& x);
/// The first half along an axis, times the sigmoid of the second. Shape: [..., 2n, ...] -> [..., n, ...]. Throws
/// ShapeError for an odd size. Gradient: to both halves. Dauphin et al. (2016).
Tensor glu(const Tensor& x, int axis = -1);
/// x, or 0 where -lambda <= x <= lambda. Gradient: dy, 0 there.
Tensor hardshrink(const Tensor& x, double lambda = 0.5);
/// x moved towards 0 by lambda, 0 where -lambda <= x <= lambda. Gradient: dy, 0 there. Throws ConfigError for lambda <
/// 0.
Tensor softshrink(const Tensor& x, double lambda = 0.5);
/// x - tanh(x). Gradient: dy * tanh(x)^2.
Tensor tanhshrink(const Tensor& x);
/// (x + 3) / 6 held within [0, 1]. Gradient: dy / 6 strictly inside, else 0.
Tensor hardsigmoid(const Tensor& x);
/// x * hardsigmoid(x). Gradient: dy * (x / 3 + 1/2) where -3 < x < 3, dy above, 0 below. Howard et al. (2019).
Tensor hardswish(const Tensor& x);
/// x held within [low, high]. Gradient: dy strictly inside, else 0 (clamp counts the bounds as inside). Throws
/// ConfigError when low > high.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
/// x held within [0, 6]. Gradient: dy strictly inside, else 0.
Tensor relu6(const Tensor& x);
/// x * tanh(softplus(x)). Gradient: dy * (t + x * (1 - t^2) * sigmoid(x)), t = tanh(softplus(x)). Misra (2019).
Tensor mish(const Tensor& x);
/// x where x > 0, else weight * x; weight has one element, or one for each size of axis 1. Gradient: dy or dy * weight;
/// to weight the sum of dy * x where x <= 0. Throws ShapeError for another weight. He et al. (2015).
Tensor prelu(const Tensor& x, const Tensor& weight);
/// x / (1 + |x|). Gradient: dy / (1 + |x|)^2.
Tensor softsign(const Tensor& x);
/// x where x > limit, else value. Gradient: dy where x > limit, else 0.
Tensor threshold(const Tensor& x, double limit, double value);

/// Softmax along one axis: y_i = exp(x_i - max x) / sum_j exp(x_j - max x). Shape kept. Throws
/// ShapeError if the axis is out of range. Gradient: y * (dy - sum(dy * y)). Bridle (1990).
Tensor softmax(const Tensor& x, int axis);
/// softmax(-x).
Tensor softmin(const Tensor& x, int axis);
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
