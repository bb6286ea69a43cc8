#include <weft/data/metrics.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::data {
namespace {

double ratio(double a, double b) noexcept { return b == 0 ? 0 : a / b; }
double real(std::int64_t n) noexcept { return static_cast<double>(n); }
double real(std::size_t n) noexcept { return static_cast<double>(n); }

void check_counts(const char* op, std::size_t truth, std::size_t predicted) {
  if (truth != predicted) throw ShapeError(text(op, ": ", truth, " labels, ", predicted, " predictions"));
  if (truth == 0) throw ConfigError(text(op, ": there are no samples"));
}

struct Tally {
  std::int64_t hits = 0, members = 0, decided = 0;  // TP, TP + FN, TP + FP
};

/// Per class that occurs in either list; a map, because nothing bounds the labels.
std::map<std::int64_t, Tally> tally(const char* op, Labels truth, Labels predicted) {
  check_counts(op, truth.size(), predicted.size());
  std::map<std::int64_t, Tally> out;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (const std::int64_t label : {truth[i], predicted[i]})
      if (label < 0) throw ConfigError(text(op, ": label ", label, " of sample ", i, " is negative"));
    Tally& t = out[truth[i]];
    ++t.members;
    if (truth[i] == predicted[i]) ++t.hits;
    ++out[predicted[i]].decided;
  }
  return out;
}

/// Averages a figure of (hits, members, decided).
template <class Figure>
double averaged(const char* op, Labels truth, Labels predicted, Average average, Figure figure) {
  const auto classes = tally(op, truth, predicted);
  if (average == Average::binary) {
    Tally one;
    for (const auto& [label, t] : classes) {
      if (label > 1)
        throw ConfigError(
            text(op, ": label ", label, " is neither 0 nor 1\n  help: choose a macro, weighted or micro average"));
      if (label == 1) one = t;
    }
    return figure(one);
  }
  Tally all;
  double sum = 0, weights = 0;
  for (const auto& [label, t] : classes) {
    all.hits += t.hits;
    all.members += t.members;
    all.decided += t.decided;
    const double weight = average == Average::weighted ? real(t.members) : 1;
    sum += weight * figure(t);
    weights += weight;
  }
  return average == Average::micro ? figure(all) : sum / weights;
}

/// Sample numbers by descending score. NaN has no place in an order.
std::vector<std::size_t> ranking(const char* op, Labels truth, Numbers scores) {
  check_counts(op, truth.size(), scores.size());
  std::int64_t ones = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] != 0 && truth[i] != 1) throw ConfigError(text(op, ": label ", truth[i], " is neither 0 nor 1"));
    if (std::isnan(scores[i])) throw ConfigError(text(op, ": the score of sample ", i, " is NaN"));
    ones += truth[i];
  }
  if (ones == 0 || ones == static_cast<std::int64_t>(truth.size()))
    throw ConfigError(text(op, ": all ", truth.size(), " labels are ", truth[0], ", both 0 and 1 are needed"));
  std::vector<std::size_t> order(truth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  return order;
}

/// Calls visit(false positives, true positives, score) after each group of equal scores, from the highest down.
template <class Visit>
void walk(const char* op, Labels truth, Numbers scores, Visit visit) {
  const std::vector<std::size_t> order = ranking(op, truth, scores);
  std::int64_t negatives = 0, positives = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (truth[order[i]] ? positives : negatives) += 1;
    if (i + 1 == order.size() || scores[order[i + 1]] != scores[order[i]])
      visit(negatives, positives, scores[order[i]]);
  }
}

/// Labels of one class against the rest, when the class and the rest have members.
std::vector<std::int64_t> one_versus_rest(const char* op, const Predictions& p, std::int64_t label) {
  std::vector<std::int64_t> truth(p.labels.size());
  for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = p.labels[i] == label;
  if (std::find(truth.begin(), truth.end(), 1) == truth.end())
    throw ConfigError(text(op, ": class ", label, " has no member among ", p.labels.size(), " labels"));
  return truth;
}

