#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

Reduction reduction(const Args& a) {
  const std::string& word = a.word("reduction");
  if (word == "none") return Reduction::none;
  if (word == "sum") return Reduction::sum;
  if (word == "mean") return Reduction::mean;
  throw ConfigError("reduction: " + word);
}

CrossEntropyOptions options(const Args& a) {
  CrossEntropyOptions o;
  o.weight = a.tensor("weight");
  o.ignore_index = a.integer("ignore_index");
  if (a.has("label_smoothing")) o.label_smoothing = a.real("label_smoothing");
  o.reduction = reduction(a);
  return o;
}

/// The mean or sum of a loss of each pair of numbers.
Reference pairwise(double (*loss)(double, double)) {
  return [loss](const Args& a) {
    const Tensor x = a.tensor("input"), y = a.tensor("target");
    const Tensor each =
        over(stack({x, y}, -1), {-1}, false, [loss](const std::vector<double>& v) { return loss(v[0], v[1]); });
    if (a.word("reduction") == "none") return Outputs(each);
    const bool mean = a.word("reduction") == "mean";
    return Outputs(over(each, {}, false, [mean](const std::vector<double>& v) {
      double sum = 0;
      for (const double one : v) sum += one;
      return mean ? sum / static_cast<double>(v.size()) : sum;
    }));
  };
}

#define WEFT_PAIRS                                                                                       \
  {                                                                                                      \
    "x(3, 4), x(3, 4)", "x(3, 4), x(3, 4), reduction='sum'", "x(5), x(5), reduction='none'", "x(), x()", \
        "x(0, 3), x(0, 3), reduction='sum'"                                                              \
  }

