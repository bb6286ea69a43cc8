#include <doctest/doctest.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/layers/graph/hetero.h>
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
using Names = std::vector<std::string>;

Tensor pairs(const Ints& sources, const Ints& targets) { return stack({from(sources), from(targets)}); }
Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }

/// Three patients, two codes, two drugs.
HeteroGraph clinic(bool reverse = true) {
  return HeteroGraph({{"patient", 3}, {"code", 2}, {"drug", 2}},
                     {{"patient", "has", "code", pairs({0, 1, 1}, {0, 0, 1})},
                      {"patient", "takes", "drug", pairs({2, 0}, {1, 0})},
                      {"drug", "treats", "code", pairs({0}, {1})},
                      {"patient", "is like", "patient", pairs({0}, {2})}},
                     {.reverse = reverse});
}

}  // namespace

TEST_CASE("HeteroGraph: kinds one after the other, relations and their reverses by number") {
  const HeteroGraph g = clinic();
  CHECK(g.nodes() == 7);
  CHECK(g.begin("patient") == 0);
  CHECK(g.begin("code") == 3);
  CHECK(g.begin("drug") == 5);
  CHECK(g.count("drug") == 2);
  CHECK(g.relations() == Names{"has", "reverse of has", "takes", "reverse of takes", "treats", "reverse of treats",
                               "is like", "reverse of is like"});
  CHECK(g.graph().relations() == 8);
  CHECK(list(g.graph().index().by_source().index()) == Ints{0, 1, 1, 3, 3, 4, 2, 0, 6, 5, 5, 4, 0, 2});
  // The relational graph leads edges to place target * relations + kind.
  CHECK(list(g.graph().index().by_target().index()) == Ints{3 * 8, 3 * 8, 4 * 8, 1, 8 + 1, 8 + 1, 6 * 8 + 2, 5 * 8 + 2,
                                                            2 * 8 + 3, 3, 4 * 8 + 4, 5 * 8 + 5, 2 * 8 + 6, 7});
  const HeteroGraph one_way = clinic(false);
  CHECK(one_way.relations() == Names{"has", "takes", "treats", "is like"});
  CHECK(one_way.graph().index().edges() == 7);
  CHECK(list(g.rows(arange(0, 7), "code")) == Ints{3, 4});
}

TEST_CASE("RGCN: bases, features and learned rows, by hand") {
  const HeteroGraph g = clinic();
  RGCN net(g, {.in_channels = {{"patient", 2}, {"drug", 3}},
               .hidden_channels = 4,
               .num_layers = 2,
               .num_bases = 3,
               .dtype = f64});
  Generator random{4};
  const Tensor patients = randn({3, 2}, 0, 1, f64, random), drugs = randn({2, 3}, 0, 1, f64, random);
  const Tensor y = net({{"patient", patients}, {"drug", drugs}}, g);
  REQUIRE(y.shape() == Shape{7, 4});

  // Each node's neighbours of each kind, one by one.
  struct Edge {
    std::int64_t from, kind, to;
  };
  const std::vector<Edge> edges{{0, 0, 3}, {1, 0, 3}, {1, 0, 4}, {3, 1, 0}, {3, 1, 1}, {4, 1, 1}, {2, 2, 6},
                                {0, 2, 5}, {6, 3, 2}, {5, 3, 0}, {5, 4, 4}, {4, 5, 5}, {0, 6, 2}, {2, 7, 0}};
  Tensor h = cat({matmul(patients, t(net.lins[0]->weight)) + net.lins[0]->bias, net.embeddings[1]->weight,
                  matmul(drugs, t(net.lins[2]->weight)) + net.lins[2]->bias});
  for (const RGCNConv& conv : net.convs) {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < 7; ++i) {
      Tensor row = matmul(select(h, 0, i), conv.root) + conv.bias;
      for (std::int64_t kind = 0; kind < 8; ++kind) {
        Tensor weight = zeros({4, 4}, f64);
        for (std::int64_t b = 0; b < 3; ++b)
          weight = weight + select(select(conv.comp, 0, kind), 0, b) * select(conv.weight, 0, b);
        Tensor sums = zeros({4}, f64);
        double count = 0;
        for (const Edge& e : edges)
          if (e.to == i && e.kind == kind) sums = sums + select(h, 0, e.from), ++count;
        if (count > 0) row = row + matmul(sums / count, weight);
      }
      rows.push_back(relu(row));
    }
    h = stack(rows);
  }
  const testing::Report report = allclose(y, h, {.atol = 1e-10});
  CHECK_MESSAGE(report, report.message);

  const testing::Report whole = testing::check_module(
      [&] {
        return RGCN(g, {.in_channels = {{"patient", 2}}, .hidden_channels = 8, .num_bases = 2, .dropout = 0.2});
      },
      [&](const RGCN& m) {
        return m({{"patient", to(patients, DType::float32)}}, g);
      });
  CHECK_MESSAGE(whole, whole.message);
  const testing::Report grad = testing::gradcheck(
      [&](const std::vector<Tensor>& in) {
        return net({{"patient", in[0]}, {"drug", in[1]}}, g);
      },
      {patients, drugs});
  CHECK_MESSAGE(grad, grad.message);
}

