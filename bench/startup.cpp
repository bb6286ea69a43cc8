#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <stdexcept>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/layers/basic.h>
#include <weft/tensor/create.h>

#include "measure.h"

extern char** environ;

using namespace weft;

namespace bench {
namespace {

/// Seconds from the start of such a program to its end.
double start(const char* what, double& peak_mib) {
  char name[] = "bench", option[] = "--first";
  std::string value = what;
  char* arguments[] = {name, option, value.data(), nullptr};
  const auto begin = std::chrono::steady_clock::now();
  pid_t child = 0;
  int status = 0;
  rusage used{};
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0 ||
      wait4(child, &status, 0, &used) != child || status != 0)
    throw std::runtime_error("startup: this program does not start itself");
  peak_mib = static_cast<double>(used.ru_maxrss) / 1024;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

void first(const std::string& what) {
  if (what == "op") {
    ones({2}) + 1;
  } else {
    const Linear net(16, 2);
    sum(net(ones({4, 16}))).backward();
  }
}

std::vector<nlohmann::ordered_json> measure_startup(const Options& o) {
  std::vector<nlohmann::ordered_json> lines;
  for (const char* what : {"op", "step"}) {
    double mib = 0;
    std::vector<double> ms;
    start(what, mib);  // brings the program's file into memory
    for (int i = 0; i < o.samples; ++i) ms.push_back(start(what, mib) * 1e3);
    lines.push_back({{"case", std::string("startup_first_") + what},
                     {"threads", o.threads},
                     {"ms", quantile(ms, .5)},
                     {"min", quantile(ms, 0)},
                     {"p25", quantile(ms, .25)},
                     {"p75", quantile(ms, .75)},
                     {"n", ms.size()},
                     {"foreign", 0},
                     {"rss_mib", mib},
                     {"weft", WEFT_VERSION}});
  }
  return lines;
}

}  // namespace bench
