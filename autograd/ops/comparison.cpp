#include <weft/autograd/ops/comparison.h>

#include <weft/autograd/ops/shared.h>

namespace weft {

using kernels::Binary;
using kernels::Unary;

Tensor eq(const Tensor& a, const Tensor& b) { return detail::record_plain("eq", Binary::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return detail::record_plain("ne", Binary::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return detail::record_plain("lt", Binary::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return detail::record_plain("le", Binary::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return detail::record_plain("gt", Binary::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return detail::record_plain("ge", Binary::ge, a, b); }
Tensor eq(const Tensor& a, const Scalar& b) { return detail::record_plain("eq", Binary::eq, a, b); }
Tensor ne(const Tensor& a, const Scalar& b) { return detail::record_plain("ne", Binary::ne, a, b); }
Tensor lt(const Tensor& a, const Scalar& b) { return detail::record_plain("lt", Binary::lt, a, b); }
Tensor le(const Tensor& a, const Scalar& b) { return detail::record_plain("le", Binary::le, a, b); }
Tensor gt(const Tensor& a, const Scalar& b) { return detail::record_plain("gt", Binary::gt, a, b); }
Tensor ge(const Tensor& a, const Scalar& b) { return detail::record_plain("ge", Binary::ge, a, b); }
Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
Tensor operator<(const Tensor& a, const Scalar& b) { return lt(a, b); }
Tensor operator<=(const Tensor& a, const Scalar& b) { return le(a, b); }
Tensor operator>(const Tensor& a, const Scalar& b) { return gt(a, b); }
Tensor operator>=(const Tensor& a, const Scalar& b) { return ge(a, b); }

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return detail::record_plain("logical_and", Binary::logical_and, a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return detail::record_plain("logical_or", Binary::logical_or, a, b);
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return detail::record_plain("logical_xor", Binary::logical_xor, a, b);
}
Tensor logical_not(const Tensor& x) { return detail::record_plain("logical_not", Unary::logical_not, x); }
Tensor isnan(const Tensor& x) { return detail::record_plain("isnan", Unary::isnan, x); }
Tensor isinf(const Tensor& x) { return detail::record_plain("isinf", Unary::isinf, x); }
Tensor isfinite(const Tensor& x) { return detail::record_plain("isfinite", Unary::isfinite, x); }

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  return record({"isclose", {{"rtol", rtol}, {"atol", atol}, {"equal_nan", equal_nan}}}, {a, b}, [=](const Inputs& in) {
    using kernels::binary;
    // Bool and integers have differences that do not fit their types.
    const DType type = promote(in[0].dtype(), in[1].dtype());
    const Tensor x = is_floating(type) ? in[0] : kernels::cast(in[0], DType::float64);
    const Tensor y = is_floating(type) ? in[1] : kernels::cast(in[1], DType::float64);
    const Tensor distance = kernels::unary(Unary::abs, binary(Binary::sub, x, y));
    const Tensor allowed = binary(Binary::add, binary(Binary::mul, kernels::unary(Unary::abs, y), rtol), atol);
    const Tensor near = logical_and(isfinite(distance), le(distance, allowed));
    const Tensor close = logical_or(eq(x, y), near);
    return equal_nan ? logical_or(close, logical_and(isnan(x), isnan(y))) : close;
  });
}

}  // namespace weft
