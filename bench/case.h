#pragma once
#include <functional>
#include <string>
#include <vector>

/// A benchmark case: a name, and how to build what one run does. Names, sizes and work per run are those of
/// peers/torch_bench.py, so that weft and a peer can be timed against each other; only weft's public interface is used,
/// as a user would write it.
namespace bench {

struct Built {
  std::function<void()> run;
  double per = 1;    ///< runs of the case inside one call of run()
  double bytes = 0;  ///< moved by one run at least, if that is the limit
  double flops = 0;  ///< done by one run, if that is the limit
};

struct Case {
  std::string name;
  std::function<Built()> build;  ///< called with the random numbers restarted
  bool bfloat16 = false;         ///< only where the CPU has it; with --once emulated
};
using Cases = std::vector<Case>;

/// Whether what needs no gradient runs compiled (--compiled).
extern bool compiled;

void add_perceptrons(Cases& cases);
void add_images(Cases& cases);
void add_sequences(Cases& cases);
void add_graphs(Cases& cases);
void add_fusion(Cases& cases);
void add_operations(Cases& cases);
void add_growth(Cases& cases);

}  // namespace bench
