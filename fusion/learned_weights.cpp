#include <weft/fusion/learned_weights.h>

#include <weft/tensor/create.h>

namespace weft::fusion {

LearnedWeights::LearnedWeights(const Options& o)
    : expected("softmax", o),
      projections(fusion::projections(o)),
      theta(zeros({static_cast<std::int64_t>(o.names.size())}, o.dtype).set_requires_grad()),
      temperature(checked_temperature("softmax", o)) {}

Fused LearnedWeights::operator()(const data::Modalities& encoded) const {
  expected.check("softmax", encoded);
  Fused fused = begin(encoded.present);
  fused.weights = weigh(theta, encoded.present, temperature);
  fused.features = weighted_sum(project(projections, encoded), fused.weights);
  return fused;
}

}  // namespace weft::fusion
