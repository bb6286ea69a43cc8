#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/allocator.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>

/// Attention in tiles and recurrent networks as one operation, against the same made of small operations; sizes are
/// such that several tiles, and parts of them, take part.
using namespace weft;

namespace {

constexpr DType f64 = DType::float64;

Tensor normal(const Shape& shape, std::uint64_t seed, DType dtype = f64) {
  Generator g{seed, 0};
  return randn(shape, 0, 1, dtype, g);
}

/// Every score at once; where `seen` is false a query does not look.
Tensor plainly(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& seen = Tensor(),
               const Tensor& add = Tensor()) {
  Tensor scores = matmul(q, transpose(k, -2, -1)) / std::sqrt(static_cast<double>(q.shape().back()));
  if (add.defined()) scores = scores + add;
  return matmul(seen.defined() ? masked_softmax(scores, seen, -1) : softmax(scores, -1), v);
}

Tensor causal_mask(std::int64_t queries, std::int64_t keys) {
  return ge(unsqueeze(arange(0, static_cast<double>(queries)), 1), arange(0, static_cast<double>(keys)));
}

void check_close(const Tensor& actual, const Tensor& expected, double tolerance = 1e-11) {
  const testing::Report report = testing::allclose(actual, expected, {.atol = tolerance, .rtol = tolerance});
  CHECK_MESSAGE(report, report.message);
}

template <class F>
std::vector<Tensor> value_and_gradients(F f, std::vector<Tensor> inputs) {
  for (Tensor& x : inputs) x = detach(x).set_requires_grad();
  const Tensor y = f(inputs);
  std::vector<Tensor> all = grad({y}, inputs, {.output_gradients = {normal(y.shape(), 99, y.dtype())}});
  all.push_back(detach(y));
  return all;
}

/// Output and gradients agree.
template <class F, class G>
void check_same(F f, G g, const std::vector<Tensor>& inputs, double tolerance = 1e-11) {
  const std::vector<Tensor> actual = value_and_gradients(f, inputs), expected = value_and_gradients(g, inputs);
  for (std::size_t i = 0; i < actual.size(); ++i) check_close(actual[i], expected[i], tolerance);
}

/// Output and gradients are the same bits on 1, 2 and 4 threads.
template <class F>
void check_same_bits(F f, const std::vector<Tensor>& inputs) {
  deterministic(true);
  std::vector<std::vector<float>> before;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    std::vector<std::vector<float>> now;
    for (const Tensor& x : value_and_gradients(f, inputs)) now.push_back(to_vector<float>(x));
    if (!before.empty()) CHECK(now == before);
    before = now;
  }
  set_num_threads(0);
  deterministic(false);
}

struct Sizes {
  std::int64_t queries, keys, width, values;
};

}  // namespace

TEST_CASE("attention: tiles agree with all scores at once") {
  for (const Sizes& s : {Sizes{1, 1, 3, 2}, {1, 300, 8, 8}, {97, 257, 5, 33}, {200, 40, 64, 64}, {96, 600, 17, 16}}) {
    CAPTURE(s.queries);
    const std::vector<Tensor> x{normal({2, s.queries, s.width}, 1), normal({2, s.keys, s.width}, 2),
                                normal({2, s.keys, s.values}, 3)};
    check_same([](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); },
               [](const auto& in) { return plainly(in[0], in[1], in[2]); }, x);
    check_same([](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.is_causal = true}); },
               [&](const auto& in) { return plainly(in[0], in[1], in[2], causal_mask(s.queries, s.keys)); }, x);
    Generator g{4, 0};
    const Tensor seen = to(bernoulli({2, 1, s.keys}, 0.5, DType::float32, g), DType::boolean);
    check_same([&](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = seen}); },
               [&](const auto& in) { return plainly(in[0], in[1], in[2], seen); }, x);
    const Tensor add = t(normal({s.keys, s.queries}, 5));
    check_same([&](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = add}); },
               [&](const auto& in) { return plainly(in[0], in[1], in[2], Tensor(), add); }, x);
  }
}

TEST_CASE("attention: rows that see nothing are 0 and have no gradient") {
  const std::vector<Tensor> x{normal({300, 4}, 1), normal({400, 4}, 2), normal({400, 4}, 3)};
  const Tensor rows = lt(unsqueeze(arange(0, 300), 1), 150);  // the first 150 queries see all
  for (const Tensor& mask :
       {expand(rows, {300, 400}), where(expand(rows, {300, 400}), scalar(0.0, f64), scalar(-HUGE_VAL, f64))}) {
    const auto all = value_and_gradients(
        [&](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.mask = mask}); }, x);
    check_close(slice(all[3], 0, 150, 300), zeros({150, 4}, f64), 0);
    check_close(slice(all[0], 0, 150, 300), zeros({150, 4}, f64), 0);
    check_close(slice(all[3], 0, 0, 150), plainly(slice(x[0], 0, 0, 150), x[1], x[2]));
  }
}

