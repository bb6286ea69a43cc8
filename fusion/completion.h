#pragma once
#include <cstdint>
#include <vector>

#include <weft/fusion/encoder.h>
#include <weft/fusion/presence.h>
#include <weft/layers/vae.h>

/// Completing what is missing: a variational autoencoder over several modalities that puts whatever is present into one
/// distribution over few hidden numbers, and says from these what the missing modalities may look like, and how sure
/// that is.
namespace weft::fusion {

/// The normal distribution in proportion to the product of those of the experts that count, and of the standard normal
/// where `prior`: precisions add up, exp(-s) = [prior] + sum_m exp(-s_m), mean = exp(s) sum_m exp(-s_m) mean_m.
/// Shapes: M of (B, D), counts (B, M) bool -> (B, D). A row where nobody counts has the standard normal. What an expert
/// says where it does not count, NaN included, reaches neither result nor gradient. Throws ShapeError when there are
/// not as many experts as columns, or none. Hinton (2002); Wu and Goodman (2018).
DiagonalNormal product_of_experts(const std::vector<DiagonalNormal>& experts, const Tensor& counts, bool prior = true);

/// How the modalities' own distributions over the hidden numbers become one. Each is a rule by which a training step
/// draws, for each row, the set of modalities that its hidden numbers come from; the set's distribution is
/// product_of_experts().
enum class Joint : std::uint8_t {
  product,  ///< all that are present (Wu and Goodman 2018): sharp, but says little from a few unless trained with gaps
  mixture,  ///< one of them, drawn evenly and without the prior (Shi et al. 2019): each learns to stand for all
  mixture_of_products  ///< any set of them but the empty one, drawn evenly (Sutter et al. 2021): in between
};

struct CompletionOptions {
  std::int64_t latent = 16;  ///< hidden numbers D
  std::vector<std::int64_t> hidden{
      64};             ///< layers of each encoder, turned round in the decoder; empty: both are linear
  double dropout = 0;  ///< after each hidden layer
  Joint joint = Joint::mixture_of_products;
  std::int64_t conditions = 0;  ///< width of what is known beforehand (a class as one_hot, a site); 0: none
  DType dtype = DType::float32;
};

/// What is known about a batch besides its modalities.
struct CompletionContext {
  Tensor conditions{};  ///< (B, conditions)
  /// M of (B, width_m) bool: which numbers of a modality were measured; empty: all of a modality that is present.
  /// Others count as 0, the training mean if standardised, for the encoder and not at all for the likelihood (Nazabal
  /// et al. 2020).
  std::vector<Tensor> observed{};
  /// M factors, 0 or more, for the modalities' log-likelihoods, so that one of many numbers does not drown the others
  /// (Wu and Goodman 2018); empty: 1. With them the bound is one on the weighted sum.
  std::vector<double> modality_weights{};
};

struct Completed {
  /// Features with the missing numbers filled in. `present` is the truth, as it was. `quality` is 1, or what it was,
  /// where a modality is present; elsewhere the share of the features' variance that the completion explains, from 0
  /// to 1: 1 - mean over the features of variance / their variance in training; 0 where none varied there.
  data::Modalities filled;
  /// M of (B, width_m): variance of each number that was filled in, over draws of the hidden numbers plus the decoder's
  /// own; 0 where a number was measured.
  std::vector<Tensor> variance;

