#pragma once
#include <weft/tensor/onednn/primitives.h>
#include <weft/tensor/packed.h>

namespace weft::kernels::onednn {

/// activation(y + residual), done by a primitive to its result y.
inline dnnl::post_ops post_operations(const dnnl::memory::desc* residual, Activation activation) {
  dnnl::post_ops after;
  if (residual) after.append_binary(dnnl::algorithm::binary_add, *residual);
  const auto eltwise = [&](dnnl::algorithm a, float alpha = 0) { after.append_eltwise(1, a, alpha, 0); };
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: eltwise(dnnl::algorithm::eltwise_relu); break;
    case Activation::gelu: eltwise(dnnl::algorithm::eltwise_gelu_erf); break;
    case Activation::gelu_tanh: eltwise(dnnl::algorithm::eltwise_gelu_tanh); break;
    case Activation::silu: eltwise(dnnl::algorithm::eltwise_swish, 1); break;
    case Activation::tanh: eltwise(dnnl::algorithm::eltwise_tanh); break;
    case Activation::sigmoid: eltwise(dnnl::algorithm::eltwise_logistic); break;
  }
  return after;
}

}  // namespace weft::kernels::onednn
