#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <weft/data/split.h>
#include <weft/fusion/classifier.h>
#include <weft/layers/serialize.h>
#include <weft/study/method.h>

namespace weft::study {

/// The probabilities and weights that a network (in eval mode) gives for rows of float32 features.
Outcome answer(const fusion::Classifier& net, const data::Modalities& rows);

/// How a task's rows part into those that a model learns from and those that are held out from it, as places in
/// task.rows: k parts that are each held out once with [train] folds = k, otherwise one. Groups stay whole; the task's
/// seed alone decides, so that all methods hold out the same rows.
std::vector<data::Split> held_out_parts(const TrainConfig& config, const Task& task);

/// Trains the networks of one fit: one that stops early by a part of the training rows held out, or, with
/// [train] folds = k, one per fold that stops by its fold. After Ctrl-C (Interrupted comes out of the task's on_epoch)
/// the task's checkpoint holds what is needed to go on to bitwise the same result; with keep_checkpoint also once all
/// is done.
class Training {
 public:
  /// x and labels: the training rows only; `make` builds a network from this thread's default generator.
  Training(const TrainConfig& config, const Task& task, data::Modalities x, std::vector<std::int64_t> labels,
           std::function<fusion::Classifier()> make);
  /// Throws what on_epoch throws; FileError or ConfigError for a checkpoint that is damaged or of another training.
  void run();

  std::vector<fusion::Classifier> networks;  ///< each as it was at its best epoch
  double validation = 0;       ///< the task's metric on the rows that were held out (of all folds together)
  Curve curve;                 ///< of the first network
  data::Predictions held_out;  ///< the rows held out, each with the answer of a network that had not seen it

 private:
  struct Fold;
  void train_fold(std::size_t k, const data::Split& split);
  void save(const Fold* under_way) const;
  void read_checkpoint();
  void continue_fold(Fold& fold);
  std::string fingerprint() const;

  const TrainConfig& config_;
  const Task& task_;
  data::Modalities x_;
  std::vector<std::int64_t> labels_;
  std::function<fusion::Classifier()> make_;
  std::vector<double> answers_;  ///< (training rows, C): probabilities from the network that had not seen the row
  std::vector<std::int64_t> judged_;
  std::size_t folds_ = 1;
  std::optional<TensorFile> checkpoint_;  ///< read, and waiting for the fold that was under way
};

}  // namespace weft::study
