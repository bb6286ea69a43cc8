#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include <unistd.h>

#include <weft/autograd/ops.h>
#include <weft/data/file.h>
#include <weft/data/npy.h>
#include <weft/study/dataset.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::study;
using weft::tests::message_of;

namespace {

/// A folder with a table of six rows and arrays of the same rows.
struct Files {
  std::string path = (std::filesystem::temp_directory_path() / text("weft-dataset-", getpid())).string();
  Files() {
    std::filesystem::create_directories(path);
    data::write_file("test", file("x.csv"),
                     "age,chol,who,event,months,split\n30,0,a,1,5,train\n40,200,a,0,30,train\n50,210,b,0,9,train\n"
                     "60,220,b,1,40,test\n70,230,c,0,24,test\n20,240,c,,2,test\n");
    data::save_npy(
        file("image.npy"),
        reshape(from(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 1, 1, 1, 1, -9, 2, 2, 90, 3, 3, 3, 3}),
                {6, 2, 2}));
    data::save_npy(file("y.npy"), from(std::vector<double>{0, 1, 0, 1, 2, 1}));
    data::save_npz(file("more.npz"), {{"rr", from(std::vector<double>{1, 2, 3, 4, 5, 6})}});
  }
  ~Files() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return (std::filesystem::path(path) / name).string(); }

  Study study(const std::string& head, const std::string& more = {}, const std::string& image = {}) const {
    return parse_study("[study]\nname = 's'\n" + head + "\n[data]\nfolder = '" + path +
                           "'\nfile = 'x.csv'\nsplit_column = 'split'\n[[modality]]\nname = 'image'\n"
                           "file = 'image.npy'\n" +
                           image +
                           "[[modality]]\nname = 'table'\ncolumns = ['age', 'chol']\nzero_missing = ['ch*']\n"
                           "[[modality]]\nname = 'rhythm'\nfile = 'more.npz:rr'\n" +
                           more,
                       "x.toml");
  }
};

}  // namespace

TEST_CASE("data sets: a table and arrays side by side, classes left out, values that stand for gaps") {
  const Files files;
  const Dataset d = load_dataset(files.study("target = 'y.npy'\nleave_out = ['2']",
                                             "[split]\ngroup = 'who'\n[compare]\nsubgroups = ['who', 'more.npz:rr']\n",
                                             "clip = [-5, 5]\n"));
  CHECK(d.labels == std::vector<std::int64_t>{0, 1, 0, 1, 1});
  REQUIRE(d.evidence.size() == 3);
  CHECK(d.evidence[0].name == "image");
  REQUIRE(d.evidence[0].table.columns.size() == 4);
  CHECK(d.evidence[0].table.columns[3].numbers == std::vector<double>{4, 5, 0, 1, 3});  // 8 is clipped to 5
  CHECK(std::isnan(d.evidence[1].table.columns[1].numbers[0]));
  CHECK(d.evidence[1].table.columns[0].numbers == std::vector<double>{30, 40, 50, 60, 20});
  CHECK(d.evidence[2].table.columns[0].numbers == std::vector<double>{1, 2, 3, 4, 6});
  REQUIRE(d.fixed);
  CHECK(d.fixed->train == std::vector<std::int64_t>{0, 1, 2});
  CHECK(d.fixed->test == std::vector<std::int64_t>{3, 4});  // rows 3 and 5 of the file
  REQUIRE(d.group);
  CHECK(d.group->code == std::vector<std::int64_t>{0, 0, 1, 1, 2});
  REQUIRE(d.subgroups.size() == 2);
  CHECK(d.subgroups[1].code.size() == 5);

  const Dataset logs = load_dataset(files.study("target = 'y.npy'", "", "clip = [0, 7]\nlog = true\n"));
  CHECK(logs.evidence[0].table.columns[0].numbers[0] == 1);
  CHECK(logs.evidence[0].table.columns[3].numbers[4] == 3);
}

