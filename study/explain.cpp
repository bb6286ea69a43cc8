#include <weft/study/explain.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/conformal.h>
#include <weft/data/csv.h>
#include <weft/data/nearest.h>
#include <weft/fusion/attribution.h>
#include <weft/fusion/degrade.h>
#include <weft/study/interrupt.h>
#include <weft/study/network.h>
#include <weft/study/output.h>
#include <weft/tensor/create.h>

namespace weft::study {
namespace {

using Rows = std::vector<std::int64_t>;
using Numbers = std::vector<double>;
std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

std::string id_of(const Dataset& dataset, std::int64_t row) {
  return dataset.group ? dataset.group->values[at(dataset.group->code[at(row)])] : std::to_string(row);
}

/// What the networks say together, as FittedNetwork::predict(), and what else they give away.
struct Answers {
  Tensor probabilities;  ///< (B, C)
  Tensor weights;        ///< (B, M), or undefined
  Tensor features;       ///< (B, networks x D), or undefined
  Tensor attention;      ///< (B, K), the mean over heads, or undefined
};

Tensor added(const Tensor& sum, const Tensor& x) { return sum.defined() ? sum + x : x; }

Answers answers(const std::vector<fusion::Classifier>& networks, const data::Modalities& x) {
  const NoGrad off;
  Answers out;
  std::vector<Tensor> features;
  for (const fusion::Classifier& net : networks) {
    const fusion::Output one = net(x);
    const auto share = [&](const Tensor& t) { return to(t, DType::float64) / static_cast<double>(networks.size()); };
    out.probabilities = added(out.probabilities, share(softmax(to(one.log_probabilities, DType::float64), 1)));
    if (one.fused.weights.defined()) out.weights = added(out.weights, share(one.fused.weights));
    if (one.fused.features.defined()) features.push_back(to(one.fused.features, DType::float64));
    // One query asks for all; where each modality asks ("cross") the weights sum its answers up.
    if (const Tensor& map = one.fused.attention; map.defined() && map.size(2) == 1)
      out.attention = added(out.attention, share(squeeze(mean(map, 1), 1)));
  }
  if (!features.empty()) out.features = cat(features, 1);
  return out;
}

/// Rows of numbers of a matrix.
class Grid {
 public:
  explicit Grid(const Tensor& x) : width_(x.defined() ? at(x.size(1)) : 0) {
    if (x.defined()) all_ = to_vector<double>(x);
  }
  Numbers row(std::size_t i) const {
    if (width_ == 0) return {};
    const auto first = all_.begin() + static_cast<std::ptrdiff_t>(i * width_);
    return {first, first + static_cast<std::ptrdiff_t>(width_)};
  }

 private:
  std::size_t width_;
  Numbers all_;
};

/// What the prepared features of a modality are called, which change together, and what they are in the data's units.
struct Columns {
  std::vector<std::string> names;
  Rows unit;
  Numbers center, scale;

