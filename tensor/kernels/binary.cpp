#include <weft/tensor/kernels/math.h>

namespace weft::kernels {
namespace {

struct add_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a + b;
    else
      return wrap_add(a, b);
  }
};
struct sub_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a - b;
    else
      return wrap_sub(a, b);
  }
};
struct mul_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a * b;
    else
      return wrap_mul(a, b);
  }
};
struct div_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return a / b;
  }
};

WEFT_INLINE float c_fmod(float a, float b) { return __builtin_fmodf(a, b); }
WEFT_INLINE double c_fmod(double a, double b) { return __builtin_fmod(a, b); }

// The caller has thrown for b == 0; b == -1 is apart because the smallest integer has no negative.
struct fmod_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return c_fmod(a, b);
    else
      return b == -1 ? 0 : a % b;
  }
};
struct remainder_ {  // the sign of the divisor
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    const T m = fmod_::apply(a, b);
    return m != T(0) && ((b < T(0)) != (m < T(0))) ? m + b : m;
  }
};
struct floor_divide_ {
  WEFT_INLINE static Int apply(Int a, Int b) {
    if (b == -1) return wrap_sub(0, a);
    const Int q = a / b;
    return q * b != a && ((a < 0) != (b < 0)) ? q - 1 : q;
  }
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    // floor(a / b) of the exact quotient: the division alone may round up to the next whole number.
    if (b == T(0)) return a / b;
    const T m = c_fmod(a, b);
    T q = (a - m) / b;
    if (m != T(0) && ((b < T(0)) != (m < T(0)))) q -= T(1);
    if (q == T(0)) return math::copysign(T(0), a / b);
    const T whole = math::floor(q);
    return q - whole > T(0.5) ? whole + T(1) : whole;
  }
};
struct trunc_divide_ {
  WEFT_INLINE static Int apply(Int a, Int b) { return b == -1 ? wrap_sub(0, a) : a / b; }
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return math::trunc(a / b);
  }
};
struct pow_ {
  WEFT_INLINE static float apply(float a, float b) { return __builtin_powf(a, b); }
  WEFT_INLINE static double apply(double a, double b) { return __builtin_pow(a, b); }
  WEFT_INLINE static Int apply(Int a, Int b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    Int y = 1;
    for (; b != 0; b >>= 1) {
      if (b & 1) y = wrap_mul(y, a);
      a = wrap_mul(a, a);
    }
    return y;
  }
};
struct maximum_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return math::max_nan(a, b);
  }
};
struct minimum_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return math::min_nan(a, b);
  }
};
struct fmax_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return ((a >= b) | (b != b)) ? a : b;
  }
};
struct fmin_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return ((a <= b) | (b != b)) ? a : b;
  }
};
struct atan2_ {
  WEFT_INLINE static float apply(float a, float b) { return __builtin_atan2f(a, b); }
  WEFT_INLINE static double apply(double a, double b) { return __builtin_atan2(a, b); }
};
struct hypot_ {
  WEFT_INLINE static float apply(float a, float b) { return __builtin_hypotf(a, b); }
  WEFT_INLINE static double apply(double a, double b) { return __builtin_hypot(a, b); }
};
struct copysign_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return math::copysign(a, b);
  }
};
struct xlogy_ {
  template <class T>
  WEFT_INLINE static T apply(T a, T b) {
    return math::choose((a == T(0)) & (b == b), T(0), a * math::log(b));
  }
};
struct polygamma_ {
  WEFT_INLINE static double apply(double n, double x) { return math::polygamma(n, x); }
  WEFT_INLINE static float apply(float n, float x) {
    return static_cast<float>(math::polygamma(static_cast<double>(n), static_cast<double>(x)));
  }
};
struct elu_ {
  template <class T>
  WEFT_INLINE static T apply(T x, T alpha) {
    return math::choose(x > T(0), x, alpha * math::expm1(math::choose(x > T(0), T(0), x)));
  }
};
struct elu_slope_ {
  template <class T>
  WEFT_INLINE static T apply(T x, T alpha) {
    return math::choose(x > T(0), T(1), alpha * math::exp(math::choose(x > T(0), T(0), x)));
  }
};
struct bitwise_and_ {
  WEFT_INLINE static Int apply(Int a, Int b) { return a & b; }
};
struct bitwise_or_ {
  WEFT_INLINE static Int apply(Int a, Int b) { return a | b; }
};
struct bitwise_xor_ {
  WEFT_INLINE static Int apply(Int a, Int b) { return a ^ b; }
};