/// Of class 1 of two, else the mean over classes.
template <class Score>
double over_classes(const char* op, const Predictions& p, bool weighted, Score score) {
  check_counts(op, p.labels.size(), p.classes > 0 ? p.probabilities.size() / static_cast<std::size_t>(p.classes) : 0);
  if (p.classes < 2) throw ConfigError(text(op, ": two classes or more are needed, got ", p.classes));
  if (p.classes == 2) return score(p.labels, p.scores(1));
  double sum = 0, weights = 0;
  for (std::int64_t k = 0; k < p.classes; ++k) {
    const std::vector<std::int64_t> truth = one_versus_rest(op, p, k);
    const double weight = weighted ? real(std::accumulate(truth.begin(), truth.end(), std::int64_t{0})) : 1;
    sum += weight * score(truth, p.scores(k));
    weights += weight;
  }
  return sum / weights;
}

void check_any(const char* op, const Predictions& p) {
  if (p.labels.empty()) throw ConfigError(text(op, ": there are no samples"));
}

}  // namespace

// ---- Predictions

Predictions Predictions::of(const Tensor& labels, const Tensor& probabilities) {
  if (is_floating(labels.dtype())) throw DtypeError(text("predictions: labels are ", labels.dtype(), ", not integers"));
  if (!is_floating(probabilities.dtype()))
    throw DtypeError(text("predictions: probabilities are ", probabilities.dtype(), ", not floating"));
  const int rank = probabilities.dim();
  if (labels.dim() != 1 || rank < 1 || rank > 2 || probabilities.size(0) != labels.size(0))
    throw ShapeError(text("predictions: labels ", labels.shape(), " and probabilities ", probabilities.shape(),
                          " are not (N,) and (N, C)"));
  Predictions p;
  p.labels = to_vector<std::int64_t>(labels);
  p.probabilities = to_vector<double>(probabilities);
  for (std::size_t i = 0; i < p.probabilities.size(); ++i)
    // Rounding may push a softmax just over 1.
    if (!(p.probabilities[i] >= -1e-6 && p.probabilities[i] <= 1 + 1e-6))
      throw ConfigError(
          text("predictions: ", p.probabilities[i], " is not a probability\n  help: pass softmax of the logits"));
  p.classes = rank == 2 ? probabilities.size(1) : 2;
  if (rank == 1) {
    std::vector<double> both;
    for (const double one : p.probabilities) both.insert(both.end(), {1 - one, one});
    p.probabilities = std::move(both);
  }
  for (std::size_t i = 0; i < p.labels.size(); ++i)
    if (p.labels[i] < 0 || p.labels[i] >= p.classes)
      throw ConfigError(
          text("predictions: label ", p.labels[i], " of sample ", i, " is outside the ", p.classes, " classes"));
  return p;
}

std::vector<std::int64_t> Predictions::predicted() const {
  std::vector<std::int64_t> out;
  out.reserve(labels.size());
  for (std::int64_t i = 0; i < count(); ++i) {
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < classes; ++k)
      if (probability(i, k) > probability(i, best)) best = k;
    out.push_back(best);
  }
  return out;
}

std::vector<double> Predictions::scores(std::int64_t label) const {
  std::vector<double> out;
  out.reserve(labels.size());
  for (std::int64_t i = 0; i < count(); ++i) out.push_back(probability(i, label));
  return out;
}

Predictions Predictions::rows(std::span<const std::int64_t> index) const {
  Predictions out;
  out.classes = classes;
  out.labels.reserve(index.size());
  out.probabilities.reserve(index.size() * static_cast<std::size_t>(classes));
  for (const std::int64_t i : index) {
    if (i < 0 || i >= count())
      throw ConfigError(text("predictions: index ", i, " is outside the ", count(), " samples"));
    out.labels.push_back(labels[static_cast<std::size_t>(i)]);
    const auto row = probabilities.begin() + i * classes;
    out.probabilities.insert(out.probabilities.end(), row, row + classes);
  }
  return out;
}

// ---- from decided classes

std::int64_t Confusion::total() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

