#include <algorithm>
#include <atomic>
#include <unordered_map>

#include <weft/autograd/autocast.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/tensor/convolution.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

using detail::node_of;

/// Nobody else can see this tensor and no two of its elements are one, so adding to it in place is safe.
bool exclusive(const Tensor& x) {
  const TensorBody& b = x.body();
  return b.refs.load(std::memory_order_relaxed) == 1 && b.storage->refs.load(std::memory_order_relaxed) == 1 &&
         !b.slot && (b.contiguous || kernels::is_channels_last(x));
}

void add_to(Tensor& sum, const Tensor& dy) {
  if (!sum.defined())
    sum = dy;
  else if (grad_enabled())
    sum = sum + dy;
  else if (exclusive(sum) && sum.dtype() == dy.dtype())
    kernels::accumulate(sum, dy);
  else
    sum = kernels::binary(kernels::Binary::add, sum, dy);
}

/// One walk over the tape.
class Run {
 public:
  explicit Run(const BackwardOptions& options)
      : options_(options), id_(next_id.fetch_add(1, std::memory_order_relaxed)) {}
  Run(const Run&) = delete;

  ~Run() {
    // After an exception gradients may still be on their way: drop them, give back what was borrowed.
    for (Node* node : heap_) {
      clear(*node);
      node->release();
    }
    for (Borrowed& b : borrowed_) {
      b.node->visit = b.visit;
      for (std::size_t k = 0; k < b.pending.size(); ++k) b.node->pending[k] = std::move(b.pending[k]);
      b.node->release();
    }
  }

  /// Collect the gradient of this tensor instead of adding it to a leaf.
  void want(const Tensor& x) {
    Node* node = node_of(x);
    wanted_[node].resize(node->outputs);
    lowest_ = std::min(lowest_, node->depth);
  }
  const Tensor& wanted(const Tensor& x) { return wanted_[node_of(x)][x.body().output_index]; }
  bool collecting = false, stop_at_wanted = false;

  void feed(Node* node, std::uint32_t output, const Tensor& dy) {
    if (node->is_leaf() && !node->hooks && !collecting) {
      collect(*static_cast<Leaf*>(node), dy);
      return;
    }
    // What lies no deeper than the lowest wanted tensor cannot lead to any.
    if (collecting && node->depth <= lowest_ && !wanted_.contains(node)) return;
    if (node->visit != id_) {
      if (node->visit != 0) borrow(*node);
      node->visit = id_;
      node->retain();
      heap_.push_back(node);
      std::push_heap(heap_.begin(), heap_.end(), shallower);
    }
    add_to(node->pending[output], dy);
  }

  void walk() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), shallower);
      Node* node = heap_.back();
      heap_.pop_back();
      struct Release {
        Node* node;
        ~Release() { node->release(); }
      } release{node};
      visit(*node);
    }
  }

 private:
  struct Borrowed {
    Node* node;
    std::uint64_t visit;
    std::vector<Tensor> pending;
  };

  static bool shallower(const Node* a, const Node* b) { return a->depth < b->depth; }

  /// An outer run (this one was started inside a rule or a hook) has gradients waiting here.
  void borrow(Node& node) {
    Borrowed b{&node, node.visit, {}};
    for (std::size_t k = 0; k < node.outputs; ++k) b.pending.push_back(std::exchange(node.pending[k], Tensor()));
    node.retain();
    borrowed_.push_back(std::move(b));
  }

  static void clear(Node& node) {
    for (std::size_t k = 0; k < node.outputs; ++k) node.pending[k] = Tensor();
    node.visit = 0;
  }

  void collect(Leaf& leaf, const Tensor& dy) {
    if (!leaf.gradient.defined()) {
      // The rule may have handed the same tensor to several inputs: keep a copy unless it is ours alone.
      leaf.gradient = grad_enabled() || (exclusive(dy) && dy.is_contiguous()) ? dy : kernels::copy(dy);
    } else if (grad_enabled()) {
      leaf.gradient = leaf.gradient + dy;
    } else if (leaf.gradient.requires_grad() || leaf.gradient.dtype() != dy.dtype()) {
      leaf.gradient = kernels::binary(kernels::Binary::add, leaf.gradient, dy);
    } else {
      kernels::accumulate(leaf.gradient, dy);
      ++leaf.gradient.body().storage->version;
    }
  }

  void visit(Node& node) {
    node.visit = 0;
    constexpr std::size_t few = 8;
    Tensor few_dys[few], few_dxs[few];
    std::vector<Tensor> many_dys, many_dxs;
    Tensor* dys = few_dys;
    if (node.outputs > few) {
      many_dys.resize(node.outputs);
      dys = many_dys.data();
    }
    for (std::size_t k = 0; k < node.outputs; ++k) dys[k] = std::move(node.pending[k]);

    if (node.hooks) [[unlikely]]
      call_hooks(node, dys);
    if (collecting) {
      const auto w = wanted_.find(&node);
      if (w != wanted_.end())
        for (std::size_t k = 0; k < node.outputs; ++k)
          if (dys[k].defined()) w->second[k] = dys[k];
      if (w != wanted_.end() && stop_at_wanted) return;
    }
    if (node.is_leaf()) {
      if (!collecting) collect(static_cast<Leaf&>(node), dys[0]);
      return;
    }
    if (node.freed)
      throw GradError(text(node.name,
                           ": its saved tensors were freed by an earlier backward\n  help: pass retain_graph = true"
                           " to the first one"));
    Tensor* dxs = few_dxs;
    if (node.inputs > few) {
      many_dxs.resize(node.inputs);
      dxs = many_dxs.data();
    }
    if (detail::Tracer* tracer = detail::autograd_state.tracer) [[unlikely]]
      tracer->rule(node, dys, dxs);
    else
      node.run(node, dys, dxs);
    const bool keep = options_.retain_graph || options_.create_graph;
    for (std::size_t i = 0; i < node.inputs; ++i) {
      const Edge edge = node.edges[i];
      if (!edge.node || !dxs[i].defined()) continue;
      feed(edge.node, edge.output, std::exchange(dxs[i], Tensor()));
    }
    if (!keep) detail::free_node(node);
  }

  void call_hooks(Node& node, Tensor* dys) {
    const std::vector<Hooks::Entry> entries = node.hooks->entries;  // a hook may add or remove hooks
    for (const Hooks::Entry& e : entries) {
      if (!dys[e.output].defined()) continue;
      Tensor replaced = e.call(dys[e.output]);
      if (!replaced.defined()) continue;
      if (!(replaced.shape() == dys[e.output].shape()))
        throw ShapeError(
            text("hook: the gradient is ", dys[e.output].shape(), ", the hook returned ", replaced.shape()));
      dys[e.output] = std::move(replaced);
    }
    for (std::size_t k = 0; k < node.hooks->retain.size(); ++k)
      if (node.hooks->retain[k] && dys[k].defined()) add_to(node.hooks->retained[k], dys[k]);
  }

  BackwardOptions options_;
  std::uint64_t id_;
  std::vector<Node*> heap_;
  std::vector<Borrowed> borrowed_;
  std::unordered_map<Node*, std::vector<Tensor>> wanted_;
  std::uint32_t lowest_ = ~0U;
  static inline std::atomic<std::uint64_t> next_id{1};
};

