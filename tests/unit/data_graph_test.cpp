#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include <weft/data/graph.h>
#include <weft/data/npy.h>
#include <weft/tensor/create.h>

#include "data_help.h"
#include "error_of.h"

using namespace weft;
using namespace weft::data;
using weft::tests::error_of;

namespace {

using Ints = std::vector<std::int64_t>;
using Pairs = std::set<std::pair<std::int64_t, std::int64_t>>;

Ints list(const Tensor& x) { return to_vector<std::int64_t>(x); }
Tensor edges(const Ints& sources, const Ints& targets) {
  Ints all = sources;
  all.insert(all.end(), targets.begin(), targets.end());
  return from(all, {2, static_cast<std::int64_t>(sources.size())});
}
std::vector<std::pair<std::int64_t, std::int64_t>> pairs(const Tensor& x) {
  const Ints v = list(x);
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  for (std::size_t k = 0; k < v.size() / 2; ++k) out.emplace_back(v[k], v[v.size() / 2 + k]);
  return out;
}
Pairs set_of(const Tensor& x) {
  const auto all = pairs(x);
  return {all.begin(), all.end()};
}

/// A random graph of n nodes with loops, repeated edges and edges both ways.
Tensor random_edges(std::int64_t n, std::int64_t count, Generator& g) {
  return randint(0, n, {2, count}, DType::int64, g);
}

/// Four nodes, three features, edges 0-1 (twice), 1-2 and 3-3.
struct Folder {
  TemporaryFolder place;
  Folder() {
    put("y", from(Ints{0, 1, 1, 2}));
    put("edges", from(Ints{0, 1, 2, 1, 1, 0, 3, 3}, {4, 2}));
    put("x_csr_indptr", from(Ints{0, 2, 2, 3, 4}));
    put("x_csr_indices", from(Ints{0, 2, 1, 2}));
    put("idx_train", from(Ints{0, 3}));
    put("idx_val", from(Ints{1}));
    put("idx_test", from(Ints{2}));
  }
  void put(const std::string& name, const Tensor& x) const { save_npy(place / (name + ".npy"), x); }
  GraphData load() const { return load_graph(place / ""); }
  /// What is wrong, without the folder's name.
  std::string complaint() const {
    std::string m = error_of([&] { load(); });
    const std::string lead = place / "/";
    for (std::size_t i = m.find(lead); i != m.npos; i = m.find(lead)) m.erase(i, lead.size());
    return m;
  }
};

}  // namespace

