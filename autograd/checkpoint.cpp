#include <weft/autograd/checkpoint.h>

#include <memory>
#include <unordered_set>

#include <weft/autograd/autocast.h>
#include <weft/autograd/grad.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

namespace weft {
namespace {

using Body = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// Finds the tensors with history that come from outside of f: its captures.
class Captures final : public detail::Tracer {
 public:
  explicit Captures(const std::vector<Tensor>& xs) : outer_(std::exchange(detail::autograd_state.tracer, this)) {
    for (const Tensor& x : xs) {
      if (!x.defined()) continue;
      known_.insert(detail::node_of(x));
      storages_.insert(x.body().storage);
    }
  }
  ~Captures() { detail::autograd_state.tracer = outer_; }
  Captures(const Captures&) = delete;

  void begin(const Call& call) override {
    if (outer_) outer_->begin(call);
  }
  void operation(const Call& call, const Inputs& inputs, std::span<const Tensor> outputs,
                 const detail::Computation& computation) override {
    if (outer_) outer_->operation(call, inputs, outputs, computation);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Node* node = detail::node_of(inputs[i]);
      if (!node || !known_.insert(node).second) continue;
      // A leaf that f made of its own argument, to differentiate inside.
      if (node->is_leaf() && storages_.contains(inputs[i].body().storage)) continue;
      found.push_back(inputs[i]);
    }
    for (const Tensor& y : outputs)
      if (Node* node = detail::node_of(y)) {
        known_.insert(node);
        alive_.push_back(y);  // so that no later node gets its address
      }
  }

  std::vector<Tensor> found;

 private:
  detail::Tracer* outer_;
  std::unordered_set<Node*> known_;
  std::unordered_set<const void*> storages_;
  std::vector<Tensor> alive_;
};

/// While it lives, the default generator stands at an earlier place.
class Replay {
 public:
  explicit Replay(const Generator& at) : after_(std::exchange(default_generator(), at)) {}
  ~Replay() { default_generator() = after_; }
  Replay(const Replay&) = delete;

 private:
  Generator after_;
};

std::vector<Tensor> run(const Body& f, const std::vector<Tensor>& xs);

/// The gradients of f(xs), found by running f again: a function like any other, which may be checkpointed itself.
std::vector<Tensor> differentiate(const Body& f, const Generator& at, const std::vector<Tensor>& xs,
                                  const std::vector<Tensor>& captures, std::span<const Tensor> dys, bool create_graph) {
  const EnableGrad on;
  std::vector<Tensor> all, wanted;
  for (const Tensor& x : xs) {
    const bool fresh = x.defined() && !x.requires_grad() && is_floating(x.dtype());
    all.push_back(fresh ? detach(x).set_requires_grad() : x);
    if (all.back().requires_grad()) wanted.push_back(all.back());
  }
  wanted.insert(wanted.end(), captures.begin(), captures.end());
  std::vector<Tensor> ys, from, weights;
  {
    const Replay replay(at);
    ys = f(all);
  }
  for (std::size_t k = 0; k < ys.size(); ++k)
    if (ys[k].requires_grad() && dys[k].defined()) {
      from.push_back(ys[k]);
      weights.push_back(dys[k]);
    }
  std::vector<Tensor> found(wanted.size());
  if (!from.empty() && !wanted.empty())
    found =
        grad(from, wanted,
             {.output_gradients = weights, .create_graph = create_graph, .allow_unused = true, .stop_at_inputs = true});
  std::vector<Tensor> dxs;
  std::size_t next = 0;
  for (const Tensor& x : all) dxs.push_back(x.requires_grad() ? found[next++] : Tensor());
  for (; next < found.size(); ++next) dxs.push_back(found[next]);
  return dxs;
}

std::vector<Tensor> run(const Body& f, const std::vector<Tensor>& xs) {
  const Generator at = default_generator();
  std::vector<Tensor> ys, captures;
  {
    const NoGrad off;
    std::vector<Tensor> plain;
    for (const Tensor& x : xs) plain.push_back(x.defined() ? detach(x) : x);
    Captures tracer(xs);
    ys = f(plain);
    captures = std::move(tracer.found);
  }
  std::vector<Tensor> inputs = xs;
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  return record(
      {"checkpoint", {}, saves::inputs}, inputs, [&](const Inputs&) { return ys; },
      [f, at, count = xs.size(), captured = captures.size(), precision = detail::autocast_precision](
          const Saved& s, std::span<const Tensor> dys) {
        const detail::CastAs as_forward(precision);
        std::vector<Tensor> again, outside;
        for (std::size_t i = 0; i < count; ++i) again.push_back(s.input(static_cast<int>(i)));
        for (std::size_t i = 0; i < captured; ++i) outside.push_back(s.input(static_cast<int>(count + i)));
        if (!grad_enabled()) {
          for (Tensor& x : again)
            if (x.defined()) x = detach(x);
          return differentiate(f, at, again, outside, dys, false);
        }
        // Differentiable: the gradient is itself a checkpointed function of xs and the outputs' gradients.
        std::vector<Tensor> arguments = again;
        arguments.insert(arguments.end(), dys.begin(), dys.end());
        return run(
            [f, at, count, outside](const std::vector<Tensor>& all) {
              const std::vector<Tensor> first(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)),
                  second(all.begin() + static_cast<std::ptrdiff_t>(count), all.end());
              return differentiate(f, at, first, outside, second, true);
            },
            arguments);
      });
}

}  // namespace

std::vector<Tensor> checkpoint(const Body& f, const std::vector<Tensor>& xs) {
  if (!grad_enabled()) return f(xs);
  return run(f, xs);
}

Tensor checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  return checkpoint([f](const std::vector<Tensor>& xs) { return std::vector<Tensor>{f(xs[0])}; }, {x})[0];
}

}  // namespace weft
