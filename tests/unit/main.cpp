// The main of every doctest program. WEFT_ISA asks for an instruction-set level; where this CPU or this build has not
// got it, the program ends with 77, which Meson counts as skipped.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <weft/tensor/kernels.h>

int main(int argc, char** argv) {
  const char* wanted = std::getenv("WEFT_ISA");
  if (wanted && *wanted) {
    const auto levels = weft::kernels::available_levels();
    const auto same = [&](std::string_view level) { return level == wanted; };
    if (std::none_of(levels.begin(), levels.end(), same)) {
      std::cout << "skipped: level " << wanted << " is not available here\n";
      return 77;
    }
    if (!same(weft::kernels::level())) {
      std::cout << "WEFT_ISA=" << wanted << " but level " << weft::kernels::level() << " is in use\n";
      return 1;
    }
  }
  doctest::Context context(argc, argv);
  return context.run();
}
