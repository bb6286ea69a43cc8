#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/study/dataset.h>
#include <weft/study/method.h>

/// The protocol of `weft compare`: every method on the same stratified splits, everything fitted on training rows
/// only, the fusion chosen by validation score within each split and never by test score.
namespace weft::study {

/// One fit of one method, judged on the test rows.
struct Record {
  std::string method;
  std::int64_t split = 0;       ///< from 0; -1 is the split that comes with the data
  std::int64_t seed = 0;        ///< which of the seeds, from 0
  std::vector<double> metrics;  ///< as Run::metrics
  std::optional<double> validation;
  std::vector<double> weights;  ///< (C, M): mean weight over the test rows of each class; may be empty
  Curve curve;                  ///< of split 0 only
  friend bool operator==(const Record&, const Record&) = default;
};

/// All that happened; what results.json holds.
struct Run {
  std::string study, title, version, source;  ///< source: the study file's text
  std::uint64_t seed = 0;
  std::int64_t splits = 0, seeds = 1;
  double test = 0.3, level = 0.95;
  std::int64_t rows = 0, train_rows = 0, test_rows = 0;
  bool fixed = false;  ///< the data came with a split, which was run too
  std::string metric;  ///< what the comparison is about, first of `metrics`
  std::string validation_metric;
  std::string reference;
  std::vector<std::string> metrics;
  std::vector<std::string> modalities, classes;
  std::vector<std::int64_t> class_rows;
  std::vector<std::string> methods;
  std::vector<MethodKind> kinds;
  std::vector<Record> records;  ///< ordered by split, method, seed
};

struct CompareOptions {
  std::optional<std::int64_t> splits;  ///< instead of the study's
  std::optional<std::uint64_t> seed;
  int jobs = 1;            ///< splits at a time
  std::string checkpoint;  ///< a file; empty: none
  bool resume = false;
  /// Called after each fit: done, of, and what. From several threads, one at a time.
  std::function<void(std::int64_t, std::int64_t, const std::string&)> on_fit = {};
};

/// Throws Interrupted after Ctrl-C, once what is done is in the checkpoint; what a method throws; ConfigError when
/// the checkpoint is of another study.
Run compare(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options = {});

/// One row of the table.
struct Summary {
  std::string method;
  MethodKind kind = MethodKind::baseline;
  bool chosen = false;                  ///< the row of the fusion chosen on validation data
  std::vector<data::Interval> metrics;  ///< mean over splits, interval for repeated splits (Nadeau & Bengio 2003)
  std::optional<double> fixed;          ///< the metric on the split that came with the data
  std::vector<double> weights;          ///< (C, M), mean over splits; may be empty
};
struct Findings {
  std::vector<Summary> rows;               ///< baselines, then fusions, then the chosen one
  std::vector<std::string> chosen;         ///< per split: the fusion with the best validation score; empty: no fusion
  std::optional<data::Comparison> paired;  ///< chosen minus reference on the test rows, corrected resampled t
};
Findings summarize(const Run& run);

/// A seed that depends on all its parts.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0) noexcept;

// ---- results.cpp
std::string to_json(const Run& run, const Findings& findings);
/// One line per record.
std::string to_csv(const Run& run);
/// What a checkpoint holds: the records, bound to one study, seed and version by a fingerprint.
std::string checkpoint_json(const std::vector<Record>& records, const std::string& fingerprint);
/// Throws FileError when the text is damaged, ConfigError when the fingerprint is another one.
std::vector<Record> read_checkpoint(const std::string& json, const std::string& fingerprint, const std::string& path);

}  // namespace weft::study
