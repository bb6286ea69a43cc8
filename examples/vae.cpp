// A variational autoencoder makes up clothes.
// Twenty hidden numbers have to explain each image of Fashion-MNIST. The encoder says, as a distribution, which ones;
// the decoder makes an image of a draw. Training raises a lower bound on log p(image): how well the image comes back,
// less how far the distribution is from the standard normal, from which new images can then be drawn. A pixel counts
// as that share of ink (Bernoulli).
//   vae [--full] [--seeds N] [--seed FIRST] [--threads N]
// The default learns from 10,000 images for six epochs; --full from all for 30, with five seeds.
// Data: Debian's dataset-fashion-mnist, or a folder with the .gz files in $FASHION_MNIST.
#include <cstdio>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"
#include "fashion.h"

using namespace weft;

Tensor ink(const std::string& path) { return reshape(to(data::load_idx(path), DType::float32) / 255.0, {-1, 784}); }

/// The mean bound over all images in nats: of one draw, or the tighter one of several.
double mean_bound(const Vae& vae, const Tensor& images, std::int64_t draws) {
  const NoGrad off;
  double total = 0;
  data::TensorLoader loader(images, zeros({images.size(0)}), {.batch_size = 500, .shuffle = false});
  for (auto& [x, unused] : loader)
    total += sum(draws > 1 ? vae.importance_bound(x, draws) : vae.bound(x).value()).item();
  return total / static_cast<double>(images.size(0));
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string folder = fashion_folder();
  if (folder.empty()) return 0;
  const Tensor all = ink(folder + "/train-images-idx3-ubyte.gz"), test = ink(folder + "/t10k-images-idx3-ubyte.gz");
  const Tensor images = arguments.full ? all : slice(all, 0, 0, 10000);
  const int epochs = arguments.full ? 30 : 6, seeds = arguments.seeds_or(arguments.full ? 5 : 1);

  std::vector<double> bounds;
  std::vector<show::Line> curves;
  show::TextTable table({"seed", "bound", "of 50 draws", "comes back", "divergence", "hidden numbers in use"});
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    Vae vae(Sequential(Linear(784, 400), ReLU()), Sequential(Linear(20, 400), ReLU(), Linear(400, 784)),
            {.encoder_features = 400, .latent = 20, .likelihood = Likelihood::bernoulli});
    data::TensorLoader loader(images, zeros({images.size(0)}), {.batch_size = 128, .drop_last = true, .seed = seed});
    optim::Adam optimizer(parameters(vae), {.lr = 1e-3});
    curves.push_back({"seed " + std::to_string(seed), {}, {}});
    std::int64_t step = 0;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      double total = 0;
      for (auto& [x, unused] : loader) {
        const Vae::Bound bound = vae.bound(x);
        bound.loss(beta_warmup(step++, loader.steps())).backward();  // the divergence costs in full after an epoch
        optimizer.step();
        optimizer.zero_grad();
        total += mean(bound.value()).item();
        progress.update(s * epochs * loader.steps() + step, seeds * epochs * loader.steps(), "training");
      }
      curves.back().y.push_back(total / static_cast<double>(loader.steps()));
    }
    const NoGrad off;
    const Vae::Bound found = vae.bound(test);
    const Tensor each = mean(found.divergence, {0});
    bounds.push_back(mean_bound(vae, test, 1));
    table.row({std::to_string(seed), show::fixed(bounds.back(), 2), show::fixed(mean_bound(vae, test, 50), 2),
               show::fixed(mean(found.log_likelihood).item(), 2), show::fixed(sum(each).item(), 2),
               show::fixed(sum(to(gt(each, full(each.shape(), 0.1)), DType::float32)).item(), 0) + " of 20"});
    if (s > 0) continue;
    // One picture: images, what comes back of each, and below them images of clothes that nobody has worn.
    const Tensor seen = slice(test, 0, 0, 20), back = vae.expected(vae.encode(seen).mean);
    const Tensor rows = cat({seen, back, vae.generate(60)}, 0);
    std::filesystem::create_directories("runs");
    data::write_png("runs/vae.png", data::image_grid(reshape(rows, {-1, 1, 28, 28}), 20));
  }
  progress.finish();
  std::fputs(table.str(show::Style::of(stdout)).c_str(), stdout);
  const data::Interval mean_of = data::mean_interval(bounds);
  std::printf("mean bound on the test images %.2f nats (95 %% interval %.2f to %.2f), %d epochs of %lld images\n",
              mean_of.estimate, mean_of.low, mean_of.high, epochs, static_cast<long long>(images.size(0)));
  show::save_plot("runs/vae.svg", curves, {.title = "Bound while training", .x_label = "epoch", .y_label = "nats"});
  std::puts("images, what comes back of them, and new ones: runs/vae.png; the course of the bound: runs/vae.svg");
}
