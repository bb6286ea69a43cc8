#include <weft/autograd/ops/activation.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using detail::first_order;
using detail::record_unary;
using kernels::Binary;
using kernels::Unary;

Tensor relu(const Tensor& x) {
  return record_unary({"relu", {}, saves::output}, x, Unary::relu, [](const Saved& s, const Tensor& dy) {
    return first_order(Binary::relu_grad, dy, s.output(),
                       [&] { return where(gt(s.output(), 0), dy, detail::zero_of(dy)); });
  });
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return record(
      {"leaky_relu", {{"negative_slope", slope}}, saves::inputs}, {x},
      [slope](const Inputs& in) {
        return kernels::where(kernels::binary(Binary::gt, in[0], 0), in[0], kernels::binary(Binary::mul, in[0], slope));
      },
      [slope](const Saved& s, const Tensor& dy) { return where(gt(s.input(0), 0), dy, dy * slope); });
}

Tensor sigmoid(const Tensor& x) {
  return record_unary({"sigmoid", {}, saves::output}, x, Unary::sigmoid, [](const Saved& s, const Tensor& dy) {
    const Tensor& y = s.output();
    return first_order(Binary::sigmoid_grad, dy, y, [&] { return dy * y * (1.0 - y); });
  });
}

Tensor tanh(const Tensor& x) {
  return record_unary({"tanh", {}, saves::output}, x, Unary::tanh, [](const Saved& s, const Tensor& dy) {
    const Tensor& y = s.output();
    return first_order(Binary::tanh_grad, dy, y, [&] { return dy * (1.0 - square(y)); });
  });
}

Tensor gelu(const Tensor& x) {
  return record_unary({"gelu", {}, saves::inputs}, x, Unary::gelu, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    return first_order(Binary::gelu_grad, dy, v, [&] {
      const Tensor below = (erf(v * (1 / std::numbers::sqrt2)) + 1.0) * 0.5;                            // Phi(x)
      const Tensor density = exp(square(v) * -0.5) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);  // phi(x)
      return dy * (below + v * density);
    });
  });
}

Tensor gelu_tanh(const Tensor& x) {
  return record_unary({"gelu_tanh", {}, saves::inputs}, x, Unary::gelu_tanh, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    return first_order(Binary::gelu_tanh_grad, dy, v, [&] {
      const double scale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, cubic = 0.044715;
      const Tensor square_v = square(v), bend = tanh(v * (square_v * cubic + 1.0) * scale);
      const Tensor slope = (square_v * (3 * cubic) + 1.0) * scale;
      return dy * ((bend + 1.0) * 0.5 + v * (1.0 - square(bend)) * slope * 0.5);
    });
  });
}

Tensor silu(const Tensor& x) {
  return record_unary({"silu", {}, saves::inputs}, x, Unary::silu, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    return first_order(Binary::silu_grad, dy, v, [&] {
      const Tensor gate = sigmoid(v);
      return dy * gate * (1.0 + v * (1.0 - gate));
    });
  });
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
  if (!(beta > 0)) throw ConfigError(text("softplus: beta is ", beta, "\n  help: choose one above 0"));
  // At the default threshold the tail is exact to the last digit of float32 anyway, so one kernel does.
  if (beta != 1 || threshold < 20) {
    const Tensor scaled = x * beta;
    return where(gt(scaled, threshold), x, softplus(scaled) / beta);
  }
  return record_unary({"softplus", {}, saves::inputs}, x, Unary::softplus, [](const Saved& s, const Tensor& dy) {
    return first_order(Binary::softplus_grad, dy, s.input(0), [&] { return dy * sigmoid(s.input(0)); });
  });
}

Tensor log_sigmoid(const Tensor& x) {
  return record_unary({"log_sigmoid", {}, saves::inputs}, x, Unary::log_sigmoid,
                      [](const Saved& s, const Tensor& dy) { return dy * sigmoid(neg(s.input(0))); });
}

Tensor softmax(const Tensor& x, int axis) {
  const int k = normalize_axis("softmax", axis, x.dim());
  return record(
      {"softmax", {{"axis", k}}, saves::output}, {x}, [k](const Inputs& in) { return kernels::softmax(in[0], k); },
      [k](const Saved& s, const Tensor& dy) {
        const Tensor& y = s.output();
        if (!grad_enabled()) return kernels::softmax_grad(dy, y, k);
        return y * (dy - sum(dy * y, k, true));
      });
}

Tensor log_softmax(const Tensor& x, int axis) {
  const int k = normalize_axis("log_softmax", axis, x.dim());
  return record(
      {"log_softmax", {{"axis", k}}, saves::output}, {x},
      [k](const Inputs& in) { return kernels::log_softmax(in[0], k); },
      [k](const Saved& s, const Tensor& dy) {
        const Tensor& y = s.output();
        if (!grad_enabled()) return kernels::log_softmax_grad(dy, y, k);
        return dy - exp(y) * sum(dy, k, true);
      });
}

Tensor masked_softmax(const Tensor& x, const Tensor& mask, int axis) {
  // The lowest finite number instead of -inf: a row without any entry stays free of NaN.
  const double lowest = x.dtype() == DType::float64 ? std::numeric_limits<double>::lowest()
                                                    : static_cast<double>(std::numeric_limits<float>::lowest());
  const Tensor hidden = kernels::cast(scalar(lowest, DType::float64), x.dtype());
  const Tensor nothing = kernels::cast(scalar(0.0, DType::float64), x.dtype());
  return where(mask, softmax(where(mask, x, hidden), axis), nothing);
}

Tensor dropout(const Tensor& x, double p, bool training, Generator& generator) {
  if (!(p >= 0 && p <= 1)) throw ConfigError(text("dropout: p is ", p, "\n  help: choose a probability from 0 to 1"));
  if (!training || p == 0) return x;
  const std::uint64_t seed = generator.seed, offset = generator.take(static_cast<std::uint64_t>(x.numel()));
  // The mask is made again from its place in the stream, so it need not be kept.
  const auto masked = [=](const Tensor& v) {
    Tensor mask = empty(v.shape(), v.dtype());
    kernels::random_fill(mask, kernels::Distribution::bernoulli, 1 - p, 0, seed, offset);
    return mul(v, mul(mask, p == 1 ? 0.0 : 1 / (1 - p)));
  };
  return record(
      {"dropout", {{"p", p}, {"seed", static_cast<std::int64_t>(seed)}, {"offset", static_cast<std::int64_t>(offset)}}},
      {x}, [masked](const Inputs& in) { return masked(in[0]); },
      [masked](const Saved&, const Tensor& dy) { return masked(dy); });
}

}  // namespace weft
