#pragma once
#include <weft/autograd/ops/loss.h>

/// Losses of times until an event, of which some are censored: known only to lie behind the last visit.
namespace weft {

/// How events at the same time are told apart: not at all, as if all of them were at risk until the last (Breslow), or
/// each at risk for its share of the event (Efron), which is nearer to the truth where ties are many.
enum class Ties { efron, breslow };

struct CoxOptions {
  Ties ties = Ties::efron;
  Tensor weight{};  ///< (N,), 0 or more: a sample of weight 2 counts as two would, ties by Efron aside
  Tensor strata{};  ///< (N,) int64: samples are at risk beside those of their own stratum only
  Reduction reduction = Reduction::mean;
};
/// Cox's negative logarithm of the partial likelihood. Sample i with an event at time t_i loses
///
///   w_i (mean over l < d of log(S(t_i) - l / d D(t_i)) - r_i),
///
/// r the log risks, S(t) the sum of w exp(r) over all whose time is t or later, D(t) and d that sum and the number over
/// the events at t itself; by Breslow's ties log S(t_i) - r_i. A censored sample loses nothing itself.
/// Shape: log_risk (N,) or (N, 1); time (N,), in any unit; event (N,), 1 where it happened and 0 where the sample was
/// censored. `mean` divides by the weights of the events, `none` gives (N,). Without an event the loss is 0, and so is
/// its gradient: a small batch may well have none. Computed in double precision through logarithms of sums, so that no
/// risk overflows. Throws ShapeError for other shapes, ConfigError for a time that is not a number, an event other than
/// 0 and 1, a negative weight, and for Reduction::batchmean.
/// Gradient: to log_risk. Cox (1972, 1975); Breslow (1974); Efron (1977).
Tensor cox_loss(const Tensor& log_risk, const Tensor& time, const Tensor& event, const CoxOptions& options = {});

}  // namespace weft
