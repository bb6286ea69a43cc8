#pragma once
#include <string_view>
#include <vector>

#include <weft/tensor/tensor.h>

/// Products of matrices and tensors. Throws ShapeError when sizes do not fit, DtypeError where types differ; gradients
/// are products of dy with the other factors.
namespace weft {

/// Matrix product: (..., n, k) times (..., k, m) -> (..., n, m), leading axes broadcast; a vector on the left
/// counts as a row, on the right as a column, and its axis vanishes from the result. Throws ShapeError when
/// the inner sizes differ, DtypeError for different types. Gradient: dy b^T, a^T dy.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x W^T + b: x (..., in), weight (out, in), bias (out,) or undefined -> (..., out). Gradient: dy W, dy^T x,
/// sum of dy over all rows.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor());
/// y_o = x1^T W_o x2 + b_o: x1 (..., n), x2 (..., m), weight (out, n, m), bias (out,) or undefined -> (..., out).
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias = Tensor());

/// beta * x + alpha * a b of matrices. x broadcasts to the product's shape, and is not read where beta is 0.
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta = 1, const Scalar& alpha = 1);
/// beta * x + alpha * a v: a (n, m), v (m,); x as in addmm.
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& v, const Scalar& beta = 1, const Scalar& alpha = 1);
/// beta * x + alpha * u v^T: u (n,), v (m,); x as in addmm.
Tensor addr(const Tensor& x, const Tensor& u, const Tensor& v, const Scalar& beta = 1, const Scalar& alpha = 1);
/// beta * x + alpha * sum_i a_i b_i: a (B, n, k), b (B, k, m) -> (n, m); x as in addmm.
Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta = 1, const Scalar& alpha = 1);
/// beta * x + alpha * a_i b_i for each i: a (B, n, k), b (B, k, m) -> (B, n, m); x as in addmm.
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta = 1, const Scalar& alpha = 1);

/// Sums of products over the last axes: (..., k), (***, k) -> (..., ***); a plain product where one has rank 0.
Tensor inner(const Tensor& a, const Tensor& b);
/// All products u_i v_j: (n,), (m,) -> (n, m).
Tensor outer(const Tensor& u, const Tensor& v);
/// Sums of products over the last `axes` axes of a and the first of b.
Tensor tensordot(const Tensor& a, const Tensor& b, int axes = 2);
/// The same over the named axes, pair by pair (sizes equal or 1); what is left of a, then of b, are the axes of the
/// result.
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int>& axes_a, const std::vector<int>& axes_b);
/// Kronecker product: each entry of a times all of b; sizes are multiplied axis by axis (aligned at the last).
Tensor kron(const Tensor& a, const Tensor& b);
/// Cross product of vectors of 3 along an axis; shapes broadcast.
Tensor cross(const Tensor& a, const Tensor& b, int axis = -1);

/// Einstein's summation: a letter for each axis of each operand, as in "bij,bjk->bik". Letters that the result lacks
/// are summed over; one that comes twice in an operand takes its diagonal; "..." stands for axes that broadcast.
/// Without "->" the result has the ellipsis, then the letters that come once, in alphabetic order. Sizes of a letter
/// are equal or 1. Operands are multiplied from left to right, types are promoted. Throws ConfigError for an
/// equation that makes no sense.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace weft
