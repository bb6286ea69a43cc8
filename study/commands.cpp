#include <weft/study/commands.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <thread>

#include <nlohmann/json.hpp>

#include <weft/data/conformal.h>
#include <weft/show/terminal.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>
#include <weft/study/log.h>
#include <weft/study/model.h>
#include <weft/study/network.h>
#include <weft/study/output.h>
#include <weft/study/report.h>
#include <weft/study/version.h>
#include <weft/tensor/parallel.h>

namespace weft::study {
using namespace show;

void print(const std::string& s) {
  errno = 0;
  if (std::fwrite(s.data(), 1, s.size(), stdout) != s.size() || std::fflush(stdout) != 0)
    throw FileError(text("cannot write to the standard output: ", std::strerror(errno ? errno : EIO)));
}

NewRows new_rows(const char* operation, const CommandOptions& options) {
  const auto by_modality = [&](const char* option, const std::vector<std::string>& values) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string& value : values) {
      const std::size_t mark = value.find('=');
      if (mark == 0 || mark == std::string::npos || mark + 1 == value.size())
        throw ConfigError(text(operation, ": ", option, " is \"", value, "\"\n  help: write MODALITY=FILE.npy"));
      out.emplace_back(value.substr(0, mark), value.substr(mark + 1));
    }
    return out;
  };
  NewRows rows{options.rows, by_modality("--file", options.files), by_modality("--quality", options.qualities),
               options.target};
  if (rows.csv.empty() && rows.files.empty() && !(rows.qualities.empty() && rows.target.empty()))
    throw ConfigError(text(operation, ": --quality and --target are about new rows, and none are named\n",
                           "  help: name a CSV, or give them by --file"));
  return rows;
}

std::string folder_of(const CommandOptions& options, const Study& study) {
  return options.out.empty() ? "runs/" + study.name : options.out;
}

void put_table(const data::Table& table, const CommandOptions& options) {
  if (!options.out.empty()) return data::write_csv(options.out, table);
  if (!options.json) return print(data::to_csv(table));
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::int64_t i = 0; i < table.rows(); ++i) {
    nlohmann::ordered_json row;
    const auto at = static_cast<std::size_t>(i);
    for (const data::Column& c : table.columns) {
      if (c.missing(i))
        row[c.name] = nullptr;
      else if (c.categorical)
        row[c.name] = c.levels[static_cast<std::size_t>(c.codes[at])];
      else
        row[c.name] = c.numbers[at];
    }
    rows.push_back(std::move(row));
  }
  print(rows.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
}

void set_threads(int jobs) {
  deterministic(true);
  if (jobs > 1) set_num_threads(1);
}

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* compare_checkpoint = "compare.weft-checkpoint";
constexpr const char* train_checkpoint = "train.weft-checkpoint";

data::Predictions predictions_of(const Dataset& dataset, std::span<const std::int64_t> rows, const Outcome& outcome) {
  data::Predictions p;
  p.classes = dataset.class_count();
  p.probabilities = outcome.probabilities;
  for (const std::int64_t i : rows) p.labels.push_back(dataset.labels[static_cast<std::size_t>(i)]);
  return p;
}

/// Metrics of one set of predictions with bootstrap intervals, as a table and as JSON.
Json judge(const data::Predictions& predictions, const std::string& first, std::uint64_t seed, double level,
           TextTable& table) {
  std::vector<std::string> names = {first};
  for (const char* name : {"roc_auc", "accuracy", "balanced_accuracy", "f1_macro", "brier", "log_loss"})
    if (name != first) names.emplace_back(name);
  Json out = Json::object();
  for (const std::string& name : names) {
    data::BootstrapOptions options;
    options.seed = seed;
    options.level = level;
    const data::Interval i = data::bootstrap(predictions, data::metric(name).compute, options);
    table.row({metric_title(name), fixed(i.estimate), fixed(i.low) + " to " + fixed(i.high)});
    out[name] = {{"value", i.estimate}, {"low", i.low}, {"high", i.high}};
  }
  return out;
}

}  // namespace