Confusion confusion(Labels truth, Labels predicted, std::int64_t classes) {
  check_counts("confusion", truth.size(), predicted.size());
  if (classes <= 0)
    classes =
        std::max(*std::max_element(truth.begin(), truth.end()), *std::max_element(predicted.begin(), predicted.end())) +
        1;
  constexpr std::int64_t most = 1 << 14;  // 2 GiB of counts
  if (classes > most) throw ConfigError(text("confusion: ", classes, " classes, the most is ", most));
  Confusion c{classes, std::vector<std::int64_t>(static_cast<std::size_t>(classes * classes))};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    for (const std::int64_t label : {truth[i], predicted[i]})
      if (label < 0 || label >= classes)
        throw ConfigError(text("confusion: label ", label, " of sample ", i, " is outside the ", classes, " classes"));
    ++c.counts[static_cast<std::size_t>(truth[i] * classes + predicted[i])];
  }
  return c;
}

double accuracy(Labels truth, Labels predicted) {
  check_counts("accuracy", truth.size(), predicted.size());
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) hits += truth[i] == predicted[i];
  return real(hits) / real(truth.size());
}

double balanced_accuracy(Labels truth, Labels predicted) {
  double sum = 0, classes = 0;
  for (const auto& [label, t] : tally("balanced_accuracy", truth, predicted)) {
    if (t.members == 0) continue;
    sum += real(t.hits) / real(t.members);
    ++classes;
  }
  return sum / classes;
}

double precision(Labels truth, Labels predicted, Average average) {
  return averaged("precision", truth, predicted, average,
                  [](const Tally& t) { return ratio(real(t.hits), real(t.decided)); });
}

double recall(Labels truth, Labels predicted, Average average) {
  return averaged("recall", truth, predicted, average,
                  [](const Tally& t) { return ratio(real(t.hits), real(t.members)); });
}

double f1(Labels truth, Labels predicted, Average average) {
  return averaged("f1", truth, predicted, average,
                  [](const Tally& t) { return ratio(2 * real(t.hits), real(t.members + t.decided)); });
}

double sensitivity(Labels truth, Labels predicted) {
  return averaged("sensitivity", truth, predicted, Average::binary,
                  [](const Tally& t) { return ratio(real(t.hits), real(t.members)); });
}

double specificity(Labels truth, Labels predicted) {
  const auto n = static_cast<std::int64_t>(truth.size());
  // In terms of class 1: TN = N - TP - FN - FP.
  return averaged("specificity", truth, predicted, Average::binary,
                  [n](const Tally& t) { return ratio(real(n - t.members - t.decided + t.hits), real(n - t.members)); });
}

double matthews(Labels truth, Labels predicted) {
  const double n = real(truth.size());
  double hits = 0, both = 0, members = 0, decided = 0;
  for (const auto& [label, t] : tally("matthews", truth, predicted)) {
    hits += real(t.hits);
    both += real(t.members) * real(t.decided);
    members += real(t.members) * real(t.members);
    decided += real(t.decided) * real(t.decided);
  }
  return ratio(hits * n - both, std::sqrt((n * n - decided) * (n * n - members)));
}

double cohen_kappa(Labels truth, Labels predicted) {
  const double n = real(truth.size());
  double hits = 0, chance = 0;
  for (const auto& [label, t] : tally("cohen_kappa", truth, predicted)) {
    hits += real(t.hits) / n;
    chance += real(t.members) / n * (real(t.decided) / n);
  }
  return ratio(hits - chance, 1 - chance);
}

// ---- from scores

double roc_auc(Labels truth, Numbers scores) {
  // Twice the number of pairs in the right order, so that ties stay whole numbers.
  std::int64_t pairs = 0, negatives = 0, positives = 0;
  walk("roc_auc", truth, scores, [&](std::int64_t n, std::int64_t p, double) {
    pairs += (n - negatives) * (p + positives);
    negatives = n;
    positives = p;
  });
  return real(pairs) / (2 * real(negatives) * real(positives));
}

double average_precision(Labels truth, Numbers scores) {
  double sum = 0;
  std::int64_t before = 0;
  walk("average_precision", truth, scores, [&](std::int64_t n, std::int64_t p, double) {
    sum += real(p - before) * real(p) / real(n + p);
    before = p;
  });
  return sum / real(before);
}

