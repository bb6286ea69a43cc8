#include <weft/study/linear.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include <weft/study/logistic.h>
#include <weft/tensor/error.h>

namespace weft::study {

Matrix select_rows(const Matrix& x, std::span<const std::int64_t> rows) {
  Matrix out(rows.size(), x.columns());
  for (std::size_t j = 0; j < x.columns(); ++j) {
    const auto from = x.column(j);
    auto to = out.column(j);
    for (std::size_t i = 0; i < rows.size(); ++i) to[i] = from[static_cast<std::size_t>(rows[i])];
  }
  return out;
}

Matrix join_columns(std::span<const Matrix> parts) {
  std::size_t columns = 0;
  for (const Matrix& part : parts) columns += part.columns();
  Matrix out(parts.empty() ? 0 : parts[0].rows(), columns);
  std::size_t at = 0;
  for (const Matrix& part : parts)
    for (std::size_t j = 0; j < part.columns(); ++j) std::ranges::copy(part.column(j), out.column(at++).begin());
  return out;
}

namespace logistic {

double to_probabilities(Matrix& scores, data::Labels labels) {
  double loss = 0;
  if (scores.columns() == 1) {
    auto z = scores.column(0);
    for (std::size_t i = 0; i < z.size(); ++i) {
      // log(1 + exp(-|z|)) never overflows; the rest is linear.
      const double e = std::exp(-std::abs(z[i]));
      if (!labels.empty()) loss += std::log1p(e) + std::max(labels[i] ? -z[i] : z[i], 0.0);
      z[i] = (z[i] >= 0 ? 1.0 : e) / (1 + e);
    }
    return loss;
  }
  for (std::size_t i = 0; i < scores.rows(); ++i) {
    double top = scores(i, 0);
    for (std::size_t k = 1; k < scores.columns(); ++k) top = std::max(top, scores(i, k));
    double sum = 0;
    if (!labels.empty()) loss += top - scores(i, static_cast<std::size_t>(labels[i]));
    for (std::size_t k = 0; k < scores.columns(); ++k) sum += scores(i, k) = std::exp(scores(i, k) - top);
    if (!labels.empty()) loss += std::log(sum);
    for (std::size_t k = 0; k < scores.columns(); ++k) scores(i, k) /= sum;
  }
  return loss;
}

void check(const char* what, const Matrix& x, data::Labels labels, std::size_t classes) {
  if (x.rows() != labels.size()) throw ConfigError(text(what, ": ", x.rows(), " rows but ", labels.size(), " labels"));
  std::vector<bool> seen(classes, false);
  std::size_t distinct = 0;
  for (const std::int64_t label : labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= classes)
      throw ConfigError(text(what, ": label ", label, " is outside [0, ", classes, ")"));
    if (!seen[static_cast<std::size_t>(label)]) {
      seen[static_cast<std::size_t>(label)] = true;
      ++distinct;
    }
  }
  if (distinct < 2) throw ConfigError(text(what, ": the rows have ", distinct, " class, at least 2 are needed"));
}

std::vector<double> fold_scores(const Matrix& x, data::Labels labels, std::size_t classes,
                                std::span<const data::Split> folds, const data::NamedMetric& score, std::size_t count,
                                const PathFitter& fit) {
  const auto labels_of = [&](std::span<const std::int64_t> rows) {
    std::vector<std::int64_t> out;
    for (const std::int64_t i : rows) out.push_back(labels[static_cast<std::size_t>(i)]);
    return out;
  };
  std::vector<double> scores(count, 0.0);
  for (const data::Split& fold : folds) {
    const std::vector<LinearModel> path = fit(select_rows(x, fold.train), labels_of(fold.train));
    const Matrix held_out = select_rows(x, fold.test);
    data::Predictions predictions{labels_of(fold.test), {}, static_cast<std::int64_t>(classes)};
    for (std::size_t i = 0; i < count; ++i) {
      predictions.probabilities = path[std::min(i, path.size() - 1)].probabilities(held_out);
      const double value = score.compute(predictions);
      scores[i] += (score.higher_is_better ? value : -value) / static_cast<double>(folds.size());
    }
  }
  return scores;
}

namespace {

void scores_into(Matrix& scores, const Matrix& x, const Matrix& weight, std::span<const double> bias) {
  for (std::size_t k = 0; k < scores.columns(); ++k) std::ranges::fill(scores.column(k), bias[k]);
  // Features outside, classes inside: one feature's column stays in the first-level cache.
  for (std::size_t j = 0; j < x.columns(); ++j)
    for (std::size_t k = 0; k < scores.columns(); ++k)
      if (const double w = weight(j, k); w != 0) add_scaled(scores.column(k), w, x.column(j));
}

/// Mean row loss + |w|^2 / (2 c rows) at theta = (weights of each score column, then biases), and its gradient.
class L2Objective {
 public:
  L2Objective(const Matrix& x, data::Labels labels, std::size_t classes, double c)
      : x_(x),
        labels_(labels),
        scores_(x.rows(), score_columns(classes)),
        weight_(x.columns(), score_columns(classes)),
        rows_(static_cast<double>(x.rows())),
        ridge_(1 / (c * rows_)) {}

