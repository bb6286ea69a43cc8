#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "softmax", one learned weight per modality for the whole data set: w = softmax(theta / temperature) over the
/// modalities present, features = sum_m w_m * P_m x_m. The weights are learned but not dynamic: samples differ only in
/// what they lack. Features of different widths cannot be added, so each modality has a projection of its own. As the
/// scalar mix of layers in Peters et al. (2018).
struct LearnedWeights {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Tensor theta;                     ///< (M,), 0 at first: even weights
  double temperature;

  explicit LearnedWeights(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "theta", theta, "temperature", temperature);
  }
};

}  // namespace weft::fusion
