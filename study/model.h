#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weft/data/split.h>
#include <weft/fusion/classifier.h>
#include <weft/study/dataset.h>
#include <weft/study/method.h>

/// A model as `weft train` keeps it: a folder with model.json and network.safetensors.
namespace weft::study {

inline constexpr const char* model_file = "model.json";
inline constexpr const char* network_file = "network.safetensors";

/// Everything but the network's numbers.
struct Model {
  Study study;
  std::string fusion;
  std::uint64_t seed = 0;
  std::vector<std::string> classes;
  data::Split split;
  Preparation preparation;
  std::vector<std::pair<std::string, double>> selected;  ///< what [select] chose
  std::string data, network;  ///< checksums of what it was trained on, and of its network file
  /// 1 - the probability of the true class for training rows that were held out (data/conformal.h); empty where the
  /// version of weft that trained it did not keep them.
  std::vector<double> conformity;
};

std::string file_checksum(const std::string& path);
std::string model_json(const Model& model);
/// Throws FileError when there is none, and when it is damaged.
Model load_model(const std::string& folder);
/// Its network, as a method's result or as it is. Throws FileError, also when it is not the one that model.json was
/// written with.
std::unique_ptr<Fitted> load_network(const Model& model, const std::string& folder);
std::vector<fusion::Classifier> load_networks(const Model& model, const std::string& folder);
/// What it was trained on. Throws ConfigError, beginning with the operation and ending with `help`, when the data have
/// changed; FileError when model.json names rows that there are not.
Dataset load_kept(const Model& model, const std::string& folder, const char* operation, const char* help);

}  // namespace weft::study
