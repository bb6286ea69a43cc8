#pragma once
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <weft/data/metrics.h>
#include <weft/study/linear.h>

/// What the two fits of linear.h share. Not for use elsewhere.
namespace weft::study::logistic {

/// Four running sums let the compiler use vector registers although addition is not associative.
inline double dot(std::span<const double> a, std::span<const double> b) noexcept {
  const std::size_t n = a.size();
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; ++i) s0 += a[i] * b[i];
  return (s0 + s2) + (s1 + s3);
}
inline void add_scaled(std::span<double> y, double factor, std::span<const double> x) noexcept {
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += factor * x[i];
}

/// Columns of weights: one for two classes, else one per class.
inline std::size_t score_columns(std::size_t classes) noexcept { return classes == 2 ? 1 : classes; }

/// Turns scores (rows, 1 or classes) into the probability of the second class, or of each class, in place;
/// returns the sum of row losses.
double to_probabilities(Matrix& scores, data::Labels labels);

/// Scores of the path's models on each fold's test rows, averaged, turned so that higher is better: `fit(x, labels)`
/// gives the models for `count` penalties, or fewer when the last stands for the rest.
using PathFitter = std::function<std::vector<LinearModel>(const Matrix&, data::Labels)>;
std::vector<double> fold_scores(const Matrix& x, data::Labels labels, std::size_t classes,
                                std::span<const data::Split> folds, const data::NamedMetric& score, std::size_t count,
                                const PathFitter& fit);

/// Throws ConfigError.
void check(const char* what, const Matrix& x, data::Labels labels, std::size_t classes);

}  // namespace weft::study::logistic
