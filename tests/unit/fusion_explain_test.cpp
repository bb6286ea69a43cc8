#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/fusion/attribution.h>
#include <weft/fusion/explain.h>
#include <weft/layers/module.h>

#include "error_of.h"
#include "fusion_cases.h"

using namespace weft;
using namespace weft::test;
using fusion::Classifier;
using tests::error_of;

namespace {

/// Any method behind small encoders, in double precision, in eval mode.
Classifier network(const std::string& method, const std::string& activation = "relu") {
  fusion::ClassifierOptions o;
  o.names = abc_names;
  for (const std::int64_t width : abc_widths)
    o.encoders.push_back(
        {"mlp", {.in_features = width, .hidden = {8}, .activation = activation, .dtype = DType::float64}});
  o.fusion = method;
  o.classes = abc_classes;
  o.method = abc_options();
  o.method.heads = 2;
  manual_seed(5);
  Classifier net(o);
  eval(net);
  return net;
}

data::Modalities with_mask(data::Modalities x, const std::vector<std::vector<int>>& rows) {
  x.present = mask(rows);
  return x;
}

double near(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

using Values = std::vector<double>;

}  // namespace

TEST_CASE("shapley: games that were solved by hand") {
  // Two players: half of each order. phi_0 = (0.2 + 0.5) / 2, phi_1 = (0.5 + 0.8) / 2.
  CHECK(near(fusion::shapley_values(Values{0, 0.2, 0.5, 1}, 2), {0.35, 0.65}) < 1e-15);
  // Gloves: 0 has a left one, 1 and 2 have right ones, a pair is worth 1. Equal players get the same.
  CHECK(near(fusion::shapley_values(Values{0, 0, 0, 1, 0, 1, 0, 1}, 3), {4.0 / 6, 1.0 / 6, 1.0 / 6}) < 1e-15);
  // The same game on top of 3, with a fourth player who changes nothing and gets exactly 0.
  const Values with_null = {3, 3, 3, 4, 3, 4, 3, 4, 3, 3, 3, 4, 3, 4, 3, 4};
  const Values phi = fusion::shapley_values(with_null, 4);
  CHECK(near(phi, {4.0 / 6, 1.0 / 6, 1.0 / 6, 0}) < 1e-15);
  CHECK(phi[3] == 0);
  CHECK(fusion::shapley_values(Values{0.25, 1}, 1) == Values{0.75});
  // Ten players: what they get sums to what all get together; in an additive game each gets his own.
  Generator g{1};
  Values any(1024), own(10), additive(1024, 2.0);
  for (double& v : any) v = g.normal();
  for (double& v : own) v = g.normal();
  for (std::size_t s = 0; s < 1024; ++s)
    for (std::size_t m = 0; m < 10; ++m) additive[s] += ((s >> m) & 1U) != 0 ? own[m] : 0;
  double sum = 0;
  for (const double v : fusion::shapley_values(any, 10)) sum += v;
  CHECK(sum == doctest::Approx(any[1023] - any[0]).epsilon(1e-12));
  CHECK(near(fusion::shapley_values(additive, 10), own) < 1e-12);
}

TEST_CASE("shapley: of every fusion they sum to the difference of its answers, and what is missing gets exactly 0") {
  const data::Modalities x = abc(gaps);  // fillers are NaN
  const data::Modalities none = with_mask(x, {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}});
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const fusion::Predictor f = fusion::predictor(network(method.name));
    const fusion::Shapley s = fusion::shapley(f, x);
    const NoGrad off;
    CHECK(s.classes == to_vector<std::int64_t>(argmax(f(x), 1)));
    const Tensor own = unsqueeze(from(s.classes), 1);
    const Tensor full = squeeze(gather(f(x), 1, own), 1), base = squeeze(gather(f(none), 1, own), 1);
    CHECK(near(numbers(sum(s.values, 1)), numbers(full - base)) < 1e-12);
    CHECK(near(numbers(s.full), numbers(full)) < 1e-12);
    CHECK(near(numbers(s.base), numbers(base)) < 1e-12);
    const Values values = numbers(s.values), drop = numbers(s.drop_one);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (gaps[i / 3][i % 3] == 0) CHECK((values[i] == 0 && drop[i] == 0));
    // Without b, row 0 is what a and c say together.
    const Tensor without = f(with_mask(x, {{1, 0, 1}, {1, 0, 1}, {0, 0, 0}, {0, 0, 0}, {1, 0, 0}}));
    CHECK(near(numbers(slice(s.drop_one, 1, 1, 2)), numbers(unsqueeze(full, 1) - gather(without, 1, own))) < 1e-12);
    // Another class, in another scale.
    const fusion::Shapley odds = fusion::shapley(f, x, {.classes = {2, 2, 2, 2, 2}, .scale = fusion::Scale::log_odds});
    const Tensor p = squeeze(slice(f(x), 1, 2, 3), 1), q = squeeze(slice(f(none), 1, 2, 3), 1);
    CHECK(near(numbers(sum(odds.values, 1)), numbers(log(p / (1.0 - p)) - log(q / (1.0 - q)))) < 1e-9);
  }
}

