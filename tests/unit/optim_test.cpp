#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/autograd/grad.h>
#include <weft/layers/basic.h>
#include <weft/optim/averaging.h>
#include <weft/optim/gradients.h>

#include "error_of.h"
#include "optim_help.h"

using namespace weft;
using namespace weft::tests;

TEST_CASE("sgd follows its formula, momentum and decay included") {
  Tensor p = leaf({1});
  optim::Sgd sgd({p}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.5});
  double x = 1, v = 0;
  for (int step = 0; step < 5; ++step) {
    sgd.zero_grad();
    sum(p * p).backward();
    const double g = 2 * x + 0.5 * x;
    v = step == 0 ? g : 0.9 * v + g;
    x -= 0.1 * v;
    sgd.step();
    CHECK(p.item() == doctest::Approx(x).epsilon(1e-12));
  }
}

TEST_CASE("the adam family follows its formulas") {
  using namespace optim;
  enum Kind { adam, adamw, amsgrad, adamax, nadam, nadamw, radam, radamw };
  for (const Kind kind : {adam, adamw, amsgrad, adamax, nadam, nadamw, radam, radamw}) {
    CAPTURE(kind);
    const bool decoupled = kind == adamw || kind == nadamw || kind == radamw;
    const Betas betas{0.8, 0.9};
    const double lr = 0.05, decay = 0.1, eps = 1e-3;
    Tensor p = leaf({0.7});
    std::unique_ptr<Optimizer> o;
    const std::vector<Tensor> all{p};
    if (kind == adam || kind == amsgrad)
      o = std::make_unique<Adam>(
          all, AdamOptions{.lr = lr, .betas = betas, .eps = eps, .weight_decay = decay, .amsgrad = kind == amsgrad});
    else if (kind == adamw)
      o = std::make_unique<AdamW>(all, AdamWOptions{.lr = lr, .betas = betas, .eps = eps, .weight_decay = decay});
    else if (kind == adamax)
      o = std::make_unique<Adamax>(all, AdamaxOptions{.lr = lr, .betas = betas, .eps = eps, .weight_decay = decay});
    else if (kind == nadam || kind == nadamw)
      o = std::make_unique<NAdam>(
          all, NAdamOptions{
                   .lr = lr, .betas = betas, .eps = eps, .weight_decay = decay, .decoupled_weight_decay = decoupled});
    else
      o = std::make_unique<RAdam>(
          all, RAdamOptions{
                   .lr = lr, .betas = betas, .eps = eps, .weight_decay = decay, .decoupled_weight_decay = decoupled});
    double x = 0.7, m = 0, v = 0, largest = 0, u = 0, product = 1;
    for (int t = 1; t <= 12; ++t) {
      o->zero_grad();
      // The slope falls from step to step, so that the largest square is not the last.
      (sum(exp(p)) / t).backward();
      double g = std::exp(x) / t;
      if (decoupled)
        x *= 1 - lr * decay;
      else
        g += decay * x;
      m = betas.first * m + (1 - betas.first) * g;
      v = betas.second * v + (1 - betas.second) * g * g;
      largest = std::max(largest, v);
      u = std::max(betas.second * u, std::abs(g) + eps);
      const double m_hat = m / (1 - std::pow(betas.first, t)), seen = 1 - std::pow(betas.second, t);
      const double root = std::sqrt((kind == amsgrad ? largest : v) / seen) + eps;
      const auto mu = [&](int at) { return betas.first * (1 - 0.5 * std::pow(0.96, at * 4e-3)); };
      product *= mu(t);
      const double rho_inf = 2 / (1 - betas.second) - 1;
      const double rho = rho_inf - 2 * t * std::pow(betas.second, t) / seen;
      if (kind == adamax) {
        x -= lr * m_hat / u;
      } else if (kind == nadam || kind == nadamw) {
        x -= lr * ((1 - mu(t)) / (1 - product) * g + mu(t + 1) / (1 - product * mu(t + 1)) * m) / root;
      } else if (kind == radam || kind == radamw) {
        const double r = std::sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
        x -= rho > 5 ? lr * m_hat * r * std::sqrt(seen) / (std::sqrt(v) + eps) : lr * m_hat;
      } else {
        x -= lr * m_hat / root;
      }
      o->step();
      CHECK(p.item() == doctest::Approx(x).epsilon(1e-10));
    }
  }
}

