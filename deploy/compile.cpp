#include <weft/deploy/compile.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>
#include <mutex>

#include <weft/autograd/grad.h>
#include <weft/deploy/describe.h>
#include <weft/deploy/passes.h>
#include <weft/deploy/plan.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::deploy {
namespace {

/// Shapes and types of inputs: what a plan is made for.
struct Signature {
  std::vector<std::pair<Shape, DType>> each;
  explicit Signature(const std::vector<Tensor>& inputs) {
    for (const Tensor& x : inputs) each.emplace_back(x.shape(), x.dtype());
  }
  bool fits(const std::vector<Tensor>& inputs) const {
    if (each.size() != inputs.size()) return false;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (each[i].second != inputs[i].dtype() || !(each[i].first == inputs[i].shape())) return false;
    return true;
  }
};

/// The same numbers at other places: other inputs of the same kind.
std::vector<Tensor> rolled(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> all;
  for (const Tensor& x : inputs) {
    std::vector<double> numbers = to_vector<double>(x);
    if (!numbers.empty())
      std::rotate(numbers.begin(),
                  numbers.begin() +
                      static_cast<std::ptrdiff_t>(numbers.size() / 3 + 1) % static_cast<std::ptrdiff_t>(numbers.size()),
                  numbers.end());
    all.push_back(kernels::cast(from(numbers, x.shape()), x.dtype()));
  }
  return all;
}

/// How far y is from x, in parts of the largest number of x; infinite for another shape or type.
double distance(const Tensor& y, const Tensor& x) {
  if (!(y.shape() == x.shape()) || y.dtype() != x.dtype()) return std::numeric_limits<double>::infinity();
  const std::vector<double> a = to_vector<double>(y), b = to_vector<double>(x);
  double largest = 0, apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(b[i])) largest = std::max(largest, std::abs(b[i]));
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double d = std::abs(a[i] - b[i]);
    apart = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(apart, d);
  }
  return apart == 0 ? 0 : apart / std::max(largest, 1e-30);
}

void all_defined(const char* name, const std::vector<Tensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].defined()) throw ConfigError(text(name, ": input ", i, " is an undefined tensor"));
}

}  // namespace

struct Program::State {
  Function model;
  CompileOptions options;
  Names names;
  std::size_t input_count = 0;  ///< how many the model takes
  std::string eager;            ///< why the model is not captured
  MemoryPool memory;
  std::mutex making;  ///< of what follows: one plan is made at a time
  Arranged arranged;
  std::mutex mutex;                                                    ///< of what follows
  std::list<std::pair<Signature, std::shared_ptr<const Plan>>> plans;  ///< the last used first
  std::shared_ptr<const Plan> example;

  std::shared_ptr<const Plan> find(const std::vector<Tensor>& inputs) {
    const std::scoped_lock lock(mutex);
    for (auto at = plans.begin(); at != plans.end(); ++at)
      if (at->first.fits(inputs)) {
        if (at != plans.begin()) plans.splice(plans.begin(), plans, at);
        return plans.front().second;
      }
    return nullptr;
  }

  std::shared_ptr<const Plan> make(const std::vector<Tensor>& inputs) {
    const NoGrad off;
    Graph graph = capture(model, inputs, names);
    drop_dead(graph);
    if (options.optimize) {
      pack_weights(graph, arranged);
      pack_recurrent(graph, arranged);
      fuse_elementwise(graph);
    }
    auto plan = std::make_shared<const Plan>(std::move(graph), inputs);
    if (options.check) {
      check(*plan, inputs);
      check(*plan, rolled(inputs));
    }
    return plan;
  }

  void check(const Plan& plan, const std::vector<Tensor>& inputs) {
    const NoGrad off;
    std::vector<Tensor> expected;
    try {
      expected = model(inputs);
    } catch (const Error&) {
      return;  // numbers that the model does not take tell nothing
    }
    const std::vector<Tensor> found = plan.run(inputs, memory);
    for (std::size_t k = 0; k < expected.size(); ++k)
      if (const double apart = distance(found[k], expected[k]); !(apart <= options.tolerance))
        throw ConfigError(text("compile: output ", k, " of the program is ", apart,
                               " of its largest number away from the model's: something in the model does not follow "
                               "from its inputs by weft's operations\n  help: compute with operations on tensors, not "
                               "with numbers taken out of them"));
  }

  void remember(const std::vector<Tensor>& inputs, std::shared_ptr<const Plan> plan) {
    const std::scoped_lock lock(mutex);
    plans.emplace_front(Signature(inputs), std::move(plan));
    while (plans.size() > static_cast<std::size_t>(std::max(1, options.plans))) plans.pop_back();
  }
};

Program compile(Function model, const std::vector<Tensor>& examples, const CompileOptions& options, Names names) {
  all_defined("compile", examples);
  auto state = std::make_shared<Program::State>();
  state->input_count = examples.size();
  state->model = std::move(model);
  state->options = options;
  state->names = std::move(names);
  try {
    state->example = state->make(examples);
    state->remember(examples, state->example);
  } catch (const ConfigError& e) {
    if (!options.or_eager) throw;
    state->eager = e.what();
  }
  return Program(std::move(state));
}

std::vector<Tensor> Program::run(const std::vector<Tensor>& inputs) const {
  if (inputs.size() != state_->input_count)
    throw ConfigError(text("run: ", inputs.size(), " inputs, the program takes ", state_->input_count));
  all_defined("run", inputs);
  if (!state_->eager.empty()) {
    const NoGrad off;
    return state_->model(inputs);
  }
  std::shared_ptr<const Plan> plan = state_->find(inputs);
  if (!plan) {
    const std::scoped_lock one(state_->making);
    plan = state_->find(inputs);  // another thread may have made it meanwhile
    if (!plan) {
      plan = state_->make(inputs);
      state_->remember(inputs, plan);
    }
  }
  return plan->run(inputs, state_->memory);
}

Tensor Program::operator()(const Tensor& x) const { return run({x}).front(); }

std::string Program::summary() const {
  return state_->example ? describe(state_->example->graph(), state_->example->memory())
                         : "runs eagerly: " + state_->eager + '\n';
}
std::string Program::dot() const { return state_->example ? draw(state_->example->graph()) : "digraph program {\n}\n"; }
std::size_t Program::steps() const { return state_->example ? state_->example->graph().steps.size() : 0; }
std::size_t Program::planned_bytes() const { return state_->example ? state_->example->memory().bytes : 0; }
const std::string& Program::eager_reason() const { return state_->eager; }
std::size_t Program::plans() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->plans.size();
}

}  // namespace weft::deploy