TEST_CASE("attention: heads cut out of rows are read as they lie, and can be joined without a copy") {
  const Tensor rows = normal({2, 100, 3 * 4 * 8}, 1);  // (B, T, 3 H d)
  const auto heads = [](const Tensor& x) {
    std::vector<Tensor> parts;
    for (const Tensor& part : chunk(x, 3, -1)) parts.push_back(transpose(reshape(part, {2, 100, 4, 8}), 1, 2));
    return parts;
  };
  const std::vector<Tensor> p = heads(rows);
  const Tensor y = scaled_dot_product_attention(p[0], p[1], p[2]);
  CHECK(transpose(y, 1, 2).is_contiguous());
  check_same(
      [&](const auto& in) {
        const std::vector<Tensor> part = heads(in[0]);
        return scaled_dot_product_attention(part[0], part[1], part[2]);
      },
      [&](const auto& in) {
        const std::vector<Tensor> part = heads(in[0]);
        return plainly(part[0], part[1], part[2]);
      },
      {rows});
}

TEST_CASE("attention: grouped heads share keys and values") {
  check_same([](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.grouped = true}); },
             [](const auto& in) {
               const auto shared = [](const Tensor& x) {
                 return reshape(expand(unsqueeze(x, 2), {2, 2, 3, 50, 8}), {2, 6, 50, 8});
               };
               return plainly(in[0], shared(in[1]), shared(in[2]));
             },
             {normal({2, 6, 30, 8}, 1), normal({2, 2, 50, 8}, 2), normal({2, 2, 50, 8}, 3)});
}

TEST_CASE("attention: dropout drops the same weights forwards, backwards and in second derivatives") {
  const Tensor q = normal({3, 110, 6}, 1), k = normal({3, 300, 6}, 2), v = normal({3, 300, 5}, 3);
  const auto dropping = [](const auto& in) {
    Generator g{11, 5};
    return scaled_dot_product_attention(in[0], in[1], in[2], {.dropout = 0.3, .generator = &g});
  };
  check_same(dropping,
             [](const auto& in) {
               Generator g{11, 5};
               const Tensor scores = matmul(in[0], transpose(in[1], -2, -1)) / std::sqrt(6.0);
               return matmul(dropout(softmax(scores, -1), 0.3, true, g), in[2]);
             },
             {q, k, v});
  const testing::Report report = testing::gradgradcheck([&](const std::vector<Tensor>& in) { return dropping(in); },
                                                        {normal({4, 3}, 1), normal({5, 3}, 2), normal({5, 2}, 3)});
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("attention: the same bits for any number of threads, one head or many") {
  for (const std::int64_t heads : {1, 5})
    check_same_bits(
        [](const auto& in) {
          Generator g{3, 0};
          return scaled_dot_product_attention(in[0], in[1], in[2],
                                              {.is_causal = true, .dropout = 0.1, .generator = &g});
        },
        {normal({heads, 400, 32}, 1, DType::float32), normal({heads, 600, 32}, 2, DType::float32),
         normal({heads, 600, 32}, 3, DType::float32)});
}

TEST_CASE("attention: memory grows with the length, not with its square") {
  constexpr std::int64_t length = 4096;
  std::vector<Tensor> x;
  for (std::uint64_t i = 0; i < 3; ++i) x.push_back(normal({length, 16}, i, DType::float32));
  const std::size_t before = memory_statistics().live;
  reset_peak_memory();
  value_and_gradients([](const auto& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); }, x);
  CHECK(memory_statistics().peak - before < length * length);  // a quarter of all scores
}

TEST_CASE("recurrent: the same bits for any number of threads, few sequences or many") {
  for (const RecurrentCell cell : {RecurrentCell::lstm, RecurrentCell::gru, RecurrentCell::tanh})
    for (const std::int64_t batch : {3, 33}) {
      const std::int64_t hidden = 100, gates = kernels::gates_of(cell) * hidden, rows = 3 * batch + 2;
      const RecurrentSteps steps{.cell = cell, .sizes = {batch, batch, batch - 1, 2, 1}};
      check_same_bits(
          [&](const auto& in) {
            std::vector<Tensor> states{in[4]};
            if (cell == RecurrentCell::lstm) states.push_back(in[4] * 0.5);
            return recurrent(in[0], states, {in[1], in[2], in[3], in[3], Tensor()}, steps)[0];
          },
          {normal({rows, 20}, 1, DType::float32), normal({gates, 20}, 2, DType::float32) * 0.1,
           normal({gates, hidden}, 3, DType::float32) * 0.1, normal({gates}, 4, DType::float32),
           normal({batch, hidden}, 5, DType::float32)});
    }
}

TEST_CASE("recurrent: without a gradient nothing but the results is held") {
  const std::int64_t hidden = 64, rows = 2000;
  const Tensor x = normal({rows, 8}, 1, DType::float32), state = zeros({1, hidden});
  const RecurrentWeights w{normal({4 * hidden, 8}, 2, DType::float32), normal({4 * hidden, hidden}, 3, DType::float32),
                           Tensor(), Tensor(), Tensor()};
  const RecurrentSteps steps{.cell = RecurrentCell::lstm, .sizes = std::vector<std::int64_t>(rows, 1)};
  const std::size_t before = memory_statistics().live;
  const std::vector<Tensor> y = recurrent(x, {state, state}, w, steps);
  CHECK(memory_statistics().live - before <
        std::size_t{2} * rows * hidden * sizeof(float));  // the output is half of it
}
