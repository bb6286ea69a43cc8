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
using detail::relu_gradient;
using detail::zero_of;
using kernels::Binary;
using kernels::Unary;

Tensor detail::relu_gradient(const Tensor& dy, const Tensor& y) {
  return first_order(Binary::relu_grad, dy, y, [&] { return where(gt(y, 0), dy, zero_of(dy)); });
}

Tensor relu(const Tensor& x) {
  return record_unary({"relu", {}, saves::output}, x, Unary::relu,
                      [](const Saved& s, const Tensor& dy) { return relu_gradient(dy, s.output()); });
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

// ---- exponential below 0

namespace {

/// 1 where x > 0, else alpha * e^x, with nothing that overflows on the side not taken.
Tensor elu_slope(const Tensor& x, double alpha) {
  if (!grad_enabled()) return kernels::binary(Binary::elu_slope, x, alpha);
  const Tensor above = gt(x, 0);
  return where(above, scalar(1, x.dtype()), exp(where(above, zero_of(x), x)) * alpha);
}

}  // namespace

Tensor elu(const Tensor& x, double alpha) {
  return record(
      {"elu", {{"alpha", alpha}}, saves::inputs}, {x},
      [alpha](const Inputs& in) { return kernels::binary(Binary::elu, in[0], alpha); },
      [alpha](const Saved& s, const Tensor& dy) { return dy * elu_slope(s.input(0), alpha); });
}

Tensor celu(const Tensor& x, double alpha) {
  if (alpha == 0) throw ConfigError("celu: alpha is 0\n  help: choose another, 1 is usual");
  return record(
      {"celu", {{"alpha", alpha}}, saves::inputs}, {x},
      [alpha](const Inputs& in) {
        if (alpha == 1) return kernels::binary(Binary::elu, in[0], alpha);
        const Tensor below = kernels::binary(Binary::elu, kernels::binary(Binary::div, in[0], alpha), 1.0);
        return kernels::where(kernels::binary(Binary::gt, in[0], 0), in[0], kernels::binary(Binary::mul, below, alpha));
      },
      [alpha](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), above = gt(v, 0);
        const Tensor below = exp(where(above, zero_of(dy), v) / alpha);
        return where(above, dy, dy * below);
      });
}

Tensor selu(const Tensor& x) {
  // The fixed point of the map from mean and variance of a layer's input to those of its output.
  constexpr double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
  return elu(x, alpha) * scale;
}

// ---- piecewise linear

Tensor hardshrink(const Tensor& x, double lambda) {
  return record(
      {"hardshrink", {{"lambd", lambda}}, saves::inputs}, {x},
      [lambda](const Inputs& in) {
        using kernels::binary;
        const Tensor inside =
            binary(Binary::logical_and, binary(Binary::ge, in[0], -lambda), binary(Binary::le, in[0], lambda));
        return kernels::where(inside, zero_of(in[0]), in[0]);
      },
      [lambda](const Saved& s, const Tensor& dy) {
        const Tensor inside = logical_and(ge(s.input(0), -lambda), le(s.input(0), lambda));
        return where(inside, zero_of(dy), dy);
      });
}

Tensor softshrink(const Tensor& x, double lambda) {
  if (!(lambda >= 0)) throw ConfigError(text("softshrink: lambda is ", lambda, "\n  help: choose one from 0 on"));
  return record(
      {"softshrink", {{"lambd", lambda}}, saves::inputs}, {x},
      [lambda](const Inputs& in) {  // x less its part within the bounds
        const Tensor v = kernels::cast(in[0], promote(in[0].dtype(), Scalar(lambda)));
        return kernels::binary(Binary::sub, v, kernels::clamp(v, -lambda, lambda));
      },
      [lambda](const Saved& s, const Tensor& dy) {
        const Tensor inside = logical_and(ge(s.input(0), -lambda), le(s.input(0), lambda));
        return where(inside, zero_of(dy), dy);
      });
}

