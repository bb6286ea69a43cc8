#include <unordered_map>

#include <weft/data/metrics.h>
#include <weft/tensor/create.h>

#include "cases.h"

/// metrics.json: labels with probabilities, or targets with predictions, and scikit-learn's figures.
namespace weft::tests {
namespace {

using data::Average, data::Predictions;
using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;

Tensor referenced(const Suite& suite, const Json& reference) {
  return suite.tensor(reference.at("tensor").get<std::string>());
}

/// What a case gives.
struct Given {
  Predictions several{}, two{};
  Ints decided{};  ///< the most probable classes of `several`
  Reals target{}, prediction{};
};

using Figure = Tensor (*)(const Given&);

template <double compute(data::Labels, data::Labels)>
Tensor of_labels(const Given& g) {
  return scalar(compute(g.several.labels, g.decided), DType::float64);
}
template <double compute(data::Labels, data::Labels, Average), Average average>
Tensor averaged(const Given& g) {
  return scalar(compute(g.several.labels, g.decided, average), DType::float64);
}
template <double compute(data::Numbers, data::Numbers)>
Tensor of_numbers(const Given& g) {
  return scalar(compute(g.target, g.prediction), DType::float64);
}
template <double compute(const Predictions&)>
Tensor of_several(const Given& g) {
  return scalar(compute(g.several), DType::float64);
}
template <double compute(const Predictions&)>
Tensor of_two(const Given& g) {
  return scalar(compute(g.two), DType::float64);
}
template <double compute(const Predictions&, Average), Average average>
Tensor area(const Given& g) {
  return scalar(compute(g.several, average), DType::float64);
}

/// The figures by the names that cases use.
const std::unordered_map<std::string, Figure> figures = {
    {"accuracy", of_labels<data::accuracy>},
    {"balanced_accuracy", of_labels<data::balanced_accuracy>},
    {"mcc", of_labels<data::matthews>},
    {"cohen_kappa", of_labels<data::cohen_kappa>},
    {"f1_macro", averaged<data::f1, Average::macro>},
    {"f1_weighted", averaged<data::f1, Average::weighted>},
    {"f1_micro", averaged<data::f1, Average::micro>},
    {"precision_macro", averaged<data::precision, Average::macro>},
    {"precision_weighted", averaged<data::precision, Average::weighted>},
    {"precision_micro", averaged<data::precision, Average::micro>},
    {"recall_macro", averaged<data::recall, Average::macro>},
    {"recall_weighted", averaged<data::recall, Average::weighted>},
    {"recall_micro", averaged<data::recall, Average::micro>},
    {"log_loss", of_several<data::log_loss>},
    {"roc_auc_ovr_macro", area<data::roc_auc, Average::macro>},
    {"roc_auc_ovr_weighted", area<data::roc_auc, Average::weighted>},
    {"roc_auc_ovo_macro", area<data::roc_auc_ovo, Average::macro>},
    {"roc_auc_ovo_weighted", area<data::roc_auc_ovo, Average::weighted>},
    {"top1", [](const Given& g) { return scalar(data::top_k(g.several, 1), DType::float64); }},
    {"top2", [](const Given& g) { return scalar(data::top_k(g.several, 2), DType::float64); }},
    {"top3", [](const Given& g) { return scalar(data::top_k(g.several, 3), DType::float64); }},
    {"confusion",
     [](const Given& g) {
       const data::Confusion c = data::confusion(g.several.labels, g.decided, g.several.classes);
       return from(Reals(c.counts.begin(), c.counts.end()), {c.classes, c.classes});
     }},
    {"roc_auc_binary", [](const Given& g) { return scalar(data::roc_auc(g.two), DType::float64); }},
    {"average_precision_binary", of_two<data::average_precision>},
    {"brier_binary", of_two<data::brier>},
    {"log_loss_binary", of_two<data::log_loss>},
    {"mse", of_numbers<data::mean_squared_error>},
    {"mae", of_numbers<data::mean_absolute_error>},
    {"r2", of_numbers<data::r_squared>},
};

/// A number, a list or a list of rows.
Tensor expected(const Json& j) {
  if (!j.is_array()) return scalar(j.get<double>(), DType::float64);
  if (j.empty() || !j[0].is_array()) return from(j.get<Reals>());
  Reals all;
  for (const Json& row : j)
    for (const Json& each : row) all.push_back(each.get<double>());
  return from(all, {static_cast<std::int64_t>(j.size()), static_cast<std::int64_t>(j[0].size())});
}

}  // namespace

Outcome run_metric(const Suite& suite, const Json& one_case) {
  Given given;
  if (one_case.contains("labels"))
    given.several =
        Predictions::of(referenced(suite, one_case["labels"]), referenced(suite, one_case.at("probabilities")));
  given.decided = given.several.predicted();
  if (one_case.contains("binary_labels"))
    given.two =
        Predictions::of(referenced(suite, one_case["binary_labels"]), referenced(suite, one_case.at("binary_scores")));
  if (one_case.contains("target")) {
    given.target = to_vector<double>(referenced(suite, one_case["target"]));
    given.prediction = to_vector<double>(referenced(suite, one_case.at("prediction")));
  }
  Outcome outcome = Outcome::passed;
  for (const auto& [name, value] : one_case.at("expected").items()) {
    const auto figure = figures.find(name);
    if (figure == figures.end())
      outcome = Outcome::skipped;
    else
      expect_close(figure->second(given), expected(value), one_case, name);
  }
  if (one_case.contains("roc_fpr")) {
    const data::RocCurve curve = data::roc_curve(given.two.labels, given.two.scores(1));
    expect_close(from(curve.false_positive_rate), referenced(suite, one_case["roc_fpr"]), one_case, "roc_fpr");
    expect_close(from(curve.true_positive_rate), referenced(suite, one_case.at("roc_tpr")), one_case, "roc_tpr");
  }
  return outcome;
}

}  // namespace weft::tests
