#include "measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include <weft/tensor/kernels.h>
#include <weft/tensor/random.h>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

/// CPU seconds that everything on the machine, and this process, have used so far.
struct Usage {
  double machine = 0, own = 0;
  static Usage now() {
    Usage u;
    std::ifstream stat("/proc/stat");
    std::string label;
    double value[8] = {};
    stat >> label;
    for (double& v : value) stat >> v;
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    u.machine =
        (value[0] + value[1] + value[2] + value[5] + value[6] + value[7]) / ticks;  // user nice sys irq softirq steal
    rusage r{};
    getrusage(RUSAGE_SELF, &r);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    u.own = seconds(r.ru_utime) + seconds(r.ru_stime);
    return u;
  }
};

/// Sleeps until others use less than 8 % of a core, at most `limit` seconds.
void wait_quiet(double limit) {
  const auto begin = Clock::now();
  while (seconds_since(begin) < limit) {
    const Usage a = Usage::now();
    const auto t = Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    const Usage b = Usage::now();
    if ((b.machine - a.machine - (b.own - a.own)) / seconds_since(t) < 0.08) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1600));
  }
}

/// The most memory that this program ever had, in MiB. Not ru_maxrss: that counts the program that started this one
/// too, as far as it had to be copied.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
  return static_cast<double>(r.ru_maxrss) / 1024;
}

}  // namespace

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double i = q * static_cast<double>(values.size() - 1);
  const auto a = static_cast<std::size_t>(std::floor(i)), b = std::min(a + 1, values.size() - 1);
  return values[a] + (values[b] - values[a]) * (i - static_cast<double>(a));
}

nlohmann::ordered_json measure(const Case& c, const Options& o) {
  weft::manual_seed(0);
  const Built built = c.build();
  const auto begin = Clock::now();
  for (int n = 0; n < 3 || seconds_since(begin) < o.warmup; ++n) {
    built.run();
    if (n >= 2 && seconds_since(begin) > 20) break;
  }
  auto t = Clock::now();
  built.run();
  const int runs = std::max(1, static_cast<int>(std::ceil(o.min_time / std::max(seconds_since(t), 1e-9))));
  std::vector<double> best;
  double foreign = 0;
  for (int attempt = 0; attempt <= (o.no_guard ? 0 : o.retries); ++attempt) {
    if (!o.no_guard) wait_quiet(o.quiet_wait);
    std::vector<double> samples;
    const Usage before = Usage::now();
    const auto start = Clock::now();
    for (int s = 0; s < o.samples; ++s) {
      t = Clock::now();
      for (int i = 0; i < runs; ++i) built.run();
      samples.push_back(seconds_since(t) / runs / built.per * 1e3);
    }
    const double wall = seconds_since(start);
    const Usage after = Usage::now();
    const double others = std::max(0.0, (after.machine - before.machine - (after.own - before.own) - 0.02) / wall);
    if (best.empty() || others < foreign) {
      best = samples;
      foreign = others;
    }
    if (foreign < 0.05 || o.no_guard) break;
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  const double ms = quantile(best, .5);
  nlohmann::ordered_json j{{"case", c.name},
                           {"threads", o.threads},
                           {"ms", ms},
                           {"min", quantile(best, 0)},
                           {"p25", quantile(best, .25)},
                           {"p75", quantile(best, .75)},
                           {"n", best.size()},
                           {"iters", runs},
                           {"foreign", foreign},
                           {"rss_mib", peak_memory()},
                           {"weft", WEFT_VERSION},
                           {"level", weft::kernels::level()}};
  if (built.bytes > 0) j["GBps"] = built.bytes / ms / 1e6;
  if (built.flops > 0) j["GFLOPs"] = built.flops / ms / 1e6;
  return j;
}

}  // namespace bench
