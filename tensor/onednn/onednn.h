#pragma once
#include <cstdint>

#include <weft/tensor/convolution.h>

/// Matrix products and convolutions by oneDNN. Nothing outside this folder includes oneDNN's headers.
namespace weft::kernels::onednn {

/// c (m x n, rows ld_c apart) = a b (+ bias per column); strides in elements, one stride of a and b is 1.
struct Matmul {
  float* c;
  std::int64_t ld_c;
  const float* a;
  std::int64_t row_a, column_a;
  const float* b;
  std::int64_t row_b, column_b;
  std::int64_t m, n, k;
  const float* bias;
};

/// Computes the product on all threads (inside a parallel region: on this one). Returns false,
/// without having written anything, when oneDNN has no fast way to do it.
bool product(const Matmul& p);

/// The same with both factors rounded to bfloat16, the sums in float32.
bool product_bfloat16(const Matmul& p);

/// The implementation that product() uses for these sizes and strides, "" for none (for tests).
const char* implementation(const Matmul& p);

/// One pass of a convolution: x (batch, channels, input...) and y (batch, results, output...) lie channels-last, weight
/// (results, channels / groups, kernel...) row-major. The pass says which of them is computed.
struct Window {
  ConvolutionPass pass;
  std::int64_t batch, channels, results;
  const Convolution* shape;
  float *x, *weight, *y;
  const float* bias;      ///< (results), or null; read by the forward pass
  bool bfloat16 = false;  ///< both factors are rounded to bfloat16, the sums in float32
};

/// As product().
bool convolve(const Window& w);
const char* implementation(const Window& w);

}  // namespace weft::kernels::onednn
