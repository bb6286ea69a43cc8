#include <weft/fusion/baselines.h>
#include <weft/fusion/concatenate.h>
#include <weft/fusion/confidence_gates.h>
#include <weft/fusion/decisions.h>
#include <weft/fusion/evidential.h>
#include <weft/fusion/fusion.h>
#include <weft/fusion/gated.h>
#include <weft/fusion/joint_attention.h>
#include <weft/fusion/late.h>
#include <weft/fusion/learned_weights.h>
#include <weft/fusion/outer.h>
#include <weft/fusion/relevance.h>
#include <weft/fusion/static_weights.h>
#include <weft/fusion/tokens.h>
#include <weft/fusion/trusted.h>
#include <weft/tensor/names.h>

namespace weft::fusion {
namespace {

struct Entry {
  const char* name;
  const char* description;
  Fusion (*make)(const Options& options, const char* name);
};

template <class Method>
Fusion build(const Options& options, const char* name) {
  return Fusion(Method(options), name);
}

/// Every method: a new one is one line here.
constexpr Entry table[] = {
    {"concat", "all features side by side", build<Concatenate>},
    {"late", "the mean of each modality's decision", build<Late>},
    {"mean", "the mean in a shared space", build<Mean>},
    {"static", "weights chosen beforehand", build<StaticWeights>},
    {"softmax", "one learned weight per modality", build<LearnedWeights>},
    {"gate", "weights per sample from each modality's confidence", build<ConfidenceGates>},
    {"attention", "weights per sample from all features together", build<JointAttention>},
    {"gated", "gates on each feature, and Transformer layers between them", build<GatedAlignment>},
    {"vote", "a weighted vote of each modality's decision", build<Vote>},
    {"product", "the product of each modality's decision, the prior taken out", build<Product>},
    {"query", "attention of a learned query over the modalities", build<LearnedQuery>},
    {"cross", "cross-attention between the modalities", build<CrossAttention>},
    {"transformer", "a Transformer over the modalities", build<TokenTransformer>},
    {"lowrank", "products of all modalities, of low rank", build<LowRank>},
    {"tensor", "all products of all modalities", build<OuterProduct>},
    {"relevance", "weights from the quality of the data and their relevance", build<Relevance>},
    {"dynamics", "gates on features and confidence per modality", build<Dynamics>},
    {"energy", "decisions weighed by their free energy", build<Energy>},
    {"evidential", "Dempster's rule for the evidence of each modality", build<Evidential>},
    {"experts", "a mixture of experts, one per modality", build<Experts>},
    {"single", "one modality alone", build<Single>},
};

const Entry& find(std::string_view name) {
  for (const Entry& each : table)
    if (name == each.name) return each;
  throw ConfigError(text("fusion: there is no \"", name, "\"", closest(name, names())));
}

}  // namespace

Fusion make(std::string_view name, const Options& options) {
  const Entry& entry = find(name);
  return entry.make(options, entry.name);
}

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const Entry& each : table) list.push_back(each.name);
    return list;
  }();
  return all;
}

std::string_view description(std::string_view name) { return find(name).description; }

const Fusion::Any& Fusion::held() const {
  if (!held_) throw Error("fusion: there is no method\n  help: make one with fusion::make(name, options)");
  return *held_;
}

}  // namespace weft::fusion
