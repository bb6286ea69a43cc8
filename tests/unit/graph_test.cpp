#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/layers/graph/attention.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;

namespace {

using Ints = std::vector<std::int64_t>;

Tensor ints(const Ints& values) { return from(values); }
Graph graph(const Ints& sources, const Ints& targets, std::int64_t nodes) {
  return Graph(stack({ints(sources), ints(targets)}), nodes);
}
Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }

template <class M>
std::vector<std::string> names(M model) {
  std::vector<std::string> all;
  for (const auto& each : state(model)) all.push_back(each.first);
  return all;
}

}  // namespace

TEST_CASE("segments sort entries once, keeping their order; later changes of the index do not reach them") {
  Tensor index = ints({2, 0, 2, 1, 0});
  const Segments s(index, 4);
  index.mutable_data<std::int64_t>()[0] = 3;
  CHECK(s.count() == 4);
  CHECK(s.entries() == 5);
  CHECK(list(s.index()) == Ints{2, 0, 2, 1, 0});
  CHECK(list(s.order()) == Ints{1, 4, 3, 0, 2});
  CHECK(list(s.offsets()) == Ints{0, 2, 3, 5, 5});
  CHECK(list(s.sizes()) == Ints{2, 1, 2, 0});
  CHECK(Segments(ints({2, 0}), -1).count() == 3);
  CHECK(Segments(ints({}), -1).count() == 0);
}

TEST_CASE("edges are sorted both ways, and turned around without sorting") {
  const EdgeIndex edges(stack({ints({0, 2, 1, 2}), ints({3, 0, 3, 0})}), 3, 4);
  CHECK(edges.edges() == 4);
  CHECK(list(edges.neighbours()) == Ints{2, 2, 0, 1});
  const EdgeIndex back = edges.transposed();
  CHECK(list(back.neighbours()) == Ints{3, 3, 0, 0});
  CHECK(back.by_target().count() == 3);
  CHECK(list(back.transposed().neighbours()) == list(edges.neighbours()));
}

TEST_CASE("self-loops: each node gets just one, behind the other edges") {
  const Graph g = graph({0, 1, 1, 2, 1}, {1, 1, 0, 2, 1}, 4);
  const LoopedEdges& looped = g.looped();
  CHECK(list(looped.edges.by_source().index()) == Ints{0, 1, 0, 1, 2, 3});
  CHECK(list(looped.edges.by_target().index()) == Ints{1, 0, 0, 1, 2, 3});
  CHECK(list(looped.kept) == Ints{0, 2});
  CHECK(list(looped.loops) == Ints{1, 3, 4});
  CHECK(list(looped.looped) == Ints{1, 2, 1});
  CHECK(&Graph(g).looped() == &looped);  // made once for all copies
}

TEST_CASE("gcn_norm: by hand") {
  // 0 -> 1 (weight 2), 1 -> 1 (5, then 3: the last one counts); 0 and 1 get or keep a loop.
  const Graph g = graph({0, 1, 1}, {1, 1, 1}, 2);
  const Tensor w = tensor({2, 5, 3}, DType::float64);
  const NormalizedEdges n = gcn_norm(g, w);
  CHECK(allclose(n.weight, tensor({2 / std::sqrt(5.0), 1, 3.0 / 5}, DType::float64)));
  CHECK(allclose(gcn_norm(g, w, {.improved = true}).weight, tensor({2 / std::sqrt(10.0), 1, 3.0 / 5}, DType::float64)));
  // Nothing arrives at node 0: its edges weigh 0 instead of infinity, with a finite gradient.
  Tensor weight = tensor({2, 5, 3}, DType::float64);
  weight.set_requires_grad();
  const Tensor bare = gcn_norm(g, weight, {.add_self_loops = false}).weight;
  CHECK(allclose(bare, tensor({0, 5.0 / 10, 3.0 / 10}, DType::float64)));
  sum(bare).backward();
  CHECK(all(isfinite(weight.grad())).item() == 1);
}

TEST_CASE("gcn_norm: the gradient of several self-loops at a node goes to all of them, as in PyTorch Geometric") {
  const Graph g = graph({0, 1, 1}, {1, 1, 1}, 2);
  Tensor w = tensor({2, 5, 3}, DType::float64);
  w.set_requires_grad();
  select(gcn_norm(g, w).weight, 0, 2).backward();  // w2 / (w0 + w2)
  CHECK(allclose(w.grad(), tensor({-3.0 / 25, 2.0 / 25, 2.0 / 25}, DType::float64)));
}

