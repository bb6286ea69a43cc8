#pragma once
#include <optional>

#include <weft/fusion/presence.h>
#include <weft/layers/transformer.h>

namespace weft::fusion {

/// Brings M representations of one width together, feature by feature. For two it is g = sigmoid(W [a; b] + c),
/// g * a + (1 - g) * b, where W maps twice the width to the width (Arevalo et al. 2017); for M
///
///   s_m = W_m [u_1; ...; u_M] + c_m          (B, D)
///   g_m = softmax over the present m of s_m, for each of the D features by itself
///   z = sum_m g_m * x_m
///
/// which for M = 2 is the formula above with W = W_1 - W_2 and c = c_1 - c_2, and does not depend on the order of the
/// modalities, as folding them in one after the other would. u_m is x_m, or LayerNorm(x_m) where there is a norm; a
/// missing one is 0 in [u_1; ...; u_M], which a normalised one never is.
struct AlignmentGate {
  std::optional<LayerNorm> norm;  ///< the same for all modalities
  Linear scores;                  ///< (M D -> M D): s_1, ..., s_M side by side
  AlignmentGate(std::int64_t modalities, std::int64_t width, bool normalise, DType dtype);
  struct Result {
    Tensor aligned;  ///< (B, D)
    Tensor gates;    ///< (B, M, D), over the present they sum to 1 for each feature
  };
  /// x (B, M, D), present (B, M) bool. What x holds where nothing is present reaches no result.
  Result operator()(const Tensor& x, const Tensor& present) const;
  void fields(auto&& f) { f("norm", norm, "scores", scores); }
};

/// "gated", a stack of alignment gates: x_m begins as P_m x_m; each gate reads LayerNorm(x) and gives z; around it is a
/// residual connection, x_m + z; between two gates a Transformer layer lets the modalities look at one another. The
/// features are those of the last gate with its residual: z + mean over the present of x_m. Weights are the last
/// gate's, averaged over the features: a summary, since each feature has weights of its own.
struct GatedAlignment {
  Expected expected;
  std::vector<Linear> projections;               ///< M of (width_m -> D)
  std::vector<AlignmentGate> gates;              ///< options.layers of them
  std::vector<TransformerEncoderLayer> between;  ///< one less

  /// Throws ConfigError when layers < 1.
  explicit GatedAlignment(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "projections", projections, "gates", gates, "between", between); }
};

}  // namespace weft::fusion
