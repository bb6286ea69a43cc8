#pragma once
#include <weft/layers/basic.h>

namespace weft {

struct SkipGramLayerOptions {
  std::int64_t num_embeddings;
  std::int64_t embedding_dim;
  DType dtype = DType::float32;
};
/// Embeddings of codes, trained to tell codes that go together from random ones: for a pair (c, o) and noise n_1 ...
/// n_K the loss is -log s(u_o v_c) - sum_k log s(-u_(n_k) v_c), s the sigmoid, v the rows of `in` and u those of `out`;
/// in the end v is the embedding. Mikolov et al. (2013). Initial values: `in` uniform within 1 / (2 dim), `out` 0.
/// Throws ConfigError unless both numbers are 1 or more.
struct SkipGram {
  Embedding in, out;
  explicit SkipGram(const SkipGramLayerOptions& options);
  /// center (B,), context (B,), negatives (B, K), int64 -> the mean loss of a pair. Throws ShapeError for other shapes,
  /// ConfigError for a code out of range.
  Tensor loss(const Tensor& center, const Tensor& context, const Tensor& negatives) const;
  void fields(auto&& f) { f("in", in, "out", out); }
};

}  // namespace weft
