#pragma once
#include <vector>

#include <weft/weft.h>

/// The sets of codes of codes.cpp, made up: illnesses, and which codes their patients get.
namespace simulated {

using namespace weft;

inline constexpr std::int64_t illnesses = 30, codes = 600, patients = 4000;

struct World {
  data::CodeSets sets;
  Tensor outcome;  // (patients,): 1 where one of the first ten illnesses is present
};
/// Code c is of illness c mod 30. Within an illness some codes are common and some rare. A patient has one to three
/// illnesses, two to four codes of each, and two codes from anywhere.
inline World simulate(Generator& g) {
  std::vector<std::vector<std::int64_t>> sets;
  std::vector<std::int64_t> outcome;
  const auto of_illness = [&](std::int64_t illness) {
    const double u = g.uniform();
    return illness + illnesses * static_cast<std::int64_t>(u * u * (codes / illnesses));
  };
  for (std::int64_t p = 0; p < patients; ++p) {
    sets.push_back({g.below(codes), g.below(codes)});
    outcome.push_back(0);
    for (std::int64_t left = 1 + g.below(3); left > 0; --left) {
      const std::int64_t illness = g.below(illnesses);
      for (std::int64_t k = 2 + g.below(3); k > 0; --k) sets.back().push_back(of_illness(illness));
      if (illness < 10) outcome.back() = 1;
    }
  }
  return {data::CodeSets::of(sets, codes), from(outcome)};
}

/// How often two codes meet, as rows.
inline Tensor meetings(const data::CodeSets& sets) {
  Tensor counts = zeros({codes, codes});
  const auto all = to_vector<std::int64_t>(sets.codes);
  auto ends = to_vector<std::int64_t>(sets.offsets);
  ends.push_back(static_cast<std::int64_t>(all.size()));
  float* n = counts.mutable_data<float>();
  for (std::size_t s = 0; s + 1 < ends.size(); ++s)
    for (auto a = ends[s]; a < ends[s + 1]; ++a)
      for (auto b = ends[s]; b < ends[s + 1]; ++b)
        if (a != b) ++n[all[static_cast<std::size_t>(a)] * codes + all[static_cast<std::size_t>(b)]];
  return counts;
}

}  // namespace simulated
