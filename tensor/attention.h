#pragma once
#include <cstdint>

#include <weft/tensor/tensor.h>

/// softmax(scale q k^T + mask) v without ever holding all scores.
namespace weft::kernels {

struct Attention {
  Tensor mask{};  ///< broadcasts to (..., T, S): bool, or numbers to add; undefined: none
  bool causal = false;
  double scale = 1, dropout = 0;
  std::uint64_t seed = 0, offset = 0;  ///< dropout's numbers, one for each score in row-major order
};

/// q (..., T, E), k (..., S, E), v (..., S, V), one type (float32 or float64), equal axes in front, none of the sizes
/// 0; any strides. The axes of the result lie in memory in the order of q's. `logsums` (..., T) receives the logarithms
/// of the rows' sums of exponentials, infinite for a row that sees nothing (and is 0).
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& a, Tensor& logsums);

struct AttentionGradients {
  Tensor q, k, v;
};
/// y and logsums are what attention() gave. Only what is asked for is computed.
AttentionGradients attention_grad(const Tensor& dy, const Tensor& y, const Tensor& logsums, const Tensor& q,
                                  const Tensor& k, const Tensor& v, const Attention& a, bool needs_q, bool needs_kv);

}  // namespace weft::kernels
