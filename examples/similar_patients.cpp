// A handful of diagnoses, and 569 patients to go by. Of breast masses thirty measures of cell nuclei are known, but
// here only two, five or ten of each class are diagnosed; as many more decide when to stop. Masses that look alike are
// joined: each to its ten nearest by the thirty measures. A graph convolution averages along these edges, so that
// masses without a diagnosis help too (their measures are seen, their diagnoses never). Beside it stands the same
// network without edges. The fewer the diagnoses, the more the others are worth; with many they add nothing.
//   similar_patients [--full] [--seeds N] [--seed FIRST] [--threads N]
// Data: $WEFT_DATA/sklearn_toy/breast_cancer.csv, or else studies/data/wdbc/breast_cancer.csv from here.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

struct Net {
  GCNConv first{{.in_channels = 30, .out_channels = 16}}, second{{.in_channels = 16, .out_channels = 2}};
  Dropout dropout{0.5};
  Tensor operator()(const Tensor& x, const Graph& graph) const { return second(dropout(relu(first(x, graph))), graph); }
  void fields(auto&& f) { f("first", first, "second", second, "dropout", dropout); }
};

struct Parts {
  Tensor known, chosen, rest;
};
/// So many of each class, as many more, and all others.
Parts draw(const std::vector<std::int64_t>& labels, std::int64_t each, Generator& g) {
  std::vector<std::int64_t> parts[3], met(2, 0);
  for (const std::int64_t i : to_vector<std::int64_t>(randperm(static_cast<std::int64_t>(labels.size()), g))) {
    const std::int64_t before = met[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])]++;
    parts[before < each ? 0 : before < 2 * each ? 1 : 2].push_back(i);
  }
  return {from(parts[0]), from(parts[1]), from(parts[2])};
}

double accuracy(const Tensor& x, const Tensor& y, const Graph& graph, const Parts& parts, std::uint64_t seed) {
  manual_seed(seed);
  Net net;
  optim::Adam optimizer(parameters(net), {.lr = 0.01, .weight_decay = 5e-4});
  optim::EarlyStopping stopping({.patience = 50});
  const auto part = [&](const Tensor& nodes) {
    return std::pair(index_select(net(x, graph), 0, nodes), index_select(y, 0, nodes));
  };
  for (int epoch = 0; epoch < 400; ++epoch) {
    train(net);
    const auto [logits, target] = part(parts.known);
    cross_entropy(logits, target).backward();
    optimizer.step();
    optimizer.zero_grad();
    eval(net);
    const NoGrad off;
    const auto [seen, right] = part(parts.chosen);
    if (stopping.update(cross_entropy(seen, right).item(), state(net))) break;
  }
  stopping.restore(state(net));
  const NoGrad off;
  const auto [logits, target] = part(parts.rest);
  return mean(to(eq(argmax(logits, 1), target), DType::float32)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 100 : 20);
  const char* folder = std::getenv("WEFT_DATA");
  std::string path = folder ? std::string(folder) + "/sklearn_toy/breast_cancer.csv" : "";
  if (!std::filesystem::exists(path)) path = "studies/data/wdbc/breast_cancer.csv";
  if (!std::filesystem::exists(path))
    return std::puts("skipped: no breast_cancer.csv; set WEFT_DATA to a folder with sklearn_toy/breast_cancer.csv") < 0;
  const data::Table table = data::read_csv(path);
  std::vector<std::int64_t> labels, all;
  for (const double y : table.at("target").numbers) {
    all.push_back(static_cast<std::int64_t>(labels.size()));
    labels.push_back(static_cast<std::int64_t>(y));
  }
  const auto nodes = static_cast<std::int64_t>(labels.size());
  const std::vector<std::string> measures{"mean_*", "*_error", "worst_*"};
  const Tensor x = data::TableEncoder::fit(table, measures, all).apply(table).features, y = from(labels);
  const Graph alike(data::to_undirected(data::knn_graph(x, 10), nodes), nodes),
      none(zeros({2, 0}, DType::int64), nodes);
  const std::vector<std::int64_t> known{2, 5, 10};
  std::vector<show::Line> lines{{"without edges", {}, {}}, {"ten nearest", {}, {}}};
  show::TextTable out({"diagnosed of each class", "without edges", "ten nearest", "difference, draw by draw"});
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (const std::int64_t each : known) {
    std::vector<double> with, without, gain;
    for (int s = 0; s < seeds; ++s) {
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
      Generator g{seed};
      const Parts parts = draw(labels, each, g);
      without.push_back(accuracy(x, y, none, parts, seed));
      with.push_back(accuracy(x, y, alike, parts, seed));
      gain.push_back(with.back() - without.back());
      progress.update(++done, 3 * seeds, "draws");
    }
    const data::Interval i = data::mean_interval(gain);
    lines[0].y.push_back(mean(from(without)).item()), lines[1].y.push_back(mean(from(with)).item());
    for (show::Line& line : lines) line.x.push_back(static_cast<double>(each));
    out.row({std::to_string(each), show::fixed(lines[0].y.back(), 4), show::fixed(lines[1].y.back(), 4),
             show::fixed(i.estimate, 4) + " (" + show::fixed(i.low, 4) + " to " + show::fixed(i.high, 4) + ")"});
  }
  progress.finish();
  std::printf("Accuracy on all others, mean of %d draws (95 %% interval)\n%scurve: runs/similar_patients.svg\n", seeds,
              out.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/similar_patients.svg", lines, {.x_label = "diagnosed of each class", .y_label = "accuracy"});
}
