#include <weft/layers/graph/pooling.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

using Ints = std::vector<std::int64_t>;

void check_batch(const char* layer, const Tensor& x, const Segments& batch) {
  if (x.dim() != 2 || x.shape()[0] != batch.entries())
    throw ShapeError(
        text(layer, ": x is ", x.shape(), ", not (nodes, features) of a batch with ", batch.entries(), " nodes"));
}

/// The ceil(ratio n) nodes of each graph with the highest scores, graph by graph, the highest first.
Ints highest(const Tensor& score, const Segments& batch, double ratio) {
  const auto values = to_vector<double>(detach(score));
  const Ints order = to_vector<std::int64_t>(batch.order()), begin = to_vector<std::int64_t>(batch.offsets());
  Ints kept;
  for (std::size_t g = 0; g + 1 < begin.size(); ++g) {
    Ints nodes(order.begin() + begin[g], order.begin() + begin[g + 1]);
    std::stable_sort(nodes.begin(), nodes.end(), [&](std::int64_t a, std::int64_t b) {
      return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
    });
    // 0.1 * 10 must not become 2 because of what 0.1 is in binary.
    const double share = ratio * static_cast<double>(nodes.size());
    const auto count = static_cast<std::size_t>(std::ceil(share * (1 - 1e-12)));
    kept.insert(kept.end(), nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(std::min(count, nodes.size())));
  }
  return kept;
}

}  // namespace

AttentionalAggregation::AttentionalAggregation(Sequential gate, std::optional<Sequential> features)
    : gate_nn(std::move(gate)), nn(std::move(features)) {}
Tensor AttentionalAggregation::operator()(const Tensor& x, const Segments& batch) const {
  check_batch("attentional_aggregation", x, batch);
  const Tensor gate = gate_nn(x), h = nn ? (*nn)(x) : x;
  if (gate.dim() != 2 || h.dim() != 2 || gate.shape()[0] != x.shape()[0] || h.shape()[0] != x.shape()[0] ||
      (gate.shape()[1] != 1 && gate.shape()[1] != h.shape()[1]))
    throw ShapeError(text("attentional_aggregation: the gate is ", gate.shape(), " for features ", h.shape(),
                          "\n  help: let gate_nn give 1 number per node, or one per feature"));
  return segment_sum(segment_softmax(gate, batch) * h, batch);
}

TopKPooling::TopKPooling(const TopKPoolingOptions& o) : ratio(o.ratio), multiplier(o.multiplier) {
  if (o.in_channels < 1)
    throw ConfigError(text("top_k_pooling: in_channels is ", o.in_channels, "\n  help: choose 1 or more"));
  if (!(ratio > 0 && ratio <= 1))
    throw ConfigError(text("top_k_pooling: ratio is ", ratio, "\n  help: choose a share above 0 and up to 1"));
  const double bound = 1 / std::sqrt(static_cast<double>(o.in_channels));
  weight = empty({1, o.in_channels}, o.dtype);
  initialize::uniform(weight, -bound, bound);
  weight.set_requires_grad();
}
PooledGraphs TopKPooling::operator()(const Tensor& x, const Graph& graph, const Segments& batch) const {
  detail::check_nodes("top_k_pooling", x, graph.nodes());
  check_batch("top_k_pooling", x, batch);
  if (x.shape()[1] != weight.shape()[1])
    throw ShapeError(text("top_k_pooling: x has ", x.shape()[1], " features, the layer takes ", weight.shape()[1]));
  const Tensor score = tanh(sum(x * weight, 1) / sqrt(sum(square(weight))));  // (N,)
  const Tensor nodes = from(highest(score, batch, ratio));
  Subgraph part = subgraph(graph, nodes);
  const Tensor kept = index_select(score, 0, nodes);
  return {index_select(x, 0, nodes) * unsqueeze(kept, 1) * multiplier,
          std::move(part.graph),
          Segments(index_select(batch.index(), 0, nodes), batch.count()),
          nodes,
          part.edges,
          kept};
}

Subgraph subgraph(const Graph& graph, const Tensor& nodes) {
  if (nodes.dim() != 1) throw ShapeError(text("subgraph: the nodes are ", nodes.shape(), ", not (K,)"));
  const Ints chosen = to_vector<std::int64_t>(nodes);
  Ints number(static_cast<std::size_t>(graph.nodes()), -1);
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    if (chosen[k] < 0 || chosen[k] >= graph.nodes())
      throw ConfigError(text("subgraph: node ", chosen[k], " of ", graph.nodes()));
    std::int64_t& own = number[static_cast<std::size_t>(chosen[k])];
    if (own >= 0) throw ConfigError(text("subgraph: node ", chosen[k], " is there twice"));
    own = static_cast<std::int64_t>(k);
  }
  const Ints from_all = to_vector<std::int64_t>(graph.index().by_source().index()),
             to_all = to_vector<std::int64_t>(graph.index().by_target().index());
  Ints sources, targets, edges;
  for (std::size_t e = 0; e < from_all.size(); ++e) {
    const std::int64_t source = number[static_cast<std::size_t>(from_all[e])],
                       target = number[static_cast<std::size_t>(to_all[e])];
    if (source < 0 || target < 0) continue;
    sources.push_back(source), targets.push_back(target), edges.push_back(static_cast<std::int64_t>(e));
  }
  return {Graph(stack({from(sources), from(targets)}), static_cast<std::int64_t>(chosen.size())), from(edges)};
}

}  // namespace weft
