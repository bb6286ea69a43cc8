#include <cmath>
#include <unordered_map>

#include <weft/autograd/grad.h>
#include <weft/tensor/kernels.h>

#include <weft/tests/ops/record.h>
#include "cases.h"

namespace weft::tests {
namespace {

struct Entry {
  const Record* record;
  Signature signature;
};

/// PyTorch's name (with the variant after a slash, where a record says so) -> what it is called in weft.
const std::unordered_map<std::string, Entry>& table() {
  static const auto all = [] {
    std::unordered_map<std::string, Entry> t;
    for (const Record& record : records())
      for (const char* each : record.torch) {
        Signature s = parse_signature(each);
        std::string name = s.name;
        t.try_emplace(std::move(name), Entry{&record, std::move(s)});  // the first record of a name is the general one
      }
    return t;
  }();
  return all;
}

const Entry* find(const std::string& op) {
  const auto exact = table().find(op);
  if (exact != table().end()) return &exact->second;
  const auto general = table().find(op.substr(0, op.find('/')));
  return general == table().end() ? nullptr : &general->second;
}

class Arguments {
 public:
  explicit Arguments(const Suite& suite) : suite_(suite) {}

  CallText call(const Json& one_case) {
    CallText c;
    for (const Json& each : one_case.at("args")) c.positional.push_back(value(each));
    for (const auto& [key, each] : one_case.at("kwargs").items()) c.keywords.emplace_back(key, value(each));
    return c;
  }
  /// The tensors of the call by their keys; floating ones are leaves.
  const std::unordered_map<std::string, Tensor>& leaves() const { return leaves_; }

 private:
  Value value(const Json& j) {
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

  Tensor leaf(const std::string& key) {
    const auto known = leaves_.find(key);
    if (known != leaves_.end()) return known->second;
    Tensor x = kernels::copy(suite_.tensor(key));
    if (is_floating(x.dtype())) x.set_requires_grad();
    return leaves_.emplace(key, x).first->second;
  }

  const Suite& suite_;
  std::unordered_map<std::string, Tensor> leaves_;
};

/// Where equal values tie, any of their places is right.
bool same_values(const Record& record, const Args& args, const Tensor& actual, const Tensor& expected) {
  if (!record.places_in || actual.dtype() != DType::int64 || !(actual.shape() == expected.shape())) return false;
  const Tensor x = detach(args.tensor(record.places_in));
  const auto values = [&](const Tensor& places) {
    if (x.dim() == 0 || !args.has("dim")) return index_select(flatten(x), 0, flatten(places));
    const int axis = args.axis("dim");
    return flatten(gather(x, axis, places.dim() == x.dim() ? places : unsqueeze(places, axis)));
  };
  try {
    return to_vector<double>(values(actual)) == to_vector<double>(values(expected));
  } catch (const Error&) {
    return false;  // a place that does not exist
  }
}

void check_gradients(const Suite& suite, const Json& one_case, const Outputs& outputs, const Arguments& arguments) {
  if (!one_case.contains("cotangents")) return;
  std::vector<Tensor> from, cotangents;
  const Json& given = one_case["cotangents"];
  for (std::size_t k = 0; k < given.size() && k < outputs.size(); ++k) {
    if (given[k].is_null() || !outputs[k].requires_grad()) continue;  // without history all gradients are zero
    from.push_back(outputs[k]);
    cotangents.push_back(suite.tensor(given[k].get<std::string>()));
  }
  if (!from.empty()) backward(from, cotangents);
  for (const auto& [key, wanted] : one_case.at("grads").items()) {
    const auto leaf = arguments.leaves().find(key);
    if (leaf == arguments.leaves().end())
      throw FileError("conformance: a gradient of " + key + ", which is no argument");
    const Tensor& x = leaf->second;
    const Tensor dx = x.grad().defined() ? x.grad() : zeros(x.shape(), x.dtype());
    expect_close(dx, wanted.is_null() ? zeros(x.shape(), x.dtype()) : suite.tensor(wanted.get<std::string>()), one_case,
                 "gradient of " + key);
  }
}

}  // namespace

Outcome run_operation(const Suite& suite, const Json& one_case) {
  const Entry* entry = find(one_case.at("op").get<std::string>());
  if (!entry) return Outcome::skipped;
  Arguments arguments(suite);
  const Args args(entry->signature, arguments.call(one_case));
  const Outputs outputs = entry->record->call(args);
  const Json& expected = one_case.at("outputs");
  if (outputs.size() != expected.size()) throw Mismatch(text(outputs.size(), " outputs, expected ", expected.size()));
  for (std::size_t k = 0; k < expected.size(); ++k) {
    if (expected[k].is_null()) continue;
    const Tensor& wanted = suite.tensor(expected[k].get<std::string>());
    if (same_values(*entry->record, args, outputs[k], wanted)) continue;
    expect_close(outputs[k], wanted, one_case, text("output ", k));
  }
  check_gradients(suite, one_case, outputs, arguments);
  return Outcome::passed;
}

}  // namespace weft::tests
