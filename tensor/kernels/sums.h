#pragma once
#include <weft/tensor/kernels/common.h>

/// Sums of many numbers that lose few digits.
namespace weft::kernels {
namespace {

/// The sum of f(i) over [0, n): in runs of 2048 by 32 accumulators, the runs in double.
template <class T, class F>
WEFT_INLINE double sum_runs(Int n, F&& f) {
  constexpr Int lanes = 32, run = 64 * lanes;
  double total = 0;
  for (Int begin = 0; begin < n; begin += run) {
    const Int end = n - begin < run ? n : begin + run;
    T part[lanes] = {};
    Int i = begin;
    for (; i + lanes <= end; i += lanes) {
      WEFT_SIMD
      for (Int l = 0; l < lanes; ++l) part[l] += f(i + l);
    }
    WEFT_SIMD
    for (Int l = 0; l < end - i; ++l) part[l] += f(i + l);
    for (Int width = lanes / 2; width > 0; width /= 2)
      for (Int l = 0; l < width; ++l) part[l] += part[l + width];
    total += static_cast<double>(part[0]);
  }
  return total;
}

}  // namespace
}  // namespace weft::kernels
