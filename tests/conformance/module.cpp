#include "module.h"

#include <map>

#include <weft/layers/serialize.h>
#include <weft/tensor/kernels.h>

namespace weft::tests {
namespace {

/// Every name of every parameter and buffer, those of tied ones too.
std::map<std::string, Tensor> tensors_of(const detail::Walk& walk) {
  std::map<std::string, Tensor> all;
  for (const auto& [name, x] : detail::collect(walk, true, true)) all.emplace(name, x);
  for (const auto& [first, second] : ties(walk)) all.emplace(second, all.at(first));
  return all;
}

const Tensor& named(const std::map<std::string, Tensor>& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw Mismatch("the module has no " + name);
  return found->second;
}

}  // namespace

Config::Config(const Json& one_case) : all_(one_case.value("config", Json::object())) {}

bool Config::has(const std::string& name) {
  read_.insert(name);
  return all_.contains(name) && !all_.at(name).is_null();
}

bool Config::is_null(const std::string& name) {
  read_.insert(name);
  return all_.contains(name) && all_.at(name).is_null();
}

const Json& Config::at(const std::string& name) {
  read_.insert(name);
  if (!all_.contains(name)) throw FileError("conformance: the config lacks " + name);
  return all_.at(name);
}

void Config::expect_all_read() const {
  for (const auto& [name, value] : all_.items())
    if (!read_.contains(name)) throw ConfigError("conformance: the config has an unknown " + name);
}

void load_state(const detail::Walk& walk, const Suite& suite, const Json& one_case) {
  if (one_case.contains("state_file")) {
    detail::load(walk, suite.folder() + "/" + one_case["state_file"].get<std::string>(), true);
    return;
  }
  const std::map<std::string, Tensor> tensors = tensors_of(walk);
  const Json state = one_case.value("state", Json::object());
  for (const auto& [name, x] : tensors)
    if (!state.contains(name) && !name.ends_with("num_batches_tracked")) throw Mismatch("the state has no " + name);
  for (const auto& [name, key] : state.items()) {
    const Tensor &x = named(tensors, name), &value = suite.tensor(key.get<std::string>());
    if (!(x.shape() == value.shape())) throw Mismatch(text(name, " is ", x.shape(), ", expected ", value.shape()));
    kernels::copy_into(x, value);
  }
}

void check_module(const detail::Walk& walk, const Suite& suite, const Json& one_case, const char* signature,
                  const std::function<std::vector<Tensor>(const Args&)>& call) {
  load_state(walk, suite, one_case);
  detail::set_mode(walk, one_case.value("train", true));
  Arguments arguments(suite);
  const std::vector<Tensor> outputs = call(Args(parse_signature(signature), arguments.call(one_case)));
  const Json& expected = one_case.at("outputs");
  if (outputs.size() != expected.size()) throw Mismatch(text(outputs.size(), " outputs, expected ", expected.size()));
  for (std::size_t k = 0; k < expected.size(); ++k)
    if (!expected[k].is_null())
      expect_close(outputs[k], suite.tensor(expected[k].get<std::string>()), one_case, text("output ", k));
  const std::map<std::string, Tensor> tensors = tensors_of(walk);
  if (send_back(suite, one_case, outputs)) {
    expect_gradients(suite, one_case, arguments);
    const Json wanted = one_case.value("state_grads", Json::object());
    for (const auto& [name, key] : wanted.items()) expect_gradient(suite, one_case, named(tensors, name), key, name);
  }
  const Json after = one_case.value("state_after", Json::object());
  for (const auto& [name, key] : after.items())
    expect_close(named(tensors, name), suite.tensor(key.get<std::string>()), one_case, name + " afterwards");
}

}  // namespace weft::tests
