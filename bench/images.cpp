#include <cstdint>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/pooling.h>
#include <weft/tensor/random.h>

#include "training.h"

using namespace weft;

namespace bench {
namespace {

/// LeNet for images (B, 1, 28, 28). LeCun et al. (1998).
Sequential lenet() {
  return Sequential(Conv2d({.in_channels = 1, .out_channels = 6, .kernel_size = 5, .padding = 2}), ReLU(), MaxPool2d(2),
                    Conv2d({.in_channels = 6, .out_channels = 16, .kernel_size = 5}), ReLU(), MaxPool2d(2), Flatten(),
                    Linear(400, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, 10));
}

Conv2d plain_convolution(std::int64_t in, std::int64_t out, std::int64_t window, std::int64_t stride) {
  return Conv2d({.in_channels = in,
                 .out_channels = out,
                 .kernel_size = window,
                 .stride = stride,
                 .padding = window / 2,
                 .bias = false});
}

struct ResidualBlock {
  Conv2d conv1;
  BatchNorm bn1;
  Conv2d conv2;
  BatchNorm bn2;
  Sequential downsample;  ///< empty where the shape stays
  ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1(plain_convolution(in, out, 3, stride)), bn1(out), conv2(plain_convolution(out, out, 3, 1)), bn2(out) {
    if (stride != 1 || in != out) downsample.add(plain_convolution(in, out, 1, stride)).add(BatchNorm(out));
  }
  Tensor operator()(const Tensor& x) const {
    const Tensor y = relu(bn1(conv1(x)));
    return relu(bn2(conv2(y)) + downsample(x));
  }
  void fields(auto&& f) { f("conv1", conv1, "bn1", bn1, "conv2", conv2, "bn2", bn2, "downsample", downsample); }
};

/// A residual network for small images (B, channels, H, W); as it stands ResNet-18. He et al. (2016).
Sequential resnet(std::int64_t channels = 3, std::int64_t width = 64, int blocks = 2) {
  Sequential net(plain_convolution(channels, width, 3, 1), BatchNorm(width), ReLU());
  std::int64_t narrow = width;
  for (const std::int64_t times : {1, 2, 4, 8}) {
    const std::int64_t wide = times * width;
    net.add(ResidualBlock(narrow, wide, times == 1 ? 1 : 2));
    for (int i = 1; i < blocks; ++i) net.add(ResidualBlock(wide, wide, 1));
    narrow = wide;
  }
  net.add(AdaptiveAvgPool2d(1)).add(Flatten()).add(Linear(8 * width, 10));
  return net;
}
constexpr double resnet18_flops = 2 * 555'422'720.0;  // forward, per image

/// Three halvings of a volume (B, 1, 32, 32, 32).
Sequential volumes() {
  Sequential net;
  std::int64_t channels = 1;
  for (const std::int64_t wider : {16, 32, 64}) {
    net.add(Conv3d({.in_channels = channels, .out_channels = wider, .kernel_size = 3, .padding = 1}))
        .add(BatchNorm(wider))
        .add(ReLU())
        .add(MaxPool3d(2));
    channels = wider;
  }
  net.add(AdaptiveAvgPool3d(1)).add(Flatten()).add(Linear(64, 10));
  return net;
}

constexpr double momentum = 0.9;

}  // namespace

void add_images(Cases& cases) {
  cases.push_back({"lenet_train_b128", [] {
                     return classification<optim::Sgd>(lenet(), {.lr = 1e-2, .momentum = momentum},
                                                       randint(0, 10, {128}), randn({128, 1, 28, 28}));
                   }});
  cases.push_back({"fashion_train_b128", [] {
                     return classification<optim::Sgd>(resnet(1, 16, 1), {.lr = 1e-2, .momentum = momentum},
                                                       randint(0, 10, {128}), randn({128, 1, 28, 28}));
                   }});
  for (const std::int64_t batch : {128, 1})
    cases.push_back({"lenet_infer_b" + std::to_string(batch), [=] {
                       return inference(lenet(), randn({batch, 1, 28, 28}));
                     }});
  cases.push_back({"resnet18_train_b64", [] {
                     return counted(classification<optim::Sgd>(resnet(), {.lr = 1e-2, .momentum = momentum},
                                                               randint(0, 10, {64}), randn({64, 3, 32, 32})),
                                    3 * 64 * resnet18_flops);
                   }});
  cases.push_back({"resnet18_train_b64_bf16",
                   [] {
                     return counted(
                         classification_in_bfloat16<optim::Sgd>(resnet(), {.lr = 1e-2, .momentum = momentum},
                                                                randint(0, 10, {64}), randn({64, 3, 32, 32})),
                         3 * 64 * resnet18_flops);
                   },
                   true});
  for (const std::int64_t batch : {1, 32})
    cases.push_back(
        {"resnet18_infer_b" + std::to_string(batch), [=] {
           return counted(inference(resnet(), randn({batch, 3, 32, 32})), static_cast<double>(batch) * resnet18_flops);
         }});
  cases.push_back({"conv3d_train_b4", [] {
                     return classification<optim::Sgd>(volumes(), {.lr = 1e-2, .momentum = momentum},
                                                       randint(0, 10, {4}), randn({4, 1, 32, 32, 32}));
                   }});
  cases.push_back({"conv3d_infer_b4", [] { return inference(volumes(), randn({4, 1, 32, 32, 32})); }});
}

}  // namespace bench
