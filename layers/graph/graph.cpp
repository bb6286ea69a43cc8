#include <weft/layers/graph/graph.h>

#include <cmath>
#include <mutex>
#include <optional>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/record.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

LoopedEdges make_looped(const EdgeIndex& edges) {
  const Tensor &from = edges.by_source().index(), &to = edges.by_target().index();
  const std::int64_t nodes = edges.by_source().count();
  const Tensor different = ne(from, to);
  const Tensor kept = nonzero(different), loops = nonzero(logical_not(different));
  const Tensor all = arange(0, static_cast<double>(nodes));
  const auto end = [&](const Tensor& ends) { return cat({index_select(ends, 0, kept), all}); };
  return {EdgeIndex(stack({end(from), end(to)}), nodes, nodes), kept, loops, index_select(from, 0, loops)};
}

/// weight (E,) -> (nodes,): that of each node's last self-loop, `fill` where there is none. The gradient goes to all of
/// a node's self-loops.
Tensor loop_weights(const LoopedEdges& looped, const Tensor& weight, double fill) {
  const Tensor values = index_select(weight, 0, looped.loops);  // (L,)
  const std::int64_t nodes = looped.edges.by_source().count();
  return record(
      {"loop_weights", {{"fill", fill}}}, {values},
      [nodes, fill, places = looped.looped](const Inputs& in) {
        std::vector<double> all(static_cast<std::size_t>(nodes), fill);
        const std::vector<double> given = to_vector<double>(in[0]);
        const std::vector<std::int64_t> node = to_vector<std::int64_t>(places);
        for (std::size_t k = 0; k < node.size(); ++k) all[static_cast<std::size_t>(node[k])] = given[k];
        return kernels::cast(from(all), in[0].dtype());
      },
      [node = looped.looped](const Saved&, const Tensor& dy) { return index_select(dy, 0, node); });
}

/// 1 / sqrt(x), and 0 (not infinity) where x is 0.
Tensor safe_rsqrt(const Tensor& x) {
  const Tensor none = eq(x, 0);
  return where(none, scalar(0, x.dtype()), rsqrt(where(none, scalar(1, x.dtype()), x)));
}

EdgeIndex by_relation(const Tensor& edge_index, const Tensor& edge_type, std::int64_t nodes, std::int64_t relations) {
  if (relations < 1)
    throw ConfigError(text("relational_graph: relations is ", relations, "\n  help: choose 1 or more"));
  const EdgeIndex plain(edge_index, nodes, nodes);  // checks the nodes
  if (edge_type.dim() != 1 || edge_type.numel() != plain.edges())
    throw ShapeError(
        text("relational_graph: edge_type ", edge_type.shape(), " needs a kind for each of ", plain.edges(), " edges"));
  if (edge_type.dtype() != DType::int64 && edge_type.dtype() != DType::int32 && edge_type.numel() != 0)
    throw DtypeError(text("relational_graph: edge_type is ", edge_type.dtype(),
                          "\n  help: convert it with to(edge_type, DType::int64)"));
  const Tensor kind = to(edge_type, DType::int64);
  const std::vector<std::int64_t> kinds = to_vector<std::int64_t>(kind);
  for (std::size_t e = 0; e < kinds.size(); ++e)
    if (kinds[e] < 0 || kinds[e] >= relations)
      throw ConfigError(text("relational_graph: edge ", e, " is of kind ", kinds[e], " of ", relations));
  const Tensor place = plain.by_target().index() * Scalar(relations) + kind;
  return EdgeIndex(stack({plain.by_source().index(), place}), nodes, nodes * relations);
}

}  // namespace

struct Graph::State {
  EdgeIndex index;
  std::once_flag once;
  std::optional<LoopedEdges> looped;
  explicit State(EdgeIndex i) : index(std::move(i)) {}
};

Graph::Graph(const Tensor& edge_index, std::int64_t nodes)
    : state_(std::make_shared<State>(EdgeIndex(edge_index, nodes, nodes))) {}

std::int64_t Graph::nodes() const { return index().by_source().count(); }
const EdgeIndex& Graph::index() const { return state_->index; }
const LoopedEdges& Graph::looped() const {
  std::call_once(state_->once, [this] { state_->looped = make_looped(state_->index); });
  return *state_->looped;
}

RelationalGraph::RelationalGraph(const Tensor& edge_index, const Tensor& edge_type, std::int64_t nodes,
                                 std::int64_t relations)
    : index_(by_relation(edge_index, edge_type, nodes, relations)), relations_(relations) {}

SparseFeatures sparse_features(const Tensor& x) {
  if (x.dim() != 2) throw ShapeError(text("sparse_features: x is ", x.shape(), ", not (nodes, features)"));
  const NoGrad off;
  const Tensor places = nonzero(flatten(ne(x, 0)));  // row by row
  const Scalar width(x.shape()[1]);
  const Tensor row = floor_divide(places, width);
  return {EdgeIndex(stack({places - row * width, row}), x.shape()[1], x.shape()[0]),
          index_select(reshape(detach(x), {x.numel()}), 0, places)};
}

