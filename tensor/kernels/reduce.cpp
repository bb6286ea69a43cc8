#include <weft/tensor/kernels/math.h>

namespace weft::kernels {
namespace {

/// Where partial results are kept: double for floats, so that a sum of blocks adds no error of note.
template <class T>
struct WideOf {
  using type = double;
};
template <>
struct WideOf<Int> {
  using type = Int;
};
template <class T>
using Wide = typename WideOf<T>::type;

// An operation: its start value, how an element joins (in type W), and how two partial results join.
struct Sum {
  template <class W>
  WEFT_INLINE static W start() {
    return W(0);
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return merge(a, static_cast<W>(x));
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    if constexpr (is_float<W>)
      return a + b;
    else
      return wrap_add(a, b);
  }
};
struct SumOfSquares : Sum {
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    const W v = static_cast<W>(x);
    if constexpr (is_float<W>)
      return a + v * v;
    else
      return wrap_add(a, wrap_mul(v, v));
  }
};
struct Product {
  template <class W>
  WEFT_INLINE static W start() {
    return W(1);
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return merge(a, static_cast<W>(x));
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    if constexpr (is_float<W>)
      return a * b;
    else
      return wrap_mul(a, b);
  }
};
template <class W>
constexpr W lowest = static_cast<W>(-__builtin_inf());
template <>
constexpr Int lowest<Int> = -0x7fffffffffffffff - 1;
template <class W>
constexpr W highest = static_cast<W>(__builtin_inf());
template <>
constexpr Int highest<Int> = 0x7fffffffffffffff;
struct Max {
  template <class W>
  WEFT_INLINE static W start() {
    return lowest<W>;
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return merge(a, static_cast<W>(x));
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    return math::max_nan(b, a);
  }
};
struct Min {
  template <class W>
  WEFT_INLINE static W start() {
    return highest<W>;
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return merge(a, static_cast<W>(x));
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    return math::min_nan(b, a);
  }
};
struct Any {
  template <class W>
  WEFT_INLINE static W start() {
    return W(0);
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return x != T(0) ? W(1) : a;
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    return b != W(0) ? b : a;
  }
};
struct All {
  template <class W>
  WEFT_INLINE static W start() {
    return W(1);
  }
  template <class W, class T>
  WEFT_INLINE static W join(W a, T x) {
    return x == T(0) ? W(0) : a;
  }
  template <class W>
  WEFT_INLINE static W merge(W a, W b) {
    return b == W(0) ? b : a;
  }
};

// Rows are reduced in runs: 64 accumulators of the element type over at most 32 elements each, then
// a tree, then the runs in the wide type. The error of a float32 sum stays at a few roundings.
constexpr Int lanes = 64;
constexpr Int run = 32 * lanes;

template <class Op, class T>
void reduce_row(void* result, const void* x, Int n) {
  using W = Wide<T>;
  const T* in = static_cast<const T*>(x);
  W total = Op::template start<W>();
  Int i = 0;
  while (n - i >= lanes) {
    const Int end = n - i < run ? i + (n - i) / lanes * lanes : i + run;
    T part[lanes];
    for (Int l = 0; l < lanes; ++l) part[l] = Op::template start<T>();
    for (; i < end; i += lanes)
      for (Int l = 0; l < lanes; ++l) part[l] = Op::join(part[l], in[i + l]);
    for (Int width = lanes / 2; width > 0; width /= 2)
      for (Int l = 0; l < width; ++l) part[l] = Op::merge(part[l], part[l + width]);
    total = Op::merge(total, static_cast<W>(part[0]));
  }
  for (; i < n; ++i) total = Op::join(total, in[i]);
  *static_cast<W*>(result) = total;
}
/// Widened at once: products of float32, which would leave its range on the way.
template <class Op, class T>
void reduce_row_wide(void* result, const void* x, Int n) {
  using W = Wide<T>;
  const T* in = static_cast<const T*>(x);
  constexpr Int width = 16;
  W part[width];
  for (Int l = 0; l < width; ++l) part[l] = Op::template start<W>();
  Int i = 0;
  for (; i + width <= n; i += width)
    for (Int l = 0; l < width; ++l) part[l] = Op::join(part[l], in[i + l]);
  W total = Op::template start<W>();
  for (Int l = 0; l < width; ++l) total = Op::merge(total, part[l]);
  for (; i < n; ++i) total = Op::join(total, in[i]);
  *static_cast<W*>(result) = total;
}

/// Many rows of n, `ld` apart. Short ones are taken side by side, one lane each.
template <class Op, class T>
void reduce_rows(void* result, const void* x, Int rows, Int n, Int ld) {
  using W = Wide<T>;
  W* out = static_cast<W*>(result);
  const T* in = static_cast<const T*>(x);
  if (n >= lanes) {
    for (Int r = 0; r < rows; ++r) reduce_row<Op, T>(out + r, in + r * ld, n);
    return;
  }
  constexpr Int side = 32;
  for (Int r = 0; r < rows; r += side) {
    const Int count = rows - r < side ? rows - r : side;
    T part[side];
    for (Int l = 0; l < side; ++l) part[l] = Op::template start<T>();
    for (Int i = 0; i < n; ++i) {
      const T* from = in + r * ld + i;
      WEFT_SIMD
      for (Int l = 0; l < count; ++l) part[l] = Op::join(part[l], from[l * ld]);
    }
    for (Int l = 0; l < count; ++l) out[r + l] = static_cast<W>(part[l]);
  }
}
template <class Op, class T>
void reduce_rows_wide(void* result, const void* x, Int rows, Int n, Int ld) {
  for (Int r = 0; r < rows; ++r)
    reduce_row_wide<Op, T>(static_cast<Wide<T>*>(result) + r, static_cast<const T*>(x) + r * ld, n);
}

/// Columns in groups whose accumulators stay in the first-level cache; rows in runs of 64 that are
/// widened at their end.
template <class Op, class T>
void reduce_columns(void* result, const void* x, Int rows, Int columns, Int ld) {
  using W = Wide<T>;
  W* out = static_cast<W*>(result);
  const T* in = static_cast<const T*>(x);
  constexpr Int group = 512, height = 64;
  T part[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    for (Int j = 0; j < width; ++j) out[j0 + j] = Op::template start<W>();
    for (Int i0 = 0; i0 < rows; i0 += height) {
      const Int end = rows - i0 < height ? rows : i0 + height;
      for (Int j = 0; j < width; ++j) part[j] = Op::template start<T>();
      Int i = i0;
      for (; i + 4 <= end; i += 4) {  // four rows at a time: one load and store of `part` for four additions
        const T* a = in + i * ld + j0;
        const T* b = a + ld;
        const T* c = b + ld;
        const T* d = c + ld;
        WEFT_SIMD
        for (Int j = 0; j < width; ++j)
          part[j] = Op::join(Op::join(Op::join(Op::join(part[j], a[j]), b[j]), c[j]), d[j]);
      }
      for (; i < end; ++i) {
        const T* a = in + i * ld + j0;
        WEFT_SIMD
        for (Int j = 0; j < width; ++j) part[j] = Op::join(part[j], a[j]);
      }
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) out[j0 + j] = Op::merge(out[j0 + j], static_cast<W>(part[j]));
    }
  }
}
template <class Op, class T>
void reduce_columns_wide(void* result, const void* x, Int rows, Int columns, Int ld) {
  using W = Wide<T>;
  W* out = static_cast<W*>(result);
  const T* in = static_cast<const T*>(x);
  for (Int j = 0; j < columns; ++j) out[j] = Op::template start<W>();
  for (Int i = 0; i < rows; ++i) {
    const T* a = in + i * ld;
    WEFT_SIMD
    for (Int j = 0; j < columns; ++j) out[j] = Op::join(out[j], a[j]);
  }
}

