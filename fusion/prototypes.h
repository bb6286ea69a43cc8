#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/data/split.h>
#include <weft/fusion/classifier.h>

/// Rare classes from a few samples each: encoders are learned from common classes and stay as they are; of a new class
/// all that is learned is where its samples lie.
namespace weft::fusion {

struct PrototypesOptions {
  bool normalize = true;   ///< embeddings are brought to length 1 first, so that the distance is that of directions
  double temperature = 1;  ///< distances are divided by it; on unit length 0.1 gives decided probabilities
};

/// The head of prototypical networks: class c is the mean of the embeddings of its few samples,
/// centers_c = mean z_i over the samples of c, logits_c = -|z - centers_c|^2 / temperature. Snell, Swersky and Zemel
/// (2017).
struct Prototypes {
  Buffer centers;  ///< (C, D)
  bool normalize;
  double temperature;

  /// Of embeddings (N, D) and their labels in [0, classes). Throws ShapeError when their numbers differ, ConfigError
  /// for a label out of range, a class without a sample and a temperature that is not above 0.
  Prototypes(const Tensor& embeddings, std::span<const std::int64_t> labels, std::int64_t classes,
             const PrototypesOptions& options = {});
  /// (B, D) -> logits (B, C); log_softmax of them are log-probabilities. Gradient: to the embeddings, for those who
  /// train their encoders in episodes. Throws ShapeError for another width.
  Tensor operator()(const Tensor& embeddings) const;
  void fields(auto&& f) { f("centers", centers, "normalize", normalize, "temperature", temperature); }
};

/// The loss of prototypical networks for encoders that learn in episodes (Snell, Swersky and Zemel 2017): prototypes
/// are the means of the rows episode.train of `embeddings`, and the loss is the mean over the rows episode.test of
/// -log softmax_c(-|z - centers_c|^2 / temperature) at their own class, z being of length 1 where `normalize`. It
/// asks of the embeddings what is asked of them later, of classes that are new: that a few samples stand for all.
/// Shapes: embeddings (N, D), labels N of any numbers -> (). Gradient: to all these rows. Throws ShapeError when
/// numbers differ, ConfigError for an index out of range, an episode without either part, a class of episode.test that
/// episode.train lacks, and options as above.
///
///   const auto rows = few_shot_split(labels, k + q, g).train;  // an episode: k + q samples of each class
///   const Tensor z = net.fusion(encode(net.encoders, common.rows(rows))).features;
///   prototypical_loss(z, own, few_shot_split(own, k, g)).backward();  // own: the labels of these rows
Tensor prototypical_loss(const Tensor& embeddings, std::span<const std::int64_t> labels, const data::Split& episode,
                         const PrototypesOptions& options = {});

struct WithinClassScalingOptions {
  double shrinkage = 0.1;  ///< s, in (0, 1]: 1 scales all directions alike
};

/// Within-class covariance normalisation (Hatch and Stolcke 2006): makes the spread within classes the same in all
/// directions, as measured on classes of which there are many samples. Distances of the result are Mahalanobis
/// distances, so that prototypes of it are Fisher's linear discriminants for classes of a few samples:
///
///   S = sum_i (z_i - mean_{y_i}) (z_i - mean_{y_i})^T / (N - C)
///   S_s = (1 - s) S + s tr(S) / D I, shrinkage as in Ledoit and Wolf (2004)
///   z -> (z - mean) matrix, where matrix matrix^T = S_s^-1
struct WithinClassScaling {
  Buffer mean;    ///< (D,), of all samples
  Buffer matrix;  ///< (D, D), upper triangular

  /// Of embeddings (N, D) and their labels, any numbers. Computed in float64, kept in the embeddings' type. Throws
  /// ShapeError when numbers differ, ConfigError for a shrinkage out of range and where no class varies.
  WithinClassScaling(const Tensor& embeddings, std::span<const std::int64_t> labels,
                     const WithinClassScalingOptions& options = {});
  /// (B, D) -> (B, D). Gradient: to the embeddings. Throws ShapeError for another width.
  Tensor operator()(const Tensor& embeddings) const;
  void fields(auto&& f) { f("mean", mean, "matrix", matrix); }
};

/// What a trained classifier makes of patients before its head: the fused features (B, D), without gradient and in the
/// mode that it is in (call eval() first). Throws ConfigError for methods that fuse decisions, which have none.
Tensor embed(const Classifier& net, const data::Modalities& raw);

/// An episode: k samples of each class to learn from (.train), all others to test on (.test), ascending. Throws
/// ConfigError for k < 1 and for a class that has no more than k.
data::Split few_shot_split(std::span<const std::int64_t> labels, std::int64_t k, Generator& generator);

}  // namespace weft::fusion
