#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/layers/transformer.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::check_gradients;
using weft::tests::error_of;
using weft::tests::normal;

namespace {

constexpr DType f64 = DType::float64;

MultiheadAttention attention(bool batch_first = true) {
  return MultiheadAttention({.embed_dim = 6, .num_heads = 2, .batch_first = batch_first, .dtype = f64});
}

void check_close(const Tensor& actual, const Tensor& expected) {
  const testing::Report report = allclose(actual, expected, {.atol = 1e-12, .rtol = 1e-12});
  CHECK_MESSAGE(report, report.message);
}

Tensor flags(const std::vector<std::vector<bool>>& rows) {
  std::vector<float> all;
  for (const std::vector<bool>& row : rows)
    for (const bool each : row) all.push_back(each ? 1 : 0);
  const auto n = static_cast<std::int64_t>(rows.size());
  return to(from(all, {n, static_cast<std::int64_t>(all.size()) / n}), DType::boolean);
}

/// true above the diagonal
Tensor later(std::int64_t n) {
  return lt(unsqueeze(arange(0, static_cast<double>(n)), 1), arange(0, static_cast<double>(n)));
}

}  // namespace

TEST_CASE("attention: a query that may see nothing gives 0, and no NaN on the way back") {
  const MultiheadAttention m = attention();
  initialize::normal(m.out_proj.bias, 0, 1);
  const Tensor nothing = flags({{false, true, false}, {true, true, true}});  // (T, S)
  for (const AttentionWeights wanted : {AttentionWeights::none, AttentionWeights::mean}) {
    Tensor q = normal({1, 2, 6}, 1), k = normal({1, 3, 6}, 2);
    q.set_requires_grad();
    k.set_requires_grad();
    const auto r = m(q, k, k, {.attn_mask = nothing}, wanted);
    check_close(select(r.output, 1, 1), unsqueeze(m.out_proj.bias, 0));
    if (r.weights.defined()) check_close(select(r.weights, 1, 1), zeros({1, 3}, f64));
    sum(r.output).backward();
    check_close(select(q.grad(), 1, 1), zeros({1, 6}, f64));
    CHECK(std::isfinite(sum(q.grad()).item()));
    CHECK(std::isfinite(sum(k.grad()).item()));
  }
}

TEST_CASE("attention: is_causal, a bool mask and one of numbers say the same") {
  const MultiheadAttention m = attention();
  const Tensor x = normal({2, 4, 6}, 3);
  const Tensor numbers = where(later(4), scalar(-HUGE_VAL, f64), scalar(0.0, f64));
  const auto causal = m(x, x, x, {.is_causal = true});
  check_close(causal.output, m(x, x, x, {.attn_mask = later(4)}).output);
  check_close(causal.output, m(x, x, x, {.attn_mask = numbers}).output);
  check_close(causal.output, m(x, x, x, {.attn_mask = later(4), .is_causal = true}).output);
  check_close(causal.output, m(x, x, x, {.is_causal = true}, AttentionWeights::none).output);
  check_close(masked_fill(causal.weights, logical_not(later(4)), 0), zeros({2, 4, 4}, f64));
  const Tensor changed = cat({slice(x, 1, 0, 3), normal({2, 1, 6}, 4)}, 1);  // only the last position
  check_close(slice(m(changed, changed, changed, {.is_causal = true}).output, 1, 0, 3), slice(causal.output, 1, 0, 3));
}

TEST_CASE("attention: padded keys count as if they were not there") {
  const MultiheadAttention m = attention();
  const Tensor q = normal({2, 3, 6}, 5), k = normal({2, 4, 6}, 6), v = normal({2, 4, 6}, 7);
  const Tensor padded = flags({{false, false, true, true}, {false, false, false, false}});
  const auto all = m(q, k, v, {.key_padding_mask = padded});
  const auto first = [](const Tensor& x, std::int64_t n) { return slice(slice(x, 0, 0, 1), 1, 0, n); };
  check_close(first(all.output, 3), m(first(q, 3), first(k, 2), first(v, 2)).output);
  check_close(slice(all.output, 0, 1, 2), slice(m(q, k, v).output, 0, 1, 2));
  check_close(m(q, k, v, {.key_padding_mask = padded}, AttentionWeights::none).output, all.output);
}

