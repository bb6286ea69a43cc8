#include <weft/layers/resnet.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>

namespace weft {
namespace {

/// A convolution without bias that keeps the size but for its stride.
template <int axes>
Conv<axes> convolution(std::int64_t in, std::int64_t out, std::int64_t window, std::int64_t stride) {
  Conv<axes> c({.in_channels = in,
                .out_channels = out,
                .kernel_size = window,
                .stride = stride,
                .padding = window / 2,
                .bias = false});
  double fan_out = static_cast<double>(out);
  for (int a = 0; a < axes; ++a) fan_out *= static_cast<double>(window);
  initialize::normal(c.weight, 0, std::sqrt(2 / fan_out));
  return c;
}

std::vector<int> spatial_axes(const Tensor& x) {
  std::vector<int> all;
  for (int a = 2; a < x.dim(); ++a) all.push_back(a);
  return all;
}

template <int axes>
std::vector<ResNetBlock<axes>> stage(const ResNetOptions& o, int number) {
  const std::int64_t out = o.width << number, in = number == 0 ? out : out / 2;
  std::vector<ResNetBlock<axes>> blocks;
  for (std::int64_t i = 0; i < o.blocks[static_cast<std::size_t>(number)]; ++i)
    blocks.emplace_back(i == 0 ? in : out, out, i == 0 && number > 0 ? 2 : 1, o.squeeze);
  return blocks;
}

const ResNetOptions& checked(const ResNetOptions& o) {
  for (const std::int64_t n : o.blocks)
    if (n < 1)
      throw ConfigError(text("ResNet: a stage has ", n, " blocks\n  help: choose at least 1 for each of four"));
  if (o.in_channels < 1 || o.width < 1 || o.num_classes < 0)
    throw ConfigError(text("ResNet: in_channels ", o.in_channels, ", width ", o.width, ", num_classes ", o.num_classes,
                           "\n  help: choose 1 or more; num_classes 0 leaves out the last layer"));
  return o;
}

std::int64_t between(std::int64_t channels, std::int64_t reduction) {
  if (reduction < 1 || reduction > channels)
    throw ConfigError(text("SqueezeExcitation: reduction ", reduction, " is not from 1 to ", channels, " channels"));
  return channels / reduction;
}

}  // namespace

SqueezeExcitation::SqueezeExcitation(std::int64_t channels, std::int64_t reduction)
    : fc1(channels, between(channels, reduction)), fc2(between(channels, reduction), channels) {}

Tensor SqueezeExcitation::operator()(const Tensor& x) const {
  if (x.dim() < 3) throw ShapeError(text("SqueezeExcitation: x ", x.shape(), " is not (N, C, spatial...)"));
  Shape wide = Shape::filled(x.dim(), 1);
  wide[0] = x.shape()[0];
  wide[1] = x.shape()[1];
  return x * reshape(sigmoid(fc2(relu(fc1(mean(x, spatial_axes(x)))))), wide);
}

template <int axes>
ResNetBlock<axes>::ResNetBlock(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t squeeze)
    : conv1(convolution<axes>(in, out, 3, stride)), bn1(out), conv2(convolution<axes>(out, out, 3, 1)), bn2(out) {
  if (squeeze > 0) se.emplace(out, squeeze);
  if (stride != 1 || in != out) downsample.add(convolution<axes>(in, out, 1, stride)).add(BatchNorm(out));
}

template <int axes>
Tensor ResNetBlock<axes>::operator()(const Tensor& x) const {
  Tensor y = bn2(conv2(relu(bn1(conv1(x)))));
  if (se) y = (*se)(y);
  return relu(y + downsample(x));
}

template <int axes>
ResNet<axes>::ResNet(const ResNetOptions& o)
    : conv1(o.stem == ResNetStem::small ? convolution<axes>(checked(o).in_channels, o.width, 3, 1)
                                        : convolution<axes>(checked(o).in_channels, o.width, 7, 2)),
      bn1(o.width),
      layer1(stage<axes>(o, 0)),
      layer2(stage<axes>(o, 1)),
      layer3(stage<axes>(o, 2)),
      layer4(stage<axes>(o, 3)),
      stem(o.stem) {
  if (o.num_classes > 0) fc.emplace(features(), o.num_classes);
}

template <int axes>
Tensor ResNet<axes>::operator()(const Tensor& x) const {
  if (x.dim() != axes + 2)
    throw ShapeError(text("ResNet: x ", x.shape(), " does not have ", axes + 2, " axes\n  help: pass (N, ",
                          conv1.weight.shape()[1], ", ", axes == 2 ? "height, width)" : "depth, height, width)"));
  Tensor y = relu(bn1(conv1(x)));
  if (stem == ResNetStem::imagenet) {
    const MaxPoolOptions halve{.stride = 2, .padding = 1};
    if constexpr (axes == 2)
      y = max_pool2d(y, 3, halve);
    else
      y = max_pool3d(y, 3, halve);
  }
  for (const auto* stage : {&layer1, &layer2, &layer3, &layer4})
    for (const auto& block : *stage) y = block(y);
  y = mean(y, spatial_axes(y));
  return fc ? (*fc)(y) : y;
}

template <int axes>
std::int64_t ResNet<axes>::features() const {
  return layer4.back().bn2.weight.numel();
}

template struct ResNetBlock<2>;
template struct ResNetBlock<3>;
template struct ResNet<2>;
template struct ResNet<3>;

}  // namespace weft