TEST_CASE("shapley: of a mean of networks they are the mean") {
  const data::Modalities x = abc(gaps);
  const Classifier one = network("gate"), two = network("attention");
  const std::vector<std::int64_t> classes(5, 1);
  const auto of = [&](const std::vector<Classifier>& nets) {
    return numbers(fusion::shapley(fusion::predictor(nets), x, {.classes = classes}).values);
  };
  const Values a = of({one}), b = of({two}), both = of({one, two});
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(both[i] == doctest::Approx((a[i] + b[i]) / 2));
}

TEST_CASE("shapley: bad input says what is wrong with it") {
  CHECK(error_of([] { fusion::shapley_values(Values(2048), 11); }) ==
        "ConfigError: shapley: 11 modalities, at most 10 can be done exactly\n"
        "  help: join modalities that belong together");
  CHECK(error_of([] { fusion::shapley_values({}, 0); }) == "ConfigError: shapley: there is no modality");
  CHECK(error_of([] { fusion::shapley_values(Values(7), 3); }) ==
        "ShapeError: shapley: 7 values for 3 players, who form 8 coalitions");
  data::Modalities many;
  for (int m = 0; m < 11; ++m) {
    many.names.push_back(text("m", m));
    many.features.push_back(zeros({1, 1}));
  }
  many.present = full({1, 11}, 1, DType::boolean);
  const fusion::Predictor f = fusion::predictor(network("mean"));
  CHECK(error_of([&] { fusion::shapley(f, many); }).starts_with("ConfigError: shapley: 11 modalities, at most 10"));
  const data::Modalities x = abc(gaps);
  CHECK(error_of([&] { fusion::shapley(f, x, {.classes = {1}}); }) == "ShapeError: shapley: 1 classes for 5 rows");
  CHECK(error_of([&] {
          fusion::shapley(f, x, {.classes = {0, 0, 3, 0, 0}});
        }) == "ConfigError: shapley: class 3 is outside the 3 classes");
  CHECK(error_of([&] { fusion::shapley({}, x); }) ==
        "ConfigError: explain: the predictor cannot decide\n  help: make it with predictor(network)");
  CHECK(error_of([] { fusion::predictor(std::vector<Classifier>()); }) == "ConfigError: explain: there is no network");
}

TEST_CASE("group_means: of each group its rows, and nothing of a group without rows") {
  const Tensor w = tensor({{1, 0}, {0.5, 0.5}, {0, 1}});
  const Values means = numbers(fusion::group_means(w, std::vector<std::int64_t>{0, 0, 2}, 3));
  CHECK(Values(means.begin(), means.begin() + 2) == Values{0.75, 0.25});
  CHECK((std::isnan(means[2]) && std::isnan(means[3])));
  CHECK(Values(means.begin() + 4, means.end()) == Values{0, 1});
  CHECK(error_of([&] { fusion::group_means(w, std::vector<std::int64_t>{0}, 1); }) ==
        "ShapeError: group_means: values [3, 2] of 1 rows in groups");
  CHECK(error_of([&] {
          fusion::group_means(w, std::vector<std::int64_t>{0, 1, 2}, 2);
        }) == "ConfigError: group_means: row 2 is in group 2 of 2");
}

