#pragma once
#include <weft/tensor/tensor.h>

/// Elementwise arithmetic. Shapes broadcast (aligned at the last axis, sizes equal or 1), types are
/// promoted (promote() in tensor/dtype.h), the result has the broadcast shape. Integers where a
/// floating result is due become float32. Throws ShapeError where shapes do not broadcast.
namespace weft {

/// a + b. Gradient: dy, dy.
Tensor add(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, const Scalar& b);
/// a - b. Gradient: dy, -dy.
Tensor sub(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Scalar& b);
Tensor sub(const Scalar& a, const Tensor& b);
/// a * b. Gradient: dy * b, dy * a.
Tensor mul(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Scalar& b);
/// a / b, always floating. Gradient: dy / b, -dy * a / b^2.
Tensor div(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Scalar& b);
Tensor div(const Scalar& a, const Tensor& b);
/// a^b. Gradient: dy * b * a^(b-1), dy * a^b * log(a) (0 where a = 0 and b >= 0).
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Scalar& b);
/// The larger; NaN if either is. Gradient: to the larger, half each where they are equal.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The smaller; NaN if either is. Gradient: to the smaller, half each where they are equal.
Tensor minimum(const Tensor& a, const Tensor& b);

Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, const Scalar& b);
Tensor operator-(const Tensor& a, const Scalar& b);
Tensor operator*(const Tensor& a, const Scalar& b);
Tensor operator/(const Tensor& a, const Scalar& b);
Tensor operator+(const Scalar& a, const Tensor& b);
Tensor operator-(const Scalar& a, const Tensor& b);
Tensor operator*(const Scalar& a, const Tensor& b);
Tensor operator/(const Scalar& a, const Tensor& b);
Tensor operator-(const Tensor& x);

/// -x.
Tensor neg(const Tensor& x);
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
Tensor sin(const Tensor& x);  ///< Gradient: dy * cos(x).
Tensor cos(const Tensor& x);  ///< Gradient: -dy * sin(x).
/// The error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x. Gradient: dy * 2/sqrt(pi) * exp(-x^2).
Tensor erf(const Tensor& x);
/// x held within [low, high]; NaN stays. Gradient: dy inside (bounds included), 0 outside.
/// Throws ConfigError when low > high.
Tensor clamp(const Tensor& x, double low, double high);
/// The same between tensors that broadcast with x; an undefined one is no bound, and where low > high the result is
/// high. Gradient: to x inside, else to the bound.
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);
/// condition ? a : b; condition is bool and broadcasts with a and b. Gradient: to the one chosen.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

}  // namespace weft
