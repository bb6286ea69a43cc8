#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/data/calibration.h>
#include <weft/data/split.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;

TEST_CASE("calibration: the temperature that made the labels is found, and the error falls") {
  // Labels drawn from softmax(z); a model that says 3 z is three times too sure.
  Generator g{11};
  const std::int64_t n = 20000;
  const Tensor z = randn({n, 3}, 0, 1.5, DType::float64, g), p = softmax(z, 1);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = g.uniform(), *row = p.data<double>() + 3 * i;
    labels.push_back(u < row[0] ? 0 : u < row[0] + row[1] ? 1 : 2);
  }
  const Tensor y = from(labels), too_sure = z * 3.0;
  const double t = fit_temperature(too_sure, y);
  CHECK(t == doctest::Approx(3).epsilon(0.03));
  CHECK(fit_temperature(z * 0.25, y) == doctest::Approx(0.25).epsilon(0.03));
  const Predictions before = at_temperature(too_sure, y, 1), after = at_temperature(too_sure, y, t);
  CHECK(calibration_error(before) > 0.1);
  CHECK(calibration_error(after) < 0.02);
  CHECK(before.predicted() == after.predicted());
  // It is the least: a little more or less is worse.
  CHECK(log_loss(after) < log_loss(at_temperature(too_sure, y, t * 1.05)));
  CHECK(log_loss(after) < log_loss(at_temperature(too_sure, y, t / 1.05)));
}

TEST_CASE("calibration: all right or all wrong gives the end of the range; wrong input says so") {
  const Tensor z = reshape(from(std::vector<double>{2, 0, 0, 3}), {2, 2});
  CHECK(fit_temperature(z, from(std::vector<std::int64_t>{0, 1})) == 0.01);
  CHECK(fit_temperature(z, from(std::vector<std::int64_t>{1, 0})) == 100);
  CHECK(error_of([&] {
          at_temperature(z, from(std::vector<std::int64_t>{0, 1}), 0);
        }) == "ConfigError: at_temperature: temperature 0, must be above 0");
  CHECK(error_of([&] {
          fit_temperature(from(std::vector<double>{1, 2}), from(std::vector<std::int64_t>{0, 1}));
        }) == "ShapeError: fit_temperature: logits [2], must be (N, C)");
  CHECK(error_of([&] {
          fit_temperature(z * std::nan(""), from(std::vector<std::int64_t>{0, 1}));
        }) == "ConfigError: fit_temperature: a logit is nan");
}

TEST_CASE("risk and coverage: by hand, ties together") {
  // Certainty .9 right, .8 wrong, .7 right and wrong.
  const Tensor p = reshape(from(std::vector<double>{0.9, 0.1, 0.8, 0.2, 0.3, 0.7, 0.7, 0.3}), {4, 2});
  const Predictions made = Predictions::of(from(std::vector<std::int64_t>{0, 1, 1, 1}), p);
  const RiskCoverage curve = risk_coverage(made);
  CHECK(curve.coverage == std::vector<double>{0.25, 0.5, 0.75, 1});
  CHECK(curve.risk[0] == 0);
  CHECK(curve.risk[1] == 0.5);
  CHECK(curve.risk[2] == doctest::Approx(0.5));  // one half of the two at .7
  CHECK(curve.risk[3] == 0.5);
  CHECK(curve.area == doctest::Approx(0.375));
  CHECK(curve.at(1) == 0.5);
  CHECK(curve.at(0.3) == 0);
  CHECK(curve.at(0.01) == 0);
  const RiskCoverage backwards = risk_coverage(made, std::vector<double>{1, 4, 2, 3});
  CHECK(backwards.risk[0] == 1);
  CHECK(backwards.risk[1] == 1);
  CHECK(backwards.area > curve.area);
  CHECK(error_of([&] { curve.at(0); }) == "ConfigError: risk_coverage: a share of 0 is not in (0, 1]");
  CHECK(error_of([&] { risk_coverage(made, std::vector<double>{1}); }) ==
        "ShapeError: risk_coverage: 4 samples, 1 certainties");
}

TEST_CASE("corrections for many comparisons") {
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const std::vector<double> by_holm = {0.03, 0.06, 0.06, 0.02}, by_rate = {0.02, 0.04, 0.04, 0.02};
  for (std::size_t i = 0; i < p.size(); ++i) {
    CHECK(holm(p)[i] == doctest::Approx(by_holm[i]));
    CHECK(benjamini_hochberg(p)[i] == doctest::Approx(by_rate[i]));
  }
  CHECK(holm(std::vector<double>{0.6, 0.9}) == std::vector<double>{1, 1});
  CHECK(holm({}).empty());
  CHECK(error_of([] { holm(std::vector<double>{1.5}); }) == "ConfigError: holm: 1.5 is not a p-value");
}

TEST_CASE("splits: each site once, and the future never before the past") {
  const std::vector<std::int64_t> sites = {2, 0, 2, 1, 0, 2};
  const std::vector<Split> out = leave_one_group_out(sites);
  REQUIRE(out.size() == 3);
  CHECK(out[0].test == std::vector<std::int64_t>{1, 4});
  CHECK(out[0].train == std::vector<std::int64_t>{0, 2, 3, 5});
  CHECK(out[2].test == std::vector<std::int64_t>{0, 2, 5});
  CHECK(error_of([] {
          leave_one_group_out(std::vector<std::int64_t>{3, 3});
        }) == "ConfigError: leave_one_group_out: there is one group only");
  const std::vector<double> time = {5, 1, 4, 2, 3, 4};
  const Split split = time_split(time, 0.4);
  CHECK(split.train == std::vector<std::int64_t>{1, 3, 4});
  CHECK(split.test == std::vector<std::int64_t>{0, 2, 5});  // both of time 4, so that no moment is on both sides
  CHECK(error_of([] {
          time_split(std::vector<double>{1, 1, 1}, 0.5);
        }) == "ConfigError: time_split: 3 rows at 1 moments leave nothing to train on or nothing to test");
  CHECK(error_of([] {
          time_split(std::vector<double>{1, std::nan("")}, 0.5);
        }) == "ConfigError: time_split: the time of row 1 is nan");
}
