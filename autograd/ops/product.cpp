#include <weft/autograd/ops/product.h>

#include <algorithm>
#include <string>

#include <weft/autograd/autocast.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/rearrange.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

void same_type(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw DtypeError(
        text(op, ": types differ: a is ", a.dtype(), ", b is ", b.dtype(), "\n  help: convert one with to(x, dtype)"));
}

/// Both of rank 2 or more.
Tensor product(const Tensor& a, const Tensor& b) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {"matmul", {}, saves::inputs}, {a, b},
      [precision](const Inputs& in) {
        const kernels::ProductPrecision in_use(precision);
        return kernels::matmul(in[0], in[1]);
      },
      [precision](const Saved& s, const Tensor& dy) {
        const detail::CastAs as_forward(precision);
        const Tensor &x = s.input(0), &y = s.input(1);
        Tensor dx, dz;
        if (s.needs(0)) dx = sum_to(product(dy, transpose(y, -1, -2)), x.shape());
        if (s.needs(1)) dz = sum_to(product(transpose(x, -1, -2), dy), y.shape());
        return gradients(dx, dz);
      });
}

/// x of rank 2.
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {"linear", {}, saves::input(0) | saves::input(1)}, {x, weight, bias},
      [precision](const Inputs& in) {
        const kernels::ProductPrecision in_use(precision);
        return kernels::linear(in[0], in[1], in[2]);
      },
      [precision](const Saved& s, const Tensor& dy) {
        const detail::CastAs as_forward(precision);
        Tensor dx, dweight, dbias;
        if (s.needs(0)) dx = matmul(dy, s.input(1));
        if (s.needs(1)) dweight = matmul(t(dy), s.input(0));
        if (s.needs(2)) dbias = sum(dy, 0);
        return gradients(dx, dweight, dbias);
      });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0)
    throw ShapeError(text("matmul: shapes ", a.shape(), " and ", b.shape(),
                          ": a number is not a matrix\n  help: multiply with a * b"));
  same_type("matmul", a, b);
  const std::int64_t inner_a = a.shape().back(), inner_b = b.shape()[b.dim() == 1 ? 0 : b.dim() - 2];
  if (inner_a != inner_b) {
    const bool turned = b.dim() == 2 && b.shape()[1] == inner_a;
    throw ShapeError(text("matmul: inner sizes differ: a ", a.shape(), " has ", inner_a, " columns, b ", b.shape(),
                          " has ", inner_b, " rows", turned ? "\n  help: transpose b with t(b)" : ""));
  }
  const bool row = a.dim() == 1, column = b.dim() == 1;
  if (!row && !column) [[likely]]
    return product(a, b);
  Tensor y = product(row ? unsqueeze(a, 0) : a, column ? unsqueeze(b, 1) : b);
  if (column) y = squeeze(y, -1);
  if (row) y = squeeze(y, column ? -1 : -2);
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2) throw ShapeError(text("linear: the weight is ", weight.shape(), ", not (out, in)"));
  if (x.dim() == 0 || x.shape().back() != weight.shape()[1])
    throw ShapeError(text("linear: x ", x.shape(), " has ", x.dim() ? x.shape().back() : 0, " features, the weight ",
                          weight.shape(), " takes ", weight.shape()[1]));
  same_type("linear", x, weight);
  if (bias.defined()) {
    if (bias.dim() != 1 || bias.shape()[0] != weight.shape()[0])
      throw ShapeError(text("linear: the bias is ", bias.shape(), ", the weight ", weight.shape(), " gives ",
                            weight.shape()[0], " features"));
    same_type("linear", x, bias);
  }
  if (x.dim() == 2) [[likely]]
    return linear_rows(x, weight, bias);
  Shape shape = x.shape();
  shape.back() = weight.shape()[0];
  const std::int64_t features = weight.shape()[1];
  const std::int64_t rows = features ? x.numel() / features : shape.product() / (shape.back() ? shape.back() : 1);
  return reshape(linear_rows(reshape(x, {rows, features}), weight, bias), shape);
}

Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 3) throw ShapeError(text("bilinear: the weight is ", weight.shape(), ", not (out, n, m)"));
  const std::int64_t out = weight.shape()[0], n = weight.shape()[1], m = weight.shape()[2];
  bool fits = x1.dim() > 0 && x1.dim() == x2.dim() && x1.shape().back() == n && x2.shape().back() == m;
  Shape shape = x1.shape();
  for (int i = 0; fits && i < x1.dim() - 1; ++i) fits = x1.shape()[i] == x2.shape()[i];
  if (!fits)
    throw ShapeError(text("bilinear: x1 ", x1.shape(), " and x2 ", x2.shape(), " do not fit the weight ",
                          weight.shape(), "\n  help: give x1 (..., ", n, ") and x2 (..., ", m, ")"));
  if (bias.defined() && !(bias.shape() == Shape{out}))
    throw ShapeError(
        text("bilinear: the bias is ", bias.shape(), ", the weight ", weight.shape(), " gives ", out, " features"));
  same_type("bilinear", x1, x2);
  same_type("bilinear", x1, weight);
  shape.back() = 1;
  const std::int64_t rows = shape.product();
  shape.back() = out;
  // (rows, n) (n, out m) -> (rows, out, m), then times (rows, m, 1)
  const Tensor left = matmul(reshape(x1, {rows, n}), reshape(permute(weight, {1, 0, 2}), {n, out * m}));
  const Tensor y = reshape(matmul(reshape(left, {rows, out, m}), reshape(x2, {rows, m, 1})), shape);
  return bias.defined() ? y + bias : y;
}

