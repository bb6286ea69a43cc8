#include <algorithm>
#include <cmath>

#include <weft/tensor/convolution.h>
#include <weft/tensor/dispatch.h>

/// Sparse linear maps along axes, and weighted points of an image.
namespace weft::kernels {

void AxisMap::add(Int from, double factor) {
  source.push_back(from);
  weight.push_back(factor);
}

void AxisMap::end_output() { begin.push_back(static_cast<Int>(source.size())); }

AxisMap transposed(const AxisMap& map) {
  AxisMap t{map.axis, map.outputs()};
  t.begin.assign(static_cast<std::size_t>(map.inputs) + 1, 0);
  for (const Int s : map.source) ++t.begin[static_cast<std::size_t>(s) + 1];
  for (std::size_t i = 1; i < t.begin.size(); ++i) t.begin[i] += t.begin[i - 1];
  t.source.resize(map.source.size());
  t.weight.resize(map.source.size());
  std::vector<Int> next(t.begin.begin(), t.begin.end() - 1);
  for (std::size_t o = 0; o + 1 < map.begin.size(); ++o)
    for (auto j = static_cast<std::size_t>(map.begin[o]); j < static_cast<std::size_t>(map.begin[o + 1]); ++j) {
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(map.source[j])]++);
      t.source[at] = static_cast<Int>(o);
      t.weight[at] = map.weight[j];
    }
  return t;
}

namespace {

/// y (before, outputs, behind) = the map along the middle axis of x (before, inputs, behind).
template <class T>
void apply(T* y, const T* x, const AxisMap& map, Int before, Int behind) {
  const Int outputs = map.outputs(), inputs = map.inputs;
  std::vector<T> factors;
  for (const double w : map.weight) factors.push_back(static_cast<T>(w));
  const T* factor = factors.data();
  const Int *source = map.source.data(), *begins = map.begin.data();
  const Int work = (static_cast<Int>(map.source.size()) / outputs + 1) * behind;
  parallel_for(before * outputs, grain / work + 1, [&](Int begin, Int end) {
    // Counted on: a division would cost more than an element.
    Int o = begin % outputs - 1;
    const T* from = x + begin / outputs * inputs * behind;
    for (Int row = begin; row < end; ++row) {
      if (++o == outputs) {
        o = 0;
        from += inputs * behind;
      }
      T* to = y + row * behind;
      if (behind == 1) {
        T sum = 0;
        for (Int j = begins[o]; j < begins[o + 1]; ++j) sum += factor[j] * from[source[j]];
        *to = sum;
        continue;
      }
      Int j = begins[o];
      if (j == begins[o + 1]) {
        for (Int i = 0; i < behind; ++i) to[i] = T(0);
        continue;
      }
      const T* first = from + source[j] * behind;
      for (Int i = 0; i < behind; ++i) to[i] = factor[j] * first[i];
      for (++j; j < begins[o + 1]; ++j) {
        const T* more = from + source[j] * behind;
        for (Int i = 0; i < behind; ++i) to[i] += factor[j] * more[i];
      }
    }
  });
}

template <class T>
T* numbers(const Tensor& x) {
  return reinterpret_cast<T*>(bytes(x));
}

void apply(const Tensor& y, const Tensor& x, const AxisMap& map, Int before, Int behind) {
  switch (compute_of(x.dtype())) {
    case Compute::f32: apply(numbers<float>(y), numbers<const float>(x), map, before, behind); break;
    case Compute::f64: apply(numbers<double>(y), numbers<const double>(x), map, before, behind); break;
    case Compute::i64: apply(numbers<Int>(y), numbers<const Int>(x), map, before, behind); break;
  }
}

}  // namespace

Tensor resample(const Tensor& x, std::span<const AxisMap> maps) {
  Tensor y = cast(x, native(x.dtype()));
  const bool last = !y.is_contiguous() && is_channels_last(y);
  if (!last) y = contiguous(y);
  for (const AxisMap& map : maps) {
    Shape shape = y.shape();
    shape[map.axis] = map.outputs();
    const Tensor out = last ? empty_channels_last(shape, y.dtype()) : empty(shape, y.dtype());
    if (out.numel() > 0) {
      // Channels innermost: what lies behind an axis in memory are the spatial axes after it, and the channels.
      Int before = 1, behind = 1;
      for (int a = 0; a < shape.size(); ++a) {
        if (a == map.axis) continue;
        const bool in_front = last && (map.axis == 1 || a == 1) ? map.axis == 1 : a < map.axis;
        (in_front ? before : behind) *= shape[a];
      }
      apply(out, y, map, before, behind);
    }
    y = out;
  }
  return cast(maps.empty() ? copy(y) : y, x.dtype());
}

