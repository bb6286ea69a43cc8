#pragma once
#include <cstdint>
#include <vector>

#include <weft/tensor/random.h>
#include <weft/tensor/tensor.h>

namespace weft::data {

struct MaskingOptions {
  std::int64_t mask;                  ///< the id of [MASK]
  std::int64_t vocabulary;            ///< how many ids there are
  std::vector<std::int64_t> never{};  ///< ids that are never chosen: [PAD], [CLS], [SEP]
  double probability = 0.15;          ///< of being chosen; of those chosen ...
  double masked = 0.8;                ///< ... this share becomes [MASK],
  double random = 0.1;                ///< this one any token, and the rest stays as it is
};
struct MaskedTokens {
  Tensor ids;
  Tensor labels;  ///< what a chosen token was, -100 elsewhere
};
/// Tokens (B, T) int64 changed for masked-language training: a model has to say what the chosen ones were, and does not
/// know which were chosen. Throws DtypeError for other types, ConfigError for probabilities outside [0, 1] and a mask
/// outside of the vocabulary. Devlin et al. (2019).
MaskedTokens mask_tokens(const Tensor& ids, const MaskingOptions& options, Generator& generator = default_generator());

}  // namespace weft::data
