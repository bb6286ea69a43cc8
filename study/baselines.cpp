#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include <weft/study/linear.h>
#include <weft/study/method.h>
#include <weft/study/training.h>

namespace weft::study {
namespace {

/// Of the gradient of the mean loss: metrics no longer change below it, and thousands of columns take minutes.
constexpr double tolerance = 1e-6;

/// Stratified folds of an inner cross-validation: 5, or as many as the smallest class has members, or as there are
/// groups where these must stay whole.
std::vector<data::Split> inner_folds(data::Labels labels, data::Labels groups, Generator& generator) {
  std::map<std::int64_t, int> members;
  for (const std::int64_t label : labels) ++members[label];
  int folds = 5;
  for (const auto& [label, count] : members) folds = std::min(folds, count);
  folds = groups.empty() ? folds : std::min(folds, static_cast<int>(std::set(groups.begin(), groups.end()).size()));
  if (folds < 2) return {};
  return groups.empty() ? data::stratified_k_fold(labels, folds, generator)
                        : data::group_k_fold(groups, folds, generator, labels);
}

std::vector<std::int64_t> all_rows(const data::Modalities& x) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.batch()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<std::int64_t> at_rows(data::Labels values, std::span<const std::int64_t> rows) {
  std::vector<std::int64_t> out;
  if (!values.empty())
    for (const std::int64_t i : rows) out.push_back(values[static_cast<std::size_t>(i)]);
  return out;
}

std::vector<std::int64_t> labels_of(const Task& task, std::span<const std::int64_t> rows) {
  return at_rows(task.labels, rows);
}

/// Rows of one modality; 0, the training mean of a standardised column, where it is absent.
Matrix features(const data::Modalities& x, int modality, std::span<const std::int64_t> rows) {
  const Tensor& f = x.features[static_cast<std::size_t>(modality)];
  const auto width = static_cast<std::size_t>(f.size(1));
  const double* values = f.data<double>();
  Matrix out(rows.size(), width);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < width; ++j) {
      const double v = values[static_cast<std::size_t>(rows[i]) * width + j];
      out(i, j) = std::isnan(v) ? 0 : v;
    }
  return out;
}

Matrix features(const data::Modalities& x, std::span<const std::int64_t> rows) {
  std::vector<Matrix> parts;
  for (int m = 0; m < x.count(); ++m) parts.push_back(features(x, m, rows));
  return join_columns(parts);
}

/// Columns brought to mean 0 and deviation 1 over the training rows: a penalty treats all columns alike only then,
/// and those of categories arrive as 0 and 1.
class Scaling {
 public:
  explicit Scaling(const Matrix& x) {
    for (std::size_t j = 0; j < x.columns(); ++j) {
      const auto n = static_cast<double>(x.rows());
      double sum = 0, squares = 0;
      for (const double v : x.column(j)) sum += v;
      mean_.push_back(sum / n);
      for (const double v : x.column(j)) squares += (v - mean_.back()) * (v - mean_.back());
      const double deviation = std::sqrt(squares / n);
      // A column that training saw constant says nothing later either.
      factor_.push_back(deviation > 1e-12 ? 1 / deviation : 0);
    }
  }
  void apply(Matrix& x) const {
    for (std::size_t j = 0; j < x.columns(); ++j)
      for (double& v : x.column(j)) v = (v - mean_[j]) * factor_[j];
  }

 private:
  std::vector<double> mean_, factor_;
};

std::vector<double> frequencies(std::span<const std::int64_t> labels, std::int64_t classes) {
  std::vector<double> out(static_cast<std::size_t>(classes), 0.0);
  for (const std::int64_t label : labels)
    out[static_cast<std::size_t>(label)] += 1 / static_cast<double>(labels.size());
  return out;
}

/// Logistic regressions on single modalities; where several are present, the mean of their probabilities.
class LateFitted : public Fitted {
 public:
  LateFitted(const Task& task, std::vector<int> modalities, bool choose_penalty = false)
      : modalities_(std::move(modalities)) {
    prior_ = frequencies(labels_of(task, task.rows), task.classes);
    for (const int m : modalities_) {
      std::vector<std::int64_t> rows;
      for (const std::int64_t i : task.rows)
        if (task.x.has(i, m)) rows.push_back(i);
      const auto labels = labels_of(task, rows);
      const bool one_class = std::ranges::adjacent_find(labels, std::ranges::not_equal_to()) == labels.end();
      Matrix x = features(task.x, m, rows);
      scalings_.emplace_back(x);
      scalings_.back().apply(x);
      models_.push_back(one_class ? LinearModel{} : fit(task, x, labels, at_rows(task.groups, rows), choose_penalty));
    }
  }

  Outcome predict(const data::Modalities& x) const override {
    const auto rows = all_rows(x);
    const std::size_t classes = prior_.size();
    Outcome out{std::vector<double>(rows.size() * classes, 0.0), {}};
    std::vector<double> votes(rows.size(), 0.0);
    for (std::size_t k = 0; k < models_.size(); ++k) {
      if (models_[k].bias.empty()) continue;  // its training rows had one class only
      Matrix values = features(x, modalities_[k], rows);
      scalings_[k].apply(values);
      const auto p = models_[k].probabilities(values);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!x.has(rows[i], modalities_[k])) continue;
        for (std::size_t c = 0; c < classes; ++c) out.probabilities[i * classes + c] += p[i * classes + c];
        ++votes[i];
      }
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t c = 0; c < classes; ++c) {
        double& p = out.probabilities[i * classes + c];
        p = votes[i] > 0 ? p / votes[i] : prior_[c];
      }
    return out;
  }

 private:
  static LinearModel fit(const Task& task, const Matrix& x, data::Labels labels, data::Labels groups,
                         bool choose_penalty) {
    const auto classes = static_cast<std::size_t>(task.classes);
    const L2Options options{.tolerance = tolerance};
    if (!choose_penalty) return fit_l2(x, labels, classes, options);
    static constexpr double strengths[] = {1e-4, 1e-3, 1e-2, 1e-1, 1, 10};
    Generator generator{task.seed, 0};
    const auto folds = inner_folds(labels, groups, generator);
    // A modality may be known of one member of a class only.
    if (folds.empty()) return fit_l2(x, labels, classes, options);
    return fit_l2_cv(x, labels, classes, folds, data::metric("log_loss"), strengths, options);
  }

  std::vector<int> modalities_;
  std::vector<LinearModel> models_;
  std::vector<Scaling> scalings_;
  std::vector<double> prior_;
};

