#pragma once
#include <weft/tensor/tensor.h>

/// Losses. `reduction` says what becomes of the losses of the single rows or elements.
namespace weft {

enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  Tensor weight{};                   ///< (C,): a weight per class; the mean is taken over the sum of weights
  std::int64_t ignore_index = -100;  ///< rows of this class do not count
  double label_smoothing = 0;        ///< in [0, 1]: this share of the target is spread over all classes
  Reduction reduction = Reduction::mean;
};
/// -log softmax(logits)[target]: logits (B, C), target (B,) int64; also (C) with a target of rank 0, and (B, C, ...)
/// with (B, ...). Throws ConfigError for a target outside [0, C). Gradient: softmax(logits) - onehot(target), weighted.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});
/// -input[target] of log-probabilities (B, C), or the other shapes of cross_entropy.
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const CrossEntropyOptions& options = {});
/// (x - y)^2.
Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
/// |x - y|.
Tensor l1_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
/// -(y log s + (1 - y) log(1 - s)) with s = sigmoid(x), without overflow; y in [0, 1], x's shape.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
struct BinaryCrossEntropyOptions {
  Tensor weight{};      ///< of each loss; broadcasts
  Tensor pos_weight{};  ///< of the positive part, y log s; broadcasts
  Reduction reduction = Reduction::mean;
};
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options);

}  // namespace weft
