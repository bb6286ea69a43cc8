#include <weft/autograd/ops/elementary.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using detail::record_unary;
using detail::zero_of;
using kernels::Binary;
using kernels::Unary;

Tensor abs(const Tensor& x) {
  return record_unary({"abs", {}, saves::inputs}, x, Unary::abs,
                      [](const Saved& s, const Tensor& dy) { return dy * sign(s.input(0)); });
}
Tensor sign(const Tensor& x) {
  return record_unary({"sign"}, x, Unary::sign, [](const Saved&, const Tensor& dy) { return dy * 0.0; });
}
Tensor square(const Tensor& x) {
  return record_unary({"square", {}, saves::inputs}, x, Unary::square,
                      [](const Saved& s, const Tensor& dy) { return dy * (s.input(0) * 2.0); });
}
Tensor sqrt(const Tensor& x) {
  return record_unary({"sqrt", {}, saves::output}, x, Unary::sqrt,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.output() * 2.0); });
}
Tensor rsqrt(const Tensor& x) {
  return record_unary({"rsqrt", {}, saves::output}, x, Unary::rsqrt,
                      [](const Saved& s, const Tensor& dy) { return dy * (pow(s.output(), 3) * -0.5); });
}
Tensor reciprocal(const Tensor& x) {
  return record_unary({"reciprocal", {}, saves::output}, x, Unary::reciprocal,
                      [](const Saved& s, const Tensor& dy) { return neg(dy * square(s.output())); });
}
Tensor exp(const Tensor& x) {
  return record_unary({"exp", {}, saves::output}, x, Unary::exp,
                      [](const Saved& s, const Tensor& dy) { return dy * s.output(); });
}
Tensor expm1(const Tensor& x) {
  return record_unary({"expm1", {}, saves::output}, x, Unary::expm1,
                      [](const Saved& s, const Tensor& dy) { return dy * (s.output() + 1.0); });
}
Tensor log(const Tensor& x) {
  return record_unary({"log", {}, saves::inputs}, x, Unary::log,
                      [](const Saved& s, const Tensor& dy) { return dy / s.input(0); });
}
Tensor log1p(const Tensor& x) {
  return record_unary({"log1p", {}, saves::inputs}, x, Unary::log1p,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.input(0) + 1.0); });
}
Tensor exp2(const Tensor& x) {
  return record_unary({"exp2", {}, saves::output}, x, Unary::exp2,
                      [](const Saved& s, const Tensor& dy) { return dy * (s.output() * std::numbers::ln2); });
}
Tensor log2(const Tensor& x) {
  return record_unary({"log2", {}, saves::inputs}, x, Unary::log2,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.input(0) * std::numbers::ln2); });
}
Tensor log10(const Tensor& x) {
  return record_unary({"log10", {}, saves::inputs}, x, Unary::log10,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.input(0) * std::numbers::ln10); });
}

Tensor logit(const Tensor& x, std::optional<double> eps) {
  if (eps) return logit(clamp(is_floating(x.dtype()) ? x : to(x, DType::float32), *eps, 1 - *eps));
  return record_unary({"logit", {}, saves::inputs}, x, Unary::logit, [](const Saved& s, const Tensor& dy) {
    const Tensor& v = s.input(0);
    const Tensor outside = logical_or(lt(v, 0), gt(v, 1));
    return where(outside, scalar(std::nan(""), dy.dtype()), dy / (v * (1.0 - v)));
  });
}

// ---- trigonometric and hyperbolic

