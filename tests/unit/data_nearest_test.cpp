#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/data/nearest.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using weft::tests::error_of;

namespace {

using Ints = std::vector<std::int64_t>;
using Doubles = std::vector<double>;

/// Every pair by itself, all sorted.
std::vector<std::pair<double, std::int64_t>> by_hand(const Doubles& q, const Doubles& x, std::size_t width,
                                                     Closeness closeness, std::int64_t except) {
  std::vector<std::pair<double, std::int64_t>> out;
  for (std::size_t i = 0; i < x.size() / width; ++i) {
    double difference = 0, product = 0, a = 0, b = 0;
    for (std::size_t j = 0; j < width; ++j) {
      const double u = q[j], v = x[i * width + j];
      difference += (u - v) * (u - v), product += u * v, a += u * u, b += v * v;
    }
    const double cosine = a > 0 && b > 0 ? product / (std::sqrt(a) * std::sqrt(b)) : 0;
    if (static_cast<std::int64_t>(i) != except)
      out.emplace_back(closeness == Closeness::euclidean ? std::sqrt(difference) : 1 - cosine, i);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void check(const Nearest& found, const Tensor& queries, const Tensor& x, Closeness closeness, bool others) {
  const auto width = static_cast<std::size_t>(x.size(1));
  const Doubles all = to_vector<double>(x), q = to_vector<double>(queries),
                distance = to_vector<double>(found.distance);
  const Ints index = to_vector<std::int64_t>(found.index);
  const auto k = static_cast<std::size_t>(found.index.size(1));
  for (std::size_t i = 0; i < q.size() / width; ++i) {
    const Doubles one(q.begin() + static_cast<std::ptrdiff_t>(i * width),
                      q.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    const auto expected = by_hand(one, all, width, closeness, others ? static_cast<std::int64_t>(i) : -1);
    for (std::size_t j = 0; j < k; ++j) {
      REQUIRE(index[i * k + j] == expected[j].second);
      REQUIRE(distance[i * k + j] == doctest::Approx(expected[j].first).epsilon(1e-12));
    }
  }
}

}  // namespace

TEST_CASE("nearest_rows: the same as every pair by hand, over several blocks") {
  Generator g{1};
  for (const Closeness closeness : {Closeness::euclidean, Closeness::cosine})
    for (const auto& [q, n, width] : {std::array<std::int64_t, 3>{3, 10, 4}, {300, 5000, 6}, {5, 9000, 1}}) {
      if (closeness == Closeness::cosine && width == 1) continue;  // only equals
      const Tensor x = randn({n, width}, 0, 1, DType::float32, g), queries = randn({q, width}, 0, 1, DType::float32, g);
      check(nearest_rows(queries, x, 7, closeness), queries, x, closeness, false);
      check(nearest_others(queries, std::min<std::int64_t>(7, q - 1), closeness), queries, queries, closeness, true);
    }
}

TEST_CASE("nearest_rows: differences that are small beside the rows, and equals in their order") {
  // A grid with steps of 1 at 10^7: squared lengths round by about 0.02, neighbours are 1 apart; many are equally far.
  Doubles grid;
  for (int i = 0; i < 40; ++i)
    for (int j = 0; j < 40; ++j) grid.push_back(1e7 + i), grid.push_back(1e7 - j);
  const Tensor x = from(grid, {1600, 2});
  check(nearest_others(x, 9), x, x, Closeness::euclidean, true);
  // All rows equal: the first ones.
  const Nearest same = nearest_others(ones({5000, 3}), 2);
  CHECK(to_vector<std::int64_t>(same.index)[0] == 1);
  CHECK(to_vector<std::int64_t>(same.index)[2] == 0);
  CHECK(to_vector<std::int64_t>(same.index)[9999] == 1);
  // A row of zeros points nowhere.
  const Nearest zero = nearest_rows(tensor({{0, 0}, {1, 0}}), tensor({{0, 0}, {-1, 0}, {2, 0}}), 3, Closeness::cosine);
  CHECK(to_vector<double>(zero.distance) == Doubles{1, 1, 1, 0, 1, 2});
  CHECK(to_vector<std::int64_t>(zero.index) == Ints{0, 1, 2, 2, 0, 1});
}

TEST_CASE("nearest_rows: the same for any number of threads; knn_graph makes edges of it") {
  Generator g{2};
  const Tensor x = randn({500, 8}, 0, 1, DType::float64, g);
  set_num_threads(1);
  const Ints one = to_vector<std::int64_t>(nearest_others(x, 4).index);
  set_num_threads(3);
  const Ints three = to_vector<std::int64_t>(nearest_others(x, 4).index);
  set_num_threads(0);
  CHECK(one == three);
  const Ints edges = to_vector<std::int64_t>(knn_graph(x, 4));
  CHECK(Ints(edges.begin(), edges.begin() + 2000) == one);
  for (std::size_t e = 0; e < 2000; ++e) REQUIRE(edges[2000 + e] == static_cast<std::int64_t>(e / 4));
}

TEST_CASE("nearest_rows: errors") {
  const Tensor x = ones({3, 2});
  CHECK(error_of([&] { nearest_rows(ones({3}), x, 1); }) ==
        "ShapeError: nearest_rows: queries [3] are not (rows, features)");
  CHECK(error_of([&] {
          nearest_rows(ones({1, 4}), x, 1);
        }) == "ShapeError: nearest_rows: queries [1, 4] and rows [3, 2] differ in width");
  CHECK(error_of([&] {
          nearest_rows(x, ones({3, 2}, DType::int64), 1);
        }) == "DtypeError: nearest_rows: rows are int64, not floating");
  CHECK(error_of([&] { nearest_rows(x, x, 4); }) == "ConfigError: nearest_rows: the 4 nearest of 3 rows");
  CHECK(error_of([&] { nearest_others(x, 3); }) == "ConfigError: nearest_others: the 3 nearest of 2 rows");
  CHECK(error_of([&] { nearest_rows(x, zeros({0, 2}), 1); }) == "ConfigError: nearest_rows: the 1 nearest of 0 rows");
  CHECK(error_of([&] { knn_graph(x, 0); }) == "ConfigError: nearest_others: the 0 nearest of 2 rows");
  const std::string nan = error_of([&] {
    nearest_others(tensor({{1, std::numeric_limits<double>::quiet_NaN()}, {1, 2}}), 1);
  });
  CHECK(nan.starts_with("ConfigError: nearest_others: rows"));
}
