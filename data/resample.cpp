#include <weft/data/resample.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <weft/tensor/create.h>

namespace weft::data {
namespace {

void check(const char* op, const Tensor& x) {
  if (x.dim() == 0) throw ShapeError(text(op, ": x has no axis of time"));
  if (x.dtype() != DType::float32 && x.dtype() != DType::float64)
    throw DtypeError(text(op, ": x is ", x.dtype(), "\n  help: convert to float32 first"));
}

/// The modified Bessel function I0, by its power series: sum ((x / 2)^k / k!)^2.
double bessel_i0(double x) {
  double term = 1, total = 1;
  for (int k = 1; term > 1e-17 * total; ++k) {
    term *= x / 2 / k * (x / 2 / k);
    total += term;
  }
  return total;
}

/// Makes (..., n) from (..., T) by calling row(from, to) on each signal, in double precision.
template <class F>
Tensor each_row(const Tensor& x, std::int64_t n, F&& row) {
  const std::vector<double> from = to_vector<double>(x);
  Shape shape = x.shape();
  const std::int64_t steps = shape.back();
  shape[shape.size() - 1] = n;
  Tensor out = empty(shape, x.dtype());
  std::vector<double> to(static_cast<std::size_t>(n));
  const std::int64_t rows = n == 0 ? 0 : out.numel() / n;
  for (std::int64_t r = 0; r < rows; ++r) {
    row(from.data() + r * steps, to.data());
    if (x.dtype() == DType::float64)
      std::copy(to.begin(), to.end(), out.mutable_data<double>() + r * n);
    else
      std::transform(to.begin(), to.end(), out.mutable_data<float>() + r * n,
                     [](double v) { return static_cast<float>(v); });
  }
  return out;
}

}  // namespace

std::vector<double> resample_filter(std::int64_t up, std::int64_t down, const ResampleOptions& o) {
  if (up < 1 || down < 1)
    throw ConfigError(text("resample_poly: up ", up, ", down ", down, "\n  help: choose 1 or more for each"));
  if (!(o.beta >= 0 && o.beta <= 500) || o.half_width < 1)
    throw ConfigError(text("resample_poly: beta ", o.beta, ", half_width ", o.half_width,
                           "\n  help: choose beta from 0 to 500 and half_width 1 or more"));
  constexpr std::int64_t longest = std::int64_t{1} << 26;
  const std::int64_t slower = std::max(up, down);
  if (slower > longest || o.half_width > longest / slower)
    throw ConfigError(text("resample_poly: a filter for ", up, " / ", down,
                           " would be too long\n  help: ", "choose a ratio of smaller numbers"));
  const std::int64_t half = o.half_width * slower;
  std::vector<double> h(static_cast<std::size_t>(2 * half + 1));
  double total = 0;
  for (std::int64_t n = -half; n <= half; ++n) {
    const double at = static_cast<double>(n), x = std::numbers::pi * at / static_cast<double>(slower);
    const double inside = at / static_cast<double>(half);
    const double window = bessel_i0(o.beta * std::sqrt(1 - inside * inside)) / bessel_i0(o.beta);
    total += h[static_cast<std::size_t>(n + half)] = window * (n == 0 ? 1 : std::sin(x) / x);
  }
  for (double& v : h) v *= static_cast<double>(up) / total;
  return h;
}

Tensor resample_poly(const Tensor& x, std::int64_t up, std::int64_t down, const ResampleOptions& o) {
  check("resample_poly", x);
  if (up >= 1 && down >= 1) {
    const std::int64_t common = std::gcd(up, down);
    up /= common;
    down /= common;
  }
  const std::vector<double> h = resample_filter(up, down, o);
  if (up == 1 && down == 1)
    return each_row(x, x.size(-1), [n = x.size(-1)](const double* from, double* to) { std::copy_n(from, n, to); });
  const std::int64_t steps = x.size(-1), half = o.half_width * std::max(up, down);
  const std::int64_t results = (steps * up + down - 1) / down;
  return each_row(x, results, [&](const double* from, double* to) {
    for (std::int64_t m = 0; m < results; ++m) {
      // Only the taps that meet a number: i with 0 <= m down + half - i up <= 2 half.
      const std::int64_t last = (m * down + half) / up;
      const std::int64_t reach = m * down - half;
      const std::int64_t first = reach <= 0 ? -(-reach / up) : (reach + up - 1) / up;
      double y = 0;
      for (std::int64_t i = first; i <= last; ++i) {
        if (o.border == ResampleBorder::zeros && (i < 0 || i >= steps)) continue;
        y += h[static_cast<std::size_t>(m * down + half - i * up)] * from[std::clamp<std::int64_t>(i, 0, steps - 1)];
      }
      to[m] = y;
    }
  });
}

Tensor resample_linear(const Tensor& x, std::span<const double> times, std::span<const double> grid) {
  check("resample_linear", x);
  if (times.empty() || x.size(-1) != static_cast<std::int64_t>(times.size()))
    throw ShapeError(
        text("resample_linear: x ", x.shape(), " has ", x.size(-1), " steps, there are ", times.size(), " times"));
  for (std::size_t t = 0; t < times.size(); ++t) {
    if (!std::isfinite(times[t])) throw ConfigError(text("resample_linear: time ", t, " is ", times[t]));
    if (t > 0 && times[t] <= times[t - 1])
      throw ConfigError(text("resample_linear: times do not ascend: time ", t, " is ", times[t], " after ",
                             times[t - 1], "\n  help: sort the times, and leave each in once"));
  }
  for (std::size_t g = 0; g < grid.size(); ++g)
    if (!std::isfinite(grid[g])) throw ConfigError(text("resample_linear: time ", g, " of the grid is ", grid[g]));
  return each_row(x, static_cast<std::int64_t>(grid.size()), [&](const double* from, double* to) {
    for (const double now : grid) {
      const auto next = std::upper_bound(times.begin(), times.end(), now) - times.begin();
      if (next == 0) {
        *to++ = from[0];
      } else if (next == static_cast<std::ptrdiff_t>(times.size())) {
        *to++ = from[next - 1];
      } else {
        const double begin = times[static_cast<std::size_t>(next - 1)], end = times[static_cast<std::size_t>(next)];
        *to++ = std::lerp(from[next - 1], from[next], (now - begin) / (end - begin));
      }
    }
  });
}

}  // namespace weft::data
