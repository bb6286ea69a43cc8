#include <algorithm>
#include <cmath>
#include <numbers>

#include <weft/tensor/random.h>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double normal_below(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

Line log_softmax_of(const Line& x) {
  double sum = 0;
  for (const double v : x) sum += std::exp(v);
  Line y;
  for (const double v : x) y.push_back(v - std::log(sum));
  return y;
}
Line softmax_of(const Line& x) {
  Line y = log_softmax_of(x);
  for (double& v : y) v = std::exp(v);
  return y;
}

const Family activations{
    Record{.name = "relu",
           .torch = {"nn.functional.relu(input, inplace=False)", "relu(input)"},
           .call = unary(relu),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return x > 0 ? x : 0; },
           .types = {DType::bfloat16, DType::int32}},
    Record{.name = "leaky_relu",
           .torch = {"nn.functional.leaky_relu(input, negative_slope=0.01, inplace=False)"},
           .call = [](const Args& a) { return leaky_relu(a.tensor("input"), a.real("negative_slope")); },
           .samples = {"apart(3, 4)", "apart()", "apart(0, 3), 0.5", "apart(2, 3), -1.5"},
           .reference =
               [](const Args& a) {
                 const double slope = a.real("negative_slope");
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                             [slope](const Line& x) { return x[0] > 0 ? x[0] : slope * x[0]; });
               }},
    Record{.name = "sigmoid",
           .torch = {"sigmoid(input)", "nn.functional.sigmoid(input)"},
           .call = unary(sigmoid),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = logistic,
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int32, DType::boolean}},
    Record{.name = "tanh",
           .torch = {"tanh(input)", "nn.functional.tanh(input)"},
           .call = unary(tanh),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::tanh(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int32, DType::boolean}},
    Record{.name = "gelu",
           .torch = {"nn.functional.gelu(input, approximate='none')"},
           .call =
               [](const Args& a) {
                 return a.word("approximate") == "tanh" ? gelu_tanh(a.tensor("input")) : gelu(a.tensor("input"));
               },
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x * normal_below(x); }},
    Record{.name = "gelu_tanh",
           .weft = "gelu_tanh(input)",
           .call = unary(gelu_tanh),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference =
               [](double x) {
                 return x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))) / 2;
               }},
    Record{.name = "silu",
           .torch = {"nn.functional.silu(input, inplace=False)"},
           .call = unary(silu),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x * logistic(x); }},
    Record{.name = "softplus",
           .torch = {"nn.functional.softplus(input, beta=1, threshold=20)"},
           .call = [](const Args& a) { return softplus(a.tensor("input"), a.real("beta"), a.real("threshold")); },
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "tensor([-800, -30, 30, 800])", "x(2, 3), 3, 0.2", "x(5), 0.5, 30"},
           .reference =
               [](const Args& a) {
                 const double beta = a.real("beta"), threshold = a.real("threshold");
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false, [=](const Line& x) {
                   return beta * x[0] > threshold ? x[0] : std::log1p(std::exp(beta * x[0])) / beta;
                 });
               },
           .errors = {{"x(3), 0", "ConfigError: softplus: beta is 0\n  help: choose one above 0"}}},
    Record{.name = "log_sigmoid",
           .torch = {"nn.functional.logsigmoid(input)"},
           .call = unary(log_sigmoid),
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "tensor([-800, -30, 30, 800])"},
           .reference = [](double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }},
    Record{
        .name = "softmax",
        .torch = {"softmax(input, dim, dtype=None)", "nn.functional.softmax(input, dim)"},
        .call = [](const Args& a) { return softmax(a.tensor("input"), a.axis("dim")); },
        .samples = {"x(3, 4), 1", "x(3, 4), 0", "x(2, 3, 4), -2", "x(0, 3), 1", "x(3, 0), 1", "x(), 0", "x(2, 70), -1"},
        .reference = [](const Args& a) { return along(a.tensor("input"), a.axis("dim"), softmax_of); },
        .errors = {{"x(3, 4), 2",
                    "ShapeError: softmax: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"}}},
    Record{.name = "log_softmax",
           .torch = {"log_softmax(input, dim, dtype=None)", "nn.functional.log_softmax(input, dim)"},
           .call = [](const Args& a) { return log_softmax(a.tensor("input"), a.axis("dim")); },
           .samples = {"x(3, 4), 1", "x(3, 4), 0", "x(2, 3, 4), -2", "x(0, 3), 1", "x(), 0", "x(2, 70), -1"},
           .reference = [](const Args& a) { return along(a.tensor("input"), a.axis("dim"), log_softmax_of); },
           .errors =
               {{"x(3), -2",
                 "ShapeError: log_softmax: axis -2 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{
        .name = "masked_softmax",
        .weft = "masked_softmax(input, mask, axis)",
        .call = [](const Args& a) { return masked_softmax(a.tensor("input"), a.tensor("mask"), a.axis("axis")); },
        .samples = {"x(2, 3), tensor([[1, 0, 1], [0, 0, 0]], 'bool'), 1", "x(4, 3), mask(3), -1",
                    "x(4, 3), mask(4, 1), 0", "x(0, 3), mask(3), 1"},
        .reference =
            [](const Args& a) {
              // The mask travels as NaN, which no sample holds.
              const Tensor x = a.tensor("input");
              const Tensor hidden = where(a.tensor("mask"), x, scalar(std::nan(""), DType::float64));
              return along(hidden, a.axis("axis"), [](const Line& line) {
                double sum = 0;
                for (const double v : line) sum += std::isnan(v) ? 0 : std::exp(v);
                Line y;
                for (const double v : line) y.push_back(std::isnan(v) ? 0 : std::exp(v) / sum);
                return y;
              });
            },
        .errors = {{"x(2, 3), x(3), 1",
                    "DtypeError: where: the condition is float64\n  help: make it bool, as in where(gt(x, 0), a, b)"}}},
    Record{.name = "dropout",
           .torch = {"nn.functional.dropout(input, p=0.5, training=True)"},
           .call =
               [](const Args& a) {
                 Generator generator{7, 0};  // the same mask in every call
                 return dropout(a.tensor("input"), a.real("p"), a.flag("training"), generator);
               },
           .samples = {"x(3, 4)", "x(30), 0.2", "x(3), 0", "x(4), 1", "x(5), 0.5, False", "x(0, 3)", "x()"},
           .errors = {{"x(3), 1.5", "ConfigError: dropout: p is 1.5\n  help: choose a probability from 0 to 1"}}},
};

/// A function of one number and of the parameters that its arguments name.
Reference with(const char* name, double (*f)(double, double)) {
  return [=](const Args& a) {
    const double parameter = a.real(name);
    return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                [f, parameter](const Line& x) { return f(x[0], parameter); });
  };
}

