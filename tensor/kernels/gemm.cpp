#define EIGEN_DONT_PARALLELIZE
#define EIGEN_NO_DEBUG
#include <Eigen/Core>

#include <weft/tensor/kernels/small_gemm.h>

namespace weft::kernels {
namespace {

template <class T, int Order>
using Matrix =
    Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <class T>
using Result = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Unaligned,
                          Eigen::OuterStride<>>;

template <class T, int OrderA, int OrderB>
void multiply(T* c, Int ld_c, const T* a, Int ld_a, const T* b, Int ld_b, Int m, Int n, Int k) {
  Result<T>(c, m, n, Eigen::OuterStride<>(ld_c)).noalias() =
      Matrix<T, OrderA>(a, m, k, Eigen::OuterStride<>(ld_a)) * Matrix<T, OrderB>(b, k, n, Eigen::OuterStride<>(ld_b));
}

template <class T>
void gemm(void* c, Int ld_c, const void* a, Int row_a, Int column_a, const void* b, Int row_b, Int column_b, Int m,
          Int n, Int k, const void* bias) {
  T* y = static_cast<T*>(c);
  const T* x = static_cast<const T*>(a);
  const T* w = static_cast<const T*>(b);
  // Measured: Eigen's packing repays itself from about 128 x 128 x 128 on.
  constexpr Int small_work = 128 * 128 * 128;
  if (k <= small::most_inner && m * n * k <= small_work) {
    small::multiply<T>(y, ld_c, x, row_a, column_a, w, row_b, column_b, m, n, k, static_cast<const T*>(bias));
    return;
  }
  if (column_a == 1 && column_b == 1)
    multiply<T, Eigen::RowMajor, Eigen::RowMajor>(y, ld_c, x, row_a, w, row_b, m, n, k);
  else if (column_a == 1)
    multiply<T, Eigen::RowMajor, Eigen::ColMajor>(y, ld_c, x, row_a, w, column_b, m, n, k);
  else if (column_b == 1)
    multiply<T, Eigen::ColMajor, Eigen::RowMajor>(y, ld_c, x, column_a, w, row_b, m, n, k);
  else
    multiply<T, Eigen::ColMajor, Eigen::ColMajor>(y, ld_c, x, column_a, w, column_b, m, n, k);
  if (bias) {
    const T* add = static_cast<const T*>(bias);
    for (Int i = 0; i < m; ++i) {
      T* row = y + i * ld_c;
      WEFT_SIMD
      for (Int j = 0; j < n; ++j) row[j] += add[j];
    }
  }
}

}  // namespace

void WEFT_LEVELED(install_gemm)(KernelTable& t) {
  t.gemm[0] = gemm<float>;
  t.gemm[1] = gemm<double>;
}

}  // namespace weft::kernels
