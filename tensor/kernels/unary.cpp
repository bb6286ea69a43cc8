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
WEFT_OWN(floor)
WEFT_OWN(ceil)
WEFT_OWN(trunc)
WEFT_BOTH(round_, math::round_even(x)) WEFT_BOTH(same_, x) WEFT_OWN(exp) WEFT_OWN(exp2) WEFT_OWN(expm1) WEFT_OWN(log)
    WEFT_OWN(log2) WEFT_OWN(log10) WEFT_OWN(log1p) WEFT_OWN(sqrt) WEFT_BOTH(rsqrt_, T(1) / math::sqrt(x))
        WEFT_BOTH(reciprocal_, T(1) / x) WEFT_LIBRARY(sin) WEFT_LIBRARY(cos) WEFT_LIBRARY(tan) WEFT_LIBRARY(asin)
            WEFT_LIBRARY(acos) WEFT_LIBRARY(atan) WEFT_LIBRARY(sinh) WEFT_LIBRARY(cosh) WEFT_LIBRARY(asinh)
                WEFT_LIBRARY(acosh) WEFT_LIBRARY(atanh) WEFT_OWN(tanh) WEFT_OWN(sigmoid) WEFT_OWN(log_sigmoid)
                    WEFT_OWN(softplus) WEFT_OWN(silu) WEFT_OWN(gelu) WEFT_OWN(gelu_tanh) WEFT_OWN(erf)
                        WEFT_OWN(erfc) struct lgamma_ {
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

}  // namespace

void WEFT_LEVELED(install_unary)(KernelTable& t) {
  const auto at = [&](Unary op) { return t.unary[static_cast<int>(op)]; };
#define WEFT_FLOATS(name)                    \
  at(Unary::name)[0] = loop<name##_, float>; \
  at(Unary::name)[1] = loop<name##_, double>;
#define WEFT_ALL(name) \
  WEFT_FLOATS(name)    \
  at(Unary::name)[2] = loop<name##_, Int>;
  WEFT_ALL(neg)
  WEFT_ALL(abs) WEFT_ALL(sign) WEFT_ALL(square) WEFT_ALL(relu) at(Unary::sign)[0] = loop<sign_float_, float>;
  at(Unary::sign)[1] = loop<sign_float_, double>;
  at(Unary::bitwise_not)[2] = loop<bitwise_not_, Int>;
  WEFT_FLOATS(floor)
  WEFT_FLOATS(ceil)
  WEFT_FLOATS(round)
  WEFT_FLOATS(trunc) at(Unary::floor)[2] = at(Unary::ceil)[2] = at(Unary::round)[2] = at(Unary::trunc)[2] =
      loop<same_, Int>;
  WEFT_FLOATS(exp)
  WEFT_FLOATS(exp2)
  WEFT_FLOATS(expm1)
  WEFT_FLOATS(log) WEFT_FLOATS(log2) WEFT_FLOATS(log10) WEFT_FLOATS(log1p) WEFT_FLOATS(sqrt) WEFT_FLOATS(rsqrt)
      WEFT_FLOATS(reciprocal) WEFT_FLOATS(sin) WEFT_FLOATS(cos) WEFT_FLOATS(tan) WEFT_FLOATS(asin) WEFT_FLOATS(acos)
          WEFT_FLOATS(atan) WEFT_FLOATS(sinh) WEFT_FLOATS(cosh) WEFT_FLOATS(tanh) WEFT_FLOATS(asinh) WEFT_FLOATS(acosh)
              WEFT_FLOATS(atanh) WEFT_FLOATS(sigmoid) WEFT_FLOATS(log_sigmoid) WEFT_FLOATS(softplus) WEFT_FLOATS(silu)
                  WEFT_FLOATS(gelu) WEFT_FLOATS(gelu_tanh) WEFT_FLOATS(erf) WEFT_FLOATS(erfc) WEFT_FLOATS(lgamma)
                      WEFT_FLOATS(digamma) at(Unary::sin)[0] = trigonometric<0>;
  at(Unary::cos)[0] = trigonometric<1>;
#define WEFT_TEST(name, integer)                   \
  at(Unary::name)[0] = test_loop<name##_, float>;  \
  at(Unary::name)[1] = test_loop<name##_, double>; \
  at(Unary::name)[2] = test_loop<integer##_, Int>;
  WEFT_TEST(logical_not, logical_not)
  WEFT_TEST(isnan, never) WEFT_TEST(isinf, never) WEFT_TEST(isfinite, always) t.clamp[0] = clamp<float>;
  t.clamp[1] = clamp<double>;
  t.clamp[2] = clamp<Int>;
}

}  // namespace weft::kernels
