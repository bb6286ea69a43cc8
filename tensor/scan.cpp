#include <cmath>
#include <type_traits>
#include <vector>

#include <weft/tensor/dispatch.h>

/// Running results along an axis. A thread takes whole lines, so that the result does not depend on their number.
namespace weft::kernels {
namespace {

/// Lines along one axis of a dense tensor; those that lie side by side are walked together, in the order of memory.
template <class T, class W, class Step>
void scan(const T* from, T* to, const Around& a, bool reverse, W start, Step step) {
  const Int block = a.along * a.behind;
  const Int strip = a.behind < 256 ? a.behind : 256, strips = (a.behind + strip - 1) / strip;
  parallel_for(a.before * strips, grain / (a.along * strip) + 1, [&](Int begin, Int end) {
    std::vector<W> state(static_cast<std::size_t>(strip));
    for (Int part = begin; part < end; ++part) {
      const Int first = part / strips * block + part % strips * strip;
      const Int width = a.behind - part % strips * strip < strip ? a.behind - part % strips * strip : strip;
      for (W& each : state) each = start;
      for (Int n = 0; n < a.along; ++n) {
        const Int i = reverse ? a.along - 1 - n : n, row = first + i * a.behind;
        for (Int j = 0; j < width; ++j)
          to[row + j] = step(state[static_cast<std::size_t>(j)], from[row + j], row + j, i);
      }
    }
  });
}

/// The line of a tensor of rank 0 is its one element.
Around lines(const Tensor& x, int axis) { return x.dim() == 0 ? Around{} : around(x.shape(), axis); }

template <class T>
T* numbers(const Tensor& x) {
  return reinterpret_cast<T*>(bytes(x));
}

/// Calls run(T()) for the type that x is computed in.
template <class Run>
void by_type(const Tensor& x, Run&& run) {
  switch (compute_of(x.dtype())) {
    case Compute::f32: run(float()); break;
    case Compute::f64: run(double()); break;
    case Compute::i64: run(Int()); break;
  }
}

struct LogSum {
  double top = -HUGE_VAL, scaled = 0;  // log(sum of exp) = top + log(scaled)
};

}  // namespace

Tensor cumsum(const Tensor& x, int axis) {
  const int k = normalize_axis("cumsum", axis, x.dim());
  const DType type = is_floating(x.dtype()) ? x.dtype() : DType::int64;
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  Tensor y = empty(x.shape(), dense.dtype());
  if (x.numel() == 0) return cast(y, type);
  const Around a = lines(x, k);
  const Int item = item_size(dense.dtype());
  const auto kernel = table().cumsum[slot(compute_of(dense.dtype()))];
  const Int block = a.along * a.behind;
  const char* from = bytes(dense);
  char* to = bytes(y);
  parallel_for(a.before, grain / block + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) kernel(to + i * block * item, from + i * block * item, a.along, a.behind);
  });
  return cast(y, type);
}

Tensor cumprod(const Tensor& x, int axis) {
  const int k = normalize_axis("cumprod", axis, x.dim());
  const DType type = is_floating(x.dtype()) ? x.dtype() : DType::int64;
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  Tensor y = empty(x.shape(), dense.dtype());
  if (x.numel() == 0) return cast(y, type);
  by_type(dense, [&](auto number) {
    using T = decltype(number);
    using W = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;  // integers wrap around
    scan(numbers<const T>(dense), numbers<T>(y), lines(x, k), false, W(1), [](W& product, T v, Int, Int) {
      product *= static_cast<W>(v);
      return static_cast<T>(product);
    });
  });
  return cast(y, type);
}

Tensor logcumsumexp(const Tensor& x, int axis) {
  const int k = normalize_axis("logcumsumexp", axis, x.dim());
  check_floating("logcumsumexp", x);
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  Tensor y = empty(x.shape(), dense.dtype());
  if (x.numel() == 0) return cast(y, x.dtype());
  by_type(dense, [&](auto number) {
    using T = decltype(number);
    if constexpr (std::is_floating_point_v<T>)
      scan(numbers<const T>(dense), numbers<T>(y), lines(x, k), false, LogSum(), [](LogSum& sum, T v, Int, Int) {
        const double u = v;
        if (u > sum.top) {  // -inf - -inf cannot come up: the first term is larger than -inf, and scaled is then 0
          sum.scaled = sum.scaled * std::exp(sum.top - u) + 1;
          sum.top = u;
        } else if (u == sum.top) {
          sum.scaled += 1;
        } else {
          sum.scaled += std::exp(u - sum.top);  // NaN comes this way and stays
        }
        return static_cast<T>(sum.top == -HUGE_VAL && !std::isnan(sum.scaled) ? sum.top
                                                                              : sum.top + std::log(sum.scaled));
      });
  });
  return cast(y, x.dtype());
}

Tensor cumulative_extremum(const Tensor& x, int axis, bool largest, Tensor& places) {
  const int k = normalize_axis(largest ? "cummax" : "cummin", axis, x.dim());
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  Tensor y = empty(x.shape(), dense.dtype());
  places = empty(x.shape(), DType::int64);
  if (x.numel() == 0) return cast(y, x.dtype());
  Int* at = numbers<Int>(places);
  by_type(dense, [&](auto number) {
    using T = decltype(number);
    struct Best {
      T value;
      Int place;
    };
    scan(numbers<const T>(dense), numbers<T>(y), lines(x, k), false, Best{T(0), -1},
         [=](Best& best, T v, Int n, Int i) {
           const bool kept = best.value != best.value;  // NaN
           if (best.place < 0 || v != v || (!kept && (largest ? v >= best.value : v <= best.value))) best = {v, i};
           at[n] = best.place;
           return best.value;
         });
  });
  return cast(y, x.dtype());
}

Tensor recurrence(const Tensor& a, const Tensor& b, int axis, bool reverse) {
  check_same_shape("recurrence", a, b);
  const int k = normalize_axis("recurrence", axis, a.dim());
  check_floating("recurrence", a);
  const Tensor factors = contiguous(cast(a, native(b.dtype()))), terms = contiguous(cast(b, native(b.dtype())));
  Tensor y = empty(a.shape(), terms.dtype());
  if (a.numel() == 0) return cast(y, b.dtype());
  by_type(terms, [&](auto number) {
    using T = decltype(number);
    const T* factor = numbers<const T>(factors);
    scan(numbers<const T>(terms), numbers<T>(y), lines(a, k), reverse, 0.0, [=](double& sum, T v, Int n, Int) {
      sum = static_cast<double>(v) + static_cast<double>(factor[n]) * sum;
      return static_cast<T>(sum);
    });
  });
  return cast(y, b.dtype());
}

}  // namespace weft::kernels
