#pragma once
#include <cstdint>
#include <optional>

#include <weft/layers/module.h>

/// Layers that bring activations to one scale. Weights begin at 1, biases at 0, running means at 0, variances at 1.
namespace weft {

struct LayerNormOptions {
  Shape normalized_shape;
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
  DType dtype = DType::float32;
};
/// Each row brought to mean 0 and variance 1 over the last axes, then scaled and shifted. See layer_norm().
struct LayerNorm {
  Tensor weight, bias;
  Shape normalized_shape;
  double eps;
  explicit LayerNorm(const LayerNormOptions& options);
  explicit LayerNorm(std::int64_t features) : LayerNorm({.normalized_shape = {features}}) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("weight", weight, "bias", bias, "normalized_shape", normalized_shape, "eps", eps); }
};

struct RMSNormOptions {
  Shape normalized_shape;
  std::optional<double> eps{};  ///< the type's precision when left out
  bool elementwise_affine = true;
  DType dtype = DType::float32;
};
/// Each row divided by its root mean square over the last axes, then scaled. See rms_norm().
struct RMSNorm {
  Tensor weight;
  Shape normalized_shape;
  std::optional<double> eps;
  explicit RMSNorm(const RMSNormOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("weight", weight, "normalized_shape", normalized_shape, "eps", eps); }
};

struct BatchNormOptions {
  std::int64_t num_features;
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< none: running statistics are the plain average of all batches
  bool affine = true;
  bool track_running_stats = true;  ///< otherwise the batch's own statistics are used in evaluation too
  DType dtype = DType::float32;
};
/// Each channel of x (B, C, ...) brought to mean 0 and variance 1: over the batch while training, by running
/// statistics otherwise. For any number of spatial axes. See batch_norm().
struct BatchNorm {
  Tensor weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;
  double eps;
  std::optional<double> momentum;
  Mode mode;
  explicit BatchNorm(const BatchNormOptions& options);
  explicit BatchNorm(std::int64_t num_features) : BatchNorm(BatchNormOptions{.num_features = num_features}) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "running_mean", running_mean, "running_var", running_var, "num_batches_tracked",
      num_batches_tracked, "eps", eps, "momentum", momentum, "mode", mode);
  }
};

struct GroupNormOptions {
  std::int64_t num_groups;
  std::int64_t num_channels;
  double eps = 1e-5;
  bool affine = true;
  DType dtype = DType::float32;
};
/// Groups of channels of each x (C, ...) of a batch brought to mean 0 and variance 1. See group_norm().
struct GroupNorm {
  Tensor weight, bias;
  std::int64_t num_groups, num_channels;
  double eps;
  explicit GroupNorm(const GroupNormOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "num_groups", num_groups, "num_channels", num_channels, "eps", eps);
  }
};

struct InstanceNormLayerOptions {
  std::int64_t num_features;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
  DType dtype = DType::float32;
};
/// Each channel of each x (C, ...) of a batch brought to mean 0 and variance 1. For any number of spatial axes. See
/// instance_norm().
struct InstanceNorm {
  Tensor weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;
  std::int64_t num_features;
  double eps, momentum;
  Mode mode;
  explicit InstanceNorm(const InstanceNormLayerOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "running_mean", running_mean, "running_var", running_var, "num_batches_tracked",
      num_batches_tracked, "num_features", num_features, "eps", eps, "momentum", momentum, "mode", mode);
  }
};

}  // namespace weft
