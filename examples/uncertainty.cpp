// Which training targets are wrong? Let the loss find out.
// One in five training targets is spoiled by a gross error. The mean squared error chases these. With a free
// log-variance s for each training sample the loss exp(-s) r^2 + s lets go of targets that nothing explains: their s
// rises, and they hardly count any more. First on 442 diabetes patients (how the disease went on within a year, from
// ten measures; $WEFT_DATA/sklearn_toy/diabetes.csv, where it is there), then on simulated rows whose true answer is
// known. The network never sees which targets are spoiled. Draws runs/uncertainty.svg. Arguments: --full, --seeds N.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;

struct Task {
  Tensor x, y;  // (N, F), (N,), both in deviations of the training part
  Tensor clean, spoiled;  // (N,): the same with errors in it; 1 where there is one
  Rows train, test;
};

/// A task whose training targets are spoiled: one in five is off by 3 to 6 deviations, up or down.
Task spoil(const Tensor& x, const Tensor& y, Generator& g) {
  const std::int64_t n = x.size(0);
  const Rows order = to_vector<std::int64_t>(randperm(n, g)), train(order.begin(), order.begin() + n * 3 / 4);
  const Rows test(order.begin() + n * 3 / 4, order.end());
  const Tensor inputs = data::Standardizer::fit(x, train).apply(x);
  const Tensor target = squeeze(data::Standardizer::fit(unsqueeze(y, 1), train).apply(unsqueeze(y, 1)), 1);
  const Tensor spoiled = bernoulli({n}, 0.2, DType::float32, g);
  const Tensor off = rand({n}, 3, 6, DType::float32, g) * (bernoulli({n}, 0.5, DType::float32, g) * 2 - 1);
  return {inputs, target + spoiled * off, target, spoiled, train, test};
}

Task simulated(Generator& g) {
  const Tensor x = randn({600, 10}, 0, 1, DType::float32, g);
  const auto column = [&](int i) { return select(x, 1, i); };
  return spoil(x, sin(column(0) * 2) + column(1) * column(2) + column(3) + randn({600}, 0, 0.3, DType::float32, g), g);
}

struct Net {
  Linear hidden, out;
  explicit Net(std::int64_t features) : hidden(features, 16), out(16, 1) {}
  Tensor operator()(const Tensor& x) const { return squeeze(out(tanh(hidden(x))), 1); }
  void fields(auto&& f) { f("hidden", hidden, "out", out); }
};

enum Kind { squared, huber, uncertain };
struct Result {
  double error = 0, auc = 0;     // on clean test targets; of s, spoiled against sound
  Reals of_spoiled{}, of_sound{};  // mean s, by epoch
};

Result trained(const Task& task, Kind kind, std::uint64_t seed, int epochs) {
  manual_seed(seed);
  Net net(task.x.size(1));
  const Tensor x = data::take_rows(task.x, task.train), y = data::take_rows(task.y, task.train);
  const auto n = static_cast<std::int64_t>(task.train.size());
  // A sound sample is expected to have half of the targets' variance unexplained, worth 2 observations: rough is enough.
  fusion::SampleVariance variance({.samples = n, .initial = 1, .center = std::log(0.5), .strength = 2});
  optim::Adam optimizer(parameters(net), {.lr = 5e-3, .weight_decay = 1e-3});
  optimizer.add_group(parameters(variance), {.lr = 5e-2});
  const Tensor spoiled = data::take_rows(task.spoiled, task.train);
  Result result;
  Generator g{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const Tensor order = randperm(n, g);
    for (std::int64_t at = 0; at < n; at += 32) {
      const Tensor ids = slice(order, 0, at, std::min(at + 32, n));
      const Tensor answer = net(index_select(x, 0, ids)), wanted = index_select(y, 0, ids);
      optimizer.zero_grad();
      const Tensor loss =
          kind == squared ? mse_loss(answer, wanted)
          : kind == huber ? huber_loss(answer, wanted, 1)
                          : fusion::heteroscedastic_loss(answer, variance(ids), wanted) + variance.penalty(ids);
      loss.backward();
      optimizer.step();
    }
    const NoGrad off;
    result.of_spoiled.push_back((sum(variance.log_variance * spoiled) / sum(spoiled)).item());
    result.of_sound.push_back((sum(variance.log_variance * (1 - spoiled)) / sum(1 - spoiled)).item());
  }
  const NoGrad off;
  result.error = mse_loss(net(data::take_rows(task.x, task.test)), data::take_rows(task.clean, task.test)).item();
  if (kind == uncertain)
    result.auc = data::roc_auc(to_vector<std::int64_t>(spoiled), to_vector<double>(variance.log_variance));
  return result;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 20 : 10), epochs = 100;
  const char* folder = std::getenv("WEFT_DATA");
  const std::string path = std::string(folder ? folder : ".") + "/sklearn_toy/diabetes.csv";
  std::vector<std::string> names = {"simulated"};
  std::ifstream(path) ? void(names.insert(names.begin(), "diabetes")) : void(std::puts("no diabetes.csv in $WEFT_DATA"));
  show::TextTable table({"clean test error (of the variance)", "squared", "huber", "uncertain", "less than squared", "AUC of s"});
  std::vector<show::Line> lines;
  show::Progress progress(stderr, false);
  for (std::size_t which = 0; which < names.size(); ++which) {
    Reals error[3], gain, auc;
    Reals spoiled(epochs, 0), sound(epochs, 0);
    for (int k = 0; k < seeds; ++k) {
      progress.update(static_cast<int>(which) * seeds + k, static_cast<int>(names.size()) * seeds, names[which]);
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(k);
      Generator g{seed};
      Task task;
      if (names[which] == "diabetes") {
        const data::Table csv = data::read_csv(path);
        task = spoil(to(csv.matrix(std::vector<std::string>{"*", "!target", "!split"}), DType::float32),
                     to(from(csv.at("target").numbers), DType::float32), g);
      } else {
        task = simulated(g);
      }
      for (const Kind kind : {squared, huber, uncertain}) {
        const Result r = trained(task, kind, seed, epochs);
        error[kind].push_back(r.error);
        if (kind != uncertain) continue;
        auc.push_back(r.auc), gain.push_back(error[squared].back() - r.error);
        for (std::size_t e = 0; e < spoiled.size(); ++e)
          spoiled[e] += r.of_spoiled[e] / seeds, sound[e] += r.of_sound[e] / seeds;
      }
    }
    const auto cell = [](const Reals& values) {
      const data::Interval i = data::mean_interval(values);
      return show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")";
    };
    table.row({names[which], cell(error[0]), cell(error[1]), cell(error[2]), cell(gain), cell(auc)});
    lines.push_back({names[which] + ", spoiled", spoiled, {}});
    lines.push_back({names[which] + ", sound", sound, {}});
  }
  progress.finish();
  std::filesystem::create_directories("runs");
  show::save_plot("runs/uncertainty.svg", lines, {.title = "Learned log-variance of training samples", .x_label = "epoch", .y_label = "mean s"});
  std::printf("Mean of %d seeds with the 95 %% interval; one in five training targets is spoiled\n%s", seeds, table.str().c_str());
}
