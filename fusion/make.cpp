#include <weft/fusion/baselines.h>
#include <weft/fusion/concatenate.h>
#include <weft/fusion/confidence_gates.h>
#include <weft/fusion/fusion.h>
#include <weft/fusion/joint_attention.h>
#include <weft/fusion/late.h>
#include <weft/fusion/learned_weights.h>
#include <weft/fusion/static_weights.h>
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
