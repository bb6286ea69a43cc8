#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>

#include <unistd.h>

#include <weft/data/file.h>
#include <weft/layers/serialize.h>
#include <weft/show/terminal.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>
#include <weft/study/network.h>
#include <weft/study/report.h>
#include <weft/study/training.h>
#include <weft/tensor/parallel.h>

using namespace weft;
using namespace weft::show;
using namespace weft::study;

namespace {

namespace fs = std::filesystem;

std::string with(std::string source, const std::string& from, const std::string& to) {
  return source.replace(source.find(from), from.size(), to);
}

Study small_study(const std::string& more = {}) {
  return parse_study(
      "[study]\nname = 'small'\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = ['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\n[encoder]\nhidden = [4]\ndropout = 0.2\n"
      "[fusion]\nwidth = 4\nhidden = 4\n[compare]\nsplits = 2\nfusions = ['gate', 'late', 'softmax']\n"
      "baselines = ['l2']\nreference = 'l2'\n[train]\nepochs = 6\nbatch = 8\nlr = 0.01\nmodality_dropout = 0.2\n"
      "degradation = 0.2\nl1 = 0.001\n" +
          more,
      "x.toml");
}

/// Column a tells the class; every fifth row lacks it.
Dataset small_dataset(std::int64_t rows = 60) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  Dataset d;
  Generator g{5, 0};
  std::vector<double> a, b, c;
  for (std::int64_t i = 0; i < rows; ++i) {
    const int y = static_cast<int>(i % 2);
    d.labels.push_back(y);
    a.push_back(i % 5 == 0 ? nan : y + 1.5 * g.uniform());
    b.push_back(g.uniform());
    c.push_back(g.uniform());
  }
  d.classes = {"no", "yes"};
  d.evidence.push_back({"signal", {"x.csv", {data::Column::of_numbers("a", a)}}});
  d.evidence.push_back({"noise", {"x.csv", {data::Column::of_numbers("b", b), data::Column::of_numbers("c", c)}}});
  return d;
}

struct Folder {
  std::string path = (fs::temp_directory_path() / text("weft-training-", getpid())).string();
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return (fs::path(path) / name).string(); }
};

struct Fit {
  Dataset dataset = small_dataset();
  data::Split split;
  data::Modalities x;
  Fit() {
    Generator g{0, 0};
    split = data::stratified_split(dataset.labels, 0.3, g);
    x = Preparation::fit(dataset, split.train).apply(dataset);
  }
  Task task() const { return {x, dataset.labels, 2, split.train, data::metric("roc_auc"), 3}; }
};