namespace {

void expect_rank(const char* op, const char* what, const Tensor& x, int rank) {
  if (x.dim() != rank) throw ShapeError(text(op, ": ", what, " is ", x.shape(), ", its rank must be ", rank));
}

Tensor scaled(const Tensor& x, const Scalar& by) { return by.real() == 1 ? x : x * by; }

/// beta * x + alpha * y, where x broadcasts to y's shape.
Tensor blend(const char* op, const Tensor& x, const Tensor& y, const Scalar& beta, const Scalar& alpha) {
  if (!(broadcast(op, x.shape(), y.shape()) == y.shape()))
    throw ShapeError(text(op, ": x ", x.shape(), " does not broadcast to the product ", y.shape()));
  same_type(op, x, y);
  // With beta 0 not even NaN in x matters.
  return beta.real() == 0 ? scaled(y, alpha) : scaled(x, beta) + scaled(y, alpha);
}

}  // namespace

Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  expect_rank("addmm", "a", a, 2);
  expect_rank("addmm", "b", b, 2);
  return blend("addmm", x, matmul(a, b), beta, alpha);
}

Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& v, const Scalar& beta, const Scalar& alpha) {
  expect_rank("addmv", "a", a, 2);
  expect_rank("addmv", "v", v, 1);
  return blend("addmv", x, matmul(a, v), beta, alpha);
}

Tensor addr(const Tensor& x, const Tensor& u, const Tensor& v, const Scalar& beta, const Scalar& alpha) {
  expect_rank("addr", "u", u, 1);
  expect_rank("addr", "v", v, 1);
  return blend("addr", x, unsqueeze(u, 1) * v, beta, alpha);
}

Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  expect_rank("addbmm", "a", a, 3);
  expect_rank("addbmm", "b", b, 3);
  if (a.shape()[0] != b.shape()[0] || a.shape()[2] != b.shape()[1])
    throw ShapeError(text("addbmm: a ", a.shape(), " and b ", b.shape(), " do not fit (B, n, k) and (B, k, m)"));
  // The sum over the batch is part of one product's inner sum.
  return blend("addbmm", x, tensordot(a, b, {0, 2}, {0, 1}), beta, alpha);
}

Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  expect_rank("baddbmm", "a", a, 3);
  expect_rank("baddbmm", "b", b, 3);
  if (a.shape()[0] != b.shape()[0] || a.shape()[2] != b.shape()[1])
    throw ShapeError(text("baddbmm: a ", a.shape(), " and b ", b.shape(), " do not fit (B, n, k) and (B, k, m)"));
  return blend("baddbmm", x, matmul(a, b), beta, alpha);
}

Tensor inner(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  if (a.shape().back() != b.shape().back())
    throw ShapeError(text("inner: the last axes of a ", a.shape(), " and b ", b.shape(), " differ"));
  return tensordot(a, b, {-1}, {-1});
}

