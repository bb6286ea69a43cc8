#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/data/statistics.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Ints = std::vector<std::int64_t>;
using Reals = std::vector<double>;

namespace {

// The figures are SciPy 1.10.1's; those that hang on the quantile of t with 9 degrees, which is off by 6e-11 there,
// come from the closed form of its distribution. The corrected test is Nadeau & Bengio's formula.
const Reals first = {0.81, 0.79, 0.86, 0.9, 0.77, 0.84, 0.88, 0.82, 0.85, 0.8};
const Reals second = {0.78, 0.8, 0.83, 0.85, 0.76, 0.84, 0.81, 0.83, 0.79, 0.74};
const Reals skewed = {0.3, 1.2, 0.1, 4.5, 0.7, 2.2, 0.9, 7.1, 0.4, 1.8, 3.3, 0.2};

doctest::Approx near(double value, double epsilon = 1e-12) { return doctest::Approx(value).epsilon(epsilon).scale(0); }

double mean_of(const Reals& values, std::span<const std::int64_t> index) {
  double sum = 0;
  for (const std::int64_t i : index) sum += values[static_cast<std::size_t>(i)];
  return sum / static_cast<double>(index.size());
}

Predictions model(double shift) {
  Ints labels;
  Reals ones;
  Generator g{3, 0};
  for (int i = 0; i < 120; ++i) {
    labels.push_back(i % 3 == 0);
    ones.push_back(std::clamp(0.35 + (i % 3 == 0 ? shift : 0) + 0.2 * g.normal(), 0.0, 1.0));
  }
  return Predictions::of(from(labels), from(ones));
}

}  // namespace

TEST_CASE("statistics: incomplete beta") {
  CHECK(incomplete_beta(2, 3, 0.4) == near(0.5248));
  CHECK(incomplete_beta(0.5, 0.5, 0.1) == near(0.2048327646991335));
  CHECK(incomplete_beta(50, 0.5, 0.99) == near(0.31730439787419623));
  CHECK(incomplete_beta(1e3, 2e3, 0.34) == near(0.781215091161411, 1e-10));
  CHECK(incomplete_beta(10, 20, 0) == 0);
  CHECK(incomplete_beta(10, 20, 1) == 1);
}

TEST_CASE("statistics: Student's t") {
  CHECK(student_t_cdf(2, 5) == near(0.9490302605850709));
  CHECK(student_t_cdf(-1.3, 2.5) == near(0.15024339463535397));
  CHECK(student_t_cdf(0.001, 10) == near(0.5003891083126295));
  CHECK(student_t_cdf(-30, 3) == near(4.067640213581984e-05));
  CHECK(student_t_cdf(1.96, 1e6) == near(0.9750019662073651, 1e-9));
  CHECK(student_t_cdf(-1e-9, 1) == near(0.4999999996816901));
  CHECK(student_t_cdf(-1e10, 1) == near(3.1830988618379065e-11));
  CHECK(student_t_cdf(0, 7) == 0.5);
  CHECK(student_t_cdf(std::numeric_limits<double>::infinity(), 7) == 1);
  CHECK(student_t_quantile(0.975, 9) == near(2.262157162798205));
  CHECK(student_t_quantile(0.975, 29) == near(2.045229642132703));
  CHECK(student_t_quantile(0.995, 1) == near(63.65674116287399));
  CHECK(student_t_quantile(0.9, 2.5) == near(1.730250928807177));
  CHECK(student_t_quantile(0.6, 0.5) == near(0.3979754267847501));
  CHECK(student_t_quantile(1e-10, 4) == near(-416.1751403292461));
  CHECK(student_t_quantile(0.5000001, 7) == near(2.597460274290387e-07, 1e-8));
  CHECK(student_t_quantile(0.5, 7) == 0);
}

TEST_CASE("statistics: the normal distribution") {
  CHECK(normal_quantile(0.975) == near(1.959963984540054));
  CHECK(normal_quantile(1e-12) == near(-7.034483825301131));
  CHECK(normal_quantile(0.3) == near(-0.5244005127080409));
  CHECK(normal_quantile(0.999999) == near(4.753424308817087, 1e-10));
  CHECK(normal_quantile(0.5) == 0);
  CHECK(normal_cdf(normal_quantile(1e-300)) == near(1e-300, 1e-9));
}

