#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/study/dataset.h>
#include <weft/study/leaks.h>
#include <weft/study/method.h>
#include <weft/study/splitting.h>
#include <weft/study/trust.h>

/// The protocol of `weft compare`: every method on the same splits, everything fitted on training rows only, settings
/// and the fusion chosen by validation score within each split and never by test score. docs/evaluation.md.
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
  Trust trust;
  std::vector<Part> parts;
  std::vector<std::pair<std::string, double>> selected;  ///< what [select] chose
  /// On the split that comes with the data: the metric with its bootstrap interval over the test rows.
  std::optional<data::Interval> interval;
  friend bool operator==(const Record& a, const Record& b);  ///< as results.json shows them
};

/// All that happened; what results.json holds.
struct Run {
  std::string study, title, version, source;  ///< source: the study file's text
  std::uint64_t seed = 0;
  std::int64_t splits = 0, seeds = 1, given_seeds = 1;
  double test = 0.3, level = 0.95, refer = 0.2;
  std::int64_t rows = 0, train_rows = 0, test_rows = 0;  ///< the latter two: mean over the splits
  bool fixed = false;                                    ///< the data came with a split, which was run too
  std::string metric;                                    ///< what the comparison is about, first of `metrics`
  std::string validation_metric;
  std::string reference;
  std::vector<std::string> metrics;
  std::vector<std::string> modalities, classes;
  std::vector<std::int64_t> class_rows;
  std::vector<std::string> methods;
  std::vector<MethodKind> kinds;
  std::vector<Record> records;  ///< ordered by split, method, seed
  Splits parts;
  std::string data_checksum;
};

struct CompareOptions {
  std::optional<std::int64_t> splits;  ///< instead of the study's
  std::optional<std::uint64_t> seed;
  int jobs = 1;            ///< splits at a time
  std::string checkpoint;  ///< a file; empty: none
  bool resume = false;
  /// Instead of drawing splits as the study says; the checks are the same.
  std::optional<Splits> parts = {};
  /// Instead of Preparation::fit; checked as that is.
  Prepare prepare = {};
  /// Called after each fit: done, of, and what. From several threads, one at a time.
  std::function<void(std::int64_t, std::int64_t, const std::string&)> on_fit = {};
};

/// Throws Interrupted after Ctrl-C, once what is done is in the checkpoint; what a method throws; ConfigError when
/// the checkpoint is of another study, and for every leak that leaks.h can see.
Run compare(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options = {});

/// One row of the table.
struct Summary {
  std::string method;
  MethodKind kind = MethodKind::baseline;
  bool chosen = false;                  ///< the row of the fusion chosen on validation data
  std::vector<data::Interval> metrics;  ///< mean over splits, interval for repeated splits (Nadeau & Bengio 2003)
  std::optional<data::Interval> fixed;  ///< the metric on the split that came with the data, bootstrap interval
  double fixed_deviation = 0;           ///< of the metric on that split, over seeds
  std::vector<double> weights;          ///< (C, M), mean over splits; may be empty
  data::Interval calibration_error, scaled_calibration_error;  ///< NaN where there is no temperature
  double temperature = 0;                                      ///< mean over splits; NaN
  data::Interval error, referred_error;                        ///< of all test rows, and without the least certain ones
  std::vector<double> risk;                                    ///< errors at coverages 0.05 ... 1, mean over splits
  std::vector<CertaintyBin> bins;                              ///< of all splits together
  std::vector<double> roc;                                     ///< mean over splits; empty where none has one
  std::vector<Part> parts;                                     ///< means over splits; rows: all of them together
};
/// A fusion minus the reference, paired over splits.
struct Against {
  std::string method;
  data::Comparison comparison;              ///< corrected resampled t
  double holm = 1, benjamini_hochberg = 1;  ///< p-values corrected for all fusions that were tried
};
struct Findings {
  std::vector<Summary> rows;               ///< baselines, then fusions, then the chosen one
  std::vector<std::string> chosen;         ///< per split: the fusion with the best validation score; empty: no fusion
  std::optional<data::Comparison> paired;  ///< chosen minus reference on the test rows, corrected resampled t
  std::vector<Against> against;            ///< each fusion
};
Findings summarize(const Run& run);

// ---- runner.cpp
/// Fits every method on every split and fills run.records; `run` already says what.
void run_all(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options,
             Run& run);

/// A seed that depends on all its parts.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0) noexcept;

// ---- results.cpp
std::string to_json(const Run& run, const Findings& findings);
/// What to_json() wrote, but for the rows of the splits, which are in splits.json. Throws FileError naming `path`.
Run read_results(const std::string& json, const std::string& path);
/// One line per record.
std::string to_csv(const Run& run);
/// What a checkpoint holds: the records, bound to one study, seed and version by a fingerprint.
std::string checkpoint_json(const std::vector<Record>& records, const std::string& fingerprint);
/// Throws FileError when the text is damaged, ConfigError when the fingerprint is another one.
std::vector<Record> read_checkpoint(const std::string& json, const std::string& fingerprint, const std::string& path);

}  // namespace weft::study
