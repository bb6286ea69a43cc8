#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <weft/data/metrics.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;

namespace {

// The figures are scikit-learn 1.2.1's.
const Ints truth4 = {0, 1, 2, 2, 1, 0, 2, 1, 0, 3, 3, 1}, decided4 = {0, 2, 2, 2, 1, 0, 1, 1, 3, 3, 3, 1};
const Ints truth2 = {0, 1, 1, 0, 1, 0, 1, 0}, decided2 = {0, 1, 0, 0, 1, 1, 0, 0};
const Reals scores2 = {.1, .9, .4, .4, .8, .7, .4, .2};
const Reals three = {.7, .2, .1, .1, .5, .4, .3, .3, .4, .2, .6, .2, .5, .25, .25, .1, .1, .8};

doctest::Approx near(double value) { return doctest::Approx(value).epsilon(1e-13); }

}  // namespace

TEST_CASE("metrics: decided classes") {
  CHECK(accuracy(truth4, decided4) == near(0.75));
  CHECK(balanced_accuracy(truth4, decided4) == near(0.7708333333333333));
  CHECK(matthews(truth4, decided4) == near(0.6698113207547169));
  CHECK(cohen_kappa(truth4, decided4) == near(0.6635514018691588));
  CHECK(precision(truth4, decided4, Average::macro) == near(0.7708333333333333));
  CHECK(recall(truth4, decided4, Average::macro) == near(0.7708333333333333));
  CHECK(f1(truth4, decided4, Average::macro) == near(0.7541666666666667));
  CHECK(precision(truth4, decided4, Average::weighted) == near(0.7777777777777778));
  CHECK(recall(truth4, decided4, Average::weighted) == near(0.75));
  CHECK(f1(truth4, decided4, Average::weighted) == near(0.75));
  CHECK(f1(truth4, decided4, Average::micro) == near(0.75));
  CHECK(precision(truth2, decided2) == near(2. / 3));
  CHECK(recall(truth2, decided2) == near(0.5));
  CHECK(f1(truth2, decided2) == near(0.5714285714285715));
  CHECK(sensitivity(truth2, decided2) == near(0.5));
  CHECK(specificity(truth2, decided2) == near(0.75));
}

TEST_CASE("metrics: figures without a denominator are 0") {
  const Ints zeros = {0, 0, 0}, ones = {1, 1, 1};
  CHECK(precision(zeros, zeros) == 0);
  CHECK(f1(zeros, zeros) == 0);
  CHECK(specificity(ones, ones) == 0);
  CHECK(matthews(zeros, zeros) == 0);
  CHECK(f1(zeros, ones, Average::macro) == 0);
  CHECK(balanced_accuracy(zeros, Ints{0, 0, 7}) == near(2. / 3));  // a class only predicted does not count
}

TEST_CASE("metrics: confusion") {
  const Confusion c = confusion(truth4, decided4);
  CHECK(c.classes == 4);
  CHECK(c.counts == Ints{2, 0, 0, 1, 0, 3, 1, 0, 0, 1, 2, 0, 0, 0, 0, 2});
  CHECK(c.at(1, 2) == 1);
  CHECK(c.total() == 12);
  CHECK(confusion(truth2, decided2, 3).counts == Ints{3, 1, 0, 2, 2, 0, 0, 0, 0});
}

TEST_CASE("metrics: scores") {
  CHECK(roc_auc(truth2, scores2) == near(0.8125));
  CHECK(average_precision(truth2, scores2) == near(0.8333333333333333));
  const RocCurve c = roc_curve(truth2, scores2);
  CHECK(c.false_positive_rate == Reals{0, 0, 0, 0.25, 0.5, 0.75, 1});
  CHECK(c.true_positive_rate == Reals{0, 0.25, 0.5, 0.5, 1, 1, 1});
  CHECK(c.threshold == Reals{std::numeric_limits<double>::infinity(), .9, .8, .7, .4, .2, .1});
  CHECK(roc_auc(Ints{0, 1}, Reals{.5, .5}) == 0.5);
  CHECK(roc_auc(Ints{0, 1}, Reals{-3, 900}) == 1);
}