namespace {

/// x (N, C, S), weight and places (N, P, K), dy (N, C, P).
struct PointSizes {
  Int batch, channels, size, count, taps;
};

template <class T>
void points_forward(T* y, const T* x, const T* weight, const Int* places, const PointSizes& n) {
  parallel_for(n.batch * n.channels, grain / (n.count * n.taps + 1) + 1, [&](Int begin, Int end) {
    for (Int plane = begin; plane < end; ++plane) {
      const T *from = x + plane * n.size, *w = weight + plane / n.channels * n.count * n.taps;
      const Int* at = places + plane / n.channels * n.count * n.taps;
      T* to = y + plane * n.count;
      for (Int p = 0; p < n.count; ++p) {
        T sum = 0;
        for (Int k = 0; k < n.taps; ++k, ++w, ++at)
          if (*at >= 0) sum += *w * from[*at];
        to[p] = sum;
      }
    }
  });
}

template <class T>
void points_back(T* dx, const T* dy, const T* weight, const Int* places, const PointSizes& n) {
  parallel_for(n.batch * n.channels, grain / (n.count * n.taps + n.size + 1) + 1, [&](Int begin, Int end) {
    for (Int plane = begin; plane < end; ++plane) {
      const T *g = dy + plane * n.count, *w = weight + plane / n.channels * n.count * n.taps;
      const Int* at = places + plane / n.channels * n.count * n.taps;
      T* to = dx + plane * n.size;
      for (Int i = 0; i < n.size; ++i) to[i] = 0;
      for (Int p = 0; p < n.count; ++p)
        for (Int k = 0; k < n.taps; ++k, ++w, ++at)
          if (*at >= 0) to[*at] += *w * g[p];
    }
  });
}

template <class T>
void points_weight(T* dw, const T* dy, const T* x, const Int* places, const PointSizes& n) {
  constexpr Int block = 128;  // points that one thread takes
  const Int blocks = (n.count + block - 1) / block;
  parallel_for(n.batch * blocks, grain / (block * n.taps * n.channels + 1) + 1, [&](Int begin, Int end) {
    std::vector<double> sums(static_cast<std::size_t>(block * n.taps));
    for (Int unit = begin; unit < end; ++unit) {
      const Int image = unit / blocks, first = unit % blocks * block, some = std::min(block, n.count - first);
      const Int offset = (image * n.count + first) * n.taps;
      double* sum = sums.data();
      std::fill(sums.begin(), sums.end(), 0.0);
      for (Int c = 0; c < n.channels; ++c) {
        const T *from = x + (image * n.channels + c) * n.size, *g = dy + (image * n.channels + c) * n.count + first;
        for (Int p = 0; p < some; ++p)
          for (Int k = 0; k < n.taps; ++k) {
            const Int at = places[offset + p * n.taps + k];
            if (at >= 0) sum[p * n.taps + k] += static_cast<double>(g[p]) * static_cast<double>(from[at]);
          }
      }
      for (Int i = 0; i < some * n.taps; ++i) dw[offset + i] = static_cast<T>(sum[i]);
    }
  });
}

/// body(float or double, as a null pointer) by the type computed in.
template <class Body>
void by_type(DType type, Body&& body) {
  if (type == DType::float64)
    body(static_cast<double*>(nullptr));
  else
    body(static_cast<float*>(nullptr));
}

Tensor ready(const Tensor& x, DType type) { return contiguous(cast(x, type)); }

}  // namespace

Tensor points(const Tensor& x, const Tensor& weight, const Tensor& places) {
  const DType type = native(x.dtype());
  const PointSizes n{x.shape()[0], x.shape()[1], x.shape()[2], places.shape()[1], places.shape()[2]};
  const Tensor in = ready(x, type), w = ready(weight, type), at = contiguous(places);
  const Tensor y = empty({n.batch, n.channels, n.count}, type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    points_forward<T>(numbers<T>(y), numbers<T>(in), numbers<T>(w), numbers<Int>(at), n);
  });
  return cast(y, x.dtype());
}

Tensor points_input_grad(const Tensor& dy, const Tensor& weight, const Tensor& places, Int size) {
  const DType type = native(dy.dtype());
  const PointSizes n{dy.shape()[0], dy.shape()[1], size, places.shape()[1], places.shape()[2]};
  const Tensor g = ready(dy, type), w = ready(weight, type), at = contiguous(places);
  const Tensor dx = empty({n.batch, n.channels, n.size}, type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    points_back<T>(numbers<T>(dx), numbers<T>(g), numbers<T>(w), numbers<Int>(at), n);
  });
  return cast(dx, dy.dtype());
}

