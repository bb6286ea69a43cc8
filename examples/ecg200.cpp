// Is this heart beat one of a heart short of blood? A hundred beats to learn from.
// ECG200 holds single beats of 96 samples, normal or ischaemic; the nearest neighbour among the 100 training beats is
// right for 88 of the 100 test beats. A network with tens of thousands of weights would learn so few by heart. What
// keeps it from that: each epoch shows every beat moved, stretched, scaled and noised anew; labels are softened; and
// what is used in the end is the average of the last weights, of three networks. All of that was chosen by
// cross-validation within the training beats (--validate prints it); the test beats were looked at once.
// Beside the convolutional encoder stands a recurrent one (GRU with attention pooling).
//   ecg200 [--full] [--validate] [--threads N]      data: $WEFT_DATA/ecg200/{x,y}_{train,test}.npy
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/loader.h>
#include <weft/data/npy.h>
#include <weft/data/signal.h>
#include <weft/data/split.h>
#include <weft/data/statistics.h>
#include <weft/layers/signal.h>
#include <weft/optim/averaging.h>
#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/show/plot.h>
#include <weft/show/terminal.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

using namespace weft;

constexpr int members = 3;  // networks whose probabilities are averaged

/// An encoder (B, 1, T) -> (B, width) and a linear decision.
template <class Encoder>
struct Net {
  Encoder encoder;
  Dropout dropout{0.3};
  Linear out;
  explicit Net(const Encoder& e) : encoder(e), out(encoder.width(), 2) {}
  Tensor operator()(const Tensor& x) const { return out(dropout(encoder(x))); }
  void fields(auto&& f) { f("encoder", encoder, "dropout", dropout, "out", out); }
};

/// Trains one network and returns the probabilities (N, 2) that its average gives for `unseen`.
template <class Encoder>
Tensor probabilities(Net<Encoder> net, const Tensor& x, const Tensor& y, const Tensor& unseen, int epochs, double lr,
                     std::uint64_t seed, std::vector<double>* losses) {
  data::TensorLoader loader(x, y, {.batch_size = 20, .seed = seed});
  optim::AdamW optimizer(parameters(net), {.lr = lr, .weight_decay = 1e-2});
  optim::Scheduler schedule(
      optimizer, optim::OneCycleLr{.max_lr = lr, .total_steps = epochs * loader.steps() + 1, .cycle_momentum = false});
  optim::ModelAverage<Net<Encoder>> average(net, {.decay = 0.98});
  const data::SignalAugmentation augmentation{.shift = 4, .stretch = 0.1, .scale = 0.1, .wander = 0.1, .noise = 0.05};
  Generator random{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (auto& [beats, target] : loader) {
      const Tensor loss =
          cross_entropy(net(data::augment_signals(beats, augmentation, random)), target, {.label_smoothing = 0.1});
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

/// Share of right answers of the ensemble of one seed.
double accuracy(const std::string& kind, const Tensor& x, const Tensor& y, const Tensor& unseen, const Tensor& truth,
                std::uint64_t seed, std::vector<double>* losses = nullptr) {
  Tensor sum_of_members = zeros({unseen.size(0), 2});
  for (std::uint64_t m = 0; m < members; ++m) {
    const std::uint64_t own = 100 * seed + m;
    manual_seed(own);
    std::vector<double>* keep = m == 0 ? losses : nullptr;
    sum_of_members =
        sum_of_members + (kind == "CNN"
                              ? probabilities(Net(SignalCnn({.dropout = 0.1, .pool = SignalPool::max})), x, y, unseen,
                                              100, 2e-3, own, keep)
                              : probabilities(Net(SignalRnn({.hidden_size = 32})), x, y, unseen, 100, 5e-3, own, keep));
  }
  return mean(to(eq(argmax(sum_of_members, 1), truth), DType::float32)).item();
}

int main(int count, char** words) {
  int seeds = 1;
  bool validate = false;
  for (int i = 1; i < count; ++i) {
    if (!std::strcmp(words[i], "--full")) seeds = 5;
    if (!std::strcmp(words[i], "--validate")) validate = true;
    if (!std::strcmp(words[i], "--threads") && i + 1 < count) set_num_threads(std::atoi(words[i + 1]));
  }
  const char* folder = std::getenv("WEFT_DATA");
  const std::string path = std::string(folder ? folder : ".") + "/ecg200/";
  if (!std::filesystem::exists(path + "x_train.npy"))
    return std::puts("skipped: no ecg200/x_train.npy; set WEFT_DATA to the folder that holds ecg200") < 0;
  const Tensor x = data::load_npy(path + "x_train.npy"), x_test = data::load_npy(path + "x_test.npy");
  const Tensor y = to(data::load_npy(path + "y_train.npy"), DType::int64);
  const Tensor y_test = to(data::load_npy(path + "y_test.npy"), DType::int64);
  data::check_finite("ecg200", x);
  const std::vector<std::int64_t> labels = to_vector<std::int64_t>(y);

  std::map<std::string, std::vector<double>> results, losses;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (int seed = 1; seed <= seeds; ++seed)
    for (const std::string kind : {"CNN", "GRU"}) {
      std::vector<double> curve;
      Generator g{static_cast<std::uint64_t>(seed)};
      if (!validate)
        results[kind].push_back(accuracy(kind, x, y, x_test, y_test, static_cast<std::uint64_t>(seed), &curve));
      double right = 0;  // over five folds of the training beats, none of the test ones
      for (const data::Split& fold : validate ? data::stratified_k_fold(labels, 5, g) : std::vector<data::Split>())
        right += 0.2 * accuracy(kind, data::take_rows(x, fold.train), data::take_rows(y, fold.train),
                                data::take_rows(x, fold.test), data::take_rows(y, fold.test),
                                static_cast<std::uint64_t>(seed), &curve);
      if (validate) results[kind].push_back(right);
      losses.try_emplace(kind, curve);
      progress.update(++done, 2 * seeds, kind);
    }
  progress.finish();
  // The nearest neighbour: the training beat at the least squared distance.
  const Tensor distance = sum(square(x_test - permute(x, {1, 0, 2})), 2);  // (test, 1, T) - (1, train, T)
  const double nearest = mean(to(eq(index_select(y, 0, argmin(distance, 1)), y_test), DType::float32)).item();
  std::printf("Accuracy on %s, %d seed%s\n", validate ? "five folds of the 100 training beats" : "100 test beats",
              seeds, seeds > 1 ? "s" : "");
  show::TextTable table({"encoder", "mean", "lowest", "highest", "95 % interval of the mean"});
  for (const auto& [kind, all] : results) {
    const data::Interval mean = data::mean_interval(all);
    table.row({kind, show::fixed(mean.estimate), show::fixed(*std::min_element(all.begin(), all.end())),
               show::fixed(*std::max_element(all.begin(), all.end())),
               all.size() > 1 ? show::fixed(mean.low) + " to " + show::fixed(mean.high) : "-"});
  }
  if (!validate) table.row({"nearest neighbour", show::fixed(nearest), "-", "-", "-"});
  std::fputs(table.str().c_str(), stdout);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/ecg200.svg", {{"CNN", losses["CNN"]}, {"GRU", losses["GRU"]}},
                  {.title = "ECG200", .x_label = "epoch", .y_label = "training loss"});
  std::puts("training loss by epoch: runs/ecg200.svg");
}
