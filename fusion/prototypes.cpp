#include <weft/fusion/prototypes.h>

#include <algorithm>
#include <map>
#include <utility>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

/// z / |z|; a vector of zeros stays.
Tensor directed(const Tensor& z, bool normalize) {
  return normalize ? z / sqrt(clamp(sum(square(z), {1}, true), 1e-12, 1e300)) : z;
}

void check_temperature(const PrototypesOptions& o) {
  if (!(o.temperature > 0))
    throw ConfigError(text("prototypes: temperature is ", o.temperature, "\n  help: choose a number above 0"));
}

void check_labels(const char* who, const Tensor& embeddings, std::span<const std::int64_t> labels) {
  if (embeddings.dim() != 2 || embeddings.size(0) != static_cast<std::int64_t>(labels.size()))
    throw ShapeError(text(who, ": embeddings ", embeddings.shape(), " for ", labels.size(), " labels"));
}

/// Class means of z (N, D), counts[c] of them each: (C, D).
Tensor class_means(const Tensor& z, std::span<const std::int64_t> labels, const std::vector<double>& counts) {
  const Tensor sums = index_add(zeros({static_cast<std::int64_t>(counts.size()), z.size(1)}, z.dtype()), 0,
                                from(std::vector<std::int64_t>(labels.begin(), labels.end())), z);
  return sums / unsqueeze(to(from(counts), z.dtype()), 1);
}

/// (B, D) and centres (C, D) -> -|z - c|^2 / temperature, (B, C).
Tensor distances(const Tensor& z, const Tensor& centers, double temperature) {
  return sum(square(unsqueeze(z, 1) - to(unsqueeze(centers, 0), z.dtype())), {2}) * (-1 / temperature);
}

/// Any labels as 0, 1, ... in their order, and how many there are of each.
struct Coded {
  std::map<std::int64_t, std::int64_t> code;
  std::vector<std::int64_t> labels;
  std::vector<double> counts;
  explicit Coded(std::span<const std::int64_t> raw) {
    for (const std::int64_t y : raw) code[y] = 0;
    std::int64_t next = 0;
    for (auto& [label, number] : code) number = next++;
    counts.resize(code.size());
    for (const std::int64_t y : raw) {
      labels.push_back(code[y]);
      ++counts[static_cast<std::size_t>(labels.back())];
    }
  }
};

}  // namespace

Prototypes::Prototypes(const Tensor& embeddings, std::span<const std::int64_t> labels, std::int64_t classes,
                       const PrototypesOptions& o)
    : normalize(o.normalize), temperature(o.temperature) {
  check_labels("prototypes", embeddings, labels);
  check_temperature(o);
  const NoGrad off;
  std::vector<double> count(static_cast<std::size_t>(std::max<std::int64_t>(classes, 0)));
  for (const std::int64_t y : labels) {
    if (y < 0 || y >= classes)
      throw ConfigError(text("prototypes: a label is ", y, ", classes are 0 to ", classes - 1));
    ++count[static_cast<std::size_t>(y)];
  }
  if (const auto none = std::ranges::find(count, 0.0); none != count.end())
    throw ConfigError(text("prototypes: class ", none - count.begin(), " has no sample"));
  centers = Buffer(class_means(directed(embeddings, normalize), labels, count));
}

Tensor Prototypes::operator()(const Tensor& embeddings) const {
  if (embeddings.dim() != 2 || embeddings.size(1) != centers.size(1))
    throw ShapeError(text("prototypes: embeddings ", embeddings.shape(), ", centres ", centers.shape()));
  return distances(directed(embeddings, normalize), centers, temperature);
}

