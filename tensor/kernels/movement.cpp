#include <weft/tensor/kernels/tile.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weft::kernels {
namespace {

/// Conversion of one number. Floats outside an integer type's range go to its ends on the way to
/// int32 or int64 (then wrap, as integers do); NaN becomes 0. Anything but zero is true.
template <class Y, class X>
struct Convert {
  WEFT_INLINE static Y apply(X x) {
    if constexpr (is_float<X> && sizeof(Y) == 8 && !is_float<Y>) {
      const double v = static_cast<double>(x);
      const double low = v < -9223372036854775808.0 ? -9223372036854775808.0 : v;
      const double high = low > 9223372036854774784.0 ? 9223372036854774784.0 : low;
      return static_cast<Y>(high == high ? high : 0.0);
    } else if constexpr (is_float<X> && !is_float<Y>) {
      const X top = sizeof(X) == 4 ? X(2147483520.0) : X(2147483647.0);
      const X low = x < X(-2147483648.0) ? X(-2147483648.0) : x;
      const X high = low > top ? top : low;
      return static_cast<Y>(static_cast<std::int32_t>(high == high ? high : X(0)));
    } else {
      return static_cast<Y>(x);
    }
  }
};
template <class X>
struct Convert<bool, X> {
  WEFT_INLINE static bool apply(X x) { return x != X(0); }
};
template <>
struct Convert<bool, Half> {
  WEFT_INLINE static bool apply(Half x) { return (x.bits & 0x7fffU) != 0; }
};
template <class Y>
struct Convert<Y, Half> {
  WEFT_INLINE static Y apply(Half x) { return Convert<Y, float>::apply(to_float(x)); }
};
template <class X>
struct Convert<Half, X> {
  WEFT_INLINE static Half apply(X x) { return to_half(static_cast<float>(x)); }
};
template <>
struct Convert<Half, Half> {
  WEFT_INLINE static Half apply(Half x) { return x; }
};

template <class Y, class X>
void convert(void* y, Int step_y, const void* x, Int step_x, Int n) {
  Y* out = static_cast<Y*>(y);
  const X* in = static_cast<const X*>(x);
  if (step_y == 1 && step_x == 1) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) out[i] = Convert<Y, X>::apply(in[i]);
  } else if (step_x == 0) {
    if (n <= 0) return;
    const Y v = Convert<Y, X>::apply(*in);
    if (step_y == 1)
      for (Int i = 0; i < n; ++i) out[i] = v;
    else
      for (Int i = 0; i < n; ++i) out[i * step_y] = v;
  } else if (step_y == 1) {
    for (Int i = 0; i < n; ++i) out[i] = Convert<Y, X>::apply(in[i * step_x]);
  } else {
    for (Int i = 0; i < n; ++i) out[i * step_y] = Convert<Y, X>::apply(in[i * step_x]);
  }
}

template <class T>
void where(void* y, Int step_y, const void* c, Int step_c, const void* a, Int step_a, const void* b, Int step_b,
           Int n) {
  T* out = static_cast<T*>(y);
  const std::uint8_t* test = static_cast<const std::uint8_t*>(c);
  const T* x = static_cast<const T*>(a);
  const T* z = static_cast<const T*>(b);
  if (step_y == 1 && step_c == 1 && step_a == 1 && step_b == 1) {
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) {
      const T v = x[i], w = z[i];
      out[i] = test[i] ? v : w;
    }
  } else if (step_y == 1 && step_c == 1 && step_a == 1 && step_b == 0) {
    const T w = n > 0 ? *z : T(0);
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) {
      const T v = x[i];
      out[i] = test[i] ? v : w;
    }
  } else if (step_y == 1 && step_c == 1 && step_a == 0 && step_b == 1) {
    const T v = n > 0 ? *x : T(0);
    WEFT_SIMD
    for (Int i = 0; i < n; ++i) {
      const T w = z[i];
      out[i] = test[i] ? v : w;
    }
  } else {
    for (Int i = 0; i < n; ++i) out[i * step_y] = test[i * step_c] ? x[i * step_a] : z[i * step_b];
  }
}

template <class T>
void transpose(void* y, Int ld_y, const void* x, Int ld_x, Int rows, Int columns) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  constexpr Int n = Tile<T>::n;
  const Int whole_rows = rows / n * n, whole_columns = columns / n * n;
  for (Int i = 0; i < whole_rows; i += n)
    for (Int j = 0; j < whole_columns; j += n) Tile<T>::transpose(out + j * ld_y + i, ld_y, in + i * ld_x + j, ld_x);
  for (Int j = 0; j < columns; ++j)
    for (Int i = j < whole_columns ? whole_rows : 0; i < rows; ++i) out[j * ld_y + i] = in[i * ld_x + j];
}

/// What is not aligned, or lacks such instructions, is an ordinary copy.
void stream(void* y, const void* x, Int bytes) {
  char* to = static_cast<char*>(y);
  const char* from = static_cast<const char*>(x);
  Int i = 0;
#if defined(__SSE2__)
  if (reinterpret_cast<std::uintptr_t>(to) % 64 == 0) {
    for (; i + 64 <= bytes; i += 64) {
#if defined(__AVX512F__)
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_load_si512(from + i));
#elif defined(__AVX__)
      for (Int j = i; j < i + 64; j += 32)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + j),
                            _mm256_load_si256(reinterpret_cast<const __m256i*>(from + j)));
#else
      for (Int j = i; j < i + 64; j += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + j),
                         _mm_load_si128(reinterpret_cast<const __m128i*>(from + j)));
#endif
    }
    _mm_sfence();  // such stores may otherwise be seen after later ones
  }
#endif
  __builtin_memcpy(to + i, from + i, static_cast<std::size_t>(bytes - i));
}

template <class Y>
void install_to(KernelTable& t, DType y) {
  auto& row = t.convert[static_cast<int>(y)];
  row[static_cast<int>(DType::boolean)] = convert<Y, bool>;
  row[static_cast<int>(DType::uint8)] = convert<Y, std::uint8_t>;
  row[static_cast<int>(DType::int8)] = convert<Y, std::int8_t>;
  row[static_cast<int>(DType::int32)] = convert<Y, std::int32_t>;
  row[static_cast<int>(DType::int64)] = convert<Y, std::int64_t>;
  row[static_cast<int>(DType::bfloat16)] = convert<Y, Half>;
  row[static_cast<int>(DType::float32)] = convert<Y, float>;
  row[static_cast<int>(DType::float64)] = convert<Y, double>;
}

}  // namespace

void WEFT_LEVELED(install_movement)(KernelTable& t) {
  install_to<bool>(t, DType::boolean);
  install_to<std::uint8_t>(t, DType::uint8);
  install_to<std::int8_t>(t, DType::int8);
  install_to<std::int32_t>(t, DType::int32);
  install_to<std::int64_t>(t, DType::int64);
  install_to<Half>(t, DType::bfloat16);
  install_to<float>(t, DType::float32);
  install_to<double>(t, DType::float64);
  t.stream = stream;
  t.where[0] = where<std::uint8_t>;
  t.where[1] = where<std::uint16_t>;
  t.where[2] = where<std::uint32_t>;
  t.where[3] = where<std::uint64_t>;
  t.transpose[0] = transpose<std::uint8_t>;
  t.transpose[1] = transpose<std::uint16_t>;
  t.transpose[2] = transpose<std::uint32_t>;
  t.transpose[3] = transpose<std::uint64_t>;
}

}  // namespace weft::kernels
