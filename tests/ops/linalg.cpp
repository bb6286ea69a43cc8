#include <algorithm>
#include <cmath>
#include <string>

#include "record.h"

namespace weft::tests {
namespace {

using Line = std::vector<double>;

Tensor times(const Tensor& a, const Tensor& b) {
  return over(unsqueeze(a, -1) * unsqueeze(b, -3), {-2}, false, [](const Line& v) {
    double sum = 0;
    for (const double each : v) sum += each;
    return sum;
  });
}
Tensor turned(const Tensor& x) { return transpose(x, -1, -2); }

/// Each matrix as one line.
Tensor flatten_matrices(const Tensor& x) {
  Shape shape = x.shape();
  shape.erase(shape.size() - 1);
  shape.back() = x.size(-2) * x.size(-1);
  return reshape(x, shape);
}

/// By Laplace's expansion along the first row.
double determinant(const Line& x, std::size_t n) {
  if (n == 0) return 1;
  double sum = 0;
  for (std::size_t k = 0; k < n; ++k) {
    Line minor;
    for (std::size_t i = 1; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (j != k) minor.push_back(x[i * n + j]);
    sum += (k % 2 ? -1 : 1) * x[k] * determinant(minor, n - 1);
  }
  return sum;
}
Tensor determinants(const Tensor& x) {
  const std::size_t n = static_cast<std::size_t>(x.size(-1));
  return over(x, {-2, -1}, false, [n](const Line& v) { return determinant(v, n); });
}

/// The adjugate divided by the determinant.
Tensor inverses(const Tensor& x) {
  const std::int64_t n = x.size(-1);
  if (x.numel() == 0) return x;
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < n; ++i) {
    std::vector<Tensor> row;
    for (std::int64_t j = 0; j < n; ++j) {
      const auto without = [n](const Tensor& y, int axis, std::int64_t k) {
        return cat({slice(y, axis, 0, k), slice(y, axis, k + 1, n)}, axis);
      };
      row.push_back(determinants(without(without(x, -2, j), -1, i)) * ((i + j) % 2 ? -1.0 : 1.0));
    }
    rows.push_back(stack(row, -1));
  }
  return stack(rows, -2) / unsqueeze(unsqueeze(determinants(x), -1), -1);
}

Line sizes_of(const Line& x) {
  Line y;
  for (const double v : x) y.push_back(std::abs(v));
  return y;
}
double vector_norm_of(const Line& line, double p) {
  const Line x = sizes_of(line);
  if (p == HUGE_VAL) return *std::max_element(x.begin(), x.end());
  if (p == -HUGE_VAL) return *std::min_element(x.begin(), x.end());
  double sum = 0;
  for (const double v : x) sum += p == 0 ? v != 0 : std::pow(v, p);
  return p == 0 ? sum : std::pow(sum, 1 / p);
}

linalg::Order order_of(const Args& a, const char* name) {
  if (!a.has(name)) return {};
  if (std::holds_alternative<std::string>(a.value(name).is)) return a.word(name).c_str();
  return a.real(name);
}

// The expanded layout repeats the first axis longer than 1: of a batch it leaves the matrices regular.
#define WEFT_SQUARES                                                                                     \
  {                                                                                                      \
    "x(2, 3, 3)", "x(2, 1, 1)", "tensor([[3]])", "x(0, 0)", "x(0, 2, 2)", "x(2, 0, 0)", "x(2, 1, 2, 2)", \
        "tensor([[[1, 2], [3, 4]], [[0, 1], [1, 0]]])"                                                   \
  }
#define WEFT_NOT_SQUARE(op)                                                                        \
  {"x(2, 3)", "ShapeError: " op ": the matrices of [2, 3] are not square"},                        \
      {"x(3)", "ShapeError: " op ": x is [3], not (..., n, m)"}, {                                 \
    "index(2, 2)", "DtypeError: " op ": x is int64\n  help: convert it with to(x, DType::float32)" \
  }
constexpr const char* ill_conditioned = "an inverse magnifies the rounding of its input by the condition number";

const Family linear_algebra{
    Record{.name = "inv",
           .torch = {"linalg.inv(A)", "inverse(A)"},
           .call = [](const Args& a) { return linalg::inv(a.tensor("A")); },
           .samples = WEFT_SQUARES,
           .reference = [](const Args& a) { return inverses(a.tensor("A")); },
           .looseness = 10,
           .looseness_reason = ill_conditioned,
           .errors = {WEFT_NOT_SQUARE("inv"),
                      {"tensor([[1, 2], [2, 4]])", "ConfigError: inv: the matrix is singular"},
                      {"tensor([[[1, 0], [0, 1]], [[0, 0], [0, 1]]])", "ConfigError: inv: matrix 1 of 2 is singular"}}},
    Record{.name = "det",
           .torch = {"linalg.det(A)", "det(A)"},
           .call = [](const Args& a) { return linalg::det(a.tensor("A")); },
           .samples = {"x(2, 3, 3)", "x(4, 4)", "x(2, 1, 1)", "x(0, 0)", "x(0, 2, 2)", "x(2, 0, 0)",
                       "tensor([[1, 2], [2, 4]])", "tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])",
                       "tensor([[[1, 0], [0, 0]], [[1, 2], [3, 4]]])"},
           .reference = [](const Args& a) { return determinants(a.tensor("A")); },
           .errors = {WEFT_NOT_SQUARE("det")}},
    Record{.name = "det/zero",
           .weft = "det(A)",
           .call = [](const Args& a) { return linalg::det(a.tensor("A")); },
           .samples = {"tensor([[0, 0, 0], [0, 0, 0], [0, 0, 0]])", "tensor([[0, 0], [0, 0]])"},
           .reference = [](const Args& a) { return determinants(a.tensor("A")); },
           .no_second_gradient = "the singular vectors of equal singular values have no derivative"},
    Record{.name = "slogdet",
           .torch = {"linalg.slogdet(A)", "slogdet(A)"},
           .call =
               [](const Args& a) {
                 const linalg::LogDeterminant y = linalg::slogdet(a.tensor("A"));
                 return Outputs{y.sign, y.logabsdet};
               },
           .samples = WEFT_SQUARES,
           .reference =
               [](const Args& a) {
                 const Tensor d = determinants(a.tensor("A"));
                 return Outputs{sign(d), log(abs(d))};
               },
           .looseness = 10,
           .looseness_reason = "the logarithm of a small determinant magnifies the rounding of the input",
           .errors = {WEFT_NOT_SQUARE("slogdet")}},
    Record{.name = "slogdet/singular",
           .weft = "slogdet(A)",
           .call =
               [](const Args& a) {
                 const linalg::LogDeterminant y = linalg::slogdet(a.tensor("A"));
                 return Outputs{y.sign, y.logabsdet};
               },
           .samples = {"tensor([[1, 2], [2, 4]])"},
           .reference =
               [](const Args&) {
                 return Outputs{scalar(0, DType::float64), scalar(-HUGE_VAL, DType::float64)};
               },
           .no_gradient = "there are no differences of infinities"},
    Record{.name = "solve",
           .torch = {"linalg.solve(A, B, *, left=True)"},
           .call = [](const Args& a) { return linalg::solve(a.tensor("A"), a.tensor("B"), a.flag("left")); },
           .samples = {"x(2, 3, 3), x(2, 3, 2)", "x(2, 3, 3), x(2, 3)", "x(2, 3, 3), x(3, 2)", "x(2, 3, 3), x(3)",
                       "tensor([[3]]), x(1)", "x(2, 3, 3), x(2, 4, 3), left=False", "x(2, 3, 3), x(2, 3), left=False",
                       "x(2, 1, 2, 2), x(3, 2, 2)", "x(0, 0), x(0, 3)", "x(0, 0), x(0)", "x(2, 0, 0), x(2, 0)",
                       "x(0, 2, 2), x(0, 2, 1)"},
           .reference =
               [](const Args& a) {
                 const Tensor m = a.tensor("A"), b = a.tensor("B");
                 if (m.numel() == 0 || b.numel() == 0) return linalg::solve(m, b, a.flag("left"));
                 const Tensor y = inverses(m);
                 Shape vectors = m.shape();
                 vectors.erase(m.dim() - 1);
                 const bool vector = b.dim() == 1 || b.shape() == vectors;
                 if (vector && a.flag("left")) return squeeze(times(y, unsqueeze(b, -1)), -1);
                 if (vector) return squeeze(times(unsqueeze(b, -2), y), -2);
                 return a.flag("left") ? times(y, b) : times(b, y);
               },
           .looseness = 10,
           .looseness_reason = ill_conditioned,
           .errors = {{"x(2, 3), x(2)", "ShapeError: solve: the matrices of [2, 3] are not square"},
                      {"x(3, 3), x(2)", "ShapeError: solve: b [2] does not fit the matrices of a [3, 3]"},
                      {"x(3, 3), x(2, 3)", "ShapeError: solve: b [2, 3] does not fit the matrices of a [3, 3]"},
                      {"x(2, 3, 3), x(4, 3, 1)",
                       "ShapeError: solve: shapes [2] and [4] do not broadcast: sizes 2 and 4 at axis 0\n"
                       "  help: make the sizes equal, or one of them 1"},
                      {"x(2, 2), tensor([1, 2], 'float32')",
                       "DtypeError: solve: types differ: a is float64, b is float32\n"
                       "  help: convert one with to(x, dtype)"},
                      {"tensor([[1, 2], [2, 4]]), x(2)", "ConfigError: solve: the matrix is singular"}}},
    Record{.name = "cholesky",
           .torch = {"linalg.cholesky(input, *, upper=False)", "cholesky(input, upper=False)"},
           .call = [](const Args& a) { return linalg::cholesky(a.tensor("input"), a.flag("upper")); },
           .samples = {"tensor([[[4, 1, 2], [1, 3, 0], [2, 0, 5]], [[2, -1, 0], [-1, 2, -1], [0, -1, 2]]])",
                       "tensor([[[4, 1], [1, 3]], [[1, 0], [0, 1]]]), upper=True", "tensor([[2.5]])", "x(0, 0)",
                       "x(2, 0, 0)", "x(0, 2, 2)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const std::size_t n = static_cast<std::size_t>(x.size(-1));
                 const Tensor l = along(flatten_matrices(x), -1, [n](const Line& v) {
                   Line y(n * n);
                   for (std::size_t i = 0; i < n; ++i)
                     for (std::size_t j = 0; j <= i; ++j) {
                       double rest = v[i * n + j];
                       for (std::size_t k = 0; k < j; ++k) rest -= y[i * n + k] * y[j * n + k];
                       y[i * n + j] = i == j ? std::sqrt(rest) : rest / y[j * n + j];
                     }
                   return y;
                 });
                 return a.flag("upper") ? turned(reshape(l, x.shape())) : reshape(l, x.shape());
               },
           .errors = {{"x(2, 3)", "ShapeError: cholesky: the matrices of [2, 3] are not square"},
                      {"tensor([[1, 2], [2, 1]])", "ConfigError: cholesky: the matrix is not positive definite"},
                      {"tensor([[[1, 0], [0, 1]], [[0, 0], [0, 1]]])",
                       "ConfigError: cholesky: matrix 1 of 2 is not positive definite"}}},
    Record{.name = "matrix_power",
           .torch = {"linalg.matrix_power(A, n)", "matrix_power(A, n)"},
           .call = [](const Args& a) { return linalg::matrix_power(a.tensor("A"), a.axis("n")); },
           .samples = {"x(2, 3, 3), 5", "x(2, 3, 3), 1", "x(2, 3, 3), 0", "x(2, 2, 2), -2", "x(3, 3), 4", "x(0, 0), 3",
                       "x(0, 2, 2), -1"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.integer("n") < 0 ? inverses(a.tensor("A")) : a.tensor("A");
                 Tensor y = x * 0.0 + eye(x.size(-1), -1, DType::float64);
                 for (std::int64_t k = std::abs(a.integer("n")); k > 0; --k) y = times(y, x);
                 return y;
               },
           .looseness = 10,
           .looseness_reason = ill_conditioned,
           .errors = {{"x(2, 3), 2", "ShapeError: matrix_power: the matrices of [2, 3] are not square"},
                      {"tensor([[1, 2], [2, 4]]), -1", "ConfigError: matrix_power: the matrix is singular"}}},
    Record{.name = "multi_dot",
           .torch = {"linalg.multi_dot(tensors)"},
           .call = [](const Args& a) { return linalg::multi_dot(a.tensors("tensors")); },
           .samples = {"[x(2, 3), x(3, 4)]", "[x(2, 5), x(5, 3), x(3, 4), x(4, 1)]", "[x(3), x(3, 4), x(4)]",
                       "[x(3), x(3)]", "[x(2, 3), x(3, 2), x(2)]", "[x(0, 2), x(2, 3), x(3, 2)]", "[x(2, 0), x(0, 3)]"},
           .reference =
               [](const Args& a) {
                 const std::vector<Tensor> all = a.tensors("tensors");
                 Tensor y = all[0].dim() == 1 ? unsqueeze(all[0], 0) : all[0];
                 for (std::size_t i = 1; i < all.size(); ++i)
                   y = times(y, all[i].dim() == 1 ? unsqueeze(all[i], 1) : all[i]);
                 if (all.back().dim() == 1) y = squeeze(y, 1);
                 return all[0].dim() == 1 ? squeeze(y, 0) : y;
               },
           .errors = {{"[x(2, 3)]", "ConfigError: multi_dot: 1 factors\n  help: give it two at least"},
                      {"[x(2, 3), x(3), x(3, 2)]", "ShapeError: multi_dot: factor 1 is [3], not a matrix"},
                      {"[x(2, 3), x(2, 2)]", "ShapeError: multi_dot: factors 0 [2, 3] and 1 [2, 2] do not fit"}}},
    Record{.name = "svd",
           .torch = {"linalg.svd(A, full_matrices=False)"},
           // Signs are arbitrary, sizes are not; the product shows that they fit together.
           .call =
               [](const Args& a) {
                 const linalg::Svd f = linalg::svd(a.tensor("A"));
                 return Outputs{abs(f.u), f.s, abs(f.vh), matmul(f.u * unsqueeze(f.s, -2), f.vh)};
               },
           .samples = {"x(2, 3, 3)", "x(2, 4, 2)", "x(2, 2, 3)", "x(0, 3)", "x(3, 0)", "x(0, 2, 2)", "tensor([[-2]])"},
           .looseness = 10,
           .looseness_reason = "singular vectors turn with the input's rounding where singular values are close",
           .errors = {{"x(3)", "ShapeError: svd: x is [3], not (..., n, m)"}}},
    Record{
        .name = "svdvals",
        .torch = {"linalg.svdvals(A)"},
        .call = [](const Args& a) { return linalg::svdvals(a.tensor("A")); },
        .samples = {"x(2, 3, 3)", "x(2, 4, 2)", "x(2, 3)", "x(0, 3)", "tensor([[-2]])"},
        .reference =
            [](const Args& a) {
              // The roots of the eigenvalues of the smaller product.
              const Tensor x = a.tensor("A");
              if (x.numel() == 0) return linalg::svdvals(x);
              const bool tall = x.size(-2) >= x.size(-1);
              const linalg::Eigh e = linalg::eigh(tall ? times(turned(x), x) : times(x, turned(x)));
              return sort(sqrt(e.values), -1, true).values;
            },
        .errors = {{"index(2, 2)", "DtypeError: svdvals: x is int64\n  help: convert it with to(x, DType::float32)"}}},
    Record{
        .name = "eigh",
        .torch = {"linalg.eigh(A)"},
        .call =
            [](const Args& a) {
              const linalg::Eigh f = linalg::eigh(a.tensor("A"));
              return Outputs{f.values, abs(f.vectors), matmul(f.vectors * unsqueeze(f.values, -2), turned(f.vectors))};
            },
        .samples = {"x(2, 3, 3)", "x(2, 4, 4)", "x(0, 0)", "x(0, 2, 2)", "tensor([[-2]])"},
        .looseness = 10,
        .looseness_reason = "eigenvectors turn with the input's rounding where eigenvalues are close",
        .errors = {WEFT_NOT_SQUARE("eigh")}},
    Record{.name = "qr",
           .torch = {"linalg.qr(A)"},
           .call =
               [](const Args& a) {
                 const linalg::Qr f = linalg::qr(a.tensor("A"));
                 return Outputs{abs(f.q), abs(f.r), matmul(f.q, f.r)};
               },
           .samples = {"x(2, 3, 3)", "x(2, 4, 2)", "x(0, 0)", "x(0, 2, 2)", "tensor([[-2]])"},
           .looseness = 10,
           .looseness_reason = ill_conditioned,
           .errors = {{"x(3)", "ShapeError: qr: x is [3], not (..., n, m)"}}},
    Record{
        .name = "vector_norm",
        .torch = {"linalg.vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None)"},
        .call =
            [](const Args& a) {
              return linalg::vector_norm(a.tensor("x"), a.real("ord"), a.axes("dim"), a.flag("keepdim"));
            },
        .samples = {"apart(3, 4)", "apart(3, 4), 1, 1", "apart(3, 4), 3, 0, True", "apart(2, 3, 4), 2.5, [0, -1]",
                    "apart(3, 4), 0.5", "apart(3, 4), -1.5, 1", "apart(3, 4), 1.5, 1", "distinct(3, 4), inf, 1",
                    "distinct(3, 4), -inf, 1", "apart(3, 4), 0", "apart(), 3", "x(0, 3), 2, 1", "x(0, 3), 2, 0",
                    "apart(2, 70), 2, -1"},
        .reference =
            [](const Args& a) {
              return over(a.tensor("x"), a.axes("dim"), a.flag("keepdim"),
                          [&](const Line& x) { return vector_norm_of(x, a.real("ord")); });
            },
        .types = {DType::bfloat16},
        .errors = {{"x(3, 4), 2, 2",
                    "ShapeError: vector_norm: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"},
                   {"x(0, 3), inf, 0", "ShapeError: vector_norm: of nothing in [0, 3] there is no norm with p = inf"},
                   {"x(3), nan", "ConfigError: vector_norm: p is NaN"},
                   {"index(3)", "DtypeError: vector_norm: x is int64\n  help: convert it with to(x, DType::float32)"}}},
    Record{
        .name = "matrix_norm",
        .torch = {"linalg.matrix_norm(A, ord='fro', dim=[-2, -1], keepdim=False, *, dtype=None)"},
        .call =
            [](const Args& a) {
              return linalg::matrix_norm(a.tensor("A"), order_of(a, "ord"), a.axes("dim"), a.flag("keepdim"));
            },
        .samples = {"apart(3, 4)", "apart(2, 3, 4), 1", "apart(2, 3, 4), -1, [0, 2], True", "apart(3, 4), inf",
                    "apart(2, 3, 4), -inf, [2, 0]", "apart(3, 4), 2", "apart(2, 3, 4), -2, [0, 1]",
                    "apart(3, 4), 'nuc', [-2, -1], True", "apart(2, 3, 4), 'nuc', [2, 1]", "x(0, 3), 'nuc'",
                    "x(3, 0), inf", "x(2, 0, 3), 1"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("A");
              std::vector<int> axes = a.axes("dim");
              for (int& axis : axes) axis = normalize_axis("reference", axis, x.dim());
              const linalg::Order order = order_of(a, "ord");
              const bool keep = a.flag("keepdim");
              if (order.kind() == linalg::Order::Kind::frobenius)
                return over(x, axes, keep, [](const Line& v) { return vector_norm_of(v, 2); });
              const bool spectral = order.kind() == linalg::Order::Kind::nuclear || std::abs(order.p()) == 2;
              if (!spectral) {
                const bool rows = std::isinf(order.p());
                const Tensor sums =
                    over(x, {axes[rows ? 1 : 0]}, true, [](const Line& v) { return vector_norm_of(v, 1); });
                const Tensor y = over(sums, {axes[rows ? 0 : 1]}, true, [&](const Line& v) {
                  return vector_norm_of(v, order.p() > 0 ? HUGE_VAL : -HUGE_VAL);
                });
                return keep ? y : over(y, axes, false, [](const Line& v) { return v[0]; });
              }
              std::vector<int> last;
              for (int i = 0; i < x.dim(); ++i)
                if (i != axes[0] && i != axes[1]) last.push_back(i);
              last.insert(last.end(), axes.begin(), axes.end());
              const Tensor s = linalg::svdvals(permute(x, last));
              const double p = order.kind() == linalg::Order::Kind::nuclear ? 1 : order.p() > 0 ? HUGE_VAL : -HUGE_VAL;
              Tensor y = over(s, {-1}, false, [p](const Line& v) { return vector_norm_of(v, p); });
              std::sort(axes.begin(), axes.end());
              return keep ? unsqueeze(unsqueeze(y, axes[0]), axes[1]) : y;
            },
        .errors = {{"x(3)", "ShapeError: matrix_norm: x is [3], not (..., n, m)"},
                   {"x(3, 4), 3",
                    "ConfigError: matrix_norm: no norm of matrices has order 3\n  help: choose \"fro\", \"nuc\", 1, 2, "
                    "infinity or one of these negative"},
                   {"x(3, 4), 'max'",
                    "ConfigError: norm: no order is called \"max\"\n  help: choose a number, \"fro\" or \"nuc\""},
                   {"x(3, 4), 1, [0, 0]", "ShapeError: matrix_norm: axis 0 is named twice"},
                   {"x(3, 4), 1, [0]", "ShapeError: matrix_norm: 1 axes are named, a matrix has 2"},
                   {"x(0, 3), 2", "ShapeError: matrix_norm: of nothing in [0, 3] there is no norm of order 2"},
                   {"x(3, 0), 1", "ShapeError: matrix_norm: of nothing in [3, 0] there is no norm of order 1"}}},
    Record{.name = "norm",
           .torch = {"linalg.norm(A, ord=None, dim=None, keepdim=False, *, dtype=None)"},
           .call =
               [](const Args& a) {
                 return linalg::norm(a.tensor("A"), order_of(a, "ord"), a.axes("dim"), a.flag("keepdim"));
               },
           .samples = {"apart(2, 3, 4)", "apart(2, 3, 4), None, None, True", "apart(3, 4), 1", "apart(4), 3",
                       "apart(2, 3, 4), 'fro', [0, 2]", "apart(2, 3, 4), -1.5, 1", "distinct(5), inf",
                       "apart(3, 4), 'nuc'"},
           .errors = {{"x(2, 3, 4), 1",
                       "ShapeError: norm: an order of norm over 3 axes of [2, 3, 4]\n"
                       "  help: name one axis for vectors or two for matrices"},
                      {"x(3), 'fro'",
                       "ConfigError: norm: vectors have no \"fro\" or \"nuc\" norm\n"
                       "  help: name two axes, or choose a number"}}},
    Record{.name = "norm/flat",
           .torch = {"norm(input, p='fro', dim=None, keepdim=False, dtype=None)"},
           // PyTorch's older norm: numbers and "fro" are norms of vectors over any axes.
           .call =
               [](const Args& a) {
                 const linalg::Order order = order_of(a, "p");
                 const Tensor x = a.tensor("input");
                 if (order.kind() == linalg::Order::Kind::nuclear)
                   return linalg::norm(x, order, a.axes("dim"), a.flag("keepdim"));
                 return linalg::vector_norm(x, order.p(), a.axes("dim"), a.flag("keepdim"));
               },
           .samples = {"apart(3, 4)", "apart(2, 3, 4), 3, [0, 1]", "apart(3, 4), 'nuc'", "distinct(3, 4), inf, 1"}},
};

}  // namespace
}  // namespace weft::tests
