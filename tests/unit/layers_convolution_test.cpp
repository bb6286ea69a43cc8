#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/pooling.h>
#include <weft/tensor/create.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;
using weft::tests::normal;

namespace {

constexpr DType f64 = DType::float64;
constexpr PadMode borders[] = {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular};

void check_close(const Tensor& actual, const Tensor& expected) {
  const testing::Report report = allclose(actual, expected, {.atol = 1e-12, .rtol = 1e-12});
  CHECK_MESSAGE(report, report.message);
}

Tensor row(std::initializer_list<double> values) {
  return reshape(to(from(std::vector<double>(values)), DType::float32),
                 {1, 1, static_cast<std::int64_t>(values.size())});
}

}  // namespace

TEST_CASE("convolution layers: a border is padding before the convolution") {
  for (const PadMode mode : borders) {
    CAPTURE(static_cast<int>(mode));
    const Conv1d one({.in_channels = 2,
                      .out_channels = 4,
                      .kernel_size = 3,
                      .stride = 2,
                      .padding = 2,
                      .groups = 2,
                      .padding_mode = mode,
                      .dtype = f64});
    const Tensor x = normal({2, 2, 7}, 1);
    check_close(one(x), conv1d(pad(x, {2, 2}, mode), one.weight, one.bias, {.stride = 2, .groups = 2}));
    check_close(one(select(x, 0, 1)), select(one(x), 0, 1));

    const Conv2d two({.in_channels = 2,
                      .out_channels = 3,
                      .kernel_size = {3, 5},
                      .padding = {1, 2},
                      .bias = false,
                      .padding_mode = mode,
                      .dtype = f64});
    const Tensor image = normal({2, 2, 6, 7}, 2);
    CHECK_FALSE(two.bias.defined());
    check_close(two(image), conv2d(pad(image, {2, 2, 1, 1}, mode), two.weight));

    const Conv3d three({.in_channels = 1,
                        .out_channels = 2,
                        .kernel_size = 2,
                        .padding = {1, 0, 2},
                        .padding_mode = mode,
                        .dtype = f64});
    const Tensor volume = normal({1, 1, 4, 4, 4}, 3);
    check_close(three(volume), conv3d(pad(volume, {2, 2, 0, 0, 1, 1}, mode), three.weight, three.bias));
  }
}

TEST_CASE("convolution layers: same and valid") {
  for (const PadMode mode : borders) {
    const Conv2d same({.in_channels = 1,
                       .out_channels = 1,
                       .kernel_size = {4, 3},  // an odd number of zeros along the first axis: the end gets one more
                       .padding = "same",
                       .dilation = {1, 2},
                       .padding_mode = mode,
                       .dtype = f64});
    const Tensor x = normal({2, 1, 6, 7}, 4);
    CHECK(same(x).shape() == x.shape());
    check_close(same(x), conv2d(pad(x, {2, 2, 1, 2}, mode), same.weight, same.bias, {.dilation = {1, 2}}));
    const Conv1d valid({.in_channels = 1,
                        .out_channels = 1,
                        .kernel_size = 3,
                        .padding = "valid",
                        .padding_mode = mode,
                        .dtype = f64});
    const Tensor short_row = normal({1, 1, 5}, 5);
    check_close(valid(short_row), conv1d(short_row, valid.weight, valid.bias));
  }
}

TEST_CASE("convolution layers: initial weights") {
  manual_seed(1);
  const Conv2d conv({.in_channels = 8, .out_channels = 32, .kernel_size = 3, .groups = 2});
  CHECK(conv.weight.shape() == Shape{32, 4, 3, 3});
  CHECK(amax(abs(conv.weight), {}).item() <= 1 / 6.0);  // 1 / sqrt(4 * 3 * 3)
  CHECK(amax(abs(conv.weight), {}).item() > 0.9 / 6.0);
  CHECK(amax(abs(conv.bias), {}).item() <= 1 / 6.0);
  const ConvTranspose2d up({.in_channels = 8, .out_channels = 4, .kernel_size = 2, .stride = 2, .groups = 2});
  CHECK(up.weight.shape() == Shape{8, 2, 2, 2});
  CHECK(up.bias.shape() == Shape{4});
  CHECK(up(zeros({1, 8, 3, 3})).shape() == Shape{1, 4, 6, 6});
}

TEST_CASE("convolution layers: errors when they are made") {
  CHECK(error_of([] { Conv1d({.in_channels = 0, .out_channels = 4, .kernel_size = 3}); }) ==
        "ConfigError: conv1d: in_channels 0, out_channels 4\n  help: choose 1 or more for each");
  CHECK(error_of([] { Conv2d({.in_channels = 3, .out_channels = 4, .kernel_size = 3, .groups = 2}); }) ==
        "ConfigError: conv2d: in_channels 3 and out_channels 4 are not both divisible by groups 2");
  CHECK(error_of([] { ConvTranspose3d({.in_channels = 4, .out_channels = 3, .kernel_size = 3, .groups = 2}); }) ==
        "ConfigError: conv_transpose3d: in_channels 4 and out_channels 3 are not both divisible by groups 2");
  CHECK(error_of([] {
          Conv1d({.in_channels = 1, .out_channels = 1, .kernel_size = {3, 3}});
        }) == "ConfigError: conv1d: kernel_size has 2 numbers for 1 spatial axes");
  for (const PadMode mode : {PadMode::constant, PadMode::circular}) {
    CHECK(error_of([&] {
            Conv1d({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .padding = "sane", .padding_mode = mode});
          }) == "ConfigError: conv1d: padding \"sane\" is unknown\n  help: choose \"same\", \"valid\" or numbers");
    CHECK(error_of([&] {
            Conv2d({.in_channels = 1,
                    .out_channels = 1,
                    .kernel_size = 3,
                    .stride = {1, 2},
                    .padding = "same",
                    .padding_mode = mode});
          }) == "ConfigError: conv2d: padding \"same\" with stride 2\n  help: choose stride 1");
  }
}

