#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <weft/tensor/random.h>

#include "fuzz.h"

/// fuzz [--runs N] [--seed N] [--only NAME]: tries N random calls of operations (fuzz.h); the same seed tries the same
/// calls. With clang and -Dfuzz=enabled, build/tests/fuzz_guided does the same, guided by coverage.
namespace weft::tests {
namespace {

/// Says which call it was before the process ends as the signal wants.
void report_crash(int signal) {
  const std::string& call = call_under_test();
  if (write(STDOUT_FILENO, call.data(), call.size()) < 0 || write(STDOUT_FILENO, "\n", 1) < 0) _exit(1);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// A call that asks for more is to end with an error here as it would on a small machine, not take this one's memory.
void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they reserve terabytes of addresses
  const rlimit most{rlim_t{4} << 30, rlim_t{4} << 30};
  setrlimit(RLIMIT_AS, &most);
#endif
}

int start(int argc, char** argv) {
  std::int64_t runs = 20000;
  std::uint64_t seed = 1;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--runs") && i + 1 < argc)
      runs = std::atoll(argv[++i]);
    else if (!std::strcmp(argv[i], "--seed") && i + 1 < argc)
      seed = static_cast<std::uint64_t>(std::atoll(argv[++i]));
    else if (!std::strcmp(argv[i], "--only") && i + 1 < argc)
      only = argv[++i];
    else {
      std::cout << "usage: fuzz [--runs N] [--seed N] [--only NAME]\n";
      return 2;
    }
  }
  limit_memory();
  for (const int signal : {SIGSEGV, SIGFPE, SIGABRT, SIGALRM}) std::signal(signal, report_crash);
  Generator g{seed};
  std::vector<std::uint8_t> bytes(160);
  int failed = 0;
  for (std::int64_t i = 0; i < runs; ++i) {
    for (auto& b : bytes) b = static_cast<std::uint8_t>(g.below(256));
    alarm(60);  // a call that hangs is a finding
    try {
      const std::string wrong = try_bytes(bytes.data(), bytes.size(), only);
      if (wrong.empty()) continue;
      std::cout << wrong << '\n';
    } catch (const std::exception& e) {
      std::cout << call_under_test() << ":\n  throws what is no weft::Error: " << e.what() << '\n';
    }
    if (++failed == 20) break;
  }
  std::cout << fuzz_counts().computed << " calls computed, " << fuzz_counts().refused << " refused with an error, "
            << failed << " failed\n";
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace weft::tests

int main(int argc, char** argv) { return weft::tests::start(argc, argv); }
