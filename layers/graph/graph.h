#pragma once
#include <cstdint>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/tensor/sparse.h>

/// Graphs as layers take them: edges sorted once and reused by every layer, forward and backward.
namespace weft {

/// Edges with one more from each node to itself behind them, at place kept.numel() + node.
struct LoopedEdges {
  EdgeIndex edges;
  Tensor kept;    ///< (E',) the places of the edges between different nodes, in their order
  Tensor loops;   ///< (L,) the places of the others
  Tensor looped;  ///< (L,) and whose they are
};

/// A directed graph: `nodes` nodes, some without edges perhaps, and edges from sources to targets, along which messages
/// flow. Copies share what was sorted. Thread safety: may be used by several threads.
class Graph {
 public:
  /// edge_index (2, E) int64: sources in row 0, targets in row 1. An undirected graph has each edge both ways; repeated
  /// edges count each time. Throws as EdgeIndex does.
  Graph(const Tensor& edge_index, std::int64_t nodes);

  std::int64_t nodes() const;
  std::int64_t edges() const { return index().edges(); }
  const EdgeIndex& index() const;
  /// The same edges with just one self-loop at each node; made at the first call.
  const LoopedEdges& looped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// A graph whose edges are of one of several kinds, for RGCNConv.
class RelationalGraph {
 public:
  /// As Graph, with the kind of each edge: edge_type (E,) int64, from 0 to relations - 1. Throws ShapeError for another
  /// number of kinds than edges, ConfigError for one out of range.
  RelationalGraph(const Tensor& edge_index, const Tensor& edge_type, std::int64_t nodes, std::int64_t relations);

  std::int64_t nodes() const { return index_.by_source().count(); }
  std::int64_t relations() const noexcept { return relations_; }
  /// Each edge leads to place target * relations + kind, so that what arrives is kept apart by kind.
  const EdgeIndex& index() const noexcept { return index_; }

 private:
  EdgeIndex index_;
  std::int64_t relations_;
};

/// Features (N, F) of which most are 0, such as words: only the others are kept, and dropout(values) is what dropout of
/// all would be. Layers that begin with a linear map take them in place of x.
struct SparseFeatures {
  EdgeIndex places;  ///< an edge from column to row for each number
  Tensor values;     ///< (E,)
  std::int64_t rows() const { return places.by_target().count(); }
  std::int64_t columns() const { return places.by_source().count(); }
  DType dtype() const { return values.dtype(); }
};
/// The numbers of x (N, F) that are not 0, row by row. Not recorded. Throws ShapeError for another rank.
SparseFeatures sparse_features(const Tensor& x);
/// y = x W^T + b in time and memory of the numbers that are there: -> (N, out). Gradient: to values, weight and bias.
/// Throws ShapeError where x has another width than the layer takes.
Tensor linear(const SparseFeatures& x, const Linear& layer);

/// Several graphs as one without edges between them; their features are joined by cat(), in the same order.
struct GraphBatch {
  Graph graph;
  Segments batch;  ///< which graph each node belongs to
};
GraphBatch join(const std::vector<Graph>& graphs);

struct NormalizeOptions {
  bool improved = false;  ///< new self-loops weigh 2 instead of 1
  bool add_self_loops = true;
};
struct NormalizedEdges {
  EdgeIndex edges;
  Tensor weight;
};
/// D^-1/2 A D^-1/2, A the weights with the self-loops that are lacking, D what arrives at each node; where that is 0
/// the weights become 0. edge_weight (E,), undefined: ones (of `dtype`). A node with several self-loops keeps the last;
/// as in PyTorch Geometric its gradient is handed to all of them. Kipf and Welling (2017).
NormalizedEdges gcn_norm(const Graph& graph, const Tensor& edge_weight, const NormalizeOptions& options = {},
                         DType dtype = DType::float32);

/// How the messages at a node become one.
enum class Aggregation : std::uint8_t { sum, mean, min, max };
/// x (sources, ...) -> (targets, ...): the neighbours' rows, each multiplied by its edge's weight (E,) if there is one,
/// reduced; 0 without neighbours.
Tensor aggregate(const EdgeIndex& edges, const Tensor& x, Aggregation how, const Tensor& weight = Tensor());

/// One row per graph of a batch from its nodes x (N, ...): sum, mean or maximum; 0 for a graph without nodes.
Tensor global_add_pool(const Tensor& x, const Segments& batch);
Tensor global_mean_pool(const Tensor& x, const Segments& batch);
Tensor global_max_pool(const Tensor& x, const Segments& batch);

namespace detail {
/// What graph layers share. Throws ShapeError, naming the layer, unless x is (nodes, features).
void check_nodes(const char* layer, const Tensor& x, std::int64_t nodes);
void check_nodes(const char* layer, const SparseFeatures& x, std::int64_t nodes);
/// What a layer begins with: its linear map of either form of features.
inline Tensor project(const Tensor& x, const Linear& layer) { return layer(x); }
inline Tensor project(const SparseFeatures& x, const Linear& layer) { return linear(x, layer); }
/// Throws unless the weight is undefined or (E,).
void check_edge_weight(const char* layer, const Tensor& edge_weight, std::int64_t edges);
/// A linear layer with the weight uniform within sqrt(6 / (in + out)); its bias, if any, as always.
Linear glorot_linear(const LinearOptions& options);
/// A parameter (..., n, m), uniform within sqrt(6 / (n + m)).
Tensor glorot(const Shape& shape, DType dtype);
/// A parameter of zeros, or nothing.
Tensor zero_bias(bool wanted, std::int64_t features, DType dtype);
/// y + bias where there is one.
Tensor biased(const Tensor& y, const Tensor& bias);
}  // namespace detail

}  // namespace weft
