#include <algorithm>
#include <cmath>

#include <weft/tensor/kernels.h>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

double norm(const Line& x, double p) {
  double sum = 0, largest = 0;
  for (const double v : x) {
    sum += p == 0 ? v != 0 : std::pow(std::abs(v), p);
    largest = std::max(largest, std::abs(v));
  }
  return std::isinf(p) ? largest : p == 0 ? sum : std::pow(sum, 1 / p);
}
/// The norms of the lines of the last axis.
Tensor norms(const Tensor& x, double p) {
  return over(x, {-1}, false, [p](const Line& v) { return norm(v, p); });
}

const Family distances{
    Record{
        .name = "cdist",
        .torch = {"cdist(x1, x2, p=2.0, compute_mode=None)"},
        .call = [](const Args& a) { return cdist(a.tensor("x1"), a.tensor("x2"), a.real("p")); },
        .samples = {"x(3, 4), x(5, 4)", "x(3, 4), x(5, 4), 1", "x(3, 4), x(5, 4), inf", "x(3, 4), x(5, 4), 0",
                    "x(3, 4), x(5, 4), 2.5", "distinct(2, 3), tensor([[2, 3, -3], [5, -4, 9]]), 0.5",
                    "x(3, 4), x(5, 4), 1.5", "x(2, 1, 3, 2), x(4, 5, 2)", "x(3, 0), x(5, 0)", "x(0, 2), x(5, 2)",
                    "x(3, 2), x(0, 2)", "x(2, 3), x(140, 3)"},
        .reference =
            [](const Args& a) {
              return norms(
                  kernels::binary(kernels::Binary::sub, unsqueeze(a.tensor("x1"), -2), unsqueeze(a.tensor("x2"), -3)),
                  a.real("p"));
            },
        .types = {DType::bfloat16},
        .errors = {{"x(3, 4), x(3, 5)",
                    "ShapeError: cdist: a is [3, 4], b [3, 5]\n  help: pass rows (..., n, k) and (..., m, k)"},
                   {"x(3, 4), x(3, 4), -1", "ConfigError: cdist: p is -1\n  help: choose one from 0 on, or infinity"}}},
    Record{.name = "cdist/equal rows",
           .weft = "cdist(input, p)",
           .call =
               [](const Args& a) {
                 Tensor x = copy(a.tensor("input"));
                 x.set_requires_grad();
                 sum(cdist(x, detach(x), a.real("p"))).backward();
                 return x.grad();
               },
           .samples = {"tensor([[1, 2], [1, 2]]), 2", "tensor([[1, 2], [1, 2]]), 0.5", "tensor([[1, 2], [1, 2]]), 3",
                       "tensor([[1, 2], [1, 2]]), 1", "tensor([[1, 2], [1, 2]]), inf", "tensor([[1, 2], [1, 2]]), 1.5"},
           .reference = [](const Args& a) { return zeros_like(a.tensor("input")); },
           .no_gradient = "it is the gradient at 0 that is checked here"},
    Record{.name = "pdist",
           .torch = {"nn.functional.pdist(input, p=2)", "pdist(input, p=2)"},
           .call = [](const Args& a) { return pdist(a.tensor("input"), a.real("p")); },
           .samples = {"x(4, 3)", "x(4, 3), 1", "x(4, 3), 0", "x(4, 3), inf", "x(4, 3), 3", "x(1, 3)", "x(0, 3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 Line y;
                 for (std::int64_t i = 0; i < x.shape()[0]; ++i)
                   for (std::int64_t j = i + 1; j < x.shape()[0]; ++j)
                     y.push_back(norm(to_vector<double>(select(x, 0, i) - select(x, 0, j)), a.real("p")));
                 return from(y);
               },
           .errors = {{"x(3)", "ShapeError: pdist: x is [3]\n  help: pass rows (n, k)"}}},
    Record{.name = "dist",
           .torch = {"dist(input, other, p=2)"},
           .call = [](const Args& a) { return dist(a.tensor("input"), a.tensor("other"), a.real("p")); },
           .samples = {"x(3, 4), x(3, 4)", "x(3, 1), x(4), 1", "x(2, 3), x(), inf", "x(), x(2, 3), 0", "x(5), x(5), 4",
                       "x(5), x(5), 0.5", "x(), x()", "x(0, 3), x(3)"},
           .reference =
               [](const Args& a) {
                 const Tensor difference = kernels::binary(kernels::Binary::sub, a.tensor("input"), a.tensor("other"));
                 return over(difference, {}, false, [&](const Line& v) { return norm(v, a.real("p")); });
               },
           .result = Result::floating,
           .types = {DType::int64},
           .errors = {{"x(3), x(3), -2", "ConfigError: dist: p is -2\n  help: choose one from 0 on, or infinity"}}},
    Record{.name = "pairwise_distance",
           .torch = {"nn.functional.pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)",
                     "pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)"},
           .call =
               [](const Args& a) {
                 return pairwise_distance(a.tensor("x1"), a.tensor("x2"), a.real("p"), a.real("eps"),
                                          a.flag("keepdim"));
               },
           .samples = {"x(3, 4), x(3, 4)", "x(3, 4), x(4), 1, keepdim=True", "x(5), x(5), inf",
                       "x(2, 3, 4), x(3, 1), 3, 0.5", "x(3, 4), x(3, 4), 0.5", "x(0, 3), x(3)", "x(3, 0), x(3, 0)"},
           .reference =
               [](const Args& a) {
                 const Tensor difference = kernels::binary(kernels::Binary::sub, a.tensor("x1"), a.tensor("x2"));
                 const Tensor y = norms(kernels::binary(kernels::Binary::add, difference, a.real("eps")), a.real("p"));
                 return a.flag("keepdim") ? unsqueeze(y, -1) : y;
               },
           .errors = {{"x(), x()", "ShapeError: pairwise_distance: tensors of rank 0 have no last axis"}}},
    Record{.name = "cosine_similarity",
           .torch = {"nn.functional.cosine_similarity(x1, x2, dim=1, eps=1e-08)",
                     "cosine_similarity(x1, x2, dim=1, eps=1e-08)"},
           .call =
               [](const Args& a) {
                 return cosine_similarity(a.tensor("x1"), a.tensor("x2"), a.axis("dim"), a.real("eps"));
               },
           .samples = {"x(3, 4), x(3, 4)", "x(3, 4), x(4), 0", "x(2, 3, 4), x(3, 1), -1", "x(5), x(5), 0",
                       "x(0, 3), x(3)", "apart(), apart(), 0"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("x1"), y = a.tensor("x2");
                 const Shape shape = broadcast("", x.shape(), y.shape());
                 if (shape.empty()) return sign(x) * sign(y);
                 const int axis = normalize_axis("", a.axis("dim"), shape.size());
                 return over(stack({expand(x, shape), expand(y, shape)}, -1), {axis, -1}, false, [](const Line& v) {
                   double dot = 0, u = 0, w = 0;
                   for (std::size_t i = 0; i < v.size(); i += 2) {
                     dot += v[i] * v[i + 1];
                     u += v[i] * v[i];
                     w += v[i + 1] * v[i + 1];
                   }
                   return dot / std::sqrt(u * w);
                 });
               },
           .errors = {{"x(3), x(3), 1",
                       "ShapeError: cosine_similarity: axis 1 is out of range for 1 axis\n  help: choose an axis from "
                       "-1 to 0"}}},
    Record{
        .name = "normalize",
        .torch = {"nn.functional.normalize(input, p=2.0, dim=1, eps=1e-12, out=None)"},
        .call = [](const Args& a) { return normalize(a.tensor("input"), a.real("p"), a.axis("dim"), a.real("eps")); },
        .samples = {"x(3, 4)", "x(3, 4), 1, 0", "x(3, 4), inf, -1", "x(2, 3, 4), 0.5", "x(3, 4), 0",
                    "x(3, 4), 3, -1, 10", "x(0, 3)", "apart(), 2, 0", "x(3, 0)"},
        .reference =
            [](const Args& a) {
              return along(a.tensor("input"), a.axis("dim"), [&](Line x) {
                const double length = std::max(norm(x, a.real("p")), a.real("eps"));
                for (double& v : x) v /= length;
                return x;
              });
            },
        .errors = {{"x(3)",
                    "ShapeError: normalize: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"},
                   {"x(3, 4), -1", "ConfigError: normalize: p is -1\n  help: choose one from 0 on, or infinity"}}},
};

}  // namespace
}  // namespace weft::tests
