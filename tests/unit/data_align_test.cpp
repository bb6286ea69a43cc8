#include <doctest/doctest.h>
#include <limits>

#include <weft/data/align.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
using Samples = std::vector<std::vector<Entries>>;
using Floats = std::vector<float>;

Aligned aligned(const Samples& samples, const std::vector<double>& grid, const AlignOptions& options = {}) {
  return align(samples, grid, options);
}

}  // namespace

TEST_CASE("align: the last value is carried forward, and before the first entry there is none") {
  const Samples one = {{{{1.5, 4}, {10, 20}}, {}}};
  const Aligned a = aligned(one, {0, 1, 2, 3, 4, 6});
  CHECK(a.values.shape() == Shape{1, 2, 6});
  CHECK(a.mask.dtype() == DType::boolean);
  CHECK(to_vector<float>(a.values) == Floats{0, 0, 10, 10, 20, 20, 0, 0, 0, 0, 0, 0});
  CHECK(to_vector<float>(a.mask) == Floats{0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0});
  CHECK(to_vector<float>(a.since) == Floats{0, 1, 0.5, 1.5, 0, 2, 0, 1, 2, 3, 4, 6});
  CHECK(a.channels().shape() == Shape{1, 6, 6});
}

TEST_CASE("align: lines between entries; the last value is held") {
  const Samples one = {{{{1, 3}, {10, 20}}}};
  const Aligned a = aligned(one, {0, 1, 1.5, 2, 3, 9}, {.method = AlignMethod::linear});
  CHECK(to_vector<float>(a.values) == Floats{0, 10, 12.5, 15, 20, 20});
  CHECK(to_vector<float>(a.mask) == Floats{0, 1, 1, 1, 1, 1});
  CHECK(to_vector<float>(a.since) == Floats{0, 0, 0.5, 1, 0, 6});
}

TEST_CASE("align: entries that are too old no longer hold") {
  const Samples one = {{{{0, 5}, {1, 7}}}};
  for (const AlignMethod method : {AlignMethod::carry_forward, AlignMethod::linear}) {
    const Aligned a = aligned(one, {0, 2, 3, 5, 7, 8}, {.method = method, .max_age = 2});
    CHECK(to_vector<float>(a.mask) == Floats{1, 1, 0, 1, 1, 0});
    CHECK(to_vector<float>(a.values)[2] == 0);
    CHECK(to_vector<float>(a.since) == Floats{0, 2, 3, 0, 2, 3});
  }
}

TEST_CASE("align: any order; of entries with one time the last counts; NaN was not measured") {
  const Samples one = {{{{5, 1, 1, 3, 3}, {50, 9, 10, missing, missing}}}};
  const Aligned a = aligned(one, {0, 1, 3, 5});
  CHECK(to_vector<float>(a.values) == Floats{0, 10, 10, 50});
  CHECK(to_vector<float>(a.since) == Floats{0, 0, 2, 0});
  // A correction that says "not measured" does not undo what was.
  CHECK(to_vector<float>(aligned({{{{1, 1}, {4, missing}}}}, {1}).values) == Floats{4});
}

TEST_CASE("align: samples do not touch one another, and channels lie side by side") {
  const Samples two = {{{{0}, {1}}, {{1}, {2}}}, {{{1}, {3}}, {}}};
  const Aligned a = aligned(two, {0, 1});
  CHECK(to_vector<float>(a.values) == Floats{1, 1, 0, 2, 0, 3, 0, 0});
  CHECK(to_vector<float>(a.channels()) == Floats{1, 1, 0, 2, /* mask */ 1, 1, 0, 1, /* since */ 0, 1, 0, 0,
                                                 0, 3, 0, 0, /* mask */ 0, 1, 0, 0, /* since */ 0, 0, 0, 1});
  CHECK(aligned({}, {0, 1}).values.shape() == Shape{0, 0, 2});
}

TEST_CASE("align: the grid of a signal") {
  CHECK(time_grid(10, 4, 3) == std::vector<double>{10, 10.25, 10.5});
  CHECK(
      error_of([] { time_grid(0, 0, 3); }) ==
      "ConfigError: time_grid: begin 0, rate 0, steps 3\n  help: choose a finite begin, and a rate and steps above 0");
}

TEST_CASE("align: errors name what is wrong and where") {
  const std::vector<double> grid = {0, 1};
  const auto error = [&](const Samples& s) { return error_of([&] { align(s, grid); }); };
  CHECK(error({{{{0}, {1}}}, {{{0, missing}, {1, 2}}}}) ==
        "ConfigError: align: sample 1, variable 0: the time of entry 1 is nan\n  help: leave out entries without a "
        "time");
  CHECK(error({{{{0}, {infinity}}}}) == "ConfigError: align: sample 0, variable 0: the value of entry 0 is inf");
  CHECK(error({{{{0}, {1, 2}}}}) == "ShapeError: align: sample 0, variable 0: 1 times, 2 values");
  CHECK(error({{{}}, {}}) ==
        "ShapeError: align: sample 1 has 0 variables, sample 0 has 1\n  help: give empty entries for what a sample "
        "lacks");
  const auto grid_error = [](const std::vector<double>& g) { return error_of([&] { align(Samples{}, g); }); };
  CHECK(grid_error({}) == "ConfigError: align: the grid has no times");
  CHECK(grid_error({0, missing}) == "ConfigError: align: time 1 of the grid is nan");
  CHECK(grid_error({0, 1, 1}) == "ConfigError: align: the grid does not ascend: time 2 is 1 after 1");
  CHECK(error_of([&] { align(Samples{}, grid, {.max_age = -1}); }) ==
        "ConfigError: align: max_age is -1\n  help: choose 0 or more");
}