TEST_CASE("load_graph: features, labels, edges both ways and parts") {
  const Folder folder;
  const GraphData g = folder.load();
  CHECK(g.nodes() == 4);
  CHECK(g.classes() == 3);
  CHECK(g.x.shape() == Shape{4, 3});
  CHECK(to_vector<float>(g.x) == std::vector<float>{1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(list(g.y) == Ints{0, 1, 1, 2});
  CHECK(pairs(g.edge_index) ==
        std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1}, {1, 0}, {1, 2}, {2, 1}, {3, 3}});
  CHECK(g.train == Ints{0, 3});
  CHECK(g.validation == Ints{1});
  CHECK(g.test == Ints{2});
  folder.put("x", tensor({{0.5, 1}, {2, 3}, {4, 5}, {6, 7}}, DType::float64));
  CHECK(to_vector<float>(folder.load().x) == std::vector<float>{0.5, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("load_graph: what is wrong with a folder is said") {
  const auto with = [](const std::string& name, const Tensor& x) {
    const Folder folder;
    folder.put(name, x);
    return folder.complaint();
  };
  CHECK(with("y", from(Ints{})) == "FileError: load_graph: y.npy is empty: a graph has at least one node");
  CHECK(with("y", tensor({0, 1, 1, 2})) ==
        "FileError: load_graph: y.npy holds float32 [4], not whole numbers on 1 axis");
  CHECK(with("y", from(Ints{0, -1, 1, 2})) == "FileError: load_graph: y.npy names class -1 of 4");
  CHECK(with("y", from(Ints{0, 1, 1})) ==
        "FileError: load_graph: x_csr_indptr.npy has 5 numbers, not one more than 3 nodes");
  CHECK(with("x_csr_indptr", from(Ints{0, 2, 1, 3, 4})) ==
        "FileError: load_graph: x_csr_indptr.npy does not ascend from 0 to 4");
  CHECK(with("x_csr_indices", from(Ints{0, -2, 1, 2})) ==
        "FileError: load_graph: x_csr_indices.npy names column -2 of 3");
  CHECK(with("x_csr_indices", from(Ints{0, std::int64_t{1} << 50, 1, 2})) ==
        "FileError: load_graph: x_csr_indices.npy names column 1125899906842624, too far for dense rows");
  CHECK(with("x", ones({3, 2})) == "FileError: load_graph: x.npy is [3, 2], not a row for each of 4 labels");
  CHECK(with("edges", from(Ints{0, 1, 2, 4}, {2, 2})) == "FileError: load_graph: edges.npy names node 4 of 4");
  CHECK(with("edges", from(Ints{0, 1, 2}, {1, 3})) == "FileError: load_graph: edges.npy is [1, 3], not (E, 2)");
  CHECK(with("idx_val", from(Ints{4})) == "FileError: load_graph: idx_val.npy names node 4 of 4");
  CHECK(with("idx_val", from(Ints{3})) ==
        "FileError: load_graph: idx_val.npy names node 3, which is in a part already");
  const Folder folder;
  std::filesystem::remove(folder.place / "edges.npy");
  CHECK(contains(folder.complaint(), "edges.npy"));
}

TEST_CASE("load_graph: Cora as published") {
  const std::string folder = folder_from("WEFT_DATA");
  if (folder.empty() || !std::filesystem::exists(folder + "/cora_planetoid")) {
    MESSAGE("left out: WEFT_DATA names no folder with cora_planetoid");
    return;
  }
  const GraphData g = load_graph(folder + "/cora_planetoid");
  CHECK(g.x.shape() == Shape{2708, 1433});
  CHECK(g.edge_index.shape() == Shape{2, 2 * 5278});
  CHECK(g.classes() == 7);
  CHECK(g.train.size() == 140);
  CHECK(g.validation.size() == 500);
  CHECK(g.test.size() == 1000);
  Ints of_class(7, 0);
  const Ints y = list(g.y);
  for (const std::int64_t node : g.train) ++of_class[static_cast<std::size_t>(y[static_cast<std::size_t>(node)])];
  CHECK(of_class == Ints(7, 20));
}

TEST_CASE("to_undirected: each edge both ways, once, in order") {
  Generator g{3};
  const Tensor given = random_edges(9, 30, g);
  Pairs expected;
  for (const auto& [a, b] : pairs(given)) expected.insert({a, b}), expected.insert({b, a});
  const auto got = pairs(to_undirected(given, 9));
  CHECK(got == std::vector<std::pair<std::int64_t, std::int64_t>>(expected.begin(), expected.end()));
  CHECK(to_undirected(zeros({2, 0}, DType::int64), 0).shape() == Shape{2, 0});
  CHECK(error_of([] {
          to_undirected(edges({0, 1}, {1, 3}), 3);
        }) == "ConfigError: to_undirected: the target of edge 1 is node 3 of 3\n  help: number the nodes from 0 to 2");
  CHECK(error_of([] {
          to_undirected(ones({3, 2}, DType::int64), 3);
        }) ==
        "ShapeError: to_undirected: edge_index is [3, 2], not (2, E)\n  help: put the sources in row 0 and the targets "
        "in row 1");
  CHECK(error_of([] {
          to_undirected(ones({2, 2}), 3);
        }) == "DtypeError: to_undirected: edge_index is float32\n  help: convert it with to(edge_index, DType::int64)");
  CHECK(error_of([] {
          to_undirected(zeros({2, 0}, DType::int64), -1);
        }) == "ConfigError: to_undirected: a graph of -1 nodes\n  help: give from 0 to 2147483648");
  CHECK(error_of([] {
          NegativeSampler(zeros({2, 0}, DType::int64), std::int64_t{1} << 32);
        }) == "ConfigError: negative_sampler: a graph of 4294967296 nodes\n  help: give from 0 to 2147483648");
}

TEST_CASE("NegativeSampler: asked for all, it gives just the pairs without an edge") {
  Generator g{5};
  for (const std::int64_t n : {2, 3, 7, 12})
    for (const bool undirected : {true, false})
      for (const std::int64_t count : {0, 1, 8, 20}) {
        CAPTURE(n);
        CAPTURE(undirected);
        const Tensor given = random_edges(n, count, g);
        const Pairs present = set_of(given);
        Pairs expected;
        for (std::int64_t i = 0; i < n; ++i)
          for (std::int64_t j = undirected ? i + 1 : 0; j < n; ++j)
            if (i != j && !present.contains({i, j}) && !(undirected && present.contains({j, i})))
              expected.insert({i, j});
        if (expected.empty()) continue;
        const NegativeSampler sampler(given, n, undirected);
        REQUIRE(sampler.available() == static_cast<std::int64_t>(expected.size()));
        const Tensor all = sampler.sample(sampler.available(), g);
        CHECK(all.size(1) == sampler.available());  // so each is there once
        CHECK(set_of(all) == expected);
      }
}

TEST_CASE("NegativeSampler: each pair is equally likely, the same from the same generator") {
  const Tensor given = edges({0, 3, 2}, {1, 4, 0});  // 7 of 10 pairs are left
  const NegativeSampler sampler(given, 5);
  Generator g{7};
  std::map<std::pair<std::int64_t, std::int64_t>, int> first, any;
  constexpr int rounds = 7000;
  for (int i = 0; i < rounds; ++i) {
    const auto drawn = pairs(sampler.sample(3, g));
    ++first[drawn[0]];
    for (const auto& p : drawn) ++any[p];
  }
  CHECK(any.size() == 7);
  // Binomial: 1000 +- 29 of the first, 3000 +- 41 of all three; 4.5 deviations.
  for (const auto& [p, n] : first) CHECK(std::abs(n - rounds / 7) < 132);
  for (const auto& [p, n] : any) CHECK(std::abs(n - 3 * rounds / 7) < 186);
  Generator a{1, 10}, b{1, 10}, c{1, 11};
  const Ints one = list(sampler.sample(4, a));
  CHECK(one == list(sampler.sample(4, b)));
  CHECK(a.offset == b.offset);
  CHECK(list(sampler.sample(7, c)) != list(sampler.sample(7, a)));
}

TEST_CASE("NegativeSampler: pairs of a large graph") {
  // 10^9 nodes: 5 * 10^17 pairs, numbered without rounding.
  const std::int64_t n = 1000000000;
  Generator g{2};
  const NegativeSampler sampler(edges({0, n - 1}, {n - 2, 5}), n);
  CHECK(sampler.available() == n / 2 * (n - 1) - 2);
  for (const auto& [i, j] : pairs(sampler.sample(1000, g))) {
    CHECK(i >= 0);
    CHECK(i < j);
    CHECK(j < n);
  }
}

TEST_CASE("NegativeSampler: errors") {
  Generator g;
  Ints sources, targets;
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < i; ++j) sources.push_back(i), targets.push_back(j);
  CHECK(error_of([&] { NegativeSampler(edges(sources, targets), 4); }) ==
        "ConfigError: negative_sampler: all 6 pairs of 4 nodes are edges: there is no negative one");
  CHECK(NegativeSampler(edges(sources, targets), 4, false).available() == 6);
  CHECK(error_of([&] { NegativeSampler(edges({}, {}), 0); }) ==
        "ConfigError: negative_sampler: a graph of 0 nodes has no pairs");
  CHECK(error_of([&] { NegativeSampler(edges({0}, {9}), 4); }) ==
        "ConfigError: negative_sampler: the target of edge 0 is node 9 of 4\n  help: number the nodes from 0 to 3");
  CHECK(error_of([&] { NegativeSampler(edges({0}, {1}), 3).sample(3, g); }) ==
        "ConfigError: negative_sampler: 3 pairs are asked for, 2 have no edge");
  CHECK(error_of([&] { NegativeSampler(edges({0}, {1}), 3).sample(-1, g); }) ==
        "ConfigError: negative_sampler: -1 pairs are asked for, 2 have no edge");
}

TEST_CASE("split_links: parts share nothing, negatives are none of the graph's edges, messages are training edges") {
  Generator g{11};
  const std::int64_t n = 60;
  const Tensor given = random_edges(n, 400, g);
  Pairs present;
  for (const auto& [a, b] : pairs(given))
    if (a != b) present.insert(std::minmax(a, b));
  const LinkSplit split = split_links(given, n, {.validation = 0.1, .test = 0.2}, g);
  const auto total = static_cast<std::int64_t>(present.size());
  CHECK(split.validation.size(1) == total / 10);
  CHECK(split.test.size(1) == total / 5);
  CHECK(split.train.size(1) == total - total / 10 - total / 5);
  CHECK(split.validation_negatives.shape() == split.validation.shape());
  CHECK(split.test_negatives.shape() == split.test.shape());
  Pairs together;
  for (const Tensor& part : {split.train, split.validation, split.test})
    for (const auto& p : pairs(part)) {
      CHECK(present.contains(p));
      CHECK(together.insert(p).second);
    }
  CHECK(together == present);
  Pairs negatives;
  for (const Tensor& part : {split.validation_negatives, split.test_negatives})
    for (const auto& p : pairs(part)) {
      CHECK(p.first < p.second);
      CHECK_FALSE(present.contains(p));
      CHECK(negatives.insert(p).second);
    }
  Pairs message;
  for (const auto& [a, b] : pairs(split.train)) message.insert({a, b}), message.insert({b, a});
  CHECK(set_of(split.message) == message);
  CHECK(split.message.size(1) == 2 * split.train.size(1));
  Generator again{11};
  random_edges(n, 400, again);
  CHECK(list(split_links(given, n, {.validation = 0.1, .test = 0.2}, again).test_negatives) ==
        list(split.test_negatives));
}

TEST_CASE("split_links: errors") {
  Generator g;
  const Tensor path = edges({0, 1, 2}, {1, 2, 3});
  CHECK(error_of([&] { split_links(path, 4, {.validation = 0, .test = 1}, g); }) ==
        "ConfigError: split_links: a share of 1\n  help: choose a share from 0 to below 1");
  CHECK(error_of([&] { split_links(path, 4, {.validation = 0.1, .test = 0.4}, g); }) ==
        "ConfigError: split_links: 3 edges make parts of 2, 0 and 1");
  CHECK(error_of([&] { split_links(edges({}, {}), 4, {}, g); }) ==
        "ConfigError: split_links: 0 edges make parts of 0, 0 and 0");
  CHECK(split_links(path, 4, {.validation = 0, .test = 0}, g).train.size(1) == 3);
}
