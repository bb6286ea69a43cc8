#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <unistd.h>

#include <weft/data/file.h>
#include <weft/show/terminal.h>
#include <weft/study/compare.h>
#include <weft/study/interrupt.h>
#include <weft/study/output.h>
#include <weft/study/report.h>

using namespace weft;
using namespace weft::show;
using namespace weft::study;

namespace {

/// 60 rows: column a tells the class, column b is noise, column c is empty for every third row.
Study small_study() {
  return parse_study(
      "[study]\nname = 'small <study>'\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = "
      "['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\n[compare]\nsplits = 6\nseeds = 2\nreference = 'l2'\n"
      "baselines = ['single', 'l2', 'l1', 'late_l2']\n",
      "x.toml");
}

Dataset small_dataset() {
  Dataset d;
  Generator g{5, 0};
  std::vector<double> a, b, c;
  for (int i = 0; i < 60; ++i) {
    const int y = i % 2;
    d.labels.push_back(y);
    a.push_back(y + 1.5 * g.uniform());
    b.push_back(g.uniform());
    c.push_back(i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : g.uniform());
  }
  d.classes = {"no", "yes"};
  d.evidence.push_back({"signal", {"x.csv", {data::Column::of_numbers("a", a)}}});
  d.evidence.push_back({"noise", {"x.csv", {data::Column::of_numbers("b", b), data::Column::of_numbers("c", c)}}});
  return d;
}

/// Probability from one modality's first column, turned around when `sign` is negative.
class Fake : public Method {
 public:
  struct Result : Fitted {
    double sign = 1;
    Outcome predict(const data::Modalities& x) const override {
      Outcome out;
      for (std::int64_t i = 0; i < x.batch(); ++i) {
        const double p = 1 / (1 + std::exp(-sign * x.features[0].data<double>()[i]));
        out.probabilities.insert(out.probabilities.end(), {1 - p, p});
        out.weights.insert(out.weights.end(), {0.75, 0.25});
      }
      return out;
    }
  };
  Fake(std::string its_name, double sign, double validation)
      : Method(std::move(its_name), MethodKind::fusion), sign_(sign), validation_(validation) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    auto result = std::make_unique<Result>();
    result->sign = sign_;
    result->validation = validation_ + static_cast<double>(task.seed % 100) * 1e-6;
    result->curve = {{0.7, 0.5}, {0.7, 0.6}, {0.5, 0.8}};
    ++fits;
    if (fits == stop_after) throw Interrupted("interrupted");
    return result;
  }
  static inline int fits = 0, stop_after = -1;

 private:
  double sign_, validation_;
};

Methods small_methods(const Study& study) {
  Methods methods = make_baselines(study);
  methods.push_back(std::make_unique<Fake>("good", 1, 0.8));
  methods.push_back(std::make_unique<Fake>("bad", -1, 0.3));
  return methods;
}

}  // namespace

TEST_CASE("compare: the fusion is chosen by validation, and what is learned does not see test rows") {
  const Study study = small_study();
  const Dataset dataset = small_dataset();
  const Run run = compare(study, dataset, small_methods(study));
  CHECK(run.train_rows == 42);
  CHECK(run.test_rows == 18);
  CHECK(run.methods == std::vector<std::string>{"l2: signal", "l2: noise", "l2", "l1", "late_l2", "good", "bad"});
  CHECK(run.records.size() == 6 * (5 + 2 * 2));
  const Findings findings = summarize(run);
  REQUIRE(findings.rows.size() == 8);
  CHECK(findings.chosen == std::vector<std::string>(6, "good"));
  CHECK(findings.rows.back().chosen);
  CHECK(findings.rows.back().metrics[0].estimate == findings.rows[5].metrics[0].estimate);
  CHECK(findings.rows[0].metrics[0].estimate > 0.75);
  CHECK(findings.rows[6].metrics[0].estimate < 0.25);
  CHECK(findings.rows[5].weights == std::vector<double>{0.75, 0.25, 0.75, 0.25});
  REQUIRE(findings.paired);
  CHECK(findings.paired->difference ==
        doctest::Approx(findings.rows[5].metrics[0].estimate - findings.rows[2].metrics[0].estimate));

  // Other test rows, same training rows: what was fitted, seen through the training rows, is the same.
  Generator g{run.seed, 0};
  const auto split = data::stratified_splits(dataset.labels, 1, run.test, g)[0];
  Dataset changed = small_dataset();
  for (const std::int64_t i : split.test)
    changed.evidence[0].table.columns[0].numbers[static_cast<std::size_t>(i)] = 1e6;
  const Preparation a = Preparation::fit(dataset, split.train), b = Preparation::fit(changed, split.train);
  CHECK(a.to_json() == b.to_json());
  CHECK(Preparation::from_json(a.to_json()).to_json() == a.to_json());
}