TEST_CASE("every optimiser solves a convex problem, in any layout and type, and climbs as it descends") {
  // sum_i c_i (x_i - a_i)^2 / 2: its curvatures differ by a factor of ten.
  const Tensor a = tensor({{1, -2, 0.5}, {3, 0, -1}}, DType::float64),
               c = tensor({{1, 2, 4}, {6, 8, 10}}, DType::float64);
  for (const DType type : {DType::float64, DType::float32})
    for (const bool transposed : {false, true}) {
      const auto descending = solvers(), climbing = solvers(true);
      for (std::size_t k = 0; k < descending.size(); ++k) {
        CAPTURE(descending[k].name);
        CAPTURE(transposed);
        const auto begin = [&] {
          const Tensor x = transposed ? t(zeros({3, 2}, type)) : zeros({2, 3}, type);
          return detach(x).set_requires_grad();
        };
        Tensor down = begin(), up = begin();
        CHECK(down.is_contiguous() != transposed);
        const auto descends = descending[k].make({down}), climbs = climbing[k].make({up});
        for (int step = 0; step < descending[k].steps; ++step) {
          const auto loss = [&](const Tensor& x) { return sum(c * square(x - a)) / 2; };
          descends->zero_grad();
          climbs->zero_grad();
          loss(down).backward();
          (-loss(up)).backward();
          descends->step();
          climbs->step();
        }
        const std::vector<double> target = numbers(a), reached = numbers(down);
        for (std::size_t i = 0; i < target.size(); ++i) CHECK(std::abs(reached[i] - target[i]) < 2e-3);
        CHECK(numbers(up) == reached);
      }
    }
}

TEST_CASE("no optimiser hides a gradient that is not a number") {
  for (const Solver& each : solvers()) {
    CAPTURE(each.name);
    Tensor p = leaf({1, 1});
    const auto o = each.make({p});
    for (int step = 0; step < 3; ++step) {
      p.set_grad(tensor({step == 1 ? NAN : 1., 1}, DType::float64));
      o->step();
    }
    CHECK(std::isnan(numbers(p)[0]));
    CHECK(std::isfinite(numbers(p)[1]));
  }
}

TEST_CASE("a parameter without gradient stays, and does not count a step") {
  for (const Solver& each : solvers()) {
    CAPTURE(each.name);
    Tensor used = leaf({1}), late = leaf({1}), fresh = leaf({1});
    const auto o = each.make({used, late});
    for (int step = 0; step < 4; ++step) {
      used.set_grad(tensor({0.5}, DType::float64));
      if (step == 3) late.set_grad(tensor({0.5}, DType::float64));
      if (step < 3) CHECK(late.item() == 1);
      o->step();
    }
    const auto anew = each.make({fresh});
    fresh.set_grad(tensor({0.5}, DType::float64));
    anew->step();
    CHECK(late.item() == fresh.item());
    CHECK(used.item() != 1);
  }
}