void run_compare(const CommandOptions& options) {
  check_log_kinds(options.log);
  const Study study = load_study(options.study);
  const Dataset dataset = load_dataset(study);
  check_enough(study, dataset);
  const std::uint64_t seed = options.seed.value_or(study.train.seed);
  const Splits splits = make_splits(study, dataset, options.splits.value_or(study.compare.splits), seed);
  check_splits(study, dataset, splits);
  OutputFolder folder("compare", folder_of(options, study));

  Methods methods = make_baselines(study);
  for (auto& fusion : make_fusions(study)) methods.push_back(std::move(fusion));
  Progress progress(stderr, options.quiet);
  CompareOptions compare_options;
  compare_options.parts = splits;
  compare_options.seed = seed;
  compare_options.jobs =
      options.jobs > 0 ? options.jobs : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  compare_options.checkpoint = folder.path(compare_checkpoint);
  compare_options.resume = options.resume;
  compare_options.on_fit = [&](std::int64_t done, std::int64_t total, const std::string& what) {
    progress.update(done, total, what);
  };
  set_threads(compare_options.jobs);
  const Run run = compare(study, dataset, methods, compare_options);
  progress.finish();

  const Findings findings = summarize(run);
  folder.add("results.json", to_json(run, findings));
  folder.add("results.csv", to_csv(run));
  folder.add("report.html", html_report(run, findings));
  folder.add("splits.json", run.parts.to_json(run.data_checksum));
  folder.commit();
  folder.remove(compare_checkpoint);
  if (!options.log.empty()) log_comparison(options.log, folder.path(""), run);
  if (options.json) {
    print(to_json(run, findings));
  } else {
    print(text_report(run, findings, Style::of(stdout)));
    if (!options.quiet) print(text("\nreport: ", folder.path("report.html"), '\n'));
  }
}

void run_train(const CommandOptions& options) {
  check_log_kinds(options.log);
  Model model;
  model.study = load_study(options.study);
  const Study& study = model.study;
  const Dataset dataset = load_dataset(study);
  check_enough(study, dataset);
  model.seed = options.seed.value_or(study.train.seed);
  const Splits splits = make_splits(study, dataset, 1, model.seed);
  model.split = splits.given ? *splits.given : splits.drawn.front();
  check_splits(study, dataset, splits);
  check_columns(study, dataset);
  check_split(study, dataset, model.split, "the split",
              study.split.duplicates == "allow" ? DuplicateRows() : duplicate_rows(dataset));
  OutputFolder folder("train", folder_of(options, study));

  model.fusion = study.fusion.name;
  model.classes = dataset.classes;
  model.preparation = Preparation::fit(dataset, model.split.train);
  const data::Modalities all = model.preparation.apply(dataset), x = all.rows(model.split.train);
  const auto trained = [&](const std::vector<std::int64_t>& values) {
    std::vector<std::int64_t> out;
    for (const std::int64_t i : model.split.train)
      if (!values.empty()) out.push_back(values[static_cast<std::size_t>(i)]);
    return out;
  };
  const std::vector<std::int64_t> labels = trained(dataset.labels), groups = trained(together(study, dataset));
  std::vector<std::int64_t> rows(labels.size());
  std::iota(rows.begin(), rows.end(), 0);

  set_threads(1);
  Progress progress(stderr, options.quiet);
  Task task{x, labels, dataset.class_count(), rows, data::metric(study.train.metric)};
  task.groups = groups;
  task.seed = derive_seed(model.seed, 0);
  task.checkpoint = folder.path(train_checkpoint);
  task.resume = options.resume;
  model.data = checksum(dataset);
  task.origin = text(version, '|', model.seed, '|', model.data, '|', study.source);
  TrainingLog log(options.log, folder.path(""), study, options.resume);
  if (!options.log.empty()) task.on_step = [&](const Step& step) { log.step(step); };
  task.on_epoch = [&](std::int64_t done, std::int64_t total, const Curve& curve) {
    if (!options.log.empty()) log.epoch(curve);
    const double score = curve.validation_score.empty() ? 0 : curve.validation_score.back();
    progress.update(done, total, text("epochs, validation ", metric_title(study.train.metric), ' ', fixed(score)));
    check_interrupt();
  };
  const auto fitted = make_fusion(study, model.fusion)->fit(task);
  progress.finish();

  TextTable table({model.fusion + ", " + std::to_string(model.split.test.size()) + " test rows", "", "95% interval"});
  Json results{{"weft", version},
               {"study", study.name},
               {"fusion", model.fusion},
               {"seed", model.seed},
               {"train_rows", model.split.train.size()},
               {"test_rows", model.split.test.size()}};
  if (fitted->validation) results["validation"] = {{study.train.metric, *fitted->validation}};
  const Outcome outcome = fitted->predict(all.rows(model.split.test));
  results["test"] =
      judge(predictions_of(dataset, model.split.test, outcome), study.compare.metric, model.seed, 0.95, table);
  results["curve"] = {{"train_loss", fitted->curve.train_loss},
                      {"validation_loss", fitted->curve.validation_loss},
                      {"validation_score", fitted->curve.validation_score}};
  model.selected = fitted->selected;
  if (fitted->held_out) model.conformity = data::conformity_scores(*fitted->held_out);
  for (const auto& [key, value] : model.selected) results["selected"][key] = value;
  const std::string staged = folder.stage(network_file);
  fitted->save(staged);
  model.network = file_checksum(staged);
  folder.add(model_file, model_json(model));
  folder.add("training.json", results.dump(1) + '\n');
  folder.commit();
  folder.remove(train_checkpoint);
  std::vector<std::pair<std::string, double>> tested;
  for (const auto& [name, value] : results["test"].items()) tested.emplace_back(name, value["value"].get<double>());
  log.test(tested, outcome.weights);
  if (options.json)
    print(results.dump(1) + '\n');
  else
    print(table.str(Style::of(stdout)) + (options.quiet ? "" : text("\nmodel: ", folder.path(""), '\n')));
}

