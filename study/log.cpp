#include <weft/study/log.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <weft/study/output.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool wants(const std::vector<std::string>& kinds, const char* kind) {
  return std::ranges::find(kinds, kind) != kinds.end();
}

std::ofstream open_log(const std::string& folder, const char* name, bool go_on) {
  const std::string path = (fs::path(folder) / name).string();
  errno = 0;
  std::ofstream out(path, std::ios::binary | (go_on ? std::ios::app | std::ios::ate : std::ios::trunc));
  if (!out) throw FileError(text("log: cannot write ", path, ": ", std::strerror(errno ? errno : EIO)));
  return out;
}

void write_line(std::ofstream& out, const char* name, const std::string& line) {
  if (!out.is_open()) return;
  errno = 0;
  (out << line << '\n').flush();
  if (!out) throw FileError(text("log: cannot write ", name, ": ", std::strerror(errno ? errno : EIO)));
}

/// Files of an earlier run would be drawn into the same curves. `prefixes`: of the folders below that hold some, too.
void remove_events(const fs::path& folder, const std::vector<std::string>& prefixes) {
  std::error_code ignored;
  std::vector<fs::path> old;
  const auto look = [&](const fs::path& at) {
    std::vector<fs::path> folders;
    for (fs::directory_iterator it(at, ignored), end; !ignored && it != end; it.increment(ignored)) {
      if (it->path().filename().string().starts_with("events.out.tfevents.")) old.push_back(it->path());
      if (it->is_directory(ignored)) folders.push_back(it->path());
    }
    return folders;
  };
  for (const fs::path& below : look(folder))
    if (std::ranges::any_of(prefixes, [&](auto& p) { return below.filename().string().starts_with(p); })) look(below);
  for (const fs::path& path : old) {
    fs::remove(path, ignored);
    if (path.parent_path() != folder) fs::remove(path.parent_path(), ignored);  // stays where it holds something
  }
}

Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(); }

/// One epoch: the same columns in both logs of lines.
struct Line {
  std::vector<std::pair<std::string, Json>> fields;
  std::string csv(bool names) const {
    std::string out;
    for (const auto& [name, value] : fields) {
      if (!out.empty()) out += ',';
      out += csv_field(names               ? name
                       : value.is_null()   ? ""
                       : value.is_string() ? value.get<std::string>()
                                           : value.dump());
    }
    return out;
  }
  std::string json() const {
    Json out;
    for (const auto& [name, value] : fields) out[name] = value;
    return out.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
};

}  // namespace

const std::vector<std::string>& log_kinds() {
  static const std::vector<std::string> kinds = {"csv", "json", "tensorboard"};
  return kinds;
}

void check_log_kinds(const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds)
    if (!wants(log_kinds(), kind.c_str()))
      throw ConfigError(text("log: there is no kind \"", kind, "\"", closest(kind, log_kinds()),
                             "\n  help: choose from csv, json and tensorboard"));
}

TrainingLog::TrainingLog(const std::vector<std::string>& kinds, std::string folder, const Study& study, bool go_on)
    : folder_(std::move(folder)), study_(study), tensorboard_(wants(kinds, "tensorboard")) {
  check_log_kinds(kinds);
  if (wants(kinds, "csv")) csv_ = open_log(folder_, "log.csv", go_on);
  if (wants(kinds, "json")) json_ = open_log(folder_, "log.jsonl", go_on);
  if (tensorboard_ && !go_on) remove_events(folder_, {"trial-", "network-"});
}

/// A run of TensorBoard is a folder: one for each network, where there are several.
void TrainingLog::event_file() {
  if (last_.trial == run_trial_ && last_.network == run_network_) return;
  std::string run;
  if (!study_.select.grid.empty()) run = text("trial-", last_.trial + 1);
  if (study_.train.folds > 1) run += text(run.empty() ? "" : "-", "network-", last_.network + 1);
  events_ = std::make_unique<show::EventFile>((fs::path(folder_) / run).string());
  if (run_trial_ < 0) events_->text("study", 0, "```toml\n" + study_.source + "\n```");
  run_trial_ = last_.trial;
  run_network_ = last_.network;
}