std::string error_of(const Method& method, const Task& task) {
  try {
    method.fit(task);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("networks: a kept one answers as before, weights are 0 where a row lacks a modality") {
  const Folder folder;
  const Fit fit;
  for (const char* folds : {"", "folds = 3\n"})
    for (const std::string& name : fusion_names()) {
      INFO(name);
      const Study study = small_study(folds);
      const auto fitted = make_fusion(study, name)->fit(fit.task());
      REQUIRE(fitted->validation);
      CHECK(*fitted->validation >= 0);
      CHECK(fitted->curve.train_loss.size() <= 6);
      fitted->save(folder / "n");
      const auto again = load_fitted(study, name, folder / "n");
      const data::Modalities rows = fit.x.rows(fit.split.test);
      const Outcome a = fitted->predict(rows), b = again->predict(rows);
      CHECK(a.probabilities == b.probabilities);
      CHECK(a.weights == b.weights);
      for (std::size_t i = 0; i < fit.split.test.size(); ++i) {
        CHECK(a.probabilities[2 * i] + a.probabilities[2 * i + 1] == doctest::Approx(1));
        if (a.weights.empty()) continue;
        const bool has = fit.x.has(fit.split.test[i], 0);
        CHECK((a.weights[2 * i] != 0) == has);
        CHECK(a.weights[2 * i] + a.weights[2 * i + 1] == doctest::Approx(1));
      }
      // All test rows lack a modality, and one row lacks everything.
      Dataset poor = fit.dataset;
      for (double& v : poor.evidence[0].table.columns[0].numbers) v = std::nan("");
      for (data::Column& c : poor.evidence[1].table.columns) c.numbers[0] = std::nan("");
      const Outcome c = fitted->predict(Preparation::fit(fit.dataset, fit.split.train).apply(poor));
      for (const double p : c.probabilities) CHECK(std::isfinite(p));
      if (!c.weights.empty()) {
        CHECK(c.weights[0] == 0);
        CHECK(c.weights[1] == 0);
        CHECK(c.weights[2] == 0);
        CHECK(c.weights[3] == doctest::Approx(1));
      }
    }
}

TEST_CASE("networks: gate and relevance weigh by the quality that a study names, others do not look at it") {
  Fit fit;
  data::Column quality = data::Column::of_numbers("sharpness", {});
  for (std::int64_t i = 0; i < 60; ++i) quality.numbers.push_back(i % 3 == 0 ? 0.2 : 1);
  fit.dataset.evidence[0].quality = quality;
  const Preparation preparation = Preparation::fit(fit.dataset, fit.split.train);
  fit.x = preparation.apply(fit.dataset);
  // The same rows, once with a sharp and once with a blurred signal; row 0 lacks it.
  const std::vector<std::int64_t> rows = {0, 1, 2};
  std::ranges::fill(quality.numbers, 1);
  fit.dataset.evidence[0].quality = quality;
  const data::Modalities sharp = preparation.apply(fit.dataset).rows(rows);
  std::ranges::fill(quality.numbers, 0.2);
  fit.dataset.evidence[0].quality = quality;
  const data::Modalities blurred = preparation.apply(fit.dataset).rows(rows);
  for (const char* name : {"gate", "relevance", "late", "softmax"}) {
    CAPTURE(name);
    const auto fitted = make_fusion(small_study("clip = 1\n"), name)->fit(fit.task());
    const Outcome a = fitted->predict(sharp), b = fitted->predict(blurred);
    const bool weighs = std::string(name) == "gate" || std::string(name) == "relevance";
    CHECK((a.probabilities == b.probabilities) != weighs);
    CHECK(a.weights[0] == 0);
    CHECK(b.weights[0] == 0);
    for (const std::size_t i : {2U, 4U}) {
      if (!weighs) CHECK(a.weights[i] == b.weights[i]);
      // relevance: (0.6 q + 0.4) / (0.6 q + 0.4 + 1).
      if (std::string(name) == "relevance") {
        CHECK(a.weights[i] == doctest::Approx(0.5));
        CHECK(b.weights[i] == doctest::Approx(0.52 / 1.52));
      }
      // gate: the odds fall to a fifth.
      if (std::string(name) == "gate")
        CHECK(b.weights[i] / b.weights[i + 1] == doctest::Approx(0.2 * a.weights[i] / a.weights[i + 1]).epsilon(1e-4));
    }
  }
}

TEST_CASE("networks: stopped anywhere and continued, bitwise the same") {
  const Folder folder;
  const Fit fit;
  deterministic(true);
  for (const char* more :
       {"", "folds = 3\n", "folds = 2\noptimizer = 'sgd'\nschedule = 'step'\nstep_size = 2\n", "average = 0.9\n"}) {
    const Study study = small_study(more);
    const auto method = make_fusion(study, "gate");
    std::int64_t last = 0;
    Task task = fit.task();
    task.on_epoch = [&](std::int64_t done, std::int64_t, const Curve&) { last = done; };
    const auto whole = method->fit(task);
    whole->save(folder / "whole");
    for (std::int64_t stop = 1; stop <= last; stop += 2) {
      CAPTURE(stop);
      task.checkpoint = folder / "checkpoint";
      task.on_epoch = [&](std::int64_t done, std::int64_t, const Curve&) {
        if (done >= stop) throw Interrupted("interrupted");
      };
      CHECK_THROWS_AS(method->fit(task), Interrupted);
      REQUIRE(fs::exists(task.checkpoint));
      task.on_epoch = {};
      task.resume = true;
      const auto resumed = method->fit(task);
      task.resume = false;
      resumed->save(folder / "resumed");
      CHECK(data::read_file("test", folder / "whole") == data::read_file("test", folder / "resumed"));
      CHECK(resumed->validation == whole->validation);
      CHECK(resumed->curve == whole->curve);
      fs::remove(task.checkpoint);
    }
  }
  deterministic(false);
}

TEST_CASE("networks: a choice of settings, stopped anywhere and continued, trains nothing twice") {
  const Folder folder;
  const Fit fit;
  deterministic(true);
  const auto method = make_fusion(small_study("folds = 2\n[select]\nlr = [0.01, 0.03]\nwidth = [4, 6]\n"), "gate");
  std::int64_t epochs = 0;
  Task task = fit.task();
  // Progress goes on over all of the four.
  std::int64_t last = 0;
  task.on_epoch = [&](std::int64_t done, std::int64_t total, const Curve&) {
    ++epochs;
    CHECK(done > last);
    CHECK(total == 4 * 2 * 6);
    last = done;
  };
  const auto whole = method->fit(task);
  whole->save(folder / "whole");
  const std::int64_t all = epochs;
  CHECK(last > 3 * 2 * 6);
  task.checkpoint = folder / "checkpoint";
  for (const std::int64_t stop : {std::int64_t{1}, all / 2, all / 2 + 1, all - 1}) {
    CAPTURE(stop);
    epochs = 0;
    task.resume = false;
    task.on_epoch = [&](auto...) {
      if (++epochs == stop) throw Interrupted("interrupted");
    };
    CHECK_THROWS_AS(method->fit(task), Interrupted);
    task.resume = true;
    task.on_epoch = [&](auto...) { ++epochs; };
    const auto resumed = method->fit(task);
    CHECK(epochs == all);
    resumed->save(folder / "resumed");
    CHECK(data::read_file("test", folder / "whole") == data::read_file("test", folder / "resumed"));
    CHECK(resumed->selected == whole->selected);
    CHECK(resumed->validation == whole->validation);
    CHECK(resumed->held_out->probabilities == whole->held_out->probabilities);
    for (int k = 0; k < 4; ++k) CHECK_FALSE(fs::exists(text(task.checkpoint, '.', k)));
  }
  // What a run that was given up left behind is not taken for this one's.
  task.on_epoch = {};
  task.resume = false;
  data::write_file("test", text(task.checkpoint, ".0"), "of another study");
  data::write_file("test", text(task.checkpoint, ".1"), "of another study");
  task.on_epoch = [&](auto...) { throw Interrupted("interrupted"); };
  CHECK_THROWS_AS(method->fit(task), Interrupted);
  CHECK_FALSE(fs::exists(text(task.checkpoint, ".1")));
  task.on_epoch = {};
  task.resume = true;
  CHECK(method->fit(task)->selected == whole->selected);
  deterministic(false);
}

TEST_CASE("networks: checkpoints of another training, cut short or changed") {
  const Folder folder;
  const Fit fit;
  const auto method = make_fusion(small_study("folds = 2\n"), "gate");
  Task task = fit.task();
  task.checkpoint = folder / "checkpoint";
  task.origin = "one study";
  task.on_epoch = [](std::int64_t done, std::int64_t, const Curve&) {
    if (done > 7) throw Interrupted("interrupted");
  };
  CHECK_THROWS_AS(method->fit(task), Interrupted);
  task.resume = true;
  task.on_epoch = {};
  const std::string good = data::read_file("test", task.checkpoint);
  const std::string another = text("resume: ", task.checkpoint,
                                   " is of another study file, seed, version or other data\n"
                                   "  help: run without --resume to start anew");
  const std::string damaged =
      text("resume: ", task.checkpoint, " is damaged\n  help: run without --resume to start anew");
  Task other = task;
  other.origin = "another study";
  CHECK(error_of(*method, other) == another);
  Task reseeded = task;
  reseeded.seed = 4;
  CHECK(error_of(*method, reseeded) == another);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{300}, good.size() / 2, good.size() - 1}) {
    data::write_file("test", task.checkpoint, good.substr(0, size));
    CHECK(error_of(*method, task) == damaged);
  }
  // Whole files that say what is not so.
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"done\":1", "\"done\":9"},
                                                        {"\"judged\":[", "\"judged\":[99999,"},
                                                        {"\"held_out\":[", "\"held_out\":[0,"}}) {
    data::write_file("test", task.checkpoint, good);
    TensorFile file = load_tensors(task.checkpoint);
    std::string& about = file.metadata.at("weft");
    REQUIRE(about.find(from) != std::string::npos);
    about.replace(about.find(from), from.size(), to);
    save_tensors(task.checkpoint, file);
    CHECK(error_of(*method, task) == damaged);
  }
}

