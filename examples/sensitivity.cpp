// A network whose layers want different learning rates.
// The first layer's numbers are kept in units in which they are 33 times too large, the last one's in units in which
// they are 30 times too small, as happens where somebody multiplies "by a scale" in between. What the network computes
// is the same, but a step that moves the first layer at all makes the last one explode: a single rate diverges, or it
// stalls. Sensitivity-adaptive rates watch each layer's gradient: where its norm jumps from step to step, the layer is
// slowed down, where it hardly changes, sped up. Adam, whose steps do not depend on the gradient's scale, stands
// beside. Simulated data. Draws runs/sensitivity_loss.svg and runs/sensitivity_rates.svg. Arguments: --full (5,000
// steps in place of 2,000), --seeds N, --seed FIRST, --threads N.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Reals = std::vector<double>;
constexpr double first_scale = 0.03, last_scale = 30;

/// y = last_scale * last(tanh(middle(tanh(first_scale * first(x))))), at first an ordinary network of that shape.
struct Net {
  Linear first{4, 32}, middle{32, 32}, last{32, 1};
  Net() {
    for (auto [layer, scale] : {std::pair{&first, first_scale}, std::pair{&last, last_scale}}) {
      layer->weight = detach(layer->weight / scale).set_requires_grad();
      layer->bias = detach(layer->bias / scale).set_requires_grad();
    }
  }
  Tensor operator()(const Tensor& x) const { return last(tanh(middle(tanh(first(x) * first_scale)))) * last_scale; }
  void fields(auto&& f) { f("first", first, "middle", middle, "last", last); }
};

enum Kind { plain, adaptive, adam };
struct Run {
  Reals loss, rate[3];  // by step; of the three layers
};

Run trained(Kind kind, double lr, std::uint64_t seed, int steps) {
  manual_seed(seed);
  Generator g{seed, 1 << 20};
  Net net;
  const Tensor x = randn({256, 4}, 0, 1, DType::float32, g);
  const Tensor y = sin(matmul(x, randn({4, 1}, 0, 1, DType::float32, g)) * 1.5);
  const auto sgd = optim::per_layer<optim::Sgd>(named_parameters(net), {.lr = lr});
  const auto adams = optim::per_layer<optim::Adam>(named_parameters(net), {.lr = lr});
  // The base rate may be wrong by orders of magnitude, so the factors begin low and have room.
  optim::SensitivityRates rates(*sgd, {.min_factor = 1e-4, .max_factor = 1e4, .start_factor = 1e-2});
  Run run;
  for (int step = 0; step < steps; ++step) {
    sgd->zero_grad();
    const Tensor loss = mse_loss(net(x), y);
    loss.backward();
    run.loss.push_back(loss.item());
    if (!std::isfinite(run.loss.back())) break;
    for (std::size_t k = 0; k < 3; ++k) run.rate[k].push_back(std::log10(kind == adaptive ? rates.rate(k) : lr));
    kind == adaptive ? rates.step() : kind == adam ? adams->step() : sgd->step();
  }
  return run;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(10), steps = arguments.full ? 5000 : 2000;
  const Reals all_rates = {1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4};
  const char* names[] = {"sgd", "sgd, adaptive", "adam"};
  show::TextTable table({"rate", "sgd: diverged", "median loss", "worst", "adaptive: diverged", "median loss", "worst",
                         "adam: diverged", "median loss", "worst"});
  std::vector<show::Line> losses, rates;
  show::Progress progress(stderr, false);
  for (std::size_t at = 0; at < all_rates.size(); ++at) {
    char label[16];
    std::snprintf(label, sizeof label, "%g", all_rates[at]);
    std::vector<std::string> cells = {label};
    for (const Kind kind : {plain, adaptive, adam}) {
      progress.update(static_cast<int>(3 * at) + kind, 3 * static_cast<int>(all_rates.size()),
                      std::string(names[kind]) + " at " + label);
      Reals ends;  // the mean of the last 50 steps; above 1 is worse than any constant answer: diverged, too
      int diverged = 0;
      for (int k = 0; k < seeds; ++k) {
        const Run run = trained(kind, all_rates[at], arguments.seed + static_cast<std::uint64_t>(k), steps);
        double end = 0;
        for (std::size_t i = run.loss.size() - std::min<std::size_t>(50, run.loss.size()); i < run.loss.size(); ++i)
          end += run.loss[i] / 50;
        ends.push_back(std::isfinite(end) ? end : INFINITY);
        diverged += !(end < 1);
        // The first seed's course, at the highest rate and the highest that plain descent survives.
        if (k == 0 && kind != adam && (at == 0 || all_rates[at] == 3e-4)) {
          show::Line line{std::string(names[kind]) + ", " + label, run.loss, {}};
          for (double& y : line.y) y = y < 1e3 ? std::log10(y) : NAN;
          losses.push_back(line);
        }
        if (k == 0 && kind == adaptive && at == 0)
          rates = {{"first", run.rate[0], {}}, {"middle", run.rate[1], {}}, {"last", run.rate[2], {}}};
      }
      std::sort(ends.begin(), ends.end());
      const auto number = [](double x) { return std::isfinite(x) ? show::fixed(x, 4) : "infinite"; };
      cells.push_back(std::to_string(diverged) + " of " + std::to_string(seeds));
      cells.push_back(number((ends[(ends.size() - 1) / 2] + ends[ends.size() / 2]) / 2));
      cells.push_back(number(ends.back()));
    }
    table.row(cells);
  }
  progress.finish();
  std::filesystem::create_directories("runs");
  show::save_plot("runs/sensitivity_loss.svg", losses,
                  {.title = "A badly scaled network", .x_label = "step", .y_label = "log10 of the squared error"});
  show::save_plot("runs/sensitivity_rates.svg", rates,
                  {.title = "Rates of the layers, base 0.1", .x_label = "step", .y_label = "log10 of the rate"});
  std::printf("Mean squared error (of targets with mean square about 0.5) after %d steps, %d seeds\n%s", steps, seeds,
              table.str().c_str());
}
