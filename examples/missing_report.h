#pragma once
#include "missing_models.h"

// What examples/missing.cpp says: a table and a curve.

/// Mean over the rates, by the trapezoid rule: the area under the curve, per rate.
inline double area(const Reals& y) {
  double sum = 0;
  for (std::size_t i = 1; i < y.size(); ++i) sum += (y[i - 1] + y[i]) / 2 / static_cast<double>(y.size() - 1);
  return y.size() == 1 ? y[0] : sum;
}

inline std::string span(double low, double high) { return show::fixed(low) + " to " + show::fixed(high); }

inline void report(const Patients& p, const std::string& fusion, const std::vector<Scores>& runs) {
  const bool taken = p.rates.size() > 1;  // evidence was taken away
  // Splits of the same patients overlap, so their intervals are wider than those of a mean; hospitals and simulated
  // patients, who are new each time, do not.
  const bool shared = p.sites.empty() && !p.drawn;
  const auto train = static_cast<double>(p.splits[0].train.size()), test = static_cast<double>(p.splits[0].test.size());
  const auto interval = [&](const Reals& values) {
    return shared ? data::resampled_mean_interval(values, train, test) : data::mean_interval(values);
  };
  const auto minus = [&](const Reals& a, const Reals& b) {
    const auto c = shared ? data::corrected_paired_t(a, b, train, test) : data::paired_t(a, b);
    return std::vector<std::string>{show::fixed(c.difference), span(c.low, c.high), show::fixed(c.p_value, 4)};
  };
  std::vector<std::string> head = {p.name + ", " + fusion + ", accuracy"};
  for (const double rate : p.rates)
    if (taken) head.push_back(show::fixed(100 * rate, 0) + " %");
  head.insert(head.end(), p.sites.begin(), p.sites.end());
  head.insert(head.end(), {taken ? "area" : "all", "95 % interval", "masks minus it", "95 % interval", "p", "ROC AUC",
                           "masks minus it", "95 % interval", "p"});
  show::TextTable table(head);
  std::vector<show::Line> lines;
  std::array<Reals, 6> areas[2];  // [accuracy or AUC][way]; of each split, or of each hospital over all goes
  const std::size_t splits = p.splits.size();
  for (std::size_t way = 0; way < ways.size(); ++way) {
    for (auto& of_ways : areas) of_ways[way].resize(splits);
    const double goes = static_cast<double>(runs.size() / splits);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      areas[0][way][i % splits] += area(runs[i].accuracy[way]) / goes;
      areas[1][way][i % splits] += area(runs[i].auc[way]) / goes;
    }
    const auto mean_of = [&](std::size_t rate, std::size_t first, std::size_t step) {
      Reals values;
      for (std::size_t i = first; i < runs.size(); i += step) values.push_back(runs[i].accuracy[way][rate]);
      return data::mean_interval(values).estimate;
    };
    std::vector<std::string> row = {ways[way]};
    lines.push_back({ways[way], {}, p.rates});
    for (std::size_t r = 0; r < p.rates.size(); ++r) {
      lines.back().y.push_back(mean_of(r, 0, 1));
      if (taken) row.push_back(show::fixed(lines.back().y.back()));
    }
    for (std::size_t s = 0; s < p.sites.size(); ++s) row.push_back(show::fixed(mean_of(0, s, p.sites.size())));
    for (const int auc : {0, 1}) {
      const data::Interval i = interval(areas[auc][way]);
      row.push_back(show::fixed(i.estimate));
      if (auc == 0) row.push_back(span(i.low, i.high));
      const auto difference =
          way == masks ? std::vector<std::string>(3, "") : minus(areas[auc][masks], areas[auc][way]);
      row.insert(row.end(), difference.begin(), difference.end());
    }
    table.row(row);
  }
  std::printf("%s", table.str(show::Style::of(stdout)).c_str());
  for (const int auc : {0, 1}) {
    const auto c = minus(areas[auc][unprepared_masks], areas[auc][unprepared_zeros]);
    std::printf("both unprepared, masks minus zeros, %s: %s (%s), p = %s\n", auc == 1 ? "ROC AUC" : "accuracy",
                c[0].c_str(), c[1].c_str(), c[2].c_str());
  }
  std::puts("");
  if (!taken) return;
  std::filesystem::create_directories("runs");
  show::save_plot(
      "runs/missing_" + p.name + "_" + fusion + ".svg", lines,
      {.title = p.name + ", " + fusion, .x_label = "chance that a modality is missing", .y_label = "accuracy"});
}
