#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "static", weights that somebody chose: features = sum_m w_m * P_m x_m, where w is given and divided by its sum over
/// the modalities present: a linear opinion pool (Stone 1961) before the decision.
struct StaticWeights {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  Buffer given;                     ///< (M,), saved with the model but not trained

  /// Throws ConfigError when the weights are not one per modality (or none at all: equal ones), finite and above 0.
  explicit StaticWeights(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "projections", projections, "given", given); }
};

}  // namespace weft::fusion