TEST_CASE("groups have options of their own") {
  Tensor a = leaf({1}), b = leaf({1}), c = leaf({1});
  optim::Sgd sgd({a}, {.lr = 0.5});
  sgd.add_group({b, c}, {.lr = 0.25, .weight_decay = 1});
  for (Tensor p : {a, b, c}) p.set_grad(ones({1}, DType::float64));
  sgd.step();
  CHECK(a.item() == 0.5);
  CHECK(b.item() == 0.5);
  CHECK(c.item() == 0.5);
  CHECK(sgd.groups() == 2);
  CHECK(sgd.parameters().size() == 3);
  CHECK(sgd.options(1).weight_decay == 1);
  sgd.set_lr(1, 0.125);
  CHECK(sgd.lr(0) == 0.5);
  CHECK(sgd.options(1).lr == 0.125);
  sgd.set_lr(1);
  CHECK(sgd.lr(1) == 1);
  sgd.set_momentum(1, 0.5);
  CHECK(sgd.momentum(0) == 0);
  CHECK(sgd.momentum(1) == 0.5);
  CHECK(optim::Adam({a}).momentum() == 0.9);
  CHECK_FALSE(optim::Adagrad({a}).has_momentum());
}

TEST_CASE("k parts of a batch give the gradient of the whole") {
  manual_seed(4);
  Linear net(LinearOptions{.in_features = 3, .out_features = 2, .dtype = DType::float64});
  const Tensor x = randn({12, 3}, 0, 1, DType::float64), y = randn({12, 2}, 0, 1, DType::float64);
  mse_loss(net(x), y).backward();
  std::vector<std::vector<double>> whole;
  for (const Tensor& p : parameters(net)) whole.push_back(numbers(p.grad()));
  optim::Sgd sgd(parameters(net));
  sgd.zero_grad();
  constexpr int k = 4;
  for (int part = 0; part < k; ++part) {
    const Tensor rows = arange(3 * part, 3 * part + 3);
    (mse_loss(net(index_select(x, 0, rows)), index_select(y, 0, rows)) / k).backward();
  }
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (std::size_t j = 0; j < whole[i].size(); ++j)
      CHECK(numbers(parameters(net)[i].grad())[j] == doctest::Approx(whole[i][j]).epsilon(1e-12));
}

TEST_CASE("a step with a closure returns the loss before it") {
  Tensor p = leaf({3});
  optim::Sgd sgd({p}, {.lr = 0.25});
  const NoGrad off;  // the closure computes gradients all the same
  const double loss = sgd.step([&] {
    sgd.zero_grad();
    const Tensor l = sum(p * p);
    l.backward();
    return l;
  });
  CHECK(loss == 9);
  CHECK(p.item() == 1.5);
}

TEST_CASE("averaged descent gives the mean of its steps") {
  Tensor p = leaf({1}), idle = leaf({1});
  optim::Asgd asgd({p, idle}, {.lr = 0.1, .lambd = 0, .t0 = 0});
  double mean = 0;
  for (int step = 1; step <= 5; ++step) {
    p.set_grad(tensor({1. * step}, DType::float64));
    asgd.step();
    if (step > 1) mean += p.item();  // the first that counts is step t0 + 2
  }
  CHECK(asgd.averages()[0].item() == doctest::Approx(mean / 4));
  CHECK_FALSE(asgd.averages()[1].defined());
}

TEST_CASE("the moving average of a model's state") {
  const Tensor a = tensor({1, 2}, DType::float64), x = tensor({3, 2}, DType::float64);
  optim::average_state({{"w", a}}, {{"w", x}}, 0.9, 1);  // (1 + 1) / (10 + 1) is below 0.9
  CHECK(numbers(a)[0] == doctest::Approx(1 + 9.0 / 11 * 2));
  optim::average_state({{"w", a}}, {{"w", x}}, 0.5, 1000);
  CHECK(numbers(a)[0] == doctest::Approx((1 + 9.0 / 11 * 2 + 3) / 2));
  CHECK(numbers(a)[1] == 2);
  const Tensor n = from(std::vector<std::int64_t>{1}), m = from(std::vector<std::int64_t>{7});
  optim::average_state({{"n", n}}, {{"n", m}}, 0.9, 1);
  CHECK(n.item() == 7);
  const auto error = [](auto&& call) { return error_of(call); };
  CHECK(error([&] {
          optim::average_state({{"w", a}}, {{"w", x}}, 1, 1);
        }) == "ConfigError: average: the decay is 1\n  help: choose 0 or more, below 1");
  CHECK(error([&] {
          optim::average_state({{"w", a}}, {{"w", x}}, 0.5, 0);
        }) == "ConfigError: average: the step is 0\n  help: count from 1");
  CHECK(error([&] {
          optim::average_state({{"w", a}}, {{"w", n}}, 0.5, 1);
        }) == "ShapeError: average: \"w\" is [1], its average [2]");
  CHECK(error([&] { optim::average_state({{"w", a}}, {}, 0.5, 1); }) == "ShapeError: average: 1 tensors against 0");
}

