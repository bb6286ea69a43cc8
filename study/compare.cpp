#include <weft/study/compare.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <weft/data/calibration.h>
#include <weft/study/version.h>

namespace weft::study {
namespace {

constexpr auto nan = std::numeric_limits<double>::quiet_NaN();

/// Mean of what is a number; NaN when nothing is.
class Mean {
 public:
  void add(double value, double weight = 1) {
    if (!std::isfinite(value)) return;
    sum_ += value * weight;
    count_ += weight;
  }
  double value() const { return count_ > 0 ? sum_ / count_ : nan; }

 private:
  double sum_ = 0, count_ = 0;
};

using Value = std::function<double(const Record&)>;

/// Per split the mean over a method's seeds.
std::vector<double> over_seeds(const Run& run, const std::string& method, const Value& value) {
  std::vector<Mean> means(static_cast<std::size_t>(run.splits));
  for (const Record& r : run.records)
    if (r.method == method && r.split >= 0) means[static_cast<std::size_t>(r.split)].add(value(r));
  std::vector<double> out;
  for (const Mean& mean : means) out.push_back(mean.value());
  return out;
}

std::vector<double> mean_weights(const Run& run, const std::string& method) {
  std::vector<double> sums;
  double count = 0;
  for (const Record& r : run.records) {
    if (r.method != method || r.split < 0 || r.weights.empty()) continue;
    sums.resize(r.weights.size(), 0.0);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += r.weights[i];
    ++count;
  }
  for (double& v : sums) v /= count;
  return sums;
}

/// The fusion with the best validation score on a split (the first of equals); empty when there is none.
std::string best_on(const Run& run, std::int64_t split) {
  const bool higher = data::metric(run.validation_metric).higher_is_better;
  std::string best;
  double best_score = 0;
  for (std::size_t m = 0; m < run.methods.size(); ++m) {
    if (run.kinds[m] != MethodKind::fusion) continue;
    double sum = 0, count = 0;
    for (const Record& r : run.records)
      if (r.method == run.methods[m] && r.split == split && r.validation) {
        sum += *r.validation;
        ++count;
      }
    if (count == 0) continue;
    const double score = (higher ? sum : -sum) / count;
    if (best.empty() || score > best_score) {
      best = run.methods[m];
      best_score = score;
    }
  }
  return best;
}

/// The records that a row of the table is about: a method's, or on each split those of the fusion chosen there.
using Belongs = std::function<bool(const Record&)>;

/// Parts by name in the order met, rows added up, figures as means weighted by rows.
std::vector<Part> join_parts(const Run& run, const Belongs& belongs) {
  std::vector<Part> out;
  std::vector<std::pair<Mean, Mean>> means;
  for (const Record& r : run.records) {
    if (r.split < 0 || !belongs(r)) continue;
    for (const Part& part : r.parts) {
      const auto it = std::ranges::find(out, part.name, &Part::name);
      const auto at = static_cast<std::size_t>(it - out.begin());
      if (it == out.end()) {
        out.push_back({part.name, 0, 0, 0});
        means.emplace_back();
      }
      out[at].rows += part.rows;
      means[at].first.add(part.metric, static_cast<double>(part.rows));
      means[at].second.add(part.accuracy, static_cast<double>(part.rows));
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].metric = means[i].first.value();
    out[i].accuracy = means[i].second.value();
  }
  std::ranges::stable_sort(out, {}, [](const Part& p) { return p.name.starts_with("has "); });
  return out;
}

std::vector<CertaintyBin> join_bins(const Run& run, const Belongs& belongs) {
  std::vector<CertaintyBin> out;
  for (const Record& r : run.records) {
    if (r.split < 0 || !belongs(r)) continue;
    out.resize(std::max(out.size(), r.trust.bins.size()));
    for (std::size_t i = 0; i < r.trust.bins.size(); ++i) {
      const auto rows = static_cast<double>(r.trust.bins[i].rows);
      out[i].rows += r.trust.bins[i].rows;
      out[i].certainty += rows * r.trust.bins[i].certainty;
      out[i].accuracy += rows * r.trust.bins[i].accuracy;
    }
  }
  for (CertaintyBin& bin : out) {
    bin.certainty /= std::max(1.0, static_cast<double>(bin.rows));
    bin.accuracy /= std::max(1.0, static_cast<double>(bin.rows));
  }
  return out;
}

/// Mean over all fits whose test rows have one.
std::vector<double> mean_roc(const Run& run, const Belongs& belongs) {
  std::vector<double> out;
  double count = 0;
  for (const Record& r : run.records) {
    if (r.split < 0 || r.trust.roc.empty() || !belongs(r)) continue;
    out.resize(r.trust.roc.size(), 0.0);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += r.trust.roc[i];
    ++count;
  }
  for (double& v : out) v /= count;
  return out;
}

class Summarizer {
 public:
  explicit Summarizer(const Run& run) : run_(run) {}

