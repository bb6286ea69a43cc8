#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include <weft/tensor/convolution.h>

/// Convolutions over one, two or three spatial axes, as neural networks mean them (the window is not turned round).
/// input (N, C, spatial...), or (C, spatial...) for a single one. The result lies channels-last in memory. Types are
/// promoted; computed in float32 or float64. Throws ShapeError where sizes do not fit, DtypeError for integers,
/// ConfigError for options out of range.
namespace weft {

/// Zeros around the input: a number per spatial axis, "valid" for none, or "same" for as many as keep the size (only
/// with stride 1; where their number is odd, the end gets one more).
class ConvPadding {
 public:
  ConvPadding(std::int64_t all) : each_(all) {}
  ConvPadding(std::initializer_list<std::int64_t> each) : each_(each) {}
  ConvPadding(PerAxis each) : each_(each) {}
  template <std::size_t n>
  ConvPadding(const char (&word)[n]) : word_(word) {}
  ConvPadding(std::string_view word) : word_(word) {}

  const std::string& word() const noexcept { return word_; }  ///< "" when there are numbers
  const PerAxis& each() const noexcept { return each_; }

 private:
  std::string word_;
  PerAxis each_ = 0;
};

struct ConvOptions {
  PerAxis stride = 1;
  ConvPadding padding = 0;
  PerAxis dilation = 1;     ///< the distance between the taps of the window
  std::int64_t groups = 1;  ///< channels in so many groups, each with its own windows
  bool relu = false;        ///< relu(y) instead of y, in the same pass over memory; its gradient is relu's too
};

/// y[n, o, p] = bias[o] + sum over c and taps t of weight[o, c, t] * input[n, c, p * stride - padding + t * dilation]:
/// input (N, C, L), weight (O, C / groups, k), bias (O,) or undefined
/// -> (N, O, (L + 2 padding - dilation (k - 1) - 1) / stride + 1).
/// Gradient: to the input the transposed convolution of dy, to the weight the products of dy and input, summed.
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
              const ConvOptions& options = {});
/// The same over two axes: input (N, C, H, W), weight (O, C / groups, kh, kw).
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
              const ConvOptions& options = {});
/// The same over three axes: input (N, C, D, H, W), weight (O, C / groups, kd, kh, kw).
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
              const ConvOptions& options = {});

struct ConvTransposeOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;         ///< this much is cut off at either end
  PerAxis output_padding = 0;  ///< this much is added at the end; less than the stride or the dilation
  PerAxis dilation = 1;
  std::int64_t groups = 1;
};

/// The transpose of conv1d by its input, as a layer that enlarges: input (N, C, L), weight (C, O / groups, k), bias
/// (O,) or undefined -> (N, O, (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1).
/// Gradient: to the input the convolution of dy, to the weight the products of input and dy, summed.
/// Zeiler et al. (2010).
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
                        const ConvTransposeOptions& options = {});
/// The same over two axes: input (N, C, H, W), weight (C, O / groups, kh, kw).
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
                        const ConvTransposeOptions& options = {});
/// The same over three axes: input (N, C, D, H, W), weight (C, O / groups, kd, kh, kw).
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias = Tensor(),
                        const ConvTransposeOptions& options = {});

}  // namespace weft