Tensor linear(const SparseFeatures& x, const Linear& layer) {
  const std::int64_t wanted = layer.weight.shape()[1];
  if (x.columns() != wanted)
    throw ShapeError(text("linear: the sparse features have ", x.columns(), " columns, the layer takes ", wanted));
  return detail::biased(neighbour_sum(x.places, t(layer.weight), x.values), layer.bias);
}

GraphBatch join(const std::vector<Graph>& graphs) {
  std::vector<Tensor> sources{zeros({0}, DType::int64)}, targets = sources, batch = sources;
  std::int64_t nodes = 0, number = 0;
  for (const Graph& g : graphs) {
    sources.push_back(g.index().by_source().index() + Scalar(nodes));
    targets.push_back(g.index().by_target().index() + Scalar(nodes));
    batch.push_back(full({g.nodes()}, number++, DType::int64));
    nodes += g.nodes();
  }
  return {Graph(stack({cat(sources), cat(targets)}), nodes), Segments(cat(batch), number)};
}

NormalizedEdges gcn_norm(const Graph& graph, const Tensor& edge_weight, const NormalizeOptions& options, DType dtype) {
  detail::check_edge_weight("gcn_norm", edge_weight, graph.edges());
  const Tensor given = edge_weight.defined() ? edge_weight : ones({graph.edges()}, dtype);
  const EdgeIndex& edges = options.add_self_loops ? graph.looped().edges : graph.index();
  Tensor weight = given;
  if (options.add_self_loops)
    weight = cat({index_select(given, 0, graph.looped().kept),
                  loop_weights(graph.looped(), given, options.improved ? 2.0 : 1.0)});
  const Tensor scale = safe_rsqrt(segment_sum(weight, edges.by_target()));
  return {edges, segment_gather(scale, edges.by_source()) * weight * segment_gather(scale, edges.by_target())};
}

Tensor aggregate(const EdgeIndex& edges, const Tensor& x, Aggregation how, const Tensor& weight) {
  const Segments& to = edges.by_target();
  if (how == Aggregation::sum) return neighbour_sum(edges, x, weight);
  if (how == Aggregation::mean) {
    const Tensor sums = neighbour_sum(edges, x, weight);
    Shape shape = Shape::filled(x.dim(), 1);
    shape[0] = to.count();
    return sums / reshape(clamp(to.sizes(x.dtype()), 1, HUGE_VAL), shape);
  }
  Tensor messages = segment_gather(x, edges.by_source());
  if (weight.defined()) {
    Shape shape = Shape::filled(x.dim(), 1);
    shape[0] = edges.edges();
    messages = messages * reshape(weight, shape);
  }
  return how == Aggregation::max ? segment_max(messages, to) : segment_min(messages, to);
}

Tensor global_add_pool(const Tensor& x, const Segments& batch) { return segment_sum(x, batch); }
Tensor global_mean_pool(const Tensor& x, const Segments& batch) { return segment_mean(x, batch); }
Tensor global_max_pool(const Tensor& x, const Segments& batch) { return segment_max(x, batch); }

namespace detail {

void check_nodes(const char* layer, const Tensor& x, std::int64_t nodes) {
  if (x.dim() != 2 || x.shape()[0] != nodes)
    throw ShapeError(text(layer, ": x is ", x.shape(), ", not (nodes, features) of a graph with ", nodes, " nodes"));
}

void check_nodes(const char* layer, const SparseFeatures& x, std::int64_t nodes) {
  if (x.rows() != nodes)
    throw ShapeError(text(layer, ": the sparse features have ", x.rows(), " rows for a graph with ", nodes, " nodes"));
}

void check_edge_weight(const char* layer, const Tensor& edge_weight, std::int64_t edges) {
  if (edge_weight.defined() && (edge_weight.dim() != 1 || edge_weight.numel() != edges))
    throw ShapeError(
        text(layer, ": edge_weight ", edge_weight.shape(), " needs a number for each of ", edges, " edges"));
}

Linear glorot_linear(const LinearOptions& options) {
  Linear layer(options);
  initialize::xavier_uniform(layer.weight);
  return layer;
}

Tensor glorot(const Shape& shape, DType dtype) {
  Tensor x = empty(shape, dtype);
  const int last = shape.size() - 1;
  const double bound = std::sqrt(6.0 / static_cast<double>(shape[last] + shape[last - 1]));
  initialize::uniform(x, -bound, bound);
  return x.set_requires_grad();
}

Tensor zero_bias(bool wanted, std::int64_t features, DType dtype) {
  if (!wanted) return Tensor();
  Tensor bias = zeros({features}, dtype);
  return bias.set_requires_grad();
}

Tensor biased(const Tensor& y, const Tensor& bias) { return bias.defined() ? y + bias : y; }

}  // namespace detail
}  // namespace weft
