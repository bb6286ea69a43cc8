#include <weft/data/statistics.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>
#include <vector>

#include <weft/tensor/error.h>
#include <weft/tensor/random.h>

namespace weft::data {
namespace {

double real_of(std::size_t n) noexcept { return static_cast<double>(n); }

void check_level(const char* op, double level) {
  if (!(level > 0 && level < 1)) throw ConfigError(text(op, ": level ", level, " is not in (0, 1)"));
}

double mean_of(Numbers values) noexcept {
  return std::accumulate(values.begin(), values.end(), 0.0) / real_of(values.size());
}

/// Sample variance, divided by n - 1.
double variance_of(Numbers values, double mean) noexcept {
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return sum / (real_of(values.size()) - 1);
}

/// The quantile of sorted values, linear between neighbours.
double quantile(const std::vector<double>& sorted, double p) noexcept {
  const double at = p * (real_of(sorted.size()) - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - real_of(low)) * (sorted[high] - sorted[low]);
}

/// Samples to draw among, one list per stratum.
std::vector<std::vector<std::int64_t>> strata_of(std::int64_t n, Labels strata, bool stratified) {
  std::map<std::int64_t, std::vector<std::int64_t>> members;
  for (std::int64_t i = 0; i < n; ++i) members[stratified ? strata[static_cast<std::size_t>(i)] : 0].push_back(i);
  std::vector<std::vector<std::int64_t>> out;
  for (auto& [label, list] : members) out.push_back(std::move(list));
  return out;
}

/// Values of the statistic on options.resamples resamples.
std::vector<double> resample(const char* op, std::int64_t n, const Statistic& statistic,
                             const BootstrapOptions& options, Labels strata) {
  if (n < 2) throw ConfigError(text(op, ": ", n, n == 1 ? " sample" : " samples", ", at least 2 are needed"));
  if (options.resamples < 10)
    throw ConfigError(text(op, ": ", options.resamples, " resamples, at least 10 are needed"));
  check_level(op, options.level);
  if (!strata.empty() && static_cast<std::int64_t>(strata.size()) != n)
    throw ShapeError(text(op, ": ", strata.size(), " strata for ", n, " samples"));
  const auto groups = strata_of(n, strata, options.stratified && !strata.empty());
  Generator generator{options.seed, 0};
  std::vector<double> values;
  std::vector<std::int64_t> index(static_cast<std::size_t>(n));
  int failed = 0;
  while (static_cast<int>(values.size()) < options.resamples) {
    std::size_t at = 0;
    for (const auto& group : groups)
      for (std::size_t i = 0; i < group.size(); ++i)
        index[at++] = group[static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(group.size())))];
    double value = std::numeric_limits<double>::quiet_NaN();
    try {
      value = statistic(index);
    } catch (const ConfigError&) {
      // Undefined on this resample (one class only): NaN says so.
    }
    if (!std::isnan(value))
      values.push_back(value);
    else if (++failed > options.resamples)
      throw ConfigError(
          text(op, ": the statistic is undefined on ", failed, " of ", real_of(values.size()) + failed,
               " resamples\n  help: draw them stratified, or choose a metric that one class suffices for"));
  }
  return values;
}

/// The bias-corrected and accelerated levels that take the place of (low, high).
void adjust(double& low, double& high, const std::vector<double>& sorted, double estimate, std::int64_t n,
            const Statistic& statistic) {
  // Ties with the estimate count half; never 0 or 1, where the normal quantile ends.
  const auto below = std::lower_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  const auto up_to = std::upper_bound(sorted.begin(), sorted.end(), estimate) - sorted.begin();
  const double r = real_of(sorted.size());
  const double share = std::clamp(static_cast<double>(below + up_to) / (2 * r), 0.5 / r, 1 - 0.5 / r);
  const double bias = normal_quantile(share);

  std::vector<double> left_out(static_cast<std::size_t>(n));
  std::vector<std::int64_t> index(static_cast<std::size_t>(n - 1));
  for (std::int64_t i = 0; i < n; ++i) {
    std::iota(index.begin(), index.begin() + i, std::int64_t{0});
    std::iota(index.begin() + i, index.end(), i + 1);
    left_out[static_cast<std::size_t>(i)] = statistic(index);
  }
  const double centre = mean_of(left_out);
  double squares = 0, cubes = 0;
  for (const double v : left_out) {
    const double d = centre - v;
    squares += d * d;
    cubes += d * d * d;
  }
  const double skew = squares == 0 ? 0 : cubes / (6 * std::pow(squares, 1.5));
  for (double* p : {&low, &high}) {
    const double z = bias + normal_quantile(*p);
    *p = normal_cdf(bias + z / (1 - skew * z));
  }
}

