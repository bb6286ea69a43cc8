#pragma once
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <weft/show/event_file.h>
#include <weft/study/compare.h>
#include <weft/study/method.h>

/// `--log`: what a training tells while it runs, for other programs to read.
namespace weft::study {

/// "csv" (log.csv) and "json" (log.jsonl) have a line per epoch, "tensorboard" (event files) a point per step and
/// epoch.
const std::vector<std::string>& log_kinds();
/// Throws ConfigError naming the closest kind.
void check_log_kinds(const std::vector<std::string>& kinds);

/// Every line is written at once: what came before a kill can be read.
class TrainingLog {
 public:
  /// Makes the logs that `kinds` names in a folder that is there. They replace those of an earlier run, or go on with
  /// them. Throws ConfigError for an unknown kind, FileError when one cannot be written.
  TrainingLog(const std::vector<std::string>& kinds, std::string folder, const Study& study, bool go_on);

  void step(const Step& step);
  /// After an epoch of the network that stepped last.
  void epoch(const Curve& curve);
  /// The figures on the test rows, by name, and the weight of each modality in each of them.
  void test(const std::vector<std::pair<std::string, double>>& metrics, const std::vector<double>& weights);

 private:
  void event_file();

  std::string folder_;
  const Study& study_;
  Step last_;
  std::ofstream csv_, json_;
  std::unique_ptr<show::EventFile> events_;
  bool tensorboard_ = false;
  std::int64_t run_trial_ = -1, run_network_ = -1;  ///< whose event file is open
};

/// Logs of a comparison: the learning curves of its first split, and for TensorBoard, where each method is a run of its
/// own below log/, the figures of all splits. Throws as TrainingLog does.
void log_comparison(const std::vector<std::string>& kinds, const std::string& folder, const Run& run);

}  // namespace weft::study
