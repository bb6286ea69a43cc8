#include "cases.h"

#include <fstream>

#include <weft/autograd/testing.h>
#include <weft/layers/serialize.h>

namespace weft::tests {

Suite::Suite(const std::string& folder, const std::string& name) : folder_(folder), name_(name) {
  const std::string path = folder + "/" + name + ".json";
  std::ifstream in(path, std::ios::binary);
  if (!in) throw FileError("conformance: cannot read " + path);
  Json file = Json::parse(in, nullptr, false);
  if (file.is_discarded() || !file.contains("cases")) throw FileError("conformance: " + path + " holds no cases");
  for (Json& each : file["cases"]) cases_.push_back(std::move(each));
  for (auto& [key, value] : load_tensors(folder + "/" + name + ".safetensors").tensors)
    tensors_.emplace(key, std::move(value));
}

const Tensor& Suite::tensor(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw FileError("conformance: " + name_ + ".safetensors has no " + key);
  return found->second;
}

void expect_close(const Tensor& actual, const Tensor& expected, const Json& one_case, const std::string& what) {
  const Json& tolerance = one_case.at("tolerance");
  const testing::Report report = testing::allclose(
      actual, expected,
      {.atol = tolerance.at(0).get<double>(), .rtol = tolerance.at(1).get<double>(), .equal_nan = true});
  if (!report) throw Mismatch(what + ": " + report.message);
}

}  // namespace weft::tests
