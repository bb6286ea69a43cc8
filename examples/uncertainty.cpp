// Which training targets are wrong? Let the loss find out.
// One in five training targets is spoiled by a gross error. The mean squared error chases these. With a free
// log-variance s for each training sample the loss exp(-s) r^2 + s lets go of targets that nothing explains: their s
// rises, and they hardly count any more. First on 442 diabetes patients (how the disease went on within a year, from
// ten measures; $WEFT_DATA/sklearn_toy/diabetes.csv, where it is there), then on simulated rows. The network never sees
// which targets are spoiled. Draws runs/uncertainty.svg. Arguments: --full (20 seeds), --seeds N, --seed FIRST, ...
#include <filesystem>
#include <fstream>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Reals = std::vector<double>;
constexpr int epochs = 100;

struct Task {
  Tensor x, clean;    // (N, F), (N,): standardised by the training part
  Tensor y, spoiled;  // (N,): clean with errors in it; 1 where there is one
  std::vector<std::int64_t> train, test;
};

/// The table in a file, or simulated rows. One target in five is off by 3 to 6 deviations, up or down.
Task make(const std::string& path, Generator& g) {
  Tensor x = randn({600, 10}, 0, 1, DType::float32, g), y = randn({600, 1}, 0, 0.3, DType::float32, g);
  const auto column = [&](int i) { return slice(x, 1, i, i + 1); };
  y = y + sin(column(0) * 2) + column(1) * column(2) + column(3);
  if (!path.empty()) {
    const data::Table csv = data::read_csv(path);
    x = to(csv.matrix(std::vector<std::string>{"*", "!target", "!split"}), DType::float32);
    y = to(csv.matrix(std::vector<std::string>{"target"}), DType::float32);
  }
  const std::int64_t n = x.size(0), n_train = n * 3 / 4;
  const Tensor order = randperm(n, g), spoiled = bernoulli({n}, 0.2, DType::float32, g);
  const Tensor off = rand({n}, 3, 6, DType::float32, g) * (bernoulli({n}, 0.5, DType::float32, g) * 2 - 1);
  Task task{.spoiled = spoiled,
            .train = to_vector<std::int64_t>(slice(order, 0, 0, n_train)),
            .test = to_vector<std::int64_t>(slice(order, 0, n_train, n))};
  task.x = data::Standardizer::fit(x, task.train).apply(x);
  task.clean = squeeze(data::Standardizer::fit(y, task.train).apply(y), 1);
  task.y = task.clean + spoiled * off;
  return task;
}

enum Kind { squared, huber, uncertain };
struct Result {
  double error, best, auc;  // on clean test targets, at the end and at the best epoch; of s, spoiled against sound
  Reals course[2];          // mean s of spoiled and of sound samples after each epoch
};

Result trained(const Task& task, Kind kind, std::uint64_t seed) {
  manual_seed(seed);
  Sequential net(Linear(task.x.size(1), 16), Tanh(), Linear(16, 1));
  const Tensor x = data::take_rows(task.x, task.train), y = data::take_rows(task.y, task.train);
  const Tensor spoiled = data::take_rows(task.spoiled, task.train);
  const std::int64_t n = x.size(0);
  // A sound target is expected to leave half of the variance unexplained; that is worth two observations.
  fusion::SampleVariance variance({.samples = n, .initial = 1, .center = -0.7, .strength = 2});
  optim::Adam optimizer(parameters(net), {.lr = 5e-3, .weight_decay = 1e-3});
  optimizer.add_group(parameters(variance), {.lr = 5e-2});
  Result result{.best = 1e9};
  Generator g{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const Tensor order = randperm(n, g);
    for (std::int64_t at = 0; at < n; at += 32) {
      const Tensor ids = slice(order, 0, at, std::min(at + 32, n)), wanted = index_select(y, 0, ids);
      const Tensor answer = squeeze(net(index_select(x, 0, ids)), 1), s = variance(ids);
      optimizer.zero_grad();
      const Tensor loss = kind == squared ? mse_loss(answer, wanted)
                          : kind == huber ? huber_loss(answer, wanted)
                                          : fusion::heteroscedastic_loss(answer, s, wanted) + variance.penalty(ids);
      loss.backward();
      optimizer.step();
    }
    const NoGrad off;
    const Tensor answer = squeeze(net(data::take_rows(task.x, task.test)), 1);
    result.error = mse_loss(answer, data::take_rows(task.clean, task.test)).item();
    result.best = std::min(result.best, result.error);
    result.course[0].push_back(weighted_mean(variance.log_variance, spoiled).item());
    result.course[1].push_back(weighted_mean(variance.log_variance, 1 - spoiled).item());
  }
  result.auc = data::roc_auc(to_vector<std::int64_t>(spoiled), to_vector<double>(variance.log_variance));
  return result;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 20 : 10);
  const char* folder = std::getenv("WEFT_DATA");
  const std::string file = std::string(folder ? folder : ".") + "/sklearn_toy/diabetes.csv";
  // No validation can stop plain squares better than hindsight does; what is left is not a matter of overfitting.
  show::TextTable table({"clean error", "squared", "stopped in hindsight", "huber", "uncertain", "gain", "AUC of s"});
  std::vector<show::Line> lines;
  show::Progress progress(stderr, false);
  for (const std::string& path : {file, std::string()}) {
    const std::string name = path.empty() ? "simulated" : "diabetes";
    if (!path.empty() && !std::ifstream(path)) continue;
    Reals error[3], best, gain, auc, course[2] = {Reals(epochs), Reals(epochs)};
    for (int k = 0; k < seeds; ++k) {
      progress.update(k, seeds, name);
      Generator g{arguments.seed + static_cast<std::uint64_t>(k)};
      const Task task = make(path, g);
      for (const Kind kind : {squared, huber, uncertain}) {
        const Result r = trained(task, kind, g.seed);
        error[kind].push_back(r.error);
        if (kind == squared) best.push_back(r.best);
        if (kind != uncertain) continue;
        auc.push_back(r.auc), gain.push_back(best.back() - r.error);
        for (std::size_t e = 0; e < 2 * epochs; ++e) course[e % 2][e / 2] += r.course[e % 2][e / 2] / seeds;
      }
    }
    std::vector<std::string> cells = {name};
    for (const Reals& values : {error[0], best, error[1], error[2], gain, auc}) {
      const data::Interval i = data::mean_interval(values);
      cells.push_back(show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")");
    }
    table.row(cells);
    lines.push_back({name + ", spoiled", course[0], {}});
    lines.push_back({name + ", sound", course[1], {}});
  }
  progress.finish();
  std::filesystem::create_directories("runs");
  show::save_plot("runs/uncertainty.svg", lines,
                  {.title = "Learned log-variances", .x_label = "epoch", .y_label = "s"});
  std::printf(
      "Errors in variances of the target, the gain over squares stopped in hindsight; means of %d seeds, 95 %% "
      "intervals\n%s",
      seeds, table.str().c_str());
}
