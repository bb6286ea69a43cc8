#include <weft/layers/vae.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/autograd/ops/checks.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

constexpr double log_two_pi = 1.8378770664093454836;

/// The sum over all axes but the first: (B, ...) -> (B,).
Tensor per_row(const Tensor& x) { return x.dim() == 1 ? x : sum(flatten(x, 1), {1}); }

/// log N(x; mean, exp(log_variance)) of each number.
Tensor log_normal(const Tensor& x, const Tensor& mean, const Tensor& log_variance) {
  return (square(x - mean) * exp(-log_variance) + log_variance + log_two_pi) * -0.5;
}

Tensor joined(const char* where, const Tensor& x, const Tensor& c, std::int64_t conditions) {
  if (conditions == 0) {
    if (c.defined())
      throw ShapeError(
          text(where, ": conditions ", c.shape(), " for a model without\n  help: set conditions to their width"));
    return x;
  }
  if (!c.defined() || c.dim() != 2 || c.size(1) != conditions || c.size(0) != x.size(0))
    throw ShapeError(text(where, ": conditions ", c.defined() ? text(c.shape()) : std::string("(none)"), ", must be [",
                          x.size(0), ", ", conditions, "]"));
  return cat({x, to(c, x.dtype())}, 1);
}

std::int64_t at_least_one(const char* name, std::int64_t n) {
  if (n < 1) throw ConfigError(text("Vae: ", name, " ", n, ", must be 1 or more"));
  return n;
}

}  // namespace

Tensor DiagonalNormal::sample(Generator& generator) const {
  return mean + exp(log_variance * 0.5) * randn(mean.shape(), 0, 1, mean.dtype(), generator);
}
Tensor DiagonalNormal::log_probability(const Tensor& z) const { return per_row(log_normal(z, mean, log_variance)); }
Tensor DiagonalNormal::divergence() const { return (exp(log_variance) + square(mean) - 1.0 - log_variance) * 0.5; }
Tensor DiagonalNormal::divergence(const DiagonalNormal& other) const {
  const Tensor apart = (exp(log_variance) + square(mean - other.mean)) * exp(-other.log_variance);
  return per_row((apart - 1.0 - log_variance + other.log_variance) * 0.5);
}

Vae::Vae(Sequential from_x, Sequential to_x, const VaeOptions& o)
    : encoder(std::move(from_x)),
      mean({.in_features = at_least_one("encoder_features", o.encoder_features) + o.conditions,
            .out_features = at_least_one("latent", o.latent),
            .dtype = o.dtype}),
      log_variance({.in_features = o.encoder_features + o.conditions, .out_features = o.latent, .dtype = o.dtype}),
      decoder(std::move(to_x)),
      likelihood(o.likelihood),
      conditions(o.conditions) {
  if (conditions < 0) throw ConfigError(text("Vae: conditions ", conditions, ", must be 0 or more"));
  if (likelihood == Likelihood::gaussian) {
    log_noise = zeros({}, o.dtype);
    log_noise.set_requires_grad();
  }
}

DiagonalNormal Vae::encode(const Tensor& x, const Tensor& c) const {
  const Tensor h = joined("Vae::encode", encoder(x), c, conditions);
  return {mean(h), log_variance(h)};
}

Tensor Vae::decode(const Tensor& z, const Tensor& c) const { return decoder(joined("Vae::decode", z, c, conditions)); }

Tensor Vae::expected(const Tensor& z, const Tensor& c) const {
  const Tensor decoded = decode(z, c);
  switch (likelihood) {
    case Likelihood::bernoulli: return sigmoid(decoded);
    case Likelihood::categorical: return softmax(decoded, -1);
    case Likelihood::gaussian: break;
  }
  return decoded;
}

Tensor Vae::log_likelihood(const Tensor& x, const Tensor& decoded) const {
  const bool classes = likelihood == Likelihood::categorical;
  Shape shape = decoded.shape();
  if (classes && !shape.empty()) shape.erase(shape.size() - 1);
  if (x.shape() != shape)
    throw ShapeError(text("Vae::log_likelihood: x is ", x.shape(), ", the decoder's numbers are ", decoded.shape(),
                          "\n  help: end the decoder with a layer of x's shape",
                          classes ? " and one axis of classes" : ""));
  switch (likelihood) {
    case Likelihood::bernoulli: return -per_row(binary_cross_entropy_with_logits(decoded, x, Reduction::none));
    case Likelihood::categorical: {
      detail::check_classes("Vae::log_likelihood", to(x, DType::int64), decoded.size(-1));
      const Tensor chosen = gather(log_softmax(decoded, -1), -1, unsqueeze(x, -1));
      return per_row(squeeze(chosen, -1));
    }
    case Likelihood::gaussian: break;
  }
  return per_row(log_normal(x, decoded, log_noise));
}

Tensor Vae::Bound::value() const { return log_likelihood - sum(divergence, {1}); }

Tensor Vae::Bound::loss(double beta, double free_nats, const Tensor& weights) const {
  // weighted_mean() checks the weights; of the divergence each hidden number has a mean of its own.
  const Tensor likely = weights.defined() ? weighted_mean(log_likelihood, weights) : weft::mean(log_likelihood);
  const Tensor share = weights.defined()
                           ? unsqueeze(to(weights, divergence.dtype()) / sum(to(weights, divergence.dtype())), 1)
                           : Tensor();
  const Tensor each = share.defined() ? sum(divergence * share, {0}) : weft::mean(divergence, {0});  // (latent)
  const Tensor cost = free_nats > 0 ? maximum(each, full(each.shape(), free_nats, each.dtype())) : each;
  return sum(cost) * beta - likely;
}

Vae::Bound Vae::bound(const Tensor& x, const Tensor& c, Generator& generator) const {
  const DiagonalNormal q = encode(x, c);
  return {log_likelihood(x, decode(q.sample(generator), c)), q.divergence()};
}

Tensor Vae::importance_bound(const Tensor& x, std::int64_t draws, const Tensor& c, Generator& generator) const {
  if (draws < 1) throw ConfigError(text("Vae::importance_bound: ", draws, " draws, must be 1 or more"));
  const DiagonalNormal q = encode(x, c);
  std::vector<Tensor> weights;
  for (std::int64_t k = 0; k < draws; ++k) {
    const Tensor z = q.sample(generator);
    const Tensor prior = per_row((square(z) + log_two_pi) * -0.5);
    weights.push_back(log_likelihood(x, decode(z, c)) + prior - q.log_probability(z));
  }
  return logsumexp(stack(weights, 0), {0}) - std::log(static_cast<double>(draws));
}

Tensor Vae::generate(std::int64_t n, const Tensor& c, Generator& generator) const {
  if (n < 1) throw ConfigError(text("Vae::generate: ", n, " rows, must be 1 or more"));
  return expected(randn({n, mean.weight.size(0)}, 0, 1, mean.weight.dtype(), generator), c);
}

double beta_warmup(std::int64_t step, std::int64_t steps, double highest) {
  if (steps < 1) throw ConfigError(text("beta_warmup: ", steps, " steps, must be 1 or more"));
  if (step < 0) throw ConfigError(text("beta_warmup: step ", step, ", must be 0 or more"));
  return highest * std::min(1.0, static_cast<double>(step) / static_cast<double>(steps));
}

}  // namespace weft
