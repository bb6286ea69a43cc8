#include <weft/study/robustness.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include <weft/data/file.h>
#include <weft/fusion/degrade.h>
#include <weft/study/checksum.h>
#include <weft/study/compare.h>
#include <weft/study/completing.h>
#include <weft/study/interrupt.h>
#include <weft/study/leaks.h>
#include <weft/study/network.h>
#include <weft/study/output.h>
#include <weft/study/splitting.h>
#include <weft/study/version.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

constexpr Gaps all_gaps[] = {Gaps::masks, Gaps::zeros, Gaps::means, Gaps::completion};

/// The labels of these rows.
std::vector<std::int64_t> labels_of(const Dataset& dataset, const std::vector<std::int64_t>& rows) {
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : rows) labels.push_back(dataset.labels[static_cast<std::size_t>(i)]);
  return labels;
}

/// All curves of one split.
class OneSplit {
 public:
  OneSplit(const Study& study, const Dataset& dataset, const Robustness& run, std::int64_t number,
           const data::Split& split, const std::function<void(const std::string&)>& on_fit)
      : study_(study),
        run_(run),
        number_(number),
        seed_(derive_seed(run.seed, static_cast<std::uint64_t>(number + 1))),
        classes_(dataset.class_count()),
        on_fit_(on_fit) {
    const Preparation preparation = Preparation::fit(dataset, split.train);
    const data::Modalities x = as_float32(preparation.apply(dataset));
    train_ = x.rows(split.train);
    test_ = x.rows(split.test);
    train_labels_ = labels_of(dataset, split.train);
    test_labels_ = labels_of(dataset, split.test);
    zeros_ = prepared_zeros(preparation);
    scales_ = fusion::measure(train_);
    completion_.emplace(fit_completion(train_, {}, derive_seed(seed_, 7)));
  }

  std::vector<Course> courses() {
    for (const std::string& name : run_.fusions) fitted_[name] = fit(name, train_);
    for (const std::string& name : run_.fusions)
      for (const Gaps gaps : all_gaps) missing(name, gaps, -1);
    for (const Disturbance kind : {Disturbance::missing, Disturbance::noise, Disturbance::conflict})
      for (int m = kind == Disturbance::conflict ? -1 : 0; m < test_.count(); ++m)
        for (const std::string& name : run_.fusions) disturbed(name, kind, m);
    return std::move(courses_);
  }

 private:
  std::unique_ptr<Fitted> fit(const std::string& name, const data::Modalities& rows) {
    check_interrupt();
    std::vector<std::int64_t> all(train_labels_.size());
    std::iota(all.begin(), all.end(), 0);
    Task task{rows, train_labels_, classes_, all, data::metric(study_.train.metric)};
    task.seed = seed_;
    task.on_epoch = [](auto...) { check_interrupt(); };
    auto fitted = make_fusion(study_, name)->fit(task);
    on_fit_(name);
    return fitted;
  }

  data::Modalities filled(const data::Modalities& x, Gaps gaps, const fusion::Completion& completion) const {
    switch (gaps) {
      case Gaps::zeros: return fusion::filled_with(x, zeros_);
      case Gaps::means: return fusion::filled_with(x, scales_.mean);
      case Gaps::completion: {
        Generator draws{derive_seed(seed_, 8), 0};
        return completion.complete(x, 32, {}, draws).admitted();
      }
      case Gaps::masks: break;
    }
    return x;
  }

  Course& begin(const std::string& name, Gaps gaps, Disturbance kind, int m) {
    courses_.push_back({number_, name, gaps, kind, m < 0 ? "" : run_.modalities[static_cast<std::size_t>(m)], {}});
    courses_.back().scores.resize(run_.metrics.size());
    return courses_.back();
  }

  void score(Course& course, const Fitted& fitted, const data::Modalities& rows) const {
    const data::Predictions p{test_labels_, fitted.predict(rows).probabilities, classes_};
    for (std::size_t k = 0; k < run_.metrics.size(); ++k)
      course.scores[k].push_back(data::metric(run_.metrics[k]).compute(p));
  }

