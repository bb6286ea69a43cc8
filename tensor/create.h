#pragma once
#include <initializer_list>
#include <span>
#include <vector>

#include <weft/tensor/tensor.h>

/// New tensors. None of these is recorded for gradients.
namespace weft {

/// Uninitialised, row-major. Throws ShapeError for a negative size.
Tensor empty(const Shape& shape, DType dtype = DType::float32);
/// Uninitialised, of the shape, type and dense memory layout of `like`.
Tensor empty_like(const Tensor& like);
Tensor empty_like(const Tensor& like, DType dtype);
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
Tensor ones(const Shape& shape, DType dtype = DType::float32);
Tensor full(const Shape& shape, const Scalar& value, DType dtype = DType::float32);
Tensor zeros_like(const Tensor& like);
Tensor ones_like(const Tensor& like);
Tensor full_like(const Tensor& like, const Scalar& value);
/// A tensor of rank 0.
Tensor scalar(const Scalar& value, DType dtype = DType::float32);
/// start, start + step, ... below `stop`. Throws ConfigError when step is 0 or points away.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::int64);
/// n x m with ones on the diagonal (m = n when left out).
Tensor eye(std::int64_t n, std::int64_t m = -1, DType dtype = DType::float32);

/// Copies `values` (row-major) into a tensor of `shape`. Throws ShapeError when the counts differ.
template <class T>
Tensor from(std::span<const T> values, const Shape& shape);
template <class T>
Tensor from(const std::vector<T>& values, const Shape& shape) {
  return from(std::span<const T>(values), shape);
}
template <class T>
Tensor from(const std::vector<T>& values) {
  return from(std::span<const T>(values), Shape{static_cast<std::int64_t>(values.size())});
}
/// tensor({1, 2, 3}) is a float32 vector; tensor({{1, 2}, {3, 4}}) a matrix.
Tensor tensor(std::initializer_list<double> values, DType dtype = DType::float32);
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, DType dtype = DType::float32);

/// A tensor over foreign memory, without copying: `release(context)` runs when the last handle is gone.
Tensor adopt(void* data, const Shape& shape, DType dtype, void (*release)(void*) = nullptr, void* context = nullptr);

/// The numbers in row-major order, converted to T (no conversion of values beyond static_cast).
template <class T>
std::vector<T> to_vector(const Tensor& x);

/// A view of the same storage with another shape, strides and offset (in elements, from x's first
/// element). Not recorded; the caller vouches for the bounds.
Tensor view_as(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset = 0);
/// A handle to the same numbers that has no gradient.
Tensor detach(const Tensor& x);

}  // namespace weft
