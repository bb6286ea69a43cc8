#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <weft/tensor/parallel.h>

/// What every example takes: --full, --seeds N, --seed FIRST, --threads N, and where they are offered --validate and
/// --only NAME. Ends the program with a line of usage for anything else.
struct Arguments {
  bool validate = false;   ///< figures of a cross-validation within the training data instead
  bool full = false;       ///< the figures of the documentation instead of a taste of a minute
  int seeds = 0;           ///< how many runs; 0: what the example thinks right
  std::uint64_t seed = 1;  ///< of the first run
  std::string only{};      ///< which part of it; empty: all
  Arguments(int argc, char** argv, bool may_validate = false, bool may_choose = false) {
    const auto usage = [&] {
      std::fprintf(stderr, "usage: %s [--full]%s%s [--seeds N] [--seed FIRST] [--threads N]\n", argv[0],
                   may_validate ? " [--validate]" : "", may_choose ? " [--only NAME]" : "");
      std::exit(2);
    };
    const auto number = [&](int i) {
      char* end = nullptr;
      const long n = i < argc ? std::strtol(argv[i], &end, 10) : -1;
      if (n < 0 || !end || *end != 0) usage();
      return n;
    };
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word == "--full")
        full = true;
      else if (may_validate && word == "--validate")
        validate = true;
      else if (may_choose && word == "--only" && i + 1 < argc)
        only = argv[++i];
      else if (word == "--seeds")
        seeds = static_cast<int>(number(++i));
      else if (word == "--seed")
        seed = static_cast<std::uint64_t>(number(++i));
      else if (word == "--threads")
        weft::set_num_threads(static_cast<int>(number(++i)));
      else
        usage();
    }
  }
  int seeds_or(int usual) const { return seeds > 0 ? seeds : usual; }
};
