#include <weft/fusion/fusion.h>
#include <weft/study/config.h>

namespace weft::study {

const std::vector<std::string>& fusion_names() {
  // One modality alone is not a way to fuse: studies have baselines for that.
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = fusion::names();
    std::erase(all, "single");
    return all;
  }();
  return names;
}

const std::vector<std::string>& baseline_names() {
  static const std::vector<std::string> names = {"single", "l2", "l1", "late_l2", "late_cv"};
  return names;
}

}  // namespace weft::study
