#include <weft/fusion/trusted.h>

#include <cmath>
#include <limits>
#include <numeric>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

constexpr double endless = std::numeric_limits<double>::infinity();

/// The mean of x (B, K) over its columns and the rows where who (B, 1) is true; 0 where there is none.
Tensor mean_of_rows(const Tensor& x, const Tensor& who) {
  const Tensor entries = sum(to(who, x.dtype())) * static_cast<double>(x.size(1));
  return sum(rows_or(x, who)) / clamp(entries, 1, endless);
}

Experts::Network network(std::int64_t in, std::int64_t out, const Options& o) {
  at_least("experts", "hidden", o.hidden, 1);
  return {Linear({.in_features = in, .out_features = o.hidden, .dtype = o.dtype}), Dropout(o.dropout),
          Linear({.in_features = o.hidden, .out_features = out, .dtype = o.dtype})};
}

}  // namespace

Dynamics::Dynamics(const Options& o)
    : expected("dynamics", o),
      projections(fusion::projections(o)),
      dropout(o.dropout),
      mix({.in_features = static_cast<std::int64_t>(o.names.size()) * o.width,
           .out_features = o.width,
           .dtype = o.dtype}),
      auxiliary_weight(o.auxiliary_weight),
      confidence_weight(o.confidence_weight),
      sparsity_weight(o.sparsity_weight) {
  at_least("dynamics", "classes", o.classes, 2);
  for (const std::int64_t width : o.widths) {
    gates.push_back(Linear({.in_features = width, .out_features = width, .dtype = o.dtype}));
    confidences.push_back(Linear({.in_features = o.width, .out_features = 1, .dtype = o.dtype}));
    heads.push_back(Linear({.in_features = o.width, .out_features = o.classes, .dtype = o.dtype}));
  }
}

Fused Dynamics::operator()(const data::Modalities& encoded) const {
  expected.check("dynamics", encoded);
  Fused fused = begin(encoded.present);
  std::vector<Tensor> hidden, scores;
  Tensor open;
  for (std::size_t m = 0; m < gates.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    const Tensor x = rows_or(encoded.features[m], who);
    const Tensor gate = sigmoid(gates[m](x));  // (B, width_m)
    const Tensor penalty = mean_of_rows(gate, who);
    open = open.defined() ? open + penalty : penalty;
    hidden.push_back(dropout(relu(projections[m](gate * x))));  // (B, D)
    scores.push_back(confidences[m](hidden[m]));                // (B, 1)
    fused.logits.push_back(rows_or(heads[m](hidden[m]), who));  // (B, C)
  }
  fused.auxiliary = open * sparsity_weight;
  fused.confidence = rows_or(sigmoid(cat(scores, 1)), encoded.present);  // (B, M)
  fused.weights = shares(fused.confidence, encoded.present);
  for (std::size_t m = 0; m < hidden.size(); ++m) hidden[m] = hidden[m] * who_has(fused.confidence, m);
  fused.features = rows_or(mix(cat(hidden, 1)), logical_not(unsqueeze(fused.empty, 1)));  // (B, D)
  return fused;
}

Tensor Dynamics::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  const Tensor loss =
      with_foretelling(modality_losses(fused, target, options), confidence_weight, fused, target, options);
  return loss.defined() ? loss * auxiliary_weight : loss;
}

Energy::Energy(const Options& o)
    : expected("energy", o),
      heads(decision_heads("energy", o)),
      temperature(checked_temperature("energy", o)),
      auxiliary_weight(o.auxiliary_weight),
      ranking_weight(o.ranking_weight) {}

Fused Energy::operator()(const data::Modalities& encoded) const {
  expected.check("energy", encoded);
  Fused fused = begin(encoded.present);
  fused.logits = decide_alone(heads, encoded);
  const Tensor known = logsumexp(stack(fused.logits, 1), 2);  // (B, M): -E
  fused.weights = weigh(known, encoded.present, temperature);
  fused.decision = log_softmax(weighted_sum(fused.logits, fused.weights), 1);  // (B, C)
  return fused;
}

