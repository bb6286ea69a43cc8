#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <weft/data/signal.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;

namespace {

using Doubles = std::vector<double>;

/// (1, 1, T)
Tensor one(const Doubles& values) { return from(values, {1, 1, static_cast<std::int64_t>(values.size())}); }

Tensor ramp(std::int64_t batch, std::int64_t channels, std::int64_t steps) {
  Doubles all;
  for (std::int64_t row = 0; row < batch * channels; ++row)
    for (std::int64_t t = 0; t < steps; ++t) all.push_back(static_cast<double>(100 * row + t));
  return from(all, {batch, channels, steps});
}

}  // namespace

TEST_CASE("check_finite: says which sample, channel and step") {
  Tensor x = zeros({4, 3, 5});
  CHECK(error_of([&] { check_finite("ecg", x); }) == "nothing");
  float* at = x.mutable_data<float>();
  at[(3 * 3 + 1) * 5 + 2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(error_of([&] { check_finite("ecg", x); }) ==
        "ConfigError: ecg: nan at sample 3, channel 1, step 2; 1 of 60 numbers is not finite\n  help: mask or fill the "
        "gaps, or leave these samples out");
  at[5] = -std::numeric_limits<float>::infinity();
  CHECK(error_of([&] { check_finite("ecg", x); }) ==
        "ConfigError: ecg: an infinite number at sample 0, channel 1, step 0; 2 of 60 numbers are not finite\n  help: "
        "mask or fill the gaps, or leave these samples out");
  const Tensor table = from(Doubles{0, 1, 2, std::nan(""), 4, 5}, {3, 2});
  CHECK(error_of([&] {
          check_finite("table", table);
        }).starts_with("ConfigError: table: nan at sample 1, column 1; 1 of 6 numbers is"));
  const Tensor image = from(Doubles{0, 1, std::nan(""), 3}, {1, 1, 2, 2});
  CHECK(error_of([&] {
          check_finite("image", image);
        }).starts_with("ConfigError: image: nan at axis 0 0, axis 1 0, axis 2 1, axis 3 0; 1 of 4"));
  CHECK(error_of([&] { check_finite("counts", ones({2, 2}, DType::int64)); }) == "nothing");
}

TEST_CASE("signals: the baseline is a channel's median") {
  const Tensor x = from(Doubles{1, 9, 5, 2, 4, 0, 8, 1}, {1, 2, 4});
  CHECK(to_vector<double>(remove_baseline(x)) == Doubles{-2.5, 5.5, 1.5, -1.5, 1.5, -2.5, 5.5, -1.5});
  CHECK(to_vector<double>(remove_baseline(one({3, 1, 7}))) == Doubles{0, -2, 4});
}

TEST_CASE("group_median: each signal's is that of its group") {
  const Tensor x = from(Doubles{1, 9, 50, 60, 3, 5, 2, 7}, {4, 1, 2});
  const std::vector<std::int64_t> groups = {4, -1, 4, 4};
  CHECK(to_vector<double>(group_median(x, groups)) == Doubles{2, 7, 50, 60, 2, 7, 2, 7});
  CHECK(error_of([&] { group_median(ones({3, 1, 2}), groups); }) == "ShapeError: group_median: 3 signals, 4 groups");
}

TEST_CASE("shift_signals: every shift up to the most, edges repeated, channels together") {
  Generator g{.seed = 1};
  std::set<double> seen;
  for (int i = 0; i < 40; ++i) {
    const Doubles y = to_vector<double>(shift_signals(ramp(2, 2, 6), 2, g));
    for (std::size_t b = 0; b < 2; ++b) {
      const double by = -(y[12 * b + 3] - 200 * static_cast<double>(b) - 3);
      seen.insert(by);
      for (std::size_t row = 2 * b; row < 2 * b + 2; ++row)
        for (std::size_t t = 0; t < 6; ++t)
          CHECK(y[6 * row + t] == 100 * static_cast<double>(row) + std::clamp(static_cast<double>(t) - by, 0.0, 5.0));
    }
  }
  CHECK(seen == std::set<double>{-2, -1, 0, 1, 2});
}

TEST_CASE("scale_signals: one factor per signal, with the deviation asked for") {
  Generator g{.seed = 2};
  const Doubles y = to_vector<double>(scale_signals(ones({4000, 2, 2}, DType::float64), 0.2, g));
  double total = 0, squares = 0;
  for (std::size_t b = 0; b < 4000; ++b) {
    for (std::size_t i = 1; i < 4; ++i) CHECK(y[4 * b + i] == y[4 * b]);
    const double z = std::log(y[4 * b]);
    total += z / 4000, squares += z * z / 4000;
  }
  CHECK(std::abs(total) < 0.015);
  CHECK(std::sqrt(squares) == doctest::Approx(0.2).epsilon(0.05));
}

TEST_CASE("add_noise: of its deviation, new each time") {
  Generator g{.seed = 3};
  const Tensor x = zeros({10, 2, 1000});
  const std::vector<float> y = to_vector<float>(add_noise(x, 0.5, g)), again = to_vector<float>(add_noise(x, 0.5, g));
  double squares = 0;
  for (const float v : y) squares += v * v / 20000.0;
  CHECK(std::sqrt(squares) == doctest::Approx(0.5).epsilon(0.03));
  CHECK(y != again);
}

TEST_CASE("add_baseline_wander: slow and no larger than asked for") {
  Generator g{.seed = 4};
  const Doubles y = to_vector<double>(add_baseline_wander(zeros({50, 1, 100}, DType::float64), 0.3, 1, g));
  double largest = 0, steepest = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    if (i % 100 > 0) steepest = std::max(steepest, std::abs(y[i] - y[i - 1]));
  }
  CHECK(largest <= 0.3);
  CHECK(largest > 0.25);
  CHECK(steepest <= 0.3 * 2 * 3.1416 / 100);
}