TEST_CASE("data sets: an event by a horizon") {
  const Files files;
  // Died at 5; seen at 30; last seen alive at 9: left out; died after the horizon; seen at it; nobody knows: left out.
  const Dataset d = load_dataset(files.study("target = 'event'\nfollow_up = 'months'\nhorizon = 24"));
  CHECK(d.labels == std::vector<std::int64_t>{1, 0, 0, 0});
  CHECK(d.classes == std::vector<std::string>{"0", "1"});
  CHECK(d.evidence[1].table.columns[0].numbers == std::vector<double>{30, 40, 60, 70});
}

TEST_CASE("data sets: how good a modality of each row is") {
  const Files files;
  const auto save = [&](const char* name, const std::vector<double>& values) {
    data::save_npy(files.file(name), from(values));
  };
  save("q.npy", {0.5, 1, 0, 0.25, 0.75, 1});
  const std::string head = "target = 'y.npy'\nleave_out = ['2']", of_rhythm = "quality = 'event'\n";
  const Study study = files.study(head, of_rhythm, "quality = 'q.npy'\n");
  const Dataset d = load_dataset(study);
  CHECK(d.evidence[0].quality.numbers == std::vector<double>{0.5, 1, 0, 0.25, 1});
  CHECK(d.evidence[1].quality.numbers.empty());
  CHECK(d.evidence[2].quality.numbers == std::vector<double>{1, 0, 0, 1, 1});  // the last one is missing
  const std::vector<std::int64_t> train = {0, 1, 2}, test = {3, 4};
  const Preparation preparation = Preparation::fit(d, train);
  const data::Modalities x = preparation.apply(d).rows(test);
  REQUIRE(x.quality.shape() == Shape{2, 3});
  CHECK(to_vector<double>(x.quality) == std::vector<double>{0.25, 1, 1, 1, 1, 1});
  const Dataset without = load_dataset(files.study(head));
  CHECK_FALSE(preparation.apply(without).quality.defined());
  CHECK(checksum(without) != checksum(d));

  data::write_file("test", files.file("new.csv"), "age,chol,event\n50,210,0.5\n");
  data::write_file("test", files.file("none.csv"), "age,chol\n50,210\n");
  data::save_npy(files.file("picture.npy"), ones({1, 2, 2}, DType::float64));
  save("beat.npy", {3});
  save("good.npy", {0.125});
  save("bad.npy", {-0.5});
  const auto ask = [&](const char* csv, const std::vector<std::pair<std::string, std::string>>& qualities) {
    NewRows rows{files.file(csv), {{"image", files.file("picture.npy")}, {"rhythm", files.file("beat.npy")}}};
    for (const auto& [name, file] : qualities) rows.qualities.emplace_back(name, files.file(file));
    return load_rows("predict", study, rows, preparation, d.classes);
  };
  const data::Modalities fresh = preparation.apply(ask("new.csv", {{"image", "good.npy"}}));
  CHECK(to_vector<double>(fresh.quality) == std::vector<double>{0.125, 1, 0.5});
  const auto refused = [&](const char* csv, const std::vector<std::pair<std::string, std::string>>& qualities) {
    return message_of([&] { ask(csv, qualities); });
  };
  CHECK(refused("new.csv", {}) ==
        "predict: the quality of modality \"image\" is read from NPY files\n"
        "  help: give that of its rows by --quality \"image=FILE.npy\"");
  CHECK(refused("new.csv", {{"image", "good.npy"}, {"table", "good.npy"}}) ==
        "predict: the study reads no quality of modality \"table\" from a file");
  CHECK(refused("new.csv", {{"imagee", "good.npy"}}) ==
        "predict: there is no modality \"imagee\"; the closest name is \"image\"");
  CHECK(refused("new.csv", {{"image", "bad.npy"}}) ==
        "predict: the quality \"bad\" of modality \"image\" is -0.5 in row 1\n"
        "  help: bring it to a scale from 0 to 1");
  CHECK(refused("none.csv", {{"image", "good.npy"}})
            .starts_with("predict: table: " + files.file("none.csv") + " has no column \"event\""));

  const auto wrong = [&](const std::string& image) {
    return message_of([&] { load_dataset(files.study(head, of_rhythm, image)); });
  };
  CHECK(wrong("quality = 'more.npz:rr'\n") ==
        "x.toml:12: the quality \"more\" of modality \"image\" is 2 in row 2\n  help: bring it to a scale from 0 to 1");
  CHECK(wrong("quality = 'who'\n") ==
        "x.toml:12: the quality \"who\" of modality \"image\" holds text, not numbers from 0 to 1");
  CHECK(wrong("quality = 'nowhere'\n").starts_with("x.toml:12: table: " + files.file("x.csv") + " has no column"));
  CHECK(wrong("quality = 'image.npy'\n") == "x.toml:12: " + files.file("image.npy") + " has 4 columns, not one");
  CHECK(wrong("quality = 'beat.npy'\n") == "x.toml:12: " + files.file("beat.npy") + " has 1 rows, the others 6");
  CHECK(wrong("quality = ['age', 'chol']\n") == "x.toml:12: \"quality\" names 2 columns, not one");
}

