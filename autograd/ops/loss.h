#pragma once
#include <vector>

#include <weft/tensor/tensor.h>

/// Losses of predicted numbers and distributions (those that keep a margin are in margin.h). `reduction` says what
/// becomes of the losses of the single rows or elements; prediction and target broadcast where nothing else is said.
/// The gradient is that of the formula, to the target too.
namespace weft {

enum class Reduction {
  none,
  mean,
  sum,
  batchmean,  ///< the sum over the size of the first axis
};

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
/// A weight per sample for every loss: sum_i w_i l_i / sum_i w_i over losses l that were asked for with
/// Reduction::none. Weights have the losses' shape or that of their first axes; then l_i is the mean of the elements of
/// row i. Weights of classes are weights of samples, too: index_select(class_weights, 0, target), alone or times the
/// samples' own. Shape: losses (N, ...), weights (N,) -> (). Throws ShapeError for other shapes, ConfigError for a
/// negative weight and where no weight is above 0. Gradient: w / sum w to the losses; to the weights (l - result) / sum
/// w.
Tensor weighted_mean(const Tensor& losses, const Tensor& weights);

/// (x - y)^2.
Tensor mse_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
/// |x - y|.
Tensor l1_loss(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
/// (x - y)^2 / 2 where |x - y| <= delta, else delta * (|x - y| - delta / 2). Throws ConfigError unless delta > 0. Huber
/// (1964).
Tensor huber_loss(const Tensor& x, const Tensor& y, double delta = 1, Reduction reduction = Reduction::mean);
/// (x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2. Throws ConfigError for beta < 0. Girshick
/// (2015).
Tensor smooth_l1_loss(const Tensor& x, const Tensor& y, double beta = 1, Reduction reduction = Reduction::mean);

/// -(y log s + (1 - y) log(1 - s)) with s = sigmoid(x), without overflow; y in [0, 1], x's shape.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, Reduction reduction = Reduction::mean);
struct BinaryCrossEntropyOptions {
  Tensor weight{};      ///< of each loss; broadcasts
  Tensor pos_weight{};  ///< of the positive part, y log s; broadcasts
  Reduction reduction = Reduction::mean;
};
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options);
/// -(y log x + (1 - y) log(1 - x)) of probabilities x, logarithms held above -100; one shape. Throws ShapeError for two
/// shapes, ConfigError for x outside [0, 1] and for a pos_weight. Gradient: dy * (x - y) / max(x (1 - x), 1e-12).
Tensor binary_cross_entropy(const Tensor& x, const Tensor& y, const BinaryCrossEntropyOptions& options = {});

/// t (log t - x) of log-probabilities x, 0 where t = 0; with log_target t is given as its logarithm. Mind that mean
/// divides by the number of elements; the divergence per row is batchmean. Kullback and Leibler (1951).
Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target = false, Reduction reduction = Reduction::mean);

struct PoissonOptions {
  bool log_input = true;  ///< x is the logarithm of the rate
  bool full = false;      ///< adds Stirling's log(target!) for targets above 1
  double eps = 1e-8;      ///< keeps log(x + eps) finite without log_input
  Reduction reduction = Reduction::mean;
};
/// exp(x) - target * x, or without log_input x - target * log(x + eps): -log P(target) under Poisson's distribution.
Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, const PoissonOptions& options = {});

struct GaussianOptions {
  bool full = false;  ///< adds the constant log(2 pi) / 2
  double eps = 1e-6;  ///< the least variance
  Reduction reduction = Reduction::mean;
};
/// (log v + (x - target)^2 / v) / 2 with v = max(variance, eps). variance has x's shape, lacks the last axis, or has
/// size 1 there. Throws ShapeError for another, ConfigError for a negative variance or eps <= 0. The gradient passes a
/// variance that was raised as if it had not been. Nix and Weigend (1994).
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance,
                         const GaussianOptions& options = {});

struct CtcOptions {
  std::int64_t blank = 0;  ///< the class that stands for no label
  Reduction reduction = Reduction::mean;
  bool zero_infinity = false;  ///< sequences too short for their labels count 0 instead of infinity
};
/// -log P(labels), summed over all alignments: log-probabilities (T, B, C) or (T, C), targets (B, S) or one after the
/// other (sum of target_lengths,), int64, of which each sequence uses target_lengths[b], and input_lengths[b] of the T
/// steps. The mean divides each loss by its number of labels first. Throws ShapeError, DtypeError, ConfigError for what
/// does not fit. Gradient: softmax minus the share of each class in all alignments, that is the gradient to the scores
/// before log_softmax (where it ends up anyhow, as in PyTorch); there is no second derivative (GradError). Graves et
/// al. (2006).
Tensor ctc_loss(const Tensor& log_probabilities, const Tensor& targets, const std::vector<std::int64_t>& input_lengths,
                const std::vector<std::int64_t>& target_lengths, const CtcOptions& options = {});

}  // namespace weft
