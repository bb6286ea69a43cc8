#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include <weft/data/statistics.h>

/// Times until an event, of which some are censored. `time` is in any unit, `event` is 1 where it happened at that time
/// and 0 where the sample was last seen without it. All throw ShapeError when counts differ, ConfigError when there are
/// no samples, a time is not a number, or an event is neither 0 nor 1.
namespace weft::data {

/// Pairs of samples of which is known who had the event first: that one had it, and the other's time is later, or the
/// same and censored. All counts are of such pairs.
struct Concordance {
  std::int64_t concordant = 0;  ///< the one with the earlier event has the higher risk
  std::int64_t discordant = 0;
  std::int64_t tied = 0;  ///< equal risks
  /// (concordant + tied / 2) / all.
  double index() const noexcept;
};
/// Counted in O(n log n). Throws ConfigError where no pair can be compared or a risk is not a number. Harrell et al.
/// (1982).
Concordance concordance(Numbers time, Labels event, Numbers risk);
/// Harrell's c: the share of comparable pairs whose order the risks tell, equal risks counting a half.
double concordance_index(Numbers time, Labels event, Numbers risk);
/// The same with its bootstrap interval, drawn within events and within censored samples.
Interval concordance_interval(Numbers time, Labels event, Numbers risk, const BootstrapOptions& options = {});

/// The share that is still without the event, at the times at which that changes.
struct SurvivalCurve {
  std::vector<double> time;  ///< ascending, those of the events
  std::vector<double> survival;
  std::vector<double> low, high;  ///< of the interval; NaN where survival is 0
  std::vector<std::int64_t> at_risk, events;
  double last = 0;  ///< the largest time, censored ones included: nothing is known beyond

  /// At any time: 1 before the first event.
  double at(double t) const noexcept;
  /// The first time at which it is one half or less; infinite when that is never reached.
  double median() const noexcept;
  /// The corners (time, share) of the curve as it is drawn, from 1 at time 0 in steps to `last`.
  std::pair<std::vector<double>, std::vector<double>> corners() const;
};
/// S(t) = product over event times t_i <= t of 1 - d_i / n_i, with the interval exp(-exp(log(-log S) -+ z se)), se by
/// Greenwood's formula. Throws ConfigError for a level outside (0, 1). Kaplan and Meier (1958).
SurvivalCurve kaplan_meier(Numbers time, Labels event, double level = 0.95);

struct LogRank {
  double statistic = 0;  ///< chi-square with one degree of freedom
  double p_value = 1;
};
/// Whether two groups (0 and 1) have the same survival. Throws ConfigError for another group, and where an event never
/// meets both. Mantel (1966).
LogRank log_rank(Numbers time, Labels event, Labels group);

/// What turns the relative risks of cox_loss into probabilities: the cumulative hazard of somebody of log risk 0, by
/// Breslow's estimate, H(t) = sum over events t_i <= t of 1 / (sum of exp(r) over all whose time is t_i or later).
struct BaselineHazard {
  std::vector<double> time;    ///< ascending, those of the events
  std::vector<double> hazard;  ///< cumulative

  /// From the training samples and the log risks that the model gives them.
  static BaselineHazard fit(Numbers time, Labels event, Numbers log_risk);
  double at(double t) const noexcept;
  /// P(no event until t) = exp(-H(t) exp(log_risk)).
  double survival(double t, double log_risk) const noexcept;
};

}  // namespace weft::data
