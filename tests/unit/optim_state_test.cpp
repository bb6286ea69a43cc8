#include <doctest/doctest.h>

#include <cmath>

#include <weft/layers/basic.h>
#include <weft/layers/serialize.h>
#include <weft/optim/schedule.h>

#include "data_help.h"
#include "error_of.h"
#include "optim_help.h"

using namespace weft;
using namespace weft::tests;

namespace {

struct Net {
  Linear hidden{3, 4}, out{4, 2};
  Tensor unused = zeros({2}).set_requires_grad();
  Tensor operator()(const Tensor& x) const { return out(tanh(hidden(x))); }
  void fields(auto&& f) { f("hidden", hidden, "out", out, "unused", unused); }
};

/// Ten steps; with `stop`, everything is written to a file and read into new objects after five.
std::vector<std::vector<double>> train_for_ten(const Solver& solver, bool stop, const TemporaryFolder& folder) {
  manual_seed(2);
  Net net;
  const Tensor x = randn({5, 3}), y = randn({5, 2});
  auto optimizer = solver.make(parameters(net));
  // Some schedules change the momentum, too, which must come back with the state.
  const optim::OneCycleLr cycle{.max_lr = 0.1, .total_steps = 10, .cycle_momentum = optimizer->has_momentum()};
  auto scheduler = std::make_unique<optim::Scheduler>(*optimizer, cycle);
  for (int step = 0; step < 10; ++step) {
    if (stop && step == 5) {
      const std::string path = folder / "state", model = folder / "model";
      TensorFile file{optimizer->state(), {}};
      for (const auto& [name, value] : scheduler->state()) file.tensors.emplace_back("scheduler." + name, value);
      save_tensors(path, file);
      save(net, model);
      net = Net();
      load(net, model);
      optim::State of_optimizer, of_scheduler;
      for (const auto& [name, value] : load_tensors(path).tensors)
        if (name.rfind("scheduler.", 0) == 0)
          of_scheduler.emplace_back(name.substr(10), value);
        else
          of_optimizer.emplace_back(name, value);
      optimizer = solver.make(parameters(net));
      optimizer->set_state(of_optimizer);
      scheduler = std::make_unique<optim::Scheduler>(*optimizer, cycle);
      scheduler->set_state(of_scheduler);
    }
    optimizer->step([&] {
      optimizer->zero_grad();
      const Tensor loss = mse_loss(net(x), y);
      loss.backward();
      return loss;
    });
    scheduler->step();
  }
  std::vector<std::vector<double>> all;
  for (const Tensor& p : parameters(net)) all.push_back(numbers(p));
  return all;
}

}  // namespace

TEST_CASE("training goes on bitwise from a saved state, whichever the optimiser") {
  const TemporaryFolder folder;
  std::vector<Solver> all = solvers();
  for (const optim::LineSearch how : {optim::LineSearch::none, optim::LineSearch::strong_wolfe})
    all.push_back({"lbfgs", [how](const std::vector<Tensor>& p) {
                     return std::make_unique<optim::Lbfgs>(
                         p, optim::LbfgsOptions{.max_iter = 3, .history_size = 4, .line_search_fn = how});
                   }});
  for (const Solver& each : all) {
    CAPTURE(each.name);
    const auto straight = train_for_ten(each, false, folder), resumed = train_for_ten(each, true, folder);
    CHECK(straight == resumed);
    for (const auto& parameter : straight)
      for (const double v : parameter) CHECK(std::isfinite(v));
  }
}

TEST_CASE("a state without what is remembered would not do") {
  // The test above could not fail if nothing were remembered.
  for (const Solver& each : solvers()) {
    if (each.name == "sgd") continue;
    CAPTURE(each.name);
    Tensor kept = leaf({1, 2}), fresh = leaf({1, 2});
    auto a = each.make({kept});
    const auto push = [](optim::Optimizer& o, Tensor p, double by) {
      p.set_grad(tensor({by, -by}, DType::float64));
      o.step();
    };
    for (int step = 0; step < 6; ++step) push(*a, kept, 1 + step);
    fresh.mutable_data<double>()[0] = numbers(kept)[0];
    fresh.mutable_data<double>()[1] = numbers(kept)[1];
    auto b = each.make({fresh});
    push(*a, kept, 3);
    push(*b, fresh, 3);
    CHECK(numbers(kept) != numbers(fresh));
  }
}

