#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/model.h>

/// `weft explain`: what counted for the answers of a kept model, patient by patient and on average.
/// docs/explanations.md says what each figure means and when it deceives.
namespace weft::study {

/// A training case, in the space that Explanations::space names.
struct NearCase {
  std::int64_t row = 0;
  std::string id;
  std::int64_t label = 0;
  double distance = 0;  ///< root mean square over the space's features, in deviations of the training rows
};
struct FeatureEffect {
  std::string name;
  double value = 0;        ///< in the units of the data (after clip and log of the study file)
  double attribution = 0;  ///< integrated gradients from the training mean
};
struct FeatureChange {
  std::string name;
  double from = 0, to = 0;  ///< as FeatureEffect::value
};
struct NearestChange {
  std::string modality;
  std::vector<FeatureChange> changes;
  std::int64_t becomes = 0;
  std::int64_t donor = 0;  ///< the training row that the values come from
  double distance = 0;     ///< sum of changes in deviations
};

/// One row. Vectors without further words have one number per modality.
struct PatientExplanation {
  std::int64_t row = 0;  ///< of the study's rows, or of the CSV of new rows, from 0
  std::string id;        ///< the value of [split] group, or the row's number
  std::optional<std::int64_t> label;
  std::int64_t prediction = 0;
  std::vector<double> probabilities;             ///< per class
  std::optional<std::vector<std::int64_t>> set;  ///< conformal; none where the model kept no scores
  std::vector<bool> present, generated;          ///< generated: completed, not measured
  std::vector<double> weights;                   ///< empty where the fusion has none
  std::vector<double> shapley, drop_one;         ///< of the predicted class's probability
  double base = 0;                               ///< that probability with nothing present
  std::vector<double> attention;                 ///< per key, of one query, mean over heads; empty where there is none
  std::vector<NearCase> nearest;
  std::vector<std::vector<FeatureEffect>> features;  ///< per modality, the strongest first
  double residual = 0;                               ///< what the attributions of all features miss
  std::optional<NearestChange> counterfactual;
};

/// Means over the rows of a class or of a value of a column.
struct GroupExplanation {
  std::string by, value;
  std::int64_t rows = 0;
  std::vector<double> weights;            ///< empty where the fusion has none
  std::vector<double> shapley, drop_one;  ///< shapley: of the absolute values
};

struct Explanations {
  std::string study, fusion;
  std::uint64_t seed = 0;
  double level = 0.95;
  std::vector<std::string> modalities, classes;
  std::int64_t rows = 0;         ///< that groups and agreement are of; patients may be fewer
  std::string space;             ///< of the nearest cases: "fused" or "features"
  std::int64_t calibration = 0;  ///< rows that the conformal sets rest on; 0: there are none
  double threshold = 1, mean_set = 0;
  std::optional<double> coverage;  ///< share of labelled rows whose class is in the set
  double shapley_error = 0;        ///< largest |sum of Shapley values - (answer - answer with nothing)|
  std::vector<PatientExplanation> patients;
  std::vector<GroupExplanation> groups;
  std::optional<data::Interval> agreement;  ///< Spearman of weights and |Shapley| over rows and modalities
  std::optional<data::Interval> within;     ///< the mean of each row's own
};

struct ExplainOptions {
  std::int64_t patients = 1000;  ///< rows that are explained one by one, from the first
  std::vector<Parting> by{};     ///< of the rows that are explained
  /// Called after each row: done, of.
  std::function<void(std::int64_t, std::int64_t)> on_patient = {};
};

/// Explains rows of `asked`; `kept` is what the model was trained on. Throws ConfigError for more than 10 modalities.
Explanations explain(const Model& model, const std::vector<fusion::Classifier>& networks, const Dataset& kept,
                     const Dataset& asked, const std::vector<std::int64_t>& rows, const ExplainOptions& options = {});

// ---- explain_text.cpp
/// What explanations.json holds.
std::string to_json(const Explanations& e);
/// The tables that `weft explain` prints.
std::string text_report(const Explanations& e, const show::Style& style);

/// Explains a kept model's test rows, or the rows of a CSV, prints tables and writes explanations.json.
void run_explain(const CommandOptions& options);

}  // namespace weft::study
