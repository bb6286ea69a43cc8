#include <weft/deploy/graph.h>

#include <map>
#include <tuple>
#include <unordered_map>

#include <weft/autograd/grad.h>
#include <weft/layers/profile_work.h>
#include <weft/tensor/error.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/random.h>

namespace weft::deploy {
namespace {

AttributeValue kept(const Attribute& a) {
  switch (a.kind) {
    case Attribute::Kind::integer: return a.integer;
    case Attribute::Kind::real: return a.real;
    case Attribute::Kind::string: return std::string(a.string);
    case Attribute::Kind::list: break;
  }
  return *a.list;
}

[[noreturn]] void refuse(const std::string& what, const std::string& help) {
  throw ConfigError(text("compile: ", what, "\n  help: ", help));
}

class Recorder;
thread_local Recorder* recording = nullptr;

class Recorder final : public detail::Tracer {
 public:
  Recorder(Graph& graph, const Names& names) : graph_(graph) {
    for (const auto& [name, x] : names)
      if (x.defined()) names_.emplace(x.body().storage, name);
    outer_ = std::exchange(detail::autograd_state.tracer, this);
    outer_watch_ = std::exchange(detail::read_watch, &Recorder::read);
    outer_recording_ = std::exchange(recording, this);
    drawn_ = default_generator().offset;
  }
  ~Recorder() {
    detail::autograd_state.tracer = outer_;
    detail::read_watch = outer_watch_;
    recording = outer_recording_;
  }
  Recorder(const Recorder&) = delete;

  int input(const Tensor& x, std::string name) {
    const int value = graph_.add({x.shape(), x.dtype(), Tensor(), std::move(name), false});
    know(x, value);
    return value;
  }

  /// The value that a tensor is; a new constant where it did not come from the inputs.
  int value(const Tensor& x) {
    if (!x.defined()) return -1;
    if (const auto known = by_body_.find(&x.body()); known != by_body_.end()) return known->second;
    // Another handle to the same numbers, as detach() makes.
    if (const auto known = by_place_.find(place(x)); known != by_place_.end()) return known->second;
    const auto name = names_.find(x.body().storage);
    if (name == names_.end() && moving_.contains(x.body().storage))
      refuse(text("a tensor of shape ", x.shape(), " is a view of another that no operation made"),
             "use reshape, slice and the like instead of view_as");
    const bool known = name != names_.end();
    const int value = graph_.add_constant(x, known ? name->second : std::string(), known);
    know(x, value);
    return value;
  }

  void operation(const Call& call, const Inputs& inputs, std::span<const Tensor> outputs,
                 const detail::Computation& computation) override {
    if (outer_) outer_->operation(call, inputs, outputs, computation);
    Step step{.name = call.name};
    bool moving = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int in = value(inputs[i]);
      if (in >= 0) unchanged(in, inputs[i], call.name);
      moving |= !graph_.is_constant(in);
      step.inputs.push_back(in);
    }
    for (const Attribute& a : call.attributes) step.attributes.emplace_back(a.name, kept(a));
    check(step, moving);
    for (const Tensor& y : outputs) {
      const int out = graph_.add({y.shape(), y.dtype(), moving ? Tensor() : y, {}, false});
      know(y, out);
      step.outputs.push_back(out);
    }
    if (!moving) return;
    step.run = computation.keep();
    detail::BackwardWork backward;
    step.flops = detail::forward_work(detail::work_kind(call.name), inputs, outputs, backward).flops;
    graph_.steps.push_back(std::move(step));
  }

 private:
  using Place = std::tuple<const void*, const void*, std::vector<std::int64_t>, DType>;

  static Place place(const Tensor& x) {
    std::vector<std::int64_t> sizes(x.shape().begin(), x.shape().end());
    sizes.insert(sizes.end(), x.strides().begin(), x.strides().end());
    return {x.body().storage, x.body().data, std::move(sizes), x.dtype()};
  }

