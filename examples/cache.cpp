// What a cache of keys and values saves.
// A decoder that writes a text reads, for each new token, all those before it: their keys and values do not change, so
// they are kept. Here the next token of a text of 128, 512 and 2,048 tokens is computed both ways, by a decoder of 6
// layers of 256 (6.8 million weights): a step, or all again. The results are the same bit by bit.
//   cache [--full] [--threads N]      --full: 20 repetitions instead of 3
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;

/// The median seconds of a few calls.
template <class Call>
double seconds(int times, Call call) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    all.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(all.begin(), all.begin() + times / 2, all.end());
  return all[static_cast<std::size_t>(times / 2)];
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int times = arguments.full ? 20 : 3;
  manual_seed(1);
  Decoder net({.vocab_size = 8192, .context = 2049});
  eval(net);
  const Tensor ids = randint(0, 8192, {1, 2049});
  show::TextTable table({"tokens before", "cache: tokens/s", "without: tokens/s", "times", "same bits"});
  std::vector<show::Line> lines = {{"with the cache", {}, {}}, {"without", {}, {}}};
  show::Progress progress(stderr, false);
  const std::vector<std::int64_t> lengths = {128, 512, 2048};
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::int64_t n = lengths[i];
    KeyValueCache cache = net.cache(1), empty = net.cache(1);
    net.extend(slice(ids, 1, 0, n), cache);
    Tensor step, again;
    const double with = seconds(10 * times, [&] {
      cache.truncate(n);
      step = net.next(slice(ids, 1, n, n + 1), cache);
    });
    const double without = seconds(times, [&] {
      empty.truncate(0);
      again = net.next(slice(ids, 1, 0, n + 1), empty);
    });
    const bool same = std::memcmp(step.data<float>(), again.data<float>(), 8192 * sizeof(float)) == 0;
    table.row({std::to_string(n), show::fixed(1 / with, 0), show::fixed(1 / without, 1), show::fixed(without / with, 0),
               same ? "yes" : "NO"});
    for (std::size_t k = 0; k < 2; ++k) {
      lines[k].x.push_back(static_cast<double>(n));
      lines[k].y.push_back(k == 0 ? 1000 * with : 1000 * without);
    }
    progress.update(static_cast<std::int64_t>(i) + 1, std::ssize(lengths), "measuring");
  }
  progress.finish();
  std::fputs(table.str(show::Style::of(stdout)).c_str(), stdout);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/cache.svg", lines, {.title = "One more token", .x_label = "tokens before", .y_label = "ms"});
  std::puts("milliseconds for one token: runs/cache.svg");
}
