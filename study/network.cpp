#include <weft/study/network.h>

namespace weft::study {

Methods make_fusions(const Study&) { return {}; }

std::unique_ptr<Method> make_fusion(const Study&, const std::string& name) {
  throw ConfigError(text("train: fusion \"", name, "\" is not part of this build"));
}

std::unique_ptr<Fitted> load_fitted(const Study&, const std::string& fusion, const std::string&) {
  throw ConfigError(text("load: fusion \"", fusion, "\" is not part of this build"));
}

}  // namespace weft::study
