#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/testing.h>
#include <weft/fusion/uncertainty.h>
#include <weft/layers/basic.h>
#include <weft/layers/testing.h>
#include <weft/optim/adam.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using namespace weft::tests;
using fusion::heteroscedastic_loss;
using fusion::SampleVariance;
using fusion::Task;
using fusion::TaskWeights;

namespace {

Tensor row(std::initializer_list<double> values) { return tensor(values, DType::float64); }
const double ln2 = std::log(2.), ln3 = std::log(3.);

}  // namespace

TEST_CASE("heteroscedastic_loss: by hand, with a half, weights and every reduction") {
  // residuals 1, 2, 3 and variances 1, 2, 3: 1 + 0, 4 / 2 + ln 2, 9 / 3 + ln 3
  const Tensor prediction = row({0, 0, 0}), s = row({0, ln2, ln3}), target = row({1, -2, 3});
  const Tensor each = row({1, 2 + ln2, 3 + ln3});
  CHECK(testing::allclose(heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::none}), each));
  CHECK(heteroscedastic_loss(prediction, s, target).item() == doctest::Approx((6 + ln2 + ln3) / 3));
  CHECK(heteroscedastic_loss(prediction, s, target, {.half = true}).item() == doctest::Approx((6 + ln2 + ln3) / 6));
  CHECK(heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::sum}).item() ==
        doctest::Approx(6 + ln2 + ln3));
  CHECK(heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::batchmean}).item() ==
        doctest::Approx((6 + ln2 + ln3) / 3));
  const Tensor w = row({1, 0, 3});
  CHECK(heteroscedastic_loss(prediction, s, target, {.weights = w}).item() == doctest::Approx((1 + 3 * (3 + ln3)) / 4));
  CHECK(heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::sum, .weights = w}).item() ==
        doctest::Approx(1 + 3 * (3 + ln3)));
  CHECK(testing::allclose(
      heteroscedastic_loss(prediction, s, target, {.half = true, .reduction = Reduction::none, .weights = w}),
      row({0.5, 0, 1.5 * (3 + ln3)})));
  // With s = 0 it is the mean squared error, and with a half the Gaussian's negative log-likelihood.
  CHECK(heteroscedastic_loss(prediction, zeros_like(s), target).item() ==
        doctest::Approx(mse_loss(prediction, target).item()));
  CHECK(heteroscedastic_loss(prediction, s, target, {.half = true}).item() ==
        doctest::Approx(gaussian_nll_loss(prediction, target, exp(s)).item()));
}

TEST_CASE("heteroscedastic_loss: per output, a shared variance, weights per sample, gradients") {
  const Tensor prediction = normal({4, 3}, 1), target = normal({4, 3}, 2), s = normal({4, 3}, 3),
               shared = normal({4, 1}, 4), w = row({1, 2, 0, 0.5});
  for (const Tensor& v : {s, shared})
    for (const bool half : {false, true}) {
      const testing::Report report = testing::gradcheck(
          [&](const std::vector<Tensor>& in) {
            return heteroscedastic_loss(in[0], in[1], in[2], {.half = half, .weights = w});
          },
          {prediction, v, target});
      CHECK_MESSAGE(report, report.message);
    }
  const Tensor rows = heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::none});
  CHECK(heteroscedastic_loss(prediction, s, target, {.weights = w}).item() ==
        doctest::Approx(weighted_mean(rows, w).item()));
  CHECK(heteroscedastic_loss(prediction, s, target, {.reduction = Reduction::sum, .weights = w}).item() ==
        doctest::Approx(sum(rows * reshape(w, {4, 1})).item()));
}

TEST_CASE("heteroscedastic_loss: beyond its bounds s counts as the bound and only comes back") {
  // Two below -1: residuals 0 (would sink further) and 2 (comes back); two above 1: residuals 0 (comes back) and 9.
  const Tensor s = row({-3, -3, 4, 4}).set_requires_grad(), target = row({0, 2, 0, 9});
  const Tensor losses =
      heteroscedastic_loss(zeros_like(target), s, target, {.reduction = Reduction::none, .bounds = {-1, 1}});
  CHECK(testing::allclose(losses, row({-1, 4 * std::exp(1.) - 1, 1, 81 * std::exp(-1.) + 1})));
  sum(losses).backward();
  CHECK(testing::allclose(s.grad(), row({0, 1 - 4 * std::exp(1.), 1, 0})));
  // An exact fit in float32 stays finite.
  const Tensor exact = full({2}, -500).set_requires_grad();
  CHECK(heteroscedastic_loss(zeros({2}), exact, zeros({2})).item() == doctest::Approx(-10));
}

