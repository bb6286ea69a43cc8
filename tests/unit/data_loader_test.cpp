#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include <weft/data/loader.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Index = std::vector<std::int64_t>;

namespace {

/// Sample i has features i and 10 i, and target i; odd ones lack the second modality.
Loader loader(std::int64_t n, const LoaderOptions& options) {
  std::vector<float> a, b;
  Index y;
  for (std::int64_t i = 0; i < n; ++i) {
    a.push_back(static_cast<float>(i));
    b.push_back(static_cast<float>(10 * i));
    y.push_back(i);
  }
  Modalities x = Modalities::complete({"a", "b"}, {from(a, {n, 1}), from(b)});
  for (std::int64_t i = 1; i < n; i += 2) x.present.mutable_data<bool>()[2 * i + 1] = false;
  return Loader(std::move(x), from(y), options);
}

Index epoch(Loader& l) {
  Index seen;
  for (auto& [x, y] : l)
    for (const std::int64_t i : to_vector<std::int64_t>(y)) seen.push_back(i);
  return seen;
}

}  // namespace

TEST_CASE("loader: batches hold matching features, presence and targets") {
  Loader l = loader(10, {.batch_size = 4, .seed = 1});
  CHECK(l.steps() == 3);
  CHECK(l.samples() == 10);
  Index sizes;
  std::set<std::int64_t> seen;
  for (auto& [x, y] : l) {
    sizes.push_back(x.batch());
    const auto targets = to_vector<std::int64_t>(y);
    const auto a = to_vector<float>(x.features[0]), b = to_vector<float>(x.features[1]);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      CHECK(a[i] == static_cast<float>(targets[i]));
      CHECK(b[i] == static_cast<float>(10 * targets[i]));
      CHECK(x.has(static_cast<std::int64_t>(i), 0));
      CHECK(x.has(static_cast<std::int64_t>(i), 1) == (targets[i] % 2 == 0));
      seen.insert(targets[i]);
    }
    CHECK(x.features[0].shape() == Shape{x.batch(), 1});
  }
  CHECK(sizes == Index{4, 4, 2});
  CHECK(seen.size() == 10);
}

TEST_CASE("loader: the order is a function of seed and epoch alone") {
  Loader l = loader(50, {.batch_size = 8, .seed = 3});
  const Index first = epoch(l), second = epoch(l);
  CHECK(first != second);
  CHECK(first == l.order(0));
  CHECK(second == l.order(1));
  Loader same = loader(50, {.batch_size = 16, .seed = 3});
  CHECK(epoch(same) == first);
  Loader other = loader(50, {.batch_size = 8, .seed = 4});
  CHECK(epoch(other) != first);
  Loader resumed = loader(50, {.batch_size = 8, .seed = 99});
  resumed.set_state({3, 1});
  CHECK(epoch(resumed) == second);
  CHECK(resumed.state().epoch == 2);
  CHECK(resumed.state().seed == 3);
}

TEST_CASE("loader: an epoch that is left early is over") {
  Loader l = loader(20, {.batch_size = 4, .seed = 3});
  for (auto& batch : l) {
    CHECK(batch.y.size(0) == 4);
    break;
  }
  CHECK(l.state().epoch == 1);
  CHECK(epoch(l) == l.order(1));
}

TEST_CASE("loader: without shuffling, and without the last batch") {
  Loader l = loader(10, {.batch_size = 4, .shuffle = false, .drop_last = true});
  CHECK(l.steps() == 2);
  CHECK(epoch(l) == Index{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("loader: plain tensors") {
  TensorLoader l(from(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}), from(std::vector<float>{1, 3, 5}),
                 {.batch_size = 2});
  int rows = 0;
  for (auto& [x, y] : l) {
    CHECK(to_vector<float>(x)[0] == to_vector<float>(y)[0]);
    rows += static_cast<int>(x.size(0));
  }
  CHECK(rows == 3);
}

TEST_CASE("loader: messages") {
  const Tensor x = from(std::vector<float>{1, 2, 3}), y = from(Index{1, 2});
  CHECK(message<ShapeError>([&] { TensorLoader(x, y); }) == "loader: 3 samples, targets [2]");
  CHECK(message<ShapeError>([&] { TensorLoader(from(Index{1}, Shape{}), y); }) ==
        "loader: samples of rank 0 have no rows");
  CHECK(message<ConfigError>([&] { TensorLoader(x, x, {.batch_size = 0}); }) ==
        "loader: batch size 0, must be 1 or more");
  CHECK(message<ConfigError>([&] { TensorLoader(empty({0}), empty({0})); }) == "loader: there are no samples");
  CHECK(message<ConfigError>([&] { TensorLoader(x, x, {.drop_last = true}); }) ==
        "loader: 3 samples do not fill a batch of 32\n  help: lower the batch size or leave drop_last off");
  CHECK(message<ConfigError>([&] { TensorLoader(x, x).set_state({0, -1}); }) == "loader: epoch -1 is negative");
}