TEST_CASE("metrics: probabilities") {
  const Predictions two = Predictions::of(from(truth2), from(scores2));
  CHECK(two.classes == 2);
  CHECK(roc_auc(two) == near(0.8125));
  CHECK(brier(two) == near(0.18375));
  CHECK(log_loss(two) == near(0.5255485032230386));
  const Predictions p = Predictions::of(from(Ints{0, 1, 2, 0, 1, 2}), from(three, {6, 3}));
  CHECK(p.predicted() == Ints{0, 1, 2, 1, 0, 2});
  CHECK(roc_auc(p) == near(0.7708333333333334));
  CHECK(log_loss(p) == near(0.8641647802068388));
  CHECK(top_k(p, 1) == near(4. / 6));
  CHECK(top_k(p, 2) == near(0.6666666666666666));  // equal probabilities: the higher class goes first
  CHECK(top_k(p, 3) == 1);
  CHECK(average_precision(p) == near(0.6944444444444443));
  CHECK(brier(p) == near((.14 + .42 + .54 + 1.04 + .875 + .06) / 6));
  const Predictions q = Predictions::of(from(Ints{0, 1, 2, 0, 0, 2}), from(three, {6, 3}));
  CHECK(roc_auc(q, Average::macro) == near(0.875462962962963));
  CHECK(roc_auc(q, Average::weighted) == near(0.8902777777777778));
  CHECK(roc_auc_ovo(p) == near(0.7708333333333334));
  CHECK(roc_auc_ovo(q) == near(0.875));
  CHECK(roc_auc_ovo(q, Average::weighted) == near(0.8784722222222222));
  CHECK(roc_auc_ovo(two) == roc_auc(two));
  // A certain mistake costs -log of the least double step, not infinity.
  CHECK(log_loss(Predictions::of(from(Ints{1}), from(Reals{1, 0}, {1, 2}))) == near(-std::log(0x1p-52)));
}

TEST_CASE("metrics: calibration") {
  // Confidences .95 (right), .85 (wrong), .6 (right), .6 (right): the edge .6 belongs to the bin that it closes.
  const Predictions p = Predictions::of(from(Ints{1, 0, 0, 1}), from(Reals{.95, .85, .4, .6}));
  const auto bins = calibration(p, 5);
  CHECK(bins.size() == 5);
  CHECK(bins[2].count == 2);
  CHECK(bins[2].confidence == near(.6));
  CHECK(bins[2].accuracy == 1);
  CHECK(bins[3].count == 0);
  CHECK(bins[3].low == near(.6));
  CHECK(bins[4].count == 2);
  CHECK(bins[4].accuracy == 0.5);
  CHECK(calibration_error(p, 5) == near((2 * .4 + 2 * .4) / 4));
  CHECK(calibration_error(p, 1) == near(.0));
  CHECK(message<ConfigError>([&] { calibration(p, 0); }) == "calibration: 0 bins, must be 1 or more");
}

TEST_CASE("metrics: regression") {
  CHECK(mean_squared_error(Reals{1, 2, 3}, Reals{1, 4, 3}) == near(4. / 3));
  CHECK(mean_absolute_error(Reals{1, 2, 3}, Reals{1, 4, 3}) == near(2. / 3));
  CHECK(r_squared(Reals{1, 2, 3}, Reals{1, 4, 3}) == near(-1));
  CHECK(r_squared(Reals{2, 2}, Reals{2, 2}) == 1);
  CHECK(r_squared(Reals{2, 2}, Reals{2, 3}) == 0);
}

TEST_CASE("metrics: by name") {
  CHECK(metric("f1_macro").compute(Predictions::of(from(truth2), from(scores2))) ==
        near(f1(truth2, Predictions::of(from(truth2), from(scores2)).predicted(), Average::macro)));
  CHECK(metric("roc_auc").higher_is_better);
  CHECK_FALSE(metric("brier").higher_is_better);
  const Predictions p = Predictions::of(from(truth2), from(scores2));
  for (const NamedMetric& m : metrics()) CHECK_MESSAGE(std::isfinite(m.compute(p)), m.name);
  CHECK(message<ConfigError>([] { metric("acuracy"); }) ==
        "metric: there is no \"acuracy\"; the closest name is \"accuracy\"");
}

