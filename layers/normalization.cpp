#include <weft/layers/normalization.h>

#include <weft/autograd/ops/normalization.h>
#include <weft/autograd/ops/shape.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

Tensor parameter(Tensor x) { return x.set_requires_grad(); }

void check_features(const char* layer, std::int64_t n) {
  if (n < 1) throw ConfigError(text(layer, ": num_features is ", n, "\n  help: choose 1 or more"));
}

}  // namespace

LayerNorm::LayerNorm(const LayerNormOptions& o) : normalized_shape(o.normalized_shape), eps(o.eps) {
  if (!o.elementwise_affine) return;
  weight = parameter(ones(o.normalized_shape, o.dtype));
  if (o.bias) bias = parameter(zeros(o.normalized_shape, o.dtype));
}
Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, normalized_shape, weight, bias, eps); }

RMSNorm::RMSNorm(const RMSNormOptions& o) : normalized_shape(o.normalized_shape), eps(o.eps) {
  if (o.elementwise_affine) weight = parameter(ones(o.normalized_shape, o.dtype));
}
Tensor RMSNorm::operator()(const Tensor& x) const { return rms_norm(x, normalized_shape, weight, eps); }

BatchNorm::BatchNorm(const BatchNormOptions& o) : eps(o.eps), momentum(o.momentum) {
  check_features("batch_norm", o.num_features);
  if (o.affine) {
    weight = parameter(ones({o.num_features}, o.dtype));
    bias = parameter(zeros({o.num_features}, o.dtype));
  }
  if (o.track_running_stats) {
    running_mean = zeros({o.num_features}, o.dtype);
    running_var = ones({o.num_features}, o.dtype);
    num_batches_tracked = zeros({}, DType::int64);
  }
}
Tensor BatchNorm::operator()(const Tensor& x) const {
  const bool own = mode.training || !running_mean.defined();
  if (!mode.training || !num_batches_tracked.defined())
    return batch_norm(x, running_mean, running_var, weight, bias, own, momentum.value_or(0.1), eps);
  const double share = momentum ? *momentum : 1 / (num_batches_tracked.item() + 1);
  const Tensor y = batch_norm(x, running_mean, running_var, weight, bias, own, share, eps);
  Tensor count = num_batches_tracked;
  ++*count.mutable_data<std::int64_t>();  // only now: a batch that does not fit does not count
  return y;
}

GroupNorm::GroupNorm(const GroupNormOptions& o) : num_groups(o.num_groups), num_channels(o.num_channels), eps(o.eps) {
  if (o.num_groups < 1 || o.num_channels < 1 || o.num_channels % o.num_groups != 0)
    throw ConfigError(
        text("group_norm: num_channels ", o.num_channels, " is not divisible by num_groups ", o.num_groups));
  if (!o.affine) return;
  weight = parameter(ones({o.num_channels}, o.dtype));
  bias = parameter(zeros({o.num_channels}, o.dtype));
}
Tensor GroupNorm::operator()(const Tensor& x) const {
  if (x.dim() < 2 || x.shape()[1] != num_channels)
    throw ShapeError(text("group_norm: x is ", x.shape(), "\n  help: pass (B, ", num_channels, ", ...)"));
  return group_norm(x, num_groups, weight, bias, eps);
}

template <int axes>
InstanceNorm<axes>::InstanceNorm(const InstanceNormLayerOptions& o)
    : num_features(o.num_features), eps(o.eps), momentum(o.momentum) {
  check_features("instance_norm", o.num_features);
  if (o.affine) {
    weight = parameter(ones({o.num_features}, o.dtype));
    bias = parameter(zeros({o.num_features}, o.dtype));
  }
  if (o.track_running_stats) {
    running_mean = zeros({o.num_features}, o.dtype);
    running_var = ones({o.num_features}, o.dtype);
    num_batches_tracked = zeros({}, DType::int64);
  }
}
template <int axes>
Tensor InstanceNorm<axes>::operator()(const Tensor& x) const {
  const bool single = x.dim() == axes + 1;
  if ((!single && x.dim() != axes + 2) || x.shape()[single ? 0 : 1] != num_features)
    throw ShapeError(text("instance_norm: x is ", x.shape(), "\n  help: pass (B, ", num_features, ", ...) with ", axes,
                          " spatial axes"));
  const bool own = mode.training || !running_mean.defined();
  const Tensor y = instance_norm(single ? unsqueeze(x, 0) : x, running_mean, running_var, weight, bias,
                                 {.use_input_stats = own, .momentum = momentum, .eps = eps});
  return single ? squeeze(y, 0) : y;
}

template struct InstanceNorm<1>;
template struct InstanceNorm<2>;
template struct InstanceNorm<3>;

}  // namespace weft
