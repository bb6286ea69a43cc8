#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include <weft/data/split.h>
#include <weft/tensor/error.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Index = std::vector<std::int64_t>;

namespace {

/// 0 ... n-1 stand in exactly one of the two ascending lists.
bool parts_all(const Split& s, std::int64_t n) {
  Index all = s.train;
  all.insert(all.end(), s.test.begin(), s.test.end());
  std::sort(all.begin(), all.end());
  for (std::int64_t i = 0; i < n; ++i)
    if (static_cast<std::int64_t>(all.size()) != n || all[static_cast<std::size_t>(i)] != i) return false;
  return std::is_sorted(s.train.begin(), s.train.end()) && std::is_sorted(s.test.begin(), s.test.end());
}

std::map<std::int64_t, int> counts(const Index& rows, const Index& labels) {
  std::map<std::int64_t, int> out;
  for (const std::int64_t i : rows) ++out[labels[static_cast<std::size_t>(i)]];
  return out;
}

Index labels_of(std::initializer_list<int> sizes) {
  Index out;
  std::int64_t label = 0;
  for (const int n : sizes) {
    out.insert(out.end(), static_cast<std::size_t>(n), label);
    ++label;
  }
  return out;
}

bool disjoint_groups(const Split& s, const Index& groups) {
  std::set<std::int64_t> train;
  for (const std::int64_t i : s.train) train.insert(groups[static_cast<std::size_t>(i)]);
  return std::none_of(s.test.begin(), s.test.end(),
                      [&](std::int64_t i) { return train.contains(groups[static_cast<std::size_t>(i)]); });
}

}  // namespace

TEST_CASE("split: stratified 70/30 keeps the classes' proportions") {
  const Index labels = labels_of({242, 91});
  Generator g{1, 0};
  const Split s = stratified_split(labels, 0.3, g);
  CHECK(parts_all(s, 333));
  CHECK(s.test.size() == 100);
  CHECK(counts(s.test, labels) == std::map<std::int64_t, int>{{0, 73}, {1, 27}});
  const Split other = stratified_split(labels, 0.3, g);
  CHECK(other.test != s.test);
  Generator again{1, 0};
  CHECK(stratified_split(labels, 0.3, again).test == s.test);
  again = {1, 0};
  const auto both = stratified_splits(labels, 2, 0.3, again);
  CHECK(both[0].test == s.test);
  CHECK(both[1].test == other.test);
}

TEST_CASE("split: small classes stand on both sides") {
  const Index labels = labels_of({50, 2, 2});
  for (std::uint64_t seed = 0; seed < 10; ++seed)
    for (const double fraction : {0.02, 0.1, 0.5, 0.98}) {
      Generator g{seed, 0};
      const Split s = stratified_split(labels, fraction, g);
      CHECK(parts_all(s, 54));
      CHECK(counts(s.test, labels).size() == 3);
      CHECK(counts(s.train, labels).size() == 3);
    }
}

TEST_CASE("split: stratified k-fold tests everyone once, evenly") {
  const Index labels = labels_of({17, 8, 6});
  Generator g{4, 0};
  const auto folds = stratified_k_fold(labels, 5, g);
  CHECK(folds.size() == 5);
  Index tested;
  for (const Split& s : folds) {
    CHECK(parts_all(s, 31));
    CHECK(s.test.size() >= 6);
    CHECK(s.test.size() <= 7);
    const auto c = counts(s.test, labels);
    CHECK((c.at(0) == 3 || c.at(0) == 4));
    CHECK((c.at(1) == 1 || c.at(1) == 2));
    CHECK((c.at(2) == 1 || c.at(2) == 2));
    tested.insert(tested.end(), s.test.begin(), s.test.end());
  }
  CHECK(std::set<std::int64_t>(tested.begin(), tested.end()).size() == 31);
}

TEST_CASE("split: plain k-fold and random split") {
  Generator g{4, 0};
  std::set<std::int64_t> tested;
  for (const Split& s : k_fold(10, 3, g)) {
    CHECK(parts_all(s, 10));
    CHECK((s.test.size() == 3 || s.test.size() == 4));
    tested.insert(s.test.begin(), s.test.end());
  }
  CHECK(tested.size() == 10);
  CHECK(random_split(10, 0.25, g).test.size() == 3);
  CHECK(random_split(2, 0.01, g).test.size() == 1);
  CHECK(random_split(2, 0.99, g).train.size() == 1);
}

