#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <weft/data/modalities.h>
#include <weft/layers/basic.h>

/// Encoders: from what a modality is made of to features that a fusion can weigh.
namespace weft::fusion {

struct EncoderOptions {
  std::int64_t in_features = 0;
  std::vector<std::int64_t> hidden{32};  ///< "mlp": sizes of its layers; "linear": the last is its width
  double dropout = 0;                    ///< "mlp": after each layer
  std::string activation = "relu";       ///< "mlp": relu | gelu | silu | tanh
  std::string norm = "none";             ///< "mlp": none | layer | batch, before each activation
  DType dtype = DType::float32;
};

/// Any layers that turn (B, ...) into (B, width), where B is the number of rows that have the modality.
struct Encoder {
  Sequential layers;
  std::int64_t width = 0;        ///< of the result
  DType dtype = DType::float32;  ///< the input is converted to it

  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("layers", layers, "width", width, "dtype", dtype); }
};

/// The encoder called `kind`: "identity", "linear", or "mlp" (per layer: Linear, norm, activation, dropout). Throws
/// ConfigError for an unknown kind, activation or norm (with the nearest name) and for sizes below 1.
Encoder make_encoder(std::string_view kind, const EncoderOptions& options);
/// The kinds that make_encoder() knows.
const std::vector<std::string>& encoder_names();

/// Encodes each modality by its encoder, from the rows that have it only: these are gathered, encoded, and put
/// back, so that batch statistics see no filler. The other rows are 0; a modality that nobody in the batch has is not
/// encoded at all. features[m]: (B, ...) -> (B, width_m); names and mask stay. Throws ShapeError when there are not as
/// many encoders as modalities.
data::Modalities encode(const std::vector<Encoder>& encoders, const data::Modalities& raw);

/// Batch normalisation that, while training, uses its running statistics for a batch of one row, which has no
/// variance: when a modality is rare, a batch may well hold a single patient who has it.
struct SparseBatchNorm {
  BatchNorm norm;
  explicit SparseBatchNorm(const BatchNormOptions& options) : norm(options) {}
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) { f("norm", norm); }
};

}  // namespace weft::fusion