TEST_CASE("networks: the options of a study's fusion reach it") {
  const Folder folder;
  const Fit fit;
  Study study = small_study("schedule = 'constant'\n");
  study.train.epochs = 1;
  study.fusion.rank = 7;
  study.fusion.factor_width = 3;
  study.fusion.layers = 3;
  study.fusion.relevance = {1, 0.5};
  const auto tensor_of = [&](const char* fusion, const char* name) {
    const std::string path = folder / "net.safetensors";
    make_fusion(study, fusion)->fit(fit.task())->save(path);
    const TensorFile file = load_tensors(path);
    for (const auto& [key, x] : file.tensors)
      if (key.ends_with(name)) return x;
    return Tensor();
  };
  CHECK(tensor_of("lowrank", "fusion.scale").shape() == Shape{7});
  CHECK(tensor_of("tensor", "fusion.mix.weight").shape() == Shape{4, 16});
  CHECK(tensor_of("transformer", "fusion.layers.2.norm1.weight").defined());
  CHECK(!tensor_of("transformer", "fusion.layers.3.norm1.weight").defined());
  CHECK(tensor_of("gated", "fusion.between.1.norm1.weight").defined());
  CHECK(to_vector<float>(tensor_of("relevance", "fusion.relevance")) == std::vector<float>{1, 0.5F});
  // Those that are numbers: another curve from the same seeds.
  const auto curve = [&](const char* fusion, const std::string& option) {
    const Study s = parse_study(with(small_study().source, "[fusion]\n", "[fusion]\n" + option), "x.toml");
    return make_fusion(s, fusion)->fit(fit.task())->curve.train_loss;
  };
  CHECK(curve("relevance", "confidence_share = 0.1\n") != curve("relevance", ""));
  CHECK(curve("gate", "auxiliary_weight = 0.5\n") != curve("gate", ""));
  CHECK(curve("gate", "confidence_weight = 0.5\n") != curve("gate", ""));
  CHECK(curve("dynamics", "sparsity_weight = 0.5\n") != curve("dynamics", ""));
  CHECK(curve("energy", "ranking_weight = 0.5\n") != curve("energy", ""));
  CHECK(curve("evidential", "annealing = 1\n") != curve("evidential", ""));
  CHECK(curve("experts", "balance_weight = 0.5\n") != curve("experts", ""));
  CHECK(curve("transformer", "heads = 2\n") != curve("transformer", ""));
}