TEST_CASE("pooling: a row per graph, 0 for one without nodes") {
  const Tensor x = tensor({{1, -4}, {2, -5}, {3, -6}}, DType::float64);
  const Segments batch(ints({2, 0, 2}), 3);
  CHECK(allclose(global_add_pool(x, batch), tensor({{2, -5}, {0, 0}, {4, -10}}, DType::float64)));
  CHECK(allclose(global_mean_pool(x, batch), tensor({{2, -5}, {0, 0}, {2, -5}}, DType::float64)));
  CHECK(allclose(global_max_pool(x, batch), tensor({{2, -5}, {0, 0}, {3, -4}}, DType::float64)));
}

TEST_CASE("the largest neighbour shares its gradient with its equals, once per edge") {
  Tensor x = tensor({3, 3, 1}, DType::float64);
  x.set_requires_grad();
  const Graph g = graph({0, 1, 1, 2}, {2, 2, 2, 2}, 3);
  sum(aggregate(g.index(), x, Aggregation::max)).backward();
  CHECK(allclose(x.grad(), tensor({1.0 / 3, 2.0 / 3, 0}, DType::float64)));
}

TEST_CASE("joined graphs: none, and some without nodes") {
  const GraphBatch none = join({});
  CHECK(none.graph.nodes() == 0);
  CHECK(none.batch.count() == 0);
  const GraphBatch some = join({graph({}, {}, 0), graph({1}, {0}, 2), graph({}, {}, 1), graph({0}, {0}, 1)});
  CHECK(list(some.batch.index()) == Ints{1, 1, 2, 3});
  CHECK(some.batch.count() == 4);
  CHECK(list(some.graph.index().by_source().index()) == Ints{1, 3});
  CHECK(list(some.graph.index().by_target().index()) == Ints{0, 3});
}

TEST_CASE("parameters and buffers have PyTorch Geometric's names") {
  using Names = std::vector<std::string>;
  CHECK(names(GINConv(Sequential(Linear(2, 2), ReLU()), {.train_eps = true})) ==
        Names{"nn.0.weight", "nn.0.bias", "eps"});
  GINConv fixed(Sequential(Linear(2, 2), ReLU()), {.eps = 0.5});
  CHECK(names(fixed) == Names{"nn.0.weight", "nn.0.bias", "eps"});
  CHECK(parameters(fixed).size() == 2);
  CHECK(names(GATConv({.in_channels = 2, .out_channels = 3, .edge_dim = 1, .residual = true})) ==
        Names{"lin.weight", "att_src", "att_dst", "lin_edge.weight", "att_edge", "res.weight", "bias"});
  CHECK(names(GATv2Conv({.in_channels = 2, .out_channels = 3, .share_weights = true})) ==
        Names{"lin_l.weight", "lin_l.bias", "att", "bias"});  // lin_r is tied
  CHECK(names(TransformerConv({.in_channels = 2, .out_channels = 3, .beta = true})) ==
        Names{"lin_key.weight", "lin_key.bias", "lin_query.weight", "lin_query.bias", "lin_value.weight",
              "lin_value.bias", "lin_skip.weight", "lin_skip.bias", "lin_beta.weight"});
  CHECK(names(SAGEConv({.in_channels = 2, .out_channels = 3, .project = true})) ==
        Names{"lin.weight", "lin.bias", "lin_l.weight", "lin_l.bias", "lin_r.weight"});
  CHECK(names(RGCNConv({.in_channels = 2, .out_channels = 3, .num_relations = 4, .num_bases = 2})) ==
        Names{"weight", "comp", "root", "bias"});
}

TEST_CASE("dropout of attention and of edge weights: while training only") {
  const Graph g = graph({0, 1, 2, 0}, {1, 2, 0, 2}, 3);
  const Tensor x = ones({3, 2});
  GATConv gat({.in_channels = 2, .out_channels = 2, .dropout = 0.5, .add_self_loops = false});
  APPNP appnp({.K = 1, .alpha = 0.0, .dropout = 1});
  manual_seed(3);
  CHECK(allclose(appnp(x, g), zeros({3, 2})));
  eval(gat), eval(appnp);
  // The features of all nodes are the same, so any weights that sum to 1 give these features back.
  CHECK(allclose(gat(x, g), gat.lin(x)));
  CHECK(allclose(gat(x, g), gat(x, g)));
  CHECK(sum(appnp(x, g)).item() > 0);
  train(gat);
  CHECK_FALSE(allclose(gat(x, g), gat.lin(x)));
}

