// Six descriptions of one handwritten digit, and one of them is of another digit.
// For every test digit one of its six views is taken from a digit of another class. Concatenation adds the wrong view's
// numbers to the others'; fusions of decisions outvote it; fusions with a confidence per modality can learn to doubt it
// if training has shown them views that do not belong. So every method is trained twice: on clean digits, and with
// views exchanged at random (fusion::degrade). Nothing is chosen on test digits. Data: $WEFT_DATA/mfeat_digits_6views.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/loader.h>
#include <weft/data/npy.h>
#include <weft/data/scale.h>
#include <weft/data/statistics.h>
#include <weft/fusion/classifier.h>
#include <weft/fusion/degrade.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/show/plot.h>
#include <weft/show/terminal.h>
#include <weft/tensor/create.h>

#include "arguments.h"
using namespace weft;
const std::vector<std::string> views = {"pix_240", "fou_76", "fac_216", "zer_47", "kar_64", "mor_6"};
const std::vector<std::string> methods = {"concat", "late", "product", "vote", "gate", "evidential", "energy"};

fusion::Classifier trained(const std::string& method, const data::Modalities& digits, const Tensor& target,
                           double exchanged, std::uint64_t seed) {
  manual_seed(seed);
  fusion::ClassifierOptions options{.names = views, .fusion = method, .classes = 10, .method = {.width = 64}};
  for (const Tensor& x : digits.features)
    options.encoders.push_back({"mlp", {.in_features = x.size(1), .hidden = {64}, .dropout = 0.2}});
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.01});
  data::Loader loader(digits, target, {.batch_size = 64, .seed = seed});
  const fusion::Scales scales = fusion::measure(digits);
  Generator damage{seed, 1 << 20};
  for (int epoch = 0; epoch < 30; ++epoch) {
    optimizer.set_lr(optim::CosineAnnealingLr{.T_max = 30}(2e-3, epoch).lr);
    for (auto& [x, y] : loader) {
      const fusion::DegradeOptions exchange{.probability = exchanged, .noise = 0, .replace = 0, .shuffle = 1};
      net.loss(net(fusion::degrade(x, scales, exchange, damage)), y, {.progress = epoch / 30.0}).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  }
  eval(net);
  return net;
}

/// For each digit, one view, drawn evenly, becomes that of a digit of another class.
data::Modalities conflicting(const data::Modalities& digits, const std::vector<std::int64_t>& labels, Generator& g) {
  data::Modalities out = digits;
  std::vector<std::vector<std::int64_t>> from(views.size(), std::vector<std::int64_t>(labels.size()));
  for (auto& rows : from) std::iota(rows.begin(), rows.end(), 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::int64_t& other = from[static_cast<std::size_t>(g.below(6))][i];
    while (labels[static_cast<std::size_t>(other)] == labels[i]) other = g.below(digits.batch());
  }
  for (std::size_t m = 0; m < views.size(); ++m) out.features[m] = data::take_rows(digits.features[m], from[m]);
  return out;
}

double accuracy(const fusion::Classifier& net, const data::Modalities& digits, const Tensor& target) {
  const NoGrad off;
  return mean(to(eq(argmax(net(digits).log_probabilities, 1), target), DType::float64)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* data_folder = std::getenv("WEFT_DATA");
  const std::filesystem::path folder = std::filesystem::path(data_folder ? data_folder : ".") / "mfeat_digits_6views";
  if (!std::filesystem::exists(folder / "y_test.npy"))
    return std::puts("skipped: no mfeat_digits_6views; set WEFT_DATA to the folder that holds it") < 0;
  const auto load = [&](const std::string& name) { return data::load_npy((folder / name).string()); };
  std::vector<std::int64_t> all(1600);
  std::iota(all.begin(), all.end(), 0);
  std::vector<Tensor> train, test;
  for (std::size_t m = 0; m < views.size(); ++m) {
    const std::string stem = text("x", m + 1, '_', views[m]);
    const Tensor x = to(load(stem + "_train.npy"), DType::float32), unseen = load(stem + "_test.npy");
    const data::Standardizer scale = data::Standardizer::fit(x, all);  // from the training digits alone
    train.push_back(scale.apply(x));
    test.push_back(scale.apply(to(unseen, DType::float32)));
  }
  const auto digits = data::Modalities::complete(views, train), unseen = data::Modalities::complete(views, test);
  const Tensor y_train = to(load("y_train.npy"), DType::int64), y_test = to(load("y_test.npy"), DType::int64);
  const auto labels = to_vector<std::int64_t>(y_test);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1);
  show::Progress progress(stderr, false);
  show::TextTable table({"accuracy, 95% interval", "clean", "conflict", "trained so: clean", "conflict"});
  std::vector<show::Line> lines = {{"trained on clean digits", {}, {}}, {"trained with exchanged views", {}, {}}};
  std::int64_t done = 0;
  for (const std::string& method : methods) {
    std::vector<double> right[4];
    for (int s = 0; s < seeds; ++s)
      for (std::size_t how = 0; how < 2; ++how) {
        const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
        const fusion::Classifier net = trained(method, digits, y_train, how == 0 ? 0 : 0.5, seed);
        Generator g{seed, 1 << 30};
        right[2 * how].push_back(accuracy(net, unseen, y_test));
        right[2 * how + 1].push_back(accuracy(net, conflicting(unseen, labels, g), y_test));
        progress.update(++done, 2 * seeds * static_cast<std::int64_t>(methods.size()), method);
      }
    std::vector<std::string> cells = {method};
    for (std::size_t k = 0; k < 4; ++k) {
      const data::Interval i = data::mean_interval(right[k]);
      cells.push_back(show::fixed(i.estimate, 4) + (seeds > 1 ? " ± " + show::fixed(i.high - i.estimate, 4) : ""));
      if (k % 2 == 1) lines[k / 2].y.push_back(i.estimate);
    }
    table.row(cells);
  }
  progress.finish();
  std::printf("%s\n%zu test digits, %d seeds\n", table.str().c_str(), labels.size(), seeds);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/conflict.svg", lines, {.title = "One view in six contradicts", .x_label = "method"});
}
