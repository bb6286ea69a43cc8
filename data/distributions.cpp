#include <cmath>
#include <limits>
#include <numbers>

#include <weft/data/statistics.h>
#include <weft/tensor/error.h>

namespace weft::data {
namespace {

/// log Gamma(x); the reentrant form, since lgamma writes a global sign.
double log_gamma(double x) noexcept {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

/// The continued fraction of I_x(a, b) without its front factor (DLMF 8.17.22), by Lentz's method.
double fraction(double a, double b, double x) noexcept {
  constexpr double tiny = std::numeric_limits<double>::min() / std::numeric_limits<double>::epsilon();
  constexpr double enough = std::numeric_limits<double>::epsilon();
  const auto safe = [](double v) { return std::abs(v) < tiny ? tiny : v; };
  double c = 1, d = 1 / safe(1 - (a + b) * x / (a + 1));
  double value = d;
  for (int m = 1; m < 100000; ++m) {
    const double k = m;
    const double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
    d = 1 / safe(1 + even * d);
    c = safe(1 + even / c);
    value *= d * c;
    const double odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    d = 1 / safe(1 + odd * d);
    c = safe(1 + odd / c);
    const double step = d * c;
    value *= step;
    if (std::abs(step - 1) <= enough) break;
  }
  return value;
}

/// I_x(a, b) with y = 1 - x given beside x, so that neither loses digits near 1.
double beta_ratio(double a, double b, double x, double y) noexcept {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log(y));
  // The fraction converges fast below the mean only; above, the mirror image does.
  if (x < (a + 1) / (a + b + 2)) return front * fraction(a, b, x) / a;
  return 1 - front * fraction(b, a, y) / b;
}

/// P(T > t), t >= 0.
double student_tail(double t, double freedom) noexcept {
  if (std::isinf(t)) return 0;
  // y = t^2 / (v + t^2), written so that a huge t does not overflow.
  const double r = t / std::sqrt(freedom);
  const double x = 1 / (1 + r * r);
  const double y = r > 1 ? 1 / (1 + 1 / (r * r)) : r * r * x;
  return beta_ratio(freedom / 2, 0.5, x, y) / 2;
}

void check_probability(const char* op, double p) {
  if (!(p > 0 && p < 1)) throw ConfigError(text(op, ": probability ", p, " is not in (0, 1)"));
}

void check_freedom(const char* op, double freedom) {
  if (!(freedom > 0) || std::isinf(freedom))
    throw ConfigError(text(op, ": ", freedom, " degrees of freedom, must be positive and finite"));
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (!(a > 0 && b > 0)) throw ConfigError(text("incomplete_beta: a ", a, " and b ", b, " must be positive"));
  if (!(x >= 0 && x <= 1)) throw ConfigError(text("incomplete_beta: x ", x, " is not in [0, 1]"));
  return beta_ratio(a, b, x, 1 - x);
}

double student_t_cdf(double t, double freedom) {
  check_freedom("student_t_cdf", freedom);
  const double tail = student_tail(std::abs(t), freedom);
  return t < 0 ? tail : 1 - tail;
}

double student_t_quantile(double p, double freedom) {
  check_freedom("student_t_quantile", freedom);
  check_probability("student_t_quantile", p);
  if (p == 0.5) return 0;
  const double tail = p < 0.5 ? p : 1 - p;
  const double log_front =
      log_gamma((freedom + 1) / 2) - log_gamma(freedom / 2) - 0.5 * std::log(freedom * std::numbers::pi);
  double low = 0, high = 1;
  while (student_tail(high, freedom) > tail && high < 1e300) {
    low = high;
    high *= 2;
  }
  // Newton's steps, kept between bounds that close in.
  double t = (low + high) / 2;
  for (int i = 0; i < 200; ++i) {
    const double error = student_tail(t, freedom) - tail;
    (error > 0 ? low : high) = t;
    const double density = std::exp(log_front - (freedom + 1) / 2 * std::log1p(t * (t / freedom)));
    double next = t + error / density;
    if (!(next > low && next < high)) next = (low + high) / 2;
    const bool done = std::abs(next - t) <= 1e-15 * next;
    t = next;
    if (done) break;
  }
  return p < 0.5 ? -t : t;
}

double normal_cdf(double z) noexcept { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  check_probability("normal_quantile", p);
  if (p == 0.5) return 0;
  const double tail = p < 0.5 ? p : 1 - p;
  // Newton on the logarithm of the tail, which is concave: it converges from anywhere.
  double z = std::sqrt(-2 * std::log(2 * tail));
  for (int i = 0; i < 60; ++i) {
    const double q = normal_cdf(-z);
    const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
    const double step = std::log(q / tail) * q / density;
    z += step;
    if (std::abs(step) <= 1e-15 * std::abs(z)) break;
  }
  return p < 0.5 ? -z : z;
}

}  // namespace weft::data
