#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/statistics.h>
#include <weft/show/terminal.h>
#include <weft/study/commands.h>
#include <weft/study/dataset.h>

/// Curves of `weft robustness`: what becomes of a fusion's score when test rows get worse. Networks are trained as the
/// study says; then its test rows are disturbed, at growing strength, in the same way for all that are compared.
namespace weft::study {

/// What is done to test rows.
enum class Disturbance : std::uint8_t {
  missing,   ///< modalities are taken away at a rate, never a row's last one
  noise,     ///< Gaussian noise is added to a modality, in deviations of its features
  conflict,  ///< a modality is exchanged for that of a row of another class, in a share of the rows
};
const char* name_of(Disturbance kind) noexcept;

/// What stands in the place of a missing modality.
enum class Gaps : std::uint8_t {
  masks,       ///< nothing: it weighs 0
  zeros,       ///< 0 in the units of the data, as if measured
  means,       ///< the mean of the training rows, as if measured
  completion,  ///< what a VAE makes of the others; gate counts it by how well that explains
};
const char* name_of(Gaps gaps) noexcept;

/// One curve of one split: score [metric][level].
struct Course {
  std::int64_t split = 0;
  std::string fusion;
  Gaps gaps = Gaps::masks;
  Disturbance kind = Disturbance::missing;
  std::string modality;  ///< empty: any
  std::vector<std::vector<double>> scores;
  friend bool operator==(const Course&, const Course&) = default;
};

struct RobustnessOptions {
  std::vector<std::string> fusions;  ///< empty: the study's, and "concat"
  std::optional<std::int64_t> splits;
  std::optional<std::uint64_t> seed;
  int jobs = 1;  ///< splits at a time
  /// Training rows lack modalities at the same rate, and networks are trained for each rate and way to fill gaps.
  /// Otherwise training rows are as they are, and one network serves all curves of its fusion.
  bool train_missing = false;
  std::string checkpoint = {};  ///< a file that keeps the splits that are done; empty: none
  bool resume = false;          ///< read it, if it is there
  /// Called after each fit: done, of, and what. From several threads, one at a time.
  std::function<void(std::int64_t, std::int64_t, const std::string&)> on_fit = {};
};

struct Robustness {
  std::string study, title, version;
  std::uint64_t seed = 0;
  std::int64_t splits = 0, train_rows = 0, test_rows = 0;
  double level = 0.95;  ///< of the intervals
  bool train_missing = false;
  std::vector<std::string> metrics, modalities, fusions;
  std::vector<Course> courses;  ///< by split, then in the order of the report
};

/// The levels of a disturbance, from 0: rates, deviations, shares.
const std::vector<double>& levels_of(Disturbance kind);

/// Throws as compare(), Interrupted once the splits that are done are in the checkpoint; ConfigError for a fusion that
/// there is not, or a checkpoint of another study.
Robustness measure_robustness(const Study& study, const Dataset& dataset, const RobustnessOptions& options = {});

/// A curve over all splits.
struct Curves {
  std::string fusion;
  Gaps gaps;
  Disturbance kind;
  std::string modality;
  std::vector<data::Interval> at;          ///< per level, of the first metric
  data::Interval area;                     ///< mean over the levels by the trapezoid rule, of the first metric
  std::vector<double> other_areas;         ///< of the other metrics
  std::string reference;                   ///< what is compared with; empty: nothing
  std::optional<data::Comparison> paired;  ///< the reference's area minus this one, corrected resampled t
};
/// In the order of the courses. Ways to fill gaps are compared with masks of the same fusion, and fusions with the
/// first one.
std::vector<Curves> summarize(const Robustness& run);

std::string to_json(const Robustness& run, const std::vector<Curves>& curves);
/// What to_json() wrote, without the courses of single splits. Throws FileError naming `path`.
std::pair<Robustness, std::vector<Curves>> read_robustness(const std::string& json, const std::string& path);
/// A line per split, curve, metric and level.
std::string to_csv(const Robustness& run);
/// What a checkpoint holds: the courses of whole splits, bound to one study, seed and version by a fingerprint.
std::string checkpoint_json(const std::vector<Course>& courses, const std::string& fingerprint);
/// Throws FileError when the text is damaged, ConfigError when the fingerprint is another one.
std::vector<Course> read_courses(const std::string& json, const std::string& fingerprint, const std::string& path);
std::string text_report(const Robustness& run, const std::vector<Curves>& curves, const show::Style& style);
/// The curves that belong into one picture, as SVG: file name and image.
std::vector<std::pair<std::string, std::string>> pictures(const Robustness& run, const std::vector<Curves>& curves);
/// One page with pictures and tables that needs nothing else.
std::string html_report(const Robustness& run, const std::vector<Curves>& curves);

/// Writes robustness.json, robustness.csv, robustness.html and pictures to the folder, and prints the table.
void run_robustness(const CommandOptions& options);

}  // namespace weft::study