  std::size_t size() const { return (x_.columns() + 1) * scores_.columns(); }

  static void split(std::span<const double> theta, Matrix& weight) {
    for (std::size_t k = 0; k < weight.columns(); ++k)
      std::ranges::copy(theta.subspan(k * weight.rows(), weight.rows()), weight.column(k).begin());
  }

  double operator()(std::span<const double> theta, std::span<double> gradient) {
    const std::size_t p = x_.columns(), outputs = scores_.columns();
    split(theta, weight_);
    scores_into(scores_, x_, weight_, theta.subspan(p * outputs));
    double value = to_probabilities(scores_, labels_) / rows_;
    for (std::size_t k = 0; k < outputs; ++k) {
      auto residual = scores_.column(k);
      const std::int64_t own = outputs == 1 ? 1 : static_cast<std::int64_t>(k);
      double sum = 0;
      for (std::size_t i = 0; i < residual.size(); ++i) sum += residual[i] -= labels_[i] == own ? 1 : 0;
      gradient[p * outputs + k] = sum / rows_;
    }
    for (std::size_t j = 0; j < p; ++j)
      for (std::size_t k = 0; k < outputs; ++k) {
        const double w = theta[k * p + j];
        gradient[k * p + j] = dot(x_.column(j), scores_.column(k)) / rows_ + ridge_ * w;
        value += 0.5 * ridge_ * w * w;
      }
    return value;
  }

 private:
  const Matrix& x_;
  data::Labels labels_;
  Matrix scores_, weight_;
  double rows_;
  double ridge_;
};

double largest(std::span<const double> values) {
  double top = 0;
  for (const double v : values) top = std::max(top, std::abs(v));
  return top;
}

struct Step {
  std::vector<double> s, y;
  double rho;
};

/// -H g by the two-loop recursion (Nocedal 1980).
std::vector<double> direction(const std::deque<Step>& history, std::span<const double> gradient) {
  std::vector<double> q(gradient.begin(), gradient.end());
  std::vector<double> alpha(history.size());
  for (std::size_t h = history.size(); h-- > 0;) {
    alpha[h] = history[h].rho * dot(history[h].s, q);
    add_scaled(q, -alpha[h], history[h].y);
  }
  const double scale = history.empty() ? 1 : 1 / (history.back().rho * dot(history.back().y, history.back().y));
  for (double& v : q) v *= -scale;
  for (std::size_t h = 0; h < history.size(); ++h) {
    const double beta = history[h].rho * dot(history[h].y, q);
    add_scaled(q, -alpha[h] - beta, history[h].s);
  }
  return q;
}

/// Minimises a smooth convex function in place; true when the gradient fell below the tolerance.
/// The step is halved until Armijo's condition holds; curvature s'y > 0 holds by strict convexity.
template <class F>
bool minimize(F& f, std::vector<double>& theta, double tolerance, int max_iterations) {
  constexpr std::size_t memory = 20;
  std::deque<Step> history;
  std::vector<double> gradient(theta.size()), next(theta.size()), next_gradient(theta.size());
  double value = f(theta, gradient);
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    if (largest(gradient) <= tolerance) return true;
    const std::vector<double> d = direction(history, gradient);
    const double slope = dot(d, gradient);
    double length = history.empty() ? 1 / std::max(1.0, largest(gradient)) : 1;
    double next_value = value;
    for (int halving = 0; halving < 40; ++halving, length *= 0.5) {
      next = theta;
      add_scaled(next, length, d);
      next_value = f(next, next_gradient);
      if (next_value <= value + 1e-4 * length * slope) break;
    }
    // No decrease that doubles can show: as good as it gets.
    if (!(next_value < value)) return largest(gradient) <= 1e3 * tolerance;
    Step step{next, next_gradient, 0};
    add_scaled(step.s, -1, theta);
    add_scaled(step.y, -1, gradient);
    const double curvature = dot(step.s, step.y);
    if (curvature > 0) {
      step.rho = 1 / curvature;
      history.push_back(std::move(step));
      if (history.size() > memory) history.pop_front();
    }
    theta.swap(next);
    gradient.swap(next_gradient);
    value = next_value;
  }
  return false;
}

}  // namespace
}  // namespace logistic

