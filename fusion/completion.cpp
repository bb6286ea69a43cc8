#include <weft/fusion/completion.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/fusion/degrade.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

constexpr double log_two_pi = 1.8378770664093454836;
/// Of log-variances: beyond, a feature that never varies, or an encoder that is sure of everything, would run away.
constexpr double bound_of_log_variance = 8;

Tensor held(const Tensor& log_variance) { return clamp(log_variance, -bound_of_log_variance, bound_of_log_variance); }

Options options_for(const data::Modalities& training) {
  Options o;
  o.names = training.names;
  for (const Tensor& x : training.features) {
    if (x.dim() != 2)
      throw ShapeError(text("completion: features are ", x.shape(), ", not (rows, numbers)\n  help: flatten them"));
    o.widths.push_back(x.size(1));
  }
  return o;
}

void check_options(const CompletionOptions& o) {
  at_least("completion", "latent", o.latent, 1);
  at_least("completion", "conditions", o.conditions, 0);
  for (const std::int64_t width : o.hidden) at_least("completion", "hidden", width, 1);
}

Encoder layers_of(std::int64_t in, const std::vector<std::int64_t>& hidden, const CompletionOptions& o) {
  return make_encoder(hidden.empty() ? "identity" : "mlp",
                      {.in_features = in, .hidden = hidden, .dropout = o.dropout, .dtype = o.dtype});
}

Tensor joined(const Tensor& x, const Tensor& c, std::int64_t conditions) {
  if (conditions == 0 && !c.defined()) return x;
  if (!c.defined() || c.dim() != 2 || c.size(0) != x.size(0) || c.size(1) != conditions)
    throw ShapeError(text("completion: conditions ", c.defined() ? text(c.shape()) : std::string("(none)"),
                          ", must be ",
                          conditions == 0 ? std::string("none") : text("[", x.size(0), ", ", conditions, "]")));
  return cat({x, to(c, x.dtype())}, 1);
}

/// Which numbers of modality m count: (B, 1) or (B, width_m) bool.
Tensor measured(const data::Modalities& raw, std::size_t m, const CompletionContext& context) {
  const Tensor who = who_has(raw.present, m);
  if (context.observed.empty()) return who;
  if (context.observed.size() != raw.features.size() || context.observed[m].shape() != raw.features[m].shape())
    throw ShapeError(text("completion: observed numbers of ", context.observed.size(), " modalities for ",
                          raw.features.size(), ", or of another shape"));
  return logical_and(who, context.observed[m]);
}

Tensor allowed(const data::Modalities& shown, const data::Modalities& raw) {
  if (shown.present.shape() != raw.present.shape() ||
      any(logical_and(shown.present, logical_not(raw.present))).item() != 0)
    throw ShapeError("completion: more is shown than there is\n  help: show a part of it, as drop_modalities() does");
  return shown.present;
}

}  // namespace

DiagonalNormal product_of_experts(const std::vector<DiagonalNormal>& experts, const Tensor& counts, bool prior) {
  if (experts.empty() || counts.dim() != 2 || counts.size(1) != static_cast<std::int64_t>(experts.size()))
    throw ShapeError(text("product_of_experts: ", experts.size(), " experts for a mask ", counts.shape()));
  const DType dtype = experts.front().mean.dtype();
  // Where nobody counts the prior does.
  Tensor precision = prior ? ones({counts.size(0), 1}, dtype) : to(unsqueeze(nothing_present(counts), 1), dtype);
  Tensor weighted = zeros({}, dtype);
  for (std::size_t m = 0; m < experts.size(); ++m) {
    const Tensor who = who_has(counts, m);
    const Tensor own = rows_or(exp(-rows_or(experts[m].log_variance, who)), who);  // (B, D)
    precision = precision + own;
    weighted = weighted + own * rows_or(experts[m].mean, who);
  }
  return {weighted / precision, -log(precision)};
}

data::Modalities Completed::admitted(double least_quality) const {
  data::Modalities all = filled;
  all.present = logical_or(filled.present, gt(filled.quality, least_quality));
  return all;
}