/// a stands before b: larger (smaller) or NaN; equal ones keep the first.
template <bool Largest, class T>
WEFT_INLINE bool better(T a, T b) {
  if constexpr (Largest)
    return (a > b) | ((a != a) & (b == b));
  else
    return (a < b) | ((a != a) & (b == b));
}
template <bool Largest, class T>
void arg_columns(Int* index, const void* x, Int n, Int columns, Int ld) {
  const T* in = static_cast<const T*>(x);
  if (columns == 1 && ld == 1) {
    // The value first (vectorised), then its place.
    Wide<T> best;
    if constexpr (Largest)
      reduce_row<Max, T>(&best, in, n);
    else
      reduce_row<Min, T>(&best, in, n);
    const T wanted = static_cast<T>(best);
    const bool any = wanted != wanted;
    Int i = 0;
    for (; i + lanes <= n; i += lanes) {  // blocks without it are passed over
      int found = 0;
      for (Int l = 0; l < lanes; ++l) found |= (in[i + l] == wanted) | (any & (in[i + l] != in[i + l]));
      if (found) break;
    }
    if (any)
      while (i < n && in[i] == in[i]) ++i;
    else
      while (i < n && in[i] != wanted) ++i;
    *index = i;
    return;
  }
  constexpr Int group = 256;
  T best[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    for (Int j = 0; j < width; ++j) {
      best[j] = in[j0 + j];
      index[j0 + j] = 0;
    }
    for (Int i = 1; i < n; ++i) {
      const T* row = in + i * ld + j0;
      Int* at = index + j0;
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) {
        const T v = row[j], b = best[j];
        const bool take = better<Largest>(v, b);
        best[j] = take ? v : b;
        at[j] = take ? i : at[j];
      }
    }
  }
}

