#include <weft/fusion/late.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

Late::Late(const Options& o)
    : expected("late", o), heads(decision_heads("late", o)), auxiliary_weight(o.auxiliary_weight) {}

Fused Late::operator()(const data::Modalities& encoded) const {
  expected.check("late", encoded);
  const DType dtype = heads.front().weight.dtype();
  Fused fused = begin(encoded.present);
  fused.weights = even_weights(encoded.present, dtype);
  // Not -inf, which would make NaN of a row without any modality; e to this is 0 as well.
  const Tensor impossible = scalar(-1e30, dtype);
  fused.logits = decide_alone(heads, encoded);
  std::vector<Tensor> said;
  for (std::size_t m = 0; m < heads.size(); ++m)
    said.push_back(rows_or(log_softmax(fused.logits[m], 1), who_has(encoded.present, m), impossible));
  const Tensor count = sum(to(encoded.present, dtype), 1, true);                  // (B, 1)
  const Tensor mixed = logsumexp(stack(said, 1), 1) - log(clamp(count, 1, 1e9));  // (B, M, C) -> (B, C)
  const double classes = static_cast<double>(mixed.size(1));
  fused.decision = where(unsqueeze(fused.empty, 1), scalar(-std::log(classes), dtype), mixed);
  return fused;
}

Tensor Late::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  const Tensor loss = modality_losses(fused, target, options);
  return loss.defined() ? loss * auxiliary_weight : loss;
}

}  // namespace weft::fusion
