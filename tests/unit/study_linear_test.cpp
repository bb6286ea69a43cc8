#include <doctest/doctest.h>

#include <cmath>

#include <weft/study/linear.h>
#include <weft/tensor/error.h>

using namespace weft;
using namespace weft::study;

namespace {

struct Problem {
  Matrix x;
  std::vector<std::int64_t> labels;
};

/// Classes that overlap: the sum of the first columns plus noise, cut into equal parts.
Problem problem(std::size_t rows, std::size_t columns, int classes, std::uint64_t seed = 1) {
  Generator g{seed, 0};
  Problem p{Matrix(rows, columns), {}};
  for (std::size_t i = 0; i < rows; ++i) {
    double score = 0;
    for (std::size_t j = 0; j < columns; ++j) p.x(i, j) = 3.4 * (g.uniform() - 0.5);
    for (std::size_t j = 0; j < 3; ++j) score += p.x(i, j);
    const double noisy = 1 / (1 + std::exp(-score - 2 * (g.uniform() - 0.5)));
    p.labels.push_back(std::min<std::int64_t>(classes - 1, static_cast<std::int64_t>(noisy * classes)));
  }
  return p;
}

/// d (mean row loss) / d w(j, k).
double gradient(const Problem& p, const LinearModel& m, std::size_t j, std::size_t k) {
  const auto probability = m.probabilities(p.x);
  const std::size_t own = m.weight.columns() == 1 ? 1 : k;
  double sum = 0;
  for (std::size_t i = 0; i < p.labels.size(); ++i)
    sum += p.x(i, j) * (probability[i * m.classes + own] - (p.labels[i] == static_cast<std::int64_t>(own) ? 1 : 0));
  return sum / static_cast<double>(p.labels.size());
}

}  // namespace

TEST_CASE("logistic regression with L2: the gradient of loss and penalty vanishes") {
  for (const int classes : {2, 3}) {
    const Problem p = problem(120, 6, classes);
    for (const double c : {0.01, 1.0, 100.0}) {
      const LinearModel m = fit_l2(p.x, p.labels, static_cast<std::size_t>(classes), {.c = c});
      CHECK(m.converged);
      for (std::size_t k = 0; k < m.weight.columns(); ++k)
        for (std::size_t j = 0; j < 6; ++j) CHECK(std::abs(gradient(p, m, j, k) + m.weight(j, k) / (c * 120)) < 1e-7);
    }
  }
}

TEST_CASE("logistic regression with L2: two columns of known numbers") {
  // scikit-learn 1.2.1: LogisticRegression(C=1, tol=1e-12)
  Problem p{Matrix(6, 2), {0, 0, 1, 0, 1, 1}};
  const double values[6][2] = {{-1, 0.5}, {-0.5, -1}, {0.2, 0.3}, {0.4, -0.8}, {0.9, 1}, {1.1, -0.2}};
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 2; ++j) p.x(i, j) = values[i][j];
  const LinearModel m = fit_l2(p.x, p.labels, 2);
  CHECK(m.weight(0, 0) == doctest::Approx(0.9047840460743141).epsilon(1e-6));
  CHECK(m.weight(1, 0) == doctest::Approx(0.6679836631712498).epsilon(1e-6));
  CHECK(m.bias[0] == doctest::Approx(-0.13899886379957382).epsilon(1e-6));
}

TEST_CASE("logistic regression with L1: the conditions of the optimum hold along the path") {
  for (const int classes : {2, 4}) {
    const Problem p = problem(150, 20, classes);
    const L1Path path = fit_l1_path(p.x, p.labels, static_cast<std::size_t>(classes), {.penalties = 8});
    REQUIRE(path.models.size() >= 4);
    CHECK(path.models[0].fraction_zero() == 1);
    CHECK(path.models.back().fraction_zero() < 0.5);
    for (std::size_t i = 0; i < path.models.size(); ++i) {
      const LinearModel& m = path.models[i];
      for (std::size_t k = 0; k < m.weight.columns(); ++k)
        for (std::size_t j = 0; j < 20; ++j) {
          const double pull = -gradient(p, m, j, k), w = m.weight(j, k);
          if (w == 0)
            CHECK(std::abs(pull) <= path.penalties[i] + 2e-5);
          else
            CHECK(std::abs(pull - std::copysign(path.penalties[i], w)) < 2e-5);
        }
    }
  }
}

TEST_CASE("logistic regression with L1: cross-validation keeps the columns that matter") {
  const Problem p = problem(200, 30, 2);
  Generator g{3, 0};
  const auto folds = data::stratified_k_fold(p.labels, 5, g);
  const L1Fit fit = fit_l1_cv(p.x, p.labels, 2, folds, data::metric("log_loss"));
  CHECK(fit.scores.size() == fit.penalties.size());
  for (std::size_t j = 0; j < 3; ++j) CHECK(fit.model.weight(j, 0) > 0.3);
  CHECK(fit.model.fraction_zero() > 0.3);
  const std::vector<double> strengths = {1e-3, 1e-1, 10};
  CHECK(fit_l2_cv(p.x, p.labels, 2, folds, data::metric("log_loss"), strengths).converged);
}

TEST_CASE("logistic regression: separated classes, constant columns, one class, wrong labels") {
  Problem p{Matrix(8, 2), {0, 0, 0, 0, 1, 1, 1, 1}};
  for (std::size_t i = 0; i < 8; ++i) p.x(i, 0) = static_cast<double>(i) - 3.5;
  const auto probability = fit_l2(p.x, p.labels, 2).probabilities(p.x);
  CHECK(probability[0 * 2 + 1] < 0.05);
  CHECK(probability[7 * 2 + 1] > 0.95);
  const L1Path path = fit_l1_path(p.x, p.labels, 2, {.penalties = 50, .smallest_ratio = 1e-6});
  for (const LinearModel& m : path.models) {
    CHECK(std::isfinite(m.weight(0, 0)));
    CHECK(m.weight(1, 0) == 0);
  }
  p.labels.assign(8, 1);
  CHECK_THROWS_WITH_AS(fit_l2(p.x, p.labels, 2), "logistic regression: the rows have 1 class, at least 2 are needed",
                       ConfigError);
  p.labels[0] = 2;
  CHECK_THROWS_WITH_AS(fit_l2(p.x, p.labels, 2), "logistic regression: label 2 is outside [0, 2)", ConfigError);
}
