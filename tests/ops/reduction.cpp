#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

double sum_of(const Line& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double mean_of(const Line& x) { return sum_of(x) / static_cast<double>(x.size()); }
double largest(const Line& x) { return *std::max_element(x.begin(), x.end()); }
double smallest(const Line& x) { return *std::min_element(x.begin(), x.end()); }

using Reduction = Tensor (*)(const Tensor&, const Axes&, bool);
Call reduction(Reduction f) {
  return [f](const Args& a) { return f(a.tensor("input"), a.axes("dim"), a.flag("keepdim")); };
}
Reference reduced(double (*f)(const Line&)) {
  return [f](const Args& a) { return Outputs(over(a.tensor("input"), a.axes("dim"), a.flag("keepdim"), f)); };
}

/// The place of an extremum: along one axis, or in the flattened tensor, as PyTorch does without an axis.
Call place(Tensor (*f)(const Tensor&, int, bool)) {
  return [f](const Args& a) {
    const Tensor x = a.tensor("input");
    if (a.has("dim")) return f(x, a.axis("dim"), a.flag("keepdim"));
    const Tensor at = f(flatten(x), 0, false);
    return a.flag("keepdim") ? reshape(at, Shape::filled(x.dim(), 1)) : at;
  };
}
Reference place_of(bool largest_one) {
  return [largest_one](const Args& a) {
    const auto f = [largest_one](const Line& x) {
      const auto at = largest_one ? std::max_element(x.begin(), x.end()) : std::min_element(x.begin(), x.end());
      return static_cast<double>(at - x.begin());
    };
    std::vector<int> axes;
    if (a.has("dim")) axes.push_back(a.axis("dim"));
    return Outputs(over(a.tensor("input"), axes, a.flag("keepdim"), f));
  };
}

Call chosen(Selected (*f)(const Tensor&, int, bool)) {
  return [f](const Args& a) {
    const Selected y = f(a.tensor("input"), a.axis("dim"), a.flag("keepdim"));
    return Outputs{y.values, y.indices};
  };
}
/// The value and the place that `place_in` finds in each line.
Reference chosen_of(std::size_t (*place_in)(const Line&)) {
  return [place_in](const Args& a) {
    const Tensor x = a.tensor("input");
    const std::vector<int> axes{a.axis("dim")};
    const bool keep = a.flag("keepdim");
    return Outputs{
        over(x, axes, keep, [&](const Line& line) { return line[place_in(line)]; }),
        to(over(x, axes, keep, [&](const Line& line) { return static_cast<double>(place_in(line)); }), DType::int64)};
  };
}
std::size_t place_of_median(const Line& x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return x[i] < x[j]; });
  return order[(x.size() - 1) / 2];
}
Line numbers_of(const Line& x) {
  Line y;
  std::copy_if(x.begin(), x.end(), std::back_inserter(y), [](double v) { return !std::isnan(v); });
  return y;
}

#define WEFT_REDUCED(maker)                                                                                       \
  {                                                                                                               \
    maker "(3, 4)", maker "(3, 4), 1", maker "(3, 4), 0, True", maker "(2, 3, 4), [0, -1]", maker "()",           \
        maker "(), -1", maker "(2, 3, 4), [2, 1], True", maker "(5, 1), 1", maker "(3, 70), 1", maker "(0, 3), 1" \
  }
#define WEFT_BAD_AXES(op)                                                                                         \
  {"x(3, 4), 2", "ShapeError: " op ": axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"}, { \
    "x(3, 4), [0, -2]", "ShapeError: " op ": axis -2 is named twice"                                              \
  }

