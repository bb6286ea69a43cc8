#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include <weft/layers/attention.h>

/// Transformers (Vaswani et al. 2017), with PyTorch's names. Sequences are (T, B, d_model), or (B, T, d_model) with
/// batch_first; masks as in AttentionMasks.
namespace weft {

enum class Activation { relu, gelu };

struct TransformerLayerOptions {
  std::int64_t d_model;
  std::int64_t nhead;
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;  ///< normalise what goes into each part rather than what comes out of the sum
  bool bias = true;
  DType dtype = DType::float32;
};

/// x + attention(x), then x + feedforward(x), each with its layer norm.
struct TransformerEncoderLayer {
  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
  Dropout dropout, dropout1, dropout2;
  Activation activation;
  bool norm_first;
  explicit TransformerEncoderLayer(const TransformerLayerOptions& options);
  Tensor operator()(const Tensor& x, const AttentionMasks& masks = {}) const;
  void fields(auto&& f) {
    f("self_attn", self_attn, "linear1", linear1, "linear2", linear2, "norm1", norm1, "norm2", norm2, "dropout",
      dropout, "dropout1", dropout1, "dropout2", dropout2, "activation", activation, "norm_first", norm_first);
  }
};

/// As the encoder's, with attention over the encoder's result (`memory`) between the two.
struct TransformerDecoderLayer {
  MultiheadAttention self_attn, multihead_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2, norm3;
  Dropout dropout, dropout1, dropout2, dropout3;
  Activation activation;
  bool norm_first;
  explicit TransformerDecoderLayer(const TransformerLayerOptions& options);
  Tensor operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks = {},
                    const AttentionMasks& memory_masks = {}) const;
  void fields(auto&& f) {
    f("self_attn", self_attn, "multihead_attn", multihead_attn, "linear1", linear1, "linear2", linear2, "norm1", norm1,
      "norm2", norm2, "norm3", norm3, "dropout", dropout, "dropout1", dropout1, "dropout2", dropout2, "dropout3",
      dropout3, "activation", activation, "norm_first", norm_first);
  }
};

struct TransformerStackOptions {
  TransformerLayerOptions layer;
  std::int64_t num_layers;
  bool final_norm = false;
};
struct TransformerEncoder {
  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;
  explicit TransformerEncoder(const TransformerStackOptions& options);
  Tensor operator()(const Tensor& x, const AttentionMasks& masks = {}) const;
  void fields(auto&& f) { f("layers", layers, "norm", norm); }
};
struct TransformerDecoder {
  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;
  explicit TransformerDecoder(const TransformerStackOptions& options);
  Tensor operator()(const Tensor& x, const Tensor& memory, const AttentionMasks& masks = {},
                    const AttentionMasks& memory_masks = {}) const;
  void fields(auto&& f) { f("layers", layers, "norm", norm); }
};

struct TransformerOptions {
  std::int64_t d_model = 512;
  std::int64_t nhead = 8;
  std::int64_t num_encoder_layers = 6;
  std::int64_t num_decoder_layers = 6;
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;
  bool bias = true;
  DType dtype = DType::float32;
};
struct TransformerMasks {
  AttentionMasks source{}, target{}, memory{};
};
/// Encoder and decoder, both with a final norm. Matrices begin by Glorot's uniform rule.
struct Transformer {
  TransformerEncoder encoder;
  TransformerDecoder decoder;
  explicit Transformer(const TransformerOptions& options = {});
  /// source (S, B, d_model), target (T, B, d_model) -> (T, B, d_model)
  Tensor operator()(const Tensor& source, const Tensor& target, const TransformerMasks& masks = {}) const;
  void fields(auto&& f) { f("encoder", encoder, "decoder", decoder); }
};

}  // namespace weft
