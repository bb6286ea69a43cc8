#include <doctest/doctest.h>
#include <cmath>
#include <numbers>

#include <weft/data/resample.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;

namespace {

using Doubles = std::vector<double>;

/// I0 as the integral of exp(x cos angle) over a turn.
double bessel(double x) {
  constexpr int parts = 2000;
  double total = 0;
  for (int i = 0; i < parts; ++i) total += std::exp(x * std::cos(2 * std::numbers::pi * (i + 0.5) / parts)) / parts;
  return total;
}

/// As the textbook says: put up - 1 zeros after each number, convolve with the whole filter, drop the filter's delay,
/// keep each down-th.
Doubles by_the_book(const Doubles& x, std::size_t up, std::size_t down, double beta, bool edge) {
  const std::size_t slower = std::max(up, down), half = 10 * slower;
  Doubles h(2 * half + 1);
  double total = 0;
  for (std::size_t n = 0; n < h.size(); ++n) {
    const double at = static_cast<double>(n) - static_cast<double>(half);
    const double phase = at / static_cast<double>(slower);
    const double ideal = at == 0 ? 1 : std::sin(std::numbers::pi * phase) / (std::numbers::pi * phase);
    h[n] = ideal * bessel(beta * std::sqrt(std::max(0.0, 1 - phase * phase / 100))) / bessel(beta);
    total += h[n];
  }
  const std::size_t border = edge ? 4 * half : 0;  // in steps of x, more than the filter reaches
  Doubles stuffed((x.size() + 2 * border) * up);
  for (std::size_t i = 0; i < x.size() + 2 * border; ++i)
    stuffed[i * up] = x[std::min(x.size() - 1, i < border ? 0 : i - border)];
  Doubles full(stuffed.size() + h.size() - 1);
  for (std::size_t i = 0; i < stuffed.size(); ++i)
    for (std::size_t n = 0; n < h.size(); ++n) full[i + n] += stuffed[i] * h[n] * static_cast<double>(up) / total;
  Doubles y;
  for (std::size_t m = 0; m * down < x.size() * up; ++m) y.push_back(full[border * up + half + m * down]);
  return y;
}

Doubles sine(double frequency, double rate, std::int64_t steps) {
  Doubles x;
  for (std::int64_t t = 0; t < steps; ++t)
    x.push_back(std::sin(2 * std::numbers::pi * frequency * static_cast<double>(t) / rate));
  return x;
}

double worst(const Doubles& a, const Doubles& b, std::size_t skip = 0) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = skip; i + skip < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

}  // namespace

TEST_CASE("resample_poly: zero-stuffed, filtered, decimated") {
  const Doubles x = {1, -2, 0.5, 3, 4, -1, 2, 0, 1.5, -0.5, 2.5, 1};
  for (const auto& [up, down] : {std::pair{3, 2}, {1, 4}, {2, 5}, {4, 1}, {2, 3}, {7, 6}}) {
    const Tensor y = resample_poly(from(x), up, down);
    CHECK(y.size(0) == (12 * up + down - 1) / down);
    const auto u = static_cast<std::size_t>(up), d = static_cast<std::size_t>(down);
    CHECK(worst(to_vector<double>(y), by_the_book(x, u, d, 5, false)) < 1e-12);
    const Tensor other = resample_poly(from(x), 2 * up, 2 * down, {.beta = 8, .border = ResampleBorder::edge});
    CHECK(worst(to_vector<double>(other), by_the_book(x, u, d, 8, true)) < 1e-12);
  }
  CHECK(to_vector<double>(resample_poly(from(x), 5, 5)) == x);
}

TEST_CASE("resample_poly: keeps what the new rate can hold and stops what would alias") {
  // 360 Hz to 90 Hz holds up to 45 Hz: 5 Hz stays, 60 Hz would come back as 30 Hz.
  const Doubles slow = to_vector<double>(resample_poly(from(sine(5, 360, 1440)), 90, 360));
  CHECK(worst(slow, sine(5, 90, 360), 20) < 0.003);
  const Doubles fast = to_vector<double>(resample_poly(from(sine(60, 360, 1440)), 1, 4));
  CHECK(worst(fast, Doubles(360), 20) < 0.005);
  CHECK(worst(to_vector<double>(resample_poly(from(sine(5, 90, 360)), 4, 1)), sine(5, 360, 1440), 80) < 0.003);
}