TEST_CASE("agreement: one order is 1, the other -1, what is missing does not count, and no order is none") {
  const Tensor a = tensor({{0.7, 0.2, 0.1}, {0.1, 0.6, 0.3}, {0.5, 0.5, 0}}, DType::float64);
  const Tensor present = mask({{1, 1, 1}, {1, 1, 1}, {1, 1, 0}});
  const auto same = fusion::agreement(a, a * 2.0, present);
  REQUIRE(same);
  CHECK(same->overall.estimate == doctest::Approx(1));
  CHECK(same->overall.low == doctest::Approx(1));
  REQUIRE(same->within);
  CHECK(same->within->estimate == doctest::Approx(1));
  CHECK((same->of_rows[0] == 1 && same->of_rows[1] == 1 && std::isnan(same->of_rows[2])));
  // An order within each row need not be one over all of them: the sizes of whole rows differ.
  const auto turned = fusion::agreement(a, tensor({{10, 20, 30}, {3, 1, 2}, {1, 1, 99}}, DType::float64), present);
  REQUIRE(turned);
  CHECK(turned->within->estimate == doctest::Approx(-1));
  CHECK(turned->overall.estimate > -0.9);
  CHECK(!fusion::agreement(a, ones({3, 3}, DType::float64), present));
  CHECK(!fusion::agreement(slice(a, 0, 0, 1), slice(a, 0, 0, 1), mask({{1, 1, 1}})));
  CHECK(error_of([&] {
          fusion::agreement(a, a, mask({{1, 1}}));
        }) == "ShapeError: agreement: [3, 3] against [3, 3] with the presence mask [1, 2]");

  // The interval holds the correlation that the numbers were drawn with, and shrinks with more of them.
  Generator g{2};
  double wide = 0;
  for (const std::int64_t n : {60, 2000}) {
    const Tensor x = randn({n, 3}, 0, 1, DType::float64, g), y = 0.75 * x + randn({n, 3}, 0, 1, DType::float64, g);
    const auto found = fusion::agreement(x, y, full({n, 3}, 1, DType::boolean));
    REQUIRE(found);
    const double truth = 6 / 3.14159265358979 * std::asin(0.6 / 2);  // Spearman's for a Gaussian with Pearson's 0.6
    CHECK((found->overall.low < truth && truth < found->overall.high));
    if (n == 60) wide = found->overall.high - found->overall.low;
    if (n == 2000) CHECK(found->overall.high - found->overall.low < wide / 3);
  }
}

TEST_CASE("integrated gradients: of a linear function they are its terms") {
  const Tensor w = tensor({0.1, -0.2, 0.05}, DType::float64);
  fusion::Predictor f;
  f.decide = [&](const std::vector<data::Modalities>& parts) {
    const Tensor p = sum(parts[0].features[0] * w, 1) + 0.5;
    return stack({p, 1.0 - p}, 1);
  };
  const Tensor rows = tensor({{1.0, 0.5, 2.0}, {-0.5, 0.25, 1.0}}, DType::float64);
  const data::Modalities x = data::Modalities::complete({"a"}, {rows});
  const auto found = fusion::integrated_gradients(f, x, {.classes = {0, 1}, .steps = 1});
  CHECK(near(numbers(found.features[0]), {0.1, -0.1, 0.1, 0.05, 0.05, -0.05}) < 1e-15);
  CHECK(near(numbers(found.residual), {0, 0}) < 1e-15);
  // From another beginning, the same for all rows or each its own.
  const auto moved = fusion::integrated_gradients(f, x, {.classes = {0, 0}, .baseline = {tensor({1.0, 0.0, 0.0})}});
  CHECK(near(numbers(moved.features[0]), {0, -0.1, 0.1, -0.15, -0.05, 0.05}) < 1e-15);
  const auto itself = fusion::integrated_gradients(f, x, {.classes = {0, 0}, .baseline = {rows}});
  CHECK(near(numbers(itself.features[0]), Values(6, 0.0)) == 0);
}