// Shifting by all bits or more, or by less than none, shifts everything out.
struct left_shift_ {
  WEFT_INLINE static Int apply(Int a, Int b) {
    const auto bits = static_cast<std::uint64_t>(a), by = static_cast<std::uint64_t>(b);
    return by < 64 ? static_cast<Int>(bits << by) : 0;
  }
};
struct right_shift_ {
  WEFT_INLINE static Int apply(Int a, Int b) { return a >> (static_cast<std::uint64_t>(b) < 64 ? b : 63); }
};

#define WEFT_TEST_OP(name, expression)        \
  struct name##_ {                            \
    template <class T>                        \
    WEFT_INLINE static bool apply(T a, T b) { \
      return expression;                      \
    }                                         \
  };
WEFT_TEST_OP(logical_and, (a != T(0)) & (b != T(0)))
WEFT_TEST_OP(logical_or, (a != T(0)) | (b != T(0)))
WEFT_TEST_OP(logical_xor, (a != T(0)) != (b != T(0)))
WEFT_TEST_OP(eq, a == b)
WEFT_TEST_OP(ne, a != b)
WEFT_TEST_OP(lt, a < b)
WEFT_TEST_OP(le, a <= b)
WEFT_TEST_OP(gt, a > b)
WEFT_TEST_OP(ge, a >= b)

#define WEFT_GRADIENT(name, expression)     \
  struct name##_ {                          \
    template <class T>                      \
    WEFT_INLINE static T apply(T dy, T v) { \
      return expression;                    \
    }                                       \
  };
WEFT_GRADIENT(relu_grad, v <= T(0) ? T(0) : dy)
WEFT_GRADIENT(sigmoid_grad, dy*(v*(T(1) - v)))
WEFT_GRADIENT(tanh_grad, dy*(T(1) - v * v))
WEFT_GRADIENT(softplus_grad, dy* math::sigmoid(v))
struct gelu_grad_ {
  template <class T>
  WEFT_INLINE static T apply(T dy, T v) {
    const auto n = math::normal(v);
    return dy * (n.below + v * n.density);
  }
};
struct gelu_tanh_grad_ {
  template <class T>
  WEFT_INLINE static T apply(T dy, T v) {
    const T w = v * v;
    const T s = math::sigmoid(v * (T(1.5957691216057308) + T(0.07135481627260025) * w));
    const T slope = T(1.5957691216057308) + T(0.21406444881780073) * w;
    return dy * (s + v * slope * (s * (T(1) - s)));
  }
};
struct silu_grad_ {
  template <class T>
  WEFT_INLINE static T apply(T dy, T v) {
    const T s = math::sigmoid(v);
    return dy * (s + v * (s * (T(1) - s)));
  }
};

struct mish_grad_ {
  template <class T>
  WEFT_INLINE static T apply(T dy, T v) {
    const auto gate = math::mish_gate(v);
    const T inverse = T(1) / gate.below, t = gate.above * inverse;
    // 1 - t^2 from the difference of the two sums, which is known without cancellation.
    const T e = math::exp(-math::abs(v)), difference = math::choose(v < T(0), T(2), T(2) * e * e);
    return dy * (t + v * (difference * inverse) * (T(1) + t) * math::sigmoid(v));
  }
};
WEFT_GRADIENT(hardswish_grad, v <= T(-3) ? T(0) : v >= T(3) ? dy : dy * (v / T(3) + T(0.5)))

template <class Op, class T, class Y>
void loop(void* y, const void* a, const void* b, Int n, Int step_a, Int step_b) {
  Y* out = static_cast<Y*>(y);
  const T* x = static_cast<const T*>(a);
  const T* z = static_cast<const T*>(b);
  if (step_a != 0 && step_b != 0) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = static_cast<Y>(Op::apply(x[i], z[i]));
  } else if (step_a != 0) {
    const T w = n > 0 ? *z : T(0);
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = static_cast<Y>(Op::apply(x[i], w));
  } else {
    const T v = n > 0 ? *x : T(0);
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = static_cast<Y>(Op::apply(v, z[step_b * i]));
  }
}
/// The same in one loop, for operations whose cost hides the multiplications.
template <class Op, class T, class Y>
void heavy_loop(void* y, const void* a, const void* b, Int n, Int step_a, Int step_b) {
  Y* out = static_cast<Y*>(y);
  const T* x = static_cast<const T*>(a);
  const T* z = static_cast<const T*>(b);
  for (Int i = 0; i < n; ++i) out[i] = static_cast<Y>(Op::apply(x[step_a * i], z[step_b * i]));
}

