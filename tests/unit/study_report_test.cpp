#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include <unistd.h>

#include <weft/data/file.h>
#include <weft/study/page.h>
#include <weft/study/report.h>

#include "error_of.h"

using namespace weft;
using namespace weft::study;
using tests::error_of;

namespace {

Run small_run() {
  Run run;
  run.study = run.title = "small";
  run.version = "0.1.0";
  run.source = "[study]";
  run.splits = 2;
  run.rows = 40;
  run.train_rows = 28;
  run.test_rows = 12;
  run.metric = "accuracy";
  run.validation_metric = "log_loss";
  run.reference = "l2";
  run.metrics = {"accuracy", "roc_auc"};
  run.modalities = {"a", "b"};
  run.classes = {"no", "yes"};
  run.class_rows = {30, 10};
  run.methods = {"l2", "gate"};
  run.kinds = {MethodKind::baseline, MethodKind::fusion};
  run.parts.kind = "stratified";
  for (std::int64_t split = 0; split < 2; ++split)
    for (const std::string& method : run.methods) {
      Record r;
      r.method = method;
      r.split = split;
      r.metrics = {0.7 + 0.05 * static_cast<double>(split), std::nan("")};
      if (method == "gate") r.validation = 0.5;
      if (method == "gate") r.weights = {0.5, 0.5, 0.25, 0.75};
      r.trust.risk.assign(20, 0.25);
      r.trust.bins.assign(10, {});
      r.trust.bins[8] = {12, 0.85, 0.75};
      r.trust.roc.assign(51, 0.5);
      r.parts = {{"sex = f", 6, 0.5, 0.5}};
      run.records.push_back(std::move(r));
    }
  return run;
}

constexpr const char* explanations =
    R"({"weft_explanations":1,"version":"0.1.0","study":"small","fusion":"gate","seed":3,
"level":0.9,"modalities":["a","b"],"classes":["no","yes"],"patients":[{"row":7,"id":"P7","label":null,"prediction":1,
"probabilities":[0.2,0.8],"set":[1],"present":[true,false],"generated":[false,true],"weights":null,"shapley":[0.25,0.05],
"base":0.5,"drop_one":[-0.25,0],"nearest":[{"row":1,"id":"P1","label":0,"distance":2.5}],
"features":{"a":[{"name":"x","value":1.5,"attribution":0.25}]},"counterfactual":{"modality":"a",
"changes":[{"name":"x","from":1.5,"to":-1}],"becomes":0}}],"groups":[],"agreement":null})";

std::string replaced(std::string s, const std::string& from, const std::string& to) {
  return s.replace(s.find(from), from.size(), to);
}

/// A folder of its own, gone at the end.
struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / text("weft-report-", getpid())).string();
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string add(const std::string& inner, const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(path + "/" + inner);
    data::write_file("test", path + "/" + inner + "/" + name, bytes);
    return path + "/" + inner;
  }
};

}  // namespace

TEST_CASE("report: the ROC curve on a grid is that of the curve's corners") {
  // Scores 0.9 0.8 0.7 0.6 of classes 1 0 1 0: up to 1/2, right to 1/2, up to 1, right to 1.
  const data::Predictions p{{1, 0, 1, 0}, {0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6}, 2};
  const std::vector<double> roc = roc_on_grid(p);
  REQUIRE(roc.size() == 51);
  CHECK(roc[0] == 0.5);
  CHECK(roc[24] == 0.5);
  CHECK(roc[25] == 1.0);
  CHECK(roc[50] == 1.0);
  CHECK(roc_on_grid({{1, 1}, {0.1, 0.9, 0.2, 0.8}, 2}).empty());
  // Of three classes that are told apart perfectly.
  const std::vector<double> best = roc_on_grid({{0, 1, 2}, {0.8, 0.1, 0.1, 0.1, 0.8, 0.1, 0.1, 0.1, 0.8}, 3});
  CHECK(best == std::vector<double>(51, 1.0));
  const Trust t = trust(p, std::nullopt, 0.25);
  CHECK(t.bins[8] == CertaintyBin{1, 0.9, 1});
  CHECK(t.bins[7] == CertaintyBin{1, 0.8, 0});
  CHECK(t.roc == roc);
}

