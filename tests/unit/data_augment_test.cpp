#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/data/augment.h>
#include <weft/data/loader.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using data::augment;
using data::AugmentOptions;
using tests::error_of;
using weft::testing::allclose;

namespace {

/// Images whose pixels all differ.
Tensor numbered(const Shape& shape) {
  Tensor x = zeros(shape);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.mutable_data<float>()[i] = static_cast<float>(i);
  return x;
}

}  // namespace

TEST_CASE("augment: nothing asked for, nothing changed") {
  const Tensor x = numbered({3, 2, 5, 4});
  CHECK(allclose(augment(x, {}), x, {.atol = 0, .rtol = 0}));
}

TEST_CASE("augment: flips are exact, for every channel and slice of an image alike") {
  const Tensor x = numbered({2, 3, 2, 4, 5});
  CHECK(allclose(augment(x, {.flip = 1}), flip(x, {-1}), {.atol = 0, .rtol = 0}));
  CHECK(allclose(augment(x, {.flip_vertical = 1}), flip(x, {-2}), {.atol = 0, .rtol = 0}));
  Generator g{5};
  const Tensor many = numbered({400, 1, 2, 2});
  const Tensor some = augment(many, {.flip = 0.25}, g);
  int flipped = 0;
  for (int i = 0; i < 400; ++i) flipped += some.data<float>()[4 * i] != 4.0f * static_cast<float>(i);
  CHECK(flipped > 70);  // 100 +- 3.5 standard deviations
  CHECK(flipped < 130);
}

TEST_CASE("augment: shifts by whole pixels, and fills what comes in") {
  const Tensor x = ones({200, 1, 7, 9}) * 3.0;
  Generator g{1};
  const Tensor y = augment(x, {.shift = 2, .fill = -1}, g);
  const auto values = to_vector<float>(y);
  bool whole = true;
  for (const float v : values) whole = whole && (v == 3.0f || v == -1.0f);
  CHECK(whole);
  // Every image keeps a block of (7 - |dy|) x (9 - |dx|).
  std::array<int, 5> seen{};
  for (int i = 0; i < 200; ++i) {
    const double kept = sum(to(eq(select(y, 0, i), full({1, 7, 9}, 3.0)), DType::float32)).item();
    bool possible = false;
    for (int dy = 0; dy <= 2; ++dy)
      for (int dx = 0; dx <= 2; ++dx) possible = possible || kept == (7 - dy) * (9 - dx);
    CHECK(possible);
    seen[static_cast<std::size_t>(kept == 63 ? 0 : kept == 35 ? 1 : 2)]++;
  }
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
}

TEST_CASE("augment: a quarter turn about the middle") {
  // Only the largest angle is certain to be near 90 degrees: so look for what the turn keeps, distances from the
  // middle.
  const std::int64_t n = 33;
  std::vector<float> pixels;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      const double r = std::hypot(static_cast<double>(i - 16), static_cast<double>(j - 16));
      pixels.push_back(static_cast<float>(std::cos(r / 4)));
    }
  const Tensor x = repeat(reshape(from(pixels), {1, 1, n, n}), {20, 1, 1, 1});
  const Tensor y = augment(x, {.rotate = 180});
  const Tensor inside = slice(slice(x, 2, 6, 27), 3, 6, 27);
  CHECK(allclose(slice(slice(y, 2, 6, 27), 3, 6, 27), inside, {.atol = 0.02, .rtol = 0}));
  CHECK_FALSE(
      allclose(augment(numbered({1, 1, 9, 9}), {.rotate = 40}), numbered({1, 1, 9, 9}), {.atol = 0.5, .rtol = 0}));
}