TEST_CASE("integrated gradients: of every fusion they sum to the difference of its answers, fillers untouched") {
  const data::Modalities x = abc(gaps);
  data::Modalities start = x;
  for (Tensor& f : start.features) f = zeros_like(f);
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const fusion::Predictor f = fusion::predictor(network(method.name, "gelu"));
    const auto found = fusion::integrated_gradients(f, x, {.steps = 64, .tolerance = 1e-4});
    const NoGrad off;
    const Tensor own = unsqueeze(from(found.classes), 1);
    const Values change = numbers(squeeze(gather(f(x), 1, own) - gather(f(start), 1, own), 1));
    for (std::size_t i = 0; i < gaps.size(); ++i) {
      double sum = 0;
      for (std::size_t m = 0; m < 3; ++m) {
        const auto width = static_cast<std::size_t>(abc_widths[m]);
        const Values all = numbers(found.features[m]);
        for (std::size_t j = i * width; j < (i + 1) * width; ++j) {
          sum += all[j];
          if (gaps[i][m] == 0) CHECK(all[j] == 0);
        }
      }
      // Votes pass no gradient: nothing is attributed, and the residual says that all of it is missing.
      CHECK((method.name == "vote" ? sum == 0 : std::abs(sum - change[i]) < 2e-4));
      CHECK(std::abs(numbers(found.residual)[i] - (sum - change[i])) < 1e-9);
    }
  }
}

TEST_CASE("integrated gradients: rows whose integral is rough get more steps") {
  // A step at 0.7 on the way: few points cannot see how high it is.
  fusion::Predictor f;
  f.decide = [](const std::vector<data::Modalities>& parts) {
    const Tensor p = squeeze(sigmoid((parts[0].features[0] - 0.7) * 200.0), 1);
    return stack({p, 1.0 - p}, 1);
  };
  const data::Modalities x = data::Modalities::complete({"a"}, {reshape(tensor({1.0, 0.1}, DType::float64), {2, 1})});
  const auto rough = fusion::integrated_gradients(f, x, {.classes = {0, 0}, .steps = 4, .most_steps = 4});
  CHECK(std::abs(numbers(rough.residual)[0]) > 0.1);
  const auto fine = fusion::integrated_gradients(f, x, {.classes = {0, 0}, .steps = 4});
  CHECK(std::abs(numbers(fine.residual)[0]) < 1e-3);
  CHECK(numbers(fine.residual)[1] == numbers(rough.residual)[1]);  // it was good enough
}

TEST_CASE("integrated gradients: bad input says what is wrong with it") {
  const fusion::Predictor f = fusion::predictor(network("mean"));
  const data::Modalities x = abc(gaps);
  const auto with = [&](const fusion::GradientOptions& o) { return error_of([&] { integrated_gradients(f, x, o); }); };
  CHECK(with({.steps = 0}) == "ConfigError: integrated_gradients: steps is 0\n  help: choose 1 or more");
  CHECK(with({.baseline = {zeros({3})}}) == "ShapeError: integrated_gradients: baselines of 1 modalities for 3");
  CHECK(with({.baseline = {zeros({3}), zeros({3}), zeros({4})}}) ==
        "ShapeError: integrated_gradients: the baseline of \"b\" is [3], its features are [5, 2]");
  CHECK(with({.classes = {0}}) == "ShapeError: integrated_gradients: 1 classes for 5 rows");
  data::Modalities words = x;
  words.features[1] = zeros({5, 2}, DType::int64);
  CHECK(error_of([&] { integrated_gradients(f, words); }) ==
        "DtypeError: integrated_gradients: \"b\" is int64, which has no gradient\n"
        "  help: explain what it is embedded as");
}

