#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include <weft/autograd/ops.h>
#include <weft/data/csv.h>
#include <weft/data/file.h>
#include <weft/study/completing.h>
#include <weft/study/impute.h>
#include <weft/study/interrupt.h>
#include <weft/study/network.h>
#include <weft/study/robustness.h>
#include <weft/tensor/create.h>
#include <weft/tensor/parallel.h>

using namespace weft;
using namespace weft::study;

namespace {

/// Two modalities that each tell the class, of numbers far from 0, and a category that goes with it.
Study small_study() {
  return parse_study(
      "[study]\nname = 'small <study>'\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'one'\ncolumns = "
      "['a', 'b']\n[[modality]]\nname = 'two'\ncolumns = ['c', 'kind']\n[encoder]\nhidden = [8]\n[fusion]\nname = "
      "'gate'\nwidth = 8\nhidden = 8\n[train]\nepochs = 15\nbatch = 16\nlr = 0.01\n[compare]\nsplits = 3\nmetric = "
      "'accuracy'\n[split]\ntrusted = ['*']\n",
      "x.toml");
}

Dataset small_dataset(std::int64_t rows = 150) {
  Dataset d;
  Generator g{5, 0};
  std::vector<double> a, b, c;
  std::vector<std::string> kind;
  for (std::int64_t i = 0; i < rows; ++i) {
    const int y = static_cast<int>(i % 2);
    const double shared = g.normal();
    d.labels.push_back(y);
    a.push_back(50 + 4 * y + g.normal());
    b.push_back(7 + 0.5 * shared);
    c.push_back(-20 - 4 * y + g.normal());
    kind.push_back(y == 1 ? "right" : "left");
  }
  // Every tenth row lacks b, every sixteenth the second modality.
  for (std::size_t i = 0; i < b.size(); i += 10) b[i] = std::nan("");
  for (std::size_t i = 5; i < c.size(); i += 16) c[i] = std::nan(""), kind[i] = "";
  d.classes = {"no", "yes"};
  d.evidence.push_back({"one", {"x.csv", {data::Column::of_numbers("a", a), data::Column::of_numbers("b", b)}}});
  d.evidence.push_back({"two", {"x.csv", {data::Column::of_numbers("c", c), data::Column::of_text("kind", kind)}}});
  return d;
}

const Curves& find(const std::vector<Curves>& all, const std::string& fusion, Gaps gaps, Disturbance kind,
                   const std::string& modality = {}) {
  for (const Curves& c : all)
    if (c.fusion == fusion && c.gaps == gaps && c.kind == kind && c.modality == modality) return c;
  throw ConfigError("no such curve");
}

}  // namespace

TEST_CASE("robustness: curves fall with what is done to test rows, and zeros fall furthest") {
  deterministic(true);
  const Study study = small_study();
  const Dataset dataset = small_dataset();
  RobustnessOptions options;
  std::int64_t fits = 0, of = 0;
  options.on_fit = [&](std::int64_t done, std::int64_t total, const std::string&) { fits = done, of = total; };
  const Robustness run = measure_robustness(study, dataset, options);
  CHECK(fits == 6);
  CHECK(of == 6);
  CHECK(run.fusions == std::vector<std::string>{"gate", "concat"});
  // Per fusion 4 ways to fill gaps, 2 single modalities missing, 2 noised, conflicts of any and of each of 2.
  CHECK(run.courses.size() == 3 * 2 * (4 + 2 + 2 + 3));
  const std::vector<Curves> curves = summarize(run);
  CHECK(curves.size() == 22);
  for (const Curves& c : curves) {
    REQUIRE(c.at.size() == levels_of(c.kind).size());
    for (const data::Interval& i : c.at) CHECK((i.low >= 0 && i.high <= 1 && i.low <= i.estimate));
    CHECK(c.paired.has_value() == !c.reference.empty());
    if (c.modality.empty() && c.kind != Disturbance::noise) CHECK(c.at.back().estimate <= c.at.front().estimate);
  }
  // All ways see the same rows where nothing was taken away but for real gaps.
  const Curves& masks = find(curves, "gate", Gaps::masks, Disturbance::missing);
  const Curves& zeros = find(curves, "gate", Gaps::zeros, Disturbance::missing);
  CHECK(masks.at.front().estimate > 0.9);
  CHECK(masks.area.estimate > zeros.area.estimate + 0.05);
  CHECK(zeros.reference == "gate, masks");
  CHECK(zeros.paired->difference == doctest::Approx(masks.area.estimate - zeros.area.estimate));
  CHECK(masks.reference.empty());
  CHECK(find(curves, "concat", Gaps::masks, Disturbance::conflict).reference == "gate, masks");
  CHECK(find(curves, "concat", Gaps::completion, Disturbance::missing).reference == "concat, masks");
  const Curves& noised = find(curves, "gate", Gaps::masks, Disturbance::noise, "one");
  CHECK(noised.at.back().estimate < noised.at.front().estimate);
  // The trapezoid rule by hand.
  double sum = 0;
  for (const Course& c : run.courses)
    if (c.fusion == "gate" && c.gaps == Gaps::masks && c.kind == Disturbance::missing && c.modality.empty()) {
      const auto& y = c.scores[0];
      sum += (y[0] / 2 + y[1] + y[2] + y[3] + y[4] / 2) / 4 / 3;
    }
  CHECK(masks.area.estimate == doctest::Approx(sum));
}

