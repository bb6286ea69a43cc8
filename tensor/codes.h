#pragma once
#include <cstdint>

/// The operations that kernels::unary, binary and reduce take. They stand apart from kernels.h so
/// that the loops compiled once per instruction-set level see nothing but these numbers.
namespace weft::kernels {

/// y = f(x). The second group takes floating types only: integers and bool become float32.
enum class Unary : std::uint8_t {
  neg,
  abs,
  sign,
  square,
  relu,
  logical_not,
  bitwise_not,
  floor,
  ceil,
  round,
  trunc,
  exp,
  exp2,
  expm1,
  log,
  log2,
  log10,
  log1p,
  sqrt,
  rsqrt,
  reciprocal,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  sigmoid,
  log_sigmoid,
  softplus,
  silu,
  gelu,
  gelu_tanh,
  erf,
  erfc,
  lgamma,
  digamma,
  erfinv,
  logit,
  mish,
  hardswish,
  isnan,
  isinf,
  isfinite,  // results are bool
};
inline constexpr int unary_count = static_cast<int>(Unary::isfinite) + 1;

/// y = f(a, b) with broadcasting. The types are promoted first.
enum class Binary : std::uint8_t {
  add,
  sub,
  mul,
  div,
  floor_divide,
  trunc_divide,
  remainder,
  fmod,
  pow,
  maximum,
  minimum,
  fmax,
  fmin,  // NaN loses
  atan2,
  hypot,
  copysign,
  xlogy,      // a log(b), 0 where a is 0
  polygamma,  // derivative number a >= 1 of digamma, at b
  elu,        // a where a > 0, else b (e^a - 1)
  elu_slope,  // 1 where a > 0, else b e^a
  bitwise_and,
  bitwise_or,
  bitwise_xor,
  left_shift,
  right_shift,
  logical_and,
  logical_or,
  logical_xor,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,  // results are bool
  // First derivatives in one pass, f(dy, v): v is the output y for relu, sigmoid and tanh, the input x for the rest.
  relu_grad,
  sigmoid_grad,
  tanh_grad,
  gelu_grad,
  gelu_tanh_grad,
  silu_grad,
  softplus_grad,
  mish_grad,
  hardswish_grad,
};
inline constexpr int binary_count = static_cast<int>(Binary::hardswish_grad) + 1;

enum class Reduce : std::uint8_t { sum, mean, prod, max, min, any, all, sum_of_squares };
inline constexpr int reduce_count = static_cast<int>(Reduce::sum_of_squares) + 1;

/// What a step of a recurrent network computes. The gates of an LSTM are i, f, g, o, those of a GRU r, z, n.
enum class Cell : std::uint8_t { tanh, relu, lstm, gru };

}  // namespace weft::kernels
