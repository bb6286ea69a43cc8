#include <doctest/doctest.h>
#include <cmath>
#include <limits>

#include <weft/autograd/ops.h>
#include <weft/layers/signal.h>
#include <weft/layers/testing.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using tests::error_of;

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
const Lengths lengths = {5, 11, 0, 8};

double number(const Tensor& x, const std::vector<IndexEntry>& place) { return index(x, place).item(); }

/// The same signals, padded with NaN to more steps.
Tensor padded(const Tensor& x, std::int64_t steps) {
  return cat({where(unsqueeze(length_mask(lengths, x.size(2)), 1), x, scalar(missing)),
              full({x.size(0), x.size(1), steps - x.size(2)}, missing)},
             2);
}

/// Whether features, the parameters' gradients and, in training, running statistics are the same for signals padded to
/// 11 and to 19 steps, and those of a signal alone, without padding.
template <class Make>
void check_padding(const Make& make) {
  Generator g{.seed = 3};
  const Tensor x = randn({4, 2, 11}, 0, 1, DType::float32, g);
  for (const bool training : {true, false}) {
    manual_seed(1);
    auto near = make();
    auto far = clone(near);
    if (!training) eval(near), eval(far);
    const Tensor mask = length_mask(lengths, 11);
    const Tensor a = near(where(unsqueeze(mask, 1), x, scalar(missing)), mask);
    const Tensor b = far(padded(x, 19), length_mask(lengths, 19));
    const testing::Report same = testing::allclose(a, b, {.atol = 1e-5, .rtol = 1e-4});
    CHECK_MESSAGE(same, same.message);
    const Tensor direction = randn(a.shape(), 0, 1, DType::float32, g);
    sum(a * direction).backward();
    sum(b * direction).backward();
    auto first = named_parameters(near), second = named_parameters(far);
    for (std::size_t i = 0; i < first.size(); ++i) {
      const testing::Report gradients =
          testing::allclose(first[i].second.grad(), second[i].second.grad(), {.atol = 1e-4, .rtol = 1e-3});
      CHECK_MESSAGE(gradients, first[i].first << ": " << gradients.message);
    }
    auto one = state(near), other = state(far);
    for (std::size_t i = 0; i < one.size(); ++i)
      CHECK_MESSAGE(testing::allclose(one[i].second, other[i].second, {.atol = 1e-5, .rtol = 1e-4}), one[i].first);
    if (training) continue;  // one signal alone has other batch statistics
    const Tensor alone = near(slice(slice(x, 0, 0, 1), 2, 0, 5));
    const testing::Report unpadded = testing::allclose(alone, slice(b, 0, 0, 1), {.atol = 1e-5, .rtol = 1e-4});
    CHECK_MESSAGE(unpadded, unpadded.message);
  }
}

}  // namespace

TEST_CASE("signals: lengths become a mask") {
  const Tensor mask = length_mask({2, 0, 3}, 3);
  CHECK(to_vector<float>(mask) == std::vector<float>{1, 1, 0, 0, 0, 0, 1, 1, 1});
  CHECK(mask.dtype() == DType::boolean);
  CHECK(error_of([] { length_mask({4}, 3); }) == "ConfigError: length_mask: length 4 is outside [0, 3]");
  CHECK(error_of([] { length_mask({}, -1); }) == "ConfigError: length_mask: steps is -1");
}

TEST_CASE("signals: pooling over the measured steps") {
  const Tensor x = reshape(
      tensor({1, 2, missing, -4, -3, missing, missing, missing, missing, missing, missing, missing}), {2, 2, 3});
  const Tensor mask = length_mask({2, 0}, 3);
  CHECK(to_vector<float>(global_avg_pool1d(x, mask)) == std::vector<float>{1.5, -3.5, 0, 0});
  CHECK(to_vector<float>(global_max_pool1d(x, mask)) == std::vector<float>{2, -3, 0, 0});
  const Tensor whole = reshape(tensor({1, 2, 6}), {1, 1, 3});
  CHECK(global_avg_pool1d(whole).item() == 3);
  CHECK(global_max_pool1d(whole).item() == 6);
}

