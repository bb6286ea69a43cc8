// What to do when evidence is missing?
// Patients lack a kind of evidence: always (heart, miniacc) or because we take it away at a growing rate (rosmap,
// ham10000). The same gated fusion is trained five times, each time with some evidence taken away while it learns, and
// what differs is only what it is given in the gaps:
//   masks       nothing: a missing modality weighs 0
//   zeros       0, in the units of the data, as if it had been measured
//   means       the mean of the training patients
//   completion  what a variational autoencoder thinks it may look like, and how sure that is: a completed
//               modality counts as much less as it is unsure
//   unprepared  zeros, too, but nothing was missing while it learned
//   missing [--full] [--seeds SPLITS] [--seed FIRST] [--threads N]
// The default takes three splits; --full twenty, ham10000 as well (five), and a second fusion. Draws
// runs/missing_*.svg.
#include "arguments.h"
#include "missing_models.h"

/// Mean over the rates, by the trapezoid rule: the area under the curve, per rate.
double area(const Reals& y) {
  double sum = 0;
  for (std::size_t i = 1; i < y.size(); ++i) sum += (y[i - 1] + y[i]) / 2 / static_cast<double>(y.size() - 1);
  return y.size() == 1 ? y[0] : sum;
}

std::string span(double low, double high) { return show::fixed(low) + " to " + show::fixed(high); }

void report(const Patients& p, const std::string& fusion, const std::vector<Scores>& runs) {
  const bool taken = p.rates.size() > 1;  // evidence was taken away
  std::vector<std::string> head = {p.name + ", " + fusion + ", accuracy"};
  for (const double rate : p.rates)
    if (taken) head.push_back(show::fixed(100 * rate, 0) + " %");
  head.insert(head.end(), p.sites.begin(), p.sites.end());
  head.insert(head.end(), {taken ? "area" : "all", "95 % interval", "masks minus it", "95 % interval", "p", "ROC AUC",
                           "masks minus it", "95 % interval", "p"});
  show::TextTable table(head);
  std::vector<show::Line> lines;
  Reals of_masks[2];
  for (std::size_t way = 0; way < ways.size(); ++way) {
    // Of each split, or of each hospital over all goes: a go is no new hospital.
    Reals areas(p.splits.size()), aucs(areas.size());
    const double goes = static_cast<double>(runs.size() / areas.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      areas[i % areas.size()] += area(runs[i].accuracy[way]) / goes;
      aucs[i % areas.size()] += area(runs[i].auc[way]) / goes;
    }
    if (way == masks) of_masks[0] = areas, of_masks[1] = aucs;
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
    // Splits of the same patients overlap, so their intervals are wider than those of a mean; hospitals do not.
    const bool shared = p.sites.empty();
    const auto train = static_cast<double>(p.splits[0].train.size()),
               test = static_cast<double>(p.splits[0].test.size());
    for (const bool auc : {false, true}) {
      const Reals& values = auc ? aucs : areas;
      const data::Interval i =
          shared ? data::resampled_mean_interval(values, train, test) : data::mean_interval(values);
      const data::Comparison c =
          shared ? data::corrected_paired_t(of_masks[auc], values, train, test) : data::paired_t(of_masks[auc], values);
      row.push_back(show::fixed(i.estimate));
      if (!auc) row.push_back(span(i.low, i.high));
      if (way == masks)
        row.insert(row.end(), 3, "");
      else
        row.insert(row.end(), {show::fixed(c.difference), span(c.low, c.high), show::fixed(c.p_value, 4)});
    }
    table.row(row);
  }
  std::printf("%s\n", table.str(show::Style::of(stdout)).c_str());
  if (!taken) return;
  std::filesystem::create_directories("runs");
  show::save_plot(
      "runs/missing_" + p.name + "_" + fusion + ".svg", lines,
      {.title = p.name + ", " + fusion, .x_label = "chance that a modality is missing", .y_label = "accuracy"});
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* root = std::getenv("WEFT_DATA");
  const int splits = std::max(2, arguments.seeds_or(arguments.full ? 20 : 3));  // an interval takes two
  const std::vector<Patients> all = everybody(root ? root : "", arguments.full, splits, arguments.seed);
  if (all.empty())
    return std::puts("skipped: set WEFT_DATA to a folder with rosmap/ or others; see missing_data.h") < 0;
  show::Progress progress(stderr, false);
  for (const Patients& p : all)
    for (const std::string fusion : {"gate", "evidential"}) {
      if (fusion != "gate" && !arguments.full) continue;
      std::vector<Scores> runs;
      // Each hospital is a test once; what differs between two goes is the networks' beginning alone.
      const std::size_t goes = p.sites.empty() || !arguments.full ? 1 : 5, total = goes * p.splits.size();
      for (std::size_t i = 0; i < total; ++i) {
        progress.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(total), p.name);
        runs.push_back(judged(p, p.splits[i % p.splits.size()], fusion, arguments.seed + i));
      }
      progress.finish();
      report(p, fusion, runs);
    }
}