Tensor sin(const Tensor& x) {
  return record_unary({"sin", {}, saves::inputs}, x, Unary::sin,
                      [](const Saved& s, const Tensor& dy) { return dy * cos(s.input(0)); });
}
Tensor cos(const Tensor& x) {
  return record_unary({"cos", {}, saves::inputs}, x, Unary::cos,
                      [](const Saved& s, const Tensor& dy) { return neg(dy * sin(s.input(0))); });
}
Tensor tan(const Tensor& x) {
  return record_unary({"tan", {}, saves::output}, x, Unary::tan,
                      [](const Saved& s, const Tensor& dy) { return dy * (square(s.output()) + 1.0); });
}
Tensor asin(const Tensor& x) {
  return record_unary({"asin", {}, saves::inputs}, x, Unary::asin,
                      [](const Saved& s, const Tensor& dy) { return dy * rsqrt(1.0 - square(s.input(0))); });
}
Tensor acos(const Tensor& x) {
  return record_unary({"acos", {}, saves::inputs}, x, Unary::acos,
                      [](const Saved& s, const Tensor& dy) { return neg(dy * rsqrt(1.0 - square(s.input(0)))); });
}
Tensor atan(const Tensor& x) {
  return record_unary({"atan", {}, saves::inputs}, x, Unary::atan,
                      [](const Saved& s, const Tensor& dy) { return dy / (square(s.input(0)) + 1.0); });
}
Tensor sinh(const Tensor& x) {
  return record_unary({"sinh", {}, saves::inputs}, x, Unary::sinh,
                      [](const Saved& s, const Tensor& dy) { return dy * cosh(s.input(0)); });
}
Tensor cosh(const Tensor& x) {
  return record_unary({"cosh", {}, saves::inputs}, x, Unary::cosh,
                      [](const Saved& s, const Tensor& dy) { return dy * sinh(s.input(0)); });
}
Tensor asinh(const Tensor& x) {
  return record_unary({"asinh", {}, saves::inputs}, x, Unary::asinh,
                      [](const Saved& s, const Tensor& dy) { return dy * rsqrt(square(s.input(0)) + 1.0); });
}
Tensor acosh(const Tensor& x) {
  return record_unary({"acosh", {}, saves::inputs}, x, Unary::acosh,
                      [](const Saved& s, const Tensor& dy) { return dy * rsqrt(square(s.input(0)) - 1.0); });
}
Tensor atanh(const Tensor& x) {
  return record_unary({"atanh", {}, saves::inputs}, x, Unary::atanh,
                      [](const Saved& s, const Tensor& dy) { return dy / (1.0 - square(s.input(0))); });
}

// ---- rounding

namespace {

Tensor flat(const Saved&, const Tensor& dy) { return dy * 0.0; }

}  // namespace

Tensor floor(const Tensor& x) { return record_unary({"floor"}, x, Unary::floor, flat); }
Tensor ceil(const Tensor& x) { return record_unary({"ceil"}, x, Unary::ceil, flat); }
Tensor trunc(const Tensor& x) { return record_unary({"trunc"}, x, Unary::trunc, flat); }
Tensor frac(const Tensor& x) {
  return record(
      {"frac"}, {x},
      [](const Inputs& in) { return kernels::binary(Binary::sub, in[0], kernels::unary(Unary::trunc, in[0])); },
      [](const Saved&, const Tensor& dy) { return dy; });
}
Tensor round(const Tensor& x, int decimals) {
  return record(
      {"round", {{"decimals", decimals}}}, {x},
      [decimals](const Inputs& in) {
        if (decimals == 0 || !is_floating(in[0].dtype())) return kernels::unary(Unary::round, in[0]);
        // A negative power of ten is not exact, so it is divided by its reciprocal.
        const double unit = std::pow(10.0, std::abs(static_cast<double>(decimals)));
        const auto into = decimals > 0 ? Binary::mul : Binary::div, back = decimals > 0 ? Binary::div : Binary::mul;
        return kernels::binary(back, kernels::unary(Unary::round, kernels::binary(into, in[0], unit)), unit);
      },
      flat);
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  if (!is_floating(x.dtype())) return x;
  const DType type = x.dtype();
  const double bfloat16_largest = 0x1.fep127;
  const double largest = type == DType::float64   ? std::numeric_limits<double>::max()
                         : type == DType::float32 ? static_cast<double>(std::numeric_limits<float>::max())
                                                  : bfloat16_largest;
  const auto number = [type](double value) { return kernels::cast(scalar(value, DType::float64), type); };
  const Tensor finite = where(gt(x, 0), number(posinf.value_or(largest)), number(neginf.value_or(-largest)));
  return where(isfinite(x), x, where(isnan(x), number(nan), finite));
}

