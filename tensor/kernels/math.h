#pragma once
#include <weft/tensor/kernels/common.h>

/// Elementary functions in float32 as branch-free polynomials that the compiler vectorises, with the
/// largest error measured over all arguments in units in the last place (ulp), on any level; in
/// float64 the C library's. Coefficients are minimax fits.
namespace weft::kernels {
namespace {
namespace math {

#define WEFT_MATH [[maybe_unused]] WEFT_INLINE

WEFT_MATH float bits_to_float(std::uint32_t u) { return __builtin_bit_cast(float, u); }
WEFT_MATH std::uint32_t float_to_bits(float x) { return __builtin_bit_cast(std::uint32_t, x); }

/// condition ? a : b as arithmetic on bits. A plain ?: is a branch to the compiler until late: it would copy the
/// code behind it into both arms (all of exp, four times) or give up vectorising.
WEFT_MATH float choose(bool condition, float a, float b) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(condition);
  return bits_to_float((float_to_bits(a) & mask) | (float_to_bits(b) & ~mask));
}
WEFT_MATH double choose(bool condition, double a, double b) { return condition ? a : b; }
WEFT_MATH int choose(bool condition, int a, int b) {
  const int mask = -static_cast<int>(condition);
  return (a & mask) | (b & ~mask);
}

WEFT_MATH float abs(float x) { return __builtin_fabsf(x); }
WEFT_MATH double abs(double x) { return __builtin_fabs(x); }
WEFT_MATH float copysign(float x, float s) { return __builtin_copysignf(x, s); }
WEFT_MATH double copysign(double x, double s) { return __builtin_copysign(x, s); }
WEFT_MATH float sqrt(float x) { return __builtin_sqrtf(x); }
WEFT_MATH double sqrt(double x) { return __builtin_sqrt(x); }
WEFT_MATH float floor(float x) { return __builtin_floorf(x); }
WEFT_MATH double floor(double x) { return __builtin_floor(x); }
WEFT_MATH float ceil(float x) { return __builtin_ceilf(x); }
WEFT_MATH double ceil(double x) { return __builtin_ceil(x); }
WEFT_MATH float trunc(float x) { return __builtin_truncf(x); }
WEFT_MATH double trunc(double x) { return __builtin_trunc(x); }
WEFT_MATH float round_even(float x) { return __builtin_rintf(x); }
WEFT_MATH double round_even(double x) { return __builtin_rint(x); }
/// The larger; NaN if either is. (min and max of C drop it.)
template <class T>
WEFT_MATH T max_nan(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class T>
WEFT_MATH T min_nan(T a, T b) {
  return ((a < b) | (a != a)) ? a : b;
}

// ---- exp and its relatives

/// x = n ln 2 + r with |r| <= ln(2)/2, for |x| < 200. `low` is subtracted from r: a correction below x's last place.
struct Split {
  float r;
  int n;
};
WEFT_MATH Split split_exp(float x, float low) {
  // Adding 1.5 * 2^23 leaves the nearest whole number in the low mantissa bits (no conversion: NaN may pass).
  const float magic = 12582912.0f;
  const float t = (x - low) * 1.44269504f + magic;
  const float n = t - magic;
  const float r = ((x - n * 0.693359375f) - n * -2.12194440e-4f) - low;
  return {r, static_cast<int>(float_to_bits(t) - 0x4B400000U)};
}
/// (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2.
WEFT_MATH float exp_tail(float r) {
  float p = 1.989198063e-04f;
  p = p * r + 1.393454149e-03f;
  p = p * r + 8.333310485e-03f;
  p = p * r + 4.166645557e-02f;
  p = p * r + 1.666666716e-01f;
  return p * r + 5.000000000e-01f;
}
WEFT_MATH float power_of_two(int n) { return bits_to_float(static_cast<std::uint32_t>(n + 127) << 23); }
/// v * 2^n in two steps, so that the result may be subnormal or overflow.
WEFT_MATH float scale(float v, int n) {
  const int half = n >> 1;
  return v * power_of_two(half) * power_of_two(n - half);
}
WEFT_MATH float exp_low(float x, float low) {
  x = choose(x < -105.0f, -105.0f, x);
  x = choose(x > 89.0f, 89.0f, x);
  const Split s = split_exp(x, low);
  return scale(1.0f + (s.r + s.r * s.r * exp_tail(s.r)), s.n);
}
/// 1.0 ulp.
WEFT_MATH float exp(float x) { return exp_low(x, 0.0f); }
WEFT_MATH double exp(double x) { return __builtin_exp(x); }
/// exp(x - low) for x in [-88, 0]; 0 below exp(-87.7), where the others become subnormal. 1.0 ulp.
WEFT_MATH float exp_down(float x, float low) {
  const Split s = split_exp(x, low);
  return (1.0f + (s.r + s.r * s.r * exp_tail(s.r))) * power_of_two(s.n);
}
/// exp(x) for x <= 0 where what is below 1e-38 counts as 0, at half of the cost: 1.0 ulp above.
WEFT_MATH float exp_negative(float x) { return exp_down(choose(x < -88.0f, -88.0f, x), 0.0f); }
WEFT_MATH double exp_negative(double x) { return __builtin_exp(x); }

/// 1.0 ulp.
WEFT_MATH float exp2(float x) {
  x = choose(x < -151.0f, -151.0f, x);
  x = choose(x > 129.0f, 129.0f, x);
  const float magic = 12582912.0f;
  const float t = x + magic;
  const float r = (x - (t - magic)) * 0.693147181f;
  return scale(1.0f + (r + r * r * exp_tail(r)), static_cast<int>(float_to_bits(t) - 0x4B400000U));
}
WEFT_MATH double exp2(double x) { return __builtin_exp2(x); }

/// 1.3 ulp.
WEFT_MATH float expm1(float x) {
  float c = choose(x < -30.0f, -30.0f, x);
  c = choose(c > 89.0f, 89.0f, c);
  const Split s = split_exp(c, 0.0f);
  const float p = s.r + s.r * s.r * exp_tail(s.r);
  const float h = power_of_two(s.n - 1);  // half of it: 2^n may overflow where the result does not
  const float y = 2.0f * (h * p + (h - 0.5f));
  return choose(x == 0.0f, x, y);
}
WEFT_MATH double expm1(double x) { return __builtin_expm1(x); }

// ---- logarithms

/// x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for x > 0.
struct Mantissa {
  float f, n;
};
WEFT_MATH Mantissa split_log(float x) {
  const bool subnormal = x < 1.17549435e-38f;
  const float v = choose(subnormal, x * 8388608.0f, x);
  const std::uint32_t u = float_to_bits(v) - 0x3f3504f3U;  // the bits of sqrt(1/2)
  const int n = (static_cast<int>(u) >> 23) + choose(subnormal, -23, 0);
  return {bits_to_float((u & 0x007fffffU) + 0x3f3504f3U) - 1.0f, static_cast<float>(n)};
}
/// (log(1 + f) - f) for f from split_log.
WEFT_MATH float log_tail(float f) {
  float p = 6.980702281e-02f;
  p = p * f + -1.149454638e-01f;
  p = p * f + 1.168907136e-01f;
  p = p * f + -1.242403761e-01f;
  p = p * f + 1.424855143e-01f;
  p = p * f + -1.666785032e-01f;
  p = p * f + 2.000073045e-01f;
  p = p * f + -2.499999702e-01f;
  p = p * f + 3.333333135e-01f;
  return f * f * (f * p - 0.5f);
}
/// log's values outside (0, inf).
WEFT_MATH float log_limits(float x, float y) {
  const float finite = choose(x < infinity<float>, y, infinity<float>);
  const float edge = choose(x == 0.0f, -infinity<float>, not_a_number<float>);
  return choose(x > 0.0f, finite, edge);
}
/// 0.8 ulp.
WEFT_MATH float log(float x) {
  const Mantissa m = split_log(x);
  const float y = m.n * 0.693359375f + (m.f + (m.n * -2.12194440e-4f + log_tail(m.f)));
  return log_limits(x, y);
}
WEFT_MATH double log(double x) { return __builtin_log(x); }

/// 1.3 ulp.
WEFT_MATH float log2(float x) {
  // log2(e) = 1 + 0.4427: the sum keeps the leading part of f exact.
  const Mantissa m = split_log(x);
  const float tail = log_tail(m.f);
  const float y = m.n + (m.f + (tail + (m.f + tail) * 0.442695041f));
  return log_limits(x, y);
}
WEFT_MATH double log2(double x) { return __builtin_log2(x); }

/// 1.5 ulp.
WEFT_MATH float log10(float x) {
  const Mantissa m = split_log(x);
  const float tail = log_tail(m.f);
  // log10(2) and log10(e) in two parts, the first short enough for exact products.
  const float y =
      m.n * 0.30102539f + (m.f * 0.43359375f + (tail * 0.434294482f + (m.f * 7.00731903e-4f + m.n * 4.60503907e-6f)));
  return log_limits(x, y);
}
WEFT_MATH double log10(double x) { return __builtin_log10(x); }

/// log(1 + x) by log(u) plus the rounding error of u = 1 + x. 1.5 ulp.
WEFT_MATH float log1p(float x) {
  const float u = 1.0f + x;
  const float correction = (x - (u - 1.0f)) / u;
  const float y = log(u) + choose((u > 0.0f) & (u < infinity<float>), correction, 0.0f);
  return choose(x == 0.0f, x, y);
}
WEFT_MATH double log1p(double x) { return __builtin_log1p(x); }

// ---- logistic and hyperbolic

/// 2.3 ulp; softplus and log_sigmoid 1.6, silu 2.6 (of the result while it is a normal number).
template <class T>
WEFT_MATH T sigmoid(T x) {
  const T e = exp(-abs(x));
  const T s = T(1) / (T(1) + e);
  return choose(x < T(0), e * s, s);
}
template <class T>
WEFT_MATH T softplus(T x) {
  return choose(x < T(0), T(0), x) + log1p(exp(-abs(x)));
}
template <class T>
WEFT_MATH T log_sigmoid(T x) {
  return choose(x > T(0), T(0), x) - log1p(exp(-abs(x)));
}
template <class T>
WEFT_MATH T silu(T x) {
  return x * sigmoid(x);
}

/// 1.0 ulp.
WEFT_MATH float tanh(float x) {
  const float t = abs(x);
  const float s = x * x;
  float p = 2.269501798e-03f;
  p = p * s + -8.323187009e-03f;
  p = p * s + 2.176250331e-02f;
  p = p * s + -5.395846069e-02f;
  p = p * s + 1.333329976e-01f;
  p = p * s + -3.333333433e-01f;
  const float near = t + t * (s * p);
  const float far = 1.0f - 2.0f / (exp(t + t) + 1.0f);
  return copysign(choose(t < 0.62f, near, far), x);
}
WEFT_MATH double tanh(double x) { return __builtin_tanh(x); }

// ---- the error function

/// exp(-t^2) for t >= 0. Its argument is taken without rounding error: the upper part of t has 12 bits, so the square
/// of that part fits.
WEFT_MATH float gauss(float t) {
  const float upper = bits_to_float(float_to_bits(t) & 0xfffff000U);
  return exp_low(-upper * upper, (t - upper) * (t + upper));
}
/// exp(t^2) erfc(t) for t in [0, 11].
WEFT_MATH float erfcx(float t) {
  const float q = (t - 3.0f) / (t + 3.0f);
  float p = -2.763902594e-04f;  // (1 + 2t) exp(t^2) erfc(t)
  p = p * q + -7.957492489e-04f;
  p = p * q + 1.996375853e-03f;
  p = p * q + 2.578845248e-03f;
  p = p * q + -2.379134856e-02f;
  p = p * q + 6.829337031e-02f;
  p = p * q + -1.192724779e-01f;
  p = p * q + 1.296466142e-01f;
  p = p * q + -4.756228998e-02f;
  p = p * q + -1.356211454e-01f;
  p = p * q + 1.253008008e+00f;
  return p / (1.0f + 2.0f * t);
}
/// erfc(t) for t >= 0.
WEFT_MATH float erfc_tail(float t) {
  t = choose(t > 11.0f, 11.0f, t);
  return gauss(t) * erfcx(t);
}
/// erf(x) / x - 1 as a function of x^2, for |x| < 0.95.
WEFT_MATH float erf_near(float s) {
  float p = 8.212780813e-05f;
  p = p * s + -8.105054731e-04f;
  p = p * s + 5.197684746e-03f;
  p = p * s + -2.685804293e-02f;
  p = p * s + 1.128367111e-01f;
  p = p * s + -3.761263192e-01f;
  return p * s + 1.283791661e-01f;
}
/// 0.9 ulp.
WEFT_MATH float erf(float x) {
  const float t = abs(x);
  const float near = t + t * erf_near(x * x);
  const float far = 1.0f - erfc_tail(t);
  return copysign(choose(t < 0.94f, near, far), x);
}
WEFT_MATH double erf(double x) { return __builtin_erf(x); }
/// 3.5 ulp.
WEFT_MATH float erfc(float x) {
  const float t = abs(x);
  const float near = (1.0f - x) - x * erf_near(x * x);
  const float c = erfc_tail(t);
  return choose(t < 0.5f, near, choose(x < 0.0f, 2.0f - c, c));
}
WEFT_MATH double erfc(double x) { return __builtin_erfc(x); }

/// The normal density's exp(-z^2 / 2), and 1 - Phi(z) divided by it, for z = min(|x|, 13.266): there the first is 0.
struct NormalTail {
  float z, gauss, ratio;
};
WEFT_MATH NormalTail normal_tail(float x) {
  float z = abs(x);
  z = choose(z > 13.266f, 13.266f, z);
  // The exponential magnifies the rounding of its argument, so that is made good.
  const float square = z * z;
#ifdef __FMA__
  const float low = 0.5f * __builtin_fmaf(z, z, -square);
#else
  const float upper = bits_to_float(float_to_bits(z) & 0xfffff000U);  // 12 bits: its square is exact
  const float low = 0.5f * ((upper * upper - square) + (z - upper) * (z + upper));
#endif
  // A polynomial in r = 1 / (1 + z/2), divided by r: a fit to 2e-9 over the whole range with a single division.
  const float r = 1.0f / (1.0f + 0.5f * z);
  const float s = r - 0.5f;
  float p = -3.503546156e-02f;
  p = p * s + -1.087327293e-02f;
  p = p * s + 9.186841445e-02f;
  p = p * s + -5.569794245e-02f;
  p = p * s + -6.047106610e-02f;
  p = p * s + 1.079361310e-01f;
  p = p * s + -3.863665314e-03f;
  p = p * s + -1.468830651e-01f;
  p = p * s + 5.759670681e-02f;
  p = p * s + 3.314045308e-01f;
  p = p * s + 3.362039968e-01f;
  return {z, exp_down(-0.5f * square, low), p * r};
}

/// The normal distribution function and its density.
template <class T>
struct Normal {
  T below, density;
};
WEFT_MATH Normal<float> normal(float x) {
  const NormalTail t = normal_tail(x);
  const float c = t.gauss * t.ratio;
  return {choose(x < 0.0f, c, 1.0f - c), t.gauss * 0.398942280f};
}
WEFT_MATH Normal<double> normal(double x) {
  return {0.5 * __builtin_erfc(x * -0.70710678118654752440), __builtin_exp(-0.5 * x * x) * 0.39894228040143267794};
}
/// x Phi(x), as max(x, 0) - |x| (1 - Phi(|x|)). 5.4 ulp, also where the result is tiny (x = -12).
WEFT_MATH float gelu(float x) {
  const NormalTail t = normal_tail(x);
  return choose(x < 0.0f, 0.0f, x) - t.z * (t.gauss * t.ratio);
}
WEFT_MATH double gelu(double x) { return x * normal(x).below; }
/// x sigmoid(2u), which equals x (1 + tanh(u)) / 2. 17 ulp for x > -4, where the rounding of u begins to show.
template <class T>
WEFT_MATH T gelu_tanh(T x) {
  const T u = x * (T(1.5957691216057308) + T(0.07135481627260025) * x * x);
  return x * sigmoid(u);
}

/// 3.2 ulp. log(x / (1 - x)), with its digits kept near 1/2 too, where the quotient is 1 + (2x - 1) / (1 - x).
template <class T>
WEFT_MATH T logit(T x) {
  const T rest = T(1) - x;
  return choose(x < T(0.25), log(x / rest), log1p((x + x - T(1)) / rest));
}

/// tanh(softplus(x)) as a quotient of sums of positive numbers.
template <class T>
struct MishGate {
  T above, below;
};
template <class T>
WEFT_MATH MishGate<T> mish_gate(T x) {
  const T e = exp(-abs(x));
  const T above = choose(x < T(0), e * (e + T(2)), T(1) + T(2) * e);
  return {above, above + choose(x < T(0), T(2), T(2) * e * e)};
}
/// 4.0 ulp.
template <class T>
WEFT_MATH T mish(T x) {
  const MishGate<T> gate = mish_gate(x);
  return x * (gate.above / gate.below);
}

// ---- trigonometric; |x| <= trigonometric_limit in float32

constexpr float trigonometric_limit = 1e5f;
/// sin(x + shift * pi/2). 1.4 ulp. The reduction by pi/2 is done in double, in two parts.
WEFT_MATH float sin_shifted(float x, int shift) {
  const double magic = 6755399441055744.0;
  const auto wide = static_cast<double>(x);
  const double t = wide * 0.63661977236758134308 + magic;
  const double n = t - magic;
  const auto r = static_cast<float>((wide - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11);
  const int quadrant = static_cast<int>(__builtin_bit_cast(std::uint64_t, t) & 3U) + shift;
  const float s = r * r;
  float p = 2.724935484e-06f;
  p = p * s + -1.984008268e-04f;
  p = p * s + 8.333331905e-03f;
  p = p * s + -1.666666716e-01f;
  const float sine = r + r * (s * p);
  float c = -2.730048436e-07f;
  c = c * s + 2.480059629e-05f;
  c = c * s + -1.388888806e-03f;
  c = c * s + 4.166666791e-02f;
  const float cosine = 1.0f + (s * s * c - 0.5f * s);
  const float y = choose((quadrant & 1) != 0, cosine, sine);
  return choose((quadrant & 2) != 0, -y, y);
}

/// The derivative of log gamma: upward recurrence to x >= 10, then the asymptotic series.
WEFT_MATH double digamma(double x) {
  if (x == 0) return copysign(infinity<double>, -x);
  double y = 0;
  if (x < 0) {
    if (x == __builtin_floor(x)) return not_a_number<double>;
    // Reflection; the argument of tan is reduced first to keep its precision.
    y = -3.14159265358979323846 / __builtin_tan(3.14159265358979323846 * (x - __builtin_trunc(x)));
    x = 1 - x;
  }
  while (x < 10) {
    y -= 1 / x;
    x += 1;
  }
  const double z = 1 / (x * x);
  const double series =
      z *
      (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
  return y + __builtin_log(x) - 0.5 / x - series;
}

/// The inverse of erf: Winitzki's approximation (2008), good to 2e-3, then two steps of Halley's method, each of which
/// triples the digits. The upper half is solved for erfc, where 1 - x is exact.
WEFT_MATH double erfinv(double x) {
  const double t = abs(x);
  if (!(t < 1)) return t == 1 ? copysign(infinity<double>, x) : not_a_number<double>;
  const double a = 0.147, line = __builtin_log1p(-t * t), b = 0.63661977236758134308 / a + 0.5 * line;
  double y = sqrt(-line / a / (sqrt(b * b - line / a) + b));
  for (int step = 0; step < 2; ++step) {
    const double miss = t < 0.5 ? erf(y) - t : (1 - t) - erfc(y);
    const double newton = miss * 0.88622692545275801365 * __builtin_exp(y * y);
    y -= newton / (1 + y * newton);
  }
  return copysign(y, x);
}

/// The sum of (x + k)^-s over k >= 0, for whole s >= 2 and x > 0: a few terms, then the formula of Euler and Maclaurin.
WEFT_MATH double hurwitz_zeta(double s, double x) {
  // Bernoulli numbers B_2k over (2k)!.
  constexpr double coefficients[] = {
      1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000.0, 1.0 / 74724249600.0};
  double sum = 0;
  while (x < 10 + s) {
    const double term = __builtin_pow(x, -s);
    sum += term;
    if (!(term > sum * 0x1p-60)) return sum;  // nor do the rest count, however many a large s would ask for
    x += 1;
  }
  const double last = __builtin_pow(x, -s);
  sum += last * (x / (s - 1) + 0.5);
  double term = last * s / x;
  for (int k = 0; k < 7; ++k) {
    sum += coefficients[k] * term;
    term *= (s + 2 * k + 1) * (s + 2 * k + 2) / (x * x);
  }
  return sum;
}
/// Derivative number n >= 1 of digamma: (-1)^(n+1) n! zeta(n + 1, x).
WEFT_MATH double polygamma(double n, double x) {
  if (!(x > -infinity<double>)) return not_a_number<double>;
  const double s = n + 1, whole = __builtin_floor(x);
  const bool even = __builtin_fmod(n, 2.0) == 0;
  const double factor = (even ? -1 : 1) * __builtin_tgamma(s);
  if (x > 0) return x == infinity<double> ? factor * 0.0 : factor * hurwitz_zeta(s, x);
  if (x == whole) return copysign(infinity<double>, factor);
  // Below 0 the terms fall into those on either side of 0.
  const double part = x - whole, below = hurwitz_zeta(s, 1 - part) - hurwitz_zeta(s, 1 - x);
  return factor * (hurwitz_zeta(s, part) + (even ? -below : below));
}

}  // namespace math
}  // namespace
}  // namespace weft::kernels
