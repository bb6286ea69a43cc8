#include <algorithm>
#include <map>
#include <string>

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

/// Sums over some axes.
Tensor total(const Tensor& x, const std::vector<int>& axes) {
  return over(x, axes, false, [](const std::vector<double>& v) {
    double sum = 0;
    for (const double each : v) sum += each;
    return sum;
  });
}

template <Tensor (*f)(const Tensor&, const Tensor&, const Tensor&, const Scalar&, const Scalar&)>
Call blended(const char* first, const char* second) {
  return [=](const Args& a) {
    return f(a.tensor("input"), a.tensor(first), a.tensor(second), a.number("beta"), a.number("alpha"));
  };
}
Reference blended_by_definition(const char* first, const char* second) {
  return [=](const Args& a) {
    return a.tensor("input") * a.number("beta") + by_definition(a.tensor(first), a.tensor(second)) * a.number("alpha");
  };
}

/// Every combination of the letters' values, one after the other. The axes of "..." get letters of their own.
Tensor einsum_by_definition(std::string equation, const std::vector<Tensor>& operands) {
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  std::vector<std::string> terms(1);
  for (const char c : equation.substr(0, arrow)) c == ',' ? terms.emplace_back() : terms.back() += c;
  const std::string spare = "zyxwvu";  // the last axes of all ellipses are the same
  std::size_t widest = 0;
  const auto widened = [&](std::string term, std::size_t spread) {
    std::string letters = spare.substr(0, spread);
    std::reverse(letters.begin(), letters.end());
    const std::size_t at = term.find("...");
    return at == std::string::npos ? term : term.replace(at, 3, letters);
  };
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::size_t spread = terms[i].find("...") == std::string::npos
                                   ? 0
                                   : static_cast<std::size_t>(operands[i].dim()) + 3 - terms[i].size();
    widest = std::max(widest, spread);
    terms[i] = widened(terms[i], spread);
  }
  std::string result;
  if (arrow != std::string::npos) {
    result = widened(equation.substr(arrow + 2), widest);
  } else {
    std::string all;
    for (const std::string& term : terms) all += term;
    for (char c = 'A'; c <= 'z'; ++c)
      if (std::count(all.begin(), all.end(), c) == 1 && spare.substr(0, widest).find(c) == std::string::npos)
        result += c;
    result = widened("...", widest) + result;
  }
  std::map<char, std::int64_t> sizes, at;
  for (std::size_t i = 0; i < terms.size(); ++i)
    for (std::size_t k = 0; k < terms[i].size(); ++k)
      sizes[terms[i][k]] = std::max(sizes[terms[i][k]], operands[i].shape()[static_cast<int>(k)]);
  for (std::size_t i = 0; i < terms.size(); ++i)
    for (std::size_t k = 0; k < terms[i].size(); ++k)
      if (operands[i].shape()[static_cast<int>(k)] == 0) sizes[terms[i][k]] = 0;
  Shape shape;
  for (const char c : result) shape.push_back(sizes[c]);
  std::vector<double> y(static_cast<std::size_t>(shape.product()));
  std::int64_t combinations = 1;
  for (const auto& [c, n] : sizes) combinations *= n;
  for (std::int64_t number = 0; number < combinations; ++number) {
    std::int64_t rest = number, place = 0;
    for (const auto& [c, n] : sizes) {
      at[c] = rest % n;
      rest /= n;
    }
    double product = 1;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      Tensor entry = operands[i];
      for (const char c : terms[i]) entry = select(entry, 0, entry.shape()[0] == 1 ? 0 : at[c]);
      product *= entry.item();
    }
    for (const char c : result) place = place * sizes[c] + at[c];
    y[static_cast<std::size_t>(place)] += product;
  }
  return from(y, shape);
}

