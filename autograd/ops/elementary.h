#pragma once
#include <optional>

#include <weft/tensor/tensor.h>

/// Functions of one number: powers, logarithms, trigonometry, rounding, the gamma and error functions. Shape kept;
/// integers and bool become float32 where the function leaves the whole numbers. In float32 they are within 4 units in
/// the last place where nothing else is said.
namespace weft {

/// |x|. Gradient: dy * sign(x), 0 at 0.
Tensor abs(const Tensor& x);
/// -1, 0 or 1; NaN stays. Gradient: 0.
Tensor sign(const Tensor& x);
/// x^2. Gradient: 2 * x * dy.
Tensor square(const Tensor& x);
/// Square root, NaN below 0. Gradient: dy / (2 y).
Tensor sqrt(const Tensor& x);
/// 1 / sqrt(x). Gradient: -dy * y^3 / 2.
Tensor rsqrt(const Tensor& x);
/// 1 / x. Gradient: -dy * y^2.
Tensor reciprocal(const Tensor& x);
/// e^x. Gradient: dy * y.
Tensor exp(const Tensor& x);
/// e^x - 1, exact near 0. Gradient: dy * (y + 1).
Tensor expm1(const Tensor& x);
/// Natural logarithm, -inf at 0, NaN below. Gradient: dy / x.
Tensor log(const Tensor& x);
/// log(1 + x), exact near 0. Gradient: dy / (1 + x).
Tensor log1p(const Tensor& x);
/// 2^x. Gradient: dy * y * log(2).
Tensor exp2(const Tensor& x);
/// Logarithm to base 2. Gradient: dy / (x log(2)).
Tensor log2(const Tensor& x);
/// Logarithm to base 10. Gradient: dy / (x log(10)).
Tensor log10(const Tensor& x);
/// log(x / (1 - x)), NaN outside [0, 1]; with eps, of x held within [eps, 1 - eps]. Gradient: dy / (x (1 - x)), 0
/// beyond these bounds.
Tensor logit(const Tensor& x, std::optional<double> eps = std::nullopt);

Tensor sin(const Tensor& x);    ///< Gradient: dy * cos(x).
Tensor cos(const Tensor& x);    ///< Gradient: -dy * sin(x).
Tensor tan(const Tensor& x);    ///< Gradient: dy * (1 + y^2).
Tensor asin(const Tensor& x);   ///< In [-pi/2, pi/2], NaN outside [-1, 1]. Gradient: dy / sqrt(1 - x^2).
Tensor acos(const Tensor& x);   ///< In [0, pi], NaN outside [-1, 1]. Gradient: -dy / sqrt(1 - x^2).
Tensor atan(const Tensor& x);   ///< In [-pi/2, pi/2]. Gradient: dy / (1 + x^2).
Tensor sinh(const Tensor& x);   ///< Gradient: dy * cosh(x).
Tensor cosh(const Tensor& x);   ///< Gradient: dy * sinh(x).
Tensor asinh(const Tensor& x);  ///< Gradient: dy / sqrt(x^2 + 1).
Tensor acosh(const Tensor& x);  ///< NaN below 1. Gradient: dy / sqrt(x^2 - 1).
Tensor atanh(const Tensor& x);  ///< NaN outside [-1, 1]. Gradient: dy / (1 - x^2).

/// The largest whole number that is not above x. Gradient: 0.
Tensor floor(const Tensor& x);
/// The smallest whole number that is not below x. Gradient: 0.
Tensor ceil(const Tensor& x);
/// The whole part, towards 0. Gradient: 0.
Tensor trunc(const Tensor& x);
/// x - trunc(x). Gradient: dy.
Tensor frac(const Tensor& x);
/// The nearest whole number, of two the even one; with decimals d the nearest multiple of 10^-d (integers stay as they
/// are). Gradient: 0.
Tensor round(const Tensor& x, int decimals = 0);
/// NaN becomes `nan`, infinities become the other two, which default to the largest and the lowest number of the type.
/// Gradient: dy where x is finite.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = std::nullopt,
                  std::optional<double> neginf = std::nullopt);
/// The error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x. Gradient: dy * 2/sqrt(pi) * exp(-x^2).
Tensor erf(const Tensor& x);
/// 1 - erf(x), exact where it is small. Gradient: -dy * 2/sqrt(pi) * exp(-x^2).
Tensor erfc(const Tensor& x);
/// The number whose erf is x; infinite at -1 and 1, NaN beyond. Gradient: dy * sqrt(pi)/2 * exp(y^2).
Tensor erfinv(const Tensor& x);
/// sin(pi x) / (pi x), 1 at 0. Gradient: dy * (cos(pi x) - sinc(x)) / x, near 0 by its series.
Tensor sinc(const Tensor& x);
/// log|gamma(x)|. Gradient: dy * digamma(x).
Tensor lgamma(const Tensor& x);
/// The derivative of log gamma; NaN at negative whole numbers. Gradient: dy * polygamma(1, x).
Tensor digamma(const Tensor& x);
/// Derivative number n of digamma: (-1)^(n+1) n! * sum over k >= 0 of (x + k)^-(n+1); infinite at 0, -1, -2 ...
/// Gradient: dy * polygamma(n + 1, x). Throws ConfigError for n < 0 or above 2^30.
Tensor polygamma(int n, const Tensor& x);

}  // namespace weft
