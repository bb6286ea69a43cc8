#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

/// Graphs as data: files, edges both ways, edges held out, pairs without an edge. Edges are (2, E) int64 as Graph and
/// EdgeIndex take them: sources in row 0, targets in row 1. Draws come from the generator passed, so the same
/// (seed, offset) gives the same on any machine.
namespace weft::data {

/// A graph whose nodes have features and classes, and which of them are trained on.
struct GraphData {
  Tensor edge_index;  ///< (2, E) int64
  Tensor x;           ///< (N, F) float32
  Tensor y;           ///< (N,) int64, from 0
  std::vector<std::int64_t> train, validation, test;

  std::int64_t nodes() const { return x.size(0); }
  std::int64_t classes() const;
};

/// Reads a folder in the form of the Planetoid citation graphs: edges.npy (E, 2), each undirected edge once; y.npy
/// (N,); features as places of the ones in sparse rows, x_csr_indptr.npy (N + 1,) and x_csr_indices.npy, or dense as
/// x.npy (N, F); idx_train.npy, idx_val.npy and idx_test.npy. Edges come back both ways. Throws FileError naming the
/// file: none, a graph without nodes, another number of labels than nodes, an index out of range, a node that is in
/// two parts. Yang et al. (2016).
GraphData load_graph(const std::string& folder);

/// Every edge both ways and once, sorted by source and target; a self-loop stays one edge. Throws as EdgeIndex does,
/// and as all that follows ConfigError for more than 2^31 nodes.
Tensor to_undirected(const Tensor& edge_index, std::int64_t nodes);

/// Draws pairs of different nodes that no edge joins, each of them equally likely, without trying twice: pairs are
/// numbered, and the numbers that edges have are skipped.
class NegativeSampler {
 public:
  /// Sorts the edges. With `undirected` an edge stands for both directions and pairs have their smaller node first.
  /// Throws as EdgeIndex does, and ConfigError for a complete graph and for fewer than two nodes.
  NegativeSampler(const Tensor& edge_index, std::int64_t nodes, bool undirected = true);

  /// How many such pairs there are.
  std::int64_t available() const noexcept { return pairs_ - static_cast<std::int64_t>(taken_.size()); }
  /// (2, count) int64, all different, in random order. Throws ConfigError for a count below 0 or above available().
  Tensor sample(std::int64_t count, Generator& generator) const;

 private:
  std::vector<std::int64_t> taken_;  // the numbers of pairs that are edges, ascending
  std::int64_t nodes_, pairs_;
  bool undirected_;
};

struct LinkSplitOptions {
  double validation = 0.05;  ///< share of the undirected edges
  double test = 0.1;
};
/// Undirected edges for link prediction, the test ones seen by nothing that trains: messages flow along the training
/// edges alone. All but `message` are (2, n), each edge once, smaller node first.
struct LinkSplit {
  Tensor message;  ///< the training edges both ways
  Tensor train;
  Tensor validation, validation_negatives;  ///< as many negatives as edges, ...
  Tensor test, test_negatives;              ///< ... pairs that are no edge of the whole graph, none in both parts
};
/// Holds out floor(share * edges) random edges for validation and for testing, and draws as many pairs without an edge.
/// Self-loops and repeated edges are left out. Throws as EdgeIndex and NegativeSampler do, ConfigError where a share is
/// not in [0, 1), a part that was asked for or the training part is empty, or there are too few pairs without an edge.
LinkSplit split_links(const Tensor& edge_index, std::int64_t nodes, const LinkSplitOptions& options,
                      Generator& generator);

namespace detail {
/// Row-major int64 (2, E). Throws as EdgeIndex does, and ConfigError beyond 2^31 nodes; `op` begins the messages.
Tensor checked_edges(const char* op, const Tensor& edge_index, std::int64_t nodes);
}  // namespace detail

}  // namespace weft::data
