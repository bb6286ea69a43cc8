#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "attention", weights per sample from all features together: w = softmax((W cat(x_1, ..., x_M) + b) / temperature)
/// over the modalities present, features = sum_m w_m * P_m x_m. A missing x_m is a learned vector in cat() and out of
/// the softmax. W is a parameter of the model. The gate of Jacobs et al. (1991) over features (modality attention: Hori
/// et al. 2017). What the weights of a group of cases were on average is mean(weights, 0) over its rows.
struct JointAttention {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)
  std::vector<Tensor> absent;       ///< M of (width_m,)
  Linear scores;                    ///< (width_1 + ... + width_M) -> M
  double temperature;

  explicit JointAttention(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) {
    f("expected", expected, "projections", projections, "absent", absent, "scores", scores, "temperature", temperature);
  }
};

}  // namespace weft::fusion
