#include <weft/layers/pooling.h>

namespace weft {

template <int axes>
Tensor MaxPool<axes>::operator()(const Tensor& x, Tensor* indices) const {
  constexpr decltype(&max_pool1d) pool[] = {max_pool1d, max_pool2d, max_pool3d};
  return pool[axes - 1](x, kernel_size, options, indices);
}

template <int axes>
Tensor AvgPool<axes>::operator()(const Tensor& x) const {
  constexpr decltype(&avg_pool1d) pool[] = {avg_pool1d, avg_pool2d, avg_pool3d};
  return pool[axes - 1](x, kernel_size, options);
}

template <int axes>
Tensor AdaptiveMaxPool<axes>::operator()(const Tensor& x, Tensor* indices) const {
  constexpr decltype(&adaptive_max_pool1d) pool[] = {adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d};
  return pool[axes - 1](x, output_size, indices);
}

template <int axes>
Tensor AdaptiveAvgPool<axes>::operator()(const Tensor& x) const {
  constexpr decltype(&adaptive_avg_pool1d) pool[] = {adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d};
  return pool[axes - 1](x, output_size);
}

template struct MaxPool<1>;
template struct MaxPool<2>;
template struct MaxPool<3>;
template struct AvgPool<1>;
template struct AvgPool<2>;
template struct AvgPool<3>;
template struct AdaptiveMaxPool<1>;
template struct AdaptiveMaxPool<2>;
template struct AdaptiveMaxPool<3>;
template struct AdaptiveAvgPool<1>;
template struct AdaptiveAvgPool<2>;
template struct AdaptiveAvgPool<3>;

}  // namespace weft