TEST_CASE("AttentionPool: its definition, and rows with nothing") {
  manual_seed(0);
  const AttentionPool pool(3, 4, DType::float64);
  const Tensor x = tests::normal({2, 5, 3}, 1);
  Tensor weights;
  const Tensor y = pool(x, length_mask({3, 0}, 5), &weights);
  double scores[3], total = 0;
  for (int t = 0; t < 3; ++t) {
    scores[t] = 0;
    for (int h = 0; h < 4; ++h) {
      double z = number(pool.hidden.bias, {h});
      for (int d = 0; d < 3; ++d) z += number(pool.hidden.weight, {h, d}) * number(x, {0, t, d});
      scores[t] += number(pool.score, {h}) * std::tanh(z);
    }
    total += std::exp(scores[t]);
  }
  for (int t = 0; t < 5; ++t) {
    CHECK(number(weights, {0, t}) == doctest::Approx(t < 3 ? std::exp(scores[t]) / total : 0));
    CHECK(number(weights, {1, t}) == 0);
  }
  for (int d = 0; d < 3; ++d) {
    double expected = 0;
    for (int t = 0; t < 3; ++t) expected += std::exp(scores[t]) / total * number(x, {0, t, d});
    CHECK(number(y, {0, d}) == doctest::Approx(expected));
    CHECK(number(y, {1, d}) == 0);
  }
  const testing::Report gradients =
      tests::check_gradients(AttentionPool(3, 4, DType::float64), {x},
                             [mask = length_mask({3, 5}, 5)](const AttentionPool& p, const std::vector<Tensor>& in) {
                               return p(in[0], mask);
                             });
  CHECK_MESSAGE(gradients, gradients.message);
}

TEST_CASE("signals: padding changes neither features nor gradients nor statistics") {
  for (const SignalPool pool : {SignalPool::mean, SignalPool::max, SignalPool::attention})
    for (const std::int64_t squeeze : {0, 2})
      check_padding([&] {
        return SignalCnn(
            {.in_channels = 2, .channels = {4, 6}, .blocks = 2, .kernel_size = 5, .squeeze = squeeze, .pool = pool});
      });
  for (const SignalCell cell : {SignalCell::lstm, SignalCell::gru})
    for (const bool both : {true, false})
      check_padding([&] {
        return SignalRnn({.in_channels = 2, .cell = cell, .hidden_size = 4, .num_layers = 2, .bidirectional = both});
      });
}

TEST_CASE("signals: a signal of which nothing was measured has features 0, whatever else is in the batch") {
  manual_seed(0);
  const Tensor mask = length_mask({0, 4}, 6), none = length_mask({0, 0}, 6);
  const Tensor x = where(unsqueeze(mask, 1), randn({2, 1, 6}), scalar(missing));
  SignalCnn cnn({.channels = {4, 4}, .kernel_size = 3});
  const SignalRnn rnn({.hidden_size = 3});
  for (const bool training : {true, false}) {
    if (!training) eval(cnn);
    CHECK(amax(abs(select(cnn(x, mask), 0, 0))).item() == 0);
    CHECK(amax(abs(cnn(x, none))).item() == 0);
  }
  CHECK(amax(abs(select(rnn(x, mask), 0, 0))).item() == 0);
  CHECK(amax(abs(select(rnn(x, mask), 0, 1))).item() > 0);
}

TEST_CASE("SignalCnn: shapes, and a mask with a gap hides what it covers") {
  manual_seed(0);
  SignalCnn cnn({.in_channels = 3, .channels = {4, 8, 16}, .blocks = 2});
  CHECK(cnn.width() == 16);
  CHECK(cnn.blocks.size() == 6);
  eval(cnn);
  for (const std::int64_t steps : {1, 2, 7, 40}) CHECK(cnn(randn({2, 3, steps})).shape() == Shape{2, 16});
  Tensor x = randn({1, 3, 9});
  Tensor mask = length_mask({9}, 9);
  mask.mutable_data<bool>()[4] = false;
  const Tensor before = cnn(x, mask);
  for (int c = 0; c < 3; ++c) x.mutable_data<float>()[c * 9 + 4] = 1e6F;
  CHECK(testing::allclose(cnn(x, mask), before));
  // What is seen is used.
  x.mutable_data<float>()[5] += 1;
  CHECK_FALSE(testing::allclose(cnn(x, mask), before));
}

