#include <weft/autograd/ops/comparison.h>

#include <weft/tensor/kernels.h>

namespace weft {

using kernels::Binary;
using kernels::Unary;

Tensor eq(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::ge, a, b); }
Tensor eq(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::eq, a, b); }
Tensor ne(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::ne, a, b); }
Tensor lt(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::lt, a, b); }
Tensor le(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::le, a, b); }
Tensor gt(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::gt, a, b); }
Tensor ge(const Tensor& a, const Scalar& b) { return kernels::binary(Binary::ge, a, b); }
Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
Tensor operator<(const Tensor& a, const Scalar& b) { return lt(a, b); }
Tensor operator<=(const Tensor& a, const Scalar& b) { return le(a, b); }
Tensor operator>(const Tensor& a, const Scalar& b) { return gt(a, b); }
Tensor operator>=(const Tensor& a, const Scalar& b) { return ge(a, b); }

Tensor logical_and(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::logical_and, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return kernels::binary(Binary::logical_or, a, b); }
Tensor logical_not(const Tensor& x) { return kernels::unary(Unary::logical_not, x); }
Tensor isnan(const Tensor& x) { return kernels::unary(Unary::isnan, x); }
Tensor isfinite(const Tensor& x) { return kernels::unary(Unary::isfinite, x); }

}  // namespace weft
