#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include <weft/tests/ops/value.h>
#include "cases.h"

/// What a case calls with, and the gradients that come back: shared by the runners.
namespace weft::tests {

/// Reads the arguments of a case; each tensor is copied, and a floating one made a leaf.
class Arguments {
 public:
  explicit Arguments(const Suite& suite) : suite_(suite) {}
  /// "args" and "kwargs".
  CallText call(const Json& one_case);
  /// The tensors of the call by their keys.
  const std::unordered_map<std::string, Tensor>& leaves() const { return leaves_; }

 private:
  Value value(const Json& j);
  Tensor leaf(const std::string& key);
  const Suite& suite_;
  std::unordered_map<std::string, Tensor> leaves_;
};

/// Sends the case's cotangents backward from `outputs`, if it has any. Returns whether it does.
bool send_back(const Suite& suite, const Json& one_case, const std::vector<Tensor>& outputs);
/// Compares the gradient that x has collected (none counts as zeros) with the one stored under the key `wanted`, or
/// zeros for null. Throws Mismatch.
void expect_gradient(const Suite& suite, const Json& one_case, const Tensor& x, const Json& wanted,
                     const std::string& what);
/// The same for all that "grads" lists.
void expect_gradients(const Suite& suite, const Json& one_case, const Arguments& arguments);

}  // namespace weft::tests