  /// The generator of a disturbance: the same for all that are compared.
  Generator chance(Disturbance kind, int m, std::size_t level) const {
    return {derive_seed(seed_, 16 + static_cast<std::uint64_t>(kind), 64 * static_cast<std::uint64_t>(m + 1) + level),
            0};
  }

  void missing(const std::string& name, Gaps gaps, int m) {
    Course& course = begin(name, gaps, Disturbance::missing, m);
    const std::vector<double>& rates = levels_of(Disturbance::missing);
    for (std::size_t i = 0; i < rates.size(); ++i) {
      Generator g = chance(Disturbance::missing, m, i);
      const data::Modalities rows = fusion::drop_modalities(test_, rates[i], g, m);
      if (!run_.train_missing || rates[i] == 0) {
        score(course, *fitted_.at(name), filled(rows, gaps, *completion_));
        continue;
      }
      Generator holes{derive_seed(seed_, 32, i), 0};
      const data::Modalities poor = fusion::drop_modalities(train_, rates[i], holes);
      if (gaps == Gaps::completion && !completions_.contains(i))
        completions_.emplace(i, fit_completion(poor, {}, derive_seed(seed_, 33, i)));
      const fusion::Completion& completion = gaps == Gaps::completion ? completions_.at(i) : *completion_;
      score(course, *fit(name, filled(poor, gaps, completion)), filled(rows, gaps, completion));
    }
  }

  /// Evidence as it is, but for the disturbance: what stands in gaps does not matter.
  void disturbed(const std::string& name, Disturbance kind, int m) {
    Course& course = begin(name, Gaps::masks, kind, m);
    const std::vector<double>& levels = levels_of(kind);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      Generator g = chance(kind, m, i);
      data::Modalities rows = test_;
      if (kind == Disturbance::missing) rows = fusion::drop_modalities(test_, levels[i], g, m);
      if (kind == Disturbance::noise)
        rows = fusion::degrade_modality(test_, scales_, m, fusion::Damage::noise, levels[i], g);
      if (kind == Disturbance::conflict) rows = fusion::conflict(test_, test_labels_, levels[i], g, m);
      score(course, *fitted_.at(name), rows);
    }
  }

  const Study& study_;
  const Robustness& run_;
  std::int64_t number_;
  std::uint64_t seed_;
  std::int64_t classes_;
  const std::function<void(const std::string&)>& on_fit_;
  data::Modalities train_, test_;
  std::vector<std::int64_t> train_labels_, test_labels_;
  std::vector<Tensor> zeros_;
  fusion::Scales scales_;
  std::optional<fusion::Completion> completion_;
  std::map<std::size_t, fusion::Completion> completions_;  ///< by rate, of training rows that lack as much
  std::map<std::string, std::unique_ptr<Fitted>> fitted_;
  std::vector<Course> courses_;
};

std::string fingerprint_of(const Robustness& run, const Study& study, const std::string& splits) {
  Checksum sum;
  sum.add(splits);
  for (const std::string& name : run.fusions) sum.add(name);
  return text(run.version, '|', run.seed, '|', run.splits, '|', run.train_missing, '|', sum.str(), '|', study.source);
}

double area(const std::vector<double>& levels, const std::vector<double>& y) {
  double sum = 0;
  for (std::size_t i = 1; i < y.size(); ++i) sum += (y[i - 1] + y[i]) / 2 * (levels[i] - levels[i - 1]);
  return sum / (levels.back() - levels.front());
}

}  // namespace

const char* name_of(Disturbance kind) noexcept {
  switch (kind) {
    case Disturbance::missing: return "missing";
    case Disturbance::noise: return "noise";
    case Disturbance::conflict: return "conflict";
  }
  return "";
}

const char* name_of(Gaps gaps) noexcept {
  switch (gaps) {
    case Gaps::masks: return "masks";
    case Gaps::zeros: return "zeros";
    case Gaps::means: return "means";
    case Gaps::completion: return "completion";
  }
  return "";
}

