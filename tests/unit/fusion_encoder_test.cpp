#include <cmath>

#include <weft/fusion/encoder.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;
using fusion::Encoder;

namespace {

std::vector<Encoder> mlps(const std::string& norm) {
  std::vector<Encoder> all;
  for (const std::int64_t width : abc_widths)
    all.push_back(
        fusion::make_encoder("mlp", {.in_features = width, .hidden = {8, 5}, .norm = norm, .dtype = DType::float64}));
  return all;
}

}  // namespace

TEST_CASE("encoder: each kind by its name") {
  const Tensor x = randn({4, 3});
  CHECK(same(fusion::make_encoder("identity", {.in_features = 3})(x), x));
  CHECK(fusion::make_encoder("linear", {.in_features = 3, .hidden = {8, 5}})(x).shape() == Shape{4, 5});
  for (const char* activation : {"relu", "gelu", "silu", "tanh"})
    for (const char* norm : {"none", "layer", "batch"}) {
      Encoder e = fusion::make_encoder(
          "mlp", {.in_features = 3, .hidden = {8, 5}, .dropout = 0.1, .activation = activation, .norm = norm});
      CHECK(e(x).shape() == Shape{4, 5});
      CHECK(e.layers.size() == (std::string(norm) == "none" ? 6 : 8));
    }
  CHECK(fusion::encoder_names() == std::vector<std::string>{"identity", "linear", "mlp", "cnn", "cnn1d"});
  // Double-precision tables feed a single-precision network.
  CHECK(fusion::make_encoder("linear", {.in_features = 3})(randn({4, 3}, 0, 1, DType::float64)).dtype() ==
        DType::float32);
}

TEST_CASE("encoder: images and signals, as they are or as flat rows") {
  manual_seed(2);
  const Tensor images = randn({3, 2, 6, 5}), signals = randn({3, 9});
  for (const char* norm : {"none", "layer", "batch"})
    for (const char* activation : {"relu", "gelu"}) {
      Encoder cnn = fusion::make_encoder("cnn", {.in_features = 60,
                                                 .hidden = {4, 6, 7},
                                                 .dropout = 0.5,
                                                 .activation = activation,
                                                 .norm = norm,
                                                 .shape = {2, 6, 5}});
      eval(cnn);
      CHECK(cnn.width == 7);
      CHECK(cnn(images).shape() == Shape{3, 7});
      CHECK(same(cnn(images), cnn(reshape(images, {3, 60}))));
      // Six channels of 1 x 1 are left, and two convolutions of 3 x 3 went before.
      const auto parameters = named_parameters(cnn);
      CHECK(parameters.front().second.shape() == Shape{4, 2, 3, 3});
      CHECK(parameters[parameters.size() - 2].second.shape() == Shape{7, 6});
    }
  Encoder wave = fusion::make_encoder("cnn1d", {.in_features = 9, .hidden = {4, 5, 6, 3}, .shape = {9}});
  CHECK(wave(signals).shape() == Shape{3, 3});
  CHECK(named_parameters(wave).front().second.shape() == Shape{4, 1, 7});  // nine steps, four, two, one
  // A single layer size: nothing but the last linear layer.
  CHECK(fusion::make_encoder("cnn", {.in_features = 60, .hidden = {7}, .shape = {12, 5}})(images).shape() ==
        Shape{3, 7});
  // Gradients reach the first convolution.
  sum(square(wave(signals))).backward();
  for (const Tensor& p : parameters(wave)) CHECK((p.grad().defined() && finite(p.grad())));
}

TEST_CASE("encoder: a convolution's batch norm sees only images that are there") {
  manual_seed(3);
  const fusion::EncoderOptions options{.in_features = 16, .hidden = {3, 4}, .norm = "batch", .shape = {4, 4}};
  std::vector<Encoder> encoders{fusion::make_encoder("cnn", options)};
  std::vector<Encoder> twin = clone(encoders);
  data::Modalities images = data::Modalities::complete({"image"}, {randn({3, 4, 4})});
  images.present = mask({{1}, {0}, {1}});
  const data::Modalities out = fusion::encode(encoders, images);
  const Tensor rows = from(std::vector<std::int64_t>{0, 2});
  CHECK(same(index_select(out.features[0], 0, rows), twin[0](index_select(images.features[0], 0, rows))));
  CHECK(same(index_select(out.features[0], 0, from(std::vector<std::int64_t>{1})), zeros({1, 4})));
  // Nor does it stop at a single image of which one pixel is left.
  Encoder deep =
      fusion::make_encoder("cnn", {.in_features = 16, .hidden = {2, 2, 2, 3}, .norm = "batch", .shape = {4, 4}});
  CHECK(finite(deep(randn({1, 4, 4}))));
}

