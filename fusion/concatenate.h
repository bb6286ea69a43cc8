#pragma once
#include <weft/fusion/presence.h>

namespace weft::fusion {

/// "concat", early fusion: features = W cat(x_1, ..., x_M) + b, with a learned vector in the place of a missing x_m.
/// There are no weights per modality. Snoek, Worring and Smeulders (2005). The vectors for "absent" mean something only
/// after training in which modalities were absent: where the data are complete, train with drop_modalities().
struct Concatenate {
  Expected expected;
  std::vector<Tensor> absent;  ///< M of (width_m,)
  Linear mix;                  ///< (width_1 + ... + width_M) -> D

  explicit Concatenate(const Options& options);
  /// M of (B, width_m) -> features (B, D). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "absent", absent, "mix", mix); }
};

}  // namespace weft::fusion
