// Which papers cite each other? Of Cora's 5,278 citations 10 % are hidden for testing and 5 % for choosing. A graph
// autoencoder passes messages along the rest alone and gives each paper a place such that papers which cite each other
// point the same way; against them it is shown pairs without a training citation, new ones in each epoch. The area
// under the ROC curve is the probability that a hidden citation scores above a pair that has none. Two encoders, each
// beside itself without messages: words alone.
//   cora_links [--full] [--seeds N] [--seed FIRST] [--threads N]      data: $WEFT_DATA/cora_planetoid
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

/// Graph autoencoder: two rounds of graph convolution. Kipf and Welling (2016).
struct Gae {
  GCNConv first, second{{.in_channels = 128, .out_channels = 64}};
  Dropout dropout{0.5};
  explicit Gae(std::int64_t in) : first({.in_channels = in, .out_channels = 128}) {}
  Tensor operator()(const SparseFeatures& x, const Graph& graph) const {
    return second(dropout(relu(first(x, graph))), graph);
  }
  void fields(auto&& f) { f("first", first, "second", second, "dropout", dropout); }
};

/// Each paper's vector is brought to one length before the neighbours' mean is taken: otherwise papers that nobody
/// cites stay short, and whatever they are compared with scores near 0. Ahn and Kim (2021).
struct NormalizedGae {
  Linear words;
  APPNP pass{{.K = 1, .alpha = 0}};
  explicit NormalizedGae(std::int64_t in) : words({.in_features = in, .out_features = 64, .bias = false}) {}
  Tensor operator()(const SparseFeatures& x, const Graph& graph) const {
    return pass(normalize(linear(x, words)) * 1.8, graph);
  }
  void fields(auto&& f) { f("words", words, "pass", pass); }
};

struct Figures {
  double auc, precision;
};
Figures judge(const Tensor& z, const Tensor& edges, const Tensor& negatives) {
  const std::vector<double> scores = to_vector<double>(link_logits(z, cat({edges, negatives}, 1)));
  std::vector<std::int64_t> truth(scores.size(), 0);
  std::fill(truth.begin(), truth.begin() + edges.size(1), 1);
  return {data::roc_auc(truth, scores), data::average_precision(truth, scores)};
}

/// Trains on one split and judges the hidden citations once.
template <class Net>
Figures train_one(const SparseFeatures& x, const data::LinkSplit& split, const Graph& graph, std::uint64_t seed,
                  std::vector<double>* curve) {
  manual_seed(seed);
  Net encode(x.columns());
  optim::Adam optimizer(parameters(encode), {.lr = 0.01});
  // It knows the training citations only: a hidden one may well be drawn as a negative.
  const data::NegativeSampler negatives(split.train, x.rows());
  Generator random{seed, 1 << 20};
  optim::EarlyStopping stopping({.patience = 30, .higher_is_better = true});
  for (int epoch = 0; epoch < 400; ++epoch) {
    train(encode);
    link_loss(encode(x, graph), split.train, negatives.sample(split.train.size(1), random)).backward();
    optimizer.step();
    optimizer.zero_grad();
    eval(encode);
    const NoGrad off;
    const double auc = judge(encode(x, graph), split.validation, split.validation_negatives).auc;
    if (curve) curve->push_back(auc);
    if (stopping.update(auc, state(encode))) break;
  }
  stopping.restore(state(encode));
  const NoGrad off;
  return judge(encode(x, graph), split.test, split.test_negatives);
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string folder = std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/cora_planetoid";
  if (!std::filesystem::exists(folder + "/edges.npy"))
    return std::puts("skipped: no cora_planetoid/edges.npy; set WEFT_DATA to the folder that holds cora_planetoid") < 0;
  const data::GraphData cora = data::load_graph(folder);
  const SparseFeatures x = sparse_features(cora.x / clamp(sum(cora.x, 1, true), 1, HUGE_VAL));
  const int seeds = arguments.seeds_or(arguments.full ? 20 : 2);
  show::TextTable table({"encoder", "AUC", "deviation", "average precision", "deviation"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  const std::vector<std::string> names{"GAE without messages", "GAE", "normalised GAE without messages",
                                       "normalised GAE"};
  for (std::size_t k = 0; k < names.size(); ++k) {
    const bool messages = k % 2 == 1;
    std::vector<double> auc, precision;
    curves.push_back({names[k], {}, {}});
    for (int s = 0; s < seeds; ++s) {
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
      Generator g{seed};  // each seed hides other citations
      const data::LinkSplit split = data::split_links(cora.edge_index, cora.nodes(), {}, g);
      const Graph graph(messages ? split.message : zeros({2, 0}, DType::int64), cora.nodes());
      std::vector<double>* curve = s == 0 ? &curves.back().y : nullptr;
      const Figures found =
          k < 2 ? train_one<Gae>(x, split, graph, seed, curve) : train_one<NormalizedGae>(x, split, graph, seed, curve);
      auc.push_back(found.auc), precision.push_back(found.precision);
      progress.update(++done, 4 * seeds, names[k]);
    }
    const auto deviation = [&](const std::vector<double>& v) {
      return seeds > 1 ? std::sqrt(var(from(v)).item()) : NAN;
    };
    table.row({names[k], show::fixed(mean(from(auc)).item(), 4), show::fixed(deviation(auc), 4),
               show::fixed(mean(from(precision)).item(), 4), show::fixed(deviation(precision), 4)});
  }
  progress.finish();
  std::printf("Hidden citations of Cora, %d splits\n%svalidation AUC by epoch: runs/cora_links.svg\n", seeds,
              table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/cora_links.svg", curves,
                  {.title = "Citations", .x_label = "epoch", .y_label = "validation AUC"});
}
