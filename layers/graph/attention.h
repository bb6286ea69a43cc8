#pragma once
#include <optional>

#include <weft/layers/graph/graph.h>

/// Graph layers whose nodes choose what to listen to: x (N, in) -> (N, heads * out), or (N, out), the heads' mean, when
/// concat is false. Options, parameter names and initialisers are PyTorch Geometric's. edge_attr (E, edge_dim) (or (E,)
/// for edge_dim 1) may be undefined. All throw ShapeError unless x has a row per node and edge_attr one per edge,
/// ConfigError for edge_attr in a layer without edge_dim.
namespace weft {

struct GATConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t heads = 1;
  bool concat = true;
  double negative_slope = 0.2;
  double dropout = 0;  ///< of the attention weights, while training
  bool add_self_loops = true;
  std::int64_t edge_dim = 0;  ///< 0: edges have no features
  /// The features of added self-loops; without a value the mean of those that arrive at the node.
  std::optional<double> fill_value{};
  bool bias = true;
  bool residual = false;
  DType dtype = DType::float32;
};
/// Weights softmax over j of leaky_relu(a_src W x_j + a_dst W x_i + a_edge W_e e_ij). Velickovic et al. (2018).
struct GATConv {
  Linear lin;
  Tensor att_src, att_dst;  ///< (1, heads, out)
  std::optional<Linear> lin_edge;
  Tensor att_edge;  ///< (1, heads, out)
  std::optional<Linear> res;
  Tensor bias;
  bool concat, add_self_loops;
  double negative_slope, dropout;
  std::optional<double> fill_value;
  Mode mode;
  explicit GATConv(const GATConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr = Tensor()) const;
  Tensor operator()(const SparseFeatures& x, const Graph& graph, const Tensor& edge_attr = Tensor()) const;
  void fields(auto&& f) {
    f("lin", lin, "att_src", att_src, "att_dst", att_dst, "lin_edge", lin_edge, "att_edge", att_edge, "res", res,
      "bias", bias, "concat", concat, "add_self_loops", add_self_loops, "negative_slope", negative_slope, "dropout",
      dropout, "fill_value", fill_value, "mode", mode);
  }
};

struct GATv2ConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t heads = 1;
  bool concat = true;
  double negative_slope = 0.2;
  double dropout = 0;  ///< of the attention weights, while training
  bool add_self_loops = true;
  std::int64_t edge_dim = 0;           ///< 0: edges have no features
  std::optional<double> fill_value{};  ///< as in GATConv
  bool bias = true;
  bool share_weights = false;  ///< lin_r is lin_l
  bool residual = false;
  DType dtype = DType::float32;
};
/// Weights softmax over j of a leaky_relu(W_l x_j + W_r x_i + W_e e_ij), of the messages W_l x_j. Brody et al. (2022).
struct GATv2Conv {
  Linear lin_l, lin_r;
  Tensor att;  ///< (1, heads, out)
  std::optional<Linear> lin_edge, res;
  Tensor bias;
  bool concat, add_self_loops;
  double negative_slope, dropout;
  std::optional<double> fill_value;
  Mode mode;
  explicit GATv2Conv(const GATv2ConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr = Tensor()) const;
  void fields(auto&& f) {
    f("lin_l", lin_l, "lin_r", lin_r, "att", att, "lin_edge", lin_edge, "res", res, "bias", bias, "concat", concat,
      "add_self_loops", add_self_loops, "negative_slope", negative_slope, "dropout", dropout, "fill_value", fill_value,
      "mode", mode);
  }
};

struct TransformerConvOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  std::int64_t heads = 1;
  bool concat = true;
  bool beta = false;          ///< the share of the skip connection is learned
  double dropout = 0;         ///< of the attention weights, while training
  std::int64_t edge_dim = 0;  ///< 0: edges have no features
  bool bias = true;
  bool root_weight = true;  ///< a skip connection through lin_skip
  DType dtype = DType::float32;
};
/// Weights softmax over j of q_i (k_j + W_e e_ij) / sqrt(out), of the messages v_j + W_e e_ij. Shi et al. (2021).
struct TransformerConv {
  Linear lin_key, lin_query, lin_value;
  std::optional<Linear> lin_edge, lin_skip, lin_beta;
  std::int64_t heads;
  bool concat;
  double dropout;
  Mode mode;
  explicit TransformerConv(const TransformerConvOptions& options);
  Tensor operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr = Tensor()) const;
  void fields(auto&& f) {
    f("lin_key", lin_key, "lin_query", lin_query, "lin_value", lin_value, "lin_edge", lin_edge, "lin_skip", lin_skip,
      "lin_beta", lin_beta, "heads", heads, "concat", concat, "dropout", dropout, "mode", mode);
  }
};

}  // namespace weft
