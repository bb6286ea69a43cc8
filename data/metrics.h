#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weft/tensor/tensor.h>

/// How good predictions are. Everything is computed in double precision and equals scikit-learn's figures. Labels
/// are classes 0 ... C-1. A rate whose denominator is 0 counts as 0. All throw ShapeError when counts differ,
/// ConfigError when there are no samples or a label is out of range.
namespace weft::data {

using Labels = std::span<const std::int64_t>;
using Numbers = std::span<const double>;

/// Labels with the probabilities that a model gave.
struct Predictions {
  std::vector<std::int64_t> labels;   ///< (N,), in [0, classes)
  std::vector<double> probabilities;  ///< (N, classes), row-major; rows sum to 1
  std::int64_t classes = 0;

  /// labels (N,) of integers or bool; probabilities (N, C) floating, or (N,) for the probability of class 1 of 2.
  /// Throws ShapeError, DtypeError, and ConfigError for labels outside [0, C) or probabilities outside [0, 1].
  static Predictions of(const Tensor& labels, const Tensor& probabilities);

  std::int64_t count() const noexcept { return static_cast<std::int64_t>(labels.size()); }
  double probability(std::int64_t row, std::int64_t label) const noexcept {
    return probabilities[static_cast<std::size_t>(row * classes + label)];
  }
  /// The most probable class of each sample (the first of equals).
  std::vector<std::int64_t> predicted() const;
  /// The probabilities of one class.
  std::vector<double> scores(std::int64_t label) const;
  /// The given samples (repeats allowed). Throws ConfigError for an index out of range.
  Predictions rows(std::span<const std::int64_t> index) const;
};

// ---- from decided classes

/// counts[t * classes + p] = number of samples of class t that were predicted as p.
struct Confusion {
  std::int64_t classes = 0;
  std::vector<std::int64_t> counts;
  std::int64_t at(std::int64_t truth, std::int64_t predicted) const noexcept {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  std::int64_t total() const noexcept;
};
/// `classes` of 0 means the largest label + 1.
Confusion confusion(Labels truth, Labels predicted, std::int64_t classes = 0);

/// How one figure is made of those per class: `binary` takes class 1 of two; `macro` is their plain mean and
/// `weighted` the mean by number of true members, both over the classes that occur; `micro` counts all
/// decisions together.
enum class Average : std::uint8_t { binary, macro, weighted, micro };

/// Share of right decisions.
double accuracy(Labels truth, Labels predicted);
/// Mean recall over the classes that occur in `truth`.
double balanced_accuracy(Labels truth, Labels predicted);
/// TP / (TP + FP). `binary` throws ConfigError when a label is neither 0 nor 1; so do the next two.
double precision(Labels truth, Labels predicted, Average average = Average::binary);
/// TP / (TP + FN).
double recall(Labels truth, Labels predicted, Average average = Average::binary);
/// 2 TP / (2 TP + FP + FN).
double f1(Labels truth, Labels predicted, Average average = Average::binary);
/// Recall of class 1 of two.
double sensitivity(Labels truth, Labels predicted);
/// Recall of class 0 of two: TN / (TN + FP).
double specificity(Labels truth, Labels predicted);
/// Matthews' correlation coefficient, multi-class form of Gorodkin (2004); 0 when undefined.
double matthews(Labels truth, Labels predicted);
/// Cohen's kappa (1960): (p_o - p_e) / (1 - p_e).
double cohen_kappa(Labels truth, Labels predicted);

// ---- from scores. `truth` is 0 or 1; a higher score means class 1. ConfigError when one of the two has no member.

/// P(score of a 1 > score of a 0) + P(equal) / 2. Hanley & McNeil (1982).
double roc_auc(Labels truth, Numbers scores);
/// Sum of (R_i - R_{i-1}) P_i over thresholds, ties taken together.
double average_precision(Labels truth, Numbers scores);

struct RocCurve {
  std::vector<double> false_positive_rate;  ///< ascending, from 0 to 1
  std::vector<double> true_positive_rate;
  std::vector<double> threshold;  ///< descending, from infinity; class 1 is score >= threshold
};
/// One point for every different score, after (0, 0).
RocCurve roc_curve(Labels truth, Numbers scores);

// ---- from probabilities

/// Two classes: of class 1. More: the mean over classes of one-versus-rest areas, `macro` plain or `weighted` by
/// members (`binary` and `micro` throw ConfigError). Throws ConfigError naming a class that has no member.
double roc_auc(const Predictions& p, Average average = Average::macro);
/// The mean over pairs of classes (a, b) of the areas of the samples of both: that of class a's probability for a and
/// of b's for b, halved; `macro` plain or `weighted` by the share of samples that are of a or b. Does not depend on how
/// common the classes are. Two classes: of class 1. Throws as roc_auc(). Hand and Till (2001).
double roc_auc_ovo(const Predictions& p, Average average = Average::macro);
/// Two classes: of class 1. More: the plain mean over classes of one-versus-rest values.
double average_precision(const Predictions& p);
/// Two classes: mean (p_1 - y)^2. More: mean over samples of sum_k (p_k - 1[y = k])^2. Brier (1950).
double brier(const Predictions& p);
/// Mean of -log p_y, with p cut to [2^-52, 1 - 2^-52].
double log_loss(const Predictions& p);
/// Share of samples whose class is among the k most probable (of equals, the higher class counts as more
/// probable, as in scikit-learn). Throws ConfigError for k < 1.
double top_k(const Predictions& p, std::int64_t k);

/// One bin of confidence (the largest probability of a sample) in (low, high].
struct CalibrationBin {
  double low = 0;
  double high = 0;
  std::int64_t count = 0;
  double confidence = 0;  ///< mean; 0 when empty
  double accuracy = 0;
};
/// `bins` bins of equal width over (0, 1]: bin i is (i / bins, (i + 1) / bins].
std::vector<CalibrationBin> calibration(const Predictions& p, int bins = 15);
/// Expected calibration error: sum over bins of count / N * |accuracy - confidence|. Guo et al. (2017).
double calibration_error(const Predictions& p, int bins = 15);

// ---- regression

double mean_squared_error(Numbers truth, Numbers predicted);
double mean_absolute_error(Numbers truth, Numbers predicted);
/// 1 - sum (y - p)^2 / sum (y - mean y)^2; for constant y: 1 when exact, else 0.
double r_squared(Numbers truth, Numbers predicted);

// ---- by name

using Metric = std::function<double(const Predictions&)>;
struct NamedMetric {
  std::string name;
  Metric compute;
  bool higher_is_better = true;
};
/// accuracy, balanced_accuracy, f1_macro, f1_weighted, f1_micro, f1 (of class 1), precision, recall, precision_macro,
/// recall_macro, sensitivity, specificity, matthews, cohen_kappa, roc_auc, roc_auc_weighted, roc_auc_ovo,
/// average_precision, brier, log_loss, calibration_error. Throws ConfigError naming the closest one.
const NamedMetric& metric(std::string_view name);
/// All of them, in the order above.
std::span<const NamedMetric> metrics();

}  // namespace weft::data