TEST_CASE("groups keep their rates in the state") {
  Tensor p = leaf({1}), q = leaf({1});
  const auto make = [&] {
    auto adam = std::make_unique<optim::Adam>(std::vector{p}, optim::AdamOptions{.lr = 0.1});
    adam->add_group({q}, {.lr = 0.2, .amsgrad = true});
    return adam;
  };
  auto adam = make();
  p.set_grad(ones({1}, DType::float64));
  q.set_grad(ones({1}, DType::float64));
  adam->step();
  adam->set_lr(1, 0.05);
  adam->set_momentum(0, 0.5);
  const optim::State state = adam->state();
  std::vector<std::string> names;
  for (const auto& [name, x] : state) names.push_back(name);
  CHECK(names == std::vector<std::string>{"groups.0.lr", "groups.0.momentum", "groups.1.lr", "groups.1.momentum",
                                          "0.step", "0.exp_avg", "0.exp_avg_sq", "1.step", "1.exp_avg", "1.exp_avg_sq",
                                          "1.max_exp_avg_sq"});
  auto other = make();
  other->set_state(state);
  CHECK(other->lr(0) == 0.1);
  CHECK(other->lr(1) == 0.05);
  CHECK(other->options(0).betas.first == 0.5);
  // What was given is not what the optimiser writes to.
  const std::vector<double> before = numbers(state[5].second);
  other->step();
  CHECK(numbers(state[5].second) == before);
}

TEST_CASE("a state that does not fit is refused, and nothing has changed") {
  Tensor p = leaf({1, 2});
  optim::Adam adam({p}, {.lr = 0.1});
  p.set_grad(ones({2}, DType::float64));
  adam.step();
  const optim::State good = adam.state();
  const auto error = [&](const char* name, const Tensor& instead) {
    optim::State bad;
    for (const auto& [key, x] : good) {
      if (key != name) bad.emplace_back(key, key == "groups.0.lr" ? scalar(7, DType::float64) : x);
      if (key == name && instead.defined()) bad.emplace_back(key, instead);
    }
    const std::string said = error_of([&] { adam.set_state(bad); });
    CHECK(adam.lr() == 0.1);
    CHECK(numbers(adam.state()[3].second) == numbers(good[3].second));
    return said;
  };
  CHECK(error("0.exp_avg", {}) == "ConfigError: adam: the state lacks \"0.exp_avg\"");
  CHECK(error("0.step", {}) == "ConfigError: adam: the state lacks \"0.step\"");
  CHECK(error("groups.0.momentum", {}) == "ConfigError: adam: the state lacks \"groups.0.momentum\"");
  CHECK(error("groups.0.momentum", scalar(2, DType::float64)) ==
        "ConfigError: adam: betas.first is 2\n  help: choose 0 or more, below 1");
  CHECK(error("0.exp_avg_sq", ones({3})) == "ConfigError: adam: \"0.exp_avg_sq\" of the state has shape [3], not [2]");
  optim::State more = good;
  more.emplace_back("0.max_exp_avg_sq", ones({2}));
  CHECK(error_of([&] { adam.set_state(more); }) ==
        "ConfigError: adam: the state has \"0.max_exp_avg_sq\", which is unknown here");

  optim::Lbfgs lbfgs({p});
  optim::State of_lbfgs = lbfgs.state();
  of_lbfgs.emplace_back("move", ones({3}));
  CHECK(error_of([&] { lbfgs.set_state(of_lbfgs); }) ==
        "ConfigError: lbfgs: \"move\" of the state has shape [3], not [..., 2]");
  of_lbfgs.back().second = ones({2});
  CHECK(error_of([&] { lbfgs.set_state(of_lbfgs); }) ==
        "ConfigError: lbfgs: the state is incomplete or holds something unknown");
}
