#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

CoxOptions options(const Args& a) {
  CoxOptions o;
  o.ties = a.word("ties") == "efron" ? Ties::efron : Ties::breslow;
  o.weight = a.tensor("weight");
  o.strata = a.tensor("strata");
  const std::string& word = a.word("reduction");
  o.reduction = word == "none" ? Reduction::none : word == "sum" ? Reduction::sum : Reduction::mean;
  if (word == "batchmean") o.reduction = Reduction::batchmean;
  return o;
}

/// By the definition: for each event a walk over all samples.
Outputs by_definition(const Args& a) {
  const auto values = [&](const char* name, double otherwise) {
    return a.has(name) ? to_vector<double>(a.tensor(name))
                       : std::vector<double>(static_cast<std::size_t>(a.tensor("time").numel()), otherwise);
  };
  const std::vector<double> r = values("input", 0), t = values("time", 0), e = values("event", 0),
                            w = values("weight", 1), s = values("strata", 0);
  std::vector<double> losses(r.size(), 0.0);
  double total = 0, weights = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    if (e[i] == 0) continue;
    double at_risk = 0, dying = 0, deaths = 0, most = -INFINITY;
    for (std::size_t j = 0; j < r.size(); ++j)
      if (s[j] == s[i] && t[j] >= t[i]) most = std::max(most, r[j]);  // taken out of the exponentials
    for (std::size_t j = 0; j < r.size(); ++j) {
      if (s[j] != s[i] || t[j] < t[i] || w[j] == 0) continue;
      at_risk += w[j] * std::exp(r[j] - most);
      if (t[j] > t[i] || e[j] == 0) continue;
      dying += w[j] * std::exp(r[j] - most);
      ++deaths;
    }
    double level = most;
    for (double l = 0; l < deaths; ++l)
      level += std::log(at_risk - (a.word("ties") == "efron" ? l / deaths * dying : 0)) / deaths;
    losses[i] = w[i] == 0 ? 0 : w[i] * (level - r[i]);
    total += losses[i];
    weights += w[i];
  }
  if (a.word("reduction") == "none") return from(losses);
  if (a.word("reduction") == "mean" && weights > 0) total /= weights;
  return scalar(total, DType::float64);
}

const Family survival{
    Record{
        .name = "cox_loss",
        .weft = "cox_loss(input, time, event, ties='efron', weight=None, strata=None, reduction='mean')",
        .call =
            [](const Args& a) { return cox_loss(a.tensor("input"), a.tensor("time"), a.tensor("event"), options(a)); },
        .samples = {"x(6), tensor([5, 3, 3, 8, 1, 9]), tensor([1, 1, 0, 0, 1, 1])",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 1, 1, 0, 0])",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 1, 1, 0, 0]), 'breslow'",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 1, 1, 0, 0]), reduction='none'",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 1, 1, 0, 0]),"
                    " weight=tensor([1, 2, 0.5, 0, 1, 3, 0.25, 0]), reduction='sum'",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 1, 1, 0, 0]), 'breslow',"
                    " weight=tensor([1, 2, 0.5, 0, 1, 3, 0.25, 1])",
                    "x(8), tensor([2, 2, 2, 4, 4, 1, 1, 7]), tensor([1, 1, 1, 1, 0, 1, 0, 1]),"
                    " strata=tensor([0, 1, 0, 0, 1, 1, 0, 1], 'int64')",
                    "x(3, 1), tensor([1, 1, 1]), tensor([1, 1, 1]), reduction='sum'", "x(1), tensor([1]), tensor([1])",
                    "x(3), tensor([1, 2, 3]), tensor([0, 0, 0])", "x(0), x(0), x(0), reduction='sum'",
                    "tensor([800, -800, 0, 790]), tensor([4, 3, 3, 1]), tensor([1, 1, 1, 1])"},
        .reference = by_definition,
        .constant = {"time", "event", "weight"},
        .errors = {{"x(3, 2), x(3), x(3)", "ShapeError: cox_loss: log_risk is [3, 2]\n  help: pass (N,) or (N, 1)"},
                   {"x(3), x(2), x(3)", "ShapeError: cox_loss: there are 3 log risks, time is [2]"},
                   {"x(2), x(2), x(2, 1)", "ShapeError: cox_loss: there are 2 log risks, event is [2, 1]"},
                   {"x(2), x(2), tensor([1, 0]), weight=x(3)",
                    "ShapeError: cox_loss: there are 2 log risks, weight is [3]"},
                   {"x(2), x(2), tensor([1, 0]), strata=index(3)",
                    "ShapeError: cox_loss: there are 2 log risks, strata is [3]"},
                   {"x(2), x(2), tensor([1, 0]), strata=x(2)",
                    "DtypeError: cox_loss: strata are float64\n  help: pass their numbers as int64"},
                   {"x(2), tensor([1, nan]), tensor([1, 0])", "ConfigError: cox_loss: time 1 is not a number"},
                   {"x(2), x(2), tensor([1, 2])",
                    "ConfigError: cox_loss: event 1 is 2\n  help: pass 1 for an event, 0 for censored"},
                   {"x(2), x(2), tensor([1, 0]), weight=tensor([1, -1])",
                    "ConfigError: cox_loss: weight 1 is -1\n  help: choose 0 or more"},
                   {"x(2), x(2), tensor([1, 0]), reduction='batchmean'",
                    "ConfigError: cox_loss: batchmean has no meaning here\n"
                    "  help: choose mean, which divides by the events"}}},
};

}  // namespace
}  // namespace weft::tests
