// A network whose layers want different learning rates.
// Someone began with weights of very different sizes: the first layer's are 30 times too large in effect (its inputs come
// in other units), the last one's output is divided by 30. At a rate at which the last layer learns, the first one
// explodes; at a rate at which the first is calm, the last one stands still. Sensitivity-adaptive rates watch each
// layer's gradient: where its norm jumps from step to step, the layer is slowed down, where it hardly changes, sped up.
// Simulated data. Draws runs/sensitivity_loss.svg and _rates.svg. Arguments: --full (2,000 steps), --seeds N.
#include <cmath>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Reals = std::vector<double>;

struct Net {
  Linear first{8, 32}, second{32, 32}, out{32, 1};
  Tensor operator()(const Tensor& x) const {
    return out(tanh(second(tanh(first(x))))) * 0.1;  // an output in other units ...
  }
  void fields(auto&& f) { f("first", first, "second", second, "out", out); }
};

struct Run {
  Reals loss, rate[3];  // by step; per layer
};

Run trained(double lr, bool adaptive, std::uint64_t seed, int steps) {
  manual_seed(seed);
  Generator g{seed};
  Net net;
  const Tensor x = randn({256, 8}, 0, 1, DType::float32, g) * 30;  // ... and so are the inputs
  const Tensor y = tanh(matmul(x, randn({8, 1}, 0, 0.02, DType::float32, g)));
  const auto optimizer = optim::per_layer<optim::Sgd>(named_parameters(net), {.lr = lr});
  optim::SensitivityRates rates(*optimizer, {.min_factor = 1e-4, .max_factor = 100, .start_factor = 1e-2});
  Run run;
  for (int step = 0; step < steps; ++step) {
    optimizer->zero_grad();
    const Tensor loss = mse_loss(net(x), y);
    loss.backward();
    run.loss.push_back(loss.item());
    for (std::size_t k = 0; k < 3; ++k) run.rate[k].push_back(adaptive ? rates.rate(k) : lr);
    adaptive ? rates.step() : optimizer->step();
  }
  return run;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(10), steps = arguments.full ? 2000 : 500;
  for (const double lr : {30., 10., 3., 1., 0.3, 0.1, 0.01})
    for (const bool adaptive : {false, true}) {
      std::printf("%g %d:", lr, adaptive);
      for (int k = 0; k < seeds; ++k) {
        const Run r = trained(lr, adaptive, arguments.seed + static_cast<std::uint64_t>(k), steps);
        std::printf(" %.4f", r.loss.back());
        if (k == 0) std::printf("[%.2g %.2g %.2g]", r.rate[0].back(), r.rate[1].back(), r.rate[2].back());
      }
      std::puts("");
    }
}
