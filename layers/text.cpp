#include <weft/layers/text.h>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

std::int64_t positive(const char* what, std::int64_t n) {
  if (n < 1) throw ConfigError(text("text: ", what, " is ", n, ", must be 1 or more"));
  return n;
}

/// ids without the places at the end where no text of the batch has a word.
Tensor without_empty_end(const Tensor& ids) {
  const Tensor seen = word_mask(ids), dense = any(seen, {0});
  std::int64_t length = dense.size(0);
  const bool* word = dense.data<bool>();
  while (length > 1 && !word[length - 1]) --length;
  return slice(ids, 1, 0, length);
}

}  // namespace

TextEmbedding::TextEmbedding(const TextEmbeddingOptions& o)
    : weight(randn({positive("num_embeddings", o.num_embeddings), positive("embedding_dim", o.embedding_dim)}, 0, 0.1)
                 .set_requires_grad()),
      word_dropout(o.word_dropout) {
  if (!(word_dropout >= 0 && word_dropout < 1))
    throw ConfigError(text("text: word_dropout is ", word_dropout, ", must be in [0, 1)"));
}

Tensor word_mask(const Tensor& ids) {
  if (ids.dim() != 2 && ids.dim() != 3)
    throw ShapeError(text("text: ids are ", ids.shape(), "\n  help: pass (texts, words) or (texts, words, parts)"));
  return ne(ids.dim() == 3 ? select(ids, 2, 0) : ids, 0);
}

Tensor TextEmbedding::operator()(const Tensor& ids) const {
  word_mask(ids);  // checks the shape
  const std::int64_t batch = ids.size(0), length = ids.size(1), parts = ids.dim() == 3 ? ids.size(2) : 1;
  const auto bag = [&](const Tensor& numbers) {
    return embedding_bag(weight, reshape(numbers, {batch * length, -1}), {.mode = BagMode::mean, .padding = 0});
  };
  Tensor x = bag(ids.dim() == 3 ? select(ids, 2, 0) : ids);
  if (parts > 1) x = x + bag(slice(ids, 2, 1, parts));
  x = reshape(x, {batch, length, weight.size(1)});
  // What disappears is not made up for: a mean over the words left is as large as before.
  return mode.training && word_dropout > 0 ? x * bernoulli({batch, length, 1}, 1 - word_dropout) : x;
}

TextBag::TextBag(const TextBagOptions& o)
    : embedding(o.embedding),
      dropout(o.dropout),
      out(o.embedding.embedding_dim, positive("out_features", o.out_features)) {}
Tensor TextBag::operator()(const Tensor& all) const {
  const Tensor ids = without_empty_end(all);
  const Tensor words = maximum(sum(to(word_mask(ids), DType::float32), 1, true), ones({1}));  // (B, 1)
  return out(dropout(sum(embedding(ids), 1) / words));
}

TextCnn::TextCnn(const TextCnnOptions& o)
    : embedding(o.embedding), embedding_dropout(o.embedding_dropout), dropout(o.dropout) {
  if (o.widths.empty()) throw ConfigError("text: a network of filters without widths");
  for (const std::int64_t width : o.widths)
    filters.push_back(Conv1d({.in_channels = o.embedding.embedding_dim,
                              .out_channels = positive("channels", o.channels),
                              .kernel_size = positive("a width", width),
                              .padding = width - 1}));
  if (o.out_features > 0) out.emplace(features(), o.out_features);
}
std::int64_t TextCnn::features() const { return std::ssize(filters) * filters.front().weight.size(0); }
Tensor TextCnn::operator()(const Tensor& texts) const {
  const Tensor ids = without_empty_end(texts);
  // (B, 1, T): an unseen word's vector is 0 already; what a filter's bias gives beyond the text must not count.
  const Tensor seen = unsqueeze(to(word_mask(ids), DType::float32), 1);
  const Tensor x = transpose(embedding_dropout(embedding(ids)), 1, 2);  // (B, D, T)
  std::vector<Tensor> largest;
  for (const Conv1d& filter : filters) {
    const std::int64_t width = filter.weight.size(2);
    // A window counts if its first word is one, or its last.
    const Tensor begins = pad(seen, {width - 1, 0}), ends = pad(seen, {0, width - 1});
    largest.push_back(amax(relu(filter(x)) * maximum(begins, ends), 2));
  }
  const Tensor all = dropout(cat(largest, 1));
  return out ? (*out)(all) : all;
}

}  // namespace weft
