#include <doctest/doctest.h>

#include <functional>
#include <map>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/layers/graph/attention.h>
#include <weft/layers/graph/convolutions.h>
#include <weft/layers/initialize.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

#include "error_of.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;

namespace {

constexpr DType f64 = DType::float64;
constexpr std::int64_t kinds = 3;

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator g{.seed = seed};
  return randn(shape, 0, 1, f64, g);
}

/// A graph as its numbers. Node 5 is isolated, edge 0 to 1 is double, node 2 has a self-loop.
struct Sample {
  std::vector<std::int64_t> from{0, 0, 1, 2, 2, 3, 4, 3, 1};
  std::vector<std::int64_t> to{1, 1, 0, 2, 0, 4, 0, 1, 3};
  std::int64_t nodes = 6;
  Tensor x = normal({6, 4}, 1);
  Tensor weight = exp(normal({9}, 2));
  Tensor attributes = normal({9, 2}, 3);
  std::vector<std::int64_t> kind{0, 1, 2, 0, 1, 2, 0, 1, 2};

  Tensor edge_index() const { return stack({weft::from(from), weft::from(to)}); }
};

/// A layer whatever its type: its parameters, and its output for a sample.
struct Case {
  std::string name;
  std::vector<Tensor> parameters;
  std::function<Tensor(const Sample&)> call;
  std::function<Tensor(const Sample&, const std::vector<Tensor>&)> call_with;  ///< with other parameters
};

/// Puts other parameters into a model, in order; tied ones stay tied.
class Replace final : public Visitor {
 public:
  explicit Replace(const std::vector<Tensor>& all) : all_(all) {}
  void parameter(const std::string&, Tensor& x) override {
    const auto place = places_.emplace(x.body_or_null(), places_.size()).first;
    x = all_.at(place->second);
  }
  void buffer(const std::string&, Buffer&) override {}
  void mode(Mode&) override {}

 private:
  const std::vector<Tensor>& all_;
  std::map<const TensorBody*, std::size_t> places_;
};

template <class M, class Call>
Case make(std::string name, M model, Call call) {
  Case c{.name = std::move(name), .parameters = parameters(model), .call = {}, .call_with = {}};
  // Zeros are a special point: biases too are moved away from it.
  std::uint64_t seed = 10;
  for (const Tensor& p : c.parameters) {
    Generator g{.seed = ++seed};
    initialize::normal(p, 0, 0.5, g);
  }
  c.call = [model, call](const Sample& s) { return call(model, s); };
  c.call_with = [model, call](const Sample& s, const std::vector<Tensor>& replaced) {
    M other = model;
    Replace replace(replaced);
    walk(other, replace);
    return call(other, s);
  };
  return c;
}

template <class M>
Case weighted(std::string name, M model) {
  return make(std::move(name), std::move(model),
              [](const M& m, const Sample& s) { return m(s.x, Graph(s.edge_index(), s.nodes), s.weight); });
}
template <class M>
Case unweighted(std::string name, M model) {
  return make(std::move(name), std::move(model),
              [](const M& m, const Sample& s) { return m(s.x, Graph(s.edge_index(), s.nodes)); });
}
template <class M>
Case attributed(std::string name, M model) {
  return make(std::move(name), std::move(model),
              [](const M& m, const Sample& s) { return m(s.x, Graph(s.edge_index(), s.nodes), s.attributes); });
}
Case relational(std::string name, const RGCNConv& model) {
  return make(std::move(name), model, [](const RGCNConv& m, const Sample& s) {
    return m(s.x, RelationalGraph(s.edge_index(), from(s.kind), s.nodes, kinds));
  });
}

