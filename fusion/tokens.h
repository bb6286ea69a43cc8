#pragma once
#include <weft/fusion/presence.h>
#include <weft/layers/transformer.h>

/// Methods that see the modalities of a sample as a short sequence: token m is P_m x_m (B, D), whose bias says which
/// modality it is. Missing tokens are masked.
namespace weft::fusion {

/// "query", attention of one learned query over the modalities (Vaswani et al. 2017; a pooling with one seed in Lee et
/// al. 2019): w = softmax over the present m of q . K x_m / (sqrt(D) temperature), features = sum_m w_m V x_m.
struct LearnedQuery {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Tensor query;                     ///< (D,)
  Linear key;                       ///< (D -> D), without a bias, which would add the same to every score
  Linear value;                     ///< (D -> D)
  double temperature;

  explicit LearnedQuery(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "query", query, "key", key, "value", value, "temperature",
      temperature);
  }
};

/// "cross", cross-attention between modalities (as pairs in Tsai et al. 2019; here each asks all others at once):
///
///   a_mk = softmax over the present k != m of (Q x_m) . (K x_k) / (sqrt(D) temperature)
///   y_m = x_m + O sum_k a_mk V x_k           a modality on its own stays as it is
///   features = mean over the present of y_m
///
/// Weights count how often each takes part: 1 as itself and the attention it gets, sum_m a_mk, over their sum.
///
/// With quality_weight a and a quality q in [0, 1] (Modalities::quality) each modality counts q_m^a times as much, both
/// where it is looked at (a log q_k is added to its score) and in the mean, so that completed modalities, which are
/// present by name only, neither tell the others much nor speak much themselves.
struct CrossAttention {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Linear query, key, value, out;    ///< (D -> D); all but the query without a bias
  double temperature, quality_weight;

  /// Throws ConfigError for a negative quality_weight, among others.
  explicit CrossAttention(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check(), and with quality_weight
  /// ConfigError for a quality outside [0, 1] of something that is present.
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "query", query, "key", key, "value", value, "out", out,
      "temperature", temperature, "quality_weight", quality_weight);
  }
};

/// "transformer", a Transformer encoder over [CLS, P_1 x_1, ..., P_M x_M] (Vaswani et al. 2017; CLS: Devlin et al.
/// 2019): normalisation first, feed-forward of 2 D, features = LayerNorm(CLS after the last layer). Weights are the
/// attention of CLS in the last layer, the mean over heads, divided by what falls on modalities. They say where CLS
/// looked at the end, when every token has already taken in something of the others, and are no more than a hint at how
/// much a modality counted.
struct TokenTransformer {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Tensor cls;                       ///< (D,)
  std::vector<TransformerEncoderLayer> layers;
  LayerNorm norm;

  /// Throws ConfigError when layers or heads are below 1 and when width is not a multiple of heads.
  explicit TokenTransformer(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "cls", cls, "layers", layers, "norm", norm);
  }
};

}  // namespace weft::fusion
