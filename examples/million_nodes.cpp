// A graph that does not fit: one million accounts, ten million edges (made up here: simulated). Sixteen groups were
// planted: four of five edges stay within a group, and an account's own 32 features tell which in half of the cases.
// Passing messages along all edges at once would keep what every layer makes of every node; here each step draws 1,024
// accounts, ten neighbours of each and five of each neighbour, and computes on these alone. What one learns from one's
// neighbours shows beside the same network that sees only the account itself.
//   million_nodes [--full] [--seed N] [--threads N]      --full: an epoch over all training accounts
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

constexpr std::int64_t nodes = 1'000'000, links = 5'000'000, groups = 16, features = 32, hidden = 64, batch = 1024;

struct World {
  Tensor edge_index, x, y;  // (2, 2 links), (nodes, features), (nodes,)
};

/// Account i is of group i mod 16 (its number is nothing that the network sees).
World make(Generator& g) {
  World w{empty({2, 2 * links}, DType::int64), randn({nodes, features}, 0, 1, DType::float32, g),
          empty({nodes}, DType::int64)};
  std::int64_t *from = w.edge_index.mutable_data<std::int64_t>(), *to = from + 2 * links;
  for (std::int64_t e = 0; e < links; ++e) {
    const std::int64_t a = g.below(nodes);
    const std::int64_t b = g.uniform() < 0.8 ? a % groups + groups * g.below(nodes / groups) : g.below(nodes);
    from[2 * e] = to[2 * e + 1] = a, from[2 * e + 1] = to[2 * e] = b;
  }
  const Tensor middle = randn({groups, features}, 0, 0.35, DType::float32, g);  // what a group has in common
  std::int64_t* y = w.y.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < nodes; ++i) y[i] = i % groups;
  float* x = w.x.mutable_data<float>();
  for (std::int64_t i = 0; i < nodes; ++i)
    for (std::int64_t f = 0; f < features; ++f) x[i * features + f] += middle.data<float>()[y[i] * features + f];
  return w;
}

struct Net {
  SAGEConv first{{.in_channels = features, .out_channels = hidden}},
      second{{.in_channels = hidden, .out_channels = hidden}};
  Linear out{hidden, groups};
  Tensor operator()(const Tensor& x, const EdgeIndex& outer, const EdgeIndex& inner) const {
    return out(relu(second(relu(first(x, outer)), inner)));
  }
  void fields(auto&& f) { f("first", first, "second", second, "out", out); }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const auto start = std::chrono::steady_clock::now();
  Generator g{arguments.seed};
  const World world = make(g);
  std::printf("%lld nodes, %lld edges made in %.1f s\n", static_cast<long long>(nodes),
              static_cast<long long>(world.edge_index.size(1)), seconds_since(start));
  // A fifth of the accounts is trained on, 20,000 others are for testing.
  const Tensor order = randperm(nodes, g), seen = slice(order, 0, 0, nodes / 5);
  const Tensor test = slice(order, 0, nodes / 5, nodes / 5 + 20000);
  show::TextTable table({"sees", "test accuracy", "steps", "sampling, s", "network, s"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  for (const bool neighbours : {false, true}) {
    manual_seed(arguments.seed);
    // Without neighbours: a graph without edges.
    const Tensor none = zeros({2, 0}, DType::int64);
    data::NeighbourSampler sampler(neighbours ? world.edge_index : none, nodes, {10, 5});
    Net net;
    optim::Adam optimizer(parameters(net), {.lr = 5e-3});
    double sampling = 0, computing = 0, right = 0;
    const auto logits = [&](const Tensor& seeds) {
      const auto before = std::chrono::steady_clock::now();
      const data::NeighbourSample s = sampler.sample(seeds, g);
      const Tensor x = index_select(world.x, 0, s.nodes);
      const EdgeIndex outer = s.block(0), inner = s.block(1);
      sampling += seconds_since(before);
      return net(x, outer, inner);
    };
    data::TensorLoader loader(seen, index_select(world.y, 0, seen), {.batch_size = batch, .seed = arguments.seed});
    const std::int64_t steps = arguments.full ? loader.steps() : 100;
    std::int64_t step = 0;
    curves.push_back({neighbours ? "account and neighbours" : "account alone", {}, {}});
    for (auto& [seeds, y] : loader) {
      const auto before = std::chrono::steady_clock::now();
      const Tensor loss = cross_entropy(logits(seeds), y);
      loss.backward();
      optimizer.step();
      optimizer.zero_grad();
      computing += seconds_since(before);
      curves.back().y.push_back(loss.item());
      progress.update(++step + (neighbours ? steps : 0), 2 * steps, curves.back().name);
      if (step == steps) break;
    }
    computing -= sampling;
    const double trained = sampling;
    const NoGrad off;
    data::TensorLoader unseen(test, index_select(world.y, 0, test), {.batch_size = batch, .shuffle = false});
    for (auto& [seeds, y] : unseen) right += sum(to(eq(argmax(logits(seeds), 1), y), DType::float32)).item();
    table.row({curves.back().name, show::fixed(right / static_cast<double>(test.numel()), 4), std::to_string(steps),
               show::fixed(trained, 1), show::fixed(computing, 1)});
  }
  progress.finish();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%speak memory of the process: %.2f GiB; loss by step: runs/million_nodes.svg\n",
              table.str(show::Style::of(stdout)).c_str(), static_cast<double>(usage.ru_maxrss) / (1 << 20));
  std::filesystem::create_directories("runs");
  show::save_plot("runs/million_nodes.svg", curves, {.title = "A million nodes", .x_label = "step", .y_label = "loss"});
}
