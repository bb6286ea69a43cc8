#pragma once
#include <memory>

#include <weft/tensor/onednn/onednn.h>
#include <weft/tensor/packed.h>

/// Weights in the order that oneDNN's primitives want, and the primitives that take them so.
namespace weft::kernels::onednn {

struct PackedMatrix;
/// The weight (out, in) of a linear layer; null where the library has no fast way to use one.
std::shared_ptr<const PackedMatrix> pack(const float* weight, std::int64_t out, std::int64_t in, std::int64_t row,
                                         std::int64_t column);
std::size_t bytes_of(const PackedMatrix& weight) noexcept;
/// Writes it to (out, in) row-major memory.
void unpack(const PackedMatrix& weight, float* to);

/// y (rows, out) = activation(x W^T + bias + residual); rows of x lie ld_x apart, the others are dense; bias and
/// residual may be null.
struct PackedProduct {
  float* y;
  const float* x;
  std::int64_t ld_x, rows;
  const float *bias, *residual;
  Activation activation;
};
/// As product(): false, without having written anything, when the library has no fast way to do it.
bool product(const PackedMatrix& weight, const PackedProduct& p);
const char* implementation(const PackedMatrix& weight, const PackedProduct& p);

struct PackedFilter;
/// The weight (results, channels / groups, kernel...) of a convolution, row-major; arranged when it is first used.
std::shared_ptr<PackedFilter> make_filter(const Tensor& weight, std::int64_t groups);
std::size_t bytes_of(const PackedFilter& filter) noexcept;

/// y (batch, results, output...) = activation(convolution of x + bias + residual); all channels-last, bias and residual
/// may be null.
struct PackedWindow {
  std::int64_t batch;
  const Convolution* shape;
  float* y;
  const float *x, *bias, *residual;
  Activation activation;
};
/// As product().
bool convolve(PackedFilter& filter, const PackedWindow& w);
/// Arranges the weight for such a call (whose pointers but for their presence do not matter).
bool prepare(PackedFilter& filter, const PackedWindow& w);
const char* implementation(const PackedFilter& filter, const PackedWindow& w);

}  // namespace weft::kernels::onednn
