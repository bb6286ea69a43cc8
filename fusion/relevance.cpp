#include <weft/fusion/relevance.h>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// Not NaN either.
bool in_unit(double x) { return x >= 0 && x <= 1; }

Tensor checked_relevance(const Options& o) {
  const std::size_t count = o.names.size();
  if (o.relevance.empty()) return ones({static_cast<std::int64_t>(count)}, o.dtype);
  if (o.relevance.size() != count)
    throw ConfigError(text("relevance: ", o.relevance.size(), " numbers of relevance for ", count, " modalities"));
  for (std::size_t m = 0; m < count; ++m)
    if (!in_unit(o.relevance[m]))
      throw ConfigError(
          text("relevance: that of \"", o.names[m], "\" is ", o.relevance[m], "\n  help: choose a number from 0 to 1"));
  return to(from(o.relevance), o.dtype);
}

}  // namespace

Relevance::Relevance(const Options& o)
    : expected("relevance", o),
      projections(fusion::projections(o)),
      relevance(checked_relevance(o)),
      confidence_share(o.confidence_share),
      auxiliary_weight(o.auxiliary_weight),
      confidence_weight(o.confidence_weight) {
  at_least("relevance", "classes", o.classes, 2);
  at_least("relevance", "hidden", o.hidden, 1);
  if (!in_unit(confidence_share))
    throw ConfigError(
        text("relevance: confidence_share is ", confidence_share, "\n  help: choose a number from 0 to 1"));
  for (const std::int64_t width : o.widths) {
    gates.push_back({Linear({.in_features = width, .out_features = o.hidden, .dtype = o.dtype}), Dropout(o.dropout),
                     Linear({.in_features = o.hidden, .out_features = 1, .dtype = o.dtype})});
    heads.push_back(Linear({.in_features = o.width, .out_features = o.classes, .dtype = o.dtype}));
  }
}

Fused Relevance::operator()(const data::Modalities& encoded) const {
  expected.check("relevance", encoded);
  Fused fused = begin(encoded.present);
  const std::vector<Tensor> projected = project(projections, encoded);
  if (encoded.quality.defined()) {
    fused.confidence = checked_quality("relevance", encoded, projected.front().dtype());
  } else {
    std::vector<Tensor> scores;
    for (std::size_t m = 0; m < gates.size(); ++m) {
      const Tensor who = who_has(encoded.present, m);
      scores.push_back(gates[m](rows_or(encoded.features[m], who)));  // (B, 1)
      fused.logits.push_back(rows_or(heads[m](projected[m]), who));   // (B, C)
    }
    fused.confidence = rows_or(sigmoid(cat(scores, 1)), encoded.present);  // (B, M)
  }
  fused.weights =
      shares(fused.confidence * confidence_share + relevance * (1 - confidence_share), encoded.present);  // (B, M)
  fused.features = weighted_sum(projected, fused.weights);                                                // (B, D)
  return fused;
}

Tensor Relevance::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  if (fused.logits.empty()) return Tensor();
  const Tensor loss =
      with_foretelling(modality_losses(fused, target, options), confidence_weight, fused, target, options);
  return loss.defined() ? loss * auxiliary_weight : loss;
}

}  // namespace weft::fusion
