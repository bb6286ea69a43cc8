#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

double mean_of(const Line& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}
double var_of(const Line& x, double correction) {
  const double centre = mean_of(x);
  double sum = 0;
  for (const double v : x) sum += (v - centre) * (v - centre);
  return sum / (static_cast<double>(x.size()) - correction);
}

double correction_of(const Args& a) {
  if (a.has("unbiased")) return a.flag("unbiased");
  return a.has("correction") ? a.real("correction") : 1;
}
bool keep_of(const Args& a) { return a.has("keepdim") && a.flag("keepdim"); }
std::vector<int> axes_of(const Args& a) { return a.has("dim") ? a.axes("dim") : std::vector<int>(); }

Tensor spread_reference(const Args& a, bool root) {
  return over(a.tensor("input"), axes_of(a), keep_of(a), [&](const Line& x) {
    const double v = var_of(x, correction_of(a));
    return root ? std::sqrt(v) : v;
  });
}
Tensor mean_reference(const Args& a) { return over(a.tensor("input"), axes_of(a), keep_of(a), mean_of); }

#define WEFT_SPREAD                                                                                                \
  {                                                                                                                \
    "x(3, 4)", "x(3, 4), 1", "x(3, 4), 0, correction=0, keepdim=True", "x(2, 3, 4), [0, -1], correction=1.5",      \
        "x(2, 3, 4), [1, 2], keepdim=True", "x(3, 70), -1, unbiased=False", "x(3, 4), correction=-5", "x(0, 3), 1" \
  }
#define WEFT_BAD_SPREAD(op) \
  { "x(3, 4), 2", "ShapeError: " op ": axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1" }

Tensor covariance(const Args& a) {
  return cov(
      a.tensor("input"),
      {.correction = a.integer("correction"), .fweights = a.tensor("fweights"), .aweights = a.tensor("aweights")});
}
/// By the definition, over pairs of variables.
Tensor covariance_by_definition(const Tensor& input, double correction, const Tensor& fweights,
                                const Tensor& aweights) {
  const Tensor x = input.dim() == 2 ? input : reshape(input, {1, input.numel()});
  const std::size_t d = static_cast<std::size_t>(x.shape()[0]), n = static_cast<std::size_t>(x.shape()[1]);
  const Line v = to_vector<double>(x);
  const Line f = fweights.defined() ? to_vector<double>(fweights) : Line(n, 1.0),
             a = aweights.defined() ? to_vector<double>(aweights) : Line(n, 1.0);
  double total = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    total += f[i] * a[i];
    squares += f[i] * a[i] * a[i];
  }
  const double divisor = std::max(0.0, aweights.defined() ? total - correction * squares / total : total - correction);
  Line centre(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t k = 0; k < n; ++k) centre[i] += f[k] * a[k] * v[i * n + k] / total;
  Line y(d * d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) {
      for (std::size_t k = 0; k < n; ++k)
        y[i * d + j] += f[k] * a[k] * (v[i * n + k] - centre[i]) * (v[j * n + k] - centre[j]);
      y[i * d + j] /= divisor;
    }
  const std::int64_t size = x.shape()[0];
  return from(y, size == 1 ? Shape{} : Shape{size, size});
}