TEST_CASE("data sets: what does not fit") {
  const Files files;
  const auto wrong = [&](const std::string& head, const std::string& more = {}, const std::string& image = {}) {
    return message_of([&] { load_dataset(files.study(head, more, image)); });
  };
  CHECK(wrong("target = 'event'") ==
        "x.toml:3: the target is missing in row 6\n"
        "  help: leave such rows out by leave_out = [\"\"] in [study]");
  CHECK(wrong("target = 'event'\nleave_out = ['']").find("no error") == 0);
  CHECK(wrong("target = 'y.npy'\nleave_out = ['0', '1', '2']") == "x.toml:3: all 6 rows are left out");
  CHECK(wrong("target = 'more.npz:rrr'") ==
        "x.toml:3: " + files.file("more.npz") + " has no array \"rrr\"; the closest name is \"rr\"");
  CHECK(wrong("target = 'image.npy'") == "x.toml:3: the target has 4 columns");
  CHECK(wrong("target = 'months'\nfollow_up = 'months'\nhorizon = 24") ==
        "x.toml:3: event \"months\" is 5 in row 1, not 0 or 1");
  CHECK(wrong("target = 'who'\nfollow_up = 'months'\nhorizon = 24") ==
        "x.toml:3: \"who\" holds text; events are 0 or 1 and their times numbers");
  CHECK(wrong("target = 'event'\nhorizon = 24") == "x.toml:1: follow_up and horizon in [study] go together");
  CHECK(wrong("target = 'y.npy'", "[split]\ntime = 'who'\n") == "x.toml:18: the time \"who\" is no number in row 1");
  CHECK(wrong("target = 'y.npy'", "[split]\ngroup = 'event'\n") ==
        "x.toml:18: the group \"event\" is missing in row 6\n  help: give each row without one a group of its own");
  CHECK(wrong("target = 'y.npy'", "[split]\ngroup = 'image.npy'\n") ==
        "x.toml:18: " + files.file("image.npy") + " has 4 columns, not one");
  CHECK(wrong("target = 'y.npy'", "", "log = true\n") ==
        "x.toml:8: modality \"image\" has -9 in \"feature_1\", which has no log2(1 + x)");
  CHECK(wrong("target = 'y.npy'", "", "clip = [3]\n") ==
        "x.toml:11: \"clip\" in [[modality]] takes the least and the largest value");
  data::save_npy(files.file("y.npy"), from(std::vector<double>{0, 1, 0}));
  CHECK(wrong("target = 'y.npy'") == "x.toml:3: the target has 3 rows, " + files.file("x.csv") + " has 6");
}
