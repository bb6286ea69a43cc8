#include "arguments.h"

#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/tensor/kernels.h>

namespace weft::tests {

CallText Arguments::call(const Json& one_case) {
  CallText c;
  for (const Json& each : one_case.at("args")) c.positional.push_back(value(each));
  for (const auto& [key, each] : one_case.at("kwargs").items()) c.keywords.emplace_back(key, value(each));
  return c;
}

Value Arguments::value(const Json& j) {
  if (j.is_null()) return {};
  if (j.is_boolean()) return {j.get<bool>()};
  if (j.is_number_integer()) return {j.get<std::int64_t>()};
  if (j.is_number()) return {j.get<double>()};
  if (j.is_string()) return {j.get<std::string>()};
  if (j.is_array()) {
    Value::List list;
    for (const Json& each : j) list.push_back(value(each));
    return {std::move(list)};
  }
  if (j.contains("tensor")) return {leaf(j["tensor"].get<std::string>())};
  if (j.contains("float")) {
    const std::string word = j["float"];
    return {word == "nan" ? std::nan("") : word == "inf" ? HUGE_VAL : -HUGE_VAL};
  }
  if (j.contains("slice")) {
    const auto bound = [&](std::size_t i) {
      const Json& b = j["slice"].at(i);
      return b.is_null() ? std::optional<std::int64_t>() : b.get<std::int64_t>();
    };
    return {Slice{bound(0), bound(1), bound(2)}};
  }
  if (j.contains("ellipsis")) return {Ellipsis{}};
  throw FileError("conformance: an argument of unknown form: " + j.dump());
}

Tensor Arguments::leaf(const std::string& key) {
  const auto known = leaves_.find(key);
  if (known != leaves_.end()) return known->second;
  Tensor x = kernels::copy(suite_.tensor(key));
  if (is_floating(x.dtype())) x.set_requires_grad();
  return leaves_.emplace(key, x).first->second;
}

bool send_back(const Suite& suite, const Json& one_case, const std::vector<Tensor>& outputs) {
  if (!one_case.contains("cotangents")) return false;
  std::vector<Tensor> from, cotangents;
  const Json& given = one_case["cotangents"];
  for (std::size_t k = 0; k < given.size() && k < outputs.size(); ++k) {
    if (given[k].is_null() || !outputs[k].requires_grad()) continue;  // without history all gradients are zero
    from.push_back(outputs[k]);
    cotangents.push_back(suite.tensor(given[k].get<std::string>()));
  }
  if (!from.empty()) backward(from, cotangents);
  return true;
}

void expect_gradient(const Suite& suite, const Json& one_case, const Tensor& x, const Json& wanted,
                     const std::string& what) {
  const Tensor dx = x.grad().defined() ? x.grad() : zeros(x.shape(), x.dtype());
  expect_close(dx, wanted.is_null() ? zeros(x.shape(), x.dtype()) : suite.tensor(wanted.get<std::string>()), one_case,
               "gradient of " + what);
}

void expect_gradients(const Suite& suite, const Json& one_case, const Arguments& arguments) {
  for (const auto& [key, wanted] : one_case.at("grads").items()) {
    const auto leaf = arguments.leaves().find(key);
    if (leaf == arguments.leaves().end())
      throw FileError("conformance: a gradient of " + key + ", which is no argument");
    expect_gradient(suite, one_case, leaf->second, wanted, key);
  }
}

}  // namespace weft::tests
