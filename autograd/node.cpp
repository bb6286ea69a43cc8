#include <weft/autograd/node.h>

#include <bit>
#include <new>

#include <weft/autograd/grad.h>
#include <weft/autograd/record.h>
#include <weft/tensor/create.h>
#include <weft/tensor/pool.h>

namespace weft {
namespace detail {

constinit thread_local AutogradState autograd_state{};

namespace {

template <class T>
void destroy_each(T* items, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) items[i].~T();
}

/// Tapes are as deep as the user's loop is long, so they are taken down by a work list, never by
/// destructors that call each other.
void drop_node(GradSlot* slot) {
  Node* node = static_cast<Node*>(slot);
  AutogradState& state = autograd_state;
  node->next_doomed = state.doomed;
  state.doomed = node;
  if (state.draining) return;
  state.draining = true;
  while ((node = state.doomed)) {
    state.doomed = node->next_doomed;
    if (node->is_leaf()) {
      delete node->hooks;
      static_cast<Leaf*>(node)->~Leaf();
      pool::deallocate(node, sizeof(Leaf));
      continue;
    }
    if (!node->freed) free_node(*node);
    destroy_each(node->pending, node->outputs);
    delete node->hooks;
    const std::size_t bytes = node->bytes;
    node->~Node();
    pool::deallocate(node, bytes);
  }
  state.draining = false;
}

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 15) & ~std::size_t{15}; }

}  // namespace

void free_node(Node& node) noexcept {
  node.freed = true;
  destroy_each(node.saved, node.saved_count);
  if (node.destroy_rule) node.destroy_rule(node.rule);
  for (std::size_t i = 0; i < node.inputs; ++i)
    if (Node* below = node.edges[i].node) {
      node.edges[i].node = nullptr;
      below->release();
    }
}

Node* make_leaf() {
  auto* leaf = new (pool::allocate(sizeof(Leaf))) Leaf;
  leaf->drop = drop_node;
  leaf->name = "leaf";
  leaf->outputs = 1;
  leaf->pending = &leaf->slot_for_pending;
  return leaf;
}

Node* make_node(const Call& call, const Inputs& inputs, std::span<Tensor> outputs, std::span<const Tensor> kept,
                std::size_t rule_bytes, Node::Run run, void (*destroy_rule)(void*)) {
  bool differentiable = false;
  for (const Tensor& y : outputs) differentiable |= y.defined() && is_floating(y.dtype());
  if (!differentiable) return nullptr;

  const std::size_t n = inputs.size();
  const std::uint32_t mask = call.saves.inputs;
  const bool all = mask == ~0U;
  const std::size_t saved_inputs = all ? n : mask == 0 ? 0 : static_cast<std::size_t>(std::popcount(mask));
  const std::size_t saved_outputs = call.saves.outputs ? outputs.size() : 0;
  const std::size_t saved_count = saved_inputs + saved_outputs + kept.size();
  if (n > 0xffff || saved_count > 0xffff) throw Error(text(call.name, ": ", n, " inputs are too many for one call"));

  const std::size_t rule_at = aligned(sizeof(Node)), edges_at = rule_at + aligned(rule_bytes),
                    saved_at = edges_at + n * sizeof(Edge), pending_at = saved_at + saved_count * sizeof(SavedTensor),
                    bytes = pending_at + outputs.size() * sizeof(Tensor);
  char* block = static_cast<char*>(pool::allocate(bytes));
  Node* node = new (block) Node;
  node->drop = drop_node;
  node->name = call.name;
  node->run = run;
  node->destroy_rule = destroy_rule;
  node->rule = block + rule_at;
  node->edges = reinterpret_cast<Edge*>(block + edges_at);
  node->saved = reinterpret_cast<SavedTensor*>(block + saved_at);
  node->pending = reinterpret_cast<Tensor*>(block + pending_at);
  node->bytes = static_cast<std::uint32_t>(bytes);
  node->saved_inputs = mask;
  node->inputs = static_cast<std::uint16_t>(n);
  node->outputs = static_cast<std::uint16_t>(outputs.size());
  node->saved_count = static_cast<std::uint16_t>(saved_count);
  node->first_output = static_cast<std::uint16_t>(saved_inputs);
  node->first_kept = static_cast<std::uint16_t>(saved_inputs + saved_outputs);

  std::uint32_t depth = 0;
  for (std::size_t i = 0; i < n; ++i) {
    Edge* edge = new (node->edges + i) Edge;
    if (Node* below = node_of(inputs[i])) {
      below->retain();
      edge->node = below;
      edge->output = inputs[i].body().output_index;
      if (below->depth >= depth) depth = below->depth + 1;
    }
  }
  node->depth = depth;

  SavedTensor* saved = node->saved;
  const auto save = [&saved](Tensor x) {
    const std::uint32_t version = x.defined() ? x.body().storage->version : 0;
    new (saved++) SavedTensor{std::move(x), version};
  };
  if (saved_inputs > 0)
    for (std::size_t i = 0; i < n; ++i)
      if (all || (i < 32 && (mask >> i & 1U))) save(inputs[i]);

  std::uint32_t owners = 0;  // the tensors that this call made; nobody else sees the node before this ends
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    new (node->pending + k) Tensor;
    Tensor& y = outputs[k];
    // A forward that hands back its own input must not give that input this history.
    if (y.defined() && (y.body().slot || y.body().refs.load(std::memory_order_relaxed) != 1)) y = detach(y);
    if (saved_outputs) save(y.defined() ? detach(y) : Tensor());  // without history: no cycle
    if (!y.defined() || !is_floating(y.dtype())) continue;
    ++owners;
    y.body().slot = node;
    y.body().output_index = static_cast<std::uint16_t>(k);
  }
  for (const Tensor& x : kept) save(x);
  node->refs.store(owners, std::memory_order_relaxed);
  return node;
}

}  // namespace detail

