#include <weft/tensor/create.h>

#include <cmath>
#include <cstring>

#include <weft/tensor/kernels.h>

namespace weft {
namespace {

std::int64_t count_elements(const char* op, const Shape& shape) {
  std::int64_t n = 1;  // with a 0 counted as 1: the strides must not overflow either
  bool none = false;
  for (const std::int64_t size : shape) {
    if (size < 0) throw ShapeError(text(op, ": a size in ", shape, " is negative"));
    none |= size == 0;
    if (__builtin_mul_overflow(n, size == 0 ? 1 : size, &n) || n > (std::int64_t{1} << 58))
      throw ShapeError(text(op, ": shape ", shape, " has too many elements"));
  }
  return none ? 0 : n;
}

Tensor make(Storage* storage, const Shape& shape, DType dtype, std::int64_t numel) {
  TensorBody* b = TensorBody::allocate();
  b->dtype = dtype;
  b->storage = storage;
  b->data = storage->data;
  b->numel = numel;
  b->shape = shape;
  b->strides = row_major(shape);
  return Tensor(b);
}

template <class Visit>
void for_each_offset(const TensorBody& b, Visit&& visit) {
  if (b.numel == 0) return;
  Dims index = Dims::filled(b.shape.size(), 0);
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < b.numel; ++n) {
    visit(n, at);
    for (int axis = b.shape.size() - 1; axis >= 0; --axis) {
      at += b.strides[axis];
      if (++index[axis] < b.shape[axis]) break;
      at -= b.strides[axis] * b.shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

Tensor empty(const Shape& shape, DType dtype) {
  const std::int64_t n = count_elements("empty", shape);
  return make(Storage::allocate(static_cast<std::size_t>(n) * size_of(dtype)), shape, dtype, n);
}

Tensor empty_like(const Tensor& like) { return empty_like(like, like.dtype()); }

Tensor empty_like(const Tensor& like, DType dtype) {
  Tensor x = empty(like.shape(), dtype);
  if (like.is_contiguous()) return x;
  // Keep the order of axes in memory if `like` is dense in some order (channels-last, a transpose).
  const TensorBody& b = like.body();
  int order[Dims::max_rank];
  const int rank = b.shape.size();
  for (int i = 0; i < rank; ++i) {  // insertion sort by decreasing stride
    int j = i;
    while (j > 0 && b.strides[order[j - 1]] < b.strides[i]) {
      order[j] = order[j - 1];
      --j;
    }
    order[j] = i;
  }
  Strides strides = b.strides;
  std::int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int axis = order[i];
    if (b.shape[axis] != 1 && b.strides[axis] != step) return x;  // has gaps or repeats
    strides[axis] = step;
    step *= b.shape[axis];
  }
  x.body().strides = strides;
  x.body().contiguous = strides == row_major(b.shape);
  return x;
}

Tensor full(const Shape& shape, const Scalar& value, DType dtype) {
  Tensor x = empty(shape, dtype);
  kernels::fill(x, value);
  return x;
}
Tensor zeros(const Shape& shape, DType dtype) {
  Tensor x = empty(shape, dtype);
  if (x.numel() * static_cast<std::int64_t>(size_of(dtype)) <= 1024)
    std::memset(x.body().data, 0, static_cast<std::size_t>(x.numel()) * size_of(dtype));
  else
    kernels::fill(x, 0);
  return x;
}
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& like) {
  Tensor x = empty_like(like);
  kernels::fill(x, 0);
  return x;
}
Tensor ones_like(const Tensor& like) {
  Tensor x = empty_like(like);
  kernels::fill(x, 1);
  return x;
}
Tensor full_like(const Tensor& like, const Scalar& value) {
  Tensor x = empty_like(like);
  kernels::fill(x, value);
  return x;
}
Tensor scalar(const Scalar& value, DType dtype) { return full({}, value, dtype); }

Tensor arange(double start, double stop, double step, DType dtype) {
  if (step == 0 || !std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step) || (stop - start) / step < 0)
    throw ConfigError(text("arange: step ", step, " does not lead from ", start, " to ", stop));
  const double count = std::ceil((stop - start) / step);
  if (!(count <= 0x1p48))
    throw ShapeError(text("arange: ", count, " numbers from ", start, " to ", stop, " are too many"));
  const Tensor values = empty({static_cast<std::int64_t>(count)}, DType::float64);
  auto* at = static_cast<double*>(values.body().data);
  for (std::int64_t i = 0; i < values.numel(); ++i) at[i] = start + static_cast<double>(i) * step;
  return kernels::cast(values, dtype);
}

Tensor eye(std::int64_t n, std::int64_t m, DType dtype) {
  if (m < 0) m = n;
  Tensor x = zeros({n, m}, dtype);
  kernels::fill(view_as(x, {n < m ? n : m}, {m + 1}), 1);
  return x;
}

template <class T>
Tensor from(std::span<const T> values, const Shape& shape) {
  Tensor x = empty(shape, dtype_of<T>);
  if (static_cast<std::int64_t>(values.size()) != x.numel())
    throw ShapeError(
        text("from: ", values.size(), " values do not fill shape ", shape, " of ", x.numel(), " elements"));
  if (!values.empty()) std::memcpy(x.body().data, values.data(), values.size_bytes());
  return x;
}
template Tensor from(std::span<const float>, const Shape&);
template Tensor from(std::span<const double>, const Shape&);
template Tensor from(std::span<const std::int64_t>, const Shape&);
template Tensor from(std::span<const std::int32_t>, const Shape&);
template Tensor from(std::span<const std::uint8_t>, const Shape&);
template Tensor from(std::span<const std::int8_t>, const Shape&);
template Tensor from(std::span<const bool>, const Shape&);

Tensor tensor(std::initializer_list<double> values, DType dtype) {
  const Tensor x = from(std::span(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())});
  return kernels::cast(x, dtype);
}
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, DType dtype) {
  std::vector<double> values;
  const std::size_t columns = rows.size() ? rows.begin()->size() : 0;
  for (const auto& row : rows) {
    if (row.size() != columns) throw ShapeError(text("tensor: rows of ", columns, " and ", row.size(), " numbers"));
    values.insert(values.end(), row.begin(), row.end());
  }
  return kernels::cast(from(values, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns)}),
                       dtype);
}

