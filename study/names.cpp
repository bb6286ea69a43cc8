#include <cmath>
#include <cstdlib>

#include <weft/fusion/fusion.h>
#include <weft/study/config.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

std::string help_for(const std::string& path) {
  const std::string name = unset_name(path);
  return name.empty() ? "" : text("set ", name, " to the folder that holds the data sets");
}

}  // namespace

std::string unset_name(const std::string& path) {
  for (std::size_t open = path.find("${"); open != std::string::npos; open = path.find("${", open + 1)) {
    const std::size_t close = path.find('}', open);
    if (close == std::string::npos) break;
    std::string name = path.substr(open + 2, close - open - 2);
    if (const char* value = std::getenv(name.c_str()); !value || !*value) return name;
  }
  return {};
}

MissingData::MissingData(const Place& where, const std::string& missing)
    : FileError(text(where.str(), ": data not found: ", missing,
                     unset_name(missing).empty() ? "" : "\n  help: ", help_for(missing))),
      reason(text("data not found: ", missing)) {
  if (const std::string help = help_for(missing); !help.empty()) reason += text(" (", help, ")");
}

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

namespace {

/// A setting, where it is, and what it may be: the ranges are those of its own key in [fusion], [train] or [encoder].
struct Selectable {
  const char* key;
  double low, high;
  bool whole;
  void (*set)(Study&, double);
};

constexpr Selectable selectable[] = {
    {"lr", 1e-12, 1e6, false, [](Study& s, double v) { s.train.lr = v; }},
    {"weight_decay", 0, 1e6, false, [](Study& s, double v) { s.train.weight_decay = v; }},
    {"l1", 0, 1e6, false, [](Study& s, double v) { s.train.l1 = v; }},
    {"epochs", 1, 1e6, true, [](Study& s, double v) { s.train.epochs = std::llround(v); }},
    {"batch", 1, 1e9, true, [](Study& s, double v) { s.train.batch = std::llround(v); }},
    {"average", 0, 0.9999, false, [](Study& s, double v) { s.train.average = v; }},
    {"degradation", 0, 1, false, [](Study& s, double v) { s.train.degradation = v; }},
    {"modality_dropout", 0, 1, false, [](Study& s, double v) { s.train.modality_dropout = v; }},
    {"label_smoothing", 0, 0.99, false, [](Study& s, double v) { s.train.label_smoothing = v; }},
    {"width", 1, 65536, true, [](Study& s, double v) { s.fusion.width = std::llround(v); }},
    {"dropout", 0, 0.99, false, [](Study& s, double v) { s.fusion.dropout = v; }},
    {"encoder_dropout", 0, 0.99, false,
     [](Study& s, double v) {
       for (ModalityConfig& m : s.modalities) m.encoder.dropout = v;
     }},
    {"temperature", 1e-3, 1e3, false, [](Study& s, double v) { s.fusion.temperature = v; }},
};

}  // namespace

const std::vector<std::string>& selectable_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> all;
    for (const Selectable& one : selectable) all.emplace_back(one.key);
    return all;
  }();
  return keys;
}

void set_selectable(Study& study, const std::string& key, double value) {
  for (const Selectable& one : selectable) {
    if (key != one.key) continue;
    if (!(value >= one.low && value <= one.high) || (one.whole && value != std::floor(value)))
      throw ConfigError(text(study.select.place.str(), ": \"", key, "\" in [select] is ", value, ", not ",
                             one.whole ? "a whole number" : "a number", " from ", one.low, " to ", one.high));
    one.set(study, value);
    if (study.fusion.width % study.fusion.heads != 0)
      throw ConfigError(text(study.select.place.str(), ": [select] tries width ", study.fusion.width,
                             ", which is not a multiple of heads ", study.fusion.heads));
    return;
  }
  throw ConfigError(text("select: there is no setting \"", key, "\"", closest(key, selectable_keys())));
}

}  // namespace weft::study
