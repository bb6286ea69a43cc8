#pragma once
#include <cmath>
#include <functional>

#include <weft/weft.h>

// The patients of examples/missing.cpp: what is known of them, and how they part into those to learn from and others.

using namespace weft;
using Rows = std::vector<std::int64_t>;
using Reals = std::vector<double>;

/// What is there to learn from and to be judged on: what is known of each patient, and what 0 is there.
struct Evidence {
  data::Modalities all;
  std::vector<Tensor> zero;  // M of (width_m,)
  Rows labels;
};

struct Patients {
  std::string name;
  std::vector<std::string> kinds;   // of evidence
  std::vector<data::Table> tables;  // one for each; none where patients are simulated
  Rows labels;
  std::int64_t classes = 2;
  std::vector<data::Split> splits;
  std::vector<std::string> sites;                 // what each split tests, where it is a hospital
  Reals rates = {0};                              // of missing evidence to be tried, besides what is missing anyway
  std::vector<fusion::EncoderChoice> encoders{};  // one for each kind; none: a small network
  int epochs = 0;                                 // 0: by the number of patients
  std::function<Evidence(std::size_t)> drawn{};   // simulates the patients of a split, who are in no other

  /// Tables as numbers, standardised by those to learn from.
  Evidence evidence(std::size_t split) const {
    if (drawn) return drawn(split);
    Evidence e{{kinds, {}, {}}, {}, labels};
    std::vector<Tensor> present;
    for (const data::Table& table : tables) {
      const auto coder = data::TableEncoder::fit(table, std::vector<std::string>{"*"}, splits[split].train,
                                                 {.unseen = data::Unseen::unknown});
      const data::Encoded encoded = coder.apply(table);
      e.all.features.push_back(encoded.features), present.push_back(encoded.present);
      Reals of_parts;
      for (const auto& part : coder.parts)
        for (std::size_t k = 0; k < std::max<std::size_t>(1, part.levels.size()); ++k)
          of_parts.push_back(part.categorical ? 0 : -part.mean / part.deviation);
      e.zero.push_back(from(of_parts));
    }
    e.all.present = stack(present, 1);
    return e;
  }
};
