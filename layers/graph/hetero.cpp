#include <weft/layers/graph/hetero.h>

#include <algorithm>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft {
namespace {

std::vector<std::string> names_of(const std::vector<NodeKind>& kinds) {
  std::vector<std::string> names;
  for (const NodeKind& kind : kinds) names.push_back(kind.name);
  return names;
}

std::size_t place_of(const char* op, const std::vector<NodeKind>& kinds, const std::string& name) {
  for (std::size_t k = 0; k < kinds.size(); ++k)
    if (kinds[k].name == name) return k;
  throw ConfigError(text(op, ": there is no kind \"", name, "\"", closest(name, names_of(kinds))));
}

/// Throws where a name is there twice.
void check_different(const char* what, const std::vector<std::string>& names) {
  for (auto i = names.begin(); i != names.end(); ++i)
    if (std::find(names.begin(), i, *i) != i)
      throw ConfigError(text("hetero_graph: ", what, " \"", *i, "\" is there twice"));
}

std::vector<std::int64_t> begins(const std::vector<NodeKind>& kinds) {
  if (kinds.empty()) throw ConfigError("hetero_graph: there are no kinds of nodes");
  check_different("the kind", names_of(kinds));
  std::vector<std::int64_t> begin{0};
  for (const NodeKind& kind : kinds) {
    if (kind.count < 0) throw ConfigError(text("hetero_graph: ", kind.count, " nodes of the kind \"", kind.name, "\""));
    begin.push_back(begin.back() + kind.count);
  }
  return begin;
}

std::vector<std::string> relation_names(const std::vector<Relation>& relations, bool reverse) {
  if (relations.empty()) throw ConfigError("hetero_graph: there are no relations");
  std::vector<std::string> names;
  for (const Relation& r : relations) {
    names.push_back(r.name);
    if (reverse) names.push_back("reverse of " + r.name);
  }
  check_different("the relation", names);
  return names;
}

RelationalGraph joined(const std::vector<NodeKind>& kinds, const std::vector<std::int64_t>& begin,
                       const std::vector<Relation>& relations, bool reverse) {
  std::vector<Tensor> sources{zeros({0}, DType::int64)}, targets = sources, types = sources;
  std::int64_t type = 0;
  const auto add = [&](const Tensor& from, const Tensor& to) {
    sources.push_back(from), targets.push_back(to);
    types.push_back(full({from.numel()}, type++, DType::int64));
  };
  for (const Relation& r : relations) {
    const std::size_t s = place_of("hetero_graph", kinds, r.source), t = place_of("hetero_graph", kinds, r.target);
    try {
      const EdgeIndex edges(r.edge_index, kinds[s].count, kinds[t].count);
      const Tensor from = edges.by_source().index() + Scalar(begin[s]),
                   to = edges.by_target().index() + Scalar(begin[t]);
      add(from, to);
      if (reverse) add(to, from);
    } catch (const ShapeError& e) {
      throw ShapeError(text("hetero_graph: relation \"", r.name, "\": ", e.what()));
    } catch (const ConfigError& e) {
      throw ConfigError(text("hetero_graph: relation \"", r.name, "\": ", e.what()));
    }
  }
  return RelationalGraph(stack({cat(sources), cat(targets)}), cat(types), begin.back(), type);
}

/// Learned rows that begin small, so that what comes from neighbours with features is not lost beside them.
Embedding small_rows(std::int64_t count, const RGCNOptions& o) {
  Embedding rows({.num_embeddings = count, .embedding_dim = o.hidden_channels, .dtype = o.dtype});
  initialize::xavier_uniform(rows.weight);
  return rows;
}

}  // namespace

HeteroGraph::HeteroGraph(std::vector<NodeKind> kinds, const std::vector<Relation>& relations,
                         const HeteroGraphOptions& options)
    : kinds_(std::move(kinds)),
      begin_(begins(kinds_)),
      relations_(relation_names(relations, options.reverse)),
      graph_(joined(kinds_, begin_, relations, options.reverse)) {}

std::size_t HeteroGraph::place(const std::string& kind) const { return place_of("hetero_graph", kinds_, kind); }
std::int64_t HeteroGraph::begin(const std::string& kind) const { return begin_[place(kind)]; }
std::int64_t HeteroGraph::count(const std::string& kind) const { return kinds_[place(kind)].count; }
Tensor HeteroGraph::rows(const Tensor& x, const std::string& kind) const {
  if (x.dim() == 0 || x.shape()[0] != nodes())
    throw ShapeError(text("hetero_graph: x ", x.shape(), " needs a row for each of ", nodes(), " nodes"));
  const std::size_t k = place(kind);
  return slice(x, 0, begin_[k], begin_[k + 1]);
}

RGCN::RGCN(const HeteroGraph& graph, const RGCNOptions& o) : dropout(o.dropout) {
  for (const auto& [name, n] : {std::pair("hidden_channels", o.hidden_channels), {"num_layers", o.num_layers}})
    if (n < 1) throw ConfigError(text("rgcn: ", name, " is ", n, "\n  help: choose 1 or more"));
  if (!(dropout >= 0 && dropout <= 1))
    throw ConfigError(text("rgcn: dropout is ", dropout, "\n  help: choose a probability from 0 to 1"));
  for (const auto& [name, features] : o.in_channels) {
    place_of("rgcn", graph.kinds(), name);
    if (features < 1) throw ConfigError(text("rgcn: ", features, " features of the kind \"", name, "\""));
  }
  for (const NodeKind& kind : graph.kinds()) {
    lins.emplace_back(), embeddings.emplace_back();
    const auto found = o.in_channels.find(kind.name);
    if (found != o.in_channels.end())
      lins.back().emplace(LinearOptions{found->second, o.hidden_channels, true, o.dtype});
    else
      embeddings.back() = small_rows(kind.count, o);
  }
  for (std::int64_t l = 0; l < o.num_layers; ++l)
    convs.emplace_back(RGCNConvOptions{.in_channels = o.hidden_channels,
                                       .out_channels = o.hidden_channels,
                                       .num_relations = graph.graph().relations(),
                                       .num_bases = o.num_bases,
                                       .dtype = o.dtype});
}

Tensor RGCN::operator()(const std::map<std::string, Tensor>& x, const HeteroGraph& graph) const {
  const std::vector<NodeKind>& kinds = graph.kinds();
  if (kinds.size() != lins.size())
    throw ShapeError(text("rgcn: the graph has ", kinds.size(), " kinds of nodes, the layer ", lins.size()));
  std::vector<Tensor> rows;
  std::size_t used = 0;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (embeddings[k]) {
      rows.push_back(embeddings[k]->weight);
    } else {
      const auto found = x.find(kinds[k].name);
      if (found == x.end()) throw ConfigError(text("rgcn: the features of \"", kinds[k].name, "\" are missing"));
      rows.push_back((*lins[k])(found->second));
      ++used;
    }
    if (rows.back().dim() != 2 || rows.back().shape()[0] != kinds[k].count)
      throw ShapeError(text("rgcn: the rows of \"", kinds[k].name, "\" give ", rows.back().shape(),
                            ", not one for each of ", kinds[k].count, " nodes"));
  }
  if (used != x.size())
    throw ConfigError(text("rgcn: features of ", x.size(), " kinds are given, ", used, " are needed"));
  Tensor h = cat(rows);
  for (const RGCNConv& conv : convs) {
    h = relu(conv(h, graph.graph()));
    if (dropout > 0) h = weft::dropout(h, dropout, mode.training);
  }
  return h;
}

}  // namespace weft
