#pragma once
#include <cstdint>
#include <vector>

#include <weft/optim/base.h>

/// Which learning rate a training bears: it rises from step to step until the loss runs away. Smith (2017).
namespace weft::optim {

struct LrFinderOptions {
  double lowest = 1e-6, highest = 1;
  std::int64_t steps = 100;  ///< the rate grows by the same factor in each
  double smoothing = 0.9;    ///< share of the past in the running mean of the loss, in [0, 1)
  double too_much = 4;       ///< ends when the smoothed loss is so many times the lowest one seen
};

struct LrFinding {
  std::vector<double> lr, loss;  ///< what was tried, and the smoothed loss there
  double steepest = 0;           ///< the rate where the smoothed loss falls fastest: a rate to train with
  double limit = 0;  ///< a tenth of the rate where the loss was lowest: for OneCycleLr's max_lr, be below it
};

/// Tries rates with the optimiser given; `loss` is called once a step, on a batch of its choice, and gives a loss with
/// a gradient. Parameters, the optimiser's memory and its rates are as before afterwards, also when `loss` throws; what
/// else the model remembers (the running statistics of a batch norm) is not. Throws ConfigError for rates that are not
/// 0 < lowest < highest, fewer than 10 steps, a smoothing outside [0, 1), too_much of 1 or less, and when the first
/// loss is not a number.
LrFinding find_lr(Optimizer& optimizer, const std::function<Tensor()>& loss, const LrFinderOptions& options = {});

}  // namespace weft::optim
