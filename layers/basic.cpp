#include <weft/layers/basic.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

Tensor parameter(Tensor x) {
  x.set_requires_grad();
  return x;
}

void positive(const char* layer, const char* what, std::int64_t n) {
  if (n < 1) throw ConfigError(text(layer, ": ", what, " is ", n, "\n  help: choose 1 or more"));
}

}  // namespace

Linear::Linear(const LinearOptions& o) {
  if (o.in_features < 0 || o.out_features < 0)
    throw ConfigError(text("linear: a layer from ", o.in_features, " to ", o.out_features, " features"));
  weight = empty({o.out_features, o.in_features}, o.dtype);
  const double bound = o.in_features > 0 ? 1 / std::sqrt(static_cast<double>(o.in_features)) : 0;
  initialize::uniform(weight, -bound, bound);
  weight.set_requires_grad();
  if (!o.bias) return;
  bias = empty({o.out_features}, o.dtype);
  initialize::uniform(bias, -bound, bound);
  bias.set_requires_grad();
}
Tensor Linear::operator()(const Tensor& x) const { return linear(x, weight, bias); }

Embedding::Embedding(const EmbeddingOptions& o) : padding_idx(o.padding_idx) {
  positive("embedding", "num_embeddings", o.num_embeddings);
  positive("embedding", "embedding_dim", o.embedding_dim);
  if (padding_idx < -1 || padding_idx >= o.num_embeddings)
    throw ConfigError(text("embedding: padding_idx ", padding_idx, " is not a row of a table of ", o.num_embeddings));
  weight = randn({o.num_embeddings, o.embedding_dim}, 0, 1, o.dtype);
  if (padding_idx >= 0) initialize::constant(select(weight, 0, padding_idx), 0);
  weight.set_requires_grad();
}
Tensor Embedding::operator()(const Tensor& ids) const { return embedding(weight, ids, padding_idx); }

LayerNorm::LayerNorm(const LayerNormOptions& o) : normalized_shape(o.normalized_shape), eps(o.eps) {
  if (!o.elementwise_affine) return;
  weight = parameter(ones(o.normalized_shape, o.dtype));
  if (o.bias) bias = parameter(zeros(o.normalized_shape, o.dtype));
}
Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, normalized_shape, weight, bias, eps); }

BatchNorm::BatchNorm(const BatchNormOptions& o) : eps(o.eps), momentum(o.momentum) {
  positive("batch_norm", "num_features", o.num_features);
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
  const Tensor y = batch_norm(x, running_mean, running_var, weight, bias, mode.training, momentum, eps);
  if (mode.training && num_batches_tracked.defined()) {
    Tensor count = num_batches_tracked;
    ++*count.mutable_data<std::int64_t>();
  }
  return y;
}

Dropout::Dropout(double probability) : p(probability) {
  if (!(p >= 0 && p <= 1)) throw ConfigError(text("dropout: p is ", p, "\n  help: choose a probability from 0 to 1"));
}
Tensor Dropout::operator()(const Tensor& x) const { return dropout(x, p, mode.training); }

Tensor ReLU::operator()(const Tensor& x) const { return relu(x); }
Tensor GELU::operator()(const Tensor& x) const { return gelu(x); }
Tensor SiLU::operator()(const Tensor& x) const { return silu(x); }
Tensor Tanh::operator()(const Tensor& x) const { return tanh(x); }
Tensor Sigmoid::operator()(const Tensor& x) const { return sigmoid(x); }
Tensor Flatten::operator()(const Tensor& x) const { return flatten(x, 1); }

Sequential::Sequential(const Sequential& other) {
  for (const auto& layer : other.layers_) layers_.push_back(layer->copy());
}
Sequential& Sequential::operator=(const Sequential& other) {
  Sequential copy(other);
  layers_.swap(copy.layers_);
  return *this;
}
Tensor Sequential::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const auto& layer : layers_) y = layer->apply(y);
  return y;
}
void Sequential::visit(const std::string& name, Visitor& v) {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    layers_[i]->visit((name.empty() ? name : name + ".") + std::to_string(i), v);
}

}  // namespace weft
