#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/normalization.h>

/// Residual networks for images and volumes (He et al. 2016), with torchvision's parameter names.
namespace weft {

/// Scales the channels of x (N, C, spatial...) by what their means say together. Hu et al. (2018).
struct SqueezeExcitation {
  Linear fc1, fc2;
  /// `reduction` is how many times fewer numbers lie between. Throws ConfigError unless it is from 1 to channels.
  explicit SqueezeExcitation(std::int64_t channels, std::int64_t reduction = 16);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("fc1", fc1, "fc2", fc2); }
};

/// What comes before the first block: `imagenet` halves the image twice (a 7-wide convolution and a pooling), `small`
/// keeps its size (a 3-wide convolution), for images up to about 64 pixels.
enum class ResNetStem : std::uint8_t { imagenet, small };

struct ResNetOptions {
  std::int64_t in_channels = 3;
  std::int64_t num_classes = 1000;                    ///< 0: no last layer, the result are the features
  std::array<std::int64_t, 4> blocks = {2, 2, 2, 2};  ///< per stage: ResNet-18; {3, 4, 6, 3}: ResNet-34
  std::int64_t width = 64;  ///< channels of the first stage; each further one has twice as many
  ResNetStem stem = ResNetStem::imagenet;
  std::int64_t squeeze = 0;  ///< reduction of squeeze-and-excitation in every block; 0: none
};

/// Two convolutions with batch norm, around which the input is led and added.
template <int axes>
struct ResNetBlock {
  Conv<axes> conv1;
  BatchNorm bn1;
  Conv<axes> conv2;
  BatchNorm bn2;
  std::optional<SqueezeExcitation> se;
  Sequential downsample;  ///< what brings the input to the result's shape; empty where it has it
  ResNetBlock(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t squeeze = 0);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("conv1", conv1, "bn1", bn1, "conv2", conv2, "bn2", bn2, "se", se, "downsample", downsample);
  }
};

/// x (N, in_channels, spatial...) -> (N, num_classes), or (N, features()) without a last layer.
/// Convolutions begin normal with variance 2 / (results * window), the scale of each block's last norm at 1.
template <int axes>
struct ResNet {
  Conv<axes> conv1;
  BatchNorm bn1;
  std::vector<ResNetBlock<axes>> layer1, layer2, layer3, layer4;
  std::optional<Linear> fc;
  ResNetStem stem;
  /// Throws ConfigError for a stage without blocks and for other numbers below 1.
  explicit ResNet(const ResNetOptions& options);
  Tensor operator()(const Tensor& x) const;
  std::int64_t features() const;  ///< channels of the last stage
  void fields(auto&& f) {
    f("conv1", conv1, "bn1", bn1, "layer1", layer1, "layer2", layer2, "layer3", layer3, "layer4", layer4, "fc", fc,
      "stem", stem);
  }
};
using ResNet2d = ResNet<2>;
using ResNet3d = ResNet<3>;

extern template struct ResNetBlock<2>;
extern template struct ResNetBlock<3>;
extern template struct ResNet<2>;
extern template struct ResNet<3>;

}  // namespace weft