TEST_CASE("split: groups never stand on both sides") {
  Index groups, labels;
  for (std::int64_t patient = 0; patient < 40; ++patient)
    for (std::int64_t i = 0; i <= patient % 7; ++i) {
      groups.push_back(patient * 10);
      labels.push_back(patient % 4 == 0);
    }
  const auto n = static_cast<std::int64_t>(groups.size());
  const int ones = counts(
      [&] {
        Index all;
        for (std::int64_t i = 0; i < n; ++i) all.push_back(i);
        return all;
      }(),
      labels)[1];
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Generator g{seed, 0};
    for (const bool with_labels : {false, true}) {
      const auto folds = group_k_fold(
          groups, 5, g, with_labels ? std::span<const std::int64_t>(labels) : std::span<const std::int64_t>());
      for (const Split& s : folds) {
        CHECK(parts_all(s, n));
        CHECK(disjoint_groups(s, groups));
        CHECK(std::abs(static_cast<double>(s.test.size()) - static_cast<double>(n) / 5) <= 4);
        if (with_labels) CHECK(std::abs(counts(s.test, labels)[1] - ones / 5.0) <= 5);
      }
    }
    const Split s = group_split(groups, 0.3, g, labels);
    CHECK(parts_all(s, n));
    CHECK(disjoint_groups(s, groups));
    CHECK(std::abs(static_cast<double>(s.test.size()) - 0.3 * static_cast<double>(n)) <= 8);
    CHECK(std::abs(counts(s.test, labels)[1] - 0.3 * ones) <= 6);
  }
  Generator g{0, 0};
  for (const double fraction : {0.01, 0.99}) {
    const Split s = group_split(Index{1, 1, 2, 2, 2}, fraction, g);
    CHECK_FALSE(s.test.empty());
    CHECK_FALSE(s.train.empty());
  }
}

TEST_CASE("split: validation part of a training set") {
  const Index labels = labels_of({30, 30});
  Generator g{2, 0};
  const Split outer = stratified_split(labels, 0.3, g);
  const Split inner = validation_split(outer.train, labels, 0.25, g);
  CHECK(inner.train.size() + inner.test.size() == outer.train.size());
  for (const std::int64_t i : inner.test) {
    CHECK(std::binary_search(outer.train.begin(), outer.train.end(), i));
    CHECK_FALSE(std::binary_search(inner.train.begin(), inner.train.end(), i));
  }
  CHECK(std::abs(counts(inner.test, labels)[0] - counts(inner.test, labels)[1]) <= 1);
  CHECK(validation_split(outer.train, {}, 0.25, g).test.size() == 11);
  Index groups;
  for (std::int64_t i = 0; i < 60; ++i) groups.push_back(i / 4);
  const Split grouped = validation_split(outer.train, labels, 0.25, g, groups);
  CHECK(disjoint_groups(grouped, groups));
  CHECK(grouped.train.size() + grouped.test.size() == outer.train.size());
}

TEST_CASE("split: messages") {
  Generator g{0, 0};
  const auto config = [](auto&& act) { return message<ConfigError>(act); };
  const Index lone = labels_of({34, 5, 0, 1});
  CHECK(config([&] { stratified_split(lone, 0.3, g); }) ==
        "stratified_split: class 3 has 1 member, at least 2 are needed (members by class: 0: 34, 1: 5, 3: 1)");
  CHECK(config([&] {
          stratified_k_fold(labels_of({8, 3}), 5, g);
        }) == "stratified_k_fold: class 1 has 3 members, at least 5 are needed (members by class: 0: 8, 1: 3)");
  CHECK(config([&] { stratified_split(labels_of({8}), 0.3, g); }) ==
        "stratified_split: all 8 labels are 0, two classes are needed");
  CHECK(config([&] { stratified_split({}, 0.3, g); }) == "stratified_split: there are no labels");
  CHECK(config([&] { stratified_split(lone, 1.2, g); }) == "stratified_split: test fraction 1.2 is not in (0, 1)");
  CHECK(config([&] { stratified_splits(lone, 0, 0.3, g); }) == "stratified_splits: 0 splits, must be 1 or more");
  CHECK(config([&] { stratified_k_fold(lone, 1, g); }) == "stratified_k_fold: 1 folds, at least 2 are needed");
  CHECK(config([&] { k_fold(3, 4, g); }) == "k_fold: 3 samples cannot fill 4 folds");
  CHECK(config([&] { random_split(1, 0.5, g); }) == "random_split: 1 sample, at least 2 are needed");
  CHECK(config([&] { group_k_fold(Index{1, 1, 2}, 3, g); }) == "group_k_fold: 2 groups cannot fill 3 folds");
  CHECK(config([&] { group_k_fold(Index{1, 1, 2}, 1, g); }) == "group_k_fold: 1 folds, at least 2 are needed");
  CHECK(config([&] { group_split(Index{1, 1}, 0.5, g); }) == "group_split: 1 group, at least 2 are needed");
  CHECK(message<ShapeError>([&] { group_split(Index{1, 2}, 0.5, g, Index{1}); }) == "group_split: 1 labels, 2 groups");
  CHECK(config([&] {
          validation_split(Index{9}, Index{0, 1}, 0.5, g);
        }) == "validation_split: row 9 is outside the 2 labels");
}
