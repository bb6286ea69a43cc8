#include <doctest/doctest.h>

#include <cmath>

#include <weft/optim/schedule.h>

#include "error_of.h"
#include "optim_help.h"

using namespace weft;
using namespace weft::optim;
using weft::tests::error_of;
using weft::tests::leaf;

namespace {

/// The rates of times 0, 1, ... n - 1 from a base rate of 1.
std::vector<double> rates(Schedule schedule, int n) {
  Sgd sgd({leaf({1})}, {.lr = 1});
  Scheduler scheduler(sgd, std::move(schedule));
  std::vector<double> all;
  for (int t = 0; t < n; ++t) {
    all.push_back(sgd.lr());
    if (t + 1 < n) scheduler.step();
  }
  return all;
}

void check_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

}  // namespace

TEST_CASE("schedules: rates by their formulas") {
  check_near(rates(StepLr{.step_size = 2, .gamma = 0.5}, 5), {1, 1, 0.5, 0.5, 0.25});
  check_near(rates(MultiStepLr{.milestones = {3, 1, 3}, .gamma = 0.5}, 4), {1, 0.5, 0.5, 0.125});
  check_near(rates(ExponentialLr{.gamma = 0.5}, 3), {1, 0.5, 0.25});
  check_near(rates(CosineAnnealingLr{.T_max = 4, .eta_min = 0.2}, 6),
             {1, 0.8828427124746190, 0.6, 0.3171572875253810, 0.2, 0.3171572875253810});
  check_near(rates(CosineAnnealingWarmRestarts{.T_0 = 2, .T_mult = 2}, 7),
             {1, 0.5, 1, 0.5 + std::sqrt(0.125), 0.5, 0.5 - std::sqrt(0.125), 1});
  check_near(rates(LinearLr{.start_factor = 0.5, .end_factor = 1, .total_iters = 2}, 4), {0.5, 0.75, 1, 1});
  check_near(rates(ConstantLr{.factor = 0.5, .total_iters = 2}, 4), {0.5, 0.5, 1, 1});
  check_near(rates(PolynomialLr{.total_iters = 2, .power = 2}, 4), {1, 0.25, 0, 0});
  check_near(rates([](double base, std::int64_t t) { return base / static_cast<double>(1 + t); }, 3), {1, 0.5, 1. / 3});
}

TEST_CASE("schedules: one after the other, one on top of the other, and warm-up") {
  check_near(rates(SequentialLr{.schedules = {ConstantLr{.factor = 0.1, .total_iters = 9}, ExponentialLr{.gamma = 0.5},
                                              StepLr{.step_size = 1, .gamma = 0.1}},
                                .milestones = {2, 4}},
                   7),
             {0.1, 0.1, 1, 0.5, 1, 0.1, 0.01});
  check_near(rates(ChainedLr{{ConstantLr{.factor = 0.1, .total_iters = 2}, ExponentialLr{.gamma = 0.5}}}, 4),
             {0.1, 0.05, 0.25, 0.125});
  check_near(rates(warm_up(4, CosineAnnealingLr{.T_max = 2}, 0.2), 7), {0.2, 0.4, 0.6, 0.8, 1, 0.5, 0});
}

TEST_CASE("schedules: cycles move the momentum the other way") {
  Tensor p = leaf({1});
  Sgd sgd({p}, {.lr = 9});
  Scheduler cycle(sgd,
                  CyclicLr{.base_lr = 1, .max_lr = 3, .step_size_up = 2, .base_momentum = 0.5, .max_momentum = 0.7});
  const double expected[][2] = {{1, 0.7}, {2, 0.6}, {3, 0.5}, {2, 0.6}, {1, 0.7}, {2, 0.6}};
  for (const auto& [lr, momentum] : expected) {
    CHECK(sgd.lr() == doctest::Approx(lr));
    CHECK(sgd.momentum() == doctest::Approx(momentum));
    cycle.step();
  }
  Adam adam({p}, {.lr = 9});
  Scheduler once(adam, OneCycleLr{.max_lr = 1,
                                  .total_steps = 11,
                                  .pct_start = 6. / 11,
                                  .anneal_strategy = Anneal::linear,
                                  .base_momentum = 0.5,
                                  .max_momentum = 0.7,
                                  .div_factor = 10,
                                  .final_div_factor = 10});
  CHECK(adam.lr() == doctest::Approx(0.1));
  once.set_time(5);
  CHECK(adam.lr() == doctest::Approx(1));
  CHECK(adam.options().betas.first == doctest::Approx(0.5));
  once.set_time(10);
  CHECK(adam.lr() == doctest::Approx(0.01));
  CHECK(adam.momentum() == doctest::Approx(0.7));
  once.step();  // whoever steps after the last batch, too, has done nothing wrong
  CHECK(adam.lr() == doctest::Approx(0.01));
  CHECK(
      error_of([&] { once.step(); }) ==
      "ConfigError: one_cycle_lr: time 12 is after the 11 steps of the cycle\n  help: give it the number of all steps");
  CHECK(once.time() == 11);
  // A cycle of one step has no room for phases.
  CHECK(OneCycleLr{.max_lr = 1, .total_steps = 1, .pct_start = 1}(0, 0).lr == 1);
  Adagrad adagrad({p});
  CHECK(error_of([&] { Scheduler(adagrad, CyclicLr{.base_lr = 1, .max_lr = 2}); }) ==
        "ConfigError: scheduler: the optimizer has no momentum to cycle\n  help: set cycle_momentum = false");
  Scheduler(adagrad, CyclicLr{.base_lr = 1, .max_lr = 2, .cycle_momentum = false});
  CHECK(adagrad.lr() == 1);
}

