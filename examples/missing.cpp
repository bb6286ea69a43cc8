// What to do when evidence is missing?
// Patients lack a kind of evidence: always (heart, miniacc) or because we take it away at a growing rate (rosmap,
// ham10000, and a SIMULATED clinic, whose patients are new in each split). The same fusion is trained six times on the
// same patients, and what differs is what it is given in the gaps:
//   masks       nothing: a missing modality weighs 0
//   zeros       0, in the units of the data, as if it had been measured
//   means       the mean of the training patients
//   completion  what a variational autoencoder thinks it may look like, and how sure that is: a completed
//               modality counts as much less as it is unsure
// All these learn with some evidence taken away at random. What happens most often in practice is that nothing was
// missing while a network learned, and then something is: zeros and masks once more, unprepared.
//   missing [--full] [--only NAME] [--seeds SPLITS] [--seed FIRST] [--threads N]
// The default takes three splits; --full twenty, ham10000 as well (five), and a second fusion. What a split of --full
// gave is kept in runs/missing-full-*.txt, from where a run that was stopped goes on: delete them after a change.
// Draws runs/missing_*.svg.
#include "arguments.h"
#include "kept.h"
#include "missing_report.h"

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, false, true);
  const char* root = std::getenv("WEFT_DATA");
  const int splits = std::max(2, arguments.seeds_or(arguments.full ? 20 : 3));  // an interval takes two
  const std::vector<Patients> all = everybody(root ? root : "", arguments.only, arguments.full, splits, arguments.seed);
  if (all.empty()) {
    std::puts(
        "skipped: --only takes clinic or, with WEFT_DATA set to where they are, rosmap and others of missing_data.h");
    return 0;
  }
  show::Progress progress(stderr, false);
  for (const Patients& p : all)
    for (const std::string fusion : {"gate", "evidential"}) {
      if (fusion != "gate" && !arguments.full) continue;
      Scores empty;
      for (auto* scores : {&empty.accuracy, &empty.auc}) scores->fill(Reals(p.rates.size()));
      const std::string file = std::to_string(arguments.seed) + "-" + p.name + "-" + fusion + ".txt";
      Kept<Scores> kept(arguments.full ? "runs/missing-full-" + file : "", empty);
      // Each hospital is a test once; what differs between two goes is the networks' beginning alone.
      const std::size_t goes = p.sites.empty() || !arguments.full ? 1 : 5, total = goes * p.splits.size();
      std::vector<Scores> runs;
      for (std::size_t i = 0; i < total; ++i) {
        progress.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(total), p.name + ", " + fusion);
        if (!kept.runs.contains(i)) kept.add(i, judged(p, i % p.splits.size(), fusion, arguments.seed + i));
        runs.push_back(kept.runs.at(i));
      }
      progress.finish();
      report(p, fusion, runs);
    }
}
