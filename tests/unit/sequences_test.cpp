#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/allocator.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>

/// Recurrent networks as one operation.
using namespace weft;

namespace {

constexpr DType f64 = DType::float64;

Tensor normal(const Shape& shape, std::uint64_t seed, DType dtype = f64) {
  Generator g{seed, 0};
  return randn(shape, 0, 1, dtype, g);
}

template <class F>
std::vector<Tensor> value_and_gradients(F f, std::vector<Tensor> inputs) {
  for (Tensor& x : inputs) x = detach(x).set_requires_grad();
  const Tensor y = f(inputs);
  std::vector<Tensor> all = grad({y}, inputs, {.output_gradients = {normal(y.shape(), 99, y.dtype())}});
  all.push_back(detach(y));
  return all;
}

}  // namespace

TEST_CASE("recurrent: the same bits for any number of threads, few sequences or many") {
  deterministic(true);
  for (const RecurrentCell cell : {RecurrentCell::lstm, RecurrentCell::gru, RecurrentCell::tanh}) {
    for (const std::int64_t batch : {3, 33}) {
      std::vector<std::vector<float>> before;
      for (const int threads : {1, 2, 4}) {
        set_num_threads(threads);
        const std::int64_t hidden = 100, gates = kernels::gates_of(cell) * hidden;
        RecurrentSteps steps{.cell = cell, .sizes = {batch, batch, batch - 1, 2, 1}};
        const std::int64_t rows = 3 * batch + 2;
        const auto all = value_and_gradients(
            [&](const auto& in) {
              std::vector<Tensor> states{in[4]};
              if (cell == RecurrentCell::lstm) states.push_back(in[4] * 0.5);
              return recurrent(in[0], states, {in[1], in[2], in[3], in[3], Tensor()}, steps)[0];
            },
            {normal({rows, 20}, 1, DType::float32), normal({gates, 20}, 2, DType::float32) * 0.1,
             normal({gates, hidden}, 3, DType::float32) * 0.1, normal({gates}, 4, DType::float32),
             normal({batch, hidden}, 5, DType::float32)});
        std::vector<std::vector<float>> now;
        for (const Tensor& x : all) now.push_back(to_vector<float>(x));
        if (!before.empty()) CHECK(now == before);
        before = now;
      }
    }
  }
  set_num_threads(0);
  deterministic(false);
}

TEST_CASE("recurrent: without a gradient nothing but the gates and the states is held") {
  const std::int64_t hidden = 64, rows = 2000;
  const Tensor x = normal({rows, 8}, 1, DType::float32), state = zeros({1, hidden});
  const RecurrentWeights w{normal({4 * hidden, 8}, 2, DType::float32), normal({4 * hidden, hidden}, 3, DType::float32),
                           Tensor(), Tensor(), Tensor()};
  const RecurrentSteps steps{.cell = RecurrentCell::lstm, .sizes = std::vector<std::int64_t>(rows, 1)};
  const std::size_t before = memory_statistics().live;
  reset_peak_memory();
  const std::vector<Tensor> y = recurrent(x, {state, state}, w, steps);
  CHECK(memory_statistics().peak - before < std::size_t{6} * rows * hidden * sizeof(float));
}