TEST_CASE("pooling layers: where the largest lie") {
  const Tensor x = row({4, 1, 2, 9});
  Tensor places;
  CHECK(allclose(MaxPool1d(2)(x, &places), row({4, 9})));
  CHECK(allclose(places, to(row({0, 3}), DType::int64)));
  CHECK(allclose(AdaptiveMaxPool1d(1)(x, &places), row({9})));
  CHECK(allclose(places, to(row({3}), DType::int64)));
  CHECK(allclose(MaxPool1d(3, {.stride = 1})(x), row({4, 9})));
  CHECK(allclose(AvgPool1d(2)(x), row({2.5, 5.5})));
}

TEST_CASE("pooling layers: in a row of layers, and copied with it") {
  Sequential net(Conv2d({.in_channels = 1, .out_channels = 2, .kernel_size = 3, .padding = 1}), ReLU(), MaxPool2d(2),
                 Upsample({.scale_factor = {2}}), AdaptiveAvgPool2d(1), Flatten(), Apply{sigmoid});
  const Tensor x = normal({3, 1, 8, 8}, 6, DType::float32);
  CHECK(net(x).shape() == Shape{3, 2});
  Sequential copy = clone(net);
  CHECK(allclose(copy(x), net(x), {.atol = 0, .rtol = 0}));
  CHECK(named_parameters(net)[1].first == "0.bias");
}

TEST_CASE("convolution layers: a ReLU that follows in a row is taken in the same pass, with the same numbers") {
  for (const std::int64_t size : {5, 32}) {  // by weft's own loops, and by the library where it is there
    CAPTURE(size);
    const Conv2d first(
        {.in_channels = 2, .out_channels = 8, .kernel_size = 3, .padding = 1, .padding_mode = PadMode::reflect});
    const Conv2d second({.in_channels = 8, .out_channels = 8, .kernel_size = 3});
    Sequential net(first, ReLU(), second, ReLU(), ReLU(), MaxPool2d(2));
    const Tensor x = normal({2, 2, size, size}, 11, DType::float32).set_requires_grad();
    const Tensor apart = max_pool2d(relu(second(relu(first(x)))), 2), together = net(x);
    CHECK(allclose(together, apart, {.atol = 1e-6, .rtol = 1e-5}));
    const std::vector<Tensor> inputs{x, first.weight, first.bias, second.weight, second.bias};
    const Tensor dy = normal(together.shape(), 12, DType::float32);
    const auto expected = grad({apart}, inputs, {.output_gradients = {dy}}),
               found = grad({together}, inputs, {.output_gradients = {dy}});
    for (std::size_t i = 0; i < inputs.size(); ++i)
      CHECK(allclose(found[i], expected[i], {.atol = 1e-5, .rtol = 1e-4}));
  }
}

TEST_CASE("tables and bilinear layers: errors when they are made") {
  CHECK(error_of([] { EmbeddingBag({.num_embeddings = 0, .embedding_dim = 4}); }) ==
        "ConfigError: embedding_bag: num_embeddings is 0\n  help: choose 1 or more");
  CHECK(error_of([] { EmbeddingBag({.num_embeddings = 3, .embedding_dim = 4, .padding_idx = 3}); }) ==
        "ConfigError: embedding_bag: padding_idx 3 is not a row of a table of 3");
  CHECK(error_of([] { Bilinear({.in1_features = 2, .in2_features = 0, .out_features = 4}); }) ==
        "ConfigError: bilinear: in2_features is 0\n  help: choose 1 or more");
  CHECK(error_of([] { PReLU(0); }) == "ConfigError: prelu: num_parameters is 0\n  help: choose 1 or more");
}

TEST_CASE("tables: a padding row begins at 0 and does not count") {
  EmbeddingBag bag({.num_embeddings = 4, .embedding_dim = 2, .mode = BagMode::sum, .padding_idx = 1});
  CHECK(allclose(select(bag.weight, 0, 1), zeros({2})));
  const Tensor ids = to(tensor({0, 1, 2, 3}), DType::int64), offsets = to(tensor({0, 2}), DType::int64);
  const Tensor rows = bag(ids, offsets);
  CHECK(allclose(select(rows, 0, 0), select(bag.weight, 0, 0)));
  CHECK(allclose(bag(ids, offsets, tensor({1, 1, 0, 2})),
                 stack({select(bag.weight, 0, 0), 2 * select(bag.weight, 0, 3)})));
}