template <class T>
void axpy(void* y, const void* x, Int n, double scale) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  const T s = static_cast<T>(scale);
  if (s == T(1)) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] += in[i];
  } else {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] += s * in[i];
  }
}

template <class Op>
void floats(KernelTable& t, Binary op) {
  t.binary[static_cast<int>(op)][0] = loop<Op, float, float>;
  t.binary[static_cast<int>(op)][1] = loop<Op, double, double>;
}
template <class Op>
void integers(KernelTable& t, Binary op) {
  t.binary[static_cast<int>(op)][2] = loop<Op, Int, Int>;
}
template <class Op>
void numbers(KernelTable& t, Binary op) {
  floats<Op>(t, op);
  integers<Op>(t, op);
}
template <class Op>
void heavy_floats(KernelTable& t, Binary op) {
  t.binary[static_cast<int>(op)][0] = heavy_loop<Op, float, float>;
  t.binary[static_cast<int>(op)][1] = heavy_loop<Op, double, double>;
}
template <class Op>
void heavy_numbers(KernelTable& t, Binary op) {
  heavy_floats<Op>(t, op);
  t.binary[static_cast<int>(op)][2] = heavy_loop<Op, Int, Int>;
}
template <class Op>
void tests(KernelTable& t, Binary op) {
  t.binary[static_cast<int>(op)][0] = loop<Op, float, std::uint8_t>;
  t.binary[static_cast<int>(op)][1] = loop<Op, double, std::uint8_t>;
  t.binary[static_cast<int>(op)][2] = loop<Op, Int, std::uint8_t>;
}

}  // namespace

void WEFT_LEVELED(install_binary)(KernelTable& t) {
  numbers<add_>(t, Binary::add);
  numbers<sub_>(t, Binary::sub);
  numbers<mul_>(t, Binary::mul);
  numbers<maximum_>(t, Binary::maximum);
  numbers<minimum_>(t, Binary::minimum);
  numbers<fmax_>(t, Binary::fmax);
  numbers<fmin_>(t, Binary::fmin);
  floats<div_>(t, Binary::div);
  floats<copysign_>(t, Binary::copysign);
  floats<xlogy_>(t, Binary::xlogy);
  floats<elu_>(t, Binary::elu);
  floats<elu_slope_>(t, Binary::elu_slope);
  heavy_numbers<floor_divide_>(t, Binary::floor_divide);
  heavy_numbers<trunc_divide_>(t, Binary::trunc_divide);
  heavy_numbers<remainder_>(t, Binary::remainder);
  heavy_numbers<fmod_>(t, Binary::fmod);
  heavy_numbers<pow_>(t, Binary::pow);
  heavy_floats<atan2_>(t, Binary::atan2);
  heavy_floats<hypot_>(t, Binary::hypot);
  heavy_floats<polygamma_>(t, Binary::polygamma);
  integers<bitwise_and_>(t, Binary::bitwise_and);
  integers<bitwise_or_>(t, Binary::bitwise_or);
  integers<bitwise_xor_>(t, Binary::bitwise_xor);
  integers<left_shift_>(t, Binary::left_shift);
  integers<right_shift_>(t, Binary::right_shift);
  tests<logical_and_>(t, Binary::logical_and);
  tests<logical_or_>(t, Binary::logical_or);
  tests<logical_xor_>(t, Binary::logical_xor);
  tests<eq_>(t, Binary::eq);
  tests<ne_>(t, Binary::ne);
  tests<lt_>(t, Binary::lt);
  tests<le_>(t, Binary::le);
  tests<gt_>(t, Binary::gt);
  tests<ge_>(t, Binary::ge);
  floats<relu_grad_>(t, Binary::relu_grad);
  floats<sigmoid_grad_>(t, Binary::sigmoid_grad);
  floats<tanh_grad_>(t, Binary::tanh_grad);
  floats<gelu_grad_>(t, Binary::gelu_grad);
  floats<gelu_tanh_grad_>(t, Binary::gelu_tanh_grad);
  floats<silu_grad_>(t, Binary::silu_grad);
  floats<softplus_grad_>(t, Binary::softplus_grad);
  floats<mish_grad_>(t, Binary::mish_grad);
  floats<hardswish_grad_>(t, Binary::hardswish_grad);
  t.axpy[0] = axpy<float>;
  t.axpy[1] = axpy<double>;
}

}  // namespace weft::kernels
