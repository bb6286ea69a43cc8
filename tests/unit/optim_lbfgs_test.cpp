#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/layers/basic.h>

#include "error_of.h"
#include "optim_help.h"

using namespace weft;
using namespace weft::tests;
using optim::LineSearch;

namespace {

Tensor rosenbrock(const Tensor& x, const Tensor& y) { return sum(square(1 - x) + 100 * square(y - square(x))); }

/// The closure of a loss; counts how often it is called.
template <class Loss>
optim::Closure closure(optim::Optimizer& optimizer, int& calls, Loss loss) {
  return [&optimizer, &calls, loss] {
    ++calls;
    optimizer.zero_grad();
    const Tensor l = loss();
    l.backward();
    return l;
  };
}

}  // namespace

TEST_CASE("lbfgs: the valley of Rosenbrock") {
  for (const auto& [x0, y0] : {std::pair{-1.2, 1.}, std::pair{0., 0.}, std::pair{-3., 8.}, std::pair{1., -40.}}) {
    Tensor x = leaf({x0}), y = leaf({y0});
    optim::Lbfgs lbfgs({x, y}, {.line_search_fn = LineSearch::strong_wolfe});
    int calls = 0;
    for (int step = 0; step < 8; ++step) lbfgs.step(closure(lbfgs, calls, [&] { return rosenbrock(x, y); }));
    CHECK(std::abs(x.item() - 1) < 1e-6);
    CHECK(std::abs(y.item() - 1) < 1e-6);
    CHECK(calls < 150);
  }
}

TEST_CASE("lbfgs: a quadratic in as many moves as it has dimensions, or little more") {
  manual_seed(1);
  const Tensor root = randn({6, 6}, 0, 1, DType::float64), a = matmul(root, t(root)) + 0.1 * eye(6, 6, DType::float64);
  const Tensor target = randn({6}, 0, 1, DType::float64);
  for (const LineSearch how : {LineSearch::none, LineSearch::strong_wolfe}) {
    Tensor x = zeros({6}, DType::float64).set_requires_grad();
    optim::Lbfgs lbfgs({x}, {.max_iter = 60, .tolerance_change = 1e-14, .line_search_fn = how});
    int calls = 0;
    const double before = lbfgs.step(closure(lbfgs, calls, [&] {
      const Tensor d = x - target;
      return sum(d * matmul(a, d)) / 2;
    }));
    CHECK(before == doctest::Approx((sum(target * matmul(a, target)) / 2).item()));
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(numbers(x)[i] - numbers(target)[i]) < 1e-6);
    CHECK(calls <= 61);
  }
}

TEST_CASE("lbfgs: float32 layers, and what has no gradient stays") {
  manual_seed(3);
  Linear net(3, 1);
  Tensor idle = leaf({5}, DType::float32);
  const Tensor x = randn({20, 3}), y = unsqueeze(matmul(x, tensor({1, -2, 0.5})), 1) + 3;
  std::vector<Tensor> all = parameters(net);
  all.push_back(idle);
  optim::Lbfgs lbfgs(all, {.line_search_fn = LineSearch::strong_wolfe});
  int calls = 0;
  for (int step = 0; step < 3; ++step) lbfgs.step(closure(lbfgs, calls, [&] { return mse_loss(net(x), y); }));
  CHECK(mse_loss(net(x), y).item() < 1e-8);
  CHECK(idle.item() == 5);
}

TEST_CASE("lbfgs: limits and stops") {
  Tensor x = leaf({-1.2}), y = leaf({1});
  int calls = 0;
  const auto run = [&](const optim::LbfgsOptions& options) {
    calls = 0;
    optim::Lbfgs lbfgs({x, y}, options);
    lbfgs.step(closure(lbfgs, calls, [&] { return rosenbrock(x, y); }));
    return calls;
  };
  CHECK(run({.max_iter = 1}) == 1);
  CHECK(run({.max_iter = 100, .max_eval = 7, .line_search_fn = LineSearch::strong_wolfe}) == 7);
  x.mutable_data<double>()[0] = y.mutable_data<double>()[0] = 1;
  CHECK(run({}) == 1);  // there already
  CHECK(x.item() == 1);
}

TEST_CASE("lbfgs: a step too far is taken back") {
  // log is undefined beyond 0, where the first steps lead.
  Tensor x = leaf({0.01});
  optim::Lbfgs lbfgs({x}, {.lr = 1000, .line_search_fn = LineSearch::strong_wolfe});
  int calls = 0;
  for (int step = 0; step < 3; ++step)
    lbfgs.step(closure(lbfgs, calls, [&] { return sum(-log(x) - log(1 - x) + 2 * x); }));
  // 1/x - 1/(1 - x) = 2
  CHECK(x.item() == doctest::Approx(1 - std::sqrt(0.5)).epsilon(1e-6));
}

TEST_CASE("lbfgs: messages") {
  Tensor x = leaf({1});
  const auto error = [](auto&& call) { return error_of(call); };
  optim::Lbfgs lbfgs({x});
  CHECK(error([&] { lbfgs.step(); }) == "ConfigError: lbfgs: a step needs the loss\n  help: call step(closure)");
  int calls = 0;
  CHECK(error([&] { lbfgs.step(closure(lbfgs, calls, [&] { return sum(log(x - 2)); })); }) ==
        "GradError: lbfgs: the loss is nan, its gradient finite\n  help: choose a smaller lr, or a line search");
  CHECK(error([&] { lbfgs.step(closure(lbfgs, calls, [&] { return sum(sqrt(x - 1)); })); }) ==
        "GradError: lbfgs: the loss is 0, its gradient not finite\n  help: choose a smaller lr, or a line search");
  CHECK(x.item() == 1);
  CHECK(error([&] { optim::Lbfgs({x}, {.lr = 0}); }) == "ConfigError: lbfgs: lr is 0\n  help: choose a number above 0");
  CHECK(error([&] { optim::Lbfgs({x}, {.max_iter = 0}); }) ==
        "ConfigError: lbfgs: max_iter is 0\n  help: choose 1 or more");
  CHECK(error([&] { optim::Lbfgs({x}, {.max_eval = 0}); }) ==
        "ConfigError: lbfgs: max_eval is 0\n  help: choose 1 or more");
  CHECK(error([&] { optim::Lbfgs({x}, {.history_size = 0}); }) ==
        "ConfigError: lbfgs: history_size is 0\n  help: choose 1 or more");
  CHECK(error([] { optim::Lbfgs({}); }) ==
        "ConfigError: lbfgs: there are no parameters\n  help: pass parameters(model)");
  CHECK(error([&] { lbfgs.set_momentum(0, 0.5); }) == "ConfigError: lbfgs: there is no momentum");
}
