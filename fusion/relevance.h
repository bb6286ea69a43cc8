#pragma once
#include <weft/fusion/confidence_gates.h>

namespace weft::fusion {

/// "relevance", weights from how good the data are and how much they matter to the task:
///
///   w_m = (a confidence_m + (1 - a) relevance_m) / the sum of these over the present m
///   features = sum_m w_m * P_m x_m
///
/// relevance is given with the task, one number in [0, 1] per modality. Confidence is Modalities::quality where the
/// data have it, per sample and in [0, 1]. Otherwise it is sigmoid(g_m(x_m)), learned as in "gate": each modality
/// decides alone, and its confidence foretells the probability that this decision gives to the true class (Corbière et
/// al. 2019); then train with degrade(), as there. Where both are 0 for all that is present, weights are even.
struct Relevance {
  Expected expected;
  std::vector<Linear> projections;           ///< M of (width_m -> D)
  std::vector<ConfidenceGates::Gate> gates;  ///< M of (width_m -> 1); unused where the data have a quality
  std::vector<Linear> heads;                 ///< M of (D -> C); unused where the data have a quality
  Buffer relevance;                          ///< (M,), saved with the model but not trained
  double confidence_share;                   ///< a
  double auxiliary_weight, confidence_weight;

  /// Throws ConfigError when relevance is not one per modality (or none at all: 1) and when one of them or
  /// confidence_share is not in [0, 1].
  explicit Relevance(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M), confidence (B, M), and logits where it is learned. Throws as
  /// Expected::check(), and ConfigError for a quality outside [0, 1] of something that is present.
  Fused operator()(const data::Modalities& encoded) const;
  /// As ConfidenceGates::auxiliary_loss() where confidence is learned; undefined where it is given.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "gates", gates, "heads", heads, "relevance", relevance,
      "confidence_share", confidence_share, "auxiliary_weight", auxiliary_weight, "confidence_weight",
      confidence_weight);
  }
};

}  // namespace weft::fusion