const Family products{
    Record{
        .name = "matmul",
        .torch = {"matmul(input, other)", "mm(input, other)", "bmm(input, other)", "mv(input, other)",
                  "dot(input, other)", "vdot(input, other)"},
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
    Record{.name = "bilinear",
           .torch = {"nn.functional.bilinear(input1, input2, weight, bias=None)"},
           .call =
               [](const Args& a) {
                 return bilinear(a.tensor("input1"), a.tensor("input2"), a.tensor("weight"), a.tensor("bias"));
               },
           .samples = {"x(4, 3), x(4, 2), x(5, 3, 2), x(5)", "x(3), x(2), x(5, 3, 2)",
                       "x(2, 2, 3), x(2, 2, 2), x(1, 3, 2)", "x(0, 3), x(0, 2), x(5, 3, 2), x(5)"},
           .reference =
               [](const Args& a) {
                 const Tensor y = total(unsqueeze(unsqueeze(a.tensor("input1"), -1), -3) *
                                            unsqueeze(unsqueeze(a.tensor("input2"), -2), -3) * a.tensor("weight"),
                                        {-1, -2});
                 return a.has("bias") ? y + a.tensor("bias") : y;
               },
           .errors = {{"x(4, 3), x(4, 2), x(5, 3)", "ShapeError: bilinear: the weight is [5, 3], not (out, n, m)"},
                      {"x(4, 3), x(4, 2), x(5, 3, 3)",
                       "ShapeError: bilinear: x1 [4, 3] and x2 [4, 2] do not fit the weight [5, 3, 3]\n"
                       "  help: give x1 (..., 3) and x2 (..., 3)"},
                      {"x(3), x(2), x(5, 3, 2), x(2)",
                       "ShapeError: bilinear: the bias is [2], the weight [5, 3, 2] gives 5 features"}}},
    Record{.name = "addmm",
           .torch = {"addmm(input, mat1, mat2, *, beta=1, alpha=1)"},
           .call = blended<addmm>("mat1", "mat2"),
           .samples = {"x(3, 2), x(3, 4), x(4, 2)", "x(2), x(3, 4), x(4, 2), beta=3, alpha=-2", "x(), x(3, 4), x(4, 2)",
                       "x(3, 2), x(3, 0), x(0, 2)", "x(0, 2), x(0, 4), x(4, 2)"},
           .reference = blended_by_definition("mat1", "mat2"),
           .types = {DType::int64},
           .errors = {{"x(3, 3), x(3, 4), x(4, 2)",
                       "ShapeError: addmm: shapes [3, 3] and [3, 2] do not broadcast: sizes 3 and 2 at axis 1\n"
                       "  help: make the sizes equal, or one of them 1"},
                      {"x(2, 3, 2), x(3, 4), x(4, 2)",
                       "ShapeError: addmm: x [2, 3, 2] does not broadcast to the product [3, 2]"},
                      {"x(2), x(4), x(4, 2)", "ShapeError: addmm: a is [4], its rank must be 2"}}},
    Record{.name = "addmm/without",
           .weft = "addmm(input, mat1, mat2, beta=0, alpha=2)",
           .call = blended<addmm>("mat1", "mat2"),
           .samples = {"tensor([nan, 1]), x(3, 4), x(4, 2)"},
           .reference = [](const Args& a) { return by_definition(a.tensor("mat1"), a.tensor("mat2")) * 2; },
           .constant = {"input"}},
    Record{.name = "addmv",
           .torch = {"addmv(input, mat, vec, *, beta=1, alpha=1)"},
           .call = blended<addmv>("mat", "vec"),
           .samples = {"x(3), x(3, 4), x(4)", "x(1), x(3, 4), x(4), beta=0.5, alpha=-2", "x(), x(3, 0), x(0)"},
           .reference = blended_by_definition("mat", "vec"),
           .errors = {{"x(3), x(3, 4), x(4, 2)", "ShapeError: addmv: v is [4, 2], its rank must be 1"}}},
    Record{.name = "addr",
           .torch = {"addr(input, vec1, vec2, *, beta=1, alpha=1)"},
           .call = blended<addr>("vec1", "vec2"),
           .samples = {"x(3, 4), x(3), x(4)", "x(4), x(3), x(4), beta=0.5, alpha=-2", "x(), x(3), x(0)"},
           .reference =
               [](const Args& a) {
                 return a.tensor("input") * a.number("beta") +
                        unsqueeze(a.tensor("vec1"), 1) * a.tensor("vec2") * a.number("alpha");
               },
           .errors = {{"x(3), x(3, 4), x(4)", "ShapeError: addr: u is [3, 4], its rank must be 1"}}},
    Record{.name = "addbmm",
           .torch = {"addbmm(input, batch1, batch2, *, beta=1, alpha=1)"},
           .call = blended<addbmm>("batch1", "batch2"),
           .samples = {"x(3, 2), x(5, 3, 4), x(5, 4, 2)", "x(), x(5, 3, 4), x(5, 4, 2), beta=0.5, alpha=-2",
                       "x(3, 2), x(0, 3, 4), x(0, 4, 2)"},
           .reference =
               [](const Args& a) {
                 return a.tensor("input") * a.number("beta") +
                        total(by_definition(a.tensor("batch1"), a.tensor("batch2")), {0}) * a.number("alpha");
               },
           .errors = {{"x(3, 2), x(5, 3, 4), x(4, 4, 2)",
                       "ShapeError: addbmm: a [5, 3, 4] and b [4, 4, 2] do not fit (B, n, k) and (B, k, m)"},
                      {"x(3, 2), x(3, 4), x(5, 4, 2)", "ShapeError: addbmm: a is [3, 4], its rank must be 3"}}},
    Record{.name = "baddbmm",
           .torch = {"baddbmm(input, batch1, batch2, *, beta=1, alpha=1)"},
           .call = blended<baddbmm>("batch1", "batch2"),
           .samples = {"x(5, 3, 2), x(5, 3, 4), x(5, 4, 2)", "x(3, 1), x(5, 3, 4), x(5, 4, 2), beta=0.5, alpha=-2",
                       "x(3, 2), x(0, 3, 4), x(0, 4, 2)"},
           .reference = blended_by_definition("batch1", "batch2"),
           .errors = {{"x(3, 2), x(5, 3, 4), x(4, 4, 2)",
                       "ShapeError: baddbmm: a [5, 3, 4] and b [4, 4, 2] do not fit (B, n, k) and (B, k, m)"}}},
    Record{.name = "inner",
           .torch = {"inner(input, other)"},
           .call = binary(inner),
           .samples = {"x(4), x(4)", "x(2, 3), x(4, 3)", "x(3), x(2, 2, 3)", "x(), x(2, 3)", "x(2, 0), x(3, 0)"},
           .reference =
               [](const Args& a) {
                 const Tensor p = a.tensor("input"), q = a.tensor("other");
                 if (p.dim() == 0) return p * q;
                 Tensor left = p;
                 for (int i = 1; i < q.dim(); ++i) left = unsqueeze(left, -2);
                 return total(left * q, {-1});
               },
           .errors = {{"x(2, 3), x(2)", "ShapeError: inner: the last axes of a [2, 3] and b [2] differ"}}},
    Record{.name = "outer",
           .torch = {"outer(input, vec2)", "ger(input, vec2)"},
           .call = [](const Args& a) { return outer(a.tensor("input"), a.tensor("vec2")); },
           .samples = {"x(3), x(4)", "x(0), x(4)", "x(1), x(1)"},
           .reference = [](const Args& a) { return unsqueeze(a.tensor("input"), 1) * unsqueeze(a.tensor("vec2"), 0); },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(2, 3), x(2)", "ShapeError: outer: u is [2, 3], its rank must be 1"}}},
    Record{.name = "tensordot",
           .torch = {"tensordot(a, b, dims=2)"},
           .call =
               [](const Args& a) {
                 if (!a.is_list("dims")) return tensordot(a.tensor("a"), a.tensor("b"), a.axis("dims"));
                 std::vector<int> axes[2];
                 const Value::List& lists = a.value("dims").as<Value::List>();
                 if (lists.size() != 2) throw ConfigError("tensordot: dims is not a pair of lists");
                 for (std::size_t k = 0; k < 2; ++k)
                   for (const Value& each : lists[k].as<Value::List>())
                     axes[k].push_back(static_cast<int>(each.as<std::int64_t>()));
                 return tensordot(a.tensor("a"), a.tensor("b"), axes[0], axes[1]);
               },
           .samples = {"x(2, 3, 4), x(3, 4, 5)", "x(2, 3), x(3, 4), 1", "x(2), x(3), 0", "x(2, 3), x(2, 3)",
                       "x(2, 3, 4), x(4, 2), [[2, 0], [0, 1]]", "x(2, 3), x(4, 3), [[-1], [1]]", "x(2, 0), x(0, 3), 1",
                       "x(1, 3), x(2, 4), [[0], [0]]"},
           .errors = {{"x(2, 3), x(4, 3), [[0], [1]]",
                       "ShapeError: tensordot: axis 0 of a [2, 3] and axis 1 of b [4, 3] differ in size"},
                      {"x(2, 3), x(3), 2", "ShapeError: tensordot: 2 axes of a [2, 3] and b [3]"},
                      {"x(2, 2), x(2, 2), [[0, 0], [0, 1]]", "ShapeError: tensordot: axis 0 is named twice"},
                      {"x(2, 2), x(2, 2), [[0, 1], [0]]", "ShapeError: tensordot: 2 axes of a, 1 of b"}}},
    Record{
        .name = "kron",
        .torch = {"kron(input, other)"},
        .call = binary(kron),
        .samples = {"x(2, 3), x(3, 2)", "x(3), x(2, 2)", "x(2, 2), x(3)", "x(), x(2, 3)", "x(0, 2), x(2, 2)",
                    "x(2, 1, 2), x(1, 2, 3)"},
        .reference =
            [](const Args& a) {
              Tensor p = a.tensor("input"), q = a.tensor("other");
              while (p.dim() < q.dim()) p = unsqueeze(p, 0);
              while (q.dim() < p.dim()) q = unsqueeze(q, 0);
              // Blocks, joined along one axis after the other.
              const auto blocks = [&](const auto& self, const Tensor& part, int axis) -> Tensor {
                if (axis == p.dim()) return reshape(part, Shape::filled(p.dim(), 1)) * q;
                std::vector<Tensor> row;
                for (std::int64_t i = 0; i < p.shape()[axis]; ++i)
                  row.push_back(self(self, select(part, 0, i), axis + 1));
                Shape none = q.shape();
                for (int i = 0; i < axis; ++i) none[i] = q.shape()[i];
                if (row.empty()) none[axis] = 0;
                return row.empty() ? zeros(none, DType::float64) : cat(row, axis);
              };
              if (p.numel() == 0) return kron(p, q);
              return blocks(blocks, p, 0);
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(1, 1, 1, 1, 2), x(2)", "ShapeError: kron: a [1, 1, 1, 1, 2] and b [2] have more than 4 axes"}}},
    Record{.name = "cross",
           .torch = {"linalg.cross(input, other, *, dim=-1)", "cross(input, other, dim=None)"},
           .call =
               [](const Args& a) {
                 const Tensor p = a.tensor("input"), q = a.tensor("other");
                 if (a.has("dim")) return cross(p, q, a.axis("dim"));
                 int axis = 0;  // the first of size 3
                 while (axis + 1 < p.dim() && p.shape()[axis] != 3) ++axis;
                 return cross(p, q, axis);
               },
           .samples = {"x(4, 3), x(4, 3)", "x(3, 4), x(3, 1), dim=0", "x(3), x(2, 3)", "x(0, 3), x(0, 3)"},
           .reference =
               [](const Args& a) {
                 const Tensor p = a.tensor("input"), q = a.tensor("other");
                 const int k = a.axis("dim") == 0 ? -2 : -1;
                 const auto part = [k](const Tensor& x, std::int64_t i) { return select(x, k, i % 3); };
                 std::vector<Tensor> y;
                 for (std::int64_t i = 0; i < 3; ++i)
                   y.push_back(part(p, i + 1) * part(q, i + 2) - part(p, i + 2) * part(q, i + 1));
                 return stack(y, k);
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(4, 2), x(4, 2)",
                       "ShapeError: cross: a [4, 2] and b [4, 2] do not hold vectors of 3 along axis -1"}}},
    Record{.name = "einsum",
           .torch = {"einsum(operands, equation)"},
           .call = [](const Args& a) { return einsum(a.word("equation"), a.tensors("operands")); },
           .samples = {"[x(3)], 'i->'",
                       "[x(2, 3)], 'ij->ji'",
                       "[x(2, 3)], 'ij->j'",
                       "[x(2, 3)], 'ba'",
                       "[x(3, 3)], 'ii'",
                       "[x(3, 3)], 'ii->i'",
                       "[x(2, 3, 2)], 'iji->j'",
                       "[x(2, 2, 2)], 'iii->i'",
                       "[x(2, 3), x(3, 4)], 'ij,jk'",
                       "[x(5, 2, 3), x(5, 3, 4)], 'bij, bjk -> bik'",
                       "[x(2, 3), x(4)], 'ij,k->kji'",
                       "[x(3), x(3)], 'i,i'",
                       "[x(3), x(3)], 'i,i->i'",
                       "[x(2, 5, 3), x(3, 4)], '...ij,jk->...ik'",
                       "[x(1, 2, 3), x(5, 3, 4)], '...ij,...jk'",
                       "[x(2, 3), x(3, 4), x(4, 2)], 'ij,jk,ki->'",
                       "[x(2, 3), x(2, 3), x(3)], 'ij,ij,j->ji'",
                       "[x(1, 3), x(2, 3)], 'ij,ij->i'",
                       "[x(1, 2, 3), x(3)], '...ik, ...j -> ij'",
                       "[x(), x(2)], ',i->i'",
                       "[x(2, 0), x(0, 3)], 'ij,jk->ik'",
                       "[x(2, 3), x(2, 4)], 'ij,ik->i'",
                       "[x(2, 3), x(4, 3), x(4, 2)], 'Ij,kj,kI->I'"},
           .reference = [](const Args& a) { return einsum_by_definition(a.word("equation"), a.tensors("operands")); },
           .types = {DType::int64},
           .errors = {{"[x(2, 3)], 'i'", "ShapeError: einsum: the term \"i\" names 1 axes, operand 0 is [2, 3]"},
                      {"[x(2, 3)], 'ij,jk'", "ConfigError: einsum: \"ij,jk\" has 2 terms for 1 operands"},
                      {"[x(2, 3), x(4, 5)], 'ij,jk'", "ShapeError: einsum: 'j' is 3 and 4"},
                      {"[x(2, 3)], 'ii'", "ShapeError: einsum: 'i' is 2 and 3 in one operand [2, 3]"},
                      {"[x(2, 3)], 'ij->k'", "ConfigError: einsum: the result names 'k', which no operand has"},
                      {"[x(2, 3)], 'ij->ii'", "ConfigError: einsum: the result names 'i' twice"},
                      {"[x(2, 3)], 'i+'", "ConfigError: einsum: unexpected '+' in the term \"i+\""},
                      {"[x(2), x(3)], '...,...'",
                       "ShapeError: einsum: the axes of \"...\" do not broadcast: sizes 2 and 3"}}},
};

}  // namespace
}  // namespace weft::tests
