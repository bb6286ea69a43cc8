#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/fusion/classifier.h>

/// What each modality did for a decision: Shapley values, the effect of taking it away, and whether the weights of a
/// fusion agree with either. docs/explanations.md says when each of them deceives.
///
///   const fusion::Predictor f = fusion::predictor(net);                    // in eval mode
///   const fusion::Shapley s = fusion::shapley(f, patients);                // of the class that is predicted
///   std::cout << s.values << s.base;                                       // s.base + sum(s.values, 1) = s.full
///   fusion::agreement(net(patients).fused.weights, abs(s.values), patients.present);
namespace weft::fusion {

/// What is explained: a function from evidence to class probabilities, in two steps, so that what does not depend on
/// who else is there is computed once for all presence masks.
struct Predictor {
  /// Each modality by itself, the masks as they were: one result per network. Without it, the evidence as it is.
  std::function<std::vector<data::Modalities>(const data::Modalities&)> encode{};
  /// What encode() gave, now with any masks -> (B, C) probabilities. Differentiable, for attributions.
  std::function<Tensor(const std::vector<data::Modalities>&)> decide{};

  std::vector<data::Modalities> encoded(const data::Modalities& x) const;
  Tensor operator()(const data::Modalities& x) const { return decide(encoded(x)); }
};
/// The mean probabilities of networks, which share their tensors with it and should be in eval mode. Throws ConfigError
/// when there are none.
Predictor predictor(std::vector<Classifier> networks);
Predictor predictor(const Classifier& network);

/// What a modality's part is measured in.
enum class Scale : std::uint8_t {
  probability,  ///< p_c
  log_odds,     ///< log(p_c / (1 - p_c)), p_c held within [1e-7, 1 - 1e-7]
};

// ---- Shapley values

constexpr int most_players = 10;

/// Shapley's value (1953) of each of M players in a game, value[s] being what coalition s gets (bit m: player m is in):
///   phi_m = sum over s without m of |s|! (M - |s| - 1)! / M! (value[s + m] - value[s]).
/// They sum to value[all] - value[none]; equal players get the same and one who changes nothing gets 0. Throws
/// ShapeError unless there are 2^M values, ConfigError for fewer than 1 player or more than 10.
std::vector<double> shapley_values(std::span<const double> value, int players);

struct ShapleyOptions {
  /// (B,): the class that is asked about; empty: the one that is predicted.
  std::vector<std::int64_t> classes{};
  Scale scale = Scale::probability;
};
/// All float64. What is missing gets exactly 0 throughout.
struct Shapley {
  Tensor values;    ///< (B, M): sum to full - base
  Tensor drop_one;  ///< (B, M): full - what remains without it
  Tensor base;      ///< (B,): with nothing present
  Tensor full;      ///< (B,): with all that is present
  std::vector<std::int64_t> classes;
};
/// Exact Shapley values of modalities: players are the modalities of a row, and a coalition gets the predictor's answer
/// with all others marked missing in the mask, which is how the model itself meets missing evidence (Shapley 1953;
/// Lundberg and Lee 2017, with the mask for their background samples). Takes 2^M answers per row; what is missing takes
/// part in none. Throws ConfigError for more than 10 modalities and classes out of range, ShapeError for another
/// number of classes, and as the predictor does.
Shapley shapley(const Predictor& f, const data::Modalities& x, const ShapleyOptions& options = {});

// ---- weights

/// The mean of values (B, M) over the rows of each group, such as classes: -> (G, M) float64, NaN for a group without
/// rows. Throws ShapeError for another number of rows, ConfigError for a group outside [0, G).
Tensor group_means(const Tensor& values, std::span<const std::int64_t> group, std::int64_t groups);

struct AgreementOptions {
  double level = 0.95;
  int resamples = 1000;
  std::uint64_t seed = 0;
};
/// Intervals are bootstrap intervals over rows.
struct Agreement {
  data::Interval overall;                ///< Spearman's correlation of all pairs of row and present modality
  std::optional<data::Interval> within;  ///< the mean of the rows' own ones; none where fewer than 2 rows have one
  std::vector<double> of_rows;           ///< (B,): NaN with fewer than 2 present, and where either is all the same
};
/// Whether two accounts of what counted, such as weights and |Shapley values|, order it alike: a, b (B, M), by
/// Spearman's rank correlation over what is present. None where it is not defined: fewer than 2 rows, or either
/// is the same throughout, or in most resamples. Jain and Wallace (2019) ask this of attention. Throws ShapeError for
/// other shapes.
std::optional<Agreement> agreement(const Tensor& a, const Tensor& b, const Tensor& present,
                                   const AgreementOptions& options = {});

// ---- what attributions share

/// The class of each row that is asked about: these, or where there are none the predicted ones. Throws as shapley(),
/// beginning with `operation`.
std::vector<std::int64_t> asked_classes(const char* operation, const Tensor& probabilities,
                                        const std::vector<std::int64_t>& classes);
/// p (B,) in the scale that is asked for, differentiable.
Tensor in_scale(const Tensor& p, Scale scale);

}  // namespace weft::fusion