  void know(const Tensor& x, int value) {
    by_body_[&x.body()] = value;
    by_place_[place(x)] = value;
    if (!graph_.is_constant(value)) moving_.emplace(x.body().storage, x.body().storage->version);
    alive_.push_back(x);  // so that no later tensor gets its address
  }

  void unchanged(int value, const Tensor& x, const char* call) const {
    if (graph_.is_constant(value)) return;
    const auto seen = moving_.find(x.body().storage);
    if (seen != moving_.end() && seen->second != x.body().storage->version)
      refuse(text("an input of ", call, " was changed in place, which a program cannot repeat"),
             "compute a new tensor instead");
  }

  void check(const Step& step, bool moving) {
    const std::uint64_t drawn = default_generator().offset;
    if (drawn != drawn_) refuse(text("random numbers were drawn by or before ", step.name), "call eval(model) first");
    if (!moving) return;
    if (step.name == "nonzero")
      refuse("the model chooses elements by a mask (nonzero), so that shapes follow from numbers",
             "weigh with where(mask, x, 0) instead of choosing rows");
    if (step.name == "dropout" || (step.attribute("dropout") && step.real("dropout") > 0))
      refuse(text(step.name, " draws random numbers"), "call eval(model) first");
    if (step.name == "batch_norm" && step.integer("training"))
      refuse("batch_norm learns its statistics", "call eval(model) first");
  }

  /// Called wherever numbers leave a tensor; forwards run without a tracer and may do what they like.
  static void read(const Tensor& x) {
    const Recorder* self = recording;
    if (!self || detail::autograd_state.tracer != self) return;
    const auto known = self->by_body_.find(&x.body());
    if (known == self->by_body_.end() || self->graph_.is_constant(known->second)) return;
    const auto& steps = self->graph_.steps;
    refuse(
        text("the model reads numbers of a tensor of shape ", x.shape(), " (item() or to_vector()",
             steps.empty() ? "" : text(", after ", steps.back().name), "): what it does with them cannot be repeated"),
        "decide with where() instead, or keep the model eager (CompileOptions::or_eager)");
  }

  Graph& graph_;
  std::unordered_map<const Storage*, std::string> names_;
  std::unordered_map<const TensorBody*, int> by_body_;
  std::map<Place, int> by_place_;
  std::unordered_map<const Storage*, std::uint32_t> moving_;  ///< what depends on the inputs, and its version
  std::vector<Tensor> alive_;
  std::uint64_t drawn_ = 0;
  detail::Tracer* outer_ = nullptr;
  detail::ReadWatch outer_watch_ = nullptr;
  Recorder* outer_recording_ = nullptr;
};

}  // namespace

const AttributeValue* Step::attribute(const char* wanted) const {
  for (const auto& [key, value] : attributes)
    if (key == wanted) return &value;
  return nullptr;
}

namespace {
template <class T>
const T& typed(const Step& step, const char* wanted) {
  const AttributeValue* value = step.attribute(wanted);
  if (!value || !std::holds_alternative<T>(*value)) throw Error(text(step.name, ": it has no attribute ", wanted));
  return std::get<T>(*value);
}
}  // namespace

std::int64_t Step::integer(const char* wanted) const { return typed<std::int64_t>(*this, wanted); }
double Step::real(const char* wanted) const { return typed<double>(*this, wanted); }
const Dims& Step::dims(const char* wanted) const { return typed<Dims>(*this, wanted); }

Graph capture(const Function& model, std::span<const Tensor> inputs, const Names& names) {
  const NoGrad off;
  Graph graph;
  Recorder recorder(graph, names);
  std::vector<Tensor> arguments;
  for (const Tensor& x : inputs) {
    // A copy, so that an input that is also a parameter, or is passed twice, is told apart.
    arguments.push_back(kernels::copy(x));
    graph.inputs.push_back(recorder.input(arguments.back(), text("input ", arguments.size() - 1)));
  }
  for (const Tensor& y : model(arguments)) {
    if (!y.defined()) throw ConfigError("compile: the model returned an undefined tensor");
    graph.outputs.push_back(recorder.value(y));
  }
  return graph;
}

}  // namespace weft::deploy
