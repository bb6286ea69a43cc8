#include <doctest/doctest.h>

#include <cmath>

#include <weft/data/scale.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Index = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Names = std::vector<std::string>;

namespace {

const double none = std::nan("");

bool same(const Reals& a, const Reals& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::isnan(a[i]) && std::isnan(b[i])) && std::abs(a[i] - b[i]) > 1e-12) return false;
  return true;
}

Table patients() { return parse_csv("age,tau,gene,dose\n60,1,E3,5\n70,,E4,5\n80,3,E3,5\n,,,\n90,9,E2,5\n", "p.csv"); }

}  // namespace

TEST_CASE("standardizer: learns from the training rows only, and passes over NaN") {
  const Tensor x = from(Reals{1, 5, 2, none, 3, 7, 1000, 1000}, {4, 2});
  const Standardizer s = Standardizer::fit(x, Index{0, 1, 2});
  CHECK(same(s.mean, {2, 6}));
  CHECK(same(s.deviation, {std::sqrt(2. / 3), 1}));
  const double step = std::sqrt(1.5);
  CHECK(same(to_vector<double>(s.apply(x)), {-step, -1, 0, none, step, 1, 998 * step, 994}));
}

TEST_CASE("standardizer: constant and missing columns have deviation 1") {
  const Tensor x = from(Reals{0.1, none, 0.1, none, 0.1, none}, {3, 2});
  const Standardizer s = Standardizer::fit(x, Index{0, 1, 2});
  CHECK(s.deviation == Reals{1, 1});
  CHECK(s.mean[1] == 0);
  CHECK(std::abs(to_vector<double>(s.apply(x))[0]) < 1e-15);
  const Tensor single = from(std::vector<float>{1, 2, 3, 4}, {4, 1});
  CHECK(Standardizer::fit(single, Index{0, 1}).apply(single).dtype() == DType::float32);
}

TEST_CASE("imputer: training mean and indicators") {
  const Tensor x = from(Reals{1, none, none, 4, 3, 6, none, none}, {4, 2});
  CHECK(same(to_vector<double>(Imputer::fit(x, Index{0, 2, 1}).apply(x)), {1, 5, 2, 4, 3, 6, 2, 5}));
  const Imputer marked = Imputer::fit(x, Index{0, 2}, true);  // column 0 is complete in these rows
  CHECK(marked.indicators == Index{1});
  CHECK(same(to_vector<double>(marked.apply(x)), {1, 6, 1, 2, 4, 0, 3, 6, 0, 2, 6, 1}));
}

