#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

/// Calls f(place in x, place in src) for every entry of an index along an axis, in row-major order.
void each_entry(const Tensor& x, const Tensor& index, const Shape& src, int axis,
                const std::function<void(std::size_t, std::size_t)>& f) {
  const int k = normalize_axis("reference", axis, x.dim());
  const std::vector<std::int64_t> places = to_vector<std::int64_t>(index);
  for (std::int64_t n = 0; n < index.numel(); ++n) {
    std::int64_t rest = n, in_x = 0, in_src = 0, step_x = 1, step_src = 1;
    for (int i = index.dim() - 1; i >= 0; --i) {
      const std::int64_t at = rest % index.shape()[i];
      rest /= index.shape()[i];
      std::int64_t chosen = places[static_cast<std::size_t>(n)];
      if (chosen < 0) chosen += x.shape()[k];
      in_x += (i == k ? chosen : at) * step_x;
      in_src += at * step_src;
      step_x *= x.shape()[i];
      step_src *= src[i];
    }
    f(static_cast<std::size_t>(in_x), static_cast<std::size_t>(in_src));
  }
}

Tensor gathered(const Args& a) {
  const Tensor x = a.tensor("input"), index = a.tensor("index");
  const std::vector<double> values = to_vector<double>(x);
  std::vector<double> y(static_cast<std::size_t>(index.numel()));
  each_entry(x, index, index.shape(), a.axis("dim"), [&](std::size_t from, std::size_t to) { y[to] = values[from]; });
  return from(y, index.shape());
}

Outputs scattered(const Args& a) {
  const Tensor x = a.tensor("input"), index = a.tensor("index");
  const int axis = a.axis("dim");
  if (!a.has("reduce"))
    return a.is_tensor("src") ? scatter(x, axis, index, a.tensor("src")) : scatter(x, axis, index, a.number("src"));
  const Tensor src = a.is_tensor("src") ? a.tensor("src") : full(index.shape(), a.number("src"), x.dtype());
  if (a.word("reduce") == "add") return scatter_add(x, axis, index, src);
  return scatter_reduce(x, axis, index, src, ScatterReduce::prod);
}

Tensor scattered_reference(const Args& a) {
  const Tensor x = a.tensor("input"), index = a.tensor("index");
  std::vector<double> y = to_vector<double>(x);
  const Tensor src = a.is_tensor("src") ? a.tensor("src") : full(index.shape(), a.number("src"), DType::float64);
  const std::vector<double> v = to_vector<double>(src);
  const std::string how = a.has("reduce") ? a.word("reduce") : "";
  each_entry(x, index, src.shape(), a.axis("dim"), [&](std::size_t to, std::size_t from) {
    y[to] = how == "add" ? y[to] + v[from] : how == "multiply" ? y[to] * v[from] : v[from];
  });
  return from(y, x.shape());
}

Tensor added(const Args& a) {
  const Tensor x = a.tensor("input");
  std::vector<double> y = to_vector<double>(x);
  const std::vector<double> v = to_vector<double>(a.tensor("src"));
  each_entry(x, a.tensor("index"), a.tensor("src").shape(), a.axis("dim"),
             [&](std::size_t to, std::size_t from) { y[to] += v[from]; });
  return from(y, x.shape());
}

Outputs reduced(const Args& a) {
  const std::string& how = a.word("reduce");
  const ScatterReduce reduce = how == "sum"    ? ScatterReduce::sum
                               : how == "prod" ? ScatterReduce::prod
                               : how == "mean" ? ScatterReduce::mean
                               : how == "amax" ? ScatterReduce::amax
                                               : ScatterReduce::amin;
  return scatter_reduce(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("src"), reduce,
                        a.flag("include_self"));
}

Tensor reduced_reference(const Args& a) {
  const Tensor x = a.tensor("input");
  const std::vector<double> own = to_vector<double>(x), v = to_vector<double>(a.tensor("src"));
  std::vector<std::vector<double>> groups(own.size());
  each_entry(x, a.tensor("index"), a.tensor("src").shape(), a.axis("dim"),
             [&](std::size_t to, std::size_t from) { groups[to].push_back(v[from]); });
  std::vector<double> y;
  for (std::size_t i = 0; i < own.size(); ++i) {
    std::vector<double> all = groups[i];
    if (all.empty() || a.flag("include_self")) all.insert(all.begin(), own[i]);
    double result = all[0];
    const std::string& how = a.word("reduce");
    for (std::size_t j = 1; j < all.size(); ++j) {
      if (how == "prod") result *= all[j];
      if (how == "sum" || how == "mean") result += all[j];
      if (how == "amax" && !std::isnan(result) && !(all[j] <= result)) result = all[j];
      if (how == "amin" && !std::isnan(result) && !(all[j] >= result)) result = all[j];
    }
    y.push_back(how == "mean" ? result / static_cast<double>(all.size()) : result);
  }
  return from(y, x.shape());
}

