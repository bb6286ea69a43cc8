#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/data/neighbours.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using weft::testing::allclose;
using weft::tests::error_of;

namespace {

using Ints = std::vector<std::int64_t>;

Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// A random graph in which some nodes have no neighbours and some many.
struct Web {
  std::int64_t nodes, count;
  Tensor edge_index;
  Ints source, target;
  Web(std::int64_t n, std::int64_t edges, std::uint64_t seed) : nodes(n), count(edges) {
    Generator g{seed};
    for (std::int64_t e = 0; e < edges; ++e) {
      source.push_back(g.below(n));
      target.push_back(std::min(g.below(n), g.below(n)));
    }
    Ints all = source;
    all.insert(all.end(), target.begin(), target.end());
    edge_index = from(all, {2, edges});
  }
  /// The edges that lead to a node.
  std::set<std::int64_t> incoming(std::int64_t node) const {
    std::set<std::int64_t> out;
    for (std::int64_t e = 0; e < count; ++e)
      if (target[at(e)] == node) out.insert(e);
    return out;
  }
};

}  // namespace

TEST_CASE("NeighbourSampler: each node draws different edges of its own, as many as asked or as it has") {
  const Web web(50, 300, 1);
  const Ints fanouts{3, 2, -1};
  NeighbourSampler sampler(web.edge_index, web.nodes, fanouts);
  CHECK(sampler.nodes() == 50);
  CHECK(sampler.edges() == 300);
  Generator g{2};
  for (int round = 0; round < 20; ++round) {
    const Tensor seeds = slice(randperm(50, g), 0, 0, 6);
    const NeighbourSample s = sampler.sample(seeds, g);
    const Ints nodes = list(s.nodes), edges = list(s.edges), ends = list(s.edge_index);
    const auto n = static_cast<std::int64_t>(edges.size());
    CHECK(s.seeds() == 6);
    REQUIRE(s.hops() == 3);
    CHECK(Ints(nodes.begin(), nodes.begin() + 6) == list(seeds));
    CHECK(std::set<std::int64_t>(nodes.begin(), nodes.end()).size() == nodes.size());
    CHECK(s.nodes_within.back() == static_cast<std::int64_t>(nodes.size()));
    CHECK(s.edges_within == Ints{0, s.edges_within[1], s.edges_within[2], n});
    std::map<std::int64_t, std::set<std::int64_t>> drawn;
    for (std::int64_t e = 0; e < n; ++e) {
      // The new numbers name the old ends.
      CHECK(nodes[at(ends[at(e)])] == web.source[at(edges[at(e)])]);
      CHECK(nodes[at(ends[at(n + e)])] == web.target[at(edges[at(e)])]);
      CHECK(drawn[ends[at(n + e)]].insert(edges[at(e)]).second);
    }
    // Nodes met in hop h draw by fan-out h; those met last draw nothing.
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(nodes.size()); ++i) {
      const auto hop = at(std::upper_bound(s.nodes_within.begin(), s.nodes_within.end(), i) - s.nodes_within.begin());
      const std::set<std::int64_t> all = web.incoming(nodes[at(i)]);
      const auto degree = static_cast<std::int64_t>(all.size());
      std::int64_t expected = 0;
      if (hop < 3) expected = fanouts[hop] < 0 ? degree : std::min(degree, fanouts[hop]);
      CHECK(static_cast<std::int64_t>(drawn[i].size()) == expected);
      CHECK(std::includes(all.begin(), all.end(), drawn[i].begin(), drawn[i].end()));
    }
  }
}

