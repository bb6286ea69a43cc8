#include <weft/data/signal.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <vector>

#include <weft/tensor/create.h>

namespace weft::data {
namespace {

/// Calls f with x's numbers, densely, and with a new tensor's of the same shape; returns that.
template <class F>
Tensor mapped(const char* op, const Tensor& x, F&& f) {
  if (x.dim() != 3) throw ShapeError(text(op, ": x ", x.shape(), " is not (B, C, T)"));
  Tensor out = empty(x.shape(), x.dtype());
  const auto run = [&]<class T>(T) {
    std::vector<T> dense = to_vector<T>(x);
    f(static_cast<const T*>(dense.data()), out.mutable_data<T>());
  };
  switch (x.dtype()) {
    case DType::float32: run(float{}); break;
    case DType::float64: run(double{}); break;
    default: throw DtypeError(text(op, ": x is ", x.dtype(), "\n  help: convert to float32 first"));
  }
  return out;
}

void at_least_zero(const char* op, const char* what, double value) {
  if (!(value >= 0) || std::isinf(value))
    throw ConfigError(text(op, ": ", what, " is ", value, "\n  help: choose 0 or more"));
}

/// Evenly from [low, high).
double between(double low, double high, Generator& g) { return low + (high - low) * g.uniform(); }

/// The median of n numbers: the mean of the two in the middle where n is even.
template <class T>
T median_of(const T* x, std::int64_t n, std::vector<T>& space) {
  space.assign(x, x + n);
  const auto middle = space.begin() + n / 2;
  std::nth_element(space.begin(), middle, space.end());
  if (n % 2 == 1) return *middle;
  return (*middle + *std::max_element(space.begin(), middle)) / 2;
}

/// "sample 3, channel 1, step 17"
std::string place(std::int64_t at, const Shape& shape) {
  static constexpr const char* words[4][3] = {{}, {"row"}, {"sample", "column"}, {"sample", "channel", "step"}};
  std::string out;
  std::int64_t below = 1;
  for (const std::int64_t n : shape) below *= n;
  for (int a = 0; a < shape.size(); ++a) {
    below /= shape[a];
    const std::string index = std::to_string(at / below % shape[a]);
    if (a > 0) out += ", ";
    out += shape.size() <= 3 ? std::string(words[shape.size()][a]) + " " + index
                             : "axis " + std::to_string(a) + " " + index;
  }
  return out;
}

}  // namespace

void check_finite(const std::string& what, const Tensor& x) {
  if (!is_floating(x.dtype())) return;
  const std::vector<double> all = to_vector<double>(x);
  const auto bad = [](double v) { return !std::isfinite(v); };
  const auto first = std::find_if(all.begin(), all.end(), bad);
  if (first == all.end()) return;
  const auto count = std::count_if(first, all.end(), bad);
  throw ConfigError(text(what, ": ", std::isnan(*first) ? "nan" : "an infinite number", " at ",
                         place(first - all.begin(), x.shape()), "; ", count, " of ", all.size(),
                         count == 1 ? " numbers is" : " numbers are",
                         " not finite\n  help: mask or fill the gaps, or leave these samples out"));
}

Tensor remove_baseline(const Tensor& x) {
  return mapped("remove_baseline", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t steps = x.size(2);
    std::vector<T> space;
    for (std::int64_t row = 0; steps > 0 && row < x.size(0) * x.size(1); ++row, from += steps, to += steps) {
      const T middle = median_of(from, steps, space);
      for (std::int64_t t = 0; t < steps; ++t) to[t] = from[t] - middle;
    }
  });
}

Tensor group_median(const Tensor& x, std::span<const std::int64_t> groups) {
  if (x.dim() == 3 && x.size(0) != static_cast<std::int64_t>(groups.size()))
    throw ShapeError(text("group_median: ", x.size(0), " signals, ", groups.size(), " groups"));
  return mapped("group_median", x, [&]<class T>(const T* from, T* to) {
    std::map<std::int64_t, std::vector<std::int64_t>> members;
    for (std::size_t b = 0; b < groups.size(); ++b) members[groups[b]].push_back(static_cast<std::int64_t>(b));
    const std::int64_t size = x.size(1) * x.size(2);
    std::vector<T> column, space;
    for (const auto& [group, rows] : members)
      for (std::int64_t i = 0; i < size; ++i) {
        column.clear();
        for (const std::int64_t b : rows) column.push_back(from[b * size + i]);
        const T middle = median_of(column.data(), static_cast<std::int64_t>(rows.size()), space);
        for (const std::int64_t b : rows) to[b * size + i] = middle;
      }
  });
}

