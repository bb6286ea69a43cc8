// Pneumonia on chest X-rays of 28 x 28 pixels: a small residual network beside what others reached.
// The children's X-rays of PneumoniaMNIST (Yang et al., 2023) come with fixed parts for training, validation and test.
// The test part is harder than the validation part: other proportions, and networks that only learn to say "ill"
// show it. Against that: strong augmentation, class weights, softened labels, the average of the last weights,
// and with --full the mean of two networks. Nothing is chosen by the test part, which is looked at once per seed.
//   pneumonia [--full] [--seeds N] [--seed FIRST] [--threads N]      data: $WEFT_DATA/pneumoniamnist_28/*.npy
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

struct Part {
  Tensor images, labels;  // (N, 1, 28, 28) of about mean 0 and deviation 1; (N,) int64
};

Part read(const std::string& folder, const std::string& part) {
  const Tensor pixels = data::load_npy(folder + "/x_" + part + ".npy");
  return {(to(unsqueeze(pixels, 1), DType::float32) - 146.0) / 43.0,
          to(data::load_npy(folder + "/y_" + part + ".npy"), DType::int64)};
}

Tensor probabilities(const ResNet2d& net, const Tensor& images) {
  const NoGrad off;
  return softmax(net(images), 1);
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* root = std::getenv("WEFT_DATA");
  const std::string folder = std::string(root ? root : ".") + "/pneumoniamnist_28";
  if (!std::filesystem::exists(folder + "/x_train.npy"))
    return std::puts("skipped: no pneumoniamnist_28/x_train.npy; set WEFT_DATA to the folder of data sets") < 0;
  const Part seen = read(folder, "train"), validation = read(folder, "val"), test = read(folder, "test");
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), members = arguments.full ? 2 : 1;
  const int epochs = arguments.full ? 12 : 6;
  const double ill = mean(to(seen.labels, DType::float32)).item();
  const Tensor weights = from(std::vector<float>{static_cast<float>(0.5 / (1 - ill)), static_cast<float>(0.5 / ill)});

  show::TextTable table({"seed", "validation AUC", "test AUC", "test accuracy"});
  std::vector<double> areas, accuracies;
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    Tensor valid_sum, test_sum;
    for (int member = 0; member < members; ++member) {
      const std::uint64_t seed =
          (arguments.seed + static_cast<std::uint64_t>(s)) * 100 + static_cast<std::uint64_t>(member);
      manual_seed(seed);
      ResNet2d net(
          {.in_channels = 1, .num_classes = 2, .blocks = {1, 1, 1, 1}, .width = 16, .stem = ResNetStem::small});
      optim::ModelAverage<ResNet2d> average(net, {.decay = 0.99});
      data::TensorLoader loader(seen.images, seen.labels, {.batch_size = 64, .drop_last = true, .seed = seed});
      loader.transform([](const Tensor& x, Generator& g) {
        return data::augment(x,
                             {.flip = 0.5,
                              .shift = 2,
                              .rotate = 12,
                              .zoom = 0.12,
                              .noise = 0.2,
                              .brightness = 0.4,
                              .contrast = 0.3,
                              .fill = -3.4},
                             g);
      });
      optim::AdamW optimizer(parameters(net), {.lr = 1e-3, .weight_decay = 0.05});
      optim::Scheduler rate(
          optimizer,
          optim::OneCycleLr{.max_lr = 4e-3, .total_steps = epochs * loader.steps() + 1, .cycle_momentum = false});
      if (member == 0)
        curves.push_back({"seed " + std::to_string(arguments.seed + static_cast<std::uint64_t>(s)), {}, {}});
      train(net);
      for (int epoch = 0; epoch < epochs; ++epoch) {
        double total = 0;
        for (auto& [x, y] : loader) {
          const Tensor loss = cross_entropy(net(x), y, {.weight = weights, .label_smoothing = 0.1});
          loss.backward();
          optimizer.step();
          optimizer.zero_grad();
          rate.step();
          average.update(net);
          total += loss.item();
          progress.update((s * members + member) * epochs * loader.steps() + rate.time(),
                          seeds * members * epochs * loader.steps(), "training");
        }
        if (member == 0) curves.back().y.push_back(total / static_cast<double>(loader.steps()));
      }
      eval(average.model);
      const Tensor v = probabilities(average.model, validation.images), t = probabilities(average.model, test.images);
      valid_sum = valid_sum.defined() ? valid_sum + v : v;
      test_sum = test_sum.defined() ? test_sum + t : t;
    }
    const auto valid = data::Predictions::of(validation.labels, valid_sum / static_cast<double>(members));
    const auto found = data::Predictions::of(test.labels, test_sum / static_cast<double>(members));
    areas.push_back(data::roc_auc(found));
    accuracies.push_back(data::accuracy(found.labels, found.predicted()));
    table.row({std::to_string(arguments.seed + static_cast<std::uint64_t>(s)), show::fixed(data::roc_auc(valid)),
               show::fixed(areas.back()), show::fixed(accuracies.back())});
  }
  progress.finish();
  const data::Interval area = data::mean_interval(areas), right = data::mean_interval(accuracies);
  table.rule();
  table.row({"mean", "", show::fixed(area.estimate), show::fixed(right.estimate)}, true);
  table.row({"random forest (the data's notes)", "", "0.952", "0.856"});
  table.row({"ResNet-18 (Yang et al.)", "", "0.944", "0.854"});
  std::fputs(table.str(show::Style::of(stdout)).c_str(), stdout);
  if (seeds > 1)
    std::printf("95 %% intervals of the mean over seeds: AUC %.3f to %.3f, accuracy %.3f to %.3f\n", area.low,
                area.high, right.low, right.high);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/pneumonia.svg", curves, {.title = "PneumoniaMNIST", .x_label = "epoch", .y_label = "loss"});
  std::puts("the course of the loss: runs/pneumonia.svg");
}
