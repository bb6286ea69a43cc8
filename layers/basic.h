#pragma once
#include <cstdint>
#include <memory>

#include <weft/layers/module.h>
#include <weft/tensor/random.h>

/// Layers with PyTorch's option names, default initialisers and parameter names, so that a file saved there loads here.
namespace weft {

struct LinearOptions {
  std::int64_t in_features;
  std::int64_t out_features;
  bool bias = true;
  DType dtype = DType::float32;
};
/// x (..., in) -> x W^T + b (..., out). weight (out, in), bias (out,): uniform within 1/sqrt(in).
struct Linear {
  Tensor weight, bias;
  explicit Linear(const LinearOptions& options);
  Linear(std::int64_t in_features, std::int64_t out_features)
      : Linear({.in_features = in_features, .out_features = out_features}) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("weight", weight, "bias", bias); }
};

struct EmbeddingOptions {
  std::int64_t num_embeddings;
  std::int64_t embedding_dim;
  std::int64_t padding_idx = -1;  ///< a row that stays 0 and gets no gradient; -1: none
  DType dtype = DType::float32;
};
/// ids (...) int64 -> rows of weight (..., dim). weight (num, dim): standard normal.
struct Embedding {
  Tensor weight;
  std::int64_t padding_idx;
  explicit Embedding(const EmbeddingOptions& options);
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim)
      : Embedding({.num_embeddings = num_embeddings, .embedding_dim = embedding_dim}) {}
  Tensor operator()(const Tensor& ids) const;
  void fields(auto&& f) { f("weight", weight, "padding_idx", padding_idx); }
};

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

struct BatchNormOptions {
  std::int64_t num_features;
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
  DType dtype = DType::float32;
};
/// Each channel of x (B, C, ...) brought to mean 0 and variance 1: over the batch while training, by running
/// statistics otherwise. See batch_norm().
struct BatchNorm {
  Tensor weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;
  double eps, momentum;
  Mode mode;
  explicit BatchNorm(const BatchNormOptions& options);
  explicit BatchNorm(std::int64_t num_features) : BatchNorm(BatchNormOptions{.num_features = num_features}) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "running_mean", running_mean, "running_var", running_var, "num_batches_tracked",
      num_batches_tracked, "eps", eps, "momentum", momentum, "mode", mode);
  }
};

/// While training, each element is 0 with probability p and the others are divided by 1 - p.
struct Dropout {
  double p = 0.5;
  Mode mode;
  explicit Dropout(double probability = 0.5);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("p", p, "mode", mode); }
};

/// Activations as layers, for Sequential.
struct ReLU {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};
struct GELU {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};
struct SiLU {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};
struct Tanh {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};
struct Sigmoid {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};
/// (B, ...) -> (B, everything else).
struct Flatten {
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f(); }
};

/// Layers chosen at run time, applied one after the other; each maps a tensor to a tensor. Members are named by
/// their place: "0.weight". Copies share tensors, clone() is deep, as with any model.
class Sequential {
 public:
  Sequential() = default;
  /// Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
  template <class... Layers>
  requires(sizeof...(Layers) > 1 ||
           (!std::is_same_v<std::remove_cvref_t<Layers>, Sequential> && ...)) explicit Sequential(Layers&&... layers) {
    (add(std::forward<Layers>(layers)), ...);
  }
  Sequential(const Sequential& other);
  Sequential(Sequential&&) noexcept = default;
  Sequential& operator=(const Sequential& other);
  Sequential& operator=(Sequential&&) noexcept = default;

  template <class Layer>
  Sequential& add(Layer layer) {
    layers_.push_back(std::make_unique<Held<Layer>>(std::move(layer)));
    return *this;
  }
  std::size_t size() const noexcept { return layers_.size(); }
  Tensor operator()(const Tensor& x) const;
  void visit(const std::string& name, Visitor& v);

 private:
  struct Any {
    virtual ~Any() = default;
    virtual Tensor apply(const Tensor& x) const = 0;
    virtual void visit(const std::string& name, Visitor& v) = 0;
    virtual std::unique_ptr<Any> copy() const = 0;
  };
  template <class Layer>
  struct Held final : Any {
    explicit Held(Layer l) : layer(std::move(l)) {}
    Tensor apply(const Tensor& x) const override { return layer(x); }
    void visit(const std::string& name, Visitor& v) override { detail::visit_member(name, layer, v); }
    std::unique_ptr<Any> copy() const override { return std::make_unique<Held>(layer); }
    Layer layer;
  };
  std::vector<std::unique_ptr<Any>> layers_;
};

}  // namespace weft