  explicit Columns(const data::TableEncoder& encoder) : names(encoder.feature_names()) {
    std::int64_t next = 0;
    for (const auto& part : encoder.parts) {
      const bool scaled = !part.categorical && encoder.standardize;
      const std::size_t width = part.categorical ? part.levels.size() : 1U + part.indicator;
      for (std::size_t j = 0; j < width; ++j) {
        unit.push_back(next);
        center.push_back(scaled && j == 0 ? part.mean : 0);
        scale.push_back(scaled && j == 0 ? part.deviation : 1);
      }
      ++next;
    }
  }
};

/// All modalities side by side in deviations from the training mean; 0 where one is missing.
Tensor side_by_side(const data::Modalities& x, const fusion::Scales& scales) {
  std::vector<Tensor> all;
  for (std::size_t m = 0; m < x.features.size(); ++m) {
    const auto k = static_cast<std::int64_t>(m);
    const Tensor deviation = where(gt(scales.deviation[m], 1e-9), scales.deviation[m], ones_like(scales.deviation[m]));
    const Tensor z = (to(x.features[m], DType::float64) - scales.mean[m]) / deviation;
    all.push_back(where(slice(x.present, 1, k, k + 1), z, zeros_like(z)));
  }
  return cat(all, 1);
}

/// The nearest training rows of each row, in the fused space where the fusion has one.
data::Nearest nearest_cases(const Tensor& queries, const Tensor& training) {
  const NoGrad off;
  const Tensor center = mean(training, {0}, true), deviation = sqrt(mean(square(training - center), {0}, true));
  const Tensor scale = where(gt(deviation, 1e-9), deviation, ones_like(deviation)) *
                       std::sqrt(static_cast<double>(std::max<std::int64_t>(training.size(1), 1)));
  constexpr std::int64_t wanted = 5;
  return data::nearest_rows((queries - center) / scale, (training - center) / scale,
                            std::min(wanted, training.size(0)));
}

/// Explains the rows one after the other.
class Explaining {
 public:
  Explaining(const Model& model, const std::vector<fusion::Classifier>& networks, const Dataset& kept,
             const Dataset& asked, const Rows& rows)
      : model_(model),
        kept_(kept),
        asked_(asked),
        rows_(rows),
        predictor_(fusion::predictor(networks)),
        exact_training_(model.preparation.apply(kept).rows(model.split.train)),
        exact_(model.preparation.apply(asked).rows(rows)),
        training_(as_float32(exact_training_)),
        x_(as_float32(exact_)),
        answers_(answers(networks, x_)),
        shapley_(fusion::shapley(predictor_, x_)),
        scales_(fusion::measure(training_)) {
    for (const data::TableEncoder& encoder : model.preparation.encoders) columns_.emplace_back(encoder);
    fusion::CounterfactualOptions how;
    for (const Columns& c : columns_) how.units.push_back(c.unit);
    search_.emplace(predictor_, training_, how);
    const NoGrad off;
    in_fused_space_ = answers_.features.defined();
    const Tensor cases = in_fused_space_ ? answers(networks, training_).features : side_by_side(training_, scales_);
    nearest_ = nearest_cases(in_fused_space_ ? answers_.features : side_by_side(x_, scales_), cases);
    if (!model.conformity.empty()) conformal_ = data::Conformal::fit(model.conformity, model.study.compare.level);
  }

  void all_rows(Explanations& e, const std::vector<Parting>& by) const {
    e.rows = x_.batch();
    e.space = in_fused_space_ ? "fused" : "features";
    const NoGrad off;
    // Against the answers of the networks as everybody else gets them, not against the table that they were made from.
    const Tensor own = squeeze(gather(answers_.probabilities, 1, unsqueeze(from(shapley_.classes), 1)), 1);
    e.shapley_error = amax(abs(sum(shapley_.values, 1) - (own - shapley_.base))).item();
    if (answers_.weights.defined())
      if (const auto found = fusion::agreement(answers_.weights, abs(shapley_.values), x_.present,
                                               {.level = e.level, .seed = model_.seed})) {
        e.agreement = found->overall;
        e.within = found->within;
      }
    sets(e);
    const bool labelled = !asked_.labels.empty();
    Parting classes{labelled ? "class" : "predicted class", {}, model_.classes};
    for (std::size_t i = 0; i < rows_.size(); ++i)
      classes.code.push_back(labelled ? asked_.labels[at(rows_[i])] : shapley_.classes[i]);
    add_groups(e, classes);
    for (const Parting& each : by) {
      Parting chosen{each.name, {}, each.values};
      for (const std::int64_t row : rows_) chosen.code.push_back(each.code[at(row)]);
      add_groups(e, chosen);
    }
  }

