#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <weft/autograd/record.h>

/// What a model computes, written down: the calls of one run in their order, for passes to change and programs to
/// replay.
namespace weft::deploy {

/// A model as a function of tensors.
using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;
/// Parameters of a model by name.
using Names = std::vector<std::pair<std::string, Tensor>>;

/// A tensor of the graph.
struct Value {
  Shape shape;
  DType dtype = DType::float32;
  Tensor constant;       ///< defined where it does not depend on the inputs
  std::string name;      ///< of a parameter, an input; else empty
  bool lasting = false;  ///< a constant that the next capture will find at the same place: a parameter, or made of them
};

using AttributeValue = std::variant<std::int64_t, double, std::string, Dims>;

/// A call, or several made one. `run` may be called from several threads at once.
struct Step {
  std::string name;
  std::vector<std::pair<std::string, AttributeValue>> attributes{};
  std::vector<int> inputs{};   ///< values; -1 stands for an argument left out
  std::vector<int> outputs{};  ///< values, numbered one after the other
  Replay run{};
  std::vector<std::string> parts{};  ///< the names of the calls that became this one; empty for a plain call
  std::size_t packed = 0;            ///< bytes of weights that it holds arranged in its own way
  double flops = 0;                  ///< its arithmetic, as the profiler counts it

  const AttributeValue* attribute(const char* wanted) const;
  /// Throw Error when the call has no such attribute.
  std::int64_t integer(const char* wanted) const;
  double real(const char* wanted) const;
  const Dims& dims(const char* wanted) const;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Step> steps;  ///< each after those that make its inputs
  std::vector<int> inputs, outputs;

  bool is_constant(int value) const { return value < 0 || values[static_cast<std::size_t>(value)].constant.defined(); }
  const Value& operator[](int value) const { return values[static_cast<std::size_t>(value)]; }
  int add(Value value) {
    values.push_back(std::move(value));
    return static_cast<int>(values.size()) - 1;
  }
  int add_constant(const Tensor& x, std::string name = {}, bool lasting = false) {
    return add({x.shape(), x.dtype(), x, std::move(name), lasting});
  }
};

/// Runs `model` once on `inputs`, without gradients, and writes its calls down. What does not depend on the inputs
/// becomes a constant. Throws ConfigError for what another run could do otherwise: numbers that leave their tensors
/// (item(), to_vector()), shapes that follow from numbers (nonzero), random numbers, batch norm that learns, changes in
/// place.
Graph capture(const Function& model, std::span<const Tensor> inputs, const Names& names = {});

}  // namespace weft::deploy