void start(const char* op, Run& run, std::span<const Tensor> outputs, std::span<const Tensor> output_gradients) {
  if (!output_gradients.empty() && output_gradients.size() != outputs.size())
    throw GradError(text(op, ": ", outputs.size(), " outputs but ", output_gradients.size(), " gradients"));
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Tensor& y = outputs[k];
    Tensor dy = output_gradients.empty() ? Tensor() : output_gradients[k];
    if (!y.requires_grad())
      throw GradError(
          text(op, ": output ", k, " of shape ", y.shape(),
               " has no history\n  help: call set_requires_grad() on an input before computing, outside NoGrad"));
    if (!dy.defined()) {
      if (y.numel() != 1)
        throw GradError(text(op, ": the output has ", y.numel(), " elements, shape ", y.shape(),
                             "\n  help: reduce it with sum(y) or mean(y), or pass its gradient"));
      dy = ones(y.shape(), y.dtype());
    } else if (!(dy.shape() == y.shape())) {
      throw ShapeError(text(op, ": the output is ", y.shape(), ", its gradient ", dy.shape()));
    } else if (dy.dtype() != y.dtype()) {
      throw DtypeError(text(op, ": the output is ", y.dtype(), ", its gradient ", dy.dtype()));
    }
    run.feed(node_of(y), y.body().output_index, dy);
  }
}

class Mode {
 public:
  explicit Mode(bool on) : before_(detail::autograd_state.grad_enabled) { detail::autograd_state.grad_enabled = on; }
  ~Mode() { detail::autograd_state.grad_enabled = before_; }
  Mode(const Mode&) = delete;

 private:
  bool before_;
  const detail::CastAs full_{kernels::Precision::full};  // a rule whose forward was not says so
};

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> output_gradients,
              const BackwardOptions& options) {
  const Mode mode(options.create_graph);
  Run run(options);
  start("backward", run, outputs, output_gradients);
  run.walk();
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  const Mode mode(options.create_graph);
  Run run({options.retain_graph, options.create_graph});
  run.collecting = true;
  run.stop_at_wanted = options.stop_at_inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad())
      throw GradError(text("grad: input ", i, " of shape ", inputs[i].shape(),
                           " does not require a gradient\n  help: call set_requires_grad() on it before computing"));
    run.want(inputs[i]);
  }
  start("grad", run, outputs, options.output_gradients);
  run.walk();
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    results.push_back(run.wanted(inputs[i]));
    if (!results.back().defined() && !options.allow_unused)
      throw GradError(text("grad: the outputs do not depend on input ", i, " of shape ", inputs[i].shape(),
                           "\n  help: pass allow_unused = true to get an undefined tensor for it"));
  }
  return results;
}

namespace {
Hooks& hooks_of(const char* op, const Tensor& x) {
  Node* node = node_of(x);
  if (!node) throw GradError(text(op, ": the tensor of shape ", x.shape(), " does not require a gradient"));
  if (!node->hooks) node->hooks = new Hooks;
  return *node->hooks;
}
}  // namespace

std::uint64_t add_hook(const Tensor& x, std::function<Tensor(const Tensor&)> hook) {
  static std::atomic<std::uint64_t> next{1};
  Hooks& hooks = hooks_of("add_hook", x);
  const std::uint64_t id = next++;
  hooks.entries.push_back({id, x.body().output_index, std::move(hook)});
  return id;
}

void remove_hook(const Tensor& x, std::uint64_t id) {
  std::erase_if(hooks_of("remove_hook", x).entries, [id](const Hooks::Entry& e) { return e.id == id; });
}

void retain_grad(const Tensor& x) {
  Hooks& hooks = hooks_of("retain_grad", x);
  const Node* node = node_of(x);
  if (node->is_leaf()) return;
  hooks.retain.resize(node->outputs);
  hooks.retained.resize(node->outputs);
  hooks.retain[x.body().output_index] = true;
}

}  // namespace weft