const std::vector<double>& levels_of(Disturbance kind) {
  static const std::vector<double> rates = {0, 0.2, 0.4, 0.6, 0.8}, deviations = {0, 0.5, 1, 2, 4},
                                   shares = {0, 0.2, 0.4, 0.6, 0.8, 1};
  return kind == Disturbance::missing ? rates : kind == Disturbance::noise ? deviations : shares;
}

Robustness measure_robustness(const Study& study, const Dataset& dataset, const RobustnessOptions& options) {
  Robustness run;
  run.study = study.name;
  run.title = study.title;
  run.version = version;
  run.seed = options.seed.value_or(study.train.seed);
  run.splits = options.splits.value_or(study.compare.splits);
  run.level = study.compare.level;
  run.train_missing = options.train_missing;
  run.metrics = {study.compare.metric};
  for (const char* name : {"accuracy", "roc_auc"})
    if (name != study.compare.metric) run.metrics.emplace_back(name);
  for (const Evidence& e : dataset.evidence) run.modalities.push_back(e.name);
  run.fusions = options.fusions;
  if (run.fusions.empty()) {
    run.fusions = {study.fusion.name};
    if (study.fusion.name != "concat") run.fusions.emplace_back("concat");
  }
  for (const std::string& name : run.fusions)
    if (std::ranges::find(fusion_names(), name) == fusion_names().end())
      throw ConfigError(text("robustness: there is no fusion \"", name, "\"", closest(name, fusion_names())));
  const Splits parts = make_splits(study, dataset, run.splits, run.seed);
  check_splits(study, dataset, parts);
  check_leaks(study, dataset, parts);
  const std::vector<data::Split>& splits = parts.drawn;
  run.splits = static_cast<std::int64_t>(splits.size());
  // The mean over splits, as sites, groups and spans of time differ in size: intervals are corrected by it.
  for (const data::Split& split : splits) {
    run.train_rows += static_cast<std::int64_t>(split.train.size());
    run.test_rows += static_cast<std::int64_t>(split.test.size());
  }
  run.train_rows /= run.splits;
  run.test_rows /= run.splits;

  const auto rates = static_cast<std::int64_t>(levels_of(Disturbance::missing).size());
  const std::int64_t again = run.train_missing ? static_cast<std::int64_t>(std::size(all_gaps)) * (rates - 1) : 0;
  const std::int64_t total = run.splits * static_cast<std::int64_t>(run.fusions.size()) * (1 + again);
  std::vector<std::vector<Course>> found(splits.size());
  const std::string fingerprint = fingerprint_of(run, study, parts.to_json(checksum(dataset)));
  std::int64_t done = 0;
  if (options.resume && !options.checkpoint.empty() && std::filesystem::exists(options.checkpoint)) {
    for (Course& c : read_courses(data::read_file("resume", options.checkpoint), fingerprint, options.checkpoint)) {
      if (c.split < 0 || c.split >= run.splits)
        throw FileError(text("resume: ", options.checkpoint, " is damaged\n  help: delete it to start anew"));
      found[static_cast<std::size_t>(c.split)].push_back(std::move(c));
    }
    done = total / run.splits * std::ranges::count_if(found, [](const auto& each) { return !each.empty(); });
  }
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::exception_ptr error;
  const std::function<void(const std::string&)> on_fit = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    ++done;
    if (options.on_fit) options.on_fit(done, total, what);
  };
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < splits.size() && !stop; i = next++)
        if (found[i].empty())
          found[i] = OneSplit(study, dataset, run, static_cast<std::int64_t>(i), splits[i], on_fit).courses();
    } catch (...) {
      const std::lock_guard lock(mutex);
      stop = true;
      if (!error) error = std::current_exception();
    }
  };
  const int workers = std::clamp(options.jobs, 1, static_cast<int>(splits.size()));
  if (workers == 1) {
    work();
  } else {
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) threads.emplace_back(work);
    for (std::thread& t : threads) t.join();
  }
  for (auto& each : found) std::ranges::move(each, std::back_inserter(run.courses));
  if (!error) return run;
  try {
    std::rethrow_exception(error);
  } catch (const Interrupted&) {
    if (!options.checkpoint.empty())
      data::write_file("checkpoint", options.checkpoint, checkpoint_json(run.courses, fingerprint));
    throw;
  }
}

