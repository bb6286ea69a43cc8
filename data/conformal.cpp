#include <weft/data/conformal.h>

#include <algorithm>
#include <cmath>

#include <weft/tensor/error.h>

namespace weft::data {

Conformal Conformal::fit(Numbers scores, double level) {
  if (!(level > 0 && level < 1)) throw ConfigError(text("conformal: level ", level, " is not in (0, 1)"));
  if (scores.empty()) throw ConfigError("conformal: there are no calibration rows");
  for (const double s : scores)
    if (!(s >= 0 && s <= 1)) throw ConfigError(text("conformal: a score is ", s, ", not in [0, 1]"));
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  // A whisker less, since (n + 1) * level may come out a little above a whole number.
  const double k = std::ceil((n + 1) * level - 1e-9);
  return {level, k > n ? 1.0 : sorted[static_cast<std::size_t>(std::max(k, 1.0)) - 1],
          static_cast<std::int64_t>(sorted.size())};
}

std::vector<std::int64_t> Conformal::set(Numbers probabilities) const {
  if (probabilities.empty()) throw ConfigError("conformal: there are no classes");
  const auto top = std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
  std::vector<std::int64_t> classes;
  for (std::int64_t c = 0; c < std::ssize(probabilities); ++c)
    if (c == top || 1 - probabilities[static_cast<std::size_t>(c)] <= threshold) classes.push_back(c);
  return classes;
}

std::vector<double> conformity_scores(const Predictions& p) {
  std::vector<double> scores;
  for (std::int64_t i = 0; i < p.count(); ++i) {
    const std::int64_t y = p.labels[static_cast<std::size_t>(i)];
    if (y < 0 || y >= p.classes) throw ConfigError(text("conformal: label ", y, " is outside ", p.classes, " classes"));
    scores.push_back(std::clamp(1 - p.probability(i, y), 0.0, 1.0));
  }
  return scores;
}

}  // namespace weft::data