TEST_CASE("a model beside its averages") {
  for (const optim::Averaging how : {optim::Averaging::exponential, optim::Averaging::equal}) {
    Linear net(2, 1);
    optim::ModelAverage average(net, {.decay = 0.75, .how = how});
    double expected = 0;
    for (int step = 1; step <= 4; ++step) {
      detach(net.weight).mutable_data<float>()[0] = static_cast<float>(step);
      average.update(net);
      if (how == optim::Averaging::equal)
        expected += (step - expected) / step;
      else
        expected = step == 1 ? 1 : 0.75 * expected + 0.25 * step;
      CHECK(numbers(average.model.weight)[0] == doctest::Approx(expected));
    }
    CHECK(average.steps == 4);
    CHECK(numbers(net.weight)[0] == 4);
    CHECK(numbers(average.model.bias) == numbers(net.bias));
  }
}

TEST_CASE("clipping by norm and by value") {
  Tensor a = leaf({0, 0}), b = leaf({0}), idle = leaf({0});
  const auto give = [&] {
    a.set_grad(tensor({3, 0}, DType::float64));
    b.set_grad(tensor({-4}, DType::float64));
  };
  give();
  CHECK(optim::clip_gradient_norm({a, b, idle}, 1) == doctest::Approx(5));
  CHECK(numbers(a.grad())[0] == doctest::Approx(0.6).epsilon(1e-5));
  CHECK(b.grad().item() == doctest::Approx(-0.8).epsilon(1e-5));
  CHECK(optim::clip_gradient_norm({a, b}, 10) == doctest::Approx(1).epsilon(1e-5));
  CHECK(b.grad().item() == doctest::Approx(-0.8).epsilon(1e-5));
  give();
  CHECK(optim::gradient_norm({a, b}, 1) == doctest::Approx(7));
  CHECK(optim::gradient_norm({a, b}, 3) == doctest::Approx(std::cbrt(91.)));
  CHECK(optim::gradient_norm({a, b}, std::numeric_limits<double>::infinity()) == 4);
  CHECK(optim::gradient_norm({idle}) == 0);
  optim::clip_gradient_value({a, b, idle}, 0.5);
  CHECK(numbers(a.grad()) == std::vector<double>{0.5, 0});
  CHECK(b.grad().item() == -0.5);
}

