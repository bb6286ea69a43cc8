#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/optim/averaging.h>
#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/tensor/create.h>

using namespace weft;

namespace {

Tensor leaf(std::initializer_list<double> values, DType dtype = DType::float64) {
  Tensor x = tensor(values, dtype);
  x.set_requires_grad();
  return x;
}

template <class Act>
std::string message(Act&& act) {
  try {
    act();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("sgd follows its formula, momentum and decay included") {
  Tensor p = leaf({1});
  optim::Sgd sgd({p}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.5});
  double x = 1, v = 0;
  for (int step = 0; step < 5; ++step) {
    sgd.zero_grad();
    sum(square(p)).backward();
    const double g = 2 * x + 0.5 * x;
    v = step == 0 ? g : 0.9 * v + g;
    x -= 0.1 * v;
    sgd.step();
    CHECK(p.item() == doctest::Approx(x).epsilon(1e-12));
  }
}

TEST_CASE("adam and adamw follow their formulas") {
  for (const bool decoupled : {false, true}) {
    Tensor p = leaf({0.7});
    std::unique_ptr<optim::Optimizer> adam;
    if (decoupled)
      adam = std::make_unique<optim::AdamW>(std::vector{p}, optim::AdamWOptions{.lr = 0.05, .weight_decay = 0.1});
    else
      adam = std::make_unique<optim::Adam>(std::vector{p}, optim::AdamOptions{.lr = 0.05, .weight_decay = 0.1});
    double x = 0.7, m = 0, v = 0;
    for (int t = 1; t <= 6; ++t) {
      adam->zero_grad();
      sum(exp(p)).backward();
      double g = std::exp(x);
      if (decoupled)
        x *= 1 - 0.05 * 0.1;
      else
        g += 0.1 * x;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      x -= 0.05 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
      adam->step();
      CHECK(p.item() == doctest::Approx(x).epsilon(1e-10));
    }
  }
}

TEST_CASE("a parameter without gradient stays, and does not count a step") {
  Tensor used = leaf({1}), idle = leaf({1});
  optim::Adam adam({used, idle}, {.lr = 0.1});
  sum(used * 2).backward();
  adam.step();
  CHECK(used.item() == doctest::Approx(0.9));
  CHECK(idle.item() == 1);
}

TEST_CASE("training continues bitwise from a saved state") {
  const auto run = [](int steps, int stop) {
    manual_seed(2);
    Linear net(3, 2);
    const Tensor x = randn({5, 3}), y = randn({5, 2});
    auto adam = std::make_unique<optim::Adam>(parameters(net), optim::AdamOptions{.lr = 0.1});
    for (int i = 0; i < steps; ++i) {
      if (i == stop) {
        const auto state = adam->state();
        adam = std::make_unique<optim::Adam>(parameters(net), optim::AdamOptions{.lr = 0.1});
        adam->set_state(state);
      }
      adam->zero_grad();
      mse_loss(net(x), y).backward();
      adam->step();
    }
    return to_vector<float>(net.weight);
  };
  CHECK(run(6, -1) == run(6, 3));
}

TEST_CASE("schedules set the rate") {
  Tensor p = leaf({1});
  optim::Sgd sgd({p}, {.lr = 1});
  optim::CosineSchedule cosine(sgd, 4, 0.2);
  const double expected[] = {0.8828427124746190, 0.6, 0.3171572875253810, 0.2, 0.2};
  for (const double e : expected) {
    cosine.step();
    CHECK(sgd.lr() == doctest::Approx(e).epsilon(1e-12));
  }
  sgd.set_lr(1);
  optim::StepSchedule steps(sgd, 2, 0.5);
  for (const double e : {1.0, 0.5, 0.5, 0.25}) {
    steps.step();
    CHECK(sgd.lr() == e);
  }
}

TEST_CASE("clipping by norm and by value") {
  Tensor a = leaf({0, 0}), b = leaf({0});
  a.set_grad(tensor({3, 0}, DType::float64));
  b.set_grad(tensor({4}, DType::float64));
  CHECK(optim::clip_gradient_norm({a, b}, 1) == doctest::Approx(5));
  CHECK(to_vector<double>(a.grad())[0] == doctest::Approx(0.6).epsilon(1e-5));
  CHECK(b.grad().item() == doctest::Approx(0.8).epsilon(1e-5));
  CHECK(optim::clip_gradient_norm({a, b}, 10) == doctest::Approx(1).epsilon(1e-5));
  optim::clip_gradient_value({b}, 0.5);
  CHECK(b.grad().item() == 0.5);
}

TEST_CASE("the L1 penalty and its proximal step") {
  Tensor p = leaf({-2, 0.05, 1});
  Tensor penalty = optim::l1_penalty({p}, 0.1);
  CHECK(penalty.item() == doctest::Approx(0.305));
  penalty.backward();
  CHECK(to_vector<double>(p.grad()) == std::vector<double>{-0.1, 0.1, 0.1});
  optim::soft_threshold({p}, 0.1);
  CHECK(to_vector<double>(p)[0] == doctest::Approx(-1.9));
  CHECK(to_vector<double>(p)[1] == 0);
  CHECK(to_vector<double>(p)[2] == doctest::Approx(0.9));
  CHECK(p.requires_grad());
}

TEST_CASE("the moving average of a model's state") {
  const Tensor a = tensor({1, 2}, DType::float64), x = tensor({3, 2}, DType::float64);
  optim::average_state({{"w", a}}, {{"w", x}}, 0.9, 1);  // (1 + 1) / (10 + 1) is below 0.9
  CHECK(to_vector<double>(a)[0] == doctest::Approx(1 + 9.0 / 11 * 2));
  optim::average_state({{"w", a}}, {{"w", x}}, 0.5, 1000);
  CHECK(to_vector<double>(a)[0] == doctest::Approx((1 + 9.0 / 11 * 2 + 3) / 2));
  CHECK(to_vector<double>(a)[1] == 2);
  const Tensor n = from(std::vector<std::int64_t>{1}), m = from(std::vector<std::int64_t>{7});
  optim::average_state({{"n", n}}, {{"n", m}}, 0.9, 1);
  CHECK(n.item() == 7);
  CHECK(message([&] {
          optim::average_state({{"w", a}}, {{"w", x}}, 1, 1);
        }) == "average: the decay is 1\n  help: choose 0 or more, below 1");
  CHECK(message([&] {
          optim::average_state({{"w", a}}, {{"w", n}}, 0.5, 1);
        }) == "average: \"w\" is [1], its average [2]");
}

TEST_CASE("an optimiser says what is wrong with what it was given") {
  Tensor p = leaf({1});
  CHECK(message([] { optim::Adam({}); }) == "optimizer: there are no parameters\n  help: pass parameters(model)");
  CHECK(message([] { optim::Adam({ones({2})}); }) == "optimizer: parameter 0 of shape [2] does not require a gradient");
  CHECK(message([&] { optim::Adam({p}, {.lr = -1}); }) == "optimizer: the learning rate is -1");
  CHECK(message([&] { optim::Adam({p}, {.beta1 = 1}); }) == "adam: beta1 is 1");
  CHECK(message([&] { optim::Sgd({p}, {.nesterov = true}); }) ==
        "sgd: nesterov with momentum 0 and dampening 0\n  help: give it a momentum above 0 and no dampening");
  optim::Adam adam({p});
  CHECK(message([&] {
          adam.set_state({{"first.0", ones({3})}});
        }) == "optimizer: the state \"first.0\" has shape [3], the parameter [1]");
  CHECK(message([&] {
          adam.set_state({{"first.0", ones({1})}});
        }) == "optimizer: the state of parameter 0 is incomplete");
  CHECK(message([&] { optim::CosineSchedule(adam, 0); }) == "cosine: the period is 0 steps\n  help: choose 1 or more");
  CHECK(message([&] { optim::clip_gradient_norm({p}, -1); }) ==
        "clip_gradient_norm: the limit is -1\n  help: choose 0 or more");
}

TEST_CASE("changing a parameter by a step is noticed by a tape that saved it") {
  Tensor w = leaf({2, 3});
  optim::Sgd sgd({w}, {.lr = 0.1});
  const Tensor y = sum(w * w);
  w.set_grad(ones({2}, DType::float64));
  sgd.step();
  CHECK_THROWS_AS(y.backward(), GradError);
}