Tensor adopt(void* data, const Shape& shape, DType dtype, void (*release)(void*), void* context) {
  const std::int64_t n = count_elements("adopt", shape);
  return make(Storage::adopt(data, static_cast<std::size_t>(n) * size_of(dtype), release, context), shape, dtype, n);
}

template <class T>
std::vector<T> to_vector(const Tensor& x) {
  if (detail::read_watch) [[unlikely]]
    detail::read_watch(x);
  std::vector<T> out(static_cast<std::size_t>(x.numel()));
  const TensorBody& b = x.body();
  const auto copy = [&](const auto* data) {
    for_each_offset(b, [&](std::int64_t n, std::int64_t at) {
      using Element = std::remove_cvref_t<decltype(*data)>;
      if constexpr (std::is_same_v<Element, BFloat16>)
        out[static_cast<std::size_t>(n)] = static_cast<T>(static_cast<float>(data[at]));
      else
        out[static_cast<std::size_t>(n)] = static_cast<T>(data[at]);
    });
  };
  switch (b.dtype) {
    case DType::boolean: copy(static_cast<const bool*>(b.data)); break;
    case DType::uint8: copy(static_cast<const std::uint8_t*>(b.data)); break;
    case DType::int8: copy(static_cast<const std::int8_t*>(b.data)); break;
    case DType::int32: copy(static_cast<const std::int32_t*>(b.data)); break;
    case DType::int64: copy(static_cast<const std::int64_t*>(b.data)); break;
    case DType::bfloat16: copy(static_cast<const BFloat16*>(b.data)); break;
    case DType::float32: copy(static_cast<const float*>(b.data)); break;
    case DType::float64: copy(static_cast<const double*>(b.data)); break;
  }
  return out;
}
template std::vector<float> to_vector(const Tensor&);
template std::vector<double> to_vector(const Tensor&);
template std::vector<std::int64_t> to_vector(const Tensor&);
template std::vector<std::int32_t> to_vector(const Tensor&);
template std::vector<std::uint8_t> to_vector(const Tensor&);
template std::vector<std::int8_t> to_vector(const Tensor&);

Tensor view_as(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
  const TensorBody& from = x.body();
  TensorBody* b = TensorBody::allocate();
  b->dtype = from.dtype;
  b->storage = from.storage;
  b->storage->retain();
  b->data = static_cast<char*>(from.data) + offset * static_cast<std::int64_t>(size_of(from.dtype));
  b->numel = shape.product();
  b->shape = shape;
  b->strides = strides;
  // Axes of size 1 may have any stride; a tensor with nothing in it is as dense as any.
  bool dense = true;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != step) dense = false;
    step *= shape[i];
  }
  b->contiguous = dense || b->numel == 0;
  return Tensor(b);
}

Tensor detach(const Tensor& x) { return view_as(x, x.shape(), x.strides()); }

}  // namespace weft