RocCurve roc_curve(Labels truth, Numbers scores) {
  RocCurve c{{0}, {0}, {std::numeric_limits<double>::infinity()}};
  walk("roc_curve", truth, scores, [&](std::int64_t n, std::int64_t p, double score) {
    c.false_positive_rate.push_back(real(n));
    c.true_positive_rate.push_back(real(p));
    c.threshold.push_back(score);
  });
  for (auto* rates : {&c.false_positive_rate, &c.true_positive_rate}) {
    const double all = rates->back();
    for (double& rate : *rates) rate /= all;
  }
  return c;
}

// ---- from probabilities

double roc_auc(const Predictions& p, Average average) {
  if (average == Average::binary || average == Average::micro)
    throw ConfigError("roc_auc: the average must be macro or weighted");
  return over_classes("roc_auc", p, average == Average::weighted, [](Labels t, Numbers s) { return roc_auc(t, s); });
}

double roc_auc_ovo(const Predictions& p, Average average) {
  constexpr const char* op = "roc_auc_ovo";
  if (average == Average::binary || average == Average::micro)
    throw ConfigError("roc_auc_ovo: the average must be macro or weighted");
  if (p.classes <= 2) return over_classes(op, p, false, [](Labels t, Numbers s) { return roc_auc(t, s); });
  check_any(op, p);
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(p.classes));
  for (std::int64_t i = 0; i < p.count(); ++i)
    members[static_cast<std::size_t>(p.labels[static_cast<std::size_t>(i)])].push_back(i);
  for (std::int64_t k = 0; k < p.classes; ++k) one_versus_rest(op, p, k);  // throws for a class without members
  double sum = 0, weights = 0;
  for (std::int64_t a = 0; a < p.classes; ++a)
    for (std::int64_t b = a + 1; b < p.classes; ++b) {
      std::vector<std::int64_t> index = members[static_cast<std::size_t>(a)];
      const std::vector<std::int64_t>& rest = members[static_cast<std::size_t>(b)];
      index.insert(index.end(), rest.begin(), rest.end());
      const Predictions both = p.rows(index);
      const double area = (roc_auc(one_versus_rest(op, both, a), both.scores(a)) +
                           roc_auc(one_versus_rest(op, both, b), both.scores(b))) /
                          2;
      const double weight = average == Average::weighted ? real(index.size()) : 1;
      sum += weight * area;
      weights += weight;
    }
  return sum / weights;
}

double average_precision(const Predictions& p) {
  return over_classes("average_precision", p, false, [](Labels t, Numbers s) { return average_precision(t, s); });
}

double brier(const Predictions& p) {
  check_any("brier", p);
  double sum = 0;
  for (std::int64_t i = 0; i < p.count(); ++i)
    for (std::int64_t k = p.classes == 2 ? 1 : 0; k < p.classes; ++k) {
      const double d = p.probability(i, k) - (p.labels[static_cast<std::size_t>(i)] == k ? 1 : 0);
      sum += d * d;
    }
  return sum / real(p.count());
}

double log_loss(const Predictions& p) {
  check_any("log_loss", p);
  double sum = 0;
  for (std::int64_t i = 0; i < p.count(); ++i)
    sum -= std::log(std::clamp(p.probability(i, p.labels[static_cast<std::size_t>(i)]), 0x1p-52, 1 - 0x1p-52));
  return sum / real(p.count());
}

double top_k(const Predictions& p, std::int64_t k) {
  check_any("top_k", p);
  if (k < 1) throw ConfigError(text("top_k: k is ", k, ", must be 1 or more"));
  std::int64_t hits = 0;
  for (std::int64_t i = 0; i < p.count(); ++i) {
    const std::int64_t label = p.labels[static_cast<std::size_t>(i)];
    const double own = p.probability(i, label);
    std::int64_t ahead = 0;
    for (std::int64_t other = 0; other < p.classes; ++other)
      ahead += p.probability(i, other) > own || (p.probability(i, other) == own && other > label);
    hits += ahead < k;
  }
  return real(hits) / real(p.count());
}

