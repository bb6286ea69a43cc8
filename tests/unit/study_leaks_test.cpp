#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <numeric>

#include <unistd.h>

#include <weft/data/file.h>
#include <weft/study/compare.h>
#include <weft/study/network.h>
#include <weft/study/report.h>

#include "error_of.h"

using namespace weft;
using namespace weft::study;
using weft::tests::message_of;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

Study small_study(const std::string& more = {}) {
  return parse_study(
      "[study]\nname = 'small'\ntarget = 'y'\n[data]\nfile = 'x.csv'\n[[modality]]\nname = 'signal'\ncolumns = ['a']\n"
      "[[modality]]\nname = 'noise'\ncolumns = ['b', 'c']\n[encoder]\nhidden = [4]\n[fusion]\nwidth = 4\n"
      "[train]\nepochs = 4\nbatch = 8\nmetric = 'log_loss'\n[compare]\nsplits = 3\nfusions = ['late', 'mean']\n"
      "baselines = ['l2']\nreference = 'l2'\n" +
          more,
      "x.toml");
}

/// 60 rows of 20 patients with three each; column a helps to tell the class, c is a letter that says nothing.
Dataset small_dataset() {
  Dataset d;
  Generator g{5, 0};
  std::vector<double> a, b;
  std::vector<std::string> c, patient, site;
  for (int i = 0; i < 60; ++i) {
    const int y = (i / 3) % 2;
    d.labels.push_back(y);
    a.push_back(i % 7 == 0 ? none : y + 1.5 * g.uniform());
    b.push_back(g.uniform());
    c.push_back(i % 5 == 0 ? "u" : "v");
    patient.push_back(text("p", i / 3));
    site.push_back(i < 24 ? "north" : i < 42 ? "south" : "west");
    d.time.push_back(i / 2);
  }
  d.classes = {"no", "yes"};
  d.evidence.push_back({"signal", {"x.csv", {data::Column::of_numbers("a", a)}}});
  d.evidence.push_back({"noise", {"x.csv", {data::Column::of_numbers("b", b), data::Column::of_text("c", c)}}});
  const auto parting = [](const char* name, const std::vector<std::string>& values) {
    const data::Column column = data::Column::of_text(name, values);
    return Parting{name, column.codes, column.levels};
  };
  d.group = parting("patient", patient);
  d.site = parting("site", site);
  d.subgroups.push_back(parting("site", site));
  return d;
}

/// Answers by column a of what it was given; what it was given is kept for the test to see.
class Honest : public Method {
 public:
  struct Result : Fitted {
    bool statistic = false, sums_to_two = false;
    Outcome predict(const data::Modalities& x) const override {
      Outcome out;
      const double* a = x.features[0].data<double>();
      double mean = 0;
      for (std::int64_t i = 0; statistic && i < x.batch(); ++i)
        mean += (std::isnan(a[i]) ? 0 : a[i]) / static_cast<double>(x.batch());
      for (std::int64_t i = 0; i < x.batch(); ++i) {
        const double p = 1 / (1 + std::exp(-(std::isnan(a[i]) ? 0 : a[i] - mean)));
        out.probabilities.insert(out.probabilities.end(), {1 - p, sums_to_two ? 1 + p : p});
      }
      return out;
    }
  };
  explicit Honest(bool statistic = false, bool sums_to_two = false)
      : Method("honest", MethodKind::baseline), statistic_(statistic), sums_to_two_(sums_to_two) {}
  std::unique_ptr<Fitted> fit(const Task& task) const override {
    given.push_back(task.x.batch());
    CHECK(task.labels.size() == static_cast<std::size_t>(task.x.batch()));
    CHECK(task.rows.size() == task.labels.size());
    auto result = std::make_unique<Result>();
    result->statistic = statistic_;
    result->sums_to_two = sums_to_two_;
    return result;
  }
  static inline std::vector<std::int64_t> given;

 private:
  bool statistic_, sums_to_two_;
};

Methods one(bool statistic = false, bool sums_to_two = false) {
  Methods methods;
  methods.push_back(std::make_unique<Honest>(statistic, sums_to_two));
  return methods;
}

std::string refused(const Study& study, const Dataset& dataset, const CompareOptions& options = {}) {
  return message_of([&] { compare(study, dataset, one(), options); });
}

}  // namespace

