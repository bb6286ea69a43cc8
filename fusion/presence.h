#pragma once
#include <string>
#include <vector>

#include <weft/fusion/fusion.h>
#include <weft/layers/basic.h>

/// What methods share: checking their input, and keeping fillers out.
namespace weft::fusion {

/// The modalities that a method was made for.
struct Expected {
  std::vector<std::string> names;
  std::vector<std::int64_t> widths;

  /// Throws ConfigError, beginning with the method's name, when there is no modality, names and widths differ in
  /// number, two share a name, or a width is below 1.
  Expected(const char* method, const Options& options);
  /// Throws ShapeError or ConfigError when these are not the modalities that were expected, in their order.
  void check(const char* method, const data::Modalities& encoded) const;
  std::size_t count() const noexcept { return names.size(); }
  void fields(auto&& f) { f("names", names, "widths", widths); }
};

/// Throws ConfigError unless value >= least.
void at_least(const char* method, const char* what, std::int64_t value, std::int64_t least);

/// options.temperature. Throws ConfigError unless it is above 0.
double checked_temperature(const char* method, const Options& options);

/// Who has modality m: (B, M) -> (B, 1) bool.
Tensor who_has(const Tensor& present, std::size_t m);
/// Rows of x where who ((B, 1) bool) is true, `otherwise` elsewhere (broadcast to x's rows; undefined: 0). What x held
/// there reaches neither the result nor a gradient.
Tensor rows_or(const Tensor& x, const Tensor& who, const Tensor& otherwise = Tensor());
/// (B, M) bool -> (B,) bool: no modality is present.
Tensor nothing_present(const Tensor& present);
/// 1 / (number of present modalities) where present, else 0: (B, M) bool -> (B, M).
Tensor even_weights(const Tensor& present, DType dtype);
/// Scores (B, M) or (M,) -> weights (B, M) by a softmax of scores / temperature over the modalities present.
Tensor weigh(const Tensor& scores, const Tensor& present, double temperature);
/// Numbers (B, M) from 0 up -> weights (B, M): each divided by the sum over the modalities present; even ones where
/// that sum is 0.
Tensor shares(const Tensor& values, const Tensor& present);
/// Modalities::quality as `dtype`, 0 where a modality is missing: (B, M). Throws ConfigError, beginning with the
/// method's name, for one outside [0, 1] of something that is present.
Tensor checked_quality(const char* method, const data::Modalities& encoded, DType dtype);
/// A Fused with only the mask and its flag filled in.
Fused begin(const Tensor& present);

/// One map per modality to the shared space, from features of different widths: (B, width_m) -> (B, D).
std::vector<Linear> projections(const Options& options);
/// sum_m weights[:, m] * x_m: M of (B, D), weights (B, M) -> (B, D).
Tensor weighted_sum(const std::vector<Tensor>& projected, const Tensor& weights);
/// All modalities in the shared space, missing rows from 0: M of (B, D).
std::vector<Tensor> project(const std::vector<Linear>& maps, const data::Modalities& encoded);

/// A linear head per modality on its features: M of (width_m -> C). Throws ConfigError for fewer than 2 classes.
std::vector<Linear> decision_heads(const char* method, const Options& options);
/// What each modality says alone, 0 where it is missing: M of (B, C).
std::vector<Tensor> decide_alone(const std::vector<Linear>& heads, const data::Modalities& encoded);

/// A learned vector per modality that stands for "absent", small random numbers at first.
std::vector<Tensor> absent_vectors(const Options& options);
/// All modalities side by side, with the learned vector where one is missing: (B, width_1 + ... + width_M).
Tensor joint(const data::Modalities& encoded, const std::vector<Tensor>& absent);

}  // namespace weft::fusion
