#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <weft/optim/base.h>

/// Learning rates that follow how sensitive each layer is. One rate for all layers must suit the most nervous of them;
/// here each layer (group of parameters) has a factor of its own on top of the optimiser's rate:
///
///   auto optimizer = optim::per_layer<optim::Sgd>(named_parameters(net), {.lr = 0.1});
///   optim::SensitivityRates rates(*optimizer, {.min_factor = 1e-3});
///   ...
///   loss.backward();
///   rates.step();  // in place of optimizer->step()
namespace weft::optim {

/// The parameters of one layer.
struct Layer {
  std::string name;  ///< what its parameters' names have before their last dot: "blocks.0.attention"
  std::vector<Tensor> parameters;
};
/// Parameters by name, as named_parameters(net) gives them, grouped by the layer that they belong to, in the order of
/// their first members.
std::vector<Layer> by_layer(const State& named_parameters);
/// An optimiser in which each layer is a group, all with the same options. Throws as the optimiser does.
template <class Kind>
std::unique_ptr<Kind> per_layer(const State& named_parameters, const typename Kind::Options& options) {
  const std::vector<Layer> layers = by_layer(named_parameters);
  auto optimizer = std::make_unique<Kind>(layers.empty() ? std::vector<Tensor>() : layers.front().parameters, options);
  for (std::size_t k = 1; k < layers.size(); ++k) optimizer->add_group(layers[k].parameters, options);
  return optimizer;
}

struct SensitivityOptions {
  double threshold = 0.1;    ///< the sensitivity that leaves a factor alone; above what the batches' noise alone makes
  double smoothing = 0.5;    ///< share of the past in the averages, [0, 1)
  double fall = 0.5;         ///< the least that a step multiplies a factor by, (0, 1)
  double rise = 1.05;        ///< the most, above 1
  double min_factor = 0.01;  ///< of the base rate, above 0
  double max_factor = 10;    ///< min_factor or more
  double start_factor = 1;   ///< within the two; below 1 where the base rate may be far too high
  void check() const;        ///< throws ConfigError for a number out of its range
};

/// Steps an optimiser with rate f_k lr_k for each group k. With n_t the L2 norm of the group's gradient at step t,
///
///   c_t = (n_t - n_{t-1}) / n_{t-1}, held within [-2, 2]
///   S = smoothed mean of |c| (the sensitivity),  G = smoothed mean of c
///   f = f * threshold / S, by not less than `fall` and not more than `rise`, held within [min_factor, max_factor]
///
/// but where S is between threshold / 4 and the threshold and the norm mainly grows (G > S / 2), f falls by `fall`: a
/// gradient that grows step by step is how divergence begins. A sensitive layer is slowed down, an insensitive one sped
/// up. A norm that is not a finite number lowers f by `fall`; the step is taken all the same, as by any optimiser.
///
/// Between steps the optimiser's rates are the base rates: schedules and set_lr() change those as ever, a Scheduler is
/// stepped as without this class, and the optimiser's state() is its own. A group without gradient is passed over.
/// The optimiser must outlive this object. Not for L-BFGS, which evaluates within a step.
///
/// Meant for whole or large batches: the norm of a small batch's gradient jumps by chance, which looks like sensitivity
/// and drives all factors down.
class SensitivityRates {
 public:
  /// Throws ConfigError for bad options.
  explicit SensitivityRates(Optimizer& optimizer, const SensitivityOptions& options = {});
  /// Adapts the factors to the gradients that there are and steps the optimiser. Groups that were added since begin
  /// with start_factor.
  void step();
  /// f_k: what the base rate is multiplied by. Throws ConfigError for a group that there is not, as the others do.
  double factor(std::size_t group) const { return of(group).factor; }
  /// f_k lr_k, the rate of the next step, before that step's gradients are seen.
  double rate(std::size_t group) const { return of(group).factor * optimizer_.lr(group); }
  /// S; 0 before the second step.
  double sensitivity(std::size_t group) const;
  /// All that step() remembers: "factor", "norm", "change", "growth" and "steps", (groups,) each.
  State state() const;
  /// Takes back what state() gave, so that training goes on bitwise. Throws ConfigError when something is missing or
  /// does not fit, and then leaves everything as it was.
  void set_state(const State& state);

 private:
  struct Group {
    double factor, norm = 0, change = 0, growth = 0;
    std::int64_t steps = 0;  ///< how many changes the averages hold
  };
  const Group& of(std::size_t group) const;
  void adapt(Group& group, double norm) const;
  void grow();
  Optimizer& optimizer_;
  SensitivityOptions options_;
  std::vector<Group> groups_;
};

}  // namespace weft::optim
