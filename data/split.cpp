#include <weft/data/split.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <weft/tensor/error.h>

namespace weft::data {
namespace {

using Index = std::vector<std::int64_t>;

void shuffle(Index& values, Generator& generator) {
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(i)))]);
}

Index first(std::int64_t n) {
  Index all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

/// Members of each class or group, ascending.
std::map<std::int64_t, Index> members_of(std::span<const std::int64_t> labels) {
  std::map<std::int64_t, Index> out;
  for (std::size_t i = 0; i < labels.size(); ++i) out[labels[i]].push_back(static_cast<std::int64_t>(i));
  return out;
}

void check_fraction(const char* op, double fraction) {
  if (!(fraction > 0 && fraction < 1)) throw ConfigError(text(op, ": test fraction ", fraction, " is not in (0, 1)"));
}

/// Every class must have `least` members, and there must be two classes.
void check_classes(const char* op, const std::map<std::int64_t, Index>& classes, std::size_t total, std::size_t least) {
  if (classes.empty()) throw ConfigError(text(op, ": there are no labels"));
  if (classes.size() == 1)
    throw ConfigError(text(op, ": all ", total, " labels are ", classes.begin()->first, ", two classes are needed"));
  for (const auto& [label, members] : classes) {
    if (members.size() >= least) continue;
    std::string counts;
    for (const auto& [other, list] : classes) counts += text(counts.empty() ? "" : ", ", other, ": ", list.size());
    throw ConfigError(text(op, ": class ", label, " has ", members.size(), members.size() == 1 ? " member" : " members",
                           ", at least ", least, " are needed (members by class: ", counts, ")"));
  }
}

/// From "is it in the test part" to the two lists.
Split parted(const std::vector<char>& test) {
  Split out;
  for (std::size_t i = 0; i < test.size(); ++i)
    (test[i] ? out.test : out.train).push_back(static_cast<std::int64_t>(i));
  return out;
}

/// From the fold of each sample to the k splits.
std::vector<Split> folded(const std::vector<int>& fold, int k) {
  std::vector<Split> out(static_cast<std::size_t>(k));
  for (std::size_t i = 0; i < fold.size(); ++i)
    for (int f = 0; f < k; ++f) {
      Split& split = out[static_cast<std::size_t>(f)];
      (fold[i] == f ? split.test : split.train).push_back(static_cast<std::int64_t>(i));
    }
  return out;
}

/// How many of each class to test, in proportion, by largest remainders; never none and never all of a class.
std::vector<std::int64_t> quotas(const std::vector<std::int64_t>& sizes, std::int64_t wanted) {
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  const auto classes = static_cast<std::int64_t>(sizes.size());
  wanted = std::clamp(wanted, classes, total - classes);
  std::vector<std::int64_t> quota(sizes.size());
  std::vector<double> rest(sizes.size());
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const double exact = static_cast<double>(sizes[c]) * static_cast<double>(wanted) / static_cast<double>(total);
    quota[c] = std::clamp(static_cast<std::int64_t>(exact), std::int64_t{1}, sizes[c] - 1);
    rest[c] = exact - static_cast<double>(quota[c]);
  }
  // One at a time, since the bounds may have moved the sum either way.
  for (std::int64_t sum = std::accumulate(quota.begin(), quota.end(), std::int64_t{0}); sum != wanted;) {
    const std::int64_t step = sum < wanted ? 1 : -1;
    std::size_t best = sizes.size();
    for (std::size_t c = 0; c < sizes.size(); ++c) {
      const std::int64_t next = quota[c] + step;
      if (next < 1 || next >= sizes[c]) continue;
      if (best == sizes.size() || static_cast<double>(step) * (rest[c] - rest[best]) > 0) best = c;
    }
    quota[best] += step;
    rest[best] -= static_cast<double>(step);
    sum += step;
  }
  return quota;
}

struct Group {
  Index members;
  std::vector<double> shares;  ///< of all samples first, then of each class
};

/// Groups in random order with what each would add to a part.
std::vector<Group> groups_of(const char* op, std::span<const std::int64_t> groups, std::span<const std::int64_t> labels,
                             Generator& generator) {
  if (!labels.empty() && labels.size() != groups.size())
    throw ShapeError(text(op, ": ", labels.size(), " labels, ", groups.size(), " groups"));
  std::map<std::int64_t, std::size_t> place;
  std::map<std::int64_t, double> totals;
  for (const std::int64_t label : labels) {
    place.emplace(label, 0);
    totals[label] += 1;
  }
  std::size_t next = 1;
  for (auto& [label, at] : place) at = next++;

  auto by_group = members_of(groups);
  std::vector<Group> list;
  for (auto& [group, members] : by_group) {
    Group g{std::move(members), std::vector<double>(next, 0.0)};
    for (const std::int64_t i : g.members) {
      g.shares[0] += 1 / static_cast<double>(groups.size());
      if (labels.empty()) continue;
      const std::int64_t label = labels[static_cast<std::size_t>(i)];
      g.shares[place[label]] += 1 / totals[label];
    }
    list.push_back(std::move(g));
  }
  Index order = first(static_cast<std::int64_t>(list.size()));
  shuffle(order, generator);
  std::vector<Group> out;
  for (const std::int64_t i : order) out.push_back(std::move(list[static_cast<std::size_t>(i)]));
  return out;
}

}  // namespace

