#include <weft/layers/graph/convolutions.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

using detail::biased;
using detail::check_edge_weight;
using detail::check_nodes;

void at_least(const char* layer, const char* what, std::int64_t value, std::int64_t least) {
  if (value < least) throw ConfigError(text(layer, ": ", what, " is ", value, "\n  help: choose ", least, " or more"));
}

/// A parameter uniform within `bound`.
Tensor uniform(const Shape& shape, double bound, DType dtype) {
  Tensor x = empty(shape, dtype);
  initialize::uniform(x, -bound, bound);
  return x.set_requires_grad();
}

/// x passed on `times` times.
Tensor pass_on(const NormalizedEdges& norm, Tensor x, std::int64_t times) {
  for (std::int64_t k = 0; k < times; ++k) x = neighbour_sum(norm.edges, x, norm.weight);
  return x;
}

/// The edges with their weights as they are, or normalised.
NormalizedEdges edges_of(const Graph& graph, const Tensor& edge_weight, bool normalize, const NormalizeOptions& options,
                         DType dtype) {
  if (normalize) return gcn_norm(graph, edge_weight, options, dtype);
  return {graph.index(), edge_weight};
}

}  // namespace

GCNConv::GCNConv(const GCNConvOptions& o)
    : lin(detail::glorot_linear({o.in_channels, o.out_channels, false, o.dtype})),
      bias(detail::zero_bias(o.bias, o.out_channels, o.dtype)),
      improved(o.improved),
      add_self_loops(o.add_self_loops),
      normalize(o.normalize) {}
namespace {
template <class X>
Tensor gcn(const GCNConv& layer, const X& x, const Graph& graph, const Tensor& edge_weight) {
  check_nodes("gcn_conv", x, graph.nodes());
  check_edge_weight("gcn_conv", edge_weight, graph.edges());
  const NormalizedEdges norm =
      edges_of(graph, edge_weight, layer.normalize, {layer.improved, layer.add_self_loops}, x.dtype());
  return biased(neighbour_sum(norm.edges, detail::project(x, layer.lin), norm.weight), layer.bias);
}
}  // namespace

Tensor GCNConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  return gcn(*this, x, graph, edge_weight);
}
Tensor GCNConv::operator()(const SparseFeatures& x, const Graph& graph, const Tensor& edge_weight) const {
  return gcn(*this, x, graph, edge_weight);
}

SAGEConv::SAGEConv(const SAGEConvOptions& o)
    : lin_l({o.in_channels, o.out_channels, o.bias, o.dtype}), aggr(o.aggr), normalize(o.normalize) {
  if (o.project) lin.emplace(LinearOptions{o.in_channels, o.in_channels, true, o.dtype});
  if (o.root_weight) lin_r.emplace(LinearOptions{o.in_channels, o.out_channels, false, o.dtype});
}
Tensor SAGEConv::operator()(const Tensor& x, const Graph& graph) const { return (*this)(x, graph.index()); }
Tensor SAGEConv::operator()(const Tensor& x, const EdgeIndex& edges) const {
  const std::int64_t sources = edges.by_source().count(), targets = edges.by_target().count();
  check_nodes("sage_conv", x, sources);
  if (targets > sources)
    throw ShapeError(text("sage_conv: ", targets, " targets are not among the first of ", sources, " sources"));
  Tensor y = lin_l(aggregate(edges, lin ? relu((*lin)(x)) : x, aggr));
  if (lin_r) y = y + (*lin_r)(targets < sources ? slice(x, 0, 0, targets) : x);
  if (!normalize) return y;
  const Tensor squares = sum(square(y), -1, true);
  // A row of zeros stays one: its length has no derivative there.
  const Tensor none = eq(squares, 0);
  const Tensor length = sqrt(where(none, scalar(1, y.dtype()), squares));
  return y / clamp(length, 1e-12, HUGE_VAL);
}

GraphConv::GraphConv(const GraphConvOptions& o)
    : lin_rel({o.in_channels, o.out_channels, o.bias, o.dtype}),
      lin_root({o.in_channels, o.out_channels, false, o.dtype}),
      aggr(o.aggr) {}
Tensor GraphConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("graph_conv", x, graph.nodes());
  check_edge_weight("graph_conv", edge_weight, graph.edges());
  return lin_rel(aggregate(graph.index(), x, aggr, edge_weight)) + lin_root(x);
}