  std::vector<PatientExplanation> some_rows(std::int64_t begin, std::int64_t end) const {
    Rows index(at(end - begin));
    std::iota(index.begin(), index.end(), begin);
    fusion::GradientOptions how;
    for (std::int64_t i = begin; i < end; ++i) how.classes.push_back(shapley_.classes[at(i)]);
    how.baseline = scales_.mean;
    const fusion::Attributions attributed = fusion::integrated_gradients(predictor_, x_.rows(index), how);
    const Numbers residual = to_vector<double>(attributed.residual);
    std::vector<Grid> shares;
    for (const Tensor& f : attributed.features) shares.emplace_back(f);
    std::vector<PatientExplanation> out;
    for (std::int64_t i = begin; i < end; ++i) {
      const auto k = at(i - begin);
      PatientExplanation p = overview(at(i));
      p.residual = residual[k];
      for (std::size_t m = 0; m < shares.size(); ++m)
        p.features.push_back(p.present[m] ? strongest(m, at(i), shares[m].row(k)) : std::vector<FeatureEffect>());
      if (const auto found = search_->find(x_, i)) {
        const auto m = at(found->modality);
        p.counterfactual =
            NearestChange{x_.names[m], {}, found->becomes, model_.split.train[at(found->donor)], found->distance};
        for (const fusion::Change& c : found->changes)
          p.counterfactual->changes.push_back({columns_[m].names[at(c.feature)], shown(exact_, m, at(i), at(c.feature)),
                                               shown(exact_training_, m, at(found->donor), at(c.feature))});
      }
      out.push_back(std::move(p));
    }
    return out;
  }

 private:
  /// All that was computed for all rows at once.
  PatientExplanation overview(std::size_t i) const {
    PatientExplanation p;
    p.row = rows_[i];
    p.id = id_of(asked_, p.row);
    if (!asked_.labels.empty()) p.label = asked_.labels[at(p.row)];
    p.prediction = shapley_.classes[i];
    p.probabilities = probabilities_.row(i);
    if (conformal_) p.set = conformal_->set(p.probabilities);
    for (int m = 0; m < x_.count(); ++m) p.present.push_back(x_.has(static_cast<std::int64_t>(i), m));
    // Nothing that a study trains completes what is missing.
    p.generated.assign(p.present.size(), false);
    p.weights = weights_.row(i);
    p.attention = attention_.row(i);
    p.shapley = values_.row(i);
    p.drop_one = drops_.row(i);
    p.base = shapley_.base.data<double>()[i];
    const auto count = at(nearest_.index.size(1));
    for (std::size_t k = i * count; k < (i + 1) * count; ++k) {
      const std::int64_t row = model_.split.train[at(nearest_.index.data<std::int64_t>()[k])];
      p.nearest.push_back({row, id_of(kept_, row), kept_.labels[at(row)], nearest_.distance.data<double>()[k]});
    }
    return p;
  }

  /// Feature j of row i in the units of the data.
  double shown(const data::Modalities& x, std::size_t m, std::size_t i, std::size_t j) const {
    const Columns& c = columns_[m];
    return c.center[j] + c.scale[j] * x.features[m].data<double>()[i * c.names.size() + j];
  }

  std::vector<FeatureEffect> strongest(std::size_t m, std::size_t i, const Numbers& attribution) const {
    constexpr std::size_t most = 5;
    std::vector<std::size_t> order(attribution.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return std::abs(attribution[a]) > std::abs(attribution[b]); });
    order.resize(std::min(order.size(), most));
    std::vector<FeatureEffect> out;
    for (const std::size_t j : order) out.push_back({columns_[m].names[j], shown(exact_, m, i, j), attribution[j]});
    return out;
  }

  void add_groups(Explanations& e, const Parting& by) const {
    const auto count = std::ssize(by.values);
    const auto means = [&](const Tensor& x) { return Grid(x.defined() ? fusion::group_means(x, by.code, count) : x); };
    const Grid weights = means(answers_.weights), sizes = means(abs(shapley_.values)), drops = means(shapley_.drop_one);
    for (std::size_t g = 0; g < by.values.size(); ++g)
      if (const auto n = std::ranges::count(by.code, static_cast<std::int64_t>(g)); n > 0)
        e.groups.push_back({by.name, by.values[g], n, weights.row(g), sizes.row(g), drops.row(g)});
  }

  void sets(Explanations& e) const {
    if (!conformal_) return;
    e.calibration = conformal_->rows;
    e.threshold = conformal_->threshold;
    double size = 0, covered = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const Rows set = conformal_->set(probabilities_.row(i));
      size += static_cast<double>(set.size());
      if (!asked_.labels.empty()) covered += std::ranges::count(set, asked_.labels[at(rows_[i])]) > 0 ? 1 : 0;
    }
    e.mean_set = size / static_cast<double>(rows_.size());
    if (!asked_.labels.empty()) e.coverage = covered / static_cast<double>(rows_.size());
  }

