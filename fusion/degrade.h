#pragma once
#include <span>
#include <vector>

#include <weft/data/modalities.h>
#include <weft/tensor/random.h>

/// Making evidence worse on purpose. A gate learns whom to distrust only from samples in which somebody cannot be
/// trusted; so this is part of how the gated fusions are trained, and how their robustness is measured.
/// Everything here leaves its argument as it was and draws from the generator that is passed.
namespace weft::fusion {

/// Mean and deviation of each feature of each modality over the rows that have it.
struct Scales {
  std::vector<Tensor> mean;       ///< M of (...), float64
  std::vector<Tensor> deviation;  ///< M of (...), float64; 0 where there are fewer than 2 rows
};
/// Throws DtypeError for features that are neither float32 nor float64, and as Modalities::check() does.
Scales measure(const data::Modalities& training);

enum class Damage {
  noise,    ///< Gaussian noise is added
  replace,  ///< everything is noise, of the features' mean and deviation
  shuffle,  ///< the features are those of another sample that has the modality
};

struct DegradeOptions {
  double probability = 0.5;             ///< per sample that one of its modalities is degraded
  double noise = 1;                     ///< how often this damage, relative to the others ...
  double replace = 1;                   ///< ... and this ...
  double shuffle = 1;                   ///< ... and this
  double weakest = 0.5, strongest = 3;  ///< deviation of added noise in deviations of the feature, uniform in between
};

/// Training recipe: each sample with `probability` has one of its present modalities, chosen evenly, damaged.
/// Features must be float32 or float64, (B, ...). Throws ConfigError for options that make no sense, and as measure().
data::Modalities degrade(const data::Modalities& batch, const Scales& scales, const DegradeOptions& options,
                         Generator& generator);
/// One modality of all samples that have it, e.g. of test samples. `strength` is for Damage::noise. Throws
/// ShapeError when there is no modality m.
data::Modalities degrade_modality(const data::Modalities& batch, const Scales& scales, int m, Damage damage,
                                  double strength, Generator& generator);
/// Evidence that disagrees: each sample with `probability` has one of its present modalities (m, or for m = -1 one
/// chosen evenly) exchanged for that of a sample of another class, labels (B,), drawn evenly among those that have it;
/// where there is none it stays. Throws ShapeError when there is no modality m or labels differ in number, ConfigError
/// unless probability is in [0, 1].
data::Modalities conflict(const data::Modalities& batch, std::span<const std::int64_t> labels, double probability,
                          Generator& generator, int m = -1);
/// Training recipe: takes each present modality of each sample (m, or for m = -1 all) away with `probability`, but
/// never a sample's last one (when all would go, one of them, chosen evenly, stays). Throws ConfigError unless
/// probability is in [0, 1], ShapeError when there is no modality m.
data::Modalities drop_modalities(const data::Modalities& batch, double probability, Generator& generator, int m = -1);

}  // namespace weft::fusion