Tensor outer(const Tensor& u, const Tensor& v) {
  expect_rank("outer", "u", u, 1);
  expect_rank("outer", "v", v, 1);
  return unsqueeze(u, 1) * v;
}

Tensor tensordot(const Tensor& a, const Tensor& b, int axes) {
  if (axes < 0 || axes > a.dim() || axes > b.dim())
    throw ShapeError(text("tensordot: ", axes, " axes of a ", a.shape(), " and b ", b.shape()));
  std::vector<int> of_a, of_b;
  for (int i = 0; i < axes; ++i) {
    of_a.push_back(a.dim() - axes + i);
    of_b.push_back(i);
  }
  return tensordot(a, b, of_a, of_b);
}

Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int>& axes_a, const std::vector<int>& axes_b) {
  if (axes_a.size() != axes_b.size())
    throw ShapeError(text("tensordot: ", axes_a.size(), " axes of a, ", axes_b.size(), " of b"));
  same_type("tensordot", a, b);
  // What is left of x in front (or behind) the summed axes.
  Shape shape;
  std::int64_t k = 1;
  const auto arranged = [&](const Tensor& x, const std::vector<int>& axes, bool summed_first) {
    std::vector<int> summed, order;
    for (const int axis : axes) {
      const int i = normalize_axis("tensordot", axis, x.dim());
      if (std::find(summed.begin(), summed.end(), i) != summed.end())
        throw ShapeError(text("tensordot: axis ", axis, " is named twice"));
      summed.push_back(i);
    }
    std::int64_t rows = 1;
    for (int i = 0; i < x.dim(); ++i)
      if (std::find(summed.begin(), summed.end(), i) == summed.end()) {
        order.push_back(i);
        shape.push_back(x.shape()[i]);
        rows *= x.shape()[i];
      }
    k = 1;
    for (const int i : summed) k *= x.shape()[i];
    order.insert(summed_first ? order.begin() : order.end(), summed.begin(), summed.end());
    return reshape(permute(x, order), summed_first ? Shape{k, rows} : Shape{rows, k});
  };
  Tensor x = a, y = b;
  for (std::size_t i = 0; i < axes_a.size(); ++i) {
    const std::int64_t n = x.size(axes_a[i]), m = y.size(axes_b[i]);
    if (n == m) continue;
    if (n == 1)  // repeated along the axis, which comes to the sum of the other
      y = sum(y, axes_b[i], true);
    else if (m == 1)
      x = sum(x, axes_a[i], true);
    else
      throw ShapeError(text("tensordot: axis ", axes_a[i], " of a ", a.shape(), " and axis ", axes_b[i], " of b ",
                            b.shape(), " differ in size"));
  }
  const Tensor left = arranged(x, axes_a, false), right = arranged(y, axes_b, true);
  return reshape(matmul(left, right), shape);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.dim(), b.dim());
  if (2 * rank > Dims::max_rank)
    throw ShapeError(
        text("kron: a ", a.shape(), " and b ", b.shape(), " have more than ", Dims::max_rank / 2, " axes"));
  Shape of_a, of_b, shape;
  for (int i = 0; i < rank; ++i) {
    const int i_a = i - (rank - a.dim()), i_b = i - (rank - b.dim());
    const std::int64_t n = i_a < 0 ? 1 : a.shape()[i_a], m = i_b < 0 ? 1 : b.shape()[i_b];
    of_a.push_back(n);
    of_a.push_back(1);
    of_b.push_back(1);
    of_b.push_back(m);
    shape.push_back(n * m);
  }
  return reshape(reshape(a, of_a) * reshape(b, of_b), shape);
}

Tensor cross(const Tensor& a, const Tensor& b, int axis) {
  const Shape shape = broadcast("cross", a.shape(), b.shape());
  const int k = normalize_axis("cross", axis, shape.size()) - shape.size();  // from the end, for both
  if (a.dim() < -k || b.dim() < -k || a.size(k) != 3 || b.size(k) != 3)
    throw ShapeError(text("cross: a ", a.shape(), " and b ", b.shape(), " do not hold vectors of 3 along axis ", axis));
  const Tensor next = from(std::vector<std::int64_t>{1, 2, 0}), after = from(std::vector<std::int64_t>{2, 0, 1});
  const auto turned = [k](const Tensor& x, const Tensor& order) { return index_select(x, k, order); };
  return turned(a, next) * turned(b, after) - turned(a, after) * turned(b, next);
}

