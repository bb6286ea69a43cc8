#pragma once
#include <weft/tensor/kernels/tile.h>

/// The register tile of all products, and products small enough to need no blocking for the caches: the tile runs along
/// a panel of b that is packed on the stack unless it lies ready.
namespace weft::kernels {
namespace {
namespace small {

#if defined(__AVX512F__)
constexpr int tile_rows = 8;
#else
constexpr int tile_rows = 6;
#endif

/// A packed panel takes 64 KiB of stack at most.
constexpr Int most_inner = gemm_small_depth;

/// Rows x (one or two vectors) of c = a b (+ bias), or c += a b: row r of a at a + r * row_a, rows of the panel ld_b
/// apart. The sums over k run in order, each in one accumulator, so an element does not depend on its neighbours.
template <class T, int Rows, int Vectors, bool Add = false>
WEFT_INLINE void tile(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* b, Int ld_b, Int k, const T* bias,
                      Int columns) {
  using V = typename Vector<T>::type;
  using Memory = typename Vector<T>::memory;
  constexpr Int lanes = Vector<T>::lanes;
  V sum[static_cast<unsigned>(Rows)][static_cast<unsigned>(Vectors)];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) sum[r][v] = V{};
  for (Int p = 0; p < k; ++p) {
    V right[static_cast<unsigned>(Vectors)];
    for (int v = 0; v < Vectors; ++v) right[v] = *reinterpret_cast<const Memory*>(b + p * ld_b + v * lanes);
    const T* left = a + p * column_a;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
      for (int v = 0; v < Vectors; ++v) sum[r][v] += left[r * row_a] * right[v];
  }
  const Int last = columns - (Vectors - 1) * lanes;
  for (int v = 0; v < Vectors; ++v) {
    const bool whole = v + 1 < Vectors || last == lanes;
    if constexpr (Add) {
      for (int r = 0; r < Rows; ++r) {
        const T* old = c + r * ld_c + v * lanes;
        sum[r][v] += whole ? *reinterpret_cast<const Memory*>(old) : load_some<V>(old, last);
      }
    }
    if (bias) {
      const V add = whole ? *reinterpret_cast<const Memory*>(bias + v * lanes) : load_some<V>(bias + v * lanes, last);
      for (int r = 0; r < Rows; ++r) sum[r][v] += add;
    }
    if (whole) {
      for (int r = 0; r < Rows; ++r) *reinterpret_cast<Memory*>(c + r * ld_c + v * lanes) = sum[r][v];
    } else {
      for (int r = 0; r < Rows; ++r) store_some(c + r * ld_c + v * lanes, sum[r][v], last);
    }
  }
}

template <class T, int Vectors, bool Add = false>
WEFT_INLINE void panel_product(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* b, Int ld_b, Int m, Int k,
                               const T* bias, Int columns) {
  Int i = 0;
  for (; i + tile_rows <= m; i += tile_rows)
    tile<T, tile_rows, Vectors, Add>(c + i * ld_c, ld_c, a + i * row_a, row_a, column_a, b, ld_b, k, bias, columns);
  for (; i + 3 <= m; i += 3)
    tile<T, 3, Vectors, Add>(c + i * ld_c, ld_c, a + i * row_a, row_a, column_a, b, ld_b, k, bias, columns);
  for (; i < m; ++i)
    tile<T, 1, Vectors, Add>(c + i * ld_c, ld_c, a + i * row_a, row_a, column_a, b, ld_b, k, bias, columns);
}

/// Copies k x columns of b into rows of `width`, the rest of each row zero.
template <class T>
WEFT_INLINE void pack(T* to, Int width, const T* b, Int row_b, Int column_b, Int k, Int columns) {
  using V = typename Vector<T>::type;
  using Memory = typename Vector<T>::memory;
  constexpr Int lanes = Vector<T>::lanes;
  if (column_b == 1) {
    if (columns == width) {
      for (Int p = 0; p < k; ++p)
        for (Int q = 0; q < width; q += lanes)
          *reinterpret_cast<Memory*>(to + p * width + q) = *reinterpret_cast<const Memory*>(b + p * row_b + q);
      return;
    }
    for (Int p = 0; p < k; ++p)
      for (Int q = 0; q < width; q += lanes) {
        const Int left = columns - q < lanes ? columns - q : lanes;
        *reinterpret_cast<Memory*>(to + p * width + q) = load_some<V>(b + p * row_b + q, left > 0 ? left : 0);
      }
    return;
  }
  if (row_b == 1) {
    transpose_any(to, width, b, column_b, columns, k);
  } else {
    for (Int p = 0; p < k; ++p)
      for (Int q = 0; q < columns; ++q) to[p * width + q] = b[p * row_b + q * column_b];
  }
  for (Int p = 0; p < k; ++p)
    for (Int q = columns; q < width; ++q) to[p * width + q] = T(0);
}

template <class T>
void multiply(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* b, Int row_b, Int column_b, Int m, Int n,
              Int k, const T* bias) {
  constexpr Int lanes = Vector<T>::lanes;
  alignas(64) T packed[static_cast<unsigned>(most_inner * 2 * lanes)];
  for (Int j = 0; j < n; j += 2 * lanes) {
    const Int columns = n - j < 2 * lanes ? n - j : 2 * lanes;
    const Int width = columns > lanes ? 2 * lanes : lanes;
    const T* panel = b + j * column_b;
    Int ld = row_b;
    if (column_b != 1 || columns < width) {
      pack(static_cast<T*>(packed), width, panel, row_b, column_b, k, columns);
      panel = packed;
      ld = width;
    }
    const T* add = bias ? bias + j : nullptr;
    if (width == lanes)
      panel_product<T, 1>(c + j, ld_c, a, row_a, column_a, panel, ld, m, k, add, columns);
    else
      panel_product<T, 2>(c + j, ld_c, a, row_a, column_a, panel, ld, m, k, add, columns);
  }
}

/// Up to so many rows, inner products straight along a transposed b beat packing it.
constexpr Int few_rows = 4;

/// c = a b (+ bias) where both run along k in memory, the columns of b ld_b apart: as many inner products at a time as
/// a vector has lanes, whose partial sums change places with their lanes at the end.
template <class T>
void inner_products(T* c, Int ld_c, const T* a, Int row_a, const T* b, Int ld_b, Int m, Int n, Int k, const T* bias) {
  using V = typename Tile<T>::V;
  using Memory = typename Tile<T>::Memory;
  constexpr int lanes = Tile<T>::n;
  const Int whole = k / lanes * lanes;
  for (Int j = 0; j < n; j += lanes) {
    const Int columns = n - j < lanes ? n - j : lanes;
    const T* column[static_cast<unsigned>(lanes)];  // missing ones stand for the last
    for (int q = 0; q < lanes; ++q) column[q] = b + (j + (q < columns ? q : columns - 1)) * ld_b;
    for (Int i = 0; i < m; ++i) {
      const T* row = a + i * row_a;
      V sums[static_cast<unsigned>(lanes)] = {};
      for (Int p = 0; p < whole; p += lanes) {
        const V v = *reinterpret_cast<const Memory*>(row + p);
#pragma GCC unroll 16
        for (int q = 0; q < lanes; ++q) sums[q] += v * *reinterpret_cast<const Memory*>(column[q] + p);
      }
      if (whole < k) {
        const V v = load_some<V>(row + whole, k - whole);
#pragma GCC unroll 16
        for (int q = 0; q < lanes; ++q) sums[q] += v * load_some<V>(column[q] + whole, k - whole);
      }
      Tile<T>::turn(sums);
#pragma GCC unroll 4
      for (int half = lanes / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int q = 0; q < half; ++q) sums[q] += sums[q + half];
      if (bias) sums[0] += load_some<V>(bias + j, columns);
      store_some(c + i * ld_c + j, sums[0], columns);
    }
  }
}

}  // namespace small
}  // namespace
}  // namespace weft::kernels
