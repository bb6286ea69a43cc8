#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>

#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

#include "cases.h"

/// optim.json: optimisers, schedules and clipping, each under PyTorch's name with PyTorch's options.
namespace weft::tests {
namespace {

double number(const Json& j) {
  const std::string word = j.is_object() ? j.at("float").get<std::string>() : j.is_string() ? j.get<std::string>() : "";
  return word == "inf" ? HUGE_VAL : word == "-inf" ? -HUGE_VAL : word == "nan" ? NAN : j.get<double>();
}

/// The options of a case; each must be asked for, so that none goes unnoticed.
class Config {
 public:
  explicit Config(const Json& json) : json_(json) {
    // How PyTorch runs it, not what comes out.
    for (const char* each : {"foreach", "fused", "capturable", "differentiable", "verbose", "last_epoch"}) take(each);
  }
  /// Fills what the case has an option for.
  void operator()(const char* name, double& to) {
    if (const Json* j = take(name)) to = number(*j);
  }
  void operator()(const char* name, bool& to) {
    if (const Json* j = take(name)) to = j->get<bool>();
  }
  void operator()(const char* name, std::int64_t& to) {
    if (const Json* j = take(name)) to = j->get<std::int64_t>();
  }
  void operator()(const char* name, std::optional<std::int64_t>& to) {
    if (const Json* j = take(name)) to = j->get<std::int64_t>();
  }
  void operator()(const char* name, std::vector<std::int64_t>& to) {
    if (const Json* j = take(name)) to = j->get<std::vector<std::int64_t>>();
  }
  void operator()(const char* name, std::pair<double, double>& to) {
    if (const Json* j = take(name)) to = {number(j->at(0)), number(j->at(1))};
  }
  /// One of several words.
  template <class Enum>
  void operator()(const char* name, Enum& to, const std::vector<std::pair<std::string, Enum>>& words) {
    const Json* j = take(name);
    if (!j) return;
    for (const auto& [word, value] : words)
      if (*j == word) {
        to = value;
        return;
      }
    throw FileError(text("conformance: option ", name, " is ", j->dump()));
  }
  void finish() const {
    for (const auto& [name, value] : json_.items())
      if (!taken_.count(name)) throw FileError("conformance: option " + name + " is unknown");
  }