TEST_CASE("clipping of gradients that overflow, vanish or are not numbers") {
  Tensor a = leaf({0, 0}, DType::float32), b = leaf({0}, DType::float32);
  for (const double size : {1e30, 1e-30}) {  // squares that a float32 does not hold
    a.set_grad(tensor({3 * size, 0}));
    b.set_grad(tensor({4 * size}));
    CHECK(optim::gradient_norm({a, b}) == doctest::Approx(5 * size));
  }
  a.set_grad(tensor({1e30, 0}));
  optim::clip_gradient_norm({a}, 1);
  CHECK(numbers(a.grad())[0] == doctest::Approx(1));
  for (const double bad : {static_cast<double>(NAN), std::numeric_limits<double>::infinity()})
    for (const double norm_type : {1., 2., std::numeric_limits<double>::infinity()}) {
      a.set_grad(tensor({1, bad}));
      b.set_grad(tensor({1}));
      CHECK(error_of([&] {
              optim::clip_gradient_norm({b, a}, 1, norm_type, true);
            }) == text("GradError: clip_gradient_norm: the norm of the gradients is ", bad,
                       "\n  help: look for what makes it so, or leave out error_if_nonfinite"));
      CHECK(b.grad().item() == 1);
      CHECK_FALSE(std::isfinite(optim::clip_gradient_norm({b, a}, 1, norm_type)));
      CHECK(std::isnan(numbers(a.grad())[1]));
    }
  a.set_grad(tensor({NAN, 2}));
  optim::clip_gradient_value({a}, 1);
  CHECK(std::isnan(numbers(a.grad())[0]));
  CHECK(numbers(a.grad())[1] == 1);
  CHECK(error_of([&] { optim::clip_gradient_norm({a}, -1); }) ==
        "ConfigError: clip_gradient_norm: the limit is -1\n  help: choose 0 or more");
  CHECK(error_of([&] { optim::clip_gradient_value({a}, NAN); }) ==
        "ConfigError: clip_gradient_value: the limit is nan\n  help: choose 0 or more");
  CHECK(error_of([&] { optim::gradient_norm({a}, 0); }) ==
        "ConfigError: gradient_norm: norm_type is 0\n  help: choose a number above 0, or infinity");
}

TEST_CASE("the L1 penalty and its proximal step") {
  Tensor p = leaf({-2, 0.05, 1});
  Tensor penalty = optim::l1_penalty({p}, 0.1);
  CHECK(penalty.item() == doctest::Approx(0.305));
  penalty.backward();
  CHECK(numbers(p.grad()) == std::vector<double>{-0.1, 0.1, 0.1});
  optim::soft_threshold({p}, 0.1);
  CHECK(numbers(p)[0] == doctest::Approx(-1.9));
  CHECK(numbers(p)[1] == 0);
  CHECK(numbers(p)[2] == doctest::Approx(0.9));
  CHECK(p.requires_grad());
}

TEST_CASE("the L2 penalty: its gradient is that of weight decay") {
  Tensor p = leaf({-2, 0.5}), q = leaf({3});
  Tensor penalty = optim::l2_penalty({p, q}, 0.1);
  CHECK(penalty.item() == doctest::Approx(0.05 * 13.25));
  penalty.backward();
  CHECK(numbers(p.grad())[0] == doctest::Approx(-0.2));
  CHECK(numbers(p.grad())[1] == doctest::Approx(0.05));
  CHECK(numbers(q.grad())[0] == doctest::Approx(0.3));
  CHECK(error_of([] { optim::l2_penalty({}, 1); }) == "ConfigError: l2_penalty: there are no parameters");
}

TEST_CASE("the proximal step of one group of several parameters") {
  Tensor p = leaf({3, 0}), q = leaf({4});
  optim::group_soft_threshold(std::vector<Tensor>{p, q}, 1);
  CHECK(numbers(p)[0] == doctest::Approx(3 * 0.8));
  CHECK(numbers(q)[0] == doctest::Approx(4 * 0.8));
  CHECK(q.requires_grad());
  optim::group_soft_threshold(std::vector<Tensor>{p, q}, 4);
  CHECK(optim::zero_fraction({p, q}) == 1);
  optim::group_soft_threshold(std::vector<Tensor>{p, q}, 0);  // 0 / 0 must not make it NaN
  CHECK(optim::zero_fraction({p, q}) == 1);
  CHECK(error_of([&] { optim::group_soft_threshold(std::vector<Tensor>{p}, -1); }) ==
        "ConfigError: group_soft_threshold: the limit is -1\n  help: choose 0 or more");
  CHECK(error_of([&] { optim::group_soft_threshold(std::vector<Tensor>(), 1); }) ==
        "ConfigError: group_soft_threshold: there are no parameters");
}