TEST_CASE("encoder: bad options are refused") {
  const auto making = [](const char* kind, const fusion::EncoderOptions& o) {
    return message([&] { fusion::make_encoder(kind, o); });
  };
  CHECK(making("mpl", {.in_features = 3}) == "encoder: there is no \"mpl\"; the closest name is \"mlp\"");
  CHECK(making("mlp", {.in_features = 3, .activation = "rely"}) ==
        "encoder: there is no activation \"rely\"; the closest name is \"relu\"");
  CHECK(making("mlp", {.in_features = 3, .norm = "layr"}) ==
        "encoder: there is no norm \"layr\"; the closest name is \"layer\"");
  CHECK(making("mlp", {}) == "encoder: in_features is 0\n  help: choose 1 or more");
  CHECK(making("linear", {.in_features = 3, .hidden = {}}) ==
        "encoder: \"linear\" has no layer sizes\n  help: give hidden, as in {32}");
  CHECK(making("mlp", {.in_features = 3, .hidden = {4, 0}}) ==
        "encoder: a layer of \"mlp\" has 0 features\n  help: choose 1 or more");
  CHECK(making("cnn", {.in_features = 12, .shape = {2, 5}}) ==
        "encoder: \"cnn\" has the shape [2, 5] for rows of 12 features\n"
        "  help: give shape, as in {channels, height, width}");
  CHECK(making("cnn", {.in_features = 12, .shape = {12}}) ==
        "encoder: \"cnn\" has the shape [12] for rows of 12 features\n"
        "  help: give shape, as in {channels, height, width}");
  CHECK(making("cnn1d", {.in_features = 12}) ==
        "encoder: \"cnn1d\" has the shape [] for rows of 12 features\n  help: give shape, as in {channels, steps}");
  CHECK(making("cnn1d", {.in_features = 12, .norm = "btch", .shape = {12}}) ==
        "encoder: there is no norm \"btch\"; the closest name is \"batch\"");
}

TEST_CASE("encoder: only rows that have the modality are encoded, so batch statistics see no filler") {
  manual_seed(1);
  std::vector<Encoder> encoders = mlps("batch");
  std::vector<Encoder> twins = clone(encoders);
  const data::Modalities in = abc({{1, 1, 0}, {1, 0, 0}, {1, 1, 0}, {1, 0, 0}});
  const data::Modalities out = fusion::encode(encoders, in);
  CHECK(out.names == in.names);
  CHECK(same(out.present, in.present));
  CHECK(same(out.features[0], twins[0](in.features[0])));
  // b is what its two rows alone give, and 0 elsewhere.
  const Tensor alone = twins[1](index_select(in.features[1], 0, from(std::vector<std::int64_t>{0, 2})));
  CHECK(same(index_select(out.features[1], 0, from(std::vector<std::int64_t>{0, 2})), alone));
  CHECK(same(index_select(out.features[1], 0, from(std::vector<std::int64_t>{1, 3})), zeros({2, 5}, DType::float64)));
  // Nobody has c: no error, and its statistics did not move.
  CHECK(same(out.features[2], zeros({4, 5}, DType::float64)));
  const auto before = state(twins[2]), after = state(encoders[2]);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(same(before[i].second, after[i].second));
  // Running statistics are those of the present rows.
  for (std::size_t m = 0; m < 2; ++m) {
    const auto mine = state(encoders[m]), theirs = state(twins[m]);
    for (std::size_t i = 0; i < mine.size(); ++i) CHECK(same(mine[i].second, theirs[i].second));
    for (const auto& each : mine) CHECK(finite(each.second));
  }
  const Tensor loss = sum(square(out.features[0])) + sum(square(out.features[1]));
  loss.backward();
  for (const Tensor& p : parameters(encoders[1])) CHECK((p.grad().defined() && finite(p.grad())));
}

TEST_CASE("encoder: a single patient who has a modality does not stop batch normalisation") {
  manual_seed(1);
  std::vector<Encoder> encoders = mlps("batch");
  const data::Modalities out = fusion::encode(encoders, abc({{1, 1, 1}, {1, 0, 1}}));
  CHECK(finite(out.features[1]));
  fusion::SparseBatchNorm norm({.num_features = 2});
  const Tensor one = tensor({{3, 4}});
  CHECK(numbers(norm(one))[1] == doctest::Approx(4 / std::sqrt(1 + 1e-5)));  // running mean 0, variance 1
  CHECK(numbers(norm.norm.running_mean) == std::vector<double>{0, 0});
}

TEST_CASE("encoder: numbers of encoders and widths have to fit") {
  std::vector<Encoder> encoders = mlps("none");
  encoders.pop_back();
  CHECK(message([&] { fusion::encode(encoders, abc(gaps)); }) == "encode: 2 encoders for 3 modalities");
  Encoder own;
  own.layers.add(Flatten());
  own.width = 4;
  const data::Modalities images = data::Modalities::complete({"image"}, {randn({2, 3, 3})});
  CHECK(message([&] { fusion::encode({own}, images); }) == "encoder: its layers gave [2, 9], its width is 4");
  own.width = 9;
  CHECK(fusion::encode({own}, images).features[0].shape() == Shape{2, 9});
}