Tensor points_weight_grad(const Tensor& dy, const Tensor& x, const Tensor& places) {
  const DType type = native(dy.dtype());
  const PointSizes n{x.shape()[0], x.shape()[1], x.shape()[2], places.shape()[1], places.shape()[2]};
  const Tensor g = ready(dy, type), in = ready(x, type), at = contiguous(places);
  const Tensor dw = empty(places.shape(), type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    points_weight<T>(numbers<T>(dw), numbers<T>(g), numbers<T>(in), numbers<Int>(at), n);
  });
  return cast(dw, dy.dtype());
}

namespace {

/// Mirrors a place at the ends, as often as it takes; twice the ends are given because they may lie between two
/// elements. Turns `slope` where it was mirrored an odd number of times.
template <class T>
T reflect(T place, Int twice_low, Int twice_high, T& slope) {
  if (twice_low == twice_high) {
    slope = 0;
    return 0;
  }
  const T low = static_cast<T>(twice_low) / 2, span = static_cast<T>(twice_high - twice_low) / 2;
  T in = place - low;
  if (in < 0) {
    in = -in;
    slope = -slope;
  }
  const T extra = std::fmod(in, span);
  if (std::fmod(std::floor(in / span), T(2)) == 0) return extra + low;
  slope = -slope;
  return span - extra + low;
}

/// Brings a place inside; at the border itself the slope is that of the outside.
template <class T>
T bring_in(T place, Int size, Outside outside, bool align_corners, T& slope) {
  if (outside == Outside::zeros) return place;
  if (outside == Outside::reflection)
    place = align_corners ? reflect(place, 0, 2 * (size - 1), slope) : reflect(place, -1, 2 * size - 1, slope);
  const T most = static_cast<T>(size - 1);
  if (place <= 0 || place >= most) {
    slope = 0;
    return place <= 0 ? T(0) : most;
  }
  return place;
}

}  // namespace

Tensor grid_places(const Tensor& position, Int size, Outside outside, bool align_corners, Tensor& slope) {
  const DType type = native(position.dtype());
  const Tensor in = ready(position, type), y = empty(position.shape(), type), ratio = empty(position.shape(), type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const T *from = numbers<T>(in), extent = static_cast<T>(size);
    T *to = numbers<T>(y), *slopes = numbers<T>(ratio);
    parallel_for(in.numel(), grain / 8, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const T place = align_corners ? (from[i] + 1) / 2 * (extent - 1) : ((from[i] + 1) * extent - 1) / 2;
        slopes[i] = (align_corners ? extent - 1 : extent) / 2;
        to[i] = bring_in(place, size, outside, align_corners, slopes[i]);
      }
    });
  });
  slope = cast(ratio, position.dtype());
  return cast(y, position.dtype());
}

Tensor grid_neighbours(std::span<const Tensor> first, Int taps, const Dims& sizes, Outside outside,
                       bool align_corners) {
  const int axes = sizes.size();
  std::vector<Tensor> corners;
  for (const Tensor& each : first) corners.push_back(ready(each, DType::float64));
  Int combinations = 1;
  for (int a = 0; a < axes; ++a) combinations *= taps;
  const Tensor places = empty({first[0].shape()[0], first[0].shape()[1], combinations}, DType::int64);
  Int* all = numbers<Int>(places);
  parallel_for(corners[0].numel(), grain / (8 * combinations) + 1, [&](Int begin, Int end) {
    Int* to = all + begin * combinations;
    for (Int p = begin; p < end; ++p)
      for (Int k = 0; k < combinations; ++k) {
        Int place = 0, rest = k, step = 1;
        for (int a = axes - 1; a >= 0; --a) {
          double slope = 1;
          const double corner = numbers<double>(corners[static_cast<std::size_t>(a)])[p];
          const double at =
              bring_in(corner + static_cast<double>(rest % taps), sizes[a], outside, align_corners, slope);
          rest /= taps;
          // Written so that NaN lies outside.
          if (!(at >= 0 && at < static_cast<double>(sizes[a]))) place = -1;
          if (place >= 0) place += static_cast<Int>(at) * step;
          step *= sizes[a];
        }
        *to++ = place;
      }
  });
  return places;
}

}  // namespace weft::kernels
