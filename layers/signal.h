#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/normalization.h>
#include <weft/layers/recurrent.h>
#include <weft/layers/resnet.h>

/// Encoders of signals: x (B, C, T), B signals of C channels (leads, electrodes, vital signs) over T steps, sampled
/// evenly -> features (B, width). A mask (B, T) of bool says which steps were measured; left out, all were. What x
/// holds elsewhere, NaN included, reaches neither a result, nor a statistic, nor a gradient, so that a signal gives the
/// same features whatever it was padded to. A signal without any measured step gives 0 where steps are pooled.
/// All throw ShapeError where x is not (B, C, T) or the mask not (B, T), DtypeError where the mask is not bool.
namespace weft {

/// Lengths -> mask (B, steps) of bool: step t of signal b is there when t < lengths[b]. Throws ConfigError for a length
/// outside [0, steps].
Tensor length_mask(const Lengths& lengths, std::int64_t steps);

/// The mean over the measured steps: (B, C, T), mask (B, T) -> (B, C).
Tensor global_avg_pool1d(const Tensor& x, const Tensor& mask = Tensor());
/// The largest of the measured steps: (B, C, T), mask (B, T) -> (B, C).
Tensor global_max_pool1d(const Tensor& x, const Tensor& mask = Tensor());

/// A weighted mean over time that learns where to look: w_t = softmax over the measured steps of
/// v . tanh(W x_t + b), y = sum_t w_t x_t. x (B, T, D), mask (B, T) -> (B, D). Yang et al. (2016), Ilse et al. (2018).
struct AttentionPool {
  Linear hidden;  ///< W, b
  Tensor score;   ///< v (hidden,), uniform within 1 / sqrt(hidden)
  /// `hidden` is how many numbers lie between. Throws ConfigError unless both are 1 or more.
  explicit AttentionPool(std::int64_t features, std::int64_t hidden = 32, DType dtype = DType::float32);
  /// `weights`, unless null, receives w (B, T); a signal without a measured step has zeros there, and in the result.
  Tensor operator()(const Tensor& x, const Tensor& mask = Tensor(), Tensor* weights = nullptr) const;
  void fields(auto&& f) { f("hidden", hidden, "score", score); }
};

/// Two convolutions over time with batch norm, around which the input is led and added: (B, in, T) ->
/// (B, out, (T - 1) / stride + 1). He et al. (2016), with one axis.
struct SignalBlock {
  Conv1d conv1;
  BatchNorm bn1;
  Dropout dropout;
  Conv1d conv2;
  BatchNorm bn2;
  std::optional<SqueezeExcitation> se;
  std::optional<Conv1d> downsample_conv;  ///< what brings the input to the result's shape, where it differs
  std::optional<BatchNorm> downsample_bn;
  std::int64_t stride;
  SignalBlock(std::int64_t in, std::int64_t out, std::int64_t kernel_size, std::int64_t stride, double dropout = 0,
              std::int64_t squeeze = 0);
  /// The mask is that of x; the result's is every stride-th step of it.
  Tensor operator()(const Tensor& x, const Tensor& mask = Tensor()) const;
  void fields(auto&& f) {
    f("conv1", conv1, "bn1", bn1, "dropout", dropout, "conv2", conv2, "bn2", bn2, "se", se, "downsample_conv",
      downsample_conv, "downsample_bn", downsample_bn, "stride", stride);
  }
};

enum class SignalPool : std::uint8_t { mean, max, attention };

struct SignalCnnOptions {
  std::int64_t in_channels = 1;
  std::vector<std::int64_t> channels = {32, 64, 128};  ///< per stage; the last is the width of the features
  std::int64_t blocks = 1;                             ///< per stage
  std::int64_t kernel_size = 7;                        ///< steps that each convolution sees; odd
  std::int64_t stride = 2;                             ///< of the first block of every stage but the first
  std::int64_t squeeze = 0;                            ///< reduction of squeeze-and-excitation; 0: none
  double dropout = 0;                                  ///< between the convolutions of each block
  SignalPool pool = SignalPool::mean;                  ///< how the steps that are left become one vector
};

/// A residual network over time: a convolution, stages of blocks, pooling. (B, in_channels, T) -> (B, width()).
/// It finds shapes (the waves of a heart beat) wherever they lie; what it can relate is bounded by its window.
/// Wang et al. (2017).
struct SignalCnn {
  Conv1d conv1;
  BatchNorm bn1;
  std::vector<SignalBlock> blocks;
  std::optional<AttentionPool> attention;
  SignalPool pool;
  /// Throws ConfigError for an even kernel_size, no stage, and numbers below 1.
  explicit SignalCnn(const SignalCnnOptions& options);
  Tensor operator()(const Tensor& x, const Tensor& mask = Tensor()) const;
  std::int64_t width() const;  ///< channels of the last stage
  void fields(auto&& f) { f("conv1", conv1, "bn1", bn1, "blocks", blocks, "attention", attention, "pool", pool); }
};

enum class SignalCell : std::uint8_t { lstm, gru };

struct SignalRnnOptions {
  std::int64_t in_channels = 1;
  SignalCell cell = SignalCell::gru;
  std::int64_t hidden_size = 64;  ///< per direction
  std::int64_t num_layers = 1;
  bool bidirectional = true;
  double dropout = 0;           ///< between the layers
  std::int64_t attention = 32;  ///< numbers within the attention pooling
  DType dtype = DType::float32;
};

/// A recurrent network over time whose states attention pools: (B, in_channels, T) -> (B, width()). It relates steps
/// that lie far apart, and costs T steps one after another. Schuster and Paliwal (1997).
struct SignalRnn {
  std::optional<LSTM> lstm;
  std::optional<GRU> gru;
  AttentionPool pool;
  std::int64_t features;
  /// Throws ConfigError for numbers below 1.
  explicit SignalRnn(const SignalRnnOptions& options);
  /// Signals are masked at their end only: throws ConfigError for a mask with a gap. `weights` as in AttentionPool.
  Tensor operator()(const Tensor& x, const Tensor& mask = Tensor(), Tensor* weights = nullptr) const;
  std::int64_t width() const { return features; }
  void fields(auto&& f) { f("lstm", lstm, "gru", gru, "pool", pool, "features", features); }
};

}  // namespace weft
