#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <weft/layers/basic.h>
#include <weft/layers/serialize.h>

/// BERT (Devlin et al. 2019): a Transformer encoder that reads a text from both sides, with the parameter names of
/// Hugging Face's checkpoints, so that save() writes what others load.
///
///   const BertConfig config = load_bert_config("folder");
///   BertForSequenceClassification net(config, {.num_labels = 2});
///   load_bert(net, "folder");  // config.json, model.safetensors; data::WordPiece::load reads vocab.txt
namespace weft {

enum class BertActivation : std::uint8_t { gelu, gelu_tanh, relu, silu };

/// What config.json says; its names, and the values of the base model.
struct BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  std::int64_t pad_token_id = 0;
  BertActivation hidden_act = BertActivation::gelu;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double classifier_dropout = -1;  ///< below 0: hidden_dropout_prob
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  std::vector<std::string> labels{};  ///< names of the classes in the order of their numbers, where the file has some
  /// Throws ConfigError when a tokenizer's vocabulary has other than vocab_size tokens.
  void check_vocabulary(std::int64_t tokens) const;
};
/// Reads folder/config.json. Throws FileError when it is missing or damaged, ConfigError for a model that is not BERT,
/// an activation or a kind of positions that weft has not, and for sizes that cannot be.
BertConfig load_bert_config(const std::string& folder);
/// Writes folder/config.json, so that with save(net, folder + "/model.safetensors") the folder is a checkpoint. Throws
/// FileError.
void save_bert_config(const BertConfig& config, const std::string& folder);

/// Numbers of tokens (B, T); whatever is left out is as if all tokens were real and of the first text.
struct BertInputs {
  Tensor ids;               ///< int64
  Tensor types{};           ///< int64: 0 first text, 1 second
  Tensor attention_mask{};  ///< 0 where there is only padding, which no token sees; bool or numbers
};

struct BertEmbeddings {
  Embedding word_embeddings, position_embeddings, token_type_embeddings;
  LayerNorm layer_norm;
  Dropout dropout;
  explicit BertEmbeddings(const BertConfig& config);
  /// Throws ShapeError for ids that are not (B, T), types of another shape and texts longer than the positions.
  Tensor operator()(const BertInputs& inputs) const;
  void fields(auto&& f) {
    f("word_embeddings", word_embeddings, "position_embeddings", position_embeddings, "token_type_embeddings",
      token_type_embeddings, "LayerNorm", layer_norm, "dropout", dropout);
  }
};

/// x + attention(x), then x + feedforward(x), each sum normalised.
struct BertLayer {
  Linear query, key, value, attention_output;
  LayerNorm attention_norm;
  Linear intermediate, output;
  LayerNorm output_norm;
  Dropout dropout;
  double attention_dropout;
  std::int64_t heads;
  BertActivation activation;
  explicit BertLayer(const BertConfig& config);
  /// x (B, T, hidden_size); seen (B, 1, 1, T) bool, or undefined: all.
  Tensor operator()(const Tensor& x, const Tensor& seen) const;
  void fields(auto&& f) {
    f("attention.self.query", query, "attention.self.key", key, "attention.self.value", value, "attention.output.dense",
      attention_output, "attention.output.LayerNorm", attention_norm, "intermediate.dense", intermediate,
      "output.dense", output, "output.LayerNorm", output_norm, "dropout", dropout, "attention_dropout",
      attention_dropout, "heads", heads, "activation", activation);
  }
};

struct BertOutput {
  Tensor last_hidden_state;             ///< (B, T, hidden_size)
  Tensor pooler_output;                 ///< (B, hidden_size): tanh of a layer on the first token; undefined without
  std::vector<Tensor> hidden_states{};  ///< the embeddings and what each layer gives, where asked for
};

struct Bert {
  BertEmbeddings embeddings;
  std::vector<BertLayer> layers;
  std::optional<Linear> pooler;
  /// Weights begin normal with deviation initializer_range, biases at 0. Throws ConfigError for sizes below 1 and heads
  /// that do not divide hidden_size.
  explicit Bert(const BertConfig& config, bool add_pooling_layer = true);
  BertOutput operator()(const BertInputs& inputs, bool all_hidden_states = false) const;
  void fields(auto&& f) { f("embeddings", embeddings, "encoder.layer", layers, "pooler.dense", pooler); }
};

/// Scores (B, T, vocab_size) of the words that could stand at each place; the last layer's matrix is that of the word
/// embeddings.
struct BertForMaskedLM {
  Bert bert;
  Linear transform;
  LayerNorm transform_norm;
  Tensor bias;
  BertActivation activation;
  explicit BertForMaskedLM(const BertConfig& config);
  Tensor operator()(const BertInputs& inputs) const;
  /// The mean cross-entropy over the places whose label (B, T) is not -100 (data::mask_tokens gives such). Only these
  /// places are scored. Throws ShapeError for labels of another shape, ConfigError where none is left.
  Tensor loss(const BertInputs& inputs, const Tensor& labels) const;
  Tensor scores(const Tensor& hidden) const;  ///< (..., hidden_size) -> (..., vocab_size)
  void fields(auto&& f) {
    f("bert", bert, "cls.predictions.transform.dense", transform, "cls.predictions.transform.LayerNorm", transform_norm,
      "cls.predictions.bias", bias, "activation", activation);
  }
};

struct BertHeadOptions {
  std::int64_t num_labels = 0;  ///< 0: as many as the config names
};
/// Scores (B, num_labels) of a text, from its first token.
struct BertForSequenceClassification {
  Bert bert;
  Dropout dropout;
  Linear classifier;
  explicit BertForSequenceClassification(const BertConfig& config, const BertHeadOptions& options = {});
  Tensor operator()(const BertInputs& inputs) const;
  void fields(auto&& f) { f("bert", bert, "dropout", dropout, "classifier", classifier); }
};
/// Scores (B, T, num_labels) of each token; data::bio_spans makes spans of the best tags.
struct BertForTokenClassification {
  Bert bert;
  Dropout dropout;
  Linear classifier;
  explicit BertForTokenClassification(const BertConfig& config, const BertHeadOptions& options = {});
  Tensor operator()(const BertInputs& inputs) const;
  /// The mean cross-entropy over the tokens whose label (B, T) is not -100. Throws ShapeError for another shape.
  Tensor loss(const BertInputs& inputs, const Tensor& labels) const;
  void fields(auto&& f) { f("bert", bert, "dropout", dropout, "classifier", classifier); }
};

namespace detail {
LoadReport load_bert(const Walk& walk, const std::string& folder);
}  // namespace detail

/// Fills any of the above from folder/model.safetensors. Names may begin with "bert." or not, and norms may be called
/// gamma and beta, as in older files. All of the encoder has to be there; what the file has besides (another head) is
/// passed over, and what it lacks of the head and the pooler stays as it is: the report names both. Throws FileError
/// when the file is missing or damaged, when a tensor has another shape than the model or when one of the encoder is
/// missing; the model is then as before.
template <class M>
LoadReport load_bert(M& model, const std::string& folder) {
  return detail::load_bert(detail::walk_of(model), folder);
}

}  // namespace weft
