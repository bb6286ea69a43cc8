#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What `weft explain` found, as a report shows it.
namespace weft::study {

struct Neighbour {
  std::int64_t row = 0;
  std::string id;
  std::int64_t label = 0;
  double distance = 0;
};
struct Contribution {
  std::string name;
  double value = 0, attribution = 0;
};
struct Change {
  std::string name;
  double from = 0, to = 0;
};
/// The smallest change within one modality that turns the answer.
struct Counterfactual {
  std::size_t modality = 0;
  std::vector<Change> changes;
  std::int64_t becomes = 0;
};

/// One patient. Vectors over modalities are (M,).
struct Patient {
  std::int64_t row = 0;
  std::string id;
  std::optional<std::int64_t> label;
  std::int64_t prediction = 0;
  std::vector<double> probabilities;  ///< (C,)
  /// Classes of the conformal prediction set; none where the model has no rows to calibrate one on.
  std::optional<std::vector<std::int64_t>> set;
  std::vector<bool> present, generated;  ///< measured; filled in from the others
  std::vector<double> weights;           ///< empty: the fusion has none
  std::vector<double> shapley;           ///< of the predicted class's probability
  std::vector<double> drop_one;          ///< that probability minus what remains of it without the modality
  double base = 0;                       ///< that probability with nothing present
  std::vector<Neighbour> nearest;        ///< training cases
  std::vector<std::pair<std::size_t, Contribution>> features;  ///< with the modality they are of
  std::optional<Counterfactual> counterfactual;
};
/// Means over a class or over the patients with one value of a column.
struct PatientGroup {
  std::string by, value;
  std::int64_t count = 0;
  std::vector<double> weights, shapley, drop_one;  ///< (M,); of |Shapley value|; weights may be empty
};
struct Agreement {
  double spearman = 0, low = 0, high = 0;
};

struct Explained {
  std::string version, study, fusion;
  std::uint64_t seed = 0;
  double level = 0.95;  ///< of the prediction sets
  std::vector<std::string> modalities, classes;
  std::vector<Patient> patients;
  std::vector<PatientGroup> groups;
  std::optional<Agreement> agreement;  ///< of weights and Shapley values
};

/// Reads the text of an explanations.json. Throws FileError naming `path` when it is none, or damaged.
Explained read_explanations(const std::string& json, const std::string& path);

}  // namespace weft::study