TEST_CASE("leaks: a method gets the training rows and no others") {
  Honest::given.clear();
  const Run run = compare(small_study(), small_dataset(), one());
  REQUIRE(Honest::given.size() == 3);
  for (std::size_t s = 0; s < 3; ++s) {
    CHECK(Honest::given[s] == static_cast<std::int64_t>(run.parts.drawn[s].train.size()));
    CHECK(Honest::given[s] < run.rows);
  }
}

TEST_CASE("leaks: a patient on both sides of a split is refused") {
  Dataset d = small_dataset();
  CHECK(refused(small_study(), d) == "no error");
  Splits splits;
  splits.kind = "file";
  splits.drawn.resize(1);
  for (std::int64_t i = 0; i < 60; ++i) (i < 40 ? splits.drawn[0].train : splits.drawn[0].test).push_back(i);
  CHECK(refused(small_study(), d, {.parts = splits}) ==
        "x.toml: split 1: \"p13\" of \"patient\" is on both sides: row 40 trains, row 41 tests\n"
        "  help: part whole groups, or leave the given split out");
  splits.drawn[0].train.push_back(45);
  d.group.reset();
  CHECK(refused(small_study(), d, {.parts = splits}) == "x.toml: split 1: row 46 is both to train and to test on");
  d.group = small_dataset().group;
  splits.drawn[0].train = splits.drawn[0].test = {};
  for (std::int64_t i = 0; i < 60; ++i) (i < 39 ? splits.drawn[0].train : splits.drawn[0].test).push_back(i);
  CHECK(refused(small_study(), d, {.parts = splits}) == "no error");
  d.fixed = data::Split{splits.drawn[0].train, splits.drawn[0].test};
  d.fixed->test.insert(d.fixed->test.begin(), d.fixed->train.back());
  d.fixed->train.pop_back();
  CHECK(refused(small_study(), d).starts_with("x.toml: the split that comes with the data: \"p12\" of \"patient\""));
}

TEST_CASE("leaks: a row that is there twice is refused, kept together or allowed") {
  Dataset d = small_dataset();
  d.group.reset();
  const auto copy_row = [&d](std::size_t from, std::size_t to) {
    for (Evidence& e : d.evidence)
      for (data::Column& c : e.table.columns) {
        if (c.categorical)
          c.codes[to] = c.codes[from];
        else
          c.numbers[to] = c.numbers[from];
      }
  };
  CHECK(duplicate_rows(d).empty());
  for (std::size_t i = 0; i < 12; ++i) copy_row(i, 48 + i);
  // Rows 0 and 7 lack column a: that b alone agrees may be chance.
  CHECK(duplicate_rows(d).size() == 10);
  const std::string what = refused(small_study(), d);
  CHECK(what.find("are the same in everything (10 such rows in all)\n  help: name what they share as group in [split], "
                  "or set duplicates = \"together\" (or \"allow\")") != std::string::npos);
  CHECK(what.starts_with("x.toml: split 1: row "));
  CHECK(refused(small_study("[split]\nduplicates = 'allow'\n"), d) == "no error");
  const Study together_study = small_study("[split]\nduplicates = 'together'\n");
  CHECK(refused(together_study, d) == "no error");
  const std::vector<std::int64_t> groups = together(together_study, d);
  for (const std::size_t i : {1U, 2U, 3U, 4U, 5U, 6U, 8U, 9U, 10U, 11U}) CHECK(groups[i] == groups[48 + i]);
  CHECK(groups[12] != groups[13]);
  // Values that many rows share agree by chance: two answers of yes or no are no fingerprint.
  Dataset coarse = small_dataset();
  coarse.group.reset();
  for (double& v : coarse.evidence[0].table.columns[0].numbers) v = std::isnan(v) ? none : v > 1;
  for (double& v : coarse.evidence[1].table.columns[0].numbers) v = v > 0.5;
  CHECK(duplicate_rows(coarse).empty());
}

