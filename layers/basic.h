#pragma once
#include <cstdint>
#include <memory>

#include <weft/autograd/ops/embedding.h>
#include <weft/layers/module.h>
#include <weft/layers/normalization.h>
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

struct EmbeddingBagLayerOptions {
  std::int64_t num_embeddings;
  std::int64_t embedding_dim;
  BagMode mode = BagMode::mean;
  std::int64_t padding_idx = -1;
  bool include_last_offset = false;
  DType dtype = DType::float32;
};
/// Bags of ids -> one row each; see embedding_bag(). weight (num, dim): standard normal.
struct EmbeddingBag {
  Tensor weight;
  std::int64_t padding_idx;
  BagMode mode;
  bool include_last_offset;
  explicit EmbeddingBag(const EmbeddingBagLayerOptions& options);
  /// ids (B, L), or (N,) with the offsets (B,) of the bags; weights of the ids' shape for BagMode::sum.
  Tensor operator()(const Tensor& ids, const Tensor& offsets = Tensor(), const Tensor& weights = Tensor()) const;
  void fields(auto&& f) {
    f("weight", weight, "padding_idx", padding_idx, "mode", mode, "include_last_offset", include_last_offset);
  }
};

struct BilinearOptions {
  std::int64_t in1_features;
  std::int64_t in2_features;
  std::int64_t out_features;
  bool bias = true;
  DType dtype = DType::float32;
};
/// y_k = x1^T W_k x2 + b_k: x1 (..., in1), x2 (..., in2) -> (..., out). weight (out, in1, in2), bias (out,): uniform
/// within 1/sqrt(in1).
struct Bilinear {
  Tensor weight, bias;
  explicit Bilinear(const BilinearOptions& options);
  Tensor operator()(const Tensor& x1, const Tensor& x2) const;
  void fields(auto&& f) { f("weight", weight, "bias", bias); }
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
/// x where x > 0, else weight x, with one weight or one per channel (axis 1). He et al. (2015).
struct PReLU {
  Tensor weight;
  explicit PReLU(std::int64_t num_parameters = 1, double initial = 0.25, DType dtype = DType::float32);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("weight", weight); }
};
/// Half of x times the sigmoid of the other half, along an axis. See glu().
struct GLU {
  int axis = -1;
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("axis", axis); }
};
/// Any operation on one tensor as a layer: Apply{hardswish}.
struct Apply {
  Tensor (*f)(const Tensor&);
  Tensor operator()(const Tensor& x) const { return f(x); }
  void fields(auto&& each) { each("f", f); }
};
/// Joins the axes from `first` to `last`: (B, ...) -> (B, everything else).
struct Flatten {
  int first = 1, last = -1;
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("first", first, "last", last); }
};
/// The cosine of the angle between x1 and x2 along an axis. See cosine_similarity().
struct CosineSimilarity {
  int axis = 1;
  double eps = 1e-8;
  Tensor operator()(const Tensor& x1, const Tensor& x2) const;
  void fields(auto&& f) { f("axis", axis, "eps", eps); }
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
    virtual Tensor then_relu(const Tensor& x) const = 0;
    virtual bool is_relu() const = 0;
    virtual void visit(const std::string& name, Visitor& v) = 0;
    virtual std::unique_ptr<Any> copy() const = 0;
  };
  template <class Layer>
  struct Held final : Any {
    explicit Held(Layer l) : layer(std::move(l)) {}
    Tensor apply(const Tensor& x) const override { return layer(x); }
    /// Undefined where the layer does not do both in one pass.
    Tensor then_relu([[maybe_unused]] const Tensor& x) const override {
      if constexpr (requires { layer.then_relu(x); })
        return layer.then_relu(x);
      else
        return Tensor();
    }
    bool is_relu() const override { return std::is_same_v<Layer, ReLU>; }
    void visit(const std::string& name, Visitor& v) override { detail::visit_member(name, layer, v); }
    std::unique_ptr<Any> copy() const override { return std::make_unique<Held>(layer); }
    Layer layer;
  };
  std::vector<std::unique_ptr<Any>> layers_;
};

}  // namespace weft
