#include <weft/fusion/joint_attention.h>

#include <numeric>

namespace weft::fusion {

JointAttention::JointAttention(const Options& o)
    : expected("attention", o),
      projections(fusion::projections(o)),
      absent(absent_vectors(o)),
      scores({.in_features = std::accumulate(o.widths.begin(), o.widths.end(), std::int64_t{0}),
              .out_features = static_cast<std::int64_t>(o.names.size()),
              .dtype = o.dtype}),
      temperature(checked_temperature("attention", o)) {}

Fused JointAttention::operator()(const data::Modalities& encoded) const {
  expected.check("attention", encoded);
  Fused fused = begin(encoded.present);
  fused.weights = weigh(scores(joint(encoded, absent)), encoded.present, temperature);  // (B, M)
  fused.features = weighted_sum(project(projections, encoded), fused.weights);          // (B, D)
  return fused;
}

}  // namespace weft::fusion
