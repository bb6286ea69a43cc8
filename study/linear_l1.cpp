#include <algorithm>
#include <cmath>

#include <weft/study/linear.h>
#include <weft/study/logistic.h>
#include <weft/tensor/error.h>

namespace weft::study {
namespace {

using logistic::add_scaled;
using logistic::dot;

/// One fit along the path. For each score column in turn, the loss is replaced by its quadratic model
/// (row weights h = p (1 - p), working residuals (y - p) / h) which coordinate descent minimises.
class PathFit {
 public:
  PathFit(const Matrix& x, data::Labels labels, std::size_t classes, const L1Options& options)
      : x_(x),
        labels_(labels),
        classes_(classes),
        options_(options),
        n_(static_cast<double>(x.rows())),
        outputs_(logistic::score_columns(classes)),
        weight_(x.columns(), outputs_),
        bias_(outputs_, 0.0),
        scores_(x.rows(), outputs_),
        probability_(x.rows(), outputs_),
        gradient_(x.columns(), outputs_),
        h_(x.rows()),
        residual_(x.rows()),
        curvature_(x.columns()) {
    start_at_intercepts();
    update_gradient();
  }

  /// The smallest penalty that keeps every weight at zero.
  double largest_penalty() const {
    double top = 0;
    for (std::size_t k = 0; k < outputs_; ++k)
      for (const double g : gradient_.column(k)) top = std::max(top, std::abs(g));
    return top;
  }
  /// Part of the null model's loss that is explained.
  double explained() const { return 1 - loss_ / null_loss_; }

  LinearModel fit(double penalty, double previous) {
    choose_strong(penalty, previous);
    bool converged = false;
    // The strong rule may be wrong; then the features it left out are let in and the fit goes on.
    for (int round = 0; round < 10; ++round) {
      converged = descend(penalty);
      update_gradient();
      if (!let_in_violators(penalty)) break;
    }
    return {classes_, weight_, bias_, converged};
  }

 private:
  void start_at_intercepts() {
    std::vector<double> count(classes_, 0.0);
    for (const std::int64_t label : labels_) ++count[static_cast<std::size_t>(label)];
    if (outputs_ == 1) {
      bias_[0] = std::log(count[1] / count[0]);
    } else {
      // A class without rows (possible in an inner fold) starts as if it had half a row.
      for (std::size_t k = 0; k < outputs_; ++k) bias_[k] = std::log(std::max(count[k], 0.5) / n_);
    }
    for (std::size_t k = 0; k < outputs_; ++k) std::ranges::fill(scores_.column(k), bias_[k]);
    refresh();
    null_loss_ = loss_;
  }

  double wanted(std::size_t row, std::size_t k) const {
    return labels_[row] == (outputs_ == 1 ? 1 : static_cast<std::int64_t>(k)) ? 1.0 : 0.0;
  }

  void refresh() {
    probability_ = scores_;
    loss_ = logistic::to_probabilities(probability_, labels_) / n_;
  }

  /// gradient(j, k) = (1 / n) sum_i x_ij (y_ik - p_ik): the pull on each weight.
  void update_gradient() {
    for (std::size_t k = 0; k < outputs_; ++k) {
      const auto p = probability_.column(k);
      for (std::size_t i = 0; i < p.size(); ++i) residual_[i] = wanted(i, k) - p[i];
      auto g = gradient_.column(k);
      for (std::size_t j = 0; j < g.size(); ++j) g[j] = dot(x_.column(j), residual_) / n_;
    }
  }

  void choose_strong(double penalty, double previous) {
    strong_.assign(outputs_, {});
    inside_ = std::vector<std::vector<bool>>(outputs_, std::vector<bool>(x_.columns(), false));
    for (std::size_t k = 0; k < outputs_; ++k)
      for (std::size_t j = 0; j < x_.columns(); ++j)
        if (weight_(j, k) != 0 || std::abs(gradient_(j, k)) >= 2 * penalty - previous) let_in(j, k);
  }
  void let_in(std::size_t j, std::size_t k) {
    inside_[k][j] = true;
    strong_[k].push_back(j);
  }
  bool let_in_violators(double penalty) {
    bool any = false;
    for (std::size_t k = 0; k < outputs_; ++k)
      for (std::size_t j = 0; j < x_.columns(); ++j)
        if (!inside_[k][j] && std::abs(gradient_(j, k)) > penalty * (1 + 1e-9)) {
          let_in(j, k);
          any = true;
        }
    return any;
  }

  bool descend(double penalty) {
    for (int iteration = 0; iteration < options_.max_iterations; ++iteration) {
      double change = 0;
      for (std::size_t k = 0; k < outputs_; ++k) {
        change = std::max(change, descend_one(k, penalty));
        refresh();
      }
      if (change < options_.tolerance) return true;
    }
    return false;
  }

