#include <weft/layers/graph/attention.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

using detail::biased;
using detail::check_nodes;

/// What the layer options have in common. Returns the number of features of all heads together.
std::int64_t checked_width(const char* layer, std::int64_t out, std::int64_t heads, std::int64_t edge_dim,
                           double dropout) {
  if (out < 1) throw ConfigError(text(layer, ": out_channels is ", out, "\n  help: choose 1 or more"));
  if (heads < 1) throw ConfigError(text(layer, ": heads is ", heads, "\n  help: choose 1 or more"));
  if (edge_dim < 0) throw ConfigError(text(layer, ": edge_dim is ", edge_dim, "\n  help: choose 0 for none"));
  if (!(dropout >= 0 && dropout <= 1))
    throw ConfigError(text(layer, ": dropout is ", dropout, "\n  help: choose a probability from 0 to 1"));
  return out * heads;
}

/// (E, edge_dim), or undefined.
Tensor checked_attributes(const char* layer, const Tensor& edge_attr, const std::optional<Linear>& lin_edge,
                          std::int64_t edges) {
  if (!edge_attr.defined()) return edge_attr;
  if (!lin_edge)
    throw ConfigError(text(layer, ": edge_attr ", edge_attr.shape(), " is given, but edge_dim is 0\n",
                           "  help: set edge_dim to the number of features of an edge"));
  const std::int64_t wanted = lin_edge->weight.shape()[1];
  const Tensor rows = edge_attr.dim() == 1 ? unsqueeze(edge_attr, 1) : edge_attr;
  if (rows.dim() != 2 || rows.shape()[0] != edges || rows.shape()[1] != wanted)
    throw ShapeError(text(layer, ": edge_attr is ", edge_attr.shape(), ", not [", edges, ", ", wanted, "]"));
  return rows;
}

/// The attributes of the edges that are kept, then those of each node's self-loop: `fill`, or the mean of what arrives.
Tensor with_loops(const LoopedEdges& looped, const Tensor& edge_attr, const std::optional<double>& fill) {
  const std::int64_t nodes = looped.edges.by_source().count();
  const Tensor kept = index_select(edge_attr, 0, looped.kept);
  if (fill) return cat({kept, full({nodes, edge_attr.shape()[1]}, *fill, edge_attr.dtype())});
  const Tensor target = slice(looped.edges.by_target().index(), 0, 0, looped.kept.numel());
  return cat({kept, segment_mean(kept, Segments(target, nodes))});
}

/// x (N, heads * out) -> (N, heads, out).
Tensor by_head(const Tensor& x, std::int64_t heads) { return reshape(x, {x.shape()[0], heads, x.shape()[1] / heads}); }

/// y (N, heads, out) -> (N, heads * out), or the heads' mean.
Tensor merged(const Tensor& y, bool concat) { return concat ? flatten(y, 1) : mean(y, 1); }

/// logits (E, heads) -> the weights of each node's messages.
Tensor attention(const Tensor& logits, const EdgeIndex& edges, double p, const Mode& mode) {
  const Tensor weights = segment_softmax(logits, edges.by_target());
  return p > 0 ? dropout(weights, p, mode.training) : weights;
}

std::optional<Linear> optional_linear(bool wanted, const LinearOptions& options, bool glorot) {
  if (!wanted) return std::nullopt;
  return glorot ? detail::glorot_linear(options) : Linear(options);
}

}  // namespace

GATConv::GATConv(const GATConvOptions& o)
    : lin(detail::glorot_linear(
          {.in_features = o.in_channels,
           .out_features = checked_width("gat_conv", o.out_channels, o.heads, o.edge_dim, o.dropout),
           .bias = false,
           .dtype = o.dtype})),
      att_src(detail::glorot({1, o.heads, o.out_channels}, o.dtype)),
      att_dst(detail::glorot({1, o.heads, o.out_channels}, o.dtype)),
      concat(o.concat),
      add_self_loops(o.add_self_loops),
      negative_slope(o.negative_slope),
      dropout(o.dropout),
      fill_value(o.fill_value) {
  const std::int64_t width = o.heads * o.out_channels, out = o.concat ? width : o.out_channels;
  lin_edge = optional_linear(o.edge_dim > 0, {o.edge_dim, width, false, o.dtype}, true);
  if (lin_edge) att_edge = detail::glorot({1, o.heads, o.out_channels}, o.dtype);
  res = optional_linear(o.residual, {o.in_channels, out, false, o.dtype}, true);
  bias = detail::zero_bias(o.bias, out, o.dtype);
}
namespace {
template <class X>
Tensor gat(const GATConv& layer, const X& x, const Graph& graph, const Tensor& edge_attr) {
  check_nodes("gat_conv", x, graph.nodes());
  const bool loops = layer.add_self_loops;
  Tensor attributes = checked_attributes("gat_conv", edge_attr, layer.lin_edge, graph.edges());
  const EdgeIndex& edges = loops ? graph.looped().edges : graph.index();
  if (loops && attributes.defined()) attributes = with_loops(graph.looped(), attributes, layer.fill_value);
  const std::int64_t heads = layer.att_src.shape()[1];
  const Tensor h = by_head(detail::project(x, layer.lin), heads);                   // (N, H, C)
  const Tensor from = sum(h * layer.att_src, -1), to = sum(h * layer.att_dst, -1);  // (N, H)
  Tensor logits = segment_gather(from, edges.by_source()) + segment_gather(to, edges.by_target());
  if (attributes.defined()) logits = logits + sum(by_head((*layer.lin_edge)(attributes), heads) * layer.att_edge, -1);
  const Tensor alpha = attention(leaky_relu(logits, layer.negative_slope), edges, layer.dropout, layer.mode);
  Tensor y = merged(neighbour_sum(edges, h, alpha), layer.concat);
  if (layer.res) y = y + detail::project(x, *layer.res);
  return biased(y, layer.bias);
}
}  // namespace

