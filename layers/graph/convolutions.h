#pragma once
#include <optional>
#include <vector>

#include <weft/layers/graph/graph.h>
#include <weft/layers/recurrent.h>

/// Layers that give each node new features from its neighbours': x (N, in) -> (N, out). Options, parameter names and
/// initialisers are PyTorch Geometric's. edge_weight (E,) multiplies the messages; undefined: ones. Messages flow from
/// sources to targets. All throw ShapeError unless x has a row per node and edge_weight a number per edge.
namespace weft {

struct GCNConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  bool improved = false;  ///< self-loops weigh 2
  bool add_self_loops = true;
  bool normalize = true;  ///< by gcn_norm(); without it no self-loops are added either
  bool bias = true;
  DType dtype = DType::float32;
};
/// y = D^-1/2 (A + I) D^-1/2 x W^T + b. Kipf and Welling (2017).
struct GCNConv {
  Linear lin;
  Tensor bias;
  bool improved, add_self_loops, normalize;
  explicit GCNConv(const GCNConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  Tensor operator()(const SparseFeatures& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) {
    f("lin", lin, "bias", bias, "improved", improved, "add_self_loops", add_self_loops, "normalize", normalize);
  }
};

struct SAGEConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  Aggregation aggr = Aggregation::mean;
  bool normalize = false;  ///< brings each node's result to length 1
  bool root_weight = true;
  bool project = false;  ///< the neighbours' features go through relu(lin(x)) first
  bool bias = true;
  DType dtype = DType::float32;
};
/// y = W_l aggr(neighbours) + b + W_r x. Hamilton et al. (2017).
struct SAGEConv {
  std::optional<Linear> lin;
  Linear lin_l;
  std::optional<Linear> lin_r;
  Aggregation aggr;
  bool normalize;
  explicit SAGEConv(const SAGEConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph) const;
  /// From more nodes to fewer, as sampled neighbours have it: x (sources, in) -> (targets, out), the targets being the
  /// first sources. Throws ShapeError where x does not have a row per source, or there are more targets.
  Tensor operator()(const Tensor& x, const EdgeIndex& edges) const;
  void fields(auto&& f) { f("lin", lin, "lin_l", lin_l, "lin_r", lin_r, "aggr", aggr, "normalize", normalize); }
};

struct GraphConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  Aggregation aggr = Aggregation::sum;
  bool bias = true;
  DType dtype = DType::float32;
};
/// y = W_rel aggr(weighted neighbours) + b + W_root x. Morris et al. (2019).
struct GraphConv {
  Linear lin_rel, lin_root;
  Aggregation aggr;
  explicit GraphConv(const GraphConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) { f("lin_rel", lin_rel, "lin_root", lin_root, "aggr", aggr); }
};

struct GINConvOptions {
  double eps = 0;
  bool train_eps = false;
  DType dtype = DType::float32;
};
/// y = nn((1 + eps) x + sum of neighbours). Xu et al. (2019).
struct GINConv {
  Sequential nn;
  Tensor eps;        ///< (1,) if it is trained
  Buffer fixed_eps;  ///< (1,) otherwise; in files it is named eps too
  explicit GINConv(Sequential network, const GINConvOptions& options = {});
  Tensor operator()(const Tensor& x, const Graph& graph) const;
  void fields(auto&& f) { f("nn", nn, "eps", eps, "eps", fixed_eps); }
};

struct TAGConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t K = 3;  ///< how far a node sees
  bool bias = true;
  bool normalize = true;  ///< by gcn_norm(), without self-loops
  DType dtype = DType::float32;
};
/// y = sum over k from 0 to K of A^k x W_k^T + b. Du et al. (2017).
struct TAGConv {
  Tensor bias;
  std::vector<Linear> lins;
  bool normalize;
  explicit TAGConv(const TAGConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) { f("bias", bias, "lins", lins, "normalize", normalize); }
};

struct SGConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t K = 1;  ///< how often features are passed on
  bool add_self_loops = true;
  bool bias = true;
  DType dtype = DType::float32;
};
/// y = A^K x W^T + b, A normalised by gcn_norm(). Wu et al. (2019).
struct SGConv {
  Linear lin;
  std::int64_t K;
  bool add_self_loops;
  explicit SGConv(const SGConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) { f("lin", lin, "K", K, "add_self_loops", add_self_loops); }
};

struct APPNPOptions {
  std::int64_t K;      ///< steps
  double alpha;        ///< share of the first features in each step
  double dropout = 0;  ///< of edge weights, while training
  bool add_self_loops = true;
  bool normalize = true;  ///< by gcn_norm(); without it no self-loops are added either
};
/// y_0 = x, y_k = (1 - alpha) A y_(k-1) + alpha x: personalised PageRank in K steps. Gasteiger et al. (2019).
struct APPNP {
  std::int64_t K;
  double alpha, dropout;
  bool add_self_loops, normalize;
  Mode mode;
  explicit APPNP(const APPNPOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) {
    f("K", K, "alpha", alpha, "dropout", dropout, "add_self_loops", add_self_loops, "normalize", normalize, "mode",
      mode);
  }
};

struct LEConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  bool bias = true;
  DType dtype = DType::float32;
};
/// y_i = W_3 x_i + b_3 + sum over j of w_ij (W_1 x_j + b_1 - W_2 x_i): local extrema stand out. Ranjan et al. (2020).
struct LEConv {
  Linear lin1, lin2, lin3;
  explicit LEConv(const LEConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) { f("lin1", lin1, "lin2", lin2, "lin3", lin3); }
};

struct GatedGraphConvOptions {
  std::int64_t out_channels;
  std::int64_t num_layers;
  Aggregation aggr = Aggregation::sum;
  bool bias = true;
  DType dtype = DType::float32;
};
/// `num_layers` times h = GRU(aggr(neighbours of h W_l), h), h beginning as x filled up with zeros: x (N, in) with in
/// at most out_channels. Throws ShapeError for a wider x. Li et al. (2016).
struct GatedGraphConv {
  Tensor weight;  ///< (layers, out, out)
  GRUCell rnn;
  Aggregation aggr;
  explicit GatedGraphConv(const GatedGraphConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight = Tensor()) const;
  void fields(auto&& f) { f("weight", weight, "rnn", rnn, "aggr", aggr); }
};

struct RGCNConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t num_relations;
  std::int64_t num_bases = 0;   ///< weights are sums of this many shared ones; 0: each kind has its own
  std::int64_t num_blocks = 0;  ///< weights have this many blocks on the diagonal; 0: they are full
  Aggregation aggr = Aggregation::mean;
  bool root_weight = true;
  bool bias = true;
  DType dtype = DType::float32;
};
/// y_i = W_root x_i + b + sum over kinds r of W_r aggr(neighbours of i by edges of kind r). Throws ShapeError for a
/// graph with another number of kinds. Schlichtkrull et al. (2018).
struct RGCNConv {
  Tensor weight;  ///< (kinds or bases, in, out), or (kinds, blocks, in / blocks, out / blocks)
  Tensor comp;    ///< (kinds, bases)
  Tensor root, bias;
  Aggregation aggr;
  std::int64_t num_relations;
  explicit RGCNConv(const RGCNConvOptions& options);
  Tensor operator()(const Tensor& x, const RelationalGraph& graph) const;
  void fields(auto&& f) {
    f("weight", weight, "comp", comp, "root", root, "bias", bias, "aggr", aggr, "num_relations", num_relations);
  }
};

}  // namespace weft
