// What is to be done about missing values in a table?
// 920 patients of four hospitals, 13 measures each, of which some hospitals never took this or that one: a tenth of the
// patients has all 13. Who has a narrowed coronary artery? Three models see the same patients: a logistic regression on
// standardised numbers and one-hot categories, a network (MLP) on embedded categories, and a Transformer for which each
// measure is a token. All of them fill gaps with the training mean; with indicators they also learn that there was one.
// Data: $WEFT_DATA/heart_disease_4sites/heart.csv. Arguments: --full (5 seeds instead of 2), --threads N.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/csv.h>
#include <weft/data/loader.h>
#include <weft/data/scale.h>
#include <weft/data/split.h>
#include <weft/data/statistics.h>
#include <weft/layers/tabular.h>
#include <weft/optim/optimizer.h>
#include <weft/show/plot.h>
#include <weft/show/terminal.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

using namespace weft;
using Rows = std::vector<std::int64_t>;

struct Part {
  Tensor x, y;
};
struct Patients {
  Part train, validation, test;
};

Patients parted(const Tensor& features, const Tensor& labels, const data::Split& inner, const Rows& test) {
  const auto part = [&](const Rows& rows) -> Part {
    return {data::take_rows(features, rows), data::take_rows(labels, rows)};
  };
  return {part(inner.train), part(inner.test), part(test)};
}

