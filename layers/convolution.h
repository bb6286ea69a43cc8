#pragma once
#include <cstdint>

#include <weft/autograd/ops/convolution.h>
#include <weft/autograd/ops/padding.h>
#include <weft/layers/module.h>

/// Convolutions over one, two or three spatial axes. Weight and bias begin uniform within 1 / sqrt(fan_in).
namespace weft {

struct ConvLayerOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  PerAxis kernel_size;
  PerAxis stride = 1;
  ConvPadding padding = 0;  ///< numbers, "valid" or "same"
  PerAxis dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  PadMode padding_mode = PadMode::constant;  ///< what the border is made of; constant: zeros
  DType dtype = DType::float32;
};
/// x (N, in_channels, spatial...) -> (N, out_channels, spatial...); see conv1d.
/// weight (out, in / groups, kernel...), bias (out,).
template <int axes>
struct Conv {
  Tensor weight, bias;
  ConvOptions options;
  PadMode padding_mode;
  std::vector<std::int64_t> border;  ///< what padding_mode other than constant puts around x, as pad() takes it
  explicit Conv(const ConvLayerOptions& options);
  Tensor operator()(const Tensor& x) const;
  /// relu of the same, in one pass; Sequential does so where a ReLU follows.
  Tensor then_relu(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "options", options, "padding_mode", padding_mode, "border", border);
  }
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

struct ConvTransposeLayerOptions {
  std::int64_t in_channels;
  std::int64_t out_channels;
  PerAxis kernel_size;
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  PerAxis dilation = 1;
  DType dtype = DType::float32;
};
/// x (N, in_channels, spatial...) -> (N, out_channels, larger...); see conv_transpose1d.
/// weight (in, out / groups, kernel...), bias (out,).
template <int axes>
struct ConvTranspose {
  Tensor weight, bias;
  ConvTransposeOptions options;
  explicit ConvTranspose(const ConvTransposeLayerOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("weight", weight, "bias", bias, "options", options); }
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

namespace detail {
template <>
struct IsPlain<ConvOptions> : std::true_type {};
template <>
struct IsPlain<ConvTransposeOptions> : std::true_type {};
}  // namespace detail

extern template struct Conv<1>;
extern template struct Conv<2>;
extern template struct Conv<3>;
extern template struct ConvTranspose<1>;
extern template struct ConvTranspose<2>;
extern template struct ConvTranspose<3>;

}  // namespace weft
