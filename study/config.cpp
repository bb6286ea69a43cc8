#include <weft/study/config.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

// The one place that includes it: it costs seconds to compile.
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <weft/data/file.h>
#include <weft/data/metrics.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

using Strings = std::vector<std::string>;

std::string quoted(const Strings& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "\"" : ", \"") + name + '"';
  return out;
}

/// One table of the file. Remembers which keys were asked for, so that finish() can reject the others.
class Section {
 public:
  Section(const toml::table& table, std::string name, std::string file, Environment environment)
      : table_(table), name_(std::move(name)), file_(std::move(file)), environment_(environment) {}

  /// A table inside this one.
  Section inside(const toml::table& table, std::string name) const {
    return {table, std::move(name), file_, environment_};
  }

  Place place() const { return {file_, table_.source().begin.line}; }
  Place place(const toml::node& node) const { return {file_, node.source().begin.line}; }
  Place place(std::string_view key) const {
    const toml::node* node = table_.get(key);
    return node ? place(*node) : place();
  }
  bool has(std::string_view key) const { return table_.contains(key); }
  const std::string& name() const { return name_; }

  const toml::node* find(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }

  std::string string(std::string_view key, std::string fallback = {}) {
    const toml::node* node = find(key);
    if (!node) return fallback;
    return want<std::string>(*node, key, "text in quotes");
  }
  std::string one_of(std::string_view key, const Strings& choices, const std::string& fallback) {
    const std::string value = string(key, fallback);
    if (has(key) && std::ranges::find(choices, value) == choices.end())
      unknown(place(key), std::string(key), value, choices);
    return value;
  }
  bool boolean(std::string_view key, bool fallback) {
    const toml::node* node = find(key);
    return node ? want<bool>(*node, key, "true or false") : fallback;
  }
  double number(std::string_view key, double fallback, double low, double high) {
    const toml::node* node = find(key);
    if (!node) return fallback;
    const double value = real(*node, key);
    if (!(value >= low && value <= high)) out_of_range(*node, key, value, low, high);
    return value;
  }
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
    const toml::node* node = find(key);
    if (!node) return fallback;
    const auto value = want<std::int64_t>(*node, key, "a whole number");
    if (value < low || value > high) out_of_range(*node, key, value, low, high);
    return value;
  }
  /// A text, or a list of texts.
  Strings strings(std::string_view key) {
    const toml::node* node = find(key);
    Strings out;
    if (!node) return out;
    if (!node->is_array()) return {want<std::string>(*node, key, "a text or a list of texts")};
    for (const toml::node& item : *node->as_array()) out.push_back(want<std::string>(item, key, "a list of texts"));
    return out;
  }
  std::vector<std::int64_t> sizes(std::string_view key, std::vector<std::int64_t> fallback) {
    const toml::node* node = find(key);
    if (!node) return fallback;
    if (!node->is_array()) wrong_type(*node, key, "a list of whole numbers");
    std::vector<std::int64_t> out;
    for (const toml::node& item : *node->as_array()) {
      const auto value = want<std::int64_t>(item, key, "a list of whole numbers");
      if (value < 1 || value > 1'000'000) out_of_range(item, key, value, 1, 1'000'000);
      out.push_back(value);
    }
    return out;
  }
  std::vector<double> numbers(std::string_view key) {
    const toml::node* node = find(key);
    std::vector<double> out;
    if (!node) return out;
    if (!node->is_array()) wrong_type(*node, key, "a list of numbers");
    for (const toml::node& item : *node->as_array()) out.push_back(real(item, key));
    return out;
  }
  /// A table inside this one.
  const toml::table* table(std::string_view key) {
    const toml::node* node = find(key);
    if (!node) return nullptr;
    if (!node->is_table()) wrong_type(*node, key, "a table");
    return node->as_table();
  }

  /// A path as it can be opened from here: relative ones begin at the study file, or at [data] folder.
  std::string resolve(const std::string& path, const Place& where, const std::string& folder = {}) const {
    namespace fs = std::filesystem;
    const std::string expanded = expand(path, where);
    if (!unset_name(expanded).empty()) return expanded;
    const fs::path p(expanded);
    const fs::path base = folder.empty() ? fs::path(file_).parent_path() : fs::path(folder);
    return (p.is_absolute() ? p : base / p).lexically_normal().string();
  }

  /// Throws at the first key that nobody asked for.
  void finish() const {
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(known_, key.str()) != known_.end()) continue;
      const Place where{file_, key.source().begin.line ? key.source().begin.line : node.source().begin.line};
      throw ConfigError(text(where.str(), ": unknown key \"", key.str(), "\" in ", name_, closest(key.str(), known_)));
    }
  }

  [[noreturn]] static void unknown(const Place& where, const std::string& what, const std::string& value,
                                   const Strings& choices) {
    throw ConfigError(text(where.str(), ": unknown ", what, " \"", value, "\"", closest(value, choices),
                           "\n  help: choose one of ", quoted(choices)));
  }

 private:
  /// Replaces ${NAME} by the environment.
  std::string expand(const std::string& path, const Place& where) const {
    std::string out;
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t open = path.find("${", at);
      const std::size_t close = open == std::string::npos ? open : path.find('}', open);
      if (close == std::string::npos) return out + path.substr(at);
      const char* value = std::getenv(path.substr(open + 2, close - open - 2).c_str());
      if (!value || !*value) {
        if (environment_ == Environment::optional) return path;
        throw MissingData(where, path);
      }
      out += path.substr(at, open - at) + value;
      at = close + 1;
    }
    return out;
  }
  [[noreturn]] void wrong_type(const toml::node& node, std::string_view key, const char* wanted) const {
    std::ostringstream kind;
    kind << node.type();
    throw ConfigError(text(place(node).str(), ": \"", key, "\" in ", name_, " is ", kind.str(), ", not ", wanted));
  }
  template <class T>
  [[noreturn]] void out_of_range(const toml::node& node, std::string_view key, T value, std::type_identity_t<T> low,
                                 std::type_identity_t<T> high) const {
    throw ConfigError(
        text(place(node).str(), ": \"", key, "\" in ", name_, " is ", value, ", outside ", low, " to ", high));
  }
  template <class T>
  T want(const toml::node& node, std::string_view key, const char* wanted) const {
    const auto value = node.value_exact<T>();
    if (!value) wrong_type(node, key, wanted);
    return *value;
  }
  double real(const toml::node& node, std::string_view key) const {
    if (!node.is_number()) wrong_type(node, key, "a number");
    return *node.value<double>();
  }

  const toml::table& table_;
  std::string name_, file_;
  Environment environment_;
  Strings known_;
};

