#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/testing.h>
#include <weft/layers/text.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;
using weft::testing::allclose;

namespace {

constexpr TextEmbeddingOptions table{.num_embeddings = 20, .embedding_dim = 6};
Tensor words(const Shape& shape, std::uint64_t seed = 1) {
  Generator g{.seed = seed};
  return randint(1, 20, shape, DType::int64, g);
}

}  // namespace

TEST_CASE("text: a word's vector is its own and the mean of those of its parts") {
  manual_seed(1);
  const TextEmbedding e(table);
  const Tensor ids = from(std::vector<std::int64_t>{3, 7, 9, 5, 6, 0, 4, 0, 0, 0, 0, 0}, {1, 4, 3});
  const auto row = [&](std::int64_t i) { return select(e.weight, 0, i); };
  const Tensor x = select(e(ids), 0, 0);
  CHECK(allclose(select(x, 0, 0), row(3) + (row(7) + row(9)) / 2.0));
  CHECK(allclose(select(x, 0, 1), row(5) + row(6)));
  CHECK(allclose(select(x, 0, 2), row(4)));
  CHECK(allclose(select(x, 0, 3), zeros({6})));
  CHECK(allclose(e(words({2, 4})), embedding(e.weight, words({2, 4}))));
  CHECK(to_vector<std::int64_t>(word_mask(ids)) == std::vector<std::int64_t>{1, 1, 1, 0});
  TextEmbedding leaky({.num_embeddings = 20, .embedding_dim = 6, .word_dropout = 0.5});
  const Tensor seen = ne(sum(abs(leaky(words({50, 40}))), 2), 0);
  CHECK(mean(to(seen, DType::float32)).item() == doctest::Approx(0.5).epsilon(0.1));
  eval(leaky);
  CHECK(allclose(leaky(words({2, 4})), embedding(leaky.weight, words({2, 4}))));
}

TEST_CASE("text: padding is not seen, and order is by filters only") {
  manual_seed(2);
  TextCnn cnn({.embedding = table, .out_features = 3, .channels = 4, .widths = {1, 2, 3}});
  TextBag bag({.embedding = table, .out_features = 3});
  for (Conv1d& filter : cnn.filters) filter.bias = ones({4});  // what a bias gives beyond the text would show
  eval(cnn), eval(bag);
  const NoGrad off;
  const Tensor ids = words({2, 5}), padded = cat({ids, zeros({2, 4}, DType::int64)}, 1), back = flip(ids, {1});
  CHECK(allclose(cnn(padded), cnn(ids)));
  CHECK(allclose(bag(padded), bag(ids)));
  CHECK(allclose(bag(back), bag(ids)));
  CHECK_FALSE(allclose(cnn(back), cnn(ids)));
  CHECK(allclose(bag(zeros({1, 3}, DType::int64)), reshape(bag.out.bias, {1, 3})));
  const TextCnn features({.embedding = table, .channels = 4});
  CHECK(features.features() == 12);
  CHECK(features(words({2, 1})).shape() == Shape{2, 12});
}

TEST_CASE("text: models like any other, and their errors") {
  const Tensor ids = words({3, 6, 2});
  const auto passes = [](const auto& report) { CHECK_MESSAGE(report, report.message); };
  passes(testing::check_module([] { return TextCnn({.embedding = table, .out_features = 2, .channels = 3}); },
                               [&](const TextCnn& m) { return m(ids); }));
  passes(testing::check_module([] { return TextBag({.embedding = table, .out_features = 2, .dropout = 0.3}); },
                               [&](const TextBag& m) { return m(ids); }));
  CHECK(error_of([] { TextEmbedding({.num_embeddings = 0}); }) ==
        "ConfigError: text: num_embeddings is 0, must be 1 or more");
  CHECK(error_of([] { TextEmbedding({.num_embeddings = 2, .word_dropout = 1}); }) ==
        "ConfigError: text: word_dropout is 1, must be in [0, 1)");
  CHECK(error_of([] {
          TextEmbedding e(table);
          e(words({3}));
        }) == "ShapeError: text: ids are [3]\n  help: pass (texts, words) or (texts, words, parts)");
  CHECK(error_of([] { TextCnn({.embedding = table, .widths = {}}); }) ==
        "ConfigError: text: a network of filters without widths");
  CHECK(error_of([] { TextCnn({.embedding = table, .widths = {0}}); }) ==
        "ConfigError: text: a width is 0, must be 1 or more");
}
