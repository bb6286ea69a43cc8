#pragma once
#include <utility>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <weft/tensor/kernels/common.h>

/// Vectors of the level's width, and transposing square tiles of them in registers.
namespace weft::kernels {
namespace {

#if defined(__AVX512F__)
constexpr Int widest = 64;
#elif defined(__AVX__)
constexpr Int widest = 32;
#else
constexpr Int widest = 16;
#endif

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(widest), may_alias));
  // What lies in memory may begin at any element. Only for loads and stores: g++ 12 spills variables of such a type as
  // if they were aligned.
  typedef T memory __attribute__((vector_size(widest), aligned(alignof(T)), may_alias));
  static constexpr Int lanes = widest / static_cast<Int>(sizeof(T));
};

#if defined(__AVX__) && !defined(__AVX512F__)
/// All bits set in the first `count` of eight 32-bit lanes.
WEFT_INLINE __m256i first_lanes(Int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif
/// Stores the first `count` elements (0 to all of them).
template <class T, class V>
WEFT_INLINE void store_some(T* to, V v, Int count) {
#if defined(__AVX512F__)
  const auto mask = (1U << count) - 1U;
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), __builtin_bit_cast(__m512, v));
  else
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), __builtin_bit_cast(__m512d, v));
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4)
    _mm256_maskstore_ps(reinterpret_cast<float*>(to), first_lanes(count), __builtin_bit_cast(__m256, v));
  else
    _mm256_maskstore_pd(reinterpret_cast<double*>(to), first_lanes(2 * count), __builtin_bit_cast(__m256d, v));
#else
  alignas(64) T elements[static_cast<unsigned>(Vector<T>::lanes)];
  *reinterpret_cast<V*>(elements) = v;
  for (Int j = 0; j < count; ++j) to[j] = elements[j];
#endif
}
/// Loads as many, the rest zero.
template <class V, class T>
WEFT_INLINE V load_some(const T* from, Int count) {
#if defined(__AVX512F__)
  const auto mask = (1U << count) - 1U;
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<V>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from));
  else
    return reinterpret_cast<V>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), from));
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4)
    return reinterpret_cast<V>(_mm256_maskload_ps(reinterpret_cast<const float*>(from), first_lanes(count)));
  else
    return reinterpret_cast<V>(_mm256_maskload_pd(reinterpret_cast<const double*>(from), first_lanes(2 * count)));
#else
  alignas(64) T elements[static_cast<unsigned>(Vector<T>::lanes)] = {};
  for (Int j = 0; j < count; ++j) elements[j] = from[j];
  return *reinterpret_cast<const V*>(elements);
#endif
}

/// A square tile held in vector registers: N vectors of N elements.
template <class T>
struct Tile {
  static constexpr Int bytes = sizeof(T) < 4 ? 16 : widest;
  static constexpr int n = static_cast<int>(bytes) / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(bytes), may_alias));
  typedef T Memory __attribute__((vector_size(bytes), aligned(alignof(T)), may_alias));  // see Vector

  template <int... I>
  WEFT_INLINE static V low(V a, V b, std::integer_sequence<int, I...>) {  // a0 b0 a1 b1 ...
    return __builtin_shufflevector(a, b, (I / 2 + I % 2 * n)...);
  }
  template <int... I>
  WEFT_INLINE static V high(V a, V b, std::integer_sequence<int, I...>) {  // the same of the upper halves
    return __builtin_shufflevector(a, b, (n / 2 + I / 2 + I % 2 * n)...);
  }
  /// Interleaving rows i and i + N/2 rotates the bits of (row, column) by one; after log2 N rounds
  /// row and column have changed places.
  WEFT_INLINE static void turn(V (&rows)[static_cast<unsigned>(n)]) {
    V turned[static_cast<unsigned>(n)];
#pragma GCC unroll 4
    for (int round = 1; round < n; round *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < n / 2; ++i) {
        turned[2 * i] = low(rows[i], rows[i + n / 2], std::make_integer_sequence<int, n>());
        turned[2 * i + 1] = high(rows[i], rows[i + n / 2], std::make_integer_sequence<int, n>());
      }
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) rows[i] = turned[i];
    }
  }
  /// out[j * ld_y + i] = in[i * ld_x + j] for a whole tile.
  WEFT_INLINE static void transpose(T* out, Int ld_y, const T* in, Int ld_x) {
    V rows[static_cast<unsigned>(n)];
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = *reinterpret_cast<const Memory*>(in + i * ld_x);
    turn(rows);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) *reinterpret_cast<Memory*>(out + i * ld_y) = rows[i];
  }
  /// The same for a part of one: no more than N rows and columns.
  WEFT_INLINE static void transpose_part(T* out, Int ld_y, const T* in, Int ld_x, Int height, Int width) {
    V rows[static_cast<unsigned>(n)];
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = i < height ? load_some<V>(in + i * ld_x, width) : V{};
    turn(rows);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i)
      if (i < width) store_some(out + i * ld_y, rows[i], height);
  }
};

/// out[j * ld_y + i] = in[i * ld_x + j] for any numbers of rows and columns of 4- or 8-byte elements.
template <class T>
[[maybe_unused]] void transpose_any(T* out, Int ld_y, const T* in, Int ld_x, Int rows, Int columns) {
  constexpr Int n = Tile<T>::n;
  for (Int i = 0; i < rows; i += n)
    for (Int j = 0; j < columns; j += n) {
      const Int height = rows - i, width = columns - j;
      if (height >= n && width >= n)
        Tile<T>::transpose(out + j * ld_y + i, ld_y, in + i * ld_x + j, ld_x);
      else
        Tile<T>::transpose_part(out + j * ld_y + i, ld_y, in + i * ld_x + j, ld_x, height < n ? height : n,
                                width < n ? width : n);
    }
}

}  // namespace
}  // namespace weft::kernels
