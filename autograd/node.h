#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <weft/tensor/tensor.h>

/// The tape: what record() builds and backward() walks. Users of weft need grad.h; writers of
/// operations need record.h; this header is what the two share.
namespace weft {

struct Node;

/// From a node to the one that made its input; no node where the input needs no gradient.
struct Edge {
  Node* node = nullptr;
  std::uint32_t output = 0;
};

/// A tensor kept for the gradient rule, with the version its storage had then.
struct SavedTensor {
  Tensor value;
  std::uint32_t version = 0;
};

/// One recorded operation, or a leaf (no edges, `run` is null).
///
/// A node lives in one block: this header, the gradient rule, the edges, the saved tensors, the
/// gradients on their way. It is counted as a GradSlot by the tensors it made and by the nodes
/// that use them.
struct Node : GradSlot {
  /// Turns the gradients of the outputs (undefined where none arrived) into those of the inputs.
  using Run = void (*)(Node& node, const Tensor* dys, Tensor* dxs);

  const char* name = "";
  Run run = nullptr;
  void (*destroy_rule)(void* rule) = nullptr;
  void* rule = nullptr;
  Edge* edges = nullptr;
  SavedTensor* saved = nullptr;
  Tensor* pending = nullptr;  ///< one per output: the gradient collected so far in this run
  std::uint64_t visit = 0;    ///< the backward run that `pending` belongs to; 0: none
  Node* next_doomed = nullptr;
  struct Hooks* hooks = nullptr;
  /// Longer than every path to a leaf: each consumer is deeper than what it consumes, so walking
  /// by decreasing depth sees a node only after all its gradients have arrived.
  std::uint32_t depth = 0;
  std::uint32_t bytes = 0;
  std::uint32_t saved_inputs = 0;  ///< bit i: input i is saved (all bits: all inputs)
  std::uint16_t inputs = 0;
  std::uint16_t outputs = 0;
  std::uint16_t saved_count = 0;
  std::uint16_t first_output = 0;  ///< where saved outputs begin in `saved`
  std::uint16_t first_kept = 0;    ///< where kept extras begin
  bool freed = false;              ///< saved tensors and edges are gone: backward ran already
  bool is_leaf() const noexcept { return run == nullptr; }
};

/// A tensor that was made, not computed, and whose gradient is collected.
struct Leaf : Node {
  Tensor gradient;
  Tensor slot_for_pending;
};

/// Functions called when the gradient of an output is complete.
struct Hooks {
  struct Entry {
    std::uint64_t id;
    std::uint32_t output;
    std::function<Tensor(const Tensor&)> call;
  };
  std::vector<Entry> entries;
  std::vector<Tensor> retained;  ///< per output, what retain_grad() asked for
  std::vector<bool> retain;      ///< per output
};

namespace detail {

/// What a thread knows about recording. Trivial, so that reading it costs one load.
struct AutogradState {
  bool grad_enabled = true;
  bool draining = false;   ///< a tape is being destroyed
  Node* doomed = nullptr;  ///< nodes waiting for it
  class Tracer* tracer = nullptr;
};
extern constinit thread_local AutogradState autograd_state;

Node* make_leaf();
/// Drops edges and saved tensors; `freed` is set.
void free_node(Node& node) noexcept;
inline Node* node_of(const Tensor& x) noexcept {
  const TensorBody* body = x.body_or_null();
  return body ? static_cast<Node*>(body->slot) : nullptr;
}

}  // namespace detail
}  // namespace weft