TEST_CASE("stretch_signals: a line about its middle becomes another line") {
  Generator g{.seed = 5};
  double least = 9, most = 0;
  for (int i = 0; i < 100; ++i) {
    const Doubles y = to_vector<double>(stretch_signals(ramp(1, 1, 101), 0.2, g));
    const double factor = y[60] - y[59];
    least = std::min(least, factor), most = std::max(most, factor);
    for (std::size_t t = 0; t < 101; ++t)
      CHECK(y[t] == doctest::Approx(std::clamp((static_cast<double>(t) - 50) * factor + 50, 0.0, 100.0)));
  }
  CHECK(least >= 0.8);
  CHECK(least < 0.85);
  CHECK(most <= 1.2);
  CHECK(most > 1.15);
}

TEST_CASE("erase_signals: one stretch, anywhere, in all channels") {
  Generator g{.seed = 6};
  std::set<std::size_t> begins;
  for (int i = 0; i < 60; ++i) {
    const Doubles y = to_vector<double>(erase_signals(ones({1, 2, 7}, DType::float64), 3, g));
    const auto begin = static_cast<std::size_t>(std::find(y.begin(), y.end(), 0.0) - y.begin());
    begins.insert(begin);
    for (std::size_t t = 0; t < 7; ++t) {
      CHECK(y[t] == (t >= begin && t < begin + 3 ? 0 : 1));
      CHECK(y[7 + t] == y[t]);
    }
  }
  CHECK(begins == std::set<std::size_t>{0, 1, 2, 3, 4});
}

TEST_CASE("augment_signals: nothing asked for changes nothing; all of it comes again from one seed; x stays") {
  const Tensor x = ramp(3, 2, 16);
  const Doubles before = to_vector<double>(x);
  Generator g{.seed = 7};
  CHECK(to_vector<double>(augment_signals(x, {}, g)) == before);
  CHECK(g.offset == 0);
  const SignalAugmentation all{.shift = 2, .stretch = 0.1, .scale = 0.1, .wander = 0.1, .noise = 0.1, .erase = 3};
  Generator a{.seed = 8}, b{.seed = 8}, c{.seed = 9};
  const Doubles y = to_vector<double>(augment_signals(x, all, a));
  CHECK(y == to_vector<double>(augment_signals(x, all, b)));
  CHECK(y != to_vector<double>(augment_signals(x, all, c)));
  CHECK(to_vector<double>(x) == before);
}

TEST_CASE("signals: errors") {
  Generator g;
  CHECK(error_of([&] { add_noise(zeros({2, 3}), 1, g); }) == "ShapeError: add_noise: x [2, 3] is not (B, C, T)");
  CHECK(error_of([&] {
          remove_baseline(zeros({1, 2, 3}, DType::int32));
        }) == "DtypeError: remove_baseline: x is int32\n  help: convert to float32 first");
  CHECK(error_of([&] {
          shift_signals(zeros({1, 1, 4}), 4, g);
        }) == "ConfigError: shift_signals: at most 4 of 4 steps\n  help: choose 0 to 3");
  CHECK(error_of([&] {
          scale_signals(zeros({1, 1, 4}), -1, g);
        }) == "ConfigError: scale_signals: deviation is -1\n  help: choose 0 or more");
  CHECK(error_of([&] {
          add_baseline_wander(zeros({1, 1, 4}), 1, -2, g);
        }) == "ConfigError: add_baseline_wander: cycles is -2\n  help: choose 0 or more");
  CHECK(error_of([&] {
          stretch_signals(zeros({1, 1, 4}), 1, g);
        }) == "ConfigError: stretch_signals: at most 1\n  help: choose from [0, 1)");
  CHECK(error_of([&] {
          erase_signals(zeros({1, 1, 4}), 5, g);
        }) == "ConfigError: erase_signals: 5 of 4 steps\n  help: choose 0 to 4");
}
