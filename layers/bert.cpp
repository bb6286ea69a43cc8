#include <weft/layers/bert.h>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

const BertConfig& checked(const BertConfig& c) {
  const auto positive = [](const char* what, std::int64_t n) {
    if (n < 1) throw ConfigError(text("bert: ", what, " is ", n, ", must be 1 or more"));
  };
  positive("vocab_size", c.vocab_size);
  positive("hidden_size", c.hidden_size);
  positive("num_attention_heads", c.num_attention_heads);
  positive("intermediate_size", c.intermediate_size);
  positive("max_position_embeddings", c.max_position_embeddings);
  positive("type_vocab_size", c.type_vocab_size);
  if (c.num_hidden_layers < 0) throw ConfigError(text("bert: num_hidden_layers is ", c.num_hidden_layers));
  if (c.hidden_size % c.num_attention_heads != 0)
    throw ConfigError(text("bert: hidden_size ", c.hidden_size, " is not a multiple of the ", c.num_attention_heads,
                           " attention heads"));
  return c;
}

Linear dense(std::int64_t in, std::int64_t out, const BertConfig& c) {
  Linear layer(in, out);
  initialize::normal(layer.weight, 0, c.initializer_range);
  initialize::constant(layer.bias, 0);
  return layer;
}
LayerNorm norm_of(const BertConfig& c) {
  return LayerNorm({.normalized_shape = {c.hidden_size}, .eps = c.layer_norm_eps});
}
Embedding table(std::int64_t rows, const BertConfig& c, std::int64_t padding = -1) {
  Embedding e({.num_embeddings = rows, .embedding_dim = c.hidden_size, .padding_idx = padding});
  initialize::normal(e.weight, 0, c.initializer_range);
  if (padding >= 0) initialize::constant(select(detach(e.weight), 0, padding), 0);
  return e;
}

Tensor activated(BertActivation activation, const Tensor& x) {
  switch (activation) {
    case BertActivation::gelu_tanh: return gelu_tanh(x);
    case BertActivation::relu: return relu(x);
    case BertActivation::silu: return silu(x);
    case BertActivation::gelu: break;
  }
  return gelu(x);
}

double classifier_dropout(const BertConfig& c) {
  return c.classifier_dropout < 0 ? c.hidden_dropout_prob : c.classifier_dropout;
}
std::int64_t labels_of(const BertConfig& c, const BertHeadOptions& o) {
  const std::int64_t n = o.num_labels > 0 ? o.num_labels : static_cast<std::int64_t>(c.labels.size());
  if (n < 1) throw ConfigError("bert: a head without labels\n  help: set num_labels");
  return n;
}

/// Rows of x (B, T, D) and of the labels (B, T) at the places that have a label.
std::pair<Tensor, Tensor> labelled(const Tensor& x, const Tensor& labels) {
  if (labels.dim() != 2 || labels.size(0) != x.size(0) || labels.size(1) != x.size(1))
    throw ShapeError(text("bert: labels are ", labels.shape(), ", the tokens [", x.size(0), ", ", x.size(1), "]"));
  const Tensor flat = reshape(labels, {-1});
  const Tensor places = reshape(nonzero(ne(flat, -100)), {-1});
  if (places.numel() == 0)
    throw ConfigError("bert: no token of the batch has a label\n  help: pass over batches whose labels are all -100");
  return {index_select(reshape(x, {-1, x.size(2)}), 0, places), index_select(flat, 0, places)};
}

}  // namespace

void BertConfig::check_vocabulary(std::int64_t tokens) const {
  if (tokens != vocab_size)
    throw ConfigError(text("bert: the vocabulary has ", tokens, " tokens, the model ", vocab_size,
                           "\n  help: take vocab.txt and config.json from one folder"));
}

BertEmbeddings::BertEmbeddings(const BertConfig& c)
    : word_embeddings(table(checked(c).vocab_size, c,
                            c.pad_token_id >= 0 && c.pad_token_id < c.vocab_size ? c.pad_token_id : std::int64_t{-1})),
      position_embeddings(table(c.max_position_embeddings, c)),
      token_type_embeddings(table(c.type_vocab_size, c)),
      layer_norm(norm_of(c)),
      dropout(c.hidden_dropout_prob) {}

Tensor BertEmbeddings::operator()(const BertInputs& in) const {
  if (in.ids.dim() != 2) throw ShapeError(text("bert: ids are ", in.ids.shape(), ", not (texts, tokens)"));
  const std::int64_t length = in.ids.size(1), positions = position_embeddings.weight.size(0);
  if (length > positions)
    throw ShapeError(text("bert: a text of ", length, " tokens, the model has ", positions,
                          " positions\n  help: encode with max_length = ", positions));
  if (in.types.defined() && in.types.shape() != in.ids.shape())
    throw ShapeError(text("bert: types are ", in.types.shape(), ", ids ", in.ids.shape()));
  const Tensor types =
      in.types.defined() ? token_type_embeddings(in.types) : select(token_type_embeddings.weight, 0, 0);
  const Tensor x = word_embeddings(in.ids) + types + slice(position_embeddings.weight, 0, 0, length);
  return dropout(layer_norm(x));
}