std::vector<CalibrationBin> calibration(const Predictions& p, int bins) {
  check_any("calibration", p);
  if (bins < 1) throw ConfigError(text("calibration: ", bins, " bins, must be 1 or more"));
  std::vector<CalibrationBin> out(static_cast<std::size_t>(bins));
  for (int b = 0; b < bins; ++b) {
    out[static_cast<std::size_t>(b)].low = static_cast<double>(b) / bins;
    out[static_cast<std::size_t>(b)].high = static_cast<double>(b + 1) / bins;
  }
  const std::vector<std::int64_t> decided = p.predicted();
  for (std::int64_t i = 0; i < p.count(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    const double confidence = p.probability(i, decided[row]);
    // The first bin whose upper edge is not below: compared with the very edges that are reported.
    auto bin = std::lower_bound(out.begin(), out.end(), confidence, [](const auto& b, double c) { return b.high < c; });
    if (bin == out.end()) --bin;
    ++bin->count;
    bin->confidence += confidence;
    bin->accuracy += decided[row] == p.labels[row];
  }
  for (CalibrationBin& bin : out) {
    bin.confidence = ratio(bin.confidence, real(bin.count));
    bin.accuracy = ratio(bin.accuracy, real(bin.count));
  }
  return out;
}

double calibration_error(const Predictions& p, int bins) {
  double sum = 0;
  for (const CalibrationBin& bin : calibration(p, bins))
    sum += real(bin.count) * std::abs(bin.accuracy - bin.confidence);
  return sum / real(p.count());
}

// ---- regression

double mean_squared_error(Numbers truth, Numbers predicted) {
  check_counts("mean_squared_error", truth.size(), predicted.size());
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
  return sum / real(truth.size());
}

double mean_absolute_error(Numbers truth, Numbers predicted) {
  check_counts("mean_absolute_error", truth.size(), predicted.size());
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += std::abs(truth[i] - predicted[i]);
  return sum / real(truth.size());
}

double r_squared(Numbers truth, Numbers predicted) {
  check_counts("r_squared", truth.size(), predicted.size());
  const double mean = std::accumulate(truth.begin(), truth.end(), 0.0) / real(truth.size());
  double left = 0, total = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    left += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
    total += (truth[i] - mean) * (truth[i] - mean);
  }
  if (total == 0) return left == 0 ? 1 : 0;
  return 1 - left / total;
}

// ---- by name

std::span<const NamedMetric> metrics() {
  using P = const Predictions&;
  static const std::vector<NamedMetric> all = {
      {"accuracy", [](P p) { return accuracy(p.labels, p.predicted()); }},
      {"balanced_accuracy", [](P p) { return balanced_accuracy(p.labels, p.predicted()); }},
      {"f1_macro", [](P p) { return f1(p.labels, p.predicted(), Average::macro); }},
      {"f1_weighted", [](P p) { return f1(p.labels, p.predicted(), Average::weighted); }},
      {"f1_micro", [](P p) { return f1(p.labels, p.predicted(), Average::micro); }},
      {"f1", [](P p) { return f1(p.labels, p.predicted()); }},
      {"precision", [](P p) { return precision(p.labels, p.predicted()); }},
      {"recall", [](P p) { return recall(p.labels, p.predicted()); }},
      {"precision_macro", [](P p) { return precision(p.labels, p.predicted(), Average::macro); }},
      {"recall_macro", [](P p) { return recall(p.labels, p.predicted(), Average::macro); }},
      {"sensitivity", [](P p) { return sensitivity(p.labels, p.predicted()); }},
      {"specificity", [](P p) { return specificity(p.labels, p.predicted()); }},
      {"matthews", [](P p) { return matthews(p.labels, p.predicted()); }},
      {"cohen_kappa", [](P p) { return cohen_kappa(p.labels, p.predicted()); }},
      {"roc_auc", [](P p) { return roc_auc(p); }},
      {"roc_auc_weighted", [](P p) { return roc_auc(p, Average::weighted); }},
      {"roc_auc_ovo", [](P p) { return roc_auc_ovo(p); }},
      {"average_precision", [](P p) { return average_precision(p); }},
      {"brier", [](P p) { return brier(p); }, false},
      {"log_loss", [](P p) { return log_loss(p); }, false},
      {"calibration_error", [](P p) { return calibration_error(p); }, false},
  };
  return all;
}

const NamedMetric& metric(std::string_view name) {
  std::vector<std::string> names;
  for (const NamedMetric& m : metrics()) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  throw ConfigError(text("metric: there is no \"", name, "\"", closest(name, names)));
}

}  // namespace weft::data