TEST_CASE("sparse features: what the same numbers with their zeros give, and the gradients") {
  const DType f64 = DType::float64;
  Generator g{.seed = 4};
  const Tensor x = randn({5, 7}, 0, 1, f64, g) * to(lt(rand({5, 7}, 0, 1, f64, g), 0.3), f64);
  const SparseFeatures s = sparse_features(x);
  CHECK(s.rows() == 5);
  CHECK(s.columns() == 7);
  CHECK(s.values.numel() == static_cast<std::int64_t>(sum(to(ne(x, 0), f64)).item()));
  const Graph path = graph({0, 1, 2, 4}, {1, 2, 3, 4}, 5);
  const GCNConv gcn({.in_channels = 7, .out_channels = 3, .dtype = f64});
  GATConv gat({.in_channels = 7, .out_channels = 3, .heads = 2, .residual = true, .dtype = f64});
  const Linear lin({.in_features = 7, .out_features = 3, .dtype = f64});
  CHECK(allclose(linear(s, lin), lin(x), {.atol = 1e-12}));
  CHECK(allclose(gcn(s, path), gcn(x, path), {.atol = 1e-12}));
  CHECK(allclose(gat(s, path), gat(x, path), {.atol = 1e-12}));
  const testing::Report grad = testing::gradcheck(
      [&](const std::vector<Tensor>& in) {
        GATConv other = gat;
        other.lin.weight = in[1], other.res->weight = in[2];
        return other({s.places, in[0]}, path);
      },
      {s.values, detach(gat.lin.weight), detach(gat.res->weight)});
  CHECK_MESSAGE(grad, grad.message);
  CHECK(sparse_features(zeros({0, 7})).values.numel() == 0);
  CHECK(error_of([] { sparse_features(ones({3})); }) == "ShapeError: sparse_features: x is [3], not (nodes, features)");
  CHECK(error_of([&] { linear(s, Linear(6, 2)); }) ==
        "ShapeError: linear: the sparse features have 7 columns, the layer takes 6");
  CHECK(error_of([&] { gcn(s, graph({}, {}, 4)); }) ==
        "ShapeError: gcn_conv: the sparse features have 5 rows for a graph with 4 nodes");
}

TEST_CASE("SAGEConv: rows of length 1, and zeros stay zeros with a finite gradient") {
  SAGEConv layer({.in_channels = 2, .out_channels = 3, .normalize = true, .bias = false, .dtype = DType::float64});
  Tensor x = tensor({{1, 2}, {0, 0}}, DType::float64);
  x.set_requires_grad();
  const Tensor y = layer(x, graph({}, {}, 2));
  CHECK(allclose(sum(square(y), 1), tensor({1, 0}, DType::float64)));
  sum(y).backward();
  CHECK(all(isfinite(x.grad())).item() == 1);
}