TEST_CASE("attention: weights per head, their mean, or none") {
  const MultiheadAttention m = attention();
  const Tensor q = normal({2, 3, 6}, 8), k = normal({2, 4, 6}, 9);
  Tensor mask = normal({4, 3, 4}, 10);  // (B * heads, T, S)
  const auto heads = m(q, k, k, {.attn_mask = mask}, AttentionWeights::per_head),
             mean_of = m(q, k, k, {.attn_mask = mask}), none = m(q, k, k, {.attn_mask = mask}, AttentionWeights::none);
  CHECK(heads.weights.shape() == Shape{2, 2, 3, 4});
  check_close(mean(heads.weights, 1), mean_of.weights);
  check_close(sum(heads.weights, -1), ones({2, 2, 3}, f64));
  CHECK_FALSE(none.weights.defined());
  check_close(none.output, mean_of.output);
  check_close(heads.output, mean_of.output);
  // Of one image and head, the mask's own slice counts.
  const auto second = m(slice(q, 0, 1, 2), slice(k, 0, 1, 2), slice(k, 0, 1, 2), {.attn_mask = slice(mask, 0, 2, 4)});
  check_close(slice(mean_of.output, 0, 1, 2), second.output);
}

TEST_CASE("attention: forms of input") {
  MultiheadAttention rows = attention(true), columns = attention(false);
  const std::vector<Tensor> shared = parameters(rows);
  tests::Replace put(shared, 0);
  walk(columns, put);
  const Tensor x = normal({2, 3, 6}, 11), turned = transpose(x, 0, 1);
  const auto r = rows(x, x, x), c = columns(turned, turned, turned);
  check_close(transpose(c.output, 0, 1), r.output);
  check_close(c.weights, r.weights);
  const Tensor copy = x + 0.0;  // three inputs that differ in their storage take another path
  check_close(rows(x, copy, x).output, r.output);
  const Tensor one = select(x, 0, 1);
  const Tensor padded = to(tensor({0, 0, 1}), DType::boolean);
  check_close(rows(one, one, one).output, select(r.output, 0, 1));
  check_close(rows(one, one, one).weights, select(r.weights, 0, 1));
  check_close(rows(one, one, one, {.key_padding_mask = padded}).output,
              select(rows(x, x, x, {.key_padding_mask = stack({padded, padded})}).output, 0, 1));
}

TEST_CASE("attention: extra keys") {
  const MultiheadAttention m(
      {.embed_dim = 6, .num_heads = 2, .add_bias_kv = true, .add_zero_attn = true, .dtype = f64});
  initialize::constant(m.in_proj_weight, 0);  // all scores are 0
  const Tensor x = normal({3, 2, 6}, 12);
  const auto r = m(x, x, x);
  check_close(r.weights, full({2, 3, 5}, 0.2, f64));
  const Tensor one_learned = 0.2 * reshape(m.bias_v, {1, 6});  // values of x and of the zero key are 0
  check_close(select(r.output, 0, 0), expand(m.out_proj(one_learned), {2, 6}));
  const auto causal = m(x, x, x, {.is_causal = true});
  check_close(select(causal.weights, 1, 0),
              from(std::vector<double>{1 / 3., 0, 0, 1 / 3., 1 / 3., 1 / 3., 0, 0, 1 / 3., 1 / 3.}, {2, 5}));
  check_close(m(x, x, x, {.is_causal = true}, AttentionWeights::none).output, causal.output);
}

TEST_CASE("attention: dropout only while training") {
  MultiheadAttention m({.embed_dim = 6, .num_heads = 2, .dropout = 1, .dtype = f64});
  const Tensor x = normal({3, 2, 6}, 13);
  for (const AttentionWeights wanted : {AttentionWeights::none, AttentionWeights::mean}) {
    train(m);
    check_close(m(x, x, x, {}, wanted).output, zeros({3, 2, 6}, f64));
    eval(m);
    CHECK_FALSE(allclose(m(x, x, x, {}, wanted).output, zeros({3, 2, 6}, f64)));
  }
}

TEST_CASE("attention: gradients") {
  const MultiheadAttention m({.embed_dim = 4,
                              .num_heads = 2,
                              .add_bias_kv = true,
                              .add_zero_attn = true,
                              .kdim = 3,
                              .vdim = 5,
                              .batch_first = true,
                              .dtype = f64});
  const std::vector<Tensor> inputs{normal({2, 3, 4}, 1), normal({2, 2, 3}, 2), normal({2, 2, 5}, 3), normal({3, 2}, 4)};
  const Tensor padded = flags({{false, true}, {false, false}});
  const testing::Report with = check_gradients(m, inputs, [&](const MultiheadAttention& a, const auto& in) {
    const auto r = a(in[0], in[1], in[2], {.attn_mask = in[3], .key_padding_mask = padded});
    return std::vector<Tensor>{r.output, r.weights};
  });
  CHECK_MESSAGE(with, with.message);
  const testing::Report without = check_gradients(m, inputs, [&](const MultiheadAttention& a, const auto& in) {
    return a(in[0], in[1], in[2], {.attn_mask = in[3], .key_padding_mask = padded}, AttentionWeights::none).output;
  });
  CHECK_MESSAGE(without, without.message);
}