  /// For methods that are to listen to completed modalities as well: the same, with those of a quality above
  /// `least_quality` called present. Who knows what is measured and what is not are the methods that look at quality
  /// ("gate" with quality_weight, "relevance"). A row with nothing stays without anything.
  data::Modalities admitted(double least_quality = 0) const;
};

/// A VAE over modalities (B, width_m) of standardised numbers:
///
///   x_m -> encoder_m -> N(mean_m, exp(log_variance_m)) over z (B, D); joined by Joint
///   z -> decoder_m -> N(decoded_m, exp(log_noise_m)): one learned variance per feature (Rybkin et al. 2021)
///
/// With conditions c these join what the encoders give and the hidden numbers (Sohn, Lee and Yan 2015). Train by
///
///   fusion::Completion net(training, {.latent = 16});
///   optim::Adam optimizer(parameters(net), {.lr = 1e-3});
///   for (auto& [x, y] : loader) net.bound(fusion::drop_modalities(x, 0.3, g), x).loss(beta_warmup(step++, 500)) ...
///   fusion::Completed all = net.complete(test);
struct Completion {
  Expected expected;
  std::vector<Encoder> encoders;      ///< M of (width_m -> hidden.back())
  std::vector<Linear> means;          ///< M of (hidden.back() + conditions -> D)
  std::vector<Linear> log_variances;  ///< M of the same; taken within [-8, 8]
  std::vector<Sequential> decoders;   ///< M of (D + conditions -> width_m)
  std::vector<Tensor> log_noise;      ///< M of (width_m,), log-variance around what is decoded; taken within [-8, 8]
  std::vector<Buffer> spread;         ///< M of (width_m,), variance of the features in training
  Joint joint;
  std::int64_t conditions;

  /// For modalities of the names and widths of `training`, whose rows are looked at for the features' variance only.
  /// Throws as Expected does, ConfigError for sizes below 1, ShapeError for features that are not (B, width_m),
  /// DtypeError for features that are neither float32 nor float64.
  Completion(const data::Modalities& training, const CompletionOptions& options);

  /// Each modality's own distribution over z; that of a row without it is not to be read: M of (B, D).
  std::vector<DiagonalNormal> experts(const data::Modalities& raw, const CompletionContext& context = {}) const;
  /// The sets that a training step looks at, by Joint: (B, M) bool, within `present`.
  Tensor drawn(const Tensor& present, Generator& generator) const;
  /// The distribution of what is looked at: (B, D).
  DiagonalNormal posterior(const std::vector<DiagonalNormal>& experts, const Tensor& looked_at) const;
  /// What modality m may look like: (B, D) -> (B, width_m).
  Tensor decode(std::size_t m, const Tensor& z, const Tensor& c = {}) const;
  /// log p(x | z) of all modalities that are present, each times its modality weight, summed: (B,). Throws ConfigError
  /// when there are weights but not one for each, or a negative one.
  Tensor log_likelihood(const data::Modalities& raw, const Tensor& z, const CompletionContext& context = {}) const;

  /// Both sides of the lower bound on log p(of all that is present), for one draw per row; a row with nothing counts 0.
  /// For mixtures the divergence is that of the drawn part, which is no less than the mixture's: still a lower bound.
  Vae::Bound bound(const data::Modalities& raw, const CompletionContext& context = {},
                   Generator& generator = default_generator()) const;
  /// The same where only part of the evidence is shown and all of `raw` is to be explained: `shown` has the same
  /// features and a mask within that of `raw`, as drop_modalities() gives. It teaches to complete. Throws ShapeError
  /// when more is shown than there is.
  Vae::Bound bound(const data::Modalities& shown, const data::Modalities& raw, const CompletionContext& context = {},
                   Generator& generator = default_generator()) const;

  /// Fills in what is missing by the mean over `draws` draws of z from the distribution of all that is present (for
  /// Joint::mixture: of one of them each time). Without gradient; in the mode that the model is in, so call eval()
  /// first. Throws ConfigError for draws < 2.
  Completed complete(const data::Modalities& raw, std::int64_t draws = 32, const CompletionContext& context = {},
                     Generator& generator = default_generator()) const;

  void fields(auto&& f) {
    f("expected", expected, "encoders", encoders, "means", means, "log_variances", log_variances, "decoders", decoders,
      "log_noise", log_noise, "spread", spread, "joint", joint, "conditions", conditions);
  }
};

/// Fills missing modalities by fixed numbers, the same for all rows, and calls all of them present, but for rows with
/// nothing: what is done where nobody thinks about it. values: M of (width_m,), such as the training mean
/// (measure(training).mean) or zeros. Throws ShapeError for others.
data::Modalities filled_with(const data::Modalities& raw, const std::vector<Tensor>& values);

}  // namespace weft::fusion