const Family scatters{
    Record{.name = "gather",
           .torch = {"gather(input, dim, index, *, sparse_grad=False)"},
           .call = [](const Args& a) { return gather(a.tensor("input"), a.axis("dim"), a.tensor("index")); },
           .samples = {"x(4, 3), 0, index(2, 3, below=4)", "x(3, 4), 1, index(3, 2, below=4)",
                       "x(4, 3), 0, index(5, 2, below=4)", "x(), 0, tensor(0, 'int64')", "x(3), 0, index(0)",
                       "x(2, 3, 4), -1, index(2, 3, 1, from=-4, below=4)", "x(2, 3, 4), 1, index(2, 5, 3, below=3)",
                       "x(3), 0, tensor([2, 0], 'int32')", "x(5, 40, 3), 0, index(7, 40, 3, below=5)"},
           .reference = gathered,
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .errors = {{"x(3, 4), 0, index(3)",
                       "ShapeError: gather: index [3] does not fit x [3, 4] along axis 0\n"
                       "  help: give it as many axes, and no larger sizes on the other axes"},
                      {"x(3), 0, x(2)",
                       "DtypeError: gather: the index is float64\n  help: convert it with to(index, DType::int64)"},
                      {"x(3), 0, tensor([0, -4], 'int64')",
                       "ConfigError: gather: index -4 at position 1 is out of range for size 3\n  help: use indices "
                       "from -3 to 2"}}},
    Record{
        .name = "scatter",
        .torch = {"scatter(input, dim, index, src, *, reduce=None)"},
        .call = scattered,
        .samples = {"x(4, 3), 0, tensor([[0, 1, 3], [2, 0, 1]], 'int64'), x(2, 3)",
                    "x(2, 4), 1, tensor([[0, -1], [2, 1]], 'int64'), x(2, 3)", "x(3, 2), 0, index(2, 2, below=3), 2.5",
                    "x(), 0, tensor(0, 'int64'), x()", "x(3), 0, index(0), x(0)", "x(), 0, tensor(0, 'int64'), 2.5",
                    "x(2, 3, 2), -2, tensor([[[0, 1], [2, 2]]], 'int32'), x(2, 2, 3)",
                    "x(3, 2), 0, index(4, 2, below=3), x(4, 2), reduce='add'",
                    "apart(3, 2), 0, index(4, 2, below=3), apart(4, 2), reduce='multiply'",
                    "x(3, 2), 0, index(4, 2, below=3), 2, reduce='add'"},
        .reference = scattered_reference,
        .types = {DType::bfloat16},
        .errors = {{"x(3, 4), 0, index(3), x(3)",
                    "ShapeError: scatter: index [3] does not fit the destination [3, 4] along axis 0\n"
                    "  help: give it as many axes, and no larger sizes on the other axes"},
                   {"x(3), 0, index(3, below=3), x(2)",
                    "ShapeError: scatter: index [3] does not fit the source [2]\n"
                    "  help: give it as many axes, and no larger sizes"},
                   {"x(3), 0, tensor([0, 3], 'int64'), x(2)",
                    "ConfigError: scatter: index 3 at position 1 is out of range for size 3\n  help: use indices "
                    "from -3 to 2"},
                   {"index(3), 0, index(2), x(2)",
                    "DtypeError: scatter: float64 values do not fit into a tensor of int64\n"
                    "  help: convert one of the two with to"},
                   {"x(3), 0, x(2), x(2)",
                    "DtypeError: scatter: the index is float64\n  help: convert it with to(index, DType::int64)"}}},
    Record{.name = "scatter/whole",
           .weft = "scatter(input, dim, index, src, reduce=None)",
           .call = scattered,
           .samples = {"x(2, 40, 3), 1, index(2, 50, 2, from=-40, below=40), x(2, 50, 3)",
                       "x(7, 3), 0, index(9, 3, below=7), x(9, 3)"},
           .reference = scattered_reference,
           .types = {DType::int64, DType::int32, DType::uint8, DType::boolean},
           .no_gradient = "places repeat here, and the gradient is PyTorch's: as if each of the values were kept"},
    Record{.name = "scatter_add",
           .torch = {"scatter_add(input, dim, index, src)"},
           .call =
               [](const Args& a) {
                 return scatter_add(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("src"));
               },
           .samples = {"x(4, 3), 0, index(2, 3, below=4), x(2, 3)", "x(3, 4), 1, index(3, 2, below=4), x(3, 2)",
                       "x(), 0, tensor(0, 'int64'), x()", "x(3), 0, index(0), x(0)",
                       "x(3, 4), -1, index(2, 3, from=-4, below=4), x(3, 4)",
                       "x(2, 3, 4), 1, index(2, 5, 3, below=3), x(2, 5, 4)"},
           .reference = added,
           .types = {DType::bfloat16, DType::int64, DType::int32},
           .errors = {{"x(3, 4), 0, index(3), x(3)",
                       "ShapeError: scatter_add: index [3] does not fit the destination [3, 4] along axis 0\n"
                       "  help: give it as many axes, and no larger sizes on the other axes"},
                      {"x(3), 0, index(3, below=3), x(2)",
                       "ShapeError: scatter_add: index [3] does not fit the source [2]\n"
                       "  help: give it as many axes, and no larger sizes"}}},
    Record{.name = "scatter_reduce",
           .torch = {"scatter_reduce(input, dim, index, src, reduce, *, include_self=True)"},
           .call = reduced,
           .samples = {"x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'sum'",
                       "x(4, 3), 0, index(5, 2, below=4), x(6, 3), 'sum', include_self=False",
                       "x(3, 4), 1, index(3, 6, below=4), x(3, 6), 'mean'",
                       "x(3, 4), -1, index(2, 6, from=-4, below=4), x(2, 6), 'mean', include_self=False",
                       "apart(4, 3), 0, index(5, 3, below=4), apart(5, 3), 'prod'",
                       "apart(4, 3), 0, index(5, 2, below=4), apart(6, 3), 'prod', include_self=False",
                       "distinct(4), 0, index(6, below=4), tensor([0, 1, -1, 2, -2, 0.5]), 'amax'",
                       "x(4), 0, index(6, below=4), distinct(6), 'amax', include_self=False",
                       "distinct(4), 0, index(6, below=4), tensor([0, 1, -1, 2, -2, 0.5]), 'amin'",
                       "x(4), 0, index(6, below=3), distinct(6), 'amin', include_self=False",
                       "x(), 0, tensor(0, 'int64'), x(), 'amax', include_self=False",
                       "apart(), 0, tensor(0, 'int64'), apart(), 'prod'", "x(3), 0, index(0), x(0), 'mean'",
                       "x(0, 3), 1, index(0, 5, below=3), x(0, 5), 'amin'"},
           .reference = reduced_reference,
           .types = {DType::bfloat16},
           .errors = {{"x(3, 4), 0, index(3), x(3), 'sum'",
                       "ShapeError: scatter_reduce: index [3] does not fit the destination [3, 4] along axis 0\n"
                       "  help: give it as many axes, and no larger sizes on the other axes"},
                      {"x(3), 0, tensor([0, 3], 'int64'), x(2), 'prod'",
                       "ConfigError: scatter_reduce: index 3 at position 1 is out of range for size 3\n  help: use "
                       "indices from -3 to 2"}}},
    Record{
        .name = "scatter_reduce/whole",
        .weft = "scatter_reduce(input, dim, index, src, reduce, include_self=True)",
        .call = reduced,
        .samples = {"x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'sum'",
                    "x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'prod', False",
                    "x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'amax'",
                    "x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'amax', False",
                    "x(4, 3), 0, index(5, 3, below=4), x(5, 3), 'amin', False",
                    "tensor([1, nan, 2]), 0, tensor([0, 0, 2], 'int64'), tensor([5, nan, 1]), 'amax'",
                    "tensor([1, nan, 2]), 0, tensor([0, 1, 2], 'int64'), tensor([nan, 3, 1]), 'amin', False"},
        .reference = reduced_reference,
        .types = {DType::int64, DType::int32, DType::int8},
        .no_gradient = "equal and missing values have none; the golden cases and the next record cover ties and zeros"},
    Record{
        .name = "scatter_reduce/zeros",
        .weft = "scatter_reduce(input, dim, index, src, reduce, include_self=True)",
        .call = reduced,
        .samples = {"tensor([2, 0, 3]), 0, tensor([0, 0, 1, 1, 2, 2], 'int64'), tensor([3, 0, 2, 5, 4, 1.5]), 'prod'",
                    "tensor([2, 0, 3]), 0, tensor([0, 0, 1, 1, 2, 2], 'int64'), tensor([3, 0, 0, 5, 4, 1.5]), 'prod'",
                    "tensor([2, 0, 3]), 0, tensor([0, 0, 1, 1, 2], 'int64'), tensor([3, 0, 2, 5, 4]), 'prod', False"},
        .reference = reduced_reference},
    Record{.name = "scatter_reduce/several zeros",
           .weft = "scatter_reduce(input, dim, index, src, reduce, include_self=True)",
           .call = reduced,
           .samples = {"tensor([2, 0, 3]), 0, tensor([2, 0, 0, 1, 1], 'int64'), tensor([4, 0, 0, 0, 0]), 'prod'"},
           .reference = reduced_reference,
           .no_second_gradient = "of several zeros at one place it is refused with a GradError, as in PyTorch"},
};

}  // namespace
}  // namespace weft::tests