  /// Minimises the quadratic model of score column k; returns its first sweep's largest effect, which is
  /// what this column was still away from its optimum.
  double descend_one(std::size_t k, double penalty) {
    const auto p = probability_.column(k);
    double total = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      h_[i] = std::max(p[i] * (1 - p[i]), 1e-5);
      residual_[i] = wanted(i, k) - p[i];
      total += h_[i];
    }
    std::ranges::fill(curvature_, -1.0);
    const std::vector<double> before(weight_.column(k).begin(), weight_.column(k).end());
    const double bias_before = bias_[k];

    const double first = sweep(strong_[k], k, penalty, total);
    double change = first;
    for (int round = 0; change >= options_.tolerance && round < 1000; ++round) {
      std::vector<std::size_t> active;
      for (const std::size_t j : strong_[k])
        if (weight_(j, k) != 0) active.push_back(j);
      for (int inner = 0; inner < 1000 && sweep(active, k, penalty, total) >= options_.tolerance; ++inner) {
      }
      change = sweep(strong_[k], k, penalty, total);
    }

    auto z = scores_.column(k);
    for (double& value : z) value += bias_[k] - bias_before;
    for (const std::size_t j : strong_[k])
      if (const double d = weight_(j, k) - before[j]; d != 0) add_scaled(z, d, x_.column(j));
    return first;
  }

  /// One pass over `features` and the intercept. residual_ holds h times the working residual.
  double sweep(const std::vector<std::size_t>& features, std::size_t k, double penalty, double total) {
    double change = 0;
    for (const std::size_t j : features) {
      const auto column = x_.column(j);
      double& curvature = curvature_[j];
      if (curvature < 0) {
        double sum = 0;
        for (std::size_t i = 0; i < column.size(); ++i) sum += h_[i] * column[i] * column[i];
        curvature = sum / n_;
      }
      if (curvature <= 0) continue;  // a constant column
      double& w = weight_(j, k);
      const double pull = dot(column, residual_) / n_ + curvature * w;
      const double shrunk = std::max(std::abs(pull) - penalty, 0.0);
      const double d = std::copysign(shrunk, pull) / curvature - w;
      if (d == 0) continue;
      w += d;
      if (std::abs(w) < 1e-300) w = 0;
      for (std::size_t i = 0; i < column.size(); ++i) residual_[i] -= d * h_[i] * column[i];
      change = std::max(change, curvature * d * d);
    }
    double sum = 0;
    for (const double r : residual_) sum += r;
    const double d = sum / total;
    bias_[k] += d;
    add_scaled(residual_, -d, h_);
    return std::max(change, total / n_ * d * d);
  }

  const Matrix& x_;
  data::Labels labels_;
  std::size_t classes_;
  L1Options options_;
  double n_;
  std::size_t outputs_;
  Matrix weight_;
  std::vector<double> bias_;
  Matrix scores_, probability_, gradient_;
  std::vector<double> h_, residual_, curvature_;
  std::vector<std::vector<std::size_t>> strong_;
  std::vector<std::vector<bool>> inside_;
  double loss_ = 0, null_loss_ = 0;
};

}  // namespace

L1Path fit_l1_path(const Matrix& x, data::Labels labels, std::size_t classes, const L1Options& options,
                   std::span<const double> penalties) {
  logistic::check("l1 logistic regression", x, labels, classes);
  PathFit fit(x, labels, classes, options);
  L1Path path;
  const double top = fit.largest_penalty() * (1 + 1e-9);  // beyond rounding, so that the path begins with zeros
  path.penalties.assign(penalties.begin(), penalties.end());
  if (penalties.empty()) {
    const double step = std::log(options.smallest_ratio) / std::max(1, options.penalties - 1);
    for (int i = 0; i < options.penalties; ++i) path.penalties.push_back(top * std::exp(step * i));
  }
  double previous = std::max(top, path.penalties.front());
  for (const double penalty : path.penalties) {
    path.models.push_back(fit.fit(penalty, previous));
    previous = penalty;
    // Beyond this the rows are separated and weights only grow: the rest of the path is the same classifier.
    if (fit.explained() > 0.995) break;
  }
  return path;
}

L1Fit fit_l1_cv(const Matrix& x, data::Labels labels, std::size_t classes, std::span<const data::Split> folds,
                const data::NamedMetric& score, const L1Options& options) {
  logistic::check("l1 logistic regression", x, labels, classes);
  L1Fit result;
  const L1Path all = fit_l1_path(x, labels, classes, options);
  result.penalties = all.penalties;
  // The folds only rank the penalties, for which coarser fits are enough.
  L1Options coarse = options;
  coarse.tolerance *= 1e3;
  result.scores = logistic::fold_scores(
      x, labels, classes, folds, score, all.penalties.size(), [&](const Matrix& inside, data::Labels inside_labels) {
        return fit_l1_path(inside, inside_labels, classes, coarse, all.penalties).models;
      });
  // max_element keeps the first, which is the larger penalty.
  const auto best = static_cast<std::size_t>(std::ranges::max_element(result.scores) - result.scores.begin());
  result.penalty = result.penalties[best];
  result.model = all.models[std::min(best, all.models.size() - 1)];
  return result;
}

}  // namespace weft::study
