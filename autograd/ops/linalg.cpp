#include <weft/autograd/ops/linalg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/rearrange.h>
#include <weft/autograd/ops/scan.h>
#include <weft/autograd/ops/shared.h>
#include <weft/tensor/linalg.h>

namespace weft::linalg {
namespace {

Tensor turned(const Tensor& x) { return transpose(x, -1, -2); }
/// A number for each matrix, to be multiplied with its entries.
Tensor per_matrix(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }
Tensor symmetric(const Tensor& x) { return (x + turned(x)) * 0.5; }

void check_type(const char* op, const Tensor& x) {
  if (x.dtype() != DType::float32 && x.dtype() != DType::float64)
    throw DtypeError(text(op, ": x is ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
}
void check_matrix(const char* op, const Tensor& x) {
  check_type(op, x);
  if (x.dim() < 2) throw ShapeError(text(op, ": x is ", x.shape(), ", not (..., n, m)"));
}
void check_square(const char* op, const Tensor& x) {
  check_matrix(op, x);
  if (x.size(-1) != x.size(-2)) throw ShapeError(text(op, ": the matrices of ", x.shape(), " are not square"));
}

/// The lower triangle with half the diagonal.
Tensor half_lower(const Tensor& x) { return tril(x) - diag_embed(diagonal(x, 0, -2, -1)) * 0.5; }

/// The inverse; NaN for singular matrices when `op` is null.
Tensor inverse(const char* op, const Tensor& x) {
  return record(
      {"inv", {}, saves::output}, {x}, [op](const Inputs& in) { return kernels::inverse(op, in[0]); },
      [](const Saved& s, const Tensor& dy) {
        const Tensor y = turned(s.output());
        return neg(matmul(y, matmul(dy, y)));
      });
}

/// a x = b with equal batches.
Tensor solve_stack(const Tensor& a, const Tensor& b) {
  return record(
      {"solve", {}, saves::input(0) | saves::output}, {a, b},
      [](const Inputs& in) { return kernels::solve("solve", in[0], in[1]); },
      [](const Saved& s, const Tensor& dy) {
        const Tensor db = solve_stack(turned(s.input(0)), dy);
        return gradients(s.needs(0) ? neg(matmul(db, turned(s.output()))) : Tensor(), db);
      });
}

/// The factors of x = u diag(s) v^T. All three outputs have gradients.
std::array<Tensor, 3> svd_parts(const Tensor& x) {
  return record(
      {"svd", {}, saves::output}, {x},
      [](const Inputs& in) {
        kernels::Svd f = kernels::svd(in[0]);
        return std::array<Tensor, 3>{f.u, f.s, f.v};
      },
      [](const Saved& saved, std::span<const Tensor> dy) {
        const Tensor &u = saved.output(0), &s = saved.output(1), &v = saved.output(2);
        const auto skew = [](const Tensor& m) { return m - turned(m); };
        const std::int64_t k = s.shape().back();
        Tensor inner = dy[1].defined() ? diag_embed(dy[1]) : Tensor();
        const auto join = [&inner](const Tensor& m) { inner = inner.defined() ? inner + m : m; };
        if (dy[0].defined() || dy[2].defined()) {
          // s_j^2 - s_i^2, with 1 on the diagonal, where the skew matrices are 0.
          const Tensor squares = square(s);
          const Tensor gaps = unsqueeze(squares, -2) - unsqueeze(squares, -1) + eye(k, -1, s.dtype());
          if (dy[0].defined()) join(skew(matmul(turned(u), dy[0])) / gaps * unsqueeze(s, -2));
          if (dy[2].defined()) join(unsqueeze(s, -1) * (skew(matmul(turned(v), dy[2])) / gaps));
        }
        Tensor dx = matmul(matmul(u, inner), turned(v));
        // What of dy leaves the space that k < n columns span.
        const auto outside = [](const Tensor& base, const Tensor& d) {
          return d - matmul(base, matmul(turned(base), d));
        };
        if (dy[0].defined() && u.size(-2) > k) dx = dx + matmul(outside(u, dy[0]) / unsqueeze(s, -2), turned(v));
        if (dy[2].defined() && v.size(-2) > k) dx = dx + matmul(u / unsqueeze(s, -2), turned(outside(v, dy[2])));
        return dx;
      });
}

/// The derivative of the determinant by each entry, by operations that can be differentiated again.
Tensor differentiable_cofactors(const Tensor& x, const Tensor& determinant) {
  const kernels::Svd plain = kernels::svd(x);
  if (x.numel() == 0) return x;
  const Tensor smallest = select(plain.s, -1, plain.s.shape().back() - 1), largest = select(plain.s, -1, 0);
  if (to(all(gt(smallest, largest * 1e-8)), DType::float64).item() != 0)
    return per_matrix(determinant) * turned(inverse(nullptr, x));
  // A nearly singular matrix has no inverse to speak of: u diag(products of the other s) v^T.
  const std::array<Tensor, 3> f = svd_parts(x);
  const Tensor others = detail::exclusive_products(f[1], -1 + f[1].dim(), false) *
                        detail::exclusive_products(f[1], -1 + f[1].dim(), true);
  const Tensor side = kernels::determinants(plain.u).sign * kernels::determinants(plain.v).sign;
  return per_matrix(side) * matmul(f[0] * unsqueeze(others, -2), turned(f[2]));
}

}  // namespace

Tensor inv(const Tensor& x) {
  check_square("inv", x);
  return inverse("inv", x);
}

Tensor det(const Tensor& x) {
  check_square("det", x);
  return record(
      {"det", {}, saves::inputs | saves::output}, {x},
      [](const Inputs& in) { return kernels::determinants(in[0]).value; },
      [](const Saved& s, const Tensor& dy) {
        const Tensor cofactors =
            grad_enabled() ? differentiable_cofactors(s.input(0), s.output()) : kernels::cofactors(s.input(0));
        return per_matrix(dy) * cofactors;
      });
}

LogDeterminant slogdet(const Tensor& x) {
  check_square("slogdet", x);
  const std::array<Tensor, 2> y = record(
      {"slogdet", {}, saves::inputs}, {x},
      [](const Inputs& in) {
        const kernels::Determinants d = kernels::determinants(in[0]);
        return std::array<Tensor, 2>{d.sign, d.log};
      },
      [](const Saved& s, std::span<const Tensor> dy) {
        // The sign is constant.
        return dy[1].defined() ? per_matrix(dy[1]) * turned(inverse(nullptr, s.input(0)))
                               : zeros(s.input(0).shape(), s.input(0).dtype());
      });
  return {y[0], y[1]};
}

Tensor solve(const Tensor& a, const Tensor& b, bool left) {
  check_square("solve", a);
  check_type("solve", b);
  if (a.dtype() != b.dtype())
    throw DtypeError(
        text("solve: types differ: a is ", a.dtype(), ", b is ", b.dtype(), "\n  help: convert one with to(x, dtype)"));
  Shape vectors = a.shape();
  vectors.erase(vectors.size() - 1);
  const bool vector = b.dim() == 1 || b.shape() == vectors;
  const std::int64_t n = a.size(-1);
  if (b.dim() == 0 || b.size(vector || !left ? -1 : -2) != n)
    throw ShapeError(text("solve: b ", b.shape(), " does not fit the matrices of a ", a.shape()));
  if (!left) {
    // x a = b is a^T x^T = b^T; vectors are rows and columns alike.
    const Tensor y = solve(turned(a), vector ? b : turned(b), true);
    return vector ? y : turned(y);
  }
  const Tensor columns = vector ? unsqueeze(b, -1) : b;
  const auto batch_of = [](const Tensor& x) {
    Shape batch = x.shape();
    batch.erase(batch.size() - 1);
    batch.erase(batch.size() - 1);
    return batch;
  };
  const Shape batch = broadcast("solve", batch_of(a), batch_of(columns));
  const auto spread = [&batch](const Tensor& x) {
    Shape shape = batch;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    return x.shape() == shape ? x : expand(x, shape);
  };
  const Tensor x = solve_stack(spread(a), spread(columns));
  return vector ? squeeze(x, -1) : x;
}

Tensor cholesky(const Tensor& x, bool upper) {
  check_square("cholesky", x);
  const Tensor l = record(
      {"cholesky", {}, saves::output}, {x}, [](const Inputs& in) { return kernels::cholesky(in[0]); },
      [](const Saved& s, const Tensor& dy) {
        const Tensor& y = s.output();
        const Tensor p = half_lower(matmul(turned(y), dy));
        const Tensor half = solve_stack(turned(y), p);                   // L^{-T} P
        return symmetric(turned(solve_stack(turned(y), turned(half))));  // L^{-T} P L^{-1}
      });
  return upper ? turned(l) : l;
}

Tensor matrix_power(const Tensor& x, int n) {
  check_square("matrix_power", x);
  if (n == 0)
    return record(
        {"matrix_power", {{"n", n}}}, {x},
        [](const Inputs& in) {
          const Tensor y = zeros(in[0].shape(), in[0].dtype());
          kernels::copy_into(y, eye(in[0].size(-1), -1, in[0].dtype()));
          return y;
        },
        [](const Saved&, const Tensor& dy) { return dy * 0.0; });
  Tensor power = n < 0 ? inverse("matrix_power", x) : x, y;
  for (unsigned left = static_cast<unsigned>(n < 0 ? -static_cast<std::int64_t>(n) : n); left > 0; left /= 2) {
    if (left % 2 == 1) y = y.defined() ? matmul(y, power) : power;
    if (left > 1) power = matmul(power, power);
  }
  return n == 1 ? copy(y) : y;
}

Tensor multi_dot(const std::vector<Tensor>& factors) {
  const std::size_t n = factors.size();
  if (n < 2) throw ConfigError(text("multi_dot: ", n, " factors\n  help: give it two at least"));
  std::vector<Tensor> matrices = factors;
  for (std::size_t i = 0; i < n; ++i) {
    const bool end = i == 0 || i == n - 1;
    if (factors[i].dim() != 2 && !(end && factors[i].dim() == 1))
      throw ShapeError(text("multi_dot: factor ", i, " is ", factors[i].shape(), ", not a matrix"));
  }
  if (factors.front().dim() == 1) matrices.front() = unsqueeze(factors.front(), 0);
  if (factors.back().dim() == 1) matrices.back() = unsqueeze(factors.back(), 1);
  std::vector<double> sizes{static_cast<double>(matrices[0].shape()[0])};
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0 && matrices[i].shape()[0] != matrices[i - 1].shape()[1])
      throw ShapeError(text("multi_dot: factors ", i - 1, " ", factors[i - 1].shape(), " and ", i, " ",
                            factors[i].shape(), " do not fit"));
    sizes.push_back(static_cast<double>(matrices[i].shape()[1]));
  }
  // cost[i][j] of the product of factors i to j, cut best behind factor cut[i][j].
  std::vector<std::vector<double>> cost(n, std::vector<double>(n));
  std::vector<std::vector<std::size_t>> cut(n, std::vector<std::size_t>(n));
  for (std::size_t length = 1; length < n; ++length)
    for (std::size_t i = 0; i + length < n; ++i) {
      const std::size_t j = i + length;
      cost[i][j] = HUGE_VAL;
      for (std::size_t k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1];
        if (c < cost[i][j]) {
          cost[i][j] = c;
          cut[i][j] = k;
        }
      }
    }
  const auto multiply = [&](const auto& self, std::size_t i, std::size_t j) -> Tensor {
    return i == j ? matrices[i] : matmul(self(self, i, cut[i][j]), self(self, cut[i][j] + 1, j));
  };
  Tensor y = multiply(multiply, 0, n - 1);
  if (factors.back().dim() == 1) y = squeeze(y, 1);
  return factors.front().dim() == 1 ? squeeze(y, 0) : y;
}