TEST_CASE("leaks: a column that is the target under another name is refused") {
  const auto with_column = [](data::Column column) {
    Dataset d = small_dataset();
    d.evidence[1].table.columns.push_back(std::move(column));
    return d;
  };
  Generator g{9, 0};
  std::vector<double> scaled, near, gaps;
  std::vector<std::string> word, id;
  const Dataset d = small_dataset();
  for (std::size_t i = 0; i < 60; ++i) {
    const auto y = static_cast<double>(d.labels[i]);
    scaled.push_back(3 - 2 * y + 0.5 * g.uniform());
    near.push_back(i == 7 ? 1 - y : y);  // wrong once: cannot be told from an excellent marker
    gaps.push_back(y > 0 ? g.uniform() : none);
    word.push_back(y > 0 ? (i % 2 ? "ill" : "very ill") : "well");
    id.push_back(text("id", i));
  }
  const std::string tail =
      " tells the class without an error: the target, or something made from it\n  help: take it out with exclude, "
      "or, if it was known before the outcome, name it under trusted in [split]";
  CHECK(refused(small_study(), with_column(data::Column::of_numbers("score", scaled))) ==
        "x.toml:9: column \"score\" of modality \"noise\"" + tail);
  CHECK(refused(small_study(), with_column(data::Column::of_text("word", word))) ==
        "x.toml:9: column \"word\" of modality \"noise\"" + tail);
  CHECK(refused(small_study(), with_column(data::Column::of_numbers("gaps", gaps)))
            .starts_with(
                "x.toml:9: column \"gaps\" of modality \"noise\" is missing exactly where the class is another"));
  CHECK(refused(small_study("[split]\ntrusted = ['sc*']\n"), with_column(data::Column::of_numbers("score", scaled))) ==
        "no error");
  CHECK(refused(small_study(), with_column(data::Column::of_numbers("near", near))) == "no error");
  CHECK(refused(small_study(), with_column(data::Column::of_text("id", id))) == "no error");
}

TEST_CASE("leaks: a preparation that has seen test rows is refused, whatever it says") {
  const Study study = small_study();
  const Dataset d = small_dataset();
  std::vector<std::int64_t> all(60);
  std::iota(all.begin(), all.end(), 0);
  const Prepare honest = [](const Dataset& dataset, std::span<const std::int64_t> rows) {
    return Preparation::fit(dataset, rows);
  };
  const Prepare on_all = [&](const Dataset& dataset, std::span<const std::int64_t>) {
    return Preparation::fit(dataset, all);
  };
  const Prepare denies = [&](const Dataset& dataset, std::span<const std::int64_t> rows) {
    Preparation p = Preparation::fit(dataset, all);
    p.rows.assign(rows.begin(), rows.end());
    return p;
  };
  CHECK(refused(study, d, {.prepare = honest}) == "no error");
  CHECK(refused(study, d, {.prepare = denies}) ==
        "compare: split 1: what is prepared for training rows in modality \"signal\" changes with the values of other "
        "rows\n  help: learn means, scales and categories from the training rows");
  CHECK(refused(study, d, {.prepare = on_all}).starts_with("compare: split 1: what is prepared for training rows"));
  const data::Split split{{0, 1, 2}, {3, 4}};
  CHECK(message_of([&] { check_preparation(Preparation::fit(d, all), split, "split 1"); }) ==
        "compare: split 1: the preparation was learned from 60 rows, of which 57 are not to train on\n"
        "  help: learn means, scales and categories from the training rows");
}

TEST_CASE("leaks: answers that depend on the other test rows, or are none, are refused") {
  CHECK(message_of([] {
          compare(small_study(), small_dataset(), one(true));
        }).starts_with("compare: honest: the answer for test row 1 is another when it is asked about alone: "));
  CHECK(message_of([] { compare(small_study(), small_dataset(), one(false, true)); }) ==
        "compare: honest: the probabilities of test row 1 sum to 2");
}

TEST_CASE("splits: whole groups, sites and spans of time, on both sides and within training rows") {
  const Dataset d = small_dataset();
  const Splits grouped = make_splits(small_study("[split]\ngroup = 'patient'\n"), d, 3, 4);
  CHECK(grouped.drawn.size() == 3);
  for (const data::Split& s : grouped.drawn) {
    CHECK(s.train.size() + s.test.size() == 60);
    for (const std::int64_t i : s.train)
      for (const std::int64_t j : s.test)
        CHECK(d.group->code[static_cast<std::size_t>(i)] != d.group->code[static_cast<std::size_t>(j)]);
  }
  const Splits by_site = make_splits(small_study("[split]\nsite = 'site'\n"), d, 3, 4);
  CHECK(by_site.names == std::vector<std::string>{"north", "south", "west"});
  CHECK(by_site.drawn[1].test.front() == 24);
  CHECK(by_site.drawn[1].test.size() == 18);
  const Splits by_time = make_splits(small_study("[split]\ntime = 'time'\n"), d, 3, 4);
  REQUIRE(by_time.drawn.size() == 3);
  std::size_t tested = 0;
  for (const data::Split& s : by_time.drawn) {
    tested += s.test.size();
    CHECK(d.time[static_cast<std::size_t>(s.train.back())] < d.time[static_cast<std::size_t>(s.test.front())]);
  }
  CHECK(tested == 18);
  CHECK(message_of([&] { make_splits(small_study("[split]\ntime = 'time'\n"), d, 30, 4); })
            .starts_with(
                "x.toml:25: split: 18 rows at the end, too many of them of one moment, do not part into 30 spans"));

  // Inner folds: a network, and a baseline that chooses its penalty, run with groups; more folds than groups do not.
  const Run run = compare(small_study("[split]\ngroup = 'patient'\n"), d, make_fusions(small_study()));
  CHECK(run.parts.kind == "grouped");
  Study folds = small_study("[split]\ngroup = 'patient'\n");
  folds.train.folds = 19;
  CHECK(message_of([&] { compare(folds, d, make_fusions(folds)); }).starts_with("group_k_fold: "));
}