TEST_CASE("resample_poly: each signal of a batch, in its type; a constant stays one with repeated edges") {
  Tensor x = full({2, 3, 10}, 2);
  const Tensor y = resample_poly(x, 3, 2, {.border = ResampleBorder::edge});
  CHECK(y.dtype() == DType::float32);
  CHECK(y.shape() == Shape{2, 3, 15});
  for (const float v : to_vector<float>(y)) CHECK(v == doctest::Approx(2).epsilon(0.001));
  // With zeros outside, what lies near the end is not what it was.
  CHECK(std::abs(to_vector<float>(resample_poly(x, 3, 2))[14] - 2) > 0.1F);
  x.mutable_data<float>()[45] = 9;  // the second signal of the second sample
  const std::vector<float> before = to_vector<float>(y),
                           after = to_vector<float>(resample_poly(x, 3, 2, {.border = ResampleBorder::edge}));
  for (std::size_t i = 0; i < before.size(); ++i)
    if (i < 60 || i >= 75) CHECK(before[i] == after[i]);
  CHECK(before != after);
  CHECK(resample_poly(zeros({2, 0}), 3, 2).shape() == Shape{2, 0});
}

TEST_CASE("resample_linear: lines between uneven times, held outside") {
  const Doubles times = {0, 1, 4}, grid = {4, -1, 0.5, 2.5, 9, 1};
  const Tensor x = from(Doubles{0, 10, 40, 1, 1, -2}, {2, 3});
  CHECK(to_vector<double>(resample_linear(x, times, grid)) == Doubles{40, 0, 5, 25, 40, 10, -2, 1, 1, -0.5, -2, 1});
  CHECK(resample_linear(x, times, Doubles{}).shape() == Shape{2, 0});
}

TEST_CASE("resample: errors") {
  const Tensor x = zeros({2, 3});
  const Doubles grid = {0};
  CHECK(error_of([&] { resample_poly(x, 0, 2); }) ==
        "ConfigError: resample_poly: up 0, down 2\n  help: choose 1 or more for each");
  CHECK(error_of([&] { resample_poly(x, 1, 2, {.beta = -1}); }) ==
        "ConfigError: resample_poly: beta -1, half_width 10\n  help: choose beta from 0 to 500 and half_width 1 or "
        "more");
  CHECK(error_of([&] { resample_poly(x, 100000007, 2); }) ==
        "ConfigError: resample_poly: a filter for 100000007 / 2 would be too long\n  help: choose a ratio of smaller "
        "numbers");
  CHECK(error_of([&] {
          resample_poly(zeros({2, 3}, DType::int64), 1, 2);
        }) == "DtypeError: resample_poly: x is int64\n  help: convert to float32 first");
  CHECK(error_of([&] { resample_poly(scalar(1), 1, 2); }) == "ShapeError: resample_poly: x has no axis of time");
  CHECK(error_of([&] {
          resample_linear(x, Doubles{0, 1}, grid);
        }) == "ShapeError: resample_linear: x [2, 3] has 3 steps, there are 2 times");
  CHECK(error_of([&] {
          resample_linear(x, Doubles{0, 2, 2}, grid);
        }) ==
        "ConfigError: resample_linear: times do not ascend: time 2 is 2 after 2\n  help: sort the times, and leave "
        "each in once");
  CHECK(error_of([&] {
          resample_linear(x, Doubles{0, 1, std::nan("")}, grid);
        }) == "ConfigError: resample_linear: time 2 is nan");
  CHECK(error_of([&] {
          resample_linear(x, Doubles{0, 1, 2}, Doubles{std::nan("")});
        }) == "ConfigError: resample_linear: time 0 of the grid is nan");
}