TEST_CASE("heteroscedastic_loss: errors") {
  const Tensor x = zeros({3}), y = zeros({3, 1});
  CHECK(error_of([&] { heteroscedastic_loss(x, x, y); }) ==
        "ShapeError: heteroscedastic_loss: the prediction is [3], the target [3, 1]");
  CHECK(error_of([&] { heteroscedastic_loss(x, y, x); }) ==
        "ShapeError: heteroscedastic_loss: the prediction is [3], the log-variance [3, 1]\n  help: give it the "
        "prediction's axes, or size 1 where a variance is shared");
  CHECK(error_of([&] {
          heteroscedastic_loss(x, x, x, {.bounds = {2, 1}});
        }) ==
        "ConfigError: heteroscedastic_loss: the log-variance is bounded by 2 and 1\n  help: choose a low bound below "
        "the high one");
  CHECK(error_of([&] { heteroscedastic_loss(x, x, x, {.reduction = Reduction::sum, .weights = zeros({2})}); }) ==
        "ShapeError: heteroscedastic_loss: the losses are [3], the weights [2]\n  help: pass a weight for each sample");
  CHECK(error_of([&] { heteroscedastic_loss(x, x, x, {.reduction = Reduction::sum, .weights = full({3}, -1)}); }) ==
        "ConfigError: heteroscedastic_loss: there is a negative weight");
}