TEST_CASE("counterfactual: the decision really changes, by the only features that can change it") {
  // Class 1 where a_1 > 0.5 or b's category (one of three columns) is the second; c says nothing.
  fusion::Predictor f;
  f.decide = [](const std::vector<data::Modalities>& parts) {
    const data::Modalities& x = parts[0];
    const auto column = [](const Tensor& t, std::int64_t j) { return squeeze(slice(t, 1, j, j + 1), 1); };
    const auto has = [&](std::int64_t m) { return to(column(x.present, m), DType::float64); };
    const Tensor score = has(0) * sigmoid((column(x.features[0], 1) - 0.5) * 8.0) +
                         has(1) * (column(x.features[1], 1) - column(x.features[1], 0)) * 0.9 +
                         0.0 * column(x.features[2], 0);
    const Tensor p = clamp(score, 0.001, 0.999);
    return stack({1.0 - p, p}, 1);
  };
  Generator g{4};
  const std::int64_t n = 200;
  const Tensor a = randn({n, 5}, 0, 1, DType::float64, g), c = randn({n, 2}, 0, 1, DType::float64, g);
  std::vector<double> category;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t k = g.below(3);
    for (std::int64_t j = 0; j < 3; ++j) category.push_back(j == k ? 1 : 0);
  }
  const data::Modalities training = data::Modalities::complete({"a", "b", "c"}, {a, from(category, {n, 3}), c});
  data::Modalities x = data::Modalities::complete(
      {"a", "b", "c"}, {tensor({{0.3, 0.4, 0.1, 0, 2}, {0.3, -6, 0.1, 0, 2}}, DType::float64),
                        tensor({{0, 0, 1}, {0, 0, 1}}, DType::float64), zeros({2, 2}, DType::float64)});
  const fusion::CounterfactualSearch search(f, training, {.units = {{0, 1, 2, 3, 4}, {0, 0, 0}, {0, 1}}});
  const auto check = [&](std::int64_t i, const fusion::Counterfactual& found) {
    const NoGrad off;
    const std::vector<std::int64_t> one = {i};
    data::Modalities row = x.rows(one);
    const std::int64_t before = to_vector<std::int64_t>(argmax(f(row), 1)).front();
    Values values = numbers(row.features[static_cast<std::size_t>(found.modality)]);
    for (const fusion::Change& change : found.changes) {
      CHECK(values[static_cast<std::size_t>(change.feature)] == change.from);
      values[static_cast<std::size_t>(change.feature)] = change.to;
    }
    row.features[static_cast<std::size_t>(found.modality)] = from(values, {1, std::ssize(values)});
    CHECK(to_vector<std::int64_t>(argmax(f(row), 1)).front() == found.becomes);
    CHECK(found.becomes != before);
  };
  // A little more of a_1 is nearer than another category.
  const auto nearest = search.find(x, 0);
  REQUIRE(nearest);
  check(0, *nearest);
  CHECK(nearest->modality == 0);
  REQUIRE(nearest->changes.size() == 1);
  CHECK(nearest->changes[0].feature == 1);
  CHECK(nearest->changes[0].to > 0.5);
  CHECK(nearest->distance < 1);
  // Far below, the category is: its columns change together.
  const auto far = search.find(x, 1);
  REQUIRE(far);
  check(1, *far);
  CHECK(far->modality == 1);
  REQUIRE(far->changes.size() == 2);
  CHECK((far->changes[0].feature == 1 && far->changes[1].feature == 2));
  // What is missing cannot change; where only c is present, nothing can.
  x.present = mask({{0, 1, 1}, {0, 0, 1}});
  const auto other = search.find(x, 0);
  REQUIRE(other);
  CHECK(other->modality == 1);
  CHECK(!search.find(x, 1));
}

