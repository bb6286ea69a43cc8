#include <algorithm>
#include <cmath>
#include <numeric>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

Call running(Tensor (*f)(const Tensor&, int)) {
  return [f](const Args& a) { return f(a.tensor("input"), a.axis("dim")); };
}
Reference running_of(double (*join)(double, double)) {
  return [join](const Args& a) {
    return along(a.tensor("input"), a.axis("dim"), [join](const Line& x) {
      Line y(x.size());
      std::partial_sum(x.begin(), x.end(), y.begin(), join);
      return y;
    });
  };
}
Call running_places(Selected (*f)(const Tensor&, int)) {
  return [f](const Args& a) {
    const Selected y = f(a.tensor("input"), a.axis("dim"));
    return Outputs{y.values, y.indices};
  };
}
/// The best value so far and its place, the last of equals; NaN is the best of all.
Reference best_of(bool largest) {
  return [largest](const Args& a) {
    const auto places = [largest](const Line& x) {
      Line y;
      std::size_t best = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool beats = largest ? x[i] >= x[best] : x[i] <= x[best];
        if (std::isnan(x[i]) || (!std::isnan(x[best]) && beats)) best = i;
        y.push_back(static_cast<double>(best));
      }
      return y;
    };
    const Tensor x = a.tensor("input");
    return Outputs{along(x, a.axis("dim"),
                         [&](const Line& line) {
                           Line y = places(line);
                           for (double& each : y) each = line[static_cast<std::size_t>(each)];
                           return y;
                         }),
                   to(along(x, a.axis("dim"), places), DType::int64)};
  };
}

#define WEFT_LINES(maker) \
  maker "(3, 4), 1", maker "(3, 4), 0", maker "(2, 3, 4), -2", maker "(), 0", maker "(0, 3), 0", maker "(3, 0), 1"
#define WEFT_BAD_LINE(op) \
  { "x(3), 1", "ShapeError: " op ": axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0" }

constexpr const char* not_smooth = "there are no differences between equal values, nor of NaN";

