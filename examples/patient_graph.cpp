// What does a patient have, when little of it is written down as such? A clinic made up here (simulated): 1,500
// patients of five phenotypes with a few laboratory values, diagnoses that were found, diagnoses that were ruled out,
// and drugs. A hundred phenotypes are known. A relational graph network (RGCN) learns what each kind of edge means; one
// that takes all edges for the same cannot tell a diagnosis from its exclusion. Further edges join each patient to the
// eight with the nearest laboratory values.
//   patient_graph [--full] [--seeds N] [--seed FIRST] [--threads N]
#include <cmath>
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"
#include "simulated_patients.h"

using namespace simulated;  // and weft

// The first patients' phenotypes are known, those of the next choose when to stop.
constexpr std::int64_t known = 100, chosen = 100;

/// The accuracy on the patients that are neither known nor chosen by, of the epoch that was best for the latter.
double accuracy(const Clinic& clinic, const std::vector<Relation>& relations, std::uint64_t seed,
                std::vector<double>* curve) {
  manual_seed(seed);
  const HeteroGraph graph({{"patient", patients}, {"code", codes}, {"drug", drugs}}, relations);
  RGCN net(graph, {.in_channels = {{"patient", values}}, .hidden_channels = 32, .num_bases = 4, .dropout = 0.5});
  Linear decide(32, phenotypes);
  optim::Adam optimizer(parameters(net), {.lr = 0.01, .weight_decay = 5e-4});
  optimizer.add_group(parameters(decide), {.lr = 0.01});
  optim::EarlyStopping stopping({.patience = 40});
  // The patients [first, last), what is decided on them and what is right.
  const auto part = [&](std::int64_t first, std::int64_t last) {
    const Tensor h = graph.rows(net({{"patient", clinic.values}}, graph), "patient");
    return std::pair(decide(slice(h, 0, first, last)), slice(clinic.phenotype, 0, first, last));
  };
  const auto state_now = [&] {
    auto all = state(net);
    for (auto& [name, x] : state(decide)) all.emplace_back("decide." + name, x);
    return all;
  };
  for (int epoch = 0; epoch < 200; ++epoch) {
    train(net);
    const auto [logits, target] = part(0, known);
    cross_entropy(logits, target).backward();
    optimizer.step();
    optimizer.zero_grad();
    eval(net);
    const NoGrad off;
    const auto [seen, right] = part(known, known + chosen);
    const double loss = cross_entropy(seen, right).item();
    if (curve) curve->push_back(loss);
    if (stopping.update(loss, state_now())) break;
  }
  stopping.restore(state_now());
  const NoGrad off;
  const auto [logits, target] = part(known + chosen, patients);
  return mean(to(eq(argmax(logits, 1), target), DType::float32)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 10 : 3);
  const std::vector<std::string> names{"laboratory values alone", "and similar patients",
                                       "and records, all edges of one kind", "and records, edges by kind",
                                       "and records by kind and similar patients"};
  std::vector<std::vector<double>> found(names.size());
  std::vector<show::Line> curves;
  for (const std::string& name : names) curves.push_back({name, {}, {}});
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    Generator g{seed};
    const Clinic c = simulate(g);  // each seed is another clinic
    const Relation similar{"patient", "is like", "patient", data::knn_graph(c.values, 8)};
    const std::vector<Relation> by_kind{{"patient", "has", "code", c.has.tensor()},
                                        {"patient", "does not have", "code", c.excluded.tensor()},
                                        {"patient", "takes", "drug", c.takes.tensor()},
                                        {"drug", "treats", "code", c.treats.tensor()}};
    const Relation nothing{"patient", "-", "patient", zeros({2, 0}, DType::int64)};
    std::vector<Relation> one_kind{by_kind[0], by_kind[2], by_kind[3]}, more = by_kind;
    one_kind[0].edge_index = cat({by_kind[0].edge_index, by_kind[1].edge_index}, 1);
    more.push_back(similar);
    const std::vector<std::vector<Relation>> all{{nothing}, {similar}, one_kind, by_kind, more};
    for (std::size_t k = 0; k < all.size(); ++k) {
      found[k].push_back(accuracy(c, all[k], seed, s == 0 ? &curves[k].y : nullptr));
      progress.update(++done, seeds * static_cast<std::int64_t>(all.size()), names[k]);
    }
  }
  progress.finish();
  show::TextTable table({"the network sees (simulated clinics)", "accuracy", "deviation"});
  for (std::size_t k = 0; k < names.size(); ++k)
    table.row({names[k], show::fixed(mean(from(found[k])).item()),
               show::fixed(seeds > 1 ? std::sqrt(var(from(found[k])).item()) : NAN)});
  std::printf("%svalidation loss by epoch: runs/patient_graph.svg\n", table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/patient_graph.svg", curves,
                  {.title = "Phenotypes (simulated)", .x_label = "epoch", .y_label = "validation loss"});
}
