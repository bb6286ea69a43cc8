#include <algorithm>
#include <vector>

#include <weft/tensor/convolution.h>
#include <weft/tensor/dispatch.h>

/// Batch normalisation and its gradients, in row-major and in channels-last memory.
namespace weft::kernels {
namespace {

/// What one kernel call works on: some numbers of some channels, as KernelTable's channel functions take them.
struct Part {
  Int index;    ///< whose sums these are
  Int at;       ///< the first element
  Int channel;  ///< the first channel
  Int n, channels, ld;
};

/// An array (N, C, ...) in memory, cut into parts whose sums are taken one by one. The parts depend on the shape alone,
/// so the results do not depend on the number of threads.
class Channels {
 public:
  explicit Channels(const Tensor& any) : channels(any.shape()[1]), images_(any.shape()[0]) {
    last_ = is_channels_last(any);
    x = last_ ? any : contiguous(any);
    spots_ = x.numel() / std::max<Int>(images_ * channels, 1);
    if (spots_ == 1) last_ = true;  // both orders are the same
    rows_ = images_ * spots_;
    if (last_) {
      constexpr Int most = 64, least = 256;
      part_rows_ = std::max((rows_ + most - 1) / most, least);
      parts = (rows_ + part_rows_ - 1) / part_rows_;
    } else {
      parts = images_;
    }
  }
  /// y in the same memory order.
  Tensor like(const Tensor& y) const { return x.is_contiguous() ? contiguous(y) : channels_last(y); }
  Tensor result() const {
    return x.is_contiguous() ? empty(x.shape(), x.dtype()) : empty_channels_last(x.shape(), x.dtype());
  }

  Tensor x;
  Int channels, parts;
  Int numbers() const { return rows_; }  ///< of each channel
  Int part_numbers(Int part) const { return last_ ? std::min(part_rows_, rows_ - part * part_rows_) : spots_; }

  /// Calls visit(part) for all of them, on all threads.
  template <class Visit>
  void each(Visit&& visit) const {
    if (x.numel() == 0) return;
    if (last_) {
      parallel_for(parts, grain / (part_rows_ * channels) + 1, [&](Int begin, Int end) {
        for (Int p = begin; p < end; ++p)
          visit(Part{p, p * part_rows_ * channels, 0, part_numbers(p), channels, channels});
      });
      return;
    }
    parallel_for(images_ * channels, grain / spots_ + 1, [&](Int begin, Int end) {
      for (Int row = begin; row < end;) {
        const Int image = row / channels, channel = row % channels, count = std::min(channels - channel, end - row);
        visit(Part{image, row * spots_, channel, spots_, count, 1});
        row += count;
      }
    });
  }

 private:
  Int images_, spots_, rows_, part_rows_ = 1;
  bool last_;
};

std::vector<double> doubles(const Tensor& x, Int count, double otherwise) {
  return x.defined() ? to_vector<double>(cast(x, DType::float64))
                     : std::vector<double>(static_cast<std::size_t>(count), otherwise);
}
double* numbers(const Tensor& x) { return reinterpret_cast<double*>(bytes(x)); }

}  // namespace

void channel_moments(const Tensor& x, Tensor& mean, Tensor& variance) {
  check_floating("batch_norm", x);
  const Channels s(cast(x, native(x.dtype())));
  const Tensor means = empty({s.parts, s.channels}, DType::float64), squares = empty(means.shape(), DType::float64);
  const auto kernel = table().channel_moments[slot(compute_of(s.x.dtype()))];
  const Int item = item_size(s.x.dtype());
  s.each([&](const Part& p) {
    const Int at = p.index * s.channels + p.channel;
    kernel(numbers(means) + at, numbers(squares) + at, bytes(s.x) + p.at * item, p.n, p.channels, p.ld);
  });
  mean = zeros({s.channels}, DType::float64);
  variance = zeros({s.channels}, DType::float64);
  double *m = numbers(mean), *v = numbers(variance);
  const double all = static_cast<double>(s.numbers());
  const auto each = [&](auto&& visit) {
    for (Int p = 0; p < s.parts; ++p)
      for (Int c = 0; c < s.channels; ++c) visit(p * s.channels + c, c, static_cast<double>(s.part_numbers(p)));
  };
  each([&](Int at, Int c, double count) { m[c] += numbers(means)[at] * (count / all); });
  each([&](Int at, Int c, double count) {
    const double step = numbers(means)[at] - m[c];
    v[c] += (numbers(squares)[at] + count * step * step) / all;
  });
}

Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& weight, const Tensor& bias) {
  check_floating("batch_norm", x);
  const Channels s(cast(x, native(x.dtype())));
  const std::vector<double> middle = doubles(mean, s.channels, 0), shift = doubles(bias, s.channels, 0);
  std::vector<double> slope = doubles(rstd, s.channels, 1);
  const std::vector<double> factor = doubles(weight, s.channels, 1);
  for (std::size_t c = 0; c < slope.size(); ++c) slope[c] *= factor[c];
  const Tensor y = s.result();
  const auto kernel = table().channel_affine[slot(compute_of(s.x.dtype()))];
  const Int item = item_size(s.x.dtype());
  s.each([&](const Part& p) {
    kernel(bytes(y) + p.at * item, bytes(s.x) + p.at * item, middle.data() + p.channel, slope.data() + p.channel,
           shift.data() + p.channel, p.n, p.channels, p.ld);
  });
  return cast(y, x.dtype());
}

