#include <weft/optim/optimizer.h>

#include <cmath>

#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

using State = std::vector<std::pair<std::string, Tensor>>;

void require(bool good, const char* optimizer, const char* option, double value) {
  if (!good) throw ConfigError(text(optimizer, ": ", option, " is ", value));
}

/// The gradient in a form the kernels take.
Tensor gradient_of(const Tensor& parameter) {
  const Tensor g = parameter.grad();
  if (g.defined() && g.dtype() != parameter.dtype()) return kernels::cast(g, parameter.dtype());
  return g;
}

void touched(const Tensor& parameter) { ++parameter.body().storage->version; }

Tensor find(const State& state, const std::string& name, const Shape& shape) {
  for (const auto& [key, x] : state)
    if (key == name) {
      if (!(x.shape() == shape))
        throw ConfigError(text("optimizer: the state \"", name, "\" has shape ", x.shape(), ", the parameter ", shape));
      return kernels::copy(x);
    }
  return {};
}

std::string key(const char* what, std::size_t i) { return text(what, ".", i); }

}  // namespace

Optimizer::Optimizer(std::vector<Tensor> parameters, double lr) : parameters_(std::move(parameters)), lr_(0) {
  if (parameters_.empty()) throw ConfigError("optimizer: there are no parameters\n  help: pass parameters(model)");
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (!parameters_[i].requires_grad())
      throw ConfigError(
          text("optimizer: parameter ", i, " of shape ", parameters_[i].shape(), " does not require a gradient"));
  set_lr(lr);
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) p.set_grad(Tensor());
}

void Optimizer::set_lr(double lr) {
  if (!(lr >= 0) || !std::isfinite(lr)) throw ConfigError(text("optimizer: the learning rate is ", lr));
  lr_ = lr;
}

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& o) : Optimizer(std::move(parameters), o.lr), options_(o) {
  require(o.momentum >= 0, "sgd", "momentum", o.momentum);
  require(o.weight_decay >= 0, "sgd", "weight_decay", o.weight_decay);
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
    throw ConfigError(text("sgd: nesterov with momentum ", o.momentum, " and dampening ", o.dampening,
                           "\n  help: give it a momentum above 0 and no dampening"));
  velocity_.resize(parameters_.size());
}

void Sgd::step() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i];
    const Tensor g = gradient_of(p);
    if (!g.defined()) continue;
    const bool first = options_.momentum != 0 && !velocity_[i].defined();
    if (first) velocity_[i] = zeros_like(p);
    kernels::sgd(p, g, velocity_[i],
                 {lr_, options_.momentum, options_.dampening, options_.weight_decay, options_.nesterov, first});
    touched(p);
  }
}

State Sgd::state() const {
  State all;
  for (std::size_t i = 0; i < velocity_.size(); ++i)
    if (velocity_[i].defined()) all.emplace_back(key("velocity", i), velocity_[i]);
  return all;
}

void Sgd::set_state(const State& state) {
  for (std::size_t i = 0; i < velocity_.size(); ++i)
    velocity_[i] = find(state, key("velocity", i), parameters_[i].shape());
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& o) : Adam(std::move(parameters), o, false) {}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& o, bool decoupled)
    : Optimizer(std::move(parameters), o.lr), options_(o), decoupled_(decoupled) {
  require(o.beta1 >= 0 && o.beta1 < 1, "adam", "beta1", o.beta1);
  require(o.beta2 >= 0 && o.beta2 < 1, "adam", "beta2", o.beta2);
  require(o.eps >= 0, "adam", "eps", o.eps);
  require(o.weight_decay >= 0, "adam", "weight_decay", o.weight_decay);
  first_.resize(parameters_.size());
  second_.resize(parameters_.size());
  steps_.resize(parameters_.size());
}

AdamW::AdamW(std::vector<Tensor> parameters, const AdamWOptions& o)
    : Adam(std::move(parameters), {o.lr, o.beta1, o.beta2, o.eps, o.weight_decay}, true) {}

void Adam::step() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i];
    const Tensor g = gradient_of(p);
    if (!g.defined()) continue;
    if (!first_[i].defined()) {
      first_[i] = zeros_like(p);
      second_[i] = zeros_like(p);
    }
    kernels::adam(p, g, first_[i], second_[i],
                  {lr_, options_.beta1, options_.beta2, options_.eps, options_.weight_decay, decoupled_, ++steps_[i]});
    touched(p);
  }
}

State Adam::state() const {
  State all;
  for (std::size_t i = 0; i < first_.size(); ++i)
    if (first_[i].defined()) {
      all.emplace_back(key("first", i), first_[i]);
      all.emplace_back(key("second", i), second_[i]);
      all.emplace_back(key("step", i), scalar(steps_[i], DType::int64));
    }
  return all;
}

void Adam::set_state(const State& state) {
  for (std::size_t i = 0; i < first_.size(); ++i) {
    first_[i] = find(state, key("first", i), parameters_[i].shape());
    second_[i] = find(state, key("second", i), parameters_[i].shape());
    const Tensor step = find(state, key("step", i), {});
    if (first_[i].defined() != second_[i].defined() || first_[i].defined() != step.defined())
      throw ConfigError(text("optimizer: the state of parameter ", i, " is incomplete"));
    steps_[i] = step.defined() ? static_cast<std::int64_t>(step.item()) : 0;
  }
}

}  // namespace weft::optim