TEST_CASE("report: results.json reads back to the same") {
  const Run run = small_run();
  const std::string json = to_json(run, summarize(run));
  const Run back = read_results(json, "results.json");
  CHECK(to_json(back, summarize(back)) == json);
  CHECK(error_of([] { read_results("{}", "a.json"); }) ==
        "FileError: report: a.json is not the results.json of a comparison, or not all of it");
  const std::string damaged =
      "FileError: report: a.json is damaged or of another version of weft\n  help: run weft compare again";
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"splits\": 2", "\"splits\": 1"},
           {"\"validation_metric\": \"log_loss\"", "\"validation_metric\": \"x\""},
           {"\"trust\"", "\"trusd\""},
           {"\"method\": \"gate\",\n   \"split\"", "\"method\": \"late\",\n   \"split\""}})
    CHECK_MESSAGE(error_of([&] { read_results(replaced(json, from, to), "a.json"); }) == damaged, from);
}

TEST_CASE("report: explanations are read, and what is damaged is refused") {
  const Explained e = read_explanations(explanations, "e.json");
  CHECK(e.level == 0.9);
  REQUIRE(e.patients.size() == 1);
  CHECK(!e.patients[0].label);
  CHECK(e.patients[0].features[0].second.name == "x");
  CHECK(e.patients[0].counterfactual->changes[0].to == -1);
  CHECK(error_of([] { read_explanations("[]", "e.json"); }) ==
        "FileError: report: e.json is not what weft explain wrote, or not all of it");
  const std::string damaged = "FileError: report: e.json is damaged\n  help: run weft explain again";
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"prediction\":1", "\"prediction\":2"},
                                                        {"[0.25,0.05]", "[0.25]"},
                                                        {"\"set\":[1]", "\"set\":[-1]"},
                                                        {"\"features\":{\"a\"", "\"features\":{\"c\""},
                                                        {"[true,false]", "[true]"},
                                                        {"\"seed\":3", "\"seed\":[]"}})
    CHECK_MESSAGE(error_of([&] { read_explanations(replaced(explanations, from, to), "e.json"); }) == damaged, from);
}

TEST_CASE("report: a page of what lies in several folders") {
  const Folder folder;
  const Run run = small_run();
  const std::string compared = folder.add("run", "results.json", to_json(run, summarize(run)));
  folder.add("run", "splits.json", R"({"weft_splits":1,"kind":"stratified","splits":[{"train":[0,1],"test":[2]}]})");
  const std::string explained = folder.add("explained", "explanations.json", explanations);
  folder.add("explained", "training.json",
             R"({"weft":"0.1.0","study":"small","fusion":"gate","seed":0,"train_rows":28,"test_rows":12,
"test":{"accuracy":{"value":0.75,"low":0.5,"high":0.9}},"curve":{"train_loss":[1,0.5],"validation_loss":[1,0.75],
"validation_score":[0.5,0.6]}})");
  const Report report = read_report({compared, explained});
  CHECK(report.splits.size() == 1);
  CHECK(report.splits[0].train == 2);
  const std::string html = html_report(report);
  for (const char* part :
       {"id=\"summary\"", "id=\"patients\"", "id=\"methods\"", "id=\"reliability\"", "id=\"parts\"", "id=\"weights\"",
        "id=\"model\"", "id=\"data\"", "id=\"origin\"", "sex = f", "75% of the rows are of class no", "not known",
        "\"bins_of\":\"test answers of this fusion\"", "[7,\"P7\",null,1,[0.2,0.8],[1],\"1g\",null,[0.25,0.05],0.5"})
    CHECK_MESSAGE(html.find(part) != std::string::npos, part);
  CHECK(html.find("id=\"robustness\"") == std::string::npos);
  CHECK(html.find("nan<") == std::string::npos);
  // Without a comparison the patients are judged by themselves, and nothing is said of methods.
  const std::string alone = html_report(read_report({explained}));
  CHECK(alone.find("id=\"methods\"") == std::string::npos);
  CHECK(alone.find("\"bins\":null") != std::string::npos);
}