TEST_CASE("robustness: the same for any number of jobs; with gaps in training too") {
  deterministic(true);
  const Study study = small_study();
  const Dataset dataset = small_dataset(80);
  RobustnessOptions options;
  options.fusions = {"mean"};
  options.splits = 2;
  options.train_missing = true;
  const Robustness one = measure_robustness(study, dataset, options);
  options.jobs = 2;
  CHECK(measure_robustness(study, dataset, options).courses == one.courses);
  options.train_missing = false;
  CHECK(measure_robustness(study, dataset, options).courses != one.courses);
  options.fusions = {"gaet"};
  CHECK_THROWS_WITH_AS(measure_robustness(study, dataset, options),
                       "robustness: there is no fusion \"gaet\"; the closest name is \"gate\"", ConfigError);
}

TEST_CASE("robustness: of splits of several sizes, the mean size corrects the intervals") {
  deterministic(true);
  Study study = small_study();
  study.split.kind = "time";
  Dataset dataset = small_dataset(80);
  for (std::int64_t i = 0; i < dataset.rows(); ++i) dataset.time.push_back(static_cast<double>(i));
  RobustnessOptions options;
  options.fusions = {"mean"};
  options.splits = 2;
  const Robustness run = measure_robustness(study, dataset, options);
  // The last 24 rows in two spans, the second of which learns from the first, too.
  CHECK(run.train_rows == (56 + 68) / 2);
  CHECK(run.test_rows == 12);
}

TEST_CASE("robustness: an interruption changes nothing") {
  deterministic(true);
  const Study study = small_study();
  const Dataset dataset = small_dataset(80);
  RobustnessOptions options;
  options.fusions = {"mean", "late"};
  const Robustness whole = measure_robustness(study, dataset, options);
  options.checkpoint = (std::filesystem::temp_directory_path() / text("weft-robustness-", getpid())).string();
  options.on_fit = [](std::int64_t done, std::int64_t, const std::string&) {
    if (done == 4) throw Interrupted("interrupted");  // within the second of three splits
  };
  CHECK_THROWS_AS(measure_robustness(study, dataset, options), Interrupted);
  std::vector<std::int64_t> counted;
  options.on_fit = [&](std::int64_t done, std::int64_t, const std::string&) { counted.push_back(done); };
  options.resume = true;
  CHECK(measure_robustness(study, dataset, options).courses == whole.courses);
  CHECK(counted == std::vector<std::int64_t>{3, 4, 5, 6});
  std::string kept = data::read_file("test", options.checkpoint);
  data::write_file("test", options.checkpoint, kept.replace(kept.find("[[0,"), 4, "[[9,"));
  CHECK_THROWS_WITH_AS(measure_robustness(study, dataset, options),
                       text("resume: ", options.checkpoint, " is damaged\n  help: delete it to start anew").c_str(),
                       FileError);
  options.fusions = {"mean"};
  CHECK_THROWS_WITH_AS(
      measure_robustness(study, dataset, options),
      text("resume: ", options.checkpoint,
           " is of another study file, seed, number of splits, version or other data\n  help: run without "
           "--resume to start anew")
          .c_str(),
      ConfigError);
  data::write_file("test", options.checkpoint, "{\"weft_robustness_checkpoint\":1,\"of");
  CHECK_THROWS_WITH_AS(
      measure_robustness(study, dataset, options),
      text("resume: ", options.checkpoint, " is not a whole checkpoint\n  help: delete it to start anew").c_str(),
      FileError);
  std::filesystem::remove(options.checkpoint);
  CHECK_THROWS_WITH_AS(read_courses("{\"weft_robustness_checkpoint\":1,\"of\":\"x\",\"courses\":[[1]]}", "x", "p"),
                       "resume: p is damaged\n  help: delete it to start anew", FileError);
}

