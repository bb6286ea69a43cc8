#pragma once
#include <cstdint>

#include <weft/layers/module.h>
#include <weft/optim/base.h>

/// Averages of a model over its last steps. The average of a model that wanders around an optimum lies nearer to it
/// than any single step. Polyak and Juditsky (1992).
namespace weft::optim {

/// What weight 1 - d a step gets, average += (1 - d) * (now - average).
enum class Averaging : std::uint8_t {
  warm,         ///< d = min(decay, (1 + step) / (10 + step)), so that the beginning is soon forgotten
  exponential,  ///< d = decay; the first step is copied
  equal         ///< d = 1 - 1 / step: the plain mean, for stochastic weight averaging. Izmailov et al. (2018).
};

/// Moves the averages of a model's parameters and buffers, in place; tensors of integers are copied. `average` and
/// `now` are state(model) of two models of one kind, `step` counts from 1. Throws ConfigError for a decay outside [0,
/// 1) or a step below 1, ShapeError when the two do not match.
void average_state(const State& average, const State& now, double decay, std::int64_t step,
                   Averaging how = Averaging::warm);

struct AverageOptions {
  double decay = 0.999;  ///< not used by Averaging::equal
  Averaging how = Averaging::warm;
};
/// A model beside the trained one that holds its average:
///
///   optim::ModelAverage averaged(net, {.decay = 0.99});
///   for (...) {
///     ...
///     optimizer.step();
///     averaged.update(net);
///   }
///   eval(averaged.model);
template <class M>
class ModelAverage {
 public:
  /// Begins with a copy of the model.
  explicit ModelAverage(const M& from, const AverageOptions& options = {}) : model(clone(from)), options_(options) {}
  /// Takes the model in as it is now. Throws as average_state().
  void update(M& now) {
    average_state(state(model), state(now), options_.decay, steps + 1, options_.how);
    ++steps;
  }
  M model;
  std::int64_t steps = 0;  ///< how often update() was called; save it with the model, set it to continue

 private:
  AverageOptions options_;
};

}  // namespace weft::optim
