#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <weft/layers/transformer.h>

/// Tables: columns of numbers and of categories, any of which may be missing; and the first layer for many features and
/// few samples. A table's rows come as one matrix x (B, F + C), as data::TableCoder gives them: F numbers, standardised
/// and NaN where they are missing, then C codes of categories (0 or NaN missing, 1 unknown, 2 and up known values).
namespace weft {

/// What a row is made of.
struct TableParts {
  Tensor numbers;  ///< (B, F), 0 where one is missing: the training mean, if they are standardised
  Tensor missing;  ///< (B, F + C) bool
  Tensor codes;    ///< (B, C) int64
};
/// x (B, numeric + C) taken apart; cardinalities[c] is the number of codes of category c. Throws ShapeError for another
/// width, ConfigError for a code that is not a whole number from 0 to cardinalities[c] - 1. Gradient: to the numbers.
TableParts split_columns(const Tensor& x, std::int64_t numeric, const std::vector<std::int64_t>& cardinalities);

struct CategoricalEmbeddingOptions {
  std::int64_t cardinality;        ///< codes, those of missing and unknown included
  std::int64_t embedding_dim = 0;  ///< 0: as many as half the known values, at least 2 and at most 50
  double unknown_dropout = 0;      ///< while training, this share of the known values becomes unknown
  DType dtype = DType::float32;
};
/// codes (...) int64 -> (..., embedding_dim), a learned vector for each. weight (cardinality, embedding_dim): uniform
/// within 1/sqrt(embedding_dim), the unknown's 0. Nothing teaches what unknown means but unknown_dropout. Throws
/// ConfigError for fewer than 2 codes. Guo and Berkhahn (2016).
struct CategoricalEmbedding {
  Tensor weight;
  double unknown_dropout;
  Mode mode;
  explicit CategoricalEmbedding(const CategoricalEmbeddingOptions& options);
  Tensor operator()(const Tensor& codes) const;
  void fields(auto&& f) { f("weight", weight, "unknown_dropout", unknown_dropout, "mode", mode); }
};

struct TabularMLPOptions {
  std::int64_t numeric = 0;                   ///< F
  std::vector<std::int64_t> cardinalities{};  ///< of the C categories
  std::int64_t out_features = 0;              ///< 0: what the last hidden layer gives
  std::vector<std::int64_t> hidden{64};
  double dropout = 0;      ///< after each hidden layer
  bool indicators = true;  ///< F more inputs that are 1 where the number is missing
  std::int64_t embedding_dim = 0;
  double unknown_dropout = 0;
};
/// Numbers, indicators of missing ones and embedded categories side by side through layers with ReLU: (B, F + C) ->
/// (B, out_features). Throws as split_columns() does, and ConfigError for sizes below 1.
struct TabularMLP {
  std::vector<CategoricalEmbedding> embeddings;
  Sequential layers;
  std::int64_t numeric;
  std::vector<std::int64_t> cardinalities;
  bool indicators;
  std::int64_t width;  ///< of the result
  explicit TabularMLP(const TabularMLPOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("embeddings", embeddings, "layers", layers, "numeric", numeric, "cardinalities", cardinalities, "indicators",
      indicators, "width", width);
  }
};

/// How a missing feature appears among the tokens.
enum class MissingFeatures {
  learned,  ///< as a learned token: that it is missing may tell something
  masked,   ///< not at all: no other token attends to it
};
struct FeatureTokensOptions {
  std::int64_t numeric = 0;
  std::vector<std::int64_t> cardinalities{};
  std::int64_t d_token = 32;
  MissingFeatures missing = MissingFeatures::learned;
  double unknown_dropout = 0;
};
/// A token for each feature of a table: number j becomes x_j weight_j + bias_j, category c its embedding plus a bias.
/// x (B, F + C) -> tokens (B, F + C, d_token). weight, bias: uniform within 1/sqrt(d_token). Gorishniy et al. (2021).
struct FeatureTokens {
  Tensor weight;  ///< (F, d_token)
  Tensor bias;    ///< (F + C, d_token)
  Tensor absent;  ///< (F, d_token): in place of a missing number; undefined for MissingFeatures::masked
  std::vector<CategoricalEmbedding> embeddings;
  std::int64_t numeric;
  std::vector<std::int64_t> cardinalities;
  MissingFeatures missing;
  explicit FeatureTokens(const FeatureTokensOptions& options);
  struct Result {
    Tensor tokens;
    Tensor hidden;  ///< (B, F + C) bool: not to be attended to; undefined where missing features are tokens, too
  };
  Result operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("weight", weight, "bias", bias, "absent", absent, "embeddings", embeddings, "numeric", numeric, "cardinalities",
      cardinalities, "missing", missing);
  }
};

