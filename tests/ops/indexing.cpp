#include <algorithm>

#include "record.h"

namespace weft::tests {
namespace {

constexpr const char* only_places = "the result is whole numbers";

/// x[..., index[j], ...] element by element.
Tensor picked(const Tensor& x, int axis, const std::vector<std::int64_t>& index) {
  return along(x, axis, [&](const std::vector<double>& line) {
    std::vector<double> y;
    for (const std::int64_t i : index)
      y.push_back(line[static_cast<std::size_t>(i < 0 ? i + static_cast<std::int64_t>(line.size()) : i)]);
    return y;
  });
}

const Family indexing{
    Record{
        .name = "index_select",
        .torch = {"index_select(input, dim, index)"},
        .call = [](const Args& a) { return index_select(a.tensor("input"), a.axis("dim"), a.tensor("index")); },
        .samples = {"x(4, 3), 0, index(5, below=4)", "x(3, 4), 1, index(2, from=-4, below=4)",
                    "x(2, 4, 3), -2, index(3, below=4)", "x(3, 4), 0, index(0)", "x(5), 0, tensor([4, 4, 0], 'int32')",
                    "x(0, 3), 1, index(2)"},
        .reference =
            [](const Args& a) {
              return picked(a.tensor("input"), a.axis("dim"), to_vector<std::int64_t>(a.tensor("index")));
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3), 0, x(2)",
                    "DtypeError: index_select: the index is float64\n  help: convert it with to(index, DType::int64)"},
                   {"x(3), 0, tensor([0, 3], 'int64')",
                    "ConfigError: index_select: index 3 at position 1 is out of range for size 3\n  help: use indices "
                    "from -3 to 2"}}},
    Record{.name = "index_add",
           .torch = {"index_add(input, dim, index, source, *, alpha=1)"},
           .call =
               [](const Args& a) {
                 const Tensor source = a.tensor("source");
                 return index_add(a.tensor("input"), a.axis("dim"), a.tensor("index"),
                                  a.real("alpha") == 1 ? source : source * a.number("alpha"));
               },
           .samples = {"x(4, 3), 0, index(5, below=4), x(5, 3)", "x(3, 4), -1, index(2, below=4), x(3, 2)",
                       "x(3), 0, index(0), x(0)", "x(), 0, index(1, below=1), x(1)",
                       "x(5), 0, tensor([1, 1, -1], 'int64'), x(3)"},
           .types = {DType::bfloat16},
           .errors = {{"x(3), 0, index(2), x(3)",
                       "ShapeError: index_add: source [3] and index [2] do not fit [3] along axis 0"}}},
    Record{.name = "gather",
           .torch = {"gather(input, dim, index, *, sparse_grad=False)"},
           .call = [](const Args& a) { return gather(a.tensor("input"), a.axis("dim"), a.tensor("index")); },
           .samples = {"x(4, 3), 0, index(2, 3, below=4)", "x(3, 4), 1, index(3, 2, below=4)",
                       "x(4, 3), 0, index(5, 2, below=4)", "x(), 0, tensor(0, 'int64')", "x(3), 0, index(0)",
                       "x(2, 3, 4), -1, index(2, 3, 1, from=-4, below=4)"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3, 4), 0, index(3)",
                       "ShapeError: gather: index [3] does not fit x [3, 4] along axis 0\n"
                       "  help: give it as many axes, and no larger sizes on the other axes"}}},
    Record{.name = "scatter_add",
           .torch = {"scatter_add(input, dim, index, src)"},
           .call =
               [](const Args& a) {
                 return scatter_add(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("src"));
               },
           .samples = {"x(4, 3), 0, index(2, 3, below=4), x(2, 3)", "x(3, 4), 1, index(3, 2, below=4), x(3, 2)",
                       "x(), 0, tensor(0, 'int64'), x()", "x(3), 0, index(0), x(0)"},
           .types = {DType::bfloat16},
           .errors = {{"x(3, 4), 0, index(3), x(3)",
                       "ShapeError: scatter_add: index [3] does not fit the destination [3, 4] along axis 0\n"
                       "  help: give it as many axes, and no larger sizes on the other axes"}}},
    Record{
        .name = "nonzero",
        .weft = "nonzero(input)",
        .call = [](const Args& a) { return nonzero(a.tensor("input")); },
        .samples = {"mask(20)", "tensor([0, 2, nan, 0, -1])", "x(0)", "tensor([0, 0])"},
        .result = Result::int64,
        .no_gradient = only_places,
        .errors = {{"mask(2, 2)", "ShapeError: nonzero: the mask is [2, 2]\n  help: pass one axis, as flatten(mask)"}}},
    Record{.name = "argwhere",
           .torch = {"nonzero(input, *, as_tuple=False)", "argwhere(input)"},
           .call = [](const Args& a) { return argwhere(a.tensor("input")); },
           .samples = {"mask(3, 4)", "mask(2, 3, 2)", "mask(5)", "tensor(1)", "tensor(0)", "x(0, 3)"},
           .result = Result::int64,
           .no_gradient = only_places},
    Record{.name = "argsort",
           .torch = {"argsort(input, dim=-1, descending=False, stable=False)"},
           .call = [](const Args& a) { return argsort(a.tensor("input"), a.axis("dim"), a.flag("descending")); },
           .samples = {"distinct(3, 4)", "distinct(3, 4), 0, True", "x(2, 3, 4), 1", "tensor([2, 1, 2, 1, 0])",
                       "tensor([2, 1, 2, 1, 0]), 0, True", "x()", "x(0, 3)", "x(3, 0)"},
           .reference =
               [](const Args& a) {
                 const bool down = a.flag("descending");
                 return along(a.tensor("input"), a.axis("dim"), [down](const std::vector<double>& line) {
                   std::vector<double> order;
                   for (std::size_t i = 0; i < line.size(); ++i) order.push_back(static_cast<double>(i));
                   std::stable_sort(order.begin(), order.end(), [&](double i, double j) {
                     const double u = line[static_cast<std::size_t>(i)], v = line[static_cast<std::size_t>(j)];
                     return down ? u > v : u < v;
                   });
                   return order;
                 });
               },
           .result = Result::int64,
           .types = {DType::int64},
           .no_gradient = only_places,
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: argsort: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
};

}  // namespace
}  // namespace weft::tests
