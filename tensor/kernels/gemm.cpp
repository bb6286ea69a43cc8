#include <weft/tensor/kernels/small_gemm.h>

/// Matrix products, blocked for the caches as Goto and van de Geijn (2008) describe: a block of b is packed into panels
/// of two vectors' width, a block of a into tiles of the register tile's height, and the tile runs over both.
namespace weft::kernels {
namespace {

/// a's block in tiles of `tile_rows`: element (r, p) of a tile at p * tile_rows + r; missing rows are not read.
template <class T>
void pack_rows(T* to, const T* a, Int row_a, Int column_a, Int rows, Int k) {
  constexpr Int height = small::tile_rows;
  for (Int i = 0; i < rows; i += height, to += height * k) {
    const Int count = rows - i < height ? rows - i : height;
    const T* from = a + i * row_a;
    if (column_a == 1) {
      transpose_any(to, height, from, row_a, count, k);
    } else {
      for (Int p = 0; p < k; ++p)
        for (Int r = 0; r < count; ++r) to[p * height + r] = from[r * row_a + p * column_a];
    }
  }
}

/// One packed block of a times one of b.
template <class T, bool Add>
void block_product(T* c, Int ld_c, const T* a, const T* b, Int rows, Int columns, Int k, const T* bias) {
  constexpr Int height = small::tile_rows, lanes = Vector<T>::lanes, width = 2 * lanes;
  for (Int j = 0; j < columns; j += width) {
    const Int count = columns - j < width ? columns - j : width;
    const T* panel = b + j * k;
    const T* add = bias ? bias + j : nullptr;
    for (Int i = 0; i < rows; i += height) {
      const Int some = rows - i < height ? rows - i : height;
      const T* tile = a + i * k;
      T* to = c + i * ld_c + j;
      if (count > lanes)
        small::panel_product<T, 2, Add>(to, ld_c, tile, 1, height, panel, width, some, k, add, count);
      else
        small::panel_product<T, 1, Add>(to, ld_c, tile, 1, height, panel, width, some, k, add, count);
    }
  }
}

template <class T>
void blocked(T* c, Int ld_c, const T* a, Int row_a, Int column_a, const T* b, Int row_b, Int column_b, Int m, Int n,
             Int k, const T* bias, T* scratch) {
  constexpr Int width = 2 * Vector<T>::lanes;
  T* packed_a = scratch;
  T* packed_b = scratch + (gemm_rows + 8) * gemm_depth;
  for (Int j = 0; j < n; j += gemm_columns) {
    const Int columns = n - j < gemm_columns ? n - j : gemm_columns;
    for (Int p = 0; p < k; p += gemm_depth) {
      const Int depth = k - p < gemm_depth ? k - p : gemm_depth;
      for (Int q = 0; q < columns; q += width)
        small::pack(packed_b + q * depth, width, b + p * row_b + (j + q) * column_b, row_b, column_b, depth,
                    columns - q < width ? columns - q : width);
      for (Int i = 0; i < m; i += gemm_rows) {
        const Int rows = m - i < gemm_rows ? m - i : gemm_rows;
        pack_rows(packed_a, a + i * row_a + p * column_a, row_a, column_a, rows, depth);
        T* to = c + i * ld_c + j;
        if (p == 0)
          block_product<T, false>(to, ld_c, packed_a, packed_b, rows, columns, depth, bias ? bias + j : nullptr);
        else
          block_product<T, true>(to, ld_c, packed_a, packed_b, rows, columns, depth, nullptr);
      }
    }
  }
}

template <class T>
void gemm(void* c, Int ld_c, const void* a, Int row_a, Int column_a, const void* b, Int row_b, Int column_b, Int m,
          Int n, Int k, const void* bias, void* scratch) {
  T* y = static_cast<T*>(c);
  const T* x = static_cast<const T*>(a);
  const T* w = static_cast<const T*>(b);
  const T* add = static_cast<const T*>(bias);
  if (m <= small::few_rows && column_a == 1 && row_b == 1)
    small::inner_products<T>(y, ld_c, x, row_a, w, column_b, m, n, k, add);
  else if (scratch)
    blocked<T>(y, ld_c, x, row_a, column_a, w, row_b, column_b, m, n, k, add, static_cast<T*>(scratch));
  else
    small::multiply<T>(y, ld_c, x, row_a, column_a, w, row_b, column_b, m, n, k, add);
}

}  // namespace

void WEFT_LEVELED(install_gemm)(KernelTable& t) {
  t.gemm[0] = gemm<float>;
  t.gemm[1] = gemm<double>;
}

}  // namespace weft::kernels
