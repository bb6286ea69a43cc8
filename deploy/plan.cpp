#include <weft/deploy/plan.h>

#include <algorithm>

#include <weft/autograd/grad.h>
#include <weft/tensor/error.h>
#include <weft/tensor/kernels.h>

namespace weft::deploy {

struct Plan::Frame {
  explicit Frame(const Graph& graph) : values(graph.values.size()) {}
  std::vector<Tensor> values;
  std::vector<Inputs::Reference> references;
};

Plan::Plan(Graph graph, const std::vector<Tensor>& inputs) : graph_(std::move(graph)) {
  std::vector<std::size_t> last(graph_.values.size(), graph_.steps.size());
  std::vector<bool> kept(graph_.values.size());
  for (const int v : graph_.outputs) kept[static_cast<std::size_t>(v)] = true;
  for (const Step& step : graph_.steps) steps_.push_back({&step, {}});
  for (std::size_t i = 0; i < graph_.steps.size(); ++i) {
    for (const int v : graph_.steps[i].outputs) last[static_cast<std::size_t>(v)] = i;  // where nobody reads it
    for (const int v : graph_.steps[i].inputs)
      if (v >= 0) last[static_cast<std::size_t>(v)] = i;
  }
  for (std::size_t v = 0; v < last.size(); ++v)
    if (last[v] < steps_.size() && !kept[v] && !graph_.values[v].constant.defined())
      steps_[last[v]].frees.push_back(static_cast<int>(v));
  for (const Value& v : graph_.values)
    if (v.constant.defined() && !v.name.empty())
      versions_.emplace_back(v.constant.body().storage, v.constant.body().storage->version);

  // The first run makes what later ones keep (arranged weights, primitives); the second shows what each allocates.
  Frame frame(graph_);
  execute(inputs, frame);
  std::fill(frame.values.begin(), frame.values.end(), Tensor());
  MemoryWatch watch;
  const std::vector<Tensor> results = execute(inputs, frame);
  std::fill(frame.values.begin(), frame.values.end(), Tensor());
  memory_ = watch.plan();
}

Plan::~Plan() = default;

std::vector<Tensor> Plan::execute(const std::vector<Tensor>& inputs, Frame& frame) const {
  std::vector<Tensor>& values = frame.values;
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) values[static_cast<std::size_t>(graph_.inputs[i])] = inputs[i];
  static const Tensor none;
  for (const auto& [step, frees] : steps_) {
    frame.references.clear();
    for (const int v : step->inputs) {
      const auto at = static_cast<std::size_t>(v);
      frame.references.emplace_back(v < 0                                  ? none
                                    : graph_.values[at].constant.defined() ? graph_.values[at].constant
                                                                           : values[at]);
    }
    step->run(Inputs(std::span<const Inputs::Reference>(frame.references)),
              std::span(values).subspan(static_cast<std::size_t>(step->outputs[0]), step->outputs.size()));
    for (const int v : frees) values[static_cast<std::size_t>(v)] = Tensor();
  }
  std::vector<Tensor> results;
  results.reserve(graph_.outputs.size());
  for (const int v : graph_.outputs) {
    const Value& value = graph_[v];
    // A constant is handed out as a copy: it may be written to.
    results.push_back(value.constant.defined() ? kernels::copy(value.constant) : values[static_cast<std::size_t>(v)]);
  }
  return results;
}

std::unique_ptr<Plan::Frame> Plan::take() const {
  {
    const std::scoped_lock lock(mutex_);
    if (!frames_.empty()) {
      auto frame = std::move(frames_.back());
      frames_.pop_back();
      return frame;
    }
  }
  return std::make_unique<Frame>(graph_);
}

void Plan::give(std::unique_ptr<Frame> frame) const {
  const std::scoped_lock lock(mutex_);
  frames_.push_back(std::move(frame));
}

std::vector<Tensor> Plan::run(const std::vector<Tensor>& inputs, MemoryPool& memory) const {
  for (const auto& [storage, version] : versions_)
    if (storage->version != version)
      throw Error("run: a parameter of the compiled model has changed since\n  help: compile the model again");
  // Both come back when the run ends, also by an exception.
  struct Borrowed {
    const Plan& plan;
    MemoryPool& memory;
    std::unique_ptr<Frame> frame;
    std::unique_ptr<MemoryBlock> block;
    ~Borrowed() {
      for (Tensor& v : frame->values) v = Tensor();
      plan.give(std::move(frame));
      memory.give(std::move(block));
    }
  } borrowed{*this, memory, take(), memory.take(memory_.bytes)};
  const NoGrad off;
  const MemoryUse use(memory_, *borrowed.block);
  return execute(inputs, *borrowed.frame);
}

}  // namespace weft::deploy
