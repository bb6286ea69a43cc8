#include <weft/fusion/degrade.h>

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/shape.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// The features of one modality as rows of numbers, in a copy of their own.
template <class T>
struct Rows {
  Tensor all;
  std::int64_t width;
  T* row(std::int64_t i) const { return static_cast<T*>(all.body().data) + i * width; }
};

template <class T>
Rows<T> copied_rows(const Tensor& x) {
  const NoGrad off;
  const Tensor y = copy(contiguous(x));
  return {y, y.size(0) == 0 ? 0 : y.numel() / y.size(0)};
}

void check_features(const data::Modalities& all) {
  all.check();
  for (std::size_t m = 0; m < all.features.size(); ++m) {
    const DType type = all.features[m].dtype();
    if (type != DType::float32 && type != DType::float64)
      throw DtypeError(text("degrade: \"", all.names[m], "\" is ", type,
                            "\n  help: degrade what is float32 or float64, such as encoded features"));
  }
}

/// Calls f with a zero of the features' type.
template <class F>
void with_type(const Tensor& x, F&& f) {
  if (x.dtype() == DType::float64)
    f(double{});
  else
    f(float{});
}

void check_scales(const data::Modalities& all, const Scales& scales) {
  if (scales.mean.size() != all.features.size() || scales.deviation.size() != all.features.size())
    throw ShapeError(text("degrade: scales of ", scales.mean.size(), " modalities for ", all.features.size()));
  for (std::size_t m = 0; m < all.features.size(); ++m) {
    const std::int64_t width = all.batch() == 0 ? 0 : all.features[m].numel() / all.batch();
    if (all.batch() > 0 && (scales.mean[m].numel() != width || scales.deviation[m].numel() != width))
      throw ShapeError(text("degrade: \"", all.names[m], "\" is ", all.features[m].shape(), ", its scales are ",
                            scales.mean[m].shape()));
  }
}

struct Act {
  std::int64_t row;
  Damage damage;
  double strength;
};

/// Damages rows of one modality. Shuffled rows come from `x`, so from samples as they were.
Tensor damaged(const data::Modalities& all, const Scales& scales, std::size_t m, const std::vector<Act>& acts,
               Generator& g) {
  const Tensor& x = all.features[m];
  if (acts.empty()) return x;
  const Tensor mean = contiguous(scales.mean[m]), deviation = contiguous(scales.deviation[m]);
  const double *mu = mean.data<double>(), *sigma = deviation.data<double>();
  std::vector<std::int64_t> others;
  Tensor result;
  with_type(x, [&]<class T>(T) {
    const Rows<T> before = copied_rows<T>(x), after = copied_rows<T>(x);
    for (const Act& act : acts) {
      T* to = after.row(act.row);
      if (act.damage == Damage::shuffle) {
        if (others.empty()) others = all.present_rows(static_cast<int>(m));
        // One of the other rows: skipping its own place keeps the choice even. Alone, a row stays as it is.
        const auto n = static_cast<std::int64_t>(others.size());
        if (n < 2) continue;
        auto pick = static_cast<std::size_t>(g.below(n - 1));
        if (others[pick] >= act.row) ++pick;
        const T* from = before.row(others[pick]);
        for (std::int64_t j = 0; j < after.width; ++j) to[j] = from[j];
        continue;
      }
      for (std::int64_t j = 0; j < after.width; ++j)
        to[j] = static_cast<T>(act.damage == Damage::noise ? to[j] + act.strength * sigma[j] * g.normal()
                                                           : mu[j] + sigma[j] * g.normal());
    }
    result = after.all;
  });
  return result;
}

void check_options(const DegradeOptions& o) {
  if (!(o.probability >= 0 && o.probability <= 1))
    throw ConfigError(text("degrade: probability is ", o.probability, "\n  help: choose one from 0 to 1"));
  const double total = o.noise + o.replace + o.shuffle;
  if (!(o.noise >= 0 && o.replace >= 0 && o.shuffle >= 0 && total > 0 && std::isfinite(total)))
    throw ConfigError(text("degrade: noise, replace and shuffle are ", o.noise, ", ", o.replace, " and ", o.shuffle,
                           "\n  help: choose numbers from 0 up, at least one above 0"));
  if (!(o.weakest >= 0 && o.strongest >= o.weakest && std::isfinite(o.strongest)))
    throw ConfigError(text("degrade: noise from ", o.weakest, " to ", o.strongest,
                           " deviations\n  help: choose 0 <= weakest <= strongest"));
}

Damage pick_damage(const DegradeOptions& o, Generator& g) {
  const double at = g.uniform() * (o.noise + o.replace + o.shuffle);
  return at < o.noise ? Damage::noise : at < o.noise + o.replace ? Damage::replace : Damage::shuffle;
}

std::vector<int> present_in(const data::Modalities& all, std::int64_t row) {
  std::vector<int> here;
  for (int m = 0; m < all.count(); ++m)
    if (all.has(row, m)) here.push_back(m);
  return here;
}

}  // namespace

