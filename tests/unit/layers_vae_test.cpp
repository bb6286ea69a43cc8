#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/testing.h>
#include <weft/layers/vae.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;
using weft::testing::allclose;

namespace {

constexpr DType f64 = DType::float64;

Vae small(Likelihood likelihood, std::int64_t conditions = 0) {
  Sequential from_x(Linear(6, 8), Tanh()), to_x(Linear(3 + conditions, 8), Tanh(), Linear(8, 6));
  return Vae(std::move(from_x), std::move(to_x),
             {.encoder_features = 8, .latent = 3, .likelihood = likelihood, .conditions = conditions});
}

void set(Tensor& x, const std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) x.mutable_data<double>()[i] = values[i];
}

}  // namespace

TEST_CASE("vae: divergences in closed form are the means of many draws") {
  const DiagonalNormal q{from(std::vector<double>{0.5, -1}), from(std::vector<double>{-0.4, 0.3})};
  const DiagonalNormal one{reshape(q.mean, {1, 2}), reshape(q.log_variance, {1, 2})};
  const DiagonalNormal other{from(std::vector<double>{-0.2, 0.4}), from(std::vector<double>{0.5, -0.1})};
  const DiagonalNormal two{reshape(other.mean, {1, 2}), reshape(other.log_variance, {1, 2})};
  const std::int64_t n = 400000;
  const DiagonalNormal many{expand(one.mean, {n, 2}), expand(one.log_variance, {n, 2})};
  Generator g{4};
  const Tensor z = many.sample(g);
  CHECK(allclose(mean(z, {0}), q.mean, {.atol = 0.01, .rtol = 0}));
  CHECK(allclose(log(mean(square(z - one.mean), {0})), q.log_variance, {.atol = 0.01, .rtol = 0}));
  const Tensor standard = (square(z) + std::log(2 * M_PI)) * -0.5;
  const double sampled = mean(many.log_probability(z) - sum(standard, {1})).item();
  CHECK(sum(one.divergence()).item() == doctest::Approx(sampled).epsilon(0.01));
  const DiagonalNormal far{expand(two.mean, {n, 2}), expand(two.log_variance, {n, 2})};
  const double between = mean(many.log_probability(z) - far.log_probability(z)).item();
  CHECK(one.divergence(two).item() == doctest::Approx(between).epsilon(0.01));
  const DiagonalNormal prior{zeros({1, 2}, f64), zeros({1, 2}, f64)};
  CHECK(one.divergence(prior).item() == doctest::Approx(sum(one.divergence()).item()).epsilon(1e-12));
  CHECK(sum(prior.divergence()).item() == 0);
}

TEST_CASE("vae: with the exact posterior the bound of any number of draws is log p(x)") {
  // x = (a z, b z) + noise of variance v, z standard normal: x is normal with covariance (a, b)(a, b)' + v.
  const double a = 0.8, b = -1.3, v = 0.5, posterior = 1 / (1 + (a * a + b * b) / v);
  Linear same({.in_features = 2, .out_features = 2, .dtype = f64}),
      out({.in_features = 1, .out_features = 2, .dtype = f64});
  set(same.weight, {1, 0, 0, 1});
  set(same.bias, {0, 0});
  set(out.weight, {a, b});
  set(out.bias, {0, 0});
  Sequential from_x, to_x;
  from_x.add(same);
  to_x.add(out);
  Vae vae(from_x, to_x, {.encoder_features = 2, .latent = 1, .dtype = f64});
  set(vae.mean.weight, {posterior * a / v, posterior * b / v});
  set(vae.mean.bias, {0});
  set(vae.log_variance.weight, {0, 0});
  set(vae.log_variance.bias, {std::log(posterior)});
  set(vae.log_noise, {std::log(v)});

  const Tensor x = from(std::vector<double>{0.3, -2, 1.5, 0.7});
  const Tensor rows = reshape(x, {2, 2});
  const double p = a * a + v, q = b * b + v, r = a * b, det = p * q - r * r;
  std::vector<double> exact;
  for (int i = 0; i < 2; ++i) {
    const double s = x.data<double>()[2 * i], t = x.data<double>()[2 * i + 1];
    exact.push_back(-0.5 * ((q * s * s - 2 * r * s * t + p * t * t) / det + std::log(det)) - std::log(2 * M_PI));
  }
  for (const std::int64_t draws : {1, 5})
    CHECK(allclose(vae.importance_bound(rows, draws), from(exact), {.atol = 1e-10, .rtol = 0}));
  // One draw's bound is right in the mean only.
  const Tensor many = repeat(rows, {20000, 1});
  const Tensor value = reshape(vae.bound(many).value(), {20000, 2});
  CHECK(allclose(mean(value, {0}), from(exact), {.atol = 0.03, .rtol = 0}));
}