TEST_CASE("metrics: messages") {
  const auto config = [](auto&& act) { return message<ConfigError>(act); };
  CHECK(message<ShapeError>([] { accuracy(Ints{1}, Ints{1, 0}); }) == "accuracy: 1 labels, 2 predictions");
  CHECK(config([] { accuracy({}, {}); }) == "accuracy: there are no samples");
  CHECK(config([] { f1(Ints{3}, Ints{1}); }) ==
        "f1: label 3 is neither 0 nor 1\n  help: choose a macro, weighted or micro average");
  CHECK(config([] { recall(Ints{0, -1}, Ints{1, 1}); }) == "recall: label -1 of sample 1 is negative");
  CHECK(config([] {
          confusion(Ints{0, 2}, Ints{1, 1}, 2);
        }) == "confusion: label 2 of sample 1 is outside the 2 classes");
  CHECK(config([] { confusion(Ints{1000000}, Ints{1}); }) == "confusion: 1000001 classes, the most is 16384");
  CHECK(config([] { roc_auc(Ints{1, 1}, Reals{.5, .6}); }) == "roc_auc: all 2 labels are 1, both 0 and 1 are needed");
  CHECK(config([] { average_precision(Ints{0}, Reals{.5}); }) ==
        "average_precision: all 1 labels are 0, both 0 and 1 are needed");
  CHECK(config([] { roc_auc(Ints{0, 2}, Reals{.5, .6}); }) == "roc_auc: label 2 is neither 0 nor 1");
  CHECK(config([] { roc_auc(Ints{0, 1}, Reals{.5, std::nan("")}); }) == "roc_auc: the score of sample 1 is NaN");
  const Predictions p = Predictions::of(from(Ints{0, 1, 1, 0, 1, 1}), from(three, {6, 3}));
  CHECK(config([&] { roc_auc(p); }) == "roc_auc: class 2 has no member among 6 labels");
  CHECK(config([&] { roc_auc(p, Average::micro); }) == "roc_auc: the average must be macro or weighted");
  CHECK(config([&] { roc_auc_ovo(p); }) == "roc_auc_ovo: class 2 has no member among 6 labels");
  CHECK(config([&] { roc_auc_ovo(p, Average::binary); }) == "roc_auc_ovo: the average must be macro or weighted");
  CHECK(config([] { roc_auc_ovo({}); }) == "roc_auc_ovo: there are no samples");
  CHECK(config([&] { top_k(p, 0); }) == "top_k: k is 0, must be 1 or more");
  CHECK(config([] { brier({}); }) == "brier: there are no samples");
  CHECK(config([] {
          roc_auc(Predictions::of(from(Ints{0}), from(Reals{1}, {1, 1})));
        }) == "roc_auc: two classes or more are needed, got 1");
  CHECK(config([&] { p.rows(Ints{6}); }) == "predictions: index 6 is outside the 6 samples");
  CHECK(message<DtypeError>([] { Predictions::of(from(Reals{1}), from(Reals{1})); }) ==
        "predictions: labels are float64, not integers");
  CHECK(message<DtypeError>([] { Predictions::of(from(Ints{1}), from(Ints{1})); }) ==
        "predictions: probabilities are int64, not floating");
  CHECK(message<ShapeError>([] {
          Predictions::of(from(Ints{1}), from(three, {6, 3}));
        }) == "predictions: labels [1] and probabilities [6, 3] are not (N,) and (N, C)");
  CHECK(config([] { Predictions::of(from(Ints{1}), from(Reals{1.5})); }) ==
        "predictions: 1.5 is not a probability\n  help: pass softmax of the logits");
  CHECK(config([] { Predictions::of(from(Ints{2}), from(Reals{.5})); }) ==
        "predictions: label 2 of sample 0 is outside the 2 classes");
}
