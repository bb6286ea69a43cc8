#include <weft/fusion/confidence_gates.h>

#include <numeric>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

/// A modality of no quality at all still weighs something where it is alone.
constexpr double least_quality = 1e-6;

Tensor ConfidenceGates::Gate::operator()(const Tensor& x) const { return score(dropout(relu(hidden(x)))); }  // (B, 1)

ConfidenceGates::ConfidenceGates(const Options& o)
    : expected("gate", o),
      projections(fusion::projections(o)),
      absent(o.context ? absent_vectors(o) : std::vector<Tensor>()),
      theta(zeros({static_cast<std::int64_t>(o.names.size())}, o.dtype).set_requires_grad()),
      temperature(checked_temperature("gate", o)),
      auxiliary_weight(o.auxiliary_weight),
      confidence_weight(o.confidence_weight),
      quality_weight(o.quality_weight) {
  if (!(quality_weight >= 0))
    throw ConfigError(text("gate: quality_weight is ", quality_weight, "\n  help: choose 0 or more"));
  at_least("gate", "classes", o.classes, 2);
  at_least("gate", "hidden", o.hidden, 1);
  const std::int64_t all = std::accumulate(o.widths.begin(), o.widths.end(), std::int64_t{0});
  for (const std::int64_t width : o.widths) {
    gates.push_back({Linear({.in_features = o.context ? all : width, .out_features = o.hidden, .dtype = o.dtype}),
                     Dropout(o.dropout), Linear({.in_features = o.hidden, .out_features = 1, .dtype = o.dtype})});
    heads.push_back(Linear({.in_features = o.width, .out_features = o.classes, .dtype = o.dtype}));
  }
}

Fused ConfidenceGates::operator()(const data::Modalities& encoded) const {
  expected.check("gate", encoded);
  Fused fused = begin(encoded.present);
  const std::vector<Tensor> projected = project(projections, encoded);
  const Tensor everything = absent.empty() ? Tensor() : joint(encoded, absent);  // (B, width_1 + ... + width_M)
  std::vector<Tensor> scores;
  for (std::size_t m = 0; m < gates.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    scores.push_back(gates[m](everything.defined() ? everything : rows_or(encoded.features[m], who)));  // (B, 1)
    fused.logits.push_back(rows_or(heads[m](projected[m]), who));                                       // (B, C)
  }
  Tensor score = cat(scores, 1);  // (B, M)
  fused.confidence = rows_or(sigmoid(score), encoded.present);
  if (quality_weight > 0 && encoded.quality.defined()) {
    const Tensor quality = checked_quality("gate", encoded, score.dtype());
    score = score + log(clamp(quality, least_quality, 1)) * quality_weight;
  }
  // exp(score) are the odds c / (1 - c) of the confidence c.
  fused.weights = weigh(theta + score, encoded.present, temperature);
  fused.features = weighted_sum(projected, fused.weights);  // (B, D)
  return fused;
}

Tensor ConfidenceGates::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  const Tensor loss =
      with_foretelling(modality_losses(fused, target, options), confidence_weight, fused, target, options);
  return loss.defined() ? loss * auxiliary_weight : loss;
}

}  // namespace weft::fusion
