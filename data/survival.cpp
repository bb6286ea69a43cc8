#include <weft/data/survival.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <weft/tensor/error.h>

namespace weft::data {
namespace {

using Places = std::vector<std::size_t>;
constexpr double infinity = std::numeric_limits<double>::infinity();

void check(const char* op, Numbers time, Labels event) {
  if (time.size() != event.size())
    throw ShapeError(text(op, ": there are ", time.size(), " times, ", event.size(), " events"));
  if (time.empty()) throw ConfigError(text(op, ": there are no samples"));
  for (std::size_t i = 0; i < time.size(); ++i) {
    if (std::isnan(time[i])) throw ConfigError(text(op, ": time ", i, " is not a number"));
    if (event[i] != 0 && event[i] != 1)
      throw ConfigError(text(op, ": event ", i, " is ", event[i], "\n  help: pass 1 for an event, 0 for censored"));
  }
}

void check_risks(const char* op, Numbers time, Numbers risk) {
  if (time.size() != risk.size())
    throw ShapeError(text(op, ": there are ", time.size(), " times, ", risk.size(), " risks"));
  for (std::size_t i = 0; i < risk.size(); ++i)
    if (std::isnan(risk[i])) throw ConfigError(text(op, ": risk ", i, " is not a number"));
}

/// Places by rising time.
Places by_time(Numbers time) {
  Places order(time.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return time[a] < time[b]; });
  return order;
}

/// visit(begin, end, events) for each different time, in order.
template <class Visit>
void each_time(Numbers time, Labels event, const Places& order, Visit visit) {
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    std::int64_t events = 0;
    for (; end < order.size() && time[order[end]] == time[order[i]]; ++end) events += event[order[end]];
    visit(i, end, events);
    i = end;
  }
}

/// How many of the ranks put in so far lie below one. Fenwick (1994).
class Counts {
 public:
  explicit Counts(std::size_t ranks) : sums_(ranks + 1, 0) {}
  void add(std::size_t rank) {
    for (std::size_t i = rank + 1; i < sums_.size(); i += i & (~i + 1)) ++sums_[i];
  }
  std::int64_t below(std::size_t rank) const {
    std::int64_t sum = 0;
    for (std::size_t i = rank; i > 0; i -= i & (~i + 1)) sum += sums_[i];
    return sum;
  }

 private:
  std::vector<std::int64_t> sums_;
};

/// The value of a step function at t: `before` in front of its first step.
double step_at(const std::vector<double>& time, const std::vector<double>& value, double t, double before) noexcept {
  const auto behind = std::upper_bound(time.begin(), time.end(), t) - time.begin();
  return behind == 0 ? before : value[static_cast<std::size_t>(behind - 1)];
}

}  // namespace

double Concordance::index() const noexcept {
  const auto pairs = static_cast<double>(concordant + discordant + tied);
  return (static_cast<double>(concordant) + 0.5 * static_cast<double>(tied)) / pairs;
}

Concordance concordance(Numbers time, Labels event, Numbers risk) {
  constexpr const char* op = "concordance_index";
  check(op, time, event);
  check_risks(op, time, risk);
  std::vector<double> ranks(risk.begin(), risk.end());
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  const auto rank = [&](std::size_t i) {
    return static_cast<std::size_t>(std::lower_bound(ranks.begin(), ranks.end(), risk[i]) - ranks.begin());
  };
  // From the last time to the first: who is in `later` outlives the events that are looked at.
  Places order = by_time(time);
  std::reverse(order.begin(), order.end());
  Counts later(ranks.size());
  std::int64_t in = 0;
  Concordance out;
  const auto put = [&](std::size_t begin, std::size_t end, std::int64_t which) {
    for (std::size_t i = begin; i < end; ++i)
      if (event[order[i]] == which) {
        later.add(rank(order[i]));
        ++in;
      }
  };
  each_time(time, event, order, [&](std::size_t begin, std::size_t end, std::int64_t) {
    put(begin, end, 0);  // the censored of this time live on
    for (std::size_t i = begin; i < end; ++i) {
      if (event[order[i]] == 0) continue;
      const std::size_t r = rank(order[i]);
      const std::int64_t lower = later.below(r), up_to = later.below(r + 1);
      out.concordant += lower;
      out.tied += up_to - lower;
      out.discordant += in - up_to;
    }
    put(begin, end, 1);
  });
  if (out.concordant + out.discordant + out.tied == 0)
    throw ConfigError(text(op, ": of ", time.size(), " samples no two can be compared\n  help: see that there are ",
                           "events with somebody known to live longer"));
  return out;
}

double concordance_index(Numbers time, Labels event, Numbers risk) { return concordance(time, event, risk).index(); }