TEST_CASE("statistics: interval of a mean") {
  const Interval i = mean_interval(Reals{1, 2, 4, 8.5}, 0.9);
  CHECK(i.estimate == 3.875);
  CHECK(i.low == near(-0.0386830155526523, 1e-9));
  CHECK(i.high == near(7.78868301555265, 1e-9));
  CHECK(mean_interval(Reals{3}).low == 3);
  const Interval plain = mean_interval(first), corrected = resampled_mean_interval(first, 7, 3);
  const double wider = (corrected.high - corrected.low) / (plain.high - plain.low);
  CHECK(wider == near(std::sqrt(1 + 10 * 3. / 7), 1e-10));
}

TEST_CASE("statistics: paired t and its correction for resampled splits") {
  const Comparison t = paired_t(first, second);
  CHECK(t.difference == near(0.029));
  CHECK(t.statistic == near(3.0216348956652683));
  CHECK(t.p_value == near(0.014441017504652523));
  CHECK(t.low == near(0.00728905212365032));
  CHECK(t.high == near(0.050710947876349693));
  const Comparison c = corrected_paired_t(first, second, 7, 3);
  CHECK(c.statistic == near(1.3142867976424117));
  CHECK(c.p_value == near(0.22125712088650615));
  CHECK(c.low == near(-0.02091494842588912));
  CHECK(c.high == near(0.07891494842588913));
  CHECK(paired_t(second, first).p_value == near(t.p_value));
  CHECK(paired_t(first, first).p_value == 1);
  CHECK(paired_t(Reals{1, 2}, Reals{0, 1}).p_value == 0);
}

TEST_CASE("statistics: Wilcoxon's signed ranks") {
  const Comparison exact =
      wilcoxon(Reals{1.1, 2.3, 3.7, 4.2, 5.9, 6.4, 7.7, 8.05}, Reals{0.9, 2.8, 3, 3.1, 4.5, 6.1, 7.75, 6});
  CHECK(exact.statistic == 5);
  CHECK(exact.p_value == near(0.078125));
  const Comparison ties = wilcoxon(Reals{5, 3, 8, 6, 2, 9, 4, 7, 6, 5}, Reals{4, 3, 6, 7, 1, 7, 5, 4, 6, 2});
  CHECK(ties.statistic == 5);
  CHECK(ties.p_value == near(0.06464003076463333));
  CHECK(ties.difference == 1);
  CHECK(std::isnan(ties.low));
  CHECK(wilcoxon(first, first).p_value == 1);
}

TEST_CASE("statistics: bootstrap agrees with SciPy's on a skewed mean") {
  const Statistic statistic = [](std::span<const std::int64_t> index) { return mean_of(skewed, index); };
  BootstrapOptions options{.resamples = 20000, .seed = 1};
  const Interval p = bootstrap(12, statistic, options);
  CHECK(p.estimate == near(22.7 / 12));
  CHECK(p.low == doctest::Approx(0.8667).epsilon(0.03));
  CHECK(p.high == doctest::Approx(3.15).epsilon(0.03));
  options.method = BootstrapMethod::bca;
  const Interval b = bootstrap(12, statistic, options);
  CHECK(b.low == doctest::Approx(1.0167).epsilon(0.03));
  CHECK(b.high == doctest::Approx(3.4833).epsilon(0.03));
}

TEST_CASE("statistics: bootstrap is seeded, nested by level, and stratified") {
  const Predictions p = model(0.3);
  const auto auc = [](const Predictions& x) { return roc_auc(x); };
  const Interval a = bootstrap(p, auc, {.resamples = 300, .seed = 5}),
                 b = bootstrap(p, auc, {.resamples = 300, .seed = 5});
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK(a.low != bootstrap(p, auc, {.resamples = 300, .seed = 6}).low);
  CHECK(a.low < a.estimate);
  CHECK(a.estimate < a.high);
  const Interval narrow = bootstrap(p, auc, {.resamples = 300, .level = 0.5, .seed = 5});
  CHECK(narrow.low > a.low);
  CHECK(narrow.high < a.high);
  // Within strata the classes' counts never change, so a statistic of the counts has no width.
  const auto share = [](const Predictions& x) {
    return static_cast<double>(std::accumulate(x.labels.begin(), x.labels.end(), std::int64_t{0}));
  };
  const Interval fixed = bootstrap(p, share, {.resamples = 50});
  CHECK(fixed.low == fixed.high);
  const Interval loose = bootstrap(p, share, {.resamples = 50, .stratified = false});
  CHECK(loose.low < loose.high);
}

