#include <weft/fusion/decisions.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// Parameters whose softplus is 1.
Tensor at_one(const Options& o) {
  return full({static_cast<std::int64_t>(o.names.size())}, std::log(std::expm1(1.0)), o.dtype).set_requires_grad();
}

}  // namespace

Vote::Vote(const Options& o)
    : expected("vote", o), heads(decision_heads("vote", o)), theta(at_one(o)), auxiliary_weight(o.auxiliary_weight) {
  if (!(auxiliary_weight > 0))
    throw ConfigError(text("vote: auxiliary_weight is ", auxiliary_weight,
                           ", and votes pass no gradient\n  help: choose a number above 0"));
}

Fused Vote::operator()(const data::Modalities& encoded) const {
  expected.check("vote", encoded);
  Fused fused = begin(encoded.present);
  fused.logits = decide_alone(heads, encoded);
  const Tensor worth = rows_or(expand(softplus(theta), encoded.present.shape()), encoded.present);  // (B, M)
  std::vector<Tensor> votes;
  for (const Tensor& said : fused.logits) votes.push_back(to(one_hot(argmax(said, 1), said.size(1)), said.dtype()));
  fused.decision = log_softmax(weighted_sum(votes, worth), 1);  // (B, C)
  fused.weights = shares(worth, encoded.present);
  return fused;
}

Tensor Vote::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  const Tensor loss = modality_losses(fused, target, options);
  return loss.defined() ? loss * auxiliary_weight : loss;
}

Product::Product(const Options& o)
    : expected("product", o),
      heads(decision_heads("product", o)),
      theta(at_one(o)),
      prior(zeros({o.classes}, o.dtype).set_requires_grad()),
      auxiliary_weight(o.auxiliary_weight) {}

Fused Product::operator()(const data::Modalities& encoded) const {
  expected.check("product", encoded);
  Fused fused = begin(encoded.present);
  fused.logits = decide_alone(heads, encoded);
  const Tensor exponent = rows_or(expand(softplus(theta), encoded.present.shape()), encoded.present);  // (B, M)
  const Tensor pi = log_softmax(prior, 0);                                                             // (C,)
  std::vector<Tensor> news;
  for (const Tensor& said : fused.logits) news.push_back(log_softmax(said, 1) - pi);
  fused.decision = log_softmax(pi + weighted_sum(news, exponent), 1);  // (B, C)
  fused.weights = shares(exponent, encoded.present);
  return fused;
}

Tensor Product::auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const {
  Tensor of_prior = decision_loss(expand(prior, fused.decision.shape()), target, options);
  const Tensor own = modality_losses(fused, target, options);
  if (!of_prior.defined() || !own.defined()) return of_prior;
  return of_prior + own * auxiliary_weight;
}

}  // namespace weft::fusion