TEST_CASE("a group per modality: the one that says nothing is dropped as a whole, the other keeps every input") {
  Generator g{3};
  const Tensor useful = randn({200, 3}, 0, 1, DType::float64, g), idle = randn({200, 4}, 0, 1, DType::float64, g);
  const Tensor y =
      matmul(useful, from(std::vector<double>{1, -0.3, 0.5}, {3, 1})) + randn({200, 1}, 0, 0.5, DType::float64, g);
  Tensor a = leaf({0.5, 0.5, 0.5}), b = leaf({0.5, 0.5, 0.5, 0.5});
  optim::Sgd optimizer({a, b}, {.lr = 0.1});
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    mean(square(matmul(useful, reshape(a, {3, 1})) + matmul(idle, reshape(b, {4, 1})) - y)).backward();
    optimizer.step();
    for (const Tensor& group : {a, b}) optim::group_soft_threshold(std::vector<Tensor>{group}, optimizer.lr() * 0.3);
  }
  CHECK(optim::zero_fraction({a}) == 0);
  CHECK(optim::zero_fraction({b}) == 1);
}

TEST_CASE("the proximal step of groups, and how many zeros there are") {
  Tensor w = tensor({{3, 0.1, 0}, {4, 0.1, 0}}, DType::float64).set_requires_grad();
  optim::group_soft_threshold(w, 1, 1);
  CHECK(numbers(w)[0] == doctest::Approx(3 * 0.8));
  CHECK(numbers(w)[3] == doctest::Approx(4 * 0.8));
  CHECK(numbers(w)[1] == 0);
  CHECK(numbers(w)[4] == 0);
  CHECK(numbers(w)[5] == 0);
  CHECK(w.requires_grad());
  CHECK(optim::zero_fraction({w}) == doctest::Approx(4. / 6));
  optim::group_soft_threshold(w, 0, 10);
  CHECK(optim::zero_fraction({w}) == 1);
  Tensor line = leaf({-2, 0.5});  // groups of one number: the same as L1
  optim::group_soft_threshold(line, 0, 1);
  CHECK(numbers(line) == std::vector<double>{-1, 0});
  CHECK(error_of([&] { optim::group_soft_threshold(w, 2, 1); }) ==
        "ShapeError: group_soft_threshold: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1");
  CHECK(error_of([&] { optim::group_soft_threshold(w, 0, -1); }) ==
        "ConfigError: group_soft_threshold: the limit is -1\n  help: choose 0 or more");
  CHECK(error_of([] { optim::zero_fraction({}); }) == "ConfigError: zero_fraction: there are no parameters");
}

