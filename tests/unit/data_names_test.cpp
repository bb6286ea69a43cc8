#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <weft/data/file.h>
#include <weft/tensor/error.h>
#include <weft/tensor/names.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;

TEST_CASE("data names: edit distance counts replacements, insertions and swaps, without case") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("gaet", "gate") == 1);
  CHECK(edit_distance("Tau", "tau") == 0);
  CHECK(edit_distance("ca", "abc") == 3);
}

TEST_CASE("data names: the nearest name, first of equals") {
  const std::vector<std::string> have = {"accuracy", "f1_macro", "f1_micro"};
  CHECK(nearest("acuracy", have) == "accuracy");
  CHECK(nearest("f1_mxcro", have) == "f1_macro");
  CHECK(nearest("x", {}) == "");
  CHECK(closest("f1", have) == "; the closest name is \"f1_macro\"");
  CHECK(closest("f1", {}) == "; there is none");
}

TEST_CASE("data names: patterns") {
  CHECK(matches("IL_*", "IL_6"));
  CHECK(matches("*", ""));
  CHECK(matches("a*b*c", "aXXbYbc"));
  CHECK(matches("?_1", "x_1"));
  CHECK_FALSE(matches("IL_*", "il_6"));
  CHECK_FALSE(matches("?", ""));
  CHECK_FALSE(matches("a*b", "abc"));
  std::string stars(60, '*');
  stars += 'x';
  CHECK_FALSE(matches(stars, std::string(2000, 'a')));  // must not take exponential time
}

TEST_CASE("data file: reading and writing whole files") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.bin";
  const std::string bytes("\0\xff\n x", 5);
  write_file("test", path, bytes);
  CHECK(read_file("test", path) == bytes);
  write_file("test", path, "new");
  CHECK(read_file("test", path) == "new");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 1);  // no part file is left
}

TEST_CASE("data file: errors name the file and the reason, and leave nothing half-written") {
  const TemporaryFolder folder;
  CHECK(message<FileError>([&] { read_file("test", folder / "none"); }) ==
        "test: cannot open " + (folder / "none") + ": No such file or directory");
  CHECK(contains(message<FileError>([&] { read_file("test", folder / ""); }), "is a folder, not a file"));
  CHECK(message<FileError>([&] { write_file("test", folder / "no/such/place", "x"); }) ==
        "test: cannot write " + (folder / "no/such/place") + ": No such file or directory");
  std::filesystem::create_directory(folder / "taken");
  CHECK(contains(message<FileError>([&] { write_file("test", folder / "taken", "x"); }), "cannot write"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 1);
}
