#include <weft/study/interrupt.h>

#include <csignal>
#include <cstdlib>

namespace weft::study {
namespace {

volatile std::sig_atomic_t flag = 0;

extern "C" void on_signal(int) {
  if (flag) std::_Exit(130);
  flag = 1;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() noexcept { return flag != 0; }

void check_interrupt() {
  if (flag) throw Interrupted("interrupted");
}

}  // namespace weft::study