Scales measure(const data::Modalities& training) {
  check_features(training);
  Scales scales;
  for (std::size_t m = 0; m < training.features.size(); ++m) {
    const std::vector<std::int64_t> rows = training.present_rows(static_cast<int>(m));
    Shape shape = training.features[m].shape();
    shape.erase(0);
    Tensor mean = zeros(shape, DType::float64), deviation = zeros(shape, DType::float64);
    with_type(training.features[m], [&]<class T>(T) {
      const Rows<T> x = copied_rows<T>(training.features[m]);
      double *mu = mean.mutable_data<double>(), *sigma = deviation.mutable_data<double>();
      const double n = static_cast<double>(rows.size());
      for (const std::int64_t i : rows)
        for (std::int64_t j = 0; j < x.width; ++j) mu[j] += static_cast<double>(x.row(i)[j]) / n;
      if (rows.size() < 2) return;
      for (const std::int64_t i : rows)
        for (std::int64_t j = 0; j < x.width; ++j) {
          const double off = static_cast<double>(x.row(i)[j]) - mu[j];
          sigma[j] += off * off / n;
        }
      for (std::int64_t j = 0; j < x.width; ++j) sigma[j] = std::sqrt(sigma[j]);
    });
    scales.mean.push_back(mean);
    scales.deviation.push_back(deviation);
  }
  return scales;
}

data::Modalities degrade(const data::Modalities& batch, const Scales& scales, const DegradeOptions& o, Generator& g) {
  check_features(batch);
  check_options(o);
  check_scales(batch, scales);
  std::vector<std::vector<Act>> acts(batch.features.size());
  for (std::int64_t row = 0; row < batch.batch(); ++row) {
    if (g.uniform() >= o.probability) continue;
    const std::vector<int> here = present_in(batch, row);
    if (here.empty()) continue;
    const int m = here[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(here.size())))];
    const Damage damage = pick_damage(o, g);
    acts[static_cast<std::size_t>(m)].push_back({row, damage, o.weakest + (o.strongest - o.weakest) * g.uniform()});
  }
  data::Modalities out{batch.names, {}, batch.present, batch.quality};
  for (std::size_t m = 0; m < acts.size(); ++m) out.features.push_back(damaged(batch, scales, m, acts[m], g));
  return out;
}

data::Modalities degrade_modality(const data::Modalities& batch, const Scales& scales, int m, Damage damage,
                                  double strength, Generator& g) {
  check_features(batch);
  check_scales(batch, scales);
  std::vector<Act> acts;
  for (const std::int64_t row : batch.present_rows(m)) acts.push_back({row, damage, strength});
  data::Modalities out = batch;
  const auto at = static_cast<std::size_t>(m);
  out.features[at] = damaged(batch, scales, at, acts, g);
  return out;
}

data::Modalities conflict(const data::Modalities& batch, std::span<const std::int64_t> labels, double probability,
                          Generator& g, int m) {
  batch.check();
  if (static_cast<std::int64_t>(labels.size()) != batch.batch() || m < -1 || m >= batch.count())
    throw ShapeError(text("conflict: ", labels.size(), " labels and modality ", m, " for ", batch.batch(),
                          " samples of ", batch.count(), " modalities"));
  if (!(probability >= 0 && probability <= 1))
    throw ConfigError(text("conflict: probability is ", probability, "\n  help: choose one from 0 to 1"));
  std::vector<std::vector<std::int64_t>> have, from(batch.features.size());  // from[m][row]: whose it becomes
  for (int k = 0; k < batch.count(); ++k) {
    have.push_back(batch.present_rows(k));
    for (std::int64_t row = 0; row < batch.batch(); ++row) from[static_cast<std::size_t>(k)].push_back(row);
  }
  for (std::int64_t row = 0; row < batch.batch(); ++row) {
    if (g.uniform() >= probability) continue;
    const std::vector<int> here = present_in(batch, row);
    if (here.empty() || (m >= 0 && !batch.has(row, m))) continue;
    const auto k = static_cast<std::size_t>(
        m >= 0 ? m : here[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(here.size())))]);
    std::vector<std::int64_t> others;
    for (const std::int64_t i : have[k])
      if (labels[static_cast<std::size_t>(i)] != labels[static_cast<std::size_t>(row)]) others.push_back(i);
    if (others.empty()) continue;
    from[k][static_cast<std::size_t>(row)] =
        others[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(others.size())))];
  }
  data::Modalities out = batch;
  for (std::size_t k = 0; k < from.size(); ++k) out.features[k] = data::take_rows(batch.features[k], from[k]);
  return out;
}

data::Modalities drop_modalities(const data::Modalities& batch, double probability, Generator& g, int only) {
  batch.check();
  if (only < -1 || only >= batch.count())
    throw ShapeError(text("drop_modalities: modality ", only, " of ", batch.count()));
  if (!(probability >= 0 && probability <= 1))
    throw ConfigError(text("drop_modalities: probability is ", probability, "\n  help: choose one from 0 to 1"));
  data::Modalities out = batch;
  out.present = empty(batch.present.shape(), DType::boolean);
  bool* kept = out.present.mutable_data<bool>();
  for (std::int64_t row = 0; row < batch.batch(); ++row, kept += batch.count()) {
    const std::vector<int> here = present_in(batch, row);
    bool any = false;
    for (int m = 0; m < batch.count(); ++m) kept[m] = false;
    for (const int m : here) any |= kept[m] = (only >= 0 && m != only) || g.uniform() >= probability;
    if (!any && !here.empty())
      kept[here[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(here.size())))]] = true;
  }
  return out;
}

}  // namespace weft::fusion
