#pragma once
#include <nlohmann/json.hpp>

#include "case.h"

namespace bench {

struct Options {
  int threads = 2, samples = 9, retries = 4;
  double min_time = 0.1, warmup = 0.5, quiet_wait = 60;
  bool no_guard = false;
};

/// The value below which the share q of all lies.
double quantile(std::vector<double> values, double q);

/// Times a case: the median ms of several samples, each of as many runs as fill min_time, on a quiet machine; spread,
/// and the process's peak memory.
nlohmann::ordered_json measure(const Case& c, const Options& o);

/// Times how long this program, started anew, takes to its first operation and to its first training step.
std::vector<nlohmann::ordered_json> measure_startup(const Options& o);
/// What such a program does: "op" or "step".
void first(const std::string& what);

}  // namespace bench