  const Model& model_;
  const Dataset &kept_, &asked_;
  const Rows& rows_;
  fusion::Predictor predictor_;
  data::Modalities exact_training_, exact_;  ///< in double precision: what is shown
  data::Modalities training_, x_;            ///< what networks compute in
  Answers answers_;
  fusion::Shapley shapley_;
  fusion::Scales scales_;
  Grid probabilities_{answers_.probabilities}, weights_{answers_.weights}, attention_{answers_.attention},
      values_{shapley_.values}, drops_{shapley_.drop_one};
  std::vector<Columns> columns_;
  std::optional<fusion::CounterfactualSearch> search_;
  bool in_fused_space_ = false;
  data::Nearest nearest_;
  std::optional<data::Conformal> conformal_;
};

}  // namespace

Explanations explain(const Model& model, const std::vector<fusion::Classifier>& networks, const Dataset& kept,
                     const Dataset& asked, const std::vector<std::int64_t>& rows, const ExplainOptions& options) {
  Explanations e;
  e.study = model.study.name;
  e.fusion = model.fusion;
  e.seed = model.seed;
  e.level = model.study.compare.level;
  for (const ModalityConfig& m : model.study.modalities) e.modalities.push_back(m.name);
  e.classes = model.classes;
  const Explaining work(model, networks, kept, asked, rows);
  work.all_rows(e, options.by);
  const std::int64_t total = std::min(options.patients, std::ssize(rows));
  constexpr std::int64_t block = 32;
  for (std::int64_t begin = 0; begin < total; begin += block) {
    const std::int64_t end = std::min(begin + block, total);
    for (PatientExplanation& p : work.some_rows(begin, end)) e.patients.push_back(std::move(p));
    if (options.on_patient) options.on_patient(end, total);
  }
  return e;
}

void run_explain(const CommandOptions& options) {
  set_threads(1);
  Model model = load_model(options.study);
  const auto networks = load_networks(model, options.study);
  const NewRows named = new_rows("explain", options);
  const bool own = named.csv.empty() && named.files.empty();
  // The subgroups of the study are those that are shown, and one more if it is asked for.
  if (!options.by.empty() &&
      std::ranges::find(model.study.compare.subgroups, options.by) == model.study.compare.subgroups.end() && own) {
    model.study.compare.subgroups.push_back(options.by);
    model.study.compare.place = model.study.data.source_place;
  }
  const Dataset kept = load_kept(model, options.study, "explain", "train again");
  std::optional<Dataset> fresh;
  if (!own) fresh = load_rows("explain", model.study, named, model.preparation, model.classes);
  const Dataset& asked = fresh ? *fresh : kept;
  ExplainOptions how;
  if (options.patients) how.patients = *options.patients;
  Rows rows = model.split.test;
  if (fresh) {
    rows.resize(at(asked.rows()));
    std::iota(rows.begin(), rows.end(), 0);
    if (!options.by.empty() && named.csv.empty())
      throw ConfigError("explain: --by takes a column, and there is no CSV of new rows");
    if (!options.by.empty()) how.by.push_back(parting_of(read_table(model.study.data, named.csv).at(options.by)));
  } else {
    how.by = kept.subgroups;
  }
  if (rows.empty())
    throw ConfigError(text("explain: ", options.study, " has no test rows\n  help: name a CSV of rows"));
  OutputFolder folder("explain", options.out.empty() ? options.study : options.out);
  show::Progress progress(stderr, options.quiet);
  how.on_patient = [&](std::int64_t done, std::int64_t total) {
    progress.update(done, total, "rows");
    check_interrupt();
  };
  const Explanations found = explain(model, networks, kept, asked, rows, how);
  progress.finish();
  const std::string json = to_json(found);
  folder.add("explanations.json", json);
  folder.commit();
  if (options.json)
    print(json);
  else
    print(text_report(found, show::Style::of(stdout)) +
          (options.quiet ? "" : text("\nexplanations: ", folder.path("explanations.json"), '\n')));
}

}  // namespace weft::study
