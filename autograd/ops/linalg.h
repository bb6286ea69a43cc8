#pragma once
#include <vector>

#include <weft/autograd/ops/reduction.h>
#include <weft/tensor/tensor.h>

/// Linear algebra on matrices that lie on the last two axes, those before them being a batch. Factorisations are
/// computed in float64 and rounded to the type of the input, which is float32 or float64 (else DtypeError). Throws
/// ShapeError where matrices must be square or sizes do not fit, ConfigError for matrices that have no such result.
namespace weft::linalg {

/// The inverse. Throws ConfigError for a singular matrix. Gradient: -y^T dy y^T.
Tensor inv(const Tensor& x);
/// The determinant; 1 for no rows. Gradient: dy times the cofactors, of singular matrices too (the second derivative
/// of those needs singular values that differ).
Tensor det(const Tensor& x);
struct LogDeterminant {
  Tensor sign, logabsdet;
};
/// The sign of the determinant and the logarithm of its size (-inf where it is 0). Gradient: dy x^{-T}, NaN where
/// the matrix is singular.
LogDeterminant slogdet(const Tensor& x);
/// x with a x = b, or with x a = b unless `left`: a (..., n, n), b (..., n, m), or vectors (..., n) where b has a's
/// shape without the last axis, or only one axis. Batches broadcast. Throws ConfigError for a singular matrix.
/// Gradient: db = a^{-T} dy, da = -db x^T.
Tensor solve(const Tensor& a, const Tensor& b, bool left = true);
/// L, lower triangular with a positive diagonal, of x = L L^T, or its transpose with `upper`. Of a matrix that is not
/// symmetric the symmetric part (x + x^T) / 2 is taken. Throws ConfigError where it is not positive definite. Gradient:
/// the symmetric part of L^{-T} P L^{-1}, P the lower triangle of L^T dL with half its diagonal. Murray (2016).
Tensor cholesky(const Tensor& x, bool upper = false);
/// x multiplied n times, its inverse for n < 0, the identity for n = 0.
Tensor matrix_power(const Tensor& x, int n);
/// The product of matrices, in the order that takes the fewest multiplications; the first and the last may be vectors.
Tensor multi_dot(const std::vector<Tensor>& factors);

struct Svd {
  Tensor u, s, vh;
};
/// x = u diag(s) vh, k = min(n, m): u (..., n, k) and vh (..., k, m) with orthonormal columns and rows, s (..., k)
/// descending. Signs are arbitrary. The gradient is that of Townsend (2016): infinite for u and vh where two
/// singular values are equal.
Svd svd(const Tensor& x);
/// The singular values (..., k), descending. Gradient: u diag(dy) vh.
Tensor svdvals(const Tensor& x);
struct Eigh {
  Tensor values, vectors;
};
/// The eigenvalues, ascending, and the eigenvectors, as columns, of the symmetric part (x + x^T) / 2. Gradient:
/// V (diag(dvalues) + (V^T dV) / (l_j - l_i)) V^T, infinite for vectors where two values are equal.
Eigh eigh(const Tensor& x);
struct Qr {
  Tensor q, r;
};
/// x = q r, k = min(n, m): q (..., n, k) with orthonormal columns, r (..., k, m) upper triangular. Signs are
/// arbitrary. Has a gradient where n >= m (else GradError).
Qr qr(const Tensor& x);

/// Which norm: a number p (infinities too), "fro" or "nuc".
class Order {
 public:
  enum class Kind { usual, number, frobenius, nuclear };
  Order() = default;
  Order(double p) : kind_(Kind::number), p_(p) {}
  Order(int p) : Order(static_cast<double>(p)) {}
  /// Throws ConfigError for another word.
  Order(const char* word);
  Kind kind() const noexcept { return kind_; }
  double p() const noexcept { return p_; }

 private:
  Kind kind_ = Kind::usual;
  double p_ = 2;
};

/// (sum |x_i|^p)^(1/p) over some axes (none named: all): the largest or smallest size for infinite p, how many are not
/// zero for p = 0. Gradient: 0 at 0, shared evenly among equals for infinite p. Throws ShapeError for p < 0 or
/// infinite p of nothing.
Tensor vector_norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keep = false);
/// A norm of the matrices on two axes: "fro" sqrt(sum x^2), "nuc" the sum of the singular values, 2 and -2 the largest
/// and smallest of them, 1 and -1 the largest and smallest sum of sizes in a column, inf and -inf in a row. Throws
/// ConfigError for another order.
Tensor matrix_norm(const Tensor& x, const Order& order = "fro", const std::vector<int>& axes = {-2, -1},
                   bool keep = false);
/// vector_norm over one axis, matrix_norm over two; without axes by x's rank. Without an order: the root of the sum of
/// squares over all axes named (or all).
Tensor norm(const Tensor& x, const Order& order = {}, const Axes& axes = {}, bool keep = false);

}  // namespace weft::linalg