Tensor prototypical_loss(const Tensor& embeddings, std::span<const std::int64_t> labels, const data::Split& episode,
                         const PrototypesOptions& o) {
  check_labels("prototypical_loss", embeddings, labels);
  check_temperature(o);
  if (episode.train.empty() || episode.test.empty())
    throw ConfigError(text("prototypical_loss: an episode of ", episode.train.size(), " samples to learn from and ",
                           episode.test.size(), " to test on\n  help: draw one with few_shot_split()"));
  const auto labels_of = [&](const std::vector<std::int64_t>& rows) {
    std::vector<std::int64_t> own;
    for (const std::int64_t row : rows) {
      if (row < 0 || row >= std::ssize(labels))
        throw ConfigError(text("prototypical_loss: the episode names row ", row, " of ", labels.size()));
      own.push_back(labels[static_cast<std::size_t>(row)]);
    }
    return own;
  };
  const Coded known(labels_of(episode.train));
  std::vector<std::int64_t> target = labels_of(episode.test);
  for (std::int64_t& y : target) {
    const auto at = known.code.find(y);
    if (at == known.code.end())
      throw ConfigError(text("prototypical_loss: class ", y, " has a sample to test on and none to learn from"));
    y = at->second;
  }
  const Tensor z = directed(embeddings, o.normalize);
  const Tensor centers = class_means(index_select(z, 0, from(episode.train)), known.labels, known.counts);
  return cross_entropy(distances(index_select(z, 0, from(episode.test)), centers, o.temperature), from(target));
}

WithinClassScaling::WithinClassScaling(const Tensor& embeddings, std::span<const std::int64_t> labels,
                                       const WithinClassScalingOptions& o) {
  check_labels("within-class scaling", embeddings, labels);
  if (!(o.shrinkage > 0 && o.shrinkage <= 1))
    throw ConfigError(
        text("within-class scaling: shrinkage is ", o.shrinkage, "\n  help: choose a number above 0, up to 1"));
  const NoGrad off;
  const Coded coded(labels);
  const Tensor z = to(embeddings, DType::float64);
  const Tensor inner = z - index_select(class_means(z, coded.labels, coded.counts), 0, from(coded.labels));
  const auto freedom = static_cast<double>(labels.size() - coded.counts.size());
  const Tensor covariance = matmul(t(inner), inner) / std::max(freedom, 1.0);
  const std::int64_t width = z.size(1);
  const double variance = sum(square(inner)).item() / std::max(freedom, 1.0) / static_cast<double>(width);
  if (!(variance > 0))
    throw ConfigError(text("within-class scaling: nothing varies within the ", coded.counts.size(), " classes of ",
                           labels.size(), " samples\n  help: give several samples of a class"));
  const Tensor identity = eye(width, -1, DType::float64);
  const Tensor shrunken = covariance * (1 - o.shrinkage) + identity * (o.shrinkage * variance);
  mean = Buffer(to(weft::mean(z, {0}), embeddings.dtype()));
  matrix = Buffer(to(contiguous(t(linalg::inv(linalg::cholesky(shrunken)))), embeddings.dtype()));
}

Tensor WithinClassScaling::operator()(const Tensor& embeddings) const {
  if (embeddings.dim() != 2 || embeddings.size(1) != mean.size(0))
    throw ShapeError(
        text("within-class scaling: embeddings ", embeddings.shape(), ", learned from ", mean.size(0), " features"));
  return matmul(to(embeddings, matrix.dtype()) - mean, matrix);
}

Tensor embed(const Classifier& net, const data::Modalities& raw) {
  if (net.fusion.decides())
    throw ConfigError(
        text("embed: \"", net.fusion.name(),
             "\" fuses decisions and has no features\n  help: choose a fusion of features, such as gate"));
  const NoGrad off;
  return net.fusion(encode(net.encoders, raw)).features;
}

data::Split few_shot_split(std::span<const std::int64_t> labels, std::int64_t k, Generator& generator) {
  if (k < 1) throw ConfigError(text("few_shot_split: k is ", k, "\n  help: choose 1 or more"));
  std::map<std::int64_t, std::vector<std::int64_t>> members;
  for (std::size_t i = 0; i < labels.size(); ++i) members[labels[i]].push_back(static_cast<std::int64_t>(i));
  data::Split split;
  for (auto& [label, rows] : members) {
    const auto n = static_cast<std::int64_t>(rows.size());
    if (n <= k)
      throw ConfigError(
          text("few_shot_split: class ", label, " has ", n, ", ", k, " to learn from leave none to test"));
    for (std::int64_t i = 0; i < k; ++i)
      std::swap(rows[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(i + generator.below(n - i))]);
    split.train.insert(split.train.end(), rows.begin(), rows.begin() + k);
    split.test.insert(split.test.end(), rows.begin() + k, rows.end());
  }
  std::ranges::sort(split.train);
  std::ranges::sort(split.test);
  return split;
}

}  // namespace weft::fusion
