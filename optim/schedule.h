#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/optim/base.h>

/// Learning rates that change with time. A schedule is a rule "rate at time t" with PyTorch's names and defaults;
/// a Scheduler applies one to an optimiser:
///
///   optim::Scheduler scheduler(optimizer, optim::StepLr{.step_size = 30, .gamma = 0.1});
///   for (...) {
///     ...
///     scheduler.step();  // after each epoch, or after each step of the optimiser: as the times are meant
///   }
///
/// A function (double base_lr, std::int64_t time) -> rate is a schedule, too. All rules are formulas of the time alone,
/// so that a schedule continues anywhere without replaying what was before. Bad options throw ConfigError with the
/// range that is accepted.
namespace weft::optim {

/// What a schedule asks for.
struct Rate {
  double lr;
  std::optional<double> momentum{};  ///< for schedules that change it, too
  Rate(double rate, std::optional<double> momentum_too = {}) : lr(rate), momentum(momentum_too) {}  // NOLINT: a number
};

/// Any rule.
class Schedule {
 public:
  /// Throws ConfigError when the rule's options are bad.
  template <class Rule>
  requires(!std::same_as<std::remove_cvref_t<Rule>, Schedule> &&
           std::is_invocable_r_v<Rate, const std::decay_t<Rule>&, double, std::int64_t>) Schedule(Rule&& rule)
      : rule_(std::forward<Rule>(rule)) {  // NOLINT: any rule is a schedule
    if constexpr (requires(const std::decay_t<Rule>& r) { r.check(); })
      rule_.template target<std::decay_t<Rule>>()->check();
  }
  /// What the base rate has become at that time (0, 1, ...).
  Rate operator()(double base_lr, std::int64_t time) const { return rule_(base_lr, time); }