Svd svd(const Tensor& x) {
  check_matrix("svd", x);
  const std::array<Tensor, 3> f = svd_parts(x);
  return {f[0], f[1], turned(f[2])};
}

Tensor svdvals(const Tensor& x) {
  check_matrix("svdvals", x);
  return svd_parts(x)[1];
}

Eigh eigh(const Tensor& x) {
  check_square("eigh", x);
  const std::array<Tensor, 2> y = record(
      {"eigh", {}, saves::output}, {x},
      [](const Inputs& in) {
        const kernels::Eigh f = kernels::eigh(in[0]);
        return std::array<Tensor, 2>{f.values, f.vectors};
      },
      [](const Saved& s, std::span<const Tensor> dy) {
        const Tensor &values = s.output(0), &v = s.output(1);
        Tensor inner = dy[0].defined() ? diag_embed(dy[0]) : Tensor();
        if (dy[1].defined()) {
          const std::int64_t n = values.shape().back();
          const Tensor one = eye(n, -1, values.dtype());
          const Tensor gaps = unsqueeze(values, -2) - unsqueeze(values, -1) + one;
          const Tensor mixed = matmul(turned(v), dy[1]) * (1.0 - one) / gaps;
          inner = inner.defined() ? inner + mixed : mixed;
        }
        return symmetric(matmul(matmul(v, inner), turned(v)));
      });
  return {y[0], y[1]};
}

