#include <weft/fusion/outer.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {
namespace {

double products(std::int64_t k, std::size_t modalities) {
  return std::pow(static_cast<double>(k + 1), static_cast<double>(modalities));
}

std::int64_t checked_factor_width(const Options& o) {
  at_least("tensor", "factor_width", o.factor_width, 0);
  constexpr double usual = 4096, most = 65536;
  const std::size_t count = o.names.size();
  if (o.factor_width == 0) {
    for (std::int64_t k = 8; k > 0; --k)
      if (products(k, count) <= usual) return k;
    throw ConfigError(text("tensor: ", count, " modalities make ", products(1, count), " products and more, ", usual,
                           " are the limit\n  help: choose fewer modalities, or \"lowrank\""));
  }
  if (const double all = products(o.factor_width, count); all > most)
    throw ConfigError(text("tensor: ", count, " modalities with factor_width ", o.factor_width, " make ", all,
                           " products, ", most,
                           " are the limit\n  help: choose a smaller factor_width, or \"lowrank\""));
  return o.factor_width;
}

}  // namespace

OuterProduct::OuterProduct(const Options& o)
    : expected("tensor", o),
      mix({.in_features = static_cast<std::int64_t>(products(checked_factor_width(o), o.names.size())),
           .out_features = o.width,
           .dtype = o.dtype}) {
  for (const std::int64_t width : o.widths)
    parts.push_back(Linear({.in_features = width, .out_features = checked_factor_width(o), .dtype = o.dtype}));
}

Fused OuterProduct::operator()(const data::Modalities& encoded) const {
  expected.check("tensor", encoded);
  Fused fused = begin(encoded.present);
  const std::int64_t batch = encoded.batch();
  const Tensor one = ones({batch, 1}, mix.weight.dtype());
  Tensor all = one;
  for (std::size_t m = 0; m < parts.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    const Tensor z = cat({rows_or(parts[m](rows_or(encoded.features[m], who)), who), one}, 1);  // (B, k + 1)
    all = reshape(unsqueeze(all, 2) * unsqueeze(z, 1), {batch, all.size(1) * z.size(1)});
  }
  fused.features = mix(all);  // (B, D)
  return fused;
}

LowRank::LowRank(const Options& o) : expected("lowrank", o) {
  at_least("lowrank", "rank", o.rank, 1);
  for (const std::int64_t width : o.widths) {
    factors.push_back(Linear({.in_features = width, .out_features = o.rank * o.width, .dtype = o.dtype}));
    factors.back().bias = ones({o.rank * o.width}, o.dtype).set_requires_grad();
  }
  scale = full({o.rank}, 1 / static_cast<double>(o.rank), o.dtype).set_requires_grad();
  bias = zeros({o.width}, o.dtype).set_requires_grad();
}

Fused LowRank::operator()(const data::Modalities& encoded) const {
  expected.check("lowrank", encoded);
  Fused fused = begin(encoded.present);
  const Tensor neutral = ones({}, bias.dtype());
  Tensor product = neutral;
  for (std::size_t m = 0; m < factors.size(); ++m) {
    const Tensor who = who_has(encoded.present, m);
    product = product * rows_or(factors[m](rows_or(encoded.features[m], who)), who, neutral);  // (B, R D)
  }
  const Tensor by_rank = reshape(product, {encoded.batch(), scale.size(0), bias.size(0)});  // (B, R, D)
  const Tensor mixed = sum(by_rank * unsqueeze(scale, 1), 1);
  // The empty product is 1, which would pass for evidence.
  fused.features = rows_or(mixed, logical_not(unsqueeze(fused.empty, 1))) + bias;  // (B, D)
  return fused;
}

}  // namespace weft::fusion