TEST_CASE("heteroscedastic_cross_entropy: without noise the cross-entropy, with it the mean over draws") {
  const Tensor logits = normal({5, 3}, 5), target = from(std::vector<std::int64_t>{0, 2, 1, 1, 0});
  Generator g{7};
  const Tensor none = full({5, 1}, -60, DType::float64);
  CHECK(fusion::heteroscedastic_cross_entropy(logits, none, target, g, {.bounds = {-60, 10}}).item() ==
        doctest::Approx(cross_entropy(logits, target).item()));
  // Two logits 1 and 0 with unit noise: p = E sigmoid(1 + sqrt(2) e); by quadrature.
  double p = 0, mass = 0;
  for (int i = -800; i <= 800; ++i) {
    const double e = i / 100., density = std::exp(-e * e / 2);
    p += density / (1 + std::exp(-1 - std::sqrt(2.) * e)), mass += density;
  }
  const Tensor two = tensor({{1., 0.}}, DType::float64), zero = zeros({1, 2}, DType::float64);
  const Tensor log_p = fusion::noisy_log_probabilities(two, zero, g, {.samples = 200000});
  CHECK(std::exp(to_vector<double>(log_p)[0]) == doctest::Approx(p / mass).epsilon(0.005));
  CHECK(sum(exp(log_p)).item() == doctest::Approx(1));
  // Weights per sample, and the same draws from the same place in the stream.
  const Tensor s = normal({5, 3}, 6), w = row({1, 0, 2, 0, 0});
  const auto loss = [&](const Tensor& f, const Tensor& v, Reduction r, const Tensor& weights) {
    Generator same{11};
    return fusion::heteroscedastic_cross_entropy(f, v, target, same,
                                                 {.samples = 4, .reduction = r, .weights = weights});
  };
  const Tensor rows = loss(logits, s, Reduction::none, {});
  CHECK(loss(logits, s, Reduction::mean, w).item() == doctest::Approx(weighted_mean(rows, w).item()));
  const testing::Report report = testing::gradcheck(
      [&](const std::vector<Tensor>& in) { return loss(in[0], in[1], Reduction::mean, w); }, {logits, s});
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("noisy_log_probabilities: the noise has the variance exp(s), against the integral") {
  // Two classes 1 and -1 with variances 4 and 1: their difference is normal with mean 2 and variance 5.
  double expected = 0;
  for (int i = -800; i <= 800; ++i) {
    const double e = i / 100.0;
    expected += std::exp(-e * e / 2) / std::sqrt(2 * M_PI) / (1 + std::exp(-(2 + std::sqrt(5.0) * e))) / 100;
  }
  Generator g{8};
  const Tensor log_p = fusion::noisy_log_probabilities(
      tensor({{1, -1}}, DType::float64), tensor({{std::log(4.0), 0}}, DType::float64), g, {.samples = 100000});
  CHECK(std::exp(to_vector<double>(log_p)[0]) == doctest::Approx(expected).epsilon(0.005));
}

TEST_CASE("heteroscedastic_cross_entropy: a wrong label costs less under noise; errors") {
  const Tensor sure = tensor({{6., 0.}}, DType::float64), wrong = from(std::vector<std::int64_t>{1});
  const auto cost = [&](double s) {
    Generator g{3};
    return fusion::heteroscedastic_cross_entropy(sure, full({1, 1}, s, DType::float64), wrong, g, {.samples = 2000})
        .item();
  };
  CHECK(cost(4) < cost(0) / 2);
  Generator g{1};
  const Tensor f = zeros({4, 3});
  CHECK(error_of([&] { fusion::noisy_log_probabilities(f, zeros({4}), g); }) ==
        "ShapeError: noisy_log_probabilities: the logits are [4, 3], the log-variance [4]\n  help: pass (N, C) and "
        "(N, C) or (N, 1)");
  CHECK(error_of([&] { fusion::noisy_log_probabilities(f, f, g, {.samples = 0}); }) ==
        "ConfigError: noisy_log_probabilities: there are 0 draws\n  help: choose 1 or more");
}

TEST_CASE("TaskWeights: by hand, gradients, absent tasks, where s ends") {
  TaskWeights tasks({Task::regression, Task::classification}, DType::float64);
  tasks.log_variance = row({ln2, ln3}).set_requires_grad();
  const Tensor a = scalar(4., DType::float64), b = scalar(6., DType::float64);
  CHECK(tasks({a, b}).item() == doctest::Approx(4 / 2. / 2 + ln2 / 2 + 6 / 3. + ln3 / 2));
  CHECK(tasks({Tensor(), b}).item() == doctest::Approx(6 / 3. + ln3 / 2));
  CHECK(testing::allclose(tasks.weights(), row({0.25, 1 / 3.})));
  const testing::Report report =
      check_gradients(tasks, {a, b}, [](const TaskWeights& t, const std::vector<Tensor>& in) {
        return t({in[0], in[1]});
      });
  CHECK_MESSAGE(report, report.message);
  optim::Adam optimizer(parameters(tasks), {.lr = 0.05});
  for (int i = 0; i < 1500; ++i) {
    optimizer.zero_grad();
    tasks({a, b}).backward();
    optimizer.step();
  }
  CHECK(testing::allclose(tasks.log_variance, row({std::log(4.), std::log(12.)}), {.atol = 1e-3}));
  CHECK(error_of([&] { tasks({a}); }) == "ShapeError: task_weights: there are 1 losses, but 2 tasks");
  CHECK(error_of([&] {
          tasks({a, zeros({2})});
        }) == "ShapeError: task_weights: loss 1 is [2], not a single number\n  help: reduce it");
  CHECK(error_of([&] {
          tasks({Tensor(), Tensor()});
        }) == "ConfigError: task_weights: no task has a loss\n  help: leave this batch out");
  CHECK(error_of([] { TaskWeights({}); }) == "ConfigError: task_weights: there are no tasks");
}

TEST_CASE("SampleVariance: rows by id, the penalty by hand, gradients, where s ends") {
  SampleVariance variance({.samples = 4, .center = ln2, .strength = 3, .dtype = DType::float64});
  variance.log_variance = row({0, ln2, ln3, -1}).set_requires_grad();
  const Tensor ids = from(std::vector<std::int64_t>{2, 0});
  CHECK(testing::allclose(variance(ids), row({ln3, 0})));
  // nu (s - c + exp(c - s) - 1): 3 (ln 1.5 + 2 / 3 - 1) and 3 (-ln 2 + 2 - 1)
  CHECK(variance.penalty(ids).item() == doctest::Approx(1.5 * (std::log(1.5) - 1 / 3. + 1 - ln2)));
  CHECK(variance.penalty(ids, true).item() == doctest::Approx(0.75 * (std::log(1.5) - 1 / 3. + 1 - ln2)));
  const testing::Report report = check_gradients(
      variance, {}, [&](const SampleVariance& v, const std::vector<Tensor>&) { return v.penalty(ids); });
  CHECK_MESSAGE(report, report.message);
  // exp(s) ends at (r^2 + nu exp(c)) / (1 + nu); an id that is never asked for stays.
  const Tensor target = row({0, 5});
  optim::Adam optimizer(parameters(variance), {.lr = 0.05});
  for (int i = 0; i < 2000; ++i) {
    optimizer.zero_grad();
    (heteroscedastic_loss(zeros_like(target), variance(ids), target) + variance.penalty(ids)).backward();
    optimizer.step();
  }
  CHECK(testing::allclose(exp(variance(ids)), row({6 / 4., 31 / 4.}), {.atol = 1e-3}));
  CHECK(to_vector<double>(variance.log_variance)[3] == -1);
  CHECK(SampleVariance({.samples = 5, .outputs = 2})(ids).shape() == Shape{2, 2});
}

TEST_CASE("SampleVariance: a network that fits exactly does not run away; errors") {
  SampleVariance variance({.samples = 1, .strength = 0, .dtype = DType::float64, .bounds = {-2, 2}});
  const Tensor id = from(std::vector<std::int64_t>{0}), nothing = zeros({1}, DType::float64);
  optim::Adam optimizer(parameters(variance), {.lr = 0.1});
  for (int i = 0; i < 500; ++i) {
    optimizer.zero_grad();
    heteroscedastic_loss(nothing, variance(id), nothing, {.bounds = {-2, 2}}).backward();
    optimizer.step();
  }
  CHECK(variance(id).item() > -3.5);  // what momentum carried it past -2
  CHECK(error_of([] { SampleVariance({}); }) ==
        "ConfigError: sample_variance: there are 0 samples of 0 outputs\n  help: choose 1 sample or more, and 0 "
        "outputs for targets of shape (N,)");
  CHECK(error_of([] { SampleVariance({.samples = 2, .strength = -1}); }) ==
        "ConfigError: sample_variance: strength is -1\n  help: choose 0 or more");
  CHECK(error_of([] { SampleVariance({.samples = 2, .center = 11}); }) ==
        "ConfigError: sample_variance: a log-variance of 11 is not within -10 and 10");
}
