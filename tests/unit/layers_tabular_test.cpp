#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/tabular.h>
#include <weft/layers/testing.h>
#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using tests::error_of;
using tests::normal;

namespace {

/// Two numbers and two categories of 4 and 3 codes, with gaps.
Tensor rows() { return tensor({{0.5, -1, 2, 0}, {NAN, 1, 3, 2}, {1, NAN, 0, 1}, {-2, 0.3, 1, 2}, {NAN, NAN, 0, NAN}}); }
const std::vector<std::int64_t> codes = {4, 3};

}  // namespace

TEST_CASE("table: numbers, codes and what is missing") {
  const TableParts p = split_columns(rows(), 2, codes);
  CHECK(to_vector<double>(p.numbers) == to_vector<double>(tensor({0.5, -1, 0, 1, 1, 0, -2, 0.3, 0, 0})));
  CHECK(to_vector<std::int64_t>(p.codes) == std::vector<std::int64_t>{2, 0, 3, 2, 0, 1, 1, 2, 0, 0});
  CHECK(to_vector<std::int64_t>(p.missing) ==
        std::vector<std::int64_t>{0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1});
}

TEST_CASE("CategoricalEmbedding: its width, and the unknown that only dropout teaches") {
  manual_seed(0);
  CHECK(CategoricalEmbedding({.cardinality = 3}).weight.shape() == Shape{3, 2});
  CHECK(CategoricalEmbedding({.cardinality = 21}).weight.shape() == Shape{21, 10});
  CHECK(CategoricalEmbedding({.cardinality = 1000}).weight.shape() == Shape{1000, 50});
  CategoricalEmbedding e({.cardinality = 5, .embedding_dim = 3, .unknown_dropout = 0.5});
  const auto unknown = [&](const Tensor& y) {  // rows that are the unknown's, which is 0 at first
    return to_vector<std::int64_t>(sum(eq(sum(abs(y), 1), 0)))[0];
  };
  const Tensor known = full({1000}, 3, DType::int64);
  CHECK(unknown(e(known)) > 400);
  CHECK(unknown(e(known)) < 600);
  CHECK(unknown(e(zeros({1000}, DType::int64))) == 0);  // missing stays missing
  eval(e);
  CHECK(unknown(e(known)) == 0);
}

