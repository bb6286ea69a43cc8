#pragma once
#include <weft/fusion/presence.h>

/// Methods that multiply modalities with one another, so that every combination of features has a weight of its own.
namespace weft::fusion {

/// "tensor", tensor fusion (Zadeh et al. 2017):
///
///   z_m = [U_m x_m + b_m; 1]                      (B, k + 1); a missing one is [0; 1]
///   features = W (z_1 outer ... outer z_M) + b    (k + 1)^M products
///
/// The ones keep the products of fewer modalities, down to each by itself and to none; a missing modality leaves
/// those of the others. There are no weights per modality.
struct OuterProduct {
  Expected expected;
  std::vector<Linear> parts;  ///< M of (width_m -> k)
  Linear mix;                 ///< ((k + 1)^M -> D)

  /// k is options.factor_width; 0: the largest up to 8 with 4096 products or fewer. Throws ConfigError for k < 0, and
  /// for more than 65536 products (no k given: for more than 12 modalities).
  explicit OuterProduct(const Options& options);
  /// M of (B, width_m) -> features (B, D). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "parts", parts, "mix", mix); }
};

/// "lowrank", the same with a W of low rank, which is never written out (Liu et al. 2018):
///
///   f_m = F_m [x_m; 1]                            (B, R, D); a missing one is 1
///   features = sum_r s_r * product over m of f_m,r + b
///
/// A modality that is missing leaves the product as it is. There are no weights per modality. Factors begin around 1
/// (their biases are 1), not around 0 as in the paper, so that a product of many neither vanishes nor grows. A row
/// with nothing has the features b.
struct LowRank {
  Expected expected;
  std::vector<Linear> factors;  ///< M of (width_m -> R D)
  Tensor scale;                 ///< s (R,)
  Tensor bias;                  ///< b (D,)

  /// Throws ConfigError when rank < 1.
  explicit LowRank(const Options& options);
  /// M of (B, width_m) -> features (B, D). Throws as Expected::check().
  Fused operator()(const data::Modalities& encoded) const;
  void fields(auto&& f) { f("expected", expected, "factors", factors, "scale", scale, "bias", bias); }
};

}  // namespace weft::fusion
