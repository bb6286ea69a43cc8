#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/data/metrics.h>

/// Whether probabilities mean what they say, and when to ask a human instead.
namespace weft::data {

/// The temperature T > 0 for which softmax(logits / T) has the least log-loss on these labels. logits (N, C) floating,
/// labels (N,). Above 1: the model was too sure. It changes no decision. Fit it on validation rows, never on those it
/// is judged by. Found within [0.01, 100]; the end of the range when everything is right or wrong. Throws ShapeError
/// and ConfigError as Predictions::of() does, and for logits that are not numbers. Guo et al. (2017).
double fit_temperature(const Tensor& logits, const Tensor& labels);
/// Predictions softmax(logits / temperature). Throws ConfigError for a temperature that is not above 0.
Predictions at_temperature(const Tensor& logits, const Tensor& labels, double temperature);

/// What remains when the least certain cases are referred to somebody else.
struct RiskCoverage {
  std::vector<double> coverage;  ///< share of cases decided: 1/N, 2/N, ... 1, the most certain ones first
  std::vector<double> risk;      ///< share of errors among them
  double area = 0;               ///< mean risk over all coverages: less is better. Geifman and El-Yaniv (2017)
  /// Risk when this share is decided (at least one case). Throws ConfigError outside (0, 1].
  double at(double share) const;
};
/// Certainty is the largest probability; cases that are equally certain are taken in together, each step counting
/// their mean. Throws ConfigError when there are no samples.
RiskCoverage risk_coverage(const Predictions& p);
/// The same by a certainty of one's own, larger is more certain: (N,). Throws ShapeError for another number.
RiskCoverage risk_coverage(const Predictions& p, Numbers certainty);

/// p-values of several comparisons, corrected so that the chance of any false finding stays below the level: Holm's
/// step-down method (1979). In the order given, at most 1. Throws ConfigError for a p-value outside [0, 1].
std::vector<double> holm(Numbers p_values);
/// Corrected so that the expected share of false ones among the findings stays below the level, for independent or
/// positively dependent comparisons. Benjamini and Hochberg (1995). Throws ConfigError.
std::vector<double> benjamini_hochberg(Numbers p_values);

}  // namespace weft::data
