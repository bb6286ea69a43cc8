#include <cstdio>
#include <cstdlib>
#include <exception>

#include "fuzz.h"

/// For libFuzzer: build with clang and -Dfuzz=enabled, then fuzz_guided -max_total_time=600 -timeout=60.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  std::string wrong;
  try {
    wrong = weft::tests::try_bytes(bytes, count);
  } catch (const std::exception& e) {
    wrong = weft::tests::call_under_test() + " throws what is no weft::Error: " + e.what();
  }
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
