#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/fusion/classifier.h>
#include <weft/fusion/decisions.h>
#include <weft/optim/optimizer.h>
#include <weft/tests/unit/fusion_cases.h>

/// What fusions claim to be better at, on data where others fail.

using namespace weft;
using namespace weft::test;

namespace {

struct Samples {
  data::Modalities x;
  Tensor y;
};

/// Two modalities of one number each; the class is whether their signs agree, so that neither says anything alone.
Samples agreeing_signs(std::int64_t rows, std::uint64_t seed) {
  Generator g{seed};
  const Tensor a = randn({rows, 1}, 0, 1, DType::float32, g), b = randn({rows, 1}, 0, 1, DType::float32, g);
  return {data::Modalities::complete({"a", "b"}, {a, b}), to(squeeze(gt(a * b, 0), 1), DType::int64)};
}

constexpr double right_by[] = {0.9, 0.6, 0.75};

/// Three judges of two classes, as likely as 0.7 and 0.3, who err independently.
Samples judged(std::int64_t rows, std::uint64_t seed) {
  Generator g{seed};
  std::vector<std::int64_t> y;
  std::vector<std::vector<float>> said(3);
  for (std::int64_t row = 0; row < rows; ++row) {
    y.push_back(g.uniform() < 0.3);
    for (std::size_t m = 0; m < 3; ++m) {
      const bool right = g.uniform() < right_by[m];
      said[m].push_back((y.back() == 1) == right ? 1.0F : -1.0F);
    }
  }
  std::vector<Tensor> features;
  for (const auto& each : said) features.push_back(from(each, Shape{rows, 1}));
  return {data::Modalities::complete(abc_names, features), from(y)};
}

fusion::Classifier trained(const Samples& samples, const std::string& name, int steps, double lr) {
  manual_seed(1);
  fusion::ClassifierOptions o{.names = samples.x.names, .fusion = name, .classes = 2, .method = {.width = 8}};
  for (int m = 0; m < samples.x.count(); ++m) o.encoders.push_back({"identity", {.in_features = 1}});
  fusion::Classifier net(o);
  optim::Adam optimizer(parameters(net), {.lr = lr});
  for (int step = 0; step < steps; ++step) {
    net.loss(net(samples.x), samples.y).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  eval(net);
  return net;
}

double accuracy(const fusion::Classifier& net, const Samples& samples) {
  const NoGrad off;
  return mean(to(eq(argmax(net(samples.x).logits, 1), samples.y), DType::float64)).item();
}

}  // namespace

TEST_CASE("fusion: what only two modalities together show is seen by products and not by sums") {
  const Samples train = agreeing_signs(400, 1), test = agreeing_signs(400, 2);
  for (const char* name : {"tensor", "lowrank"}) {
    CAPTURE(name);
    CHECK(accuracy(trained(train, name, 200, 0.03), test) > 0.95);
  }
  for (const char* name : {"mean", "concat", "late", "product"}) {
    CAPTURE(name);
    CHECK(accuracy(trained(train, name, 200, 0.03), test) < 0.65);
  }
}

TEST_CASE("product: for judges who err independently it comes within a hair of the best possible, the mean does not") {
  const Samples train = judged(4000, 1), test = judged(4000, 2);
  // The best possible: Bayes' rule with the true chances.
  double best = 0;
  std::vector<std::vector<double>> said;
  for (const Tensor& x : test.x.features) said.push_back(numbers(x));
  const std::vector<std::int64_t> y = to_vector<std::int64_t>(test.y);
  for (std::size_t row = 0; row < y.size(); ++row) {
    double p[2] = {0.7, 0.3};
    for (std::size_t m = 0; m < 3; ++m)
      for (int c = 0; c < 2; ++c) p[c] *= (said[m][row] > 0) == (c == 1) ? right_by[m] : 1 - right_by[m];
    best -= std::log(p[y[row]] / (p[0] + p[1])) / static_cast<double>(y.size());
  }
  const auto loss = [&](const char* name) {
    return nll_loss(trained(train, name, 300, 0.03)(test.x).log_probabilities, test.y).item();
  };
  CHECK(loss("product") < best + 0.01);
  CHECK(loss("late") > best + 0.03);
}

TEST_CASE("vote: who is right more often is worth more") {
  const Samples train = judged(4000, 3);
  fusion::Classifier net = trained(train, "vote", 300, 0.03);
  const NoGrad off;
  std::vector<double> worth;
  for (const auto& [name, x] : state(net))
    if (name == "fusion.theta") worth = numbers(softplus(x));
  REQUIRE(worth.size() == 3);
  // The worst judge says "0" for any evidence: with 0.6 against a prior of 0.7 that is his likelier answer.
  CHECK(worth[0] == doctest::Approx(std::log(0.9 / 0.1)).epsilon(0.1));
  CHECK(worth[2] == doctest::Approx(std::log(0.75 / 0.25)).epsilon(0.1));
  CHECK(worth[2] > worth[1]);
}