GINConv::GINConv(Sequential network, const GINConvOptions& o) : nn(std::move(network)) {
  Tensor value = full({1}, o.eps, o.dtype);
  if (o.train_eps)
    eps = value.set_requires_grad();
  else
    fixed_eps = value;
}
Tensor GINConv::operator()(const Tensor& x, const Graph& graph) const {
  check_nodes("gin_conv", x, graph.nodes());
  const Tensor& share = eps.defined() ? eps : fixed_eps;
  return nn(neighbour_sum(graph.index(), x) + (share + 1.0) * x);
}

TAGConv::TAGConv(const TAGConvOptions& o)
    : bias(detail::zero_bias(o.bias, o.out_channels, o.dtype)), normalize(o.normalize) {
  at_least("tag_conv", "K", o.K, 0);
  for (std::int64_t k = 0; k <= o.K; ++k)
    lins.emplace_back(LinearOptions{o.in_channels, o.out_channels, false, o.dtype});
}
Tensor TAGConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("tag_conv", x, graph.nodes());
  check_edge_weight("tag_conv", edge_weight, graph.edges());
  const NormalizedEdges norm = edges_of(graph, edge_weight, normalize, {.add_self_loops = false}, x.dtype());
  Tensor passed = x, y = lins.front()(x);
  for (std::size_t k = 1; k < lins.size(); ++k) {
    passed = pass_on(norm, passed, 1);
    y = y + lins[k](passed);
  }
  return biased(y, bias);
}

SGConv::SGConv(const SGConvOptions& o)
    : lin({o.in_channels, o.out_channels, o.bias, o.dtype}), K(o.K), add_self_loops(o.add_self_loops) {
  at_least("sg_conv", "K", K, 0);
}
Tensor SGConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("sg_conv", x, graph.nodes());
  check_edge_weight("sg_conv", edge_weight, graph.edges());
  const NormalizedEdges norm = gcn_norm(graph, edge_weight, {.add_self_loops = add_self_loops}, x.dtype());
  // Linear maps on nodes and on features may change places: pass on whichever is narrower.
  const bool first = lin.weight.shape()[0] < lin.weight.shape()[1];
  if (first) return biased(pass_on(norm, linear(x, lin.weight), K), lin.bias);
  return lin(pass_on(norm, x, K));
}

APPNP::APPNP(const APPNPOptions& o)
    : K(o.K), alpha(o.alpha), dropout(o.dropout), add_self_loops(o.add_self_loops), normalize(o.normalize) {
  at_least("appnp", "K", K, 0);
  if (!(alpha >= 0 && alpha <= 1))
    throw ConfigError(text("appnp: alpha is ", alpha, "\n  help: choose a share from 0 to 1"));
  if (!(dropout >= 0 && dropout <= 1))
    throw ConfigError(text("appnp: dropout is ", dropout, "\n  help: choose a probability from 0 to 1"));
}
Tensor APPNP::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("appnp", x, graph.nodes());
  check_edge_weight("appnp", edge_weight, graph.edges());
  const NormalizedEdges norm = edges_of(graph, edge_weight, normalize, {.add_self_loops = add_self_loops}, x.dtype());
  Tensor y = x;
  for (std::int64_t k = 0; k < K; ++k) {
    Tensor weight = norm.weight;
    if (dropout > 0 && mode.training) {
      if (!weight.defined()) weight = ones({graph.edges()}, x.dtype());
      weight = weft::dropout(weight, dropout);
    }
    y = neighbour_sum(norm.edges, y, weight) * (1 - alpha) + x * alpha;
  }
  return y;
}

LEConv::LEConv(const LEConvOptions& o)
    : lin1({o.in_channels, o.out_channels, o.bias, o.dtype}),
      lin2({o.in_channels, o.out_channels, false, o.dtype}),
      lin3({o.in_channels, o.out_channels, o.bias, o.dtype}) {}
Tensor LEConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("le_conv", x, graph.nodes());
  check_edge_weight("le_conv", edge_weight, graph.edges());
  const Segments& to = graph.index().by_target();
  const Tensor arriving = edge_weight.defined() ? segment_sum(edge_weight, to) : to.sizes(x.dtype());
  return neighbour_sum(graph.index(), lin1(x), edge_weight) - unsqueeze(arriving, 1) * lin2(x) + lin3(x);
}

namespace {
GRUCell cell(const GatedGraphConvOptions& o) {
  at_least("gated_graph_conv", "out_channels", o.out_channels, 1);
  at_least("gated_graph_conv", "num_layers", o.num_layers, 1);
  return GRUCell({.input_size = o.out_channels, .hidden_size = o.out_channels, .bias = o.bias, .dtype = o.dtype});
}
}  // namespace