TEST_CASE("NeighbourSampler: with all neighbours, seeds get what the whole graph gives them, and its gradients") {
  const Web web(40, 160, 3);
  Generator g{4};
  const Tensor x = randn({40, 5}, 0, 1, DType::float64, g);
  SAGEConv first({.in_channels = 5, .out_channels = 7, .dtype = DType::float64}),
      second({.in_channels = 7, .out_channels = 3, .normalize = true, .dtype = DType::float64});
  const Graph whole(web.edge_index, web.nodes);
  const Tensor seeds = from(Ints{7, 0, 31, 39});
  const Tensor full = index_select(second(relu(first(x, whole)), whole), 0, seeds);
  sum(square(full)).backward();
  const Tensor gradient = first.lin_l.weight.grad();
  first.lin_l.weight.set_grad(Tensor());
  const NeighbourSample s = NeighbourSampler(web.edge_index, web.nodes, {-1, -1}).sample(seeds, g);
  const Tensor own = index_select(x, 0, s.nodes);
  const Tensor part = second(relu(first(own, s.block(0))), s.block(1));
  CHECK(part.shape() == Shape{4, 3});
  CHECK(allclose(part, full, {.atol = 1e-12}));
  sum(square(part)).backward();
  CHECK(allclose(first.lin_l.weight.grad(), gradient, {.atol = 1e-12}));
  // The same without blocks: the whole sample through both layers, seeds first.
  const Graph sampled(s.edge_index, s.nodes.numel());
  CHECK(allclose(slice(second(relu(first(own, sampled)), sampled), 0, 0, s.seeds()), full, {.atol = 1e-12}));
}

TEST_CASE("NeighbourSampler: each set of neighbours is equally likely") {
  // Node 0 hears of six others and draws two: 15 sets.
  const Tensor star = stack({from(Ints{1, 2, 3, 4, 5, 6}), zeros({6}, DType::int64)});
  NeighbourSampler sampler(star, 7, {2});
  Generator g{5};
  std::map<std::set<std::int64_t>, int> counts;
  for (int i = 0; i < 15000; ++i) {
    const Ints edges = list(sampler.sample(from(Ints{0}), g).edges);
    ++counts[{edges.begin(), edges.end()}];
  }
  CHECK(counts.size() == 15);
  for (const auto& [edges, n] : counts) CHECK(std::abs(n - 1000) < 4.5 * std::sqrt(1000 * 14.0 / 15));
}

TEST_CASE("NeighbourSampler: the same from the same generator, for any number of threads; another from another") {
  const Web web(20000, 200000, 6);
  NeighbourSampler sampler(web.edge_index, web.nodes, {8, 4});
  const Tensor seeds = arange(0, 2000);
  const auto sampled = [&](int threads, std::uint64_t offset) {
    set_num_threads(threads);
    Generator g{9, offset};
    const NeighbourSample s = sampler.sample(seeds, g);
    set_num_threads(0);
    CHECK(g.offset > offset);
    return std::pair(list(s.nodes), list(s.edge_index));
  };
  const auto one = sampled(1, 0);
  CHECK(one == sampled(4, 0));
  CHECK(one == sampled(3, 0));
  CHECK(one != sampled(1, 1000000));
}

