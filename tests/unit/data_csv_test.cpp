#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/data/csv.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Names = std::vector<std::string>;

namespace {

Table parse(std::string_view s, const CsvOptions& options = {}) { return parse_csv(s, "f.csv", options); }
std::string complaint(std::string_view s, const CsvOptions& options = {}) {
  return message<FileError>([&] { parse(s, options); });
}

}  // namespace

TEST_CASE("csv: numbers, categories and missing values") {
  const Table t = parse("age,sex,tau\n71,male,5.5\nNA,female, -1e2 \n 68 ,?,\n");
  CHECK(t.names() == Names{"age", "sex", "tau"});
  CHECK(t.rows() == 3);
  CHECK_FALSE(t.at("age").categorical);
  CHECK(t.at("age").numbers[0] == 71);
  CHECK(std::isnan(t.at("age").numbers[1]));
  CHECK(t.at("age").numbers[2] == 68);
  CHECK(t.at("sex").levels == Names{"female", "male"});
  CHECK(t.at("sex").codes == std::vector<std::int64_t>{1, 0, -1});
  CHECK(t.at("sex").missing(2));
  CHECK(t.at("tau").numbers[1] == -100);
  CHECK(t.at("tau").missing(2));
}

TEST_CASE("csv: quoting, line ends, UTF-8 mark, delimiters") {
  const Table u = parse("\xEF\xBB\xBFname;note\r\n\"a;b\";\"two\nlines \"\"so\"\"\"\r\n\"\"\"\";x", {.delimiter = ';'});
  CHECK(u.names() == Names{"name", "note"});
  CHECK(u.at("name").levels == Names{"\"", "a;b"});
  CHECK(u.at("note").levels == Names{"two\nlines \"so\"", "x"});
  CHECK(parse("a\rb\r").rows() == 1);
  CHECK(parse("a,b\n1,\n").at("b").missing(0));
  CHECK(parse("a,b\n1,").at("b").missing(0));
  CHECK(parse("a,b\n\n1,2\n\r\n3,4\n\n").rows() == 2);
  CHECK(parse("a\n\"\"\n1\n").rows() == 2);  // a quoted nothing is a value, a blank line is not
  CHECK(parse("a\tb\n5\" tube\tx\n", {.delimiter = '\t', .quote = '\0'}).at("a").levels == Names{"5\" tube"});
  CHECK(parse("a\n5\" tube\n").at("a").levels == Names{"5\" tube"});
}

TEST_CASE("csv: names") {
  CHECK(parse("1,2\n3,4\n", {.header = false}).names() == Names{"column_1", "column_2"});
  CHECK(parse("1,2\n3,4\n", {.header = false}).rows() == 2);
  CHECK(parse(", age \n0,5\n").names() == Names{"column_1", "age"});
  CHECK(parse("a,b\n").rows() == 0);
}

TEST_CASE("csv: declared kinds and missing words") {
  CHECK(parse("site\n1\n2\n", {.categorical = {"s*"}}).at("site").levels == Names{"1", "2"});
  CHECK(parse("a\n-9\n3\n", {.missing = {"-9"}}).at("a").missing(0));
  CHECK(parse("a\nNA\nx\n", {.missing = {}}).at("a").levels == Names{"NA", "x"});
  CHECK(parse("a\nna\n Null \n1\n").at("a").missing(1));
  CHECK(complaint("a,b\n1,2\n1,\"x\ny\"\n1,3\n", {.numeric = {"b"}}) ==
        "csv: f.csv:3: column \"b\" holds \"x\ny\", which is not a number");
  CHECK(complaint("a\n1\nabc\n", {.numeric = {"a"}}) ==
        "csv: f.csv:3: column \"a\" holds \"abc\", which is not a number");
}

TEST_CASE("csv: what is a number and what is not") {
  for (const char* s : {"1", "+1", "-.5", "1e5", "1E-5", " 2\t", "inf", "1e400", "1e-400"})
    CHECK_MESSAGE(!parse(std::string("a\n") + s + "\n").at("a").categorical, std::string(s));
  for (const char* s : {"1,5", "0x10", "+-1", "1.2.3", "12 3", "e5", "+", "1f"})
    CHECK_MESSAGE(parse(std::string("a\n\"") + s + "\"\n").at("a").categorical, std::string(s));
  CHECK(parse("a\n-1e400\n").at("a").numbers[0] == -std::numeric_limits<double>::infinity());
  CHECK(parse("a\n1e-400\n").at("a").numbers[0] == 0);
}

TEST_CASE("csv: decimal commas, and lines above the table") {
  const Table t = parse("from the laboratory\r\n2024\na;b;c\n1,5;-2,5e1;1.5\n2;,5;2\n",
                        {.delimiter = ';', .decimal = ',', .skip_lines = 2});
  CHECK(t.names() == Names{"a", "b", "c"});
  CHECK(t.at("a").numbers == std::vector<double>{1.5, 2});
  CHECK(t.at("b").numbers == std::vector<double>{-25, 0.5});
  CHECK(t.at("c").categorical);  // a point is no decimal mark here
  CHECK(complaint("title\na,b\n1\n", {.skip_lines = 1}) == "csv: f.csv:3: 1 field, the header has 2");
  CHECK(complaint("title\n", {.skip_lines = 9}) == "csv: f.csv is empty");
  CHECK(message<ConfigError>([] { parse("a\n", {.decimal = ','}); }) ==
        "csv: the decimal mark cannot be ','\n  help: choose . or , and another delimiter");
  CHECK(
      message<ConfigError>([] { parse("a\n", {.decimal = '-'}); }).starts_with("csv: the decimal mark cannot be '-'"));
}

