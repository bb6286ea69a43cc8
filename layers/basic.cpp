#include <weft/layers/basic.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

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

EmbeddingBag::EmbeddingBag(const EmbeddingBagLayerOptions& o)
    : padding_idx(o.padding_idx), mode(o.mode), include_last_offset(o.include_last_offset) {
  positive("embedding_bag", "num_embeddings", o.num_embeddings);
  positive("embedding_bag", "embedding_dim", o.embedding_dim);
  if (padding_idx < -1 || padding_idx >= o.num_embeddings)
    throw ConfigError(
        text("embedding_bag: padding_idx ", padding_idx, " is not a row of a table of ", o.num_embeddings));
  weight = randn({o.num_embeddings, o.embedding_dim}, 0, 1, o.dtype);
  if (padding_idx >= 0) initialize::constant(select(weight, 0, padding_idx), 0);
  weight.set_requires_grad();
}
Tensor EmbeddingBag::operator()(const Tensor& ids, const Tensor& offsets, const Tensor& weights) const {
  return embedding_bag(weight, ids,
                       {.offsets = offsets,
                        .mode = mode,
                        .weights = weights,
                        .padding = padding_idx,
                        .include_last_offset = include_last_offset});
}

Bilinear::Bilinear(const BilinearOptions& o) {
  positive("bilinear", "in1_features", o.in1_features);
  positive("bilinear", "in2_features", o.in2_features);
  positive("bilinear", "out_features", o.out_features);
  const double bound = 1 / std::sqrt(static_cast<double>(o.in1_features));
  weight = empty({o.out_features, o.in1_features, o.in2_features}, o.dtype);
  initialize::uniform(weight, -bound, bound);
  weight.set_requires_grad();
  if (!o.bias) return;
  bias = empty({o.out_features}, o.dtype);
  initialize::uniform(bias, -bound, bound);
  bias.set_requires_grad();
}
Tensor Bilinear::operator()(const Tensor& x1, const Tensor& x2) const { return bilinear(x1, x2, weight, bias); }

Dropout::Dropout(double probability) : p(probability) {
  if (!(p >= 0 && p <= 1)) throw ConfigError(text("dropout: p is ", p, "\n  help: choose a probability from 0 to 1"));
}
Tensor Dropout::operator()(const Tensor& x) const { return dropout(x, p, mode.training); }

Tensor ReLU::operator()(const Tensor& x) const { return relu(x); }
Tensor GELU::operator()(const Tensor& x) const { return gelu(x); }
Tensor SiLU::operator()(const Tensor& x) const { return silu(x); }
Tensor Tanh::operator()(const Tensor& x) const { return tanh(x); }
Tensor Sigmoid::operator()(const Tensor& x) const { return sigmoid(x); }
PReLU::PReLU(std::int64_t num_parameters, double initial, DType dtype) {
  positive("prelu", "num_parameters", num_parameters);
  weight = full({num_parameters}, initial, dtype);
  weight.set_requires_grad();
}
Tensor PReLU::operator()(const Tensor& x) const { return prelu(x, weight); }
Tensor GLU::operator()(const Tensor& x) const { return glu(x, axis); }
Tensor Flatten::operator()(const Tensor& x) const { return flatten(x, first, last); }
Tensor CosineSimilarity::operator()(const Tensor& x1, const Tensor& x2) const {
  return cosine_similarity(x1, x2, axis, eps);
}

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
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i + 1 < layers_.size() && layers_[i + 1]->is_relu())
      if (Tensor both = layers_[i]->then_relu(y); both.defined()) {
        y = std::move(both);
        ++i;
        continue;
      }
    y = layers_[i]->apply(y);
  }
  return y;
}
void Sequential::visit(const std::string& name, Visitor& v) {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    layers_[i]->visit((name.empty() ? name : name + ".") + std::to_string(i), v);
}

}  // namespace weft
