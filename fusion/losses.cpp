#include <weft/autograd/ops.h>
#include <weft/fusion/fusion.h>
#include <weft/fusion/presence.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

namespace {

void check_weights(const char* which, const Tensor& weights) {
  if (any(lt(weights, 0)).item() != 0) throw ConfigError(text("mean_loss: there is a negative ", which, " weight"));
}

}  // namespace

Tensor loss_weights(const Tensor& target, const LossOptions& options, const Tensor& counts, DType dtype) {
  Tensor weights;
  const auto times = [&](const Tensor& more) { weights = weights.defined() ? weights * more : more; };
  if (counts.defined()) times(to(counts, dtype));
  if (options.class_weights.defined()) times(index_select(to(options.class_weights, dtype), 0, target));
  if (options.row_weights.defined()) {
    if (!(options.row_weights.shape() == target.shape()))
      throw ShapeError(
          text("mean_loss: the row weights are ", options.row_weights.shape(), ", the losses ", target.shape()));
    check_weights("row", options.row_weights);
    times(to(options.row_weights, dtype));
  }
  return weights;
}

Tensor mean_loss(const Tensor& losses, const Tensor& target, const LossOptions& options, const Tensor& counts) {
  const Tensor weights = loss_weights(target, options, counts, losses.dtype());
  if (!weights.defined()) return mean(losses);
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

Tensor modality_weight(const LossOptions& options, std::size_t m, std::size_t count) {
  const Tensor& all = options.modality_weights;
  if (!all.defined()) return all;
  if (!(all.shape() == Shape{static_cast<std::int64_t>(count)}))
    throw ShapeError(text("mean_loss: the modality weights are ", all.shape(), ", there are ", count, " modalities"));
  check_weights("modality", all);
  return select(all, 0, static_cast<std::int64_t>(m));
}

Tensor modality_losses(const Fused& fused, const Tensor& target, const LossOptions& options) {
  if (fused.logits.empty()) throw Error("modality_losses: this fusion gives no logits per modality");
  Tensor total;
  for (std::size_t m = 0; m < fused.logits.size(); ++m) {
    Tensor loss = decision_loss(fused.logits[m], target, options, squeeze(who_has(fused.present, m), 1));
    if (!loss.defined()) continue;
    if (const Tensor w = modality_weight(options, m, fused.logits.size()); w.defined())
      loss = loss * to(w, loss.dtype());
    total = total.defined() ? total + loss : loss;
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
    Tensor missed = mean_loss(error, target, options, squeeze(who_has(fused.present, m), 1));
    if (!missed.defined()) continue;
    if (const Tensor w = modality_weight(options, m, fused.logits.size()); w.defined())
      missed = missed * to(w, missed.dtype());
    total = total + missed * weight;
  }
  return total;
}

}  // namespace weft::fusion
