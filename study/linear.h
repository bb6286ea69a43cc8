#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <weft/data/metrics.h>
#include <weft/data/split.h>
#include <weft/study/matrix.h>

/// Logistic regression in double precision and without the tape: the plain baselines that every
/// fusion has to face. Columns should be standardised; intercepts are never penalised.
namespace weft::study {

/// Scores are x w + b. Two classes share one column of weights (the second class's log odds);
/// more have one column each, and probabilities are their softmax.
struct LinearModel {
  std::size_t classes = 2;
  Matrix weight;             ///< (columns of x, 1 or classes)
  std::vector<double> bias;  ///< 1 or classes
  bool converged = true;

  /// (rows, classes), row-major; each row sums to 1.
  std::vector<double> probabilities(const Matrix& x) const;
  /// The part of the columns whose weight is exactly zero in every class.
  double fraction_zero() const;
};

struct L2Options {
  double c = 1;             ///< as in scikit-learn: minimises c * (sum of row losses) + |w|^2 / 2
  double tolerance = 1e-8;  ///< largest entry of the mean loss's gradient at the end
  int max_iterations = 2000;
};
/// L2-penalised logistic regression by limited-memory BFGS. `labels` are in [0, classes).
/// Throws ConfigError for fewer than two classes, or a label out of range.
LinearModel fit_l2(const Matrix& x, data::Labels labels, std::size_t classes, const L2Options& options = {});

/// The strength with the best mean score on the folds' test rows (the smaller c of equals), refitted on all rows.
LinearModel fit_l2_cv(const Matrix& x, data::Labels labels, std::size_t classes, std::span<const data::Split> folds,
                      const data::NamedMetric& score, std::span<const double> strengths, const L2Options& options = {});

struct L1Options {
  int penalties = 20;            ///< length of the path, evenly spaced in the logarithm
  double smallest_ratio = 4e-3;  ///< the last penalty over the first that leaves only intercepts
  double tolerance = 1e-10;      ///< largest step's effect on the quadratic model
  int max_iterations = 100;      ///< quadratic models per penalty
};
/// L1-penalised fits along a falling path of penalties: minimise (mean row loss) + penalty * |w|_1.
/// Scikit-learn's C is 1 / (penalty * rows).
struct L1Path {
  std::vector<double> penalties;
  std::vector<LinearModel> models;  ///< one per penalty; fewer once the training rows are explained
};
/// By cyclic coordinate descent on quadratic models with warm starts, active sets and the strong rule
/// (Friedman, Hastie and Tibshirani 2010; Tibshirani et al. 2012). `penalties` empty: made from the data.
L1Path fit_l1_path(const Matrix& x, data::Labels labels, std::size_t classes, const L1Options& options = {},
                   std::span<const double> penalties = {});

struct L1Fit {
  LinearModel model;
  double penalty = 0;
  std::vector<double> penalties;
  std::vector<double> scores;  ///< mean over the folds per penalty, turned so that higher is better
};
/// The penalty with the best mean score on the folds' test rows (the larger of equals), refitted on all rows.
L1Fit fit_l1_cv(const Matrix& x, data::Labels labels, std::size_t classes, std::span<const data::Split> folds,
                const data::NamedMetric& score, const L1Options& options = {});

}  // namespace weft::study