TEST_CASE("augment: crops are parts, levels keep the mean, noise has the size asked for") {
  const Tensor x = numbered({50, 1, 8, 10});
  const Tensor y = augment(x, {.crop_height = 3, .crop_width = 4});
  REQUIRE(y.shape() == Shape{50, 1, 3, 4});
  for (int i = 0; i < 50; ++i) {
    const float* part = y.data<float>() + 12 * i;
    CHECK(part[1] - part[0] == 1);
    CHECK(part[4] - part[0] == 10);
  }
  const Tensor flat = randn({4, 3, 16, 16});
  const Tensor levels = augment(flat, {.contrast = 0.5});
  CHECK(allclose(mean(levels, {1, 2, 3}), mean(flat, {1, 2, 3}), {.atol = 1e-5, .rtol = 0}));
  CHECK_FALSE(allclose(levels, flat, {.atol = 1e-2, .rtol = 0}));
  const Tensor noisy = augment(zeros({400, 1, 8, 8}), {.noise = 0.3});
  // The deviation is uniform in [0, 0.3]: its square has mean 0.03.
  CHECK(mean(noisy * noisy).item() == doctest::Approx(0.03).epsilon(0.15));
}

TEST_CASE("augment: the same place in a stream gives the same images; wrong input says what to do") {
  const Tensor x = randn({6, 1, 9, 9});
  const AugmentOptions all{.flip = 0.5, .shift = 2, .rotate = 20, .zoom = 0.2, .noise = 0.1, .brightness = 0.1};
  Generator a{3, 7}, b{3, 7}, c{4, 7};
  const Tensor first = augment(x, all, a);
  CHECK(allclose(first, augment(x, all, b), {.atol = 0, .rtol = 0}));
  CHECK_FALSE(allclose(first, augment(x, all, c), {.atol = 1e-3, .rtol = 0}));
  CHECK(error_of([] {
          augment(zeros({3, 4}), {});
        }) == "ShapeError: augment: images [3, 4] have no axes (N, ..., H, W)");
  CHECK(error_of([] {
          augment(zeros({1, 2, 2}, DType::uint8), {});
        }) == "DtypeError: augment: images are uint8, not float32\n  help: convert them with to(x, DType::float32)");
  CHECK(error_of([] {
          augment(zeros({1, 1, 2, 2}), {.flip = 1.5});
        }) == "ConfigError: augment: flip 1.5 is not a probability");
  CHECK(error_of([] {
          augment(zeros({1, 1, 2, 2}), {.zoom = 1});
        }) == "ConfigError: augment: zoom 1 is not from 0 to below 1");
  CHECK(error_of([] {
          augment(zeros({1, 1, 2, 2}), {.shift = -1});
        }) == "ConfigError: augment: shift -1 is not 0 or more");
  CHECK(error_of([] {
          augment(zeros({1, 1, 2, 2}), {.crop_height = 3});
        }) == "ShapeError: augment: a crop of 3 x 2 does not fit into images [1, 1, 2, 2]");
  CHECK(augment(zeros({0, 1, 4, 4}), {}).shape() == Shape{0, 1, 4, 4});
}

TEST_CASE("loader: a transform changes each batch anew, and the same again in a run that goes on") {
  const Tensor x = randn({10, 1, 6, 6}), y = arange(0, 10);
  const auto change = [](const Tensor& images, Generator& g) { return augment(images, {.shift = 1, .noise = 1}, g); };
  const auto epochs = [&](std::int64_t from, int count) {
    data::TensorLoader loader(x, y, {.batch_size = 4, .shuffle = false, .seed = 9});
    loader.transform(change);
    loader.set_state({9, from});
    std::vector<Tensor> seen;
    for (int e = 0; e < count; ++e)
      for (auto& [images, labels] : loader) seen.push_back(images);
    return seen;
  };
  const std::vector<Tensor> whole = epochs(0, 3), later = epochs(2, 1);
  REQUIRE(whole.size() == 9);
  REQUIRE(later.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(allclose(later[i], whole[6 + i], {.atol = 0, .rtol = 0}));
  CHECK_FALSE(allclose(whole[0], whole[3], {.atol = 1e-3, .rtol = 0}));
  CHECK_FALSE(allclose(slice(whole[0], 0, 0, 2), slice(whole[2], 0, 0, 2), {.atol = 1e-3, .rtol = 0}));
}