const Family reductions{
    Record{.name = "sum",
           .torch = {"sum(input, dim=None, keepdim=False, *, dtype=None)"},
           .call = reduction(sum),
           .samples = {"x(3, 4)", "x(3, 4), 1", "x(3, 4), 0, True", "x(2, 3, 4), [0, -1]", "x()", "x(), -1",
                       "x(2, 3, 4), [2, 1], True", "x(5, 1), 1", "x(3, 70), 1", "x(0, 3), 1", "x(0, 3), 0", "x(0, 3)"},
           .reference = reduced(sum_of),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_AXES("sum")}},
    Record{.name = "sum/integers",
           .weft = "sum(input, dim=None, keepdim=False)",
           .call = reduction(sum),
           .samples = {"index(3, 4, below=9), 1", "mask(3, 4), 0", "mask(3, 4)"},
           .reference = reduced(sum_of),
           .result = Result::int64,
           .no_gradient = "integers have none"},
    Record{.name = "mean",
           .torch = {"mean(input, dim=None, keepdim=False, *, dtype=None)"},
           .call = reduction(mean),
           .samples = WEFT_REDUCED("x"),
           .reference = reduced(mean_of),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_AXES("mean")}},
    Record{.name = "prod",
           .torch = {"prod(input, dim=None, keepdim=False, *, dtype=None)"},
           .call = reduction(prod),
           .samples = {"x(3, 4)", "x(3, 4), 1", "x(3, 4), 0, True", "x(2, 3, 4), [0, -1]", "x()", "x(), -1",
                       "x(2, 3, 4), [2, 1], True", "x(5, 1), 1", "unit(3, 70), 1", "x(0, 3), 1", "x(0, 3), 0",
                       "x(0, 3)", "tensor([[2, 0, 3], [0, 5, 0], [0, 0, 0], [1, 2, 3]]), 1", "tensor([2, 0, 3])",
                       "tensor([0, 0, 3])"},
           .reference = reduced([](const Line& x) {
             return std::accumulate(x.begin(), x.end(), 1.0, [](double a, double b) { return a * b; });
           }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_AXES("prod")}},
    Record{.name = "prod/integers",
           .weft = "prod(input, dim=None, keepdim=False)",
           .call = reduction(prod),
           .samples = {"index(3, 4, from=-3, below=9), 1", "mask(3, 4), 0", "index(2, 5, below=9)"},
           .reference = reduced([](const Line& x) {
             return std::accumulate(x.begin(), x.end(), 1.0, [](double a, double b) { return a * b; });
           }),
           .result = Result::int64,
           .no_gradient = "integers have none"},
    Record{.name = "nansum",
           .torch = {"nansum(input, dim=None, keepdim=False, *, dtype=None)"},
           .call = reduction(nansum),
           .samples = {"tensor([[1, nan, 3], [nan, nan, nan]]), 1", "tensor([[1, nan, 3], [nan, nan, nan]])",
                       "x(2, 3, 4), [0, -1], True", "tensor(nan)", "x(0, 3), 1", "x(3, 70), 1"},
           .reference = reduced([](const Line& x) { return sum_of(numbers_of(x)); }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_AXES("nansum")}},
    Record{.name = "nanmean",
           .torch = {"nanmean(input, dim=None, keepdim=False, *, dtype=None)"},
           .call = reduction(nanmean),
           .samples = {"tensor([[1, nan, 3], [nan, nan, 5]]), 1", "tensor([[1, nan, 3], [nan, nan, nan]])",
                       "x(2, 3, 4), [0, -1], True", "x()", "x(3, 70), 1", "x(0, 3), 1"},
           .reference = reduced([](const Line& x) { return mean_of(numbers_of(x)); }),
           .types = {DType::bfloat16},
           .errors = {WEFT_BAD_AXES("nanmean")}},
    Record{.name = "nanmean/nothing",
           .weft = "nanmean(input, dim=None, keepdim=False)",
           .call = reduction(nanmean),
           .samples = {"tensor([[1, nan], [nan, nan]]), 1", "tensor(nan)"},
           .reference = reduced([](const Line& x) { return mean_of(numbers_of(x)); }),
           .no_gradient = "a mean of nothing is NaN, and so would be the differences"},
    Record{.name = "count_nonzero",
           .torch = {"count_nonzero(input, dim=None)"},
           .call = [](const Args& a) { return count_nonzero(a.tensor("input"), a.axes("dim")); },
           .samples = {"mask(3, 4)", "mask(3, 4), 1", "tensor([[0, nan, 2], [0, 0, -1]]), -1", "x(2, 3, 4), [0, -1]",
                       "x()", "x(0, 3), 1", "x(0, 3), 0", "index(5, below=3)"},
           .reference =
               [](const Args& a) {
                 return over(a.tensor("input"), a.axes("dim"), false, [](const Line& x) {
                   return static_cast<double>(std::count_if(x.begin(), x.end(), [](double v) { return v != 0; }));
                 });
               },
           .result = Result::int64,
           .types = {DType::bfloat16, DType::int64},
           .no_gradient = "the result is a count",
           .errors = {WEFT_BAD_AXES("count_nonzero")}},
    Record{.name = "var",
           .torch = {"var(input, dim=None, *, correction=1, keepdim=False, unbiased=None)",
                     "var/unbiased(input, unbiased=True)"},
           .call =
               [](const Args& a) {
                 double correction = a.has("correction") ? a.real("correction") : 1;
                 if (a.has("unbiased")) correction = a.flag("unbiased");
                 const bool keep = a.has("keepdim") && a.flag("keepdim");
                 return var(a.tensor("input"), a.axes("dim"), correction, keep);
               },
           .samples = {"x(3, 4)", "x(3, 4), 1", "x(3, 4), 0, correction=0, keepdim=True",
                       "x(2, 3, 4), [0, -1], correction=2", "x(2, 3, 4), [1, 2], keepdim=True", "x(0, 3), 1",
                       "x(3, 70), -1"},
           .reference =
               [](const Args& a) {
                 const double correction = a.real("correction");
                 return over(a.tensor("input"), a.axes("dim"), a.flag("keepdim"), [correction](const Line& x) {
                   const double centre = mean_of(x);
                   double sum = 0;
                   for (const double v : x) sum += (v - centre) * (v - centre);
                   return sum / (static_cast<double>(x.size()) - correction);
                 });
               },
           .errors = {WEFT_BAD_AXES("var")}},
    Record{.name = "amax",
           .torch = {"amax(input, dim=None, keepdim=False)", "max/reduction_no_dim(input, dim=None, keepdim=False)"},
           .call = reduction(amax),
           .samples = WEFT_REDUCED("distinct"),
           .reference = reduced(largest),
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_BAD_AXES("amax")}},
    Record{.name = "amin",
           .torch = {"amin(input, dim=None, keepdim=False)", "min/reduction_no_dim(input, dim=None, keepdim=False)"},
           .call = reduction(amin),
           .samples = WEFT_REDUCED("distinct"),
           .reference = reduced(smallest),
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_BAD_AXES("amin")}},
    Record{.name = "aminmax",
           .torch = {"aminmax(input, *, dim=None, keepdim=False)"},
           .call =
               [](const Args& a) {
                 const Extremes y = aminmax(a.tensor("input"), a.axes("dim"), a.flag("keepdim"));
                 return Outputs{y.min, y.max};
               },
           .samples = {"distinct(3, 4)", "distinct(3, 4), dim=1", "distinct(3, 4), dim=0, keepdim=True", "x()"},
           .types = {DType::int64}},
    Record{.name = "max",
           .torch = {"max/reduction_with_dim(input, dim, keepdim=False)"},
           .call = chosen(max),
           .samples = {"distinct(3, 4), 1", "distinct(3, 4), 0, True", "distinct(2, 3, 4), -2", "x(), 0", "x(0, 3), 1",
                       "distinct(3, 70), 1"},
           .reference = chosen_of([](const Line& x) {
             return static_cast<std::size_t>(std::max_element(x.begin(), x.end()) - x.begin());
           }),
           .types = {DType::bfloat16, DType::int64},
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: max: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"},
                      {"x(0, 3), 0", "ShapeError: max: nothing to choose from along axis 0 of shape [0, 3]"}}},
    Record{.name = "min",
           .torch = {"min/reduction_with_dim(input, dim, keepdim=False)"},
           .call = chosen(min),
           .samples = {"distinct(3, 4), 1", "distinct(3, 4), 0, True", "distinct(2, 3, 4), -2", "x(), 0", "x(0, 3), 1",
                       "distinct(3, 70), 1"},
           .reference = chosen_of([](const Line& x) {
             return static_cast<std::size_t>(std::min_element(x.begin(), x.end()) - x.begin());
           }),
           .types = {DType::bfloat16, DType::int64},
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: min: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"},
                      {"x(0, 3), 0", "ShapeError: min: nothing to choose from along axis 0 of shape [0, 3]"}}},
    Record{.name = "median",
           .torch = {"median(input, dim=None, keepdim=False)"},
           .call =
               [](const Args& a) {
                 if (!a.has("dim")) return Outputs(median(a.tensor("input")));
                 const Selected y = median(a.tensor("input"), a.axis("dim"), a.flag("keepdim"));
                 return Outputs{y.values, y.indices};
               },
           .samples = {"distinct(3, 4), 1", "distinct(3, 5), 0, True", "distinct(2, 3, 4), -2", "x(), 0", "x(0, 3), 1",
                       "distinct(3, 5), 1", "distinct(3, 70), 1"},
           .reference = chosen_of(place_of_median),
           .types = {DType::bfloat16, DType::int64},
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: median: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"},
                      {"x(0, 3), 0", "ShapeError: median: nothing to choose from along axis 0 of shape [0, 3]"}}},
    Record{.name = "median/all",
           .weft = "median(input)",
           .call = [](const Args& a) { return median(a.tensor("input")); },
           .samples = {"distinct(3, 5)", "distinct(3, 4)", "x()", "distinct(71)"},
           .reference =
               [](const Args& a) {
                 return over(a.tensor("input"), {}, false, [](const Line& x) { return x[place_of_median(x)]; });
               },
           .types = {DType::bfloat16, DType::int64}},
    Record{
        .name = "median/nan",
        .weft = "median(input, dim)",
        .call =
            [](const Args& a) {
              const Selected y = median(a.tensor("input"), a.axis("dim"));
              return Outputs{y.values, y.indices, median(a.tensor("input"))};
            },
        .samples = {"tensor([[1, nan, nan], [3, nan, 5]]), 1"},
        .reference =
            [](const Args&) {
              return Outputs{from(Line{NAN, NAN}), from(std::vector<std::int64_t>{1, 1}), scalar(NAN, DType::float64)};
            },
        .no_gradient = "there are no differences of NaN"},
    Record{.name = "logsumexp",
           .torch = {"logsumexp(input, dim, keepdim=False)"},
           .call = reduction(logsumexp),
           .samples = {"x(3, 4), 1", "x(3, 4), 0, True", "x(2, 3, 4), [0, -1]", "x(2, 3, 4), [1, 2], True", "x(), 0",
                       "tensor([[800, 801], [-900, -900]]), 1", "x(0, 3), 1", "x(3, 4), [0, 1]"},
           .reference =
               [](const Args& a) {
                 return over(a.tensor("input"), a.axes("dim"), a.flag("keepdim"), [](const Line& x) {
                   const double top = largest(x);
                   double sum = 0;
                   for (const double v : x) sum += std::exp(v - top);
                   return top + std::log(sum);
                 });
               },
           .errors = {WEFT_BAD_AXES("logsumexp")}},
    Record{.name = "sum_to",
           .weft = "sum_to(input, shape)",
           .call = [](const Args& a) { return sum_to(a.tensor("input"), a.shape("shape")); },
           .samples = {"x(3, 4), [4]", "x(3, 4), [3, 1]", "x(2, 3, 4), [3, 1]", "x(3, 4), []", "x(3, 4), [3, 4]",
                       "x(0, 3), [1, 3]", "x(2, 3), [1, 1]"},
           .errors = {{"x(3, 1), [3, 4]", "ShapeError: sum_to: shape [3, 1] is not a broadcast of [3, 4]"},
                      {"x(3, 4), [3]",
                       "ShapeError: sum_to: shapes [3, 4] and [3] do not broadcast: sizes 4 and 3 at axis 1\n"
                       "  help: make the sizes equal, or one of them 1"}}},
    Record{.name = "any",
           .torch = {"any(input, dim=None, keepdim=False)"},
           .call = reduction(any),
           .samples = {"mask(3, 4), 1", "mask(3, 4)", "tensor([[0, 0], [0, nan]]), 1, True", "x(0, 3), 0", "x(0, 3)",
                       "x(), 0"},
           .reference = reduced([](const Line& x) {
             return static_cast<double>(std::any_of(x.begin(), x.end(), [](double v) { return v != 0; }));
           }),
           .result = Result::boolean,
           .types = {DType::int64, DType::boolean},
           .no_gradient = "the result is bool"},
    Record{.name = "all",
           .torch = {"all(input, dim=None, keepdim=False)"},
           .call = reduction(all),
           .samples = {"mask(3, 4), 1", "mask(3, 4)", "tensor([[1, 1], [0, nan]]), 1, True", "x(0, 3), 0", "x(0, 3)",
                       "x(), 0"},
           .reference = reduced([](const Line& x) {
             return static_cast<double>(std::all_of(x.begin(), x.end(), [](double v) { return v != 0; }));
           }),
           .result = Result::boolean,
           .types = {DType::int64, DType::boolean},
           .no_gradient = "the result is bool"},
    Record{.name = "argmax",
           .torch = {"argmax(input, dim=None, keepdim=False)"},
           .call = place(argmax),
           .samples = {"distinct(3, 4), 1", "distinct(3, 4), 0, True", "distinct(3, 4)", "x(), 0",
                       "distinct(3, 0, 2), 0", "tensor([1, 3, 3, 2])", "x(3, 70), 1"},
           .reference = place_of(true),
           .result = Result::int64,
           .types = {DType::bfloat16, DType::int64},
           .no_gradient = "the result is a place",
           .places_in = "input"},
    Record{.name = "argmin",
           .torch = {"argmin(input, dim=None, keepdim=False)"},
           .call = place(argmin),
           .samples = {"distinct(3, 4), 1", "distinct(3, 4), 0, True", "distinct(3, 4)", "x(), 0",
                       "distinct(3, 0, 2), 0", "tensor([1, 0, 0, 2])", "x(3, 70), 1"},
           .reference = place_of(false),
           .result = Result::int64,
           .types = {DType::bfloat16, DType::int64},
           .no_gradient = "the result is a place",
           .places_in = "input"},
};

}  // namespace
}  // namespace weft::tests
