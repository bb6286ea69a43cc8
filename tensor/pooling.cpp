#include <algorithm>
#include <limits>
#include <vector>

#include <weft/tensor/convolution.h>
#include <weft/tensor/dispatch.h>

/// Largest values under windows, and the way back.
namespace weft::kernels {
namespace {

/// x dense, in row-major order or with its channels innermost.
struct Dense {
  Tensor x;
  bool last;  ///< channels innermost
  // Vectors of channels are so much faster than single numbers that turning the array first pays by far.
  explicit Dense(const Tensor& any) : last(any.is_contiguous() ? any.shape()[1] >= 8 : is_channels_last(any)) {
    x = last ? channels_last(any) : contiguous(any);
  }
};

/// What each output looks at along three axes, the missing ones of one element.
class Windows {
 public:
  explicit Windows(std::span<const AxisMap> given) {
    for (int a = 0; a < 3; ++a) {
      const int missing = 3 - static_cast<int>(given.size());
      const AxisMap& map = a < missing ? none_ : given[static_cast<std::size_t>(a - missing)];
      axes.begin[a] = map.begin.data();
      axes.source[a] = map.source.data();
      axes.outputs[a] = map.outputs();
      axes.inputs[a] = map.inputs;
      taps_ += static_cast<Int>(map.source.size()) / std::max<Int>(map.outputs(), 1);
    }
  }
  Windows(const Windows&) = delete;

  WindowAxes axes;
  Int outputs() const { return axes.outputs[0] * axes.outputs[1] * axes.outputs[2]; }
  Int inputs() const { return axes.inputs[0] * axes.inputs[1] * axes.inputs[2]; }

  /// Calls visit(plane, first, last) for runs of the outputs of all planes, on all threads.
  template <class Visit>
  void each(Int planes, Int inner, Visit&& visit) const {
    const Int each_plane = outputs();
    parallel_for(planes * each_plane, grain / (taps_ * inner) + 1, [&](Int begin, Int end) {
      while (begin < end) {
        const Int plane = begin / each_plane, first = begin % each_plane;
        const Int last = std::min(each_plane, first + end - begin);
        visit(plane, first, last);
        begin += last - first;
      }
    });
  }

 private:
  const AxisMap none_{0, 1, {0, 1}, {0}, {1}};
  Int taps_ = 1;
};

Tensor empty_like_dense(const Dense& x, const Shape& shape, DType type) {
  return x.last ? empty_channels_last(shape, type) : empty(shape, type);
}

}  // namespace

Tensor max_pool(const Tensor& x, std::span<const AxisMap> windows, Tensor* places) {
  const Windows w(windows);
  if (w.inputs() > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(text("max_pool: x ", x.shape(), " has more than 2^31 - 1 elements per channel"));
  const DType type = native(x.dtype());
  const Dense in(cast(x, type));
  Shape shape{x.shape()[0], x.shape()[1]};
  for (const AxisMap& map : windows) shape.push_back(map.outputs());
  const Tensor y = empty_like_dense(in, shape, type);
  if (places) *places = empty_like_dense(in, shape, DType::int32);
  if (y.numel() > 0) {
    const Int planes = in.last ? shape[0] : shape[0] * shape[1], inner = in.last ? shape[1] : 1;
    const Int item = item_size(type), outputs = w.outputs() * inner, inputs = w.inputs() * inner;
    std::int32_t* at = places ? reinterpret_cast<std::int32_t*>(bytes(*places)) : nullptr;
    const auto kernel = table().max_pool[slot(compute_of(type))];
    w.each(planes, inner, [&](Int plane, Int first, Int last) {
      kernel(bytes(y) + plane * outputs * item, at ? at + plane * outputs : nullptr,
             bytes(in.x) + plane * inputs * item, w.axes, first, last, inner);
    });
  }
  return cast(y, x.dtype());
}

Tensor max_pool_grad(const Tensor& dy, const Tensor& places, std::span<const AxisMap> windows, const Shape& shape) {
  check_floating("max_pool", dy);
  const DType type = native(dy.dtype());
  // In the order of the places, whatever that of dy: it is the input's.
  const bool last = !places.is_contiguous();
  const Tensor g = last ? channels_last(cast(dy, type)) : contiguous(cast(dy, type));
  const Tensor dx = last ? empty_channels_last(shape, type) : empty(shape, type);
  if (dx.numel() == 0) return cast(dx, dy.dtype());
  std::vector<AxisMap> back;
  for (const AxisMap& map : windows) back.push_back(transposed(map));
  const Windows w(back);
  const Int planes = last ? shape[0] : shape[0] * shape[1], inner = last ? shape[1] : 1;
  const Int item = item_size(type), outputs = w.inputs() * inner, inputs = w.outputs() * inner;
  const auto* at = reinterpret_cast<const std::int32_t*>(bytes(places));
  const auto kernel = table().max_pool_grad[slot(compute_of(type))];
  w.each(planes, inner, [&](Int plane, Int first, Int end) {
    kernel(bytes(dx) + plane * inputs * item, bytes(g) + plane * outputs * item, at + plane * outputs, w.axes, first,
           end, inner);
  });
  return cast(dx, dy.dtype());
}

}  // namespace weft::kernels
