#include <weft/tensor/dispatch.h>

/// Copies, conversions and fills.
namespace weft::kernels {
namespace {

/// Copies tile by tile when the innermost axes of the two sides differ. Returns false when that is not the case.
bool copy_transposed(const Loop& loop, Int size) {
  const int inner = loop.rank() - 1;
  if (loop.rank() < 2 || loop.step(0, inner) != size || loop.step(1, inner) == size || loop.step(1, inner) == 0)
    return false;
  int other = -1;
  for (int axis = 0; axis < inner; ++axis)
    if (loop.step(1, axis) == size) other = axis;
  constexpr Int narrow = 4;
  if (other < 0 || loop.size(inner) < narrow || loop.size(other) < narrow) return false;
  if (loop.step(1, inner) % size != 0 || loop.step(0, other) % size != 0) return false;

  const auto kernel = table().transpose[size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3];
  const Int rows = loop.size(inner), columns = loop.size(other);
  // Parts: the axes outside, times strips of 64 columns.
  constexpr Int strip = 64;
  const Int strips = (columns + strip - 1) / strip;
  Int outside = 1;
  for (int axis = 0; axis < inner; ++axis)
    if (axis != other) outside *= loop.size(axis);
  const Int smallest = 2 * grain / (rows * (columns < strip ? columns : strip)) + 1;
  parallel_for(outside * strips, smallest, [&](Int begin, Int end) {
    for (Int part = begin; part < end; ++part) {
      Int rest = part / strips;
      const Int first = (part - rest * strips) * strip;
      char* y = loop.data(0) + first * loop.step(0, other);
      char* x = loop.data(1) + first * size;
      for (int axis = inner - 1; axis >= 0; --axis) {
        if (axis == other) continue;
        const Int next = rest / loop.size(axis), at = rest - next * loop.size(axis);
        y += at * loop.step(0, axis);
        x += at * loop.step(1, axis);
        rest = next;
      }
      kernel(y, loop.step(0, other) / size, x, loop.step(1, inner) / size, rows,
             columns - first < strip ? columns - first : strip);
    }
  });
  return true;
}

/// dst = src, both of one shape or src broadcast to it.
void transfer(const Tensor& dst, const Tensor& src) {
  const TensorBody& d = dst.body();
  const TensorBody& s = src.body();
  if (d.numel == 0) return;
  const bool same = d.dtype == s.dtype;
  const Int size = item_size(d.dtype);
  if (same && d.numel <= grain && d.contiguous && s.contiguous && s.numel == d.numel) {
    std::memcpy(d.data, s.data, static_cast<std::size_t>(d.numel * size));
    return;
  }
  Loop loop(d.shape);
  loop.add(dst);
  loop.add(src);
  loop.prepare();
  const Int step_d = loop.inner_step(0), step_s = loop.inner_step(1);
  if (same && step_d == size && step_s == size) {
    loop.run(2 * grain, [&](char* const* p, Int n) { std::memcpy(p[0], p[1], static_cast<std::size_t>(n * size)); });
    return;
  }
  if (same && copy_transposed(loop, size)) return;
  const auto convert = table().convert[static_cast<int>(d.dtype)][static_cast<int>(s.dtype)];
  const Int size_s = item_size(s.dtype);
  loop.run(2 * grain, [&](char* const* p, Int n) { convert(p[0], step_d / size, p[1], step_s / size_s, n); });
}

}  // namespace

Tensor copy(const Tensor& x) {
  Tensor y = empty(x.shape(), x.dtype());
  transfer(y, x);
  return y;
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : copy(x); }

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty_like(x, dtype);
  transfer(y, x);
  return y;
}

void copy_into(const Tensor& dst, const Tensor& src) {
  const Shape& to = dst.shape();
  const Shape& from = src.shape();
  const bool fits = from.size() <= to.size() && broadcast("copy_into", to, from) == to;
  if (!fits)
    throw ShapeError(text("copy_into: shape ", from, " does not broadcast to ", to,
                          "\n  help: make its sizes equal to the destination's, or 1"));
  bytes_to_write(dst);
  const TensorBody& d = dst.body();
  const TensorBody& s = src.body();
  if (d.storage == s.storage) {
    if (d.data == s.data && d.dtype == s.dtype && d.shape == s.shape && d.strides == s.strides) return;
    transfer(dst, copy(src));  // the two may overlap
    return;
  }
  transfer(dst, src);
}

void fill(const Tensor& dst, const Scalar& value) {
  bytes_to_write(dst);
  const DType type = dst.dtype();
  const KernelTable& t = table();
  // The number as one element of the type; an integer must not pass through floating point.
  alignas(8) char element[8];
  const bool floating = value.kind() == DType::float64;
  const double real = value.real();
  const Int whole = floating ? 0 : value.integer();
  t.convert[static_cast<int>(type)][static_cast<int>(floating ? DType::float64 : DType::int64)](
      element, 1, floating ? static_cast<const void*>(&real) : &whole, 1, 1);
  if (dst.numel() == 0) return;
  Loop loop(dst.shape());
  loop.add(dst);
  loop.prepare();
  const auto convert = t.convert[static_cast<int>(type)][static_cast<int>(type)];
  const Int step = loop.inner_step(0) / item_size(type);
  loop.run(2 * grain, [&](char* const* p, Int n) { convert(p[0], step, element, 0, n); });
}

Tensor flip(const Tensor& x, std::span<const int> axes) {
  if (x.numel() == 0) return copy(x);
  Strides strides = x.strides();
  Int offset = 0;
  for (const int axis : axes) {
    offset += (x.shape()[axis] - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  return copy(view_as(x, x.shape(), strides, offset));
}

Tensor triangle(const Tensor& x, Int offset, bool upper) {
  Tensor y = copy(x);
  const Int columns = x.shape().back(), rows = x.shape()[x.dim() - 2], size = item_size(x.dtype());
  if (y.numel() == 0) return y;
  const Int diagonal = offset < -rows ? -rows : offset > columns ? columns : offset;
  char* data = bytes(y);
  parallel_for(y.numel() / columns, grain / columns + 1, [&](Int begin, Int end) {
    for (Int r = begin; r < end; ++r) {
      const Int reach = r % rows + diagonal + (upper ? 0 : 1);  // where the upper part, or the zeros, begin
      const Int cut = reach < 0 ? 0 : reach > columns ? columns : reach;
      char* row = data + r * columns * size;
      if (upper)
        std::memset(row, 0, static_cast<std::size_t>(cut * size));
      else
        std::memset(row + cut * size, 0, static_cast<std::size_t>((columns - cut) * size));
    }
  });
  return y;
}

}  // namespace weft::kernels
