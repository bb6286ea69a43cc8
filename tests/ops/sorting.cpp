#include <algorithm>
#include <cmath>
#include <numeric>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

/// The places of a line in order: stable, NaN largest.
Line order_of(const Line& x, bool descending) {
  const auto less = [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
  Line order(x.size());
  std::iota(order.begin(), order.end(), 0.0);
  std::stable_sort(order.begin(), order.end(), [&](double i, double j) {
    const double a = x[static_cast<std::size_t>(i)], b = x[static_cast<std::size_t>(j)];
    return descending ? less(b, a) : less(a, b);
  });
  return order;
}
/// Values and places, from the places that `choose` takes of each line.
template <class Choose>
Outputs chosen(const Tensor& x, int axis, bool keep, Choose choose) {
  const Tensor values = along(
      x, axis,
      [&](const Line& line) {
        Line y;
        for (const double i : choose(line)) y.push_back(line[static_cast<std::size_t>(i)]);
        return y;
      },
      keep);
  return {values, to(along(x, axis, choose, keep), DType::int64)};
}
Outputs both(const Selected& y) { return {y.values, y.indices}; }

Tensor search(const Args& a) {
  SearchOptions options{.right = a.flag("right"), .sorter = a.tensor("sorter")};
  if (a.has("side")) options.right = a.word("side") == "right";
  if (a.flag("out_int32")) options.out = DType::int32;
  const Tensor sequence = a.tensor("sorted_sequence");
  const Tensor values = a.is_tensor("input") ? a.tensor("input") : scalar(a.number("input"), sequence.dtype());
  return searchsorted(sequence, values, options);
}
/// Counts what is smaller (or not larger), line by line.
Tensor counted(const Tensor& sequence, const Tensor& values, bool right) {
  const Line from_sequence = to_vector<double>(sequence), v = to_vector<double>(values);
  const std::size_t n = static_cast<std::size_t>(sequence.shape().back());
  const std::size_t m = sequence.dim() == 1 || values.dim() == 0 ? std::max<std::size_t>(v.size(), 1)
                                                                 : static_cast<std::size_t>(values.shape().back());
  Line y;
  for (std::size_t i = 0; i < v.size(); ++i) {
    double count = 0;
    for (std::size_t k = 0; k < n; ++k) {
      const double edge = from_sequence[i / m * n + k];
      count += right ? edge <= v[i] : edge < v[i];
    }
    y.push_back(count);
  }
  return from(y, values.shape());
}

constexpr const char* not_smooth = "there are no differences between equal values, nor of NaN";

const Family sorting{
    Record{.name = "sort",
           .torch = {"sort(input, dim=-1, descending=False, stable=False)"},
           .call = [](const Args& a) { return both(sort(a.tensor("input"), a.axis("dim"), a.flag("descending"))); },
           .samples = {"distinct(3, 4)", "distinct(3, 4), 0, True", "distinct(2, 3, 4), 1", "x()", "x(0, 3)", "x(3, 0)",
                       "distinct(2, 70)"},
           .reference =
               [](const Args& a) {
                 return chosen(a.tensor("input"), a.axis("dim"), true,
                               [&](const Line& x) { return order_of(x, a.flag("descending")); });
               },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: sort: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{.name = "sort/special",
           .weft = "sort(input, descending)",
           .call = [](const Args& a) { return both(sort(a.tensor("input"), -1, a.flag("descending"))); },
           .samples = {"tensor([2, 1, 2, 1, 0]), False", "tensor([2, 1, 2, 1, 0]), True",
                       "tensor([nan, 1, inf, nan, -inf]), False", "tensor([nan, 1, inf, nan, -inf]), True"},
           .reference =
               [](const Args& a) {
                 return chosen(a.tensor("input"), -1, true,
                               [&](const Line& x) { return order_of(x, a.flag("descending")); });
               },
           .no_gradient = not_smooth},
    Record{.name = "msort",
           .torch = {"msort(input)"},
           .call = unary(msort),
           .samples = {"distinct(5, 3)", "distinct(70)", "x()", "x(0, 3)", "x(3, 0)"},
           .reference =
               [](const Args& a) {
                 return along(a.tensor("input"), 0, [](Line x) {
                   std::sort(x.begin(), x.end());
                   return x;
                 });
               },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "topk",
           .torch = {"topk(input, k, dim=-1, largest=True, sorted=True)"},
           .call =
               [](const Args& a) {
                 return both(topk(a.tensor("input"), a.integer("k"), a.axis("dim"), a.flag("largest")));
               },
           .samples = {"distinct(3, 5), 2", "distinct(3, 5), 2, 0, False", "distinct(2, 3, 4), 3, 1", "x(), 1, 0",
                       "distinct(3), 0", "distinct(2, 70), 9", "x(0, 3), 2", "distinct(4), 4"},
           .reference =
               [](const Args& a) {
                 if (a.tensor("input").dim() == 0) return both(topk(a.tensor("input"), a.integer("k"), 0));
                 return chosen(a.tensor("input"), a.axis("dim"), true, [&](const Line& x) {
                   Line order = order_of(x, a.flag("largest"));
                   order.resize(static_cast<std::size_t>(a.integer("k")));
                   return order;
                 });
               },
           .types = {DType::bfloat16, DType::int64},
           .places_in = "input",
           .errors = {{"x(3), 4", "ConfigError: topk: k is 4, axis -1 has 3 values"},
                      {"x(), 0", "ConfigError: topk: k is 0, the one value of rank 0 stays"},
                      {"x(3), -1", "ConfigError: topk: k is -1, axis -1 has 3 values"},
                      {"x(3), 1, 1",
                       "ShapeError: topk: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{
        .name = "kthvalue",
        .torch = {"kthvalue(input, k, dim=-1, keepdim=False)"},
        .call =
            [](const Args& a) {
              return both(kthvalue(a.tensor("input"), a.integer("k"), a.axis("dim"), a.flag("keepdim")));
            },
        .samples = {"distinct(3, 5), 2", "distinct(3, 5), 3, 0, True", "distinct(2, 3, 4), 3, 1", "x(), 1, 0",
                    "distinct(2, 70), 9", "x(0, 3), 2"},
        .reference =
            [](const Args& a) {
              return chosen(a.tensor("input"), a.axis("dim"), a.flag("keepdim"), [&](const Line& x) {
                return Line{order_of(x, false)[static_cast<std::size_t>(a.integer("k") - 1)]};
              });
            },
        .types = {DType::bfloat16, DType::int64},
        .places_in = "input",
        .errors = {{"x(3), 4", "ConfigError: kthvalue: k is 4, axis -1 has 3 values, counted from 1"},
                   {"x(3), 0", "ConfigError: kthvalue: k is 0, axis -1 has 3 values, counted from 1"},
                   {"x(3), 1, 1",
                    "ShapeError: kthvalue: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{.name = "topk/special",
           .weft = "topk(input, k, largest=True)",
           .call =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Selected top = topk(x, a.integer("k"), -1, a.flag("largest")), one = kthvalue(x, a.integer("k"));
                 return Outputs{top.values, top.indices, one.values, one.indices};
               },
           .samples = {"tensor([2, 1, 2, 1, 0]), 3", "tensor([2, 1, 2, 1, 0]), 4, False",
                       "tensor([[nan, 1, inf, nan, -inf]]), 2", "tensor([nan, 1, inf, nan, -inf]), 3, False"},
           .reference =
               [](const Args& a) {
                 const std::size_t k = static_cast<std::size_t>(a.integer("k"));
                 Outputs y = chosen(a.tensor("input"), -1, true, [&](const Line& x) {
                   Line order = order_of(x, a.flag("largest"));
                   order.resize(k);
                   return order;
                 });
                 for (const Tensor& each : chosen(a.tensor("input"), -1, false,
                                                  [&](const Line& x) { return Line{order_of(x, false)[k - 1]}; }))
                   y.push_back(each);
                 return y;
               },
           .no_gradient = not_smooth},
    Record{.name = "searchsorted",
           .torch = {"searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None)"},
           .call = search,
           .samples = {"tensor([1, 3, 3, 5]), tensor([[0, 1, 3], [4, 5, 9]])",
                       "tensor([1, 3, 3, 5]), tensor([[0, 1, 3], [4, 5, 9]]), right=True", "tensor([1, 3, 5]), 3",
                       "tensor([1, 3, 5]), tensor(3), side='right'",
                       "tensor([[1, 3], [2, 4]]), tensor([[2, 1, 4], [2, 3, 4]])", "x(0), x(3)", "x(2, 0), x(2, 3)",
                       "tensor([1, 3]), x(0)", "tensor([1, 3]), index(5, below=5)"},
           .reference =
               [](const Args& a) {
                 const Tensor sequence = a.tensor("sorted_sequence");
                 const bool right = a.has("side") ? a.word("side") == "right" : a.flag("right");
                 return counted(sequence,
                                a.is_tensor("input") ? a.tensor("input") : scalar(a.number("input"), DType::float64),
                                right);
               },
           .result = Result::int64,
           .types = {DType::int64},
           .no_gradient = "the result is places",
           .errors = {{"x(2, 3), x(3, 3)",
                       "ShapeError: searchsorted: the sequence [2, 3] does not fit the values [3, 3]\n"
                       "  help: give one axis, or the values' sizes on all but the last"},
                      {"x(), x(3)",
                       "ShapeError: searchsorted: the sequence has rank 0\n  help: give it one axis at least"},
                      {"x(3), x(3), sorter=x(3)", "DtypeError: searchsorted: the sorter is float64, not int64"},
                      {"x(3), x(3), sorter=index(2)",
                       "ShapeError: searchsorted: the sorter [2] does not fit the sequence [3]"},
                      {"x(3), x(3), sorter=tensor([0, 1, 3], 'int64')",
                       "ConfigError: searchsorted: the sorter holds 3, which is no place among 3"}}},
    Record{.name = "searchsorted/sorter",
           .weft = "searchsorted(sorted_sequence, input, sorter, right=False, side=None, out_int32=True)",
           .call = search,
           .samples = {"tensor([5, 1, 3, 3]), tensor([[0, 1, 3], [4, 5, 9]]), tensor([1, 2, 3, 0], 'int64')",
                       "tensor([[3, 1], [2, 4]]), tensor([[2, 1], [2, 3]]), tensor([[1, 0], [0, 1]], 'int64'), True"},
           .reference =
               [](const Args& a) {
                 const Tensor sequence = msort(t(a.tensor("sorted_sequence")));
                 return to(counted(t(sequence), a.tensor("input"), a.flag("right")), DType::int32);
               },
           .no_gradient = "the result is places"},
    Record{.name = "bucketize",
           .torch = {"bucketize(input, boundaries, *, out_int32=False, right=False)"},
           .call =
               [](const Args& a) {
                 return bucketize(a.tensor("input"), a.tensor("boundaries"), a.flag("right"),
                                  a.flag("out_int32") ? DType::int32 : DType::int64);
               },
           .samples = {"x(3, 4), tensor([-1, 0, 1])", "tensor([-1, 0, 2, nan]), tensor([-1, 0, 1])",
                       "tensor([-1, 0, 2]), tensor([-1, 0, 1]), right=True", "x(), tensor([-1, 0, 1])",
                       "x(0, 3), tensor([0])", "x(3), x(0)"},
           .result = Result::int64,
           .no_gradient = "the result is places",
           .errors = {{"x(3), x(2, 2)", "ShapeError: bucketize: the boundaries are [2, 2], not one axis"}}},
};

}  // namespace
}  // namespace weft::tests
