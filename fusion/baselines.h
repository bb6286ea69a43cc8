#pragma once
#include <weft/fusion/presence.h>

/// What every weighted fusion has to beat.
namespace weft::fusion {

/// "mean": features = mean over the present m of P_m x_m, the sum rule of Kittler et al. (1998) before the decision.
struct Mean {
  Expected expected;
  std::vector<Linear> projections;  ///< M of (width_m -> D)

  explicit Mean(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "projections", projections); }
};

/// "single": features = P x_m of one modality; the others are not looked at. A row without it counts as empty,
/// whatever else it has, and its features are 0. The yardstick of every study of several modalities (Baltrušaitis,
/// Ahuja and Morency 2019).
struct Single {
  Expected expected;
  std::int64_t index;  ///< which modality
  Linear projection;   ///< (width_m -> D)

  /// Throws ConfigError when options.modality is none of the names.
  explicit Single(const Options& options);
  /// M of (B, width_m) -> features (B, D), weights (B, M): 1 for that modality. Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "index", index, "projection", projection); }
};

}  // namespace weft::fusion
