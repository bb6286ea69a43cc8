#include <weft/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <weft/optim/check.h>
#include <weft/tensor/create.h>

namespace weft::optim {
namespace {

double real(std::int64_t n) { return static_cast<double>(n); }

/// From a to b along half a cosine while `share` goes from 0 to 1.
double along_cosine(double a, double b, double share) {
  return b + (a - b) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

/// The tensor of that name and count of numbers.
std::vector<double> read(const char* thing, const State& state, const char* name, std::size_t count) {
  for (const auto& [key, x] : state)
    if (key == name) {
      if (x.numel() != static_cast<std::int64_t>(count))
        throw ConfigError(text(thing, ": \"", name, "\" of the state has ", x.numel(), " numbers, not ", count));
      return to_vector<double>(x);
    }
  throw ConfigError(text(thing, ": the state lacks \"", name, "\""));
}

}  // namespace

void StepLr::check() const { Check("step_lr").at_least("step_size", real(step_size), 1).at_least("gamma", gamma, 0); }
Rate StepLr::operator()(double base_lr, std::int64_t time) const {
  return base_lr * std::pow(gamma, real(time / step_size));
}

void MultiStepLr::check() const {
  Check("multi_step_lr").at_least("gamma", gamma, 0);
  for (const std::int64_t each : milestones) Check("multi_step_lr").at_least("a milestone", real(each), 0);
}
Rate MultiStepLr::operator()(double base_lr, std::int64_t time) const {
  const auto passed = std::count_if(milestones.begin(), milestones.end(), [&](std::int64_t m) { return m <= time; });
  return base_lr * std::pow(gamma, real(passed));
}

void ExponentialLr::check() const { Check("exponential_lr").at_least("gamma", gamma, 0); }
Rate ExponentialLr::operator()(double base_lr, std::int64_t time) const {
  return base_lr * std::pow(gamma, real(time));
}

void CosineAnnealingLr::check() const {
  Check("cosine_annealing_lr").at_least("T_max", real(T_max), 1).at_least("eta_min", eta_min, 0);
}
Rate CosineAnnealingLr::operator()(double base_lr, std::int64_t time) const {
  return along_cosine(base_lr, eta_min, real(time) / real(T_max));
}

void CosineAnnealingWarmRestarts::check() const {
  const Check check("cosine_annealing_warm_restarts");
  check.at_least("T_0", real(T_0), 1).at_least("T_mult", real(T_mult), 1).at_least("eta_min", eta_min, 0);
}
Rate CosineAnnealingWarmRestarts::operator()(double base_lr, std::int64_t time) const {
  if (T_mult == 1) return along_cosine(base_lr, eta_min, real(time % T_0) / real(T_0));
  std::int64_t period = T_0;
  for (; time >= period; period *= T_mult) time -= period;
  return along_cosine(base_lr, eta_min, real(time) / real(period));
}

void LinearLr::check() const {
  const Check check("linear_lr");
  check.require(start_factor > 0 && start_factor <= 1, "start_factor", start_factor, "a number above 0, at most 1");
  check.within("end_factor", end_factor, 0, 1).at_least("total_iters", real(total_iters), 1);
}
Rate LinearLr::operator()(double base_lr, std::int64_t time) const {
  const double share = real(std::min(time, total_iters)) / real(total_iters);
  return base_lr * (start_factor + (end_factor - start_factor) * share);
}

void ConstantLr::check() const {
  Check("constant_lr").within("factor", factor, 0, 1).at_least("total_iters", real(total_iters), 0);
}
Rate ConstantLr::operator()(double base_lr, std::int64_t time) const {
  return time < total_iters ? base_lr * factor : base_lr;
}

void PolynomialLr::check() const {
  Check("polynomial_lr").at_least("total_iters", real(total_iters), 1).at_least("power", power, 0);
}
Rate PolynomialLr::operator()(double base_lr, std::int64_t time) const {
  return time < total_iters ? base_lr * std::pow(1 - real(time) / real(total_iters), power) : 0;
}

void OneCycleLr::check() const {
  const Check check("one_cycle_lr");
  check.at_least("max_lr", max_lr, 0).at_least("total_steps", real(total_steps), 1);
  check.within("pct_start", pct_start, 0, 1).above("div_factor", div_factor, 0);
  check.above("final_div_factor", final_div_factor, 0);
  check.below_one("base_momentum", base_momentum).below_one("max_momentum", max_momentum);
}
Rate OneCycleLr::operator()(double, std::int64_t time) const {
  if (time > total_steps)
    throw ConfigError(text("one_cycle_lr: time ", time, " is after the ", total_steps, " steps of the cycle",
                           "\n  help: give it the number of all steps"));
  const double start = max_lr / div_factor, final = start / final_div_factor;
  struct Phase {
    double end, lr, momentum;  // what it leads to
  };
  const double peak = pct_start * real(total_steps) - 1;
  std::vector<Phase> phases{{peak, max_lr, base_momentum}};
  if (three_phase) phases.push_back({2 * peak, start, max_momentum});
  phases.push_back({real(total_steps - 1), final, max_momentum});
  // The last optimiser step is at total_steps - 1; whoever asks once more gets the same.
  const double t = std::min(real(time), phases.back().end);
  double begin = 0, lr = start, momentum = max_momentum;
  for (const Phase& phase : phases) {
    if (t <= phase.end) {
      const double share = phase.end > begin ? (t - begin) / (phase.end - begin) : 1;
      const auto between = [&](double a, double b) {
        return anneal_strategy == Anneal::cos ? along_cosine(a, b, share) : a + (b - a) * share;
      };
      lr = between(lr, phase.lr);
      momentum = between(momentum, phase.momentum);
      break;
    }
    begin = phase.end;
    lr = phase.lr;
    momentum = phase.momentum;
  }
  return {lr, cycle_momentum ? std::optional(momentum) : std::nullopt};
}

void CyclicLr::check() const {
  const Check check("cyclic_lr");
  check.at_least("base_lr", base_lr, 0).at_least("max_lr", max_lr, base_lr);
  check.at_least("step_size_up", real(step_size_up), 1).at_least("gamma", gamma, 0);
  if (step_size_down) check.at_least("step_size_down", real(*step_size_down), 1);
  check.below_one("base_momentum", base_momentum).below_one("max_momentum", max_momentum);
}
Rate CyclicLr::operator()(double, std::int64_t time) const {
  const std::int64_t down = step_size_down.value_or(step_size_up), period = step_size_up + down;
  const std::int64_t cycle = time / period, at = time % period;
  double height = at <= step_size_up ? real(at) / real(step_size_up) : real(period - at) / real(down);
  if (mode == CyclicMode::triangular2) height *= std::pow(0.5, real(cycle));
  if (mode == CyclicMode::exp_range) height *= std::pow(gamma, real(time));
  const double lr = base_lr + (max_lr - base_lr) * height;
  if (!cycle_momentum) return lr;
  return {lr, max_momentum - (max_momentum - base_momentum) * height};
}

void SequentialLr::check() const {
  if (schedules.empty() || schedules.size() != milestones.size() + 1)
    throw ConfigError(text("sequential_lr: ", schedules.size(), " schedules with ", milestones.size(), " milestones",
                           "\n  help: give one milestone fewer than schedules"));
  for (std::size_t i = 0; i < milestones.size(); ++i)
    Check("sequential_lr").at_least("a milestone", real(milestones[i]), i ? real(milestones[i - 1]) : 0);
}
Rate SequentialLr::operator()(double base_lr, std::int64_t time) const {
  const auto next = std::upper_bound(milestones.begin(), milestones.end(), time);
  const std::int64_t begin = next == milestones.begin() ? 0 : *(next - 1);
  return schedules[static_cast<std::size_t>(next - milestones.begin())](base_lr, time - begin);
}

void ChainedLr::check() const {
  if (schedules.empty()) throw ConfigError("chained_lr: there are no schedules");
}
Rate ChainedLr::operator()(double base_lr, std::int64_t time) const {
  Rate rate = base_lr;
  for (const Schedule& each : schedules) {
    const Rate next = each(rate.lr, time);
    rate = {next.lr, next.momentum ? next.momentum : rate.momentum};
  }
  return rate;
}

SequentialLr warm_up(std::int64_t steps, Schedule then, double start_factor) {
  return {{LinearLr{.start_factor = start_factor, .total_iters = steps}, std::move(then)}, {steps}};
}

// ---- Scheduler

Scheduler::Scheduler(Optimizer& optimizer, Schedule schedule) : optimizer_(optimizer), schedule_(std::move(schedule)) {
  for (std::size_t k = 0; k < optimizer.groups(); ++k) base_.push_back(optimizer.lr(k));
  set_time(0);
}

void Scheduler::set_time(std::int64_t time) {
  if (time < 0) throw ConfigError(text("scheduler: time ", time, " is before the beginning"));
  for (std::size_t k = 0; k < base_.size(); ++k) {
    const Rate rate = schedule_(base_[k], time);
    if (rate.momentum && !optimizer_.has_momentum())
      throw ConfigError("scheduler: the optimizer has no momentum to cycle\n  help: set cycle_momentum = false");
    optimizer_.set_lr(k, rate.lr);
    if (rate.momentum) optimizer_.set_momentum(k, *rate.momentum);
  }
  time_ = time;
}

State Scheduler::state() const { return {{"time", scalar(time_, DType::int64)}, {"base_lr", from(base_)}}; }

void Scheduler::set_state(const State& state) {
  const std::vector<double> base = read("scheduler", state, "base_lr", base_.size());
  const auto time = static_cast<std::int64_t>(read("scheduler", state, "time", 1)[0]);
  const std::vector<double> before = std::exchange(base_, base);
  try {
    set_time(time);
  } catch (...) {
    base_ = before;
    throw;
  }
}

// ---- ReduceLrOnPlateau

void PlateauOptions::check() const {
  const Check check("reduce_lr_on_plateau");
  check.below_one("factor", factor).at_least("patience", real(patience), 0).at_least("threshold", threshold, 0);
  check.at_least("cooldown", real(cooldown), 0).at_least("min_lr", min_lr, 0).at_least("eps", eps, 0);
}

ReduceLrOnPlateau::ReduceLrOnPlateau(Optimizer& optimizer, const PlateauOptions& options)
    : optimizer_(optimizer), options_(options), best_(std::numeric_limits<double>::infinity()) {
  options.check();
  if (options.mode == PlateauMode::max) best_ = -best_;
}

void ReduceLrOnPlateau::step(double metric) {
  const bool lower = options_.mode == PlateauMode::min, relative = options_.threshold_mode == ThresholdMode::rel;
  const double margin = lower ? -options_.threshold : options_.threshold;
  const double bar = relative ? best_ * (1 + margin) : best_ + margin;
  // The first metric that is a number is better than nothing.
  if (std::isinf(best_) ? !std::isnan(metric) : lower ? metric < bar : metric > bar) {
    best_ = metric;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooling_ > 0) {
    --cooling_;
    bad_ = 0;
  }
  if (bad_ <= options_.patience) return;
  for (std::size_t k = 0; k < optimizer_.groups(); ++k) {
    const double lr = optimizer_.lr(k), next = std::max(lr * options_.factor, options_.min_lr);
    if (lr - next > options_.eps) optimizer_.set_lr(k, next);
  }
  cooling_ = options_.cooldown;
  bad_ = 0;
}

State ReduceLrOnPlateau::state() const {
  return {{"best", scalar(best_, DType::float64)},
          {"bad", scalar(bad_, DType::int64)},
          {"cooling", scalar(cooling_, DType::int64)}};
}

void ReduceLrOnPlateau::set_state(const State& state) {
  const char* thing = "reduce_lr_on_plateau";
  const double best = read(thing, state, "best", 1)[0], bad = read(thing, state, "bad", 1)[0],
               cooling = read(thing, state, "cooling", 1)[0];
  best_ = best;
  bad_ = static_cast<std::int64_t>(bad);
  cooling_ = static_cast<std::int64_t>(cooling);
}

}  // namespace weft::optim