void run_evaluate(const CommandOptions& options) {
  const Model model = load_model(options.study);
  const auto fitted = load_network(model, options.study);
  const NewRows fresh = new_rows("evaluate", options);
  const bool own = fresh.csv.empty() && fresh.files.empty();
  const std::string what = own ? options.study : fresh.csv.empty() ? fresh.files.front().second : fresh.csv;
  const Dataset dataset =
      own ? load_kept(model, options.study, "evaluate", "train again, or name other rows with --rows")
          : load_rows("evaluate", model.study, fresh, model.preparation, model.classes);
  if (dataset.labels.empty() && !model.study.target_files.empty())
    throw ConfigError("evaluate: the classes of the new rows are not known\n  help: give them by --target FILE.npy");
  if (dataset.labels.empty())
    throw ConfigError(text("evaluate: ", what, " has no complete target column \"", model.study.target,
                           "\"\n  help: use weft predict for rows without a target"));
  std::vector<std::int64_t> rows = model.split.test;
  if (!own) {
    rows.resize(static_cast<std::size_t>(dataset.rows()));
    std::iota(rows.begin(), rows.end(), 0);
  }
  if (std::ranges::adjacent_find(dataset.labels, std::ranges::not_equal_to()) == dataset.labels.end())
    throw ConfigError(text("evaluate: all rows of ", what, " are of class \"",
                           dataset.classes[static_cast<std::size_t>(dataset.labels.front())],
                           "\"; judging takes two classes or more"));
  const data::Modalities x = model.preparation.apply(dataset).rows(rows);
  TextTable table({model.fusion + ", " + std::to_string(rows.size()) + " rows", "", "95% interval"});
  const Json results =
      judge(predictions_of(dataset, rows, fitted->predict(x)), model.study.compare.metric, model.seed, 0.95, table);
  print(options.json ? results.dump(1) + '\n' : table.str(Style::of(stdout)));
}

void run_predict(const CommandOptions& options) {
  const Model model = load_model(options.study);
  const auto fitted = load_network(model, options.study);
  const Dataset dataset =
      load_rows("predict", model.study, new_rows("predict", options), model.preparation, model.classes);
  const Outcome outcome = fitted->predict(model.preparation.apply(dataset));
  data::Table table;
  const auto rows = static_cast<std::size_t>(dataset.rows());
  const auto column = [&](const std::string& name, const std::vector<double>& values, std::size_t width,
                          std::size_t j) {
    std::vector<double> own(rows);
    for (std::size_t i = 0; i < rows; ++i) own[i] = values[i * width + j];
    table.columns.push_back(data::Column::of_numbers(name, std::move(own)));
  };
  for (std::size_t c = 0; c < model.classes.size(); ++c)
    column("probability of " + model.classes[c], outcome.probabilities, model.classes.size(), c);
  for (std::size_t m = 0; !outcome.weights.empty() && m < model.study.modalities.size(); ++m)
    column("weight of " + model.study.modalities[m].name, outcome.weights, model.study.modalities.size(), m);
  put_table(table, options);
}

}  // namespace weft::study
