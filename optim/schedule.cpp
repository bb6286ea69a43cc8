#include <weft/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace weft::optim {

CosineSchedule::CosineSchedule(Optimizer& optimizer, std::int64_t period, double minimum)
    : optimizer_(optimizer), period_(period), start_(optimizer.lr()), minimum_(minimum) {
  if (period < 1) throw ConfigError(text("cosine: the period is ", period, " steps\n  help: choose 1 or more"));
}
void CosineSchedule::step() {
  const double at = static_cast<double>(std::min(++time, period_)) / static_cast<double>(period_);
  optimizer_.set_lr(minimum_ + (start_ - minimum_) * (1 + std::cos(std::numbers::pi * at)) / 2);
}

StepSchedule::StepSchedule(Optimizer& optimizer, std::int64_t every, double factor)
    : optimizer_(optimizer), every_(every), start_(optimizer.lr()), factor_(factor) {
  if (every < 1)
    throw ConfigError(text("step: the rate would change every ", every, " steps\n  help: choose 1 or more"));
}
void StepSchedule::step() { optimizer_.set_lr(start_ * std::pow(factor_, static_cast<double>(++time / every_))); }

}  // namespace weft::optim
