// What is this paper about? 2,708 papers cite each other; of 140 the field is known, of the others only the words and
// the citations. A graph convolution (GCN) averages a paper with its neighbours, a graph attention network (GAT) learns
// whom to listen to. Without any citation the GCN is an ordinary network of words: what that loses is what the graph is
// worth. 500 validation papers decide when to stop, the 1,000 test papers are looked at once.
//   cora [--full] [--seeds N] [--seed FIRST] [--threads N]      data: $WEFT_DATA/cora_planetoid
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

/// Kipf and Welling (2017): 16 hidden features, half of everything dropped while training.
struct Gcn {
  GCNConv first, second;
  Dropout dropout{0.5};
  Gcn(std::int64_t in, std::int64_t out)
      : first({.in_channels = in, .out_channels = 16}), second({.in_channels = 16, .out_channels = out}) {}
  Tensor operator()(const SparseFeatures& x, const Graph& graph) const {
    return second(dropout(relu(first({x.places, dropout(x.values)}, graph))), graph);
  }
  void fields(auto&& f) { f("first", first, "second", second, "dropout", dropout); }
};

/// Velickovic et al. (2018): 8 heads of 8 features; features and attention are dropped.
struct Gat {
  GATConv first, second;
  Dropout dropout{0.6};
  Gat(std::int64_t in, std::int64_t out)
      : first({.in_channels = in, .out_channels = 8, .heads = 8, .dropout = 0.6}),
        second({.in_channels = 64, .out_channels = out, .dropout = 0.6}) {}
  Tensor operator()(const SparseFeatures& x, const Graph& graph) const {
    return second(dropout(elu(first({x.places, dropout(x.values)}, graph))), graph);
  }
  void fields(auto&& f) { f("first", first, "second", second, "dropout", dropout); }
};

struct Task {
  SparseFeatures x;
  Tensor y, train, validation, test;
  std::int64_t classes;
};

/// Trains until the validation loss has not been better for 100 epochs; the test accuracy of the best epoch.
template <class Net>
double accuracy(const Task& task, const Graph& graph, double lr, std::uint64_t seed, std::vector<double>* curve) {
  manual_seed(seed);
  Net net(task.x.columns(), task.classes);
  // Only what looks at the words is held small: the second layer has few numbers.
  optim::Adam optimizer(parameters(net.first), {.lr = lr, .weight_decay = 5e-4});
  optimizer.add_group(parameters(net.second), {.lr = lr, .weight_decay = std::is_same_v<Net, Gat> ? 5e-4 : 0});
  optim::EarlyStopping stopping({.patience = 100});
  const auto part = [&](const Tensor& nodes) {
    return std::pair(index_select(net(task.x, graph), 0, nodes), index_select(task.y, 0, nodes));
  };
  for (int epoch = 0; epoch < 1000; ++epoch) {
    train(net);
    const auto [logits, target] = part(task.train);
    cross_entropy(logits, target).backward();
    optimizer.step();
    optimizer.zero_grad();
    eval(net);
    const NoGrad off;
    const auto [seen, known] = part(task.validation);
    const double loss = cross_entropy(seen, known).item();
    if (curve) curve->push_back(loss);
    if (stopping.update(loss, state(net))) break;
  }
  stopping.restore(state(net));
  const NoGrad off;
  const auto [logits, target] = part(task.test);
  return mean(to(eq(argmax(logits, 1), target), DType::float32)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string folder = std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/cora_planetoid";
  if (!std::filesystem::exists(folder + "/edges.npy"))
    return std::puts("skipped: no cora_planetoid/edges.npy; set WEFT_DATA to the folder that holds cora_planetoid") < 0;
  const data::GraphData cora = data::load_graph(folder);
  // Each paper's words sum to 1, however many they are. Of 79 words a paper has one: zeros are left out.
  const Task task{sparse_features(cora.x / clamp(sum(cora.x, 1, true), 1, HUGE_VAL)),
                  cora.y,
                  from(cora.train),
                  from(cora.validation),
                  from(cora.test),
                  cora.classes()};
  const Graph graph(cora.edge_index, cora.nodes()), nothing(zeros({2, 0}, DType::int64), cora.nodes());
  const int seeds = arguments.seeds_or(arguments.full ? 20 : 2);
  show::TextTable table({"network", "test accuracy", "deviation", "95 % interval of the mean"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (const std::string name : {"words alone", "GCN", "GAT"}) {
    std::vector<double> all;
    curves.push_back({name, {}, {}});
    for (int s = 0; s < seeds; ++s) {
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
      std::vector<double>* curve = s == 0 ? &curves.back().y : nullptr;
      all.push_back(name == "GAT" ? accuracy<Gat>(task, graph, 5e-3, seed, curve)
                                  : accuracy<Gcn>(task, name == "GCN" ? graph : nothing, 1e-2, seed, curve));
      progress.update(++done, 3 * seeds, name);
    }
    const data::Interval mean_of = data::mean_interval(all);
    table.row({name, show::fixed(mean_of.estimate, 4),
               show::fixed(seeds > 1 ? std::sqrt(var(from(all)).item()) : NAN, 4),
               show::fixed(mean_of.low, 4) + " to " + show::fixed(mean_of.high, 4)});
  }
  progress.finish();
  std::printf("%svalidation loss by epoch: runs/cora.svg\n", table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/cora.svg", curves, {.title = "Cora", .x_label = "epoch", .y_label = "validation loss"});
}