Interval interval_of(std::vector<double> values, double estimate, const BootstrapOptions& options, std::int64_t n,
                     const Statistic& statistic) {
  std::sort(values.begin(), values.end());
  double low = (1 - options.level) / 2, high = 1 - low;
  if (options.method == BootstrapMethod::bca) adjust(low, high, values, estimate, n, statistic);
  return {estimate, quantile(values, low), quantile(values, high)};
}

std::vector<double> differences(const char* op, Numbers a, Numbers b) {
  if (a.size() != b.size()) throw ShapeError(text(op, ": ", a.size(), " values against ", b.size()));
  if (a.size() < 2)
    throw ConfigError(text(op, ": ", a.size(), a.size() == 1 ? " pair" : " pairs", ", at least 2 are needed"));
  std::vector<double> d(a.size());
  for (std::size_t i = 0; i < d.size(); ++i) {
    d[i] = a[i] - b[i];
    if (std::isnan(d[i]))
      throw ConfigError(text(op, ": pair ", i, " is ", a[i], " and ", b[i], ", whose difference is NaN"));
  }
  return d;
}

/// n_test / n_train, what splits share.
double overlap(const char* op, double train_size, double test_size) {
  if (!(train_size > 0 && test_size > 0))
    throw ConfigError(text(op, ": train size ", train_size, " and test size ", test_size, " must be positive"));
  return test_size / train_size;
}

/// Mean -+ t s sqrt(1/n + extra).
Interval student_interval(const char* op, Numbers values, double extra, double level) {
  if (values.empty()) throw ConfigError(text(op, ": there are no values"));
  check_level(op, level);
  const double mean = mean_of(values), n = real_of(values.size());
  if (values.size() == 1) return {mean, mean, mean};
  const double half =
      student_t_quantile(0.5 + level / 2, n - 1) * std::sqrt(variance_of(values, mean) * (1 / n + extra));
  return {mean, mean - half, mean + half};
}

Comparison student_test(const char* op, Numbers a, Numbers b, double extra, double level) {
  const std::vector<double> d = differences(op, a, b);
  const Interval i = student_interval(op, d, extra, level);
  const double n = real_of(d.size());
  const double error = std::sqrt(variance_of(d, i.estimate) * (1 / n + extra));
  Comparison c{i.estimate, i.low, i.high, 0, 1};
  if (error > 0) {
    c.statistic = i.estimate / error;
    c.p_value = std::min(1.0, 2 * student_t_cdf(-std::abs(c.statistic), n - 1));
  } else if (i.estimate != 0) {
    c.statistic = std::copysign(std::numeric_limits<double>::infinity(), i.estimate);
    c.p_value = 0;
  }
  return c;
}

/// P(W <= w) of the signed-rank sum of 1 ... n, each with a random sign: subsets counted by their sum.
double signed_rank_cdf(double w, std::size_t n) {
  std::vector<double> ways(n * (n + 1) / 2 + 1, 0.0);
  ways[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank)
    for (std::size_t sum = ways.size(); sum-- > rank;) ways[sum] += ways[sum - rank];
  double below = 0;
  for (std::size_t sum = 0; sum < ways.size() && real_of(sum) <= w; ++sum) below += ways[sum];
  return below * std::pow(0.5, real_of(n));
}

}  // namespace

// ---- intervals

Interval bootstrap(std::int64_t n, const Statistic& statistic, const BootstrapOptions& options, Labels strata) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(std::max<std::int64_t>(n, 0)));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  const double estimate = n < 2 ? 0 : statistic(all);  // first, so that its own error is the one that is seen
  return interval_of(resample("bootstrap", n, statistic, options, strata), estimate, options, n, statistic);
}

Interval bootstrap(const Predictions& predictions, const Metric& metric, const BootstrapOptions& options) {
  const Statistic statistic = [&](std::span<const std::int64_t> index) { return metric(predictions.rows(index)); };
  return bootstrap(predictions.count(), statistic, options, predictions.labels);
}

Interval mean_interval(Numbers values, double level) { return student_interval("mean_interval", values, 0, level); }

Interval resampled_mean_interval(Numbers values, double train_size, double test_size, double level) {
  constexpr const char* op = "resampled_mean_interval";
  return student_interval(op, values, overlap(op, train_size, test_size), level);
}

// ---- rank correlation

