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

}  // namespace
}  // namespace weft::tests