Completion::Completion(const data::Modalities& training, const CompletionOptions& o)
    : expected("completion", options_for(training)), joint(o.joint), conditions(o.conditions) {
  check_options(o);
  const Scales scales = measure(training);
  std::vector<std::int64_t> turned(o.hidden.rbegin(), o.hidden.rend());
  for (std::size_t m = 0; m < expected.count(); ++m) {
    const std::int64_t width = expected.widths[m];
    encoders.push_back(layers_of(width, o.hidden, o));
    const LinearOptions head{
        .in_features = encoders.back().width + conditions, .out_features = o.latent, .dtype = o.dtype};
    means.emplace_back(head);
    log_variances.emplace_back(head);
    Encoder body = layers_of(o.latent + conditions, turned, o);
    decoders.push_back(std::move(body.layers));
    decoders.back().add(Linear({.in_features = body.width, .out_features = width, .dtype = o.dtype}));
    log_noise.push_back(zeros({width}, o.dtype).set_requires_grad());
    spread.emplace_back(to(square(scales.deviation[m]), o.dtype));
  }
}

std::vector<DiagonalNormal> Completion::experts(const data::Modalities& raw, const CompletionContext& context) const {
  expected.check("completion", raw);
  data::Modalities known{raw.names, {}, raw.present, {}};
  for (std::size_t m = 0; m < encoders.size(); ++m)
    known.features.push_back(rows_or(raw.features[m], measured(raw, m, context)));
  known = encode(encoders, known);
  std::vector<DiagonalNormal> all;
  for (std::size_t m = 0; m < encoders.size(); ++m) {
    const Tensor h = joined(known.features[m], context.conditions, conditions);
    all.push_back({means[m](h), held(log_variances[m](h))});
  }
  return all;
}

Tensor Completion::drawn(const Tensor& present, Generator& generator) const {
  if (joint == Joint::product) return present;
  const std::int64_t rows = present.size(0), count = present.size(1);
  const Tensor dense = contiguous(present);
  Tensor sets = zeros({rows, count}, DType::boolean);
  const bool* has = dense.data<bool>();
  bool* in = sets.mutable_data<bool>();
  for (std::int64_t row = 0; row < rows; ++row, has += count, in += count) {
    const auto here = std::count(has, has + count, true);
    if (here == 0) continue;
    if (joint == Joint::mixture) {
      std::int64_t skip = generator.below(here), m = 0;
      while (!has[m] || skip-- > 0) ++m;
      in[m] = true;
      continue;
    }
    // Each with even chance, and again when none came: every set but the empty one is as likely.
    for (bool some = false; !some;)
      for (std::int64_t m = 0; m < count; ++m) some |= in[m] = has[m] && generator.uniform() < 0.5;
  }
  return sets;
}

DiagonalNormal Completion::posterior(const std::vector<DiagonalNormal>& each, const Tensor& looked_at) const {
  return product_of_experts(each, looked_at, joint != Joint::mixture);
}

Tensor Completion::decode(std::size_t m, const Tensor& z, const Tensor& c) const {
  return decoders.at(m)(joined(z, c, conditions));
}

Tensor Completion::log_likelihood(const data::Modalities& raw, const Tensor& z,
                                  const CompletionContext& context) const {
  expected.check("completion", raw);
  const std::vector<double>& weights = context.modality_weights;
  if (!weights.empty() && weights.size() != decoders.size())
    throw ConfigError(text("completion: ", weights.size(), " weights for ", decoders.size(), " modalities"));
  Tensor total = zeros({raw.batch()}, z.dtype());
  for (std::size_t m = 0; m < decoders.size(); ++m) {
    const double weight = weights.empty() ? 1 : weights[m];
    if (!(weight >= 0 && std::isfinite(weight)))
      throw ConfigError(
          text("completion: the weight of \"", raw.names[m], "\" is ", weight, "\n  help: choose 0 or more"));
    const Tensor counts = measured(raw, m, context), noise = held(log_noise[m]);
    const Tensor off = square(rows_or(to(raw.features[m], z.dtype()), counts) - decode(m, z, context.conditions));
    const Tensor each = sum(rows_or((off * exp(-noise) + noise + log_two_pi) * -0.5, counts), {1});
    total = total + (weight == 1 ? each : each * weight);
  }
  return total;
}