Tensor Energy::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  Tensor loss = modality_losses(fused, target, options);
  for (std::size_t m = 0; m < fused.logits.size() && loss.defined(); ++m) {
    const Tensor rows = nonzero(squeeze(who_has(fused.present, m), 1));  // (K,)
    if (rows.numel() < 2) continue;
    const Tensor logits = index_select(fused.logits[m], 0, rows);  // (K, C)
    const Tensor truth = unsqueeze(index_select(target, 0, rows), 1);
    const Tensor right = squeeze(gather(softmax(detach(logits), 1), 1, truth), 1);  // (K,)
    const Tensor known = logsumexp(logits, 1);
    const Tensor apart = right - roll(right, 1, 0);
    const Tensor hinge = relu(abs(apart) - sign(apart) * (known - roll(known, 1, 0)));
    // A pair counts as much as both of its rows do: who weighs nothing is compared with nobody.
    const Tensor each = loss_weights(target, options, Tensor(), hinge.dtype());
    const Tensor one = each.defined() ? index_select(each, 0, rows) : ones(hinge.shape(), hinge.dtype());
    const Tensor both = one * roll(one, 1, 0);
    Tensor ranking = sum(hinge * both) / clamp(sum(both), 1e-30, endless);
    if (const Tensor w = modality_weight(options, m, fused.logits.size()); w.defined())
      ranking = ranking * to(w, ranking.dtype());
    loss = loss + ranking * ranking_weight;
  }
  return loss.defined() ? loss * auxiliary_weight : loss;
}

Tensor Experts::Network::operator()(const Tensor& x) const { return out(dropout(relu(hidden(x)))); }

Experts::Experts(const Options& o)
    : expected("experts", o),
      absent(absent_vectors(o)),
      gate(network(std::accumulate(o.widths.begin(), o.widths.end(), std::int64_t{0}),
                   static_cast<std::int64_t>(o.names.size()), o)),
      temperature(checked_temperature("experts", o)),
      balance_weight(o.balance_weight) {
  at_least("experts", "classes", o.classes, 2);
  for (const std::int64_t width : o.widths) experts.push_back(network(width, o.classes, o));
}

Fused Experts::operator()(const data::Modalities& encoded) const {
  expected.check("experts", encoded);
  Fused fused = begin(encoded.present);
  const DType dtype = gate.out.weight.dtype();
  const Tensor scores = gate(joint(encoded, absent)) / temperature;  // (B, M)
  fused.weights = weigh(scores, encoded.present, 1);
  // Not -inf, which would make NaN of a row without any modality; e to this is 0 as well.
  const Tensor impossible = scalar(-1e30, dtype);
  const Tensor log_weights = log_softmax(rows_or(scores, encoded.present, impossible), 1);
  std::vector<Tensor> said;
  for (std::size_t m = 0; m < experts.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    fused.logits.push_back(rows_or(experts[m](rows_or(encoded.features[m], who)), who));  // (B, C)
    said.push_back(rows_or(log_softmax(fused.logits[m], 1) + who_has(log_weights, m), who, impossible));
  }
  const Tensor mixed = logsumexp(stack(said, 1), 1);  // (B, M, C) -> (B, C)
  const double classes = static_cast<double>(mixed.size(1));
  fused.decision = where(unsqueeze(fused.empty, 1), scalar(-std::log(classes), dtype), mixed);

  const Tensor fair = sum(even_weights(encoded.present, dtype), 0);  // (M,)
  const Tensor used = to(gt(fair, 0), dtype);
  const Tensor load = sum(fused.weights, 0) / where(gt(fair, 0), fair, ones({}, dtype));
  const Tensor count = clamp(sum(used), 1, endless);
  const Tensor usual = sum(load * used) / count;  // 1 when everybody has everything
  fused.auxiliary = sum(square((load - usual) * used)) / count / clamp(square(usual), 1e-12, endless) * balance_weight;
  return fused;
}

}  // namespace weft::fusion
