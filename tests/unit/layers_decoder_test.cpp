#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/decoder.h>
#include <weft/layers/testing.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;
using weft::testing::allclose;
using Ids = std::vector<std::int64_t>;

namespace {

/// Sizes that fill no vector, so that what is left over at the end of a row is tried too.
DecoderOptions odd(DType dtype = DType::float32) {
  return {.vocab_size = 37,
          .context = 96,
          .d_model = 30,
          .nhead = 3,
          .num_layers = 2,
          .dim_feedforward = 50,
          .dtype = dtype};
}
/// With weights large enough that tokens matter.
Decoder lively(const DecoderOptions& options, std::uint64_t seed = 1) {
  manual_seed(seed);
  Decoder net(options);
  for (auto& [name, p] : named_parameters(net))
    if (p.dim() == 2) kernels::copy_into(p, randn(p.shape(), 0, 0.3, p.dtype()));
  eval(net);
  return net;
}
Tensor words(const Shape& shape, std::uint64_t seed) {
  Generator g{.seed = seed};
  return randint(0, 37, shape, DType::int64, g);
}
bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && to_vector<double>(a) == to_vector<double>(b);
}

}  // namespace

TEST_CASE("decoder: the cache gives, bit by bit, what computing all tokens again gives") {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const DecoderOptions& options :
         {odd(dtype),
          DecoderOptions{
              .vocab_size = 37, .context = 96, .d_model = 64, .nhead = 4, .num_layers = 2, .dtype = dtype}}) {
      const Decoder net = lively(options);
      const Tensor ids = words({3, 90}, 2);
      KeyValueCache whole = net.cache(3);
      const Tensor at_once = net.extend(ids, whole);
      // In parts of all kinds of length, below and above what kernels take at a time.
      KeyValueCache cache = net.cache(3);
      std::vector<Tensor> parts;
      std::int64_t at = 0;
      for (const std::int64_t n : {17, 1, 1, 2, 33, 5, 1, 30}) {
        parts.push_back(net.extend(slice(ids, 1, at, at + n), cache));
        at += n;
      }
      REQUIRE(at == 90);
      CHECK(same_bits(cat(parts, 1), at_once));
      // A row alone, and among others.
      KeyValueCache single = net.cache(1, 90);
      CHECK(same_bits(net.extend(slice(ids, 0, 1, 2), single), slice(at_once, 0, 1, 2)));
      const Tensor scores = net.scores(reshape(at_once, {270, -1}));
      CHECK(same_bits(net.scores(select(select(at_once, 0, 2), 0, 89).dim() == 1
                                     ? reshape(select(select(at_once, 0, 2), 0, 89), {1, -1})
                                     : at_once),
                      slice(scores, 0, 269, 270)));
      // The way in which it is trained adds up in another order, and no more than that.
      const NoGrad off;
      const double atol = dtype == DType::float32 ? 2e-4 : 1e-11;
      const auto close = allclose(reshape(net(ids), {270, 37}), scores, {.atol = atol, .rtol = atol});
      CHECK_MESSAGE(close, close.message);
    }
}

TEST_CASE("decoder: rows of unlike length are what each is alone") {
  const Decoder net = lively(odd());
  const Ids counts = {5, 20, 1}, more = {3, 1, 2};
  const Tensor ids = words({3, 20}, 3), rest = words({3, 3}, 4);
  KeyValueCache cache = net.cache(3);
  const Tensor first = net.next(ids, cache, counts), second = net.next(rest, cache, more);
  CHECK(cache.lengths == Ids{8, 21, 3});
  for (std::int64_t r = 0; r < 3; ++r) {
    const auto at = static_cast<std::size_t>(r);
    KeyValueCache alone = net.cache(1);
    const auto part = [&](const Tensor& x, std::int64_t n) { return slice(slice(x, 0, r, r + 1), 1, 0, n); };
    CHECK(same_bits(net.next(part(ids, counts[at]), alone), slice(first, 0, r, r + 1)));
    CHECK(same_bits(net.next(part(rest, more[at]), alone), slice(second, 0, r, r + 1)));
  }
  // A row may wait while others go on.
  const KeyValueCache before = clone_cache(cache);
  const Tensor one = words({3, 1}, 5);
  net.extend(one, cache, Ids{0, 1, 0});
  CHECK(cache.lengths == Ids{8, 22, 3});
  KeyValueCache back = clone_cache(before);
  const Tensor waited = net.next(one, cache, Ids{1, 0, 1}), straight = net.next(one, back, Ids{1, 0, 1});
  CHECK(same_bits(slice(waited, 0, 0, 1), slice(straight, 0, 0, 1)));
  CHECK(same_bits(slice(waited, 0, 2, 3), slice(straight, 0, 2, 3)));
}

