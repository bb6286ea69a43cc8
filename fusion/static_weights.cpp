#include <weft/fusion/static_weights.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/tensor/create.h>

namespace weft::fusion {

StaticWeights::StaticWeights(const Options& o) : expected("static", o), projections(fusion::projections(o)) {
  std::vector<double> w = o.weights.empty() ? std::vector<double>(o.names.size(), 1.0) : o.weights;
  if (w.size() != o.names.size())
    throw ConfigError(text("static: ", w.size(), " weights for ", o.names.size(), " modalities"));
  double total = 0;
  for (std::size_t m = 0; m < w.size(); ++m) {
    // With a weight of 0, a sample that has only this modality would have no weights at all.
    if (!(w[m] > 0) || !std::isfinite(w[m]))
      throw ConfigError(text("static: the weight of \"", o.names[m], "\" is ", w[m],
                             "\n  help: choose a number above 0, or leave the modality out"));
    total += w[m];
  }
  for (double& each : w) each /= total;
  given = to(from(w), o.dtype);
}

Fused StaticWeights::operator()(const data::Modalities& encoded) const {
  expected.check("static", encoded);
  Fused fused = begin(encoded.present);
  const Tensor kept = rows_or(expand(given, encoded.present.shape()), encoded.present);  // (B, M)
  const Tensor total = sum(kept, 1, true);
  fused.weights = kept / where(unsqueeze(fused.empty, 1), ones({}, kept.dtype()), total);
  fused.features = weighted_sum(project(projections, encoded), fused.weights);
  return fused;
}

}  // namespace weft::fusion
