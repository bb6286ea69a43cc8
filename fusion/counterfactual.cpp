#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/at.h>
#include <weft/fusion/attribution.h>
#include <weft/fusion/degrade.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

using data::detail::at;

std::int64_t width_of(const Tensor& x) { return x.size(0) == 0 ? 0 : x.numel() / x.size(0); }

/// Row 0 of x once for each of `rows` (each as long as a row of modality m), which stand in modality m.
data::Modalities with_rows(const data::Modalities& x, int m, const std::vector<std::vector<double>>& rows) {
  const std::vector<std::int64_t> first(rows.size(), 0);
  data::Modalities out = x.rows(first);
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  Tensor& own = out.features[at(m)];
  own = to(reshape(from(all), own.shape()), own.dtype());
  return out;
}

/// The same row again and again.
std::vector<data::Modalities> repeated(const std::vector<data::Modalities>& row, std::int64_t times) {
  const std::vector<std::int64_t> first(at(times), 0);
  std::vector<data::Modalities> out;
  for (const data::Modalities& part : row) out.push_back(part.rows(first));
  return out;
}

/// f for rows that differ from `row` in modality m alone, which is all that is encoded anew.
Predictor varying(const Predictor& f, const data::Modalities& row, int m) {
  Predictor g;
  g.decide = f.decide;
  g.encode = [&f, m, encoded = f.encoded(row)](const data::Modalities& x) {
    data::Modalities alone = x;
    alone.present = empty(x.present.shape(), DType::boolean);
    bool* has = alone.present.mutable_data<bool>();
    for (std::int64_t i = 0; i < alone.present.numel(); ++i) has[i] = i % x.count() == m;
    std::vector<data::Modalities> out = repeated(encoded, x.batch());
    const std::vector<data::Modalities> anew = f.encoded(alone);
    for (std::size_t k = 0; k < out.size(); ++k) out[k].features[at(m)] = anew[k].features[at(m)];
    return out;
  };
  return g;
}

std::vector<std::int64_t> decisions(const Predictor& f, const data::Modalities& x) {
  return to_vector<std::int64_t>(argmax(f(x), 1));
}

}  // namespace

CounterfactualSearch::CounterfactualSearch(Predictor f, data::Modalities training, CounterfactualOptions options)
    : f_(std::move(f)), training_(std::move(training)), options_(std::move(options)) {
  training_.check();
  if (options_.candidates < 1 || options_.donors < 1)
    throw ConfigError(text("counterfactual: ", options_.candidates, " candidates and ", options_.donors,
                           " donors\n  help: choose 1 or more"));
  if (!options_.units.empty() && options_.units.size() != training_.features.size())
    throw ShapeError(
        text("counterfactual: units of ", options_.units.size(), " modalities for ", training_.features.size()));
  const NoGrad off;
  for (std::size_t m = 0; m < training_.features.size(); ++m) {
    const Tensor& x = training_.features[m];
    if (!is_floating(x.dtype()))
      throw DtypeError(text("counterfactual: \"", training_.names[m], "\" is ", x.dtype(), ", not floating"));
    if (!options_.units.empty() && std::ssize(options_.units[m]) != width_of(x))
      throw ShapeError(text("counterfactual: \"", training_.names[m], "\" has ", width_of(x), " features, units of ",
                            options_.units[m].size()));
    if (!options_.units.empty())
      for (const std::int64_t u : options_.units[m])
        if (u < 0 || u >= width_of(x))
          throw ConfigError(text("counterfactual: \"", training_.names[m], "\" has unit ", u, ", units of ",
                                 width_of(x), " features go from 0 to ", width_of(x) - 1));
    values_.push_back(to_vector<double>(x));
    const std::vector<std::int64_t> rows = training_.present_rows(static_cast<int>(m));
    std::vector<double> deviation(at(width_of(x)), 1.0);
    if (rows.size() > 1) {
      const Tensor own = reshape(to(data::take_rows(x, rows), DType::float64), {std::ssize(rows), width_of(x)});
      deviation = to_vector<double>(sqrt(mean(square(own - mean(own, {0}, true)), {0})));
      for (double& d : deviation)
        if (!(d > 1e-9)) d = 1;  // the same in everybody: a difference counts as it is
    }
    deviation_.push_back(std::move(deviation));
  }
  encoded_ = f_.encoded(training_);
}

std::optional<Counterfactual> CounterfactualSearch::find(const data::Modalities& x, std::int64_t i) const {
  if (x.names != training_.names)
    throw ConfigError("counterfactual: these are not the modalities of the training rows");
  const NoGrad off;
  const std::vector<std::int64_t> one = {i};
  const data::Modalities row = x.rows(one);
  const std::int64_t decided = decisions(f_, row).front();
  std::optional<Counterfactual> best;
  for (int m = 0; m < row.count(); ++m) {
    if (!row.has(0, m)) continue;
    auto found = within(row, m, decided);
    if (found && (!best || found->distance < best->distance)) best = std::move(found);
  }
  return best;
}