TEST_CASE("decoder: generated tokens are the same with the cache and without") {
  const Decoder net = lively(odd(), 7);
  const std::vector<Ids> prompts = {{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10, 11}};
  for (const GenerateOptions& how :
       {GenerateOptions{.max_new_tokens = 40}, GenerateOptions{.max_new_tokens = 40, .temperature = 1.5},
        GenerateOptions{.max_new_tokens = 40, .temperature = 1, .top_k = 5},
        GenerateOptions{.max_new_tokens = 40, .temperature = 1, .top_p = 0.8},
        GenerateOptions{.max_new_tokens = 40, .temperature = 2, .eos = 3}}) {
    Generator a{.seed = 9}, b{.seed = 9};
    GenerateOptions with = how, without = how;
    with.generator = &a;
    without.generator = &b;
    without.use_cache = false;
    const auto fast = generate(net, prompts, with), slow = generate(net, prompts, without);
    CHECK(fast == slow);
    for (const Ids& row : fast)
      CHECK(
          (row.size() == 40 || (how.eos >= 0 && row.back() == how.eos && std::count(row.begin(), row.end(), 3) == 1)));
  }
  CHECK(generate(net, prompts, {.max_new_tokens = 0}) == std::vector<Ids>(3));
  // Greedy: each prompt alone is answered as among the others.
  const auto together = generate(net, prompts, {.max_new_tokens = 20});
  for (std::size_t r = 0; r < 3; ++r) CHECK(generate(net, {prompts[r]}, {.max_new_tokens = 20})[0] == together[r]);
}

TEST_CASE("decoder: draws follow the scores") {
  const std::vector<float> scores = {0, 1, 2, 3, -1e30F};
  Generator g{.seed = 3};
  const auto share = [&](const GenerateOptions& o) {
    std::vector<double> n(5);
    for (int i = 0; i < 20000; ++i) n[static_cast<std::size_t>(draw_token(scores, o, g))] += 1.0 / 20000;
    return n;
  };
  const double total = 1 + std::exp(1) + std::exp(2) + std::exp(3);
  const auto all = share({.temperature = 1});
  for (int i = 0; i < 4; ++i)
    CHECK(all[static_cast<std::size_t>(i)] == doctest::Approx(std::exp(i) / total).epsilon(0.1));
  CHECK(all[4] == 0);
  const auto warm = share({.temperature = 2});
  CHECK(warm[3] / warm[2] == doctest::Approx(std::exp(0.5)).epsilon(0.1));
  const auto two = share({.temperature = 1, .top_k = 2});
  CHECK(two[3] == doctest::Approx(1 / (1 + std::exp(-1))).epsilon(0.05));
  CHECK(two[0] + two[1] == 0);
  // 3 alone has 0.644, with 2 it is 0.881.
  CHECK(share({.temperature = 1, .top_p = 0.64})[3] == doctest::Approx(1));
  const auto nucleus = share({.temperature = 1, .top_p = 0.7});
  CHECK(nucleus[2] + nucleus[3] == doctest::Approx(1));
  CHECK(nucleus[2] > 0);
  CHECK(draw_token(scores, {}, g) == 3);
  CHECK(draw_token(scores, {.temperature = 1, .top_k = 1}, g) == 3);
}