TEST_CASE("one-hot: levels of the training rows; others are all zeros") {
  const Table t = patients();
  const OneHot o = OneHot::fit(t.at("gene"), Index{0, 1, 3});
  CHECK(o.levels == Names{"E3", "E4"});
  CHECK(to_vector<double>(o.apply(t.at("gene"))) == Reals{1, 0, 0, 1, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("table encoder: a modality from columns, with presence") {
  const Table t = patients();
  const Names columns = {"age", "tau", "gene"};
  const TableEncoder e =
      TableEncoder::fit(t, columns, Index{0, 1, 2, 3}, {.indicators = true, .unseen = Unseen::unknown});
  CHECK(e.feature_names() == Names{"age", "age=missing", "tau", "tau=missing", "gene=E3", "gene=E4"});
  const Encoded out = e.apply(t, DType::float64);
  CHECK(truths(out.present) == std::vector<bool>{true, true, true, false, true});
  const double step = std::sqrt(1.5);
  CHECK(same(to_vector<double>(out.features), {-step,    0,    -1,   0,    1,    0,     //
                                               0,        0,    0,    1,    0,    1,     //
                                               step,     0,    1,    0,    1,    0,     //
                                               none,     none, none, none, none, none,  //
                                               2 * step, 0,    7,    0,    0,    0}));
  CHECK(e.apply(t).features.dtype() == DType::float32);
  const TableEncoder plain = TableEncoder::fit(t, Names{"age", "dose"}, Index{0, 1}, {.standardize = false});
  CHECK(same(to_vector<double>(plain.apply(t.take(Index{0, 4}), DType::float64).features), {60, 5, 90, 5}));
}

TEST_CASE("table encoder: survives being stored") {
  const Table t = patients();
  const TableEncoder e = TableEncoder::fit(t, Names{"*"}, Index{0, 1, 2}, {.indicators = true});
  const TableEncoder back = TableEncoder::from_json(e.to_json());
  CHECK(back.feature_names() == e.feature_names());
  CHECK(back.parts[0].deviation == e.parts[0].deviation);
  CHECK(back.to_json() == e.to_json());
  CHECK(message<ConfigError>([] {
          TableEncoder::from_json("{\"columns\":[]}");
        }).starts_with("table encoder: not what to_json gives: "));
  CHECK(message<ConfigError>([] {
          TableEncoder::from_json("{");
        }).starts_with("table encoder: not what to_json gives: "));
}

TEST_CASE("table encoder: a short file whose column happens to be of another kind") {
  const Table t = parse_csv("code,age\n1,50\n2,60\nx,70\n", "a.csv");
  const TableEncoder e = TableEncoder::fit(t, Names{"code", "age"}, Index{0, 1, 2}, {.standardize = false});
  const Table few = parse_csv("code,age\n2,\n,40\n", "b.csv");
  CHECK_FALSE(few.at("code").categorical);
  CHECK(same(to_vector<double>(e.apply(few, DType::float64).features), {0, 1, 0, 60, 0, 0, 0, 40}));
  CHECK(message<ConfigError>([&] { e.apply(parse_csv("code,age\n2,old\n", "c.csv")); }) ==
        "table encoder: column \"age\" holds text, in training it held numbers");
  CHECK(message<ConfigError>([&] { e.apply(parse_csv("code,agee\n2,3\n", "c.csv")); }) ==
        "table: c.csv has no column \"age\"; the closest name is \"agee\"");
}

TEST_CASE("table encoder: of a column without a value in the training rows nothing is known, later ones included") {
  const Table t = parse_csv("age,dose,word\n50,,\n60,,\n55,900,x\n,800,y\n", "a.csv");
  const Names all = {"age", "dose", "word"}, dose = {"dose"}, word = {"word"};
  const TableEncoder e = TableEncoder::fit(t, all, Index{0, 1}, {.indicators = true, .unseen = Unseen::unknown});
  const Encoded out = e.apply(t, DType::float64);
  // Age, dose and that it is missing; the last row has nothing that can be used.
  CHECK(same(to_vector<double>(out.features), {-1, 0, 1, 1, 0, 1, 0, 0, 1, none, none, none}));
  CHECK(to_vector<double>(to(out.present, DType::float64)) == Reals{1, 1, 1, 0});
  const TableEncoder kept = TableEncoder::from_json(e.to_json());
  CHECK(kept.to_json() == e.to_json());
  CHECK(same(to_vector<double>(kept.apply(t, DType::float64).features), to_vector<double>(out.features)));
  // A modality of such columns alone is nobody's; seen in training, it is that of who has it.
  for (const Names& columns : {dose, word}) {
    const Encoded nothing = TableEncoder::fit(t, columns, Index{0, 1}, {.unseen = Unseen::unknown}).apply(t);
    CHECK(to_vector<double>(to(nothing.present, DType::float64)) == Reals{0, 0, 0, 0});
    const Encoded some = TableEncoder::fit(t, columns, Index{0, 2}, {.unseen = Unseen::unknown}).apply(t);
    CHECK(to_vector<double>(to(some.present, DType::float64)) == Reals{0, 0, 1, 1});
  }
  const Encoded coded = TableCoder::fit(t, all, Index{0, 1}, {.unseen = Unseen::unknown}).apply(t, DType::float64);
  CHECK(same(to_vector<double>(coded.features), {-1, none, 0, 1, none, 0, 0, none, 0, none, none, none}));
}

TEST_CASE("scale: messages") {
  const Tensor x = from(Reals{1, INFINITY, 2, 3}, {2, 2});
  CHECK(message<ConfigError>([&] { Standardizer::fit(x, Index{}); }) == "standardize: there are no training rows");
  CHECK(message<ConfigError>([&] { Standardizer::fit(x, Index{2}); }) == "standardize: row 2 is outside the 2 rows");
  CHECK(message<ConfigError>([&] { Standardizer::fit(x, Index{0}); }) == "standardize: column 1 is infinite in row 0");
  CHECK(message<ShapeError>([&] { Standardizer::fit(from(Reals{1}), Index{0}); }) ==
        "standardize: x is [1], not (N, F)");
  CHECK(message<DtypeError>([&] {
          Imputer::fit(from(Index{1, 2}, {1, 2}), Index{0});
        }) == "impute: x is int64, not floating");
  CHECK(message<ShapeError>([&] {
          Standardizer::fit(x, Index{1}).apply(from(Reals{1}, {1, 1}));
        }) == "standardize: x has 1 columns, 2 were fitted");
  const Table t = patients();
  CHECK(message<ConfigError>([&] { OneHot::fit(t.at("age"), Index{0}); }) ==
        "one_hot: column \"age\" holds numbers, not categories");
  CHECK(message<ConfigError>([&] { TableEncoder::fit(t, Names{"age"}, Index{5}); }) ==
        "table encoder: row 5 is outside the 5 rows");
  CHECK(message<DtypeError>([&] { TableEncoder().apply(t, DType::int64); }) ==
        "table encoder: features cannot be int64");
}

TEST_CASE("table encoder: a category unseen in training is named, with those that are known") {
  const Table t = patients();
  const Names genes = {"gene"};
  const TableEncoder e = TableEncoder::fit(t, genes, Index{0, 1, 2});
  CHECK(message<ConfigError>([&] { e.apply(t); }) ==
        "table encoder: column \"gene\" holds \"E2\" in row 4, known from training are: \"E3\", \"E4\"\n"
        "  help: mend the value, or fit with .unseen = Unseen::unknown");
  CHECK(e.apply(t.take(Index{0, 1, 2, 3})).features.shape() == Shape{4, 2});
  CHECK(message<ConfigError>([&] { TableEncoder::from_json(e.to_json()).apply(t); }).starts_with("table encoder: col"));
  CHECK(message<ConfigError>([&] {
          TableCoder::fit(t, genes, Index{0}).apply(t);
        }).starts_with("table coder: column \"gene\" holds \"E4\" in row 1, known from training are: \"E3\"\n"));
  const Table many = parse_csv("c\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nz\n", "m.csv");
  const Index first = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(contains(message<ConfigError>([&] { TableEncoder::fit(many, Names{"c"}, first).apply(many); }),
                 "\"g\", \"h\" and 2 more\n"));
  CHECK(contains(message<ConfigError>([&] { TableEncoder::fit(t, genes, Index{3}).apply(t); }),
                 "known from training are: none"));
}

TEST_CASE("table coder: numbers with gaps, then codes") {
  const Table t = patients();
  const Names columns = {"gene", "age", "tau"};
  const TableCoder c = TableCoder::fit(t, columns, Index{0, 1, 2}, {.unseen = Unseen::unknown});
  CHECK(c.numeric() == 2);
  CHECK(c.cardinalities() == Index{4});
  CHECK(c.names() == Names{"age", "tau", "gene"});
  const Encoded out = c.apply(t, DType::float64);
  const double step = std::sqrt(1.5);
  CHECK(same(to_vector<double>(out.features), {-step, -1, 2,      //
                                               0, none, 3,        //
                                               step, 1, 2,        //
                                               none, none, none,  //
                                               2 * step, 7, 1}));
  CHECK(truths(out.present) == std::vector<bool>{true, true, true, false, true});
  const TableCoder back = TableCoder::from_json(c.to_json());
  CHECK(back.to_json() == c.to_json());
  CHECK(same(to_vector<double>(back.apply(t, DType::float64).features), to_vector<double>(out.features)));
  CHECK(message<ConfigError>([] { TableCoder::from_json("{"); }).starts_with("table coder: not what to_json gives: "));
  CHECK(message<DtypeError>([&] { c.apply(t, DType::bfloat16); }) == "table coder: features cannot be bfloat16");
  CHECK(message<ConfigError>([&] { TableCoder::fit(t, columns, Index{}); }) ==
        "table coder: there are no training rows");
}

TEST_CASE("class weights: all classes weigh the same together") {
  const Index labels = {0, 0, 0, 1, 2, 2};
  CHECK(
      same(to_vector<double>(balanced_class_weights(labels, 3)), to_vector<double>(tensor({6. / 9, 6. / 3, 6. / 6}))));
  CHECK(message<ConfigError>([&] { balanced_class_weights(labels, 2); }) ==
        "balanced_class_weights: label 2 is outside the 2 classes");
  CHECK(message<ConfigError>([&] { balanced_class_weights(labels, 4); }) ==
        "balanced_class_weights: class 3 has no members");
}