std::vector<Case> layers() {
  using A = Aggregation;
  std::vector<Case> all;
  all.push_back(weighted("gcn", GCNConv({.in_channels = 4, .out_channels = 3, .dtype = f64})));
  all.push_back(
      weighted("gcn improved", GCNConv({.in_channels = 4, .out_channels = 3, .improved = true, .dtype = f64})));
  all.push_back(unweighted("gcn without weights", GCNConv({.in_channels = 4, .out_channels = 3, .dtype = f64})));
  all.push_back(
      weighted("gcn as it is", GCNConv({.in_channels = 4, .out_channels = 3, .normalize = false, .dtype = f64})));
  all.push_back(weighted("gcn without loops",
                         GCNConv({.in_channels = 4, .out_channels = 3, .add_self_loops = false, .dtype = f64})));
  for (const auto& [word, how] : {std::pair("sum", A::sum), {"mean", A::mean}, {"min", A::min}, {"max", A::max}}) {
    all.push_back(
        unweighted(text("sage ", word), SAGEConv({.in_channels = 4, .out_channels = 3, .aggr = how, .dtype = f64})));
    all.push_back(
        weighted(text("graph ", word), GraphConv({.in_channels = 4, .out_channels = 3, .aggr = how, .dtype = f64})));
  }
  all.push_back(unweighted("sage normalised", SAGEConv({.in_channels = 4,
                                                        .out_channels = 3,
                                                        .normalize = true,
                                                        .root_weight = false,
                                                        .project = true,
                                                        .dtype = f64})));
  for (const bool trained : {false, true})
    all.push_back(unweighted(text("gin ", trained),
                             GINConv(Sequential(Linear({.in_features = 4, .out_features = 5, .dtype = f64}), Tanh(),
                                                Linear({.in_features = 5, .out_features = 3, .dtype = f64})),
                                     {.eps = 0.3, .train_eps = trained, .dtype = f64})));
  all.push_back(weighted("tag", TAGConv({.in_channels = 4, .out_channels = 3, .K = 2, .dtype = f64})));
  all.push_back(weighted("sg narrower", SGConv({.in_channels = 4, .out_channels = 3, .K = 2, .dtype = f64})));
  all.push_back(weighted("sg wider", SGConv({.in_channels = 4, .out_channels = 5, .K = 2, .dtype = f64})));
  all.push_back(weighted("appnp", APPNP({.K = 3, .alpha = 0.2})));
  all.push_back(weighted("le", LEConv({.in_channels = 4, .out_channels = 3, .dtype = f64})));
  all.push_back(weighted("gated", GatedGraphConv({.out_channels = 5, .num_layers = 2, .dtype = f64})));
  all.push_back(
      relational("rgcn", RGCNConv({.in_channels = 4, .out_channels = 6, .num_relations = kinds, .dtype = f64})));
  all.push_back(relational(
      "rgcn bases",
      RGCNConv({.in_channels = 4, .out_channels = 6, .num_relations = kinds, .num_bases = 2, .dtype = f64})));
  all.push_back(relational("rgcn blocks", RGCNConv({.in_channels = 4,
                                                    .out_channels = 6,
                                                    .num_relations = kinds,
                                                    .num_blocks = 2,
                                                    .aggr = A::sum,
                                                    .dtype = f64})));
  for (const bool concat : {true, false}) {
    const char* word = concat ? " joined" : " averaged";
    all.push_back(attributed(text("gat", word), GATConv({.in_channels = 4,
                                                         .out_channels = 3,
                                                         .heads = 2,
                                                         .concat = concat,
                                                         .edge_dim = 2,
                                                         .residual = true,
                                                         .dtype = f64})));
    all.push_back(attributed(text("gatv2", word), GATv2Conv({.in_channels = 4,
                                                             .out_channels = 3,
                                                             .heads = 2,
                                                             .concat = concat,
                                                             .edge_dim = 2,
                                                             .fill_value = 0.5,
                                                             .share_weights = concat,
                                                             .residual = !concat,
                                                             .dtype = f64})));
    all.push_back(attributed(text("transformer", word), TransformerConv({.in_channels = 4,
                                                                         .out_channels = 3,
                                                                         .heads = 2,
                                                                         .concat = concat,
                                                                         .beta = concat,
                                                                         .edge_dim = 2,
                                                                         .dtype = f64})));
  }
  all.push_back(
      unweighted("gat plain", GATConv({.in_channels = 4, .out_channels = 3, .add_self_loops = false, .dtype = f64})));
  all.push_back(unweighted("transformer plain",
                           TransformerConv({.in_channels = 4, .out_channels = 3, .root_weight = false, .dtype = f64})));
  return all;
}

}  // namespace

TEST_CASE("graph layers: gradients by nodes, edge weights and parameters agree with differences") {
  for (const Case& c : layers()) {
    CAPTURE(c.name);
    const Sample sample;
    std::vector<Tensor> inputs{sample.x, sample.weight, sample.attributes};
    for (const Tensor& p : c.parameters) inputs.push_back(detach(p));
    const auto function = [&](const std::vector<Tensor>& in) {
      Sample s;
      s.x = in[0], s.weight = in[1], s.attributes = in[2];
      return c.call_with(s, {in.begin() + 3, in.end()});
    };
    const testing::Report first = testing::gradcheck(function, inputs);
    CHECK_MESSAGE(first, first.message);
    const testing::Report second = testing::gradgradcheck(function, inputs, {.layouts = false});
    CHECK_MESSAGE(second, second.message);
  }
}

TEST_CASE("graph layers: nodes and edges in another order give the same rows in that order") {
  const std::vector<std::int64_t> place{3, 0, 5, 1, 4, 2};  // where each node goes
  const std::vector<std::int64_t> order{8, 2, 0, 5, 7, 1, 3, 6, 4};
  for (const Case& c : layers()) {
    CAPTURE(c.name);
    const Sample s;
    Sample moved;
    std::vector<std::int64_t> came(place.size());
    for (std::size_t i = 0; i < place.size(); ++i)
      came[static_cast<std::size_t>(place[i])] = static_cast<std::int64_t>(i);
    moved.x = index_select(s.x, 0, from(came));
    moved.weight = index_select(s.weight, 0, from(order));
    moved.attributes = index_select(s.attributes, 0, from(order));
    for (std::size_t e = 0; e < order.size(); ++e) {
      const auto old = static_cast<std::size_t>(order[e]);
      moved.from[e] = place[static_cast<std::size_t>(s.from[old])];
      moved.to[e] = place[static_cast<std::size_t>(s.to[old])];
      moved.kind[e] = s.kind[old];
    }
    const testing::Report report = allclose(c.call(moved), index_select(c.call(s), 0, from(came)), {.atol = 1e-12});
    CHECK_MESSAGE(report, report.message);
  }
}

