#pragma once
#include <weft/tensor/tensor.h>

/// Elementwise comparisons and tests. Results are bool and carry no gradient; shapes broadcast.
namespace weft {

Tensor eq(const Tensor& a, const Tensor& b);  ///< a == b
Tensor ne(const Tensor& a, const Tensor& b);  ///< a != b
Tensor lt(const Tensor& a, const Tensor& b);  ///< a < b
Tensor le(const Tensor& a, const Tensor& b);  ///< a <= b
Tensor gt(const Tensor& a, const Tensor& b);  ///< a > b
Tensor ge(const Tensor& a, const Tensor& b);  ///< a >= b
Tensor eq(const Tensor& a, const Scalar& b);
Tensor ne(const Tensor& a, const Scalar& b);
Tensor lt(const Tensor& a, const Scalar& b);
Tensor le(const Tensor& a, const Scalar& b);
Tensor gt(const Tensor& a, const Scalar& b);
Tensor ge(const Tensor& a, const Scalar& b);
Tensor operator<(const Tensor& a, const Tensor& b);
Tensor operator<=(const Tensor& a, const Tensor& b);
Tensor operator>(const Tensor& a, const Tensor& b);
Tensor operator>=(const Tensor& a, const Tensor& b);
Tensor operator<(const Tensor& a, const Scalar& b);
Tensor operator<=(const Tensor& a, const Scalar& b);
Tensor operator>(const Tensor& a, const Scalar& b);
Tensor operator>=(const Tensor& a, const Scalar& b);

Tensor logical_and(const Tensor& a, const Tensor& b);  ///< both are not zero
Tensor logical_or(const Tensor& a, const Tensor& b);   ///< at least one is not zero
Tensor logical_xor(const Tensor& a, const Tensor& b);  ///< exactly one is not zero
Tensor logical_not(const Tensor& x);                   ///< it is zero
Tensor isnan(const Tensor& x);                         ///< it is not a number
Tensor isinf(const Tensor& x);                         ///< it is infinite
Tensor isfinite(const Tensor& x);                      ///< it is neither infinite nor NaN
/// |a - b| <= atol + rtol * |b|, or equal, which decides for infinities; NaN is close to NaN only when `equal_nan`.
Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);

}  // namespace weft