TEST_CASE("csv: damaged files are named with their line") {
  CHECK(complaint("a,b,c\n1,2,3\n\"x\ny\",2,3\n4,5\n") == "csv: f.csv:5: 2 fields, the header has 3");
  CHECK(complaint("a,b\n1\n") == "csv: f.csv:2: 1 field, the header has 2");
  CHECK(complaint("1,2\n1,2,3\n", {.header = false}) == "csv: f.csv:2: 3 fields, the first row has 2");
  CHECK(complaint("a,b\n1,2\n3,\"x\n4,5\n") == "csv: f.csv:3: the quote opened in field 2 is never closed");
  CHECK(complaint("a,b\n\"1\"2,3\n") ==
        "csv: f.csv:2: text follows the closing quote of field 1\n  help: double the quotes inside a quoted field");
  CHECK(complaint("a,b,a\n1,2,3\n") == "csv: f.csv:1: two columns are called \"a\"");
  CHECK(complaint("") == "csv: f.csv is empty");
  CHECK(complaint("\n\n") == "csv: f.csv is empty");
  CHECK(complaint("\xFF\xFE"
                  "a") == "csv: f.csv is UTF-16\n  help: save it as UTF-8");
  CHECK(message<ConfigError>([] { parse("age\n1\n", {.categorical = {"aeg"}}); }) ==
        "csv: f.csv has no column \"aeg\"; the closest name is \"age\"");
  CHECK(message<ConfigError>([] { parse("a\n", {.delimiter = '"'}); }) ==
        "csv: the delimiter cannot be a line end, a zero byte or the quote");
  CHECK(message<FileError>([] { read_csv("/no/such.csv"); }) ==
        "csv: cannot open /no/such.csv: No such file or directory");
}

TEST_CASE("table: columns by pattern") {
  const Table t = parse("IL_6,IL_8,age,Class\n1,2,3,x\n");
  CHECK(t.match(Names{"IL_*", "age"}) == std::vector<std::size_t>{0, 1, 2});
  CHECK(t.match(Names{"*", "!Class"}) == std::vector<std::size_t>{0, 1, 2});
  CHECK(t.match(Names{"!IL_*"}) == std::vector<std::size_t>{2, 3});
  CHECK(t.match(Names{}).empty());
  CHECK(t.select(Names{"IL_8"}).names() == Names{"IL_8"});
  CHECK(to_vector<double>(t.matrix(Names{"IL_8", "age"})) == std::vector<double>{2, 3});
  CHECK(message<ConfigError>([&] { t.match(Names{"agee"}); }) ==
        "table: f.csv has no column \"agee\"; the closest name is \"age\"");
  CHECK(message<ConfigError>([&] {
          t.match(Names{"*", "!class"});
        }) == "table: f.csv has no column \"class\"; the closest name is \"Class\"");
  CHECK(message<ConfigError>([&] { t.at("IL6"); }) ==
        "table: f.csv has no column \"IL6\"; the closest name is \"IL_6\"");
  CHECK(message<ConfigError>([&] { t.matrix(Names{"Class"}); }) ==
        "table: column \"Class\" of f.csv holds text, not numbers");
}

TEST_CASE("table: rows") {
  const Table t = parse("a,b\n1,x\n2,y\n3,x\n").take(std::vector<std::int64_t>{2, 0});
  CHECK(t.at("a").numbers == std::vector<double>{3, 1});
  CHECK(t.at("b").codes == std::vector<std::int64_t>{0, 0});
  CHECK(t.at("b").levels == Names{"x", "y"});
  CHECK(message<ConfigError>([&] { t.take(std::vector<std::int64_t>{2}); }) ==
        "table: row 2 is outside the 2 rows of f.csv");
  Table odd;
  odd.columns = {Column::of_numbers("a", {1, 2}), Column::of_numbers("b", {1})};
  CHECK(message<ShapeError>([&] { odd.check(); }) == "table: column \"b\" has 1 rows, \"a\" has 2");
  odd.columns = {Column::of_numbers("a", {1}), Column::of_numbers("a", {1})};
  CHECK(message<ConfigError>([&] { odd.check(); }) == "table: two columns are called \"a\"");
}

TEST_CASE("csv: what is written reads back") {
  Table t;
  t.columns = {Column::of_numbers("x, y", {0.1, 1.0 / 3, std::nan(""), -1e300}),
               Column::of_text("note", {"a \"b\"", "two\nlines", "", "plain"})};
  const TemporaryFolder folder;
  write_csv(folder / "t.csv", t);
  const Table back = read_csv(folder / "t.csv");
  CHECK(back.names() == t.names());
  CHECK(back.columns[0].numbers[1] == 1.0 / 3);
  CHECK(back.columns[0].missing(2));
  CHECK(back.columns[0].numbers[3] == -1e300);
  CHECK(back.columns[1].levels == t.columns[1].levels);
  CHECK(back.columns[1].codes == t.columns[1].codes);
  Table single;
  single.columns = {Column::of_numbers("a", {1, std::nan(""), 2})};
  CHECK(to_csv(single) == "a\n1\n\"\"\n2\n");
  CHECK(parse(to_csv(single)).rows() == 3);
  CHECK(contains(message<FileError>([&] { write_csv(folder / "no/t.csv", t); }), "write_csv: cannot write "));
}
