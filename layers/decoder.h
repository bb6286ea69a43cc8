#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/tensor/random.h>

/// A Transformer decoder that writes one token after the other (Radford et al. 2019: norms before each part, learned
/// positions), with a cache of keys and values so that a token costs one step and not all those before it again.
namespace weft {

struct DecoderOptions {
  std::int64_t vocab_size;
  std::int64_t context = 256;  ///< positions
  std::int64_t d_model = 256;
  std::int64_t nhead = 8;
  std::int64_t num_layers = 6;
  std::int64_t dim_feedforward = 0;  ///< 0: 4 d_model
  double dropout = 0;
  DType dtype = DType::float32;
};

/// Keys and values of all tokens so far. A copy shares them: use clone_cache() to go on twice from one place.
struct KeyValueCache {
  std::vector<Tensor> keys, values;   ///< per layer (B, heads, capacity, d_model / heads)
  std::vector<std::int64_t> lengths;  ///< tokens of each row that it holds
  std::int64_t capacity = 0;
  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(lengths.size()); }
  /// Forgets all tokens but the first `length` of each row. Throws ConfigError for a negative length.
  void truncate(std::int64_t length);
};
KeyValueCache clone_cache(const KeyValueCache& cache);

/// x + attention(norm1(x)), then x + down(gelu(up(norm2(x)))).
struct DecoderBlock {
  LayerNorm norm1;
  Linear qkv, projection;
  LayerNorm norm2;
  Linear up, down;
  Dropout dropout;
  std::int64_t nhead;
  explicit DecoderBlock(const DecoderOptions& options);
  /// x (B, T, d_model), each token seeing itself and those before it.
  Tensor operator()(const Tensor& x) const;
  void fields(auto&& f) {
    f("norm1", norm1, "qkv", qkv, "projection", projection, "norm2", norm2, "up", up, "down", down, "dropout", dropout,
      "nhead", nhead);
  }
};

/// ids (B, T) -> scores (B, T, vocab_size) of the token that follows each. Weights begin normal with deviation 0.02,
/// those of the layers that are added to the sum with 0.02 / sqrt(2 num_layers), biases at 0.
struct Decoder {
  Embedding tokens, positions;
  Dropout dropout;
  std::vector<DecoderBlock> blocks;
  LayerNorm norm;
  Linear head;  ///< without bias
  /// Throws ConfigError for sizes below 1 and heads that do not divide d_model.
  explicit Decoder(const DecoderOptions& options);
  /// All at once, to train. Throws ShapeError for ids that are not (B, T) and a text longer than the positions.
  Tensor operator()(const Tensor& ids) const;

  /// An empty cache for `rows` texts of up to `capacity` tokens (0: as many as there are positions). Throws ConfigError
  /// for fewer than 1 row and more tokens than positions.
  KeyValueCache cache(std::int64_t rows, std::int64_t capacity = 0) const;
  /// The next tokens of each row join the cache; returns what the last norm gives for them, (B, L, d_model). Row r has
  /// counts[r] tokens, the rest of its L ids is padding and its results are without meaning; no counts: L each. The
  /// numbers of a token are bit by bit the same however the text is divided into calls, in whatever batch and however
  /// padded; to that end products are computed four rows at a time. Records no gradient and drops nothing. Throws
  /// ShapeError when rows or counts do not fit, ConfigError when the cache overflows (it is then as before).
  Tensor extend(const Tensor& ids, KeyValueCache& cache, std::span<const std::int64_t> counts = {}) const;
  /// The scores (B, vocab_size) of what follows the last token of each row, after extend(). A row without a token in
  /// this call has no meaningful scores.
  Tensor next(const Tensor& ids, KeyValueCache& cache, std::span<const std::int64_t> counts = {}) const;
  /// Scores (N, vocab_size) for rows (N, d_model) of extend().
  Tensor scores(const Tensor& features) const;

  void fields(auto&& f) {
    f("tokens", tokens, "positions", positions, "dropout", dropout, "blocks", blocks, "norm", norm, "head", head);
  }
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 64;
  double temperature = 0;  ///< scores are divided by it before one is drawn; 0: the best token, always
  std::int64_t top_k = 0;  ///< draw from so many best tokens only; 0: from all. Fan et al. (2018).
  double top_p = 1;        ///< draw from the fewest best tokens that have this probability together. Holtzman (2020).
  std::int64_t eos = -1;   ///< a row ends after this token; -1: there is none
  bool use_cache = true;   ///< false computes all tokens again for each new one: the same result, slowly
  Generator* generator = nullptr;  ///< null: this thread's own
};
/// A token drawn from the scores (vocab_size) by temperature, top_k and top_p. Throws ConfigError for a negative
/// temperature or top_k, a top_p outside (0, 1], and scores among which none is finite.
std::int64_t draw_token(std::span<const float> scores, const GenerateOptions& options, Generator& generator);
/// What the decoder writes after each prompt, the eos included. Prompts may differ in length. Throws ConfigError for no
/// prompt or an empty one, and when a prompt with its new tokens is longer than the positions.
std::vector<std::vector<std::int64_t>> generate(const Decoder& decoder,
                                                const std::vector<std::vector<std::int64_t>>& prompts,
                                                const GenerateOptions& options = {});

}  // namespace weft