TEST_CASE("counterfactual: what is found for any fusion is one") {
  int movable = 0;
  std::vector<std::vector<int>> all(120, {1, 1, 1});
  const data::Modalities training = abc(all, 0, 11), x = abc(gaps);
  for (const Method& method : methods()) {
    CAPTURE(method.name);
    const fusion::Predictor f = fusion::predictor(network(method.name));
    const NoGrad off;
    const std::vector<std::int64_t> decided = to_vector<std::int64_t>(argmax(f(x), 1));
    const fusion::CounterfactualSearch search(f, training);
    int found = 0;
    for (std::int64_t i = 0; i < x.batch(); ++i) {
      const auto one = search.find(x, i);
      if (!one) continue;
      ++found;
      CHECK(x.has(i, one->modality));
      CHECK(one->becomes != decided[static_cast<std::size_t>(i)]);
      const std::vector<std::int64_t> index = {i};
      data::Modalities row = x.rows(index);
      const auto m = static_cast<std::size_t>(one->modality);
      Values values = numbers(row.features[m]);
      for (const fusion::Change& c : one->changes) values[static_cast<std::size_t>(c.feature)] = c.to;
      row.features[m] = from(values, row.features[m].shape());
      CHECK(to_vector<std::int64_t>(argmax(f(row), 1)).front() == one->becomes);
    }
    movable += found > 0;
  }
  CHECK(movable >= 15);  // some of these untrained networks answer the same to nearly everything
}

TEST_CASE("counterfactual: bad input says what is wrong with it") {
  const fusion::Predictor f = fusion::predictor(network("mean"));
  const data::Modalities x = abc({{1, 1, 1}, {1, 1, 1}});
  const auto with = [&](const fusion::CounterfactualOptions& o) {
    return error_of([&] { fusion::CounterfactualSearch(f, x, o); });
  };
  CHECK(with({.candidates = 0}) == "ConfigError: counterfactual: 0 candidates and 3 donors\n  help: choose 1 or more");
  CHECK(with({.units = {{0}}}) == "ShapeError: counterfactual: units of 1 modalities for 3");
  CHECK(with({.units = {{0, 1}, {0, 1}, {0, 1, 2, 3}}}) ==
        "ShapeError: counterfactual: \"a\" has 3 features, units of 2");
  CHECK(with({.units = {{0, 1, 3}, {0, 1}, {0, 1, 2, 3}}}) ==
        "ConfigError: counterfactual: \"a\" has unit 3, units of 3 features go from 0 to 2");
  data::Modalities words = x;
  words.features[0] = zeros({2, 3}, DType::int64);
  CHECK(error_of([&] { fusion::CounterfactualSearch(f, words); }) ==
        "DtypeError: counterfactual: \"a\" is int64, not floating");
  data::Modalities other = x;
  other.names = {"a", "b", "d"};
  CHECK(error_of([&] { fusion::CounterfactualSearch(f, x).find(other, 0); }) ==
        "ConfigError: counterfactual: these are not the modalities of the training rows");
}

TEST_CASE("attention: maps of the methods that attend sum to 1 over what is present") {
  const data::Modalities x = abc(gaps);
  for (const auto& [name, shape] : std::vector<std::pair<std::string, Shape>>{
           {"query", {5, 1, 1, 3}}, {"cross", {5, 1, 3, 3}}, {"transformer", {5, 2, 1, 4}}}) {
    CAPTURE(name);
    const NoGrad off;
    const fusion::Fused fused = network(name)(x).fused;
    REQUIRE(fused.attention.shape() == shape);
    const Values all = numbers(fused.attention);
    const auto keys = static_cast<std::size_t>(shape[3]), first = keys - 3;
    for (std::size_t k = 0; k < all.size(); k += keys) {
      const std::size_t row = k / (all.size() / 5);
      double sum = 0;
      for (std::size_t j = 0; j < keys; ++j) {
        sum += all[k + j];
        if (j >= first && gaps[row][j - first] == 0) CHECK(all[k + j] == 0);
      }
      // A query that may look at nothing looks at nothing: of "cross", one that is missing or alone.
      const std::size_t query = k / keys % static_cast<std::size_t>(shape[2]);
      const int others = gaps[row][0] + gaps[row][1] + gaps[row][2] - 1;
      const bool looks = name == "transformer" || (name == "query" ? others >= 0 : gaps[row][query] != 0 && others > 0);
      CHECK(sum == doctest::Approx(looks ? 1 : 0));
    }
  }
  CHECK(!network("mean")(x).fused.attention.defined());
}
