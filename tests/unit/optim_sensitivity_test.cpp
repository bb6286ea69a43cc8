#include <doctest/doctest.h>

#include <cmath>

#include <weft/layers/basic.h>
#include <weft/optim/schedule.h>
#include <weft/optim/sensitivity.h>

#include "error_of.h"
#include "optim_help.h"

using namespace weft;
using namespace weft::tests;

namespace {

struct Net {
  Linear hidden{3, 4}, out{4, 2};
  Tensor scale = ones({1}).set_requires_grad();
  Tensor operator()(const Tensor& x) const { return out(tanh(hidden(x))) * scale; }
  void fields(auto&& f) { f("hidden", hidden, "out", out, "scale", scale); }
};

void give(const Tensor& p, double gradient) { Tensor(p).set_grad(full_like(p, gradient)); }

}  // namespace

TEST_CASE("by_layer: parameters of one layer stand together, each layer is a group") {
  Net net;
  const auto layers = optim::by_layer(named_parameters(net));
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].name == "hidden");
  CHECK(layers[0].parameters.size() == 2);
  CHECK(layers[1].name == "out");
  CHECK(layers[2].name == "");
  const auto optimizer = optim::per_layer<optim::Adam>(named_parameters(net), {.lr = 0.5});
  CHECK(optimizer->groups() == 3);
  CHECK(optimizer->lr(2) == 0.5);
  CHECK(optimizer->group_of(1) == 0);
  CHECK(optimizer->group_of(4) == 2);
}

TEST_CASE("SensitivityRates: the rule by hand") {
  const Tensor steady = leaf({0}), nervous = leaf({0}), growing = leaf({0});
  optim::Sgd optimizer({steady}, {.lr = 1});
  optimizer.add_group({nervous}, {.lr = 1});
  optimizer.add_group({growing}, {.lr = 1});
  optim::SensitivityRates rates(optimizer, {.threshold = 0.2, .smoothing = 0.5, .fall = 0.5, .rise = 1.1});
  const auto step = [&](double a, double b, double c) {
    give(steady, a), give(nervous, b), give(growing, c);
    rates.step();
  };
  step(1, 1, 1);  // nothing to compare with
  for (std::size_t k = 0; k < 3; ++k) CHECK(rates.factor(k) == 1);
  CHECK(numbers(steady)[0] == -1);
  step(0.95, -1.25, 1.1);  // changes of the norm -0.05, 0.25, 0.1; the averages hold one each
  CHECK(rates.sensitivity(0) == doctest::Approx(0.05));
  CHECK(rates.factor(0) == doctest::Approx(1.1));         // 0.2 / 0.05, but not more than the rise
  CHECK(rates.factor(1) == doctest::Approx(0.2 / 0.25));  // sensitive
  CHECK(rates.factor(2) == 0.5);                          // below the threshold, but growing
  CHECK(numbers(steady)[0] == doctest::Approx(-1 - 1.1 * 0.95));
  CHECK(numbers(nervous)[0] == doctest::Approx(-1 + 0.8 * 1.25));
  step(0.95, 12.5, 1.1);  // changes 0, 9 (held at 2), 0
  CHECK(rates.sensitivity(0) == doctest::Approx(0.25 * 0.05 / 0.75));
  CHECK(rates.sensitivity(1) == doctest::Approx((0.25 * 0.25 + 0.5 * 2) / 0.75));
  CHECK(rates.factor(1) == doctest::Approx(0.4));  // not by less than the fall
  CHECK(optimizer.lr(1) == 1);                     // between steps it is the base rate
  CHECK(rates.rate(1) == doctest::Approx(0.4));
}

TEST_CASE("SensitivityRates: bounds, norms that are no numbers, groups without gradient and of later") {
  const Tensor a = leaf({0}), b = leaf({0}), c = leaf({0});
  optim::Sgd optimizer({a}, {.lr = 1e-3});
  optimizer.add_group({b}, {.lr = 1e-3});
  optim::SensitivityRates rates(optimizer, {.min_factor = 0.3, .max_factor = 1.2});
  for (int i = 0; i < 20; ++i) {
    give(a, 1);  // b has none
    rates.step();
  }
  CHECK(rates.factor(0) == 1.2);
  CHECK(rates.factor(1) == 1);
  CHECK(numbers(b)[0] == 0);
  for (int i = 0; i < 20; ++i) {
    give(a, i % 2 ? 1 : 3);
    rates.step();
  }
  CHECK(rates.factor(0) == 0.3);
  optimizer.add_group({c}, {.lr = 1e-3});
  CHECK(error_of([&] { rates.factor(2); }) == "ConfigError: sensitivity_rates: there is no group 2, only 2");
  give(c, INFINITY);
  rates.step();
  CHECK(rates.factor(2) == 0.5);
  CHECK(rates.sensitivity(2) == 0);
}