TEST_CASE("robustness: the report in all its forms") {
  deterministic(true);
  RobustnessOptions options;
  options.fusions = {"mean"};
  options.splits = 2;
  const Robustness run = measure_robustness(small_study(), small_dataset(80), options);
  const std::vector<Curves> curves = summarize(run);
  const auto json = nlohmann::json::parse(to_json(run, curves));
  CHECK(json.at("curves").size() == curves.size());
  CHECK(json["curves"][1].at("paired").at("reference") == "mean, masks");
  CHECK(json["curves"][0].at("accuracy").size() == 5);
  const data::Table csv = data::parse_csv(to_csv(run), "robustness.csv");
  // 2 splits, 2 metrics; 4 + 2 missing and 2 noise curves of 5 levels, 3 of 6.
  CHECK(csv.rows() == 2 * 2 * (8 * 5 + 3 * 6));
  const std::string page = html_report(run, curves);
  CHECK(page.find("small &lt;study&gt;") != std::string::npos);
  CHECK(page.find("small <study>") == std::string::npos);
  CHECK(page.find("<figcaption>one</figcaption>") != std::string::npos);
  const auto [read, read_curves] = read_robustness(to_json(run, curves), "robustness.json");
  CHECK(to_json(read, read_curves) == to_json(run, curves));
  CHECK(pictures(run, curves).size() == 5);
  const std::string table = text_report(run, curves, {});
  for (const char* words : {"mean, completion", "one: mean", "One modality from another class", "reference minus it"})
    CHECK(table.find(words) != std::string::npos);
}

TEST_CASE("impute: gaps are filled in the units of the data, what was measured stays") {
  deterministic(true);
  const Dataset dataset = small_dataset(300);
  std::vector<std::int64_t> rows(200);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  const Preparation preparation = Preparation::fit(dataset, rows);
  const data::Modalities train = as_float32(preparation.apply(dataset)).rows(rows);
  std::vector<Tensor> observed;
  for (const Tensor& each : observed_numbers(dataset, preparation)) observed.push_back(data::take_rows(each, rows));
  CHECK(to_vector<double>(observed[0])[1] == 0);  // b of the first row
  CHECK(to_vector<double>(observed[0])[3] == 1);
  CHECK(observed[1].size(1) == 3);  // c, kind=left, kind=right
  const std::vector<double> zero = to_vector<double>(prepared_zeros(preparation)[0]);
  CHECK(zero[0] < -10);  // 0 is far below 50
  const fusion::Completion completion = fit_completion(train, observed, 1);

  const auto nan = std::nan("");
  Dataset fresh;
  fresh.classes = dataset.classes;
  fresh.evidence = {
      {"one", {"n.csv", {data::Column::of_numbers("a", {50, 54, nan}), data::Column::of_numbers("b", {nan, 7, nan})}}},
      {"two",
       {"n.csv",
        {data::Column::of_numbers("c", {nan, -24, -24}), data::Column::of_text("kind", {"", "right", "right"})}}}};
  data::Table table{"n.csv", {data::Column::of_text("id", {"x", "y", "z"})}};
  for (const Evidence& e : fresh.evidence)
    for (const data::Column& c : e.table.columns) table.columns.push_back(c);
  const data::Table out = imputed(table, fresh, preparation, completion, 1);
  CHECK(out.names() ==
        std::vector<std::string>{"id", "a", "sd of a", "b", "sd of b", "c", "sd of c", "kind", "probability of kind"});
  CHECK(out.at("a").numbers[0] == 50);
  CHECK(out.at("sd of a").numbers[0] == 0);
  CHECK(out.at("a").numbers[2] == doctest::Approx(54).epsilon(0.03));
  const double sd = out.at("sd of a").numbers[2];
  CHECK((sd > 0.5 && sd < 2.5));  // in truth 1, for who knows the class
  CHECK(out.at("b").numbers[0] == doctest::Approx(7).epsilon(0.06));
  CHECK(out.at("c").numbers[0] == doctest::Approx(-20).epsilon(0.07));
  const data::Column& kind = out.at("kind");
  CHECK(kind.levels[static_cast<std::size_t>(kind.codes[0])] == "left");
  CHECK(out.at("probability of kind").numbers[0] > 0.7);
  CHECK(out.at("probability of kind").numbers[1] == 1);
  // A category all of which is empty in these rows looks like numbers, and one of digits is one.
  fresh.evidence[1].table.columns[1] = data::Column::of_numbers("kind", {nan, nan, nan});
  const data::Table again = imputed(table, fresh, preparation, completion, 1);
  CHECK(again.at("kind").categorical);
  CHECK(again.at("kind").codes[1] >= 0);
}
