#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <weft/autograd/record.h>

/// Automatic differentiation for users: backward, grad, no_grad, hooks.
namespace weft {

/// While it lives, this thread records nothing: `NoGrad off;`.
class [[nodiscard]] NoGrad {
 public:
  NoGrad() noexcept : before_(detail::autograd_state.grad_enabled) { detail::autograd_state.grad_enabled = false; }
  ~NoGrad() { detail::autograd_state.grad_enabled = before_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// While it lives, this thread records, even inside a NoGrad.
class [[nodiscard]] EnableGrad {
 public:
  EnableGrad() noexcept : before_(detail::autograd_state.grad_enabled) { detail::autograd_state.grad_enabled = true; }
  ~EnableGrad() { detail::autograd_state.grad_enabled = before_; }
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

struct BackwardOptions {
  bool retain_graph = false;  ///< keep the tape for another backward
  bool create_graph = false;  ///< record the gradients themselves (implies retain_graph)
};

/// Adds to the grad() of every leaf the derivative of sum_k <outputs[k], gradients[k]>. An undefined
/// gradient stands for ones and needs an output of one element. Throws GradError for outputs
/// without history, a freed tape, or something saved that was changed in place.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> output_gradients = {},
              const BackwardOptions& options = {});

struct GradOptions {
  std::vector<Tensor> output_gradients{};  ///< as in backward(); empty: ones
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;    ///< give an undefined tensor for an input the outputs do not depend on
  bool stop_at_inputs = false;  ///< take inputs for leaves: what they were computed from does not count
};

/// The derivatives of sum_k <outputs[k], output_gradients[k]> with respect to `inputs`, which may be
/// leaves or intermediate results; grad() of no tensor is touched. Throws GradError as backward()
/// does, and for an input that is not used unless allow_unused.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options = {});

/// Calls `hook` with the gradient of x once it is complete, in each backward; what it returns (if
/// defined) replaces the gradient. Returns an id for remove_hook. Throws GradError for a tensor without history.
std::uint64_t add_hook(const Tensor& x, std::function<Tensor(const Tensor&)> hook);
void remove_hook(const Tensor& x, std::uint64_t id);

/// Asks that grad() of an intermediate result be kept as well.
void retain_grad(const Tensor& x);

}  // namespace weft
