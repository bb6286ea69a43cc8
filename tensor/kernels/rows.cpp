#include <weft/tensor/kernels/math.h>
#include <weft/tensor/kernels/sums.h>
#include <weft/tensor/kernels/tile.h>

namespace weft::kernels {
namespace {

/// The largest of n numbers, NaN if one is.
template <class T>
WEFT_INLINE T largest(const T* x, Int n) {
  constexpr Int lanes = 32;
  T top = -infinity<T>;
  Int i = 0;
  if (n >= lanes) {
    T part[lanes];
    for (Int l = 0; l < lanes; ++l) part[l] = x[l];
    for (i = lanes; i + lanes <= n; i += lanes)
      for (Int l = 0; l < lanes; ++l) part[l] = math::max_nan(x[i + l], part[l]);
    for (Int l = 0; l < lanes; ++l) top = math::max_nan(part[l], top);
  }
  for (; i < n; ++i) top = math::max_nan(x[i], top);
  return top;
}

// Interleaved rows are worked on in groups of columns, all of them in step, so that memory is read along its lines.
constexpr Int group = 128;

/// One dense row.
template <class T>
WEFT_INLINE void softmax_row(T* out, const T* in, Int n, SoftmaxKind kind) {
  const T top = largest(in, n);
  if (kind == SoftmaxKind::softmax) {
    const double sum =
        sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return out[i] = math::exp_negative(in[i] - top); });
    const T factor = static_cast<T>(1.0 / sum);
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] *= factor;
  } else {
    const double sum = sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return math::exp_negative(in[i] - top); });
    const T shift = static_cast<T>(math::log(sum));
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = (in[i] - top) - shift;
  }
}

template <class T>
void softmax_columns(T* out, const T* in, Int n, Int columns, Int ld, SoftmaxKind kind);

/// Dense rows one after the other. Short ones are turned on their side, 32 at a time, so that each has a lane of its
/// own.
template <class T>
void softmax_rows(T* out, const T* in, Int n, Int rows, SoftmaxKind kind) {
  constexpr Int side = 32, longest = 48;
  if (n > longest) {
    for (Int r = 0; r < rows; ++r) softmax_row(out + r * n, in + r * n, n, kind);
    return;
  }
  T turned[longest * side];
  for (Int r = 0; r < rows; r += side) {
    const Int count = rows - r < side ? rows - r : side;
    const T* from = in + r * n;
    T* to = out + r * n;
    transpose_any(static_cast<T*>(turned), side, from, n, count, n);
    softmax_columns(turned, static_cast<const T*>(turned), n, count, side, kind);
    transpose_any(to, n, static_cast<const T*>(turned), side, n, count);
  }
}

template <class T>
void softmax(void* y, const void* x, Int n, Int columns, Int ld, SoftmaxKind kind) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  if (ld == 1) {
    softmax_rows(out, in, n, columns, kind);
  } else {
    softmax_columns(out, in, n, columns, ld, kind);
  }
}

template <class T>
void softmax_columns(T* out, const T* in, Int n, Int columns, Int ld, SoftmaxKind kind) {
  T top[group], sum[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    const T* from = in + j0;
    T* to = out + j0;
    for (Int j = 0; j < width; ++j) {
      top[j] = -infinity<T>;
      sum[j] = 0;
    }
    for (Int i = 0; i < n; ++i) {
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) top[j] = math::max_nan(from[i * ld + j], top[j]);
    }
    if (kind == SoftmaxKind::softmax) {
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) {
          const T e = math::exp_negative(from[i * ld + j] - top[j]);
          to[i * ld + j] = e;
          sum[j] += e;
        }
      }
      for (Int j = 0; j < width; ++j) sum[j] = T(1) / sum[j];
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) to[i * ld + j] *= sum[j];
      }
    } else {
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) sum[j] += math::exp_negative(from[i * ld + j] - top[j]);
      }
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) sum[j] = math::log(sum[j]);
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) to[i * ld + j] = (from[i * ld + j] - top[j]) - sum[j];
      }
    }
  }
}

template <class T>
WEFT_INLINE void softmax_grad_row(T* out, const T* g, const T* v, Int n, SoftmaxKind kind) {
  if (kind == SoftmaxKind::softmax) {
    const T sum = static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i] * v[i]; }));
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = v[i] * (g[i] - sum);
  } else {
    const T sum = static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i]; }));
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = g[i] - math::exp_negative(v[i]) * sum;
  }
}

template <class T>
void softmax_grad(void* dx, const void* dy, const void* y, Int n, Int columns, Int ld, SoftmaxKind kind) {
  T* out = static_cast<T*>(dx);
  const T* g = static_cast<const T*>(dy);
  const T* v = static_cast<const T*>(y);
  if (ld == 1) {
    for (Int r = 0; r < columns; ++r) softmax_grad_row(out + r * n, g + r * n, v + r * n, n, kind);
    return;
  }
  T sum[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    for (Int j = 0; j < width; ++j) sum[j] = 0;
    const T* gj = g + j0;
    const T* vj = v + j0;
    T* to = out + j0;
    if (kind == SoftmaxKind::softmax) {
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) sum[j] += gj[i * ld + j] * vj[i * ld + j];
      }
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) to[i * ld + j] = vj[i * ld + j] * (gj[i * ld + j] - sum[j]);
      }
    } else {
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) sum[j] += gj[i * ld + j];
      }
      for (Int i = 0; i < n; ++i) {
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) to[i * ld + j] = gj[i * ld + j] - math::exp_negative(vj[i * ld + j]) * sum[j];
      }
    }
  }
}

