#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/layers/attention.h>
#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/recurrent.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/allocator.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/random.h>

/// Training for long, and in several threads: memory that is given back is used again.
using namespace weft;

namespace {

struct Reader {
  LSTM lstm{{.input_size = 6, .hidden_size = 16, .batch_first = true}};
  MultiheadAttention attention{{.embed_dim = 16, .num_heads = 2, .batch_first = true}};
  Linear out{16, 3};
  Tensor operator()(const Tensor& x) const {
    const Tensor h = lstm(x).output;
    return out(mean(attention(h, h, h).output, 1));
  }
  void fields(auto&& f) { f("lstm", lstm, "attention", attention, "out", out); }
};

struct Viewer {
  Conv2d conv{{.in_channels = 1, .out_channels = 8, .kernel_size = 3}};
  BatchNorm norm{8};
  Linear out{8 * 6 * 6, 3};
  Tensor operator()(const Tensor& x) const { return out(flatten(relu(norm(conv(x))), 1)); }
  void fields(auto&& f) { f("conv", conv, "norm", norm, "out", out); }
};

template <class Model>
void step(Model& model, optim::Adam& optimizer, const Tensor& x, const Tensor& y) {
  optimizer.zero_grad();
  cross_entropy(model(x), y).backward();
  optimizer.step();
}

/// The parameters after some steps of training, by numbers of their own.
template <class Model>
std::vector<float> trained(std::uint64_t seed, const Shape& input) {
  Generator g{seed};
  Model model;
  for (auto& [name, p] : state(model))
    if (p.dtype() == DType::float32) kernels::copy_into(p, rand(p.shape(), 0, 0.3, DType::float32, g));
  optim::Adam optimizer(parameters(model), {.lr = 1e-3});
  const Tensor x = randn(input, 0, 1, DType::float32, g), y = randint(0, 3, {input[0]}, DType::int64, g);
  for (int i = 0; i < 30; ++i) step(model, optimizer, x, y);
  std::vector<float> all;
  for (const Tensor& p : parameters(model))
    for (const float v : to_vector<float>(p)) all.push_back(v);
  return all;
}

}  // namespace

TEST_CASE("memory: a thousand steps with sequences of any length need no more than the first few hundred") {
  manual_seed(1);
  Reader model;
  optim::Adam optimizer(parameters(model), {.lr = 1e-3});
  Generator g{2};
  MemoryStatistics middle;
  for (int i = 0; i < 1000; ++i) {
    if (i == 300) middle = memory_statistics();
    const std::int64_t length = 1 + (i * 7919) % 40;
    step(model, optimizer, randn({4, length, 6}, 0, 1, DType::float32, g), randint(0, 3, {4}, DType::int64, g));
  }
  const MemoryStatistics end = memory_statistics();
  CHECK(end.reserved == middle.reserved);
  CHECK(end.live < middle.live + 100'000);
}

TEST_CASE("memory: models trained in threads at once are what they are when trained alone") {
  const Shape sequences{8, 12, 6}, images{8, 1, 8, 8};
  const std::vector<float> reader = trained<Reader>(3, sequences), viewer = trained<Viewer>(4, images);
  std::vector<float> first, second;
  std::thread one([&] { first = trained<Reader>(3, sequences); }), two([&] { second = trained<Viewer>(4, images); });
  one.join();
  two.join();
  // Sums may be split otherwise among threads.
  const auto close = [](const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == doctest::Approx(b[i]).epsilon(1e-3));
  };
  close(first, reader);
  close(second, viewer);
}
