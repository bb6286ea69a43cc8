#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <weft/data/metrics.h>
#include <weft/data/modalities.h>
#include <weft/study/config.h>

/// What `weft compare` compares. A method is fitted on training rows and gives class probabilities, and where it
/// weighs modalities, weights, for any rows. Networks (network.h) and plain baselines (baselines.cpp) are methods.
namespace weft::study {

/// Learning curves, one value per epoch.
struct Curve {
  std::vector<double> train_loss;
  std::vector<double> validation_loss;
  std::vector<double> validation_score;  ///< the study's metric
  friend bool operator==(const Curve&, const Curve&) = default;
};

/// One step of an optimiser.
struct Step {
  std::int64_t trial = 0;    ///< which combination of [select], from 0
  std::int64_t network = 0;  ///< which fold's, from 0
  std::int64_t epoch = 1, number = 1;
  double loss = 0;  ///< of the batch, before the step
  double lr = 0;
};

struct Outcome {
  std::vector<double> probabilities;  ///< (B, C), row-major; rows sum to 1
  std::vector<double> weights;        ///< (B, M), row-major, 0 where missing; empty when the method has none
};

/// What a method is fitted on.
struct Task {
  /// As float64, NaN where absent, prepared on the rows to train on only. A comparison hands over these rows and no
  /// others: what a method never gets, it cannot look at.
  const data::Modalities& x;
  data::Labels labels;  ///< of all rows of x
  std::int64_t classes = 0;
  std::span<const std::int64_t> rows;  ///< of x, to train on
  const data::NamedMetric& metric;     ///< for early stopping and any choice, on a part of the training rows
  std::uint64_t seed = 0;              ///< the only source of chance
  /// Called after each epoch with its number from 1, the number of epochs at most, and the curves so far. A method
  /// calls check_interrupt() beside it.
  std::function<void(std::int64_t, std::int64_t, const Curve&)> on_epoch = {};
  std::function<void(const Step&)> on_step = {};
  std::int64_t trial = 0;  ///< for its steps
  /// A file that keeps what is needed to go on after Ctrl-C; empty: none. `resume` reads it if it is there. Where
  /// [select] has several trainings, each has a file of its own: this name with a number behind.
  std::string checkpoint = {};
  bool resume = false;
  /// A method that trains several times keeps what is done until all of it is.
  bool keep_checkpoint = false;
  std::string origin = {};   ///< what a checkpoint must be of: the study, its data, the seed
  data::Labels groups = {};  ///< of all rows of x: what inner folds keep together; empty: nothing
};

class Fitted {
 public:
  virtual ~Fitted() = default;
  /// Rows prepared in the same way as the task's.
  virtual Outcome predict(const data::Modalities& x) const = 0;
  /// Keeps the model in a file. Throws ConfigError where a method has no such form.
  virtual void save(const std::string& path) const {
    throw ConfigError(text("save: ", path, ": only networks can be kept"));
  }

  std::optional<double> validation;  ///< the task's metric on rows held out from training; none for baselines
  Curve curve;
  /// Training rows with the answers of a model that had not learned from them; none where there are too few rows.
  std::optional<data::Predictions> held_out;
  /// What [select] chose, by key; empty without it.
  std::vector<std::pair<std::string, double>> selected;
};

enum class MethodKind : std::uint8_t { single, baseline, fusion };

class Method {
 public:
  Method(std::string its_name, MethodKind its_kind) : name(std::move(its_name)), kind(its_kind) {}
  virtual ~Method() = default;
  virtual std::unique_ptr<Fitted> fit(const Task& task) const = 0;

  std::string name;
  MethodKind kind;
};

using Methods = std::vector<std::unique_ptr<Method>>;

/// The plain baselines that the study asks for: "l2: <modality>" for each modality, "l2" on all columns, "l1" with
/// its penalty by inner cross-validation, "late_l2" (the mean of the single ones) and "late_cv" (the same, penalties by
/// inner cross-validation).
Methods make_baselines(const Study& study);

}  // namespace weft::study
