#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include <weft/study/compare.h>
#include <weft/study/output.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(MethodKind kind) {
  return kind == MethodKind::single ? "single" : kind == MethodKind::baseline ? "baseline" : "fusion";
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json optional_number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

/// NaN where number() wrote null.
double number_from(const Json& in) {
  return in.is_null() ? std::numeric_limits<double>::quiet_NaN() : in.get<double>();
}
std::optional<double> optional_from(const Json& in) {
  return in.is_null() ? std::nullopt : std::optional(in.get<double>());
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double v : values) out.push_back(number(v));
  return out;
}

Json parts_json(const std::vector<Part>& parts, const char* metric) {
  Json out = Json::object();
  for (const Part& p : parts)
    out[p.name] = {{"rows", p.rows}, {metric, number(p.metric)}, {"accuracy", number(p.accuracy)}};
  return out;
}

Json record_json(const Record& r) {
  Json out{{"method", r.method}, {"split", r.split}, {"seed", r.seed}, {"metrics", numbers(r.metrics)}};
  if (r.validation) out["validation"] = number(*r.validation);
  for (const auto& [key, value] : r.selected) out["selected"].push_back({key, value});
  if (r.interval) out["interval"] = {number(r.interval->estimate), number(r.interval->low), number(r.interval->high)};
  out["trust"] = {{"calibration_error", r.trust.calibration_error},
                  {"temperature", optional_number(r.trust.temperature)},
                  {"scaled_calibration_error", optional_number(r.trust.scaled_calibration_error)},
                  {"risk", r.trust.risk},
                  {"referred_risk", r.trust.referred_risk},
                  {"area", r.trust.area}};
  if (!r.parts.empty()) out["parts"] = parts_json(r.parts, "metric");
  if (!r.weights.empty()) out["weights"] = r.weights;
  if (r.curve != Curve{})
    out["curve"] = {{"train_loss", r.curve.train_loss},
                    {"validation_loss", r.curve.validation_loss},
                    {"validation_score", r.curve.validation_score}};
  return out;
}

Record record_from(const Json& in) {
  Record r;
  r.method = in.at("method").get<std::string>();
  r.split = in.at("split").get<std::int64_t>();
  r.seed = in.at("seed").get<std::int64_t>();
  for (const Json& v : in.at("metrics")) r.metrics.push_back(number_from(v));
  if (in.contains("validation")) r.validation = number_from(in["validation"]);
  if (in.contains("selected")) in["selected"].get_to(r.selected);
  if (in.contains("interval")) {
    const Json& i = in["interval"];
    r.interval = data::Interval{number_from(i.at(0)), number_from(i.at(1)), number_from(i.at(2))};
  }
  const Json& t = in.at("trust");
  r.trust = {t.at("calibration_error").get<double>(),
             optional_from(t.at("temperature")),
             optional_from(t.at("scaled_calibration_error")),
             t.at("risk").get<std::vector<double>>(),
             t.at("referred_risk").get<double>(),
             t.at("area").get<double>()};
  if (in.contains("parts"))
    for (const auto& [name, p] : in["parts"].items())
      r.parts.push_back(
          {name, p.at("rows").get<std::int64_t>(), number_from(p.at("metric")), number_from(p.at("accuracy"))});
  if (in.contains("weights")) r.weights = in["weights"].get<std::vector<double>>();
  if (in.contains("curve")) {
    const Json& c = in["curve"];
    r.curve = {c.at("train_loss").get<std::vector<double>>(), c.at("validation_loss").get<std::vector<double>>(),
               c.at("validation_score").get<std::vector<double>>()};
  }
  return r;
}