Vae::Bound Completion::bound(const data::Modalities& raw, const CompletionContext& context,
                             Generator& generator) const {
  return bound(raw, raw, context, generator);
}

Vae::Bound Completion::bound(const data::Modalities& shown, const data::Modalities& raw,
                             const CompletionContext& context, Generator& generator) const {
  const DiagonalNormal q = posterior(experts(shown, context), drawn(allowed(shown, raw), generator));
  return {log_likelihood(raw, q.sample(generator), context), q.divergence()};
}

Completed Completion::complete(const data::Modalities& raw, std::int64_t draws, const CompletionContext& context,
                               Generator& generator) const {
  if (draws < 2) throw ConfigError(text("completion: ", draws, " draws\n  help: choose 2 or more"));
  const NoGrad off;
  const std::vector<DiagonalNormal> each = experts(raw, context);
  std::vector<Tensor> mean(each.size()), squares(each.size());
  for (std::int64_t k = 1; k <= draws; ++k) {
    const Tensor looked_at = joint == Joint::mixture ? drawn(raw.present, generator) : raw.present;
    const Tensor z = posterior(each, looked_at).sample(generator);
    for (std::size_t m = 0; m < each.size(); ++m) {
      const Tensor x = decode(m, z, context.conditions);
      if (k == 1) {
        mean[m] = x;
        squares[m] = zeros_like(x);
        continue;
      }
      // Welford's way: the mean of squares less the square of the mean would lose all figures where draws agree.
      const Tensor before = x - mean[m];
      mean[m] = mean[m] + before / static_cast<double>(k);
      squares[m] = squares[m] + before * (x - mean[m]);
    }
  }
  Completed out{{raw.names, {}, raw.present, {}}, {}};
  std::vector<Tensor> explained;
  for (std::size_t m = 0; m < each.size(); ++m) {
    const Tensor counts = measured(raw, m, context);
    const Tensor variance = squares[m] / static_cast<double>(draws - 1) + exp(held(log_noise[m]));
    out.filled.features.push_back(where(counts, raw.features[m], to(mean[m], raw.features[m].dtype())));
    out.variance.push_back(where(counts, zeros({}, variance.dtype()), variance));
    // A feature that never varied says nothing about how well others are explained, and neither do those of a modality
    // that nobody had.
    const Tensor varies = gt(spread[m], 0), unit = ones({}, spread[m].dtype());
    const double number = sum(to(varies, DType::float64)).item();
    const Tensor unexplained = sum(rows_or(variance / where(varies, spread[m], unit), varies), {1}, true);
    explained.push_back(number > 0 ? clamp(1.0 - unexplained / number, 0, 1) : unexplained * 0.0);
  }
  const Tensor some = logical_not(unsqueeze(nothing_present(raw.present), 1));
  const Tensor guessed = rows_or(cat(explained, 1), some);  // (B, M)
  const Tensor known = raw.quality.defined() ? to(raw.quality, guessed.dtype()) : ones({}, guessed.dtype());
  out.filled.quality = where(raw.present, known, guessed);
  return out;
}

data::Modalities filled_with(const data::Modalities& raw, const std::vector<Tensor>& values) {
  raw.check();
  if (values.size() != raw.features.size())
    throw ShapeError(text("filled_with: values for ", values.size(), " modalities, there are ", raw.features.size()));
  data::Modalities all{raw.names, {}, raw.present, {}};
  for (std::size_t m = 0; m < values.size(); ++m) {
    const Tensor& x = raw.features[m];
    if (x.dim() != 2 || values[m].shape() != Shape{x.size(1)})
      throw ShapeError(text("filled_with: \"", raw.names[m], "\" is ", x.shape(), ", its values are ",
                            values[m].shape(), "\n  help: give one number for each of its columns"));
    all.features.push_back(where(who_has(raw.present, m), x, to(values[m], x.dtype())));
  }
  all.present = contiguous(expand(logical_not(unsqueeze(nothing_present(raw.present), 1)), raw.present.shape()));
  return all;
}

}  // namespace weft::fusion
