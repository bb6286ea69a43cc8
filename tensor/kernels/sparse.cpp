#include <weft/tensor/kernels/tile.h>

/// Loops over the entries of compressed rows. A row is summed by one thread in the order of its entries.
namespace weft::kernels {
namespace {

template <class T>
using V = typename Vector<T>::type;
template <class T>
WEFT_INLINE V<T> load(const T* from) {
  return *reinterpret_cast<const typename Vector<T>::memory*>(from);
}
template <class T>
WEFT_INLINE void store(T* to, V<T> v) {
  *reinterpret_cast<typename Vector<T>::memory*>(to) = v;
}

/// What the numbers of one row are made from: `count` vectors (0: part of one) beginning at x, rows of x being
/// `row_step` numbers apart; weights at w, `entry_step` apart.
template <class T, bool weighted, int count>
WEFT_INLINE void weighted_sum(T* y, const T* x, Int row_step, const T* w, Int entry_step, const SparseRows& r,
                              Int begin, Int end, [[maybe_unused]] Int part) {
  constexpr int n = count ? count : 1;
  constexpr Int lanes = Vector<T>::lanes;
  V<T> sums[static_cast<unsigned>(n)] = {};
  for (Int p = begin; p < end; ++p) {
    const T* from = x + r.others[p] * row_step;
    V<T> factor = {};
    if constexpr (weighted) factor += w[r.entries[p] * entry_step];
#pragma GCC unroll 4
    for (int k = 0; k < n; ++k) {
      const V<T> v = count ? load(from + k * lanes) : load_some<V<T>>(from, part);
      if constexpr (weighted)
        sums[k] += factor * v;
      else
        sums[k] += v;
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < n; ++k) {
    if constexpr (count)
      store(y + k * lanes, sums[k]);
    else
      store_some(y, sums[k], part);
  }
}

template <class T, bool weighted>
void sum_rows(T* y, const T* x, const T* weight, const SparseRows& r, Int first, Int last, Int heads, Int width) {
  constexpr Int lanes = Vector<T>::lanes;
  const Int row = heads * width;
  for (Int i = first; i < last; ++i) {
    const Int begin = r.offsets[i], end = r.offsets[i + 1];
    for (Int h = 0; h < heads; ++h) {
      T* to = y + i * row + h * width;
      const T* from = x + h * width;
      const T* w = weighted ? weight + h : nullptr;
      Int j = 0;
      for (; j + 4 * lanes <= width; j += 4 * lanes)
        weighted_sum<T, weighted, 4>(to + j, from + j, row, w, heads, r, begin, end, 0);
      for (; j + lanes <= width; j += lanes)
        weighted_sum<T, weighted, 1>(to + j, from + j, row, w, heads, r, begin, end, 0);
      if (j < width) weighted_sum<T, weighted, 0>(to + j, from + j, row, w, heads, r, begin, end, width - j);
    }
  }
}

template <class T>
void sparse_rows(void* y, const void* x, const void* weight, const SparseRows& r, Int first, Int last, Int heads,
                 Int width) {
  if (weight)
    sum_rows<T, true>(static_cast<T*>(y), static_cast<const T*>(x), static_cast<const T*>(weight), r, first, last,
                      heads, width);
  else
    sum_rows<T, false>(static_cast<T*>(y), static_cast<const T*>(x), nullptr, r, first, last, 1, heads * width);
}

template <class T>
void sparse_dots(void* result, const void* left, const void* right, const Int* rows, const Int* columns, Int n,
                 Int heads, Int width) {
  constexpr Int lanes = Vector<T>::lanes;
  T* y = static_cast<T*>(result);
  for (Int e = 0; e < n; ++e)
    for (Int h = 0; h < heads; ++h) {
      const T* a = static_cast<const T*>(left) + (rows[e] * heads + h) * width;
      const T* b = static_cast<const T*>(right) + (columns[e] * heads + h) * width;
      V<T> sums = {};
      Int j = 0;
      for (; j + lanes <= width; j += lanes) sums += load(a + j) * load(b + j);
      if (j < width) sums += load_some<V<T>>(a + j, width - j) * load_some<V<T>>(b + j, width - j);
      T total = 0;
      for (int k = 0; k < static_cast<int>(lanes); ++k) total += sums[k];
      y[e * heads + h] = total;
    }
}

template <class T>
void sparse_max(void* result, const void* numbers, const SparseRows& r, Int first, Int last, Int width) {
  constexpr Int lanes = Vector<T>::lanes;
  const T* x = static_cast<const T*>(numbers);
  for (Int i = first; i < last; ++i) {
    T* y = static_cast<T*>(result) + i * width;
    const Int begin = r.offsets[i], end = r.offsets[i + 1];
    for (Int j = 0; j < width; j += lanes) {
      const Int part = width - j < lanes ? width - j : lanes;
      V<T> best = {};
      for (Int p = begin; p < end; ++p) {
        const T* from = x + r.others[p] * width + j;
        const V<T> v = part == lanes ? load(from) : load_some<V<T>>(from, part);
        best = p == begin ? v : (((v > best) | (v != v)) ? v : best);  // NaN stays: nothing is larger
      }
      if (part == lanes)
        store(y + j, best);
      else
        store_some(y + j, best, part);
    }
  }
}

}  // namespace

void WEFT_LEVELED(install_sparse)(KernelTable& t) {
  t.sparse_rows[0] = sparse_rows<float>;
  t.sparse_rows[1] = sparse_rows<double>;
  t.sparse_dots[0] = sparse_dots<float>;
  t.sparse_dots[1] = sparse_dots<double>;
  t.sparse_max[0] = sparse_max<float>;
  t.sparse_max[1] = sparse_max<double>;
}

}  // namespace weft::kernels
