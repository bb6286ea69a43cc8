#pragma once
#include <cstdint>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/layers/basic.h>
#include <weft/layers/transformer.h>
#include <weft/tensor/random.h>

namespace bench {

struct EncoderOptions {
  std::int64_t num_layers, d_model, nhead, dim_feedforward, sequence, classes = 2;
};
constexpr std::int64_t vocabulary = 1000;

/// A Transformer encoder that reads ids (B, sequence): embedding and learned positions, layers with GELU, the mean over
/// the sequence, classes.
struct Encoder {
  weft::Embedding embedding;
  weft::Tensor positions;
  weft::TransformerEncoder encoder;
  weft::Linear head;
  explicit Encoder(const EncoderOptions& o)
      : embedding(vocabulary, o.d_model),
        positions(weft::randn({1, o.sequence, o.d_model}, 0, 0.02).set_requires_grad()),
        encoder({.layer = {.d_model = o.d_model,
                           .nhead = o.nhead,
                           .dim_feedforward = o.dim_feedforward,
                           .dropout = 0,
                           .activation = weft::Activation::gelu,
                           .batch_first = true},
                 .num_layers = o.num_layers}),
        head(o.d_model, o.classes) {}
  weft::Tensor operator()(const weft::Tensor& ids) const {
    return head(weft::mean(encoder(embedding(ids) + positions), 1));
  }
  void fields(auto&& f) { f("embedding", embedding, "positions", positions, "encoder", encoder, "head", head); }
};

}  // namespace bench
