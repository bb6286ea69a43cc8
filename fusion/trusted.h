#pragma once
#include <weft/fusion/presence.h>

/// Methods that ask of each sample which of its modalities can be trusted. See also evidential.h.
namespace weft::fusion {

/// "dynamics", multimodal dynamics (Han et al. 2022, "Multimodal Dynamics: Dynamical Fusion for Trustworthy Multimodal
/// Classification"): which features of a modality say something for this sample, and which modality does.
///
///   f_m = sigmoid(E_m x_m)                   (B, width_m): a gate on each feature, with an L1 penalty
///   h_m = relu(H_m (f_m * x_m))              (B, D)
///   confidence_m = sigmoid(c_m(h_m))         foretells the probability of the true class
///   features = W cat(confidence_1 h_1, ..., confidence_M h_M); a missing one has confidence 0
///
/// Weights are the confidences over their sum. The paper leaves c_m without the sigmoid in its program; with it,
/// confidence stays in [0, 1]. The gates are on the features that come in: with encoder "identity" on the
/// modality's own, as in the paper.
struct Dynamics {
  Expected expected;
  std::vector<Linear> gates;        ///< M of (width_m -> width_m)
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Dropout dropout;
  std::vector<Linear> confidences;  ///< M of (D -> 1)
  std::vector<Linear> heads;        ///< M of (D -> C), each modality's own decision
  Linear mix;                       ///< (M D -> D)
  double auxiliary_weight, confidence_weight, sparsity_weight;

  explicit Dynamics(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M), confidence (B, M), logits, and as auxiliary the L1 penalty:
  /// sparsity_weight * sum_m mean of f_m over its features and the rows that have it. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// The modalities' own cross-entropies and the squared error of their confidence, as
  /// ConfidenceGates::auxiliary_loss().
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "gates", gates, "projections", projections, "dropout", dropout, "confidences", confidences,
      "heads", heads, "mix", mix, "auxiliary_weight", auxiliary_weight, "confidence_weight", confidence_weight,
      "sparsity_weight", sparsity_weight);
  }
};

/// "energy", quality-aware fusion (Zhang et al. 2023, "Provable Dynamic Fusion for Low-Quality Multimodal Data"):
///
///   l_m = H_m x_m                             (B, C): each modality's own logits
///   E_m = -log sum_c exp(l_m,c)               its free energy, low where it knows samples like this one
///   w = softmax over the present m of -E_m / temperature
///   decision = log_softmax(sum_m w_m l_m)
///
/// The paper multiplies logits by -E_m / 10, as constants, and does not normalise; the softmax keeps weights from 0 to
/// 1, and what it weighs can be learned. A row with nothing gets 1/C for each class.
struct Energy {
  static constexpr bool decides = true;
  Expected expected;
  std::vector<Linear> heads;  ///< M of (width_m -> C)
  double temperature, auxiliary_weight, ranking_weight;

  explicit Energy(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities; weights (B, M); logits. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  /// The modalities' own cross-entropies + ranking_weight * sum_m mean over pairs (i, j) of neighbouring rows that have
  /// m, weighted by the product of the rows' weights, of max(0, |k_i - k_j| - sign(k_i - k_j) (E_j - E_i)): who is more
  /// likely right has the lower energy (Moon et al. 2020). In the paper k comes from a sample's losses in the epochs so
  /// far. A batch does not say which samples it holds, so here k is the probability that the modality gives to the true
  /// class in this step.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const;
  void fields(auto&& f) {
    f("expected", expected, "heads", heads, "temperature", temperature, "auxiliary_weight", auxiliary_weight,
      "ranking_weight", ranking_weight);
  }
};

/// "experts", a mixture of experts (Jacobs et al. 1991), one per modality:
///
///   p(c) = sum_m w_m softmax(expert_m(x_m))_c,  w = softmax over the present m of gate(x_1, ..., x_M)_m / temperature
///
/// Experts and the gate have one hidden layer each; the gate sees a learned vector where a modality is missing. The
/// experts learn from the likelihood of the mixture only, so that each can leave to others what these do better; what
/// one says alone (logits) is no decision to rely on. A row with nothing gets 1/C for each class.
struct Experts {
  static constexpr bool decides = true;
  struct Network {
    Linear hidden;
    Dropout dropout;
    Linear out;
    Tensor operator()(const Tensor& x) const;
    void fields(auto&& f) { f("hidden", hidden, "dropout", dropout, "out", out); }
  };
  Expected expected;
  std::vector<Tensor> absent;    ///< M of (width_m,)
  Network gate;                  ///< (width_1 + ... + width_M -> M)
  std::vector<Network> experts;  ///< M of (width_m -> C)
  double temperature, balance_weight;

  explicit Experts(const Options& options);
  /// M of (B, width_m) -> decision (B, C), log-probabilities; weights (B, M); logits; and as auxiliary the
  /// load-balancing loss: balance_weight * the squared coefficient of variation of the experts' load (Shazeer et al.
  /// 2017), where an expert's load is the sum of its weights over the batch in parts of what even weights over the
  /// present would give it, so that a rare modality is not pushed. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "absent", absent, "gate", gate, "experts", experts, "temperature", temperature,
      "balance_weight", balance_weight);
  }
};

}  // namespace weft::fusion