TEST_CASE("schedules: each group from its own base rate") {
  Tensor p = leaf({1}), q = leaf({1}), late = leaf({1});
  Sgd sgd({p}, {.lr = 1});
  sgd.add_group({q}, {.lr = 0.5});
  Scheduler scheduler(sgd, ExponentialLr{.gamma = 0.5});
  sgd.add_group({late}, {.lr = 7});
  scheduler.step();
  CHECK(sgd.lr(0) == 0.5);
  CHECK(sgd.lr(1) == 0.25);
  CHECK(sgd.lr(2) == 7);
}

TEST_CASE("schedules: their state goes on anywhere") {
  Tensor p = leaf({1});
  Sgd first({p}, {.lr = 1}), second({p}, {.lr = 0.3});
  Scheduler a(first, CosineAnnealingLr{.T_max = 10});
  for (int t = 0; t < 4; ++t) a.step();
  second.set_state(first.state());
  Scheduler b(second, CosineAnnealingLr{.T_max = 10});
  b.set_state(a.state());
  for (int t = 0; t < 4; ++t) {
    CHECK(first.lr() == second.lr());
    a.step();
    b.step();
  }
  CHECK(b.time() == 8);
  CHECK(error_of([&] { b.set_state({}); }) == "ConfigError: scheduler: the state lacks \"base_lr\"");
  CHECK(error_of([&] {
          b.set_state({{"base_lr", ones({2})}});
        }) == "ConfigError: scheduler: \"base_lr\" of the state has 2 numbers, not 1");
  CHECK(error_of([&] { b.set_time(-1); }) == "ConfigError: scheduler: time -1 is before the beginning");
}

TEST_CASE("schedules: a plateau lowers the rate") {
  Tensor p = leaf({1});
  Sgd sgd({p}, {.lr = 1});
  ReduceLrOnPlateau plateau(sgd, {.factor = 0.5, .patience = 1, .cooldown = 1, .min_lr = 0.3});
  const double steps[][2] = {{5, 1}, {4, 1}, {4, 1}, {4, 0.5}, {4, 0.5}, {4, 0.5}, {4, 0.3}, {NAN, 0.3}, {3, 0.3}};
  for (const auto& [metric, rate] : steps) {
    plateau.step(metric);
    CHECK(sgd.lr() == doctest::Approx(rate));
  }
  Sgd up({p}, {.lr = 1});
  ReduceLrOnPlateau rising(
      up,
      {.mode = PlateauMode::max, .factor = 0.5, .patience = 0, .threshold = 1, .threshold_mode = ThresholdMode::abs});
  rising.step(-3);
  rising.step(-1.5);
  CHECK(up.lr() == 1);
  const State saved = rising.state();
  rising.step(-1);  // not better by 1
  CHECK(up.lr() == 0.5);
  rising.set_state(saved);
  rising.step(0);
  CHECK(up.lr() == 0.5);
  CHECK(error_of([&] {
          rising.set_state({{"best", ones({1})}});
        }) == "ConfigError: reduce_lr_on_plateau: the state lacks \"bad\"");
}

TEST_CASE("schedules: bad options are named with what is accepted") {
  const auto error = [](auto&& rule) { return error_of([&] { Schedule s(rule); }); };
  const std::string one = "\n  help: choose 1 or more", zero = "\n  help: choose 0 or more";
  CHECK(error(StepLr{.step_size = 0}) == "ConfigError: step_lr: step_size is 0" + one);
  CHECK(error(MultiStepLr{.milestones = {-1}}) == "ConfigError: multi_step_lr: a milestone is -1" + zero);
  CHECK(error(ExponentialLr{.gamma = -1}) == "ConfigError: exponential_lr: gamma is -1" + zero);
  CHECK(error(CosineAnnealingLr{.T_max = 0}) == "ConfigError: cosine_annealing_lr: T_max is 0" + one);
  CHECK(error(CosineAnnealingWarmRestarts{.T_0 = 1, .T_mult = 0}) ==
        "ConfigError: cosine_annealing_warm_restarts: T_mult is 0" + one);
  CHECK(error(LinearLr{.start_factor = 0}) ==
        "ConfigError: linear_lr: start_factor is 0\n  help: choose a number above 0, at most 1");
  CHECK(error(ConstantLr{.factor = 2}) == "ConfigError: constant_lr: factor is 2\n  help: choose a number from 0 to 1");
  CHECK(error(PolynomialLr{.power = NAN}) == "ConfigError: polynomial_lr: power is nan" + zero);
  CHECK(error(OneCycleLr{.max_lr = 1, .total_steps = 0}) == "ConfigError: one_cycle_lr: total_steps is 0" + one);
  CHECK(error(CyclicLr{.base_lr = 2, .max_lr = 1}) == "ConfigError: cyclic_lr: max_lr is 1\n  help: choose 2 or more");
  CHECK(error(SequentialLr{.schedules = {ExponentialLr{1}}, .milestones = {1}}) ==
        "ConfigError: sequential_lr: 1 schedules with 1 milestones\n  help: give one milestone fewer than schedules");
  CHECK(
      error(SequentialLr{.schedules = {ExponentialLr{1}, ExponentialLr{1}, ExponentialLr{1}}, .milestones = {3, 2}}) ==
      "ConfigError: sequential_lr: a milestone is 2\n  help: choose 3 or more");
  CHECK(error(ChainedLr{}) == "ConfigError: chained_lr: there are no schedules");
  Tensor p = leaf({1});
  Sgd sgd({p});
  CHECK(error_of([&] { ReduceLrOnPlateau(sgd, {.factor = 1}); }) ==
        "ConfigError: reduce_lr_on_plateau: factor is 1\n  help: choose 0 or more, below 1");
}