TEST_CASE("an optimiser says what is wrong with what it was given") {
  using namespace optim;
  Tensor p = leaf({1}), q = leaf({1});
  const auto error = [](auto&& call) { return error_of(call); };
  CHECK(error([] { Adam({}); }) == "ConfigError: adam: there are no parameters\n  help: pass parameters(model)");
  CHECK(error([] { Adam({ones({2})}); }) == "ConfigError: adam: parameter 0 of shape [2] does not require a gradient");
  CHECK(error([&] { Adam({p, q, p}); }) == "ConfigError: adam: parameter 2 of shape [1] is there already");
  CHECK(error([] { Adam({zeros({1}, DType::bfloat16).set_requires_grad()}); }) ==
        "DtypeError: adam: parameter 0 is bfloat16, not float32 or float64\n  help: keep a float32 copy for the "
        "optimiser");
  CHECK(error([&] { Sgd({p}, {.nesterov = true}); }) ==
        "ConfigError: sgd: nesterov with momentum 0 and dampening 0\n  help: give it a momentum above 0 and no "
        "dampening");
  CHECK(error([&] {
          Rprop({p}, {.step_sizes = {1, 0.5}});
        }) == "ConfigError: rprop: step_sizes.second is 0.5\n  help: choose 1 or more");
  const std::string more = "\n  help: choose 0 or more", share = "\n  help: choose 0 or more, below 1";
  CHECK(error([&] { Adam({p}, {.lr = -1}); }) == "ConfigError: adam: lr is -1" + more);
  CHECK(error([&] { Adam({p}, {.lr = NAN}); }) == "ConfigError: adam: lr is nan" + more);
  CHECK(error([&] { Adam({p}, {.betas = {1, 0.9}}); }) == "ConfigError: adam: betas.first is 1" + share);
  CHECK(error([&] { AdamW({p}, {.betas = {0.9, -1}}); }) == "ConfigError: adamw: betas.second is -1" + share);
  CHECK(error([&] { Adamax({p}, {.eps = -1}); }) == "ConfigError: adamax: eps is -1" + more);
  CHECK(error([&] { NAdam({p}, {.momentum_decay = -1}); }) == "ConfigError: nadam: momentum_decay is -1" + more);
  CHECK(error([&] { RAdam({p}, {.weight_decay = -1}); }) == "ConfigError: radam: weight_decay is -1" + more);
  CHECK(error([&] { Sgd({p}, {.momentum = -1}); }) == "ConfigError: sgd: momentum is -1" + more);
  CHECK(error([&] { Sgd({p}, {.dampening = NAN}); }) ==
        "ConfigError: sgd: dampening is nan\n  help: choose a finite number");
  CHECK(error([&] { Asgd({p}, {.lambd = -1}); }) == "ConfigError: asgd: lambd is -1" + more);
  CHECK(error([&] {
          Rprop({p}, {.etas = {1.5, 2}});
        }) == "ConfigError: rprop: etas.first is 1.5\n  help: choose a number between 0 and 1");
  CHECK(error([&] {
          Rprop({p}, {.etas = {0.5, 1}});
        }) == "ConfigError: rprop: etas.second is 1\n  help: choose a number above 1");
  CHECK(error([&] { Adagrad({p}, {.lr_decay = -1}); }) == "ConfigError: adagrad: lr_decay is -1" + more);
  CHECK(error([&] { Adadelta({p}, {.rho = 2}); }) ==
        "ConfigError: adadelta: rho is 2\n  help: choose a number from 0 to 1");
  CHECK(error([&] { Rmsprop({p}, {.alpha = -1}); }) ==
        "ConfigError: rmsprop: alpha is -1\n  help: choose a number from 0 to 1");

  Sgd sgd({p}, {.momentum = 0.9, .nesterov = true});
  CHECK(error([&] { sgd.add_group({p}, {}); }) == "ConfigError: sgd: parameter 0 of shape [1] is there already");
  CHECK(error([&] { sgd.add_group({q}, {.lr = -1}); }) == "ConfigError: sgd: lr is -1" + more);
  CHECK(sgd.groups() == 1);
  CHECK(error([&] { sgd.set_lr(-2); }) == "ConfigError: sgd: lr is -2" + more);
  CHECK(error([&] { sgd.set_lr(1, 0.1); }) == "ConfigError: sgd: there is no group 1, only 1");
  CHECK(error([&] { sgd.set_momentum(0, 0); }) ==
        "ConfigError: sgd: nesterov with momentum 0 and dampening 0\n  help: give it a momentum above 0 and no "
        "dampening");
  CHECK(error([&] { sgd.options(3); }) == "ConfigError: sgd: there is no group 3, only 1");
  CHECK(sgd.lr() == 1e-3);
  CHECK(sgd.momentum() == 0.9);
  CHECK(error([&] { Adagrad({p}).momentum(); }) == "ConfigError: adagrad: there is no momentum");
}

TEST_CASE("changing a parameter by a step is noticed by a tape that saved it") {
  for (const Solver& each : solvers()) {
    CAPTURE(each.name);
    Tensor w = leaf({2, 3});
    const auto o = each.make({w});
    const Tensor y = sum(w * w);
    w.set_grad(ones({2}, DType::float64));
    o->step();
    CHECK_THROWS_AS(y.backward(), GradError);
  }
}