TEST_CASE("RGCN: what an edge means is learned") {
  // Every patient has been found to have one marker and not to have the other; only which is which tells the class.
  constexpr std::int64_t patients = 60;
  Ints patient, has, lacks;
  Generator random{5};
  for (std::int64_t i = 0; i < patients; ++i) {
    patient.push_back(i);
    has.push_back(random.below(2)), lacks.push_back(1 - has.back());
  }
  const Tensor label = from(has);
  const auto accuracy = [&](const std::vector<Relation>& relations) {
    manual_seed(1);
    const HeteroGraph g({{"patient", patients}, {"code", 2}}, relations);
    RGCN net(g, {.in_channels = {{"patient", 1}}, .hidden_channels = 8, .num_layers = 1});
    Linear out(8, 2);
    std::vector<Tensor> all = parameters(net);
    for (const Tensor& p : parameters(out)) all.push_back(p);
    optim::Adam optimizer(all, {.lr = 0.05});
    const auto logits = [&] { return out(g.rows(net({{"patient", ones({patients, 1})}}, g), "patient")); };
    for (int step = 0; step < 60; ++step) {
      cross_entropy(slice(logits(), 0, 0, 20), slice(label, 0, 0, 20)).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
    return mean(to(eq(argmax(slice(logits(), 0, 20, patients), 1), slice(label, 0, 20, patients)), f64)).item();
  };
  const Tensor found = pairs(patient, has), excluded = pairs(patient, lacks);
  CHECK(accuracy({{"patient", "has", "code", found}, {"patient", "lacks", "code", excluded}}) == 1);
  // With all edges of one kind every patient looks the same.
  CHECK(accuracy({{"patient", "touches", "code", cat({found, excluded}, 1)}}) < 0.75);
}

TEST_CASE("heterogeneous graphs: errors") {
  const std::vector<NodeKind> kinds{{"patient", 3}, {"code", 2}};
  const auto built = [&](const std::vector<NodeKind>& k, const std::vector<Relation>& r) {
    return error_of([&] { HeteroGraph(k, r); });
  };
  const Relation has{"patient", "has", "code", pairs({0}, {1})};
  CHECK(built({}, {has}) == "ConfigError: hetero_graph: there are no kinds of nodes");
  CHECK(built(kinds, {}) == "ConfigError: hetero_graph: there are no relations");
  CHECK(built({{"patient", 3}, {"patient", 1}}, {has}) ==
        "ConfigError: hetero_graph: the kind \"patient\" is there twice");
  CHECK(built({{"patient", -1}, {"code", 1}}, {has}) == "ConfigError: hetero_graph: -1 nodes of the kind \"patient\"");
  CHECK(built(kinds, {has, has}) == "ConfigError: hetero_graph: the relation \"has\" is there twice");
  CHECK(built(kinds, {{"patients", "has", "code", pairs({0}, {1})}}) ==
        "ConfigError: hetero_graph: there is no kind \"patients\"; the closest name is \"patient\"");
  CHECK(built(kinds, {{"patient", "has", "code", pairs({0}, {2})}}) ==
        "ConfigError: hetero_graph: relation \"has\": edge_index: the target of edge 0 is node 2 of 2\n  help: number "
        "the nodes from 0 to 1");
  CHECK(built(kinds, {{"patient", "has", "code", from(Ints{0, 1})}}) ==
        "ShapeError: hetero_graph: relation \"has\": edge_index: the shape is [2], not (2, E)\n  help: put the sources "
        "in "
        "row 0 and the targets in row 1");
  const HeteroGraph g(kinds, {has});
  CHECK(error_of([&] { g.begin("drug"); }).starts_with("ConfigError: hetero_graph: there is no kind \"drug\""));
  CHECK(error_of([&] {
          g.rows(ones({4, 1}), "code");
        }) == "ShapeError: hetero_graph: x [4, 1] needs a row for each of 5 nodes");
  CHECK(error_of([&] { RGCN(g, {.hidden_channels = 0}); }) ==
        "ConfigError: rgcn: hidden_channels is 0\n  help: choose 1 or more");
  CHECK(error_of([&] { RGCN(g, {.num_layers = 0}); }) ==
        "ConfigError: rgcn: num_layers is 0\n  help: choose 1 or more");
  CHECK(error_of([&] { RGCN(g, {.dropout = 2}); }) ==
        "ConfigError: rgcn: dropout is 2\n  help: choose a probability from 0 to 1");
  CHECK(error_of([&] {
          RGCN(g, {.in_channels = {{"patiant", 2}}});
        }) == "ConfigError: rgcn: there is no kind \"patiant\"; the closest name is \"patient\"");
  CHECK(error_of([&] {
          RGCN(g, {.in_channels = {{"patient", 0}}});
        }) == "ConfigError: rgcn: 0 features of the kind \"patient\"");
  const RGCN net(g, {.in_channels = {{"patient", 2}}, .hidden_channels = 4});
  CHECK(error_of([&] { net({}, g); }) == "ConfigError: rgcn: the features of \"patient\" are missing");
  CHECK(error_of([&] {
          net({{"patient", ones({3, 2})}, {"code", ones({2, 2})}}, g);
        }) == "ConfigError: rgcn: features of 2 kinds are given, 1 are needed");
  CHECK(error_of([&] {
          net({{"patient", ones({4, 2})}}, g);
        }) == "ShapeError: rgcn: the rows of \"patient\" give [4, 4], not one for each of 3 nodes");
  CHECK(error_of([&] {
          net({{"patient", ones({3, 2})}}, clinic());
        }) == "ShapeError: rgcn: the graph has 3 kinds of nodes, the layer 2");
}