TEST_CASE("NeighbourSampler: classes planted in the edges are learned from samples") {
  // Features say nothing by themselves; what a node's neighbours have tells its class.
  constexpr std::int64_t nodes = 600, classes = 3;
  Generator g{8};
  Ints source, target, label;
  for (std::int64_t i = 0; i < nodes; ++i) label.push_back(g.below(classes));
  for (std::int64_t e = 0; e < nodes * 20; ++e) {
    const std::int64_t i = g.below(nodes), j = g.below(nodes);
    if (label[at(i)] != label[at(j)] && g.uniform() < 0.9) continue;
    source.push_back(i), target.push_back(j);
  }
  Tensor x = zeros({nodes, classes});
  for (std::int64_t i = 0; i < nodes; ++i)  // the own class with probability 0.6, else any
    x.mutable_data<float>()[i * classes + (g.uniform() < 0.4 ? label[at(i)] : g.below(classes))] = 1;
  manual_seed(1);
  SAGEConv first({.in_channels = classes, .out_channels = 16}), second({.in_channels = 16, .out_channels = classes});
  std::vector<Tensor> all = parameters(first);
  for (const Tensor& p : parameters(second)) all.push_back(p);
  optim::Adam optimizer(all, {.lr = 0.02});
  NeighbourSampler sampler(stack({from(source), from(target)}), nodes, {5, 5});
  const auto logits = [&](const Tensor& seeds) {
    const NeighbourSample s = sampler.sample(seeds, g);
    return second(relu(first(index_select(x, 0, s.nodes), s.block(0))), s.block(1));
  };
  const Tensor y = from(label);
  for (int step = 0; step < 60; ++step) {
    const Tensor seeds = slice(randperm(nodes / 2, g), 0, 0, 64);
    cross_entropy(logits(seeds), index_select(y, 0, seeds)).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  const Tensor unseen = arange(nodes / 2, nodes);
  const auto right = [&](const Tensor& scores) {
    return mean(to(eq(argmax(scores, 1), index_select(y, 0, unseen)), DType::float32)).item();
  };
  CHECK(right(index_select(x, 0, unseen)) < 0.7);
  CHECK(right(logits(unseen)) > 0.85);
}

TEST_CASE("NeighbourSampler: errors") {
  const Tensor path = stack({from(Ints{0, 1}), from(Ints{1, 2})});
  CHECK(error_of([] {
          NeighbourSampler(zeros({2, 0}, DType::int64), 0, {5});
        }) == "ConfigError: neighbour_sampler: the graph has no nodes");
  CHECK(error_of([&] { NeighbourSampler(path, 3, {}); }) ==
        "ConfigError: neighbour_sampler: no fan-outs\n  help: give one for each layer");
  CHECK(error_of([&] {
          NeighbourSampler(path, 3, {5, 0});
        }) == "ConfigError: neighbour_sampler: the fan-out of hop 2 is 0\n  help: choose 1 or more, or -1 for all");
  CHECK(error_of([&] { NeighbourSampler(path, 2, {5}); }) ==
        "ConfigError: neighbour_sampler: the target of edge 1 is node 2 of 2\n  help: number the nodes from 0 to 1");
  NeighbourSampler sampler(path, 3, {1, 1});
  Generator g;
  const auto complaint = [&](const Tensor& seeds) { return error_of([&] { sampler.sample(seeds, g); }); };
  CHECK(complaint(from(Ints{})) == "ShapeError: neighbour_sampler: the seeds are [0], not (B,) with at least one node");
  CHECK(complaint(zeros({1, 2}, DType::int64)) ==
        "ShapeError: neighbour_sampler: the seeds are [1, 2], not (B,) with at least one node");
  CHECK(complaint(ones({2})) ==
        "DtypeError: neighbour_sampler: the seeds are float32\n  help: convert them with to(seeds, DType::int64)");
  CHECK(complaint(from(Ints{1, 3})) == "ConfigError: neighbour_sampler: seed 3 is no node of 3");
  CHECK(complaint(from(Ints{1, 2, 1})) == "ConfigError: neighbour_sampler: node 1 is a seed twice");
  // Nothing of what failed is left behind.
  const NeighbourSample s = sampler.sample(from(Ints{2, 1}), g);
  CHECK(list(s.nodes) == Ints{2, 1, 0});
  CHECK(list(s.edge_index) == Ints{1, 2, 0, 1});
  CHECK(error_of([&] { s.block(2); }) == "ConfigError: neighbour_sample: layer 2 of 2 layers");
  CHECK(error_of([&] { s.block(-1); }) == "ConfigError: neighbour_sample: layer -1 of 2 layers");
  const SAGEConv layer({.in_channels = 2, .out_channels = 2});
  CHECK(error_of([&] {
          layer(ones({2, 2}), s.block(0));
        }) == "ShapeError: sage_conv: x is [2, 2], not (nodes, features) of a graph with 3 nodes");
  CHECK(error_of([&] {
          layer(ones({2, 2}), EdgeIndex(zeros({2, 1}, DType::int64), 2, 3));
        }) == "ShapeError: sage_conv: 3 targets are not among the first of 2 sources");
}
