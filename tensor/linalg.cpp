#include <weft/tensor/linalg.h>

#include <cmath>
#include <limits>
#include <vector>

// Threads are weft's own matter: each takes whole matrices.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Dense>

#include <weft/tensor/dispatch.h>

namespace weft::kernels {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Input = Eigen::Map<const Matrix>;
using Output = Eigen::Map<Matrix>;
using Lu = Eigen::PartialPivLU<Matrix>;
using SvdOf = Eigen::JacobiSVD<Matrix>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A stack of dense float64 matrices, read from a tensor or to be filled.
struct Stack {
  Tensor owner;
  Int rows, columns, count;
  DType type;

  explicit Stack(const Tensor& x)
      : owner(contiguous(cast(x, DType::float64))),
        rows(x.shape()[x.dim() - 2]),
        columns(x.shape()[x.dim() - 1]),
        count(1),
        type(x.dtype()) {
    for (int i = 0; i < x.dim() - 2; ++i) count *= x.shape()[i];
  }
  /// Of the same batch and type as another, with matrices of other sizes.
  Stack(const Stack& like, Int n, Int m) : rows(n), columns(m), count(like.count), type(like.type) {
    Shape shape = like.owner.shape();
    shape[shape.size() - 2] = n;
    shape[shape.size() - 1] = m;
    owner = empty(shape, DType::float64);
  }
  double* data(Int i) const { return reinterpret_cast<double*>(bytes(owner)) + i * rows * columns; }
  Input input(Int i) const { return Input(data(i), rows, columns); }
  Output output(Int i) const { return Output(data(i), rows, columns); }
  /// In the type of the input; with `flat` the second to last axis, of size 1, vanishes.
  Tensor result(bool flat = false) const {
    if (!flat) return cast(owner, type);
    Shape shape = owner.shape();
    shape.erase(shape.size() - 2);
    return cast(view_as(owner, shape, row_major(shape)), type);
  }
};

/// Calls body(i) for each matrix; `work` is about how many multiplications one takes.
template <class Body>
void each(Int count, Int work, Body body) {
  parallel_for(count, 4 * grain / (work + 1) + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) body(i);
  });
}

/// The product of the signs of a triangle's diagonal, 0 for one that holds 0.
double sign_of(const Lu& lu) {
  double sign = lu.permutationP().determinant() > 0 ? 1 : -1;
  for (Int k = 0; k < lu.matrixLU().rows(); ++k) {
    const double pivot = lu.matrixLU()(k, k);
    sign *= pivot > 0 ? 1 : pivot < 0 ? -1 : pivot;  // 0 and NaN stay
  }
  return sign;
}

[[noreturn]] void singular(const char* op, Int i, Int count) {
  if (count == 1) throw ConfigError(text(op, ": the matrix is singular"));
  throw ConfigError(text(op, ": matrix ", i, " of ", count, " is singular"));
}

/// The LU factors of each matrix go to use(i, lu), which is not called for a singular one.
template <class Use>
void factorise(const char* op, const Stack& a, Int work, const Stack& result, Use use) {
  std::vector<char> bad(static_cast<std::size_t>(a.count));
  each(a.count, work, [&](Int i) {
    const Lu lu(a.input(i));
    bad[static_cast<std::size_t>(i)] = sign_of(lu) == 0;
    if (bad[static_cast<std::size_t>(i)])
      result.output(i).setConstant(nan);
    else
      use(i, lu);
  });
  if (!op) return;
  for (Int i = 0; i < a.count; ++i)
    if (bad[static_cast<std::size_t>(i)]) singular(op, i, a.count);
}

}  // namespace

Tensor solve(const char* op, const Tensor& a, const Tensor& b) {
  const Stack left(a), right(b), x(right, right.rows, right.columns);
  if (x.owner.numel() == 0) return x.result();
  factorise(op, left, left.rows * left.rows * (left.rows + right.columns), x,
            [&](Int i, const Lu& lu) { x.output(i) = lu.solve(right.input(i)); });
  return x.result();
}

Tensor inverse(const char* op, const Tensor& a) {
  const Stack in(a), y(in, in.rows, in.rows);
  if (y.owner.numel() == 0) return y.result();
  factorise(op, in, in.rows * in.rows * in.rows, y, [&](Int i, const Lu& lu) { y.output(i) = lu.inverse(); });
  return y.result();
}

Determinants determinants(const Tensor& a) {
  const Stack in(a);
  Shape shape = a.shape();
  shape.erase(shape.size() - 1);
  shape.erase(shape.size() - 1);
  const Tensor sign = empty(shape, DType::float64), log = empty(shape, DType::float64),
               value = empty(shape, DType::float64);
  const auto put = [](const Tensor& x, Int i, double v) { reinterpret_cast<double*>(bytes(x))[i] = v; };
  each(in.count, in.rows * in.rows * in.rows, [&](Int i) {
    double s = 1, logarithm = 0, product = 1;
    if (in.rows > 0) {
      const Lu lu(in.input(i));
      s = sign_of(lu);
      product = lu.determinant();
      for (Int k = 0; k < in.rows; ++k) logarithm += std::log(std::abs(lu.matrixLU()(k, k)));
    }
    put(sign, i, s);
    put(log, i, logarithm);
    put(value, i, product);
  });
  return {cast(sign, a.dtype()), cast(log, a.dtype()), cast(value, a.dtype())};
}

