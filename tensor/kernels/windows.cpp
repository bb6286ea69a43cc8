#include <type_traits>

#include <weft/tensor/kernels/tile.h>

/// Largest values under windows, and the way back: gathered both ways, a vector of channels in registers at a time.
namespace weft::kernels {
namespace {

/// A pack is a vector of channels, or one number where there is one channel only.
template <class T, bool one>
struct Packed {
  typedef typename Vector<T>::type type;
};
template <class T>
struct Packed<T, true> {
  typedef T type;
};
template <class T, bool one>
using Pack = typename Packed<T, one>::type;

/// Places are compared in integers as wide as the elements; in memory they are 32 bits.
template <class T>
using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, Int>;

template <bool one, class T>
WEFT_INLINE Pack<T, one> load(const T* from, [[maybe_unused]] Int part) {
  if constexpr (one)
    return *from;
  else if (part == Vector<T>::lanes)
    return *reinterpret_cast<const typename Vector<T>::memory*>(from);
  else
    return load_some<Pack<T, one>>(from, part);
}
template <bool one, class T>
WEFT_INLINE void store(T* to, Pack<T, one> v, [[maybe_unused]] Int part) {
  if constexpr (one)
    *to = v;
  else if (part == Vector<T>::lanes)
    *reinterpret_cast<typename Vector<T>::memory*>(to) = v;
  else
    store_some(to, v, part);
}

template <bool one, class I>
WEFT_INLINE Pack<I, one> load_places(const std::int32_t* from, Int part) {
  if constexpr (one) {
    return *from;
  } else if constexpr (sizeof(I) == 4) {
    return load<one>(from, part);
  } else {
    Pack<I, one> v = {};
    for (Int k = 0; k < part; ++k) v[k] = from[k];
    return v;
  }
}
template <bool one, class I>
WEFT_INLINE void store_places(std::int32_t* to, Pack<I, one> v, Int part) {
  if constexpr (one) {
    *to = static_cast<std::int32_t>(v);
  } else if constexpr (sizeof(I) == 4) {
    store<one>(to, v, part);
  } else {
    for (Int k = 0; k < part; ++k) to[k] = static_cast<std::int32_t>(v[k]);
  }
}

/// A result's place along each axis.
struct Spot {
  Int at[3];
  const WindowAxes& w;

  WEFT_INLINE Spot(const WindowAxes& windows, Int o) : w(windows) {
    for (int a = 2; a >= 0; --a) {
      at[a] = o % w.outputs[a];
      o /= w.outputs[a];
    }
  }
  WEFT_INLINE void next() {
    for (int a = 2; a >= 0; --a) {
      if (++at[a] < w.outputs[a]) return;
      at[a] = 0;
    }
  }
  /// Calls visit(place) for what this one looks at, in row-major order.
  template <class Visit>
  WEFT_INLINE void each_place(Visit&& visit) const {
    for (Int i = w.begin[0][at[0]]; i < w.begin[0][at[0] + 1]; ++i)
      for (Int j = w.begin[1][at[1]]; j < w.begin[1][at[1] + 1]; ++j) {
        const Int line = (w.source[0][i] * w.inputs[1] + w.source[1][j]) * w.inputs[2];
        for (Int k = w.begin[2][at[2]]; k < w.begin[2][at[2] + 1]; ++k) visit(line + w.source[2][k]);
      }
  }
};

template <class T, bool one>
WEFT_INLINE void pool(T* y, std::int32_t* places, const T* x, const Spot& spot, Int inner, Int part) {
  using P = Pack<T, one>;
  using I = Pack<Place<T>, one>;
  P best = {};
  I where = I{} - 1;
  spot.each_place([&](Int place) WEFT_INLINE_LAMBDA {
    const P v = load<one>(x + place * inner, part);
    const auto larger = (where < 0) | (v > best) | (v != v);
    best = larger ? v : best;
    where = larger ? I{} + static_cast<Place<T>>(place) : where;
  });
  store<one>(y, best, part);
  if (places) store_places<one, Place<T>>(places, where, part);
}

template <class T>
void max_pool(void* result, std::int32_t* places, const void* numbers, const WindowAxes& w, Int first, Int last,
              Int inner) {
  constexpr Int lanes = Vector<T>::lanes;
  T* y = static_cast<T*>(result);
  const T* x = static_cast<const T*>(numbers);
  Spot spot(w, first);
  for (Int o = first; o < last; ++o, spot.next()) {
    const Int at = o * inner;
    if (inner == 1) {
      pool<T, true>(y + at, places ? places + at : nullptr, x, spot, 1, 1);
      continue;
    }
    for (Int j = 0; j < inner; j += lanes)
      pool<T, false>(y + at + j, places ? places + at + j : nullptr, x + j, spot, inner,
                     inner - j < lanes ? inner - j : lanes);
  }
}

template <class T, bool one>
WEFT_INLINE void pool_grad(T* dx, const T* dy, const std::int32_t* places, const Spot& spot, Int input, Int inner,
                           Int part) {
  using P = Pack<T, one>;
  using I = Pack<Place<T>, one>;
  const I here = I{} + static_cast<Place<T>>(input);
  P sum = {};
  spot.each_place([&](Int output) WEFT_INLINE_LAMBDA {
    const P g = load<one>(dy + output * inner, part);
    sum += load_places<one, Place<T>>(places + output * inner, part) == here ? g : P{};
  });
  store<one>(dx, sum, part);
}

template <class T>
void max_pool_grad(void* result, const void* gradient, const std::int32_t* places, const WindowAxes& w, Int first,
                   Int last, Int inner) {
  constexpr Int lanes = Vector<T>::lanes;
  T* dx = static_cast<T*>(result);
  const T* dy = static_cast<const T*>(gradient);
  Spot spot(w, first);
  for (Int i = first; i < last; ++i, spot.next()) {
    if (inner == 1) {
      pool_grad<T, true>(dx + i, dy, places, spot, i, 1, 1);
      continue;
    }
    for (Int j = 0; j < inner; j += lanes)
      pool_grad<T, false>(dx + i * inner + j, dy + j, places + j, spot, i, inner,
                          inner - j < lanes ? inner - j : lanes);
  }
}

}  // namespace

void WEFT_LEVELED(install_windows)(KernelTable& t) {
  t.max_pool[0] = max_pool<float>;
  t.max_pool[1] = max_pool<double>;
  t.max_pool[2] = max_pool<Int>;
  t.max_pool_grad[0] = max_pool_grad<float>;
  t.max_pool_grad[1] = max_pool_grad<double>;
}

}  // namespace weft::kernels
