#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/data/metrics.h>

/// Sets of classes instead of one class: small where a model is sure, larger where it is not, with a promise of how
/// often the truth is among them.
namespace weft::data {

/// Split conformal prediction with the score s = 1 - p_y (Vovk et al. 2005; Sadinle, Lei and Wasserman 2019): the
/// threshold is the k-th smallest score of n calibration rows, k = ceil((n + 1) level), and the set of a new row is
/// every class with 1 - p_c <= threshold, the most probable one always among them. If calibration and new rows
/// are exchangeable, and the model was not fitted to either, the truth is in the set with probability >= level, on
/// average over rows: not for each class, group or patient by itself.
struct Conformal {
  double level = 0.95;
  double threshold = 1;  ///< 1 when there are too few calibration rows for the level: then sets hold all classes
  std::int64_t rows = 0;

  /// From 1 - p_y of the calibration rows. Throws ConfigError for no scores, one outside [0, 1] and a level outside
  /// (0, 1).
  static Conformal fit(Numbers scores, double level = 0.95);
  /// The classes in the set, ascending, from the probabilities of one row. Throws ConfigError for no classes.
  std::vector<std::int64_t> set(Numbers probabilities) const;
};

/// 1 - the probability of the true class, for each row.
std::vector<double> conformity_scores(const Predictions& p);

}  // namespace weft::data