  data::Interval interval(std::vector<double> values, bool rate, bool signed_rate = false) const {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.size() < 2) return {values.empty() ? nan : values[0], nan, nan};
    data::Interval i = data::resampled_mean_interval(values, static_cast<double>(run_.train_rows),
                                                     static_cast<double>(run_.test_rows), run_.level);
    // Student's interval does not know that a rate ends at 1; -1 is the least that matthews and kappa can be.
    if (rate) i.high = std::min(i.high, 1.0);
    i.low = std::max(i.low, signed_rate ? -1.0 : 0.0);
    return i;
  }

  /// Everything that is computed in one way for methods and for the chosen row; `values` gives a figure per split.
  void fill(Summary& row, const std::function<std::vector<double>(const Value&)>& values,
            const Belongs& belongs) const {
    for (std::size_t k = 0; k < run_.metrics.size(); ++k) {
      const std::string& name = run_.metrics[k];
      row.metrics.push_back(interval(values([k](const Record& r) { return r.metrics[k]; }), name != "log_loss",
                                     name == "matthews" || name == "cohen_kappa"));
    }
    row.calibration_error = interval(values([](const Record& r) { return r.trust.calibration_error; }), true);
    row.scaled_calibration_error =
        interval(values([](const Record& r) { return r.trust.scaled_calibration_error.value_or(nan); }), true);
    Mean temperature;
    for (const double t : values([](const Record& r) { return r.trust.temperature.value_or(nan); })) temperature.add(t);
    row.temperature = temperature.value();
    row.error = interval(values([](const Record& r) { return r.trust.risk.back(); }), true);
    row.referred_error = interval(values([](const Record& r) { return r.trust.referred_risk; }), true);
    for (std::size_t k = 0; k < 20; ++k) {
      Mean risk;
      for (const double v : values([k](const Record& r) { return r.trust.risk[k]; })) risk.add(v);
      row.risk.push_back(risk.value());
    }
    row.bins = join_bins(run_, belongs);
    row.roc = mean_roc(run_, belongs);
    row.parts = join_parts(run_, belongs);
    fill_given(row, belongs);
  }

 private:
  void fill_given(Summary& row, const Belongs& belongs) const {
    Mean mean, low, high, squares;
    for (const Record& r : run_.records)
      if (r.split < 0 && belongs(r)) {
        mean.add(r.metrics.front());
        low.add(r.interval ? r.interval->low : nan);
        high.add(r.interval ? r.interval->high : nan);
        squares.add(r.metrics.front() * r.metrics.front());
      }
    if (!std::isfinite(mean.value())) return;
    row.fixed = data::Interval{mean.value(), low.value(), high.value()};
    row.fixed_deviation = std::sqrt(std::max(0.0, squares.value() - mean.value() * mean.value()));
  }

  const Run& run_;
};

}  // namespace

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t a, std::uint64_t b) noexcept {
  // The finaliser of splitmix64, once per part.
  const auto mix = [](std::uint64_t z) {
    z += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  };
  return mix(mix(mix(seed) ^ a) ^ b);
}

