#include <weft/fusion/gated.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

AlignmentGate::AlignmentGate(std::int64_t modalities, std::int64_t width, bool normalise, DType dtype)
    : scores({.in_features = modalities * width, .out_features = modalities * width, .dtype = dtype}) {
  if (normalise) norm = LayerNorm({.normalized_shape = {width}, .dtype = dtype});
}

AlignmentGate::Result AlignmentGate::operator()(const Tensor& x, const Tensor& present) const {
  const Tensor who = unsqueeze(present, 2);                       // (B, M, 1)
  const Tensor kept = rows_or(x, who);                            // (B, M, D)
  const Tensor read = norm ? rows_or((*norm)(kept), who) : kept;  // the norm's bias is no evidence
  const Tensor joined = reshape(read, {x.size(0), x.size(1) * x.size(2)});
  const Tensor gates = masked_softmax(reshape(scores(joined), x.shape()), who, 1);
  return {sum(gates * kept, 1), gates};
}

GatedAlignment::GatedAlignment(const Options& o) : expected("gated", o), projections(fusion::projections(o)) {
  at_least("gated", "layers", o.layers, 1);
  for (std::int64_t i = 0; i < o.layers; ++i) {
    gates.push_back(AlignmentGate(static_cast<std::int64_t>(o.names.size()), o.width, true, o.dtype));
    if (i > 0)
      between.push_back(TransformerEncoderLayer({.d_model = o.width,
                                                 .nhead = 1,
                                                 .dim_feedforward = 2 * o.width,
                                                 .dropout = o.dropout,
                                                 .batch_first = true,
                                                 .norm_first = true,
                                                 .dtype = o.dtype}));
  }
}

Fused GatedAlignment::operator()(const data::Modalities& encoded) const {
  expected.check("gated", encoded);
  Fused fused = begin(encoded.present);
  Tensor x = stack(project(projections, encoded), 1);  // (B, M, D)
  const Tensor missing = logical_not(encoded.present);
  for (std::size_t i = 0; i < gates.size(); ++i) {
    const AlignmentGate::Result result = gates[i](x, encoded.present);
    if (i < between.size()) {
      x = between[i](x + unsqueeze(result.aligned, 1), {.key_padding_mask = missing});
      continue;
    }
    fused.weights = mean(result.gates, 2);  // (B, M)
    const Tensor even = unsqueeze(even_weights(encoded.present, x.dtype()), 2);
    fused.features = result.aligned + sum(x * even, 1);  // (B, D)
  }
  return fused;
}

}  // namespace weft::fusion