TEST_CASE("splits: kept, read again, and only for the data that they are of") {
  Dataset d = small_dataset();
  d.fixed = data::Split{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}};
  const Splits splits = make_splits(small_study("[split]\ngroup = 'patient'\n"), d, 3, 4);
  const std::string json = splits.to_json(checksum(d));
  const Splits again = parse_splits(json, "s.json", d);
  CHECK(again.to_json(checksum(d)) == json);
  REQUIRE(again.given);
  CHECK(again.given->test == d.fixed->test);

  const std::string path = (std::filesystem::temp_directory_path() / text("weft-splits-", getpid())).string();
  data::write_file("test", path, json);
  const Run run = compare(small_study("[split]\nfile = '" + path + "'\n"), d, one(), {.seed = 77});
  CHECK(run.parts.to_json(run.data_checksum) == json);
  std::filesystem::remove(path);

  const auto with = [&](const std::string& from, const std::string& to) {
    std::string s = json;
    return s.replace(s.find(from), from.size(), to);
  };
  const auto reads = [&](const std::string& s) { return message_of([&] { parse_splits(s, "s.json", d); }); };
  CHECK(reads(json.substr(0, 100)) == "splits: s.json is not a file of splits, or not all of it");
  CHECK(reads("{\"weft_splits\":1}") == "splits: s.json is damaged");
  CHECK(reads(with("\"given\":{\"train\":[0,", "\"given\":{\"train\":[6,")) ==
        "splits: s.json is damaged: row 6 is there twice");
  CHECK(reads(with("\"given\":{\"train\":[0,", "\"given\":{\"train\":[60,")) ==
        "splits: s.json is damaged: row 60 of 60");
  d.labels[0] = 1;
  CHECK(reads(json) ==
        "splits: s.json was written for other data than the study reads now\n"
        "  help: give it the same files, modalities and rows, or draw new splits");
}

