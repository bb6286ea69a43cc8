#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <weft/weft.h>

/// How mitbih.cpp sees a beat: its two leads, when it came, and whose it is. Everything is taken relative to the
/// person, from all beats of their record but no label: a lead less the record's median beat shows what is odd for
/// *them*.

using namespace weft;
using Rows = std::vector<std::int64_t>;

struct Beats {
  data::Modalities x;  // signal (N, 4, 64), rhythm (N, 9), person (N, 3)
  Rows y, record;      // 0 N, 1 S, 2 V, 3 F, 4 Q
};

/// Whether place j of the recordings, which lie one after the other, belongs to the record of place i.
inline bool same_record(const Rows& record, std::int64_t i, std::int64_t j) {
  return j >= 0 && j < std::ssize(record) && record[static_cast<std::size_t>(j)] == record[static_cast<std::size_t>(i)];
}

/// Times between beats as ratios to what is usual for the person, nearby, and next door.
inline Tensor rhythm_of(const std::vector<float>& rr, const Rows& record) {
  const auto n = static_cast<std::int64_t>(record.size());
  const auto at = [&](std::int64_t i, int which) { return rr[static_cast<std::size_t>(4 * i + which)]; };
  const auto ratio = [](float a, float b) { return 4 * std::log(std::clamp(a / b, 0.2F, 5.0F)); };
  const Tensor before = slice(from(rr, {n, 1, 4}), 2, 0, 1);
  const std::vector<float> usual = to_vector<float>(data::group_median(before, record));
  std::vector<float> all;
  for (std::int64_t i = 0; i < n; ++i) {
    const float m = usual[static_cast<std::size_t>(i)];
    const auto here = [&](std::int64_t j) { return same_record(record, i, j); };
    std::vector<float> changes = {0};  // how much the rhythm jumps around here: in atrial fibrillation always
    for (std::int64_t j = i - 8; j <= i + 8; ++j)
      if (here(j) && here(j - 1)) changes.push_back(std::abs(ratio(at(j, 0), at(j - 1, 0))));
    std::nth_element(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(changes.size() / 2), changes.end());
    all.insert(all.end(), {ratio(at(i, 0), m), ratio(at(i, 1), m), ratio(at(i, 0), at(i, 2)), ratio(at(i, 1), at(i, 0)),
                           ratio(at(i, 2), m), ratio(at(here(i - 1) ? i - 1 : i, 0), m),
                           ratio(at(here(i + 1) ? i + 1 : i, 1), m), 4 * (m - 0.8F), 2 * changes[changes.size() / 2]});
  }
  return from(all, {n, 9});
}

inline Beats read(const std::string& folder, const std::string& set) {
  const auto file = data::load_npz(folder + set + ".npz");
  const data::Table people = data::read_csv(folder + "records.csv");
  Beats b{{}, to_vector<std::int64_t>(file.at("y")), to_vector<std::int64_t>(file.at("record"))};
  const Tensor leads = data::remove_baseline(to(file.at("x"), DType::float32));  // (N, 2, 64)
  data::check_finite(set, leads);
  const Tensor typical = data::group_median(leads, b.record);
  const Tensor height = clamp(amax(typical, 2, true) - amin(typical, 2, true), 20, 1e9) / 4;  // 20 units: 0.1 mV
  std::vector<float> person;  // age, whether it is unknown, sex
  for (const std::int64_t record : b.record) {
    const auto& records = people.at("record").numbers;
    const auto p = static_cast<std::size_t>(std::find(records.begin(), records.end(), record) - records.begin());
    const double age = people.at("age").numbers[p];
    const data::Column& sex = people.at("sex");
    person.insert(person.end(), {std::isnan(age) ? 0 : static_cast<float>(age - 60) / 15, std::isnan(age) ? 1.0F : 0.0F,
                                 sex.levels[static_cast<std::size_t>(sex.codes[p])] == "M" ? 1.0F : 0.0F});
  }
  b.x =
      data::Modalities::complete({"signal", "rhythm", "person"}, {cat({leads / height, (leads - typical) / height}, 1),
                                                                  rhythm_of(to_vector<float>(file.at("rr")), b.record),
                                                                  from(person, {leads.size(0), 3})});
  return b;
}

inline Beats pick(const Beats& b, const Rows& rows) {
  Beats out{b.x.rows(rows), {}, {}};
  for (const std::int64_t i : rows) {
    out.y.push_back(b.y[static_cast<std::size_t>(i)]);
    out.record.push_back(b.record[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// The running sums of how often each beat is drawn in training. Nine of ten beats are normal, and some people have
/// thousands of one kind: so training beats are drawn such that each class has a fixed share, and a record's part in it
/// grows with the root of its number of beats.
inline std::vector<double> drawing(const Beats& b) {
  constexpr std::array share = {0.6, 0.1, 0.28, 0.02};
  std::map<std::pair<std::int64_t, std::int64_t>, double> cells;
  for (std::size_t i = 0; i < b.y.size(); ++i) cells[{b.y[i], b.record[i]}] += 1;
  std::array<double, 5> roots{};
  for (const auto& [cell, n] : cells) roots[static_cast<std::size_t>(cell.first)] += std::sqrt(n);
  std::vector<double> sums;
  for (std::size_t i = 0; i < b.y.size(); ++i) {
    const auto c = static_cast<std::size_t>(b.y[i]);  // the 8 unclassifiable beats (Q) are left out
    const double p = c > 3 ? 0 : share[c] / roots[c] / std::sqrt(cells[{b.y[i], b.record[i]}]);
    sums.push_back((sums.empty() ? 0 : sums.back()) + p);
  }
  return sums;
}

/// `count` beats, each drawn by itself.
inline Rows draw(const std::vector<double>& sums, std::int64_t count, Generator& random) {
  Rows rows;
  while (std::ssize(rows) < count) {
    const auto at = std::upper_bound(sums.begin(), sums.end(), random.uniform() * sums.back()) - sums.begin();
    rows.push_back(std::min<std::int64_t>(at, std::ssize(sums) - 1));
  }
  return rows;
}
