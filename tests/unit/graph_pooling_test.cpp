#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/layers/graph/links.h>
#include <weft/layers/graph/pooling.h>
#include <weft/layers/testing.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;

namespace {

constexpr DType f64 = DType::float64;
using Ints = std::vector<std::int64_t>;

Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }
Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator g{.seed = seed};
  return randn(shape, 0, 1, f64, g);
}
Graph graph(const Ints& sources, const Ints& targets, std::int64_t nodes) {
  return Graph(stack({from(sources), from(targets)}), nodes);
}
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

/// Two rounds of messages, between them the better half of the nodes, and three ways to one row per graph.
struct Net {
  GINConv first{Sequential(Linear(1, 8), ReLU(), Linear(8, 8))};
  TopKPooling pool{{.in_channels = 8, .ratio = 0.6}};
  GINConv second{Sequential(Linear(8, 8), ReLU(), Linear(8, 8))};
  AttentionalAggregation attention{Sequential(Linear(8, 1))};
  Linear out{24, 2};
  Tensor operator()(const GraphBatch& b) const {
    const Tensor h = relu(first(ones({b.graph.nodes(), 1}), b.graph));
    const PooledGraphs p = pool(h, b.graph, b.batch);
    const Tensor z = relu(second(p.x, p.graph));
    return out(cat({global_mean_pool(z, p.batch), global_max_pool(z, p.batch), attention(z, p.batch)}, 1));
  }
  void fields(auto&& f) { f("first", first, "pool", pool, "second", second, "attention", attention, "out", out); }
};

/// Three graphs of 3, 0 and 4 nodes that are not in order, and one more without nodes.
Segments mixed() { return Segments(from(Ints{2, 0, 2, 0, 2, 0, 2}), 4); }

}  // namespace

TEST_CASE("AttentionalAggregation: softmax within each graph, weighted sums, by hand") {
  AttentionalAggregation pool(Sequential(Linear({.in_features = 3, .out_features = 1, .dtype = f64})),
                              Sequential(Linear({.in_features = 3, .out_features = 2, .dtype = f64})));
  const Tensor x = normal({7, 3}, 1);
  const Segments batch = mixed();
  const Tensor y = pool(x, batch);
  REQUIRE(y.shape() == Shape{4, 2});
  const auto gate = to_vector<double>(pool.gate_nn(x)), h = to_vector<double>((*pool.nn)(x));
  const Ints of = list(batch.index());
  for (std::int64_t g = 0; g < 4; ++g)
    for (std::int64_t c = 0; c < 2; ++c) {
      double total = 0, expected = 0;
      for (std::size_t i = 0; i < 7; ++i)
        if (of[i] == g) total += std::exp(gate[i]);
      for (std::size_t i = 0; i < 7; ++i)
        if (of[i] == g) expected += std::exp(gate[i]) / total * h[2 * i + static_cast<std::size_t>(c)];
      CHECK(select(select(y, 0, g), 0, c).item() == doctest::Approx(expected));
    }
  // A weight per feature, of the features themselves.
  const AttentionalAggregation each(Sequential(Linear({.in_features = 3, .out_features = 3, .dtype = f64})));
  CHECK(each(x, batch).shape() == Shape{4, 3});
  const testing::Report grad =
      testing::gradcheck([&](const std::vector<Tensor>& in) { return pool(in[0], batch); }, {x});
  CHECK_MESSAGE(grad, grad.message);
  const testing::Report whole =
      testing::check_module([] { return AttentionalAggregation(Sequential(Linear(3, 1)), Sequential(Linear(3, 2))); },
                            [&](const AttentionalAggregation& m) { return m(to(x, DType::float32), batch); });
  CHECK_MESSAGE(whole, whole.message);
}

