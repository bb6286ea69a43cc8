#include <weft/layers/tabular.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

constexpr std::int64_t unknown_code = 1;

Tensor uniform_parameter(const Shape& shape, double bound) {
  Tensor x = empty(shape);
  initialize::uniform(x, -bound, bound);
  x.set_requires_grad(true);
  return x;
}

std::int64_t columns(const char* op, std::int64_t numeric, const std::vector<std::int64_t>& cardinalities) {
  const auto all = numeric + static_cast<std::int64_t>(cardinalities.size());
  if (numeric < 0 || all == 0)
    throw ConfigError(text(op, ": ", numeric, " columns of numbers, ", cardinalities.size(),
                           " of categories\n  help: say how many there are, as data::TableCoder does"));
  return all;
}

std::vector<CategoricalEmbedding> embeddings_of(const std::vector<std::int64_t>& cardinalities, std::int64_t dim,
                                                double unknown_dropout) {
  std::vector<CategoricalEmbedding> out;
  for (const std::int64_t n : cardinalities)
    out.emplace_back(
        CategoricalEmbeddingOptions{.cardinality = n, .embedding_dim = dim, .unknown_dropout = unknown_dropout});
  return out;
}

const CategoricalEmbeddingOptions& checked(const CategoricalEmbeddingOptions& o) {
  if (o.cardinality < 2)
    throw ConfigError(text("CategoricalEmbedding: cardinality is ", o.cardinality,
                           "\n  help: count missing and unknown, too: there are 2 codes more than known values"));
  if (o.embedding_dim < 0) throw ConfigError(text("CategoricalEmbedding: embedding_dim is ", o.embedding_dim));
  if (!(o.unknown_dropout >= 0 && o.unknown_dropout < 1))
    throw ConfigError(text("CategoricalEmbedding: unknown_dropout is ", o.unknown_dropout,
                           "\n  help: choose a share from 0 on, below 1"));
  return o;
}

std::int64_t at_least_one(const char* op, const char* what, std::int64_t n) {
  if (n < 1) throw ConfigError(text(op, ": ", what, " is ", n, "\n  help: choose 1 or more"));
  return n;
}

}  // namespace

TableParts split_columns(const Tensor& x, std::int64_t numeric, const std::vector<std::int64_t>& cardinalities) {
  const auto categories = static_cast<std::int64_t>(cardinalities.size());
  if (x.dim() != 2 || x.shape()[1] != numeric + categories)
    throw ShapeError(
        text("table: x is ", x.shape(), ", its rows should hold ", numeric, " numbers and ", categories, " codes"));
  if (!is_floating(x.dtype())) throw DtypeError(text("table: x is ", x.dtype(), ", not floating"));
  const Tensor numbers = index(x, {ellipsis, Slice{0, numeric}}), codes = index(x, {ellipsis, Slice{numeric}});
  const Tensor gaps = isnan(numbers), code_gaps = isnan(codes), nothing = scalar(0, x.dtype());
  TableParts out;
  out.numbers = where(gaps, nothing, numbers);
  const Tensor known = detach(where(code_gaps, nothing, codes));
  out.codes = to(known, DType::int64);
  const std::vector<double> given = to_vector<double>(known);
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::size_t c = i % cardinalities.size();
    if (!(given[i] >= 0 && given[i] < static_cast<double>(cardinalities[c]) && std::floor(given[i]) == given[i]))
      throw ConfigError(text("table: category ", c, " has code ", given[i], " in row ", i / cardinalities.size(),
                             ", which is none of its ", cardinalities[c], " codes"));
  }
  out.missing = cat({gaps, eq(out.codes, 0)}, 1);
  return out;
}

// ---- categories

CategoricalEmbedding::CategoricalEmbedding(const CategoricalEmbeddingOptions& o)
    : unknown_dropout(checked(o).unknown_dropout) {
  const std::int64_t dim =
      o.embedding_dim > 0 ? o.embedding_dim : std::clamp<std::int64_t>((o.cardinality - 1) / 2, 2, 50);
  weight = empty({o.cardinality, dim}, o.dtype);
  const double bound = 1 / std::sqrt(static_cast<double>(dim));
  initialize::uniform(weight, -bound, bound);
  initialize::constant(select(weight, 0, unknown_code), 0);
  weight.set_requires_grad(true);
}

Tensor CategoricalEmbedding::operator()(const Tensor& codes) const {
  if (!mode.training || unknown_dropout == 0) return embedding(weight, codes);
  const Tensor drop = logical_and(gt(codes, unknown_code), lt(rand(codes.shape()), unknown_dropout));
  return embedding(weight, where(drop, scalar(unknown_code, DType::int64), codes));
}

// ---- side by side

TabularMLP::TabularMLP(const TabularMLPOptions& o)
    : embeddings(embeddings_of(o.cardinalities, o.embedding_dim, o.unknown_dropout)),
      numeric(o.numeric),
      cardinalities(o.cardinalities),
      indicators(o.indicators),
      width(0) {
  columns("TabularMLP", numeric, cardinalities);
  width = numeric * (indicators ? 2 : 1);
  for (const CategoricalEmbedding& e : embeddings) width += e.weight.shape()[1];
  for (const std::int64_t size : o.hidden) {
    layers.add(Linear(width, at_least_one("TabularMLP", "a hidden layer", size))).add(ReLU());
    if (o.dropout > 0) layers.add(Dropout(o.dropout));
    width = size;
  }
  if (o.out_features < 0) throw ConfigError(text("TabularMLP: out_features is ", o.out_features));
  if (o.out_features > 0) layers.add(Linear(width, o.out_features));
  if (o.out_features > 0) width = o.out_features;
}

