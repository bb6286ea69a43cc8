#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "cases.h"

/// conformance DIR [--only TEXT] [--verbose]: runs every case of a folder of golden form (tests/golden/README.md) whose
/// id contains TEXT. A line per operation with its first failures, a line
/// per suite; the last line is "N passed, N failed, N skipped".
/// Without arguments DIR is WEFT_GOLDEN, and without that too the run is skipped: exit status 77.
/// Exit status 1 if any failed, 2 for wrong usage or an unreadable folder.
namespace weft::tests {
namespace {

using Runner = Outcome (*)(const Suite&, const Json&);

/// The suites of a folder: what names the thing that a case is about, and who runs it.
struct Kind {
  const char* file;
  const char* key;
  Runner run;
};
constexpr Kind kinds[] = {
    {"ops", "op", run_operation},      {"modules", "module", run_layer_case},
    {"graphs", "module", run_graph},   {"optim", "optimizer", run_optimization},
    {"metrics", "metric", run_metric},
};

struct Options {
  std::string folder, only;
  bool verbose = false;
};

std::string subject(const Json& one_case, const Kind& kind) {
  for (const char* key : {kind.key, "op", "scheduler", "clip"})
    if (one_case.contains(key) && one_case[key].is_string()) return one_case[key];
  const std::string id = one_case.at("id");
  return id.substr(0, id.find('#'));
}

template <class Run>
void run_case(const std::string& id, Score& score, Run run) {
  try {
    ++(run() == Outcome::passed ? score.passed : score.skipped);
  } catch (const std::exception& e) {
    ++score.failed;
    score.failures.push_back(id + ": " + e.what());
  }
}

void print(const std::string& suite, const Scores& scores, bool verbose) {
  for (const auto& [name, score] : scores) {
    std::cout << suite << ' ' << name << ": " << score.passed << " passed, " << score.failed << " failed, "
              << score.skipped << " skipped" << (score.skipped ? " (not in weft yet)" : "") << '\n';
    const std::size_t shown = verbose ? score.failures.size() : std::min<std::size_t>(3, score.failures.size());
    for (std::size_t i = 0; i < shown; ++i) std::cout << "  " << score.failures[i] << '\n';
    if (shown < score.failures.size()) std::cout << "  and " << score.failures.size() - shown << " more\n";
  }
}

int run(const Options& options) {
  Score total;
  const auto add = [&](const char* suite, const Scores& scores) {
    Score sum;
    for (const auto& [name, score] : scores) {
      sum.passed += score.passed;
      sum.failed += score.failed;
      sum.skipped += score.skipped;
    }
    if (!scores.empty())
      std::cout << "suite " << suite << ": " << sum.passed << " passed, " << sum.failed << " failed, " << sum.skipped
                << " skipped\n";
    total.passed += sum.passed;
    total.failed += sum.failed;
    total.skipped += sum.skipped;
  };
  bool found = false;
  for (const Kind& kind : kinds) {
    if (!std::filesystem::exists(options.folder + "/" + kind.file + ".json")) continue;
    found = true;
    const Suite suite(options.folder, kind.file);
    Scores scores;
    for (const Json& each : suite.cases()) {
      const std::string id = each.at("id").get<std::string>();
      if (id.find(options.only) == std::string::npos) continue;
      run_case(id, scores[subject(each, kind)], [&] { return kind.run(suite, each); });
    }
    print(kind.file, scores, options.verbose);
    add(kind.file, scores);
  }
  if (std::filesystem::exists(options.folder + "/bert")) {
    found = true;
    if (std::string("bert").find(options.only) != std::string::npos) {
      Scores scores;
      run_case("bert", scores["bert"], [&] { return run_bert(options.folder + "/bert"); });
      print("bert", scores, options.verbose);
      add("bert", scores);
    }
  }
  if (!found) {
    std::cout << "conformance: " << options.folder << " holds no suite (ops.json, modules.json, ...)\n";
    return 2;
  }
  std::cout << total.passed << " passed, " << total.failed << " failed, " << total.skipped << " skipped\n";
  return total.failed ? 1 : 0;
}

int start(int argc, char** argv) {
  Options options;
  if (argc == 1) {
    const char* folder = std::getenv("WEFT_GOLDEN");
    if (!folder || !*folder) {
      std::cout << "skipped: WEFT_GOLDEN names no folder of golden cases\n";
      return 77;
    }
    options.folder = folder;
  }
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--only") && i + 1 < argc)
      options.only = argv[++i];
    else if (!std::strcmp(argv[i], "--verbose"))
      options.verbose = true;
    else if (options.folder.empty() && argv[i][0] != '-')
      options.folder = argv[i];
    else
      options.folder.clear(), i = argc;
  }
  if (options.folder.empty()) {
    std::cout << "usage: conformance DIR [--only TEXT] [--verbose]\n";
    return 2;
  }
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::cout << e.what() << '\n';
    return 2;
  }
}

}  // namespace
}  // namespace weft::tests

int main(int argc, char** argv) { return weft::tests::start(argc, argv); }