const Family units{
    Record{.name = "elu",
           .torch = {"nn.functional.elu(input, alpha=1.0, inplace=False)"},
           .call = [](const Args& a) { return elu(a.tensor("input"), a.real("alpha")); },
           .samples = {"apart(3, 4)", "apart()", "apart(0, 3), 0.5", "apart(2, 3), 1.5", "tensor([-200, 800])",
                       "apart(70)"},
           .reference = with("alpha", [](double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }),
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "celu",
           .torch = {"nn.functional.celu(input, alpha=1.0, inplace=False)"},
           .call = [](const Args& a) { return celu(a.tensor("input"), a.real("alpha")); },
           .samples = {"apart(3, 4)", "apart()", "apart(0, 3), 0.5", "apart(2, 3), 1.5", "tensor([-200, 800]), 0.5",
                       "apart(70)"},
           .reference = with("alpha", [](double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x / alpha); }),
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), 0.0", "ConfigError: celu: alpha is 0\n  help: choose another, 1 is usual"}}},
    Record{.name = "selu",
           .torch = {"nn.functional.selu(input, inplace=False)"},
           .call = unary(selu),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x)); },
           .result = Result::floating,
           .types = {DType::int64}},
    Record{.name = "glu",
           .torch = {"nn.functional.glu(input, dim=-1)"},
           .call = [](const Args& a) { return glu(a.tensor("input"), a.axis("dim")); },
           .samples = {"x(3, 4)", "x(4, 3), 0", "x(2, 6, 3), -2", "x(0, 4)", "x(3, 0), 1"},
           .reference =
               [](const Args& a) {
                 return along(a.tensor("input"), a.axis("dim"), [](const Line& x) {
                   const std::size_t half = x.size() / 2;
                   Line y(half);
                   for (std::size_t i = 0; i < half; ++i) y[i] = x[i] * logistic(x[half + i]);
                   return y;
                 });
               },
           .errors = {{"x(3, 5)", "ShapeError: glu: axis 1 of [3, 5] has no halves: its size is 5"},
                      {"x()", "ShapeError: glu: a tensor of rank 0 has no halves"},
                      {"x(2), 1",
                       "ShapeError: glu: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{.name = "hardshrink",
           .torch = {"nn.functional.hardshrink(input, lambd=0.5)"},
           .call = [](const Args& a) { return hardshrink(a.tensor("input"), a.real("lambd")); },
           .samples = {"distinct(3, 4)", "distinct()", "distinct(0, 3)", "distinct(3, 4), -0.5", "distinct(70), 1.3"},
           .reference = with("lambd", [](double x, double lambda) { return x >= -lambda && x <= lambda ? 0 : x; }),
           .types = {DType::bfloat16}},
    Record{.name = "softshrink",
           .torch = {"nn.functional.softshrink(input, lambd=0.5)"},
           .call = [](const Args& a) { return softshrink(a.tensor("input"), a.real("lambd")); },
           .samples = {"distinct(3, 4)", "distinct()", "distinct(0, 3)", "distinct(3, 4), 0.0", "distinct(70), 1.3"},
           .reference = with(
               "lambd", [](double x, double lambda) { return x > lambda    ? x - lambda
                                                             : x < -lambda ? x + lambda
                                                                           : 0; }),
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), -1", "ConfigError: softshrink: lambda is -1\n  help: choose one from 0 on"}}},
    Record{.name = "tanhshrink",
           .torch = {"nn.functional.tanhshrink(input)"},
           .call = unary(tanhshrink),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x - std::tanh(x); },
           .result = Result::floating},
    Record{.name = "hardsigmoid",
           .torch = {"nn.functional.hardsigmoid(input, inplace=False)"},
           .call = unary(hardsigmoid),
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "tensor([-5, -2.9, 0, 2.9, 7])", "distinct(70)"},
           .reference = [](double x) { return std::min(std::max((x + 3) / 6, 0.0), 1.0); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "hardswish",
           .torch = {"nn.functional.hardswish(input, inplace=False)"},
           .call = unary(hardswish),
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "tensor([-5, -2.9, 0, 2.9, 7])", "distinct(70)"},
           .reference = [](double x) { return x * std::min(std::max((x + 3) / 6, 0.0), 1.0); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "hardtanh",
           .torch = {"nn.functional.hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)"},
           .call = [](const Args& a) { return hardtanh(a.tensor("input"), a.real("min_val"), a.real("max_val")); },
           .samples = {"distinct(3, 4)", "distinct()", "distinct(0, 3)", "distinct(3, 4), -0.5, 0.3", "distinct(70)"},
           .reference =
               [](const Args& a) {
                 const double low = a.real("min_val"), high = a.real("max_val");
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                             [=](const Line& x) { return std::min(std::max(x[0], low), high); });
               },
           .types = {DType::bfloat16},
           .errors = {{"x(3), 2, 1", "ConfigError: hardtanh: low 2 is above high 1"}}},
    Record{.name = "relu6",
           .torch = {"nn.functional.relu6(input, inplace=False)"},
           .call = unary(relu6),
           .samples = WEFT_SAMPLES_OF_ONE("distinct"),
           .reference = [](double x) { return std::min(std::max(x, 0.0), 6.0); },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "mish",
           .torch = {"nn.functional.mish(input, inplace=False)"},
           .call = unary(mish),
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "x(2, 1, 3, 2)", "x(70)", "tensor([-40, -20, 20, 100, 800])"},
           .reference = [](double x) { return x * std::tanh(x > 30 ? x : std::log1p(std::exp(x))); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "prelu",
           .torch = {"nn.functional.prelu(input, weight)"},
           .call = [](const Args& a) { return prelu(a.tensor("input"), a.tensor("weight")); },
           .samples = {"apart(3, 4), x(4)", "apart(3, 4), x()", "apart(3, 4), x(1)", "apart(2, 3, 4), x(3)",
                       "apart(), x()", "apart(5), x(1)", "apart(0, 3), x(3)", "apart(2, 3, 2, 2), x(3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input"), w = flatten(a.tensor("weight"));
                 const int axis = x.dim() > 1 ? 1 : 0;
                 if (w.numel() == 1)
                   return over(unsqueeze(x, -1), {-1}, false,
                               [&](const Line& v) { return v[0] > 0 ? v[0] : w.item() * v[0]; });
                 return along(x, axis, [&](const Line& v) {
                   Line y;
                   const std::vector<double> slope = to_vector<double>(w);
                   for (std::size_t i = 0; i < v.size(); ++i) y.push_back(v[i] > 0 ? v[i] : slope[i] * v[i]);
                   return y;
                 });
               },
           .errors = {{"x(2, 3), x(2)",
                       "ShapeError: prelu: the weight is [2], x [2, 3]\n  help: give 1 number or 3, one for each size "
                       "of axis 1"}}},
    Record{.name = "softsign",
           .torch = {"nn.functional.softsign(input)"},
           .call = unary(softsign),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return x / (1 + std::abs(x)); },
           .result = Result::floating,
           .types = {DType::int64}},
    Record{
        .name = "threshold",
        .torch = {"nn.functional.threshold(input, threshold, value, inplace=False)",
                  "threshold(input, threshold, value)"},
        .call = [](const Args& a) { return threshold(a.tensor("input"), a.real("threshold"), a.real("value")); },
        .samples = {"distinct(3, 4), 0.2, -3", "distinct(), 0.1, 2", "distinct(0, 3), 0, 1", "distinct(70), 2.3, 20"},
        .reference =
            [](const Args& a) {
              const double limit = a.real("threshold"), value = a.real("value");
              return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                          [=](const Line& x) { return x[0] > limit ? x[0] : value; });
            },
        .types = {DType::bfloat16, DType::int64}},
    Record{.name = "softmin",
           .torch = {"nn.functional.softmin(input, dim, _stacklevel=3, dtype=None)"},
           .call = [](const Args& a) { return softmin(a.tensor("input"), a.axis("dim")); },
           .samples = {"x(3, 4), 1", "x(3, 4), 0", "x(2, 3, 4), -2", "x(0, 3), 1", "x(), 0"},
           .reference =
               [](const Args& a) {
                 return along(a.tensor("input"), a.axis("dim"), [](Line x) {
                   for (double& v : x) v = -v;
                   return softmax_of(x);
                 });
               },
           .errors = {{"x(3, 4), 2",
                       "ShapeError: softmax: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"}}},
};

}  // namespace
}  // namespace weft::tests