Tensor GATConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr) const {
  return gat(*this, x, graph, edge_attr);
}
Tensor GATConv::operator()(const SparseFeatures& x, const Graph& graph, const Tensor& edge_attr) const {
  return gat(*this, x, graph, edge_attr);
}

GATv2Conv::GATv2Conv(const GATv2ConvOptions& o)
    : lin_l(detail::glorot_linear(
          {.in_features = o.in_channels,
           .out_features = checked_width("gatv2_conv", o.out_channels, o.heads, o.edge_dim, o.dropout),
           .bias = o.bias,
           .dtype = o.dtype})),
      lin_r(o.share_weights ? lin_l
                            : detail::glorot_linear({o.in_channels, o.heads * o.out_channels, o.bias, o.dtype})),
      att(detail::glorot({1, o.heads, o.out_channels}, o.dtype)),
      concat(o.concat),
      add_self_loops(o.add_self_loops),
      negative_slope(o.negative_slope),
      dropout(o.dropout),
      fill_value(o.fill_value) {
  const std::int64_t width = o.heads * o.out_channels, out = o.concat ? width : o.out_channels;
  lin_edge = optional_linear(o.edge_dim > 0, {o.edge_dim, width, false, o.dtype}, true);
  res = optional_linear(o.residual, {o.in_channels, out, false, o.dtype}, true);
  bias = detail::zero_bias(o.bias, out, o.dtype);
}
Tensor GATv2Conv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr) const {
  check_nodes("gatv2_conv", x, graph.nodes());
  Tensor attributes = checked_attributes("gatv2_conv", edge_attr, lin_edge, graph.edges());
  const EdgeIndex& edges = add_self_loops ? graph.looped().edges : graph.index();
  if (add_self_loops && attributes.defined()) attributes = with_loops(graph.looped(), attributes, fill_value);
  const std::int64_t heads = att.shape()[1];
  const Tensor from = by_head(lin_l(x), heads), to = by_head(lin_r(x), heads);                    // (N, H, C)
  Tensor pair = segment_gather(from, edges.by_source()) + segment_gather(to, edges.by_target());  // (E, H, C)
  if (attributes.defined()) pair = pair + by_head((*lin_edge)(attributes), heads);
  const Tensor logits = sum(leaky_relu(pair, negative_slope) * att, -1);  // (E, H)
  Tensor y = merged(neighbour_sum(edges, from, attention(logits, edges, dropout, mode)), concat);
  if (res) y = y + (*res)(x);
  return biased(y, bias);
}

TransformerConv::TransformerConv(const TransformerConvOptions& o)
    : lin_key({.in_features = o.in_channels,
               .out_features = checked_width("transformer_conv", o.out_channels, o.heads, o.edge_dim, o.dropout),
               .bias = o.bias,
               .dtype = o.dtype}),
      lin_query({o.in_channels, o.heads * o.out_channels, o.bias, o.dtype}),
      lin_value({o.in_channels, o.heads * o.out_channels, o.bias, o.dtype}),
      heads(o.heads),
      concat(o.concat),
      dropout(o.dropout) {
  const std::int64_t width = o.heads * o.out_channels, out = o.concat ? width : o.out_channels;
  lin_edge = optional_linear(o.edge_dim > 0, {o.edge_dim, width, false, o.dtype}, false);
  lin_skip = optional_linear(o.root_weight, {o.in_channels, out, o.bias, o.dtype}, false);
  lin_beta = optional_linear(o.root_weight && o.beta, {3 * out, 1, false, o.dtype}, false);
}
Tensor TransformerConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_attr) const {
  check_nodes("transformer_conv", x, graph.nodes());
  const Tensor attributes = checked_attributes("transformer_conv", edge_attr, lin_edge, graph.edges());
  const EdgeIndex& edges = graph.index();
  const Tensor query = by_head(lin_query(x), heads), key = by_head(lin_key(x), heads);
  const Tensor value = by_head(lin_value(x), heads);  // (N, H, C)
  Tensor logits = edge_dot(edges, query, key, true);  // (E, H)
  Tensor extra;                                       // (E, H, C) what edges add to keys and values
  if (attributes.defined()) {
    extra = by_head((*lin_edge)(attributes), heads);
    logits = logits + sum(segment_gather(query, edges.by_target()) * extra, -1);
  }
  const double scale = 1 / std::sqrt(static_cast<double>(query.shape()[2]));
  const Tensor alpha = attention(logits * scale, edges, dropout, mode);
  Tensor y = neighbour_sum(edges, value, alpha);
  if (extra.defined()) y = y + segment_sum(extra * unsqueeze(alpha, -1), edges.by_target());
  y = merged(y, concat);
  if (!lin_skip) return y;
  const Tensor skip = (*lin_skip)(x);
  if (!lin_beta) return y + skip;
  const Tensor share = sigmoid((*lin_beta)(cat({y, skip, y - skip}, 1)));  // (N, 1)
  return share * skip + (1.0 - share) * y;
}

}  // namespace weft