EncoderConfig read_encoder(Section s) {
  EncoderConfig c;
  c.place = s.place();
  c.type = s.one_of("type", {"mlp", "linear", "identity", "cnn", "cnn1d"}, c.type);
  c.hidden = s.sizes("hidden", c.hidden);
  c.dropout = s.number("dropout", c.dropout, 0, 0.99);
  c.norm = s.one_of("norm", {"none", "layer", "batch"}, c.norm);
  c.shape = s.sizes("shape", {});
  s.finish();
  return c;
}

/// Whether a name in the study means an array and not a column of the CSV.
bool is_array(const std::string& name) { return name.ends_with(".npy") || name.find(".npz:") != std::string::npos; }

/// A column, or NPY files as they can be opened from here.
Strings column_or_files(Section& s, std::string_view key, const DataConfig& data) {
  Strings names = s.strings(key);
  const bool files = data.file.empty() || std::ranges::all_of(names, is_array);
  if (!files && names.size() > 1)
    throw ConfigError(text(s.place(key).str(), ": \"", key, "\" names ", names.size(), " columns, not one"));
  if (files)
    for (std::string& name : names) name = s.resolve(name, s.place(key), data.folder);
  return names;
}

ModalityConfig read_modality(Section s, const DataConfig& data, const std::optional<EncoderConfig>& encoder) {
  ModalityConfig c;
  c.place = s.place();
  c.name = s.string("name");
  if (c.name.empty()) throw ConfigError(text(c.place.str(), ": a [[modality]] needs a name"));
  c.columns = s.strings("columns");
  c.columns_place = s.place("columns");
  c.rest = s.boolean("rest", false);
  c.exclude = s.strings("exclude");
  c.categorical = s.strings("categorical");
  c.files = s.strings(s.has("file") ? "file" : "files");
  c.feature_names = s.string("feature_names");
  c.standardize = s.boolean("standardize", c.standardize);
  c.indicators = s.boolean("indicators", c.indicators);
  c.zero_missing = s.strings("zero_missing");
  c.clip = s.numbers("clip");
  if (!c.clip.empty() && (c.clip.size() != 2 || !(c.clip[0] < c.clip[1])))
    throw ConfigError(text(s.place("clip").str(), ": \"clip\" in [[modality]] takes the least and the largest value"));
  c.log = s.boolean("log", false);
  c.quality = column_or_files(s, "quality", data);
  c.quality_place = s.place("quality");
  if (encoder) c.encoder = *encoder;
  if (const toml::table* t = s.table("encoder")) c.encoder = read_encoder(s.inside(*t, "encoder of \"" + c.name + '"'));
  s.finish();
  const int ways = !c.columns.empty() + c.rest + !c.files.empty();
  if (ways != 1)
    throw ConfigError(
        text(c.place.str(), ": modality \"", c.name, "\" needs exactly one of columns, rest = true, files"));
  if (c.files.empty() && data.file.empty())
    throw ConfigError(text(c.place.str(), ": modality \"", c.name, "\" takes columns, but [data] names no CSV file"));
  for (std::string& f : c.files) f = s.resolve(f, c.place, data.folder);
  if (!c.feature_names.empty()) c.feature_names = s.resolve(c.feature_names, c.place, data.folder);
  return c;
}