const Family statistics{
    Record{.name = "stddev",
           .torch = {"std(input, dim=None, *, correction=1, keepdim=False, unbiased=None)",
                     "std/unbiased(input, unbiased=True)"},
           .call = [](const Args& a) { return stddev(a.tensor("input"), axes_of(a), correction_of(a), keep_of(a)); },
           .samples = WEFT_SPREAD,
           .reference = [](const Args& a) { return spread_reference(a, true); },
           .errors = {WEFT_BAD_SPREAD("stddev")}},
    Record{.name = "stddev/constant",
           .weft = "stddev(input)",
           .call = [](const Args& a) { return stddev(a.tensor("input")); },
           .samples = {"tensor([2, 2, 2])"},
           .reference = [](const Args&) { return scalar(0, DType::float64); },
           .no_gradient = "0 is its least value, where the gradient is 0 by choice"},
    Record{.name = "std_mean",
           .torch = {"std_mean(input, dim=None, *, correction=1, keepdim=False, unbiased=None)",
                     "std_mean/unbiased(input, unbiased=True)"},
           .call =
               [](const Args& a) {
                 const StdMean y = std_mean(a.tensor("input"), axes_of(a), correction_of(a), keep_of(a));
                 return Outputs{y.stddev, y.mean};
               },
           .samples = WEFT_SPREAD,
           .reference =
               [](const Args& a) {
                 return Outputs{spread_reference(a, true), mean_reference(a)};
               },
           .errors = {WEFT_BAD_SPREAD("std_mean")}},
    Record{.name = "var_mean",
           .torch = {"var_mean(input, dim=None, *, correction=1, keepdim=False, unbiased=None)",
                     "var_mean/unbiased(input, unbiased=True)"},
           .call =
               [](const Args& a) {
                 const VarMean y = var_mean(a.tensor("input"), axes_of(a), correction_of(a), keep_of(a));
                 return Outputs{y.var, y.mean};
               },
           .samples = WEFT_SPREAD,
           .reference =
               [](const Args& a) {
                 return Outputs{spread_reference(a, false), mean_reference(a)};
               },
           .errors = {WEFT_BAD_SPREAD("var_mean")}},
    Record{.name = "cov",
           .torch = {"cov(input, *, correction=1, fweights=None, aweights=None)"},
           .call = covariance,
           .samples = {"x(3, 5)", "x(5)", "x(1, 4), correction=0", "x(2, 4), fweights=index(4, from=1, below=4)",
                       "x(2, 4), aweights=positive(4)", "x(2, 4), correction=0, aweights=positive(4)",
                       "x(2, 4), correction=2, fweights=index(4, from=2, below=5), aweights=positive(4)"},
           .reference =
               [](const Args& a) {
                 return covariance_by_definition(a.tensor("input"), a.real("correction"), a.tensor("fweights"),
                                                 a.tensor("aweights"));
               },
           .errors = {{"x(2, 3, 4)", "ShapeError: cov: x is [2, 3, 4], not (variables, observations)"},
                      {"x(2, 3), fweights=x(3)", "DtypeError: cov: fweights are float64, not whole numbers"},
                      {"x(2, 3), aweights=index(3)", "DtypeError: cov: aweights are int64, not floating"},
                      {"x(2, 3), fweights=index(2)", "ShapeError: cov: fweights are [2], x has 3 observations"},
                      {"x(2, 3), aweights=tensor([1, -2, 3])", "ConfigError: cov: aweights hold -2, less than 0"}}},
    Record{.name = "corrcoef",
           .torch = {"corrcoef(input)"},
           .call = [](const Args& a) { return corrcoef(a.tensor("input")); },
           .samples = {"x(3, 5)", "x(2, 7)"},
           .reference =
               [](const Args& a) {
                 const Tensor c = covariance_by_definition(a.tensor("input"), 1, Tensor(), Tensor());
                 const std::int64_t n = c.shape()[0];
                 Line y = to_vector<double>(c);
                 const Line v = y;
                 for (std::int64_t i = 0; i < n; ++i)
                   for (std::int64_t j = 0; j < n; ++j)
                     y[static_cast<std::size_t>(i * n + j)] /=
                         std::sqrt(v[static_cast<std::size_t>(i * n + i)] * v[static_cast<std::size_t>(j * n + j)]);
                 return from(y, c.shape());
               },
           .no_gradient = "rounding puts the diagonal on either side of the bound 1; corrcoef/beside has the others",
           .errors = {{"x(2, 3, 4)", "ShapeError: corrcoef: x is [2, 3, 4], not (variables, observations)"}}},
    Record{.name = "corrcoef/beside",
           .weft = "corrcoef(input)",
           .call = [](const Args& a) { return slice(flatten(corrcoef(a.tensor("input"))), 0, 1, 3); },
           .samples = {"x(3, 5)", "x(3, 7)"}},
    Record{
        .name = "histc",
        .torch = {"histc(input, bins=100, min=0, max=0)"},
        .call = [](const Args& a) { return histc(a.tensor("input"), a.integer("bins"), a.real("min"), a.real("max")); },
        .samples = {"x(50), 5, -2, 2", "x(3, 4), 4", "tensor([0, 1, 2, 4, nan, -1, 5]), 4, 0, 4", "x(), 3",
                    "tensor([2, 2]), 2", "x(0, 3), 3", "x(70)"},
        .reference =
            [](const Args& a) {
              const Line x = to_vector<double>(a.tensor("input"));
              double low = a.real("min"), high = a.real("max");
              if (low == high && !x.empty()) {
                low = *std::min_element(x.begin(), x.end());
                high = *std::max_element(x.begin(), x.end());
              }
              if (low == high) low -= 1, high += 1;
              const std::int64_t bins = a.integer("bins");
              Line y(static_cast<std::size_t>(bins));
              for (const double v : x)
                if (v >= low && v <= high)
                  ++y[std::min(y.size() - 1,
                               static_cast<std::size_t>((v - low) * static_cast<double>(bins) / (high - low)))];
              return from(y);
            },
        .no_gradient = "the result is counts",
        .errors = {{"index(3)", "DtypeError: histc: x is int64\n  help: convert it with to(x, DType::float32)"},
                   {"x(3), 0", "ConfigError: histc: 0 bins\n  help: ask for one at least"},
                   {"x(3), 2, 3, 1", "ConfigError: histc: min 3 is above max 1"},
                   {"tensor([1, inf]), 2", "ConfigError: histc: the bounds 1 and inf are not finite"}}},
    Record{
        .name = "bincount",
        .torch = {"bincount(input, weights=None, minlength=0)"},
        .call = [](const Args& a) { return bincount(a.tensor("input"), a.tensor("weights"), a.integer("minlength")); },
        .samples = {"index(9, below=4)", "index(9, below=4), None, 6", "index(0), None, 2", "index(0)",
                    "tensor([3, 1], 'int32')"},
        .reference =
            [](const Args& a) {
              Line y(static_cast<std::size_t>(a.integer("minlength")));
              for (const std::int64_t each : to_vector<std::int64_t>(a.tensor("input"))) {
                const std::size_t id = static_cast<std::size_t>(each);
                if (id >= y.size()) y.resize(id + 1);
                ++y[id];
              }
              return from(y);
            },
        .result = Result::int64,
        .no_gradient = "the result is counts",
        .errors = {{"x(3)", "DtypeError: bincount: the ids are float64, not whole numbers"},
                   {"index(2, 3)", "ShapeError: bincount: the ids are [2, 3], not one axis"},
                   {"tensor([1, -2], 'int64')", "ConfigError: bincount: number -2 at position 1 is negative"},
                   {"index(3), x(2)", "ShapeError: bincount: the weights are [2], the ids [3]"},
                   {"index(3), None, -1", "ConfigError: bincount: minlength is -1, less than 0"}}},
    Record{.name = "bincount/weights",
           .weft = "bincount(input, weights, minlength=0)",
           // Weighted counts are float64 from any type.
           .call =
               [](const Args& a) {
                 const Tensor y = bincount(a.tensor("input"), a.tensor("weights"), a.integer("minlength"));
                 return to(y, a.tensor("weights").dtype());
               },
           .samples = {"index(9, below=4), x(9)", "index(9, below=4), x(9), 6", "index(0), x(0), 2"},
           .no_gradient = "counts are not differentiable by their weights in PyTorch either"},
    Record{
        .name = "renorm",
        .torch = {"renorm(input, p, dim, maxnorm)"},
        .call = [](const Args& a) { return renorm(a.tensor("input"), a.real("p"), a.axis("dim"), a.real("maxnorm")); },
        .samples = {"x(3, 4), 2, 0, 1.5", "x(2, 3, 4), 1, 2, 3", "x(3, 4), 3, -1, 0.5", "x(3, 4), 2, 0, 100",
                    "x(0, 3), 2, 1, 1"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              const int k = a.axis("dim") < 0 ? a.axis("dim") + x.dim() : a.axis("dim");
              std::vector<int> others;
              for (int i = 0; i < x.dim(); ++i)
                if (i != k) others.push_back(i);
              const double p = a.real("p"), most = a.real("maxnorm");
              return x * over(x, others, true, [&](const Line& slice) {
                       double sum = 0;
                       for (const double v : slice) sum += std::pow(std::abs(v), p);
                       const double norm = std::pow(sum, 1 / p);
                       return norm > most ? most / (norm + 1e-7) : 1;
                     });
            },
        .errors = {{"x(3), 2, 0, 1", "ShapeError: renorm: x is [3]\n  help: give it two axes at least"},
                   {"x(2, 3), 0, 0, 1", "ConfigError: renorm: p is 0, not above 0"},
                   {"x(2, 3), 2, 0, -1", "ConfigError: renorm: maxnorm is -1, less than 0"}}},
};

}  // namespace
}  // namespace weft::tests
