#include <weft/optim/base.h>

#include <algorithm>
#include <unordered_set>

#include <weft/autograd/grad.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::optim {
namespace {

template <class Named>
auto find(Named& all, const std::string& name) {
  return std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.first == name; });
}

Tensor read(const char* optimizer, const State& state, const std::string& name, const Shape& shape) {
  const auto found = find(state, name);
  if (found == state.end()) throw ConfigError(text(optimizer, ": the state lacks \"", name, "\""));
  if (!(found->second.shape() == shape))
    throw ConfigError(
        text(optimizer, ": \"", name, "\" of the state has shape ", found->second.shape(), ", not ", shape));
  return found->second;
}

std::string lr_key(std::size_t group) { return text("groups.", group, ".lr"); }
std::string momentum_key(std::size_t group) { return text("groups.", group, ".momentum"); }

}  // namespace

// ---- Optimizer

double Optimizer::step(const Closure& closure) {
  const EnableGrad on;
  const Tensor loss = closure();
  step();
  return loss.item();
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) p.set_grad(Tensor());
}

void Optimizer::add_parameters(const std::vector<Tensor>& parameters) {
  if (parameters.empty()) throw ConfigError(text(name_, ": there are no parameters\n  help: pass parameters(model)"));
  std::unordered_set<const TensorBody*> known;
  for (const Tensor& p : parameters_) known.insert(p.body_or_null());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& p = parameters[i];
    if (!p.requires_grad())
      throw ConfigError(text(name_, ": parameter ", i, " of shape ", p.shape(), " does not require a gradient"));
    if (p.dtype() != DType::float32 && p.dtype() != DType::float64)
      throw DtypeError(text(name_, ": parameter ", i, " is ", p.dtype(), ", not float32 or float64",
                            "\n  help: keep a float32 copy for the optimiser"));
    if (!known.insert(p.body_or_null()).second)
      throw ConfigError(text(name_, ": parameter ", i, " of shape ", p.shape(), " is there already"));
  }
  parameters_.insert(parameters_.end(), parameters.begin(), parameters.end());
  group_of_.resize(parameters_.size(), groups_);
  ++groups_;
}

Tensor Optimizer::gradient(const Tensor& parameter) {
  const Tensor g = parameter.grad();
  return g.defined() ? kernels::cast(g, parameter.dtype()) : g;
}

const double& Optimizer::setting(Setting what, std::size_t group) const {
  if (group >= groups_) throw ConfigError(text(name_, ": there is no group ", group, ", only ", groups_));
  const double* number = find_setting(what, group);
  if (!number) throw ConfigError(text(name_, ": there is no momentum"));
  return *number;
}
void Optimizer::change(Setting what, std::size_t group, double value) {
  double& number = const_cast<double&>(setting(what, group));
  const double before = std::exchange(number, value);
  try {
    check_options(group);
  } catch (const ConfigError&) {
    number = before;
    throw;
  }
}

double Optimizer::lr(std::size_t group) const { return setting(Setting::lr, group); }
void Optimizer::set_lr(double lr) {
  for (std::size_t k = 0; k < groups_; ++k) set_lr(k, lr);
}
void Optimizer::set_lr(std::size_t group, double lr) { change(Setting::lr, group, lr); }

bool Optimizer::has_momentum() const noexcept { return find_setting(Setting::momentum, 0) != nullptr; }
double Optimizer::momentum(std::size_t group) const { return setting(Setting::momentum, group); }
void Optimizer::set_momentum(std::size_t group, double momentum) { change(Setting::momentum, group, momentum); }

State Optimizer::rates() const {
  State all;
  for (std::size_t k = 0; k < groups_; ++k) {
    all.emplace_back(lr_key(k), scalar(lr(k), DType::float64));
    if (has_momentum()) all.emplace_back(momentum_key(k), scalar(momentum(k), DType::float64));
  }
  return all;
}

void Optimizer::set_rates(const State& state) {
  for (const auto& [name, x] : rates()) read(name_, state, name, {});
  for (std::size_t k = 0; k < groups_; ++k) {
    if (has_momentum()) set_momentum(k, read(name_, state, momentum_key(k), {}).item());
    set_lr(k, read(name_, state, lr_key(k), {}).item());
  }
}

// ---- Memory

Tensor Memory::tensor(const char* name, const Tensor& parameter, double initial) {
  const auto found = find(tensors, name);
  if (found != tensors.end()) return found->second;
  return tensors.emplace_back(name, full(parameter.shape(), initial, parameter.dtype())).second;
}

bool Memory::has(const char* name) const noexcept { return find(tensors, name) != tensors.end(); }

double& Memory::number(const char* name, double initial) {
  const auto found = find(numbers, name);
  if (found != numbers.end()) return found->second;
  return numbers.emplace_back(name, initial).second;
}

namespace detail {

void WatchedStep::add(const Tensor& parameter, const Memory& memory) {
  const double count = static_cast<double>(parameter.numel());
  const double bytes = count * static_cast<double>(size_of(parameter.dtype()));
  const double kept = bytes * static_cast<double>(memory.tensors.size());
  section_.add(2 * bytes + kept, bytes + kept, count);
}

void append_state(State& to, const std::vector<Memory>& memories) {
  for (std::size_t i = 0; i < memories.size(); ++i) {
    if (memories[i].step == 0) continue;
    const auto add = [&](const std::string& name, const Tensor& x) { to.emplace_back(text(i, ".", name), x); };
    add("step", scalar(memories[i].step, DType::int64));
    for (const auto& [name, x] : memories[i].tensors) add(name, kernels::copy(x));
    for (const auto& [name, x] : memories[i].numbers) add(name, scalar(x, DType::float64));
  }
}

std::vector<Memory> read_state(const char* optimizer, const State& state, const State& rates,
                               const std::vector<Tensor>& parameters, const std::function<Kept(std::size_t)>& kept) {
  std::unordered_set<std::string> used;
  const auto get = [&](const std::string& name, const Shape& shape) {
    used.insert(name);
    return read(optimizer, state, name, shape);
  };
  for (const auto& [name, x] : rates) get(name, {});
  std::vector<Memory> memories(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string prefix = text(i, ".");
    const bool any = std::any_of(state.begin(), state.end(),
                                 [&](const auto& each) { return each.first.compare(0, prefix.size(), prefix) == 0; });
    if (!any) continue;  // it never had a gradient
    memories[i].step = static_cast<std::int64_t>(get(prefix + "step", {}).item());
    const Kept names = kept(i);
    for (const std::string& name : names.tensors) {
      const Tensor x = get(prefix + name, parameters[i].shape());
      memories[i].tensors.emplace_back(name, kernels::copy(kernels::cast(x, parameters[i].dtype())));
    }
    for (const std::string& name : names.numbers) memories[i].numbers.emplace_back(name, get(prefix + name, {}).item());
  }
  for (const auto& [name, x] : state)
    if (!used.count(name)) throw ConfigError(text(optimizer, ": the state has \"", name, "\", which is unknown here"));
  return memories;
}

}  // namespace detail
}  // namespace weft::optim