DataConfig read_data(Section s) {
  DataConfig c;
  c.place = s.place();
  const std::string folder = s.string("folder");
  if (!folder.empty()) c.folder = s.resolve(folder, s.place("folder"));
  const std::string file = s.string("file");
  if (!file.empty()) c.file = s.resolve(file, s.place("file"), c.folder);
  c.source_place = s.place(s.has("file") ? "file" : "folder");
  c.exclude = s.strings("exclude");
  c.missing = s.strings("missing");
  const std::string separator = s.string("separator", ",");
  if (separator.size() != 1 || std::string_view("\"\r\n").find(separator[0]) != std::string_view::npos)
    throw ConfigError(text(s.place("separator").str(), ": the separator is \"", separator,
                           "\"\n  help: give one letter, such as \";\" or \"\\t\""));
  c.separator = separator[0];
  c.decimal = s.one_of("decimal", {".", ","}, ".")[0];
  if (c.decimal == c.separator)
    throw ConfigError(text(s.place("decimal").str(), ": separator and decimal are both \"", c.decimal, '"'));
  c.header = s.boolean("header", true);
  c.skip_lines = s.integer("skip_lines", 0, 0, 1'000'000);
  c.split_column = s.string("split_column");
  c.fixed_split = s.boolean("fixed_split", false);
  s.finish();
  return c;
}

SplitConfig read_split(Section s, const DataConfig& data) {
  SplitConfig c;
  c.place = s.place();
  c.group = column_or_files(s, "group", data);
  c.site = column_or_files(s, "site", data);
  c.time = column_or_files(s, "time", data);
  if (s.has("file")) c.file = s.resolve(s.string("file"), s.place("file"));
  c.kind = s.one_of("kind", {"stratified", "grouped", "site", "time", "file"},
                    !c.file.empty()   ? "file"
                    : !c.site.empty() ? "site"
                    : !c.time.empty() ? "time"
                    : c.group.empty() ? "stratified"
                                      : "grouped");
  c.duplicates = s.one_of("duplicates", {"refuse", "together", "allow"}, c.duplicates);
  c.trusted = s.strings("trusted");
  const auto needs = [&](const char* kind, bool there, const char* key) {
    if (c.kind == kind && !there)
      throw ConfigError(text(s.place("kind").str(), ": [split] is of kind \"", kind, "\", but names no ", key));
  };
  needs("grouped", !c.group.empty(), "group");
  needs("site", !c.site.empty(), "site");
  needs("time", !c.time.empty(), "time");
  needs("file", !c.file.empty(), "file");
  if (c.kind == "stratified" && !c.group.empty())
    throw ConfigError(text(s.place("kind").str(),
                           ": [split] is of kind \"stratified\", which would tear the groups that it names apart\n"
                           "  help: use \"grouped\", which keeps the classes' shares as far as groups allow"));
  s.finish();
  return c;
}

