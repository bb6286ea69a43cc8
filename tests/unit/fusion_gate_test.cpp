#include <weft/autograd/grad.h>
#include <weft/data/csv.h>
#include <weft/data/loader.h>
#include <weft/data/scale.h>
#include <weft/data/split.h>
#include <weft/fusion/classifier.h>
#include <weft/fusion/degrade.h>
#include <weft/optim/optimizer.h>
#include <weft/tests/unit/data_help.h>
#include <weft/tests/unit/fusion_cases.h>

using namespace weft;
using namespace weft::test;

TEST_CASE("gate, relevance, experts: trained with degradation, they lower the weight of what is degraded (masses)") {
  const std::string folder = folder_from("WEFT_DATA");
  if (folder.empty()) {
    MESSAGE("left out: WEFT_DATA names no folder of data sets");
    return;
  }
  const data::Table table = data::read_csv(folder + "/sklearn_toy/breast_cancer.csv");
  std::vector<std::int64_t> labels;
  for (const double y : table.at("target").numbers) labels.push_back(static_cast<std::int64_t>(y));
  // A gate that sees all modalities also notices evidence of somebody else, which looks good by itself.
  std::string method = "gate";
  fusion::Damage damage = fusion::Damage::noise;
  double least = 0.02;
  SUBCASE("gate") {}
  SUBCASE("relevance") { method = "relevance", least = 0.005; }  // 40 % of its weights are given
  SUBCASE("experts") { method = "experts", damage = fusion::Damage::shuffle; }
  CAPTURE(method);
  int fell[3] = {};
  for (std::uint64_t seed = 201; seed <= 203; ++seed) {
    Generator g{seed};
    const data::Split split = data::stratified_split(labels, 0.25, g);
    std::vector<Tensor> features;
    for (const char* pattern : {"mean_*", "*_error", "worst_*"}) {
      const std::vector<std::string> columns = {pattern};
      features.push_back(data::TableEncoder::fit(table, columns, split.train).apply(table).features);
    }
    const data::Modalities all = data::Modalities::complete(abc_names, features);
    const data::Modalities train = all.rows(split.train), test = all.rows(split.test);
    const fusion::Scales scales = fusion::measure(train);

    manual_seed(seed);
    fusion::ClassifierOptions options{.names = abc_names, .fusion = method};
    for (int m = 0; m < 3; ++m) options.encoders.push_back({"identity", {.in_features = 10}});
    fusion::Classifier net(options);
    optim::Adam optimizer(parameters(net), {.lr = 3e-3});
    data::Loader loader(train, data::take_rows(from(labels), split.train), {.batch_size = 32, .seed = seed});
    for (int epoch = 0; epoch < 60; ++epoch)
      for (auto& [x, y] : loader) {
        net.loss(net(fusion::degrade(x, scales, {}, g)), y).backward();
        optimizer.step();
        optimizer.zero_grad();
      }
    eval(net);
    const NoGrad off;
    for (int m = 0; m < 3; ++m) {
      const data::Modalities worse = fusion::degrade_modality(test, scales, m, damage, 2, g);
      const auto weight = [&](const data::Modalities& x) { return mean(select(net(x).fused.weights, 1, m)).item(); };
      fell[m] += weight(worse) < weight(test) - least;
    }
  }
  CHECK(fell[0] == 3);
  CHECK(fell[1] == 3);
  CHECK(fell[2] == 3);
}

TEST_CASE("gate: with context, each confidence follows all modalities that are there, and no filler") {
  fusion::Options options = abc_options();
  const auto made = [&](bool context) {
    manual_seed(4);
    options.context = context;
    return fusion::make("gate", options);
  };
  fusion::Fusion plain = made(false), seeing = made(true);
  const data::Modalities x = abc(gaps);
  data::Modalities other = x;
  other.features[0] = x.features[0] * 2;
  const auto confidence = [](const fusion::Fusion& f, const data::Modalities& in, std::int64_t m) {
    const NoGrad off;
    return numbers(select(f(in).confidence, 1, m));
  };
  // What c is trusted changes with a, where there is an a: rows 0, 1 and 4, of which 4 has no c.
  CHECK(confidence(plain, x, 2) == confidence(plain, other, 2));
  const auto before = confidence(seeing, x, 2), after = confidence(seeing, other, 2);
  for (const std::size_t row : {0U, 1U}) CHECK(before[row] != after[row]);
  for (const std::size_t row : {2U, 3U, 4U}) CHECK((before[row] == 0 && after[row] == 0));

  const fusion::Fused fused = seeing(x), filled = seeing(abc(gaps, 1e3));
  CHECK(same(fused.weights, filled.weights));
  CHECK(same(fused.features, filled.features));
  const auto sums = numbers(sum(fused.weights, 1));
  for (std::size_t row = 0; row < 5; ++row) CHECK(sums[row] == doctest::Approx(row == 3 ? 0 : 1));
  // The vectors that stand for who is absent are learned.
  const Tensor y = from(std::vector<std::int64_t>{0, 2, 1, 1, 2});
  (sum(square(fused.features)) + seeing.auxiliary_loss(fused, y)).backward();
  int absent = 0;
  for (const auto& [name, p] : named_parameters(seeing))
    if (name.rfind("absent", 0) == 0) absent += p.grad().defined() && finite(p.grad());
  CHECK(absent == 3);
  CHECK(parameter_count(seeing) > parameter_count(plain));
  for (const auto& each : named_parameters(plain)) CHECK(each.first.rfind("absent", 0) != 0);
}
