#pragma once
#include <weft/tensor/sparse.h>

/// Sums, extremes and softmax over rows that belong together, and sums over the neighbours in a graph. Floating types
/// only. Each segment is summed in the order of its entries: results are bitwise the same for any number of threads.
/// Throws ShapeError where x does not have a row per entry (or node), DtypeError for another type.
namespace weft {

/// x (K, ...) -> (count, ...): y_i = sum of the rows of segment i, 0 without any. Gradient: segment_gather(dy).
Tensor segment_sum(const Tensor& x, const Segments& segments);
/// The sum divided by the number of rows, 0 without any.
Tensor segment_mean(const Tensor& x, const Segments& segments);
/// The largest number per column; NaN if there is one, 0 without any. Gradient: shared evenly by equals.
Tensor segment_max(const Tensor& x, const Segments& segments);
/// The smallest; as segment_max.
Tensor segment_min(const Tensor& x, const Segments& segments);
/// x (count, ...) -> (K, ...): each entry gets its segment's row. Gradient: segment_sum(dy).
Tensor segment_gather(const Tensor& x, const Segments& segments);
/// x (K, ...) -> the same: softmax over the entries of each segment, column by column.
/// Gradient: y * (dy - gather(sum(dy * y))).
Tensor segment_softmax(const Tensor& x, const Segments& segments);

/// x (sources, ...) -> (targets, ...): y_i = sum of weight_e x_j over the edges e from j to i, 0 without any. weight
/// (E,), or (E, H) with x (sources, H, ...), of x's type; undefined: ones. Gradient: to x the same sum over the edges
/// turned around, to weight edge_dot(dy, x).
Tensor neighbour_sum(const EdgeIndex& edges, const Tensor& x, const Tensor& weight = Tensor());
/// a (targets, ...), b (sources, ...) -> (E,): the inner product of the rows at both ends of each edge; with per_head,
/// a (targets, H, ...), b (sources, H, ...) -> (E, H). Gradient: neighbour_sum of the other operand weighted by dy.
Tensor edge_dot(const EdgeIndex& edges, const Tensor& a, const Tensor& b, bool per_head = false);

}  // namespace weft
