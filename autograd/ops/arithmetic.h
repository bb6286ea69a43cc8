#pragma once
#include <weft/autograd/ops/elementary.h>
#include <weft/tensor/tensor.h>

/// Elementwise arithmetic of two tensors or more (functions of one are in elementary.h, which comes along). Shapes
/// broadcast (aligned at the last axis, sizes equal or 1), types are promoted (promote() in tensor/dtype.h), the result
/// has the broadcast shape. Integers where a floating result is due become float32. Throws ShapeError where shapes do
/// not broadcast.
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
/// Where the quotient of div is rounded to.
enum class Rounding { floor, trunc };
/// a / b rounded to a whole number, in the promoted type (integers stay integers). Gradient: 0. Throws ConfigError for
/// an integer divided by 0.
Tensor div(const Tensor& a, const Tensor& b, Rounding rounding);
Tensor div(const Tensor& a, const Scalar& b, Rounding rounding);
/// div with Rounding::floor.
Tensor floor_divide(const Tensor& a, const Tensor& b);
Tensor floor_divide(const Tensor& a, const Scalar& b);
/// a - b * floor(a / b): the sign of b. Gradient: dy, -dy * floor(a / b). Throws ConfigError for an integer divided by
/// 0.
Tensor remainder(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, const Scalar& b);
/// a - b * trunc(a / b): the sign of a. Gradient: dy, -dy * trunc(a / b). Throws ConfigError for an integer divided by
/// 0.
Tensor fmod(const Tensor& a, const Tensor& b);
Tensor fmod(const Tensor& a, const Scalar& b);
/// a^b. Gradient: dy * b * a^(b-1), dy * a^b * log(a) (0 where a = 0 and b >= 0).
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Scalar& b);
/// a^b in float64, whatever the types. Gradient: as pow.
Tensor float_power(const Tensor& a, const Tensor& b);
Tensor float_power(const Tensor& a, const Scalar& b);
/// The larger; NaN if either is. Gradient: to the larger, half each where they are equal.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The smaller; NaN if either is. Gradient: to the smaller, half each where they are equal.
Tensor minimum(const Tensor& a, const Tensor& b);

/// The larger; NaN only if both are. Gradient: to the one returned, a where they are equal.
Tensor fmax(const Tensor& a, const Tensor& b);
/// The smaller; NaN only if both are. Gradient: to the one returned, a where they are equal.
Tensor fmin(const Tensor& a, const Tensor& b);
/// The angle of the point (b, a), in [-pi, pi]. Gradient: dy * b / (a^2 + b^2), -dy * a / (a^2 + b^2).
Tensor atan2(const Tensor& a, const Tensor& b);
/// sqrt(a^2 + b^2), without overflow. Gradient: dy * a / y, dy * b / y.
Tensor hypot(const Tensor& a, const Tensor& b);
/// |a| with the sign of b, floating. Gradient: dy or -dy (0 where a = 0), and 0 to b.
Tensor copysign(const Tensor& a, const Tensor& b);
Tensor copysign(const Tensor& a, const Scalar& b);
/// a * log(b), 0 where a = 0 unless b is NaN. Gradient: dy * log(b) (0 where a = 0 and b <= 0), dy * a / b.
Tensor xlogy(const Tensor& a, const Tensor& b);
/// 0 where x < 0 (or NaN), `values` where x = 0, 1 where x > 0. Gradient: 0 to x, dy to values where x = 0.
Tensor heaviside(const Tensor& x, const Tensor& values);
/// a + weight * (b - a); exactly b at weight 1. Gradient: dy * (1 - weight), dy * weight, dy * (b - a).
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor lerp(const Tensor& a, const Tensor& b, double weight);
/// x + value * a * b. Gradient: dy, dy * value * b, dy * value * a.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);
/// x + value * a / b, always floating. Gradient: dy, dy * value / b, -dy * value * a / b^2.
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);

/// Of integers bit by bit, of bool the logical operation; no gradient. Throws DtypeError for floating types.
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_and(const Tensor& a, const Scalar& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Scalar& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Scalar& b);
Tensor bitwise_not(const Tensor& x);
/// a * 2^b: 0 is shifted in, and everything out when b is negative or the number of bits or more. No gradient. Throws
/// DtypeError for floating types.
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
Tensor bitwise_left_shift(const Tensor& a, const Scalar& b);
/// floor(a / 2^b): the sign is shifted in. No gradient. Throws DtypeError for floating types.
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);
Tensor bitwise_right_shift(const Tensor& a, const Scalar& b);

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
Tensor operator%(const Tensor& a, const Tensor& b);
Tensor operator%(const Tensor& a, const Scalar& b);
Tensor operator&(const Tensor& a, const Tensor& b);
Tensor operator&(const Tensor& a, const Scalar& b);
Tensor operator|(const Tensor& a, const Tensor& b);
Tensor operator|(const Tensor& a, const Scalar& b);
Tensor operator^(const Tensor& a, const Tensor& b);
Tensor operator^(const Tensor& a, const Scalar& b);
Tensor operator~(const Tensor& x);

/// -x.
Tensor neg(const Tensor& x);
/// x held within [low, high]; NaN stays. Gradient: dy inside (bounds included), 0 outside.
/// Throws ConfigError when low > high.
Tensor clamp(const Tensor& x, double low, double high);
/// The same between tensors that broadcast with x; an undefined one is no bound, and where low > high the result is
/// high. Gradient: to x inside, else to the bound.
Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high);
/// condition ? a : b; condition is bool and broadcasts with a and b. Gradient: to the one chosen.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

}  // namespace weft