TEST_CASE("TopKPooling: the highest of each graph, scaled by their scores, and the edges between them, by hand") {
  TopKPooling pool({.in_channels = 2, .ratio = 0.5, .multiplier = 3, .dtype = f64});
  pool.weight = tensor({{3, 4}}, f64);  // of length 5
  pool.weight.set_requires_grad();
  // Scores before tanh: (3 a + 4 b) / 5. Graph 0: nodes 1, 3, 5; graph 2: nodes 0, 2, 4, 6.
  const Tensor x = tensor({{1, 0}, {0, 1}, {0, 0}, {1, 1}, {0.5, 0.5}, {0, -1}, {-1, 0}}, f64);
  const Graph g = graph({1, 3, 5, 0, 4, 4, 0, 3}, {3, 1, 1, 4, 0, 2, 6, 3}, 7);
  const PooledGraphs kept = pool(x, g, mixed());
  // 2 of 3 nodes: scores 1.4 (node 3), 0.8 (1), -0.8 (5). 2 of 4: 0.7 (4), 0.6 (0), 0 (2), -0.6 (6).
  CHECK(list(kept.nodes) == Ints{3, 1, 4, 0});
  CHECK(list(kept.batch.index()) == Ints{0, 0, 2, 2});
  CHECK(kept.batch.count() == 4);
  CHECK(allclose(kept.score, tanh(tensor({1.4, 0.8, 0.7, 0.6}, f64))));
  const double t[] = {3 * std::tanh(1.4), 3 * std::tanh(0.8), 3 * std::tanh(0.7), 3 * std::tanh(0.6)};
  CHECK(allclose(kept.x, tensor({{t[0], t[0]}, {0, t[1]}, {0.5 * t[2], 0.5 * t[2]}, {t[3], 0}}, f64)));
  CHECK(list(kept.edges) == Ints{0, 1, 3, 4, 7});
  CHECK(list(kept.graph.index().by_source().index()) == Ints{1, 0, 3, 2, 0});
  CHECK(list(kept.graph.index().by_target().index()) == Ints{0, 1, 2, 3, 0});
  CHECK(kept.graph.nodes() == 4);
  const testing::Report grad = testing::gradcheck(
      [&](const std::vector<Tensor>& in) {
        TopKPooling other = pool;
        other.weight = in[1];
        const PooledGraphs p = other(in[0], g, mixed());
        return std::vector<Tensor>{p.x, p.score};
      },
      {x + normal({7, 2}, 3) * 0.01, detach(pool.weight)});
  CHECK_MESSAGE(grad, grad.message);
  const testing::Report whole =
      testing::check_module([] { return TopKPooling({.in_channels = 2}); },
                            [&](const TopKPooling& m) { return m(to(x, DType::float32), g, mixed()).x; });
  CHECK_MESSAGE(whole, whole.message);
}

TEST_CASE("TopKPooling: how many stay") {
  const auto left = [](std::int64_t nodes, double ratio) {
    const TopKPooling pool({.in_channels = 1, .ratio = ratio, .dtype = f64});
    return pool(ones({nodes, 1}, f64), graph({}, {}, nodes), Segments(zeros({nodes}, DType::int64), 1)).nodes;
  };
  CHECK(left(10, 0.1).numel() == 1);
  CHECK(left(10, 0.7).numel() == 7);
  CHECK(left(10, 0.71).numel() == 8);
  CHECK(left(10, 1).numel() == 10);
  CHECK(list(left(5, 0.3)) == Ints{0, 1});  // the first of equals
  CHECK(left(0, 0.3).numel() == 0);
}

TEST_CASE("several graphs at once: rings and stars of any size are told apart by what is pooled") {
  // Degrees alone tell them apart, and features do not: all nodes are the same.
  Generator g{3};
  const auto batch = [&](std::int64_t count, Ints& label) {
    std::vector<Graph> graphs;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t n = 4 + g.below(9), ring = g.below(2);
      Ints from_, to_;
      for (std::int64_t k = ring ? 0 : 1; k < n; ++k)
        for (const bool back : {false, true}) {
          const std::int64_t other = ring ? (k + 1) % n : 0;
          from_.push_back(back ? other : k), to_.push_back(back ? k : other);
        }
      graphs.push_back(graph(from_, to_, n));
      label.push_back(ring);
    }
    return join(graphs);
  };
  manual_seed(2);
  Net net;
  optim::Adam optimizer(parameters(net), {.lr = 0.01});
  for (int step = 0; step < 60; ++step) {
    Ints label;
    const GraphBatch b = batch(16, label);
    cross_entropy(net(b), from(label)).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  Ints label;
  const GraphBatch b = batch(100, label);
  CHECK(mean(to(eq(argmax(net(b), 1), from(label)), DType::float32)).item() > 0.97);
}

