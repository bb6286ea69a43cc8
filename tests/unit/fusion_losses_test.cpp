#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/testing.h>
#include <weft/fusion/trusted.h>
#include <weft/tests/unit/fusion_cases.h>

/// Weights of rows and modalities in the fusions' own losses, and what of these losses is a fact without a gradient.

using namespace weft;
using namespace weft::test;
using doctest::Approx;
using fusion::Fused;
using fusion::Fusion;

namespace {

Fusion made(const std::string& name, const fusion::Options& options = abc_options()) {
  manual_seed(1);
  return fusion::make(name, options);
}

Tensor targets(std::int64_t third = 1) { return from(std::vector<std::int64_t>{0, 2, third, 1, 2}); }

bool has_own_loss(const Fusion& f) { return f.auxiliary_loss(f(abc(gaps)), targets()).defined(); }

}  // namespace

TEST_CASE("fusion losses: a row that weighs nothing is nowhere in them, and only the proportions of weights count") {
  const Tensor weights = tensor({1, 2, 0, 1, 3}, DType::float64);
  int seen = 0;
  for (const Method& method : methods()) {
    const Fusion f = made(method.name);
    if (!has_own_loss(f)) continue;
    CAPTURE(method.name);
    ++seen;
    data::Modalities x = abc(gaps);
    const double plain = f.auxiliary_loss(f(x), targets()).item();
    const double weighed = f.auxiliary_loss(f(x), targets(), {.row_weights = weights}).item();
    CHECK(weighed != Approx(plain));
    CHECK(f.auxiliary_loss(f(x), targets(), {.row_weights = weights * 7}).item() == Approx(weighed));
    CHECK(f.auxiliary_loss(f(x), targets(), {.row_weights = ones({5}, DType::float64)}).item() == Approx(plain));
    CHECK(f.auxiliary_loss(f(x), targets(0), {.row_weights = weights}).item() == Approx(weighed));
    x.features[1] = where(mask({{0}, {0}, {1}, {0}, {0}}), x.features[1] * -3.0, x.features[1]);
    CHECK(f.auxiliary_loss(f(x), targets(), {.row_weights = weights}).item() == Approx(weighed));
    CHECK(f.auxiliary_loss(f(x), targets()).item() != Approx(plain));
    CHECK(message([&] {
            f.auxiliary_loss(f(x), targets(), {.row_weights = tensor({1, 1, -1, 1, 1}, DType::float64)});
          }) == "mean_loss: there is a negative row weight");
  }
  CHECK(seen == 8);
}

TEST_CASE("fusion losses: a row with nothing is in no mean") {
  const std::vector<std::int64_t> others = {0, 1, 2, 4};  // row 3 has nothing
  for (const Method& method : methods()) {
    const Fusion f = made(method.name);
    // The prior of "product" is that of everybody.
    if (method.name == "product" || !has_own_loss(f)) continue;
    CAPTURE(method.name);
    const data::Modalities x = abc(gaps), some = x.rows(others);
    const double all = f.auxiliary_loss(f(x), targets()).item();
    CHECK(f.auxiliary_loss(f(some), index_select(targets(), 0, from(others))).item() == Approx(all));
  }
}

TEST_CASE("fusion losses: each modality's own part times its weight") {
  const auto weights = [](std::vector<double> w) { return fusion::LossOptions{.modality_weights = from(w)}; };
  for (const Method& method : methods()) {
    const Fusion f = made(method.name);
    if (!has_own_loss(f)) continue;
    CAPTURE(method.name);
    const Fused fused = f(abc(gaps));
    const auto loss = [&](const fusion::LossOptions& o) { return f.auxiliary_loss(fused, targets(), o).item(); };
    // What no modality has of its own (a prior, the combination) stays as it is.
    const double rest = loss(weights({0, 0, 0})), a = loss(weights({1, 0, 0})) - rest,
                 b = loss(weights({0, 1, 0})) - rest, c = loss(weights({0, 0, 1})) - rest;
    for (const double own : {a, b, c}) CHECK(own > 0);
    CHECK(loss(weights({2, 0.5, 3})) == Approx(rest + 2 * a + 0.5 * b + 3 * c));
    CHECK(loss({}) == Approx(rest + a + b + c));
    CHECK(message([&] { loss(weights({1, 1})); }) == "mean_loss: the modality weights are [2], there are 3 modalities");
    CHECK(message([&] { loss(weights({1, 1, -1})); }) == "mean_loss: there is a negative modality weight");
  }
}

TEST_CASE("fusion losses: what a confidence has to foretell is a fact, and no decision moves towards its confidence") {
  for (const std::string name : {"gate", "relevance", "dynamics"}) {
    CAPTURE(name);
    const auto gradients = [&](double confidence_weight, const std::string& member) {
      fusion::Options options = abc_options();
      options.confidence_weight = confidence_weight;
      Fusion f = made(name, options);
      f.auxiliary_loss(f(abc(gaps)), targets()).backward();
      std::vector<Tensor> all;
      for (const auto& [parameter, value] : named_parameters(f))
        if (parameter.starts_with(member)) all.push_back(value.grad());
      return all;
    };
    const auto without = gradients(0, "heads."), with = gradients(50, "heads.");
    REQUIRE(without.size() == 6);
    for (std::size_t i = 0; i < with.size(); ++i) CHECK(same(with[i], without[i]));
    const std::string judges = name == "dynamics" ? "confidences." : "gates.";
    CHECK(sum(abs(gradients(50, judges).at(0))).item() > 0);
  }
}

