#pragma once
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <weft/tensor/tensor.h>

/// Cases in the form of tests/golden: a JSON file that says what is called, a safetensors file with the numbers.
namespace weft::tests {

using Json = nlohmann::json;

/// One JSON file and the tensors beside it.
class Suite {
 public:
  /// DIR/name.json and DIR/name.safetensors. Throws FileError when one cannot be read.
  Suite(const std::string& folder, const std::string& name);
  const std::vector<Json>& cases() const { return cases_; }
  /// Throws FileError for a key that the file lacks.
  const Tensor& tensor(const std::string& key) const;
  const std::string& folder() const { return folder_; }

 private:
  std::vector<Json> cases_;
  std::map<std::string, Tensor> tensors_;
  std::string folder_, name_;
};

/// What became of the cases of one operation (module, optimiser ...).
struct Score {
  int passed = 0, failed = 0, skipped = 0;
  std::vector<std::string> failures{};  ///< "case: what is wrong"
};
using Scores = std::map<std::string, Score>;

enum class Outcome { passed, skipped };

/// Thrown by a case that does not agree.
struct Mismatch : Error {
  using Error::Error;
};
/// Throws Mismatch unless `actual` has the type and shape of `expected` and is within the case's [atol, rtol].
void expect_close(const Tensor& actual, const Tensor& expected, const Json& one_case, const std::string& what);

/// Runs a case of ops.json through the operation's record; skipped when there is none.
Outcome run_operation(const Suite& suite, const Json& one_case);
/// Runs a case of optim.json: an optimiser, a schedule, or clipping.
Outcome run_optimization(const Suite& suite, const Json& one_case);
/// Runs a case of metrics.json; skipped when it expects a figure that weft lacks and the others agree.
Outcome run_metric(const Suite& suite, const Json& one_case);
/// Runs a case of modules.json through the layer of its name; skipped when there is none.
Outcome run_layer_case(const Suite& suite, const Json& one_case);
/// Runs a case of graphs.json through the layer or pooling of its name; skipped when there is none.
Outcome run_graph(const Suite& suite, const Json& one_case);
/// Runs the one case of a folder bert/: hidden states, pooled output and scores of a checkpoint.
Outcome run_bert(const std::string& folder);

}  // namespace weft::tests
