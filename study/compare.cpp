#include <weft/study/compare.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include <weft/data/file.h>
#include <weft/study/interrupt.h>
#include <weft/study/version.h>
#include <weft/tensor/parallel.h>

namespace weft::study {
namespace {

constexpr auto nan = std::numeric_limits<double>::quiet_NaN();

/// Mean weight of each modality over the rows of each class.
std::vector<double> weights_by_class(const Outcome& outcome, data::Labels labels, std::size_t classes,
                                     std::size_t modalities) {
  if (outcome.weights.empty()) return {};
  std::vector<double> sums(classes * modalities, 0.0), counts(classes, 0.0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto c = static_cast<std::size_t>(labels[i]);
    ++counts[c];
    for (std::size_t m = 0; m < modalities; ++m) sums[c * modalities + m] += outcome.weights[i * modalities + m];
  }
  for (std::size_t c = 0; c < classes; ++c)
    for (std::size_t m = 0; m < modalities; ++m) sums[c * modalities + m] /= std::max(counts[c], 1.0);
  return sums;
}

/// Runs the fits, several splits at a time, and keeps the records.
class Runner {
 public:
  Runner(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options, Run& run)
      : study_(study), dataset_(dataset), methods_(methods), options_(options), run_(run) {
    Generator generator{run.seed, 0};
    const auto drawn = data::stratified_splits(dataset.labels, static_cast<int>(run.splits), run.test, generator);
    if (dataset.fixed) jobs_.push_back({-1, *dataset.fixed});
    for (std::size_t s = 0; s < drawn.size(); ++s) jobs_.push_back({static_cast<std::int64_t>(s), drawn[s]});
    run.train_rows = static_cast<std::int64_t>(drawn[0].train.size());
    run.test_rows = static_cast<std::int64_t>(drawn[0].test.size());
    fingerprint_ = text(run.version, '|', run.seed, '|', run.splits, '|', checksum(dataset), '|', study.source);
  }

  void run() {
    if (options_.resume && !options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint)) {
      run_.records = read_checkpoint(data::read_file("resume", options_.checkpoint), fingerprint_, options_.checkpoint);
      for (const Record& r : run_.records) done_.insert({r.split, r.method, r.seed});
    }
    for (const auto& method : methods_) per_split_ += seeds_of(*method);
    const int workers = std::clamp(options_.jobs, 1, static_cast<int>(jobs_.size()));
    if (workers == 1) {
      work();
    } else {
      std::vector<std::thread> threads;
      for (int i = 0; i < workers; ++i) threads.emplace_back([this] { work(); });
      for (std::thread& t : threads) t.join();
    }
    if (error_) {
      if (saveable_) save();
      std::rethrow_exception(error_);
    }
    sort_records();
  }

 private:
  struct Job {
    std::int64_t number;
    data::Split split;
  };

  std::int64_t seeds_of(const Method& method) const { return method.kind == MethodKind::fusion ? run_.seeds : 1; }

  void work() noexcept {
    try {
      for (std::size_t i = next_++; i < jobs_.size() && !stop_; i = next_++) one_split(jobs_[i]);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (error_) return;
      error_ = std::current_exception();
      try {
        throw;
      } catch (const Interrupted&) {
        saveable_ = true;
      } catch (...) {
      }
    }
  }

  void one_split(const Job& job) {
    const Preparation preparation = Preparation::fit(dataset_, job.split.train);
    const data::Modalities x = preparation.apply(dataset_);
    const data::Modalities test = x.rows(job.split.test);
    data::Predictions predictions;
    predictions.classes = dataset_.class_count();
    for (const std::int64_t i : job.split.test)
      predictions.labels.push_back(dataset_.labels[static_cast<std::size_t>(i)]);
    for (const auto& method : methods_)
      for (std::int64_t seed = 0; seed < seeds_of(*method); ++seed) {
        if (stop_) return;
        check_interrupt();
        if (done_.contains({job.number, method->name, seed})) {
          count(method->name);
          continue;
        }
        Task task{x, dataset_.labels, dataset_.class_count(), job.split.train, data::metric(study_.train.metric)};
        // The fixed split is number -1: + 1 keeps the parts of the seed small and different.
        task.seed =
            derive_seed(run_.seed, static_cast<std::uint64_t>(job.number + 1), static_cast<std::uint64_t>(seed));
        task.on_epoch = [](auto...) { check_interrupt(); };
        const auto fitted = method->fit(task);
        Outcome outcome = fitted->predict(test);
        Record record{method->name, job.number, seed, {}, fitted->validation, {}, {}};
        record.weights = weights_by_class(outcome, predictions.labels, dataset_.classes.size(), run_.modalities.size());
        predictions.probabilities = std::move(outcome.probabilities);
        for (const std::string& name : run_.metrics) record.metrics.push_back(data::metric(name).compute(predictions));
        if (job.number == 0) record.curve = fitted->curve;
        keep(std::move(record));
        count(method->name);
      }
  }