Qr qr(const Tensor& x) {
  check_matrix("qr", x);
  const std::array<Tensor, 2> y = record(
      {"qr", {}, saves::output}, {x},
      [](const Inputs& in) {
        const kernels::Qr f = kernels::qr(in[0]);
        return std::array<Tensor, 2>{f.q, f.r};
      },
      [](const Saved& s, std::span<const Tensor> dy) {
        const Tensor &q = s.output(0), &r = s.output(1);
        const std::int64_t k = r.size(-2);
        if (r.size(-1) != k)
          throw GradError(text("qr: matrices of ", q.size(-2), " rows and ", r.size(-1),
                               " columns have no gradient here\n  help: take the factors of the first columns"));
        Tensor m, dq;
        if (dy[1].defined()) m = matmul(r, turned(dy[1]));
        if (dy[0].defined()) {
          const Tensor n = matmul(turned(dy[0]), q);
          m = m.defined() ? m - n : neg(n);
          dq = dy[0];
        }
        // The lower triangle, mirrored.
        const Tensor below = half_lower(m);
        const Tensor from_q = matmul(q, below + turned(below));
        const Tensor left = dq.defined() ? dq + from_q : from_q;
        return turned(solve_stack(r, turned(left)));  // left R^{-T}
      });
  return {y[0], y[1]};
}

