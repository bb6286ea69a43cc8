// Which diagnoses go together? Nobody says so; but each of 4,000 patients (made up here: simulated) has a set of codes,
// and codes of one illness meet in the same sets. Skip-gram with negative sampling gives each of 600 codes a place so
// that codes which meet are near each other. Thirty illnesses were planted: the share of a code's five nearest that
// belong to the same one is counted, beside plain counts of how often two codes meet. Then the places serve: who of the
// patients gets a certain outcome is learned from 100 of them, with an embedding bag that is learned from scratch or
// made of what the sets taught.
//   codes [--full] [--seeds N] [--seed FIRST] [--threads N]
#include <cmath>
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"
#include "simulated_codes.h"

using namespace simulated;  // and weft

constexpr std::int64_t labelled = 100, width = 32;

/// Share of the five nearest codes, by cosine, that are of the same illness.
double together(const Tensor& table) {
  const auto near = to_vector<std::int64_t>(data::nearest_others(table, 5, data::Closeness::cosine).index);
  double right = 0;
  for (std::size_t i = 0; i < near.size(); ++i)
    right += static_cast<std::int64_t>(i) / 5 % illnesses == near[i] % illnesses;
  return right / static_cast<double>(near.size());
}

/// The area under the ROC curve of the outcome for the patients without label, from the mean of their codes' places.
double outcome_auc(const World& world, const Tensor& places, std::uint64_t seed) {
  manual_seed(seed);
  EmbeddingBag bag({.num_embeddings = codes, .embedding_dim = width});
  Linear decide(width, 1);
  optim::Adam optimizer(parameters(decide), {.lr = 0.01});
  if (places.defined())  // they stay as they are: of unit length, scaled as the random ones
    bag.weight = normalize(detach(places)) * std::sqrt(static_cast<double>(width));
  else
    optimizer.add_group(parameters(bag), {.lr = 0.01});
  const auto logits = [&](std::int64_t first, std::int64_t last) {
    return slice(squeeze(decide(bag(world.sets.codes, world.sets.offsets)), 1), 0, first, last);
  };
  const Tensor truth = to(world.outcome, DType::float32);
  for (int step = 0; step < 100; ++step) {
    binary_cross_entropy_with_logits(logits(0, labelled), slice(truth, 0, 0, labelled)).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  const NoGrad off;
  return data::roc_auc(to_vector<std::int64_t>(slice(world.outcome, 0, labelled, patients)),
                       to_vector<double>(logits(labelled, patients)));
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1);
  const std::int64_t epochs = 6, batch = 512;
  std::vector<double> counted, learned, from_scratch, from_places;
  show::Line curve{"share of neighbours of the same illness", {}, {}};
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    Generator g{seed};
    const World world = simulate(g);  // each seed is another world
    const data::SkipGramSampler sampler(world.sets, {.negatives = 5});
    const std::int64_t steps = epochs * sampler.pairs() / batch;
    SkipGram net({.num_embeddings = codes, .embedding_dim = width});
    optim::Adam optimizer(parameters(net), {.lr = 5e-3});
    for (std::int64_t step = 0; step < steps; ++step) {
      const data::SkipGramBatch b = sampler.sample(batch, g);
      net.loss(b.center, b.context, b.negatives).backward();
      optimizer.step();
      optimizer.zero_grad();
      if (s == 0 && step % 100 == 0) {
        curve.x.push_back(static_cast<double>(step));
        curve.y.push_back(together(net.in.weight));
      }
      if (step % 100 == 0) progress.update(s * steps + step, seeds * steps, "skip-gram");
    }
    counted.push_back(together(meetings(world.sets)));
    learned.push_back(together(net.in.weight));
    from_scratch.push_back(outcome_auc(world, Tensor(), seed));
    from_places.push_back(outcome_auc(world, net.in.weight, seed));
  }
  progress.finish();
  show::TextTable table({"simulated sets of codes", "mean", "deviation"});
  const auto row = [&](const char* what, const std::vector<double>& v) {
    table.row({what, show::fixed(mean(from(v)).item()), show::fixed(seeds > 1 ? std::sqrt(var(from(v)).item()) : NAN)});
  };
  row("five nearest of the same illness: counts of meetings", counted);
  row("five nearest of the same illness: skip-gram", learned);
  row("AUC of the outcome, 100 labels: bag learned from scratch", from_scratch);
  row("AUC of the outcome, 100 labels: bag of skip-gram's places", from_places);
  std::printf("%sby chance 19 of 599; share by step: runs/codes.svg\n", table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/codes.svg", {curve}, {.title = "Codes (simulated)", .x_label = "step", .y_label = "share"});
}