 private:
  std::function<Rate(double, std::int64_t)> rule_;
};

/// base * gamma^floor(t / step_size).
struct StepLr {
  std::int64_t step_size;
  double gamma = 0.1;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// base * gamma^(how many milestones are <= t).
struct MultiStepLr {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// base * gamma^t.
struct ExponentialLr {
  double gamma;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// eta_min + (base - eta_min) * (1 + cos(pi t / T_max)) / 2: falls until T_max, then rises again. Loshchilov and Hutter
/// (2017), without the restarts.
struct CosineAnnealingLr {
  std::int64_t T_max;
  double eta_min = 0;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// The falling cosine again and again, over T_0, then T_0 * T_mult, then T_0 * T_mult^2 ... steps. Loshchilov and
/// Hutter (2017).
struct CosineAnnealingWarmRestarts {
  std::int64_t T_0;
  std::int64_t T_mult = 1;
  double eta_min = 0;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// base times a factor that goes straight from start_factor to end_factor within total_iters steps and stays there.
struct LinearLr {
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  std::int64_t total_iters = 5;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// base * factor until total_iters, then base.
struct ConstantLr {
  double factor = 1.0 / 3;
  std::int64_t total_iters = 5;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// base * (1 - t / total_iters)^power, 0 from total_iters on.
struct PolynomialLr {
  std::int64_t total_iters = 5;
  double power = 1;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};

enum class Anneal : std::uint8_t { cos, linear };
/// One rise and one long fall: from max_lr / div_factor to max_lr within pct_start of total_steps, then down to
/// max_lr / (div_factor * final_div_factor); with three_phase first back to the start as slowly as it rose. The
/// momentum goes the other way. The optimiser's own rate does not count. Asking for a time beyond total_steps throws
/// ConfigError. Smith and Topin (2019).
struct OneCycleLr {
  double max_lr;
  std::int64_t total_steps;
  double pct_start = 0.3;
  Anneal anneal_strategy = Anneal::cos;
  bool cycle_momentum = true;
  double base_momentum = 0.85;
  double max_momentum = 0.95;
  double div_factor = 25;
  double final_div_factor = 1e4;
  bool three_phase = false;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};

enum class CyclicMode : std::uint8_t { triangular, triangular2, exp_range };
/// Up from base_lr to max_lr within step_size_up steps and down within step_size_down (as many when left out), again
/// and again; the height of later cycles halves (triangular2) or is gamma^t (exp_range). The momentum goes the other
/// way. The optimiser's own rate does not count. Smith (2017).
struct CyclicLr {
  double base_lr;
  double max_lr;
  std::int64_t step_size_up = 2000;
  std::optional<std::int64_t> step_size_down{};
  CyclicMode mode = CyclicMode::triangular;
  double gamma = 1;
  bool cycle_momentum = true;
  double base_momentum = 0.8;
  double max_momentum = 0.9;
  void check() const;
  Rate operator()(double base, std::int64_t time) const;
};

/// One schedule after the other: the k-th from milestones[k - 1] on, each with a time of its own that begins at 0.
struct SequentialLr {
  std::vector<Schedule> schedules;
  std::vector<std::int64_t> milestones;  ///< one fewer than schedules, ascending
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// All at once: each takes what the one before made of the rate. PyTorch's ChainedScheduler.
struct ChainedLr {
  std::vector<Schedule> schedules;
  void check() const;
  Rate operator()(double base_lr, std::int64_t time) const;
};
/// A rise from start_factor of the rate within `steps` steps before `then` begins. Goyal et al. (2017).
SequentialLr warm_up(std::int64_t steps, Schedule then, double start_factor = 1.0 / 3);

/// Sets the rates (and momenta) of an optimiser by a schedule, each group from its own base rate: the one that it had
/// when the scheduler was made. The rate of time 0 is set at once. Groups that are added later are left alone. The
/// optimiser must outlive the scheduler. Throws ConfigError when the schedule asks for a momentum that there is not.
class Scheduler {
 public:
  Scheduler(Optimizer& optimizer, Schedule schedule);
  /// On to the next time.
  void step() { set_time(time_ + 1); }
  std::int64_t time() const noexcept { return time_; }
  /// To any time. Throws ConfigError for a negative one.
  void set_time(std::int64_t time);
  /// The time and the base rates.
  State state() const;
  /// Takes back what state() gave and sets the rates. Throws ConfigError when something is missing or does not fit.
  void set_state(const State& state);

 private:
  Optimizer& optimizer_;
  Schedule schedule_;
  std::vector<double> base_;
  std::int64_t time_ = 0;
};

enum class PlateauMode : std::uint8_t { min, max };
enum class ThresholdMode : std::uint8_t { rel, abs };
struct PlateauOptions {
  PlateauMode mode = PlateauMode::min;  ///< whether lower or higher metrics are better
  double factor = 0.1;
  std::int64_t patience = 10;  ///< so many steps in a row may be bad
  double threshold = 1e-4;     ///< what counts as better: by this share (rel) or amount (abs)
  ThresholdMode threshold_mode = ThresholdMode::rel;
  std::int64_t cooldown = 0;  ///< so many steps after a change are not counted as bad
  double min_lr = 0;
  double eps = 1e-8;  ///< smaller changes of the rate are left out
  void check() const;
};
/// Multiplies the rates by `factor` when a metric has not become better for more than `patience` steps. A metric that
/// is not a number is not better.
class ReduceLrOnPlateau {
 public:
  explicit ReduceLrOnPlateau(Optimizer& optimizer, const PlateauOptions& options = {});
  /// Call after each epoch with what is watched.
  void step(double metric);
  State state() const;
  /// Takes back what state() gave; the rates themselves are in the optimiser's state. Throws ConfigError when something
  /// is missing or does not fit.
  void set_state(const State& state);

 private:
  Optimizer& optimizer_;
  PlateauOptions options_;
  double best_;
  std::int64_t bad_ = 0, cooling_ = 0;
};

}  // namespace weft::optim