TEST_CASE("link_logits and link_loss, by hand") {
  const Tensor z = normal({4, 3}, 5);
  const Tensor edges = stack({from(Ints{0, 1, 1}), from(Ints{2, 3, 1})}), none = stack({from(Ints{0}), from(Ints{3})});
  const auto v = to_vector<double>(z);
  const auto product = [&](std::size_t i, std::size_t j) {
    return v[3 * i] * v[3 * j] + v[3 * i + 1] * v[3 * j + 1] + v[3 * i + 2] * v[3 * j + 2];
  };
  CHECK(allclose(link_logits(z, edges), tensor({product(0, 2), product(1, 3), product(1, 1)}, f64)));
  const double expected = -(std::log(sigmoid_of(product(0, 2))) + std::log(sigmoid_of(product(1, 3))) +
                            std::log(sigmoid_of(product(1, 1)))) /
                              3 -
                          std::log(1 - sigmoid_of(product(0, 3)));
  CHECK(link_loss(z, edges, none).item() == doctest::Approx(expected));
  const testing::Report grad =
      testing::gradcheck([&](const std::vector<Tensor>& in) { return link_loss(in[0], edges, none); }, {z});
  CHECK_MESSAGE(grad, grad.message);
  CHECK(error_of([&] {
          link_logits(z, from(Ints{0, 1}));
        }) == "ShapeError: link_logits: the pairs are [2], not (2, P)");
  CHECK(error_of([&] { link_logits(select(z, 0, 0), edges); }) ==
        "ShapeError: link_logits: z is [3], not (nodes, features)");
  CHECK(error_of([&] { link_logits(z, edges + Scalar(2)); }) == "ConfigError: link_logits: a pair has node 4 of 4");
  CHECK(error_of([&] {
          link_loss(z, edges, zeros({2, 0}, DType::int64));
        }) == "ShapeError: link_loss: 3 edges and 0 pairs without one\n  help: give at least one of each");
}

TEST_CASE("graph poolings: errors") {
  const Segments batch = mixed();
  const Graph g = graph({0}, {1}, 7);
  const AttentionalAggregation attention(Sequential(Linear(3, 2)));
  CHECK(error_of([&] {
          attention(ones({6, 3}), batch);
        }) == "ShapeError: attentional_aggregation: x is [6, 3], not (nodes, features) of a batch with 7 nodes");
  CHECK(
      error_of([&] {
        attention(ones({7, 3}), batch);
      }) ==
      "ShapeError: attentional_aggregation: the gate is [7, 2] for features [7, 3]\n  help: let gate_nn give 1 number "
      "per node, or one per feature");
  const TopKPooling pool({.in_channels = 3});
  CHECK(error_of([&] {
          pool(ones({6, 3}), g, batch);
        }) == "ShapeError: top_k_pooling: x is [6, 3], not (nodes, features) of a graph with 7 nodes");
  CHECK(error_of([&] {
          pool(ones({7, 3}), g, Segments(from(Ints{0})));
        }) == "ShapeError: top_k_pooling: x is [7, 3], not (nodes, features) of a batch with 1 nodes");
  CHECK(error_of([&] {
          pool(ones({7, 2}), g, batch);
        }) == "ShapeError: top_k_pooling: x has 2 features, the layer takes 3");
  CHECK(error_of([] { TopKPooling({.in_channels = 0}); }) ==
        "ConfigError: top_k_pooling: in_channels is 0\n  help: choose 1 or more");
  for (const double ratio : {0.0, 1.5})
    CHECK(error_of([&] { TopKPooling({.in_channels = 2, .ratio = ratio}); }) ==
          text("ConfigError: top_k_pooling: ratio is ", ratio, "\n  help: choose a share above 0 and up to 1"));
  CHECK(error_of([&] {
          subgraph(g, zeros({1, 1}, DType::int64));
        }) == "ShapeError: subgraph: the nodes are [1, 1], not (K,)");
  CHECK(error_of([&] { subgraph(g, from(Ints{7})); }) == "ConfigError: subgraph: node 7 of 7");
  CHECK(error_of([&] { subgraph(g, from(Ints{3, 3})); }) == "ConfigError: subgraph: node 3 is there twice");
}
