#pragma once
#include <cstdint>

/// Matrix products by oneDNN. Nothing outside this folder includes oneDNN's headers.
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

/// The implementation that product() uses for these sizes and strides, "" for none (for tests).
const char* implementation(const Matmul& p);

}  // namespace weft::kernels::onednn
