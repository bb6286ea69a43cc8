#include <algorithm>
#include <cmath>
#include <vector>

#include <weft/tensor/dispatch.h>

/// Distances between rows, without the differences of all pairs in memory.
namespace weft::kernels {
namespace {

struct Sizes {
  Int batch, n, m, k;  ///< rows of a, rows of b, entries of a row
};
Sizes sizes_of(const Tensor& a, const Tensor& b) {
  const int rank = a.dim();
  Int batch = 1;
  for (int i = 0; i < rank - 2; ++i) batch *= a.shape()[i];
  return {batch, a.shape()[rank - 2], b.shape()[rank - 2], a.shape()[rank - 1]};
}

/// |difference|^p, or what takes its place where p is 0 or infinite.
enum class Power { zero, one, two, infinite, other };
Power power_of(double p) {
  return p == 0          ? Power::zero
         : p == 1        ? Power::one
         : p == 2        ? Power::two
         : std::isinf(p) ? Power::infinite
                         : Power::other;
}

template <class T, class Join>
void join_rows(double* sum, T x, const T* z, Int width, Join join) {
  for (Int j = 0; j < width; ++j) sum[j] = join(sum[j], std::abs(static_cast<double>(x) - static_cast<double>(z[j])));
}

/// One row of a against all of b, which lies transposed (k, m), so that the loops run over neighbours.
template <class T>
void distances_of_row(T* y, const T* a, const T* b, const Sizes& s, double p) {
  constexpr Int block = 128;
  const Power power = power_of(p);
  for (Int begin = 0; begin < s.m; begin += block) {
    const Int width = std::min(block, s.m - begin);
    double sum[block] = {};
    for (Int c = 0; c < s.k; ++c) {
      const T* z = b + c * s.m + begin;
      switch (power) {
        case Power::zero: join_rows(sum, a[c], z, width, [](double u, double v) { return u + (v != 0); }); break;
        case Power::one: join_rows(sum, a[c], z, width, [](double u, double v) { return u + v; }); break;
        case Power::two: join_rows(sum, a[c], z, width, [](double u, double v) { return u + v * v; }); break;
        case Power::infinite:
          join_rows(sum, a[c], z, width, [](double u, double v) { return u > v || u != u ? u : v; });
          break;
        case Power::other:
          join_rows(sum, a[c], z, width, [p](double u, double v) { return u + std::pow(v, p); });
          break;
      }
    }
    for (Int j = 0; j < width; ++j) {
      const double v = power == Power::two     ? std::sqrt(sum[j])
                       : power == Power::other ? std::pow(sum[j], 1 / p)
                                               : sum[j];
      y[begin + j] = static_cast<T>(v);
    }
  }
}

double sign_of(double v) { return v > 0 ? 1 : v < 0 ? -1 : v; }

/// Adds weight * (the derivative of |a - b| by a) to `sum`.
template <class T>
void add_slope(double* sum, const T* a, const T* b, Int k, double distance, double weight, double p) {
  const auto difference = [&](Int c) { return static_cast<double>(a[c]) - static_cast<double>(b[c]); };
  if (distance == 0) return;
  switch (power_of(p)) {
    case Power::zero: break;
    case Power::one:
      for (Int c = 0; c < k; ++c) sum[c] += weight * sign_of(difference(c));
      break;
    case Power::two:
      for (Int c = 0; c < k; ++c) sum[c] += weight / distance * difference(c);
      break;
    case Power::infinite:
      // The distance has been rounded to T, and so must be what is compared with it.
      for (Int c = 0; c < k; ++c)
        if (static_cast<T>(std::abs(difference(c))) == static_cast<T>(distance))
          sum[c] += weight * sign_of(difference(c));
      break;
    case Power::other:
      for (Int c = 0; c < k; ++c) {
        const double v = difference(c);
        if (v != 0) sum[c] += weight * sign_of(v) * std::pow(std::abs(v) / distance, p - 1);
      }
      break;
  }
}

template <class T>
void all_distances(T* y, const T* a, const T* b, const Sizes& s, double p) {
  const Int smallest = std::max<Int>(1, grain / std::max<Int>(1, s.m * s.k));
  parallel_for(s.batch * s.n, smallest, [=](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) distances_of_row(y + i * s.m, a + i * s.k, b + i / s.n * s.k * s.m, s, p);
  });
}

template <class T>
void all_slopes(T* da, const T* dy, const T* y, const T* a, const T* b, const Sizes& s, double p) {
  const Int smallest = std::max<Int>(1, grain / std::max<Int>(1, s.m * s.k));
  parallel_for(s.batch * s.n, smallest, [=](Int begin, Int end) {
    std::vector<double> sum(static_cast<std::size_t>(s.k));
    for (Int i = begin; i < end; ++i) {
      sum.assign(sum.size(), 0);
      const T* rows = b + i / s.n * s.m * s.k;
      for (Int j = 0; j < s.m; ++j)
        add_slope(sum.data(), a + i * s.k, rows + j * s.k, s.k, static_cast<double>(y[i * s.m + j]),
                  static_cast<double>(dy[i * s.m + j]), p);
      for (Int c = 0; c < s.k; ++c) da[i * s.k + c] = static_cast<T>(sum[static_cast<std::size_t>(c)]);
    }
  });
}

Shape with_last(Shape shape, Int rows, Int columns) {
  shape[shape.size() - 2] = rows;
  shape[shape.size() - 1] = columns;
  return shape;
}

}  // namespace

Tensor distances(const Tensor& a, const Tensor& b, double p) {
  const Sizes s = sizes_of(a, b);
  const DType type = native(a.dtype());
  Tensor y = empty(with_last(a.shape(), s.n, s.m), type);
  if (y.numel() == 0) return cast(y, a.dtype());
  const Tensor x = contiguous(cast(a, type)), rows = cast(b, type);
  Shape shape = rows.shape();
  Strides strides = rows.strides();
  const int last = rows.dim() - 1;
  std::swap(shape[last], shape[last - 1]);
  std::swap(strides[last], strides[last - 1]);
  const Tensor z = contiguous(view_as(rows, shape, strides));  // (..., k, m)
  if (type == DType::float64)
    all_distances(y.mutable_data<double>(), x.data<double>(), z.data<double>(), s, p);
  else
    all_distances(y.mutable_data<float>(), x.data<float>(), z.data<float>(), s, p);
  return cast(y, a.dtype());
}

Tensor distances_grad(const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& b, double p) {
  const Sizes s = sizes_of(a, b);
  const DType type = native(a.dtype());
  Tensor da = empty(a.shape(), type);
  if (da.numel() == 0) return cast(da, a.dtype());
  const Tensor g = contiguous(cast(dy, type)), d = contiguous(cast(y, type));
  const Tensor x = contiguous(cast(a, type)), z = contiguous(cast(b, type));
  if (type == DType::float64)
    all_slopes(da.mutable_data<double>(), g.data<double>(), d.data<double>(), x.data<double>(), z.data<double>(), s, p);
  else
    all_slopes(da.mutable_data<float>(), g.data<float>(), d.data<float>(), x.data<float>(), z.data<float>(), s, p);
  return cast(da, a.dtype());
}

}  // namespace weft::kernels