SelectConfig read_select(Section s) {
  SelectConfig c;
  c.place = s.place();
  std::size_t combinations = 1;
  for (const std::string& key : selectable_keys()) {
    if (!s.has(key)) continue;
    const std::vector<double> values = s.numbers(key);
    if (values.empty()) throw ConfigError(text(s.place(key).str(), ": \"", key, "\" in [select] has no values"));
    combinations *= values.size();
    c.grid.emplace_back(key, values);
  }
  // One that is there but not listed above is reported with the nearest name.
  for (const std::string& key : selectable_keys()) s.find(key);
  s.finish();
  if (combinations > 1000)
    throw ConfigError(text(c.place.str(), ": [select] has ", combinations, " combinations, more than 1000"));
  return c;
}

FusionConfig read_fusion(Section s) {
  FusionConfig c;
  c.place = s.has("name") ? s.place("name") : s.place();
  c.name = s.string("name", c.name);
  if (std::ranges::find(fusion_names(), c.name) == fusion_names().end())
    Section::unknown(c.place, "fusion", c.name, fusion_names());
  c.width = s.integer("width", c.width, 1, 65536);
  c.head = s.sizes("head", c.head);
  c.dropout = s.number("dropout", c.dropout, 0, 0.99);
  c.hidden = s.integer("hidden", c.hidden, 1, 65536);
  c.temperature = s.number("temperature", c.temperature, 1e-3, 1e3);
  c.weights = s.numbers("weights");
  c.layers = s.integer("layers", c.layers, 1, 1000);
  c.heads = s.integer("heads", c.heads, 1, 65536);
  c.rank = s.integer("rank", c.rank, 1, 65536);
  c.factor_width = s.integer("factor_width", c.factor_width, 0, 65535);
  c.relevance = s.numbers("relevance");
  c.confidence_share = s.number("confidence_share", c.confidence_share, 0, 1);
  c.auxiliary_weight = s.number("auxiliary_weight", c.auxiliary_weight, 1e-6, 1e6);
  c.confidence_weight = s.number("confidence_weight", c.confidence_weight, 0, 1e6);
  c.quality_weight = s.number("quality_weight", c.quality_weight, 0, 1e6);
  c.sparsity_weight = s.number("sparsity_weight", c.sparsity_weight, 0, 1e6);
  c.ranking_weight = s.number("ranking_weight", c.ranking_weight, 0, 1e6);
  c.annealing = s.number("annealing", c.annealing, 0, 1);
  c.balance_weight = s.number("balance_weight", c.balance_weight, 0, 1e6);
  c.context = s.boolean("context", c.context);
  if (c.width % c.heads != 0)
    throw ConfigError(
        text(s.place("heads").str(), ": [fusion] has width ", c.width, ", which is not a multiple of heads ", c.heads));
  s.finish();
  return c;
}

std::string read_metric(Section& s, const std::string& fallback) {
  Strings names;
  for (const data::NamedMetric& m : data::metrics()) names.push_back(m.name);
  return s.one_of("metric", names, fallback);
}

