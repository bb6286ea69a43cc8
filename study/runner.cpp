#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <tuple>

#include <weft/data/file.h>
#include <weft/study/checksum.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>

namespace weft::study {
namespace {

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

/// One split, prepared by whoever comes to it first and let go after its last fit.
struct Job {
  std::int64_t number;  ///< -1: the split that comes with the data
  std::string name;
  data::Split split;
  std::once_flag once{};
  data::Modalities train{}, test{};
  std::vector<std::int64_t> train_labels{}, groups{}, test_labels{};
  std::atomic<std::int64_t> left{0};
  Job(std::int64_t its_number, std::string its_name, data::Split its_split)
      : number(its_number), name(std::move(its_name)), split(std::move(its_split)) {}
};

/// Runs the fits, several at a time, and keeps the records.
class Runner {
 public:
  Runner(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options, Run& run)
      : study_(study),
        dataset_(dataset),
        methods_(methods),
        options_(options),
        run_(run),
        prepare_(options.prepare ? options.prepare : Preparation::fit),
        together_(together(study, dataset)) {
    check_leaks(study, dataset, run.parts);
    if (run.parts.given) jobs_.push_back(std::make_unique<Job>(-1, run.parts.named().back().first, *run.parts.given));
    const auto named = run.parts.named();
    for (std::size_t s = 0; s < run.parts.drawn.size(); ++s)
      jobs_.push_back(std::make_unique<Job>(static_cast<std::int64_t>(s), named[s].first, run.parts.drawn[s]));
    check_prepare(prepare_, dataset, run.parts.drawn[0], named[0].first);
    for (const auto& job : jobs_)
      for (const auto& method : methods)
        for (std::int64_t seed = 0; seed < seeds_of(*method, *job); ++seed) {
          units_.push_back({job.get(), method.get(), seed});
          ++job->left;
        }
    Checksum sum;
    sum.add(run.parts.to_json(run.data_checksum));
    fingerprint_ = text(run.version, '|', run.seed, '|', run.splits, '|', sum.str(), '|', study.source);
  }

  void run() {
    if (options_.resume && !options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint)) {
      run_.records = read_checkpoint(data::read_file("resume", options_.checkpoint), fingerprint_, options_.checkpoint);
      for (const Record& r : run_.records) done_.insert({r.split, r.method, r.seed});
    }
    const int workers = std::clamp(options_.jobs, 1, static_cast<int>(units_.size()));
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
  struct Unit {
    Job* job;
    const Method* method;
    std::int64_t seed;
  };

  std::int64_t seeds_of(const Method& method, const Job& job) const {
    return method.kind != MethodKind::fusion ? 1 : job.number < 0 ? run_.given_seeds : run_.seeds;
  }

  void work() noexcept {
    try {
      for (std::size_t i = next_++; i < units_.size() && !stop_; i = next_++) {
        check_interrupt();
        one_fit(units_[i]);
      }
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

  void prepare(Job& job) const {
    const Preparation preparation = prepare_(dataset_, job.split.train);
    check_preparation(preparation, job.split, job.name);
    const data::Modalities all = preparation.apply(dataset_);
    job.train = all.rows(job.split.train);
    job.test = all.rows(job.split.test);
    const auto take = [](const std::vector<std::int64_t>& values, const std::vector<std::int64_t>& rows) {
      std::vector<std::int64_t> out;
      for (const std::int64_t i : rows) out.push_back(values[static_cast<std::size_t>(i)]);
      return out;
    };
    job.train_labels = take(dataset_.labels, job.split.train);
    job.test_labels = take(dataset_.labels, job.split.test);
    if (!together_.empty()) job.groups = take(together_, job.split.train);
  }

  void one_fit(const Unit& unit) {
    Job& job = *unit.job;
    const Method& method = *unit.method;
    if (!done_.contains({job.number, method.name, unit.seed})) {
      std::call_once(job.once, [&] { prepare(job); });
      // The rows to test on are not among what a method gets.
      std::vector<std::int64_t> rows(job.train_labels.size());
      std::iota(rows.begin(), rows.end(), 0);
      Task task{job.train, job.train_labels, dataset_.class_count(), rows, data::metric(study_.train.metric)};
      task.groups = job.groups;
      // The fixed split is number -1: + 1 keeps the parts of the seed small and different.
      task.seed =
          derive_seed(run_.seed, static_cast<std::uint64_t>(job.number + 1), static_cast<std::uint64_t>(unit.seed));
      task.on_epoch = [](auto...) { check_interrupt(); };
      const auto fitted = method.fit(task);
      keep(judge(job, method, unit.seed, *fitted));
    }
    if (--job.left == 0) job.train = job.test = {};
    count(method.name);
  }

  Record judge(const Job& job, const Method& method, std::int64_t seed, const Fitted& fitted) const {
    const Outcome outcome = fitted.predict(job.test);
    if (job.number == 0 && seed == 0) check_answers(fitted, job.test, outcome, dataset_.class_count(), method.name);
    Record record;
    record.method = method.name;
    record.split = job.number;
    record.seed = seed;
    record.validation = fitted.validation;
    record.selected = fitted.selected;
    record.weights = weights_by_class(outcome, job.test_labels, dataset_.classes.size(), run_.modalities.size());
    const data::Predictions p{job.test_labels, outcome.probabilities, dataset_.class_count()};
    for (const std::string& name : run_.metrics) record.metrics.push_back(value_or_nan(data::metric(name), p));
    record.trust = trust(p, fitted.held_out, run_.refer);
    record.parts = parts(dataset_, job.split.test, job.test, p, data::metric(run_.metric));
    if (job.number == 0) record.curve = fitted.curve;
    if (job.number < 0)
      record.interval = data::bootstrap(p, data::metric(run_.metric).compute,
                                        {.resamples = 1000, .level = run_.level, .seed = run_.seed});
    return record;
  }

  void keep(Record record) {
    const std::lock_guard lock(mutex_);
    run_.records.push_back(std::move(record));
  }
  void count(const std::string& what) {
    const std::lock_guard lock(mutex_);
    ++finished_;
    if (options_.on_fit) options_.on_fit(finished_, static_cast<std::int64_t>(units_.size()), what);
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
  Prepare prepare_;
  std::vector<std::int64_t> together_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Unit> units_;
  std::string fingerprint_;
  std::set<std::tuple<std::int64_t, std::string, std::int64_t>> done_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::exception_ptr error_;
  bool saveable_ = false;
  std::int64_t finished_ = 0;
};

}  // namespace

void run_all(const Study& study, const Dataset& dataset, const Methods& methods, const CompareOptions& options,
             Run& run) {
  Runner(study, dataset, methods, options, run).run();
}

}  // namespace weft::study
