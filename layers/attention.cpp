#include <weft/layers/attention.h>

#include <cmath>
#include <limits>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

Tensor projection(std::int64_t rows, std::int64_t columns, DType dtype) {
  Tensor w = empty({rows, columns}, dtype);
  initialize::xavier_uniform(w);
  return w.set_requires_grad();
}

/// (B, T, heads * d), or (T, B, heads * d) where axis 0 is time, -> (B, heads, T, d): a view
Tensor into_heads(const Tensor& x, std::int64_t heads, int time) {
  const Shape& s = x.shape();
  return permute(reshape(x, {s[0], s[1], heads, s[2] / heads}), {1 - time, 2, time, 3});
}

/// A mask as numbers to add to the scores: -inf where looking is forbidden.
Tensor as_numbers(const Tensor& mask, DType dtype) {
  if (is_floating(mask.dtype())) return to(mask, dtype);
  if (mask.dtype() != DType::boolean)
    throw DtypeError(text("multihead_attention: a mask is ", mask.dtype(),
                          "\n  help: pass bool (true: not to be seen) or floating numbers"));
  return where(mask, to(scalar(-std::numeric_limits<double>::infinity(), DType::float64), dtype),
               to(scalar(0.0, DType::float64), dtype));
}

/// All masks together, to be added to scores (B, heads, T, S); undefined for none. `extra` keys at the end are seen by
/// all.
Tensor joined(const AttentionMasks& m, std::int64_t batch, std::int64_t heads, std::int64_t queries, std::int64_t keys,
              std::int64_t extra, DType dtype) {
  const auto wrong = [&](const char* what, const Tensor& x, const char* wanted) {
    throw ShapeError(text("multihead_attention: ", what, " is ", x.shape(), " for ", batch, " times ", queries,
                          " queries and ", keys, " keys\n  help: pass ", wanted));
  };
  Tensor all;
  const auto add_mask = [&](const Tensor& x) { all = all.defined() ? all + x : x; };
  if (m.attn_mask.defined()) {
    const Tensor numbers = as_numbers(m.attn_mask, dtype);
    if (numbers.shape() == Shape{queries, keys})
      add_mask(numbers);
    else if (numbers.shape() == Shape{batch * heads, queries, keys})
      add_mask(reshape(numbers, {batch, heads, queries, keys}));
    else
      wrong("attn_mask", m.attn_mask, "(T, S) or (B * heads, T, S)");
  }
  if (m.key_padding_mask.defined()) {
    if (!(m.key_padding_mask.shape() == Shape{batch, keys}) &&
        !(batch == 1 && m.key_padding_mask.shape() == Shape{keys}))
      wrong("key_padding_mask", m.key_padding_mask, "(B, S)");
    add_mask(reshape(as_numbers(m.key_padding_mask, dtype), {batch, 1, 1, keys}));
  }
  if (m.is_causal) {
    const Tensor later =
        lt(unsqueeze(arange(0, static_cast<double>(queries)), 1), arange(0, static_cast<double>(keys)));
    add_mask(as_numbers(later, dtype));
  }
  if (!all.defined() || extra == 0) return all;
  Shape more = all.shape();
  more[all.dim() - 1] = extra;
  return cat({all, zeros(more, dtype)}, -1);
}

}  // namespace

MultiheadAttention::MultiheadAttention(const MultiheadAttentionOptions& o)
    : out_proj({.in_features = o.embed_dim, .out_features = o.embed_dim, .bias = o.bias, .dtype = o.dtype}),
      num_heads(o.num_heads),
      batch_first(o.batch_first),
      add_zero_attn(o.add_zero_attn),
      dropout(o.dropout) {
  if (o.num_heads < 1 || o.embed_dim < 1 || o.embed_dim % o.num_heads != 0)
    throw ConfigError(
        text("multihead_attention: embed_dim ", o.embed_dim, " is not divisible by num_heads ", o.num_heads));
  if (!(o.dropout >= 0 && o.dropout <= 1))
    throw ConfigError(
        text("multihead_attention: dropout is ", o.dropout, "\n  help: choose a probability from 0 to 1"));
  const std::int64_t width = o.embed_dim, keys = o.kdim ? o.kdim : width, values = o.vdim ? o.vdim : width;
  if (keys < 1 || values < 1)
    throw ConfigError(text("multihead_attention: kdim ", o.kdim, ", vdim ", o.vdim, "\n  help: choose 1 or more"));
  if (keys == width && values == width) {
    in_proj_weight = projection(3 * width, width, o.dtype);
  } else {
    q_proj_weight = projection(width, width, o.dtype);
    k_proj_weight = projection(width, keys, o.dtype);
    v_proj_weight = projection(width, values, o.dtype);
  }
  if (o.bias) {
    in_proj_bias = zeros({3 * width}, o.dtype).set_requires_grad();
    initialize::constant(out_proj.bias, 0);
  }
  if (o.add_bias_kv)
    for (Tensor* extra : {&bias_k, &bias_v}) {
      *extra = empty({1, 1, width}, o.dtype);
      initialize::xavier_normal(*extra);
      extra->set_requires_grad();
    }
}