TEST_CASE("TabularMLP: shapes, widths and training as any model") {
  manual_seed(0);
  TabularMLP net({.numeric = 2, .cardinalities = codes, .out_features = 3, .hidden = {8}});
  CHECK(net(rows()).shape() == Shape{5, 3});
  CHECK(net.width == 3);
  CHECK(TabularMLP({.numeric = 2, .hidden = {8, 6}}).width == 6);
  CHECK(TabularMLP({.numeric = 2, .hidden = {}, .indicators = false})(tensor({{1, NAN}})).shape() == Shape{1, 2});
  CHECK(TabularMLP({.cardinalities = codes, .out_features = 1})(tensor({{2, 1}})).shape() == Shape{1, 1});
  const testing::Report report = testing::check_module(
      [] {
        return TabularMLP({.numeric = 2,
                           .cardinalities = codes,
                           .out_features = 3,
                           .hidden = {64},
                           .dropout = 0.1,
                           .embedding_dim = 3});
      },
      [](const TabularMLP& model) { return model(rows()); });
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("FeatureTokens: the formula") {
  manual_seed(0);
  const FeatureTokens f({.numeric = 2, .cardinalities = codes, .d_token = 4});
  const auto [tokens, hidden] = f(rows());
  CHECK_FALSE(hidden.defined());
  REQUIRE(tokens.shape() == Shape{5, 4, 4});
  const auto row = [](const Tensor& x, std::int64_t i) { return select(x, 0, i); };
  const auto token = [&](std::int64_t b, std::int64_t j) { return row(row(tokens, b), j); };
  CHECK(testing::allclose(token(0, 0), row(f.weight, 0) * 0.5 + row(f.bias, 0)));
  CHECK(testing::allclose(token(2, 1), row(f.absent, 1) + row(f.bias, 1)));
  CHECK(testing::allclose(token(3, 3), row(f.embeddings[1].weight, 2) + row(f.bias, 3)));
  CHECK(testing::allclose(token(4, 3), row(f.embeddings[1].weight, 0) + row(f.bias, 3)));
}

TEST_CASE("FTTransformer: what is masked has no say, what is learned has") {
  manual_seed(0);
  const Tensor x = rows();
  for (const MissingFeatures missing : {MissingFeatures::masked, MissingFeatures::learned}) {
    FTTransformer net({.numeric = 2,
                       .cardinalities = codes,
                       .out_features = 3,
                       .d_token = 8,
                       .num_layers = 2,
                       .nhead = 2,
                       .missing = missing});
    eval(net);
    const Tensor before = net(x);
    CHECK(before.shape() == Shape{5, 3});
    CHECK(all(isfinite(before)).item() == 1);  // the last row has nothing at all
    // Another bias for the first number: only rows that have it may change when missing ones are masked.
    NoGrad off;
    net.features.bias = net.features.bias + tensor({{1, -1, 1, -1, 1, 1, -1, -1},
                                                    {0, 0, 0, 0, 0, 0, 0, 0},
                                                    {0, 0, 0, 0, 0, 0, 0, 0},
                                                    {0, 0, 0, 0, 0, 0, 0, 0}});
    const Tensor changed = gt(sum(abs(net(x) - before), 1), 1e-6);
    const std::vector<std::int64_t> expected = missing == MissingFeatures::masked
                                                   ? std::vector<std::int64_t>{1, 0, 1, 1, 0}
                                                   : std::vector<std::int64_t>{1, 1, 1, 1, 1};
    CHECK(to_vector<std::int64_t>(changed) == expected);
  }
}

TEST_CASE("FTTransformer: trained as any model, and features without a head") {
  manual_seed(0);
  for (const MissingFeatures missing : {MissingFeatures::masked, MissingFeatures::learned}) {
    const FTTransformerOptions options{.numeric = 2,
                                       .cardinalities = codes,
                                       .out_features = 2,
                                       .d_token = 8,
                                       .nhead = 2,
                                       .missing = missing,
                                       .unknown_dropout = 0.1};
    const testing::Report report = testing::check_module([&] { return FTTransformer(options); },
                                                         [](const FTTransformer& net) { return net(rows()); });
    CHECK_MESSAGE(report, report.message);
  }
  CHECK(FTTransformer({.numeric = 4, .d_token = 8, .nhead = 2})(tensor({{1, 2, 3, 4}})).shape() == Shape{1, 8});
}

TEST_CASE("FTTransformer: learns what no linear model can") {
  manual_seed(1);
  // The label is whether the sign of a number agrees with a category.
  const std::int64_t n = 256;
  const Tensor number = normal({n, 1}, 5, DType::float32);
  const Tensor side = to(ge(normal({n, 1}, 6, DType::float32), 0), DType::float32);
  const Tensor x = cat({number, side + 2}, 1);
  const Tensor y = to(eq(to(ge(number, 0), DType::float32), side), DType::float32);
  FTTransformer net(
      {.numeric = 1, .cardinalities = {4}, .out_features = 1, .d_token = 16, .num_layers = 1, .dropout = 0});
  optim::AdamW optimizer(parameters(net), {.lr = 5e-3});
  for (int step = 0; step < 150; ++step) {
    binary_cross_entropy_with_logits(net(x), y).backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  CHECK(mean(to(eq(ge(net(x), 0), gt(y, 0.5)), DType::float32)).item() > 0.95);
}

TEST_CASE("SparseGate: finds the features that matter, and says which") {
  manual_seed(2);
  const std::int64_t n = 60, features = 200;
  const Tensor x = normal({n, features}, 7, DType::float32);
  const Tensor y = select(x, 1, 3) * 2.0 - select(x, 1, 150) * 1.5;
  GatedLinear net(features, 1);
  optim::AdamW optimizer({net.linear.weight, net.linear.bias}, {.lr = 0.01, .weight_decay = 1});
  optim::Sgd gates({net.gate.gate}, {.lr = 0.1});
  for (int step = 0; step < 400; ++step) {
    mse_loss(squeeze(net(x), 1), y).backward();
    optimizer.step();
    gates.step();
    optim::soft_threshold({net.gate.gate}, gates.lr() * 0.05);
    optimizer.zero_grad();
    gates.zero_grad();
  }
  const std::vector<std::int64_t> kept = net.gate.survivors();
  CHECK(net.gate.zero_fraction() >= 0.9);
  REQUIRE(kept.size() >= 2);
  CHECK(std::min(kept[0], kept[1]) == 3);
  CHECK(std::max(kept[0], kept[1]) == 150);
  CHECK(optim::zero_fraction({net.gate.gate}) == net.gate.zero_fraction());
  SparseGate few(3);
  few.gate = tensor({0.1, 0, -2});
  CHECK(few.survivors({"a", "b", "c"}) == std::vector<std::string>{"c", "a"});
  CHECK(few.zero_fraction() == doctest::Approx(1. / 3));
  CHECK(testing::check_module([] { return GatedLinear(4, 2); },
                              [](const GatedLinear& model) {
                                return model(normal({3, 4}, 1, DType::float32));
                              }));
}

TEST_CASE("tables: errors") {
  CHECK(error_of([] { split_columns(rows(), 3, codes); }) ==
        "ShapeError: table: x is [5, 4], its rows should hold 3 numbers and 2 codes");
  CHECK(error_of([] {
          split_columns(zeros({1, 1}, DType::int64), 1, {});
        }) == "DtypeError: table: x is int64, not floating");
  CHECK(error_of([] {
          split_columns(unsqueeze(tensor({1, 4}), 1), 0, {4});
        }) == "ConfigError: table: category 0 has code 4 in row 1, which is none of its 4 codes");
  CHECK(error_of([] {
          split_columns(tensor({{1, 0.5}}), 1, {4});
        }) == "ConfigError: table: category 0 has code 0.5 in row 0, which is none of its 4 codes");
  CHECK(
      error_of([] { CategoricalEmbedding({.cardinality = 1}); }) ==
      "ConfigError: CategoricalEmbedding: cardinality is 1\n  help: count missing and unknown, too: there are 2 codes "
      "more than known values");
  CHECK(error_of([] { CategoricalEmbedding({.cardinality = 3, .embedding_dim = -1}); }) ==
        "ConfigError: CategoricalEmbedding: embedding_dim is -1");
  CHECK(error_of([] { CategoricalEmbedding({.cardinality = 3, .unknown_dropout = 1}); }) ==
        "ConfigError: CategoricalEmbedding: unknown_dropout is 1\n  help: choose a share from 0 on, below 1");
  CHECK(error_of([] { TabularMLP({}); }) ==
        "ConfigError: TabularMLP: 0 columns of numbers, 0 of categories\n  help: say how many there are, as "
        "data::TableCoder does");
  CHECK(error_of([] { TabularMLP({.numeric = 1, .hidden = {0}}); }) ==
        "ConfigError: TabularMLP: a hidden layer is 0\n  help: choose 1 or more");
  CHECK(error_of([] { TabularMLP({.numeric = 1, .out_features = -1}); }) ==
        "ConfigError: TabularMLP: out_features is -1");
  CHECK(error_of([] { FTTransformer({.numeric = 1, .out_features = -1}); }) ==
        "ConfigError: FTTransformer: out_features is -1");
  CHECK(error_of([] { FeatureTokens({.numeric = 1, .d_token = 0}); }) ==
        "ConfigError: FeatureTokens: d_token is 0\n  help: choose 1 or more");
  CHECK(error_of([] { SparseGate(0); }) ==
        "ConfigError: SparseGate: the number of features is 0\n  help: choose 1 or more");
  CHECK(error_of([] {
          SparseGate(3)(zeros({2, 4}));
        }) == "ShapeError: SparseGate: x is [2, 4], there are gates for 3 features");
  CHECK(error_of([] { SparseGate(3).survivors({"a"}); }) == "ShapeError: SparseGate: 1 names for 3 features");
}
