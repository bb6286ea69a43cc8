#pragma once
#include <cstdint>

#include <weft/tensor/tensor.h>

/// The nearest rows of a table: exact, found by looking at all of them in blocks, so that memory does not grow with the
/// product of the sizes.
namespace weft::data {

enum class Closeness : std::uint8_t {
  euclidean,  ///< the length of a - b
  cosine,     ///< 1 - sum(a * b) / (|a| |b|); 1 for a row of zeros
};

/// Row i holds the nearest of query i, the nearest first, the earlier first among equals.
struct Nearest {
  Tensor index;     ///< (Q, k) int64
  Tensor distance;  ///< (Q, k) float64, computed in double precision
};

/// The k nearest of rows (N, D) for each of queries (Q, D). Throws ShapeError where these are not matrices of one
/// width, DtypeError unless both are floating, ConfigError for k outside [1, N] and for a number that is not finite.
Nearest nearest_rows(const Tensor& queries, const Tensor& rows, std::int64_t k,
                     Closeness closeness = Closeness::euclidean);
/// The k nearest others of each row of x (N, D): as nearest_rows, k at most N - 1.
Nearest nearest_others(const Tensor& x, std::int64_t k, Closeness closeness = Closeness::euclidean);

/// Edges (2, N k) to each node from its k nearest others: similar patients as neighbours. Row by row, the nearest
/// first; made undirected by to_undirected(). Throws as nearest_others.
Tensor knn_graph(const Tensor& x, std::int64_t k, Closeness closeness = Closeness::euclidean);

}  // namespace weft::data
