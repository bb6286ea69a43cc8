#include <weft/fusion/baselines.h>

#include <algorithm>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::fusion {
namespace {

std::int64_t index_of(const Expected& expected, const std::string& wanted) {
  if (wanted.empty()) return 0;
  const auto at = std::find(expected.names.begin(), expected.names.end(), wanted);
  if (at == expected.names.end())
    throw ConfigError(text("single: there is no modality \"", wanted, "\"", closest(wanted, expected.names)));
  return at - expected.names.begin();
}

}  // namespace

Mean::Mean(const Options& o) : expected("mean", o), projections(fusion::projections(o)) {}

Fused Mean::operator()(const data::Modalities& encoded) const {
  expected.check("mean", encoded);
  Fused fused = begin(encoded.present);
  fused.weights = even_weights(encoded.present, projections.front().weight.dtype());
  fused.features = weighted_sum(project(projections, encoded), fused.weights);
  return fused;
}

Single::Single(const Options& o)
    : expected("single", o),
      index(index_of(expected, o.modality)),
      projection(
          {.in_features = o.widths[static_cast<std::size_t>(index)], .out_features = o.width, .dtype = o.dtype}) {}

Fused Single::operator()(const data::Modalities& encoded) const {
  expected.check("single", encoded);
  const auto m = static_cast<std::size_t>(index);
  const Tensor who = who_has(encoded.present, m);                                             // (B, 1)
  const Tensor chosen = eq(arange(0, static_cast<double>(expected.count())), Scalar(index));  // (M,)
  Fused fused = begin(encoded.present);
  fused.empty = logical_not(squeeze(who, 1));
  fused.weights = to(logical_and(encoded.present, chosen), projection.weight.dtype());
  fused.features = rows_or(projection(rows_or(encoded.features[m], who)), who);
  return fused;
}

}  // namespace weft::fusion