TEST_CASE("report: what cannot be joined is refused") {
  const Folder folder;
  const std::string empty = folder.add("empty", "other.txt", ""),
                    one = folder.add("one", "explanations.json", explanations);
  const std::string two = folder.add("two", "explanations.json", explanations);
  const std::string other = folder.add("other", "explanations.json", replaced(explanations, "small", "large"));
  const Run run = small_run();
  folder.add("other", "results.json", to_json(run, summarize(run)));
  CHECK(error_of([] { read_report({"/nowhere"}); }) ==
        "FileError: report: there is no folder /nowhere\n  help: name folders that weft wrote results to");
  CHECK(error_of([&] { read_report({empty}); }) ==
        text("FileError: report: there is nothing to report in ", empty,
             "\n  help: run weft compare, robustness, train or explain, and name the folder of their results"));
  CHECK(error_of([&] {
          read_report({one, two});
        }) == text("ConfigError: report: ", one, "/explanations.json and ", two,
                   "/explanations.json are results of the same kind\n  help: name one of their folders"));
  CHECK(read_report({one, one}).explained.has_value());
  CHECK(error_of([&] { read_report({other}); }) ==
        text("ConfigError: report: ", other, "/results.json is of study \"small\", ", other,
             "/explanations.json of \"large\"\n  help: make a page for each study"));
  CommandOptions options;
  options.folders = {one};
  options.out = empty;
  CHECK(error_of([&] { run_report(options); }) ==
        text("FileError: report: ", empty, " is a folder\n  help: name a file with --out"));
}

TEST_CASE("report: damaged files of other commands are named") {
  const std::string again = "\n  help: run weft ";
  CHECK(error_of([] { read_training("{}", "t"); }) ==
        "FileError: report: t is not the training.json of a kept model, or not all of it");
  CHECK(error_of([] { read_training(R"({"fusion":1,"test":{}})", "t"); }) ==
        "FileError: report: t is damaged" + again + "train again");
  CHECK(error_of([] { read_split_sizes("{}", "s"); }) ==
        "FileError: report: s is not the splits.json of a comparison, or not all of it");
  for (const char* text :
       {R"({"weft_splits":1})",
        R"({"weft_splits":1,"kind":"site","splits":[{"train":[],"test":[],"name":"x"},{"train":[],"test":[]}]})"})
    CHECK(error_of([&] { read_split_sizes(text, "s"); }) ==
          "FileError: report: s is damaged" + again + "compare again");
  CHECK(error_of([] { read_robustness("{}", "r"); }) ==
        "FileError: report: r is not what weft robustness wrote, or not all of it");
  CHECK(error_of([] { read_robustness(R"({"curves":[],"protocol":{}})", "r"); }) ==
        "FileError: report: r is damaged" + again + "robustness again");
}

TEST_CASE("page: a picture without numbers is left out") {
  CHECK(figure("nothing", {{"a", {std::nan("")}, {}}}, {}).empty());
  CHECK(figure("some", {{"a", {std::nan(""), 1}, {}}}, {}).find("<figcaption>some") != std::string::npos);
}

TEST_CASE("page: shares are rounded without lying, bars go to either side") {
  CHECK(percent(0.873) == "87%");
  CHECK(percent(0.999) == ">99%");
  CHECK(percent(0.001) == "<1%");
  CHECK(percent(1) == "100%");
  CHECK(percent(0) == "0%");
  CHECK(percent(std::nan("")) == "–");
  CHECK(bar(-0.5, true).find("x=\"16.0\" width=\"16.0\"") != std::string::npos);
  CHECK(bar(2).find("x=\"0.0\" width=\"64.0\"") != std::string::npos);
}
