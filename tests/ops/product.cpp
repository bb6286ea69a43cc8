#include "record.h"

namespace weft::tests {
namespace {

/// The product by its definition, as a sum over an axis that all products share.
Tensor by_definition(const Tensor& a, const Tensor& b) {
  const Tensor left = a.dim() == 1 ? unsqueeze(a, 0) : a, right = b.dim() == 1 ? unsqueeze(b, 1) : b;
  Tensor y = unsqueeze(left, -1) * unsqueeze(right, -3);  // (..., n, k, m)
  y = over(y, {-2}, false, [](const std::vector<double>& v) {
    double sum = 0;
    for (const double each : v) sum += each;
    return sum;
  });
  if (b.dim() == 1) y = squeeze(y, -1);
  return a.dim() == 1 ? squeeze(y, b.dim() == 1 ? -1 : -2) : y;
}

const Family products{
    Record{
        .name = "matmul",
        .torch = {"matmul(input, other)", "mm(input, other)", "bmm(input, other)", "mv(input, other)",
                  "dot(input, other)"},
        .call = binary(matmul),
        .samples = {"x(3, 4), x(4, 2)", "x(4), x(4)", "x(4), x(4, 2)", "x(3, 4), x(4)", "x(2, 3, 4), x(4, 2)",
                    "x(2, 3, 4), x(2, 4, 2)", "x(5, 1, 3, 4), x(2, 4, 2)", "x(3, 0), x(0, 2)", "x(0, 3), x(3, 2)",
                    "x(2, 3, 4), x(4)", "x(33, 17), x(17, 19)"},
        .reference = [](const Args& a) { return by_definition(a.tensor("input"), a.tensor("other")); },
        .types = {DType::bfloat16},
        .errors =
            {{"x(32, 784), x(128, 784)",
              "ShapeError: matmul: inner sizes differ: a [32, 784] has 784 columns, b [128, 784] has 128 rows\n"
              "  help: transpose b with t(b)"},
             {"x(2, 3), x(2)", "ShapeError: matmul: inner sizes differ: a [2, 3] has 3 columns, b [2] has 2 rows"},
             {"x(), x(2)",
              "ShapeError: matmul: shapes [] and [2]: a number is not a matrix\n  help: multiply with a * b"},
             {"x(2, 2), tensor([[1, 2], [3, 4]], 'float32')",
              "DtypeError: matmul: types differ: a is float64, b is float32\n  help: convert one with to(x, dtype)"}}},
    Record{
        .name = "linear",
        .torch = {"nn.functional.linear(input, weight, bias=None)"},
        .call = [](const Args& a) { return linear(a.tensor("input"), a.tensor("weight"), a.tensor("bias")); },
        .samples = {"x(5, 3), x(4, 3), x(4)", "x(5, 3), x(4, 3)", "x(3), x(4, 3), x(4)", "x(2, 5, 3), x(4, 3), x(4)",
                    "x(0, 3), x(4, 3), x(4)", "x(5, 0), x(4, 0), x(4)", "x(40, 33), x(18, 33), x(18)"},
        .reference =
            [](const Args& a) {
              const Tensor y = by_definition(a.tensor("input"), t(a.tensor("weight")));
              return a.has("bias") ? y + a.tensor("bias") : y;
            },
        .types = {DType::bfloat16},
        .errors =
            {{"x(5, 3), x(3)", "ShapeError: linear: the weight is [3], not (out, in)"},
             {"x(5, 3), x(4, 2)", "ShapeError: linear: x [5, 3] has 3 features, the weight [4, 2] takes 2"},
             {"x(5, 3), x(4, 3), x(3)", "ShapeError: linear: the bias is [3], the weight [4, 3] gives 4 features"},
             {"x(5, 3), tensor([[1, 2, 3]], 'float32')",
              "DtypeError: linear: types differ: a is float64, b is float32\n  help: convert one with to(x, dtype)"}}},
};

}  // namespace
}  // namespace weft::tests
