#include <weft/autograd/ops.h>
#include <weft/fusion/fusion.h>
#include <weft/fusion/presence.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

Tensor mean_loss(const Tensor& losses, const Tensor& target, const LossOptions& options, const Tensor& counts) {
  if (!options.class_weights.defined() && !options.row_weights.defined() && !counts.defined()) return mean(losses);
  if (options.row_weights.defined() && !(options.row_weights.shape() == losses.shape()))
    throw ShapeError(
        text("mean_loss: the row weights are ", options.row_weights.shape(), ", the losses ", losses.shape()));
  Tensor weights = counts.defined() ? to(counts, losses.dtype()) : ones(losses.shape(), losses.dtype());
  if (options.class_weights.defined())
    weights = weights * index_select(to(options.class_weights, losses.dtype()), 0, target);
  if (options.row_weights.defined()) weights = weights * to(options.row_weights, losses.dtype());
  const double total = sum(weights).item();
  // 0 / 0 for a modality that nobody in the batch has would make NaN of the whole loss.
  return total > 0 ? sum(losses * weights) / total : Tensor();
}

Tensor decision_loss(const Tensor& logits, const Tensor& target, const LossOptions& options, const Tensor& counts) {
  if (options.label_smoothing == 0) {
    const Tensor rows = cross_entropy(logits, target, {.reduction = Reduction::none});
    return mean_loss(rows, target, options, counts);
  }
  // The smoothed share is spread over all classes with their weights, as weft::cross_entropy does; the class weight of
  // the target is inside these rows already and joins the denominator only.
  const Tensor rows = cross_entropy(
      logits, target,
      {.weight = options.class_weights, .label_smoothing = options.label_smoothing, .reduction = Reduction::none});
  LossOptions rest = options;
  rest.class_weights = Tensor();
  Tensor weighted = mean_loss(rows, target, rest, counts);
  if (!weighted.defined() || !options.class_weights.defined()) return weighted;
  const Tensor mean_weight =
      mean_loss(index_select(to(options.class_weights, rows.dtype()), 0, target), target, rest, counts);
  return mean_weight.item() > 0 ? weighted / mean_weight : Tensor();
}

Tensor modality_losses(const Fused& fused, const Tensor& target, const LossOptions& options) {
  if (fused.logits.empty()) throw Error("modality_losses: this fusion gives no logits per modality");
  Tensor total;
  for (std::size_t m = 0; m < fused.logits.size(); ++m) {
    const Tensor loss = decision_loss(fused.logits[m], target, options, squeeze(who_has(fused.present, m), 1));
    if (loss.defined()) total = total.defined() ? total + loss : loss;
  }
  return total;
}

Tensor with_foretelling(const Tensor& loss, double weight, const Fused& fused, const Tensor& target,
                        const LossOptions& options) {
  Tensor total = loss;
  for (std::size_t m = 0; m < fused.logits.size() && total.defined(); ++m) {
    // What has to be foretold is a fact of this step, not something to be moved towards the confidence.
    const Tensor probability = softmax(detach(fused.logits[m]), 1);
    const Tensor truth = squeeze(gather(probability, 1, unsqueeze(target, 1)), 1);  // (B,)
    const Tensor error = square(select(fused.confidence, 1, static_cast<std::int64_t>(m)) - truth);
    const Tensor missed = mean_loss(error, target, options, squeeze(who_has(fused.present, m), 1));
    if (missed.defined()) total = total + missed * weight;
  }
  return total;
}

}  // namespace weft::fusion
