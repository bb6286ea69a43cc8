// Which of 600 measurements does a diagnosis need?
// Alzheimer's disease from mRNA, methylation and miRNA, 200 numbers each, of some 245 people. A gate in front of each
// input begins at 1; after each step the proximal step of an L1 penalty draws all gates towards 0, and those that the
// loss does not hold become exactly 0. Which ones survive depends on who is in the sample, so twenty networks learn
// from 70 % of the people each, and the 30 % of the inputs whose gates stay widest open on the mean are kept
// (stability selection, Meinshausen and Buhlmann 2010). All other inputs need not be measured again: their gates are
// exactly 0 in the network that then learns without a penalty, which has done its work and would only hold weights
// small. On resampled splits and on the one that comes with the data: three of each, --full twenty.
// Draws runs/l1_selection.svg. Data: $WEFT_DATA/rosmap.
#include <filesystem>
#include <fstream>
#include <map>

#include "arguments.h"
#include "l1_gates.h"
int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* root = std::getenv("WEFT_DATA");
  const std::string at = root ? std::string(root) + "/rosmap/" : "";
  if (!root || !std::filesystem::exists(at)) return std::puts("skipped: set WEFT_DATA to a folder with rosmap/") < 0;
  std::vector<Tensor> parts;
  std::vector<std::string> names;
  const auto both = [&](const std::string& file) {
    return cat({data::load_npy(at + file + "_train.npy"), data::load_npy(at + file + "_test.npy")}, 0);
  };
  for (const char* file : {"x1_mrna", "x2_meth", "x3_mirna"}) {
    parts.push_back(both(file));
    std::ifstream lines(at + file + "_features.txt");
    for (std::string line; std::getline(lines, line);) names.push_back(line + " (" + (file + 3) + ")");
  }
  const Tensor raw = cat(parts, 1), y = to(both("y"), DType::int64);
  const Rows labels = to_vector<std::int64_t>(y);
  Rows every(600);
  std::iota(every.begin(), every.end(), 0);
  const int seeds = std::max(2, arguments.seeds_or(arguments.full ? 20 : 3));  // an interval takes two
  Generator g{arguments.seed};
  const auto drawn = data::stratified_splits(labels, seeds, 0.3, g);
  data::Split given;
  for (std::int64_t i = 0; i < 351; ++i) (i < 245 ? given.train : given.test).push_back(i);
  show::Progress progress(stderr, false);
  show::TextTable table({"ROC AUC", "dense", "with gates", "difference", "95 % interval", "inputs gone"});
  std::map<std::string, int> kept;
  std::vector<show::Line> lines;
  for (const bool fixed : {false, true}) {
    Reals dense, sparse, gone;
    data::Predictions mean_dense, mean_sparse;  // on the given split, over seeds
    for (int s = 0; s < seeds; ++s) {
      progress.update((fixed ? seeds : 0) + s, 2 * seeds, "splits");
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
      const data::Split& split = fixed ? given : drawn[static_cast<std::size_t>(s)];
      const Tensor x = data::Standardizer::fit(raw, split.train).apply(raw);
      Reals course;
      const Rows inputs = stable_inputs(x, y, split.train, 180, seed, &course);
      const Result all = trained(x, y, split, every, seed), few = trained(x, y, split, inputs, seed);
      dense.push_back(all.auc), sparse.push_back(few.auc), gone.push_back(few.net.first.gate.zero_fraction());
      if (!fixed && s < 5) lines.push_back({"split " + std::to_string(s + 1), course, {}});
      for (const std::string& name : few.net.first.gate.survivors(names)) kept[name] += fixed ? 0 : 1;
      for (auto& [sum, one] : {std::pair(&mean_dense, &all.said), std::pair(&mean_sparse, &few.said)}) {
        if (s == 0) *sum = {one->labels, Reals(one->probabilities.size()), one->classes};
        for (std::size_t i = 0; i < one->probabilities.size(); ++i)
          sum->probabilities[i] += one->probabilities[i] / seeds;
      }
    }
    const auto mean = [](const Reals& v) { return data::mean_interval(v).estimate; };
    const data::Comparison c =
        fixed ? data::paired_t(sparse, dense) : data::corrected_paired_t(sparse, dense, 246, 105);
    table.row({fixed ? "given split, seeds" : "resampled splits", show::fixed(mean(dense)), show::fixed(mean(sparse)),
               show::fixed(c.difference, 4), show::fixed(c.low, 4) + " to " + show::fixed(c.high, 4),
               show::fixed(mean(gone))});
    if (!fixed) continue;
    const data::Comparison p = data::paired_bootstrap(mean_sparse, mean_dense, data::metric("roc_auc").compute);
    table.row({"given split, mean of the seeds", show::fixed(data::roc_auc(mean_dense)),
               show::fixed(data::roc_auc(mean_sparse)), show::fixed(p.difference, 4),
               show::fixed(p.low, 4) + " to " + show::fixed(p.high, 4), ""});
  }
  progress.finish();
  std::printf(
      "%s(the last interval: test people drawn again)\n\nInputs that survive in most of the %d resampled splits:\n",
      table.str().c_str(), seeds);
  std::vector<std::pair<int, std::string>> ranked;
  for (const auto& [name, n] : kept) ranked.emplace_back(-n, name);
  std::sort(ranked.begin(), ranked.end());
  for (std::size_t i = 0; i < 15; ++i) std::printf("  %2d  %s\n", -ranked[i].first, ranked[i].second.c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/l1_selection.svg", lines, {.title = "Share of inputs that are gone", .x_label = "epoch"});
}
