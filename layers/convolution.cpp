#include <weft/layers/convolution.h>

#include <cmath>

#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

/// "conv2d: in_channels 3 and out_channels 8 are not both divisible by groups 2"
void check_channels(const char* name, std::int64_t in, std::int64_t out, std::int64_t groups) {
  if (in < 1 || out < 1)
    throw ConfigError(text(name, ": in_channels ", in, ", out_channels ", out, "\n  help: choose 1 or more for each"));
  if (groups < 1 || in % groups != 0 || out % groups != 0)
    throw ConfigError(
        text(name, ": in_channels ", in, " and out_channels ", out, " are not both divisible by groups ", groups));
}

/// Weight of (rows, columns, kernel...) and bias, both uniform within 1 / sqrt(columns * kernel size).
void make(Tensor& weight, Tensor& bias, std::int64_t rows, std::int64_t columns, const Dims& kernel,
          std::int64_t results, bool with_bias, DType dtype) {
  Shape shape{rows, columns};
  double fan = static_cast<double>(columns);
  for (const std::int64_t n : kernel) {
    shape.push_back(n);
    fan *= static_cast<double>(n);
  }
  const double bound = 1 / std::sqrt(fan);
  weight = empty(shape, dtype);
  initialize::uniform(weight, -bound, bound);
  weight.set_requires_grad();
  if (!with_bias) return;
  bias = empty({results}, dtype);
  initialize::uniform(bias, -bound, bound);
  bias.set_requires_grad();
}

constexpr const char* conv_names[] = {"conv1d", "conv2d", "conv3d"};
constexpr const char* transpose_names[] = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};

}  // namespace

template <int axes>
Conv<axes>::Conv(const ConvLayerOptions& o)
    : options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups},
      padding_mode(o.padding_mode) {
  const char* name = conv_names[axes - 1];
  check_channels(name, o.in_channels, o.out_channels, o.groups);
  const Dims kernel = o.kernel_size.on(name, "kernel_size", axes, 1);
  make(weight, bias, o.out_channels, o.in_channels / o.groups, kernel, o.out_channels, o.bias, o.dtype);
  const Dims stride = o.stride.on(name, "stride", axes, 1), dilation = o.dilation.on(name, "dilation", axes, 1);
  const std::string& word = o.padding.word();
  const Dims each = word.empty() ? o.padding.each().on(name, "padding", axes, 0) : Dims::filled(axes, 0);
  if (!word.empty() && word != "same" && word != "valid")
    throw ConfigError(text(name, ": padding \"", word, "\" is unknown\n  help: choose \"same\", \"valid\" or numbers"));
  for (int a = 0; a < axes; ++a)
    if (word == "same" && stride[a] != 1)
      throw ConfigError(text(name, ": padding \"same\" with stride ", stride[a], "\n  help: choose stride 1"));
  if (padding_mode == PadMode::constant) return;
  // The border is laid around x first, so the convolution itself has none. pad() wants the last axis first.
  for (int a = axes - 1; a >= 0; --a) {
    const std::int64_t total = word == "same" ? dilation[a] * (kernel[a] - 1) : 2 * each[a];
    border.push_back(total / 2);
    border.push_back(total - total / 2);
  }
  options.padding = 0;
}

namespace {
template <int axes>
Tensor convolve(const Conv<axes>& layer, const Tensor& x, const ConvOptions& options) {
  const Tensor wide = layer.border.empty() ? x : pad(x, layer.border, layer.padding_mode);
  if constexpr (axes == 1) return conv1d(wide, layer.weight, layer.bias, options);
  if constexpr (axes == 2) return conv2d(wide, layer.weight, layer.bias, options);
  if constexpr (axes == 3) return conv3d(wide, layer.weight, layer.bias, options);
}
}  // namespace

template <int axes>
Tensor Conv<axes>::operator()(const Tensor& x) const {
  return convolve(*this, x, options);
}
template <int axes>
Tensor Conv<axes>::then_relu(const Tensor& x) const {
  ConvOptions with = options;
  with.relu = true;
  return convolve(*this, x, with);
}

template <int axes>
ConvTranspose<axes>::ConvTranspose(const ConvTransposeLayerOptions& o)
    : options{.stride = o.stride,
              .padding = o.padding,
              .output_padding = o.output_padding,
              .dilation = o.dilation,
              .groups = o.groups} {
  const char* name = transpose_names[axes - 1];
  check_channels(name, o.in_channels, o.out_channels, o.groups);
  make(weight, bias, o.in_channels, o.out_channels / o.groups, o.kernel_size.on(name, "kernel_size", axes, 1),
       o.out_channels, o.bias, o.dtype);
}

template <int axes>
Tensor ConvTranspose<axes>::operator()(const Tensor& x) const {
  if constexpr (axes == 1) return conv_transpose1d(x, weight, bias, options);
  if constexpr (axes == 2) return conv_transpose2d(x, weight, bias, options);
  if constexpr (axes == 3) return conv_transpose3d(x, weight, bias, options);
}

template struct Conv<1>;
template struct Conv<2>;
template struct Conv<3>;
template struct ConvTranspose<1>;
template struct ConvTranspose<2>;
template struct ConvTranspose<3>;

}  // namespace weft