Json interval_json(const data::Interval& i) {
  return {{"mean", number(i.estimate)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

/// The shortest form that reads back to the same bits.
std::string shortest(double value) { return std::isfinite(value) ? Json(value).dump() : std::string(); }

}  // namespace

bool operator==(const Record& a, const Record& b) { return record_json(a) == record_json(b); }

std::string to_json(const Run& run, const Findings& findings) {
  Json out;
  out["weft"] = run.version;
  out["study"] = run.study;
  out["title"] = run.title;
  out["seed"] = run.seed;
  out["rows"] = run.rows;
  out["classes"] = Json::array();
  for (std::size_t c = 0; c < run.classes.size(); ++c)
    out["classes"].push_back({{"name", run.classes[c]}, {"rows", run.class_rows[c]}});
  out["modalities"] = run.modalities;
  out["protocol"] = {{"kind", run.parts.kind},
                     {"splits", run.splits},
                     {"seeds", run.seeds},
                     {"given_seeds", run.given_seeds},
                     {"test", run.test},
                     {"train_rows", run.train_rows},
                     {"test_rows", run.test_rows},
                     {"level", run.level},
                     {"metric", run.metric},
                     {"validation_metric", run.validation_metric},
                     {"reference", run.reference},
                     {"refer", run.refer},
                     {"data_checksum", run.data_checksum}};
  out["summary"] = Json::array();
  for (const Summary& row : findings.rows) {
    Json line{{"method", row.method}, {"kind", row.chosen ? "chosen" : name_of(row.kind)}};
    for (std::size_t k = 0; k < run.metrics.size(); ++k) line[run.metrics[k]] = interval_json(row.metrics[k]);
    if (row.fixed) {
      line["given_split"] = interval_json(*row.fixed);
      line["given_split"]["deviation_over_seeds"] = number(row.fixed_deviation);
    }
    line["calibration_error"] = interval_json(row.calibration_error);
    line["scaled_calibration_error"] = interval_json(row.scaled_calibration_error);
    line["temperature"] = number(row.temperature);
    line["error"] = interval_json(row.error);
    line["referred_error"] = interval_json(row.referred_error);
    line["risk_by_coverage"] = numbers(row.risk);
    if (!row.parts.empty()) line["parts"] = parts_json(row.parts, run.metric.c_str());
    for (std::size_t c = 0; !row.weights.empty() && c < run.classes.size(); ++c)
      for (std::size_t m = 0; m < run.modalities.size(); ++m)
        line["weights"][run.classes[c]][run.modalities[m]] = row.weights[c * run.modalities.size() + m];
    out["summary"].push_back(std::move(line));
  }
  if (findings.paired)
    out["paired"] = {{"a", "chosen on validation"},
                     {"b", run.reference},
                     {"difference", number(findings.paired->difference)},
                     {"low", number(findings.paired->low)},
                     {"high", number(findings.paired->high)},
                     {"t", number(findings.paired->statistic)},
                     {"p", number(findings.paired->p_value)},
                     {"test", "corrected resampled t (Nadeau & Bengio 2003)"}};
  for (const Against& a : findings.against)
    out["against_reference"].push_back({{"method", a.method},
                                        {"difference", number(a.comparison.difference)},
                                        {"low", number(a.comparison.low)},
                                        {"high", number(a.comparison.high)},
                                        {"p", number(a.comparison.p_value)},
                                        {"p_holm", number(a.holm)},
                                        {"p_benjamini_hochberg", number(a.benjamini_hochberg)}});
  if (!findings.chosen.empty()) out["chosen"] = findings.chosen;
  out["metrics"] = run.metrics;
  out["records"] = Json::array();
  for (const Record& r : run.records) out["records"].push_back(record_json(r));
  out["study_file"] = run.source;
  return out.dump(1) + '\n';
}

std::string to_csv(const Run& run) {
  std::string out = "method,split,seed,validation";
  for (const std::string& name : run.metrics) out += ',' + name;
  out += '\n';
  for (const Record& r : run.records) {
    out += csv_field(r.method) + ',' + (r.split < 0 ? "given" : std::to_string(r.split + 1)) + ',' +
           std::to_string(r.seed) + ',' + (r.validation ? shortest(*r.validation) : "");
    for (const double v : r.metrics) out += ',' + shortest(v);
    out += '\n';
  }
  return out;
}

std::string checkpoint_json(const std::vector<Record>& records, const std::string& fingerprint) {
  Json out{{"weft_checkpoint", 1}, {"of", fingerprint}, {"records", Json::array()}};
  for (const Record& r : records) out["records"].push_back(record_json(r));
  return out.dump() + '\n';
}

std::vector<Record> read_checkpoint(const std::string& json, const std::string& fingerprint, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_checkpoint") || !in.contains("of") || !in.contains("records"))
    throw FileError(text("resume: ", path, " is not a whole checkpoint\n  help: delete it to start anew"));
  if (in["of"] != fingerprint)
    throw ConfigError(text("resume: ", path,
                           " is of another study file, seed, number of splits, version or other data\n"
                           "  help: run without --resume to start anew"));
  std::vector<Record> records;
  try {
    for (const Json& r : in["records"]) records.push_back(record_from(r));
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("resume: ", path, " is damaged\n  help: delete it to start anew"));
  }
  return records;
}

}  // namespace weft::study
