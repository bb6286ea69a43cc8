#pragma once
#include <weft/fusion/presence.h>

/// Methods that let each modality decide by a linear head of its own and fuse these decisions.
namespace weft::fusion {

/// "vote", a weighted vote of decisions. Modality m votes for the class v_m that it finds likeliest, and
///
///   p(c) proportional to exp(sum over the present m of a_m [v_m = c]),  a_m = softplus(theta_m)
///
/// which is Bayes' rule for judges who err independently, each with one chance p_m of being right and all wrong classes
/// alike, when a_m = log(p_m (C - 1) / (1 - p_m)) (Nitzan and Paroush 1982). The a_m are learned with the decision;
/// votes pass no gradient, so that the heads and encoders learn from each modality's own cross-entropy alone.
/// Weights are a_m over their sum. A row with nothing gets 1/C for each class.
struct Vote {
  static constexpr bool decides = true;
  Expected expected;
  std::vector<Linear> heads;  ///< M of (width_m -> C)
  Tensor theta;               ///< (M,): a_m = 1 at first
  double auxiliary_weight;

  /// Throws ConfigError unless auxiliary_weight is above 0: nothing else trains the heads.
  explicit Vote(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities; weights (B, M); logits. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// auxiliary_weight * sum of the modalities' own cross-entropies.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "heads", heads, "theta", theta, "auxiliary_weight", auxiliary_weight);
  }
};

/// "product", a product of experts (Hinton 2002) as a log-linear pool of decisions with the prior taken out (Bordley
/// 1982):
///
///   p(c) proportional to pi_c * product over the present m of (p_m(c) / pi_c)^a_m,  a_m = softplus(theta_m)
///
/// With a_m = 1, as it begins, this is exact for modalities that are independent given the class; where they repeat
/// one another, smaller a_m keep the product from counting the same thing twice. pi (C,) is learned from the targets'
/// frequencies. Weights are a_m over their sum. A row with nothing gets pi.
struct Product {
  static constexpr bool decides = true;
  Expected expected;
  std::vector<Linear> heads;  ///< M of (width_m -> C)
  Tensor theta;               ///< (M,): a_m = 1 at first
  Tensor prior;               ///< (C,): pi = softmax(prior), even at first
  double auxiliary_weight;

  explicit Product(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities; weights (B, M); logits. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// The cross-entropy of pi + auxiliary_weight * the sum of the modalities' own cross-entropies.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "heads", heads, "theta", theta, "prior", prior, "auxiliary_weight", auxiliary_weight);
  }
};

}  // namespace weft::fusion
