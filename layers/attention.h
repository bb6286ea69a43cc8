#pragma once
#include <cstdint>

#include <weft/layers/basic.h>

namespace weft {

struct MultiheadAttentionOptions {
  std::int64_t embed_dim;
  std::int64_t num_heads;
  double dropout = 0;  ///< of the weights, while training
  bool bias = true;
  bool add_bias_kv = false;    ///< one learned key and value more
  bool add_zero_attn = false;  ///< one key and value of zeros more
  std::int64_t kdim = 0;       ///< features of the keys; 0: embed_dim
  std::int64_t vdim = 0;
  bool batch_first = false;  ///< (B, T, features) instead of (T, B, features)
  DType dtype = DType::float32;
};

/// Which keys a query may not see. As in PyTorch's layers (and unlike scaled_dot_product_attention) a bool mask is true
/// where looking is forbidden; numbers are added to the scores.
struct AttentionMasks {
  Tensor attn_mask{};         ///< (T, S), or (B * num_heads, T, S)
  Tensor key_padding_mask{};  ///< (B, S): keys that are only padding
  bool is_causal = false;     ///< query i sees keys 0 to i
};
enum class AttentionWeights { none, mean, per_head };
struct MultiheadAttentionResult {
  Tensor output;   ///< (T, B, embed_dim), or as batch_first says
  Tensor weights;  ///< (B, T, S), the mean over heads; (B, num_heads, T, S) per head; undefined for none
};

/// Heads that each attend with their own projections of query, key and value: softmax(Q K^T / sqrt(d) + masks) V, put
/// side by side and projected once more. A query that may see no key gets 0. Vaswani et al. (2017).
struct MultiheadAttention {
  Tensor in_proj_weight;                               ///< (3 embed_dim, embed_dim): of query, key and value
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  ///< instead, where kdim or vdim differ from embed_dim
  Tensor in_proj_bias, bias_k, bias_v;
  Linear out_proj;
  std::int64_t num_heads;
  bool batch_first, add_zero_attn;
  double dropout;
  Mode mode;
  explicit MultiheadAttention(const MultiheadAttentionOptions& options);
  /// query (T, B, embed_dim), key (S, B, kdim), value (S, B, vdim), or as batch_first says; without B for a single one.
  /// Throws ShapeError for sizes that do not fit. Without `weights` it is faster and takes less memory.
  MultiheadAttentionResult operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                                      const AttentionMasks& masks = {},
                                      AttentionWeights weights = AttentionWeights::mean) const;
  void fields(auto&& f) {
    f("in_proj_weight", in_proj_weight, "q_proj_weight", q_proj_weight, "k_proj_weight", k_proj_weight, "v_proj_weight",
      v_proj_weight, "in_proj_bias", in_proj_bias, "bias_k", bias_k, "bias_v", bias_v, "out_proj", out_proj,
      "num_heads", num_heads, "batch_first", batch_first, "add_zero_attn", add_zero_attn, "dropout", dropout, "mode",
      mode);
  }
};

}  // namespace weft
