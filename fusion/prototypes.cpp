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

}  // namespace

Prototypes::Prototypes(const Tensor& embeddings, std::span<const std::int64_t> labels, std::int64_t classes,
                       const PrototypesOptions& o)
    : normalize(o.normalize), temperature(o.temperature) {
  if (embeddings.dim() != 2 || embeddings.size(0) != static_cast<std::int64_t>(labels.size()))
    throw ShapeError(text("prototypes: embeddings ", embeddings.shape(), " for ", labels.size(), " labels"));
  if (!(temperature > 0))
    throw ConfigError(text("prototypes: temperature is ", temperature, "\n  help: choose a number above 0"));
  const NoGrad off;
  std::vector<double> count(static_cast<std::size_t>(std::max<std::int64_t>(classes, 0)));
  for (const std::int64_t y : labels) {
    if (y < 0 || y >= classes)
      throw ConfigError(text("prototypes: a label is ", y, ", classes are 0 to ", classes - 1));
    ++count[static_cast<std::size_t>(y)];
  }
  if (const auto none = std::ranges::find(count, 0.0); none != count.end())
    throw ConfigError(text("prototypes: class ", none - count.begin(), " has no sample"));
  const Tensor ids = from(std::vector<std::int64_t>(labels.begin(), labels.end()));
  const Tensor sums =
      index_add(zeros({classes, embeddings.size(1)}, embeddings.dtype()), 0, ids, directed(embeddings, normalize));
  centers = Buffer(sums / unsqueeze(to(from(count), embeddings.dtype()), 1));
}

Tensor Prototypes::operator()(const Tensor& embeddings) const {
  if (embeddings.dim() != 2 || embeddings.size(1) != centers.size(1))
    throw ShapeError(text("prototypes: embeddings ", embeddings.shape(), ", centres ", centers.shape()));
  const Tensor z = unsqueeze(directed(embeddings, normalize), 1);                          // (B, 1, D)
  return sum(square(z - to(unsqueeze(centers, 0), z.dtype())), {2}) * (-1 / temperature);  // (B, C)
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