MultiheadAttentionResult MultiheadAttention::operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                                        const AttentionMasks& masks, AttentionWeights wanted) const {
  const std::int64_t width = out_proj.weight.shape()[0];
  const std::int64_t keys_in = in_proj_weight.defined() ? width : k_proj_weight.shape()[1],
                     values_in = in_proj_weight.defined() ? width : v_proj_weight.shape()[1];
  const auto fits = [&](const Tensor& x, std::int64_t features) {
    return x.dim() == query.dim() && (x.dim() == 2 || x.dim() == 3) && x.shape()[x.dim() - 1] == features;
  };
  if (!fits(query, width) || !fits(key, keys_in) || !fits(value, values_in))
    throw ShapeError(text("multihead_attention: query ", query.shape(), ", key ", key.shape(), ", value ",
                          value.shape(), "\n  help: their features must be ", width, ", ", keys_in, " and ",
                          values_in));
  const bool single = query.dim() == 2;
  const auto batched = [&](const Tensor& x) { return single ? unsqueeze(x, 0) : x; };
  const Tensor q_in = batched(query), k_in = batched(key), v_in = batched(value);
  const int time = single || batch_first ? 1 : 0;  // the axis of positions; the batch is the other one
  const std::int64_t batch = q_in.shape()[1 - time], queries = q_in.shape()[time], keys = k_in.shape()[time];
  if (k_in.shape()[1 - time] != batch || v_in.shape()[1 - time] != batch || v_in.shape()[time] != keys)
    throw ShapeError(text("multihead_attention: query ", query.shape(), ", key ", key.shape(), ", value ",
                          value.shape(), " differ in their batches or positions"));

  Tensor q, k, v;
  const bool one_input = query.body_or_null() == key.body_or_null() && key.body_or_null() == value.body_or_null();
  if (in_proj_weight.defined() && one_input) {
    const std::vector<Tensor> all = chunk(linear(q_in, in_proj_weight, in_proj_bias), 3, -1);
    q = all[0], k = all[1], v = all[2];
  } else {
    std::vector<Tensor> weights{q_proj_weight, k_proj_weight, v_proj_weight}, biases(3);
    if (in_proj_weight.defined()) weights = chunk(in_proj_weight, 3, 0);
    if (in_proj_bias.defined()) biases = chunk(in_proj_bias, 3, 0);
    q = linear(q_in, weights[0], biases[0]);
    k = linear(k_in, weights[1], biases[1]);
    v = linear(v_in, weights[2], biases[2]);
  }
  std::int64_t extra = 0;
  const Shape one_more = time == 1 ? Shape{batch, 1, width} : Shape{1, batch, width};
  if (bias_k.defined()) {
    k = cat({k, expand(bias_k, one_more)}, time);
    v = cat({v, expand(bias_v, one_more)}, time);
    ++extra;
  }
  if (add_zero_attn) {
    k = cat({k, zeros(one_more, k.dtype())}, time);
    v = cat({v, zeros(one_more, v.dtype())}, time);
    ++extra;
  }
  q = into_heads(q, num_heads, time), k = into_heads(k, num_heads, time), v = into_heads(v, num_heads, time);

  // A mask that is causal and nothing else need not be written down.
  const bool causal = wanted == AttentionWeights::none && masks.is_causal && !masks.attn_mask.defined() &&
                      !masks.key_padding_mask.defined() && extra == 0;
  const Tensor mask = causal ? Tensor() : joined(masks, batch, num_heads, queries, keys, extra, q.dtype());
  const double drop = mode.training ? dropout : 0;
  Tensor attended, weights;
  if (wanted != AttentionWeights::none) {
    const double scale = 1 / std::sqrt(static_cast<double>(width / num_heads));
    Tensor scores = matmul(q * scale, transpose(k, -2, -1));  // (B, heads, T, S)
    if (mask.defined()) {
      const Tensor seen = ne(detach(mask), -std::numeric_limits<double>::infinity());
      weights = masked_softmax(scores + where(seen, mask, to(scalar(0.0, DType::float64), mask.dtype())), seen, -1);
    } else {
      weights = softmax(scores, -1);
    }
    weights = weft::dropout(weights, drop);
    attended = matmul(weights, v);
    if (wanted == AttentionWeights::mean) weights = mean(weights, 1);
    if (single) weights = squeeze(weights, 0);
  } else {
    attended = scaled_dot_product_attention(q, k, v, {.mask = mask, .is_causal = causal, .dropout = drop});
  }
  const Tensor side_by_side =
      permute(attended, time == 1 ? std::vector<int>{0, 2, 1, 3} : std::vector<int>{2, 0, 1, 3});
  Tensor y = out_proj(reshape(side_by_side, q_in.shape()));
  if (single) y = squeeze(y, 0);
  return {y, weights};
}

}  // namespace weft
