#pragma once
#include <functional>
#include <vector>

#include <weft/tensor/tensor.h>

namespace weft {

/// f(xs), keeping only xs for backward, which runs f once more: memory for time (Chen et al. 2016). Gradients reach xs
/// and every tensor that f captures, second derivatives work, and random operations draw the same numbers again from
/// the thread's default generator. f must give the same result each time it is called with the same tensors.
std::vector<Tensor> checkpoint(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
                               const std::vector<Tensor>& xs);
Tensor checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

}  // namespace weft
