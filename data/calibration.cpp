#include <weft/data/calibration.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/tensor/create.h>
#include <weft/tensor/error.h>

namespace weft::data {
namespace {

/// Rows of logits in double.
struct Logits {
  std::vector<double> values;
  std::int64_t rows = 0, classes = 0;

  Logits(const char* op, const Tensor& logits) {
    if (logits.dim() != 2) throw ShapeError(text(op, ": logits ", logits.shape(), ", must be (N, C)"));
    if (!is_floating(logits.dtype())) throw DtypeError(text(op, ": logits are ", logits.dtype()));
    rows = logits.size(0);
    classes = logits.size(1);
    values = to_vector<double>(logits);
    for (const double v : values)
      if (!std::isfinite(v)) throw ConfigError(text(op, ": a logit is ", v));
  }
  /// Log-sum-exp and the expectation of the logits under softmax(row / t), both less the row's largest.
  struct Row {
    double top, log_sum, mean;
  };
  Row row(std::int64_t r, double t) const {
    const double* z = values.data() + r * classes;
    const double top = *std::max_element(z, z + classes);
    double sum = 0, weighted = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      const double e = std::exp((z[c] - top) / t);
      sum += e;
      weighted += e * (z[c] - top);
    }
    return {top, std::log(sum), weighted / sum};
  }
};

void check_p_values(const char* op, Numbers p) {
  for (const double v : p)
    if (!(v >= 0 && v <= 1)) throw ConfigError(text(op, ": ", v, " is not a p-value"));
}

std::vector<std::size_t> ascending(Numbers p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  return order;
}

}  // namespace

double fit_temperature(const Tensor& logits, const Tensor& labels) {
  const Logits z("fit_temperature", logits);
  const Predictions checked = at_temperature(logits, labels, 1);
  // The log-loss is convex in b = 1 / T; its slope there is the mean of (expected logit - true logit).
  const auto slope = [&](double b) {
    double total = 0;
    for (std::int64_t r = 0; r < z.rows; ++r) {
      const Logits::Row row = z.row(r, 1 / b);
      total +=
          row.mean -
          (z.values[static_cast<std::size_t>(r * z.classes + checked.labels[static_cast<std::size_t>(r)])] - row.top);
    }
    return total;
  };
  double low = 0.01, high = 100;  // of b
  if (slope(low) >= 0) return 1 / low;
  if (slope(high) <= 0) return 1 / high;
  for (int i = 0; i < 100; ++i) {
    const double middle = std::sqrt(low * high);
    (slope(middle) < 0 ? low : high) = middle;
  }
  return 1 / std::sqrt(low * high);
}

Predictions at_temperature(const Tensor& logits, const Tensor& labels, double temperature) {
  if (!(temperature > 0 && std::isfinite(temperature)))
    throw ConfigError(text("at_temperature: temperature ", temperature, ", must be above 0"));
  const Logits z("at_temperature", logits);
  Tensor probabilities = empty({z.rows, z.classes}, DType::float64);
  double* p = probabilities.mutable_data<double>();
  for (std::int64_t r = 0; r < z.rows; ++r) {
    const Logits::Row row = z.row(r, temperature);
    for (std::int64_t c = 0; c < z.classes; ++c) {
      const std::int64_t at = r * z.classes + c;
      p[at] = std::exp((z.values[static_cast<std::size_t>(at)] - row.top) / temperature - row.log_sum);
    }
  }
  return Predictions::of(labels, probabilities);
}

double RiskCoverage::at(double share) const {
  if (!(share > 0 && share <= 1)) throw ConfigError(text("risk_coverage: a share of ", share, " is not in (0, 1]"));
  const auto n = static_cast<double>(risk.size());
  const auto decided = static_cast<std::size_t>(std::max(1.0, std::floor(share * n + 1e-9)));
  return risk[decided - 1];
}

RiskCoverage risk_coverage(const Predictions& p) {
  std::vector<double> certainty;
  const std::vector<std::int64_t> predicted = p.predicted();
  for (std::size_t i = 0; i < predicted.size(); ++i)
    certainty.push_back(p.probability(static_cast<std::int64_t>(i), predicted[i]));
  return risk_coverage(p, certainty);
}

RiskCoverage risk_coverage(const Predictions& p, Numbers certainty) {
  const auto n = static_cast<std::size_t>(p.count());
  if (certainty.size() != n)
    throw ShapeError(text("risk_coverage: ", n, " samples, ", certainty.size(), " certainties"));
  if (n == 0) throw ConfigError("risk_coverage: there are no samples");
  const std::vector<std::int64_t> predicted = p.predicted();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return certainty[a] > certainty[b]; });
  RiskCoverage out;
  double errors = 0;
  for (std::size_t i = 0; i < n;) {
    std::size_t end = i;
    double wrong = 0;
    while (end < n && certainty[order[end]] == certainty[order[i]]) {
      wrong += predicted[order[end]] != p.labels[order[end]];
      ++end;
    }
    const double share = wrong / static_cast<double>(end - i);
    for (; i < end; ++i) {
      errors += share;
      out.coverage.push_back(static_cast<double>(i + 1) / static_cast<double>(n));
      out.risk.push_back(errors / static_cast<double>(i + 1));
    }
  }
  out.area = std::accumulate(out.risk.begin(), out.risk.end(), 0.0) / static_cast<double>(n);
  return out;
}

std::vector<double> holm(Numbers p_values) {
  check_p_values("holm", p_values);
  const std::vector<std::size_t> order = ascending(p_values);
  std::vector<double> out(p_values.size());
  double highest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    highest = std::max(highest, std::min(1.0, p_values[order[i]] * static_cast<double>(order.size() - i)));
    out[order[i]] = highest;
  }
  return out;
}

std::vector<double> benjamini_hochberg(Numbers p_values) {
  check_p_values("benjamini_hochberg", p_values);
  const std::vector<std::size_t> order = ascending(p_values);
  std::vector<double> out(p_values.size());
  double lowest = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    lowest = std::min(lowest, p_values[order[i]] * static_cast<double>(order.size()) / static_cast<double>(i + 1));
    out[order[i]] = lowest;
  }
  return out;
}

}  // namespace weft::data