Interval concordance_interval(Numbers time, Labels event, Numbers risk, const BootstrapOptions& options) {
  concordance(time, event, risk);  // what is wrong with all is said before the draws
  std::vector<double> t(time.size()), r(time.size());
  std::vector<std::int64_t> e(time.size());
  const auto n = static_cast<std::int64_t>(time.size());
  return bootstrap(
      n,
      [&](std::span<const std::int64_t> rows) {
        const std::size_t count = rows.size();
        t.resize(count);
        r.resize(count);
        e.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
          const auto row = static_cast<std::size_t>(rows[i]);
          t[i] = time[row];
          r[i] = risk[row];
          e[i] = event[row];
        }
        return concordance_index(t, e, r);
      },
      options, event);
}

double SurvivalCurve::at(double t) const noexcept { return step_at(time, survival, t, 1); }

double SurvivalCurve::median() const noexcept {
  for (std::size_t i = 0; i < time.size(); ++i)
    if (survival[i] <= 0.5) return time[i];
  return infinity;
}

std::pair<std::vector<double>, std::vector<double>> SurvivalCurve::corners() const {
  std::vector<double> x{0}, y{1};
  for (std::size_t i = 0; i < time.size(); ++i) {
    x.insert(x.end(), {time[i], time[i]});
    y.insert(y.end(), {y.back(), survival[i]});
  }
  x.push_back(last);
  y.push_back(y.back());
  return {x, y};
}

SurvivalCurve kaplan_meier(Numbers time, Labels event, double level) {
  check("kaplan_meier", time, event);
  if (!(level > 0 && level < 1)) throw ConfigError(text("kaplan_meier: level ", level, " is not in (0, 1)"));
  const double z = normal_quantile(0.5 + level / 2);
  const Places order = by_time(time);
  SurvivalCurve out;
  out.last = time[order.back()];
  double survival = 1, variance = 0;  // of log S
  each_time(time, event, order, [&](std::size_t begin, std::size_t, std::int64_t events) {
    if (events == 0) return;
    const auto n = static_cast<double>(order.size() - begin), d = static_cast<double>(events);
    survival = n == d ? 0 : survival * (1 - d / n);
    variance += d / (n * (n - d));
    const double log_survival = std::log(survival), spread = z * std::sqrt(variance) / std::abs(log_survival);
    const bool none = survival == 0;
    out.time.push_back(time[order[begin]]);
    out.survival.push_back(survival);
    out.low.push_back(none ? std::nan("") : std::exp(log_survival * std::exp(spread)));
    out.high.push_back(none ? std::nan("") : std::exp(log_survival * std::exp(-spread)));
    out.at_risk.push_back(static_cast<std::int64_t>(order.size() - begin));
    out.events.push_back(events);
  });
  return out;
}

LogRank log_rank(Numbers time, Labels event, Labels group) {
  check("log_rank", time, event);
  if (group.size() != time.size())
    throw ShapeError(text("log_rank: there are ", time.size(), " times, ", group.size(), " groups"));
  double ones = 0;  // of group 1, at risk
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i] != 0 && group[i] != 1)
      throw ConfigError(text("log_rank: group ", i, " is ", group[i], "\n  help: number the two groups 0 and 1"));
    ones += static_cast<double>(group[i]);
  }
  const Places order = by_time(time);
  double excess = 0, variance = 0;  // of events in group 1, over what chance would give
  each_time(time, event, order, [&](std::size_t begin, std::size_t end, std::int64_t events) {
    const auto n = static_cast<double>(order.size() - begin), d = static_cast<double>(events);
    excess -= d * ones / n;
    if (n > 1) variance += d * (ones / n) * (1 - ones / n) * (n - d) / (n - 1);
    for (std::size_t i = begin; i < end; ++i) {
      excess += static_cast<double>(event[order[i]] * group[order[i]]);
      ones -= static_cast<double>(group[order[i]]);
    }
  });
  if (!(variance > 0)) throw ConfigError("log_rank: no event meets both groups");
  const double statistic = excess * excess / variance;
  return {statistic, 2 * normal_cdf(-std::sqrt(statistic))};
}

BaselineHazard BaselineHazard::fit(Numbers time, Labels event, Numbers log_risk) {
  constexpr const char* op = "baseline_hazard";
  check(op, time, event);
  check_risks(op, time, log_risk);
  const double most = *std::max_element(log_risk.begin(), log_risk.end());
  if (!std::isfinite(most)) throw ConfigError(text(op, ": the largest log risk is ", most));
  const Places order = by_time(time);
  std::vector<double> at_risk(order.size() + 1, 0.0);  // exp(r - most) from each place on
  for (std::size_t i = order.size(); i-- > 0;) at_risk[i] = at_risk[i + 1] + std::exp(log_risk[order[i]] - most);
  BaselineHazard out;
  double hazard = 0;
  each_time(time, event, order, [&](std::size_t begin, std::size_t, std::int64_t events) {
    if (events == 0) return;
    hazard += static_cast<double>(events) / at_risk[begin];
    out.time.push_back(time[order[begin]]);
    out.hazard.push_back(hazard * std::exp(-most));
  });
  return out;
}

double BaselineHazard::at(double t) const noexcept { return step_at(time, hazard, t, 0); }
double BaselineHazard::survival(double t, double log_risk) const noexcept {
  return std::exp(-at(t) * std::exp(log_risk));
}

}  // namespace weft::data
