#pragma once
#include <weft/tensor/tensor.h>

namespace weft {

/// Matrix product: (..., n, k) times (..., k, m) -> (..., n, m), leading axes broadcast; a vector on the left
/// counts as a row, on the right as a column, and its axis vanishes from the result. Throws ShapeError when
/// the inner sizes differ, DtypeError for different types. Gradient: dy b^T, a^T dy.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x W^T + b: x (..., in), weight (out, in), bias (out,) or undefined -> (..., out). Gradient: dy W, dy^T x,
/// sum of dy over all rows.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());

}  // namespace weft
