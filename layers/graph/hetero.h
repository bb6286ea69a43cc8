#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <weft/layers/graph/convolutions.h>

/// Graphs whose nodes are of several kinds (patients, codes, drugs), each with features of its own or none, and whose
/// edges are of several kinds too (has, takes, treats, is similar to).
namespace weft {

struct NodeKind {
  std::string name;
  std::int64_t count;
};
/// Edges from nodes of one kind to nodes of another (or the same) kind, each numbered within its kind.
struct Relation {
  std::string source, name, target;
  Tensor edge_index;  ///< (2, E) int64
};
struct HeteroGraphOptions {
  /// Each relation gets a reverse one, "reverse of has", so that messages reach both ends.
  bool reverse = true;
};

/// All nodes under one numbering, kind after kind, and all edges with their kinds, for RGCNConv. Copies share what was
/// sorted. Thread safety: may be used by several threads.
class HeteroGraph {
 public:
  /// Throws ConfigError for no kinds or relations, a name that is there twice, an unknown kind (naming the closest), an
  /// edge to a node out of range; ShapeError for edges of another shape.
  HeteroGraph(std::vector<NodeKind> kinds, const std::vector<Relation>& relations,
              const HeteroGraphOptions& options = {});

  const std::vector<NodeKind>& kinds() const noexcept { return kinds_; }
  /// Names of the kinds of edges by number.
  const std::vector<std::string>& relations() const noexcept { return relations_; }
  const RelationalGraph& graph() const noexcept { return graph_; }
  std::int64_t nodes() const { return graph_.nodes(); }
  /// Where a kind's nodes begin in the one numbering. Throws ConfigError naming the closest kind.
  std::int64_t begin(const std::string& kind) const;
  std::int64_t count(const std::string& kind) const;
  /// A kind's rows of x (nodes, ...). Throws ShapeError where x does not have a row per node.
  Tensor rows(const Tensor& x, const std::string& kind) const;

 private:
  std::size_t place(const std::string& kind) const;

  std::vector<NodeKind> kinds_;
  std::vector<std::int64_t> begin_;
  std::vector<std::string> relations_;
  RelationalGraph graph_;
};

struct RGCNOptions {
  /// How many features the nodes of each kind have; a kind that is not named has none, and its nodes get learned rows.
  std::map<std::string, std::int64_t> in_channels{};
  std::int64_t hidden_channels = 32;
  std::int64_t num_layers = 2;
  std::int64_t num_bases = 0;  ///< as in RGCNConv
  double dropout = 0;          ///< of each layer's result while training
  DType dtype = DType::float32;
};
/// Each kind's features (or learned rows) brought to one width, then rounds of relational convolution:
/// h = dropout(relu(RGCNConv(h))). Schlichtkrull et al. (2018).
struct RGCN {
  std::vector<std::optional<Linear>> lins;           ///< by kind
  std::vector<std::optional<Embedding>> embeddings;  ///< by kind; at first uniform within sqrt(6 / (count + hidden))
  std::vector<RGCNConv> convs;
  double dropout;
  Mode mode;
  /// Throws ConfigError for sizes below 1, a dropout outside [0, 1], features of a kind that the graph does not have
  /// (naming the closest).
  RGCN(const HeteroGraph& graph, const RGCNOptions& options);
  /// x: features (count, in_channels) by kind -> (nodes, hidden). Throws ConfigError where a kind's features are
  /// missing or too many are given, ShapeError for another shape or another graph.
  Tensor operator()(const std::map<std::string, Tensor>& x, const HeteroGraph& graph) const;
  void fields(auto&& f) { f("lins", lins, "embeddings", embeddings, "convs", convs, "dropout", dropout, "mode", mode); }
};

}  // namespace weft
