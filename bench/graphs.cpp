#include <cstdint>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/shape.h>
#include <weft/autograd/ops/sparse.h>
#include <weft/layers/graph/attention.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

#include "training.h"

using namespace weft;

namespace bench {
namespace {

constexpr std::int64_t nodes = 2708, links = 5429, features = 1433, classes = 7, hidden = 64;

/// A random citation graph of the size of Cora: links both ways, a loop at each node, words that are there or not.
struct Citations {
  Tensor source, target;  ///< (E,) of each edge
  Tensor weight;          ///< (E,): 1 / sqrt(degree of the source * degree of the target)
  Tensor x;               ///< (nodes, features), dense
  Tensor y;               ///< (nodes,) the class of each node
  Citations() {
    const Tensor from = randint(0, nodes, {links}), to = randint(0, nodes, {links}), loops = arange(0, nodes);
    source = cat({from, to, loops});
    target = cat({to, from, loops});
    const Tensor degree = index_add(zeros({nodes}), 0, target, ones(target.shape()));
    weight = rsqrt(index_select(degree, 0, source) * index_select(degree, 0, target));
    x = bernoulli({nodes, features}, 0.0127);
    y = randint(0, classes, {nodes});
  }
  Tensor edge_index() const { return stack({source, target}); }
};

Linear without_bias(std::int64_t in, std::int64_t out) {
  return Linear({.in_features = in, .out_features = out, .bias = false});
}

/// Two rounds of features that are passed on to the neighbours. Kipf and Welling (2017).
struct Gcn {
  Linear lin1 = without_bias(features, hidden);
  Tensor bias1 = zeros({hidden}).set_requires_grad();
  Linear lin2 = without_bias(hidden, classes);
  Tensor bias2 = zeros({classes}).set_requires_grad();
  /// `pass` is how: (nodes, n) -> the weighted sums over each node's neighbours.
  template <class Pass>
  Tensor operator()(const Tensor& x, const Pass& pass) const {
    return pass(lin2(relu(pass(lin1(x)) + bias1))) + bias2;
  }
  void fields(auto&& f) { f("lin1", lin1, "bias1", bias1, "lin2", lin2, "bias2", bias2); }
};

/// Edges sorted once by where they lead: weft's form of a compressed sparse matrix.
Built gcn_over_sorted_edges() {
  const Citations data;
  const EdgeIndex edges(data.edge_index(), nodes, nodes);
  const auto pass = [edges, weight = data.weight](const Tensor& h) { return neighbour_sum(edges, h, weight); };
  return classification<optim::Adam>(Gcn(), {.lr = 1e-3}, data.y, data.x, pass);
}

/// Edges as they come: rows gathered, weighted, and added up where they lead.
Built gcn_by_index() {
  const Citations data;
  const auto pass = [source = data.source, target = data.target, weight = unsqueeze(data.weight, 1)](const Tensor& h) {
    return index_add(zeros({nodes, h.size(1)}), 0, target, index_select(h, 0, source) * weight);
  };
  return classification<optim::Adam>(Gcn(), {.lr = 1e-3}, data.y, data.x, pass);
}

/// The peer's initial values; the loops are among the edges already.
GATConv attention_layer(std::int64_t in, std::int64_t heads, std::int64_t out) {
  GATConv layer({.in_channels = in, .out_channels = out, .heads = heads, .add_self_loops = false});
  layer.lin = without_bias(in, heads * out);
  for (Tensor* attention : {&layer.att_src, &layer.att_dst})
    *attention = randn({1, heads, out}, 0, 0.1).set_requires_grad();
  return layer;
}

struct Gat {
  GATConv conv1 = attention_layer(features, 8, 8);
  GATConv conv2 = attention_layer(64, 1, classes);
  Tensor operator()(const Tensor& x, const Graph& graph) const { return conv2(elu(conv1(x, graph)), graph); }
  void fields(auto&& f) { f("conv1", conv1, "conv2", conv2); }
};

Built gat() {
  const Citations data;
  return classification<optim::Adam>(Gat(), {.lr = 1e-3}, data.y, data.x, Graph(data.edge_index(), nodes));
}

}  // namespace

void add_graphs(Cases& cases) {
  cases.push_back({"gcn_index_train", gcn_by_index});
  // Two forms of one matrix in the peers; here there is one.
  cases.push_back({"gcn_coo_train", gcn_over_sorted_edges});
  cases.push_back({"gcn_csr_train", gcn_over_sorted_edges});
  cases.push_back({"gat_train", gat});
}

}  // namespace bench