Tensor tanhshrink(const Tensor& x) { return x - tanh(x); }

Tensor hardtanh(const Tensor& x, double low, double high) {
  if (low > high) throw ConfigError(text("hardtanh: low ", low, " is above high ", high));
  return record(
      {"hardtanh", {{"min_val", low}, {"max_val", high}}, saves::inputs}, {x},
      [=](const Inputs& in) { return kernels::clamp(in[0], low, high); },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor outside = logical_or(le(s.input(0), low), ge(s.input(0), high));
        return where(outside, zero_of(dy), dy);
      });
}

Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }

Tensor hardsigmoid(const Tensor& x) {
  return record(
      {"hardsigmoid", {}, saves::inputs}, {x},
      [](const Inputs& in) {
        return kernels::binary(Binary::div, kernels::clamp(kernels::binary(Binary::add, in[0], 3.0), 0, 6), 6.0);
      },
      [](const Saved& s, const Tensor& dy) {
        const Tensor inside = logical_and(gt(s.input(0), -3), lt(s.input(0), 3));
        return where(inside, dy / 6.0, zero_of(dy));
      });
}

Tensor hardswish(const Tensor& x) {
  return record_unary({"hardswish", {}, saves::inputs}, x, Unary::hardswish, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    return first_order(Binary::hardswish_grad, dy, v, [&] {
      const Tensor bent = where(ge(v, 3), dy, dy * (v / 3.0 + 0.5));
      return where(le(v, -3), zero_of(dy), bent);
    });
  });
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  Tensor slope = weight;
  if (weight.numel() != 1) {
    const std::int64_t channels = x.dim() > 1 ? x.shape()[1] : 1;
    if (weight.dim() != 1 || weight.numel() != channels)
      throw ShapeError(text("prelu: the weight is ", weight.shape(), ", x ", x.shape(), "\n  help: give 1 number or ",
                            channels, ", one for each size of axis 1"));
    Shape aligned = Shape::filled(x.dim() - 1, 1);  // along axis 1
    aligned[0] = channels;
    slope = reshape(weight, aligned);
  } else if (weight.dim() > 0) {
    slope = reshape(weight, {});
  }
  // Apart from each other, so that an infinite x above 0 does not reach the gradient of the weight.
  const Tensor above = gt(x, 0);
  return where(above, x, slope * where(above, zero_of(x), x));
}

Tensor threshold(const Tensor& x, double limit, double value) {
  return where(le(x, limit), kernels::cast(scalar(value, DType::float64), x.dtype()), x);
}

// ---- smooth

Tensor mish(const Tensor& x) {
  return record_unary({"mish", {}, saves::inputs}, x, Unary::mish, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    return first_order(Binary::mish_grad, dy, v, [&] {
      const Tensor bend = tanh(softplus(v));
      return dy * (bend + v * (1.0 - square(bend)) * sigmoid(v));
    });
  });
}

Tensor softsign(const Tensor& x) {
  return record(
      {"softsign", {}, saves::inputs}, {x},
      [](const Inputs& in) {
        return kernels::binary(Binary::div, in[0],
                               kernels::binary(Binary::add, kernels::unary(Unary::abs, in[0]), 1.0));
      },
      [](const Saved& s, const Tensor& dy) { return dy / square(abs(s.input(0)) + 1.0); });
}

Tensor glu(const Tensor& x, int axis) {
  if (x.dim() == 0) throw ShapeError("glu: a tensor of rank 0 has no halves");
  const int k = normalize_axis("glu", axis, x.dim());
  const std::int64_t size = x.shape()[k], half = size / 2;
  if (size % 2 != 0) throw ShapeError(text("glu: axis ", k, " of ", x.shape(), " has no halves: its size is ", size));
  return slice(x, k, 0, half) * sigmoid(slice(x, k, half, size));
}

// ---- of a whole axis

Tensor softmin(const Tensor& x, int axis) { return softmax(neg(x), axis); }

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