TEST_CASE("networks: figures that are no longer numbers, and sizes that do not fit here") {
  const Fit fit;
  CHECK(error_of(*make_fusion(small_study("optimizer = 'sgd'\nmomentum = 0.99\n"), "gate"), fit.task()) == "no error");
  const Study wild = parse_study(
      "[study]\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = ['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\n[train]\nlr = 1e6\noptimizer = 'sgd'\n",
      "x.toml");
  const std::string diverged = error_of(*make_fusion(wild, "gate"), fit.task());
  CHECK(diverged.starts_with("x.toml:11: the "));
  CHECK(diverged.ends_with(" with lr 1e+06\n  help: choose a smaller lr, or limit the gradient with clip"));
  const Study large = parse_study(
      "[study]\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = ['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\nencoder = { hidden = [1000000, 1000000] }\n",
      "x.toml");
  const std::string refused = error_of(*make_fusion(large, "gate"), fit.task());
  CHECK(refused.starts_with("x.toml:11: the network would have 100003"));
  CHECK(refused.ends_with(" GB here\n  help: choose smaller hidden layers"));
  // A fusion is counted by what it is, not by what the study's own one is.
  const Study deep = parse_study(
      "[study]\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = ['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\n[fusion]\nwidth = 65536\nlayers = 1000\n",
      "x.toml");
  for (const char* name : {"transformer", "gated"}) {
    const std::string much = error_of(*make_fusion(deep, name), fit.task());
    CHECK(much.starts_with("x.toml:11: the network would have "));
    CHECK(much.ends_with(" GB here\n  help: choose a smaller width in [fusion]"));
  }
}

