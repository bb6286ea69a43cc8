#pragma once
#include <weft/autograd/ops/reduction.h>
#include <weft/tensor/tensor.h>

/// Running results along an axis, and differences. Shapes are kept unless a line says otherwise; negative axes count
/// from the end. Throws ShapeError for an axis out of range.
namespace weft {

/// Running sum: y_i = sum_{j <= i} x_j; int64 for integers and bool. Gradient: the running sum of dy from the end.
Tensor cumsum(const Tensor& x, int axis);
/// Running product: y_i = prod_{j <= i} x_j; int64 for integers and bool. Gradient, right for zeros too:
/// dx_i = prod_{j < i} x_j * r_i with r_i = dy_i + x_{i+1} r_{i+1}.
Tensor cumprod(const Tensor& x, int axis);
/// Running maximum and where it was met (the last of equals); NaN stays once it was met. Gradient: to that place.
Selected cummax(const Tensor& x, int axis);
/// Running minimum; as cummax.
Selected cummin(const Tensor& x, int axis);
/// log(sum_{j <= i} exp(x_j)), without overflow. Gradient: dx_i = sum_{j >= i} dy_j exp(x_i - y_j).
Tensor logcumsumexp(const Tensor& x, int axis);
/// The n-th differences along an axis: n times y_i = x_{i+1} - x_i, so that the axis becomes n shorter (0 at least).
/// `prepend` and `append` (or undefined) are joined to x first, unless n is 0. bool gives bool (xor).
/// Throws ConfigError for n < 0, ShapeError for a tensor of rank 0.
Tensor diff(const Tensor& x, int n = 1, int axis = -1, const Tensor& prepend = Tensor(),
            const Tensor& append = Tensor());
/// The integral by the trapezoid rule over places `dx` apart: dx * sum_i (y_i + y_{i+1}) / 2; the axis vanishes.
Tensor trapezoid(const Tensor& y, double dx = 1, int axis = -1);
/// The same at the places x: sum_i (x_{i+1} - x_i) (y_i + y_{i+1}) / 2. x broadcasts with y; x (n,) lies along the
/// axis. Throws ShapeError when the sizes along the axis differ.
Tensor trapezoid(const Tensor& y, const Tensor& x, int axis = -1);

namespace detail {
/// y_i = b_i + a_i * y_{i-1} (`reverse`: y_{i+1}) along an axis of tensors of one shape and floating type, with 0
/// before the first. Gradient: the same recurrence the other way.
Tensor recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse);
/// The products of all entries before (`reverse`: behind) each one along an axis.
Tensor exclusive_products(const Tensor& x, int axis, bool reverse);
}  // namespace detail

}  // namespace weft