Tensor shift_signals(const Tensor& x, std::int64_t most, Generator& g) {
  if (x.dim() == 3 && (most < 0 || most >= std::max<std::int64_t>(x.size(2), 1)))
    throw ConfigError(text("shift_signals: at most ", most, " of ", x.size(2), " steps\n  help: choose 0 to ",
                           std::max<std::int64_t>(x.size(2) - 1, 0)));
  return mapped("shift_signals", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t steps = x.size(2);
    for (std::int64_t b = 0; b < x.size(0); ++b) {
      const std::int64_t by = g.below(2 * most + 1) - most;
      for (std::int64_t c = 0; c < x.size(1); ++c, from += steps, to += steps)
        for (std::int64_t t = 0; t < steps; ++t) to[t] = from[std::clamp<std::int64_t>(t - by, 0, steps - 1)];
    }
  });
}

Tensor scale_signals(const Tensor& x, double deviation, Generator& g) {
  at_least_zero("scale_signals", "deviation", deviation);
  return mapped("scale_signals", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t size = x.size(1) * x.size(2);
    for (std::int64_t b = 0; b < x.size(0); ++b, from += size, to += size) {
      const auto factor = static_cast<T>(std::exp(deviation * g.normal()));
      for (std::int64_t i = 0; i < size; ++i) to[i] = factor * from[i];
    }
  });
}

Tensor add_noise(const Tensor& x, double deviation, Generator& g) {
  at_least_zero("add_noise", "deviation", deviation);
  return mapped("add_noise", x, [&]<class T>(const T* from, T* to) {
    const std::vector<T> noise = to_vector<T>(randn(x.shape(), 0, deviation, x.dtype(), g));
    for (std::size_t i = 0; i < noise.size(); ++i) to[i] = from[i] + noise[i];
  });
}

Tensor add_baseline_wander(const Tensor& x, double amplitude, double cycles, Generator& g) {
  at_least_zero("add_baseline_wander", "amplitude", amplitude);
  at_least_zero("add_baseline_wander", "cycles", cycles);
  return mapped("add_baseline_wander", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t steps = x.size(2);
    for (std::int64_t row = 0; row < x.size(0) * x.size(1); ++row, from += steps, to += steps) {
      const double a = between(0, amplitude, g), phase = g.uniform(), f = between(0, cycles, g);
      for (std::int64_t t = 0; t < steps; ++t) {
        const double turn = f * static_cast<double>(t) / static_cast<double>(steps) + phase;
        to[t] = from[t] + static_cast<T>(a * std::sin(2 * std::numbers::pi * turn));
      }
    }
  });
}

Tensor stretch_signals(const Tensor& x, double most, Generator& g) {
  if (!(most >= 0 && most < 1))
    throw ConfigError(text("stretch_signals: at most ", most, "\n  help: choose from [0, 1)"));
  return mapped("stretch_signals", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t steps = x.size(2);
    const double last = static_cast<double>(steps - 1);
    for (std::int64_t b = 0; b < x.size(0); ++b) {
      const double factor = between(1 - most, 1 + most, g);
      for (std::int64_t c = 0; c < x.size(1); ++c, from += steps, to += steps)
        for (std::int64_t t = 0; t < steps; ++t) {
          const double at = std::clamp((static_cast<double>(t) - last / 2) * factor + last / 2, 0.0, last);
          const auto left = static_cast<std::int64_t>(at);
          const T share = static_cast<T>(at - static_cast<double>(left));
          to[t] = share == 0 ? from[left] : from[left] + share * (from[left + 1] - from[left]);
        }
    }
  });
}

Tensor erase_signals(const Tensor& x, std::int64_t length, Generator& g) {
  if (x.dim() == 3 && (length < 0 || length > x.size(2)))
    throw ConfigError(text("erase_signals: ", length, " of ", x.size(2), " steps\n  help: choose 0 to ", x.size(2)));
  return mapped("erase_signals", x, [&]<class T>(const T* from, T* to) {
    const std::int64_t steps = x.size(2);
    for (std::int64_t b = 0; b < x.size(0); ++b) {
      const std::int64_t begin = g.below(steps - length + 1);
      for (std::int64_t c = 0; c < x.size(1); ++c, from += steps, to += steps)
        for (std::int64_t t = 0; t < steps; ++t) to[t] = t >= begin && t < begin + length ? T{0} : from[t];
    }
  });
}

Tensor augment_signals(const Tensor& x, const SignalAugmentation& o, Generator& g) {
  Tensor y = x;
  if (o.stretch != 0) y = stretch_signals(y, o.stretch, g);
  if (o.shift != 0) y = shift_signals(y, o.shift, g);
  if (o.scale != 0) y = scale_signals(y, o.scale, g);
  if (o.wander != 0) y = add_baseline_wander(y, o.wander, o.cycles, g);
  if (o.noise != 0) y = add_noise(y, o.noise, g);
  if (o.erase != 0) y = erase_signals(y, o.erase, g);
  return y;
}

}  // namespace weft::data
