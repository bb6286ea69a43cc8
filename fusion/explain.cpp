#include <weft/fusion/explain.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/data/at.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
using data::detail::at;

void check_players(const char* operation, int players) {
  if (players > most_players)
    throw ConfigError(text(operation, ": ", players, " modalities, at most ", most_players,
                           " can be done exactly\n  help: join modalities that belong together"));
  if (players < 1) throw ConfigError(text(operation, ": there is no modality"));
}

/// The rows of a mask as bits: bit m is set where modality m is present.
std::vector<std::size_t> coalitions(const Tensor& present) {
  const std::vector<std::int64_t> has = to_vector<std::int64_t>(present);
  const std::size_t count = at(present.size(1));
  std::vector<std::size_t> bits(at(present.size(0)), 0);
  for (std::size_t i = 0; i < has.size(); ++i) bits[i / count] |= static_cast<std::size_t>(has[i] != 0) << (i % count);
  return bits;
}

Tensor mask_of(std::int64_t rows, int count, std::size_t bits) {
  Tensor present = empty({rows, count}, DType::boolean);
  bool* to = present.mutable_data<bool>();
  for (std::int64_t i = 0; i < rows; ++i)
    for (int m = 0; m < count; ++m) *to++ = ((bits >> m) & 1U) != 0;
  return present;
}

/// The probability of each row's own class, in double precision.
std::vector<double> chosen(const Tensor& probabilities, std::span<const std::int64_t> classes, Scale scale) {
  const Tensor c = from(std::vector<std::int64_t>(classes.begin(), classes.end()));
  const Tensor p = squeeze(gather(to(probabilities, DType::float64), 1, unsqueeze(c, 1)), 1);
  return to_vector<double>(in_scale(p, scale));
}

/// What every coalition of every row gets: (B, 2^M), row-major.
std::vector<double> game(const Predictor& f, const data::Modalities& x, const std::vector<data::Modalities>& parts,
                         std::span<const std::int64_t> classes, Scale scale) {
  const int count = x.count();
  const std::size_t all = std::size_t{1} << count;
  const std::vector<std::size_t> present = coalitions(x.present);
  std::vector<double> value(present.size() * all);
  for (std::size_t s = 0; s < all; ++s) {
    std::vector<std::int64_t> rows, own;
    for (std::size_t i = 0; i < present.size(); ++i)
      if ((s & present[i]) == s) {
        rows.push_back(static_cast<std::int64_t>(i));
        own.push_back(classes[i]);
      }
    if (rows.empty()) continue;
    std::vector<data::Modalities> asked;
    for (const data::Modalities& part : parts) {
      asked.push_back(rows.size() == present.size() ? part : part.rows(rows));
      asked.back().present = mask_of(std::ssize(rows), count, s);
    }
    const std::vector<double> got = chosen(f.decide(asked), own, scale);
    for (std::size_t k = 0; k < rows.size(); ++k) value[at(rows[k]) * all + s] = got[k];
  }
  // Who is missing changes nothing.
  for (std::size_t i = 0; i < present.size(); ++i)
    for (std::size_t s = 0; s < all; ++s) value[i * all + s] = value[i * all + (s & present[i])];
  return value;
}

}  // namespace

std::vector<data::Modalities> Predictor::encoded(const data::Modalities& x) const {
  if (!decide) throw ConfigError("explain: the predictor cannot decide\n  help: make it with predictor(network)");
  return encode ? encode(x) : std::vector<data::Modalities>{x};
}

Predictor predictor(std::vector<Classifier> networks) {
  if (networks.empty()) throw ConfigError("explain: there is no network");
  Predictor f;
  f.encode = [networks](const data::Modalities& x) {
    std::vector<data::Modalities> parts;
    for (const Classifier& net : networks) parts.push_back(fusion::encode(net.encoders, x));
    return parts;
  };
  f.decide = [networks](const std::vector<data::Modalities>& parts) {
    Tensor total;
    for (std::size_t k = 0; k < networks.size(); ++k) {
      const Tensor p = softmax(to(networks[k].decide(parts[k]).log_probabilities, DType::float64), 1);  // (B, C)
      total = total.defined() ? total + p : p;
    }
    return total / static_cast<double>(networks.size());
  };
  return f;
}

Predictor predictor(const Classifier& network) { return predictor(std::vector<Classifier>{network}); }

std::vector<double> shapley_values(std::span<const double> value, int players) {
  check_players("shapley", players);
  const std::size_t all = std::size_t{1} << players;
  if (value.size() != all)
    throw ShapeError(
        text("shapley: ", value.size(), " values for ", players, " players, who form ", all, " coalitions"));
  // share[k] = k! (M - k - 1)! / M! = 1 / (M binomial(M - 1, k))
  std::vector<double> share(at(players)), phi(at(players), 0.0);
  double ways = 1;
  for (int k = 0; k < players; ++k) {
    share[at(k)] = 1 / (players * ways);
    ways = ways * (players - 1 - k) / (k + 1);
  }
  for (int m = 0; m < players; ++m)
    for (std::size_t s = 0; s < all; ++s)
      if (((s >> m) & 1U) == 0)
        phi[at(m)] += share[at(std::popcount(s))] * (value[s | (std::size_t{1} << m)] - value[s]);
  return phi;
}

