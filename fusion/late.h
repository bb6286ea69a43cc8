#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "late", the mean of decisions: p(c) = mean over the present m of softmax(W_m x_m + b_m)_c (the sum rule of Kittler
/// et al. 1998; late fusion: Snoek, Worring and Smeulders 2005). Each modality has a linear head of its own and learns
/// from its own cross-entropy too (auxiliary_loss), so that it can also decide alone. Weights are even over what is
/// present. A row with nothing gets 1/C for each class.
struct Late {
  static constexpr bool decides = true;
  Expected expected;
  std::vector<Linear> heads;  ///< M of (width_m -> C)
  double auxiliary_weight;

  explicit Late(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities, computed without leaving the logarithm; logits.
  /// Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// The sum of the modalities' own cross-entropies.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) { f("expected", expected, "heads", heads, "auxiliary_weight", auxiliary_weight); }
};

}  // namespace weft::fusion
