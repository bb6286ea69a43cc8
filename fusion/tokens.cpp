#include <weft/fusion/tokens.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

namespace weft::fusion {
namespace {

Linear square_map(const Options& o, bool bias) {
  return Linear({.in_features = o.width, .out_features = o.width, .bias = bias, .dtype = o.dtype});
}

Tensor learned_token(const Options& o) { return randn({o.width}, 0, 1, o.dtype).set_requires_grad(); }

/// By how much scores are divided.
double spread(const Linear& map, double temperature) {
  return std::sqrt(static_cast<double>(map.weight.size(0))) * temperature;
}

}  // namespace

LearnedQuery::LearnedQuery(const Options& o)
    : expected("query", o),
      projections(fusion::projections(o)),
      query(learned_token(o)),
      key(square_map(o, false)),
      value(square_map(o, true)),
      temperature(checked_temperature("query", o)) {}

Fused LearnedQuery::operator()(const data::Modalities& encoded) const {
  expected.check("query", encoded);
  Fused fused = begin(encoded.present);
  const Tensor tokens = stack(project(projections, encoded), 1);  // (B, M, D)
  const Tensor scores = sum(key(tokens) * query, 2);              // (B, M)
  fused.weights = weigh(scores, encoded.present, spread(key, temperature));
  fused.attention = unsqueeze(unsqueeze(fused.weights, 1), 1);           // (B, 1, 1, M)
  fused.features = sum(value(tokens) * unsqueeze(fused.weights, 2), 1);  // (B, D)
  return fused;
}

CrossAttention::CrossAttention(const Options& o)
    : expected("cross", o),
      projections(fusion::projections(o)),
      query(square_map(o, true)),
      key(square_map(o, false)),
      value(square_map(o, false)),
      out(square_map(o, false)),
      temperature(checked_temperature("cross", o)),
      quality_weight(o.quality_weight) {
  if (!(quality_weight >= 0))
    throw ConfigError(text("cross: quality_weight is ", quality_weight, "\n  help: choose 0 or more"));
}

Fused CrossAttention::operator()(const data::Modalities& encoded) const {
  expected.check("cross", encoded);
  Fused fused = begin(encoded.present);
  const Tensor tokens = stack(project(projections, encoded), 1);  // (B, M, D)
  const Tensor places = arange(0, static_cast<double>(expected.count()));
  const Tensor both = logical_and(unsqueeze(encoded.present, 1), unsqueeze(encoded.present, 2));
  const Tensor others = logical_and(both, ne(unsqueeze(places, 0), unsqueeze(places, 1)));  // (B, M, M)
  Tensor scores = matmul(query(tokens), transpose(key(tokens), 1, 2)) / spread(query, temperature);
  Tensor own = even_weights(encoded.present, scores.dtype());  // (B, M): who speaks how much
  if (quality_weight > 0 && encoded.quality.defined()) {
    // One of no quality at all still counts where it is alone.
    constexpr double least_quality = 1e-6;
    const Tensor quality =
        log(clamp(checked_quality("cross", encoded, scores.dtype()), least_quality, 1)) * quality_weight;
    scores = scores + unsqueeze(quality, 1);
    own = weigh(quality, encoded.present, 1);
  }
  const Tensor attention = masked_softmax(scores, others, 2);  // (B, M, M)
  fused.attention = unsqueeze(attention, 1);                   // (B, 1, M, M)
  const Tensor said = tokens + out(matmul(attention, value(tokens)));
  fused.features = sum(said * unsqueeze(own, 2), 1);  // (B, D)
  fused.weights = shares(sum(attention * unsqueeze(own, 2), 1) + own, encoded.present);
  return fused;
}

TokenTransformer::TokenTransformer(const Options& o)
    : expected("transformer", o),
      projections(fusion::projections(o)),
      cls(learned_token(o)),
      norm({.normalized_shape = {o.width}, .dtype = o.dtype}) {
  at_least("transformer", "layers", o.layers, 1);
  at_least("transformer", "heads", o.heads, 1);
  if (o.width % o.heads != 0)
    throw ConfigError(text("transformer: width ", o.width, " is not a multiple of heads ", o.heads));
  for (std::int64_t i = 0; i < o.layers; ++i)
    layers.push_back(TransformerEncoderLayer({.d_model = o.width,
                                              .nhead = o.heads,
                                              .dim_feedforward = 2 * o.width,
                                              .dropout = o.dropout,
                                              .activation = Activation::gelu,
                                              .batch_first = true,
                                              .norm_first = true,
                                              .dtype = o.dtype}));
}

Fused TokenTransformer::operator()(const data::Modalities& encoded) const {
  expected.check("transformer", encoded);
  Fused fused = begin(encoded.present);
  const std::int64_t batch = encoded.batch(), count = encoded.count(), width = cls.size(0);
  const Tensor first = expand(reshape(cls, {1, 1, width}), {batch, 1, width});
  Tensor x = cat({first, stack(project(projections, encoded), 1)}, 1);  // (B, 1 + M, D)
  const AttentionMasks masks{.key_padding_mask =
                                 cat({zeros({batch, 1}, DType::boolean), logical_not(encoded.present)}, 1)};
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i](x, masks);
  // Of the last layer only CLS is wanted, and where it looks.
  const TransformerEncoderLayer& last = layers.back();
  const Tensor seen = last.norm1(x);
  const MultiheadAttentionResult looked =
      last.self_attn(slice(seen, 1, 0, 1), seen, seen, masks, AttentionWeights::per_head);
  Tensor token = slice(x, 1, 0, 1) + last.dropout1(looked.output);  // (B, 1, D)
  token = token + last.dropout2(last.linear2(last.dropout(gelu(last.linear1(last.norm2(token))))));
  fused.features = rows_or(norm(squeeze(token, 1)), logical_not(unsqueeze(fused.empty, 1)));  // (B, D)
  fused.attention = looked.weights;                                                           // (B, H, 1, 1 + M)
  fused.weights = shares(slice(squeeze(mean(looked.weights, 1), 1), 1, 1, count + 1), encoded.present);
  return fused;
}

}  // namespace weft::fusion