Tensor TabularMLP::operator()(const Tensor& x) const {
  const TableParts parts = split_columns(x, numeric, cardinalities);
  std::vector<Tensor> all{parts.numbers};
  if (indicators) all.push_back(to(index(parts.missing, {ellipsis, Slice{0, numeric}}), x.dtype()));
  for (std::size_t c = 0; c < embeddings.size(); ++c)
    all.push_back(embeddings[c](select(parts.codes, 1, static_cast<std::int64_t>(c))));
  return layers(cat(all, 1));
}

// ---- tokens

FeatureTokens::FeatureTokens(const FeatureTokensOptions& o)
    : embeddings(
          embeddings_of(o.cardinalities, at_least_one("FeatureTokens", "d_token", o.d_token), o.unknown_dropout)),
      numeric(o.numeric),
      cardinalities(o.cardinalities),
      missing(o.missing) {
  const std::int64_t all = columns("FeatureTokens", numeric, cardinalities);
  const double bound = 1 / std::sqrt(static_cast<double>(o.d_token));
  if (numeric > 0) weight = uniform_parameter({numeric, o.d_token}, bound);
  bias = uniform_parameter({all, o.d_token}, bound);
  if (numeric > 0 && missing == MissingFeatures::learned) absent = uniform_parameter({numeric, o.d_token}, bound);
}

FeatureTokens::Result FeatureTokens::operator()(const Tensor& x) const {
  const TableParts parts = split_columns(x, numeric, cardinalities);
  std::vector<Tensor> tokens;
  if (numeric > 0) {
    Tensor known = unsqueeze(parts.numbers, 2) * weight;  // (B, F, d)
    if (absent.defined())
      known = where(unsqueeze(index(parts.missing, {ellipsis, Slice{0, numeric}}), 2), absent, known);
    tokens.push_back(known);
  }
  for (std::size_t c = 0; c < embeddings.size(); ++c)
    tokens.push_back(unsqueeze(embeddings[c](select(parts.codes, 1, static_cast<std::int64_t>(c))), 1));  // (B, 1, d)
  return {cat(tokens, 1) + bias, missing == MissingFeatures::masked ? parts.missing : Tensor()};
}

FTTransformer::FTTransformer(const FTTransformerOptions& o)
    : features({.numeric = o.numeric,
                .cardinalities = o.cardinalities,
                .d_token = o.d_token,
                .missing = o.missing,
                .unknown_dropout = o.unknown_dropout}),
      cls(uniform_parameter({o.d_token}, 1 / std::sqrt(static_cast<double>(o.d_token)))),
      encoder({.layer = {.d_model = o.d_token,
                         .nhead = o.nhead,
                         .dim_feedforward = o.dim_feedforward,
                         .dropout = o.dropout,
                         .activation = Activation::gelu,
                         .batch_first = true,
                         .norm_first = true},
               .num_layers = o.num_layers}),
      norm({.normalized_shape = {o.d_token}}) {
  if (o.out_features < 0) throw ConfigError(text("FTTransformer: out_features is ", o.out_features));
  if (o.out_features > 0) head.emplace(o.d_token, o.out_features);
}

Tensor FTTransformer::operator()(const Tensor& x) const {
  const auto [tokens, hidden] = features(x);
  const std::int64_t rows = x.shape()[0], d = cls.shape()[0];
  const Tensor all = cat({expand(cls, {rows, 1, d}), tokens}, 1);  // (B, 1 + F + C, d)
  AttentionMasks masks;
  if (hidden.defined()) masks.key_padding_mask = cat({zeros({rows, 1}, DType::boolean), hidden}, 1);
  const Tensor judged = relu(norm(select(encoder(all, masks), 1, 0)));  // (B, d)
  return head ? (*head)(judged) : judged;
}

// ---- many features, few samples

SparseGate::SparseGate(std::int64_t features, DType dtype)
    : gate(ones({at_least_one("SparseGate", "the number of features", features)}, dtype)) {
  gate.set_requires_grad(true);
}

Tensor SparseGate::operator()(const Tensor& x) const {
  if (x.dim() == 0 || x.shape()[x.dim() - 1] != gate.shape()[0])
    throw ShapeError(text("SparseGate: x is ", x.shape(), ", there are gates for ", gate.shape()[0], " features"));
  return x * gate;
}

double SparseGate::zero_fraction() const {
  const std::vector<double> g = to_vector<double>(gate);
  return static_cast<double>(std::count(g.begin(), g.end(), 0.0)) / static_cast<double>(g.size());
}

std::vector<std::int64_t> SparseGate::survivors() const {
  const std::vector<double> g = to_vector<double>(gate);
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < g.size(); ++i)
    if (g[i] != 0) out.push_back(static_cast<std::int64_t>(i));
  std::stable_sort(out.begin(), out.end(), [&](std::int64_t a, std::int64_t b) {
    return std::abs(g[static_cast<std::size_t>(a)]) > std::abs(g[static_cast<std::size_t>(b)]);
  });
  return out;
}

std::vector<std::string> SparseGate::survivors(const std::vector<std::string>& names) const {
  if (static_cast<std::int64_t>(names.size()) != gate.shape()[0])
    throw ShapeError(text("SparseGate: ", names.size(), " names for ", gate.shape()[0], " features"));
  std::vector<std::string> out;
  for (const std::int64_t i : survivors()) out.push_back(names[static_cast<std::size_t>(i)]);
  return out;
}

}  // namespace weft