 private:
  const Json* take(const char* name) {
    taken_.insert(name);
    return json_.contains(name) && !json_[name].is_null() ? &json_[name] : nullptr;
  }
  const Json& json_;
  std::set<std::string> taken_{};
};

// ---- optimisers

using Make = std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>&, Config&)>;

/// Reads the options that an optimiser has, whichever they are.
template <class Optimizer>
std::unique_ptr<optim::Optimizer> make(const std::vector<Tensor>& parameters, Config& c) {
  typename Optimizer::Options o;
#define READ(option) \
  if constexpr (requires { o.option; }) c(#option, o.option)
  READ(lr);
  READ(momentum);
  READ(dampening);
  READ(weight_decay);
  READ(nesterov);
  READ(maximize);
  READ(betas);
  READ(eps);
  READ(amsgrad);
  READ(alpha);
  READ(centered);
  READ(lr_decay);
  READ(initial_accumulator_value);
  READ(rho);
  READ(momentum_decay);
  READ(decoupled_weight_decay);
  READ(etas);
  READ(step_sizes);
  READ(lambd);
  READ(t0);
#undef READ
  c.finish();
  return std::make_unique<Optimizer>(parameters, o);
}

const std::unordered_map<std::string, Make> optimizers = {
    {"SGD", make<optim::Sgd>},           {"ASGD", make<optim::Asgd>},       {"Rprop", make<optim::Rprop>},
    {"Adam", make<optim::Adam>},         {"AdamW", make<optim::AdamW>},     {"Adamax", make<optim::Adamax>},
    {"NAdam", make<optim::NAdam>},       {"RAdam", make<optim::RAdam>},     {"Adagrad", make<optim::Adagrad>},
    {"Adadelta", make<optim::Adadelta>}, {"RMSprop", make<optim::Rmsprop>},
};

Tensor leaf(const Suite& suite, const Json& key) {
  return kernels::copy(suite.tensor(key.get<std::string>())).set_requires_grad();
}

Outcome run_optimizer(const Suite& suite, const Json& one_case) {
  const auto make = optimizers.find(one_case.at("optimizer").get<std::string>());
  if (make == optimizers.end()) return Outcome::skipped;
  std::vector<Tensor> parameters;
  for (const Json& key : one_case.at("params")) parameters.push_back(leaf(suite, key));
  Config config(one_case.at("config"));
  const auto optimizer = make->second(parameters, config);
  int number = 0;
  for (const Json& step : one_case.at("steps")) {
    ++number;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Json& key = step.at("grads").at(i);
      parameters[i].set_grad(key.is_null() ? Tensor() : suite.tensor(key.get<std::string>()));
    }
    optimizer->step();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      expect_close(detach(parameters[i]), suite.tensor(step.at("params").at(i).get<std::string>()), one_case,
                   text("parameter ", i, " after step ", number));
  }
  return Outcome::passed;
}

// ---- schedules

using MakeSchedule = std::function<optim::Schedule(Config&)>;

/// A schedule whose options are read by `read`.
template <class Rule, class Read>
MakeSchedule rule(Read read) {
  return [read](Config& c) {
    Rule r{};
    read(c, r);
    c.finish();
    return optim::Schedule(r);
  };
}

const std::unordered_map<std::string, MakeSchedule> schedules = {
    {"StepLR", rule<optim::StepLr>([](Config& c, auto& r) {
       c("step_size", r.step_size);
       c("gamma", r.gamma);
     })},
    {"MultiStepLR", rule<optim::MultiStepLr>([](Config& c, auto& r) {
       c("milestones", r.milestones);
       c("gamma", r.gamma);
     })},
    {"ExponentialLR", rule<optim::ExponentialLr>([](Config& c, auto& r) { c("gamma", r.gamma); })},
    {"CosineAnnealingLR", rule<optim::CosineAnnealingLr>([](Config& c, auto& r) {
       c("T_max", r.T_max);
       c("eta_min", r.eta_min);
     })},
    {"CosineAnnealingWarmRestarts", rule<optim::CosineAnnealingWarmRestarts>([](Config& c, auto& r) {
       c("T_0", r.T_0);
       c("T_mult", r.T_mult);
       c("eta_min", r.eta_min);
     })},
    {"LinearLR", rule<optim::LinearLr>([](Config& c, auto& r) {
       c("start_factor", r.start_factor);
       c("end_factor", r.end_factor);
       c("total_iters", r.total_iters);
     })},
    {"ConstantLR", rule<optim::ConstantLr>([](Config& c, auto& r) {
       c("factor", r.factor);
       c("total_iters", r.total_iters);
     })},
    {"PolynomialLR", rule<optim::PolynomialLr>([](Config& c, auto& r) {
       c("total_iters", r.total_iters);
       c("power", r.power);
     })},
    {"OneCycleLR", rule<optim::OneCycleLr>([](Config& c, auto& r) {
       std::int64_t epochs = 1, steps_per_epoch = 0;
       c("epochs", epochs);
       c("steps_per_epoch", steps_per_epoch);
       r.total_steps = epochs * steps_per_epoch;
       c("max_lr", r.max_lr);
       c("total_steps", r.total_steps);
       c("pct_start", r.pct_start);
       c("anneal_strategy", r.anneal_strategy, {{"cos", optim::Anneal::cos}, {"linear", optim::Anneal::linear}});
       c("cycle_momentum", r.cycle_momentum);
       c("base_momentum", r.base_momentum);
       c("max_momentum", r.max_momentum);
       c("div_factor", r.div_factor);
       c("final_div_factor", r.final_div_factor);
       c("three_phase", r.three_phase);
     })},
    {"CyclicLR", rule<optim::CyclicLr>([](Config& c, auto& r) {
       c("base_lr", r.base_lr);
       c("max_lr", r.max_lr);
       c("step_size_up", r.step_size_up);
       c("step_size_down", r.step_size_down);
       c("mode", r.mode,
         {{"triangular", optim::CyclicMode::triangular},
          {"triangular2", optim::CyclicMode::triangular2},
          {"exp_range", optim::CyclicMode::exp_range}});
       c("gamma", r.gamma);
       c("cycle_momentum", r.cycle_momentum);
       c("base_momentum", r.base_momentum);
       c("max_momentum", r.max_momentum);
     })},
};

optim::PlateauOptions plateau(Config& c) {
  optim::PlateauOptions o;
  c("mode", o.mode, {{"min", optim::PlateauMode::min}, {"max", optim::PlateauMode::max}});
  c("factor", o.factor);
  c("patience", o.patience);
  c("threshold", o.threshold);
  c("threshold_mode", o.threshold_mode, {{"rel", optim::ThresholdMode::rel}, {"abs", optim::ThresholdMode::abs}});
  c("cooldown", o.cooldown);
  c("min_lr", o.min_lr);
  c("eps", o.eps);
  c.finish();
  return o;
}

void expect_rate(const optim::Optimizer& optimizer, const Json& expected, const Json& one_case, std::size_t time) {
  expect_close(scalar(optimizer.lr(), DType::float64), scalar(number(expected), DType::float64), one_case,
               text("rate at time ", time));
}

Outcome run_schedule(const Json& one_case) {
  const std::string name = one_case.at("scheduler");
  Config config(one_case.at("config"));
  optim::Sgd optimizer({zeros({1}).set_requires_grad()}, {.lr = number(one_case.at("base_lr"))});
  if (name == "ReduceLROnPlateau") {
    optim::ReduceLrOnPlateau scheduler(optimizer, plateau(config));
    const Json& metrics = one_case.at("metrics");
    for (std::size_t t = 0; t < metrics.size(); ++t) {
      scheduler.step(number(metrics[t]));
      expect_rate(optimizer, one_case.at("lrs_after").at(t), one_case, t);
    }
    return Outcome::passed;
  }
  const auto make = schedules.find(name);
  if (make == schedules.end()) return Outcome::skipped;
  optim::Scheduler scheduler(optimizer, make->second(config));
  const Json& expected = one_case.at("lrs");
  for (std::size_t t = 0; t < expected.size(); ++t) {
    if (t > 0) scheduler.step();
    expect_rate(optimizer, expected[t], one_case, t);
  }
  return Outcome::passed;
}

// ---- clipping

Outcome run_clipping(const Suite& suite, const Json& one_case) {
  const std::string name = one_case.at("clip");
  std::vector<Tensor> parameters;
  for (const Json& key : one_case.at("before")) {
    const Tensor& gradient = suite.tensor(key.get<std::string>());
    parameters.push_back(zeros_like(gradient).set_requires_grad());
    parameters.back().set_grad(gradient);
  }
  if (name == "clip_grad_norm_") {
    const double norm_type = one_case.contains("norm_type") ? number(one_case["norm_type"]) : 2;
    const double norm = optim::clip_gradient_norm(parameters, number(one_case.at("max_norm")), norm_type);
    expect_close(scalar(norm, DType::float64), scalar(number(one_case.at("norm")), DType::float64), one_case, "norm");
  } else if (name == "clip_grad_value_") {
    optim::clip_gradient_value(parameters, number(one_case.at("clip_value")));
  } else {
    return Outcome::skipped;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i)
    expect_close(parameters[i].grad(), suite.tensor(one_case.at("after").at(i).get<std::string>()), one_case,
                 text("gradient ", i));
  return Outcome::passed;
}

}  // namespace

Outcome run_optimization(const Suite& suite, const Json& one_case) {
  if (one_case.contains("optimizer")) return run_optimizer(suite, one_case);
  if (one_case.contains("scheduler")) return run_schedule(one_case);
  if (one_case.contains("clip")) return run_clipping(suite, one_case);
  return Outcome::skipped;
}

}  // namespace weft::tests
