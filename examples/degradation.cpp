// Does a gate notice whom it cannot trust?
// Breast masses are judged from three kinds of evidence: means, standard errors and worst values of ten measures of
// their cell nuclei. A gated fusion weighs the three for each patient. Here one of the three is degraded for all test
// patients, and we look whether its mean weight falls. Trained on clean patients only, a gate has never met bad
// evidence and often trusts it more; trained while single modalities are degraded at random, it learns what it looks
// like. Data: $WEFT_DATA/sklearn_toy/breast_cancer.csv, or else studies/data/wdbc/breast_cancer.csv from here.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/csv.h>
#include <weft/data/loader.h>
#include <weft/data/scale.h>
#include <weft/data/split.h>
#include <weft/fusion/classifier.h>
#include <weft/fusion/degrade.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

using namespace weft;

constexpr int seeds = 10;
const std::vector<std::string> names = {"means", "errors", "worst"}, patterns = {"mean_*", "*_error", "worst_*"};
const std::vector<std::pair<const char*, fusion::Damage>> damages = {{"noise added", fusion::Damage::noise},
                                                                     {"only noise", fusion::Damage::replace},
                                                                     {"shuffled", fusion::Damage::shuffle}};

/// One training run: all that differs between the two columns of the table is `degradation`.
fusion::Classifier trained(const std::string& method, const data::Modalities& patients, const Tensor& target,
                           double degradation, std::uint64_t seed) {
  manual_seed(seed);
  fusion::ClassifierOptions options{.names = names, .fusion = method, .classes = 2, .method = {.width = 16}};
  // The gates look at the measures themselves: an encoder before them could hide what is odd about them.
  for (int m = 0; m < 3; ++m) options.encoders.push_back({"identity", {.in_features = 10}});
  fusion::Classifier net(options);
  optim::Adam optimizer(parameters(net), {.lr = 3e-3, .weight_decay = 1e-4});
  data::Loader loader(patients, target, {.batch_size = 32, .seed = seed});
  const fusion::Scales scales = fusion::measure(patients);
  Generator damage{seed, 1 << 20};
  for (int epoch = 0; epoch < 60; ++epoch)
    for (auto& [x, y] : loader) {
      const data::Modalities seen = fusion::degrade(x, scales, {.probability = degradation}, damage);
      net.loss(net(seen), y).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

/// The mean weight of modality m and the accuracy, over all patients.
std::pair<double, double> look(const fusion::Classifier& net, const data::Modalities& patients, const Tensor& target,
                               int m) {
  const NoGrad off;
  const fusion::Output out = net(patients);
  const Tensor& weights = out.fused.weights;  // of some fusions there are none
  return {weights.defined() ? mean(select(weights, 1, m)).item() : 0,
          mean(to(eq(argmax(out.logits, 1), target), DType::float32)).item()};
}

int main(int argc, char** argv) {
  const std::string method = argc > 1 ? argv[1] : "gate";  // another name compares another fusion that weighs
  const char* folder = std::getenv("WEFT_DATA");
  std::string path = folder ? std::string(folder) + "/sklearn_toy/breast_cancer.csv" : "";
  if (!std::ifstream(path)) path = "studies/data/wdbc/breast_cancer.csv";
  if (!std::ifstream(path))
    return std::puts("skipped: no breast_cancer.csv; set WEFT_DATA to a folder with sklearn_toy/breast_cancer.csv") < 0;
  const data::Table table = data::read_csv(path);
  std::vector<std::int64_t> labels;
  for (const double y : table.at("target").numbers) labels.push_back(static_cast<std::int64_t>(y));

  struct Cell {
    double before = 0, after = 0, accuracy = 0;
    int fell = 0;
  } cells[3][3][2];  // [modality][damage][how trained], means over the seeds
  double clean[2] = {};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Generator g{seed};
    const data::Split split = data::stratified_split(labels, 0.25, g);
    std::vector<Tensor> features;  // standardised by what the training patients show
    for (const std::string& pattern : patterns)
      features.push_back(
          data::TableEncoder::fit(table, std::vector<std::string>{pattern}, split.train).apply(table).features);
    const data::Modalities all = data::Modalities::complete(names, features);
    const data::Modalities train = all.rows(split.train), test = all.rows(split.test);
    const Tensor target = from(labels);
    const Tensor y_train = data::take_rows(target, split.train), y_test = data::take_rows(target, split.test);
    const fusion::Scales scales = fusion::measure(train);
    for (std::size_t how = 0; how < 2; ++how) {
      const fusion::Classifier net = trained(method, train, y_train, how == 0 ? 0.0 : 0.5, seed);
      clean[how] += look(net, test, y_test, 0).second / seeds;
      for (int m = 0; m < 3; ++m)
        for (std::size_t d = 0; d < damages.size(); ++d) {
          Generator damage{seed, 1 << 30};
          const data::Modalities worse = fusion::degrade_modality(test, scales, m, damages[d].second, 2, damage);
          const double was = look(net, test, y_test, m).first;
          const auto [is, right] = look(net, worse, y_test, m);
          Cell& cell = cells[m][d][how];
          cell.before += was / seeds;
          cell.after += is / seeds;
          cell.accuracy += right / seeds;
          cell.fell += is < was;
        }
    }
  }

  std::printf("Mean weight of a modality before and after it is degraded for all test patients, in how many of %d\n",
              seeds);
  std::printf("seeds it falls, and accuracy then (clean: %.3f plainly, %.3f with degradation)\n\n", clean[0], clean[1]);
  std::printf("%-8s %-12s   %-33s   %s\n", "", "", "trained plainly", "trained with degradation");
  for (std::size_t m = 0; m < 3; ++m)
    for (std::size_t d = 0; d < damages.size(); ++d) {
      std::printf("%-8s %-12s", names[m].c_str(), damages[d].first);
      for (const Cell& c : cells[m][d])
        std::printf("   %.2f -> %.2f   %2d of %d   %.3f   ", c.before, c.after, c.fell, seeds, c.accuracy);
      std::puts("");
    }
}