BertLayer::BertLayer(const BertConfig& c)
    : query(dense(checked(c).hidden_size, c.hidden_size, c)),
      key(dense(c.hidden_size, c.hidden_size, c)),
      value(dense(c.hidden_size, c.hidden_size, c)),
      attention_output(dense(c.hidden_size, c.hidden_size, c)),
      attention_norm(norm_of(c)),
      intermediate(dense(c.hidden_size, c.intermediate_size, c)),
      output(dense(c.intermediate_size, c.hidden_size, c)),
      output_norm(norm_of(c)),
      dropout(c.hidden_dropout_prob),
      attention_dropout(c.attention_probs_dropout_prob),
      heads(c.num_attention_heads),
      activation(c.hidden_act) {}

Tensor BertLayer::operator()(const Tensor& x, const Tensor& seen) const {
  const std::int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
  const auto split = [&](const Linear& layer) {  // (B, T, D) -> (B, heads, T, D / heads), a view
    return transpose(reshape(layer(x), {batch, length, heads, width / heads}), 1, 2);
  };
  const Tensor attended = scaled_dot_product_attention(
      split(query), split(key), split(value), {.mask = seen, .dropout = dropout.mode.training ? attention_dropout : 0});
  const Tensor joined = reshape(transpose(attended, 1, 2), {batch, length, width});
  const Tensor y = attention_norm(x + dropout(attention_output(joined)));
  return output_norm(y + dropout(output(activated(activation, intermediate(y)))));
}

Bert::Bert(const BertConfig& c, bool add_pooling_layer)
    : embeddings(c), layers(repeat(static_cast<std::size_t>(c.num_hidden_layers), [&] { return BertLayer(c); })) {
  if (add_pooling_layer) pooler = dense(c.hidden_size, c.hidden_size, c);
}

BertOutput Bert::operator()(const BertInputs& in, bool all_hidden_states) const {
  BertOutput out;
  Tensor x = embeddings(in);
  if (all_hidden_states) out.hidden_states.push_back(x);
  Tensor seen;
  if (in.attention_mask.defined()) {
    if (in.attention_mask.shape() != in.ids.shape())
      throw ShapeError(text("bert: the attention mask is ", in.attention_mask.shape(), ", ids ", in.ids.shape()));
    seen = reshape(ne(in.attention_mask, 0), {in.ids.size(0), 1, 1, in.ids.size(1)});
  }
  for (const BertLayer& layer : layers) {
    x = layer(x, seen);
    if (all_hidden_states) out.hidden_states.push_back(x);
  }
  out.last_hidden_state = x;
  if (pooler) out.pooler_output = tanh((*pooler)(select(x, 1, 0)));
  return out;
}

BertForMaskedLM::BertForMaskedLM(const BertConfig& c)
    : bert(c, false),
      transform(dense(c.hidden_size, c.hidden_size, c)),
      transform_norm(norm_of(c)),
      bias(zeros({c.vocab_size}).set_requires_grad()),
      activation(c.hidden_act) {}
Tensor BertForMaskedLM::scores(const Tensor& hidden) const {
  return linear(transform_norm(activated(activation, transform(hidden))), bert.embeddings.word_embeddings.weight, bias);
}
Tensor BertForMaskedLM::operator()(const BertInputs& in) const { return scores(bert(in).last_hidden_state); }
Tensor BertForMaskedLM::loss(const BertInputs& in, const Tensor& labels) const {
  const auto [hidden, target] = labelled(bert(in).last_hidden_state, labels);
  return cross_entropy(scores(hidden), target);
}

BertForSequenceClassification::BertForSequenceClassification(const BertConfig& c, const BertHeadOptions& o)
    : bert(c), dropout(classifier_dropout(c)), classifier(dense(c.hidden_size, labels_of(c, o), c)) {}
Tensor BertForSequenceClassification::operator()(const BertInputs& in) const {
  return classifier(dropout(bert(in).pooler_output));
}

BertForTokenClassification::BertForTokenClassification(const BertConfig& c, const BertHeadOptions& o)
    : bert(c, false), dropout(classifier_dropout(c)), classifier(dense(c.hidden_size, labels_of(c, o), c)) {}
Tensor BertForTokenClassification::operator()(const BertInputs& in) const {
  return classifier(dropout(bert(in).last_hidden_state));
}
Tensor BertForTokenClassification::loss(const BertInputs& in, const Tensor& labels) const {
  const auto [scores, target] = labelled((*this)(in), labels);
  return cross_entropy(scores, target);
}

}  // namespace weft
