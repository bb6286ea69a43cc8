#pragma once
#include <vector>

#include <weft/weft.h>

/// The clinic of patient_graph, made up: phenotypes, and what is written down of each patient.
namespace simulated {

using namespace weft;

inline constexpr std::int64_t patients = 1500, phenotypes = 5, codes = 100, drugs = 60, values = 6;

using Ints = std::vector<std::int64_t>;
struct Edges {
  Ints from, to;
  void add(std::int64_t a, std::int64_t b) { from.push_back(a), to.push_back(b); }
  Tensor tensor() const { return stack({weft::from(from), weft::from(to)}); }
};
struct Clinic {
  Tensor values, phenotype;
  Edges has, excluded, takes, treats;
};

/// Codes and drugs belong to phenotypes in turn. A patient has two in three codes of the own phenotype, and what was
/// ruled out is what others have.
inline Clinic simulate(Generator& g) {
  Clinic c;
  Ints label;
  const Tensor middle = randn({phenotypes, values}, 0, 0.7, DType::float32, g);
  for (std::int64_t p = 0; p < patients; ++p) {
    const std::int64_t own = g.below(phenotypes);
    label.push_back(own);
    const auto one_of = [&](std::int64_t phenotype, std::int64_t all) {
      return phenotype + phenotypes * g.below(all / phenotypes);
    };
    for (int k = 0; k < 3; ++k) c.has.add(p, g.uniform() < 0.67 ? one_of(own, codes) : g.below(codes));
    for (int k = 0; k < 4; ++k) {
      const std::int64_t other = (own + 1 + g.below(phenotypes - 1)) % phenotypes;
      c.excluded.add(p, one_of(other, codes));
    }
    if (g.uniform() < 0.5) c.takes.add(p, g.uniform() < 0.5 ? one_of(own, drugs) : g.below(drugs));
  }
  for (std::int64_t d = 0; d < drugs; ++d)
    for (int k = 0; k < 3; ++k) c.treats.add(d, d % phenotypes + phenotypes * g.below(codes / phenotypes));
  c.phenotype = from(label);
  c.values = index_select(middle, 0, c.phenotype) + randn({patients, values}, 0, 1, DType::float32, g);
  return c;
}

}  // namespace simulated
