#pragma once
#include <cstdint>
#include <vector>

#include <weft/autograd/ops/loss.h>
#include <weft/tensor/random.h>

/// Losses that learn how far each answer, each task and each training sample can be trusted. A log-variance s stands
/// for the variance exp(s): any number is allowed, nothing is divided by, and a wrong answer costs little where s is
/// large, which the term + s makes dear everywhere else.
namespace weft::fusion {

/// What keeps a log-variance sane: exp(-s) of a fit without error grows without bound.
struct LogVarianceBounds {
  double low = -10, high = 10;  ///< variances from 4.5e-5 to 22026; meant for targets of unit deviation
};

struct HeteroscedasticOptions {
  bool half = false;  ///< times 1/2: then it is -log of the Gaussian density, without its constant
  Reduction reduction = Reduction::mean;
  Tensor weights{};  ///< per sample, (N,), or per element; as in weighted_mean()
  LogVarianceBounds bounds{};
};
/// exp(-s) (y - yhat)^2 + s, per sample and output, with s the predicted log-variance; least at s = log (y - yhat)^2.
/// Shapes: prediction and target (N, ...), s the same or with axes of size 1, such as (N, 1) for one variance of all
/// outputs. Beyond its bounds s counts as the bound, and of its gradient only what leads back inside is passed on.
/// Throws ShapeError for other shapes (nothing else broadcasts: (N, 1) against (N,) would compare everybody with
/// everybody), ConfigError for bounds out of order, and as weighted_mean(). Gradients: to yhat 2 exp(-s) (yhat - y), to
/// s 1 - exp(-s) (y - yhat)^2. Nix and Weigend (1994); Kendall and Gal (2017).
Tensor heteroscedastic_loss(const Tensor& prediction, const Tensor& log_variance, const Tensor& target,
                            const HeteroscedasticOptions& options = {});

struct NoisyLogitsOptions {
  std::int64_t samples = 20;  ///< draws of the noise, T; memory grows with it
  Reduction reduction = Reduction::mean;
  Tensor weights{};  ///< per sample, (N,)
  LogVarianceBounds bounds{};
};
/// log of the mean over T draws of softmax(logits + exp(s / 2) e), e standard normal: the decision under the noise that
/// the network itself predicts. Shapes: logits (N, C), log-variance s (N, C) or (N, 1) -> (N, C). Beyond its bounds s
/// counts as the bound and gets no gradient. Throws ShapeError for other shapes, ConfigError for fewer than 1 draw and
/// bounds out of order. Kendall and Gal (2017), equation 12.
Tensor noisy_log_probabilities(const Tensor& logits, const Tensor& log_variance, Generator& generator,
                               const NoisyLogitsOptions& options = {});
/// -noisy_log_probabilities[target]: the counterpart of heteroscedastic_loss() for classes; target (N,) int64. Throws
/// as noisy_log_probabilities(), cross_entropy() and weighted_mean().
Tensor heteroscedastic_cross_entropy(const Tensor& logits, const Tensor& log_variance, const Tensor& target,
                                     Generator& generator, const NoisyLogitsOptions& options = {});

/// What a task's loss is, which says how it enters the sum.
enum class Task : std::uint8_t { regression, classification };

/// Several tasks in one loss, each with a learned log-variance s_k: sum_k c_k exp(-s_k) L_k + s_k / 2, where c is 1/2
/// for a mean squared error and 1 for a cross-entropy. The tasks' losses may have any units: s_k ends near log L_k (log
/// 2 L_k of classes). The parameter goes to the optimiser with the network's, without weight decay. Kendall, Gal and
/// Cipolla (2018).
struct TaskWeights {
  Tensor log_variance;      ///< (K,), 0 at first
  std::vector<Task> tasks;  ///< K
  double low, high;         ///< bounds of s

  /// Throws ConfigError for no tasks and for bounds out of order.
  explicit TaskWeights(const std::vector<Task>& of, DType dtype = DType::float32, const LogVarianceBounds& bounds = {});
  /// K losses of shape () -> (). One that is undefined (nobody in the batch has the target) is left out. Throws
  /// ShapeError for another number of losses and for one that is not a single number, ConfigError when all are left
  /// out.
  Tensor operator()(const std::vector<Tensor>& losses) const;
  /// c_k exp(-s_k) as they are now: (K,), without gradient.
  Tensor weights() const;
  void fields(auto&& f) { f("log_variance", log_variance, "tasks", tasks, "low", low, "high", high); }
};

struct SampleVarianceOptions {
  std::int64_t samples = 0;  ///< N, how many training samples there are
  std::int64_t outputs = 0;  ///< numbers per target; 0: a target of shape (N,)
  double initial = 0;        ///< s of all samples at first
  double center = 0;         ///< log-variance that is expected of a sound sample
  double strength = 1;       ///< nu, how many observations this expectation is worth; 0 or more
  DType dtype = DType::float32;
  LogVarianceBounds bounds{};
};

/// A free log-variance for each training sample, known by its id: what heteroscedastic_loss() raises is the s of
/// samples whose targets nothing explains, such as wrong labels.
///
///   fusion::SampleVariance variance({.samples = n});
///   Tensor loss = fusion::heteroscedastic_loss(net(x), variance(ids), y) + variance.penalty(ids);
///
/// Left alone, s_i would end at log r_i^2 with r_i the residual: a network that fits one sample exactly gains without
/// bound. The penalty nu (s - c + exp(c - s)), least at the centre c, is an inverse-gamma prior; with it exp(s_i) ends
/// at (r_i^2 + nu exp(c)) / (1 + nu), and the fit is that of errors after Student's t with nu degrees of freedom.
/// Lange, Little and Taylor (1989). With strength 0 only the bounds are left. Give it a rate of its own (10 times the
/// network's: an epoch moves each s once) and no weight decay.
struct SampleVariance {
  Tensor log_variance;  ///< (N,) or (N, outputs)
  double center, strength, low, high;

  /// Throws ConfigError for fewer than 1 sample, a negative number of outputs, a negative strength, a centre or
  /// beginning outside the bounds.
  explicit SampleVariance(const SampleVarianceOptions& options);
  /// s of these samples: ids (B,) int64 -> (B,) or (B, outputs), as it is: penalty() and the loss hold it within
  /// bounds. Throws as index_select().
  Tensor operator()(const Tensor& ids) const;
  /// The mean of nu (s - c + exp(c - s) - 1) over these samples: 0 or more. `half` for a loss with half.
  Tensor penalty(const Tensor& ids, bool half = false) const;
  void fields(auto&& f) {
    f("log_variance", log_variance, "center", center, "strength", strength, "low", low, "high", high);
  }
};

}  // namespace weft::fusion
