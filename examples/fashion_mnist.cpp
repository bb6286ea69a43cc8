// A small residual network learns what people wear.
// Fashion-MNIST: 70,000 grey images of 28 x 28 pixels, ten kinds of clothing (Xiao, Rasul and Vollgraf, 2017). Ten
// passes over them are enough: images are mirrored and moved by a pixel each time they are seen, batch norm lets the
// learning rate be high, and the rate rises and falls once. The network was chosen on 10,000 of the training images
// (0.938; a plain one of a fifth of its weights does not get there).
//   fashion_mnist [--full] [--seeds N] [--seed FIRST] [--threads N]
// The default learns from 10,000 images for three epochs; --full from all for ten, with five seeds.
// Data: Debian's dataset-fashion-mnist, or a folder with the four .gz files in $FASHION_MNIST.
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"
#include "fashion.h"

using namespace weft;

/// Pixels 0 ... 255 as numbers of about mean 0 and deviation 1 (those of the training images are 72.9 and 90.0).
Tensor scaled(const Tensor& pixels) { return (to(unsqueeze(pixels, 1), DType::float32) - 72.9) / 90.0; }

double accuracy(const ResNet2d& net, const Tensor& images, const Tensor& labels) {
  const NoGrad off;
  double right = 0;
  data::TensorLoader loader(images, labels, {.batch_size = 500, .shuffle = false});
  for (auto& [x, y] : loader) right += sum(to(eq(argmax(net(x), 1), y), DType::float32)).item();
  return right / static_cast<double>(images.size(0));
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string folder = fashion_folder();
  if (folder.empty()) return 0;
  Tensor images = scaled(data::load_idx(folder + "/train-images-idx3-ubyte.gz"));
  Tensor labels = to(data::load_idx(folder + "/train-labels-idx1-ubyte.gz"), DType::int64);
  const Tensor test_images = scaled(data::load_idx(folder + "/t10k-images-idx3-ubyte.gz"));
  const Tensor test_labels = to(data::load_idx(folder + "/t10k-labels-idx1-ubyte.gz"), DType::int64);
  const int epochs = arguments.full ? 10 : 3, seeds = arguments.seeds_or(arguments.full ? 5 : 1);
  if (!arguments.full) {
    images = slice(images, 0, 0, 10000);
    labels = slice(labels, 0, 0, 10000);
  }

  std::vector<double> accuracies;
  std::vector<show::Line> curves;
  show::TextTable table({"seed", "loss", "test accuracy", "seconds per epoch"});
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    ResNet2d net({.in_channels = 1, .num_classes = 10, .blocks = {1, 1, 1, 1}, .width = 16, .stem = ResNetStem::small});
    data::TensorLoader loader(images, labels, {.batch_size = 128, .drop_last = true, .seed = seed});
    loader.transform(
        [](const Tensor& x, Generator& g) { return data::augment(x, {.flip = 0.5, .shift = 1, .fill = -0.81}, g); });
    optim::Sgd optimizer(parameters(net), {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .nesterov = true});
    optim::Scheduler rate(optimizer, optim::OneCycleLr{.max_lr = 0.15, .total_steps = epochs * loader.steps() + 1});
    curves.push_back({"seed " + std::to_string(seed), {}, {}});
    show::EventFile events("runs/fashion_mnist/seed-" + std::to_string(seed));  // for tensorboard --logdir runs
    const auto start = std::chrono::steady_clock::now();
    for (int epoch = 0; epoch < epochs; ++epoch) {
      train(net);
      double total = 0;
      for (auto& [x, y] : loader) {
        const Tensor loss = cross_entropy(net(x), y);
        loss.backward();
        optimizer.step();
        optimizer.zero_grad();
        rate.step();
        total += loss.item();
        events.scalar("loss/step", rate.time(), loss.item());
        progress.update(s * epochs * loader.steps() + rate.time(), seeds * epochs * loader.steps(), "training");
      }
      curves.back().y.push_back(total / static_cast<double>(loader.steps()));
      events.scalar("loss/epoch", epoch + 1, curves.back().y.back());
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    eval(net);
    accuracies.push_back(accuracy(net, test_images, test_labels));  // the test images are looked at once, at the end
    table.row({std::to_string(seed), show::fixed(curves.back().y.back()), show::fixed(accuracies.back(), 4),
               show::fixed(seconds.count() / epochs, 1)});
  }
  progress.finish();
  std::fputs(table.str(show::Style::of(stdout)).c_str(), stdout);
  const data::Interval mean = data::mean_interval(accuracies);
  std::printf("mean test accuracy %.4f (95 %% interval %.4f to %.4f), %d epochs of %lld images\n", mean.estimate,
              mean.low, mean.high, epochs, static_cast<long long>(images.size(0)));
  std::filesystem::create_directories("runs");
  show::save_plot("runs/fashion_mnist.svg", curves, {.title = "Fashion-MNIST", .x_label = "epoch", .y_label = "loss"});
  std::puts("the course of the loss: runs/fashion_mnist.svg");
}