TEST_CASE("decoder: it learns to count, and goes on counting") {
  manual_seed(5);
  Decoder net({.vocab_size = 10, .context = 24, .d_model = 32, .nhead = 2, .num_layers = 1, .dropout = 0.1});
  optim::Adam optimizer(parameters(net), {.lr = 1e-2});
  for (int step = 0; step < 80; ++step) {
    const Tensor start = randint(0, 10, {16, 1});
    const Tensor ids = (start + unsqueeze(arange(0, 13), 0)) % 10;  // (16, 13)
    const Tensor scores = net(slice(ids, 1, 0, 12));
    cross_entropy(reshape(scores, {-1, 10}), reshape(slice(ids, 1, 1, 13), {-1})).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  CHECK(generate(net, {{3}, {7, 8}}, {.max_new_tokens = 8}) ==
        std::vector<Ids>{{4, 5, 6, 7, 8, 9, 0, 1}, {9, 0, 1, 2, 3, 4, 5, 6}});
}

TEST_CASE("decoder: a model like any other") {
  const Tensor ids = words({2, 7}, 6);
  const auto report = testing::check_module([] { return Decoder(odd()); }, [&](const Decoder& d) { return d(ids); });
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("decoder: what does not fit is named") {
  const Decoder net = lively(odd());
  KeyValueCache cache = net.cache(2, 10);
  net.extend(words({2, 8}, 1), cache);
  CHECK(error_of([&] {
          net.extend(words({2, 3}, 1), cache);
        }) ==
        "ConfigError: decoder: the cache overflows: row 0 has 8 tokens, 3 more do not fit into 10\n"
        "  help: make a larger cache, or begin anew with the end of the text");
  CHECK(cache.lengths == Ids{8, 8});
  net.extend(words({2, 2}, 1), cache);
  CHECK(error_of([&] {
          net.extend(words({2, 1}, 1), cache);
        }).starts_with("ConfigError: decoder: the cache overflows"));
  cache.truncate(4);
  CHECK(cache.lengths == Ids{4, 4});
  CHECK(error_of([&] { cache.truncate(-1); }) == "ConfigError: decoder: a cache cannot keep -1 tokens");
  CHECK(error_of([&] {
          net.extend(words({3, 1}, 1), cache);
        }) ==
        "ShapeError: decoder: ids are [3, 1], the cache is for 2 rows\n"
        "  help: pass ids (rows, tokens), at least one token");
  CHECK(error_of([&] { net.extend(words({2, 1}, 1), cache, Ids{1}); }) == "ShapeError: decoder: 1 counts for 2 rows");
  CHECK(error_of([&] {
          net.extend(words({2, 1}, 1), cache, Ids{1, 2});
        }) == "ShapeError: decoder: row 1 is to have 2 of 1 tokens");
  KeyValueCache other;
  other.lengths = {0, 0};
  CHECK(error_of([&] {
          net.extend(words({2, 1}, 1), other);
        }) == "ShapeError: decoder: a cache of 0 layers, the model has 2");
  CHECK(error_of([&] {
          net(words({1, 97}, 1));
        }) ==
        "ShapeError: decoder: a text of 97 tokens, the model has 96 positions\n"
        "  help: cut the text, or make a decoder with a longer context");
  CHECK(error_of([&] { net(words({4}, 1)); }) == "ShapeError: decoder: ids are [4], not (texts, tokens)");
  CHECK(error_of([&] { net.cache(0); }) == "ConfigError: decoder: a cache for 0 rows, must be 1 or more");
  CHECK(error_of([&] { net.cache(1, 97); }) ==
        "ConfigError: decoder: a cache of 97 tokens, the model has 96 positions");
  CHECK(error_of([] { Decoder({.vocab_size = 5, .d_model = 10, .nhead = 3}); }) ==
        "ConfigError: decoder: d_model 10 is not a multiple of the 3 heads");
  CHECK(error_of([] { Decoder({.vocab_size = 0}); }) == "ConfigError: decoder: vocab_size is 0, must be 1 or more");
  CHECK(error_of([] { Decoder({.vocab_size = 5, .dim_feedforward = -1}); }) ==
        "ConfigError: decoder: dim_feedforward is -1");
  CHECK(error_of([&] { generate(net, {}); }) == "ConfigError: generate: there is no prompt");
  CHECK(error_of([&] {
          generate(net, {{1}, {}});
        }) == "ConfigError: generate: a prompt is empty\n  help: begin it with a token of its own");
  CHECK(error_of([&] {
          generate(net, {{1, 2}}, {.max_new_tokens = 95});
        }) == "ConfigError: generate: a prompt of 2 tokens and 95 new ones, the model has 96 positions");
  CHECK(error_of([&] { generate(net, {{1}}, {.temperature = -1}); }) ==
        "ConfigError: generate: temperature -1, must be 0 or more");
  CHECK(error_of([&] { generate(net, {{1}}, {.top_k = -1}); }) == "ConfigError: generate: top_k -1, must be 0 or more");
  CHECK(error_of([&] { generate(net, {{1}}, {.top_p = 0}); }) == "ConfigError: generate: top_p 0 is not in (0, 1]");
  Generator g;
  const std::vector<float> none = {NAN, NAN};
  CHECK(error_of([&] { draw_token(none, {}, g); }) ==
        "ConfigError: generate: no score is a finite number\n  help: look whether training went wrong");
}