TEST_CASE("statistics: resamples of one class are drawn again") {
  const Predictions p = Predictions::of(from(Ints{0, 1, 1, 0}), from(Reals{.1, .8, .3, .4}));
  const auto auc = [](const Predictions& x) { return roc_auc(x); };
  const Interval i = bootstrap(p, auc, {.resamples = 200, .stratified = false});
  CHECK(i.estimate == 0.75);
  CHECK(i.high == 1);
}

TEST_CASE("statistics: paired bootstrap") {
  const auto auc = [](const Predictions& x) { return roc_auc(x); };
  const Comparison c = paired_bootstrap(model(0.5), model(0.1), auc, {.resamples = 400});
  CHECK(c.difference > 0.1);
  CHECK(c.low > 0);
  CHECK(c.p_value == near(1. / 400));
  const Comparison same = paired_bootstrap(model(0.3), model(0.3), auc, {.resamples = 50});
  CHECK(same.difference == 0);
  CHECK(same.p_value == 1);
}

TEST_CASE("statistics: messages") {
  const auto config = [](auto&& act) { return message<ConfigError>(act); };
  CHECK(config([] { incomplete_beta(0, 1, 0.5); }) == "incomplete_beta: a 0 and b 1 must be positive");
  CHECK(config([] { incomplete_beta(1, 1, 1.5); }) == "incomplete_beta: x 1.5 is not in [0, 1]");
  CHECK(config([] { student_t_cdf(1, 0); }) == "student_t_cdf: 0 degrees of freedom, must be positive and finite");
  CHECK(config([] { student_t_quantile(1, 3); }) == "student_t_quantile: probability 1 is not in (0, 1)");
  CHECK(config([] { normal_quantile(0); }) == "normal_quantile: probability 0 is not in (0, 1)");
  CHECK(config([] { mean_interval({}); }) == "mean_interval: there are no values");
  CHECK(config([] { mean_interval(first, 95); }) == "mean_interval: level 95 is not in (0, 1)");
  CHECK(config([] { corrected_paired_t(first, second, 0, 3); }) ==
        "corrected_paired_t: train size 0 and test size 3 must be positive");
  CHECK(message<ShapeError>([] { paired_t(first, Reals{1}); }) == "paired_t: 10 values against 1");
  CHECK(config([] { wilcoxon(Reals{1}, Reals{1}); }) == "wilcoxon: 1 pair, at least 2 are needed");
  CHECK(config([] {
          paired_t(Reals{1, std::nan("")}, Reals{1, 1});
        }) == "paired_t: pair 1 is nan and 1, whose difference is NaN");
  const Statistic never = [](std::span<const std::int64_t>) -> double { return std::nan(""); };
  CHECK(config([&] { bootstrap(5, never, {.resamples = 20}); }) ==
        "bootstrap: the statistic is undefined on 21 of 21 resamples\n"
        "  help: draw them stratified, or choose a metric that one class suffices for");
  CHECK(config([&] { bootstrap(1, never); }) == "bootstrap: 1 sample, at least 2 are needed");
  CHECK(config([&] { bootstrap(5, never, {.resamples = 5}); }) == "bootstrap: 5 resamples, at least 10 are needed");
  CHECK(config([&] { bootstrap(5, never, {.level = 1}); }) == "bootstrap: level 1 is not in (0, 1)");
  CHECK(message<ShapeError>([&] { bootstrap(5, never, {}, Ints{1}); }) == "bootstrap: 1 strata for 5 samples");
  const auto auc = [](const Predictions& x) { return roc_auc(x); };
  const Predictions p = Predictions::of(from(Ints{0, 1}), from(Reals{.1, .8}));
  CHECK(message<ShapeError>([&] { paired_bootstrap(p, model(0), auc); }) == "paired_bootstrap: 2 samples against 120");
  CHECK(config([&] {
          paired_bootstrap(p, Predictions::of(from(Ints{1, 0}), from(Reals{.1, .8})), auc);
        }) == "paired_bootstrap: the two models were judged by different labels");
}
