#include <weft/tensor/kernels/math.h>

extern "C" double lgamma_r(double, int*);

namespace weft::kernels {
namespace {

// One struct per operation: apply() for every type it computes in.
#define WEFT_FLOAT_OP(name, f32, f64)                         \
  struct name {                                               \
    WEFT_INLINE static float apply(float x) { return f32; }   \
    WEFT_INLINE static double apply(double x) { return f64; } \
  };
#define WEFT_BOTH(name, expression)   \
  struct name {                       \
    template <class T>                \
    WEFT_INLINE static T apply(T x) { \
      return expression;              \
    }                                 \
  };
#define WEFT_LIBRARY(name) WEFT_FLOAT_OP(name##_, __builtin_##name##f(x), __builtin_##name(x))
#define WEFT_OWN(name) WEFT_BOTH(name##_, math::name(x))

struct neg_ {
  template <class T>
  WEFT_INLINE static T apply(T x) {
    if constexpr (is_float<T>)
      return -x;
    else
      return wrap_sub(0, x);
  }
};
struct abs_ {
  template <class T>
  WEFT_INLINE static T apply(T x) {
    if constexpr (is_float<T>)
      return math::abs(x);
    else
      return x < 0 ? wrap_sub(0, x) : x;
  }
};
WEFT_BOTH(sign_, static_cast<T>(T(x > T(0)) - T(x < T(0))))
struct sign_float_ {  // NaN stays NaN
  template <class T>
  WEFT_INLINE static T apply(T x) {
    return x != x ? x : static_cast<T>(T(x > T(0)) - T(x < T(0)));
  }
};
struct square_ {
  template <class T>
  WEFT_INLINE static T apply(T x) {
    if constexpr (is_float<T>)
      return x * x;
    else
      return wrap_mul(x, x);
  }
};
WEFT_BOTH(relu_, x <= T(0) ? T(0) : x)  // so written, NaN stays
struct bitwise_not_ {
  WEFT_INLINE static Int apply(Int x) { return ~x; }
};
// clang-format off
WEFT_OWN(floor) WEFT_OWN(ceil) WEFT_OWN(trunc)
WEFT_BOTH(round_, math::round_even(x))
WEFT_BOTH(same_, x)
WEFT_OWN(exp) WEFT_OWN(exp2) WEFT_OWN(expm1) WEFT_OWN(log) WEFT_OWN(log2) WEFT_OWN(log10) WEFT_OWN(log1p) WEFT_OWN(sqrt)
WEFT_BOTH(rsqrt_, T(1) / math::sqrt(x))
WEFT_BOTH(reciprocal_, T(1) / x)
WEFT_LIBRARY(sin) WEFT_LIBRARY(cos) WEFT_LIBRARY(tan) WEFT_LIBRARY(asin) WEFT_LIBRARY(acos) WEFT_LIBRARY(atan)
WEFT_LIBRARY(sinh) WEFT_LIBRARY(cosh) WEFT_LIBRARY(asinh) WEFT_LIBRARY(acosh) WEFT_LIBRARY(atanh)
WEFT_OWN(tanh) WEFT_OWN(sigmoid) WEFT_OWN(log_sigmoid) WEFT_OWN(softplus) WEFT_OWN(silu)
WEFT_OWN(gelu) WEFT_OWN(gelu_tanh) WEFT_OWN(erf) WEFT_OWN(erfc)
WEFT_OWN(logit) WEFT_OWN(mish)
WEFT_BOTH(hardswish_, x <= T(-3) ? T(0) : x >= T(3) ? x : x * ((x + T(3)) / T(6)))
// clang-format on
struct lgamma_ {
  WEFT_INLINE static double apply(double x) {
    int sign;  // lgamma itself writes a global
    return lgamma_r(x, &sign);
  }
  WEFT_INLINE static float apply(float x) { return static_cast<float>(apply(static_cast<double>(x))); }
};
struct digamma_ {
  WEFT_INLINE static double apply(double x) { return math::digamma(x); }
  WEFT_INLINE static float apply(float x) { return static_cast<float>(math::digamma(static_cast<double>(x))); }
};
struct erfinv_ {
  WEFT_INLINE static double apply(double x) { return math::erfinv(x); }
  WEFT_INLINE static float apply(float x) { return static_cast<float>(math::erfinv(static_cast<double>(x))); }
};

template <class Op, class T>
void loop(void* y, const void* x, Int n) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) out[i] = Op::apply(in[i]);
}

/// sin and cos: blocks within the limit (and without NaN) take the polynomial, others the C library.
template <int Shift>
void trigonometric(void* y, const void* x, Int n) {
  float* out = static_cast<float*>(y);
  const float* in = static_cast<const float*>(x);
  for (Int begin = 0; begin < n; begin += 256) {
    const Int end = n < begin + 256 ? n : begin + 256;
    int outside = 0;
    for (Int i = begin; i < end; ++i) outside |= !(math::abs(in[i]) <= math::trigonometric_limit);
    if (outside) {
      for (Int i = begin; i < end; ++i) out[i] = Shift ? __builtin_cosf(in[i]) : __builtin_sinf(in[i]);
    } else {
      WEFT_SIMD
      for (Int i = begin; i < end; ++i) {
        const float v = math::sin_shifted(in[i], Shift);
        out[i] = Shift == 0 && in[i] == 0.0f ? in[i] : v;
      }
    }
  }
}

