#pragma once
#include <cstdint>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>

/// Small encoders of texts, whose words come as numbers (data::WordCoder): what a large one has to beat.
namespace weft {

struct TextEmbeddingOptions {
  std::int64_t num_embeddings;
  std::int64_t embedding_dim = 128;
  double word_dropout = 0;  ///< while training, words disappear with this probability
};
/// ids (B, T), or (B, T, P) for words and their parts, 0 for nothing -> (B, T, embedding_dim): a learned vector for
/// each word, plus the mean of those of its parts. weight (num, dim): normal with deviation 0.1; 0 gives 0.
/// Bojanowski et al. (2017).
struct TextEmbedding {
  Tensor weight;
  double word_dropout;
  Mode mode;
  explicit TextEmbedding(const TextEmbeddingOptions& options);
  /// Throws ShapeError for ids that are neither (B, T) nor (B, T, P).
  Tensor operator()(const Tensor& ids) const;
  void fields(auto&& f) { f("weight", weight, "word_dropout", word_dropout, "mode", mode); }
};
/// Where ids have a word: (B, T) bool.
Tensor word_mask(const Tensor& ids);

struct TextBagOptions {
  TextEmbeddingOptions embedding;
  std::int64_t out_features;
  double dropout = 0;
};
/// The mean of the words' vectors through a linear layer, without regard to their order. ids as TextEmbedding ->
/// (B, out_features). Joulin et al. (2017).
struct TextBag {
  TextEmbedding embedding;
  Dropout dropout;
  Linear out;
  explicit TextBag(const TextBagOptions& options);
  Tensor operator()(const Tensor& ids) const;
  void fields(auto&& f) { f("embedding", embedding, "dropout", dropout, "out", out); }
};

struct TextCnnOptions {
  TextEmbeddingOptions embedding;
  std::int64_t out_features = 0;                 ///< 0: no last layer, the result are the features
  std::int64_t channels = 100;                   ///< of each width
  std::vector<std::int64_t> widths = {3, 4, 5};  ///< words that a filter looks at
  double embedding_dropout = 0;
  double dropout = 0.5;  ///< of the features
};
/// Filters of several widths over the words' vectors, each giving its largest value in the text: features (B, channels
/// widths), or (B, out_features). Padding is not seen. Kim (2014). Throws ConfigError for no width or sizes below 1.
struct TextCnn {
  TextEmbedding embedding;
  Dropout embedding_dropout;
  std::vector<Conv1d> filters;
  Dropout dropout;
  std::optional<Linear> out;
  explicit TextCnn(const TextCnnOptions& options);
  Tensor operator()(const Tensor& ids) const;
  std::int64_t features() const;
  void fields(auto&& f) {
    f("embedding", embedding, "embedding_dropout", embedding_dropout, "filters", filters, "dropout", dropout, "out",
      out);
  }
};

}  // namespace weft