TrainConfig read_train(Section s) {
  TrainConfig c;
  c.place = s.place();
  c.loss = s.one_of("loss", {"cross_entropy"}, c.loss);
  c.label_smoothing = s.number("label_smoothing", c.label_smoothing, 0, 0.99);
  c.balanced = s.boolean("balanced", c.balanced);
  c.optimizer = s.one_of("optimizer", {"sgd", "adam", "adamw"}, c.optimizer);
  c.lr = s.number("lr", c.lr, 1e-12, 1e6);
  c.momentum = s.number("momentum", c.momentum, 0, 1);
  c.weight_decay = s.number("weight_decay", c.weight_decay, 0, 1e6);
  c.l1 = s.number("l1", c.l1, 0, 1e6);
  c.schedule = s.one_of("schedule", {"constant", "cosine", "step"}, c.schedule);
  c.step_size = s.integer("step_size", c.step_size, 1, 1'000'000);
  c.gamma = s.number("gamma", c.gamma, 0, 1);
  c.epochs = s.integer("epochs", c.epochs, 1, 1'000'000);
  c.batch = s.integer("batch", c.batch, 1, 1'000'000'000);
  c.clip = s.number("clip", c.clip, 0, 1e9);
  c.patience = s.integer("patience", c.patience, 1, 1'000'000);
  c.validation = s.number("validation", c.validation, 0.01, 0.9);
  c.folds = s.integer("folds", c.folds, 0, 1000);
  if (c.folds == 1)
    throw ConfigError(text(s.place("folds").str(), ": \"folds\" in [train] is 1: give 2 or more, or leave it out"));
  c.metric = read_metric(s, "");
  c.degradation = s.number("degradation", c.degradation, 0, 1);
  c.average = s.number("average", c.average, 0, 0.9999);
  c.modality_dropout = s.number("modality_dropout", c.modality_dropout, 0, 1);
  c.seed = static_cast<std::uint64_t>(s.integer("seed", 0, 0, INT64_MAX));
  s.finish();
  return c;
}

Strings known_only(Section& s, std::string_view key, const std::string& what, const Strings& choices) {
  Strings values = s.strings(key);
  for (const std::string& value : values)
    if (std::ranges::find(choices, value) == choices.end()) Section::unknown(s.place(key), what, value, choices);
  return values;
}

CompareConfig read_compare(Section s, const DataConfig& data) {
  CompareConfig c;
  c.place = s.place();
  c.fusions = known_only(s, "fusions", "fusion", fusion_names());
  c.committee = s.boolean("committee", c.committee);
  c.baselines = known_only(s, "baselines", "baseline", baseline_names());
  c.reference = s.one_of("reference", {"l1", "l2", "late_l2", "late_cv"}, c.reference);
  c.splits = s.integer("splits", c.splits, 2, 100'000);
  c.seeds = s.integer("seeds", c.seeds, 1, 1000);
  c.given_seeds = s.integer("given_seeds", c.given_seeds, 0, 1000);
  c.subgroups = s.strings("subgroups");
  for (std::string& name : c.subgroups)
    if (is_array(name)) name = s.resolve(name, s.place("subgroups"), data.folder);
  c.refer = s.number("refer", c.refer, 0.01, 0.99);
  c.test = s.number("test", c.test, 0.01, 0.9);
  c.metric = read_metric(s, "roc_auc");
  c.level = s.number("level", c.level, 0.5, 0.9999);
  s.finish();
  return c;
}

}  // namespace

Study parse_study(const std::string& source, const std::string& path, Environment environment) {
  toml::table root;
  try {
    root = toml::parse(source, path);
  } catch (const toml::parse_error& e) {
    std::string what(e.description());
    if (!what.empty() && what[0] >= 'A' && what[0] <= 'Z') what[0] = static_cast<char>(what[0] - 'A' + 'a');
    throw ConfigError(text(path, ":", e.source().begin.line, ": not TOML: ", what));
  }
  Section top(root, "the study file", path, environment);
  static const toml::table none;
  const auto section = [&](std::string_view key) {
    const toml::table* t = top.table(key);
    return top.inside(t ? *t : none, text('[', key, ']'));
  };

  Study study;
  study.place = {path, 0};
  study.source = source;
  if (!top.has("study")) throw ConfigError(text(path, ": there is no [study] table with name and target"));
  Section head = section("study");
  study.name = head.string("name", std::filesystem::path(path).stem().string());
  if (study.name.empty() || study.name == "." || study.name == ".." || study.name.find('/') != std::string::npos)
    throw ConfigError(text(head.place("name").str(), ": a folder cannot be called \"", study.name,
                           "\"\n  help: name the study by letters, figures and dashes, and its heading with title"));
  study.title = head.string("title", study.name);
  study.task = head.one_of("task", {"classification"}, study.task);
  study.positive = head.string("positive");
  study.target_place = head.place("target");
  study.positive_place = head.place("positive");
  study.classes_place = head.place("classes");
  if (!head.has("target"))
    throw ConfigError(text(head.place().str(), ": [study] needs a target: a column, or a list of NPY files"));
  const Strings target = head.strings("target");
  study.leave_out = head.strings("leave_out");
  study.follow_up = head.string("follow_up");
  study.horizon = head.number("horizon", 0, 1e-9, 1e9);
  if (study.follow_up.empty() != (study.horizon == 0))
    throw ConfigError(text(head.place().str(), ": follow_up and horizon in [study] go together"));
  if (const toml::table* names = head.table("classes"))
    for (const auto& [key, node] : *names) {
      if (!node.is_string())
        throw ConfigError(text(head.place(node).str(), ": the name of class \"", key.str(), "\" is not text"));
      study.class_names[std::string(key.str())] = **node.as_string();
    }
  head.finish();

  study.data = read_data(section("data"));
  if (study.data.file.empty() || std::ranges::all_of(target, is_array)) {
    for (const std::string& f : target)
      study.target_files.push_back(top.resolve(f, study.target_place, study.data.folder));
  } else if (target.size() != 1) {
    throw ConfigError(text(study.target_place.str(), ": \"target\" names ", target.size(), " columns, not one"));
  } else {
    study.target = target.front();
  }

  std::optional<EncoderConfig> encoder;
  if (top.has("encoder")) encoder = read_encoder(section("encoder"));
  const toml::node* modalities = top.find("modality");
  if (!modalities) throw ConfigError(text(path, ": there is no [[modality]]"));
  if (!modalities->is_array_of_tables())
    throw ConfigError(text(top.place(*modalities).str(), ": write [[modality]] with two brackets, once per modality"));
  for (const toml::node& node : *modalities->as_array()) {
    study.modalities.push_back(read_modality(top.inside(*node.as_table(), "[[modality]]"), study.data, encoder));
    const ModalityConfig& last = study.modalities.back();
    for (std::size_t i = 0; i + 1 < study.modalities.size(); ++i) {
      if (study.modalities[i].name == last.name)
        throw ConfigError(text(last.place.str(), ": there are two modalities \"", last.name, "\""));
      if (study.modalities[i].rest && last.rest)
        throw ConfigError(text(last.place.str(), ": \"", study.modalities[i].name, "\" and \"", last.name,
                               "\" both take the rest of the columns"));
    }
  }

  study.fusion = read_fusion(section("fusion"));
  study.train = read_train(section("train"));
  study.split = read_split(section("split"), study.data);
  study.select = read_select(section("select"));
  study.compare = read_compare(section("compare"), study.data);
  if (study.train.metric.empty()) study.train.metric = study.compare.metric;
  if (!study.fusion.weights.empty() && study.fusion.weights.size() != study.modalities.size())
    throw ConfigError(text(study.fusion.place.str(), ": [fusion] gives ", study.fusion.weights.size(), " weights for ",
                           study.modalities.size(), " modalities"));
  for (std::size_t m = 0; m < study.fusion.weights.size(); ++m)
    if (!(study.fusion.weights[m] > 0 && std::isfinite(study.fusion.weights[m])))
      throw ConfigError(text(study.fusion.place.str(), ": [fusion] gives \"", study.modalities[m].name,
                             "\" the weight ", study.fusion.weights[m],
                             "\n  help: choose a number above 0, or leave the modality out"));
  const std::vector<double>& relevance = study.fusion.relevance;
  if (!relevance.empty() && relevance.size() != study.modalities.size())
    throw ConfigError(text(study.fusion.place.str(), ": [fusion] gives ", relevance.size(),
                           " numbers of relevance for ", study.modalities.size(), " modalities"));
  for (std::size_t m = 0; m < relevance.size(); ++m)
    if (!(relevance[m] >= 0 && relevance[m] <= 1))
      throw ConfigError(text(study.fusion.place.str(), ": [fusion] gives \"", study.modalities[m].name,
                             "\" the relevance ", relevance[m], "\n  help: choose a number from 0 to 1"));
  for (const auto& [key, values] : study.select.grid)
    for (const double value : values) {
      Study trial = study;
      set_selectable(trial, key, value);
    }
  top.finish();
  return study;
}

Study load_study(const std::string& path) { return parse_study(data::read_file("study", path), path); }

}  // namespace weft::study
