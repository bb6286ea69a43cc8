#pragma once
#include <weft/tensor/tensor.h>

/// Rows of a table picked by number. Numbers are int64 (or int32) from 0 to V - 1; ConfigError for another,
/// DtypeError for another type.
namespace weft {

/// weight (V, D), ids (...) -> (..., D). Gradient to weight: added up per row; rows of `padding` (-1: none) get none.
Tensor embedding(const Tensor& weight, const Tensor& ids, std::int64_t padding = -1);

enum class BagMode { sum, mean, max };

struct EmbeddingBagOptions {
  /// (B,) where each bag begins in one-dimensional ids: the first is 0, none is smaller than the one before.
  Tensor offsets{};
  BagMode mode = BagMode::mean;
  Tensor weights{};                  ///< of the ids' shape: each row is multiplied by its own; for BagMode::sum only
  std::int64_t padding = -1;         ///< ids that do not count (-1: none)
  bool include_last_offset = false;  ///< the last offset is where the last bag ends
};
/// The rows of each bag of ids as one row: weight (V, D), ids (B, L), or (N,) with offsets -> (B, D). An empty bag is
/// 0. Throws ShapeError for other shapes, ConfigError for offsets out of order or weights in another mode. Gradient:
/// to weight (of a maximum: to the first row that has it) and to weights.
Tensor embedding_bag(const Tensor& weight, const Tensor& ids, const EmbeddingBagOptions& options = {});

/// 1 at the given class, else 0: ids (...) -> (..., classes), int64; classes -1: as many as the largest id needs.
/// No gradient. Throws ConfigError for a class out of range.
Tensor one_hot(const Tensor& ids, std::int64_t classes = -1);

}  // namespace weft
