#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

Reduction reduction(const Args& a) {
  const std::string& word = a.word("reduction");
  if (word == "none") return Reduction::none;
  if (word == "sum") return Reduction::sum;
  if (word == "mean") return Reduction::mean;
  if (word == "batchmean") return Reduction::batchmean;
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

using Line = std::vector<double>;

/// The mean or sum of the single losses.
Tensor reduced(const Args& a, const Tensor& each) {
  if (a.word("reduction") == "none") return each;
  double count = 1;
  if (a.word("reduction") == "mean") count = static_cast<double>(each.numel());
  if (a.word("reduction") == "batchmean") count = static_cast<double>(each.shape()[0]);
  return over(each, {}, false, [count](const Line& v) {
    double sum = 0;
    for (const double one : v) sum += one;
    return sum / count;
  });
}
/// The mean or sum of a loss of each pair of numbers.
Reference pairwise(const std::function<double(const Args&, double, double)>& loss) {
  return [loss](const Args& a) {
    const Tensor x = a.tensor("input"), y = a.tensor("target");
    return reduced(a, over(stack({x, y}, -1), {-1}, false, [&](const Line& v) { return loss(a, v[0], v[1]); }));
  };
}
Reference pairwise(double (*loss)(double, double)) {
  return pairwise([loss](const Args&, double x, double y) { return loss(x, y); });
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
                       "x(4, 3), tensor([0, -100, 2, -100], 'int64')",
                       "x(4, 3), tensor([0, -100, 2, -100], 'int64'), label_smoothing=0.2",
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
                      {"x(2, 3), tensor([-1, 0], 'int64')",
                       "ConfigError: cross_entropy: target -1 at position 0 is outside the 3 classes\n"
                       "  help: number classes from 0 to 2"},
                      {"x(3, 3), tensor([-100, 0, -1], 'int64'), label_smoothing=0.1",
                       "ConfigError: cross_entropy: target -1 at position 2 is outside the 3 classes\n"
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
                       "x(4, 3), tensor([0, -100, 2, -100], 'int64')",
                       "x(2, 3, 4), index(2, 4, below=3), reduction='sum'", "x(0, 3), index(0), reduction='sum'"},
           .constant = {"weight"},
           .errors = {{"x(5, 3), x(5)",
                       "DtypeError: nll_loss: the target is float64\n  help: pass class numbers as int64"},
                      {"x(5, 3), index(4)", "ShapeError: nll_loss: scores [5, 3] need a target [5], it is [4]"},
                      {"x(2, 3), tensor([1, -2], 'int64')",
                       "ConfigError: nll_loss: target -2 at position 1 is outside the 3 classes\n"
                       "  help: number classes from 0 to 2"}}},
    Record{.name = "weighted_mean",
           .weft = "weighted_mean(input, weights)",
           .call = [](const Args& a) { return weighted_mean(a.tensor("input"), a.tensor("weights")); },
           .samples = {"x(4), positive(4)", "x(3, 2), positive(3)", "x(3, 2), positive(3, 2)",
                       "x(2, 3, 2), positive(2, 3)", "x(3), tensor([3, 2, 0.5])", "x(), positive()",
                       "x(2, 3), positive()"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Line values = to_vector<double>(x), weights = to_vector<double>(a.tensor("weights"));
                 const std::size_t each = values.size() / weights.size();  // elements of a row
                 double sum = 0, total = 0;
                 for (std::size_t i = 0; i < values.size(); ++i) {
                   sum += values[i] * weights[i / each];
                   total += weights[i / each];
                 }
                 return scalar(sum / total, DType::float64);
               },
           .errors = {{"x(3, 2), x(2)",
                       "ShapeError: weighted_mean: the losses are [3, 2], the weights [2]\n"
                       "  help: pass the losses with Reduction::none and a weight for each sample"},
                      {"x(2), tensor([1, -1])", "ConfigError: weighted_mean: there is a negative weight"},
                      {"x(2), tensor([0, 0])", "ConfigError: weighted_mean: no weight is above 0"}}},
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

/// Computed straight from the definition: every alignment is gone through.
double ctc_by_paths(const Tensor& x, std::int64_t row, const std::vector<std::int64_t>& labels, std::int64_t steps) {
  const std::vector<double> values = to_vector<double>(x);
  const std::int64_t batch = x.shape()[1], classes = x.shape()[2];
  std::int64_t paths = 1;
  for (std::int64_t t = 0; t < steps; ++t) paths *= classes;
  double sum = 0;
  for (std::int64_t path = 0; path < paths; ++path) {
    std::int64_t rest = path, before = 0;
    double score = 0;
    std::vector<std::int64_t> read;
    for (std::int64_t t = 0; t < steps; ++t, rest /= classes) {
      const std::int64_t c = rest % classes;
      score += values[static_cast<std::size_t>((t * batch + row) * classes + c)];
      if (c != 0 && c != before) read.push_back(c);  // blanks and repetitions are not read
      before = c;
    }
    if (read == labels) sum += std::exp(score);
  }
  return -std::log(sum);
}

std::vector<std::int64_t> lengths(const Args& a, const char* name) {
  return a.is_tensor(name) ? to_vector<std::int64_t>(a.tensor(name)) : a.integers(name);
}
Tensor ctc(const Args& a, const Tensor& log_probabilities) {
  return ctc_loss(log_probabilities, a.tensor("targets"), lengths(a, "input_lengths"), lengths(a, "target_lengths"),
                  {.blank = a.integer("blank"), .reduction = reduction(a), .zero_infinity = a.flag("zero_infinity")});
}

const Family distributions{
    Record{.name = "huber_loss",
           .torch = {"nn.functional.huber_loss(input, target, reduction='mean', delta=1.0, weight=None)"},
           .call =
               [](const Args& a) {
                 return huber_loss(a.tensor("input"), a.tensor("target"), a.real("delta"), reduction(a));
               },
           .samples = {"x(3, 4), x(3, 4)", "x(3, 4), x(3, 4), reduction='sum', delta=0.3",
                       "x(5), x(5), reduction='none'", "x(), x()", "x(0, 3), x(0, 3), reduction='sum'"},
           .reference = pairwise([](const Args& a, double x, double y) {
             const double delta = a.real("delta"), d = std::abs(x - y);
             return d <= delta ? d * d / 2 : delta * (d - delta / 2);
           }),
           .errors = {{"x(3), x(3), delta=0.0", "ConfigError: huber_loss: delta is 0\n  help: choose one above 0"}}},
    Record{
        .name = "smooth_l1_loss",
        .torch =
            {"nn.functional.smooth_l1_loss(input, target, size_average=None, reduce=None, reduction='mean', beta=1.0)"},
        .call =
            [](const Args& a) {
              return smooth_l1_loss(a.tensor("input"), a.tensor("target"), a.real("beta"), reduction(a));
            },
        .samples = {"x(3, 4), x(3, 4)", "x(3, 4), x(3, 4), reduction='sum', beta=0.3",
                    "x(5), x(5), reduction='none', beta=0.0", "x(), x()", "x(0, 3), x(0, 3), reduction='sum'"},
        .reference = pairwise([](const Args& a, double x, double y) {
          const double beta = a.real("beta"), d = std::abs(x - y);
          return d < beta ? d * d / 2 / beta : d - beta / 2;
        }),
        .errors = {{"x(3), x(3), beta=-1.0", "ConfigError: smooth_l1_loss: beta is -1\n  help: choose one from 0 on"}}},
    Record{.name = "binary_cross_entropy",
           .torch = {"nn.functional.binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None,"
                     " reduction='mean')"},
           .call =
               [](const Args& a) {
                 return binary_cross_entropy(a.tensor("input"), a.tensor("target"),
                                             {.weight = a.tensor("weight"), .reduction = reduction(a)});
               },
           .samples = {"probability(3, 4), probability(3, 4)", "probability(3, 4), probability(3, 4), reduction='sum'",
                       "probability(5), probability(5), reduction='none'", "probability(), probability()",
                       "probability(3, 4), probability(3, 4), positive(4)",
                       "probability(0, 3), probability(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input"), y = a.tensor("target");
                 Tensor each = over(stack({x, y}, -1), {-1}, false, [](const Line& v) {
                   return -(v[1] * std::log(v[0]) + (1 - v[1]) * std::log(1 - v[0]));
                 });
                 if (a.has("weight")) each = each * a.tensor("weight");
                 return reduced(a, each);
               },
           .constant = {"weight"},
           .errors = {{"probability(3), probability(2)", "ShapeError: binary_cross_entropy: x is [3], y [2]"},
                      {"tensor([0.5, 1.5]), probability(2)",
                       "ConfigError: binary_cross_entropy: x [2] has numbers outside [0, 1]\n"
                       "  help: pass probabilities, as from sigmoid"}}},
    Record{.name = "binary_cross_entropy/certain",
           .weft = "loss(input, target, reduction='none')",
           .call =
               [](const Args& a) {
                 return binary_cross_entropy(a.tensor("input"), a.tensor("target"), {.reduction = Reduction::none});
               },
           .samples = {"tensor([0, 1, 0, 1]), tensor([0, 1, 1, 0])"},
           .reference =
               [](const Args&) {
                 return tensor({0, 0, 100, 100}, DType::float64);
               },
           .no_gradient = "the bounds of probability are no places to difference"},
    Record{
        .name = "kl_div",
        .torch =
            {"nn.functional.kl_div(input, target, size_average=None, reduce=None, reduction='mean', log_target=False)"},
        .call =
            [](const Args& a) {
              return kl_div(a.tensor("input"), a.tensor("target"), a.flag("log_target"), reduction(a));
            },
        .samples = {"x(3, 4), probability(3, 4)", "x(3, 4), probability(3, 4), reduction='batchmean'",
                    "x(3, 4), x(3, 4), reduction='sum', log_target=True", "x(5), probability(5), reduction='none'",
                    "x(), probability()", "x(0, 3), probability(0, 3), reduction='sum'"},
        .reference = pairwise([](const Args& a, double x, double t) {
          return a.flag("log_target") ? std::exp(t) * (t - x) : t * (std::log(t) - x);
        })},
    Record{
        .name = "poisson_nll_loss",
        .torch =
            {"nn.functional.poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-08,"
             " reduce=None, reduction='mean')"},
        .call =
            [](const Args& a) {
              return poisson_nll_loss(a.tensor("input"), a.tensor("target"),
                                      {.log_input = a.flag("log_input"),
                                       .full = a.flag("full"),
                                       .eps = a.real("eps"),
                                       .reduction = reduction(a)});
            },
        .samples = {"x(3, 4), positive(3, 4)", "positive(3, 4), positive(3, 4), False, reduction='sum'",
                    "x(3, 4), positive(3, 4), full=True",
                    "positive(5), tensor([0, 1.5, 2, 7, 30]), False, True, eps=0.1, reduction='none'",
                    "x(), positive()", "x(0, 3), positive(0, 3), reduction='sum'"},
        .reference = pairwise([](const Args& a, double x, double t) {
          const double loss = a.flag("log_input") ? std::exp(x) - t * x : x - t * std::log(x + a.real("eps"));
          return loss + (a.flag("full") && t > 1 ? t * std::log(t) - t + std::log(2 * M_PI * t) / 2 : 0);
        })},
    Record{.name = "gaussian_nll_loss",
           .torch = {"nn.functional.gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction='mean')"},
           .call =
               [](const Args& a) {
                 return gaussian_nll_loss(a.tensor("input"), a.tensor("target"), a.tensor("var"),
                                          {.full = a.flag("full"), .eps = a.real("eps"), .reduction = reduction(a)});
               },
           .samples = {"x(3, 4), x(3, 4), positive(3, 4)", "x(3, 4), x(3, 4), positive(3), full=True",
                       "x(3, 4), x(4), positive(3, 1), reduction='sum'", "x(5), x(5), positive(), reduction='none'",
                       "x(), x(), positive()", "x(0, 3), x(0, 3), positive(0, 3), reduction='sum'"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 Tensor v = a.tensor("var");
                 if (v.dim() < x.dim()) v = unsqueeze(v, -1);
                 const Tensor each = stack({x, expand(a.tensor("target"), x.shape()), expand(v, x.shape())}, -1);
                 const double more = a.flag("full") ? std::log(2 * M_PI) / 2 : 0;
                 return reduced(a, over(each, {-1}, false, [more](const Line& u) {
                                  return (std::log(u[2]) + (u[0] - u[1]) * (u[0] - u[1]) / u[2]) / 2 + more;
                                }));
               },
           .errors = {{"x(3, 4), x(3, 4), positive(4)",
                       "ShapeError: gaussian_nll_loss: x is [3, 4], the variance [4]\n"
                       "  help: give a variance for each element, or one for each line of the last axis"},
                      {"x(2), x(2), tensor([1, -1])", "ConfigError: gaussian_nll_loss: there is a negative variance"},
                      {"x(2), x(2), positive(2), eps=0.0",
                       "ConfigError: gaussian_nll_loss: eps is 0\n  help: choose one above 0"}}},
    Record{
        .name = "ctc_loss",
        .torch = {"nn.functional.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean',"
                  " zero_infinity=False)"},
        .call = [](const Args& a) { return Outputs(ctc(a, a.tensor("log_probs"))); },
        .samples = {"x(4, 2, 3), tensor([[1, 2], [2, 2]], 'int64'), [4, 3], [2, 1]",
                    "x(4, 3), tensor([1, 1], 'int64'), [4], [2], reduction='none'"},
        .no_gradient =
            "the rule gives the gradient to the scores before log_softmax; the record ctc_loss/scores checks it",
        .errors = {{"x(4, 2, 3), x(2, 2), [4, 4], [2, 2]",
                    "DtypeError: ctc_loss: the targets are float64\n  help: pass class numbers as int64"},
                   {"x(4, 2, 3), index(2, 2), [4, 4], [2, 2], 3",
                    "ConfigError: ctc_loss: blank 3 is outside the 3 classes"},
                   {"x(4, 2, 3), index(2, 2), [4], [2, 2]",
                    "ShapeError: ctc_loss: input_lengths has 1 entries for 2 sequences"},
                   {"x(4, 2, 3), index(3, 2), [4, 4], [2, 2]",
                    "ShapeError: ctc_loss: the targets are [3, 2] for 2 sequences"},
                   {"x(4, 2, 3), index(2, 2), [4, 5], [2, 2]",
                    "ConfigError: ctc_loss: input length 5 of sequence 1 is not from 0 to 4"},
                   {"x(4, 2, 3), index(2, 2), [4, 4], [3, 2]",
                    "ConfigError: ctc_loss: target length 3 of sequence 0 is not from 0 to 2"},
                   {"x(4, 1, 3), tensor([[1, 3]], 'int64'), [4], [2]",
                    "ConfigError: ctc_loss: label 3 of sequence 0 is outside the 3 classes"},
                   {"x(4), index(2), [4], [2]", "ShapeError: ctc_loss: log-probabilities [4] are not (T, B, C)"}}},
    Record{
        .name = "ctc_loss/scores",
        .weft =
            "loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False)",
        .call = [](const Args& a) { return Outputs(ctc(a, log_softmax(a.tensor("log_probs"), -1))); },
        .samples = {"x(4, 2, 3), tensor([[1, 2], [2, 2]], 'int64'), [4, 4], [2, 2]",
                    "x(5, 2, 3), tensor([[1, 2], [2, 2]], 'int64'), [5, 3], [2, 1], reduction='none'",
                    "x(4, 2, 3), tensor([1, 2, 1], 'int64'), [4, 2], [2, 1], reduction='sum'",
                    "x(4, 3), tensor([1, 1], 'int64'), [4], [2], reduction='none'",
                    "x(3, 2, 3), tensor([[1, 1, 1], [1, 2, 1]], 'int64'), [3, 3], [3, 0], zero_infinity=True",
                    "x(4, 0, 3), index(0, 2), [], [], reduction='sum'"},
        .reference =
            [](const Args& a) {
              Tensor x = log_softmax(a.tensor("log_probs"), -1), targets = a.tensor("targets");
              const std::vector<std::int64_t> steps = lengths(a, "input_lengths"),
                                              counts = lengths(a, "target_lengths");
              const bool single = x.dim() == 2;
              if (single) x = unsqueeze(x, 1);
              const std::vector<std::int64_t> labels = to_vector<std::int64_t>(targets);
              Line each;
              std::size_t begin = 0;
              for (std::size_t i = 0; i < counts.size(); ++i) {
                if (targets.dim() == 2) begin = i * static_cast<std::size_t>(targets.shape()[1]);
                const auto first = labels.begin() + static_cast<std::ptrdiff_t>(begin);
                double loss = ctc_by_paths(x, static_cast<std::int64_t>(i), {first, first + counts[i]}, steps[i]);
                if (std::isinf(loss) && a.flag("zero_infinity")) loss = 0;
                const auto count = static_cast<double>(counts[i]);
                each.push_back(a.word("reduction") == "mean" ? loss / std::max(count, 1.0) : loss);
                begin += static_cast<std::size_t>(counts[i]);
              }
              return reduced(a, single ? squeeze(from(each), 0) : from(each));
            },
        .no_second_gradient =
            "the forward-backward recursion is not written with differentiable operations (nor is PyTorch's)"},
};

}  // namespace
}  // namespace weft::tests
