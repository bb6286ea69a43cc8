#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/study/output.h>
#include <weft/study/report.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::vector<double> numbers(const Json& in) { return in.get<std::vector<double>>(); }

/// Makes sure that all files are of one study, and of each kind there is one.
class Reader {
 public:
  explicit Reader(const std::vector<std::string>& folders) : folders_(folders) {}

  Report read() {
    if (const std::string path = find("results.json"); !path.empty()) {
      report_.run = read_results(data::read_file("report", path), path);
      report_.findings = summarize(*report_.run);
      of_study(path, report_.run->study);
      const std::string splits = (fs::path(path).parent_path() / "splits.json").string();
      if (fs::exists(splits)) report_.splits = read_split_sizes(data::read_file("report", splits), splits);
    }
    if (const std::string path = find("robustness.json"); !path.empty()) {
      auto [run, curves] = read_robustness(data::read_file("report", path), path);
      of_study(path, run.study);
      report_.robustness = std::move(run);
      report_.curves = std::move(curves);
    }
    if (const std::string path = find("training.json"); !path.empty()) {
      report_.trained = read_training(data::read_file("report", path), path);
      of_study(path, report_.trained->study);
    }
    if (const std::string path = find("explanations.json"); !path.empty()) {
      report_.explained = read_explanations(data::read_file("report", path), path);
      of_study(path, report_.explained->study);
    }
    if (first_.empty())
      throw FileError(
          text("report: there is nothing to report in ", folders_.front(), folders_.size() > 1 ? ", ..." : "",
               "\n  help: run weft compare, robustness, train or explain, and name the folder of their results"));
    return std::move(report_);
  }

 private:
  /// The file's path in the folder that has it; empty when none has.
  std::string find(const char* name) const {
    std::string found;
    for (const std::string& folder : folders_) {
      const std::string path = (fs::path(folder) / name).string();
      std::error_code ignored;
      if (!fs::exists(path, ignored)) continue;
      if (!found.empty() && !fs::equivalent(found, path, ignored))
        throw ConfigError(
            text("report: ", found, " and ", path, " are results of the same kind\n  help: name one of their folders"));
      found = path;
    }
    return found;
  }

  void of_study(const std::string& path, const std::string& study) {
    if (first_.empty()) {
      first_ = path;
      study_ = study;
    } else if (study != study_) {
      throw ConfigError(text("report: ", first_, " is of study \"", study_, "\", ", path, " of \"", study,
                             "\"\n  help: make a page for each study"));
    }
  }

  const std::vector<std::string>& folders_;
  Report report_;
  std::string first_, study_;
};

}  // namespace

Trained read_training(const std::string& json, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("fusion") || !in.contains("test"))
    throw FileError(text("report: ", path, " is not the training.json of a kept model, or not all of it"));
  try {
    Trained out;
    in.at("weft").get_to(out.version);
    in.at("study").get_to(out.study);
    in.at("fusion").get_to(out.fusion);
    in.at("seed").get_to(out.seed);
    in.at("train_rows").get_to(out.train_rows);
    in.at("test_rows").get_to(out.test_rows);
    for (const auto& [name, i] : in.at("test").items())
      out.test.push_back({name, {i.at("value").get<double>(), i.at("low").get<double>(), i.at("high").get<double>()}});
    if (in.contains("selected"))
      for (const auto& [name, value] : in["selected"].items()) out.selected.emplace_back(name, value.get<double>());
    const Json& curve = in.at("curve");
    out.curve = {numbers(curve.at("train_loss")), numbers(curve.at("validation_loss")),
                 numbers(curve.at("validation_score"))};
    return out;
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("report: ", path, " is damaged\n  help: run weft train again"));
  }
}

std::vector<SplitSize> sizes_of(const Splits& splits) {
  std::vector<SplitSize> out;
  for (const auto& [name, split] : splits.named()) out.push_back({name, split->train.size(), split->test.size()});
  return out;
}

std::vector<SplitSize> read_split_sizes(const std::string& json, const std::string& path) {
  const Json in = Json::parse(json, nullptr, false);
  if (!in.is_object() || !in.contains("weft_splits"))
    throw FileError(text("report: ", path, " is not the splits.json of a comparison, or not all of it"));
  try {
    Splits splits;
    const auto split_from = [](const Json& s) {
      return data::Split{s.at("train").get<std::vector<std::int64_t>>(), s.at("test").get<std::vector<std::int64_t>>()};
    };
    in.at("kind").get_to(splits.kind);
    for (const Json& s : in.at("splits")) {
      splits.drawn.push_back(split_from(s));
      if (s.contains("name")) splits.names.push_back(s["name"].get<std::string>());
    }
    if (!splits.names.empty() && splits.names.size() != splits.drawn.size()) throw FileError("names");
    if (in.contains("given")) splits.given = split_from(in["given"]);
    return sizes_of(splits);
  } catch (const nlohmann::json::exception&) {
  } catch (const FileError&) {
  }
  throw FileError(text("report: ", path, " is damaged\n  help: run weft compare again"));
}

Report read_report(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
      throw FileError(text("report: there is no folder ", folder, "\n  help: name folders that weft wrote results to"));
  }
  return Reader(folders).read();
}

void run_report(const CommandOptions& options) {
  const std::string page = html_report(read_report(options.folders));
  const std::string path =
      options.out.empty() ? (fs::path(options.folders.front()) / "report.html").string() : options.out;
  const fs::path folder = fs::path(path).parent_path();
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw FileError(text("report: ", path, " is a folder\n  help: name a file with --out"));
  OutputFolder out("report", folder.empty() ? "." : folder.string());
  out.add(fs::path(path).filename().string(), page);
  out.commit();
  if (options.json)
    print(Json{{"report", path}, {"bytes", page.size()}}.dump(1, ' ', false, Json::error_handler_t::replace) + '\n');
  else if (!options.quiet)
    print(text("report: ", path, '\n'));
}

}  // namespace weft::study
