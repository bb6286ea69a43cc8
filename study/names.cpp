#include <weft/study/config.h>

namespace weft::study {

const std::vector<std::string>& fusion_names() {
  static const std::vector<std::string> names = {"concat", "late", "static", "softmax", "gate", "attention"};
  return names;
}

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"single", "l2", "l1", "late_l2", "late_cv"};
  return names;
}

}  // namespace weft::study
