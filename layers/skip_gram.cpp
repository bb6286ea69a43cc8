#include <weft/layers/skip_gram.h>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

EmbeddingOptions table(const SkipGramLayerOptions& o) {
  for (const auto& [name, n] : {std::pair("num_embeddings", o.num_embeddings), {"embedding_dim", o.embedding_dim}})
    if (n < 1) throw ConfigError(text("skip_gram: ", name, " is ", n, "\n  help: choose 1 or more"));
  return {.num_embeddings = o.num_embeddings, .embedding_dim = o.embedding_dim, .dtype = o.dtype};
}

}  // namespace

SkipGram::SkipGram(const SkipGramLayerOptions& o) : in(table(o)), out(table(o)) {
  const double bound = 0.5 / static_cast<double>(o.embedding_dim);
  initialize::uniform(in.weight, -bound, bound);
  initialize::constant(out.weight, 0);
}

Tensor SkipGram::loss(const Tensor& center, const Tensor& context, const Tensor& negatives) const {
  if (center.dim() != 1 || !(context.shape() == center.shape()) || negatives.dim() != 2 ||
      negatives.shape()[0] != center.shape()[0] || center.numel() == 0)
    throw ShapeError(text("skip_gram: center ", center.shape(), ", context ", context.shape(), " and negatives ",
                          negatives.shape(), " are not (B,), (B,) and (B, K) with B of 1 or more"));
  const Tensor codes = cat({unsqueeze(context, 1), negatives}, 1);       // (B, 1 + K)
  const Tensor scores = sum(out(codes) * unsqueeze(in(center), 1), -1);  // (B, 1 + K)
  const Tensor close = slice(scores, 1, 0, 1), far = slice(scores, 1, 1, scores.size(1));
  return -(sum(log_sigmoid(close)) + sum(log_sigmoid(-far))) / static_cast<double>(center.numel());
}

}  // namespace weft
