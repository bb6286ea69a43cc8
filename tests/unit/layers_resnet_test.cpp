#include <doctest/doctest.h>

#include <weft/autograd/ops.h>
#include <weft/layers/resnet.h>
#include <weft/layers/testing.h>
#include <weft/tensor/random.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;

TEST_CASE("ResNet: sizes, names and counts are torchvision's") {
  ResNet2d net({});
  CHECK(parameter_count(net) == 11'689'512);
  ResNet2d deeper({.blocks = {3, 4, 6, 3}});
  CHECK(parameter_count(deeper) == 21'797'672);
  const auto all = state(net);
  const auto has = [&](const std::string& name, const Shape& shape) {
    for (const auto& [n, x] : all)
      if (n == name) return x.shape() == shape;
    return false;
  };
  CHECK(all.size() == 122);
  CHECK(has("conv1.weight", {64, 3, 7, 7}));
  CHECK(has("bn1.running_mean", {64}));
  CHECK(has("layer1.1.conv2.weight", {64, 64, 3, 3}));
  CHECK(has("layer3.0.downsample.0.weight", {256, 128, 1, 1}));
  CHECK(has("layer4.0.downsample.1.num_batches_tracked", {}));
  CHECK(has("fc.weight", {1000, 512}));
}

TEST_CASE("ResNet: shapes of results, in two and three dimensions") {
  manual_seed(0);
  const ResNetOptions tiny{.in_channels = 1, .num_classes = 3, .blocks = {1, 1, 1, 1}, .width = 4};
  CHECK(ResNet2d(tiny)(randn({2, 1, 32, 32})).shape() == Shape{2, 3});
  CHECK(ResNet3d(tiny)(randn({2, 1, 16, 32, 32})).shape() == Shape{2, 3});
  ResNetOptions features = tiny;
  features.num_classes = 0;
  features.stem = ResNetStem::small;
  features.squeeze = 2;
  const ResNet2d net(features);
  CHECK(net.features() == 32);
  CHECK(net(randn({2, 1, 9, 13})).shape() == Shape{2, 32});
}

TEST_CASE("ResNet: trained as any model, with and without squeeze-and-excitation") {
  manual_seed(0);
  for (const std::int64_t squeeze : {0, 2}) {
    const ResNetOptions options{.in_channels = 1,
                                .num_classes = 3,
                                .blocks = {1, 1, 1, 1},
                                .width = 4,
                                .stem = ResNetStem::small,
                                .squeeze = squeeze};
    const testing::Report report = testing::check_module(
        [&] { return ResNet2d(options); }, [x = randn({3, 1, 12, 12})](const ResNet2d& net) { return net(x); });
    CHECK_MESSAGE(report, report.message);
  }
}

TEST_CASE("ResNet: errors") {
  CHECK(error_of([] {
          ResNet2d({.blocks = {2, 0, 2, 2}});
        }) == "ConfigError: ResNet: a stage has 0 blocks\n  help: choose at least 1 for each of four");
  CHECK(
      error_of([] { ResNet2d({.in_channels = 0}); }) ==
      "ConfigError: ResNet: in_channels 0, width 64, num_classes 1000\n  help: choose 1 or more; num_classes 0 leaves "
      "out the last layer");
  CHECK(error_of([] {
          ResNet3d({.num_classes = 0, .blocks = {1, 1, 1, 1}, .width = 2})(randn({2, 3, 8, 8}));
        }) == "ShapeError: ResNet: x [2, 3, 8, 8] does not have 5 axes\n  help: pass (N, 3, depth, height, width)");
  CHECK(error_of([] { SqueezeExcitation(4, 5); }) ==
        "ConfigError: SqueezeExcitation: reduction 5 is not from 1 to 4 channels");
  CHECK(error_of([] {
          SqueezeExcitation(4, 2)(randn({3, 4}));
        }) == "ShapeError: SqueezeExcitation: x [3, 4] is not (N, C, spatial...)");
}