Split stratified_split(std::span<const std::int64_t> labels, double test_fraction, Generator& generator) {
  constexpr const char* op = "stratified_split";
  check_fraction(op, test_fraction);
  auto classes = members_of(labels);
  check_classes(op, classes, labels.size(), 2);
  std::vector<std::int64_t> sizes;
  for (const auto& [label, members] : classes) sizes.push_back(static_cast<std::int64_t>(members.size()));
  const auto quota = quotas(sizes, std::llround(test_fraction * static_cast<double>(labels.size())));
  std::vector<char> test(labels.size(), 0);
  std::size_t c = 0;
  for (auto& [label, members] : classes) {
    shuffle(members, generator);
    for (std::int64_t i = 0; i < quota[c]; ++i)
      test[static_cast<std::size_t>(members[static_cast<std::size_t>(i)])] = 1;
    ++c;
  }
  return parted(test);
}

std::vector<Split> stratified_splits(std::span<const std::int64_t> labels, int count, double test_fraction,
                                     Generator& generator) {
  if (count < 1) throw ConfigError(text("stratified_splits: ", count, " splits, must be 1 or more"));
  std::vector<Split> out;
  for (int i = 0; i < count; ++i) out.push_back(stratified_split(labels, test_fraction, generator));
  return out;
}

std::vector<Split> stratified_k_fold(std::span<const std::int64_t> labels, int k, Generator& generator) {
  constexpr const char* op = "stratified_k_fold";
  if (k < 2) throw ConfigError(text(op, ": ", k, " folds, at least 2 are needed"));
  auto classes = members_of(labels);
  check_classes(op, classes, labels.size(), static_cast<std::size_t>(k));
  std::vector<int> fold(labels.size());
  int next = 0;  // goes on from class to class, so that the folds' sizes differ by one at most too
  for (auto& [label, members] : classes) {
    shuffle(members, generator);
    for (const std::int64_t i : members) {
      fold[static_cast<std::size_t>(i)] = next;
      next = (next + 1) % k;
    }
  }
  return folded(fold, k);
}