/// Trains until the loss of the validation patients has not fallen for 15 epochs; the test patients' probabilities
/// then.
template <class Net>
std::vector<double> trained(Net net, const Patients& p, double lr, double decay, std::uint64_t seed) {
  optim::AdamW optimizer(parameters(net), {.lr = lr, .weight_decay = decay});
  data::TensorLoader loader(p.train.x, p.train.y, {.batch_size = 64, .seed = seed});
  const auto loss = [&](const Tensor& x, const Tensor& y) { return binary_cross_entropy_with_logits(net(x), y); };
  Net best = clone(net);
  double least = INFINITY;
  for (int epoch = 0, last = 0; epoch < 200 && epoch - last < 15; ++epoch) {
    train(net);
    for (auto& [x, y] : loader) {
      loss(x, y).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
    eval(net);
    const NoGrad off;
    const double now = loss(p.validation.x, p.validation.y).item();
    if (now < least) {
      least = now;
      last = epoch;
      best = clone(net);
    }
  }
  eval(best);
  const NoGrad off;
  return to_vector<double>(sigmoid(best(p.test.x)));
}

int main(int argc, char** argv) {
  int seeds = 2;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--full")) seeds = 5;
    if (!std::strcmp(argv[i], "--threads") && i + 1 < argc) set_num_threads(std::atoi(argv[i + 1]));
  }
  const char* folder = std::getenv("WEFT_DATA");
  const std::string path = std::string(folder ? folder : ".") + "/heart_disease_4sites/heart.csv";
  if (!std::ifstream(path))
    return std::puts("skipped: set WEFT_DATA to a folder with heart_disease_4sites/heart.csv") < 0;
  data::Table table = data::read_csv(path, {.categorical = {"sex", "cp", "fbs", "restecg", "exang", "slope", "thal"}});
  for (data::Column& column : table.columns)  // nobody lives without cholesterol or pressure: 0 is "not measured"
    if (column.name == "chol" || column.name == "trestbps")
      for (double& v : column.numbers) v = v == 0 ? std::nan("") : v;

  Rows labels, train_rows, test_rows, truth;
  const data::Column& part = table.at("split");
  for (std::int64_t i = 0; i < table.rows(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    labels.push_back(static_cast<std::int64_t>(table.at("target").numbers[row]));
    const bool testing = part.levels[static_cast<std::size_t>(part.codes[row])] == "test";
    (testing ? test_rows : train_rows).push_back(i);
    if (testing) truth.push_back(labels.back());
  }
  const Tensor y = unsqueeze(to(from(labels), DType::float32), 1);
  const std::vector<std::string> measures = {"*", "!site", "!num", "!target", "!split"};
  const std::vector<const char*> models = {"logistic regression", "  with indicators",   "MLP",
                                           "  with indicators",   "Transformer, masked", "  learned tokens"};
  std::vector<std::vector<double>> areas(models.size()), mean(models.size(), std::vector<double>(truth.size(), 0.0));
  show::Progress progress(stderr, false);
  for (int seed = 0; seed < seeds; ++seed) {
    Generator g{static_cast<std::uint64_t>(seed)};
    const data::Split inner = data::validation_split(train_rows, labels, 0.2, g);
    for (std::size_t m = 0; m < models.size(); ++m) {
      progress.update(seed * 6 + static_cast<int>(m), seeds * 6, models[m]);
      manual_seed(static_cast<std::uint64_t>(seed));
      const bool second = m % 2 == 1;
      std::vector<double> p;
      if (m < 2) {
        const auto encoder = data::TableEncoder::fit(table, measures, inner.train, {.indicators = second});
        const Patients all = parted(encoder.apply(table).features, y, inner, test_rows);
        p = trained(Linear(all.train.x.size(1), 1), all, 1e-2, 1e-2, static_cast<std::uint64_t>(seed));
      } else {
        const auto coder = data::TableCoder::fit(table, measures, inner.train);
        const Patients all = parted(coder.apply(table).features, y, inner, test_rows);
        const std::int64_t numbers = coder.numeric();
        const auto codes = coder.cardinalities();
        if (m < 4)
          p = trained(TabularMLP({.numeric = numbers,
                                  .cardinalities = codes,
                                  .out_features = 1,
                                  .hidden = {64, 32},
                                  .dropout = 0.3,
                                  .indicators = second}),
                      all, 2e-3, 1e-2, static_cast<std::uint64_t>(seed));
        else
          p = trained(FTTransformer({.numeric = numbers,
                                     .cardinalities = codes,
                                     .out_features = 1,
                                     .d_token = 32,
                                     .dropout = 0.2,
                                     .missing = second ? MissingFeatures::learned : MissingFeatures::masked}),
                      all, 1e-3, 1e-2, static_cast<std::uint64_t>(seed));
      }
      areas[m].push_back(data::roc_auc(truth, p));
      for (std::size_t i = 0; i < p.size(); ++i) mean[m][i] += p[i] / seeds;
    }
  }
  progress.finish();

  show::TextTable out({"model", "AUC", "SD", "seeds averaged", "95 % interval"});
  std::vector<show::Line> curves;
  for (std::size_t m = 0; m < models.size(); ++m) {
    double centre = 0, spread = 0;
    for (const double a : areas[m]) centre += a / seeds;
    for (const double a : areas[m]) spread += (a - centre) * (a - centre) / (seeds - 1);
    const data::Interval i =
        data::bootstrap(data::Predictions::of(from(truth), from(mean[m])), data::metric("roc_auc").compute);
    out.row({models[m], show::fixed(centre), show::fixed(std::sqrt(spread)), show::fixed(i.estimate),
             show::fixed(i.low) + " to " + show::fixed(i.high)});
    const data::RocCurve roc = data::roc_curve(truth, mean[m]);
    if (m % 2 == 1)
      curves.push_back({m == 1   ? "logistic regression"
                        : m == 3 ? "MLP"
                                 : "Transformer",
                        roc.true_positive_rate, roc.false_positive_rate});
  }
  std::printf("%zu patients to train and validate, %zu to test; mean and deviation over %d seeds\n\n%s",
              train_rows.size(), test_rows.size(), seeds, out.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/table_roc.svg", curves,
                  {.title = "Heart disease, four hospitals",
                   .x_label = "1 - specificity",
                   .y_label = "sensitivity",
                   .diagonal = true});
  std::puts("\nROC curves: runs/table_roc.svg");
}