// ---- Einstein's summation

namespace {

/// A tensor with a label for each axis: letters, and from `ellipsis_label` on the axes of an ellipsis.
struct Labelled {
  Tensor x;
  std::vector<int> labels;
};
constexpr int ellipsis_label = 256;

bool holds(const std::vector<int>& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

/// The labels of one term. "..." becomes `spread` labels, the last axes of all ellipses having the same.
std::vector<int> parse_term(std::string_view term, int spread, int widest) {
  std::vector<int> labels;
  bool seen = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      labels.push_back(c);
    } else if (term.substr(i, 3) == "..." && !seen) {
      for (int k = 0; k < spread; ++k) labels.push_back(ellipsis_label + widest - spread + k);
      seen = true;
      i += 2;
    } else {
      throw ConfigError(text("einsum: unexpected '", c, "' in the term \"", term, "\""));
    }
  }
  return labels;
}

/// Takes the diagonal where a label comes twice.
Labelled without_repeats(Labelled t) {
  for (std::size_t i = 0; i < t.labels.size(); ++i)
    for (std::size_t j = i + 1; j < t.labels.size(); ++j) {
      if (t.labels[i] != t.labels[j]) continue;
      const int a = static_cast<int>(i), b = static_cast<int>(j);
      const std::int64_t n = t.x.shape()[a];
      if (t.x.shape()[b] != n)
        throw ShapeError(text("einsum: '", static_cast<char>(t.labels[i]), "' is ", n, " and ", t.x.shape()[b],
                              " in one operand ", t.x.shape()));
      Labelled next{diagonal(t.x, 0, a, b), {}};  // its axis is the last
      for (std::size_t k = 0; k < t.labels.size(); ++k)
        if (k != i && k != j) next.labels.push_back(t.labels[k]);
      next.labels.push_back(t.labels[i]);
      return without_repeats(std::move(next));
    }
  return t;
}

/// Sums over the axes whose label `drop` names.
template <class Drop>
Labelled summed(Labelled t, Drop drop) {
  std::vector<int> axes, left;
  for (std::size_t i = 0; i < t.labels.size(); ++i) {
    if (drop(t.labels[i]))
      axes.push_back(static_cast<int>(i));
    else
      left.push_back(t.labels[i]);
  }
  if (axes.empty()) return t;
  return {to(sum(t.x, axes), t.x.dtype()), left};
}

std::int64_t size_of_label(const Labelled& t, int label) {
  return t.x.shape()[static_cast<int>(std::find(t.labels.begin(), t.labels.end(), label) - t.labels.begin())];
}

/// The axes in the order of three groups of labels, each group as one axis.
Tensor grouped(const Labelled& t, const std::vector<int>& first, const std::vector<int>& second,
               const std::vector<int>& third) {
  std::vector<int> order;
  Shape shape;
  for (const std::vector<int>* group : {&first, &second, &third}) {
    std::int64_t n = 1;
    for (const int label : *group) {
      order.push_back(static_cast<int>(std::find(t.labels.begin(), t.labels.end(), label) - t.labels.begin()));
      n *= t.x.shape()[order.back()];
    }
    shape.push_back(n);
  }
  return reshape(permute(t.x, order), shape);
}

