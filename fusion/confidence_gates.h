#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "gate", weights per sample by how far each modality of *this* sample can be trusted.
///
///   score_m = g_m(x_m)                      a small network per modality
///   confidence_m = sigmoid(score_m)
///   w = softmax((theta + score) / T) over the present: a prior times the odds of the confidence
///   features = sum_m w_m * P_m x_m
///
/// With quality_weight a and a quality q in [0, 1] known beforehand (Modalities::quality, 1 where it is undefined) each
/// modality counts q_m^a times as much: completed modalities, which are present by name only, weigh less.
///
/// The weights follow odds because log-odds are what the votes of independent judges are worth (Nitzan and Paroush
/// 1982), and because a noised modality, right more often than not by itself, has to lose more than a little.
/// Confidence has a meaning: the auxiliary loss teaches each modality to decide alone from P_m x_m (its cross-entropy)
/// and each gate to foretell the probability that this decision gives to the true class (squared error; Corbière et al.
/// 2019, Han et al. 2022). A gate learns what evidence that cannot be trusted looks like only if it meets such: train
/// with degrade(). Trained on clean samples only, it often trusts a noised modality more.
///
/// With options.context every g_m sees all modalities, x = cat(x_1, ..., x_M) with a learned vector where one is
/// missing: how far an image can be trusted may be written in the note (what was looked for), and evidence that
/// contradicts all the rest looks less trustworthy. Each modality still decides alone, so confidence keeps its meaning.
struct ConfidenceGates {
  struct Gate {
    Linear hidden;
    Dropout dropout;
    Linear score;  ///< -> 1; sigmoid of it is the confidence
    Tensor operator()(const Tensor& x) const;
    void fields(auto&& f) { f("hidden", hidden, "dropout", dropout, "score", score); }
  };
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  std::vector<Tensor> absent;       ///< with context M of (width_m,), else none
  std::vector<Gate> gates;          ///< M of (width_m -> 1), with context (width_1 + ... + width_M -> 1)
  std::vector<Linear> heads;        ///< M of (D -> C), each modality's own decision
  Tensor theta;                     ///< (M,), 0 at first: no modality is preferred
  double temperature, auxiliary_weight, confidence_weight, quality_weight;

  /// Throws ConfigError for a negative quality_weight, among others.
  explicit ConfidenceGates(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M), confidence (B, M), logits. Throws as Expected::check(), and
  /// with quality_weight ConfigError for a quality outside [0, 1] of something that is present.
  Fused operator()(const data::Modalities& encoded) const;
  /// sum_m cross-entropy_m + confidence_weight * mean over the present of (confidence - probability of the true
  /// class)^2.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "absent", absent, "gates", gates, "heads", heads, "theta",
      theta, "temperature", temperature, "auxiliary_weight", auxiliary_weight, "confidence_weight", confidence_weight,
      "quality_weight", quality_weight);
  }
};

}  // namespace weft::fusion
