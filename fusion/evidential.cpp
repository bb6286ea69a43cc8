#include <weft/fusion/evidential.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

Opinion combined(const std::vector<Tensor>& evidence) {
  Opinion all = Opinion::of(evidence.front());
  for (std::size_t m = 1; m < evidence.size(); ++m) all = combine(all, Opinion::of(evidence[m]));
  return all;
}

/// KL(Dir(alpha) || Dir(1)): (B, C) -> (B,).
Tensor divergence_from_even(const Tensor& alpha) {
  const Tensor total = sum(alpha, 1, true);  // (B, 1)
  const double classes = static_cast<double>(alpha.size(1));
  return squeeze(lgamma(total), 1) - sum(lgamma(alpha), 1) - std::lgamma(classes) +
         sum((alpha - 1.0) * (digamma(alpha) - digamma(total)), 1);
}

/// (B,)
Tensor dirichlet_losses(const Tensor& alpha, const Tensor& target, const LossOptions& options, double lambda) {
  const auto classes = alpha.size(1);
  const Tensor truth = to(one_hot(target, classes), alpha.dtype());  // (B, C)
  const Tensor y = truth * (1 - options.label_smoothing) + options.label_smoothing / static_cast<double>(classes);
  Tensor missed = sum(y * (digamma(sum(alpha, 1, true)) - digamma(alpha)), 1);
  if (lambda == 0) return missed;
  return missed + divergence_from_even(truth + (1.0 - truth) * alpha) * lambda;
}

}  // namespace

Opinion Opinion::of(const Tensor& evidence) {
  const double classes = static_cast<double>(evidence.size(1));
  const Tensor strength = sum(evidence, 1, true) + classes;  // (B, 1)
  return {evidence / strength, classes / strength};
}

Tensor Opinion::alpha() const {
  return belief * (static_cast<double>(belief.size(1)) / uncertainty) + 1.0;  // (B, C)
}

Opinion combine(const Opinion& a, const Opinion& b) {
  const Tensor agreed = a.belief * b.belief + a.belief * b.uncertainty + b.belief * a.uncertainty;
  const Tensor open = a.uncertainty * b.uncertainty;
  // What is left is 1 - conflict; as a sum it loses no digits where nearly everything contradicts.
  const Tensor left = sum(agreed, 1, true) + open;
  return {agreed / left, open / left};
}

Evidential::Evidential(const Options& o)
    : expected("evidential", o),
      heads(decision_heads("evidential", o)),
      auxiliary_weight(o.auxiliary_weight),
      annealing(o.annealing) {
  if (!(annealing >= 0))
    throw ConfigError(
        text("evidential: annealing is ", annealing, "\n  help: choose a share of the training, from 0 up"));
}

Fused Evidential::operator()(const data::Modalities& encoded) const {
  expected.check("evidential", encoded);
  Fused fused = begin(encoded.present);
  std::vector<Tensor> evidence, sure;
  const std::vector<Tensor> said = decide_alone(heads, encoded);
  for (std::size_t m = 0; m < heads.size(); ++m) {
    evidence.push_back(rows_or(softplus(said[m]), who_has(encoded.present, m)));  // (B, C)
    fused.logits.push_back(log1p(evidence[m]));
    sure.push_back(sum(Opinion::of(evidence[m]).belief, 1, true));  // (B, 1)
  }
  const Opinion all = combined(evidence);
  const Tensor alpha = all.alpha();
  fused.decision = log(alpha / sum(alpha, 1, true));  // (B, C)
  fused.uncertainty = squeeze(all.uncertainty, 1);
  fused.confidence = cat(sure, 1);  // (B, M)
  fused.weights = shares(fused.confidence, encoded.present);
  return fused;
}

Tensor Evidential::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  const double lambda = annealing > 0 ? std::min(1.0, options.progress / annealing) : 1.0;
  Tensor loss;
  const auto add = [&](const Tensor& alpha, const Tensor& counts, const Tensor& weight) {
    Tensor one = mean_loss(dirichlet_losses(alpha, target, options, lambda), target, options, counts);
    if (!one.defined()) return;
    if (weight.defined()) one = one * to(weight, one.dtype());
    loss = loss.defined() ? loss + one : one;
  };
  std::vector<Tensor> evidence;
  for (std::size_t m = 0; m < fused.logits.size(); ++m) {
    evidence.push_back(expm1(fused.logits[m]));
    add(evidence[m] + 1.0, squeeze(who_has(fused.present, m), 1), modality_weight(options, m, fused.logits.size()));
  }
  add(combined(evidence).alpha(), logical_not(fused.empty), Tensor());
  return loss.defined() ? loss * auxiliary_weight : loss;
}

}  // namespace weft::fusion
