#include <weft/optim/lr_finder.h>

#include <algorithm>
#include <cmath>

#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

void check(const LrFinderOptions& o) {
  if (!(o.lowest > 0 && o.lowest < o.highest && std::isfinite(o.highest)))
    throw ConfigError(text("find_lr: rates from ", o.lowest, " to ", o.highest, ", must be 0 < lowest < highest"));
  if (o.steps < 10) throw ConfigError(text("find_lr: ", o.steps, " steps, must be 10 or more"));
  if (!(o.smoothing >= 0 && o.smoothing < 1))
    throw ConfigError(text("find_lr: smoothing ", o.smoothing, ", must be from 0 to below 1"));
  if (!(o.too_much > 1)) throw ConfigError(text("find_lr: too_much ", o.too_much, ", must be above 1"));
}

/// Puts parameters and optimiser back, whatever happens.
class Restore {
 public:
  explicit Restore(Optimizer& optimizer) : optimizer_(optimizer) {
    for (const auto& [name, x] : optimizer.state()) state_.emplace_back(name, kernels::copy(x));
    for (const Tensor& p : optimizer.parameters()) values_.push_back(kernels::copy(p));
  }
  Restore(const Restore&) = delete;
  ~Restore() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      kernels::copy_into(optimizer_.parameters()[i], values_[i]);
      ++optimizer_.parameters()[i].body().storage->version;
    }
    optimizer_.zero_grad();
    optimizer_.set_state(state_);
  }

 private:
  Optimizer& optimizer_;
  State state_;
  std::vector<Tensor> values_;
};

}  // namespace

LrFinding find_lr(Optimizer& optimizer, const std::function<Tensor()>& loss, const LrFinderOptions& options) {
  check(options);
  const Restore restore(optimizer);
  LrFinding found;
  const double factor = std::pow(options.highest / options.lowest, 1 / static_cast<double>(options.steps - 1));
  double running = 0, weight = 0, lowest = 0;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const double lr = options.lowest * std::pow(factor, static_cast<double>(step));
    optimizer.set_lr(lr);
    optimizer.zero_grad();
    Tensor value = loss();
    const double now = value.item();
    if (step == 0 && !std::isfinite(now))
      throw ConfigError(
          text("find_lr: the first loss is ", now, "\n  help: look for what is not a number in the data"));
    if (!std::isfinite(now)) break;
    running = options.smoothing * running + (1 - options.smoothing) * now;
    weight = options.smoothing * weight + (1 - options.smoothing);  // so that the beginning counts in full
    const double smooth = running / weight;
    lowest = step == 0 ? smooth : std::min(lowest, smooth);
    found.lr.push_back(lr);
    found.loss.push_back(smooth);
    // Losses below 0 (likelihoods) have no "times": they run away by as much above their range.
    if (step > 0 && smooth > (lowest > 0 ? options.too_much * lowest : found.loss.front() + options.too_much)) break;
    value.backward();
    optimizer.step();
  }
  const auto best = std::min_element(found.loss.begin(), found.loss.end()) - found.loss.begin();
  found.limit = found.lr[static_cast<std::size_t>(best)] / 10;
  found.steepest = found.lr.front();
  double steepest = 0;
  for (std::size_t i = 1; i < static_cast<std::size_t>(best); ++i) {
    const double slope = found.loss[i + 1] - found.loss[i - 1];  // per step, that is per log of the rate
    if (slope < steepest) {
      steepest = slope;
      found.steepest = found.lr[i];
    }
  }
  return found;
}

}  // namespace weft::optim