TEST_CASE("graph layers: several graphs as one are the graphs one by one") {
  Sample second;
  second.from = {1, 0}, second.to = {0, 2}, second.kind = {1, 0}, second.nodes = 3;
  second.x = normal({3, 4}, 7), second.weight = exp(normal({2}, 8)), second.attributes = normal({2, 2}, 9);
  const Sample first;
  Sample both = first;
  for (std::size_t e = 0; e < second.from.size(); ++e) {
    both.from.push_back(second.from[e] + first.nodes);
    both.to.push_back(second.to[e] + first.nodes);
    both.kind.push_back(second.kind[e]);
  }
  both.nodes += second.nodes;
  both.x = cat({first.x, second.x});
  both.weight = cat({first.weight, second.weight});
  both.attributes = cat({first.attributes, second.attributes});
  for (const Case& c : layers()) {
    CAPTURE(c.name);
    const testing::Report report = allclose(c.call(both), cat({c.call(first), c.call(second)}), {.atol = 1e-12});
    CHECK_MESSAGE(report, report.message);
  }
  const GraphBatch batch = join({Graph(first.edge_index(), 6), Graph(second.edge_index(), 3)});
  CHECK(batch.graph.nodes() == 9);
  CHECK(to_vector<std::int64_t>(batch.graph.index().by_source().index()) == both.from);
  CHECK(to_vector<std::int64_t>(batch.graph.index().by_target().index()) == both.to);
  CHECK(to_vector<std::int64_t>(batch.batch.index()) == std::vector<std::int64_t>{0, 0, 0, 0, 0, 0, 1, 1, 1});
}

TEST_CASE("graph layers: no edges, and no nodes") {
  for (const Case& c : layers()) {
    CAPTURE(c.name);
    Sample lonely;
    lonely.from.clear(), lonely.to.clear(), lonely.kind.clear();
    lonely.weight = zeros({0}, f64), lonely.attributes = zeros({0, 2}, f64);
    lonely.x.set_requires_grad();
    const Tensor full = c.call(Sample{}), y = c.call(lonely);
    CHECK(y.shape() == full.shape());
    CHECK(all(isfinite(y)).item() == 1);
    // An isolated node does not see the others' edges: node 5 of the sample is one too.
    CHECK(allclose(select(y, 0, 5), select(full, 0, 5)));
    sum(y).backward();
    CHECK(all(isfinite(lonely.x.grad())).item() == 1);
    Sample nothing = lonely;
    nothing.nodes = 0, nothing.x = zeros({0, 4}, f64);
    CHECK(c.call(nothing).shape() == Shape{0, full.shape()[1]});
  }
}

namespace {

struct Net {
  GCNConv first{{.in_channels = 24, .out_channels = 32}};
  GATConv second{{.in_channels = 32, .out_channels = 4, .heads = 2, .concat = false}};
  void fields(auto&& f) { f("first", first, "second", second); }
};

/// The numbers of two layers after some steps of training on a large random graph.
std::vector<float> trained(int threads) {
  set_num_threads(threads);
  const std::int64_t nodes = 3000, edges = 20000, features = 24;
  manual_seed(5);
  Generator g{.seed = 6};
  // Most edges lead to few nodes.
  const Tensor targets =
      to(square(rand({edges}, 0, 1, DType::float32, g)) * static_cast<double>(nodes - 1), DType::int64);
  const Graph graph(stack({randint(0, nodes, {edges}, DType::int64, g), targets}), nodes);
  const Tensor x = randn({nodes, features}, 0, 1, DType::float32, g), label = randint(0, 4, {nodes}, DType::int64, g);
  const Tensor weight = rand({edges}, 0.5, 1, DType::float32, g);
  Net net;
  optim::Adam optimizer(parameters(net), {.lr = 0.01});
  for (int step = 0; step < 3; ++step) {
    cross_entropy(net.second(relu(net.first(x, graph, weight)), graph), label).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  std::vector<float> numbers;
  for (const Tensor& p : parameters(net))
    for (const float v : to_vector<float>(p)) numbers.push_back(v);
  return numbers;
}

}  // namespace

TEST_CASE("graph layers: training is bitwise the same for any number of threads") {
  deterministic(true);
  const std::vector<float> one = trained(1);
  CHECK(one.size() == 24 * 32 + 32 + 32 * 8 + 8 + 8 + 4);
  for (const int threads : {2, 4}) {
    CAPTURE(threads);
    CHECK(trained(threads) == one);
  }
  set_num_threads(0);
  deterministic(false);
}