Tensor cofactors(const Tensor& a) {
  const Stack in(a), y(in, in.rows, in.rows);
  if (y.owner.numel() == 0) return y.result();
  each(in.count, in.rows * in.rows * in.rows, [&](Int i) {
    const Lu lu(in.input(i));
    if (sign_of(lu) != 0 && lu.rcond() > 1e-6) {
      y.output(i) = lu.determinant() * lu.inverse().transpose();
      return;
    }
    // With a = u diag(s) v^T the cofactors are det(u) det(v) u diag(products of the other s) v^T.
    const SvdOf svd(in.input(i), Eigen::ComputeFullU | Eigen::ComputeFullV);
    if (svd.info() != Eigen::Success) {
      y.output(i).setConstant(nan);
      return;
    }
    Eigen::VectorXd others(in.rows);
    for (Int k = 0; k < in.rows; ++k) {
      others(k) = 1;
      for (Int j = 0; j < in.rows; ++j)
        if (j != k) others(k) *= svd.singularValues()(j);
    }
    const double sign = svd.matrixU().determinant() * svd.matrixV().determinant() > 0 ? 1 : -1;
    y.output(i) = sign * svd.matrixU() * others.asDiagonal() * svd.matrixV().transpose();
  });
  return y.result();
}

Tensor cholesky(const Tensor& a) {
  const Stack in(a), y(in, in.rows, in.rows);
  if (y.owner.numel() == 0) return y.result();
  std::vector<char> bad(static_cast<std::size_t>(in.count));
  each(in.count, in.rows * in.rows * in.rows, [&](Int i) {
    const Eigen::LLT<Matrix> llt(0.5 * (in.input(i) + in.input(i).transpose()));
    bad[static_cast<std::size_t>(i)] = llt.info() != Eigen::Success;
    y.output(i) = llt.matrixL();
  });
  for (Int i = 0; i < in.count; ++i)
    if (bad[static_cast<std::size_t>(i)]) {
      if (in.count == 1) throw ConfigError("cholesky: the matrix is not positive definite");
      throw ConfigError(text("cholesky: matrix ", i, " of ", in.count, " is not positive definite"));
    }
  return y.result();
}

Svd svd(const Tensor& a) {
  const Stack in(a);
  const Int k = in.rows < in.columns ? in.rows : in.columns;
  const Stack u(in, in.rows, k), s(in, 1, k), v(in, in.columns, k);
  if (k > 0)
    each(in.count, 20 * in.rows * in.columns * k, [&](Int i) {
      const SvdOf svd(in.input(i), Eigen::ComputeThinU | Eigen::ComputeThinV);
      if (svd.info() != Eigen::Success) {  // infinities or NaN
        u.output(i).setConstant(nan);
        v.output(i).setConstant(nan);
        s.output(i).setConstant(nan);
        return;
      }
      u.output(i) = svd.matrixU();
      v.output(i) = svd.matrixV();
      s.output(i) = svd.singularValues().transpose();
    });
  return {u.result(), s.result(true), v.result()};
}

Eigh eigh(const Tensor& a) {
  const Stack in(a), values(in, 1, in.rows), vectors(in, in.rows, in.rows);
  if (in.rows > 0)
    each(in.count, 20 * in.rows * in.rows * in.rows, [&](Int i) {
      const Eigen::SelfAdjointEigenSolver<Matrix> solver(0.5 * (in.input(i) + in.input(i).transpose()));
      if (solver.info() != Eigen::Success) {
        values.output(i).setConstant(nan);
        vectors.output(i).setConstant(nan);
        return;
      }
      values.output(i) = solver.eigenvalues().transpose();
      vectors.output(i) = solver.eigenvectors();
    });
  return {values.result(true), vectors.result()};
}

Qr qr(const Tensor& a) {
  const Stack in(a);
  const Int k = in.rows < in.columns ? in.rows : in.columns;
  const Stack q(in, in.rows, k), r(in, k, in.columns);
  if (k > 0)
    each(in.count, in.rows * in.columns * k, [&](Int i) {
      const Eigen::HouseholderQR<Matrix> qr(in.input(i));
      q.output(i) = qr.householderQ() * Matrix::Identity(in.rows, k);
      r.output(i) = qr.matrixQR().topRows(k).triangularView<Eigen::Upper>();
    });
  return {q.result(), r.result()};
}

}  // namespace weft::kernels
