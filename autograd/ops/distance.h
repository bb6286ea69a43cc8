#pragma once
#include <weft/tensor/tensor.h>

/// Distances and similarities between rows. The p-norm of a row x is (sum |x_i|^p)^(1/p), for p = 0 the number of
/// entries that are not 0, for infinity the largest |x_i|; 0 of nothing. p < 0 throws ConfigError. At 0 its gradient is
/// 0.
namespace weft {

/// The distance of each row of a (..., n, k) to each row of b (..., m, k): (..., n, m), leading axes broadcast. Throws
/// ShapeError for tensors of other shapes. Gradient of p = infinity: to every largest difference.
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2);
/// The distances of all pairs of rows of x (n, k), (0, 1), (0, 2) ... (n-2, n-1): (n (n-1) / 2,).
Tensor pdist(const Tensor& x, double p = 2);
/// The p-norm of all of a - b, which broadcast: one number. Gradient of p = infinity: shared evenly by the largest.
Tensor dist(const Tensor& a, const Tensor& b, double p = 2);
/// The p-norm of a - b + eps along the last axis; a and b broadcast.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6, bool keep = false);
/// sum(a * b) / (|a| |b|) along an axis, a and b broadcast; the lengths are at least eps (their gradient passes this
/// bound).
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = 1, double eps = 1e-8);
/// x / max(its p-norm along an axis, eps).
Tensor normalize(const Tensor& x, double p = 2, int axis = 1, double eps = 1e-12);

}  // namespace weft