std::vector<Split> k_fold(std::int64_t n, int k, Generator& generator) {
  if (k < 2 || k > n) throw ConfigError(text("k_fold: ", n, " samples cannot fill ", k, " folds"));
  Index order = first(n);
  shuffle(order, generator);
  std::vector<int> fold(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    fold[static_cast<std::size_t>(order[i])] = static_cast<int>(i % static_cast<std::size_t>(k));
  return folded(fold, k);
}

Split random_split(std::int64_t n, double test_fraction, Generator& generator) {
  constexpr const char* op = "random_split";
  check_fraction(op, test_fraction);
  if (n < 2) throw ConfigError(text(op, ": ", n, n == 1 ? " sample" : " samples", ", at least 2 are needed"));
  Index order = first(n);
  shuffle(order, generator);
  const std::int64_t tested =
      std::clamp(std::int64_t{std::llround(test_fraction * static_cast<double>(n))}, std::int64_t{1}, n - 1);
  std::vector<char> test(order.size(), 0);
  for (std::int64_t i = 0; i < tested; ++i) test[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1;
  return parted(test);
}

std::vector<Split> group_k_fold(std::span<const std::int64_t> groups, int k, Generator& generator,
                                std::span<const std::int64_t> labels) {
  constexpr const char* op = "group_k_fold";
  if (k < 2) throw ConfigError(text(op, ": ", k, " folds, at least 2 are needed"));
  std::vector<Group> list = groups_of(op, groups, labels, generator);
  if (list.size() < static_cast<std::size_t>(k))
    throw ConfigError(
        text(op, ": ", list.size(), list.size() == 1 ? " group" : " groups", " cannot fill ", k, " folds"));
  std::stable_sort(list.begin(), list.end(),
                   [](const Group& a, const Group& b) { return a.members.size() > b.members.size(); });
  std::vector<std::vector<double>> filled(static_cast<std::size_t>(k), std::vector<double>(list[0].shares.size(), 0.0));
  std::vector<int> fold(groups.size());
  for (const Group& g : list) {
    // Adding v to a fold that holds f raises the sum of squares by 2 f v + v^2, so the smallest f v is best.
    int best = 0;
    double least = 0;
    for (int f = 0; f < k; ++f) {
      const auto& have = filled[static_cast<std::size_t>(f)];
      const double cost = std::inner_product(have.begin(), have.end(), g.shares.begin(), 0.0);
      if (f == 0 || cost < least) {
        best = f;
        least = cost;
      }
    }
    auto& have = filled[static_cast<std::size_t>(best)];
    for (std::size_t c = 0; c < have.size(); ++c) have[c] += g.shares[c];
    for (const std::int64_t i : g.members) fold[static_cast<std::size_t>(i)] = best;
  }
  return folded(fold, k);
}

Split group_split(std::span<const std::int64_t> groups, double test_fraction, Generator& generator,
                  std::span<const std::int64_t> labels) {
  constexpr const char* op = "group_split";
  check_fraction(op, test_fraction);
  const std::vector<Group> list = groups_of(op, groups, labels, generator);
  if (list.size() < 2)
    throw ConfigError(text(op, ": ", list.size(), list.size() == 1 ? " group" : " groups", ", at least 2 are needed"));
  std::vector<double> have(list[0].shares.size(), 0.0);
  // By how much a group would bring the part nearer to its fraction, in all and in each class.
  const auto gain = [&](const Group& g) {
    double sum = 0;
    for (std::size_t c = 0; c < have.size(); ++c) {
      const double gap = test_fraction - have[c], after = gap - g.shares[c];
      sum += gap * gap - after * after;
    }
    return sum;
  };
  std::vector<char> test(groups.size(), 0);
  std::size_t taken = 0;
  const auto take = [&](const Group& g) {
    for (std::size_t c = 0; c < have.size(); ++c) have[c] += g.shares[c];
    for (const std::int64_t i : g.members) test[static_cast<std::size_t>(i)] = 1;
    ++taken;
  };
  for (const Group& g : list)
    if (gain(g) > 0 && taken + 1 < list.size()) take(g);
  if (taken == 0)  // all are too large: the one that overshoots least
    take(
        *std::max_element(list.begin(), list.end(), [&](const Group& a, const Group& b) { return gain(a) < gain(b); }));
  return parted(test);
}

std::vector<Split> leave_one_group_out(std::span<const std::int64_t> groups) {
  const auto by_group = members_of(groups);
  if (by_group.size() < 2) throw ConfigError("leave_one_group_out: there is one group only");
  std::vector<Split> out;
  for (const auto& [group, members] : by_group) {
    std::vector<char> test(groups.size(), 0);
    for (const std::int64_t row : members) test[static_cast<std::size_t>(row)] = 1;
    out.push_back(parted(test));
  }
  return out;
}

Split time_split(std::span<const double> time, double test_fraction) {
  check_fraction("time_split", test_fraction);
  std::vector<double> sorted(time.begin(), time.end());
  for (std::size_t i = 0; i < time.size(); ++i)
    if (!std::isfinite(time[i])) throw ConfigError(text("time_split: the time of row ", i, " is ", time[i]));
  std::sort(sorted.begin(), sorted.end());
  const auto wanted = static_cast<std::size_t>(std::llround(test_fraction * static_cast<double>(time.size())));
  std::vector<char> test(time.size(), 0);
  if (!time.empty()) {
    const double first = sorted[time.size() - std::clamp<std::size_t>(wanted, 1, time.size())];
    for (std::size_t i = 0; i < time.size(); ++i) test[i] = time[i] >= first;
  }
  Split out = parted(test);
  if (out.train.empty() || out.test.empty()) {
    const auto moments = std::unique(sorted.begin(), sorted.end()) - sorted.begin();
    throw ConfigError(text("time_split: ", time.size(), " rows at ", moments,
                           " moments leave nothing to train on or nothing to test"));
  }
  return out;
}

Split validation_split(std::span<const std::int64_t> rows, std::span<const std::int64_t> labels, double fraction,
                       Generator& generator, std::span<const std::int64_t> groups) {
  const auto pick = [&](std::span<const std::int64_t> from, const char* what) {
    Index out;
    if (from.empty()) return out;
    for (const std::int64_t row : rows) {
      if (row < 0 || row >= static_cast<std::int64_t>(from.size()))
        throw ConfigError(text("validation_split: row ", row, " is outside the ", from.size(), " ", what));
      out.push_back(from[static_cast<std::size_t>(row)]);
    }
    return out;
  };
  const Index own_labels = pick(labels, "labels"), own_groups = pick(groups, "groups");
  Split local = !groups.empty()   ? group_split(own_groups, fraction, generator, own_labels)
                : !labels.empty() ? stratified_split(own_labels, fraction, generator)
                                  : random_split(static_cast<std::int64_t>(rows.size()), fraction, generator);
  for (Index* part : {&local.train, &local.test}) {
    for (std::int64_t& i : *part) i = rows[static_cast<std::size_t>(i)];
    std::sort(part->begin(), part->end());
  }
  return local;
}

}  // namespace weft::data
