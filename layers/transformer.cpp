#include <weft/layers/transformer.h>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>

namespace weft {
namespace {

using Options = TransformerLayerOptions;

MultiheadAttention attention(const Options& o) {
  return MultiheadAttention({.embed_dim = o.d_model,
                             .num_heads = o.nhead,
                             .dropout = o.dropout,
                             .bias = o.bias,
                             .batch_first = o.batch_first,
                             .dtype = o.dtype});
}
Linear dense(std::int64_t in, std::int64_t out, const Options& o) {
  return Linear({.in_features = in, .out_features = out, .bias = o.bias, .dtype = o.dtype});
}
LayerNorm norm_of(const Options& o) {
  return LayerNorm({.normalized_shape = {o.d_model}, .eps = o.layer_norm_eps, .bias = o.bias, .dtype = o.dtype});
}

/// x plus what a part makes of it, normalised before or after.
template <class Part>
Tensor around(const Tensor& x, const LayerNorm& norm, bool norm_first, Part part) {
  return norm_first ? x + part(norm(x)) : norm(x + part(x));
}

template <class Layer>
Tensor feed_forward(const Layer& layer, const Tensor& x) {
  const Tensor wide = layer.linear1(x);
  return layer.linear2(layer.dropout(layer.activation == Activation::relu ? relu(wide) : gelu(wide)));
}

std::int64_t checked_count(std::int64_t layers) {
  if (layers < 0) throw ConfigError(text("transformer: ", layers, " layers"));
  return layers;
}

TransformerStackOptions stack_options(const TransformerOptions& o, std::int64_t layers) {
  return {.layer = {.d_model = o.d_model,
                    .nhead = o.nhead,
                    .dim_feedforward = o.dim_feedforward,
                    .dropout = o.dropout,
                    .activation = o.activation,
                    .layer_norm_eps = o.layer_norm_eps,
                    .batch_first = o.batch_first,
                    .norm_first = o.norm_first,
                    .bias = o.bias,
                    .dtype = o.dtype},
          .num_layers = layers,
          .final_norm = true};
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(const Options& o)
    : self_attn(attention(o)),
      linear1(dense(o.d_model, o.dim_feedforward, o)),
      linear2(dense(o.dim_feedforward, o.d_model, o)),
      norm1(norm_of(o)),
      norm2(norm_of(o)),
      dropout(o.dropout),
      dropout1(o.dropout),
      dropout2(o.dropout),
      activation(o.activation),
      norm_first(o.norm_first) {}

Tensor TransformerEncoderLayer::operator()(const Tensor& input, const AttentionMasks& masks) const {
  const Tensor x = around(input, norm1, norm_first, [&](const Tensor& v) {
    return dropout1(self_attn(v, v, v, masks, AttentionWeights::none).output);
  });
  return around(x, norm2, norm_first, [&](const Tensor& v) { return dropout2(feed_forward(*this, v)); });
}

TransformerDecoderLayer::TransformerDecoderLayer(const Options& o)
    : self_attn(attention(o)),
      multihead_attn(attention(o)),
      linear1(dense(o.d_model, o.dim_feedforward, o)),
      linear2(dense(o.dim_feedforward, o.d_model, o)),
      norm1(norm_of(o)),
      norm2(norm_of(o)),
      norm3(norm_of(o)),
      dropout(o.dropout),
      dropout1(o.dropout),
      dropout2(o.dropout),
      dropout3(o.dropout),
      activation(o.activation),
      norm_first(o.norm_first) {}

Tensor TransformerDecoderLayer::operator()(const Tensor& input, const Tensor& memory, const AttentionMasks& masks,
                                           const AttentionMasks& memory_masks) const {
  Tensor x = around(input, norm1, norm_first, [&](const Tensor& v) {
    return dropout1(self_attn(v, v, v, masks, AttentionWeights::none).output);
  });
  x = around(x, norm2, norm_first, [&](const Tensor& v) {
    return dropout2(multihead_attn(v, memory, memory, memory_masks, AttentionWeights::none).output);
  });
  return around(x, norm3, norm_first, [&](const Tensor& v) { return dropout3(feed_forward(*this, v)); });
}

TransformerEncoder::TransformerEncoder(const TransformerStackOptions& o)
    : layers(repeat(static_cast<std::size_t>(checked_count(o.num_layers)),
                    [&] { return TransformerEncoderLayer(o.layer); })) {
  if (o.final_norm) norm = norm_of(o.layer);
}
Tensor TransformerEncoder::operator()(const Tensor& input, const AttentionMasks& masks) const {
  Tensor x = input;
  for (const TransformerEncoderLayer& layer : layers) x = layer(x, masks);
  return norm ? (*norm)(x) : x;
}

TransformerDecoder::TransformerDecoder(const TransformerStackOptions& o)
    : layers(repeat(static_cast<std::size_t>(checked_count(o.num_layers)),
                    [&] { return TransformerDecoderLayer(o.layer); })) {
  if (o.final_norm) norm = norm_of(o.layer);
}
Tensor TransformerDecoder::operator()(const Tensor& input, const Tensor& memory, const AttentionMasks& masks,
                                      const AttentionMasks& memory_masks) const {
  Tensor x = input;
  for (const TransformerDecoderLayer& layer : layers) x = layer(x, memory, masks, memory_masks);
  return norm ? (*norm)(x) : x;
}

Transformer::Transformer(const TransformerOptions& o)
    : encoder(stack_options(o, o.num_encoder_layers)), decoder(stack_options(o, o.num_decoder_layers)) {
  for (const Tensor& p : parameters(*this))
    if (p.dim() > 1) initialize::xavier_uniform(p);
}
Tensor Transformer::operator()(const Tensor& source, const Tensor& target, const TransformerMasks& masks) const {
  return decoder(target, encoder(source, masks.source), masks.target, masks.memory);
}

}  // namespace weft