std::vector<Curves> summarize(const Robustness& run) {
  const auto train = static_cast<double>(run.train_rows), test = static_cast<double>(run.test_rows);
  const std::string& metric = run.metrics.front();
  const auto interval = [&](const std::vector<double>& values) {
    data::Interval i = data::resampled_mean_interval(values, train, test, run.level);
    // As in a comparison: Student's interval does not know that a rate ends at 1.
    if (metric != "log_loss") i.high = std::min(i.high, 1.0);
    i.low = std::max(i.low, metric == "matthews" || metric == "cohen_kappa" ? -1.0 : 0.0);
    return i;
  };
  std::vector<Curves> all;
  std::vector<std::vector<double>> areas;  // of the first metric, per curve and split
  const std::size_t per_split = run.courses.size() / static_cast<std::size_t>(run.splits);
  for (std::size_t c = 0; c < per_split; ++c) {
    const Course& first = run.courses[c];
    const std::vector<double>& levels = levels_of(first.kind);
    Curves curve{first.fusion, first.gaps, first.kind, first.modality, {}, {}, {}, {}, std::nullopt};
    std::vector<std::vector<double>> at(levels.size()), metric_areas(run.metrics.size());
    for (std::size_t i = c; i < run.courses.size(); i += per_split)
      for (std::size_t k = 0; k < run.metrics.size(); ++k) {
        metric_areas[k].push_back(area(levels, run.courses[i].scores[k]));
        for (std::size_t l = 0; k == 0 && l < levels.size(); ++l) at[l].push_back(run.courses[i].scores[0][l]);
      }
    for (const auto& values : at) curve.at.push_back(interval(values));
    curve.area = interval(metric_areas[0]);
    for (std::size_t k = 1; k < metric_areas.size(); ++k)
      curve.other_areas.push_back(data::mean_interval(metric_areas[k]).estimate);
    areas.push_back(metric_areas[0]);
    // What it is compared with stands before it: masks of the same fusion, or the first fusion.
    for (std::size_t r = 0; r < all.size(); ++r) {
      const Curves& other = all[r];
      const bool same_place = other.kind == curve.kind && other.modality == curve.modality;
      const bool way = curve.gaps != Gaps::masks && other.fusion == curve.fusion && other.gaps == Gaps::masks;
      const bool fusion = curve.gaps == Gaps::masks && other.gaps == Gaps::masks && other.fusion == run.fusions.front();
      if (!same_place || (!way && !fusion)) continue;
      curve.reference = text(other.fusion, ", ", name_of(other.gaps));
      curve.paired = data::corrected_paired_t(areas[r], areas.back(), train, test, run.level);
      break;
    }
    all.push_back(std::move(curve));
  }
  return all;
}

void run_robustness(const CommandOptions& options) {
  const Study study = load_study(options.study);
  const Dataset dataset = load_dataset(study);
  check_enough(study, dataset);
  OutputFolder folder("robustness", folder_of(options, study));
  const char* const checkpoint = "robustness.weft-checkpoint";
  show::Progress progress(stderr, options.quiet);
  RobustnessOptions how{options.fusions,       options.splits,          options.seed,  options.jobs,
                        options.train_missing, folder.path(checkpoint), options.resume};
  if (how.jobs == 0) how.jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  how.on_fit = [&](std::int64_t done, std::int64_t total, const std::string& what) {
    progress.update(done, total, what);
  };
  set_threads(how.jobs);
  const Robustness run = measure_robustness(study, dataset, how);
  progress.finish();
  const std::vector<Curves> curves = summarize(run);
  folder.add("robustness.json", to_json(run, curves));
  folder.add("robustness.csv", to_csv(run));
  folder.add("robustness.html", html_report(run, curves));
  for (auto& [name, image] : pictures(run, curves)) folder.add(name, std::move(image));
  folder.commit();
  folder.remove(checkpoint);
  if (options.json)
    print(to_json(run, curves));
  else
    print(text_report(run, curves, show::Style::of(stdout)) +
          (options.quiet ? "" : text("\nreport: ", folder.path("robustness.html"), '\n')));
}

}  // namespace weft::study