template <class T>
void cumsum(void* y, const void* x, Int n, Int columns) {
  using W = Wide<T>;
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  if (columns == 1) {
    W sum = W(0);
    for (Int i = 0; i < n; ++i) {
      sum = Sum::join(sum, in[i]);
      out[i] = static_cast<T>(sum);
    }
    return;
  }
  constexpr Int group = 256;
  W sum[group];
  for (Int j0 = 0; j0 < columns; j0 += group) {
    const Int width = columns - j0 < group ? columns - j0 : group;
    for (Int j = 0; j < width; ++j) sum[j] = W(0);
    for (Int i = 0; i < n; ++i) {
      const T* from = in + i * columns + j0;
      T* to = out + i * columns + j0;
      WEFT_SIMD
      for (Int j = 0; j < width; ++j) {
        sum[j] = Sum::join(sum[j], from[j]);
        to[j] = static_cast<T>(sum[j]);
      }
    }
  }
}

template <class Op>
void install_one(KernelTable& t, Reduce op) {
  const int i = static_cast<int>(op);
  t.reduce_rows[i][0] = reduce_rows<Op, float>;
  t.reduce_rows[i][1] = reduce_rows<Op, double>;
  t.reduce_rows[i][2] = reduce_rows<Op, Int>;
  t.reduce_columns[i][0] = reduce_columns<Op, float>;
  t.reduce_columns[i][1] = reduce_columns<Op, double>;
  t.reduce_columns[i][2] = reduce_columns<Op, Int>;
}

}  // namespace

void WEFT_LEVELED(install_reduce)(KernelTable& t) {
  install_one<Sum>(t, Reduce::sum);
  install_one<Sum>(t, Reduce::mean);
  install_one<Product>(t, Reduce::prod);
  t.reduce_rows[static_cast<int>(Reduce::prod)][0] = reduce_rows_wide<Product, float>;
  t.reduce_columns[static_cast<int>(Reduce::prod)][0] = reduce_columns_wide<Product, float>;
  install_one<Max>(t, Reduce::max);
  install_one<Min>(t, Reduce::min);
  install_one<Any>(t, Reduce::any);
  install_one<All>(t, Reduce::all);
  install_one<SumOfSquares>(t, Reduce::sum_of_squares);
  t.arg_columns[0][0] = arg_columns<true, float>;
  t.arg_columns[0][1] = arg_columns<true, double>;
  t.arg_columns[0][2] = arg_columns<true, Int>;
  t.arg_columns[1][0] = arg_columns<false, float>;
  t.arg_columns[1][1] = arg_columns<false, double>;
  t.arg_columns[1][2] = arg_columns<false, Int>;
  t.cumsum[0] = cumsum<float>;
  t.cumsum[1] = cumsum<double>;
  t.cumsum[2] = cumsum<Int>;
}

}  // namespace weft::kernels
