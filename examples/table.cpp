// What is to be done about missing values in a table?
// 920 patients of four hospitals, 13 measures each, of which some hospitals never took this or that one: a third of the
// patients has all 13. Who has a narrowed coronary artery? Three models see the same patients: a logistic regression on
// standardised numbers and one-hot categories, a network (MLP) on embedded categories, and a Transformer for which each
// measure is a token. Gaps become the training mean; with indicators (or learned tokens) models also see that there was
// one. Data: $WEFT_DATA/heart_disease_4sites. --full: five seeds instead of two.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Rows = std::vector<std::int64_t>;

/// Trains on inner.train until the loss of inner.test has not fallen for 15 epochs; then everybody's probabilities.
template <class Net>
Tensor predicted(Net net, const Tensor& all, const Tensor& target, const data::Split& inner, double lr) {
  optim::AdamW optimizer(parameters(net), {.lr = lr, .weight_decay = 1e-2});
  data::TensorLoader loader(data::take_rows(all, inner.train), data::take_rows(target, inner.train),
                            {.batch_size = 64});
  const Tensor held = data::take_rows(all, inner.test), held_target = data::take_rows(target, inner.test);
  Net best = clone(net);
  double least = 1e9;
  for (int epoch = 0, last = 0; epoch < 200 && epoch - last < 15; ++epoch) {
    train(net);
    for (auto& [x, y] : loader) {
      binary_cross_entropy_with_logits(net(x), y).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
    eval(net);
    const NoGrad off;
    const double loss = binary_cross_entropy_with_logits(net(held), held_target).item();
    if (loss < least) least = loss, last = epoch, best = clone(net);
  }
  eval(best);
  const NoGrad off;
  return squeeze(sigmoid(best(all)), 1);
}
int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const auto seeds = static_cast<std::size_t>(arguments.seeds_or(arguments.full ? 5 : 2));
  const std::string path =
      std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/heart_disease_4sites/heart.csv";
  if (!std::ifstream(path)) return std::puts("skipped: set WEFT_DATA to a folder with heart_disease_4sites") < 0;
  data::Table table = data::read_csv(path, {.categorical = {"sex", "cp", "fbs", "restecg", "exang", "slope", "thal"}});
  for (data::Column& column : table.columns)  // nobody lives without cholesterol or pressure: 0 is "not measured"
    if (column.name == "chol" || column.name == "trestbps")
      for (double& v : column.numbers) v = v == 0 ? std::nan("") : v;
  const std::vector<std::string> measures = {"*", "!site", "!num", "!target", "!split"};
  const Tensor target = unsqueeze(to(from(table.at("target").numbers), DType::float32), 1);
  const Rows labels = to_vector<std::int64_t>(target);
  const Tensor code = from(table.at("split").codes);  // of "test" and "train", which are sorted
  const Rows test = to_vector<std::int64_t>(nonzero(eq(code, 0))), rows = to_vector<std::int64_t>(nonzero(eq(code, 1)));
  const Tensor truth = data::take_rows(from(labels), test);
  const auto logistic = [&](const data::Split& inner, bool indicators) {
    const auto encoder = data::TableEncoder::fit(table, measures, inner.train, {.indicators = indicators});
    const Tensor x = encoder.apply(table).features;
    return predicted(Linear(x.size(1), 1), x, target, inner, 1e-2);
  };
  const auto mlp = [&](const data::Split& inner, bool indicators) {
    const auto coder = data::TableCoder::fit(table, measures, inner.train);
    const TabularMLP net({.numeric = coder.numeric(),
                          .cardinalities = coder.cardinalities(),
                          .out_features = 1,
                          .hidden = {64, 32},
                          .dropout = 0.3,
                          .indicators = indicators});
    return predicted(net, coder.apply(table).features, target, inner, 2e-3);
  };
  const auto transformer = [&](const data::Split& inner, bool learned) {
    const auto coder = data::TableCoder::fit(table, measures, inner.train);
    const FTTransformer net({.numeric = coder.numeric(),
                             .cardinalities = coder.cardinalities(),
                             .out_features = 1,
                             .dropout = 0.2,
                             .missing = learned ? MissingFeatures::learned : MissingFeatures::masked});
    return predicted(net, coder.apply(table).features, target, inner, 1e-3);
  };
  using Model = std::function<Tensor(const data::Split&, bool)>;
  const std::vector<std::pair<std::string, Model>> models = {
      {"logistic regression", logistic}, {"MLP", mlp}, {"Transformer", transformer}};
  show::TextTable out({"model", "AUC", "SD", "seeds averaged", "95 % interval"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  for (std::size_t m = 0; m < 6; ++m) {
    const auto& [name, model] = models[m / 2];
    std::vector<double> areas;
    std::vector<Tensor> each;
    for (std::size_t seed = 0; seed < seeds; ++seed) {
      progress.update(static_cast<int>(m * seeds + seed), static_cast<int>(6 * seeds), name);
      manual_seed(arguments.seed + seed);
      Generator g{arguments.seed + seed};
      const Tensor p = model(data::validation_split(rows, labels, 0.2, g), m % 2 == 1);
      each.push_back(data::take_rows(p, test));
      areas.push_back(data::roc_auc(data::Predictions::of(truth, each.back())));
    }
    const auto averaged = data::Predictions::of(truth, mean(stack(each), 0));
    const data::Interval i = data::bootstrap(averaged, data::metric("roc_auc").compute);
    out.row({name + (m == 4   ? ", gap masked"
                     : m == 5 ? ", learned token"
                     : m % 2  ? ", gaps marked"
                              : ", gaps filled"),
             show::fixed(mean(from(areas)).item()), show::fixed(sqrt(var(from(areas))).item()), show::fixed(i.estimate),
             show::fixed(i.low) + " to " + show::fixed(i.high)});
    const data::RocCurve roc = data::roc_curve(averaged.labels, averaged.scores(1));
    if (m % 2 == 1) curves.push_back({name, roc.true_positive_rate, roc.false_positive_rate});
  }
  progress.finish();
  std::printf("%zu patients to train and validate, %zu to test; mean and deviation over %zu seeds\n\n%s\n", rows.size(),
              test.size(), seeds, out.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/table.svg", curves,
                  {.title = "Heart disease", .x_label = "1 - specificity", .y_label = "sensitivity", .diagonal = true});
  std::puts("ROC curves: runs/table.svg");
}
