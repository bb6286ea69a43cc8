#include <weft/tensor/kernels/sums.h>

/// Statistics of channels, and maps that are the same for all numbers of one.
namespace weft::kernels {
namespace {

// Interleaved channels are worked on in groups whose sums stay in the first-level cache. Blocks of numbers are summed
// in the element type, and the blocks in double.
constexpr Int group = 256, height = 64, run = 4096;

/// Calls visit(rows..., j) for each channel of a group and the rows [begin, end), four rows at a time: one load and
/// store of a channel's sums for four additions.
template <class Visit>
WEFT_INLINE void each_row(Int begin, Int end, Int width, Int ld, Visit&& visit) {
  Int i = begin;
  for (; i + 4 <= end; i += 4) {
    WEFT_SIMD
    for (Int j = 0; j < width; ++j) {
      visit(i * ld + j, j);
      visit((i + 1) * ld + j, j);
      visit((i + 2) * ld + j, j);
      visit((i + 3) * ld + j, j);
    }
  }
  for (; i < end; ++i) {
    WEFT_SIMD
    for (Int j = 0; j < width; ++j) visit(i * ld + j, j);
  }
}

/// Adds a block of `count` numbers to the `before` ones whose moments are given. Chan, Golub and LeVeque (1979).
WEFT_INLINE void merge(double& mean, double& squares, Int before, Int count, double block_mean, double block_squares) {
  const double share = static_cast<double>(count) / static_cast<double>(before + count), step = block_mean - mean;
  mean += step * share;
  squares += block_squares + step * step * share * static_cast<double>(before);
}

/// A block's mean first, then the squares about it while the block is in the cache: one pass over memory, and nothing
/// cancels. What rounding left of the mean is taken back with `rest`, the sum of the differences.
template <class T>
void channel_moments(double* mean, double* squares, const void* x, Int n, Int channels, Int ld) {
  for (Int j = 0; j < channels; ++j) mean[j] = squares[j] = 0;
  if (ld == 1) {
    for (Int c = 0; c < channels; ++c)
      for (Int begin = 0; begin < n; begin += run) {
        const T* in = static_cast<const T*>(x) + c * n + begin;
        const Int count = n - begin < run ? n - begin : run;
        const double all = static_cast<double>(count);
        const T m = static_cast<T>(sum_runs<T>(count, [&](Int i) WEFT_INLINE_LAMBDA { return in[i]; }) / all);
        const double rest = sum_runs<T>(count, [&](Int i) WEFT_INLINE_LAMBDA { return in[i] - m; });
        const double all_squares =
            sum_runs<T>(count, [&](Int i) WEFT_INLINE_LAMBDA { return (in[i] - m) * (in[i] - m); });
        merge(mean[c], squares[c], begin, count, static_cast<double>(m) + rest / all, all_squares - rest * rest / all);
      }
    return;
  }
  T m[group], rest[group], sum[group];
  for (Int j0 = 0; j0 < channels; j0 += group) {
    const T* in = static_cast<const T*>(x) + j0;
    const Int width = channels - j0 < group ? channels - j0 : group;
    for (Int begin = 0; begin < n; begin += height) {
      const Int end = n - begin < height ? n : begin + height;
      const double all = static_cast<double>(end - begin);
      const T share = static_cast<T>(1 / all);
      for (Int j = 0; j < width; ++j) m[j] = 0;
      each_row(begin, end, width, ld, [&](Int at, Int j) WEFT_INLINE_LAMBDA { m[j] += in[at]; });
      for (Int j = 0; j < width; ++j) {
        m[j] *= share;
        rest[j] = sum[j] = 0;
      }
      each_row(begin, end, width, ld, [&](Int at, Int j) WEFT_INLINE_LAMBDA {
        const T d = in[at] - m[j];
        rest[j] += d;
        sum[j] += d * d;
      });
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) {
        const double r = static_cast<double>(rest[j]);
        merge(mean[j0 + j], squares[j0 + j], begin, end - begin, static_cast<double>(m[j]) + r / all,
              static_cast<double>(sum[j]) - r * r / all);
      }
    }
  }
}

template <class T>
void channel_products(double* plain, double* along, const void* dy, const void* x, const double* mean, Int n,
                      Int channels, Int ld) {
  if (ld == 1) {
    for (Int c = 0; c < channels; ++c) {
      const T *g = static_cast<const T*>(dy) + c * n, *in = static_cast<const T*>(x) + c * n;
      const T m = static_cast<T>(mean[c]);
      plain[c] = sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i]; });
      along[c] = sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i] * (in[i] - m); });
    }
    return;
  }
  for (Int j = 0; j < channels; ++j) plain[j] = along[j] = 0;
  T m[group], sum[group], product[group];
  for (Int j0 = 0; j0 < channels; j0 += group) {
    const T *g = static_cast<const T*>(dy) + j0, *in = static_cast<const T*>(x) + j0;
    const Int width = channels - j0 < group ? channels - j0 : group;
    for (Int j = 0; j < width; ++j) m[j] = static_cast<T>(mean[j0 + j]);
    for (Int begin = 0; begin < n; begin += height) {
      const Int end = n - begin < height ? n : begin + height;
      for (Int j = 0; j < width; ++j) sum[j] = product[j] = 0;
      each_row(begin, end, width, ld, [&](Int at, Int j) WEFT_INLINE_LAMBDA {
        sum[j] += g[at];
        product[j] += g[at] * (in[at] - m[j]);
      });
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) {
        plain[j0 + j] += static_cast<double>(sum[j]);
        along[j0 + j] += static_cast<double>(product[j]);
      }
    }
  }
}