TEST_CASE("networks: files that hold something else") {
  const Folder folder;
  const Fit fit;
  const Study study = small_study();
  make_fusion(study, "gate")->fit(fit.task())->save(folder / "n");
  const auto load = [&] { load_fitted(study, "gate", folder / "n"); };
  TensorFile file = load_tensors(folder / "n");
  file.metadata["weft"] = R"({"networks":1,"widths":[1,-2],"classes":2})";
  save_tensors(folder / "n", file);
  CHECK_THROWS_WITH_AS(load(), text("load: ", folder / "n", " does not say what networks it holds").c_str(), FileError);
  file.metadata["weft"] = R"({"networks":100000,"widths":[1,2],"classes":2})";
  save_tensors(folder / "n", file);
  CHECK_THROWS_AS(load(), FileError);
  file.metadata.clear();
  save_tensors(folder / "n", file);
  CHECK_THROWS_WITH_AS(load(), text("load: ", folder / "n", " does not say what networks it holds").c_str(), FileError);
}

TEST_CASE("baselines hold out the rows that networks hold out, and do not learn from them") {
  const Dataset dataset = small_dataset();
  const data::Modalities x = Preparation::fit(dataset, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}).apply(dataset);
  std::vector<std::int64_t> rows(42);
  std::iota(rows.begin(), rows.end(), 4);
  for (const char* more : {"folds = 3\n", "validation = 0.3\n"}) {
    CAPTURE(more);
    const Study study = small_study(more);
    Task task{x, dataset.labels, 2, rows, data::metric("log_loss"), 7};
    const auto network = make_fusions(study).front()->fit(task);
    const Methods baselines = make_baselines(study);
    REQUIRE(baselines.size() == 1);
    const auto linear = baselines[0]->fit(task);
    REQUIRE(linear->held_out);
    CHECK(linear->held_out->labels == network->held_out->labels);
    // The first part without the labels of its own rows, by hand.
    const data::Split part = held_out_parts(study.train, task)[0];
    std::vector<std::int64_t> labels = dataset.labels, own;
    for (const std::int64_t i : part.test) labels[static_cast<std::size_t>(i + 4)] ^= 1;
    Task other = task;
    other.labels = labels;
    for (const std::int64_t i : part.train) own.push_back(i + 4);
    other.rows = own;
    std::vector<std::int64_t> unseen;
    for (const std::int64_t i : part.test) unseen.push_back(i + 4);
    const std::vector<double> said = baselines[0]->fit(other)->predict(x.rows(unseen)).probabilities;
    REQUIRE(linear->held_out->probabilities.size() >= said.size());
    CHECK(std::equal(said.begin(), said.end(), linear->held_out->probabilities.begin()));
  }
  // A class with too few rows for that: no temperature, and no error.
  std::vector<std::int64_t> few = {0, 1, 2, 4, 6, 8, 10, 12, 14, 16};
  const Study study = small_study("folds = 3\n");
  const Task task{x, dataset.labels, 2, few, data::metric("log_loss"), 7};
  CHECK_FALSE(make_baselines(study)[0]->fit(task)->held_out);
}

