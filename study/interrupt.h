#pragma once
#include <weft/tensor/error.h>

namespace weft::study {

/// Ctrl-C, noticed at the next safe point.
struct Interrupted : Error {
  using Error::Error;
};

/// From now on SIGINT and SIGTERM only set a flag; a second one ends the process at once.
void catch_interrupts();
bool interrupted() noexcept;
/// Throws Interrupted once the flag is set.
void check_interrupt();

}  // namespace weft::study