Spearman::Sorted Spearman::sorted(Numbers values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (std::isnan(values[i])) throw ConfigError(text("spearman: value ", i, " is NaN"));
  Sorted s;
  s.order.resize(values.size());
  std::iota(s.order.begin(), s.order.end(), std::size_t{0});
  std::stable_sort(s.order.begin(), s.order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  for (std::size_t k = 1; k <= s.order.size(); ++k)
    if (k == s.order.size() || values[s.order[k]] != values[s.order[k - 1]]) s.ending.push_back(k);
  return s;
}

Spearman::Spearman(Numbers a, Numbers b) {
  if (a.size() != b.size()) throw ShapeError(text("spearman: ", a.size(), " values against ", b.size()));
  a_ = sorted(a);
  b_ = sorted(b);
}

std::vector<double> Spearman::ranks(const Sorted& s, std::span<const std::int64_t> times) {
  std::vector<double> rank(s.order.size());
  double before = 0;
  std::size_t begin = 0;
  for (const std::size_t end : s.ending) {
    double run = 0;
    for (std::size_t k = begin; k < end; ++k) run += static_cast<double>(times[s.order[k]]);
    for (std::size_t k = begin; k < end; ++k) rank[s.order[k]] = before + (run + 1) / 2;
    before += run;
    begin = end;
  }
  return rank;
}

double Spearman::operator()() const { return (*this)(std::vector<std::int64_t>(a_.order.size(), 1)); }

double Spearman::operator()(std::span<const std::int64_t> times) const {
  const std::size_t n = a_.order.size();
  if (times.size() != n) throw ShapeError(text("spearman: ", times.size(), " counts for ", n, " pairs"));
  const std::vector<double> a = ranks(a_, times), b = ranks(b_, times);
  double total = 0, ab = 0, aa = 0, bb = 0;
  for (const std::int64_t t : times) total += static_cast<double>(t);
  const double middle = (total + 1) / 2;  // the mean of all ranks
  for (std::size_t i = 0; i < n; ++i) {
    const auto t = static_cast<double>(times[i]);
    ab += t * (a[i] - middle) * (b[i] - middle);
    aa += t * (a[i] - middle) * (a[i] - middle);
    bb += t * (b[i] - middle) * (b[i] - middle);
  }
  if (!(aa > 0 && bb > 0)) return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

double spearman(Numbers a, Numbers b) { return Spearman(a, b)(); }

// ---- paired comparisons

Comparison paired_t(Numbers a, Numbers b, double level) { return student_test("paired_t", a, b, 0, level); }

Comparison corrected_paired_t(Numbers a, Numbers b, double train_size, double test_size, double level) {
  constexpr const char* op = "corrected_paired_t";
  return student_test(op, a, b, overlap(op, train_size, test_size), level);
}

Comparison wilcoxon(Numbers a, Numbers b) {
  std::vector<double> d = differences("wilcoxon", a, b);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::sort(d.begin(), d.end());
  Comparison c{quantile(d, 0.5), nan, nan, 0, 1};
  std::erase(d, 0.0);
  if (d.empty()) return c;

  std::sort(d.begin(), d.end(), [](double x, double y) { return std::abs(x) < std::abs(y); });
  double plus = 0, minus = 0, tied = 0;
  for (std::size_t begin = 0, end = 0; begin < d.size(); begin = end) {
    while (end < d.size() && std::abs(d[end]) == std::abs(d[begin])) ++end;
    const double rank = (real_of(begin) + 1 + real_of(end)) / 2;  // mean of begin + 1 ... end
    for (std::size_t i = begin; i < end; ++i) (d[i] > 0 ? plus : minus) += rank;
    const double t = real_of(end - begin);
    tied += t * t * t - t;
  }
  c.statistic = std::min(plus, minus);
  const double n = real_of(d.size());
  if (d.size() <= 50 && tied == 0) {
    c.p_value = std::min(1.0, 2 * signed_rank_cdf(c.statistic, d.size()));
  } else {
    const double error = std::sqrt((n * (n + 1) * (2 * n + 1) - tied / 2) / 24);
    c.p_value = std::min(1.0, 2 * normal_cdf((c.statistic - n * (n + 1) / 4) / error));
  }
  return c;
}

Comparison paired_bootstrap(const Predictions& a, const Predictions& b, const Metric& metric,
                            const BootstrapOptions& options) {
  if (a.count() != b.count()) throw ShapeError(text("paired_bootstrap: ", a.count(), " samples against ", b.count()));
  if (a.labels != b.labels) throw ConfigError("paired_bootstrap: the two models were judged by different labels");
  const Statistic statistic = [&](std::span<const std::int64_t> index) {
    return metric(a.rows(index)) - metric(b.rows(index));
  };
  const double estimate = metric(a) - metric(b);
  const std::vector<double> values = resample("paired_bootstrap", a.count(), statistic, options, a.labels);
  std::size_t below = 0, above = 0;
  for (const double v : values) {
    below += v <= 0;
    above += v >= 0;
  }
  const Interval i = interval_of(values, estimate, options, a.count(), statistic);
  const double n = real_of(values.size());
  return {i.estimate, i.low, i.high, 0, std::clamp(2 * real_of(std::min(below, above)) / n, 1 / n, 1.0)};
}

}  // namespace weft::data
