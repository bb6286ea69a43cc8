#include <weft/optim/sensitivity.h>

#include <algorithm>
#include <cmath>

#include <weft/optim/check.h>
#include <weft/optim/gradients.h>
#include <weft/tensor/create.h>

namespace weft::optim {

std::vector<Layer> by_layer(const State& named_parameters) {
  std::vector<Layer> layers;
  for (const auto& [name, parameter] : named_parameters) {
    const std::size_t dot = name.rfind('.');
    const std::string layer = dot == std::string::npos ? "" : name.substr(0, dot);
    auto found = std::find_if(layers.begin(), layers.end(), [&](const Layer& each) { return each.name == layer; });
    if (found == layers.end()) found = layers.insert(layers.end(), {layer, {}});
    found->parameters.push_back(parameter);
  }
  return layers;
}

void SensitivityOptions::check() const {
  const Check check("sensitivity_rates");
  check.above("threshold", threshold, 0).below_one("smoothing", smoothing);
  check.require(fall > 0 && fall < 1, "fall", fall, "a number above 0 and below 1").above("rise", rise, 1);
  check.above("min_factor", min_factor, 0).at_least("max_factor", max_factor, min_factor);
  check.within("start_factor", start_factor, min_factor, max_factor);
}

SensitivityRates::SensitivityRates(Optimizer& optimizer, const SensitivityOptions& options)
    : optimizer_(optimizer), options_(options) {
  options.check();
  grow();
}

void SensitivityRates::grow() { groups_.resize(optimizer_.groups(), Group{.factor = options_.start_factor}); }

const SensitivityRates::Group& SensitivityRates::of(std::size_t group) const {
  if (group >= groups_.size())
    throw ConfigError(text("sensitivity_rates: there is no group ", group, ", only ", groups_.size()));
  return groups_[group];
}

double SensitivityRates::sensitivity(std::size_t group) const {
  const Group& g = of(group);
  return g.steps == 0 ? 0 : g.change / (1 - std::pow(options_.smoothing, static_cast<double>(g.steps)));
}

void SensitivityRates::adapt(Group& g, double norm) const {
  double by = 1;
  if (!std::isfinite(norm)) {
    by = options_.fall;  // and the norm before stays what later ones are compared with
  } else {
    if (g.norm > 0) {
      const double c = std::clamp((norm - g.norm) / g.norm, -2., 2.), past = options_.smoothing;
      g.change = past * g.change + (1 - past) * std::abs(c);
      g.growth = past * g.growth + (1 - past) * c;
      ++g.steps;
      const double share = 1 - std::pow(past, static_cast<double>(g.steps));  // both began at 0
      const double sensitivity = g.change / share;
      if (sensitivity > options_.threshold)
        by = std::max(options_.threshold / sensitivity, options_.fall);
      else if (sensitivity > options_.threshold / 4 && g.growth > g.change / 2)
        by = options_.fall;
      else
        by = sensitivity * options_.rise < options_.threshold ? options_.rise : options_.threshold / sensitivity;
    }
    g.norm = norm;
  }
  g.factor = std::clamp(g.factor * by, options_.min_factor, options_.max_factor);
}

void SensitivityRates::step() {
  grow();
  std::vector<std::vector<Tensor>> members(groups_.size());
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i)
    members[optimizer_.group_of(i)].push_back(optimizer_.parameters()[i]);
  std::vector<double> base(groups_.size());
  for (std::size_t k = 0; k < groups_.size(); ++k) {
    base[k] = optimizer_.lr(k);
    const bool any =
        std::any_of(members[k].begin(), members[k].end(), [](const Tensor& p) { return p.grad().defined(); });
    if (any) adapt(groups_[k], gradient_norm(members[k]));
  }
  const auto set = [&](bool adapted) {
    for (std::size_t k = 0; k < groups_.size(); ++k)
      optimizer_.set_lr(k, adapted ? base[k] * groups_[k].factor : base[k]);
  };
  try {
    set(true);
    optimizer_.step();
  } catch (...) {
    set(false);
    throw;
  }
  set(false);
}

State SensitivityRates::state() const {
  std::vector<double> factor, norm, change, growth, steps;
  for (const Group& g : groups_) {
    factor.push_back(g.factor), norm.push_back(g.norm), change.push_back(g.change), growth.push_back(g.growth);
    steps.push_back(static_cast<double>(g.steps));
  }
  return {{"factor", from(factor)},
          {"norm", from(norm)},
          {"change", from(change)},
          {"growth", from(growth)},
          {"steps", from(steps)}};
}

void SensitivityRates::set_state(const State& state) {
  std::vector<Group> groups(optimizer_.groups(), Group{.factor = 1});
  const auto read = [&](const char* name, auto put) {
    const auto found = std::find_if(state.begin(), state.end(), [&](const auto& each) { return each.first == name; });
    if (found == state.end()) throw ConfigError(text("sensitivity_rates: the state lacks \"", name, "\""));
    if (!(found->second.shape() == Shape{static_cast<std::int64_t>(groups.size())}))
      throw ConfigError(text("sensitivity_rates: \"", name, "\" of the state has shape ", found->second.shape(),
                             ", but there are ", groups.size(), " groups"));
    const std::vector<double> values = to_vector<double>(found->second);
    for (std::size_t k = 0; k < groups.size(); ++k) put(groups[k], values[k]);
  };
  read("factor", [&](Group& g, double x) {
    if (!(x >= options_.min_factor && x <= options_.max_factor))
      throw ConfigError(text("sensitivity_rates: the state has a factor of ", x, ", not within ", options_.min_factor,
                             " and ", options_.max_factor));
    g.factor = x;
  });
  read("norm", [](Group& g, double x) { g.norm = x; });
  read("change", [](Group& g, double x) { g.change = x; });
  read("growth", [](Group& g, double x) { g.growth = x; });
  read("steps", [](Group& g, double x) { g.steps = static_cast<std::int64_t>(x); });
  groups_ = groups;
}

}  // namespace weft::optim
