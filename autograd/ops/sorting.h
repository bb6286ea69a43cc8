#pragma once
#include <weft/autograd/ops/reduction.h>
#include <weft/tensor/tensor.h>

/// Order along an axis, with equal values in the order of their places and NaN as the largest. Gradients go to the
/// places that were chosen. Throws ShapeError for an axis out of range.
namespace weft {

/// x sorted (stable), and where each value stood.
Selected sort(const Tensor& x, int axis = -1, bool descending = false);
/// x sorted along its first axis.
Tensor msort(const Tensor& x);
/// The k largest (or smallest) values in order, and their places. Shape: the axis becomes k long. Throws ConfigError
/// unless 0 <= k <= size (of rank 0: unless k is 1).
Selected topk(const Tensor& x, std::int64_t k, int axis = -1, bool largest = true);
/// The k-th smallest value, counted from 1, and its place. Throws ConfigError unless 1 <= k <= size.
Selected kthvalue(const Tensor& x, std::int64_t k, int axis = -1, bool keep = false);

struct SearchOptions {
  bool right = false;        ///< behind equal values instead of before them
  Tensor sorter{};           ///< puts an unsorted sequence in order: argsort(sequence)
  DType out = DType::int64;  ///< or int32
};
/// Where each value would have to be inserted to keep the ascending `sequence` in order. sequence (n,), or (..., n)
/// beside values (..., m); the result has the values' shape. No gradient. Throws ShapeError where the shapes do not
/// fit, ConfigError for a place in the sorter that does not exist.
Tensor searchsorted(const Tensor& sequence, const Tensor& values, const SearchOptions& options = {});
/// The number of the bucket of each value, between ascending `boundaries` (n,): i with boundaries_{i-1} < v <=
/// boundaries_i, or with `right` boundaries_{i-1} <= v < boundaries_i. No gradient.
Tensor bucketize(const Tensor& values, const Tensor& boundaries, bool right = false, DType out = DType::int64);

}  // namespace weft
