#pragma once
#include <cstdint>
#include <optional>

#include <weft/layers/module.h>
#include <weft/optim/base.h>

/// Stopping when a figure on held-out rows gets no better, and going back to where it was best. Prechelt (1998).
namespace weft::optim {

struct EarlyStoppingOptions {
  std::int64_t patience = 10;     ///< epochs without a better figure after which it is enough; 1 or more
  double min_delta = 0;           ///< better means better by more than this; 0 or more
  bool higher_is_better = false;  ///< losses: false; accuracy, AUC: true
};

/// Keeps the model's parameters and buffers of the best epoch:
///
///   optim::EarlyStopping stopping({.patience = 5});
///   for (int epoch = 0; epoch < 100; ++epoch) {
///     ...
///     if (stopping.update(validation_loss(net), state(net))) break;
///   }
///   stopping.restore(state(net));
///
/// A figure that is not a number is never better. Choose by rows that are neither trained nor tested on.
class EarlyStopping {
 public:
  /// Throws ConfigError for bad options.
  explicit EarlyStopping(const EarlyStoppingOptions& options = {});
  /// Takes an epoch's figure and the model as it is now; true when training should end.
  bool update(double figure, const State& now);
  /// Puts the best epoch's tensors back, in place. Throws ConfigError when there was none (update() was not called, or
  /// never saw a number), ShapeError when the model is another.
  void restore(const State& model) const;
  std::optional<double> best() const noexcept { return best_; }
  std::int64_t best_epoch() const noexcept { return best_epoch_; }  ///< counted from 0
  std::int64_t epochs() const noexcept { return epochs_; }          ///< how often update() was called

 private:
  EarlyStoppingOptions options_;
  std::optional<double> best_;
  std::int64_t epochs_ = 0, best_epoch_ = 0;
  State kept_;
};

}  // namespace weft::optim