TEST_CASE("vae: more draws give a higher bound, whatever the likelihood") {
  manual_seed(3);
  const Tensor x = rand({64, 6});
  for (const Likelihood kind : {Likelihood::gaussian, Likelihood::bernoulli}) {
    const Vae vae = small(kind);
    const NoGrad off;
    const auto bound = [&](std::int64_t draws) { return mean(vae.importance_bound(repeat(x, {50, 1}), draws)).item(); };
    const double one = bound(1), ten = bound(10), plain = mean(vae.bound(repeat(x, {50, 1})).value()).item();
    CHECK(ten > one);
    CHECK(plain == doctest::Approx(one).epsilon(0.02));
  }
}

TEST_CASE("vae: each likelihood is that of its distribution") {
  const Vae gaussian = small(Likelihood::gaussian), bernoulli = small(Likelihood::bernoulli);
  const Tensor x = rand({4, 6}), d = randn({4, 6});
  const Tensor by_hand = sum((square(x - d) + std::log(2 * M_PI)) * -0.5, {1});
  CHECK(allclose(gaussian.log_likelihood(x, d), by_hand, {.atol = 1e-5, .rtol = 0}));
  const Tensor s = sigmoid(d);
  CHECK(allclose(bernoulli.log_likelihood(x, d), sum(x * log(s) + (1.0 - x) * log(1.0 - s), {1}),
                 {.atol = 1e-5, .rtol = 0}));
  Vae classes(Sequential(Linear(2, 4), ReLU()), Sequential(Linear(1, 6), Apply{[](const Tensor& y) {
                                                             return reshape(y, {-1, 2, 3});
                                                           }}),
              {.encoder_features = 4, .latent = 1, .likelihood = Likelihood::categorical});
  const Tensor kinds = randint(0, 3, {5, 2}), logits = randn({5, 2, 3});
  const Tensor expected =
      -reshape(cross_entropy(reshape(logits, {10, 3}), reshape(kinds, {10}), {.reduction = Reduction::none}), {5, 2});
  CHECK(allclose(classes.log_likelihood(kinds, logits), sum(expected, {1}), {.atol = 1e-5, .rtol = 0}));
  CHECK_THROWS_WITH_AS(classes.log_likelihood(full({5, 2}, -1, DType::int64), logits),
                       "Vae::log_likelihood: target -1 at position 0 is outside the 3 classes\n"
                       "  help: number classes from 0 to 2",
                       ConfigError);
  CHECK(allclose(sum(classes.generate(4), {2}), ones({4, 2}), {.atol = 1e-5, .rtol = 0}));
}

TEST_CASE("vae: a model like any other") {
  const Tensor x = rand({5, 6}), c = one_hot(randint(0, 4, {5}), 4);
  for (const Likelihood kind : {Likelihood::gaussian, Likelihood::bernoulli})
    for (const std::int64_t conditions : {0, 4}) {
      const auto report = testing::check_module([&] { return small(kind, conditions); },
                                                [&](const Vae& vae) {
                                                  Generator g{1};
                                                  return vae.bound(x, conditions ? c : Tensor(), g).loss();
                                                });
      CHECK_MESSAGE(report, report.message);
    }
}

