#pragma once
#include <optional>
#include <string>
#include <vector>

#include <weft/data/metrics.h>
#include <weft/study/dataset.h>
#include <weft/study/method.h>

/// How far the answers of one fit can be relied on: calibration, what referring the least certain rows gains, and
/// results part by part.
namespace weft::study {

/// Test rows whose largest probability falls into one tenth of (0, 1].
struct CertaintyBin {
  std::int64_t rows = 0;
  double certainty = 0;  ///< mean of the largest probability; 0 when empty
  double accuracy = 0;   ///< share of right answers
  friend bool operator==(const CertaintyBin&, const CertaintyBin&) = default;
};

struct Trust {
  double calibration_error = 0;                    ///< expected calibration error of 15 bins, as the method answers
  std::optional<double> temperature;               ///< fitted on held-out training rows; none where a method has none
  std::optional<double> scaled_calibration_error;  ///< with the probabilities at that temperature
  std::vector<double> risk;        ///< share of errors among the most certain 1/20, 2/20 ... 20/20 of the test rows
  double referred_risk = 0;        ///< the same when the study's share of the least certain is referred
  double area = 0;                 ///< under the curve of risk over coverage
  std::vector<CertaintyBin> bins;  ///< ten, as the method answers
  /// Rates of true positives at the rates of false positives 0, 1/50 ... 1: of class 1 of two, else the mean over
  /// classes against all others; empty where a class has no test row. A mean of such curves averages vertically
  /// (Fawcett 2006).
  std::vector<double> roc;
  friend bool operator==(const Trust&, const Trust&) = default;
};

/// One part of the test rows: a subgroup, or those with the same modalities.
struct Part {
  std::string name;
  std::int64_t rows = 0;
  double metric = 0;  ///< the study's; NaN where it cannot be computed, say with one class only
  double accuracy = 0;
};

/// The temperature is that of `held_out` (training rows with answers of networks that had not seen them), never of the
/// test rows; certainty is the largest probability. `refer` in (0, 1): the share that is referred.
Trust trust(const data::Predictions& test, const std::optional<data::Predictions>& held_out, double refer);

/// Rates of true positives at 51 rates of false positives, see Trust::roc.
std::vector<double> roc_on_grid(const data::Predictions& p);

/// Subgroups first, as "sex = female", then, where rows differ in them, the modalities that rows have, as "has image +
/// note". rows: those of the data set that `test` and `present` (N, M) are of.
std::vector<Part> parts(const Dataset& dataset, const std::vector<std::int64_t>& rows, const data::Modalities& x,
                        const data::Predictions& test, const data::NamedMetric& metric);

/// The metric, or NaN where these rows do not define it.
double value_or_nan(const data::NamedMetric& metric, const data::Predictions& p);

}  // namespace weft::study
