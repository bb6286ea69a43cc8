#include <algorithm>
#include <cmath>

#include <weft/tensor/convolution.h>
#include <weft/tensor/dispatch.h>

/// Layer, root-mean-square and group normalisation, and their gradients.
namespace weft::kernels {
namespace {

struct Rows {
  Shape outer;       ///< the axes in front: the shape of mean and rstd
  Shape normalized;  ///< the last axes
  Int count = 1, length = 1;
};
Rows split(const char* op, const Tensor& x, int axes_count) {
  if (axes_count < 1 || axes_count > x.dim())
    throw ShapeError(text(op, ": ", axes_count, " axes to normalise over, but x has shape ", x.shape()));
  Rows r;
  for (int i = 0; i < x.dim(); ++i) {
    const Int n = x.shape()[i];
    if (i < x.dim() - axes_count) {
      r.outer.push_back(n);
      r.count *= n;
    } else {
      r.normalized.push_back(n);
      r.length *= n;
    }
  }
  return r;
}

Tensor parameter(const char* op, const char* name, const Tensor& p, const Rows& r, DType type) {
  if (!p.defined()) return Tensor();
  if (!(p.shape() == r.normalized))
    throw ShapeError(text(op, ": ", name, " has shape ", p.shape(), ", the normalised axes ", r.normalized));
  return contiguous(cast(p, type));
}
char* bytes_or_null(const Tensor& x) { return x.defined() ? bytes(x) : nullptr; }

}  // namespace

Tensor layer_norm(const Tensor& x, int axes_count, const Tensor& weight, const Tensor& bias, double eps, Tensor& mean,
                  Tensor& rstd) {
  check_floating("layer_norm", x);
  const Rows r = split("layer_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type));
  const Tensor w = parameter("layer_norm", "weight", weight, r, type),
               b = parameter("layer_norm", "bias", bias, r, type);
  Tensor y = empty(x.shape(), type);
  mean = empty(r.outer, type);
  rstd = empty(r.outer, type);
  if (x.numel() > 0) {
    const auto kernel = table().layer_norm[slot(compute_of(type))];
    const Int item = item_size(type);
    const Int row_bytes = r.length * item;
    const bool streams = y.numel() * item >= streaming_bytes;
    parallel_for(r.count, grain / r.length + 1, [&](Int begin, Int end) {
      write_rows(bytes(y) + begin * row_bytes, end - begin, row_bytes, streams, [&](char* to, Int first, Int count) {
        const Int row = begin + first;
        kernel(to, bytes(mean) + row * item, bytes(rstd) + row * item, bytes(in) + row * row_bytes, bytes_or_null(w),
               bytes_or_null(b), count, r.length, eps);
      });
    });
  }
  return cast(y, x.dtype());
}

void layer_norm_grad(const Tensor& dy, const Tensor& x, int axes_count, const Tensor& mean, const Tensor& rstd,
                     const Tensor& weight, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  check_same_shape("layer_norm", dy, x);
  check_floating("layer_norm", x);
  const Rows r = split("layer_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type)), g = contiguous(cast(dy, type));
  const Tensor m = contiguous(cast(mean, type)), s = contiguous(cast(rstd, type));
  if (m.numel() != r.count || s.numel() != r.count)
    throw ShapeError(
        text("layer_norm: mean ", mean.shape(), " and rstd ", rstd.shape(), " do not match ", r.count, " rows"));
  const Tensor w = parameter("layer_norm", "weight", weight, r, type);
  const Tensor out = dx ? empty(x.shape(), type) : Tensor();

  // Sums over rows are taken per part (parts depend on the shape alone), then over the parts.
  const bool sums = dweight || dbias;
  const Int rows_per_part = sums ? (r.count + 15) / 16 > 32 ? (r.count + 15) / 16 : 32 : 1;
  const Int parts = (r.count + rows_per_part - 1) / rows_per_part;
  const Tensor weight_sums = dweight ? zeros({parts, r.length}, DType::float64) : Tensor();
  const Tensor bias_sums = dbias ? zeros({parts, r.length}, DType::float64) : Tensor();
  if (x.numel() > 0) {
    const auto kernel = table().layer_norm_grad[slot(compute_of(type))];
    const Int item = item_size(type);
    parallel_for(parts, grain / (r.length * rows_per_part) + 1, [&](Int begin, Int end) {
      for (Int p = begin; p < end; ++p) {
        const Int first = p * rows_per_part;
        const Int rows = r.count - first < rows_per_part ? r.count - first : rows_per_part;
        const Int at = first * r.length * item;
        double* ws = dweight ? reinterpret_cast<double*>(bytes(weight_sums)) + p * r.length : nullptr;
        double* bs = dbias ? reinterpret_cast<double*>(bytes(bias_sums)) + p * r.length : nullptr;
        kernel(dx ? bytes(out) + at : nullptr, ws, bs, bytes(g) + at, bytes(in) + at, bytes(m) + first * item,
               bytes(s) + first * item, bytes_or_null(w), rows, r.length);
      }
    });
  }
  const int first_axis = 0;
  const auto collect = [&](const Tensor& part_sums) {
    const Tensor total = reduce(Reduce::sum, part_sums, std::span<const int>(&first_axis, 1), false);
    return cast(view_as(total, r.normalized, row_major(r.normalized)), weight.defined() ? weight.dtype() : x.dtype());
  };
  if (dx) *dx = cast(out, x.dtype());
  if (dweight) *dweight = collect(weight_sums);
  if (dbias) *dbias = collect(bias_sums);
}

namespace {

template <class T>
T* numbers(const Tensor& x) {
  return x.defined() ? reinterpret_cast<T*>(bytes(x)) : nullptr;
}

/// body(float or double, as a null pointer) by the type computed in.
template <class Body>
void by_type(DType type, Body&& body) {
  if (type == DType::float64)
    body(static_cast<double*>(nullptr));
  else
    body(static_cast<float*>(nullptr));
}

/// The sum of term(i) for i < n, in eight partial sums: they keep the adder busy.
template <class Term>
double sum_of(Int n, Term&& term) {
  double lanes[8] = {};
  Int i = 0;
  for (; i + 8 <= n; i += 8)
    for (Int k = 0; k < 8; ++k) lanes[k] += static_cast<double>(term(i + k));
  for (; i < n; ++i) lanes[0] += static_cast<double>(term(i));
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

}  // namespace

Tensor rms_norm(const Tensor& x, int axes_count, const Tensor& weight, double eps, Tensor& rstd) {
  check_floating("rms_norm", x);
  const Rows r = split("rms_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type)), w = parameter("rms_norm", "weight", weight, r, type);
  const Tensor y = empty(x.shape(), type);
  rstd = empty(r.outer, type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const T* factor = numbers<T>(w);
    parallel_for(x.numel() > 0 ? r.count : 0, grain / (r.length + 1) + 1, [&](Int begin, Int end) {
      for (Int row = begin; row < end; ++row) {
        const T* from = numbers<T>(in) + row * r.length;
        T* to = numbers<T>(y) + row * r.length;
        const double squares = sum_of(r.length, [&](Int i) { return from[i] * from[i]; });
        const T scale = static_cast<T>(1 / std::sqrt(squares / static_cast<double>(r.length) + eps));
        numbers<T>(rstd)[row] = scale;
        for (Int i = 0; i < r.length; ++i) to[i] = factor ? from[i] * scale * factor[i] : from[i] * scale;
      }
    });
  });
  return cast(y, x.dtype());
}

void rms_norm_grad(const Tensor& dy, const Tensor& x, int axes_count, const Tensor& rstd, const Tensor& weight,
                   Tensor* dx, Tensor* dweight) {
  check_same_shape("rms_norm", dy, x);
  const Rows r = split("rms_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type)), g = contiguous(cast(dy, type)), scales = contiguous(cast(rstd, type));
  const Tensor w = parameter("rms_norm", "weight", weight, r, type);
  const Tensor out = dx ? empty(x.shape(), type) : Tensor();
  // Sums over rows are taken per part (parts depend on the shape alone), then over the parts.
  const Int rows_per_part = dweight ? std::max<Int>((r.count + 15) / 16, 32) : 1;
  const Int parts = (r.count + rows_per_part - 1) / rows_per_part;
  const Tensor part_sums = dweight ? zeros({parts, r.length}, DType::float64) : Tensor();
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const T* factor = numbers<T>(w);
    parallel_for(x.numel() > 0 ? parts : 0, grain / (r.length * rows_per_part + 1) + 1, [&](Int begin, Int end) {
      for (Int row = begin * rows_per_part; row < std::min(end * rows_per_part, r.count); ++row) {
        const T *from = numbers<T>(in) + row * r.length, *grad = numbers<T>(g) + row * r.length;
        const T scale = numbers<T>(scales)[row];
        const auto weighted = [&](Int i) { return factor ? grad[i] * factor[i] : grad[i]; };
        if (dx) {
          T* to = numbers<T>(out) + row * r.length;
          const double along = sum_of(r.length, [&](Int i) { return weighted(i) * from[i]; });
          const T share = static_cast<T>(along / static_cast<double>(r.length)) * scale * scale;
          for (Int i = 0; i < r.length; ++i) to[i] = scale * (weighted(i) - from[i] * share);
        }
        if (dweight) {
          double* sums = numbers<double>(part_sums) + row / rows_per_part * r.length;
          for (Int i = 0; i < r.length; ++i) sums[i] += static_cast<double>(grad[i] * from[i] * scale);
        }
      }
    });
  });
  if (dx) *dx = cast(out, x.dtype());
  if (!dweight) return;
  const int first_axis = 0;
  const Tensor total = reduce(Reduce::sum, part_sums, std::span<const int>(&first_axis, 1), false);
  *dweight = cast(view_as(total, r.normalized, row_major(r.normalized)), weight.dtype());
}

namespace {

/// An array (N, C, ...) cut into groups of channels, in either memory order.
struct Grouped {
  Int batch, channels, groups, width, spots;
  bool last;  ///< channels innermost in memory
  Int length() const { return width * spots; }
};

Grouped grouped(const Tensor& x, Int groups) {
  const Int batch = x.shape()[0], channels = x.shape()[1];
  return {batch,
          channels,
          groups,
          channels / groups,
          x.numel() / std::max<Int>(batch * channels, 1),
          !x.is_contiguous() && is_channels_last(x)};
}

/// Calls body(place, channel) for every element of one group of one image, channels counted within the group.
template <class Body>
void each(const Grouped& s, Int unit, Body&& body) {
  const Int image = unit / s.groups, first = unit % s.groups * s.width;
  if (s.last) {
    for (Int p = 0; p < s.spots; ++p)
      for (Int c = 0; c < s.width; ++c) body((image * s.spots + p) * s.channels + first + c, c);
  } else {
    for (Int c = 0; c < s.width; ++c)
      for (Int p = 0; p < s.spots; ++p) body((image * s.channels + first + c) * s.spots + p, c);
  }
}

/// total[c] = the sum of term(place) over the elements of channel c of the group.
template <class Term>
void channel_sums(const Grouped& s, Int unit, double* total, Term&& term) {
  if (s.last) {
    for (Int c = 0; c < s.width; ++c) total[c] = 0;
    each(s, unit, [&](Int at, Int c) { total[c] += static_cast<double>(term(at)); });
    return;
  }
  for (Int c = 0; c < s.width; ++c) {
    const Int start = (unit * s.width + c) * s.spots;
    total[c] = sum_of(s.spots, [&](Int p) { return term(start + p); });
  }
}

/// x with its elements dense, in row-major order or channels innermost.
Tensor dense(const Tensor& x) { return is_channels_last(x) ? x : contiguous(x); }

}  // namespace

Tensor group_norm(const Tensor& x, Int groups, const Tensor& weight, const Tensor& bias, double eps, Tensor& mean,
                  Tensor& rstd) {
  check_floating("group_norm", x);
  const DType type = native(x.dtype());
  const Tensor in = dense(cast(x, type));
  const Grouped s = grouped(in, groups);
  const Tensor w = weight.defined() ? contiguous(cast(weight, type)) : weight,
               b = bias.defined() ? contiguous(cast(bias, type)) : bias;
  const Tensor y = s.last ? empty_channels_last(x.shape(), type) : empty(x.shape(), type);
  mean = empty({s.batch, groups}, type);
  rstd = empty({s.batch, groups}, type);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const T *from = numbers<T>(in), *factor = numbers<T>(w), *shift = numbers<T>(b);
    T* to = numbers<T>(y);
    parallel_for(s.batch * groups, grain / (s.length() + 1) + 1, [&](Int begin, Int end) {
      std::vector<double> sums(static_cast<std::size_t>(s.width));
      std::vector<T> slope(sums.size()), offset(sums.size());
      const auto all = [&] {
        double total = 0;
        for (const double each_sum : sums) total += each_sum;
        return total / static_cast<double>(s.length());
      };
      for (Int unit = begin; unit < end; ++unit) {
        channel_sums(s, unit, sums.data(), [&](Int at) { return from[at]; });
        const double centre = all();
        channel_sums(s, unit, sums.data(), [&](Int at) {
          const double d = static_cast<double>(from[at]) - centre;
          return d * d;
        });
        const double scale = 1 / std::sqrt(all() + eps);
        const T middle = numbers<T>(mean)[unit] = static_cast<T>(centre);
        numbers<T>(rstd)[unit] = static_cast<T>(scale);
        const Int first = unit % groups * s.width;
        for (Int c = 0; c < s.width; ++c) {
          const auto at = static_cast<std::size_t>(c);
          slope[at] = static_cast<T>(factor ? scale * static_cast<double>(factor[first + c]) : scale);
          offset[at] = shift ? shift[first + c] : T(0);
        }
        const T *a = slope.data(), *d = offset.data();
        each(s, unit, [&](Int at, Int c) { to[at] = (from[at] - middle) * a[c] + d[c]; });
      }
    });
  });
  return cast(y, x.dtype());
}

void group_norm_grad(const Tensor& dy, const Tensor& x, Int groups, const Tensor& mean, const Tensor& rstd,
                     const Tensor& weight, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  check_same_shape("group_norm", dy, x);
  const DType type = native(x.dtype());
  const Tensor in = dense(cast(x, type));
  const Grouped s = grouped(in, groups);
  const Tensor g = s.last ? channels_last(cast(dy, type)) : contiguous(cast(dy, type));
  const Tensor w = weight.defined() ? contiguous(cast(weight, type)) : weight;
  const Tensor middles = contiguous(cast(mean, type)), scales = contiguous(cast(rstd, type));
  const Tensor out = s.last ? empty_channels_last(x.shape(), type) : empty(x.shape(), type);
  const Tensor plain = zeros({s.batch, s.channels}, DType::float64),
               along = zeros({s.batch, s.channels}, DType::float64);
  by_type(type, [&](auto* t) {
    using T = std::remove_pointer_t<decltype(t)>;
    const T *from = numbers<T>(in), *grad = numbers<T>(g), *factor = numbers<T>(w);
    T* to = numbers<T>(out);
    parallel_for(s.batch * groups, grain / (s.length() + 1) + 1, [&](Int begin, Int end) {
      const std::vector<T> unity(static_cast<std::size_t>(s.width), T(1));
      for (Int unit = begin; unit < end; ++unit) {
        const T middle = numbers<T>(middles)[unit], scale = numbers<T>(scales)[unit];
        double *dy_sums = numbers<double>(plain) + unit * s.width, *unit_sums = numbers<double>(along) + unit * s.width;
        channel_sums(s, unit, dy_sums, [&](Int at) { return grad[at]; });
        channel_sums(s, unit, unit_sums, [&](Int at) { return grad[at] * ((from[at] - middle) * scale); });
        if (!dx) continue;
        const T* a = factor ? factor + unit % groups * s.width : unity.data();
        double total = 0, total_along = 0;
        for (Int c = 0; c < s.width; ++c) {
          total += static_cast<double>(a[c]) * dy_sums[c];
          total_along += static_cast<double>(a[c]) * unit_sums[c];
        }
        const T share = static_cast<T>(total / static_cast<double>(s.length())),
                slope = static_cast<T>(total_along / static_cast<double>(s.length()));
        each(s, unit,
             [&](Int at, Int c) { to[at] = scale * (a[c] * grad[at] - share - (from[at] - middle) * scale * slope); });
      }
    });
  });
  const int first_axis = 0;
  const auto over_images = [&](const Tensor& sums) {
    return cast(reduce(Reduce::sum, sums, std::span<const int>(&first_axis, 1), false),
                weight.defined() ? weight.dtype() : x.dtype());
  };
  if (dx) *dx = cast(out, x.dtype());
  if (dweight) *dweight = over_images(along);
  if (dbias) *dbias = over_images(plain);
}

}  // namespace weft::kernels
