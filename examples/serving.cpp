// One compiled program serves several threads.
// What a call costs eagerly and compiled, and what 1, 2 and 4 callers get done with it. The model is a small residual
// network on single images, as a service would run it.
//   serving [--full]      --full: five seconds a line instead of one
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <weft/weft.h>

#include "arguments.h"

using namespace weft;
using Clock = std::chrono::steady_clock;

namespace {

double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

struct Served {
  double per_second, median, slowest;  ///< requests per second; microseconds: the median and the 99th percentile
};

/// `callers` threads call `answer` for so long, each as fast as it can.
template <class Answer>
Served serve(const Answer& answer, int callers, double seconds) {
  std::vector<std::vector<double>> each(static_cast<std::size_t>(callers));
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (auto& times : each)
    threads.emplace_back([&] {
      while (microseconds(Clock::now() - start) < seconds * 1e6) {
        const auto before = Clock::now();
        answer();
        times.push_back(microseconds(Clock::now() - before));
      }
    });
  for (std::thread& t : threads) t.join();
  const double took = microseconds(Clock::now() - start) / 1e6;
  std::vector<double> all;
  for (const auto& times : each) all.insert(all.end(), times.begin(), times.end());
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  return {static_cast<double>(all.size()) / took, at(0.5), at(0.99)};
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  set_num_threads(1);  // a request is small: callers side by side use the cores better than threads within one
  manual_seed(arguments.seed);
  ResNet2d net({.in_channels = 1, .num_classes = 4, .width = 16});
  eval(net);
  const Tensor image = randn({1, 1, 28, 28});

  const deploy::Program program = deploy::compile(net, image);
  std::printf("%s\n", program.summary().c_str());
  std::filesystem::create_directories("runs");
  std::ofstream("runs/serving.dot") << program.dot();

  const auto eager = [&] {
    const NoGrad off;
    net(image);
  };
  const auto compiled = [&] { program(image); };
  const double seconds = arguments.full ? 5 : 1;
  show::TextTable table({"callers", "requests/s", "median us", "99 % us"});
  const auto row = [&](const std::string& name, const Served& s) {
    table.row({name, show::fixed(s.per_second, 0), show::fixed(s.median, 0), show::fixed(s.slowest, 0)});
  };
  row("1, eager", serve(eager, 1, seconds));
  for (const int callers : {1, 2, 4}) row(std::to_string(callers), serve(compiled, callers, seconds));
  std::printf("%sthe graph: runs/serving.dot\n", table.str(show::Style::of(stdout)).c_str());
}
