#include <weft/data/graph.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <weft/data/at.h>
#include <weft/data/npy.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::data {
namespace {

using Int = std::int64_t;
using Ints = std::vector<Int>;

using detail::at;

// ---- files

constexpr const char* graph_operation = "load_graph";

/// Whole numbers of `rank` axes.
Tensor integers(const std::string& path, int rank) {
  const Tensor x = load_npy(path);
  if (x.dim() != rank || is_floating(x.dtype()))
    throw FileError(text(graph_operation, ": ", path, " holds ", x.dtype(), " ", x.shape(), ", not whole numbers on ",
                         rank, rank == 1 ? " axis" : " axes"));
  return kernels::contiguous(kernels::cast(x, DType::int64));
}

/// Each from 0 to `count` - 1. `what` says what is counted.
void check_range(const std::string& path, const Tensor& x, Int count, const char* what) {
  const Int* v = x.data<Int>();
  for (Int i = 0; i < x.numel(); ++i)
    if (v[i] < 0 || v[i] >= count)
      throw FileError(text(graph_operation, ": ", path, " names ", what, " ", v[i], " of ", count));
}

/// Ones at the places that the sparse rows name.
Tensor sparse_rows(const std::string& folder, Int nodes) {
  const std::string rows_path = folder + "x_csr_indptr.npy", columns_path = folder + "x_csr_indices.npy";
  const Tensor rows = integers(rows_path, 1), columns = integers(columns_path, 1);
  const Int *begin = rows.data<Int>(), *column = columns.data<Int>(), ones = columns.numel();
  if (rows.numel() != nodes + 1)
    throw FileError(
        text(graph_operation, ": ", rows_path, " has ", rows.numel(), " numbers, not one more than ", nodes, " nodes"));
  if (begin[0] != 0 || begin[nodes] != ones || !std::is_sorted(begin, begin + nodes + 1))
    throw FileError(text(graph_operation, ": ", rows_path, " does not ascend from 0 to ", ones));
  Int features = 0;
  for (Int i = 0; i < ones; ++i) features = std::max(features, column[i] + 1);
  // Dense rows are what comes of it: a wrong column must not ask for all memory.
  if (features > (Int{1} << 30) / nodes)
    throw FileError(
        text(graph_operation, ": ", columns_path, " names column ", features - 1, ", too far for dense rows"));
  check_range(columns_path, columns, features, "column");
  Tensor x = zeros({nodes, features});
  float* to = x.mutable_data<float>();
  for (Int i = 0; i < nodes; ++i)
    for (Int k = begin[i]; k < begin[i + 1]; ++k) to[i * features + column[k]] = 1;
  return x;
}

Tensor dense_rows(const std::string& path, Int nodes) {
  const Tensor x = load_npy(path);
  if (x.dim() != 2 || x.size(0) != nodes)
    throw FileError(text(graph_operation, ": ", path, " is ", x.shape(), ", not a row for each of ", nodes, " labels"));
  return kernels::cast(x, DType::float32);
}

// ---- pairs of different nodes as numbers from 0

/// Unordered i < j: row by row of the triangle below the diagonal.
Int number_of_pair(Int i, Int j) { return j * (j - 1) / 2 + i; }
std::pair<Int, Int> pair_of_number(Int n) {
  auto j = static_cast<Int>((1 + std::sqrt(1 + 8 * static_cast<double>(n))) / 2);
  while (j * (j - 1) / 2 > n) --j;  // the root is rounded
  while (j * (j + 1) / 2 <= n) ++j;
  return {n - j * (j - 1) / 2, j};
}

void sort_unique(Ints& v) {
  std::sort(v.begin(), v.end());
  v.erase(std::unique(v.begin(), v.end()), v.end());
}

/// The pairs i < j that edges join, as numbers, ascending.
Ints undirected_numbers(const Tensor& edges) {
  const Int n = edges.size(1), *v = edges.data<Int>();
  Ints out;
  for (Int e = 0; e < n; ++e)
    if (v[e] != v[n + e]) out.push_back(number_of_pair(std::min(v[e], v[n + e]), std::max(v[e], v[n + e])));
  sort_unique(out);
  return out;
}

template <class Pair>
Tensor pairs_of(Int count, const Pair& pair) {
  Tensor out = empty({2, count}, DType::int64);
  Int* to = out.mutable_data<Int>();
  for (Int k = 0; k < count; ++k) std::tie(to[k], to[count + k]) = pair(k);
  return out;
}

}  // namespace

