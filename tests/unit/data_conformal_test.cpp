#include <doctest/doctest.h>

#include <cmath>

#include <weft/data/conformal.h>
#include <weft/data/statistics.h>
#include <weft/tensor/random.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;

TEST_CASE("conformal: the threshold is the score of its rank, and sets hold what is at most as strange") {
  std::vector<double> scores;
  for (int i = 19; i >= 1; --i) scores.push_back(i / 100.0);  // n = 19
  const Conformal ninety = Conformal::fit(scores, 0.9);       // k = ceil(20 * 0.9) = 18
  CHECK(ninety.threshold == doctest::Approx(0.18));
  CHECK(ninety.rows == 19);
  CHECK(ninety.set(std::vector<double>{0.83, 0.1, 0.07}) == std::vector<std::int64_t>{0});
  // Nothing is likely enough: the most probable class is there all the same.
  CHECK(ninety.set(std::vector<double>{0.3, 0.5, 0.2}) == std::vector<std::int64_t>{1});
  // 0.95 of 20 is the 19th, of which there is one; 0.96 would be the 20th of 19: nothing can be left out.
  CHECK(Conformal::fit(scores, 0.95).threshold == doctest::Approx(0.19));
  const Conformal all = Conformal::fit(scores, 0.96);
  CHECK(all.threshold == 1);
  CHECK(all.set(std::vector<double>{0, 1}) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("conformal: the truth is in the set as often as promised, however wrong the probabilities are") {
  Generator g{3};
  // Four classes; the model is much too sure of its scores, which only order the classes.
  const auto draw = [&](Predictions& p, std::int64_t n) {
    p.classes = 4;
    for (std::int64_t i = 0; i < n; ++i) {
      double truth[4], sum = 0, said = 0;
      for (double& v : truth) sum += v = std::exp(1.5 * g.normal());
      for (const double v : truth) said += std::pow(v, 3);
      const double u = g.uniform() * sum;
      p.labels.push_back(u < truth[0] ? 0 : u < truth[0] + truth[1] ? 1 : u < sum - truth[3] ? 2 : 3);
      for (const double v : truth) p.probabilities.push_back(std::pow(v, 3) / said);
    }
  };
  Predictions calibration, test;
  draw(calibration, 4000);
  draw(test, 4000);
  for (const double level : {0.7, 0.9}) {
    const Conformal c = Conformal::fit(conformity_scores(calibration), level);
    double covered = 0, size = 0;
    for (std::int64_t i = 0; i < test.count(); ++i) {
      const auto set = c.set(Numbers(test.probabilities).subspan(static_cast<std::size_t>(4 * i), 4));
      const std::int64_t y = test.labels[static_cast<std::size_t>(i)];
      for (const std::int64_t k : set) covered += k == y;
      size += static_cast<double>(set.size());
    }
    CHECK(covered / 4000 == doctest::Approx(level).epsilon(0.03));
    CHECK(size / 4000 < 3.5);  // and not by naming every class
  }
}

TEST_CASE("conformal: bad input says what is wrong with it") {
  CHECK(error_of([] { Conformal::fit(std::vector<double>{0.5}, 1); }) ==
        "ConfigError: conformal: level 1 is not in (0, 1)");
  CHECK(error_of([] { Conformal::fit({}, 0.9); }) == "ConfigError: conformal: there are no calibration rows");
  CHECK(error_of([] { Conformal::fit(std::vector<double>{1.5}, 0.9); }) ==
        "ConfigError: conformal: a score is 1.5, not in [0, 1]");
  CHECK(error_of([] { Conformal().set({}); }) == "ConfigError: conformal: there are no classes");
  CHECK(error_of([] {
          conformity_scores({{2}, {0.5, 0.5}, 2});
        }) == "ConfigError: conformal: label 2 is outside 2 classes");
}

TEST_CASE("spearman: ranks with ties, and pairs that are counted several times") {
  const std::vector<double> a = {1, 2, 2, 4}, b = {1, 3, 2, 4}, down = {9, 4, 3, 1};
  CHECK(spearman(a, b) == doctest::Approx(4.5 / std::sqrt(4.5 * 5)));  // ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4
  CHECK(spearman(b, b) == 1);
  CHECK(spearman(std::vector<double>{1, 10, 100, 1000}, down) == -1);
  CHECK(std::isnan(spearman(a, std::vector<double>{3, 3, 3, 3})));
  CHECK(std::isnan(spearman({}, {})));
  // Counting is the same as writing pairs out.
  const std::vector<std::int64_t> times = {3, 0, 2, 1};
  const std::vector<double> long_a = {1, 1, 1, 2, 2, 4}, long_b = {1, 1, 1, 2, 2, 4};
  CHECK(Spearman(a, b)(times) == doctest::Approx(spearman(long_a, long_b)));
  const std::vector<std::int64_t> more = {1, 2, 1, 3};
  const std::vector<double> all_a = {1, 2, 2, 2, 4, 4, 4}, all_down = {9, 4, 4, 3, 1, 1, 1};
  CHECK(Spearman(a, down)(more) == doctest::Approx(spearman(all_a, all_down)));
  CHECK(error_of([&] { spearman(a, std::vector<double>{1}); }) == "ShapeError: spearman: 4 values against 1");
  CHECK(error_of([&] { spearman(std::vector<double>{NAN}, std::vector<double>{1}); }) ==
        "ConfigError: spearman: value 0 is NaN");
  CHECK(error_of([&] { Spearman(a, b)(std::vector<std::int64_t>{1}); }) ==
        "ShapeError: spearman: 1 counts for 4 pairs");
}