void batch_norm_grad(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                     bool own, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  check_same_shape("batch_norm", dy, x);
  const Channels s(cast(x, native(x.dtype())));
  const Tensor g = s.like(cast(dy, s.x.dtype()));
  const std::vector<double> middle = doubles(mean, s.channels, 0), scale = doubles(rstd, s.channels, 1);
  const int type = slot(compute_of(s.x.dtype()));
  const Int item = item_size(s.x.dtype());

  // Per channel the sum of dy, and that of dy * (x - mean).
  const auto count = static_cast<std::size_t>(s.channels);
  std::vector<double> plain(count), along(count);
  if (dweight || dbias || (dx && own)) {
    const Tensor plains = empty({s.parts, s.channels}, DType::float64), alongs = empty(plains.shape(), DType::float64);
    s.each([&](const Part& p) {
      const Int at = p.index * s.channels + p.channel;
      table().channel_products[type](numbers(plains) + at, numbers(alongs) + at, bytes(g) + p.at * item,
                                     bytes(s.x) + p.at * item, middle.data() + p.channel, p.n, p.channels, p.ld);
    });
    for (Int p = 0; p < s.parts; ++p)
      for (std::size_t c = 0; c < count; ++c) {
        plain[c] += numbers(plains)[p * s.channels + static_cast<Int>(c)];
        along[c] += numbers(alongs)[p * s.channels + static_cast<Int>(c)];
      }
  }
  if (dx) {
    // With h = (x - mean) * rstd:  dx = weight * rstd * (dy - mean(dy) - h * mean(dy * h)).
    const std::vector<double> factor = doubles(weight, s.channels, 1);
    const double all = static_cast<double>(s.numbers());
    std::vector<double> slope(count), bend(count), shift(count);
    for (std::size_t c = 0; c < count; ++c) {
      slope[c] = factor[c] * scale[c];
      bend[c] = slope[c] * scale[c] * scale[c] * along[c] / all;
      shift[c] = slope[c] * plain[c] / all;
    }
    const Tensor out = s.result();
    const std::vector<double> zero(count);
    s.each([&](const Part& p) {
      const Int c = p.channel;
      if (own)
        table().channel_affine_grad[type](bytes(out) + p.at * item, bytes(g) + p.at * item, bytes(s.x) + p.at * item,
                                          middle.data() + c, slope.data() + c, bend.data() + c, shift.data() + c, p.n,
                                          p.channels, p.ld);
      else
        table().channel_affine[type](bytes(out) + p.at * item, bytes(g) + p.at * item, zero.data() + c,
                                     slope.data() + c, zero.data() + c, p.n, p.channels, p.ld);
    });
    *dx = cast(out, x.dtype());
  }
  const DType type_of_sums = weight.defined() ? weight.dtype() : x.dtype();
  for (std::size_t c = 0; c < count; ++c) along[c] *= scale[c];
  if (dweight) *dweight = cast(from(along, {s.channels}), type_of_sums);
  if (dbias) *dbias = cast(from(plain, {s.channels}), type_of_sums);
}

}  // namespace weft::kernels