Int GraphData::classes() const {
  const Ints labels = to_vector<Int>(y);
  return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

GraphData load_graph(const std::string& given) {
  const std::string folder = given + "/";
  GraphData g;
  g.y = integers(folder + "y.npy", 1);
  const Int nodes = g.y.numel();
  if (nodes == 0) throw FileError(text(graph_operation, ": ", folder, "y.npy is empty: a graph has at least one node"));
  check_range(folder + "y.npy", g.y, nodes, "class");
  const bool dense = std::filesystem::exists(folder + "x.npy");
  g.x = dense ? dense_rows(folder + "x.npy", nodes) : sparse_rows(folder, nodes);
  const std::string edges_path = folder + "edges.npy";
  const Tensor edges = integers(edges_path, 2);
  if (edges.size(1) != 2)
    throw FileError(text(graph_operation, ": ", edges_path, " is ", edges.shape(), ", not (E, 2)"));
  check_range(edges_path, edges, nodes, "node");
  g.edge_index = to_undirected(view_as(edges, {2, edges.size(0)}, {1, 2}), nodes);
  Ints part_of(at(nodes), 0);
  for (const auto& [name, part] :
       {std::pair("idx_train.npy", &g.train), {"idx_val.npy", &g.validation}, {"idx_test.npy", &g.test}}) {
    const Tensor index = integers(folder + name, 1);
    check_range(folder + name, index, nodes, "node");
    *part = to_vector<Int>(index);
    for (const Int node : *part)
      if (part_of[at(node)]++ > 0)
        throw FileError(
            text(graph_operation, ": ", folder, name, " names node ", node, ", which is in a part already"));
  }
  return g;
}

Tensor detail::checked_edges(const char* op, const Tensor& edge_index, Int nodes) {
  if (edge_index.dim() != 2 || edge_index.shape()[0] != 2)
    throw ShapeError(text(op, ": edge_index is ", edge_index.shape(),
                          ", not (2, E)\n  help: put the sources in row 0 and the targets in row 1"));
  if (edge_index.dtype() != DType::int64 && edge_index.dtype() != DType::int32 && edge_index.numel() != 0)
    throw DtypeError(
        text(op, ": edge_index is ", edge_index.dtype(), "\n  help: convert it with to(edge_index, DType::int64)"));
  // Pairs of nodes are numbered in 64 bits.
  constexpr Int most = Int{1} << 31;
  if (nodes < 0 || nodes > most)
    throw ConfigError(text(op, ": a graph of ", nodes, " nodes\n  help: give from 0 to ", most));
  const Tensor edges = kernels::contiguous(kernels::cast(edge_index, DType::int64));
  const Int n = edges.size(1), *v = edges.data<Int>();
  for (Int i = 0; i < 2 * n; ++i)
    if (v[i] < 0 || v[i] >= nodes)
      throw ConfigError(text(op, ": the ", i < n ? "source" : "target", " of edge ", i % n, " is node ", v[i], " of ",
                             nodes, nodes > 0 ? text("\n  help: number the nodes from 0 to ", nodes - 1) : ""));
  return edges;
}

Tensor to_undirected(const Tensor& edge_index, Int nodes) {
  const Tensor edges = detail::checked_edges("to_undirected", edge_index, nodes);
  const Int n = edges.size(1), *v = edges.data<Int>();
  Ints keys;
  keys.reserve(at(2 * n));
  for (Int e = 0; e < n; ++e) {
    keys.push_back(v[e] * nodes + v[n + e]);
    keys.push_back(v[n + e] * nodes + v[e]);
  }
  sort_unique(keys);
  return pairs_of(static_cast<Int>(keys.size()),
                  [&](Int k) { return std::pair(keys[at(k)] / nodes, keys[at(k)] % nodes); });
}

NegativeSampler::NegativeSampler(const Tensor& edge_index, Int nodes, bool undirected)
    : nodes_(nodes), pairs_(0), undirected_(undirected) {
  constexpr const char* op = "negative_sampler";
  if (nodes < 2) throw ConfigError(text(op, ": a graph of ", nodes, " nodes has no pairs"));
  const Tensor edges = detail::checked_edges(op, edge_index, nodes);
  pairs_ = nodes * (nodes - 1) / (undirected ? 2 : 1);
  if (undirected) {
    taken_ = undirected_numbers(edges);
  } else {
    const Int n = edges.size(1), *v = edges.data<Int>();
    for (Int e = 0; e < n; ++e)
      if (v[e] != v[n + e]) taken_.push_back(v[e] * (nodes - 1) + v[n + e] - (v[n + e] > v[e] ? 1 : 0));
    sort_unique(taken_);
  }
  if (available() == 0)
    throw ConfigError(text(op, ": all ", pairs_, " pairs of ", nodes, " nodes are edges: there is no negative one"));
}

Tensor NegativeSampler::sample(Int count, Generator& generator) const {
  const Int free = available();
  if (count < 0 || count > free)
    throw ConfigError(text("negative_sampler: ", count, " pairs are asked for, ", free, " have no edge"));
  // Floyd's method: each set of `count` free pairs is equally likely, and none is drawn twice.
  std::unordered_set<Int> seen;
  seen.reserve(at(count));
  Ints ranks;
  ranks.reserve(at(count));
  for (Int last = free - count; last < free; ++last) {
    const Int drawn = generator.below(last + 1);
    ranks.push_back(seen.insert(drawn).second ? drawn : last);
    if (ranks.back() == last) seen.insert(last);
  }
  for (Int k = count - 1; k > 0; --k) std::swap(ranks[at(k)], ranks[at(generator.below(k + 1))]);
  return pairs_of(count, [&](Int k) -> std::pair<Int, Int> {
    // taken_[m] - m free numbers lie before taken_[m]: all edges with that many or fewer are skipped.
    Int low = 0, high = static_cast<Int>(taken_.size());
    while (low < high) {
      const Int middle = (low + high) / 2;
      if (taken_[at(middle)] - middle <= ranks[at(k)])
        low = middle + 1;
      else
        high = middle;
    }
    const Int number = ranks[at(k)] + low;
    if (undirected_) return pair_of_number(number);
    const Int source = number / (nodes_ - 1), other = number % (nodes_ - 1);
    return {source, other + (other >= source ? 1 : 0)};
  });
}

LinkSplit split_links(const Tensor& edge_index, Int nodes, const LinkSplitOptions& o, Generator& generator) {
  constexpr const char* op = "split_links";
  for (const double share : {o.validation, o.test})
    if (!(share >= 0 && share < 1))
      throw ConfigError(text(op, ": a share of ", share, "\n  help: choose a share from 0 to below 1"));
  const Tensor edges = detail::checked_edges(op, edge_index, nodes);
  Ints all = undirected_numbers(edges);
  const auto count = static_cast<Int>(all.size());
  const auto part = [&](double share) { return static_cast<Int>(share * static_cast<double>(count)); };
  const Int tested = part(o.test), validated = part(o.validation), trained = count - tested - validated;
  if (trained < 1 || (o.test > 0 && tested == 0) || (o.validation > 0 && validated == 0))
    throw ConfigError(text(op, ": ", count, " edges make parts of ", trained, ", ", validated, " and ", tested));
  for (Int k = count - 1; k > 0; --k) std::swap(all[at(k)], all[at(generator.below(k + 1))]);
  const auto edges_at = [&](Int begin, Int n) {
    return pairs_of(n, [&](Int k) { return pair_of_number(all[at(begin + k)]); });
  };
  LinkSplit out;
  out.train = edges_at(tested + validated, trained);
  out.test = edges_at(0, tested);
  out.validation = edges_at(tested, validated);
  out.message = to_undirected(out.train, nodes);
  const Tensor negatives = tested + validated > 0 ? NegativeSampler(edges, nodes).sample(tested + validated, generator)
                                                  : empty({2, 0}, DType::int64);
  const Int width = tested + validated;
  out.test_negatives = kernels::copy(view_as(negatives, {2, tested}, {width, 1}));
  out.validation_negatives = kernels::copy(view_as(negatives, {2, validated}, {width, 1}, tested));
  return out;
}

}  // namespace weft::data