TEST_CASE("vae: it learns: what it makes looks like what it saw, and a condition chooses") {
  manual_seed(1);
  // Two kinds of rows: the first three numbers up and the others down, or the other way.
  const Tensor kind = randint(0, 2, {256}), sign = to(kind, DType::float32) * 2.0 - 1.0;
  const Tensor side = from(std::vector<float>{1, 1, 1, -1, -1, -1});
  const Tensor x = unsqueeze(sign, 1) * side + randn({256, 6}) * 0.1;
  Vae vae = small(Likelihood::gaussian, 2);
  const Tensor c = to(one_hot(kind, 2), DType::float32);
  optim::Adam optimizer(parameters(vae), {.lr = 1e-2});
  double first = 0, last = 0;
  for (int step = 0; step < 300; ++step) {
    const Tensor loss = vae.bound(x, c).loss(beta_warmup(step, 50));
    if (step == 60) first = loss.item();
    last = loss.item();
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  CHECK(last < first - 3);
  CHECK(vae.log_noise.item() < -2.5);  // the noise's variance is 0.01, log -4.6
  const Tensor up = vae.generate(50, to(one_hot(full({50}, 1, DType::int64), 2), DType::float32));
  CHECK(allclose(mean(up, {0}), side, {.atol = 0.2, .rtol = 0}));
}

TEST_CASE("vae: free nats, warm-up and wrong input") {
  const Vae vae = small(Likelihood::bernoulli);
  const Vae::Bound bound{full({2}, -3), reshape(from(std::vector<float>{0.1f, 2.0f, 0.3f, 4.0f}), {2, 2})};
  CHECK(bound.loss().item() == doctest::Approx(3 + 0.2 + 3));
  CHECK(bound.loss(2).item() == doctest::Approx(3 + 2 * 3.2));
  CHECK(bound.loss(1, 0.5).item() == doctest::Approx(3 + 0.5 + 3));
  // A row of weight 3 counts as three rows, one of weight 0 as none.
  const Vae::Bound uneven{from(std::vector<float>{-1, -5}), bound.divergence};
  CHECK(uneven.loss(2, 0, tensor({3, 1})).item() == doctest::Approx(2 + 2 * (0.15 + 2.5)));
  CHECK(uneven.loss(1, 0.5, tensor({1, 0})).item() == doctest::Approx(1 + 0.5 + 2));
  CHECK(error_of([&] { uneven.loss(1, 0, tensor({1, -1})); }).find("negative") != std::string::npos);
  CHECK(beta_warmup(0, 10) == 0);
  CHECK(beta_warmup(5, 10, 4) == 2);
  CHECK(beta_warmup(50, 10) == 1);
  CHECK(error_of([] { beta_warmup(1, 0); }) == "ConfigError: beta_warmup: 0 steps, must be 1 or more");
  CHECK(error_of([] { beta_warmup(-1, 5); }) == "ConfigError: beta_warmup: step -1, must be 0 or more");
  CHECK(error_of([&] {
          vae.importance_bound(rand({2, 6}), 0);
        }) == "ConfigError: Vae::importance_bound: 0 draws, must be 1 or more");
  CHECK(error_of([&] { vae.generate(0); }) == "ConfigError: Vae::generate: 0 rows, must be 1 or more");
  CHECK(error_of([&] {
          vae.bound(rand({2, 6}), rand({2, 3}));
        }) == "ShapeError: Vae::encode: conditions [2, 3] for a model without\n  help: set conditions to their width");
  CHECK(error_of([&] {
          small(Likelihood::gaussian, 4).bound(rand({2, 6}));
        }) == "ShapeError: Vae::encode: conditions (none), must be [2, 4]");
  CHECK(
      error_of([&] {
        vae.log_likelihood(rand({2, 5}), rand({2, 6}));
      }) ==
      "ShapeError: Vae::log_likelihood: x is [2, 5], the decoder's numbers are [2, 6]\n  help: end the decoder with a "
      "layer of x's shape");
  CHECK(error_of([] { Vae({}, {}, {.encoder_features = 2, .latent = 0}); }) ==
        "ConfigError: Vae: latent 0, must be 1 or more");
}
