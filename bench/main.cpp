#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

#include <CLI/CLI.hpp>

#include <weft/tensor/parallel.h>
#include <weft/tensor/precision.h>
#include <weft/tensor/random.h>

#include "measure.h"

/// Times cases, one process each.
bool bench::compiled = false;

namespace {

using Json = nlohmann::ordered_json;

struct Options : bench::Options {
  std::vector<std::string> cases, prefixes, skip;
  bool json = false, list = false, once = false;
  int timeout = 600;
  std::string tag, first;
};

constexpr const char* startup = "startup";  // times this program's start, so it is no case like the others

void show(Json j, const Options& o) {
  if (!o.tag.empty()) j["tag"] = o.tag;
  if (o.json) {
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

void fail(const std::string& name, const std::string& why, const Options& o) {
  if (o.json) {
    std::printf("%s\n", Json{{"case", name}, {"threads", o.threads}, {"error", why}}.dump().c_str());
  } else {
    std::printf("%-28s %s\n", name.c_str(), why.c_str());
  }
  std::fflush(stdout);
}

void skip(const std::string& name, const std::string& why, const Options& o) {
  if (o.json)
    std::printf("%s\n", Json{{"case", name}, {"threads", o.threads}, {"skipped", why}}.dump().c_str());
  else
    std::printf("%-28s skipped: %s\n", name.c_str(), why.c_str());
  std::fflush(stdout);
}

/// What the process of one case does; its exit status.
int run(const bench::Case& c, const Options& o) {
  alarm(static_cast<unsigned>(o.timeout));
  try {
    weft::set_num_threads(o.threads);
    if (c.bfloat16 && o.once) weft::kernels::emulate_bfloat16(true);
    if (c.bfloat16 && !weft::kernels::has_bfloat16()) {
      skip(c.name, "this CPU has no bfloat16", o);
      return 0;
    }
    if (c.name == startup) {
      if (o.once)
        bench::first("step");
      else
        for (const Json& j : bench::measure_startup(o)) show(j, o);
    } else if (o.once) {
      weft::manual_seed(0);
      c.build().run();
    } else {
      show(bench::measure(c, o), o);
    }
    if (o.once) std::printf("%s\n", c.name.c_str());
  } catch (const std::exception& e) {
    fail(c.name, e.what(), o);
    return 1;
  }
  std::fflush(stdout);
  return 0;
}

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }
bool begins(const std::string& text, const std::vector<std::string>& with) {
  return std::any_of(with.begin(), with.end(), [&](const std::string& w) { return begins(text, w); });
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"Times weft, a line per case: median ms of the samples, spread, peak memory."};
  app.add_option("--case", o.cases, "names, or all")->delimiter(',');
  app.add_option("--prefix", o.prefixes, "all cases whose name begins so");
  app.add_option("--skip", o.skip, "prefixes to leave out");
  app.add_option("--threads", o.threads, "threads per operation")->check(CLI::PositiveNumber);
  app.add_option("--samples", o.samples, "how many of which the median is taken")->check(CLI::PositiveNumber);
  app.add_option("--min-time", o.min_time, "seconds per sample");
  app.add_option("--warmup", o.warmup, "seconds before the first sample");
  app.add_option("--retries", o.retries, "how often to try again while other programs run");
  app.add_option("--quiet-wait", o.quiet_wait, "seconds to wait for a quiet machine");
  app.add_option("--timeout", o.timeout, "seconds after which a case is given up")->check(CLI::PositiveNumber);
  app.add_option("--tag", o.tag, "a word to add to each line");
  app.add_flag("--json", o.json, "a JSON object per line");
  app.add_flag("--list", o.list, "print the names and end");
  app.add_flag("--compiled", bench::compiled, "compile what needs no gradient");
  app.add_flag("--no-guard", o.no_guard, "do not wait for a quiet machine");
  app.add_flag("--once", o.once, "only run each case once, print its name, time nothing");
  app.add_option("--first", o.first, "only do a first operation (op) or training step (step) and end")
      ->check(CLI::IsMember({"op", "step"}))
      ->group("");
  CLI11_PARSE(app, argc, argv);
  if (!o.first.empty()) {
    bench::first(o.first);
    return 0;
  }

  bench::Cases all, chosen;
  bench::add_perceptrons(all);
  bench::add_images(all);
  bench::add_sequences(all);
  bench::add_graphs(all);
  bench::add_fusion(all);
  bench::add_operations(all);
  bench::add_growth(all);
  all.push_back({startup, {}});
  if (o.list) {
    for (const auto& c : all) std::printf("%s\n", c.name.c_str());
    return 0;
  }
  std::set<std::string> asked(o.cases.begin(), o.cases.end());
  const bool everything = asked.erase("all") > 0;
  for (const auto& c : all) {
    const bool named = asked.erase(c.name) > 0;
    if ((everything || named || begins(c.name, o.prefixes)) && !begins(c.name, o.skip)) chosen.push_back(c);
  }
  if (!asked.empty() || chosen.empty()) {
    std::fprintf(stderr, "bench: no case %s\n  help: --list shows the names\n",
                 asked.empty() ? "chosen" : asked.begin()->c_str());
    return 2;
  }
  if (chosen.size() == 1) return run(chosen.front(), o);
  int status = 0;
  for (const auto& c : chosen) {
    // One process per case, so that peak memory is the case's own and a crash is, too.
    const pid_t child = fork();
    if (child == 0) _exit(run(c, o));
    int result = 0;
    waitpid(child, &result, 0);
    if (WIFSIGNALED(result)) fail(c.name, WTERMSIG(result) == SIGALRM ? "timeout" : strsignal(WTERMSIG(result)), o);
    if (result != 0) status = 1;
  }
  return status;
}