std::vector<double> LinearModel::probabilities(const Matrix& x) const {
  if (x.columns() != weight.rows())
    throw ShapeError(text("probabilities: the rows have ", x.columns(), " columns, the model ", weight.rows()));
  Matrix scores(x.rows(), weight.columns());
  logistic::scores_into(scores, x, weight, bias);
  logistic::to_probabilities(scores, {});
  std::vector<double> result;
  result.reserve(x.rows() * classes);
  for (std::size_t i = 0; i < x.rows(); ++i) {
    if (scores.columns() == 1) result.push_back(1 - scores(i, 0));
    for (std::size_t k = 0; k < scores.columns(); ++k) result.push_back(scores(i, k));
  }
  return result;
}

double LinearModel::fraction_zero() const {
  std::size_t zeros = 0;
  for (std::size_t j = 0; j < weight.rows(); ++j) {
    bool zero = true;
    for (std::size_t k = 0; k < weight.columns(); ++k) zero = zero && weight(j, k) == 0;
    zeros += zero;
  }
  return weight.rows() ? static_cast<double>(zeros) / static_cast<double>(weight.rows()) : 0;
}

LinearModel fit_l2(const Matrix& x, data::Labels labels, std::size_t classes, const L2Options& options) {
  logistic::check("logistic regression", x, labels, classes);
  logistic::L2Objective objective(x, labels, classes, options.c);
  std::vector<double> theta(objective.size(), 0.0);
  LinearModel model;
  model.classes = classes;
  model.converged = logistic::minimize(objective, theta, options.tolerance, options.max_iterations);
  const std::size_t outputs = logistic::score_columns(classes), p = x.columns();
  model.weight = Matrix(p, outputs);
  logistic::L2Objective::split(theta, model.weight);
  model.bias.assign(theta.end() - static_cast<std::ptrdiff_t>(outputs), theta.end());
  return model;
}

LinearModel fit_l2_cv(const Matrix& x, data::Labels labels, std::size_t classes, std::span<const data::Split> folds,
                      const data::NamedMetric& score, std::span<const double> strengths, const L2Options& options) {
  std::vector<double> ascending(strengths.begin(), strengths.end());
  std::ranges::sort(ascending);
  if (ascending.empty()) throw ConfigError("logistic regression: there is no penalty to choose from");
  L2Options own = options;
  const auto scores = logistic::fold_scores(x, labels, classes, folds, score, ascending.size(),
                                            [&](const Matrix& inside, data::Labels inside_labels) {
                                              std::vector<LinearModel> models;
                                              for (const double c : ascending) {
                                                own.c = c;
                                                // The folds only rank the penalties.
                                                own.tolerance = std::max(options.tolerance, 1e-5);
                                                models.push_back(fit_l2(inside, inside_labels, classes, own));
                                              }
                                              return models;
                                            });
  own = options;
  own.c = ascending[static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin())];
  return fit_l2(x, labels, classes, own);
}

}  // namespace weft::study
