#pragma once
#include <cstdint>

#include <weft/autograd/ops/pooling.h>
#include <weft/autograd/ops/sampling.h>
#include <weft/layers/module.h>

/// Layers without parameters that change the size of images: x (N, C, spatial...).
namespace weft {

namespace detail {
template <>
struct IsPlain<PerAxis> : std::true_type {};
template <>
struct IsPlain<MaxPoolOptions> : std::true_type {};
template <>
struct IsPlain<AvgPoolOptions> : std::true_type {};
template <>
struct IsPlain<InterpolateOptions> : std::true_type {};
}  // namespace detail

/// The largest of each window and, in `indices` unless null, where it lies; see max_pool1d.
template <int axes>
struct MaxPool {
  PerAxis kernel_size;
  MaxPoolOptions options;
  explicit MaxPool(PerAxis window, MaxPoolOptions more = {})
      : kernel_size(std::move(window)), options(std::move(more)) {}
  Tensor operator()(const Tensor& x, Tensor* indices = nullptr) const;
  void fields(auto&& f) { f("kernel_size", kernel_size, "options", options); }
};
using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;

/// The mean of each window; see avg_pool1d.
template <int axes>
struct AvgPool {
  PerAxis kernel_size;
  AvgPoolOptions options;
  explicit AvgPool(PerAxis window, AvgPoolOptions more = {})
      : kernel_size(std::move(window)), options(std::move(more)) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("kernel_size", kernel_size, "options", options); }
};
using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;

/// Results of a fixed size from inputs of any; `indices` as in MaxPool. See adaptive_max_pool1d.
template <int axes>
struct AdaptiveMaxPool {
  PerAxis output_size;
  explicit AdaptiveMaxPool(PerAxis size) : output_size(std::move(size)) {}
  Tensor operator()(const Tensor& x, Tensor* indices = nullptr) const;
  void fields(auto&& f) { f("output_size", output_size); }
};
using AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
using AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
using AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

/// See adaptive_avg_pool1d.
template <int axes>
struct AdaptiveAvgPool {
  PerAxis output_size;
  explicit AdaptiveAvgPool(PerAxis size) : output_size(std::move(size)) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("output_size", output_size); }
};
using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

/// Another size by interpolation; see interpolate.
struct Upsample {
  InterpolateOptions options;
  explicit Upsample(InterpolateOptions how) : options(std::move(how)) {}
  Tensor operator()(const Tensor& x) const { return interpolate(x, options); }
  void fields(auto&& f) { f("options", options); }
};

extern template struct MaxPool<1>;
extern template struct MaxPool<2>;
extern template struct MaxPool<3>;
extern template struct AvgPool<1>;
extern template struct AvgPool<2>;
extern template struct AvgPool<3>;
extern template struct AdaptiveMaxPool<1>;
extern template struct AdaptiveMaxPool<2>;
extern template struct AdaptiveMaxPool<3>;
extern template struct AdaptiveAvgPool<1>;
extern template struct AdaptiveAvgPool<2>;
extern template struct AdaptiveAvgPool<3>;

}  // namespace weft
