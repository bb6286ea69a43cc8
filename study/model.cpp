#include <weft/study/model.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <weft/data/file.h>
#include <weft/study/checksum.h>
#include <weft/study/network.h>
#include <weft/study/version.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;

std::string within(const std::string& folder, const char* file) {
  return (std::filesystem::path(folder) / file).string();
}

/// The study with what [select] chose.
Study settled(const Model& model) {
  Study study = model.study;
  for (const auto& [key, value] : model.selected) set_selectable(study, key, value);
  return study;
}

void check_network(const Model& model, const std::string& path) {
  if (file_checksum(path) != model.network)
    throw FileError(text("load: ", path, " is not the network that ", model_file,
                         " beside it was written with\n  help: train again"));
}

}  // namespace

std::string file_checksum(const std::string& path) {
  Checksum sum;
  sum.add(data::read_file("load", path));
  return sum.str();
}

std::string model_json(const Model& model) {
  Json out{{"weft_model", 1},
           {"version", version},
           {"study", std::filesystem::absolute(model.study.place.file).string()},
           {"study_file", model.study.source},
           {"fusion", model.fusion},
           {"seed", model.seed},
           {"classes", model.classes},
           {"train", model.split.train},
           {"test", model.split.test},
           {"preparation", model.preparation.to_json()},
           {"selected", model.selected},
           {"conformity", model.conformity},
           {"data_checksum", model.data},
           {"network_checksum", model.network}};
  // A path may hold bytes that are not UTF-8.
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

Model load_model(const std::string& folder) {
  const std::string path = within(folder, model_file);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw FileError(text("load: there is no model in ", folder, "\n  help: give a folder that weft train wrote"));
  const Json in = Json::parse(data::read_file("load", path), nullptr, false);
  if (!in.is_object() || !in.contains("weft_model"))
    throw FileError(text("load: ", path, " is not a model that weft kept, or not all of it"));
  Model model;
  try {
    model.study =
        parse_study(in.at("study_file").get<std::string>(), in.at("study").get<std::string>(), Environment::optional);
    model.fusion = in.at("fusion").get<std::string>();
    model.seed = in.at("seed").get<std::uint64_t>();
    model.classes = in.at("classes").get<std::vector<std::string>>();
    model.split.train = in.at("train").get<std::vector<std::int64_t>>();
    model.split.test = in.at("test").get<std::vector<std::int64_t>>();
    model.preparation = Preparation::from_json(in.at("preparation").get<std::string>());
    in.at("selected").get_to(model.selected);
    if (in.contains("conformity")) in.at("conformity").get_to(model.conformity);
    model.data = in.at("data_checksum").get<std::string>();
    model.network = in.at("network_checksum").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    throw FileError(text("load: ", path, " is damaged"));
  }
  return model;
}

std::unique_ptr<Fitted> load_network(const Model& model, const std::string& folder) {
  const std::string path = within(folder, network_file);
  auto fitted = load_fitted(settled(model), model.fusion, path);
  check_network(model, path);
  return fitted;
}

std::vector<fusion::Classifier> load_networks(const Model& model, const std::string& folder) {
  const std::string path = within(folder, network_file);
  auto networks = load_classifiers(settled(model), model.fusion, path);
  check_network(model, path);
  return networks;
}

Dataset load_kept(const Model& model, const std::string& folder, const char* operation, const char* help) {
  Dataset dataset = load_dataset(model.study);
  if (checksum(dataset) != model.data)
    throw ConfigError(text(operation, ": the data of ", model.study.place.str(), " have changed since ", folder,
                           " was trained\n  help: ", help));
  const auto outside = [&](std::int64_t i) { return i < 0 || i >= dataset.rows(); };
  if (std::ranges::any_of(model.split.test, outside) || std::ranges::any_of(model.split.train, outside))
    throw FileError(text("load: ", within(folder, model_file), " is damaged"));
  return dataset;
}

}  // namespace weft::study
