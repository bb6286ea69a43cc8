#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <weft/layers/profile.h>
#include <weft/tensor/tensor.h>

/// What all optimisers share, and what the schedules need to know of them.
namespace weft::optim {

/// Tensors by name, as save_tensors() writes them.
using State = std::vector<std::pair<std::string, Tensor>>;
/// Clears the gradients, computes the loss, calls backward() on it and returns it.
using Closure = std::function<Tensor()>;

/// Moves parameters by their gradients. Parameters stand in groups, each with options of its own; one without a
/// gradient is passed over. A gradient that is not a number makes the parameter not a number: nothing hides it.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  virtual ~Optimizer() = default;
  /// Moves every parameter that has a gradient.
  virtual void step() = 0;
  /// Calls the closure, then step(); returns the loss. L-BFGS calls it several times.
  virtual double step(const Closure& closure);
  /// Drops all gradients.
  void zero_grad();

  /// How many groups of parameters there are.
  std::size_t groups() const noexcept { return groups_; }
  /// All parameters, in the order in which they were given.
  const std::vector<Tensor>& parameters() const noexcept { return parameters_; }
  /// Which group a parameter of parameters() is in, by its place there.
  std::size_t group_of(std::size_t parameter) const noexcept { return group_of_[parameter]; }
  /// The learning rate of the next step; schedules set it. Throws ConfigError for a group that there is not, and for a
  /// rate that is negative or not finite.
  double lr(std::size_t group = 0) const;
  void set_lr(double lr);  ///< of all groups
  void set_lr(std::size_t group, double lr);
  /// Whether there is a momentum that a schedule may change: Sgd's, Rmsprop's, or the first beta of the Adam family.
  bool has_momentum() const noexcept;
  double momentum(std::size_t group = 0) const;  ///< Throws ConfigError when there is none; so does the next.
  void set_momentum(std::size_t group, double momentum);

  /// Everything that step() remembers (the rates, too), by name, so that training can go on bitwise as if never
  /// stopped: "0.exp_avg" of parameter 0, "groups.0.lr" of group 0. Empty tensors are left out.
  virtual State state() const = 0;
  /// Takes back what state() gave. Throws ConfigError when something is missing, unknown or has another shape, and then
  /// leaves everything as it was.
  virtual void set_state(const State& state) = 0;

 protected:
  explicit Optimizer(const char* name) : name_(name) {}
  /// Appends a group. Throws ConfigError when it is empty, holds something without gradient or something that is there
  /// already; DtypeError for types that cannot be trained.
  void add_parameters(const std::vector<Tensor>& parameters);
  const char* name() const noexcept { return name_; }
  /// The gradient of a parameter in the parameter's type; undefined when there is none.
  static Tensor gradient(const Tensor& parameter);

  enum class Setting : std::uint8_t { lr, momentum };
  /// Where a group keeps a number that schedules may change; null when it has none of that kind.
  virtual const double* find_setting(Setting setting, std::size_t group) const noexcept = 0;
  /// Throws ConfigError when a group's options are bad.
  virtual void check_options(std::size_t group) const = 0;
  State rates() const;
  /// Takes the rates out of a state. Throws ConfigError when they are missing or bad.
  void set_rates(const State& state);

 private:
  const double& setting(Setting setting, std::size_t group) const;
  void change(Setting setting, std::size_t group, double value);
  const char* name_;
  std::vector<Tensor> parameters_;
  std::vector<std::size_t> group_of_;
  std::size_t groups_ = 0;
};

/// What an optimiser remembers about one parameter.
struct Memory {
  std::int64_t step = 0;  ///< how many steps this parameter has taken; one without gradient does not count
  std::vector<std::pair<std::string, Tensor>> tensors{};
  std::vector<std::pair<std::string, double>> numbers{};
  /// The tensor of that name, made like `parameter` and filled with `initial` when it is asked for first.
  Tensor tensor(const char* name, const Tensor& parameter, double initial = 0);
  /// Whether it has been asked for.
  bool has(const char* name) const noexcept;
  double& number(const char* name, double initial);
};
/// The names in a Memory that has taken a step.
struct Kept {
  std::vector<std::string> tensors{}, numbers{};
};

namespace detail {
/// Tells a Profile what a step does.
class WatchedStep {
 public:
  explicit WatchedStep(const char* optimizer) : section_(optimizer, ProfilePhase::optimizer) {}
  void moved(const Tensor& parameter, const Memory& memory) {
    if (section_.watched()) add(parameter, memory);
  }

 private:
  void add(const Tensor& parameter, const Memory& memory);
  ProfileSection section_;
};

void append_state(State& to, const std::vector<Memory>& memories);
/// The memories that a state describes, checked against the names that belong there.
std::vector<Memory> read_state(const char* optimizer, const State& state, const State& rates,
                               const std::vector<Tensor>& parameters, const std::function<Kept(std::size_t)>& kept);
}  // namespace detail

/// An optimiser that treats each parameter by itself. One of them says what a step does to one parameter (update) and
/// what it remembers (kept); groups, state and the walk over the parameters are here.
template <class OptionsType>
class PerParameter : public Optimizer {
 public:
  using Options = OptionsType;
  /// Another group of parameters with its own options. Throws as the constructor does, and ConfigError for a parameter
  /// that is in a group already.
  void add_group(const std::vector<Tensor>& parameters, const Options& options) {
    options.check();
    add_parameters(parameters);
    options_.push_back(options);
    memories_.resize(this->parameters().size());
  }
  /// The options of a group as they are now, the rate included. Throws ConfigError for a group that there is not.
  const Options& options(std::size_t group = 0) const {
    lr(group);
    return options_[group];
  }

  using Optimizer::step;
  void step() override {
    detail::WatchedStep watched(name());
    for (std::size_t i = 0; i < memories_.size(); ++i) {
      const Tensor& p = parameters()[i];
      const Tensor g = gradient(p);
      if (!g.defined()) continue;
      ++memories_[i].step;
      update(p, g, memories_[i], options_[group_of(i)]);
      ++p.body().storage->version;
      watched.moved(p, memories_[i]);
    }
  }
  State state() const override {
    State all = rates();
    detail::append_state(all, memories_);
    return all;
  }
  void set_state(const State& state) override {
    const std::vector<Options> before = options_;
    try {
      set_rates(state);  // first, because what is kept depends on them
      memories_ = detail::read_state(name(), state, rates(), parameters(),
                                     [this](std::size_t i) { return kept(options_[group_of(i)]); });
    } catch (...) {
      options_ = before;
      throw;
    }
  }

 protected:
  PerParameter(const char* name, const std::vector<Tensor>& parameters, const Options& options) : Optimizer(name) {
    add_group(parameters, options);
  }
  virtual void update(const Tensor& parameter, const Tensor& gradient, Memory& memory, const Options& options) = 0;
  virtual Kept kept(const Options& options) const = 0;
  const std::vector<Memory>& memories() const noexcept { return memories_; }

  const double* find_setting(Optimizer::Setting setting, std::size_t group) const noexcept override {
    const Options& o = options_[group];
    if (setting == Optimizer::Setting::lr) return &o.lr;
    if constexpr (requires { o.momentum; }) return &o.momentum;
    if constexpr (requires { o.betas; }) return &o.betas.first;
    return nullptr;
  }
  void check_options(std::size_t group) const override { options_[group].check(); }

 private:
  std::vector<Options> options_;
  std::vector<Memory> memories_;
};

}  // namespace weft::optim
