// Where a training step spends its time.
// A LeNet learns images of random numbers while a profiler watches. Two tables say where the time went, by operation
// and by module: how often, how long, how much arithmetic, and at which rate. A product that runs at 100 GFLOP/s is
// bound by arithmetic; one that runs at 1 GFLOP/s but moves 20 GB/s is bound by memory, and what is fast at neither is
// too small to be worth a call. The same step as a trace: open runs/profile.json in chrome://tracing or
// ui.perfetto.dev. The picture runs/profile.svg shows how the rate of a product grows with its size, which is why large
// batches pay.
//   profile [--full] [--threads N]      --full: 50 steps instead of 10
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

/// LeNet for images (B, 1, 28, 28). LeCun et al. (1998).
struct LeNet {
  Conv2d first{{.in_channels = 1, .out_channels = 6, .kernel_size = 5, .padding = 2}};
  Conv2d second{{.in_channels = 6, .out_channels = 16, .kernel_size = 5}};
  Linear hidden{400, 120}, narrow{120, 84}, out{84, 10};
  Tensor operator()(const Tensor& x) const {
    const Tensor features = max_pool2d(relu(second(max_pool2d(relu(first(x)), 2))), 2);  // (B, 16, 5, 5)
    return out(relu(narrow(relu(hidden(flatten(features, 1))))));
  }
  void fields(auto&& f) { f("first", first, "second", second, "hidden", hidden, "narrow", narrow, "out", out); }
};

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int steps = arguments.full ? 50 : 10;
  manual_seed(arguments.seed);
  LeNet net;
  optim::Adam optimizer(parameters(net), {.lr = 1e-3});
  show::Progress progress(stderr, false);
  const auto step = [&] {
    Tensor x, y;
    {
      const ProfileSection section("drawing a batch");  // what is no operation gets a name like this
      x = randn({128, 1, 28, 28});
      y = randint(0, 10, {128});
    }
    optimizer.zero_grad();
    Tensor loss = cross_entropy(net(x), y);
    loss.backward();
    optimizer.step();
  };
  step();  // the first step fills caches: it would tell about nothing else

  Profile profile(net);
  for (int i = 0; i < steps; ++i) {
    step();
    progress.update(i + 1, steps, "steps");
  }
  profile.stop();
  progress.finish();
  std::printf("%d steps of LeNet, 128 images each: %.1f ms a step\n\n%s\n", steps, 1e3 * profile.seconds() / steps,
              profile.table().c_str());
  std::filesystem::create_directories("runs");
  profile.write_trace("runs/profile.json");

  // The rate by size: small products spend their time on the way to the multiplication.
  show::TextTable table({"n x n x n", "microseconds", "GFLOP/s"});
  show::Line line{"matmul", {}, {}};
  for (const std::int64_t n : {8, 16, 32, 64, 128, 256, 512}) {
    const Tensor a = randn({n, n}), b = randn({n, n});
    matmul(a, b);
    Profile product;
    for (int i = 0; i < 20; ++i) matmul(a, b);
    product.stop();
    const ProfileEntry all = product.operations().front();
    table.row({std::to_string(n), show::fixed(all.seconds / 20 * 1e6, 1), show::fixed(all.gflops(), 1)});
    line.x.push_back(static_cast<double>(n));
    line.y.push_back(all.gflops());
  }
  std::fputs(table.str(show::Style::of(stdout)).c_str(), stdout);
  show::save_plot("runs/profile.svg", {line}, {.title = "A product's rate", .x_label = "n", .y_label = "GFLOP/s"});
  std::puts("the steps as a trace: runs/profile.json; the rate of products: runs/profile.svg");
}