// ---- norms

Order::Order(const char* word) {
  const std::string_view name = word;
  if (name != "fro" && name != "nuc")
    throw ConfigError(text("norm: no order is called \"", name, "\"\n  help: choose a number, \"fro\" or \"nuc\""));
  kind_ = name == "fro" ? Kind::frobenius : Kind::nuclear;
}

Tensor vector_norm(const Tensor& x, double p, const Axes& axes, bool keep) {
  if (!is_floating(x.dtype()))
    throw DtypeError(text("vector_norm: x is ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
  if (x.dtype() == DType::bfloat16) return to(vector_norm(to(x, DType::float32), p, axes, keep), x.dtype());
  if (std::isnan(p)) throw ConfigError("vector_norm: p is NaN");
  const unsigned bits = detail::axis_bits("vector_norm", axes, x.dim());
  Shape kept = x.shape();
  std::int64_t count = 1;
  for (int i = 0; i < x.dim(); ++i)
    if (bits >> i & 1U) {
      count *= kept[i];
      kept[i] = 1;
    }
  if (count == 0 && (p < 0 || std::isinf(p)))
    throw ShapeError(text("vector_norm: of nothing in ", x.shape(), " there is no norm with p = ", p));
  const std::vector<int> list(std::span<const int>(axes).begin(), std::span<const int>(axes).end());
  using kernels::Reduce;
  return record(
      {"vector_norm", {{"p", p}, {"keep", keep}}, saves::inputs | saves::output}, {x},
      [=](const Inputs& in) {
        const Tensor& v = in[0];
        const auto reduced = [&](Reduce op, const Tensor& t) { return kernels::reduce(op, t, axes, keep); };
        if (p == 0) return kernels::cast(reduced(Reduce::sum, ne(v, 0)), v.dtype());
        if (p == 2) return sqrt(reduced(Reduce::sum_of_squares, v));
        const Tensor size = abs(v);
        if (std::isinf(p)) return reduced(p > 0 ? Reduce::max : Reduce::min, size);
        if (p == 1) return reduced(Reduce::sum, size);
        return pow(reduced(Reduce::sum, pow(size, p)), 1 / p);
      },
      [p, list, kept](const Saved& s, const Tensor& gradient) {
        const Tensor &v = s.input(0), dy = reshape(gradient, kept), y = reshape(s.output(), kept);
        if (p == 0) return zeros(v.shape(), v.dtype());
        if (p == 1) return sign(v) * dy;
        const Tensor none = scalar(0, v.dtype()), one = scalar(1, v.dtype());
        const Tensor flat = eq(y, 0);  // where the gradient is chosen to be 0
        const Tensor safe = where(flat, one, y);
        if (p == 2) return dy * where(flat, none, v / safe);
        if (std::isinf(p)) {
          const Tensor equal = to(logical_or(eq(abs(v), y), isnan(v)), v.dtype());
          return sign(v) * (equal * (dy / sum(equal, list, true)));
        }
        const Tensor zero = eq(v, 0);
        const Tensor slope = sign(v) * pow(where(zero, one, abs(v)), p - 1);  // sign is 0 where v is
        return slope * where(flat, none, dy * pow(safe, 1 - p));
      });
}

Tensor matrix_norm(const Tensor& x, const Order& order, const std::vector<int>& axes, bool keep) {
  if (axes.size() != 2) throw ShapeError(text("matrix_norm: ", axes.size(), " axes are named, a matrix has 2"));
  if (x.dim() < 2) throw ShapeError(text("matrix_norm: x is ", x.shape(), ", not (..., n, m)"));
  int rows = normalize_axis("matrix_norm", axes[0], x.dim()), columns = normalize_axis("matrix_norm", axes[1], x.dim());
  if (rows == columns) throw ShapeError(text("matrix_norm: axis ", axes[1], " is named twice"));
  if (order.kind() == Order::Kind::usual || order.kind() == Order::Kind::frobenius)
    return vector_norm(x, 2, axes, keep);
  const double p = order.p();
  const bool nuclear = order.kind() == Order::Kind::nuclear;
  Tensor y;
  if (nuclear || std::abs(p) == 2) {
    std::vector<int> last;
    for (int i = 0; i < x.dim(); ++i)
      if (i != rows && i != columns) last.push_back(i);
    last.push_back(rows);
    last.push_back(columns);
    const Tensor s = svdvals(permute(x, last));
    if (!nuclear && s.shape().back() == 0)
      throw ShapeError(text("matrix_norm: of nothing in ", x.shape(), " there is no norm of order ", p));
    y = nuclear ? sum(s, -1) : p > 0 ? amax(s, -1) : amin(s, -1);
  } else if (std::abs(p) == 1 || std::isinf(p)) {
    const int first = std::isinf(p) ? columns : rows, second = std::isinf(p) ? rows : columns;
    if (x.shape()[second] == 0)
      throw ShapeError(text("matrix_norm: of nothing in ", x.shape(), " there is no norm of order ", p));
    const Tensor sums = sum(abs(x), first, true);
    y = squeeze(p > 0 ? amax(sums, second, true) : amin(sums, second, true), first);
    y = squeeze(y, second > first ? second - 1 : second);
  } else {
    throw ConfigError(text("matrix_norm: no norm of matrices has order ", p,
                           "\n  help: choose \"fro\", \"nuc\", 1, 2, infinity or one of these negative"));
  }
  if (!keep) return y;
  Shape kept = x.shape();
  kept[rows] = kept[columns] = 1;
  return reshape(y, kept);
}

Tensor norm(const Tensor& x, const Order& order, const Axes& axes, bool keep) {
  const std::span<const int> named = axes;
  if (order.kind() == Order::Kind::usual) return vector_norm(x, 2, axes, keep);
  const std::size_t count = named.empty() ? static_cast<std::size_t>(x.dim()) : named.size();
  if (count == 2)
    return matrix_norm(x, order, named.empty() ? std::vector{0, 1} : std::vector(named.begin(), named.end()), keep);
  if (count > 2)
    throw ShapeError(text("norm: an order of norm over ", count, " axes of ", x.shape(),
                          "\n  help: name one axis for vectors or two for matrices"));
  if (order.kind() != Order::Kind::number)
    throw ConfigError("norm: vectors have no \"fro\" or \"nuc\" norm\n  help: name two axes, or choose a number");
  return vector_norm(x, order.p(), axes, keep);
}

}  // namespace weft::linalg
