#pragma once
#include <optional>

#include <weft/layers/graph/graph.h>

/// Poolings that learn, over a batch of graphs joined by join(): which nodes speak for their graph. Parameter names are
/// PyTorch Geometric's.
namespace weft {

/// One row per graph: the sum of its nodes' features weighted by the softmax, over the graph's nodes, of a learned
/// gate: x (N, F) -> (graphs, C), a graph without nodes 0. gate_nn maps (N, F) to (N, 1), or (N, C) for a weight per
/// feature; nn (N, F) to (N, C). Throws ShapeError where x, gate and features do not fit. Li et al. (2016).
struct AttentionalAggregation {
  Sequential gate_nn;
  std::optional<Sequential> nn;
  explicit AttentionalAggregation(Sequential gate, std::optional<Sequential> features = {});
  Tensor operator()(const Tensor& x, const Segments& batch) const;
  void fields(auto&& f) { f("gate_nn", gate_nn, "nn", nn); }
};

struct TopKPoolingOptions {
  std::int64_t in_channels;
  double ratio = 0.5;  ///< share of each graph's nodes that stay, rounded up; in (0, 1]
  double multiplier = 1;
  DType dtype = DType::float32;
};
/// What is left of a batch.
struct PooledGraphs {
  Tensor x;     ///< (K, F)
  Graph graph;  ///< the edges between nodes that stay
  Segments batch;
  Tensor nodes;  ///< (K,) which nodes these were: graph by graph, the highest score first
  Tensor edges;  ///< (E',) which edges
  Tensor score;  ///< (K,)
};
/// Keeps the nodes of the highest score s = tanh(x p / |p|), scaled by it so that p learns: y_i = multiplier s_i x_i.
/// The earlier of equals is kept. Throws ShapeError where x does not have a row per node or the batch is another
/// graph's, ConfigError for bad options. Gao and Ji (2019), Cangea et al. (2018).
struct TopKPooling {
  Tensor weight;  ///< (1, F)
  double ratio, multiplier;
  explicit TopKPooling(const TopKPoolingOptions& options);
  PooledGraphs operator()(const Tensor& x, const Graph& graph, const Segments& batch) const;
  void fields(auto&& f) { f("weight", weight, "ratio", ratio, "multiplier", multiplier); }
};

/// The graph of some nodes, numbered in their order, and which edges it has: those with both ends among them. nodes
/// (K,) int64, all different. Throws ShapeError for another shape, ConfigError for a node out of range or there twice.
struct Subgraph {
  Graph graph;
  Tensor edges;  ///< (E',) int64, ascending
};
Subgraph subgraph(const Graph& graph, const Tensor& nodes);

}  // namespace weft
