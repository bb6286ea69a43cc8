#include <doctest/doctest.h>

#include <weft/autograd/ops.h>
#include <weft/layers/normalization.h>
#include <weft/tensor/create.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;
using weft::tests::normal;

namespace {

constexpr DType f64 = DType::float64;

void check_close(const Tensor& actual, const Tensor& expected) {
  const testing::Report report = allclose(actual, expected, {.atol = 1e-12, .rtol = 1e-12});
  CHECK_MESSAGE(report, report.message);
}

}  // namespace

TEST_CASE("batch norm: without momentum the running statistics are averages of all batches") {
  BatchNorm norm({.num_features = 3, .momentum = {}, .dtype = f64});
  Tensor means = zeros({3}, f64), variances = zeros({3}, f64);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const Tensor x = normal({5, 3, 2}, i);
    norm(x);
    const Tensor rows = reshape(transpose(x, 1, 2), {10, 3});
    const Tensor average = mean(rows, 0);
    means = means + average / 4.0;
    variances = variances + sum(square(rows - average), 0) / 9.0 / 4.0;
  }
  check_close(norm.running_mean, means);
  check_close(norm.running_var, variances);
  CHECK(norm.num_batches_tracked.item() == 4);
  eval(norm);
  const Tensor x = normal({2, 3}, 9);
  check_close(norm(x), (x - means) / sqrt(variances + 1e-5));
  CHECK(norm.num_batches_tracked.item() == 4);
}

TEST_CASE("batch norm: one value per channel cannot be normalised, and does not count") {
  BatchNorm norm({.num_features = 3});
  CHECK(error_of([&] { norm(ones({1, 3})); }).find("ShapeError: batch_norm: ") == 0);
  CHECK(norm.num_batches_tracked.item() == 0);
  check_close(norm.running_mean, zeros({3}));
  CHECK(norm(ones({1, 3, 2})).shape() == Shape{1, 3, 2});
  eval(norm);
  CHECK(norm(ones({1, 3})).shape() == Shape{1, 3});
}

TEST_CASE("batch norm: without tracking, a batch is normalised by itself in evaluation too") {
  BatchNorm norm({.num_features = 3, .affine = false, .track_running_stats = false, .dtype = f64});
  CHECK(state(norm).empty());
  const Tensor x = normal({5, 3}, 1), trained = norm(x);
  eval(norm);
  check_close(norm(x), trained);
  check_close(mean(trained, 0), zeros({3}, f64));
}

TEST_CASE("instance norm: running statistics are used in evaluation only") {
  InstanceNorm norm({.num_features = 2, .momentum = 1, .track_running_stats = true, .dtype = f64});
  const Tensor x = normal({3, 2, 8}, 1), trained = norm(x);
  check_close(mean(trained, -1), zeros({3, 2}, f64));
  check_close(norm.running_mean, mean(mean(x, -1), 0));
  eval(norm);
  CHECK_FALSE(allclose(norm(x), trained));
  InstanceNorm plain({.num_features = 2, .dtype = f64});
  check_close(plain(x), trained);
  CHECK(state(plain).empty());
}

TEST_CASE("norms: scales and shifts that are not wanted are not there") {
  LayerNorm layer({.normalized_shape = {4}, .bias = false});
  CHECK(state(layer).size() == 1);
  LayerNorm plain({.normalized_shape = {4}, .elementwise_affine = false});
  CHECK(state(plain).empty());
  RMSNorm rms({.normalized_shape = {4}, .eps = 0.0, .elementwise_affine = false, .dtype = f64});
  CHECK(state(rms).empty());
  check_close(mean(square(rms(normal({3, 4}, 1))), -1), ones({3}, f64));
  GroupNorm group({.num_groups = 2, .num_channels = 4, .affine = false, .dtype = f64});
  CHECK(state(group).empty());
  check_close(mean(reshape(group(normal({3, 4, 5}, 2)), {3, 2, 10}), -1), zeros({3, 2}, f64));
}

TEST_CASE("norms: errors") {
  CHECK(error_of([] { BatchNorm(0); }) == "ConfigError: batch_norm: num_features is 0\n  help: choose 1 or more");
  CHECK(error_of([] { InstanceNorm({.num_features = -1}); }) ==
        "ConfigError: instance_norm: num_features is -1\n  help: choose 1 or more");
  CHECK(error_of([] { GroupNorm({.num_groups = 4, .num_channels = 6}); }) ==
        "ConfigError: group_norm: num_channels 6 is not divisible by num_groups 4");
  const GroupNorm group({.num_groups = 2, .num_channels = 4});
  CHECK(error_of([&] {
          group(ones({2, 6, 3}));
        }) == "ShapeError: group_norm: x is [2, 6, 3]\n  help: pass (B, 4, ...)");
  const InstanceNorm instance({.num_features = 4});
  CHECK(error_of([&] {
          instance(ones({2, 6, 3}));
        }) == "ShapeError: instance_norm: x is [2, 6, 3]\n  help: pass (B, 4, ...)");
}
