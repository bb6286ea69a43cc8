#pragma once
#include <functional>
#include <string>
#include <vector>

/// A benchmark case: a name, and how to build what one run does. Names, sizes and work per run are those of
/// the comparison with other frameworks; only weft's public interface is used, as a user would write it.
namespace bench {

struct Built {
  std::function<void()> run;
  double per = 1;    ///< runs of the case inside one call of run()
  double bytes = 0;  ///< moved by one run, if that is the limit
  double flops = 0;  ///< done by one run, if that is the limit
};

struct Case {
  std::string name;
  std::function<Built()> build;
};

void add_operation_cases(std::vector<Case>& cases);
void add_mlp_cases(std::vector<Case>& cases);

}  // namespace bench