TEST_CASE("signals: trained as any model") {
  Generator g{.seed = 5};
  const Tensor x = randn({3, 2, 12}, 0, 1, DType::float32, g), mask = length_mask({12, 7, 3}, 12);
  for (const SignalPool pool : {SignalPool::mean, SignalPool::max, SignalPool::attention})
    for (const std::int64_t squeeze : {0, 2}) {
      const testing::Report report = testing::check_module(
          [&] {
            return SignalCnn({.in_channels = 2,
                              .channels = {4, 6},
                              .kernel_size = 3,
                              .squeeze = squeeze,
                              .dropout = 0.2,
                              .pool = pool});
          },
          [&](const SignalCnn& net) {
            return std::vector<Tensor>{net(x), net(x, mask)};
          });
      CHECK_MESSAGE(report, report.message);
    }
  for (const SignalCell cell : {SignalCell::lstm, SignalCell::gru}) {
    const testing::Report report = testing::check_module(
        [&] { return SignalRnn({.in_channels = 2, .cell = cell, .hidden_size = 3, .num_layers = 2, .dropout = 0.1}); },
        [&](const SignalRnn& net) {
          return std::vector<Tensor>{net(x), net(x, mask)};
        });
    CHECK_MESSAGE(report, report.message);
  }
  const testing::Report pool = testing::check_module([] { return AttentionPool(12); },
                                                     [&](const AttentionPool& net) {
                                                       return net(x, length_mask({2, 1, 2}, 2));
                                                     });
  CHECK_MESSAGE(pool, pool.message);
}

TEST_CASE("signals: attention tells where the recurrent encoder looked") {
  manual_seed(0);
  const SignalRnn rnn({.hidden_size = 3});
  CHECK(rnn.width() == 6);
  Tensor weights;
  rnn(randn({2, 1, 6}), length_mask({4, 6}, 6), &weights);
  CHECK(weights.shape() == Shape{2, 6});
  CHECK(testing::allclose(sum(weights, 1), ones({2})));
  CHECK(number(weights, {0, 4}) == 0);
}

TEST_CASE("signals: errors") {
  CHECK(error_of([] { SignalCnn({.channels = {}}); }) ==
        "ConfigError: SignalCnn: there are no channels\n  help: give one number per stage");
  CHECK(error_of([] {
          SignalCnn({.channels = {4, 0}});
        }) == "ConfigError: SignalCnn: a stage has 0 channels\n  help: choose 1 or more");
  CHECK(error_of([] { SignalCnn({.kernel_size = 4}); }) ==
        "ConfigError: SignalCnn: kernel_size 4 has no middle\n  help: choose an odd number");
  CHECK(error_of([] { SignalCnn({.blocks = 0}); }) ==
        "ConfigError: SignalCnn: in_channels 1, blocks 0, stride 2, squeeze 0\n  help: choose 1 or more; squeeze 0 "
        "leaves it out");
  CHECK(error_of([] { SignalRnn({.hidden_size = 0}); }) ==
        "ConfigError: SignalRnn: in_channels 1, hidden_size 0, num_layers 1\n  help: choose 1 or more");
  CHECK(error_of([] { AttentionPool(3, 0); }) ==
        "ConfigError: AttentionPool: 3 features, 0 hidden\n  help: choose 1 or more");
  CHECK(error_of([] { SignalCnn({})(randn({2, 5})); }) == "ShapeError: SignalCnn: x [2, 5] is not (B, C, T)");
  CHECK(error_of([] { AttentionPool(5)(randn({2, 5})); }) == "ShapeError: AttentionPool: x [2, 5] is not (B, T, D)");
  CHECK(error_of([] {
          SignalCnn({})(randn({2, 1, 5}), length_mask({3}, 5));
        }) == "ShapeError: SignalCnn: mask [1, 5] for x [2, 1, 5]\n  help: pass one of (B, T), here [2, 5]");
  CHECK(error_of([] {
          global_avg_pool1d(randn({2, 1, 5}), ones({2, 5}));
        }) == "DtypeError: global_avg_pool1d: the mask is float32, not bool");
  Tensor gap = length_mask({5, 5}, 5);
  gap.mutable_data<bool>()[7] = false;
  CHECK(error_of([&] {
          SignalRnn({})(randn({2, 1, 5}), gap);
        }) ==
        "ConfigError: SignalRnn: signal 1 goes on at step 3 after a gap from step 2\n  help: fill gaps, or use a "
        "SignalCnn");
}
