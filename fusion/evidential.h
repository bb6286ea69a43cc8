#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// What a judge believes of each class, and how much is left open: belief_c and u from 0 to 1, together 1. A Dirichlet
/// distribution with alpha = evidence + 1 is the opinion belief = evidence / S, u = C / S, S = sum of alpha (Jøsang
/// 2016).
struct Opinion {
  Tensor belief;       ///< (B, C)
  Tensor uncertainty;  ///< (B, 1)

  /// evidence (B, C), from 0 up.
  static Opinion of(const Tensor& evidence);
  /// alpha (B, C) of the Dirichlet distribution that is this opinion.
  Tensor alpha() const;
};
/// Dempster's rule, reduced to beliefs in single classes: b_c = (b1_c b2_c + b1_c u2 + b2_c u1) / k, u = u1 u2 / k,
/// where k = 1 - sum over c != d of b1_c b2_d leaves out what contradicts itself. An opinion with u = 1 changes
/// nothing. The order of several does not matter. Dempster (1968), Han et al. (2021).
Opinion combine(const Opinion& a, const Opinion& b);

/// "evidential", trusted multi-view classification (Han et al. 2021, "Trusted Multi-View Classification"): each
/// modality gives evidence for each class, e_m = softplus(H_m x_m), as an opinion; Dempster's rule makes one of those
/// present; p(c) = alpha_c / S of the result. A missing modality has no evidence at all, which changes nothing.
///
///   confidence_m = 1 - u_m                    the part of belief that is not left open
///   w_m = confidence_m / the sum of these over the present m
///   logits_m = log alpha_m                    so that softmax gives its mean probabilities; 0 where it is missing
///   uncertainty = u of the combination        1 where nothing is present
struct Evidential {
  static constexpr bool decides = true;
  Expected expected;
  std::vector<Linear> heads;  ///< M of (width_m -> C)
  double auxiliary_weight, annealing;

  /// Throws ConfigError for an annealing below 0.
  explicit Evidential(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities; weights, confidence (B, M); uncertainty (B,); logits.
  /// Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// For each modality, over the rows that have it, and for the combination the mean of
  ///   sum_c y_c (digamma(S) - digamma(alpha_c)) + lambda KL(Dir(alpha~) || Dir(1)),  alpha~ = y + (1 - y) alpha
  /// where y has a 1 for the true class: the expected cross-entropy, and a penalty on evidence for wrong classes, whose
  /// lambda = min(1, options.progress / annealing) grows from 0 so that evidence is not given up before it is found.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "heads", heads, "auxiliary_weight", auxiliary_weight, "annealing", annealing);
  }
};

}  // namespace weft::fusion
