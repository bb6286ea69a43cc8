#include <weft/study/trust.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <weft/autograd/ops.h>
#include <weft/data/calibration.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

Tensor logits_of(const data::Predictions& p) {
  std::vector<double> logits;
  // The logarithm of a probability that was rounded to 0.
  constexpr double least = 1e-30;
  for (const double v : p.probabilities) logits.push_back(std::log(std::max(v, least)));
  return reshape(from(logits), {p.count(), p.classes});
}

/// The highest rate of true positives at a rate of false positives, on the line between the curve's corners.
double height_at(const data::RocCurve& curve, double rate) {
  const auto& x = curve.false_positive_rate;
  const auto& y = curve.true_positive_rate;
  const auto next = static_cast<std::size_t>(std::ranges::upper_bound(x, rate) - x.begin());
  if (next == x.size()) return y.back();
  return y[next - 1] + (y[next] - y[next - 1]) * (rate - x[next - 1]) / (x[next] - x[next - 1]);
}

}  // namespace

namespace {
/// What is drawn needs no more than four decimals; rounded here, so that a resumed run reads back what it wrote.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }
}  // namespace

std::vector<double> roc_on_grid(const data::Predictions& p) {
  constexpr int steps = 50;
  std::vector<double> out(steps + 1, 0.0);
  const std::int64_t first = p.classes == 2 ? 1 : 0;
  for (std::int64_t c = first; c < p.classes; ++c) {
    std::vector<std::int64_t> own;
    for (const std::int64_t label : p.labels) own.push_back(label == c);
    if (std::ranges::adjacent_find(own, std::ranges::not_equal_to()) == own.end()) return {};
    const data::RocCurve curve = data::roc_curve(own, p.scores(c));
    for (int k = 0; k <= steps; ++k)
      out[static_cast<std::size_t>(k)] +=
          height_at(curve, static_cast<double>(k) / steps) / static_cast<double>(p.classes - first);
  }
  return out;
}

Trust trust(const data::Predictions& test, const std::optional<data::Predictions>& held_out, double refer) {
  Trust out;
  out.calibration_error = data::calibration_error(test);
  data::Predictions scaled = test;
  if (held_out) {
    out.temperature = data::fit_temperature(logits_of(*held_out), from(held_out->labels));
    scaled = data::at_temperature(logits_of(test), from(test.labels), *out.temperature);
    out.scaled_calibration_error = data::calibration_error(scaled);
  }
  const data::RiskCoverage curve = data::risk_coverage(scaled);
  for (int k = 1; k <= 20; ++k) out.risk.push_back(curve.at(k / 20.0));
  out.referred_risk = curve.at(1 - refer);
  out.area = curve.area;
  for (const data::CalibrationBin& bin : data::calibration(test, 10))
    out.bins.push_back({bin.count, rounded(bin.confidence), rounded(bin.accuracy)});
  for (const double v : roc_on_grid(test)) out.roc.push_back(rounded(v));
  return out;
}

double value_or_nan(const data::NamedMetric& metric, const data::Predictions& p) {
  try {
    return metric.compute(p);
  } catch (const ConfigError&) {
    return std::numeric_limits<double>::quiet_NaN();
  }
}

std::vector<Part> parts(const Dataset& dataset, const std::vector<std::int64_t>& rows, const data::Modalities& x,
                        const data::Predictions& test, const data::NamedMetric& metric) {
  std::vector<Part> out;
  const auto add = [&](const std::map<std::string, std::vector<std::int64_t>>& members) {
    for (const auto& [name, own] : members) {
      const data::Predictions p = test.rows(own);
      out.push_back({name, p.count(), value_or_nan(metric, p), data::accuracy(p.labels, p.predicted())});
    }
  };
  for (const Parting& group : dataset.subgroups) {
    std::map<std::string, std::vector<std::int64_t>> members;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int64_t code = group.code[static_cast<std::size_t>(rows[i])];
      members[group.name + " = " + group.values[static_cast<std::size_t>(code)]].push_back(
          static_cast<std::int64_t>(i));
    }
    add(members);
  }
  std::map<std::string, std::vector<std::int64_t>> patterns;
  for (std::int64_t i = 0; i < x.batch(); ++i) {
    std::string has;
    for (int m = 0; m < x.count(); ++m)
      if (x.has(i, m)) has += (has.empty() ? "has " : " + ") + x.names[static_cast<std::size_t>(m)];
    patterns[has.empty() ? "has nothing" : has].push_back(i);
  }
  if (patterns.size() > 1) add(patterns);
  return out;
}

}  // namespace weft::study
