#include <algorithm>

#include <weft/tensor/convolution.h>
#include <weft/tensor/dispatch.h>

/// Largest values under windows, and the way back.
namespace weft::kernels {
namespace {

/// x dense, in row-major order or with its channels innermost.
struct Dense {
  Tensor x;
  bool last;  ///< channels innermost
  explicit Dense(const Tensor& any) : last(!any.is_contiguous() && is_channels_last(any)) {
    x = last ? any : contiguous(any);
  }
};

/// The window of each output along three axes, the missing ones of one element.
struct Windows {
  AxisMap none{0, 1, {0, 1}, {0}, {1}};
  const AxisMap* map[3] = {&none, &none, &none};
  explicit Windows(std::span<const AxisMap> given) {
    for (std::size_t a = 0; a < given.size(); ++a) map[3 - given.size() + a] = &given[a];
  }
  Int outputs() const { return map[0]->outputs() * map[1]->outputs() * map[2]->outputs(); }
  Int inputs() const { return map[0]->inputs * map[1]->inputs * map[2]->inputs; }
};

/// An output's place along each axis, counted on without divisions.
struct Output {
  Int at[3];
  const Windows& w;

  Output(const Windows& windows, Int o) : w(windows) {
    for (int a = 2; a >= 0; --a) {
      at[a] = o % w.map[a]->outputs();
      o /= w.map[a]->outputs();
    }
  }
  /// Returns false after the last one, and begins anew.
  bool next() {
    for (int a = 2; a >= 0; --a) {
      if (++at[a] < w.map[a]->outputs()) return true;
      at[a] = 0;
    }
    return false;
  }
  /// Calls visit(place) for the input places under its window, in row-major order.
  template <class Visit>
  void each_place(Visit&& visit) const {
    const Int *begin[3], *source[3];
    for (int a = 0; a < 3; ++a) {
      begin[a] = w.map[a]->begin.data() + at[a];
      source[a] = w.map[a]->source.data();
    }
    const Int middle = w.map[1]->inputs, last = w.map[2]->inputs, first_k = begin[2][0], end_k = begin[2][1];
    for (Int i = begin[0][0]; i < begin[0][1]; ++i)
      for (Int j = begin[1][0]; j < begin[1][1]; ++j) {
        const Int line = (source[0][i] * middle + source[1][j]) * last;
        for (Int k = first_k; k < end_k; ++k) visit(line + source[2][k]);
      }
  }
};

/// x is (planes, inputs, inner), y and places (planes, outputs, inner).
template <class T>
void largest(T* y, Int* places, const T* x, const Windows& w, Int planes, Int inner) {
  const Int outputs = w.outputs(), inputs = w.inputs();
  const auto taps = [&](int a) { return static_cast<Int>(w.map[a]->source.size()); };
  const Int work = taps(0) * taps(1) * taps(2) / std::max<Int>(outputs, 1) * inner + 1;
  parallel_for(planes * outputs, grain / work + 1, [&](Int begin, Int end) {
    Output output(w, begin % outputs);
    const T* from = x + begin / outputs * inputs * inner;
    const auto advance = [&] {
      if (!output.next()) from += inputs * inner;
    };
    if (inner == 1) {
      for (Int row = begin; row < end; ++row, advance()) {
        T best{};
        Int where = -1;
        output.each_place([&](Int place) {
          const T v = from[place];
          const bool larger = where < 0 || v > best || v != v;
          best = larger ? v : best;
          where = larger ? place : where;
        });
        y[row] = best;
        if (places) places[row] = where;
      }
      return;
    }
    for (Int row = begin; row < end; ++row, advance()) {
      T* to = y + row * inner;
      Int* at = places ? places + row * inner : nullptr;
      bool first = true;
      output.each_place([&](Int place) {
        const T* here = from + place * inner;
        if (first) {
          for (Int c = 0; c < inner; ++c) to[c] = here[c];
          if (at)
            for (Int c = 0; c < inner; ++c) at[c] = place;
          first = false;
        } else if (at) {
          for (Int c = 0; c < inner; ++c) {
            const bool larger = here[c] > to[c] || here[c] != here[c];
            to[c] = larger ? here[c] : to[c];
            at[c] = larger ? place : at[c];
          }
        } else {
          for (Int c = 0; c < inner; ++c) to[c] = here[c] > to[c] || here[c] != here[c] ? here[c] : to[c];
        }
      });
    }
  });
}

/// dx (planes, inputs, inner) from dy and places (planes, outputs, inner).
template <class T>
void spread(T* dx, const T* dy, const Int* places, Int planes, Int inputs, Int outputs, Int inner) {
  constexpr Int block = 64;  // channels that one thread takes
  const Int blocks = (inner + block - 1) / block;
  parallel_for(planes * blocks, grain / (outputs * std::min(inner, block) + 1) + 1, [&](Int begin, Int end) {
    for (Int unit = begin; unit < end; ++unit) {
      const Int plane = unit / blocks, first = unit % blocks * block, last = std::min(inner, first + block);
      T* to = dx + plane * inputs * inner;
      for (Int o = 0; o < outputs; ++o) {
        const Int row = (plane * outputs + o) * inner;
        for (Int c = first; c < last; ++c) to[places[row + c] * inner + c] += dy[row + c];
      }
    }
  });
}

Tensor empty_like_dense(const Dense& x, const Shape& shape, DType type) {
  return x.last ? empty_channels_last(shape, type) : empty(shape, type);
}

}  // namespace

Tensor max_pool(const Tensor& x, std::span<const AxisMap> windows, Tensor* places) {
  const DType type = native(x.dtype());
  const Dense in(cast(x, type));
  Shape shape{x.shape()[0], x.shape()[1]};
  for (const AxisMap& map : windows) shape.push_back(map.outputs());
  const Tensor y = empty_like_dense(in, shape, type);
  if (places) *places = empty_like_dense(in, shape, DType::int64);
  if (y.numel() > 0) {
    const Int planes = in.last ? shape[0] : shape[0] * shape[1], inner = in.last ? shape[1] : 1;
    Int* at = places ? reinterpret_cast<Int*>(bytes(*places)) : nullptr;
    const Windows w(windows);
    const auto run = [&](auto* t) {
      using T = std::remove_pointer_t<decltype(t)>;
      largest<T>(reinterpret_cast<T*>(bytes(y)), at, reinterpret_cast<const T*>(bytes(in.x)), w, planes, inner);
    };
    switch (compute_of(type)) {
      case Compute::f32: run(static_cast<float*>(nullptr)); break;
      case Compute::f64: run(static_cast<double*>(nullptr)); break;
      case Compute::i64: run(static_cast<Int*>(nullptr)); break;
    }
  }
  return cast(y, x.dtype());
}

Tensor max_pool_grad(const Tensor& dy, const Tensor& places, const Shape& shape) {
  check_floating("max_pool", dy);
  const DType type = native(dy.dtype());
  const Dense g(cast(dy, type));
  const Tensor at = g.last ? channels_last(places) : contiguous(places);
  const Tensor dx = empty_like_dense(g, shape, type);
  fill(dx, 0);
  if (dy.numel() > 0) {
    const Int planes = g.last ? shape[0] : shape[0] * shape[1], inner = g.last ? shape[1] : 1;
    const Int inputs = dx.numel() / (planes * inner), outputs = dy.numel() / (planes * inner);
    const Int* p = reinterpret_cast<const Int*>(bytes(at));
    if (type == DType::float64)
      spread(reinterpret_cast<double*>(bytes(dx)), reinterpret_cast<const double*>(bytes(g.x)), p, planes, inputs,
             outputs, inner);
    else
      spread(reinterpret_cast<float*>(bytes(dx)), reinterpret_cast<const float*>(bytes(g.x)), p, planes, inputs,
             outputs, inner);
  }
  return cast(dx, dy.dtype());
}

}  // namespace weft::kernels
