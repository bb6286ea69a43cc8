#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>

#include "case.h"

/// Times cases: the median of several samples, each of as many runs as fill --min-time, on a quiet machine.
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

struct Options {
  std::vector<std::string> cases, prefixes, skip;
  int threads = 2, samples = 9, retries = 4, timeout = 600;
  double min_time = 0.1, warmup = 0.5, quiet_wait = 60;
  bool json = false, list = false, no_guard = false;
  std::string tag;
};

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

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  const double i = q * static_cast<double>(v.size() - 1);
  const auto a = static_cast<std::size_t>(std::floor(i)), b = std::min(a + 1, v.size() - 1);
  return v[a] + (v[b] - v[a]) * (i - static_cast<double>(a));
}

nlohmann::ordered_json measure(const bench::Case& c, const Options& o) {
  const bench::Built built = c.build();
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
    if (foreign < 0.05) break;
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  rusage r{};
  getrusage(RUSAGE_SELF, &r);
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
                           {"rss_mib", static_cast<double>(r.ru_maxrss) / 1024},
                           {"weft", WEFT_VERSION},
                           {"level", weft::kernels::level()}};
  if (!o.tag.empty()) j["tag"] = o.tag;
  if (built.bytes > 0) j["GBps"] = built.bytes / ms / 1e6;
  if (built.flops > 0) j["GFLOPs"] = built.flops / ms / 1e6;
  return j;
}

void show(const nlohmann::ordered_json& j, bool json) {
  if (json) {
    std::printf("%s\n", j.dump().c_str());
  } else {
    std::printf("%-28s T=%d %10.5g ms  [%.5g .. %.5g] min %.5g  foreign %.2f rss %.0f MiB",
                j["case"].get<std::string>().c_str(), j["threads"].get<int>(), j["ms"].get<double>(),
                j["p25"].get<double>(), j["p75"].get<double>(), j["min"].get<double>(), j["foreign"].get<double>(),
                j["rss_mib"].get<double>());
    if (j.contains("GBps")) std::printf(" %.1f GB/s", j["GBps"].get<double>());
    if (j.contains("GFLOPs")) std::printf(" %.1f GFLOP/s", j["GFLOPs"].get<double>());
    std::printf("\n");
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"Times weft, a line per case: median ms of the samples, spread, peak memory."};
  app.add_option("--case", o.cases, "names, or all")->delimiter(',');
  app.add_option("--prefix", o.prefixes, "all cases whose name begins so");
  app.add_option("--skip", o.skip, "prefixes to leave out");
  app.add_option("--threads", o.threads, "threads per operation")->check(CLI::PositiveNumber);
  app.add_option("--samples", o.samples, "at least 7");
  app.add_option("--min-time", o.min_time, "seconds per sample");
  app.add_option("--warmup", o.warmup, "seconds before the first sample");
  app.add_option("--retries", o.retries, "how often to try again while other programs run");
  app.add_option("--quiet-wait", o.quiet_wait, "seconds to wait for a quiet machine");
  app.add_option("--tag", o.tag, "a word to add to each line");
  app.add_flag("--json", o.json, "a JSON object per line");
  app.add_flag("--list", o.list, "print the names and end");
  app.add_flag("--no-guard", o.no_guard, "do not wait for a quiet machine");
  CLI11_PARSE(app, argc, argv);
  o.samples = std::max(7, o.samples);

  std::vector<bench::Case> all, chosen;
  bench::add_mlp_cases(all);
  bench::add_operation_cases(all);
  if (o.list) {
    for (const auto& c : all) std::printf("%s\n", c.name.c_str());
    return 0;
  }
  const auto begins = [](const std::string& s, const std::string& p) { return s.rfind(p, 0) == 0; };
  std::set<std::string> unknown(o.cases.begin(), o.cases.end());
  unknown.erase("all");
  for (const auto& c : all) {
    unknown.erase(c.name);
    bool take = false;
    for (const auto& name : o.cases) take |= name == "all" || name == c.name;
    for (const auto& p : o.prefixes) take |= begins(c.name, p);
    for (const auto& p : o.skip) take &= !begins(c.name, p);
    if (take) chosen.push_back(c);
  }
  if (!unknown.empty() || chosen.empty()) {
    std::fprintf(stderr, "bench: no case %s\n  help: --list shows the names\n",
                 unknown.empty() ? "chosen" : unknown.begin()->c_str());
    return 2;
  }
  int status = 0;
  for (const auto& c : chosen) {
    // One process per case, so that peak memory is the case's own.
    const pid_t child = chosen.size() == 1 ? 0 : fork();
    if (child == 0) {
      weft::set_num_threads(o.threads);
      show(measure(c, o), o.json);
      if (chosen.size() > 1) _exit(0);
      continue;
    }
    int result = 0;
    waitpid(child, &result, 0);
    if (result != 0) status = 1;
  }
  return status;
}