TEST_CASE("graphs and layers: errors") {
  const Graph g = graph({0, 1}, {1, 0}, 2);
  const Tensor x = ones({2, 3});
  CHECK(error_of([] { Graph(ones({2, 2}, DType::int64), 2); }) == "nothing");
  CHECK(error_of([] {
          graph({0, 2}, {1, 0}, 2);
        }) == "ConfigError: edge_index: the source of edge 1 is node 2 of 2\n  help: number the nodes from 0 to 1");
  CHECK(error_of([&] {
          global_add_pool(x, Segments(ints({0, 1, 1}), 2));
        }) == "ShapeError: segment_sum: x [2, 3] needs a row for each of 3 entries");
  CHECK(error_of([&] { gcn_norm(g, ones({3})); }) ==
        "ShapeError: gcn_norm: edge_weight [3] needs a number for each of 2 edges");

  const auto relational = [](const Tensor& kind, std::int64_t relations) {
    return RelationalGraph(stack({ints({0, 1}), ints({1, 0})}), kind, 2, relations);
  };
  CHECK(error_of([&] {
          relational(ints({0, 1}), 0);
        }) == "ConfigError: relational_graph: relations is 0\n  help: choose 1 or more");
  CHECK(error_of([&] { relational(ints({0}), 2); }) ==
        "ShapeError: relational_graph: edge_type [1] needs a kind for each of 2 edges");
  CHECK(error_of([&] { relational(ones({2}), 2); }) ==
        "DtypeError: relational_graph: edge_type is float32\n  help: convert it with to(edge_type, DType::int64)");
  CHECK(error_of([&] { relational(ints({0, 2}), 2); }) == "ConfigError: relational_graph: edge 1 is of kind 2 of 2");
  const RGCNConv rgcn({.in_channels = 3, .out_channels = 2, .num_relations = 2});
  CHECK(error_of([&] {
          rgcn(x, relational(ints({0, 2}), 3));
        }) == "ShapeError: rgcn_conv: the graph has 3 kinds of edges, the layer 2");
  CHECK(error_of([&] {
          rgcn(ones({2, 4}), relational(ints({0, 1}), 2));
        }) == "ShapeError: rgcn_conv: x has 4 features, the layer takes 3");
  CHECK(error_of([] { RGCNConv({.in_channels = 0, .out_channels = 2, .num_relations = 2}); }) ==
        "ConfigError: rgcn_conv: in_channels is 0\n  help: choose 1 or more");
  CHECK(error_of([] { RGCNConv({.in_channels = 3, .out_channels = 2, .num_relations = 2, .num_blocks = 2}); }) ==
        "ConfigError: rgcn_conv: 2 blocks do not divide 3 and 2 channels evenly");
  CHECK(error_of([] {
          RGCNConv({.in_channels = 4, .out_channels = 2, .num_relations = 2, .num_bases = 1, .num_blocks = 2});
        }) == "ConfigError: rgcn_conv: num_bases is 1 and num_blocks 2\n  help: choose one of the two");

  const GCNConv gcn({.in_channels = 3, .out_channels = 2});
  CHECK(error_of([&] {
          gcn(ones({3, 3}), g);
        }) == "ShapeError: gcn_conv: x is [3, 3], not (nodes, features) of a graph with 2 nodes");
  CHECK(error_of([&] {
          gcn(x, g, ones({2, 1}));
        }) == "ShapeError: gcn_conv: edge_weight [2, 1] needs a number for each of 2 edges");
  CHECK(error_of([&] { GatedGraphConv({.out_channels = 2, .num_layers = 1})(x, g); }) ==
        "ShapeError: gated_graph_conv: x has 3 features, more than out_channels, 2");
  CHECK(error_of([] { GatedGraphConv({.out_channels = 0, .num_layers = 1}); }) ==
        "ConfigError: gated_graph_conv: out_channels is 0\n  help: choose 1 or more");
  CHECK(error_of([] { TAGConv({.in_channels = 1, .out_channels = 1, .K = -1}); }) ==
        "ConfigError: tag_conv: K is -1\n  help: choose 0 or more");
  CHECK(error_of([] { APPNP({.K = 1, .alpha = 1.5}); }) ==
        "ConfigError: appnp: alpha is 1.5\n  help: choose a share from 0 to 1");
  CHECK(error_of([] { APPNP({.K = 1, .alpha = 0.5, .dropout = -1}); }) ==
        "ConfigError: appnp: dropout is -1\n  help: choose a probability from 0 to 1");

  const GATConv plain({.in_channels = 3, .out_channels = 2}),
      edgy({.in_channels = 3, .out_channels = 2, .edge_dim = 4});
  CHECK(error_of([&] {
          plain(x, g, ones({2, 4}));
        }) ==
        "ConfigError: gat_conv: edge_attr [2, 4] is given, but edge_dim is 0\n"
        "  help: set edge_dim to the number of features of an edge");
  CHECK(error_of([&] { edgy(x, g, ones({2, 3})); }) == "ShapeError: gat_conv: edge_attr is [2, 3], not [2, 4]");
  CHECK(error_of([] { GATConv({.in_channels = 3, .out_channels = 2, .heads = 0}); }) ==
        "ConfigError: gat_conv: heads is 0\n  help: choose 1 or more");
  CHECK(error_of([] { GATv2Conv({.in_channels = 3, .out_channels = 0}); }) ==
        "ConfigError: gatv2_conv: out_channels is 0\n  help: choose 1 or more");
  CHECK(error_of([] { TransformerConv({.in_channels = 3, .out_channels = 2, .dropout = 2}); }) ==
        "ConfigError: transformer_conv: dropout is 2\n  help: choose a probability from 0 to 1");
  CHECK(error_of([] { TransformerConv({.in_channels = 3, .out_channels = 2, .edge_dim = -1}); }) ==
        "ConfigError: transformer_conv: edge_dim is -1\n  help: choose 0 for none");
}
