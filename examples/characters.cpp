// A network writes like a licence.
// It reads a text letter by letter and says, at each, how likely every letter is to come next. How surprised it is, in
// bits per character, is what one would need to store the text with its help; a file compressor needs about 2 to 3.
// The last tenth of the text is kept from training. Then it writes on its own: each letter that it draws is read
// again, and thanks to the cache of keys and values that costs one step, not all those before it.
//   characters [--full] [--seeds N] [--seed FIRST] [--threads N]
// bench/peers/torch_characters.py trains the same network in PyTorch.
// Data: /usr/share/common-licenses of Debian (GPL-1, GPL-2, GPL-3, LGPL-2.1, GFDL-1.3, MPL-2.0, Apache-2.0), or the
// files *.txt of the folder $CHARACTERS.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/data/file.h>
#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

constexpr std::int64_t context = 256, batch = 8;

std::string whole_text() {
  const char* own = std::getenv("CHARACTERS");
  const std::string folder = own ? own : "/usr/share/common-licenses";
  std::vector<std::string> names = {"GPL-1", "GPL-2", "GPL-3", "LGPL-2.1", "GFDL-1.3", "MPL-2.0", "Apache-2.0"};
  if (own) {
    names.clear();
    for (const auto& each : std::filesystem::directory_iterator(folder))
      if (each.path().extension() == ".txt") names.push_back(each.path().filename());
    std::sort(names.begin(), names.end());
  }
  std::string all;
  for (const std::string& name : names)
    if (std::filesystem::exists(folder + "/" + name)) all += data::read_file("characters", folder + "/" + name);
  return all;
}

/// The mean surprise in bits over all letters of a text, read in pieces of `context`.
double bits(const Decoder& net, const Tensor& ids) {
  const NoGrad off;
  double total = 0;
  const std::int64_t pieces = (ids.numel() - 1) / context;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const Tensor x = slice(ids, 0, i * context, (i + 1) * context),
                 y = slice(ids, 0, i * context + 1, (i + 1) * context + 1);
    total += cross_entropy(squeeze(net(unsqueeze(x, 0)), 0), y).item() / std::log(2.0);
  }
  return total / static_cast<double>(pieces);
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string text = whole_text();
  if (text.size() < 20 * context)
    return std::puts("skipped: no text; install Debian's base-files or set CHARACTERS to a folder with *.txt") < 0;
  std::string letters = text;  // each one once, sorted: a letter's place is its number
  std::sort(letters.begin(), letters.end());
  letters.erase(std::unique(letters.begin(), letters.end()), letters.end());
  std::vector<std::int64_t> numbers;
  for (const char c : text) numbers.push_back(static_cast<std::int64_t>(letters.find(c)));
  const auto words = static_cast<std::int64_t>(letters.size());
  const std::int64_t cut = std::ssize(numbers) * 9 / 10;
  const Tensor ids = from(numbers), train = slice(ids, 0, 0, cut), test = slice(ids, 0, cut, std::ssize(numbers));

  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), steps = arguments.full ? 1500 : 300;
  std::vector<double> found;
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    Decoder net({.vocab_size = words, .context = context, .d_model = 128, .nhead = 4, .num_layers = 3, .dropout = 0.1});
    optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 1e-2});
    optim::Scheduler schedule(optimizer,
                              optim::OneCycleLr{.max_lr = 2e-3, .total_steps = steps + 1, .cycle_momentum = false});
    curves.push_back({"seed " + std::to_string(seed), {}, {}});
    Generator g{seed, 1 << 20};
    for (int step = 0; step < steps; ++step) {
      std::vector<Tensor> x, y;
      for (std::int64_t i = 0; i < batch; ++i) {
        const std::int64_t at = g.below(cut - context - 1);
        x.push_back(slice(train, 0, at, at + context));
        y.push_back(slice(train, 0, at + 1, at + context + 1));
      }
      const Tensor loss = cross_entropy(reshape(net(stack(x)), {-1, words}), reshape(stack(y), {-1}));
      loss.backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      if (step % 10 == 9) curves.back().y.push_back(loss.item() / std::log(2.0));
      progress.update(s * steps + step + 1, seeds * steps, "training");
    }
    eval(net);
    found.push_back(bits(net, test));
    if (s > 0) continue;
    progress.finish();
    const std::vector<std::int64_t> prompt(numbers.begin() + cut, numbers.begin() + cut + 20);
    std::string out = text.substr(static_cast<std::size_t>(cut), 20) + " | ";
    const std::vector<std::int64_t> written =
        generate(net, {prompt}, {.max_new_tokens = context - 20, .temperature = 0.7, .top_p = 0.95})[0];
    for (const std::int64_t i : written) out += letters[static_cast<std::size_t>(i)];
    std::printf("What follows the line was written by the network:\n%s\n\n", out.c_str());
  }
  progress.finish();
  const data::Interval mean_of = data::mean_interval(found);
  std::printf("%lld characters, %lld of them different; %d steps of %lld pieces of %lld\n",
              static_cast<long long>(ids.numel()), static_cast<long long>(words), steps, static_cast<long long>(batch),
              static_cast<long long>(context));
  std::printf("bits per character of the last tenth: %.3f (95 %% interval of the mean over %d seeds %.3f to %.3f)\n",
              mean_of.estimate, seeds, mean_of.low, mean_of.high);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/characters.svg", curves,
                  {.title = "Characters", .x_label = "10 steps", .y_label = "bits per character"});
  std::puts("the course of training: runs/characters.svg");
}
