// Which training targets are wrong? Let the loss find out.
// One in five targets is spoiled by a gross error, and the mean squared error chases these. With a free log-variance s
// for each training sample the loss exp(-s) r^2 + s lets go of what nothing explains: its s rises, and it hardly
// counts. First on 442 diabetes patients ($WEFT_DATA/sklearn_toy/diabetes.csv, if it is there), then on simulated rows.
// The network never sees which targets are spoiled. Draws runs/uncertainty.svg. --full: 20 seeds in place of 10.
#include <algorithm>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Reals = std::vector<double>;
constexpr int epochs = 100;

struct Task {
  Tensor x, clean;                              // (N, F), (N,): standardised by the training part
  Tensor y, spoiled;                            // (N,): clean with errors in it; 1 where there is one
  std::vector<std::int64_t> train, held, test;  // held: spoiled, too; says when to stop
};

/// The table in a file, or simulated rows. One target in five is off by 3 to 6 deviations, up or down.
Task make(const std::string& path, Generator& g) {
  Tensor x = randn({600, 10}, 0, 1, DType::float32, g), y = randn({600, 1}, 0, 0.3, DType::float32, g);
  y = y + sin(slice(x, 1, 0, 1) * 2) + slice(x, 1, 1, 2) * slice(x, 1, 2, 3) + slice(x, 1, 3, 4);
  if (!path.empty()) {
    const data::Table csv = data::read_csv(path);
    x = to(csv.matrix(std::vector<std::string>{"*", "!target", "!split"}), DType::float32);
    y = to(csv.matrix(std::vector<std::string>{"target"}), DType::float32);
  }
  const std::int64_t n = x.size(0);
  const Tensor order = randperm(n, g), spoiled = bernoulli({n}, 0.2, DType::float32, g);
  const Tensor off = rand({n}, 3, 6, DType::float32, g) * sign(randn({n}, 0, 1, DType::float32, g));
  const auto part = [&](int a, int b) { return to_vector<std::int64_t>(slice(order, 0, n * a / 20, n * b / 20)); };
  Task task{.spoiled = spoiled, .train = part(0, 12), .held = part(12, 15), .test = part(15, 20)};
  task.x = data::Standardizer::fit(x, task.train).apply(x);
  task.clean = squeeze(data::Standardizer::fit(y, task.train).apply(y), 1);
  task.y = task.clean + spoiled * off;
  return task;
}

enum Kind { squared, huber, uncertain };
struct Result {
  double held = 1e9, error = 0, auc = 0;  // least absolute error on held rows, error on clean test targets then
  Reals course[2];                        // mean s of spoiled and of sound samples after each epoch
};

Result trained(const Task& task, Kind kind, std::uint64_t seed) {
  manual_seed(seed);
  Sequential net(Linear(task.x.size(1), 16), Tanh(), Linear(16, 1));
  const Tensor x = data::take_rows(task.x, task.train), y = data::take_rows(task.y, task.train);
  const Tensor spoiled = data::take_rows(task.spoiled, task.train);
  // A sound target is expected to leave half of the variance unexplained; that is worth two observations.
  const std::int64_t n = x.size(0);
  fusion::SampleVariance variance({.samples = n, .initial = 1, .center = -0.7, .strength = 2});
  optim::Adam optimizer(parameters(net), {.lr = 5e-3, .weight_decay = 1e-3});
  optimizer.add_group(parameters(variance), {.lr = 5e-2});
  Result result;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const Tensor order = randperm(n);
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
    const Tensor answers = squeeze(net(task.x), 1);
    const auto error_of = [&](const auto& rows, const Tensor& wanted, auto loss) {
      return loss(data::take_rows(answers, rows), data::take_rows(wanted, rows), Reduction::mean).item();
    };
    // Absolute errors, since spoiled targets would rule squared ones; the same for all losses.
    if (const double held = error_of(task.held, task.y, l1_loss); held < result.held)
      result.held = held, result.error = error_of(task.test, task.clean, mse_loss);
    for (std::size_t i = 0; i < 2; ++i)
      result.course[i].push_back(weighted_mean(variance.log_variance, i == 0 ? spoiled : 1 - spoiled).item());
  }
  result.auc = data::roc_auc(to_vector<std::int64_t>(spoiled), to_vector<double>(variance.log_variance));
  return result;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 20 : 10);
  const char* root = std::getenv("WEFT_DATA");
  const std::string file = root ? std::string(root) + "/sklearn_toy/diabetes.csv" : "", none;
  show::TextTable table({"clean test error", "squared", "huber", "uncertain", "squared - uncertain", "AUC of s"});
  std::vector<show::Line> lines;
  show::Progress progress(stderr, false);
  for (const std::string& path : std::filesystem::exists(file) ? std::vector{file, none} : std::vector{none}) {
    const std::string name = path.empty() ? "simulated" : "diabetes";
    Reals error[3], gain, auc, course[2] = {Reals(epochs), Reals(epochs)};
    for (int k = 0; k < seeds; ++k) {
      progress.update(k, seeds, name);
      Generator g{arguments.seed + static_cast<std::uint64_t>(k)};
      const Task task = make(path, g);
      Result r;  // of the last kind, in the end
      for (const Kind kind : {squared, huber, uncertain})
        r = trained(task, kind, g.seed), error[kind].push_back(r.error);
      auc.push_back(r.auc), gain.push_back(error[squared].back() - r.error);
      for (std::size_t e = 0; e < 2 * epochs; ++e) course[e % 2][e / 2] += r.course[e % 2][e / 2] / seeds;
    }
    const auto cell = [](const Reals& values, double most = 1e9) {  // an AUC is at most 1
      const data::Interval i = data::mean_interval(values);
      return show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(std::min(i.high, most)) + ")";
    };
    table.row({name, cell(error[0]), cell(error[1]), cell(error[2]), cell(gain), cell(auc, 1)});
    lines.push_back({name + ", spoiled", course[0], {}}), lines.push_back({name + ", sound", course[1], {}});
  }
  progress.finish();
  std::filesystem::create_directories("runs");
  show::save_plot("runs/uncertainty.svg", lines, {.title = "Mean log-variance s", .x_label = "epoch"});
  std::printf("Errors in variances of the target; means of %d seeds, 95 %% intervals\n%s", seeds, table.str().c_str());
}
