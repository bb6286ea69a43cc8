#include <algorithm>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/layers/serialize.h>
#include <weft/study/dataset.h>
#include <weft/study/inspect_sheet.h>
#include <weft/study/splitting.h>

namespace weft::study {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// "0.encoders.1.hidden.weight" belongs to the layer "0.encoders.1.hidden".
std::string layer_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == name.npos ? name : name.substr(0, dot);
}

/// Layers in the order of the file, and the sum of all numbers.
void add_layers(Sheet& sheet, const TensorFile& file) {
  struct Layer {
    std::string shapes;
    std::int64_t numbers = 0, bytes = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Layer> layers;
  std::int64_t numbers = 0;
  for (const auto& [name, x] : file.tensors) {
    const std::string layer = layer_of(name);
    if (!layers.contains(layer)) order.push_back(layer);
    Layer& l = layers[layer];
    const std::string own = layer == name ? "" : name.substr(layer.size() + 1) + " ";
    l.shapes += text(l.shapes.empty() ? "" : ", ", own, x.shape());
    l.numbers += x.numel();
    l.bytes += x.numel() * static_cast<std::int64_t>(size_of(x.dtype()));
    numbers += x.numel();
  }
  add(sheet, "parameters and buffers", numbers);
  Sheet::TableOf t{"layers", {"layer", "numbers", "bytes", "shapes"}, {}};
  for (const std::string& name : order)
    t.rows.push_back(
        {to_value(name), to_value(layers[name].numbers), to_value(layers[name].bytes), to_value(layers[name].shapes)});
  sheet.tables.push_back(std::move(t));
}

void add_study(Sheet& sheet, const Study& study) {
  add(sheet, "name", study.name);
  if (study.title != study.name) add(sheet, "title", study.title);
  if (study.target.empty())
    add(sheet, "target", study.target_files);
  else
    add(sheet, "target", study.target);
  add(sheet, "data", study.data.file.empty() ? study.data.folder : study.data.file);
  add(sheet, "fusion", study.fusion.name);
}

/// Rows, classes, columns and gaps of each modality.
void add_data(Sheet& sheet, const Study& study, const Dataset& dataset) {
  add(sheet, "rows", dataset.rows());
  std::string classes;
  for (std::int64_t c = 0; c < dataset.class_count(); ++c)
    classes +=
        text(c ? ", " : "", dataset.classes[static_cast<std::size_t>(c)], " ", std::ranges::count(dataset.labels, c));
  add(sheet, "classes", classes);
  if (dataset.group) add(sheet, "groups", text(dataset.group->values.size(), " by ", dataset.group->name));
  if (dataset.site) add(sheet, "sites", text(dataset.site->values.size(), " by ", dataset.site->name));
  if (dataset.fixed)
    add(sheet, "given split", text(dataset.fixed->train.size(), " to train, ", dataset.fixed->test.size(), " to test"));
  Sheet::TableOf t{
      "modalities", {"modality", "columns", "of them text", "rows that have it", "missing", "encoder"}, {}};
  for (std::size_t m = 0; m < dataset.evidence.size(); ++m) {
    const auto& columns = dataset.evidence[m].table.columns;
    std::int64_t texts = 0, have = 0, missing = 0;
    for (const data::Column& c : columns) texts += c.categorical;
    for (std::int64_t i = 0; i < dataset.rows(); ++i) {
      std::int64_t gaps = 0;
      for (const data::Column& c : columns) gaps += c.missing(i);
      missing += gaps;
      have += gaps < static_cast<std::int64_t>(columns.size());
    }
    const double rate = static_cast<double>(missing) /
                        std::max(1.0, static_cast<double>(columns.size()) * static_cast<double>(dataset.rows()));
    t.rows.push_back({to_value(dataset.evidence[m].name), to_value(columns.size()), to_value(texts), to_value(have),
                      to_value(rate), to_value(study.modalities[m].encoder.type)});
  }
  sheet.tables.push_back(std::move(t));
}

}  // namespace

Sheet inspect_study(const std::string& path) {
  const Study study = load_study(path);
  Sheet sheet;
  add(sheet, "kind", "study");
  add_study(sheet, study);
  try {
    add_data(sheet, study, load_dataset(study));
  } catch (const MissingData& e) {
    add(sheet, "data are not here", e.reason);
    Sheet::TableOf t{"modalities", {"modality", "encoder"}, {}};
    for (const ModalityConfig& m : study.modalities) t.rows.push_back({to_value(m.name), to_value(m.encoder.type)});
    sheet.tables.push_back(std::move(t));
  }
  return sheet;
}

Sheet inspect_model(const std::string& folder) {
  const std::string path = (fs::path(folder) / "model.json").string();
  const Json in = Json::parse(data::read_file("inspect", path), nullptr, false);
  if (!in.is_object() || !in.contains("weft_model"))
    throw FileError(text("inspect: ", path, " is not a model that weft kept, or not all of it"));
  Sheet sheet;
  add(sheet, "kind", "model");
  try {
    const Study study =
        parse_study(in.at("study_file").get<std::string>(), in.at("study").get<std::string>(), Environment::optional);
    add_study(sheet, study);
    add(sheet, "kept fusion", in.at("fusion").get<std::string>());
    add(sheet, "weft", in.at("version").get<std::string>());
    add(sheet, "seed", in.at("seed").get<std::uint64_t>());
    add(sheet, "classes", in.at("classes").get<std::vector<std::string>>());
    add(sheet, "training rows", in.at("train").size());
    add(sheet, "test rows", in.at("test").size());
    for (const Json& each : in.at("selected"))
      add(sheet, text("selected ", each.at(0).get<std::string>()), each.at(1).get<double>());
    Sheet::TableOf t{"modalities", {"modality", "features", "encoder"}, {}};
    const Preparation preparation = Preparation::from_json(in.at("preparation").get<std::string>());
    for (std::size_t m = 0; m < std::min(study.modalities.size(), preparation.encoders.size()); ++m)
      t.rows.push_back({to_value(study.modalities[m].name), to_value(preparation.encoders[m].feature_names().size()),
                        to_value(study.modalities[m].encoder.type)});
    sheet.tables.push_back(std::move(t));
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("inspect: ", path, " is damaged"));
  }
  const std::string test = (fs::path(folder) / "training.json").string();
  std::error_code ignored;
  if (fs::exists(test, ignored)) {
    const Json training = Json::parse(data::read_file("inspect", test), nullptr, false);
    if (training.is_object() && training.contains("test") && training["test"].is_object())
      for (const auto& [name, figure] : training["test"].items())
        if (figure.is_object() && figure.contains("value") && figure["value"].is_number())
          add(sheet, "test " + name, figure["value"].get<double>());
  }
  add_layers(sheet, load_tensors((fs::path(folder) / "network.safetensors").string()));
  return sheet;
}

Sheet inspect_tensors(const std::string& path) {
  const TensorFile file = load_tensors(path);
  Sheet sheet;
  add(sheet, "kind", "safetensors");
  add(sheet, "tensors", file.tensors.size());
  for (const auto& [key, value] : file.metadata) add(sheet, "says " + key, value);
  add_layers(sheet, file);
  return sheet;
}

}  // namespace weft::study