struct FTTransformerOptions {
  std::int64_t numeric = 0;
  std::vector<std::int64_t> cardinalities{};
  std::int64_t out_features = 0;  ///< 0: the d_token features of the CLS token
  std::int64_t d_token = 32;
  std::int64_t num_layers = 2;
  std::int64_t nhead = 4;
  std::int64_t dim_feedforward = 64;
  double dropout = 0.1;  ///< of attention, in the feed-forward parts, and of both parts' results
  MissingFeatures missing = MissingFeatures::learned;
  double unknown_dropout = 0;
};
/// A Transformer over the tokens of a table's features and one more, CLS, from which Linear(relu(norm(.))) decides:
/// (B, F + C) -> (B, out_features). Blocks normalise first, as in the paper; theirs have ReGLU and no norm before the
/// first attention, here they are TransformerEncoderLayer with GELU. A row of which everything is missing and masked is
/// judged by CLS alone. Throws as split_columns() does. FT-Transformer: Gorishniy et al. (2021).
struct FTTransformer {
  FeatureTokens features;
  Tensor cls;  ///< (d_token,)
  TransformerEncoder encoder;
  LayerNorm norm;
  std::optional<Linear> head;
  explicit FTTransformer(const FTTransformerOptions& options);
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("features", features, "cls", cls, "encoder", encoder, "norm", norm, "head", head); }
};

/// x (..., F) -> x * gate, one gate per feature, 1 at first. With an L1 penalty on the gates, taken as a proximal step
/// after each plain gradient step, most of them become exactly 0:
///
///   optim::Sgd gates({net.gate.gate}, {.lr = 0.1});       // and another optimiser for all else
///   gates.step();
///   optim::soft_threshold({net.gate.gate}, gates.lr() * factor);
///
/// Not after Adam's steps: they are as long for a useless gate as for a useful one, and none would reach 0.
/// What follows must have weight decay, or else it grows as the gates shrink and the penalty means nothing: a gate and
/// its L2-penalised weights together are penalised like their product to the power 2/3, more sparing than L1 itself.
struct SparseGate {
  Tensor gate;
  explicit SparseGate(std::int64_t features, DType dtype = DType::float32);
  Tensor operator()(const Tensor& x) const;
  /// The share of gates that are exactly 0.
  double zero_fraction() const;
  /// The features whose gates are not 0, by falling size of the gate.
  std::vector<std::int64_t> survivors() const;
  /// Their names. Throws ShapeError unless there is a name for each feature.
  std::vector<std::string> survivors(const std::vector<std::string>& names) const;
  void fields(auto&& f) { f("gate", gate); }
};

/// A first layer that learns which features it needs: Linear(SparseGate(x)), (..., in) -> (..., out).
struct GatedLinear {
  SparseGate gate;
  Linear linear;
  GatedLinear(std::int64_t in_features, std::int64_t out_features)
      : gate(in_features), linear(in_features, out_features) {}
  Tensor operator()(const Tensor& x) const { return linear(gate(x)); }
  void fields(auto&& f) { f("gate", gate, "linear", linear); }
};

}  // namespace weft
