#pragma once
#include <span>
#include <vector>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/shape.h>

/// For operations whose gradient rule is a kernel. Not for users.
namespace weft::detail {

/// The gradients of a call that saved its `count` inputs, to be differentiated again: those of f(inputs), the same
/// function made of operations. dys may be undefined.
template <class F>
std::vector<Tensor> composed_gradients(const Saved& saved, int count, std::span<const Tensor> dys, F&& f) {
  const EnableGrad on;
  std::vector<Tensor> inputs, wanted, outputs, weights, gradients(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    // One tensor may stand in several places, each of which has a gradient of its own.
    inputs.push_back(saved.needs(i) ? copy(saved.input(i)) : saved.input(i));
    if (saved.needs(i)) wanted.push_back(inputs.back());
  }
  const std::vector<Tensor> ys = f(inputs);
  for (std::size_t k = 0; k < ys.size(); ++k)
    if (dys[k].defined() && ys[k].requires_grad()) {
      outputs.push_back(ys[k]);
      weights.push_back(dys[k]);
    }
  if (outputs.empty()) return gradients;
  const std::vector<Tensor> found =
      grad(outputs, wanted,
           {.output_gradients = weights, .create_graph = true, .allow_unused = true, .stop_at_inputs = true});
  for (std::size_t i = 0, next = 0; i < gradients.size(); ++i)
    if (saved.needs(static_cast<int>(i))) gradients[i] = found[next++];
  return gradients;
}

}  // namespace weft::detail
