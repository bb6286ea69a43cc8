#pragma once
#include <optional>
#include <string>
#include <vector>

#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/compare.h>
#include <weft/study/explained.h>
#include <weft/study/robustness.h>

namespace weft::study {

/// A kept model's figures: what training.json holds.
struct Trained {
  std::string version, study, fusion;
  std::uint64_t seed = 0;
  std::int64_t train_rows = 0, test_rows = 0;
  std::vector<std::pair<std::string, data::Interval>> test;  ///< by metric
  std::vector<std::pair<std::string, double>> selected;
  Curve curve;
};
/// Reads the text of a training.json. Throws FileError naming `path`.
Trained read_training(const std::string& json, const std::string& path);

/// How many rows each part of a split has.
struct SplitSize {
  std::string name;
  std::size_t train = 0, test = 0;
};
std::vector<SplitSize> sizes_of(const Splits& splits);
/// The same from the text of a splits.json. Throws FileError naming `path`.
std::vector<SplitSize> read_split_sizes(const std::string& json, const std::string& path);

/// Everything that is known of one study; the page shows what there is.
struct Report {
  std::optional<Run> run;  ///< of weft compare
  Findings findings;
  std::vector<SplitSize> splits;
  std::optional<Robustness> robustness;  ///< of weft robustness
  std::vector<Curves> curves;
  std::optional<Trained> trained;      ///< of weft train
  std::optional<Explained> explained;  ///< of weft explain
};

/// Reads what lies in the folders of runs: results.json, splits.json, robustness.json, training.json,
/// explanations.json. Throws FileError when there is nothing to report or a file is damaged, ConfigError when two files
/// are of different studies or of the same kind.
Report read_report(const std::vector<std::string>& folders);

/// One page of HTML that needs nothing else: a summary in plain words, the patients' cards, the methods with intervals
/// and paired tests, curves, subgroups, robustness, how rows were split, version and seed. docs/report.md.
std::string html_report(const Report& report);
std::string html_report(const Run& run, const Findings& findings);

/// The table that `weft compare` prints.
std::string text_report(const Run& run, const Findings& findings, const show::Style& style);

/// Whether a method learns its weights: those of one modality alone, or equal or given ones, say nothing.
bool learns_weights(const Summary& row);
/// One line about the methods that have weights but do not learn them; empty when there is none.
std::string fixed_weights_note(const Findings& findings);

/// How rows were split, in a few words: "30 stratified splits 233/100".
std::string protocol_text(const Run& run);

/// "accuracy" -> "accuracy", "roc_auc" -> "ROC AUC".
std::string metric_title(const std::string& name);

/// `weft report`: joins what lies in options.folders into one page, options.out or report.html in the first of them.
void run_report(const CommandOptions& options);

}  // namespace weft::study
