#include <algorithm>
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

Json bins_json(const std::vector<CertaintyBin>& bins) {
  Json out = Json::array();
  for (const CertaintyBin& bin : bins) out.push_back({bin.rows, bin.certainty, bin.accuracy});
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
                  {"area", r.trust.area},
                  {"certainty_bins", bins_json(r.trust.bins)},
                  {"roc", r.trust.roc}};
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
             t.at("area").get<double>(),
             {},
             t.at("roc").get<std::vector<double>>()};
  for (const Json& bin : t.at("certainty_bins"))
    r.trust.bins.push_back({bin.at(0).get<std::int64_t>(), bin.at(1).get<double>(), bin.at(2).get<double>()});
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
    line["certainty_bins"] = bins_json(row.bins);
    line["roc"] = row.roc;
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

namespace {
Run run_from(const Json& in) {
  Run run;
  const Json& how = in.at("protocol");
  in.at("weft").get_to(run.version);
  in.at("study").get_to(run.study);
  in.at("title").get_to(run.title);
  in.at("study_file").get_to(run.source);
  in.at("seed").get_to(run.seed);
  in.at("rows").get_to(run.rows);
  for (const Json& c : in.at("classes")) {
    run.classes.push_back(c.at("name").get<std::string>());
    run.class_rows.push_back(c.at("rows").get<std::int64_t>());
  }
  in.at("modalities").get_to(run.modalities);
  in.at("metrics").get_to(run.metrics);
  how.at("kind").get_to(run.parts.kind);
  how.at("splits").get_to(run.splits);
  how.at("seeds").get_to(run.seeds);
  how.at("given_seeds").get_to(run.given_seeds);
  how.at("test").get_to(run.test);
  how.at("train_rows").get_to(run.train_rows);
  how.at("test_rows").get_to(run.test_rows);
  how.at("level").get_to(run.level);
  how.at("metric").get_to(run.metric);
  how.at("validation_metric").get_to(run.validation_metric);
  how.at("reference").get_to(run.reference);
  how.at("refer").get_to(run.refer);
  how.at("data_checksum").get_to(run.data_checksum);
  for (const Json& line : in.at("summary")) {
    const auto kind = line.at("kind").get<std::string>();
    if (kind == "chosen") continue;
    run.methods.push_back(line.at("method").get<std::string>());
    run.kinds.push_back(kind == "fusion"     ? MethodKind::fusion
                        : kind == "baseline" ? MethodKind::baseline
                                             : MethodKind::single);
  }
  for (const Json& r : in.at("records")) run.records.push_back(record_from(r));
  return run;
}

/// Whether every figure is where summarize() looks for it.
bool whole(const Run& run) {
  if (run.splits < 1 || run.splits > 100000 || run.methods.empty() || run.metrics.empty() ||
      run.metrics.front() != run.metric)
    return false;
  const std::size_t weights = run.classes.size() * run.modalities.size();
  return run.classes.size() > 1 && std::ranges::all_of(run.records, [&](const Record& r) {
           return r.split >= -1 && r.split < run.splits && r.metrics.size() == run.metrics.size() &&
                  r.trust.risk.size() == 20 && (r.weights.empty() || r.weights.size() == weights) &&
                  r.trust.bins.size() == 10 && (r.trust.roc.empty() || r.trust.roc.size() == 51) &&
                  std::ranges::find(run.methods, r.method) != run.methods.end();
         });
}
}  // namespace

Run read_results(const std::string& json, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("records") || !in.contains("protocol"))
    throw FileError(text("report: ", path, " is not the results.json of a comparison, or not all of it"));
  try {
    Run run = run_from(in);
    run.fixed = std::ranges::any_of(run.records, [](const Record& r) { return r.split < 0; });
    data::metric(run.validation_metric);
    if (whole(run)) return run;
  } catch (const nlohmann::json::exception&) {
  } catch (const ConfigError&) {
  }
  throw FileError(text("report: ", path, " is damaged or of another version of weft\n  help: run weft compare again"));
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
