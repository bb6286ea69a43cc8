#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include <weft/fusion/explain.h>

/// What single features did for a decision, and which of them would have to be others for another decision.
namespace weft::fusion {

// ---- integrated gradients

struct GradientOptions {
  /// (B,): the class that is asked about; empty: the one that is predicted.
  std::vector<std::int64_t> classes{};
  Scale scale = Scale::probability;
  /// Where the path begins: M of one row's shape, or of all rows'; empty: 0, which is the mean of what was
  /// standardised.
  std::vector<Tensor> baseline{};
  std::int64_t steps = 32;         ///< points of the path, at first
  std::int64_t most_steps = 1024;  ///< doubled for rows whose residual is above the tolerance, up to this
  double tolerance = 1e-3;         ///< of |residual|
};
struct Attributions {
  std::vector<Tensor> features;  ///< M of the features' shape, float64; exactly 0 where the modality is missing
  Tensor residual;               ///< (B,) float64: sum of all attributions - (f(x) - f(baseline))
  std::vector<std::int64_t> classes;
};
/// Integrated gradients of each feature (Sundararajan, Taly and Yan 2017), all modalities along one path and masks as
/// they are:
///   a_i = (x_i - b_i) * integral over t in [0, 1] of df/dx_i (b + t (x - b)) dt,
/// by the midpoint rule. Completeness, sum a_i = f(x) - f(b), holds up to `residual`: look at it, it is the
/// error of the integral. Fillers of missing modalities are never read. Rows must be answered one by one (eval mode).
/// Throws DtypeError for features that are not floating, ShapeError for a baseline that does not fit, ConfigError for
/// steps below 1, and as shapley() for classes.
Attributions integrated_gradients(const Predictor& f, const data::Modalities& x, const GradientOptions& options = {});

// ---- counterfactuals

struct Change {
  std::int64_t feature = 0;  ///< of the flattened row
  double from = 0, to = 0;
};
struct Counterfactual {
  int modality = 0;
  std::int64_t donor = 0;       ///< the training row that the values come from
  std::int64_t becomes = 0;     ///< the class that is decided then
  double distance = 0;          ///< sum over the changes of |to - from| / deviation of the feature in training
  std::vector<Change> changes;  ///< by feature
};
struct CounterfactualOptions {
  std::int64_t candidates = 256;  ///< training rows that are tried per modality, the nearest first
  std::int64_t donors = 3;        ///< of those that change the decision, how many are made as small as possible
  /// Per modality, for each feature, the unit that it changes with (such as the columns of one category); empty: each
  /// feature by itself.
  std::vector<std::vector<std::int64_t>> units{};
};

/// What would have to be otherwise in one modality for another decision. Values are taken from training rows, not from
/// a gradient's direction: each has been seen in somebody, categories stay categories, and nothing can be an
/// adversarial whisper. In each present modality the nearest training rows are put in its place until the decision
/// changes; then as few of the donor's values as possible are kept: features are ordered by integrated gradients
/// from the row to the donor, the shortest beginning of that order that suffices is taken, and each of its
/// features put back if the decision stays changed. Of all modalities and donors the least distance wins (Wachter,
/// Mittelstadt and Russell 2017, with deviations instead of median deviations). It is the nearest that this
/// search found, not the nearest that there is.
class CounterfactualSearch {
 public:
  /// training: rows that values may come from. Throws DtypeError for features that are not floating, ShapeError for
  /// units that do not fit, ConfigError for counts below 1 and units outside [0, features).
  CounterfactualSearch(Predictor f, data::Modalities training, CounterfactualOptions options = {});
  /// For row `i` of x; none where no donor changes the decision. Throws as the predictor does, and ConfigError where
  /// the modalities are not those of the training rows.
  std::optional<Counterfactual> find(const data::Modalities& x, std::int64_t i) const;

 private:
  std::optional<Counterfactual> within(const data::Modalities& row, int m, std::int64_t decided) const;
  std::optional<Counterfactual> smallest(const data::Modalities& row, int m, std::int64_t donor,
                                         std::int64_t decided) const;

  Predictor f_;
  data::Modalities training_;
  CounterfactualOptions options_;
  std::vector<data::Modalities> encoded_;       // the training rows
  std::vector<std::vector<double>> values_;     // per modality (N, F), row-major
  std::vector<std::vector<double>> deviation_;  // per modality (F,); 1 where it is 0
};

}  // namespace weft::fusion