GatedGraphConv::GatedGraphConv(const GatedGraphConvOptions& o) : rnn(cell(o)), aggr(o.aggr) {
  const double bound = 1 / std::sqrt(static_cast<double>(o.out_channels));
  weight = uniform({o.num_layers, o.out_channels, o.out_channels}, bound, o.dtype);
}
Tensor GatedGraphConv::operator()(const Tensor& x, const Graph& graph, const Tensor& edge_weight) const {
  check_nodes("gated_graph_conv", x, graph.nodes());
  check_edge_weight("gated_graph_conv", edge_weight, graph.edges());
  const std::int64_t channels = weight.shape()[1], lacking = channels - x.shape()[1];
  if (lacking < 0)
    throw ShapeError(text("gated_graph_conv: x has ", x.shape()[1], " features, more than out_channels, ", channels));
  Tensor h = lacking > 0 ? cat({x, zeros({graph.nodes(), lacking}, x.dtype())}, 1) : x;
  for (std::int64_t l = 0; l < weight.shape()[0]; ++l)
    h = rnn(aggregate(graph.index(), matmul(h, select(weight, 0, l)), aggr, edge_weight), h);
  return h;
}

RGCNConv::RGCNConv(const RGCNConvOptions& o) : aggr(o.aggr), num_relations(o.num_relations) {
  at_least("rgcn_conv", "in_channels", o.in_channels, 1);
  at_least("rgcn_conv", "out_channels", o.out_channels, 1);
  at_least("rgcn_conv", "num_relations", o.num_relations, 1);
  at_least("rgcn_conv", "num_bases", o.num_bases, 0);
  at_least("rgcn_conv", "num_blocks", o.num_blocks, 0);
  if (o.num_bases > 0 && o.num_blocks > 0)
    throw ConfigError(text("rgcn_conv: num_bases is ", o.num_bases, " and num_blocks ", o.num_blocks,
                           "\n  help: choose one of the two"));
  if (o.num_blocks > 0) {
    const std::int64_t b = o.num_blocks;
    if (o.in_channels % b != 0 || o.out_channels % b != 0)
      throw ConfigError(
          text("rgcn_conv: ", b, " blocks do not divide ", o.in_channels, " and ", o.out_channels, " channels evenly"));
    weight = detail::glorot({o.num_relations, b, o.in_channels / b, o.out_channels / b}, o.dtype);
  } else {
    weight = detail::glorot({o.num_bases > 0 ? o.num_bases : o.num_relations, o.in_channels, o.out_channels}, o.dtype);
    if (o.num_bases > 0) comp = detail::glorot({o.num_relations, o.num_bases}, o.dtype);
  }
  if (o.root_weight) root = detail::glorot({o.in_channels, o.out_channels}, o.dtype);
  bias = detail::zero_bias(o.bias, o.out_channels, o.dtype);
}
Tensor RGCNConv::operator()(const Tensor& x, const RelationalGraph& graph) const {
  check_nodes("rgcn_conv", x, graph.nodes());
  if (graph.relations() != num_relations)
    throw ShapeError(
        text("rgcn_conv: the graph has ", graph.relations(), " kinds of edges, the layer ", num_relations));
  const std::int64_t n = graph.nodes(), in = x.shape()[1];
  const bool blocks = weight.dim() == 4;
  const std::int64_t wanted = blocks ? weight.shape()[1] * weight.shape()[2] : weight.shape()[1];
  if (in != wanted) throw ShapeError(text("rgcn_conv: x has ", in, " features, the layer takes ", wanted));
  const Tensor arrived = aggregate(graph.index(), x, aggr);  // (N * R, in)
  Tensor y;
  if (blocks) {
    const Shape& w = weight.shape();                                                  // (R, B, i, o)
    const Tensor h = permute(reshape(arrived, {n, w[0], w[1], w[2]}), {1, 2, 0, 3});  // (R, B, N, i)
    y = reshape(permute(sum(matmul(h, weight), 0), {1, 0, 2}), {n, w[1] * w[3]});     // (N, B * o)
  } else {
    const std::int64_t out = weight.shape()[2];
    Tensor full = weight;  // (R, in, out), or of the bases
    if (comp.defined()) full = matmul(comp, reshape(weight, {weight.shape()[0], in * out}));
    // The kinds stand beside each other in a row, so that one product also sums over them.
    y = matmul(reshape(arrived, {n, num_relations * in}), reshape(full, {num_relations * in, out}));
  }
  if (root.defined()) y = y + matmul(x, root);
  return biased(y, bias);
}

}  // namespace weft