const Family losses{
    Record{.name = "cross_entropy",
           .torch = {"nn.functional.cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100,"
                     " reduce=None, reduction='mean', label_smoothing=0.0)"},
           .call = [](const Args& a) { return cross_entropy(a.tensor("input"), a.tensor("target"), options(a)); },
           .samples = {"x(5, 3), index(5, below=3)", "x(5, 3), index(5, below=3), positive(3)",
                       "x(5, 3), index(5, below=3), reduction='none'",
                       "x(5, 3), index(5, below=3), positive(3), reduction='sum'",
                       "x(6, 3), tensor([0, 1, 2, 1, 0, 2], 'int64'), ignore_index=1",
                       "x(6, 3), tensor([0, 1, 2, 1, 0, 2], 'int64'), positive(3), ignore_index=2, label_smoothing=0.2",
                       "x(5, 3), index(5, below=3), label_smoothing=1.0", "x(3), index(below=3)",
                       "x(2, 3, 4), index(2, 4, below=3), positive(3)", "x(0, 3), index(0), reduction='sum'"},
           .constant = {"weight"},
           .errors = {{"x(5, 3), x(5)",
                       "DtypeError: cross_entropy: the target is float64\n  help: pass class numbers as int64"},
                      {"x(5, 3), index(4)", "ShapeError: cross_entropy: scores [5, 3] need a target [5], it is [4]"},
                      {"x(5, 3), index(5), x(2)", "ShapeError: cross_entropy: the weight is [2], there are 3 classes"},
                      {"x(2, 3), index(2), label_smoothing=2.0",
                       "ConfigError: cross_entropy: label_smoothing is 2\n  help: choose a share from 0 to 1"},
                      {"x(2, 3), tensor([0, 3], 'int64')",
                       "ConfigError: cross_entropy: target 3 at position 1 is outside the 3 classes\n"
                       "  help: number classes from 0 to 2"},
                      {"x(), index()", "ShapeError: cross_entropy: the scores have no axis of classes"},
                      {"x(2, 3, 4), index(2, 3)",
                       "ShapeError: cross_entropy: scores [2, 3, 4] need a target [2, 4], it is [2, 3]"}}},
    Record{.name = "nll_loss",
           .torch =
               {"nn.functional.nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None,"
                " reduction='mean')"},
           .call = [](const Args& a) { return nll_loss(a.tensor("input"), a.tensor("target"), options(a)); },
           .samples = {"x(5, 3), index(5, below=3)", "x(5, 3), index(5, below=3), positive(3)",
                       "x(5, 3), index(5, below=3), positive(3), reduction='none'",
                       "x(6, 3), tensor([0, 1, 2, 1, 0, 2], 'int64'), ignore_index=1", "x(3), index(below=3)",
                       "x(2, 3, 4), index(2, 4, below=3), reduction='sum'", "x(0, 3), index(0), reduction='sum'"},
           .constant = {"weight"},
           .errors = {{"x(5, 3), x(5)",
                       "DtypeError: nll_loss: the target is float64\n  help: pass class numbers as int64"},
                      {"x(5, 3), index(4)", "ShapeError: nll_loss: scores [5, 3] need a target [5], it is [4]"}}},
    Record{.name = "mse_loss",
           .torch = {"nn.functional.mse_loss(input, target, size_average=None, reduce=None, reduction='mean')"},
           .call = [](const Args& a) { return mse_loss(a.tensor("input"), a.tensor("target"), reduction(a)); },
           .samples = WEFT_PAIRS,
           .reference = pairwise([](double x, double y) { return (x - y) * (x - y); }),
           .errors = {{"x(3), x(2)",
                       "ShapeError: sub: shapes [3] and [2] do not broadcast: sizes 3 and 2 at axis 0\n"
                       "  help: make the sizes equal, or one of them 1"}}},
    Record{.name = "l1_loss",
           .torch = {"nn.functional.l1_loss(input, target, size_average=None, reduce=None, reduction='mean')"},
           .call = [](const Args& a) { return l1_loss(a.tensor("input"), a.tensor("target"), reduction(a)); },
           .samples = {"distinct(3, 4), x(3, 4)", "distinct(3, 4), x(3, 4), reduction='sum'",
                       "distinct(5), x(5), reduction='none'", "x(), x()", "x(0, 3), x(0, 3), reduction='sum'"},
           .reference = pairwise([](double x, double y) { return std::abs(x - y); })},
    Record{.name = "binary_cross_entropy_with_logits",
           .torch = {"nn.functional.binary_cross_entropy_with_logits(input, target, weight=None, size_average=None,"
                     " reduce=None, reduction='mean', pos_weight=None)"},
           .call =
               [](const Args& a) {
                 return binary_cross_entropy_with_logits(
                     a.tensor("input"), a.tensor("target"),
                     {.weight = a.tensor("weight"), .pos_weight = a.tensor("pos_weight"), .reduction = reduction(a)});
               },
           .samples = {"x(3, 4), probability(3, 4)", "x(3, 4), probability(3, 4), reduction='sum'",
                       "x(5), probability(5), reduction='none'", "x(), probability()",
                       "x(3, 4), probability(3, 4), positive(4), pos_weight=positive(4)",
                       "tensor([-800, 800]), tensor([0, 1])", "x(0, 3), probability(0, 3), reduction='sum'"},
           .constant = {"weight", "pos_weight"},
           .errors = {{"x(3), x(2)", "ShapeError: binary_cross_entropy_with_logits: x is [3], y [2]"}}},
    Record{.name = "binary_cross_entropy_with_logits/plain",
           .weft = "loss(input, target, reduction='mean')",
           .call =
               [](const Args& a) {
                 return binary_cross_entropy_with_logits(a.tensor("input"), a.tensor("target"), reduction(a));
               },
           .samples = {"x(3, 4), probability(3, 4)", "x(5), probability(5), reduction='none'"},
           .reference = pairwise([](double x, double y) {
             const double s = 1 / (1 + std::exp(-x));
             return -(y * std::log(s) + (1 - y) * std::log(1 - s));
           })},
};

}  // namespace
}  // namespace weft::tests