// ---- error and gamma functions

Tensor erf(const Tensor& x) {
  return record_unary({"erf", {}, saves::inputs}, x, Unary::erf, [](const Saved& s, const Tensor& dy) {
    return dy * (exp(neg(square(s.input(0)))) * (2 * std::numbers::inv_sqrtpi));
  });
}
Tensor erfc(const Tensor& x) {
  return record_unary({"erfc", {}, saves::inputs}, x, Unary::erfc, [](const Saved& s, const Tensor& dy) {
    return dy * (exp(neg(square(s.input(0)))) * (-2 * std::numbers::inv_sqrtpi));
  });
}
Tensor erfinv(const Tensor& x) {
  return record_unary({"erfinv", {}, saves::output}, x, Unary::erfinv, [](const Saved& s, const Tensor& dy) {
    return dy * (exp(square(s.output())) * (0.5 / std::numbers::inv_sqrtpi));
  });
}
Tensor sinc(const Tensor& x) {
  constexpr double pi = std::numbers::pi;
  return record(
      {"sinc", {}, saves::inputs}, {x},
      [](const Inputs& in) {
        const Tensor angle = kernels::binary(Binary::mul, in[0], pi),
                     y = kernels::binary(Binary::div, kernels::unary(Unary::sin, angle), angle);
        return kernels::where(kernels::binary(Binary::eq, in[0], 0), scalar(1.0, y.dtype()), y);
      },
      [](const Saved& s, const Tensor& dy) {
        const Tensor &v = s.input(0), near = lt(abs(v), 0.1);
        // Near 0 the difference has no digits left: sum over k of (-1)^k pi^2k 2k / (2k + 1)! x^(2k - 1), k = 1 ... 6.
        const Tensor u = square(v * pi);
        Tensor series = u * (12.0 / 6227020800.0) - 10.0 / 39916800.0;
        for (const double c : {8.0 / 362880, -6.0 / 5040, 4.0 / 120, -2.0 / 6}) series = series * u + c;
        const Tensor far = where(near, scalar(1.0, v.dtype()), v);  // no division by 0 in the branch not taken
        return dy * where(near, series * v * (pi * pi), (cos(far * pi) - sinc(far)) / far);
      });
}
Tensor lgamma(const Tensor& x) {
  return record_unary({"lgamma", {}, saves::inputs}, x, Unary::lgamma,
                      [](const Saved& s, const Tensor& dy) { return dy * digamma(s.input(0)); });
}
Tensor digamma(const Tensor& x) {
  return record_unary({"digamma", {}, saves::inputs}, x, Unary::digamma,
                      [](const Saved& s, const Tensor& dy) { return dy * polygamma(1, s.input(0)); });
}
Tensor polygamma(int n, const Tensor& x) {
  if (n < 0) throw ConfigError(text("polygamma: n is ", n, "\n  help: count derivatives from 0"));
  constexpr int most = 1 << 30;  // a further derivative has a number, too
  if (n > most) throw ConfigError(text("polygamma: n is ", n, "\n  help: choose at most ", most));
  if (n == 0) return digamma(x);
  return record(
      {"polygamma", {{"n", n}}, saves::inputs}, {x},
      [n](const Inputs& in) { return kernels::binary(Binary::polygamma, n, in[0]); },
      [n](const Saved& s, const Tensor& dy) { return dy * polygamma(n + 1, s.input(0)); });
}

}  // namespace weft
