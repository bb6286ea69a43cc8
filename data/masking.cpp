#include <weft/data/masking.h>

#include <algorithm>

#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::data {

MaskedTokens mask_tokens(const Tensor& ids, const MaskingOptions& o, Generator& generator) {
  if (ids.dtype() != DType::int64)
    throw DtypeError(text("mask_tokens: ids are ", ids.dtype(), "\n  help: convert them with to(ids, DType::int64)"));
  const auto share = [](double p) { return p >= 0 && p <= 1; };
  if (!share(o.probability) || !share(o.masked) || !share(o.random) || o.masked + o.random > 1 + 1e-12)
    throw ConfigError(text("mask_tokens: probability ", o.probability, ", masked ", o.masked, ", random ", o.random,
                           "\n  help: each is from 0 to 1, the last two together at most 1"));
  if (o.mask < 0 || o.mask >= o.vocabulary)
    throw ConfigError(text("mask_tokens: the mask ", o.mask, " is outside of the vocabulary of ", o.vocabulary));
  MaskedTokens out{kernels::copy(ids), full(ids.shape(), -100, DType::int64)};
  auto *id = out.ids.mutable_data<std::int64_t>(), *label = out.labels.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    // As many draws for each token, so that one change moves no other.
    const double chosen = generator.uniform(), what = generator.uniform();
    const std::int64_t other = generator.below(o.vocabulary);
    if (chosen >= o.probability || std::find(o.never.begin(), o.never.end(), id[i]) != o.never.end()) continue;
    label[i] = id[i];
    if (what < o.masked)
      id[i] = o.mask;
    else if (what < o.masked + o.random)
      id[i] = other;
  }
  return out;
}

}  // namespace weft::data
