#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <weft/deploy/graph.h>
#include <weft/layers/module.h>

/// Models made fast for inference:
///
///     eval(model);
///     const Program program = compile(model, example);
///     const Tensor y = program(x);          // from as many threads as one likes
///     std::cout << program.summary();
///
/// compile() runs the model once and keeps its calls. Batch norm becomes part of the convolutions before it, weights
/// are arranged once in the order that the processor reads best, sums and activations are computed where products are
/// written, chains of elementwise operations run tile by tile in cache, and all tensors of a run lie in one block of
/// memory, planned ahead.
namespace weft::deploy {

struct CompileOptions {
  bool optimize = true;     ///< false: the calls are replayed as they are
  bool check = true;        ///< runs the program beside the model once for each new shape of its inputs
  double tolerance = 1e-5;  ///< of that check: of the largest number of each output
  bool or_eager = false;    ///< what cannot be captured runs eagerly, instead of ConfigError
  int plans = 64;           ///< input shapes that are remembered; the one not used for longest is forgotten first
};

/// A compiled model. Immutable: copies are cheap, and several threads may call one at once, each with memory of its
/// own.
///
/// The model's parameters are read when it is compiled. A program whose model was trained further since is out of date:
/// calling it throws Error.
class Program {
 public:
  /// The first output for one input. Throws ShapeError or ConfigError as the model does.
  Tensor operator()(const Tensor& x) const;
  /// All outputs. Throws ConfigError for another number of inputs, or an undefined one. An input of another shape or
  /// type than those before is captured anew (and then remembered).
  std::vector<Tensor> run(const std::vector<Tensor>& inputs) const;

  /// What it does for the example's shape: a table of the steps in order with their results' shapes, the calls that
  /// each was made of, the weights it holds, and the memory of a run.
  std::string summary() const;
  /// The same as a graph in Graphviz's language: `dot -Tsvg`.
  std::string dot() const;

  /// Steps for the example's shape; 0 where the model stayed eager.
  std::size_t steps() const;
  /// Bytes of the block in which the tensors of a run lie, for the example's shape.
  std::size_t planned_bytes() const;
  /// Whether the model could not be captured and runs eagerly (CompileOptions::or_eager), and why.
  const std::string& eager_reason() const;
  /// Shapes of inputs that are remembered now.
  std::size_t plans() const;

 private:
  friend Program compile(Function, const std::vector<Tensor>&, const CompileOptions&, Names);
  struct State;
  explicit Program(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Compiles a function of tensors. `names` give parameters their names in summaries. Throws ConfigError for what cannot
/// be captured (see capture()) and when the program's results differ from the function's: something in it does not
/// follow from its inputs by recorded operations.
Program compile(Function model, const std::vector<Tensor>& examples, const CompileOptions& options = {},
                Names names = {});

/// Compiles model(x) for inputs like `example`. The model is copied; its tensors are shared.
template <class Model>
requires requires(const Model& model, const Tensor& x) { Tensor(model(x)); }
Program compile(const Model& model, const Tensor& example, const CompileOptions& options = {}) {
  Names names;
  Model mine = model;
  if constexpr (requires { state(mine); }) names = state(mine);
  return compile([mine](const std::vector<Tensor>& in) { return std::vector<Tensor>{mine(in[0])}; },
                 std::vector<Tensor>{example}, options, std::move(names));
}

}  // namespace weft::deploy