std::optional<Counterfactual> CounterfactualSearch::within(const data::Modalities& row, int m,
                                                           std::int64_t decided) const {
  const std::vector<double> own = to_vector<double>(row.features[at(m)]);
  const std::vector<double>&values = values_[at(m)], &deviation = deviation_[at(m)];
  const std::size_t width = own.size();
  std::vector<std::pair<double, std::int64_t>> near;
  for (const std::int64_t k : training_.present_rows(m)) {
    double distance = 0;
    for (std::size_t j = 0; j < width; ++j) distance += std::abs(values[at(k) * width + j] - own[j]) / deviation[j];
    near.emplace_back(distance, k);
  }
  const std::size_t most = std::min(near.size(), at(options_.candidates));
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(most), near.end());
  const std::vector<data::Modalities> encoded = f_.encoded(row);
  std::optional<Counterfactual> best;
  std::int64_t found = 0;
  constexpr std::size_t block = 64;
  for (std::size_t begin = 0; begin < most && found < options_.donors; begin += block) {
    std::vector<std::int64_t> donors;
    for (std::size_t k = begin; k < std::min(begin + block, most); ++k) donors.push_back(near[k].second);
    std::vector<data::Modalities> lent = repeated(encoded, std::ssize(donors));
    for (std::size_t k = 0; k < lent.size(); ++k)
      lent[k].features[at(m)] = data::take_rows(encoded_[k].features[at(m)], donors);
    const std::vector<std::int64_t> becomes = to_vector<std::int64_t>(argmax(f_.decide(lent), 1));
    for (std::size_t k = 0; k < donors.size() && found < options_.donors; ++k) {
      if (becomes[k] == decided) continue;
      auto small = smallest(row, m, donors[k], decided);
      if (!small) continue;
      ++found;
      if (!best || small->distance < best->distance) best = std::move(small);
    }
  }
  return best;
}

std::optional<Counterfactual> CounterfactualSearch::smallest(const data::Modalities& row, int m, std::int64_t donor,
                                                             std::int64_t decided) const {
  const std::vector<double> own = to_vector<double>(row.features[at(m)]);
  const std::size_t width = own.size();
  const auto first = values_[at(m)].begin() + static_cast<std::ptrdiff_t>(at(donor) * width);
  const std::vector<double> other(first, first + static_cast<std::ptrdiff_t>(width));

  const Predictor f = varying(f_, row, m);
  // What changing each feature does to the class that was decided, in the order of what lowers it most.
  const data::Modalities changed = with_rows(row, m, {other});
  GradientOptions along;
  along.classes = {decided};
  along.baseline = row.features;
  along.steps = along.most_steps = 8;  // an order needs no more
  const std::vector<double> effect = to_vector<double>(integrated_gradients(f, changed, along).features[at(m)]);
  std::vector<std::int64_t> unit(width);
  std::iota(unit.begin(), unit.end(), 0);
  if (!options_.units.empty()) unit = options_.units[at(m)];
  std::vector<double> unit_effect(at(*std::max_element(unit.begin(), unit.end()) + 1), 0.0);
  std::vector<bool> differs(unit_effect.size(), false);
  for (std::size_t j = 0; j < width; ++j) {
    unit_effect[at(unit[j])] += effect[j];
    if (own[j] != other[j]) differs[at(unit[j])] = true;
  }
  std::vector<std::size_t> order;
  for (std::size_t u = 0; u < unit_effect.size(); ++u)
    if (differs[u]) order.push_back(u);
  if (order.empty()) return std::nullopt;  // the same values; sums rounded in another way
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return unit_effect[a] < unit_effect[b]; });

  const auto taking = [&](const std::vector<bool>& taken) {
    std::vector<double> values = own;
    for (std::size_t j = 0; j < width; ++j)
      if (taken[at(unit[j])]) values[j] = other[j];
    return values;
  };
  // Beginnings of that order: every length up to 32, then each a quarter longer.
  std::vector<std::size_t> lengths;
  for (std::size_t n = 1; n < order.size(); n += n < 32 ? 1 : n / 4) lengths.push_back(n);
  lengths.push_back(order.size());
  std::vector<std::vector<double>> rows;
  for (const std::size_t n : lengths) {
    std::vector<bool> taken(unit_effect.size(), false);
    for (std::size_t k = 0; k < n; ++k) taken[order[k]] = true;
    rows.push_back(taking(taken));
  }
  const std::vector<std::int64_t> becomes = decisions(f, with_rows(row, m, rows));
  const auto enough = std::ranges::find_if(becomes, [&](std::int64_t c) { return c != decided; });
  if (enough == becomes.end()) return std::nullopt;
  std::vector<bool> taken(unit_effect.size(), false);
  const std::size_t length = lengths[static_cast<std::size_t>(enough - becomes.begin())];
  for (std::size_t k = 0; k < length; ++k) taken[order[k]] = true;

  // Put back what is not needed, the least effective first: of those that can go alone, as many as can go together.
  // Beyond so many features nobody reads the answer.
  constexpr std::size_t tries = 64;
  rows.clear();
  const std::size_t last = length - std::min(length, tries);
  for (std::size_t k = length; k-- > last;) {
    taken[order[k]] = false;
    rows.push_back(taking(taken));
    taken[order[k]] = true;
  }
  const std::vector<std::int64_t> alone = decisions(f, with_rows(row, m, rows));
  for (std::size_t k = length; k-- > last;) {
    if (alone[length - 1 - k] == decided) continue;
    taken[order[k]] = false;
    if (decisions(f, with_rows(row, m, {taking(taken)})).front() == decided) taken[order[k]] = true;
  }
  const std::vector<double> result = taking(taken);
  Counterfactual out{m, donor, decisions(f_, with_rows(row, m, {result})).front(), 0, {}};
  // Asked alone and in full, sums may round in another way: what stands on the edge is no counterfactual.
  if (out.becomes == decided) return std::nullopt;
  for (std::size_t j = 0; j < width; ++j) {
    if (result[j] == own[j]) continue;
    out.changes.push_back({static_cast<std::int64_t>(j), own[j], result[j]});
    out.distance += std::abs(result[j] - own[j]) / deviation_[at(m)][j];
  }
  return out;
}

}  // namespace weft::fusion