template <class T>
void channel_affine(void* y, const void* x, const double* mean, const double* slope, const double* shift, Int n,
                    Int channels, Int ld) {
  if (ld == 1) {
    for (Int c = 0; c < channels; ++c) {
      const T* in = static_cast<const T*>(x) + c * n;
      T* out = static_cast<T*>(y) + c * n;
      const T m = static_cast<T>(mean[c]), a = static_cast<T>(slope[c]), b = static_cast<T>(shift[c]);
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = (in[i] - m) * a + b;
    }
    return;
  }
  T m[group], a[group], b[group];
  for (Int j0 = 0; j0 < channels; j0 += group) {
    const Int width = channels - j0 < group ? channels - j0 : group;
    for (Int j = 0; j < width; ++j) {
      m[j] = static_cast<T>(mean[j0 + j]);
      a[j] = static_cast<T>(slope[j0 + j]);
      b[j] = static_cast<T>(shift[j0 + j]);
    }
    for (Int i = 0; i < n; ++i) {
      const T* in = static_cast<const T*>(x) + i * ld + j0;
      T* out = static_cast<T*>(y) + i * ld + j0;
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) out[j] = (in[j] - m[j]) * a[j] + b[j];
    }
  }
}

template <class T>
void channel_affine_grad(void* dx, const void* dy, const void* x, const double* mean, const double* slope,
                         const double* bend, const double* shift, Int n, Int channels, Int ld) {
  if (ld == 1) {
    for (Int c = 0; c < channels; ++c) {
      const T *g = static_cast<const T*>(dy) + c * n, *in = static_cast<const T*>(x) + c * n;
      T* out = static_cast<T*>(dx) + c * n;
      const T m = static_cast<T>(mean[c]), a = static_cast<T>(slope[c]), b = static_cast<T>(bend[c]),
              d = static_cast<T>(shift[c]);
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = g[i] * a - ((in[i] - m) * b + d);
    }
    return;
  }
  T m[group], a[group], b[group], d[group];
  for (Int j0 = 0; j0 < channels; j0 += group) {
    const Int width = channels - j0 < group ? channels - j0 : group;
    for (Int j = 0; j < width; ++j) {
      m[j] = static_cast<T>(mean[j0 + j]);
      a[j] = static_cast<T>(slope[j0 + j]);
      b[j] = static_cast<T>(bend[j0 + j]);
      d[j] = static_cast<T>(shift[j0 + j]);
    }
    for (Int i = 0; i < n; ++i) {
      const T *g = static_cast<const T*>(dy) + i * ld + j0, *in = static_cast<const T*>(x) + i * ld + j0;
      T* out = static_cast<T*>(dx) + i * ld + j0;
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) out[j] = g[j] * a[j] - ((in[j] - m[j]) * b[j] + d[j]);
    }
  }
}

template <class T>
void install_type(KernelTable& t, int i) {
  t.channel_moments[i] = channel_moments<T>;
  t.channel_products[i] = channel_products<T>;
  t.channel_affine[i] = channel_affine<T>;
  t.channel_affine_grad[i] = channel_affine_grad<T>;
}

}  // namespace

void WEFT_LEVELED(install_channels)(KernelTable& t) {
  install_type<float>(t, 0);
  install_type<double>(t, 1);
}

}  // namespace weft::kernels
