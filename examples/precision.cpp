// Does a network learn as well when its products are computed in bfloat16?
// bfloat16 has the range of float32 but 8 significant bits instead of 24, and is multiplied at least twice as fast
// where the CPU has it. Autocast rounds factors on their way into a product and adds up in float32: parameters, norms
// and the optimiser stay exact. Twice the same networks, from the same weights over the same batches: a convolutional
// one on digits of 8 x 8, and a Transformer that reads the rows of digits of 15 x 16. Where the CPU lacks it, it is
// emulated.
//   precision [--full] [--seeds N] [--seed FIRST] [--threads N]      --full: 5 seeds and 30 epochs instead of 2 and 8
//   data: $WEFT_DATA/sklearn_toy/digits.csv, $WEFT_DATA/mfeat_digits_6views/x1_pix_240_*.npy, y_*.npy
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/tensor/precision.h>
#include <weft/weft.h>

#include "arguments.h"
#include "precision_studies.h"

using namespace weft;
using Reals = std::vector<double>;

struct Run {
  Reals loss;  // mean of each epoch
  double accuracy = 0;
};

template <class Make>
Run trained(Make make, const Study& s, DType type, std::uint64_t seed, int epochs) {
  manual_seed(seed);
  auto net = make();
  optim::Adam optimizer(parameters(net), {.lr = 2e-3});
  data::TensorLoader loader(s.x, s.y, {.batch_size = 64, .drop_last = true, .seed = seed});
  Run run;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (auto& [x, y] : loader) {
      Tensor loss;
      {
        const Autocast scope(type);
        loss = cross_entropy(net(x), y);
      }
      optimizer.zero_grad();
      loss.backward();  // multiplies as the forward did
      optimizer.step();
      total += loss.item();
    }
    run.loss.push_back(total / static_cast<double>(loader.steps()));
  }
  const NoGrad off;
  const Autocast scope(type);
  run.accuracy = mean(to(eq(argmax(net(s.test_x), 1), s.test_y), DType::float64)).item();
  return run;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = std::max(2, arguments.seeds_or(arguments.full ? 5 : 2)), epochs = arguments.full ? 30 : 8;
  const char* root = std::getenv("WEFT_DATA");
  const std::string data = root ? root : ".", digits = data + "/sklearn_toy/digits.csv";
  if (!std::filesystem::exists(digits))
    return std::puts("skipped: no sklearn_toy/digits.csv; set WEFT_DATA to the folder of data sets") < 0;
  std::puts(kernels::has_bfloat16() ? "bfloat16 of this CPU" : "this CPU has no bfloat16: emulated");
  kernels::emulate_bfloat16(!kernels::has_bfloat16());
  const Study studies[] = {scanned_digits(digits), rows_of_digits(data + "/mfeat_digits_6views")};
  const char* names[] = {"convolution, 8 x 8", "Transformer, 16 x 15"};
  show::TextTable table(
      {"study", "accuracy: float32", "bfloat16", "difference", "95 % interval", "last loss", "bfloat16"});
  std::vector<show::Line> lines;
  show::Progress progress(stderr, false);
  for (int k = 0; k < 2; ++k) {
    Reals accuracy[2], last[2];
    for (int s = 0; s < 2 * seeds; ++s) {
      const DType type = s % 2 ? DType::bfloat16 : DType::float32;
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s / 2);
      const Run run = k ? trained([] { return Reader(); }, studies[k], type, seed, epochs)
                        : trained(convolutional, studies[k], type, seed, epochs);
      accuracy[s % 2].push_back(run.accuracy);
      last[s % 2].push_back(run.loss.back());
      if (s < 2) lines.push_back({std::string(names[k]) + ", " + name(type), run.loss, {}});
      progress.update(2 * seeds * k + s + 1, 4 * seeds, names[k]);
    }
    const data::Comparison c = data::paired_t(accuracy[1], accuracy[0]);
    const auto mean_of = [](const Reals& v) { return data::mean_interval(v).estimate; };
    table.row({names[k], show::fixed(mean_of(accuracy[0]), 4), show::fixed(mean_of(accuracy[1]), 4),
               show::fixed(c.difference, 4), show::fixed(c.low, 4) + " to " + show::fixed(c.high, 4),
               show::fixed(mean_of(last[0]), 4), show::fixed(mean_of(last[1]), 4)});
  }
  progress.finish();
  std::printf("%d seeds, %d epochs\n%s", seeds, epochs, table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/precision.svg", lines, {.title = "Training loss", .x_label = "epoch", .y_label = "loss"});
  std::puts("the course of the loss: runs/precision.svg");
}