  void keep(Record record) {
    const std::lock_guard lock(mutex_);
    run_.records.push_back(std::move(record));
  }
  void count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++finished_;
    if (options_.on_fit) options_.on_fit(finished_, per_split_ * static_cast<std::int64_t>(jobs_.size()), what);
  }

  void save() {
    if (options_.checkpoint.empty()) return;
    sort_records();
    data::write_file("checkpoint", options_.checkpoint, checkpoint_json(run_.records, fingerprint_));
  }
  /// The order owes nothing to which thread was faster.
  void sort_records() {
    std::map<std::string, std::size_t> place;
    for (std::size_t m = 0; m < methods_.size(); ++m) place[methods_[m]->name] = m;
    std::ranges::sort(run_.records, {}, [&](const Record& r) { return std::tuple(r.split, place[r.method], r.seed); });
  }

  const Study& study_;
  const Dataset& dataset_;
  const Methods& methods_;
  const CompareOptions& options_;
  Run& run_;
  std::vector<Job> jobs_;
  std::string fingerprint_;
  std::set<std::tuple<std::int64_t, std::string, std::int64_t>> done_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::exception_ptr error_;
  bool saveable_ = false;
  std::int64_t finished_ = 0, per_split_ = 0;
};

/// values[split] of one method: the mean over its seeds.
std::vector<double> over_seeds(const Run& run, const std::string& method, std::size_t metric) {
  std::vector<double> sums(static_cast<std::size_t>(run.splits), 0.0), counts(sums.size(), 0.0);
  for (const Record& r : run.records)
    if (r.method == method && r.split >= 0) {
      sums[static_cast<std::size_t>(r.split)] += r.metrics[metric];
      ++counts[static_cast<std::size_t>(r.split)];
    }
  for (std::size_t s = 0; s < sums.size(); ++s) sums[s] /= counts[s];
  return sums;
}

std::optional<double> on_fixed(const Run& run, const std::string& method) {
  double sum = 0, count = 0;
  for (const Record& r : run.records)
    if (r.method == method && r.split < 0) {
      sum += r.metrics.front();
      ++count;
    }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
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
  run.splits = options.splits.value_or(study.compare.splits);
  run.seeds = study.compare.seeds;
  run.test = study.compare.test;
  run.level = study.compare.level;
  run.rows = dataset.rows();
  run.fixed = dataset.fixed.has_value();
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
  Runner(study, dataset, methods, options, run).run();
  return run;
}

Findings summarize(const Run& run) {
  Findings findings;
  const auto train = static_cast<double>(run.train_rows), test = static_cast<double>(run.test_rows);
  const auto interval = [&](const std::vector<double>& values, const std::string& metric) {
    if (values.size() < 2) return data::Interval{values.empty() ? nan : values[0], nan, nan};
    data::Interval i = data::resampled_mean_interval(values, train, test, run.level);
    // Student's interval does not know that a rate ends at 1; -1 is the least that matthews and kappa can be.
    if (metric != "log_loss") i.high = std::min(i.high, 1.0);
    i.low = std::max(i.low, metric == "matthews" || metric == "cohen_kappa" ? -1.0 : 0.0);
    return i;
  };
  std::map<std::string, std::vector<std::vector<double>>> values;  // method -> metric -> split
  for (std::size_t m = 0; m < run.methods.size(); ++m) {
    Summary row{
        run.methods[m], run.kinds[m], false, {}, on_fixed(run, run.methods[m]), mean_weights(run, run.methods[m])};
    for (std::size_t k = 0; k < run.metrics.size(); ++k) {
      values[row.method].push_back(over_seeds(run, row.method, k));
      row.metrics.push_back(interval(values[row.method].back(), run.metrics[k]));
    }
    findings.rows.push_back(std::move(row));
  }
  for (std::int64_t s = 0; s < run.splits; ++s) {
    const std::string best = best_on(run, s);
    if (best.empty()) return {findings.rows, {}, std::nullopt};
    findings.chosen.push_back(best);
  }
  Summary chosen{"chosen on validation", MethodKind::fusion, true, {}, std::nullopt, {}};
  std::vector<double> own;
  for (std::size_t k = 0; k < run.metrics.size(); ++k) {
    std::vector<double> picked;
    for (std::size_t s = 0; s < findings.chosen.size(); ++s) picked.push_back(values[findings.chosen[s]][k][s]);
    chosen.metrics.push_back(interval(picked, run.metrics[k]));
    if (k == 0) own = picked;
  }
  if (run.fixed)
    if (const std::string best = best_on(run, -1); !best.empty()) chosen.fixed = on_fixed(run, best);
  findings.rows.push_back(std::move(chosen));
  const auto reference = values.find(run.reference);
  if (reference != values.end() && own.size() >= 2)
    findings.paired = data::corrected_paired_t(own, reference->second[0], train, test, run.level);
  return findings;
}

}  // namespace weft::study
