#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/optim/early_stopping.h>
#include <weft/optim/lr_finder.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using tests::error_of;
using weft::testing::allclose;

namespace {

void fill(Linear& net, double value) {
  for (Tensor* x : {&net.weight, &net.bias})
    for (std::int64_t i = 0; i < x->numel(); ++i) x->mutable_data<float>()[i] = static_cast<float>(value);
}

}  // namespace

TEST_CASE("early stopping: ends after patience epochs without a better figure, and goes back to the best") {
  Linear net(3, 2);
  optim::EarlyStopping stopping({.patience = 2, .min_delta = 0.05});
  const std::vector<double> losses = {1.0, 0.5, 0.46, 0.47};  // 0.46 is not better by more than 0.05
  std::vector<bool> ended;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    fill(net, static_cast<double>(i));
    ended.push_back(stopping.update(losses[i], state(net)));
  }
  CHECK(ended == std::vector<bool>{false, false, false, true});
  CHECK(stopping.best() == 0.5);
  CHECK(stopping.best_epoch() == 1);
  stopping.restore(state(net));
  CHECK(allclose(net.weight, ones({2, 3}), {.atol = 0, .rtol = 0}));
  CHECK(allclose(net.bias, ones({2}), {.atol = 0, .rtol = 0}));
}

TEST_CASE("early stopping: higher may be better, what is not a number never is") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Linear net(1, 1);
  optim::EarlyStopping stopping({.patience = 3, .higher_is_better = true});
  CHECK_FALSE(stopping.update(nan, state(net)));
  CHECK(error_of([&] { stopping.restore(state(net)); }) ==
        "ConfigError: early stopping: there is no best epoch yet\n  help: call update() after each epoch");
  CHECK_FALSE(stopping.update(0.7, state(net)));
  CHECK_FALSE(stopping.update(nan, state(net)));
  CHECK_FALSE(stopping.update(0.8, state(net)));
  CHECK_FALSE(stopping.update(0.6, state(net)));
  CHECK_FALSE(stopping.update(nan, state(net)));
  CHECK(stopping.update(0.8, state(net)));
  CHECK(stopping.best() == 0.8);
  CHECK(stopping.best_epoch() == 3);
  optim::EarlyStopping hopeless({.patience = 2});
  CHECK_FALSE(hopeless.update(nan, state(net)));
  CHECK(hopeless.update(nan, state(net)));
}

TEST_CASE("early stopping: wrong input says what to do") {
  CHECK(error_of([] { optim::EarlyStopping({.patience = 0}); }) ==
        "ConfigError: early stopping: patience 0, must be 1 or more");
  CHECK(error_of([] { optim::EarlyStopping({.min_delta = -1}); }) ==
        "ConfigError: early stopping: min_delta -1, must be 0 or more");
  optim::EarlyStopping stopping;
  Linear net(2, 2), wider(3, 2);
  stopping.update(1, state(net));
  CHECK(error_of([&] { stopping.restore(state(wider)); }) ==
        "ShapeError: early stopping: \"weight\" is [2, 3], kept was [2, 2]");
}

TEST_CASE("find_lr: on a quadratic the loss runs away beyond the rate where descent is unstable") {
  // (1/2) c w^2 by plain descent: w <- (1 - lr c) w, which grows when lr > 2 / c.
  const double c = 50;
  Tensor w = full({1}, 3.0);
  w.set_requires_grad();
  optim::Sgd optimizer({w}, {.lr = 0.123});
  const auto found = optim::find_lr(optimizer, [&] { return sum(square(w)) * (c / 2) + 1.0; },
                                    {.lowest = 1e-5, .highest = 10, .steps = 200});
  CHECK(found.lr.size() < 200);    // ended early,
  CHECK(found.lr.back() > 2 / c);  // but not before it was unstable
  CHECK(found.lr.back() < 10 * 2 / c);
  CHECK(found.limit * 10 > 0.3 / c);
  CHECK(found.limit < 2 / c);
  CHECK(found.steepest > 1e-4);
  CHECK(found.steepest < found.lr.back());
  CHECK(found.lr.size() == found.loss.size());
  CHECK(w.item() == 3.0);  // and nothing is left of it
  CHECK(optimizer.lr() == 0.123);
  CHECK_FALSE(w.grad().defined());
}

TEST_CASE("find_lr: leaves the optimiser's memory as it was, also when the loss throws") {
  manual_seed(1);
  Linear net(4, 1);
  const Tensor x = randn({32, 4}), y = randn({32, 1});
  optim::Adam optimizer(parameters(net), {.lr = 0.01});
  const auto step = [&] {
    optimizer.zero_grad();
    mse_loss(net(x), y).backward();
    optimizer.step();
  };
  for (int i = 0; i < 3; ++i) step();
  Linear twin = clone(net);
  optim::Adam beside(parameters(twin), {.lr = 0.01});
  beside.set_state(optimizer.state());
  optim::find_lr(optimizer, [&] { return mse_loss(net(x), y); });
  int calls = 0;
  CHECK_THROWS_AS(optim::find_lr(optimizer,
                                 [&]() -> Tensor {
                                   if (++calls == 5) throw ConfigError("no more batches");
                                   return mse_loss(net(x), y);
                                 }),
                  ConfigError);
  step();
  beside.zero_grad();
  mse_loss(twin(x), y).backward();
  beside.step();
  CHECK(allclose(net.weight, twin.weight, {.atol = 0, .rtol = 0}));
}

TEST_CASE("find_lr: wrong input says what to do") {
  Tensor w = full({1}, 1.0);
  w.set_requires_grad();
  optim::Sgd optimizer({w}, {.lr = 0.1});
  const auto loss = [&] { return sum(square(w)); };
  CHECK(error_of([&] { optim::find_lr(optimizer, loss, {.lowest = 1, .highest = 0.1}); }) ==
        "ConfigError: find_lr: rates from 1 to 0.1, must be 0 < lowest < highest");
  CHECK(error_of([&] { optim::find_lr(optimizer, loss, {.steps = 3}); }) ==
        "ConfigError: find_lr: 3 steps, must be 10 or more");
  CHECK(error_of([&] { optim::find_lr(optimizer, loss, {.smoothing = 1}); }) ==
        "ConfigError: find_lr: smoothing 1, must be from 0 to below 1");
  CHECK(error_of([&] { optim::find_lr(optimizer, loss, {.too_much = 1}); }) ==
        "ConfigError: find_lr: too_much 1, must be above 1");
  CHECK(error_of([&] { optim::find_lr(optimizer, [&] { return sum(w) * std::nan(""); }); }) ==
        "ConfigError: find_lr: the first loss is nan\n  help: look for what is not a number in the data");
}
