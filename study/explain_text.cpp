#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include <weft/study/explain.h>
#include <weft/study/version.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;
using namespace show;

/// Nine digits: a page with a thousand patients should not be made of the noise behind them.
Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", value);
  return std::strtod(digits, nullptr);
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push_back(number(v));
  return out;
}

Json or_null(const std::vector<double>& values) { return values.empty() ? Json(nullptr) : numbers(values); }

Json interval(const data::Interval& i) {
  return {{"spearman", number(i.estimate)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

Json counterfactual_json(const NearestChange& c) {
  Json out{{"modality", c.modality}, {"changes", Json::array()}, {"becomes", c.becomes}};
  for (const FeatureChange& each : c.changes)
    out["changes"].push_back({{"name", each.name}, {"from", number(each.from)}, {"to", number(each.to)}});
  out["donor"] = c.donor;
  out["distance"] = number(c.distance);
  return out;
}

Json patient_json(const PatientExplanation& p, const std::vector<std::string>& modalities) {
  Json out{{"row", p.row},
           {"id", p.id},
           {"label", p.label ? Json(*p.label) : Json(nullptr)},
           {"prediction", p.prediction},
           {"probabilities", numbers(p.probabilities)},
           {"set", p.set ? Json(*p.set) : Json(nullptr)},
           {"present", p.present},
           {"generated", p.generated},
           {"weights", or_null(p.weights)},
           {"shapley", numbers(p.shapley)},
           {"base", number(p.base)},
           {"drop_one", numbers(p.drop_one)}};
  if (!p.attention.empty()) out["attention"] = numbers(p.attention);
  out["nearest"] = Json::array();
  for (const NearCase& c : p.nearest)
    out["nearest"].push_back({{"row", c.row}, {"id", c.id}, {"label", c.label}, {"distance", number(c.distance)}});
  out["features"] = Json::object();
  for (std::size_t m = 0; m < modalities.size(); ++m) {
    Json& own = out["features"][modalities[m]] = Json::array();
    for (const FeatureEffect& f : p.features[m])
      own.push_back({{"name", f.name}, {"value", number(f.value)}, {"attribution", number(f.attribution)}});
  }
  out["residual"] = number(p.residual);
  out["counterfactual"] = p.counterfactual ? counterfactual_json(*p.counterfactual) : Json(nullptr);
  return out;
}

std::string with_interval(const data::Interval& i) {
  return fixed(i.estimate) + " (" + fixed(i.low) + " to " + fixed(i.high) + ")";
}

std::string percent(double share) { return fixed(100 * share, 0) + " %"; }

}  // namespace

std::string to_json(const Explanations& e) {
  Json out{{"weft_explanations", 1},
           {"version", version},
           {"study", e.study},
           {"fusion", e.fusion},
           {"seed", e.seed},
           {"level", e.level},
           {"modalities", e.modalities},
           {"classes", e.classes},
           {"rows", e.rows},
           {"nearest_space", e.space},
           {"conformal", nullptr},
           {"shapley_error", number(e.shapley_error)},
           {"patients", Json::array()},
           {"groups", Json::array()},
           {"agreement", e.agreement ? interval(*e.agreement) : Json(nullptr)},
           {"agreement_within", e.within ? interval(*e.within) : Json(nullptr)}};
  if (e.calibration > 0)
    out["conformal"] = {{"calibration_rows", e.calibration},
                        {"threshold", number(e.threshold)},
                        {"mean_size", number(e.mean_set)},
                        {"coverage", e.coverage ? number(*e.coverage) : Json(nullptr)}};
  for (const PatientExplanation& p : e.patients) out["patients"].push_back(patient_json(p, e.modalities));
  for (const GroupExplanation& g : e.groups)
    out["groups"].push_back({{"by", g.by},
                             {"value", g.value},
                             {"n", g.rows},
                             {"weights", or_null(g.weights)},
                             {"shapley", numbers(g.shapley)},
                             {"drop_one", numbers(g.drop_one)}});
  // Names may hold bytes that are not UTF-8.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string text_report(const Explanations& e, const Style& style) {
  std::string out = text(e.study, ": ", e.fusion, ", ", e.rows, " rows\n");
  const auto table = [&](const char* title, std::vector<double> GroupExplanation::*values) {
    std::vector<std::string> header = {title, "rows"};
    header.insert(header.end(), e.modalities.begin(), e.modalities.end());
    TextTable t(std::move(header));
    for (const GroupExplanation& g : e.groups) {
      if ((g.*values).empty()) return;
      std::vector<std::string> cells = {g.by + " = " + g.value, std::to_string(g.rows)};
      for (const double v : g.*values) cells.push_back(fixed(v));
      t.row(std::move(cells));
    }
    out += '\n' + t.str(style);
  };
  table("mean weight", &GroupExplanation::weights);
  table("mean |Shapley value|", &GroupExplanation::shapley);
  table("mean drop without it", &GroupExplanation::drop_one);
  out +=
      "\nShapley values and drops are of the predicted class's probability; weights and |Shapley value| of what is "
      "missing count as 0.\n";
  if (e.agreement) {
    out += text("Weights and |Shapley values| agree: rank correlation ", with_interval(*e.agreement),
                " over rows and modalities");
    if (e.within) out += text(", ", with_interval(*e.within), " within a row");
    out += ".\n";
  } else {
    const bool any = !e.groups.empty() && !e.groups.front().weights.empty();
    out += any ? "Weights cannot be compared with Shapley values: one of them is the same throughout.\n"
               : text("The fusion \"", e.fusion, "\" has no weights; Shapley values need none.\n");
  }
  if (const auto rough = std::ranges::count_if(e.patients, [](const auto& p) { return std::abs(p.residual) > 0.01; });
      rough > 0)
    out += text("Attributions of features miss more than 0.01 of the answer in ", rough, " of ", e.patients.size(),
                " rows (see \"residual\"): do not read them there.\n");
  if (e.calibration > 0) {
    out += text("Sets of classes at ", percent(e.level), ", by ", e.calibration,
                " held-out rows: ", fixed(e.mean_set, 2), " classes in the mean");
    if (e.coverage) out += text(", the true one is in ", percent(*e.coverage));
    out += ".\n";
  } else {
    out += "No sets of classes: the model was kept without scores of held-out rows; train again to get them.\n";
  }
  return out;
}

}  // namespace weft::study