const Family scans{
    Record{.name = "cumsum",
           .torch = {"cumsum(input, dim, *, dtype=None)"},
           .call = running(cumsum),
           .samples = {WEFT_LINES("x"), "x(300, 2), 0", "x(2, 300), 1"},
           .reference = running_of([](double a, double b) { return a + b; }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_LINE("cumsum")}},
    Record{.name = "cumprod",
           .torch = {"cumprod(input, dim, *, dtype=None)"},
           .call = running(cumprod),
           .samples = {WEFT_LINES("x"), "unit(40, 2), 0", "tensor([2, 0, 3, 0, 4]), 0", "tensor([0, 2, 3]), 0",
                       "tensor([[2, 0, 3], [0, 0, 1]]), 1", "x(2, 1, 3), 1"},
           .reference = running_of([](double a, double b) { return a * b; }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_LINE("cumprod")}},
    Record{.name = "cumprod/integers",
           .weft = "cumprod(input, dim)",
           .call = running(cumprod),
           .samples = {"index(3, 4, from=-3, below=9), 1", "mask(3, 4), 0"},
           .reference = running_of([](double a, double b) { return a * b; }),
           .result = Result::int64,
           .no_gradient = "integers have none"},
    Record{.name = "cummax",
           .torch = {"cummax(input, dim)"},
           .call = running_places(cummax),
           .samples = {WEFT_LINES("distinct"), "distinct(60, 2), 0"},
           .reference = best_of(true),
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_BAD_LINE("cummax")}},
    Record{.name = "cummin",
           .torch = {"cummin(input, dim)"},
           .call = running_places(cummin),
           .samples = {WEFT_LINES("distinct"), "distinct(60, 2), 0"},
           .reference = best_of(false),
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_BAD_LINE("cummin")}},
    Record{.name = "cummax/special",
           .weft = "cummax(input, dim)",
           .call = running_places(cummax),
           .samples = {"tensor([1, nan, 7, nan, 2]), 0", "tensor([nan, 2]), 0", "tensor([1, 3, 3, 2, 4]), 0"},
           .reference = best_of(true),
           .no_gradient = not_smooth},
    Record{.name = "cummin/special",
           .weft = "cummin(input, dim)",
           .call = running_places(cummin),
           .samples = {"tensor([1, nan, 7, nan, 2]), 0", "tensor([4, 3, 3, 5, 1]), 0"},
           .reference = best_of(false),
           .no_gradient = not_smooth},
    Record{.name = "logcumsumexp",
           .torch = {"logcumsumexp(input, dim)"},
           .call = running(logcumsumexp),
           .samples = {WEFT_LINES("x"), "tensor([800, 801, -900, 802]), 0", "tensor([-900, 0, 900]), 0", "x(40, 2), 0"},
           .reference = running_of([](double a, double b) {
             const double top = std::max(a, b);
             return top + std::log(std::exp(a - top) + std::exp(b - top));
           }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_LINE("logcumsumexp"),
                      {"index(3), 0",
                       "DtypeError: logcumsumexp: x is int64\n  help: convert it with to(x, DType::float32)"}}},
    Record{.name = "logcumsumexp/infinite",
           .weft = "logcumsumexp(input, dim)",
           .call = running(logcumsumexp),
           .samples = {"tensor([-inf, -inf, 1, inf, 2]), 0", "tensor([[-inf, nan, 1]]), 1"},
           .reference =
               [](const Args& a) {
                 return along(a.tensor("input"), a.axis("dim"), [](const Line& x) {
                   Line y;
                   double sum = 0;
                   for (const double v : x) y.push_back(std::log(sum += std::exp(v)));
                   return y;
                 });
               },
           .no_gradient = "there are no differences of infinities"},
    Record{.name = "diff",
           .torch = {"diff(input, n=1, dim=-1, prepend=None, append=None)"},
           .call =
               [](const Args& a) {
                 return diff(a.tensor("input"), a.axis("n"), a.axis("dim"), a.tensor("prepend"), a.tensor("append"));
               },
           .samples = {"x(3, 4)", "x(3, 4), 2, 0", "x(5), 3", "x(3, 4), 1, 1, x(3, 2)", "x(3, 4), 2, 0, None, x(1, 4)",
                       "x(2, 3), 1, -1, x(2, 1), x(2, 2)", "x(3), 5", "x(3), 0", "x(0, 3)", "x(3, 0)", "x(1)"},
           .reference =
               [](const Args& a) {
                 std::vector<Tensor> parts;
                 for (const char* name : {"prepend", "input", "append"})
                   if (a.has(name)) parts.push_back(a.tensor(name));
                 return along(cat(parts, a.axis("dim")), a.axis("dim"), [&](Line x) {
                   for (std::int64_t k = a.integer("n"); k > 0 && !x.empty(); --k) {
                     std::adjacent_difference(x.begin(), x.end(), x.begin());
                     x.erase(x.begin());
                   }
                   return x;
                 });
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), 1, 1",
                       "ShapeError: diff: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"},
                      {"x()", "ShapeError: diff: a tensor of rank 0 has no neighbours"},
                      {"x(3), -1", "ConfigError: diff: n is -1, less than 0"}}},
    Record{.name = "diff/bool",
           .weft = "diff(input)",
           .call = [](const Args& a) { return diff(a.tensor("input")); },
           .samples = {"tensor([1, 1, 0, 1], 'bool')"},
           .reference =
               [](const Args&) {
                 return from(Line{0, 1, 1});
               },
           .result = Result::boolean,
           .no_gradient = "bool has none"},
    Record{
        .name = "trapezoid",
        .torch = {"trapezoid(y, x=None, *, dx=None, dim=-1)"},
        .call =
            [](const Args& a) {
              if (a.has("x")) return trapezoid(a.tensor("y"), a.tensor("x"), a.axis("dim"));
              return trapezoid(a.tensor("y"), a.has("dx") ? a.real("dx") : 1.0, a.axis("dim"));
            },
        .samples = {"x(3, 4)", "x(3, 4), dx=2.5, dim=0", "x(3, 4), x(4)", "x(3, 4), x(3), dim=0", "x(3, 4), x(3, 4)",
                    "x(2, 3, 4), x(3, 1), dim=1", "x(3, 1)", "x(3, 0)", "x(0, 3)", "x(1), x(1)", "x(3), x(2, 3)"},
        .reference =
            [](const Args& a) {
              const Tensor y = a.tensor("y");
              const int k = a.axis("dim");
              const auto area = [](const Line& v) {
                double total = 0;
                for (std::size_t i = 1; i < v.size(); ++i) total += v[i] + v[i - 1];
                return Line{total / 2};
              };
              if (!a.has("x")) return along(y, k, area, false) * (a.has("dx") ? a.real("dx") : 1.0);
              // Both in one line: first the heights, then the places.
              const int axis = k < 0 ? k + y.dim() : k;
              Tensor x = a.tensor("x");
              if (x.dim() == 1) {
                Shape shape = Shape::filled(y.dim(), 1);
                shape[axis] = x.shape()[0];
                x = reshape(x, shape);
              }
              const Shape shape = broadcast("reference", x.shape(), y.shape());
              return along(
                  cat({expand(y, shape), expand(x, shape)}, axis - y.dim()), axis - y.dim(),
                  [](const Line& both) {
                    const std::size_t n = both.size() / 2;
                    double total = 0;
                    for (std::size_t i = 1; i < n; ++i)
                      total += (both[i] + both[i - 1]) * (both[n + i] - both[n + i - 1]) / 2;
                    return Line{total};
                  },
                  false);
            },
        .errors = {{"x(3, 4), x(3)",
                    "ShapeError: trapezoid: y [3, 4] has 4 numbers along axis -1, x [3] has other places"},
                   {"x()", "ShapeError: trapezoid: a tensor of rank 0 has no neighbours"},
                   {"x(3), dim=1",
                    "ShapeError: trapezoid: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
};

}  // namespace
}  // namespace weft::tests
