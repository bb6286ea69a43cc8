#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <weft/data/modalities.h>
#include <weft/layers/basic.h>

/// Encoders: from what a modality is made of to features that a fusion can weigh.
namespace weft::fusion {

struct EncoderOptions {
  std::int64_t in_features = 0;  ///< of a row, all axes together
  /// "mlp": sizes of its layers; "linear": the last is its width; "cnn", "cnn1d": channels of the convolutions, then
  /// the width.
  std::vector<std::int64_t> hidden{32};
  double dropout = 0;                 ///< all but "linear": after each layer, of convolutions only before the last
  std::string activation = "relu";    ///< relu | gelu | silu | tanh
  std::string norm = "none";          ///< none | layer | batch, before each activation
  std::vector<std::int64_t> shape{};  ///< of a row: (height, width) or (channels, height, width) for "cnn", (steps)
                                      ///< or (channels, steps) for "cnn1d"
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

/// The encoder called `kind`: "identity", "linear", "mlp" (per layer: Linear, norm, activation, dropout), or "cnn" for
/// images and "cnn1d" for signals: convolutions over 3 x 3 pixels or 7 steps, each with norm, activation and a pooling
/// that keeps the largest of 2 x 2 pixels or 2 steps, then dropout and a linear layer on all that is left, with
/// activation. Both take rows of `shape` and flat ones. Throws ConfigError for an unknown kind, activation or norm
/// (with the nearest name), for sizes below 1 and for a shape that does not fit.
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