TEST_CASE("SensitivityRates: beside a schedule, which knows nothing of it") {
  const Tensor a = leaf({0});
  optim::Sgd optimizer({a}, {.lr = 1});
  optim::SensitivityRates rates(optimizer, {.rise = 1.5, .max_factor = 100});
  optim::Scheduler scheduler(optimizer, optim::StepLr{.step_size = 2, .gamma = 0.1});
  const double factors[] = {1, 1.5, 2.25, 3.375}, schedule[] = {1, 1, 0.1, 0.1};
  double at = 0;
  for (int i = 0; i < 4; ++i) {
    give(a, 1);
    rates.step();
    at -= factors[i] * schedule[i];
    CHECK(numbers(a)[0] == doctest::Approx(at));
    scheduler.step();
  }
  CHECK(optimizer.lr() == doctest::Approx(0.01));
}

TEST_CASE("SensitivityRates: training goes on bitwise from a saved state") {
  const auto train = [](bool stop) {
    manual_seed(4);
    Net net;
    const Tensor x = randn({6, 3}), y = randn({6, 2});
    auto optimizer = optim::per_layer<optim::Adam>(named_parameters(net), {.lr = 0.05});
    auto rates = std::make_unique<optim::SensitivityRates>(*optimizer);
    for (int i = 0; i < 12; ++i) {
      if (stop && i == 6) {
        const optim::State of_optimizer = optimizer->state(), of_rates = rates->state();
        rates.reset();
        optimizer = optim::per_layer<optim::Adam>(named_parameters(net), {.lr = 0.05});
        optimizer->set_state(of_optimizer);
        rates = std::make_unique<optim::SensitivityRates>(*optimizer);
        rates->set_state(of_rates);
      }
      optimizer->zero_grad();
      mse_loss(net(x), y).backward();
      rates->step();
    }
    std::vector<std::vector<double>> all;
    for (const Tensor& p : parameters(net)) all.push_back(numbers(p));
    for (std::size_t k = 0; k < 3; ++k) all.push_back({rates->factor(k), rates->sensitivity(k)});
    return all;
  };
  CHECK(train(false) == train(true));
}

TEST_CASE("SensitivityRates: a badly scaled problem at a rate at which the plain optimiser diverges") {
  // (100 a - 1)^2 / 2 + (0.1 b - 1)^2 / 2: curvatures 1e4 and 0.01, and no single rate suits both.
  const auto solve = [](double lr, bool adaptive) {
    const Tensor a = leaf({1}), b = leaf({0});
    optim::Sgd optimizer({a}, {.lr = lr});
    optimizer.add_group({b}, {.lr = lr});
    optim::SensitivityRates rates(optimizer, {.min_factor = 1e-4, .max_factor = 1e3, .start_factor = 1e-3});
    Tensor loss;
    for (int i = 0; i < 400; ++i) {
      optimizer.zero_grad();
      loss = sum(square(a * 100 - 1) + square(b * 0.1 - 1)) * 0.5;
      loss.backward();
      adaptive ? rates.step() : optimizer.step();
    }
    return loss.item();
  };
  CHECK_FALSE(solve(0.01, false) < 1e6);  // diverges
  CHECK(solve(1e-4, false) > 0.4);        // stalls
  CHECK(solve(0.01, true) < 0.01);
}

TEST_CASE("SensitivityRates: errors of options and states") {
  const Tensor a = leaf({0});
  optim::Sgd optimizer({a}, {.lr = 1});
  const auto with = [&](const optim::SensitivityOptions& options) {
    return error_of([&] { optim::SensitivityRates(optimizer, options); });
  };
  CHECK(with({.threshold = 0}) == "ConfigError: sensitivity_rates: threshold is 0\n  help: choose a number above 0");
  CHECK(with({.smoothing = 1}) == "ConfigError: sensitivity_rates: smoothing is 1\n  help: choose 0 or more, below 1");
  CHECK(with({.fall = 1}) == "ConfigError: sensitivity_rates: fall is 1\n  help: choose a number above 0 and below 1");
  CHECK(with({.rise = 1}) == "ConfigError: sensitivity_rates: rise is 1\n  help: choose a number above 1");
  CHECK(with({.min_factor = 0}) == "ConfigError: sensitivity_rates: min_factor is 0\n  help: choose a number above 0");
  CHECK(with({.min_factor = 2, .max_factor = 1}) ==
        "ConfigError: sensitivity_rates: max_factor is 1\n  help: choose 2 or more");
  CHECK(with({.start_factor = 20}) ==
        "ConfigError: sensitivity_rates: start_factor is 20\n  help: choose a number from 0.01 to 10");
  optim::SensitivityRates rates(optimizer);
  optim::State state = rates.state();
  state[0].second = tensor({20}, DType::float64);
  CHECK(error_of([&] { rates.set_state(state); }) ==
        "ConfigError: sensitivity_rates: the state has a factor of 20, not within 0.01 and 10");
  state[0].second = zeros({2}, DType::float64);
  CHECK(error_of([&] { rates.set_state(state); }) ==
        "ConfigError: sensitivity_rates: \"factor\" of the state has shape [2], but there are 1 groups");
  state.erase(state.begin());
  CHECK(error_of([&] { rates.set_state(state); }) == "ConfigError: sensitivity_rates: the state lacks \"factor\"");
  CHECK(rates.factor(0) == 1);
}
