#include <algorithm>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include <weft/study/output.h>
#include <weft/study/robustness.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json interval(const data::Interval& i) {
  return {{"mean", number(i.estimate)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

double number_from(const Json& in) {
  return in.is_null() ? std::numeric_limits<double>::quiet_NaN() : in.get<double>();
}
data::Interval interval_from(const Json& in) {
  return {number_from(in.at("mean")), number_from(in.at("low")), number_from(in.at("high"))};
}

/// The enumerator with this name.
template <class Kind>
Kind named(const std::string& name, std::initializer_list<Kind> all) {
  const auto it = std::ranges::find_if(all, [&](Kind k) { return name == name_of(k); });
  if (it == all.end()) throw std::out_of_range(name);
  return *it;
}

Curves curve_from(const Json& in, const std::vector<std::string>& metrics) {
  Curves c{
      in.at("fusion").get<std::string>(),
      named(in.at("gaps").get<std::string>(), {Gaps::masks, Gaps::zeros, Gaps::means, Gaps::completion}),
      named(in.at("disturbance").get<std::string>(), {Disturbance::missing, Disturbance::noise, Disturbance::conflict}),
      in.value("modality", ""),
      {},
      interval_from(in.at("area")),
      {},
      {},
      std::nullopt};
  for (const Json& i : in.at(metrics.front())) c.at.push_back(interval_from(i));
  if (c.at.size() != levels_of(c.kind).size()) throw std::out_of_range("levels");
  for (std::size_t k = 1; k < metrics.size(); ++k)
    c.other_areas.push_back(number_from(in.at("other_areas").at(metrics[k])));
  if (!in.contains("paired")) return c;
  const Json& p = in["paired"];
  p.at("reference").get_to(c.reference);
  c.paired.emplace();
  c.paired->difference = number_from(p.at("reference_minus_it"));
  c.paired->low = number_from(p.at("low"));
  c.paired->high = number_from(p.at("high"));
  c.paired->p_value = number_from(p.at("p"));
  return c;
}

}  // namespace

std::string to_json(const Robustness& run, const std::vector<Curves>& curves) {
  Json out{{"weft", run.version},
           {"study", run.study},
           {"title", run.title},
           {"seed", run.seed},
           {"modalities", run.modalities},
           {"protocol",
            {{"splits", run.splits},
             {"train_rows", run.train_rows},
             {"test_rows", run.test_rows},
             {"level", run.level},
             {"metric", run.metrics.front()},
             {"training_rows_lack_as_much", run.train_missing}}},
           {"curves", Json::array()}};
  for (const Curves& c : curves) {
    Json line{{"disturbance", name_of(c.kind)}, {"fusion", c.fusion}, {"gaps", name_of(c.gaps)}};
    if (!c.modality.empty()) line["modality"] = c.modality;
    line["levels"] = levels_of(c.kind);
    for (const data::Interval& i : c.at) line[run.metrics.front()].push_back(interval(i));
    line["area"] = interval(c.area);
    for (std::size_t k = 0; k < c.other_areas.size(); ++k)
      line["other_areas"][run.metrics[k + 1]] = number(c.other_areas[k]);
    if (c.paired)
      line["paired"] = {{"reference", c.reference},       {"reference_minus_it", number(c.paired->difference)},
                        {"low", number(c.paired->low)},   {"high", number(c.paired->high)},
                        {"p", number(c.paired->p_value)}, {"test", "corrected resampled t (Nadeau & Bengio 2003)"}};
    out["curves"].push_back(std::move(line));
  }
  return out.dump(1) + '\n';
}

std::string to_csv(const Robustness& run) {
  std::string out = "split,disturbance,fusion,gaps,modality,level,metric,score\n";
  for (const Course& c : run.courses)
    for (std::size_t k = 0; k < run.metrics.size(); ++k)
      for (std::size_t l = 0; l < c.scores[k].size(); ++l)
        out +=
            text(c.split + 1, ',', name_of(c.kind), ',', c.fusion, ',', name_of(c.gaps), ',', csv_field(c.modality),
                 ',', Json(levels_of(c.kind)[l]).dump(), ',', run.metrics[k], ',', Json(c.scores[k][l]).dump(), '\n');
  return out;
}

std::pair<Robustness, std::vector<Curves>> read_robustness(const std::string& json, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("curves") || !in.contains("protocol"))
    throw FileError(text("report: ", path, " is not what weft robustness wrote, or not all of it"));
  try {
    Robustness run;
    const Json& how = in.at("protocol");
    in.at("weft").get_to(run.version);
    in.at("study").get_to(run.study);
    in.at("title").get_to(run.title);
    in.at("seed").get_to(run.seed);
    in.at("modalities").get_to(run.modalities);
    how.at("splits").get_to(run.splits);
    how.at("train_rows").get_to(run.train_rows);
    how.at("test_rows").get_to(run.test_rows);
    how.at("level").get_to(run.level);
    how.at("training_rows_lack_as_much").get_to(run.train_missing);
    run.metrics = {how.at("metric").get<std::string>()};
    if (const Json& first = in.at("curves").at(0); first.contains("other_areas"))
      for (const auto& [name, area] : first["other_areas"].items()) run.metrics.push_back(name);
    std::vector<Curves> curves;
    for (const Json& c : in.at("curves")) curves.push_back(curve_from(c, run.metrics));
    for (const Curves& c : curves)
      if (std::ranges::find(run.fusions, c.fusion) == run.fusions.end()) run.fusions.push_back(c.fusion);
    return {std::move(run), std::move(curves)};
  } catch (const nlohmann::json::exception&) {
  } catch (const std::out_of_range&) {
  }
  throw FileError(text("report: ", path, " is damaged\n  help: run weft robustness again"));
}

std::string checkpoint_json(const std::vector<Course>& courses, const std::string& fingerprint) {
  Json out{{"weft_robustness_checkpoint", 1}, {"of", fingerprint}, {"courses", Json::array()}};
  for (const Course& c : courses)
    out["courses"].push_back(
        {c.split, c.fusion, static_cast<int>(c.gaps), static_cast<int>(c.kind), c.modality, c.scores});
  return out.dump() + '\n';
}

std::vector<Course> read_courses(const std::string& json, const std::string& fingerprint, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_robustness_checkpoint") || !in.contains("of") || !in.contains("courses"))
    throw FileError(text("resume: ", path, " is not a whole checkpoint\n  help: delete it to start anew"));
  if (in["of"] != fingerprint)
    throw ConfigError(text("resume: ", path,
                           " is of another study file, seed, number of splits, version or other data\n"
                           "  help: run without --resume to start anew"));
  std::vector<Course> courses;
  try {
    for (const Json& c : in["courses"])
      courses.push_back({c.at(0).get<std::int64_t>(), c.at(1).get<std::string>(),
                         static_cast<Gaps>(c.at(2).get<std::uint8_t>()),
                         static_cast<Disturbance>(c.at(3).get<std::uint8_t>()), c.at(4).get<std::string>(),
                         c.at(5).get<std::vector<std::vector<double>>>()});
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("resume: ", path, " is damaged\n  help: delete it to start anew"));
  }
  return courses;
}

}  // namespace weft::study