class JointFitted : public Fitted {
 public:
  JointFitted(LinearModel model, Scaling scaling) : model_(std::move(model)), scaling_(std::move(scaling)) {}
  Outcome predict(const data::Modalities& x) const override {
    Matrix values = features(x, all_rows(x));
    scaling_.apply(values);
    return {model_.probabilities(values), {}};
  }

 private:
  LinearModel model_;
  Scaling scaling_;
};

class Single : public Method {
 public:
  Single(const std::string& modality, int index) : Method("l2: " + modality, MethodKind::single), index_(index) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    return std::make_unique<LateFitted>(task, std::vector<int>{index_});
  }

 private:
  int index_;
};

class Late : public Method {
 public:
  explicit Late(bool choose_penalty)
      : Method(choose_penalty ? "late_cv" : "late_l2", MethodKind::baseline), choose_penalty_(choose_penalty) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    std::vector<int> all(static_cast<std::size_t>(task.x.count()));
    std::iota(all.begin(), all.end(), 0);
    return std::make_unique<LateFitted>(task, std::move(all), choose_penalty_);
  }

 private:
  bool choose_penalty_;
};

class Ridge : public Method {
 public:
  Ridge() : Method("l2", MethodKind::baseline) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    Matrix x = features(task.x, task.rows);
    const Scaling scaling(x);
    scaling.apply(x);
    return std::make_unique<JointFitted>(
        fit_l2(x, labels_of(task, task.rows), static_cast<std::size_t>(task.classes), {.tolerance = tolerance}),
        scaling);
  }
};

class Lasso : public Method {
 public:
  Lasso() : Method("l1", MethodKind::baseline) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    const auto labels = labels_of(task, task.rows);
    Generator generator{task.seed, 0};
    const auto folds = inner_folds(labels, at_rows(task.groups, task.rows), generator);
    // Folds hold few rows: their AUC is a rougher judge of a penalty than their log-loss.
    const data::NamedMetric& score = data::metric("log_loss");
    L1Options options;
    if (task.classes > 2) options.penalties = 10;
    Matrix x = features(task.x, task.rows);
    const Scaling scaling(x);
    scaling.apply(x);
    return std::make_unique<JointFitted>(
        fit_l1_cv(x, labels, static_cast<std::size_t>(task.classes), folds, score, options).model, scaling);
  }
};

/// A baseline, fitted again without each part of the rows that networks hold out: what it says about these is what its
/// temperature is fitted on.
class HeldOut : public Method {
 public:
  HeldOut(const TrainConfig& config, std::unique_ptr<Method> method)
      : Method(method->name, method->kind), config_(config), method_(std::move(method)) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    auto fitted = method_->fit(task);
    if (!enough(labels_of(task, task.rows), config_.folds)) return fitted;  // without a temperature
    data::Predictions held_out{{}, {}, task.classes};
    for (const data::Split& part : held_out_parts(config_, task)) {
      const std::vector<std::int64_t> seen = at_rows(task.rows, part.train), unseen = at_rows(task.rows, part.test);
      if (!enough(labels_of(task, seen), 2)) return fitted;
      Task own = task;
      own.rows = seen;
      const Outcome said = method_->fit(own)->predict(task.x.rows(unseen));
      std::ranges::copy(labels_of(task, unseen), std::back_inserter(held_out.labels));
      std::ranges::copy(said.probabilities, std::back_inserter(held_out.probabilities));
    }
    fitted->held_out = std::move(held_out);
    return fitted;
  }

 private:
  /// Rows of two classes, and of each that there is so many as there are folds.
  static bool enough(const std::vector<std::int64_t>& labels, std::int64_t folds) {
    std::map<std::int64_t, std::int64_t> members;
    for (const std::int64_t label : labels) ++members[label];
    const std::int64_t least = std::max<std::int64_t>(folds, 2);
    return members.size() > 1 && std::ranges::all_of(members, [=](const auto& m) { return m.second >= least; });
  }

  TrainConfig config_;
  std::unique_ptr<Method> method_;
};

}  // namespace

Methods make_baselines(const Study& study) {
  std::vector<std::string> names = study.compare.baselines.empty() ? baseline_names() : study.compare.baselines;
  // The chosen fusion is compared with it in any case.
  if (std::ranges::find(names, study.compare.reference) == names.end()) names.push_back(study.compare.reference);
  Methods methods;
  const auto add = [&](std::unique_ptr<Method> method) {
    methods.push_back(std::make_unique<HeldOut>(study.train, std::move(method)));
  };
  for (const std::string& name : names) {
    if (name == "single")
      for (std::size_t m = 0; m < study.modalities.size(); ++m)
        add(std::make_unique<Single>(study.modalities[m].name, static_cast<int>(m)));
    if (name == "l2") add(std::make_unique<Ridge>());
    if (name == "l1") add(std::make_unique<Lasso>());
    if (name == "late_l2" || name == "late_cv") add(std::make_unique<Late>(name == "late_cv"));
  }
  return methods;
}

}  // namespace weft::study
