#include <weft/autograd/ops/survival.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/scan.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using Places = std::vector<std::int64_t>;

/// Samples of weight above 0 by stratum and falling time: in front of each stand those that are at risk with it.
struct Order {
  Places rows;                     ///< where each sample stands in the input
  std::vector<double> log_weight;  ///< of each in this order
  Places begin;                    ///< where each stratum begins, and the end of the last
  Places events;                   ///< places, in this order, of those with an event
  Places group;                    ///< of each event: its number among the different times with events
  Places last;                     ///< of each group: the last place that is at risk
  std::vector<double> weight;      ///< of each event
  std::vector<double> deaths;      ///< of each group: the number of its events
};

std::vector<double> numbers(const char* what, const Tensor& x, std::int64_t n) {
  if (x.dim() != 1 || x.shape()[0] != n)
    throw ShapeError(text("cox_loss: there are ", n, " log risks, ", what, " is ", x.shape()));
  return to_vector<double>(x);
}

Order ordered(const Tensor& time, const Tensor& event, const CoxOptions& o, std::int64_t n) {
  const std::vector<double> t = numbers("time", time, n), e = numbers("event", event, n);
  std::vector<double> w(t.size(), 1.0);
  Places stratum(t.size(), 0);
  if (o.weight.defined()) w = numbers("weight", o.weight, n);
  if (o.strata.defined()) {
    numbers("strata", o.strata, n);
    if (o.strata.dtype() != DType::int64)
      throw DtypeError(text("cox_loss: strata are ", o.strata.dtype(), "\n  help: pass their numbers as int64"));
    stratum = to_vector<std::int64_t>(o.strata);
  }
  Order out;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (std::isnan(t[i])) throw ConfigError(text("cox_loss: time ", i, " is not a number"));
    if (e[i] != 0 && e[i] != 1)
      throw ConfigError(text("cox_loss: event ", i, " is ", e[i], "\n  help: pass 1 for an event, 0 for censored"));
    if (!(w[i] >= 0)) throw ConfigError(text("cox_loss: weight ", i, " is ", w[i], "\n  help: choose 0 or more"));
    // A weight of 0 is left out here: its logarithm would make NaN of differences further on.
    if (w[i] > 0) out.rows.push_back(static_cast<std::int64_t>(i));
  }
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  std::stable_sort(out.rows.begin(), out.rows.end(), [&](std::int64_t a, std::int64_t b) {
    return stratum[at(a)] != stratum[at(b)] ? stratum[at(a)] < stratum[at(b)] : t[at(a)] > t[at(b)];
  });
  for (std::size_t i = 0; i < out.rows.size();) {
    const std::size_t row = at(out.rows[i]);
    if (i == 0 || stratum[at(out.rows[i - 1])] != stratum[row]) out.begin.push_back(static_cast<std::int64_t>(i));
    std::size_t end = i, deaths = 0;  // all of one time
    for (; end < out.rows.size() && stratum[at(out.rows[end])] == stratum[row] && t[at(out.rows[end])] == t[row];
         ++end) {
      out.log_weight.push_back(std::log(w[at(out.rows[end])]));
      if (e[at(out.rows[end])] == 0) continue;
      ++deaths;
      out.events.push_back(static_cast<std::int64_t>(end));
      out.group.push_back(static_cast<std::int64_t>(out.last.size()));
      out.weight.push_back(w[at(out.rows[end])]);
    }
    if (deaths > 0) {
      out.last.push_back(static_cast<std::int64_t>(end) - 1);
      out.deaths.push_back(static_cast<double>(deaths));
    }
    i = end;
  }
  out.begin.push_back(static_cast<std::int64_t>(out.rows.size()));
  return out;
}

/// Efron's correction of each group: the mean over l < d of log(1 - l / d * share), share = D / S.
Tensor corrections(const Tensor& share, const std::vector<double>& deaths) {
  Places group;
  std::vector<double> part, count;
  for (std::size_t g = 0; g < deaths.size(); ++g)
    for (double l = 1; l < deaths[g]; ++l) {
      group.push_back(static_cast<std::int64_t>(g));
      part.push_back(l / deaths[g]);
      count.push_back(1 / deaths[g]);
    }
  const Tensor none = zeros({static_cast<std::int64_t>(deaths.size())}, DType::float64);
  if (group.empty()) return none;
  const Tensor to = from(group);
  return scatter_add(none, 0, to, log1p(neg(index_select(share, 0, to) * from(part))) * from(count));
}

}  // namespace

Tensor cox_loss(const Tensor& log_risk, const Tensor& time, const Tensor& event, const CoxOptions& options) {
  const bool column = log_risk.dim() == 2 && log_risk.shape()[1] == 1;
  if (log_risk.dim() != 1 && !column)
    throw ShapeError(text("cox_loss: log_risk is ", log_risk.shape(), "\n  help: pass (N,) or (N, 1)"));
  if (options.reduction == Reduction::batchmean)
    throw ConfigError("cox_loss: batchmean has no meaning here\n  help: choose mean, which divides by the events");
  const std::int64_t n = log_risk.shape()[0];
  const Tensor risk = to(column ? squeeze(log_risk, 1) : log_risk, DType::float64);
  const Order order = ordered(time, event, options, n);
  Tensor losses = risk * 0.0;  // without an event, too, the loss hangs on the risks
  double total = 1;
  if (!order.events.empty()) {
    const Tensor sorted = index_select(risk, 0, from(order.rows)), weighted = sorted + from(order.log_weight);
    std::vector<Tensor> sums;  // log S of each place
    for (std::size_t s = 0; s + 1 < order.begin.size(); ++s)
      sums.push_back(logcumsumexp(index(weighted, {Slice{order.begin[s], order.begin[s + 1]}}), 0));
    const Tensor group = from(order.group), places = from(order.events);
    const Tensor at_risk = index_select(cat(sums, 0), 0, from(order.last));
    Tensor level = at_risk;  // of each group: what its events lose besides their own risk
    if (options.ties == Ties::efron) {
      const Tensor shares = exp(index_select(weighted, 0, places) - index_select(at_risk, 0, group));
      const Tensor none = zeros({at_risk.shape()[0]}, DType::float64);
      level = at_risk + corrections(scatter_add(none, 0, group, shares), order.deaths);
    }
    const Tensor weight = from(order.weight);
    const Tensor each = (index_select(level, 0, group) - index_select(sorted, 0, places)) * weight;
    losses = scatter_add(losses, 0, index_select(from(order.rows), 0, places), each);
    total = std::accumulate(order.weight.begin(), order.weight.end(), 0.0);
  }
  Tensor out = options.reduction == Reduction::none ? losses : sum(losses);
  if (options.reduction == Reduction::mean) out = out / total;
  return to(out, log_risk.dtype());
}

}  // namespace weft
