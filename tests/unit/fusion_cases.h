#pragma once
#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/data/modalities.h>
#include <weft/fusion/fusion.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

/// What the tests of fusion/ share: one record per method, and small batches with known gaps.
namespace weft::test {

/// What lies along an axis of a parameter.
enum class Lies {
  one,       ///< one number for each modality
  features,  ///< the features of all modalities
  spaces,    ///< as many numbers for each modality as the shared space is wide
  grid,      ///< every product of one number of each modality, the last modality's fastest
};

/// How a parameter is laid out over the modalities, for the test that their order does not matter.
struct Along {
  std::string parameter;
  int axis;
  Lies lies;
};

struct Method {
  std::string name;
  bool decides = false, weighs = true, confident = false, alone = false;  ///< alone: logits per modality
  bool uncertain = false;                                                 ///< an uncertainty per sample
  bool smooth_auxiliary = true;       ///< the auxiliary loss is differentiable as it stands (nothing is detached)
  bool constant_weights = false;      ///< no parameter and no feature changes the weights
  std::vector<std::string> stacks{};  ///< members that number their layers, not modalities
  std::vector<Along> along{};
};

/// One record per fusion; a test fails for a fusion without one.
inline const std::vector<Method>& methods() {
  static const std::vector<Method> all = {
      {.name = "concat", .weighs = false, .along = {{"mix.weight", 1, Lies::features}}},
      {.name = "late", .decides = true, .alone = true, .constant_weights = true},
      {.name = "mean", .constant_weights = true},
      {.name = "static", .constant_weights = true, .along = {{"given", 0, Lies::one}}},
      {.name = "softmax", .along = {{"theta", 0, Lies::one}}},
      {.name = "gate", .confident = true, .alone = true, .smooth_auxiliary = false, .along = {{"theta", 0, Lies::one}}},
      {.name = "attention",
       .along = {{"scores.weight", 0, Lies::one}, {"scores.weight", 1, Lies::features}, {"scores.bias", 0, Lies::one}}},
      {.name = "gated",
       .stacks = {"gates", "between"},
       .along = {{"gates.0.scores.weight", 0, Lies::spaces},
                 {"gates.0.scores.weight", 1, Lies::spaces},
                 {"gates.0.scores.bias", 0, Lies::spaces},
                 {"gates.1.scores.weight", 0, Lies::spaces},
                 {"gates.1.scores.weight", 1, Lies::spaces},
                 {"gates.1.scores.bias", 0, Lies::spaces}}},
      {.name = "vote", .decides = true, .alone = true, .along = {{"theta", 0, Lies::one}}},
      {.name = "product", .decides = true, .alone = true, .along = {{"theta", 0, Lies::one}}},
      {.name = "query"},
      {.name = "cross"},
      {.name = "transformer", .stacks = {"layers"}},
      {.name = "lowrank", .weighs = false},
      {.name = "tensor", .weighs = false, .along = {{"mix.weight", 1, Lies::grid}}},
      {.name = "relevance",
       .confident = true,
       .alone = true,
       .smooth_auxiliary = false,
       .along = {{"relevance", 0, Lies::one}}},
      {.name = "dynamics",
       .confident = true,
       .alone = true,
       .smooth_auxiliary = false,
       .along = {{"mix.weight", 1, Lies::spaces}}},
      {.name = "energy", .decides = true, .alone = true, .smooth_auxiliary = false},
      {.name = "evidential", .decides = true, .confident = true, .alone = true, .uncertain = true},
      {.name = "experts",
       .decides = true,
       .alone = true,
       .along = {{"gate.hidden.weight", 1, Lies::features},
                 {"gate.out.weight", 0, Lies::one},
                 {"gate.out.bias", 0, Lies::one}}},
      {.name = "single", .constant_weights = true},
  };
  return all;
}

inline const std::vector<std::string> abc_names = {"a", "b", "c"};
inline const std::vector<std::int64_t> abc_widths = {3, 2, 4};
inline constexpr std::int64_t abc_classes = 3, abc_width = 6;

inline fusion::Options abc_options() {
  return {.names = abc_names,
          .widths = abc_widths,
          .width = abc_width,
          .classes = abc_classes,
          .hidden = 5,
          .weights = {0.5, 1.5, 2.0},
          .modality = "b",
          .factor_width = 2,
          .relevance = {0.9, 0.5, 0.2},
          .dtype = DType::float64};
}

inline Tensor mask(const std::vector<std::vector<int>>& rows) {
  Tensor present =
      empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows.at(0).size())}, DType::boolean);
  bool* to = present.mutable_data<bool>();
  for (const auto& row : rows)
    for (const int each : row) *to++ = each != 0;
  return present;
}

/// Rows with everything, without b, with b only, with nothing, without c.
inline const std::vector<std::vector<int>> gaps = {{1, 1, 1}, {1, 0, 1}, {0, 1, 0}, {0, 0, 0}, {1, 1, 0}};

/// Random features under a mask; `filler` stands where a modality is missing.
inline data::Modalities abc(const std::vector<std::vector<int>>& present,
                            double filler = std::numeric_limits<double>::quiet_NaN(), std::uint64_t seed = 7) {
  Generator g{seed};
  data::Modalities all{abc_names, {}, mask(present)};
  for (std::size_t m = 0; m < abc_widths.size(); ++m) {
    const Tensor x = randn({static_cast<std::int64_t>(present.size()), abc_widths[m]}, 0, 1, DType::float64, g);
    const auto at = static_cast<std::int64_t>(m);
    all.features.push_back(where(slice(all.present, 1, at, at + 1), x, scalar(filler, DType::float64)));
  }
  return all;
}

inline std::vector<double> numbers(const Tensor& x) { return to_vector<double>(x); }
inline bool finite(const Tensor& x) { return all(isfinite(x)).item() != 0; }
/// The same numbers to the last bit.
inline bool same(const Tensor& x, const Tensor& y) {
  return x.defined() == y.defined() && (!x.defined() || (x.shape() == y.shape() && numbers(x) == numbers(y)));
}

inline std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace weft::test