TEST_CASE("reliability: a fit's temperature, its errors by coverage, its parts, and corrected p-values") {
  Dataset d = small_dataset();
  d.group.reset();
  const Study study = small_study();
  Methods methods = make_baselines(study);
  for (auto& fusion : make_fusions(study)) methods.push_back(std::move(fusion));
  const Run run = compare(study, d, methods);
  for (const Record& r : run.records) {
    CHECK(r.trust.temperature.has_value());
    CHECK(r.trust.scaled_calibration_error.has_value());
    REQUIRE(r.trust.risk.size() == 20);
    CHECK(r.trust.referred_risk == r.trust.risk[15]);
    CHECK(1 - r.trust.risk.back() == doctest::Approx(r.metrics[1]));  // accuracy
    std::int64_t by_site = 0, by_pattern = 0;
    for (const Part& p : r.parts) (p.name.starts_with("site = ") ? by_site : by_pattern) += p.rows;
    CHECK(by_site == 18);
    CHECK(by_pattern == 18);
  }
  const Findings findings = summarize(run);
  REQUIRE(findings.against.size() == 2);
  CHECK(findings.against[0].method == "late");
  for (const Against& a : findings.against) {
    CHECK(a.holm >= a.comparison.p_value);
    CHECK(a.benjamini_hochberg >= a.comparison.p_value);
    CHECK(a.benjamini_hochberg <= a.holm);
  }
  const Summary& chosen = findings.rows.back();
  CHECK(std::isfinite(chosen.scaled_calibration_error.estimate));
  std::vector<std::string> names;
  for (const Part& p : chosen.parts) names.push_back(p.name);
  CHECK(names ==
        std::vector<std::string>{"site = north", "site = south", "site = west", "has noise", "has signal + noise"});
  const std::string html = html_report(run, findings), plain = text_report(run, findings, show::Style{});
  CHECK(html.find("site = south") != std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  CHECK(plain.find("Benjamini-Hochberg") != std::string::npos);
  CHECK(plain.find("20% referred") != std::string::npos);
}

TEST_CASE("compare: seeds and a bootstrap interval on the split that comes with the data") {
  Dataset d = small_dataset();
  d.fixed = data::Split{{}, {}};
  for (std::int64_t i = 0; i < 60; ++i) (i < 42 ? d.fixed->train : d.fixed->test).push_back(i);
  Study study = small_study();
  study.compare.given_seeds = 3;
  Methods methods = make_baselines(study);
  for (auto& fusion : make_fusions(study)) methods.push_back(std::move(fusion));
  const Run run = compare(study, d, methods);
  const auto given = [&](const char* method) {
    return std::ranges::count_if(run.records, [&](const Record& r) { return r.split < 0 && r.method == method; });
  };
  CHECK(given("late") == 3);
  CHECK(given("l2") == 1);
  CHECK(run.records.size() == static_cast<std::size_t>(1 + 2 + 2 * 3 + 3 * (1 + 2 + 2)));
  for (const Record& r : run.records) {
    CHECK(r.interval.has_value() == (r.split < 0));
    if (r.interval) CHECK((r.interval->low <= r.metrics[0] && r.metrics[0] <= r.interval->high));
  }
  const Findings findings = summarize(run);
  for (const Summary& row : findings.rows) {
    REQUIRE(row.fixed);
    CHECK(row.fixed->low <= row.fixed->high);
    if (row.kind != MethodKind::fusion) CHECK(row.fixed_deviation == 0);
  }
}

TEST_CASE("splits: parts that lack what training or the metric needs") {
  const Dataset d = small_dataset();
  const Study study = small_study();
  Splits splits;
  splits.kind = "file";
  splits.drawn.resize(1);
  for (std::int64_t i = 0; i < 60; ++i)  // tests class 0 only
    (d.labels[static_cast<std::size_t>(i)] || i < 30 ? splits.drawn[0].train : splits.drawn[0].test).push_back(i);
  const std::string what = message_of([&] { check_splits(study, d, splits); });
  CHECK(what.starts_with("x.toml:20: split 1: roc_auc: all 15 labels are 0, "));
  CHECK(what.ends_with("\n  help: choose a metric that does without, say balanced_accuracy or log_loss"));
  splits.names = {"north"};
  splits.drawn[0] = {};
  for (std::int64_t i = 0; i < 60; ++i)  // one row of class 1 is left to train on
    (!d.labels[static_cast<std::size_t>(i)] || i == 3 ? splits.drawn[0].train : splits.drawn[0].test).push_back(i);
  CHECK(
      message_of([&] { check_splits(study, d, splits); }) ==
      "x.toml:3: of the 30 rows of class \"yes\", 1 would be to train on in split \"north\"; to train and to validate "
      "takes 2\n  help: leave its rows out by leave_out in [study], or join it to another");
}

TEST_CASE("reliability: temperature from held-out rows mends overconfidence") {
  data::Predictions held_out, test;
  held_out.classes = test.classes = 2;
  Generator g{3, 0};
  for (data::Predictions* p : {&held_out, &test})
    for (int i = 0; i < 20000; ++i) {
      const double logit = 2 * g.normal();
      const double truth = 1 / (1 + std::exp(-logit)), said = 1 / (1 + std::exp(-3 * logit));
      p->labels.push_back(g.uniform() < truth);
      p->probabilities.insert(p->probabilities.end(), {1 - said, said});
    }
  const Trust t = trust(test, held_out, 0.2);
  REQUIRE(t.temperature);
  CHECK(*t.temperature == doctest::Approx(3).epsilon(0.2));
  CHECK(*t.scaled_calibration_error < 0.06);
  CHECK(t.calibration_error > *t.scaled_calibration_error + 0.02);
  CHECK(t.risk[3] < t.risk.back());
  CHECK(t.referred_risk == t.risk[15]);
}

TEST_CASE("selection: settings by validation score within training rows") {
  const Study study = small_study("[select]\nlr = [0.0001, 0.01]\nwidth = [2, 8]\n");
  const Dataset d = small_dataset();
  const Run run = compare(study, d, make_fusions(study));
  std::vector<double> best(run.records.size(), 1e9);
  for (const double lr : {0.0001, 0.01})
    for (const double width : {2, 8}) {
      Study one_setting = small_study();
      set_selectable(one_setting, "lr", lr);
      set_selectable(one_setting, "width", width);
      const Run alone = compare(one_setting, d, make_fusions(one_setting));
      for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], *alone.records[i].validation);
    }
  for (std::size_t i = 0; i < best.size(); ++i) {
    CHECK(*run.records[i].validation == best[i]);
    REQUIRE(run.records[i].selected.size() == 2);
    CHECK(run.records[i].selected[0].first == "lr");
    CHECK(run.records[i].selected[1].first == "width");
  }
  CHECK(to_json(run, summarize(run)).find("\"selected\"") != std::string::npos);
  // Other test rows, the same choice: it owes nothing to them.
  Dataset other = d;
  for (const std::int64_t i : run.parts.drawn[0].test)
    other.evidence[1].table.columns[0].numbers[static_cast<std::size_t>(i)] += 100;
  const Run again = compare(study, other, make_fusions(study), {.parts = run.parts});
  for (std::size_t i = 0; i < run.records.size(); ++i)
    if (run.records[i].split == 0) {
      CHECK(run.records[i].selected == again.records[i].selected);
      CHECK(run.records[i].validation == again.records[i].validation);
    }
}