Run compare(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options) {
  Run run;
  run.study = study.name;
  run.title = study.title;
  run.source = study.source;
  run.version = version;
  run.seed = options.seed.value_or(study.train.seed);
  run.seeds = study.compare.seeds;
  run.given_seeds = study.compare.given_seeds > 0 ? study.compare.given_seeds : run.seeds;
  run.refer = study.compare.refer;
  run.test = study.compare.test;
  run.level = study.compare.level;
  run.rows = dataset.rows();
  run.data_checksum = checksum(dataset);
  run.parts = options.parts ? *options.parts
                            : make_splits(study, dataset, options.splits.value_or(study.compare.splits), run.seed);
  run.splits = static_cast<std::int64_t>(run.parts.drawn.size());
  run.fixed = run.parts.given.has_value();
  for (const data::Split& split : run.parts.drawn) {
    run.train_rows += static_cast<std::int64_t>(split.train.size());
    run.test_rows += static_cast<std::int64_t>(split.test.size());
  }
  run.train_rows /= run.splits;
  run.test_rows /= run.splits;
  run.metric = study.compare.metric;
  run.validation_metric = study.train.metric;
  run.reference = study.compare.reference;
  run.metrics = {run.metric};
  for (const char* name : {"roc_auc", "accuracy", "balanced_accuracy", "f1_macro", "brier", "log_loss"})
    if (name != run.metric) run.metrics.emplace_back(name);
  for (const Evidence& e : dataset.evidence) run.modalities.push_back(e.name);
  run.classes = dataset.classes;
  run.class_rows.assign(dataset.classes.size(), 0);
  for (const std::int64_t label : dataset.labels) ++run.class_rows[static_cast<std::size_t>(label)];
  for (const auto& method : methods) {
    run.methods.push_back(method->name);
    run.kinds.push_back(method->kind);
  }
  run_all(study, dataset, methods, options, run);
  return run;
}

Findings summarize(const Run& run) {
  Findings findings;
  const Summarizer summarizer(run);
  const Value first = [](const Record& r) { return r.metrics.front(); };
  for (std::size_t m = 0; m < run.methods.size(); ++m) {
    Summary row;
    row.method = run.methods[m];
    row.kind = run.kinds[m];
    row.weights = mean_weights(run, row.method);
    summarizer.fill(
        row, [&](const Value& value) { return over_seeds(run, row.method, value); },
        [&](const Record& r) { return r.method == row.method; });
    findings.rows.push_back(std::move(row));
  }
  for (std::int64_t s = 0; s < run.splits; ++s) {
    const std::string best = best_on(run, s);
    if (best.empty()) return {findings.rows, {}, std::nullopt, {}};
    findings.chosen.push_back(best);
  }
  const std::string on_given = best_on(run, -1);
  Summary chosen;
  chosen.method = "chosen on validation";
  chosen.kind = MethodKind::fusion;
  chosen.chosen = true;
  const auto picked = [&](const Value& value) {
    std::map<std::string, std::vector<double>> by_method;
    std::vector<double> out;
    for (std::size_t s = 0; s < findings.chosen.size(); ++s) {
      const auto [it, added] = by_method.try_emplace(findings.chosen[s]);
      if (added) it->second = over_seeds(run, it->first, value);
      out.push_back(it->second[s]);
    }
    return out;
  };
  summarizer.fill(chosen, picked, [&](const Record& r) {
    return r.method == (r.split < 0 ? on_given : findings.chosen[static_cast<std::size_t>(r.split)]);
  });
  findings.rows.push_back(std::move(chosen));

  if (std::ranges::find(run.methods, run.reference) == run.methods.end() || run.splits < 2) return findings;
  const std::vector<double> reference = over_seeds(run, run.reference, first);
  const auto minus_reference = [&](const std::vector<double>& own) {
    return data::corrected_paired_t(own, reference, static_cast<double>(run.train_rows),
                                    static_cast<double>(run.test_rows), run.level);
  };
  findings.paired = minus_reference(picked(first));
  std::vector<double> p_values;
  for (std::size_t m = 0; m < run.methods.size(); ++m) {
    if (run.kinds[m] != MethodKind::fusion) continue;
    findings.against.push_back({run.methods[m], minus_reference(over_seeds(run, run.methods[m], first)), 1, 1});
    p_values.push_back(findings.against.back().comparison.p_value);
  }
  const std::vector<double> holm = data::holm(p_values), rate = data::benjamini_hochberg(p_values);
  for (std::size_t i = 0; i < p_values.size(); ++i) {
    findings.against[i].holm = holm[i];
    findings.against[i].benjamini_hochberg = rate[i];
  }
  return findings;
}

}  // namespace weft::study
