#include <weft/fusion/concatenate.h>

#include <numeric>

namespace weft::fusion {

Concatenate::Concatenate(const Options& o)
    : expected("concat", o),
      absent(absent_vectors(o)),
      mix({.in_features = std::accumulate(o.widths.begin(), o.widths.end(), std::int64_t{0}),
           .out_features = o.width,
           .dtype = o.dtype}) {}

Fused Concatenate::operator()(const data::Modalities& encoded) const {
  expected.check("concat", encoded);
  Fused fused = begin(encoded.present);
  fused.features = mix(joint(encoded, absent));  // (B, D)
  return fused;
}

}  // namespace weft::fusion
