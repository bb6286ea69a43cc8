#pragma once
#include <weft/tensor/tensor.h>

/// Factorisations of matrices without gradients. The last two axes are the matrix, those before them a batch. All is
/// computed in float64, whatever the type, and rounded once: their callers check shapes and types.
namespace weft::kernels {

/// x with a x = b: a (..., n, n), b (..., n, m), equal batches. Throws ConfigError naming `op` and the first
/// matrix that is exactly singular; with op null such a matrix gives NaN instead.
Tensor solve(const char* op, const Tensor& a, const Tensor& b);
/// The inverse of (..., n, n); errors as in solve.
Tensor inverse(const char* op, const Tensor& a);
/// The determinants of (..., n, n): their signs (-1, 0, 1), the logarithms of their sizes, and the numbers themselves.
struct Determinants {
  Tensor sign, log, value;
};
Determinants determinants(const Tensor& a);
/// The derivative of the determinant by each entry (the matrix of cofactors), also of singular matrices.
Tensor cofactors(const Tensor& a);
/// L, lower triangular, with L L^T = (a + a^T) / 2. Throws ConfigError where that is not positive definite.
Tensor cholesky(const Tensor& a);
/// a = u diag(s) v^T: a (..., n, m), k = min(n, m), u (..., n, k), s (..., k) descending, v (..., m, k).
struct Svd {
  Tensor u, s, v;
};
Svd svd(const Tensor& a);
/// (a + a^T) / 2 = vectors diag(values) vectors^T: values (..., n) ascending, vectors (..., n, n).
struct Eigh {
  Tensor values, vectors;
};
Eigh eigh(const Tensor& a);
/// a = q r: a (..., n, m), k = min(n, m), q (..., n, k) with orthonormal columns, r (..., k, m) upper triangular.
struct Qr {
  Tensor q, r;
};
Qr qr(const Tensor& a);

}  // namespace weft::kernels
