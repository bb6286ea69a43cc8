#pragma once
#include <cstdint>
#include <vector>

#include <weft/layers/basic.h>

/// Variational autoencoders: what was seen is explained by few hidden numbers, with a distribution over them instead
/// of a point. Kingma and Welling (2014).
namespace weft {

/// Independent normal distributions (B, D) over hidden numbers.
struct DiagonalNormal {
  Tensor mean, log_variance;

  /// A draw that gradients flow through: mean + exp(log_variance / 2) noise, noise standard normal.
  Tensor sample(Generator& generator = default_generator()) const;
  /// log N(z; mean, exp(log_variance)), summed over D: (B,).
  Tensor log_probability(const Tensor& z) const;
  /// The divergence from the standard normal in closed form, per hidden number:
  /// (exp(log_variance) + mean^2 - 1 - log_variance) / 2, (B, D). 0 or more.
  Tensor divergence() const;
  /// The divergence KL(this || other) in closed form, summed over D: (B,).
  Tensor divergence(const DiagonalNormal& other) const;
};

/// What the decoder's numbers say about x.
enum class Likelihood : std::uint8_t {
  gaussian,    ///< they are means; all share one variance, which is learned (Rybkin et al. 2021)
  bernoulli,   ///< they are logits of x = 1; x in [0, 1] counts as a share of ones
  categorical  ///< they are logits (B, ..., classes) for the integers x (B, ...)
};

struct VaeOptions {
  std::int64_t encoder_features;  ///< width of the encoder's result (B, encoder_features)
  std::int64_t latent;            ///< hidden numbers D
  Likelihood likelihood = Likelihood::gaussian;
  std::int64_t conditions = 0;  ///< width of what is known beforehand (B, conditions); 0: none
  DType dtype = DType::float32;
};

/// An encoder x -> (B, encoder_features) and a decoder (B, latent + conditions) -> the likelihood's numbers, joined by
/// a distribution over `latent` hidden numbers. With conditions c (a class as one_hot, say) it is the conditional form
/// of Sohn, Lee and Yan (2015): c joins the encoder's result and the hidden numbers. Throws ConfigError for sizes below
/// 1 and ShapeError for conditions of another width, or none where they are needed.
///
///   Vae vae(Sequential(Linear(784, 400), ReLU()), Sequential(Linear(20, 400), ReLU(), Linear(400, 784)),
///           {.encoder_features = 400, .latent = 20, .likelihood = Likelihood::bernoulli});
///   vae.bound(x).loss(beta_warmup(step, 1000)).backward();
struct Vae {
  Sequential encoder;
  Linear mean, log_variance;
  Sequential decoder;
  Tensor log_noise;  ///< log variance of x around its mean, rank 0; undefined unless gaussian
  Likelihood likelihood;
  std::int64_t conditions;

  Vae(Sequential from_x, Sequential to_x, const VaeOptions& options);
  DiagonalNormal encode(const Tensor& x, const Tensor& c = {}) const;
  /// The decoder's numbers for hidden ones (B, latent).
  Tensor decode(const Tensor& z, const Tensor& c = {}) const;
  /// What x is to be expected: means, probabilities, or probabilities of each class.
  Tensor expected(const Tensor& z, const Tensor& c = {}) const;
  /// log p(x | decoded), summed over all of a row: (B,). Throws ShapeError when they do not fit.
  Tensor log_likelihood(const Tensor& x, const Tensor& decoded) const;

  /// Both sides of the lower bound on log p(x), log p(x|z) - KL(q(z|x) || p(z)), for one draw of z per row.
  struct Bound {
    Tensor log_likelihood;  ///< (B,)
    Tensor divergence;      ///< (B, latent)
    /// The bound itself in nats: (B,).
    Tensor value() const;
    /// What is minimised: the mean of beta * divergence - log_likelihood. beta above 1 asks for hidden numbers that
    /// say less but apart (Higgins et al. 2017). Below `free_nats` the divergence of a hidden number (its mean over the
    /// batch) costs nothing more to keep (Kingma et al. 2016). With `weights` (B,) both are weighted_mean()s over the
    /// rows, and it throws as that does.
    Tensor loss(double beta = 1, double free_nats = 0, const Tensor& weights = {}) const;
  };
  Bound bound(const Tensor& x, const Tensor& c = {}, Generator& generator = default_generator()) const;
  /// The tighter bound log mean_k p(x, z_k) / q(z_k | x) of k draws, (B,): its mean rises with k towards log p(x).
  /// Throws ConfigError for draws < 1. Burda, Grosse and Salakhutdinov (2016).
  Tensor importance_bound(const Tensor& x, std::int64_t draws, const Tensor& c = {},
                          Generator& generator = default_generator()) const;
  /// Expected x of n hidden draws from the standard normal (with conditions: of one for each of their n rows).
  Tensor generate(std::int64_t n, const Tensor& c = {}, Generator& generator = default_generator()) const;

  void fields(auto&& f) {
    f("encoder", encoder, "mean", mean, "log_variance", log_variance, "decoder", decoder, "log_noise", log_noise,
      "likelihood", likelihood, "conditions", conditions);
  }
};

/// beta that rises in a straight line from 0 to `highest` over the first `steps` steps, so that the decoder learns to
/// use z before it costs. Throws ConfigError for steps < 1 or a negative step. Bowman et al. (2016).
double beta_warmup(std::int64_t step, std::int64_t steps, double highest = 1);

}  // namespace weft