// Tests: the result is one byte per element.
struct logical_not_ {
  template <class T>
  WEFT_INLINE static bool apply(T x) {
    return x == T(0);
  }
};
struct isnan_ {
  template <class T>
  WEFT_INLINE static bool apply(T x) {
    return x != x;
  }
};
struct isinf_ {
  template <class T>
  WEFT_INLINE static bool apply(T x) {
    return math::abs(x) == infinity<T>;
  }
};
struct isfinite_ {
  template <class T>
  WEFT_INLINE static bool apply(T x) {
    return math::abs(x) < infinity<T>;
  }
};
struct never_ {
  WEFT_INLINE static bool apply(Int) { return false; }
};
struct always_ {
  WEFT_INLINE static bool apply(Int) { return true; }
};
template <class Op, class T>
void test_loop(void* y, const void* x, Int n) {
  std::uint8_t* out = static_cast<std::uint8_t*>(y);
  const T* in = static_cast<const T*>(x);
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) out[i] = Op::apply(in[i]) ? 1 : 0;
}

template <class T>
void clamp(void* y, const void* x, Int n, double low, double high) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  T lo, hi;
  if constexpr (is_float<T>) {
    lo = static_cast<T>(low);
    hi = static_cast<T>(high);
  } else {  // bounds beyond int64 do not bound
    lo = low > -9.2e18 ? static_cast<Int>(low < 9.2e18 ? __builtin_ceil(low) : 9.2e18) : -0x7fffffffffffffff - 1;
    hi = high < 9.2e18 ? static_cast<Int>(high > -9.2e18 ? __builtin_floor(high) : -9.2e18) : 0x7fffffffffffffff;
  }
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) {
    const T v = in[i] < lo ? lo : in[i];
    out[i] = v > hi ? hi : v;
  }
}

template <class Op>
void floats(KernelTable& t, Unary op) {
  t.unary[static_cast<int>(op)][0] = loop<Op, float>;
  t.unary[static_cast<int>(op)][1] = loop<Op, double>;
}
template <class Op>
void integers(KernelTable& t, Unary op) {
  t.unary[static_cast<int>(op)][2] = loop<Op, Int>;
}
template <class Op>
void numbers(KernelTable& t, Unary op) {
  floats<Op>(t, op);
  integers<Op>(t, op);
}
template <class Op, class OpOfIntegers>
void tests(KernelTable& t, Unary op) {
  t.unary[static_cast<int>(op)][0] = test_loop<Op, float>;
  t.unary[static_cast<int>(op)][1] = test_loop<Op, double>;
  t.unary[static_cast<int>(op)][2] = test_loop<OpOfIntegers, Int>;
}

}  // namespace

void WEFT_LEVELED(install_unary)(KernelTable& t) {
  numbers<neg_>(t, Unary::neg);
  numbers<abs_>(t, Unary::abs);
  numbers<sign_>(t, Unary::sign);
  numbers<square_>(t, Unary::square);
  numbers<relu_>(t, Unary::relu);
  floats<sign_float_>(t, Unary::sign);
  integers<bitwise_not_>(t, Unary::bitwise_not);
  floats<floor_>(t, Unary::floor);
  floats<ceil_>(t, Unary::ceil);
  floats<round_>(t, Unary::round);
  floats<trunc_>(t, Unary::trunc);
  floats<exp_>(t, Unary::exp);
  floats<exp2_>(t, Unary::exp2);
  floats<expm1_>(t, Unary::expm1);
  floats<log_>(t, Unary::log);
  floats<log2_>(t, Unary::log2);
  floats<log10_>(t, Unary::log10);
  floats<log1p_>(t, Unary::log1p);
  floats<sqrt_>(t, Unary::sqrt);
  floats<rsqrt_>(t, Unary::rsqrt);
  floats<reciprocal_>(t, Unary::reciprocal);
  floats<sin_>(t, Unary::sin);
  floats<cos_>(t, Unary::cos);
  floats<tan_>(t, Unary::tan);
  floats<asin_>(t, Unary::asin);
  floats<acos_>(t, Unary::acos);
  floats<atan_>(t, Unary::atan);
  floats<sinh_>(t, Unary::sinh);
  floats<cosh_>(t, Unary::cosh);
  floats<asinh_>(t, Unary::asinh);
  floats<acosh_>(t, Unary::acosh);
  floats<atanh_>(t, Unary::atanh);
  floats<tanh_>(t, Unary::tanh);
  floats<sigmoid_>(t, Unary::sigmoid);
  floats<log_sigmoid_>(t, Unary::log_sigmoid);
  floats<softplus_>(t, Unary::softplus);
  floats<silu_>(t, Unary::silu);
  floats<gelu_>(t, Unary::gelu);
  floats<gelu_tanh_>(t, Unary::gelu_tanh);
  floats<erf_>(t, Unary::erf);
  floats<erfc_>(t, Unary::erfc);
  floats<lgamma_>(t, Unary::lgamma);
  floats<digamma_>(t, Unary::digamma);
  floats<erfinv_>(t, Unary::erfinv);
  floats<logit_>(t, Unary::logit);
  floats<mish_>(t, Unary::mish);
  floats<hardswish_>(t, Unary::hardswish);
  integers<same_>(t, Unary::floor);
  integers<same_>(t, Unary::ceil);
  integers<same_>(t, Unary::round);
  integers<same_>(t, Unary::trunc);
  t.unary[static_cast<int>(Unary::sin)][0] = trigonometric<0>;
  t.unary[static_cast<int>(Unary::cos)][0] = trigonometric<1>;
  tests<logical_not_, logical_not_>(t, Unary::logical_not);
  tests<isnan_, never_>(t, Unary::isnan);
  tests<isinf_, never_>(t, Unary::isinf);
  tests<isfinite_, always_>(t, Unary::isfinite);
  t.clamp[0] = clamp<float>;
  t.clamp[1] = clamp<double>;
  t.clamp[2] = clamp<Int>;
}

}  // namespace weft::kernels
