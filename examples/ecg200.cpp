// Is this heart short of blood? A hundred beats to learn from (ECG200: 96 samples each, normal or ischaemic).
// The nearest neighbour is right for 88 of the 100 test beats; a network could simply learn so few by heart. What keeps
// it from that: each epoch shows every beat moved, stretched, scaled and noised anew, labels are softened, and what is
// used is the average of the last weights, of three networks. All of it was chosen by cross-validation within the
// training beats, as --validate repeats it. Beside the convolutional encoder stands a recurrent one.
//   ecg200 [--full | --validate]      data: $WEFT_DATA/ecg200/{x,y}_{train,test}.npy
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

constexpr int epochs = 100, members = 3;  // so many networks' probabilities are averaged
const data::SignalAugmentation augmentation{.shift = 6, .stretch = 0.15, .scale = 0.15, .wander = 0.2, .noise = 0.1};

using Part = std::pair<Tensor, Tensor>;  // beats (N, 1, 96), labels (N,)

/// An encoder (N, 1, 96) -> (N, width) and a linear decision between two classes.
Sequential network(const std::string& kind) {
  if (kind == "CNN")
    return Sequential(SignalCnn({.dropout = 0.1, .pool = SignalPool::max}), Dropout(0.3), Linear(128, 2));
  return Sequential(SignalRnn({.hidden_size = 32, .num_layers = 2}), Dropout(0.3), Linear(64, 2));
}

/// Trains a network and returns the probabilities (N, 2) that its average gives for beats unseen.
Tensor probabilities(const std::string& kind, const Part& seen, const Tensor& unseen, std::uint64_t seed,
                     std::vector<double>* losses) {
  manual_seed(seed);
  Sequential net = network(kind);
  data::TensorLoader loader(seen.first, seen.second, {.batch_size = 20, .seed = seed});
  const double lr = kind == "CNN" ? 2e-3 : 5e-3;
  optim::AdamW optimizer(parameters(net), {.lr = lr, .weight_decay = 1e-2});
  const std::int64_t steps = epochs * loader.steps() + 1;
  optim::Scheduler schedule(optimizer, optim::OneCycleLr{.max_lr = lr, .total_steps = steps, .cycle_momentum = false});
  optim::ModelAverage<Sequential> average(net, {.decay = 0.98});
  Generator random{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (auto& [beats, target] : loader) {
      const Tensor logits = net(data::augment_signals(beats, augmentation, random));
      const Tensor loss = cross_entropy(logits, target, {.label_smoothing = 0.1});
      loss.backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      average.update(net);
      total += loss.item() / static_cast<double>(loader.steps());
    }
    if (losses) losses->push_back(total);
  }
  eval(average.model);
  const NoGrad off;
  return softmax(average.model(unseen), 1);
}

/// Share of right answers of several networks together; `losses` receives the training losses of the first.
double accuracy(const std::string& kind, const Part& seen, const Part& unseen, std::uint64_t seed,
                std::vector<double>* losses) {
  Tensor together = zeros({unseen.first.size(0), 2});
  for (std::uint64_t m = 0; m < members; ++m)
    together = together + probabilities(kind, seen, unseen.first, 100 * seed + m, m == 0 ? losses : nullptr);
  return mean(to(eq(argmax(together, 1), unseen.second), DType::float32)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, true);
  const auto seeds = static_cast<std::uint64_t>(arguments.seeds_or(arguments.validate || arguments.full ? 5 : 1));
  const std::string path = std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/ecg200/";
  if (!std::filesystem::exists(path + "x_train.npy"))
    return std::puts("skipped: no ecg200/x_train.npy; set WEFT_DATA to the folder that holds ecg200") < 0;
  const auto load = [&](const std::string& set) {
    return Part{data::load_npy(path + "x_" + set + ".npy"),
                to(data::load_npy(path + "y_" + set + ".npy"), DType::int64)};
  };
  const Part train = load("train"), test = load("test");
  data::check_finite("ecg200", train.first);
  std::vector<std::pair<Part, Part>> parts = {{train, test}};
  Generator g{1};
  if (arguments.validate) {  // five folds of the training beats, none of the test ones
    parts.clear();
    const auto rows = [&](const auto& index) {
      return Part{data::take_rows(train.first, index), data::take_rows(train.second, index)};
    };
    for (const data::Split& fold : data::stratified_k_fold(to_vector<std::int64_t>(train.second), 5, g))
      parts.push_back({rows(fold.train), rows(fold.test)});
  }
  show::TextTable table({"encoder", "accuracy", "deviation over seeds"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (const std::string kind : {"CNN", "GRU"}) {
    std::vector<double> all, losses;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      double right = 0;
      for (const auto& [seen, unseen] : parts)
        right += accuracy(kind, seen, unseen, arguments.seed - 1 + seed, losses.empty() ? &losses : nullptr);
      all.push_back(right / static_cast<double>(parts.size()));
      progress.update(++done, static_cast<std::int64_t>(2 * seeds), kind);
    }
    curves.push_back({kind, losses});
    table.row(
        {kind, show::fixed(mean(from(all)).item()), show::fixed(seeds > 1 ? std::sqrt(var(from(all)).item()) : NAN)});
  }
  progress.finish();
  // The nearest neighbour: the training beat at the least squared distance, of (test, 1, T) - (1, train, T).
  const Tensor nearest = argmin(sum(square(test.first - permute(train.first, {1, 0, 2})), 2), 1);
  const Tensor right = eq(index_select(train.second, 0, nearest), test.second);
  if (!arguments.validate) table.row({"nearest neighbour", show::fixed(mean(to(right, DType::float32)).item()), "-"});
  std::printf("%s\n%straining loss by epoch: runs/ecg200.svg\n",
              arguments.validate ? "Five folds of training beats" : "Test beats", table.str().c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/ecg200.svg", curves, {.title = "ECG200", .x_label = "epoch", .y_label = "training loss"});
}
