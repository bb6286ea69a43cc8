#include <doctest/doctest.h>

#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/layers/recurrent.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>

/// weft::deterministic(true): training gives the same bits whatever the number of threads. The sizes are such that the
/// work is spread.
using namespace weft;

namespace {

struct Perceptron {
  Linear hidden{784, 256}, out{256, 10};
  LayerNorm norm{256};
  Tensor operator()(const Tensor& x) const { return out(dropout(gelu(norm(hidden(x))), 0.1)); }
  void fields(auto&& f) { f("hidden", hidden, "out", out, "norm", norm); }
};

Tensor filter(std::int64_t out, std::int64_t in) { return randn({out, in, 3, 3}, 0, 0.1).set_requires_grad(); }

struct Images {
  Tensor first = filter(16, 3), second = filter(32, 16);
  BatchNorm norm{16};
  Linear out{32 * 4 * 4, 10};
  Tensor operator()(const Tensor& x) const {
    Tensor y = relu(norm(conv2d(reshape(x, {-1, 3, 16, 16}), first, Tensor(), {.padding = 1})));
    y = relu(conv2d(max_pool2d(y, 2), second, Tensor(), {.padding = 1}));
    return out(flatten(avg_pool2d(y, 2), 1));
  }
  void fields(auto&& f) { f("first", first, "second", second, "norm", norm, "out", out); }
};

struct Attending {
  Linear qkv{64, 192}, out{64, 10};
  Tensor operator()(const Tensor& x) const {
    const std::vector<Tensor> parts = chunk(qkv(reshape(x, {-1, 48, 64})), 3, -1);
    std::vector<Tensor> heads;
    for (const Tensor& part : parts)
      heads.push_back(transpose(reshape(part, {part.shape()[0], 48, 4, 16}), 1, 2));  // (B, heads, T, d)
    const Tensor y = scaled_dot_product_attention(heads[0], heads[1], heads[2], {.is_causal = true});
    return out(mean(reshape(transpose(y, 1, 2), {-1, 48, 64}), 1));
  }
  void fields(auto&& f) { f("qkv", qkv, "out", out); }
};

struct Sequences {
  LSTM lstm{{.input_size = 32,
             .hidden_size = 64,
             .num_layers = 2,
             .batch_first = true,
             .dropout = 0.1,
             .bidirectional = true}};
  Linear out{128, 10};
  Tensor operator()(const Tensor& x) const { return out(select(lstm(reshape(x, {-1, 12, 32})).output, 1, -1)); }
  void fields(auto&& f) { f("lstm", lstm, "out", out); }
};

/// All parameters and buffers after 20 steps.
template <class Model>
std::vector<std::vector<float>> trained(std::int64_t rows, std::int64_t columns, int threads) {
  set_num_threads(threads);
  manual_seed(7);
  Model model;
  optim::AdamW optimizer(parameters(model), {.lr = 1e-3});
  const Tensor x = randn({rows, columns}), y = randint(0, 10, {rows});
  for (int step = 0; step < 20; ++step) {
    cross_entropy(model(x), y).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  std::vector<std::vector<float>> all;
  for (const auto& [name, value] : state(model))
    if (value.dtype() == DType::float32) all.push_back(to_vector<float>(value));
  set_num_threads(0);
  return all;
}

template <class Model>
void same_bits(std::int64_t rows, std::int64_t columns) {
  deterministic(true);
  const auto alone = trained<Model>(rows, columns, 1);
  for (const float v : alone[0]) REQUIRE(v == v);
  CHECK(alone == trained<Model>(rows, columns, 1));  // the same seed, the same bits
  CHECK(alone == trained<Model>(rows, columns, 2));
  CHECK(alone == trained<Model>(rows, columns, 4));
  deterministic(false);
}

}  // namespace

TEST_CASE("deterministic: a perceptron ends with the same bits on 1, 2 and 4 threads") {
  same_bits<Perceptron>(128, 784);
}
TEST_CASE("deterministic: a convolutional network ends with the same bits on 1, 2 and 4 threads") {
  same_bits<Images>(8, 3 * 16 * 16);
}
TEST_CASE("deterministic: an LSTM ends with the same bits on 1, 2 and 4 threads") { same_bits<Sequences>(32, 12 * 32); }
TEST_CASE("deterministic: attention ends with the same bits on 1, 2 and 4 threads") {
  same_bits<Attending>(8, 48 * 64);
}
