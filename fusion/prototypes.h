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

/// What a trained classifier makes of patients before its head: the fused features (B, D), without gradient and in the
/// mode that it is in (call eval() first). Throws ConfigError for methods that fuse decisions, which have none.
Tensor embed(const Classifier& net, const data::Modalities& raw);

/// An episode: k samples of each class to learn from (.train), all others to test on (.test), ascending. Throws
/// ConfigError for k < 1 and for a class that has no more than k.
data::Split few_shot_split(std::span<const std::int64_t> labels, std::int64_t k, Generator& generator);

}  // namespace weft::fusion
