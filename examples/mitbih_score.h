#pragma once
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <weft/weft.h>

#include "mitbih_beats.h"

/// How mitbih.cpp judges: what was decided for the beats of each record, figures of them, and intervals that draw whole
/// records with replacement.

using Names = std::vector<std::string>;
using Counts = std::array<std::array<double, 5>, 5>;  // [truth][decision]

constexpr double v_bias = 0.6;

/// Adds what `net` decides to the counts of each record. To miss a V is worse than to raise a false alarm: its logit is
/// raised, by the first of 0.15, 0.3 ... that finds 93 of 100 in the folds of the training records.
inline void judge(const fusion::Classifier& net, const Beats& b, const Names& names,
                  std::map<std::int64_t, Counts>& counts) {
  const NoGrad off;
  const Tensor raised = tensor({0, 0, v_bias, 0});
  const data::Modalities evidence = b.x.select(names);
  for (std::int64_t begin = 0; begin < std::ssize(b.y); begin += 2048) {
    Rows rows(static_cast<std::size_t>(std::min<std::int64_t>(2048, std::ssize(b.y) - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const Rows said = to_vector<std::int64_t>(argmax(net(evidence.rows(rows)).logits + raised, 1));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<std::size_t>(rows[i]);
      counts[b.record[at]][static_cast<std::size_t>(b.y[at])][static_cast<std::size_t>(said[i])] += 1;
    }
  }
}

struct Figures {
  double macro_f1 = 0, f1[3] = {}, sensitivity[3] = {}, precision[3] = {};
};
/// Of N, S and V, from the counts of the records drawn, as a mean over the seeds.
inline Figures figures(const std::vector<std::map<std::int64_t, Counts>>& seeds, const Rows& records) {
  Figures mean;
  for (const auto& counts : seeds)
    for (std::size_t k = 0; k < 3; ++k) {
      double both = 0, truly = 0, said = 0;
      for (const std::int64_t r : records)
        for (std::size_t j = 0; j < 5; ++j) {
          const Counts& c = counts.at(r);
          both += j == k ? c[k][k] : 0;
          truly += c[k][j];
          said += c[j][k];
        }
      const double n = static_cast<double>(seeds.size()), f1 = truly + said > 0 ? 2 * both / (truly + said) : 0;
      mean.macro_f1 += f1 / 3 / n;
      mean.f1[k] += f1 / n;
      mean.sensitivity[k] += truly > 0 ? both / truly / n : 0;
      mean.precision[k] += said > 0 ? both / said / n : 0;
    }
  return mean;
}

/// One row per choice of evidence, the first of which is compared with the others on the same draws of records;
/// counts[choice][seed].
inline std::string comparison(const Names& names,
                              const std::vector<std::vector<std::map<std::int64_t, Counts>>>& counts, bool forests) {
  Rows records;
  for (const auto& [record, n] : counts[0][0]) records.push_back(record);
  const auto drawn = [&](std::span<const std::int64_t> index) {
    Rows all;
    for (const std::int64_t i : index) all.push_back(records[static_cast<std::size_t>(i)]);
    return all;
  };
  show::TextTable table(
      {"evidence", "macro-F1", "95 % interval", "F1 of N", "S", "V", "V sensitivity", "all three minus this"});
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const Figures f = figures(counts[c], records);
    const auto interval = [&](auto&& statistic) { return data::bootstrap(std::ssize(records), statistic); };
    const data::Interval own = interval([&](auto index) { return figures(counts[c], drawn(index)).macro_f1; });
    const data::Interval gain = interval([&](auto index) {
      return figures(counts[0], drawn(index)).macro_f1 - figures(counts[c], drawn(index)).macro_f1;
    });
    table.row(
        {names[c], show::fixed(f.macro_f1), show::fixed(own.low) + " to " + show::fixed(own.high), show::fixed(f.f1[0]),
         show::fixed(f.f1[1]), show::fixed(f.f1[2]), show::fixed(f.sensitivity[2]),
         c == 0 ? "-"
                : show::fixed(gain.estimate) + " (" + show::fixed(gain.low) + " to " + show::fixed(gain.high) + ")"});
  }
  // Random forests on the same test beats: sensitivity and precision of N, S, V as the data's README gives them.
  const auto forest = [&](const char* name, std::array<double, 6> figure) {
    std::vector<std::string> cells = {name, "", "-"};
    double macro = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      const double f1 = 2 * figure[2 * k] * figure[2 * k + 1] / (figure[2 * k] + figure[2 * k + 1]);
      macro += f1 / 3;
      cells.push_back(show::fixed(f1));
    }
    cells[1] = show::fixed(macro);
    cells.insert(cells.end(), {show::fixed(figure[4]), "-"});
    table.row(cells);
  };
  table.rule();
  if (forests) forest("forest, both leads + RR", {0.9966, 0.9506, 0.0523, 0.5106, 0.9050, 0.9337});
  if (forests) forest("forest, one lead + RR", {0.9767, 0.9518, 0.1029, 0.4335, 0.9137, 0.7620});
  return table.str();
}