TEST_CASE("committee: the mean of what its fusions say, and judged by the mean of their held-out answers") {
  Study study = small_study();
  study.compare.committee = true;
  const Dataset d = small_dataset();
  const Run run = compare(study, d, make_fusions(study));
  CHECK(run.methods.back() == "committee");
  const data::Modalities x = Preparation::fit(d, run.parts.drawn[0].train).apply(d).rows(run.parts.drawn[0].train);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.batch())), labels;
  std::iota(rows.begin(), rows.end(), 0);
  for (const std::int64_t i : run.parts.drawn[0].train) labels.push_back(d.labels[static_cast<std::size_t>(i)]);
  const Task task{x, labels, 2, rows, data::metric("log_loss"), 7};
  const Methods methods = make_fusions(study);
  std::vector<double> mean(labels.size() * 2, 0.0);
  for (const auto& method : methods) {
    if (method->kind != MethodKind::fusion) continue;
    const auto said = method->fit(task)->predict(x).probabilities;
    for (std::size_t i = 0; i < mean.size(); ++i)
      if (method->name == "committee")
        CHECK(said[i] == doctest::Approx(mean[i] / 2));
      else
        mean[i] += said[i];
  }
  std::map<std::string, double> loss;
  for (const Record& r : run.records)
    if (r.split == 0) loss[r.method] = *r.validation;
  CHECK(loss["committee"] <= (loss["late"] + loss["mean"]) / 2);  // the log-loss is convex
}

TEST_CASE("study file: splits, selection and readers") {
  const auto wrong = [](const std::string& more) { return message_of([&] { small_study(more); }); };
  CHECK(small_study("[split]\ngroup = 'patient'\n").split.kind == "grouped");
  CHECK(small_study("[split]\nsite = 'site'\n").split.kind == "site");
  CHECK(small_study("[split]\nfile = 'r/splits.json'\n").split.file == "r/splits.json");
  CHECK(wrong("[split]\nkind = 'grouped'\n") == "x.toml:26: [split] is of kind \"grouped\", but names no group");
  CHECK(wrong("[split]\nkind = 'stratified'\ngroup = 'patient'\n")
            .starts_with("x.toml:26: [split] is of kind \"stratified\", which would tear the groups that it names "
                         "apart\n  help: "));
  CHECK(wrong("[split]\ngroup = ['a', 'b']\n") == "x.toml:26: \"group\" names 2 columns, not one");
  CHECK(wrong("[select]\nlr = []\n") == "x.toml:26: \"lr\" in [select] has no values");
  CHECK(wrong("[select]\nlrr = [1]\n") == "x.toml:26: unknown key \"lrr\" in [select]; the closest name is \"lr\"");
  CHECK(wrong("[select]\nwidth = [2.5]\n") ==
        "x.toml:25: \"width\" in [select] is 2.5, not a whole number from 1 to 65536");
  CHECK(wrong("[select]\nlr = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nl1 = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
              "width = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n") ==
        "x.toml:25: [select] has 1100 combinations, more than 1000");
  Study study = small_study();
  CHECK(message_of([&] { set_selectable(study, "widht", 1); }) ==
        "select: there is no setting \"widht\"; the closest name is \"width\"");
  study.fusion.heads = 4;
  CHECK(message_of([&] { set_selectable(study, "width", 6); }) ==
        "x.toml: [select] tries width 6, which is not a multiple of heads 4");
}