TEST_CASE("compare with networks: jobs and interruptions change nothing") {
  const Folder folder;
  const Study study = small_study();
  const Dataset dataset = small_dataset();
  deterministic(true);
  Methods methods = make_baselines(study);
  for (auto& method : make_fusions(study)) methods.push_back(std::move(method));
  const Run whole = compare(study, dataset, methods);
  const Findings findings = summarize(whole);
  const std::string expected = to_json(whole, findings);
  const Run both = compare(study, dataset, methods, {.jobs = 2});
  CHECK(to_json(both, summarize(both)) == expected);
  const Run other = compare(study, dataset, methods, {.seed = 1});
  CHECK(other.records != whole.records);
  CompareOptions options{.checkpoint = folder / "c"};
  options.on_fit = [](std::int64_t done, std::int64_t, const std::string&) {
    if (done == 5) throw Interrupted("interrupted");
  };
  CHECK_THROWS_AS(compare(study, dataset, methods, options), Interrupted);
  Dataset changed = dataset;
  changed.evidence[1].table.columns[0].numbers[3] += 1;
  options.on_fit = {};
  options.resume = true;
  CHECK_THROWS_WITH_AS(compare(study, changed, methods, options),
                       text("resume: ", folder / "c",
                            " is of another study file, seed, number of splits, version or other data\n"
                            "  help: run without --resume to start anew")
                           .c_str(),
                       ConfigError);
  const Run rest = compare(study, dataset, methods, options);
  CHECK(to_json(rest, summarize(rest)) == expected);
  deterministic(false);

  // Weights that are not learned are named in one line, and no row is spent on them.
  for (const std::string& report : {text_report(whole, findings, Style{}), html_report(whole, findings)}) {
    CHECK(report.find("late: equal weights for all modalities that a row has, by definition.") != std::string::npos);
    CHECK(report.find("single: signal, ") == std::string::npos);
    CHECK(report.find("late, no") == std::string::npos);
  }
  CHECK(text_report(whole, findings, Style{}).find("gate, yes") != std::string::npos);
  const std::string page = html_report(whole, findings);
  CHECK(page.find("<th scope=\"row\">gate</th><td class=\"left\">yes</td>") != std::string::npos);
  CHECK(page.find("<figcaption>gate</figcaption>") != std::string::npos);
  // A narrow terminal gets lines that fit.
  const std::string narrow = text_report(whole, findings, Style{.columns = 40});
  std::size_t from = narrow.find("\n\n") + 2;
  for (int i = 0; i < 8; ++i) {
    const std::size_t end = narrow.find('\n', from);
    CHECK(display_width(narrow.substr(from, end - from)) <= 40);
    from = end + 1;
  }
}

TEST_CASE("data that are too few to be split") {
  const Study study = small_study();
  Dataset dataset = small_dataset(12);
  const auto message = [&](const Study& s) {
    try {
      check_enough(s, dataset);
      check_splits(s, dataset, make_splits(s, dataset, 2, 0));
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CHECK(message(study) == "no error");
  CHECK(message(small_study("folds = 5\n")) ==
        "x.toml:23: [train] wants 5 folds, but class \"no\" has 4 rows to train on");
  CHECK(message(small_study("metric = 'f1'\n")) == "no error");
  dataset.classes.push_back("maybe");
  dataset.labels[0] = 2;
  CHECK(message(study) ==
        "x.toml:3: class \"maybe\" has 1 row; to train, to validate and to test takes 3\n"
        "  help: join rare classes, or leave their rows out");
  CHECK(message(small_study("metric = 'f1'\n")).starts_with("x.toml:23: f1: label 2 is neither 0 nor 1"));
  dataset = small_dataset(12);
  dataset.fixed = data::Split{{1, 2, 3, 4, 5}, {0, 6}};
  CHECK(message(study) ==
        "x.toml:4: the split that comes with the data tests 2 rows; rows of two classes or more are needed");
}
