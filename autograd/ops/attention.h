#pragma once
#include <weft/tensor/random.h>

/// Attention of queries over keys and values.
namespace weft {

struct AttentionOptions {
  /// Broadcasts to (..., T, S): bool, true where a query may see a key, or numbers that are added to the scores.
  Tensor mask{};
  bool is_causal = false;          ///< query i sees keys 0 to i only; not together with a mask
  double dropout = 0;              ///< the probability that a weight is dropped; 0 outside of training
  double scale = 0;                ///< of the scores; 0: 1 / sqrt(E)
  bool grouped = false;            ///< heads stand on axis -3; each head of key and value serves several of query
  Generator* generator = nullptr;  ///< of the dropout; null: this thread's own
};
/// softmax(scale q k^T + mask) v: q (..., T, E), k (..., S, E), v (..., S, V) -> (..., T, V); the axes in front
/// broadcast. A query that may see no key gets 0. Any strides are read as they lie, and the result's axes lie in memory
/// in the order of q's: heads cut out of rows by views are joined by views. The T x S scores are held tile by tile,
/// forwards and backwards (Dao et al. 2022), but for second derivatives and a mask that has a gradient itself. Throws
/// ShapeError for shapes that do not fit, ConfigError for a causal mask beside another one or a dropout outside [0, 1].
/// Vaswani et al. (2017); grouped: Ainslie et al. (2023).
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

}  // namespace weft