/// A largest element that is infinite is not subtracted (inf - inf would be NaN).
template <class T>
WEFT_INLINE T shift_of(T top) {
  return math::abs(top) == infinity<T> ? T(0) : top;
}
template <class T>
void logsumexp(void* y, const void* x, Int n, Int columns, Int ld) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  if (ld == 1) {
    for (Int r = 0; r < columns; ++r) {
      const T* row = in + r * n;
      const T shift = shift_of(largest(row, n));
      const double sum = sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return math::exp(row[i] - shift); });
      out[r] = static_cast<T>(math::log(sum) + static_cast<double>(shift));
    }
    return;
  }
  T top[group], sum[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    const T* from = in + j0;
    for (Int j = 0; j < width; ++j) {
      top[j] = -infinity<T>;
      sum[j] = 0;
    }
    for (Int i = 0; i < n; ++i) {
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) top[j] = math::max_nan(from[i * ld + j], top[j]);
    }
    for (Int j = 0; j < width; ++j) top[j] = shift_of(top[j]);
    for (Int i = 0; i < n; ++i) {
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) sum[j] += math::exp_negative(from[i * ld + j] - top[j]);
    }
    WEFT_SIMD
    for (Int j = 0; j < width; ++j) out[j0 + j] = math::log(sum[j]) + top[j];
  }
}

template <class T>
void cross_entropy_grad(void* dx, const void* log_probabilities, Int n, Int target, double factor) {
  T* out = static_cast<T*>(dx);
  const T* in = static_cast<const T*>(log_probabilities);
  const T f = static_cast<T>(factor);
  WEFT_SIMD
  for (Int i = 0; i < n; ++i) out[i] = f * math::exp(in[i]);
  out[target] = f * math::expm1(in[target]);  // exp - 1 without cancellation when the answer is nearly right
}

template <class T>
void layer_norm(void* y, void* mean, void* rstd, const void* x, const void* weight, const void* bias, Int rows, Int n,
                double eps) {
  const T* w = static_cast<const T*>(weight);
  const T* b = static_cast<const T*>(bias);
  for (Int r = 0; r < rows; ++r) {
    const T* in = static_cast<const T*>(x) + r * n;
    T* out = static_cast<T*>(y) + r * n;
    const T m =
        static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return in[i]; }) / static_cast<double>(n));
    // The second pass finds the row in the first-level cache; one pass with squares would cancel.
    const double squares = sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return (in[i] - m) * (in[i] - m); });
    const T s = static_cast<T>(1.0 / math::sqrt(squares / static_cast<double>(n) + eps));
    static_cast<T*>(mean)[r] = m;
    static_cast<T*>(rstd)[r] = s;
    if (w && b) {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = (in[i] - m) * s * w[i] + b[i];
    } else if (w) {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = (in[i] - m) * s * w[i];
    } else if (b) {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = (in[i] - m) * s + b[i];
    } else {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) out[i] = (in[i] - m) * s;
    }
  }
}

template <class T>
void layer_norm_grad(void* dx, double* dweight, double* dbias, const void* dy, const void* x, const void* mean,
                     const void* rstd, const void* weight, Int rows, Int n) {
  const T* w = static_cast<const T*>(weight);
  for (Int r = 0; r < rows; ++r) {
    const T* g = static_cast<const T*>(dy) + r * n;
    const T* in = static_cast<const T*>(x) + r * n;
    const T m = static_cast<const T*>(mean)[r], s = static_cast<const T*>(rstd)[r];
    if (dx) {
      // With v = dy * weight and h = (x - mean) * rstd:  dx = rstd * (v - mean(v) - h * mean(v * h)).
      T* out = static_cast<T*>(dx) + r * n;
      const double count = static_cast<double>(n);
      if (w) {
        const T a = static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i] * w[i]; }) / count);
        const T c = static_cast<T>(
            sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i] * w[i] * ((in[i] - m) * s); }) / count);
        WEFT_SIMD
        for (Int i = 0; i < n; ++i) out[i] = s * (g[i] * w[i] - a - (in[i] - m) * s * c);
      } else {
        const T a = static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i]; }) / count);
        const T c =
            static_cast<T>(sum_runs<T>(n, [&](Int i) WEFT_INLINE_LAMBDA { return g[i] * ((in[i] - m) * s); }) / count);
        WEFT_SIMD
        for (Int i = 0; i < n; ++i) out[i] = s * (g[i] - a - (in[i] - m) * s * c);
      }
    }
    if (dweight) {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) dweight[i] += static_cast<double>(g[i] * ((in[i] - m) * s));
    }
    if (dbias) {
      WEFT_SIMD
      for (Int i = 0; i < n; ++i) dbias[i] += static_cast<double>(g[i]);
    }
  }
}

template <class T>
void install_type(KernelTable& t, int i) {
  t.softmax[i] = softmax<T>;
  t.softmax_grad[i] = softmax_grad<T>;
  t.logsumexp[i] = logsumexp<T>;
  t.cross_entropy_grad[i] = cross_entropy_grad<T>;
  t.layer_norm[i] = layer_norm<T>;
  t.layer_norm_grad[i] = layer_norm_grad<T>;
}

}  // namespace

void WEFT_LEVELED(install_rows)(KernelTable& t) {
  install_type<float>(t, 0);
  install_type<double>(t, 1);
}

}  // namespace weft::kernels
