#pragma once
#include <cstdint>

#include <weft/optim/optimizer.h>

/// Learning rates that change with time: call step() after each epoch (or each optimiser step, as you count).
namespace weft::optim {

/// The rate falls from its start to `minimum` along half a cosine over `period` steps, then stays there.
/// Loshchilov and Hutter (2017).
class CosineSchedule {
 public:
  CosineSchedule(Optimizer& optimizer, std::int64_t period, double minimum = 0);
  void step();
  /// Where in time the schedule is; set it to continue.
  std::int64_t time = 0;

 private:
  Optimizer& optimizer_;
  std::int64_t period_;
  double start_, minimum_;
};

/// The rate is multiplied by `factor` after every `every` steps.
class StepSchedule {
 public:
  StepSchedule(Optimizer& optimizer, std::int64_t every, double factor = 0.1);
  void step();
  std::int64_t time = 0;

 private:
  Optimizer& optimizer_;
  std::int64_t every_;
  double start_, factor_;
};

}  // namespace weft::optim