TEST_CASE("compare: jobs and interruptions change nothing") {
  const Study study = small_study();
  const Dataset dataset = small_dataset();
  const Run whole = compare(study, dataset, small_methods(study));
  const std::string expected = to_json(whole, summarize(whole));
  CHECK(to_json(compare(study, dataset, small_methods(study), {.jobs = 3}), summarize(whole)) == expected);

  const std::string path = (std::filesystem::temp_directory_path() / text("weft-compare-", getpid())).string();
  Fake::stop_after = Fake::fits + 9;
  CHECK_THROWS_AS(compare(study, dataset, small_methods(study), {.checkpoint = path}), Interrupted);
  Fake::stop_after = -1;
  const int before = Fake::fits;
  const Run rest = compare(study, dataset, small_methods(study), {.checkpoint = path, .resume = true});
  CHECK(Fake::fits - before == 6 * 4 - 8);
  CHECK(to_json(rest, summarize(rest)) == expected);

  CHECK_THROWS_AS(compare(study, dataset, small_methods(study), {.seed = 9, .checkpoint = path, .resume = true}),
                  ConfigError);
  data::write_file("test", path, "{\"weft_checkpoint\":1,\"of");
  CHECK_THROWS_AS(compare(study, dataset, small_methods(study), {.checkpoint = path, .resume = true}), FileError);
  std::filesystem::remove(path);
}

TEST_CASE("reports: whole, escaped, without the network") {
  const Study study = small_study();
  const Dataset dataset = small_dataset();
  const Run run = compare(study, dataset, small_methods(study), {.splits = 2});
  const Findings findings = summarize(run);
  const std::string html = html_report(run, findings);
  CHECK(html.starts_with("<!doctype html>"));
  CHECK(html.ends_with("</html>\n"));
  CHECK(html.find("small &lt;study&gt;") != std::string::npos);
  CHECK(html.find("<study>") == std::string::npos);
  CHECK(html.find("http") == std::string::npos);
  CHECK(html.find("viewport") != std::string::npos);
  for (const char* part : {"ROC curve for yes", "Calibration: ", "Coverage and risk", "What to beware of", "by chance",
                           "as stated", "data-sort", "data-filter", "seed"})
    CHECK_MESSAGE(html.find(part) != std::string::npos, part);
  CHECK(html.find("nan") == std::string::npos);
  const std::string csv = to_csv(run);
  CHECK(csv.starts_with("method,split,seed,validation,roc_auc,accuracy"));
  CHECK(std::ranges::count(csv, '\n') == 1 + 2 * 9);
  CHECK(text_report(run, findings, Style{}).find("\033") == std::string::npos);
}

TEST_CASE("terminal: tables, durations, numbers") {
  TextTable table({"", "AUC"});
  table.row({"naïve", "0.5"});
  table.row({"x", "0.25"});
  CHECK(table.str() == "        AUC\n───────────\nnaïve   0.5\nx      0.25\n");
  CHECK(fixed(0.12345) == "0.123");
  CHECK(fixed(std::numeric_limits<double>::quiet_NaN()) == "–");
  CHECK(duration(41.2) == "41 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(duration(7500) == "2 h 5 min");
}

TEST_CASE("output folder: all or nothing") {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / text("weft-output-", getpid());
  {
    OutputFolder folder("test", (root / "new").string());
    folder.add("a.txt", "one");
    folder.commit();
    CHECK(data::read_file("test", folder.path("a.txt")) == "one");
    folder.add("a.txt", "two");
    folder.add("missing/b.txt", "x");  // cannot be written
    CHECK_THROWS_AS(folder.commit(), FileError);
    CHECK(data::read_file("test", folder.path("a.txt")) == "one");
    CHECK(std::distance(fs::directory_iterator(root / "new"), {}) == 1);
  }
  CHECK_THROWS_WITH_AS(OutputFolder("test", (root / "new" / "a.txt").string()),
                       doctest::Contains("test: cannot write to "), FileError);
  fs::remove_all(root);
}
