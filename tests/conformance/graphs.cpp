#include <map>

#include <weft/layers/graph/attention.h>
#include <weft/layers/graph/convolutions.h>

#include "module.h"

namespace weft::tests {
namespace {

Aggregation aggregation(Config& c, Aggregation otherwise) {
  if (!c.has("aggr")) return otherwise;
  static const std::map<std::string, Aggregation> words{{"add", Aggregation::sum},
                                                        {"sum", Aggregation::sum},
                                                        {"mean", Aggregation::mean},
                                                        {"min", Aggregation::min},
                                                        {"max", Aggregation::max}};
  const auto found = words.find(c.get<std::string>("aggr"));
  if (found == words.end()) throw ConfigError("conformance: unknown aggr " + c.get<std::string>("aggr"));
  return found->second;
}

/// What added self-loops have for features: a number, or the mean of the others.
std::optional<double> fill_value(Config& c) {
  if (!c.has("fill_value") || c.at("fill_value") == "mean") return std::nullopt;
  return c.get<double>("fill_value");
}

Graph graph_of(const Args& a) { return Graph(a.tensor("edge_index"), a.tensor("x").size(0)); }

/// Runs a layer that is called with nodes, edges and one more tensor (edge weights or attributes).
template <class M>
Outcome run_layer(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, "layer(x, edge_index, edge_weight=None)",
                       [](const M& m, const Args& a) {
                         return std::vector<Tensor>{m(a.tensor("x"), graph_of(a), a.tensor("edge_weight"))};
                       });
}
/// The same for layers that take no weights.
template <class M>
Outcome run_unweighted(M model, const Suite& suite, const Json& one_case) {
  return run_module<M>(std::move(model), suite, one_case, "layer(x, edge_index)",
                       [](const M& m, const Args& a) { return std::vector<Tensor>{m(a.tensor("x"), graph_of(a))}; });
}

using Runner = Outcome (*)(Config&, const Suite&, const Json&);

template <class Options>
void read_channels(Config& c, Options& o) {
  o.in_channels = c.get<std::int64_t>("in_channels");
  o.out_channels = c.get<std::int64_t>("out_channels");
}

Outcome gcn(Config& c, const Suite& suite, const Json& one_case) {
  GCNConvOptions o{};
  read_channels(c, o);
  o.improved = c.get("improved", o.improved);
  o.normalize = c.get("normalize", o.normalize);
  o.add_self_loops = c.get("add_self_loops", o.normalize);
  o.bias = c.get("bias", o.bias);
  c.get("cached", false);
  c.expect_all_read();
  return run_layer(GCNConv(o), suite, one_case);
}

Outcome sage(Config& c, const Suite& suite, const Json& one_case) {
  SAGEConvOptions o{};
  read_channels(c, o);
  o.aggr = aggregation(c, o.aggr);
  o.normalize = c.get("normalize", o.normalize);
  o.root_weight = c.get("root_weight", o.root_weight);
  o.project = c.get("project", o.project);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_unweighted(SAGEConv(o), suite, one_case);
}

Outcome graph_conv(Config& c, const Suite& suite, const Json& one_case) {
  GraphConvOptions o{};
  read_channels(c, o);
  o.aggr = aggregation(c, o.aggr);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_layer(GraphConv(o), suite, one_case);
}

Outcome gin(Config& c, const Suite& suite, const Json& one_case) {
  const auto widths = c.get<std::vector<std::int64_t>>("mlp");
  const GINConvOptions o{.eps = c.get("eps", 0.0), .train_eps = c.get("train_eps", false)};
  c.expect_all_read();
  Sequential nn;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) nn.add(ReLU());
    nn.add(Linear(widths[i], widths[i + 1]));
  }
  return run_unweighted(GINConv(std::move(nn), o), suite, one_case);
}

Outcome tag(Config& c, const Suite& suite, const Json& one_case) {
  TAGConvOptions o{};
  read_channels(c, o);
  o.K = c.get("K", o.K);
  o.bias = c.get("bias", o.bias);
  o.normalize = c.get("normalize", o.normalize);
  c.expect_all_read();
  return run_layer(TAGConv(o), suite, one_case);
}

Outcome sg(Config& c, const Suite& suite, const Json& one_case) {
  SGConvOptions o{};
  read_channels(c, o);
  o.K = c.get("K", o.K);
  o.add_self_loops = c.get("add_self_loops", o.add_self_loops);
  o.bias = c.get("bias", o.bias);
  c.get("cached", false);
  c.expect_all_read();
  return run_layer(SGConv(o), suite, one_case);
}

Outcome appnp(Config& c, const Suite& suite, const Json& one_case) {
  APPNPOptions o{.K = c.get<std::int64_t>("K"), .alpha = c.get<double>("alpha")};
  o.dropout = c.get("dropout", o.dropout);
  o.add_self_loops = c.get("add_self_loops", o.add_self_loops);
  o.normalize = c.get("normalize", o.normalize);
  c.get("cached", false);
  c.expect_all_read();
  return run_layer(APPNP(o), suite, one_case);
}