/// The product of two, summed over the labels that both have and that `wanted` does not name.
template <class Wanted>
Labelled contract(Labelled a, Labelled b, Wanted wanted) {
  // An axis of size 1 beside a longer one broadcasts, which is as if its operand had no such label.
  const auto squeezed = [](const Labelled& t, const Labelled& other) {
    return summed(t, [&](int label) {
      return size_of_label(t, label) == 1 && holds(other.labels, label) && size_of_label(other, label) != 1;
    });
  };
  const Labelled p = squeezed(a, b), q = squeezed(b, a);
  const auto alone = [&](const Labelled& t, const Labelled& other) {
    return summed(t, [&](int label) { return !holds(other.labels, label) && !wanted(label); });
  };
  a = alone(p, q);
  b = alone(q, p);
  std::vector<int> both, inside, left, right;
  Shape shape;
  for (const int label : a.labels) (!holds(b.labels, label) ? left : wanted(label) ? both : inside).push_back(label);
  for (const int label : b.labels)
    if (!holds(a.labels, label)) right.push_back(label);
  for (const int label : both) shape.push_back(size_of_label(a, label));
  for (const int label : left) shape.push_back(size_of_label(a, label));
  for (const int label : right) shape.push_back(size_of_label(b, label));
  const Tensor x = grouped(a, both, left, inside), y = grouped(b, both, inside, right);
  Labelled result{reshape(inside.empty() ? x * y : matmul(x, y), shape), both};
  result.labels.insert(result.labels.end(), left.begin(), left.end());
  result.labels.insert(result.labels.end(), right.begin(), right.end());
  return result;
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  std::string plain;
  for (const char c : equation)
    if (c != ' ') plain += c;
  if (operands.empty()) throw ConfigError("einsum: there are no operands");
  const std::size_t arrow = plain.find("->");
  std::vector<std::string> terms(1);
  for (const char c : plain.substr(0, arrow)) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  if (terms.size() != operands.size())
    throw ConfigError(
        text("einsum: \"", equation, "\" has ", terms.size(), " terms for ", operands.size(), " operands"));

  // How many axes each ellipsis stands for.
  std::vector<int> spread;
  int widest = 0;
  DType type = operands[0].dtype();
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool open = terms[i].find("...") != std::string::npos;
    const int named = static_cast<int>(parse_term(terms[i], 0, 0).size()), rank = operands[i].dim();
    if (open ? named > rank : named != rank)
      throw ShapeError(
          text("einsum: the term \"", terms[i], "\" names ", named, " axes, operand ", i, " is ", operands[i].shape()));
    spread.push_back(open ? rank - named : 0);
    widest = std::max(widest, spread.back());
    type = promote(type, operands[i].dtype());
  }

  std::vector<Labelled> factors;
  std::vector<int> all;  // every label of every operand
  std::vector<std::pair<int, std::int64_t>> sizes;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    factors.push_back(without_repeats({to(operands[i], type), parse_term(terms[i], spread[i], widest)}));
    const std::vector<int> labels = parse_term(terms[i], spread[i], widest);
    all.insert(all.end(), labels.begin(), labels.end());
    for (const int label : factors.back().labels) {
      const std::int64_t n = size_of_label(factors.back(), label);
      const auto known = std::find_if(sizes.begin(), sizes.end(), [&](const auto& s) { return s.first == label; });
      if (known == sizes.end())
        sizes.emplace_back(label, n);
      else if (known->second == 1)
        known->second = n;
      else if (n != 1 && n != known->second)
        throw ShapeError(label < ellipsis_label
                             ? text("einsum: '", static_cast<char>(label), "' is ", known->second, " and ", n)
                             : text("einsum: the axes of \"...\" do not broadcast: sizes ", known->second, " and ", n));
    }
  }

  std::vector<int> result;
  if (arrow != std::string::npos) {
    const std::string term = plain.substr(arrow + 2);
    result = parse_term(term, widest, widest);
    for (std::size_t i = 0; i < result.size(); ++i) {
      const bool twice = std::find(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(i), result[i]) !=
                         result.begin() + static_cast<std::ptrdiff_t>(i);
      if (twice || !holds(all, result[i]))
        throw ConfigError(text("einsum: the result names '", static_cast<char>(result[i]),
                               twice ? "' twice" : "', which no operand has"));
    }
  } else {
    for (int k = 0; k < widest; ++k) result.push_back(ellipsis_label + k);
    for (int label = 'A'; label <= 'z'; ++label)
      if (std::count(all.begin(), all.end(), label) == 1) result.push_back(label);
  }

  Labelled y = factors[0];
  for (std::size_t i = 1; i < factors.size(); ++i)
    y = contract(y, factors[i], [&](int label) {
      bool later = holds(result, label);
      for (std::size_t k = i + 1; k < factors.size(); ++k) later |= holds(factors[k].labels, label);
      return later;
    });
  y = summed(y, [&](int label) { return !holds(result, label); });
  std::vector<int> order;
  for (const int label : result)
    order.push_back(static_cast<int>(std::find(y.labels.begin(), y.labels.end(), label) - y.labels.begin()));
  return permute(y.x, order);
}

}  // namespace weft
