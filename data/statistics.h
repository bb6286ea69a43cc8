#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <weft/data/metrics.h>

/// How sure a figure is, and whether two methods differ. All in double precision.
namespace weft::data {

// ---- distributions

/// Regularised incomplete beta function I_x(a, b), a, b > 0, x in [0, 1]; by Lentz's continued fraction.
/// Throws ConfigError out of range.
double incomplete_beta(double a, double b, double x);
/// P(T <= t) of Student's t with `freedom` > 0 degrees (any real number). Throws ConfigError.
double student_t_cdf(double t, double freedom);
/// The t with P(T <= t) = p, p in (0, 1). Throws ConfigError.
double student_t_quantile(double p, double freedom);
double normal_cdf(double z) noexcept;
/// The z with P(Z <= z) = p, p in (0, 1). Throws ConfigError.
double normal_quantile(double p);

// ---- intervals

struct Interval {
  double estimate = 0;
  double low = 0;
  double high = 0;
};

enum class BootstrapMethod : std::uint8_t {
  percentile,  ///< quantiles of the resampled values
  bca,         ///< bias-corrected and accelerated by the jackknife, Efron (1987); costs N evaluations more
};
struct BootstrapOptions {
  int resamples = 2000;
  double level = 0.95;
  BootstrapMethod method = BootstrapMethod::percentile;
  bool stratified = true;  ///< draw within each class, so that every resample has the classes' counts
  std::uint64_t seed = 0;
};

/// A statistic of the samples named by an index list.
using Statistic = std::function<double(std::span<const std::int64_t>)>;

/// The interval of a statistic of n samples, drawn n times with replacement; within strata when `strata` (n
/// labels) is given and options.stratified. A resample on which the statistic throws ConfigError or is NaN (one
/// class only) is drawn again. Throws ConfigError for bad options, n < 2, or when more than half of the draws fail.
Interval bootstrap(std::int64_t n, const Statistic& statistic, const BootstrapOptions& options = {},
                   Labels strata = {});
/// The interval of a metric, strata being the labels.
Interval bootstrap(const Predictions& predictions, const Metric& metric, const BootstrapOptions& options = {});

/// Mean of independent values with Student's interval: mean -+ t s / sqrt(n). One value gives an interval of
/// width 0. Throws ConfigError when there are none or level is not in (0, 1).
Interval mean_interval(Numbers values, double level = 0.95);
/// The same for values of repeated train/test splits, which share their samples: the variance is
/// s^2 (1/n + n_test / n_train). Nadeau & Bengio (2003). Throws ConfigError.
Interval resampled_mean_interval(Numbers values, double train_size, double test_size, double level = 0.95);

// ---- rank correlation

/// Spearman's rank correlation (1904) of n pairs, ties getting their mean rank, also of pairs drawn with replacement:
/// sorted once, so that each resample of a bootstrap costs n steps. Throws ShapeError when counts differ, ConfigError
/// for a value that is NaN.
class Spearman {
 public:
  Spearman(Numbers a, Numbers b);
  /// Of all pairs; NaN for fewer than 2 and when either is the same throughout.
  double operator()() const;
  /// Pair i counted times[i] times. Throws ShapeError for another number.
  double operator()(std::span<const std::int64_t> times) const;

 private:
  struct Sorted {
    std::vector<std::size_t> order;   // ascending by value
    std::vector<std::size_t> ending;  // in that order, where each run of equal values ends
  };
  static Sorted sorted(Numbers values);
  static std::vector<double> ranks(const Sorted& values, std::span<const std::int64_t> times);
  Sorted a_, b_;
};
double spearman(Numbers a, Numbers b);

// ---- paired comparisons of a - b. All throw ShapeError when counts differ, ConfigError for fewer than 2 pairs.

struct Comparison {
  double difference = 0;  ///< mean of a - b (Wilcoxon: median)
  double low = 0;         ///< interval of the difference (Wilcoxon has none: NaN)
  double high = 0;
  double statistic = 0;  ///< t, or Wilcoxon's smaller rank sum; 0 for the bootstrap
  double p_value = 1;    ///< two-sided
};

/// t = mean(d) / (s / sqrt(n)), n - 1 degrees of freedom; all differences 0 gives t = 0, p = 1.
Comparison paired_t(Numbers a, Numbers b, double level = 0.95);
/// The corrected resampled t-test for repeated train/test splits:
/// t = mean(d) / (s sqrt(1/n + n_test / n_train)). Nadeau & Bengio (2003).
Comparison corrected_paired_t(Numbers a, Numbers b, double train_size, double test_size, double level = 0.95);
/// Wilcoxon's signed-rank test (1945): zero differences dropped, exact for up to 50 without ties, otherwise the normal
/// approximation with tie correction and no continuity correction.
Comparison wilcoxon(Numbers a, Numbers b);
/// The difference of a metric between two models on the same samples, resampled together; the interval follows
/// the options, p = 2 min(share <= 0, share >= 0), at least 1 / resamples, at most 1. Throws ConfigError when
/// the labels differ.
Comparison paired_bootstrap(const Predictions& a, const Predictions& b, const Metric& metric,
                            const BootstrapOptions& options = {});

}  // namespace weft::data