TEST_CASE("energy: the order of energies is what the ranking changes, not who is right") {
  fusion::Options options = abc_options();
  options.names = {"a"};
  options.widths = {1};
  options.classes = 2;
  options.ranking_weight = 1;
  fusion::Energy energy(options);
  const std::vector<double> w = {1, 0};
  std::copy(w.begin(), w.end(), energy.heads[0].weight.mutable_data<double>());
  std::fill_n(energy.heads[0].bias.mutable_data<double>(), 2, 0.0);
  const std::vector<double> x = {1, -1, 0.5};
  const std::vector<std::int64_t> y = {0, 0, 1};
  const auto right = [&](std::size_t i, double slope) {
    const double p = 1 / (1 + std::exp(-slope * x[i]));
    return y[i] == 0 ? p : 1 - p;
  };
  // The loss as a function of the first slope, in which the ranking's order stays that of slope 1.
  const auto loss = [&](double slope) {
    double total = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t j = (i + 2) % 3;
      const double apart = right(i, 1) - right(j, 1);
      const double known = std::log1p(std::exp(slope * x[i])) - std::log1p(std::exp(slope * x[j]));
      total += (std::max(0.0, std::abs(apart) - (apart > 0 ? 1 : -1) * known) - std::log(right(i, slope))) / 3;
    }
    return total;
  };
  const data::Modalities in = data::Modalities::complete({"a"}, {from(x, Shape{3, 1})});
  const Tensor auxiliary = energy.auxiliary_loss(energy(in), from(y));
  CHECK(auxiliary.item() == Approx(loss(1)));
  auxiliary.backward();
  CHECK(numbers(energy.heads[0].weight.grad())[0] == Approx((loss(1 + 1e-5) - loss(1 - 1e-5)) / 2e-5).epsilon(1e-6));
}

TEST_CASE("fusion: a temperature divides the scores of every method that has one") {
  for (const std::string name : {"softmax", "gate", "attention", "query", "cross", "energy", "experts"}) {
    CAPTURE(name);
    const auto at = [&](double temperature) {
      fusion::Options options = abc_options();
      options.temperature = temperature;
      Fusion f = made(name, options);
      Generator g{5};
      for (Tensor& p : parameters(f)) {
        const std::vector<double> more = numbers(randn(p.shape(), 0, 0.3, DType::float64, g));
        for (std::size_t i = 0; i < more.size(); ++i) p.mutable_data<double>()[i] += more[i];
      }
      const Fused fused = f(abc({{1, 1, 1}, {1, 1, 1}}));
      // Of "cross": how the first looks at the second and the third, in both samples.
      const Tensor w = name == "cross" ? slice(select(squeeze(fused.attention, 1), 1, 0), 1, 1, 3) : fused.weights;
      return numbers(log(select(w, 1, 0)) - log(select(w, 1, 1)));
    };
    const std::vector<double> one = at(1), three = at(3);
    for (std::size_t i = 0; i < one.size(); ++i) {
      CHECK(std::abs(one[i]) > 1e-3);
      CHECK(one[i] == Approx(3 * three[i]));
    }
  }
}

TEST_CASE("cross: of half the quality, a quarter of the attention and of the say with a power of 2") {
  fusion::Options options = abc_options();
  const Fusion plain = made("cross", options);
  options.quality_weight = 2;
  const Fusion seeing = made("cross", options);
  data::Modalities x = abc({{1, 1, 1}, {0, 1, 0}, {0, 0, 0}});
  const Fused before = plain(x);
  CHECK(same(seeing(x).features, before.features));  // nobody knows a quality
  const double nan = std::nan("");
  x.quality = tensor({{0.5, 1, 1}, {nan, 0, nan}, {nan, 7, nan}}, DType::float64);
  const Fused after = seeing(x);
  const std::vector<double> a = numbers(before.attention), b = numbers(after.attention);
  CHECK(b[3] / b[5] == Approx(a[3] / a[5] / 4));  // how the second looks at the first and the third
  CHECK(b[6] / b[7] == Approx(a[6] / a[7] / 4));
  CHECK(b[1] / b[2] == Approx(a[1] / a[2]));
  const double own[3] = {1. / 9, 4. / 9, 4. / 9};
  double all = 0, parts[3];
  for (std::size_t m = 0; m < 3; ++m) all += parts[m] = own[m] + own[0] * b[m] + own[1] * b[3 + m] + own[2] * b[6 + m];
  for (std::size_t m = 0; m < 3; ++m) CHECK(numbers(after.weights)[m] == Approx(parts[m] / all));
  CHECK(numbers(after.weights)[0] < numbers(before.weights)[0] / 2);
  // Alone it is all there is, however bad.
  CHECK(same(select(after.features, 0, 1), select(before.features, 0, 1)));
  CHECK(finite(after.features));
  x.quality = full({3, 3}, 2, DType::float64);
  CHECK(message([&] { seeing(x); }) ==
        "cross: a quality of the data is not in [0, 1]\n  help: bring it to a scale from 0 to 1");
  options.quality_weight = -1;
  CHECK(message([&] { made("cross", options); }) == "cross: quality_weight is -1\n  help: choose 0 or more");
}

TEST_CASE("cross: a modality weighs as often as it takes part, as itself and by the attention that it gets") {
  const Fusion f = made("cross");
  const Fused fused = f(abc({{1, 1, 1}, {1, 0, 1}}));
  const std::vector<double> a = numbers(fused.attention), w = numbers(fused.weights);  // (2, 1, 3, 3)
  for (std::size_t m = 0; m < 3; ++m) {
    CHECK(a[3 * m + m] == 0);
    CHECK(w[m] == Approx((1 + a[m] + a[3 + m] + a[6 + m]) / 6));
  }
  CHECK(w[0] != Approx(w[1]));
  CHECK(w[3] == Approx(0.5));  // of two, each looks at the other
}
