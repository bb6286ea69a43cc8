#include <unordered_map>

#include <weft/tests/ops/record.h>
#include "arguments.h"

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
  if (send_back(suite, one_case, outputs)) expect_gradients(suite, one_case, arguments);
  return Outcome::passed;
}

}  // namespace weft::tests