TEST_CASE("attention: errors") {
  CHECK(error_of([] { MultiheadAttention({.embed_dim = 6, .num_heads = 4}); }) ==
        "ConfigError: multihead_attention: embed_dim 6 is not divisible by num_heads 4");
  CHECK(error_of([] { MultiheadAttention({.embed_dim = 6, .num_heads = 2, .dropout = -0.1}); }) ==
        "ConfigError: multihead_attention: dropout is -0.1\n  help: choose a probability from 0 to 1");
  CHECK(error_of([] { MultiheadAttention({.embed_dim = 6, .num_heads = 2, .kdim = -1}); }) ==
        "ConfigError: multihead_attention: kdim -1, vdim 0\n  help: choose 1 or more");
  const MultiheadAttention m({.embed_dim = 6, .num_heads = 2, .vdim = 4});
  const Tensor q = zeros({3, 2, 6}), v = zeros({3, 2, 4});
  CHECK(error_of([&] { m(q, q, q); }) ==
        "ShapeError: multihead_attention: query [3, 2, 6], key [3, 2, 6], value [3, 2, 6]\n  help: their features must "
        "be 6, 6 and 4");
  CHECK(error_of([&] { m(q, q, slice(v, 0, 0, 2)); }) ==
        "ShapeError: multihead_attention: query [3, 2, 6], key [3, 2, 6], value [2, 2, 4] differ in their batches or "
        "positions");
  CHECK(error_of([&] {
          m(q, q, v, {.attn_mask = zeros({2, 3, 3})});
        }) ==
        "ShapeError: multihead_attention: attn_mask is [2, 3, 3] for 2 times 3 queries and 3 keys\n  help: pass (T, S) "
        "or (B * heads, T, S)");
  CHECK(
      error_of([&] {
        m(q, q, v, {.key_padding_mask = zeros({3, 2})});
      }) ==
      "ShapeError: multihead_attention: key_padding_mask is [3, 2] for 2 times 3 queries and 3 keys\n  help: pass (B, "
      "S)");
  CHECK(error_of([] { TransformerEncoder({.layer = {.d_model = 4, .nhead = 2}, .num_layers = -1}); }) ==
        "ConfigError: transformer: -1 layers");
}

TEST_CASE("transformer: a step of training lowers the loss, and the target sees no future") {
  manual_seed(1);
  Transformer model({.d_model = 8,
                     .nhead = 2,
                     .num_encoder_layers = 1,
                     .num_decoder_layers = 1,
                     .dim_feedforward = 16,
                     .dropout = 0,
                     .batch_first = true});
  const Tensor source = normal({3, 5, 8}, 1, DType::float32), target = normal({3, 4, 8}, 2, DType::float32),
               wanted = normal({3, 4, 8}, 3, DType::float32);
  const TransformerMasks masks{.target = {.is_causal = true}};
  optim::Sgd optimizer(parameters(model), {.lr = 0.01});
  const auto loss = [&] { return mse_loss(model(source, target, masks), wanted); };
  const Tensor before = loss();
  before.backward();
  for (const auto& [name, p] : named_parameters(model)) CHECK_MESSAGE(p.grad().defined(), name);
  optimizer.step();
  CHECK(loss().item() < before.item());

  const Tensor changed = cat({slice(target, 1, 0, 3), ones({3, 1, 8})}, 1);
  CHECK(allclose(slice(model(source, changed, masks), 1, 0, 3), slice(model(source, target, masks), 1, 0, 3)));
  CHECK_FALSE(allclose(slice(model(source, changed), 1, 0, 3), slice(model(source, target), 1, 0, 3)));

  Transformer copy = clone(model);
  eval(copy);
  CHECK(allclose(copy(source, target), model(source, target), {.atol = 0, .rtol = 0}));
}

TEST_CASE("transformer: layers of a stack are not tied") {
  TransformerDecoder decoder({.layer = {.d_model = 4, .nhead = 2, .dim_feedforward = 4}, .num_layers = 2});
  CHECK(ties(decoder).empty());
  CHECK_FALSE(decoder.norm.has_value());
  CHECK_FALSE(allclose(decoder.layers[0].linear1.weight, decoder.layers[1].linear1.weight));
}