Shapley shapley(const Predictor& f, const data::Modalities& x, const ShapleyOptions& options) {
  check_players("shapley", x.count());
  x.check();
  const NoGrad off;
  const int count = x.count();
  const std::size_t all = std::size_t{1} << count;
  Shapley out;
  std::vector<double> values, drop, base, full;
  // In blocks of rows, so that the table of all coalitions stays small.
  constexpr std::int64_t block = 4096;
  if (!options.classes.empty() && std::ssize(options.classes) != x.batch())
    throw ShapeError(text("shapley: ", options.classes.size(), " classes for ", x.batch(), " rows"));
  for (std::int64_t begin = 0; begin < x.batch(); begin += block) {
    std::vector<std::int64_t> rows(at(std::min(block, x.batch() - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    std::vector<std::int64_t> classes;
    if (!options.classes.empty())
      classes.assign(options.classes.begin() + begin, options.classes.begin() + begin + std::ssize(rows));
    const data::Modalities own = x.rows(rows);
    const std::vector<data::Modalities> parts = f.encoded(own);
    classes = asked_classes("shapley", f.decide(parts), classes);
    const std::vector<double> value = game(f, own, parts, classes, options.scale);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::span<const double> of_row(value.data() + i * all, all);
      const std::vector<double> phi = shapley_values(of_row, count);
      values.insert(values.end(), phi.begin(), phi.end());
      for (int m = 0; m < count; ++m) drop.push_back(of_row[all - 1] - of_row[(all - 1) & ~(std::size_t{1} << m)]);
      base.push_back(of_row[0]);
      full.push_back(of_row[all - 1]);
    }
    out.classes.insert(out.classes.end(), classes.begin(), classes.end());
  }
  out.values = from(values, {x.batch(), count});
  out.drop_one = from(drop, {x.batch(), count});
  out.base = from(base, {x.batch()});
  out.full = from(full, {x.batch()});
  return out;
}

Tensor group_means(const Tensor& values, std::span<const std::int64_t> group, std::int64_t groups) {
  if (values.dim() != 2 || values.size(0) != std::ssize(group))
    throw ShapeError(text("group_means: values ", values.shape(), " of ", group.size(), " rows in groups"));
  const std::vector<double> all = to_vector<double>(values);
  const std::size_t count = at(values.size(1));
  std::vector<double> sum(at(groups) * count, 0.0), rows(at(groups), 0.0);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i] < 0 || group[i] >= groups)
      throw ConfigError(text("group_means: row ", i, " is in group ", group[i], " of ", groups));
    rows[at(group[i])] += 1;
    for (std::size_t m = 0; m < count; ++m) sum[at(group[i]) * count + m] += all[i * count + m];
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = rows[i / count] > 0 ? sum[i] / rows[i / count] : nan;
  return from(sum, {groups, values.size(1)});
}

std::optional<Agreement> agreement(const Tensor& a, const Tensor& b, const Tensor& present,
                                   const AgreementOptions& options) {
  if (a.dim() != 2 || a.shape() != b.shape() || a.shape() != present.shape())
    throw ShapeError(
        text("agreement: ", a.shape(), " against ", b.shape(), " with the presence mask ", present.shape()));
  const std::vector<double> x = to_vector<double>(a), y = to_vector<double>(b);
  const std::vector<std::int64_t> has = to_vector<std::int64_t>(present);
  const std::size_t rows = at(a.size(0)), count = at(a.size(1));
  Agreement out;
  std::vector<double> all_x, all_y;
  std::vector<std::size_t> row;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t begin = all_x.size();
    for (std::size_t k = i * count; k < (i + 1) * count; ++k)
      if (has[k] != 0) {
        all_x.push_back(x[k]);
        all_y.push_back(y[k]);
        row.push_back(i);
      }
    out.of_rows.push_back(data::spearman(data::Numbers(all_x).subspan(begin), data::Numbers(all_y).subspan(begin)));
  }
  const data::Spearman all(all_x, all_y);
  if (rows < 2 || std::isnan(all())) return std::nullopt;
  const data::BootstrapOptions how{.resamples = options.resamples, .level = options.level, .seed = options.seed};
  std::vector<std::int64_t> drawn(rows), times(row.size());
  const data::Statistic overall = [&](std::span<const std::int64_t> index) {
    std::ranges::fill(drawn, 0);
    for (const std::int64_t i : index) ++drawn[at(i)];
    for (std::size_t k = 0; k < row.size(); ++k) times[k] = drawn[row[k]];
    return all(times);
  };
  try {
    out.overall = data::bootstrap(a.size(0), overall, how);
  } catch (const ConfigError&) {
    return std::nullopt;  // hardly any row differs from the others
  }
  std::vector<double> own;
  std::ranges::copy_if(out.of_rows, std::back_inserter(own), [](double v) { return !std::isnan(v); });
  if (own.size() >= 2)
    out.within = data::bootstrap(
        std::ssize(own),
        [&](std::span<const std::int64_t> index) {
          double sum = 0;
          for (const std::int64_t i : index) sum += own[at(i)];
          return sum / static_cast<double>(index.size());
        },
        how);
  return out;
}

std::vector<std::int64_t> asked_classes(const char* operation, const Tensor& probabilities,
                                        const std::vector<std::int64_t>& classes) {
  if (classes.empty()) return to_vector<std::int64_t>(argmax(probabilities, 1));
  if (std::ssize(classes) != probabilities.size(0))
    throw ShapeError(text(operation, ": ", classes.size(), " classes for ", probabilities.size(0), " rows"));
  for (const std::int64_t c : classes)
    if (c < 0 || c >= probabilities.size(1))
      throw ConfigError(text(operation, ": class ", c, " is outside the ", probabilities.size(1), " classes"));
  return classes;
}

Tensor in_scale(const Tensor& p, Scale scale) {
  if (scale == Scale::probability) return p;
  constexpr double least = 1e-7;
  const Tensor q = clamp(p, least, 1 - least);
  return log(q) - log1p(-q);
}

}  // namespace weft::fusion
