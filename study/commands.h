#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/csv.h>
#include <weft/study/config.h>
#include <weft/study/dataset.h>

/// What the `weft` command does, without its command line. All throw weft::Error and print results to stdout.
namespace weft::study {

struct CommandOptions {
  std::string study;               ///< a study file (train, compare) or a model's folder (evaluate, predict, explain)
  std::string rows;                ///< a CSV of new rows (predict; optional for evaluate, explain)
  std::vector<std::string> files;  ///< the same: "modality=rows.npy" for those that the study reads from NPY files
  std::vector<std::string> qualities;  ///< the same for its quality
  std::string target;                  ///< evaluate: an NPY file of new rows' classes
  std::string out;                     ///< folder of results; predict: a CSV file; empty: runs/<study>, predict: stdout
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> splits;
  int jobs = 0;                          ///< 0: one per core
  std::vector<std::string> fusions;      ///< robustness; empty: the study's, and "concat"
  std::vector<std::string> folders;      ///< report: those of results
  bool train_missing = false;            ///< robustness
  std::vector<std::string> log;          ///< train, compare: of log_kinds()
  std::string by;                        ///< explain: a column whose values are groups of rows
  std::optional<std::int64_t> patients;  ///< explain: rows that are explained one by one
  bool json = false;
  bool resume = false;
  bool quiet = false;
};

/// Writes results.json, results.csv and report.html to the folder, and prints the table.
void run_compare(const CommandOptions& options);
/// Trains the study's fusion and keeps it in the folder: model.json, network.safetensors, and training.json
/// with its curves and its figures on the test rows. What `compare` writes to the same folder has other names.
void run_train(const CommandOptions& options);
/// Judges a kept model on its test rows, or on new rows with their classes.
void run_evaluate(const CommandOptions& options);
/// Class probabilities, and weights per modality, for new rows.
void run_predict(const CommandOptions& options);

// ---- what the commands of other files share

/// Writes to the standard output. Throws FileError when that fails.
void print(const std::string& s);
/// What --rows, --file, --quality and --target name. Throws ConfigError, beginning with the operation, for a --file or
/// --quality without "=", and for a --quality or --target without rows.
NewRows new_rows(const char* operation, const CommandOptions& options);
/// Where results of a study go.
std::string folder_of(const CommandOptions& options, const Study& study);
/// A table of results: to the CSV that --out names, or printed, as CSV or as JSON with an object per row.
void put_table(const data::Table& table, const CommandOptions& options);
/// Results are the same for any number of threads and jobs; `jobs` splits at a time leave one thread to each.
void set_threads(int jobs);

}  // namespace weft::study