const Tensor& Saved::checked(std::size_t at, const char* what, int place) const {
  const SavedTensor& s = node_.saved[at];
  if (s.value.defined() && s.value.body().storage->version != s.version)
    throw GradError(text(node_.name, ": ", what, " ", place,
                         " was changed in place after it was saved for backward (version ", s.version, " then, ",
                         s.value.body().storage->version, " now)\n  help: change a copy, or change it after backward"));
  return s.value;
}

const Tensor& Saved::input(int place) const {
  const auto i = static_cast<unsigned>(place);
  const std::uint32_t mask = node_.saved_inputs;
  const std::size_t at = mask == ~0U ? i : static_cast<std::size_t>(std::popcount(mask & ((1U << i) - 1U)));
  if (place < 0 || i >= node_.inputs || (mask != ~0U && !(mask >> i & 1U)))
    throw GradError(text(node_.name, ": its rule asks for input ", place, ", which the call does not save"));
  return checked(at, "input", place);
}

const Tensor& Saved::output(int place) const {
  const std::size_t at = node_.first_output + static_cast<std::size_t>(place);
  if (place < 0 || at >= node_.first_kept)
    throw GradError(text(node_.name, ": its rule asks for output ", place, ", which the call does not save"));
  const Tensor& plain = checked(at, "output", place);
  if (!grad_enabled() || !is_floating(plain.dtype()) || static_cast<std::size_t>(place) >= connected_.size())
    return plain;
  Tensor& y = connected_[static_cast<std::size_t>(place)];
  if (!y.defined()) {
    y = detach(plain);
    Node& node = const_cast<Node&>(node_);
    node.retain();
    y.body().slot = &node;
    y.body().output_index = static_cast<std::uint16_t>(place);
  }
  return y;
}

const Tensor& Saved::kept(int place) const {
  const std::size_t at = node_.first_kept + static_cast<std::size_t>(place);
  if (place < 0 || at >= node_.saved_count)
    throw GradError(
        text(node_.name, ": its rule asks for extra ", place, ", of ", node_.saved_count - node_.first_kept));
  return checked(at, "extra", place);
}

// ---- the members of Tensor that concern gradients

Tensor& Tensor::set_requires_grad(bool on) {
  TensorBody& b = body();
  Node* node = static_cast<Node*>(b.slot);
  if (node && !node->is_leaf()) {
    if (on) return *this;
    throw GradError(text("set_requires_grad: the tensor is a result of ", node->name,
                         "\n  help: use detach(x) to get it without history"));
  }
  if (on && !node) {
    if (!is_floating(b.dtype))
      throw DtypeError(text("set_requires_grad: ", b.dtype, " has no gradient\n  help: use float32 or float64"));
    b.slot = detail::make_leaf();
    b.output_index = 0;
  } else if (!on && node) {
    b.slot = nullptr;
    node->release();
  }
  return *this;
}

Tensor Tensor::grad() const {
  const TensorBody& b = body();
  const Node* node = static_cast<Node*>(b.slot);
  if (!node) return {};
  if (node->is_leaf()) return static_cast<const Leaf*>(node)->gradient;
  if (node->hooks && b.output_index < node->hooks->retained.size()) return node->hooks->retained[b.output_index];
  return {};
}

void Tensor::set_grad(const Tensor& gradient) {
  Node* node = static_cast<Node*>(body().slot);
  if (!node || !node->is_leaf())
    throw GradError(
        "set_grad: the tensor is not a leaf that requires a gradient\n  help: call set_requires_grad() first");
  if (gradient.defined() && !(gradient.shape() == shape()))
    throw ShapeError(text("set_grad: the gradient is ", gradient.shape(), ", the tensor ", shape()));
  static_cast<Leaf*>(node)->gradient = gradient;
}

void Tensor::backward(const Tensor& gradient) const { weft::backward({this, 1}, {&gradient, 1}); }

}  // namespace weft