Outcome le(Config& c, const Suite& suite, const Json& one_case) {
  LEConvOptions o{};
  read_channels(c, o);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_layer(LEConv(o), suite, one_case);
}

Outcome gated(Config& c, const Suite& suite, const Json& one_case) {
  GatedGraphConvOptions o{.out_channels = c.get<std::int64_t>("out_channels"),
                          .num_layers = c.get<std::int64_t>("num_layers")};
  o.aggr = aggregation(c, o.aggr);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_layer(GatedGraphConv(o), suite, one_case);
}

Outcome rgcn(Config& c, const Suite& suite, const Json& one_case) {
  RGCNConvOptions o{};
  read_channels(c, o);
  o.num_relations = c.get<std::int64_t>("num_relations");
  o.num_bases = c.get("num_bases", o.num_bases);
  o.num_blocks = c.get("num_blocks", o.num_blocks);
  o.aggr = aggregation(c, o.aggr);
  o.root_weight = c.get("root_weight", o.root_weight);
  o.bias = c.get("bias", o.bias);
  c.expect_all_read();
  return run_module<RGCNConv>(
      RGCNConv(o), suite, one_case, "layer(x, edge_index, edge_type)", [](const RGCNConv& m, const Args& a) {
        const Tensor x = a.tensor("x");
        return std::vector<Tensor>{
            m(x, RelationalGraph(a.tensor("edge_index"), a.tensor("edge_type"), x.size(0), m.num_relations))};
      });
}

/// What the two layers of additive attention have in common.
template <class Options>
Options attention_options(Config& c) {
  Options o{};
  read_channels(c, o);
  o.heads = c.get("heads", o.heads);
  o.concat = c.get("concat", o.concat);
  o.negative_slope = c.get("negative_slope", o.negative_slope);
  o.dropout = c.get("dropout", o.dropout);
  o.add_self_loops = c.get("add_self_loops", o.add_self_loops);
  o.edge_dim = c.get("edge_dim", o.edge_dim);
  o.fill_value = fill_value(c);
  o.bias = c.get("bias", o.bias);
  o.residual = c.get("residual", o.residual);
  return o;
}

Outcome gat(Config& c, const Suite& suite, const Json& one_case) {
  const auto o = attention_options<GATConvOptions>(c);
  c.expect_all_read();
  return run_layer(GATConv(o), suite, one_case);
}

Outcome gatv2(Config& c, const Suite& suite, const Json& one_case) {
  auto o = attention_options<GATv2ConvOptions>(c);
  o.share_weights = c.get("share_weights", o.share_weights);
  c.expect_all_read();
  return run_layer(GATv2Conv(o), suite, one_case);
}

Outcome transformer(Config& c, const Suite& suite, const Json& one_case) {
  TransformerConvOptions o{};
  read_channels(c, o);
  o.heads = c.get("heads", o.heads);
  o.concat = c.get("concat", o.concat);
  o.beta = c.get("beta", o.beta);
  o.dropout = c.get("dropout", o.dropout);
  o.edge_dim = c.get("edge_dim", o.edge_dim);
  o.bias = c.get("bias", o.bias);
  o.root_weight = c.get("root_weight", o.root_weight);
  c.expect_all_read();
  return run_layer(TransformerConv(o), suite, one_case);
}

template <Tensor (*pool)(const Tensor&, const Segments&)>
Outcome run_pool(Config&, const Suite& suite, const Json& one_case) {
  check_module([](Visitor&) {}, suite, one_case, "pool(x, batch, size=-1)",
               [](const Args& a) {
                 const Tensor x = a.tensor("x");
                 const Tensor batch = a.has("batch") ? a.tensor("batch") : zeros({x.size(0)}, DType::int64);
                 const std::int64_t fewest = a.has("batch") ? -1 : 1;
                 return std::vector<Tensor>{pool(x, Segments(batch, a.has("size") ? a.integer("size") : fewest))};
               });
  return Outcome::passed;
}

}  // namespace

Outcome run_graph(const Suite& suite, const Json& one_case) {
  static const std::map<std::string, Runner> runners{
      {"APPNP", appnp},
      {"GATConv", gat},
      {"GATv2Conv", gatv2},
      {"GCNConv", gcn},
      {"GINConv", gin},
      {"GatedGraphConv", gated},
      {"GraphConv", graph_conv},
      {"LEConv", le},
      {"RGCNConv", rgcn},
      {"SAGEConv", sage},
      {"SGConv", sg},
      {"TAGConv", tag},
      {"TransformerConv", transformer},
      {"global_add_pool", run_pool<global_add_pool>},
      {"global_max_pool", run_pool<global_max_pool>},
      {"global_mean_pool", run_pool<global_mean_pool>},
  };
  const auto found = runners.find(one_case.contains("module") ? one_case["module"].get<std::string>()
                                                              : one_case.at("op").get<std::string>());
  if (found == runners.end()) return Outcome::skipped;
  Config config(one_case);
  return found->second(config, suite, one_case);
}

}  // namespace weft::tests