void TrainingLog::step(const Step& step) {
  last_ = step;
  if (!tensorboard_) return;
  event_file();
  events_->scalar("loss/step", step.number, step.loss);
  events_->scalar("learning rate", step.number, step.lr);
}

void TrainingLog::epoch(const Curve& curve) {
  const Line line{{{"trial", last_.trial + 1},
                   {"network", last_.network + 1},
                   {"epoch", last_.epoch},
                   {"steps", last_.number},
                   {"lr", last_.lr},
                   {"train_loss", finite(curve.train_loss.back())},
                   {"validation_loss", finite(curve.validation_loss.back())},
                   {"validation_" + study_.train.metric, finite(curve.validation_score.back())}}};
  if (csv_.is_open() && csv_.tellp() == 0) write_line(csv_, "log.csv", line.csv(true));
  write_line(csv_, "log.csv", line.csv(false));
  write_line(json_, "log.jsonl", line.json());
  if (!tensorboard_) return;
  event_file();
  events_->scalar("loss/train", last_.epoch, curve.train_loss.back());
  events_->scalar("loss/validation", last_.epoch, curve.validation_loss.back());
  events_->scalar("validation/" + study_.train.metric, last_.epoch, curve.validation_score.back());
}

void TrainingLog::test(const std::vector<std::pair<std::string, double>>& metrics, const std::vector<double>& weights) {
  if (!tensorboard_) return;
  event_file();
  for (const auto& [name, value] : metrics) events_->scalar("test/" + name, last_.epoch, value);
  const std::size_t count = study_.modalities.size();
  for (std::size_t m = 0; m < count && !weights.empty(); ++m) {
    std::vector<double> own;
    for (std::size_t i = m; i < weights.size(); i += count) own.push_back(weights[i]);
    events_->histogram("weight/" + study_.modalities[m].name, last_.epoch, own);
  }
}

void log_comparison(const std::vector<std::string>& kinds, const std::string& folder, const Run& run) {
  check_log_kinds(kinds);
  std::ofstream csv, json;
  if (wants(kinds, "csv")) csv = open_log(folder, "log.csv", false);
  if (wants(kinds, "json")) json = open_log(folder, "log.jsonl", false);
  bool first = true;
  for (const Record& record : run.records)
    for (std::size_t e = 0; e < record.curve.train_loss.size(); ++e) {
      const Line line{{{"method", record.method},
                       {"seed", record.seed},
                       {"epoch", e + 1},
                       {"train_loss", finite(record.curve.train_loss[e])},
                       {"validation_loss", finite(record.curve.validation_loss[e])},
                       {"validation_" + run.validation_metric, finite(record.curve.validation_score[e])}}};
      if (first) write_line(csv, "log.csv", line.csv(true));
      first = false;
      write_line(csv, "log.csv", line.csv(false));
      write_line(json, "log.jsonl", line.json());
    }
  if (!wants(kinds, "tensorboard")) return;
  const fs::path runs = fs::path(folder) / "log";
  remove_events(runs, {""});
  for (const std::string& method : run.methods) {
    std::string name = method;
    std::ranges::replace(name, '/', '-');
    show::EventFile events((runs / name).string());
    events.text("study", 0, "```toml\n" + run.source + "\n```");
    for (const Record& record : run.records) {
      if (record.method != method || record.seed != 0) continue;
      for (std::size_t e = 0; e < record.curve.train_loss.size(); ++e) {
        const auto epoch = static_cast<std::int64_t>(e + 1);
        events.scalar("loss/train", epoch, record.curve.train_loss[e]);
        events.scalar("loss/validation", epoch, record.curve.validation_loss[e]);
        events.scalar("validation/" + run.validation_metric, epoch, record.curve.validation_score[e]);
      }
      for (std::size_t i = 0; i < run.metrics.size() && record.split >= 0; ++i)
        events.scalar("test/" + run.metrics[i], record.split + 1, record.metrics[i]);
    }
  }
}

}  // namespace weft::study
