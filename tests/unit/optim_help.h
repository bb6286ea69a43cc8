#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weft/autograd/ops.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>

/// Shared by the tests of optim/.
namespace weft::tests {

inline Tensor leaf(std::initializer_list<double> values, DType dtype = DType::float64) {
  return tensor(values, dtype).set_requires_grad();
}

inline std::vector<double> numbers(const Tensor& x) { return to_vector<double>(x); }

/// An optimiser with options under which it solves the problems of these tests, and how many steps that takes.
struct Solver {
  std::string name;
  std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>&)> make;
  int steps = 1000;
};

template <class O>
Solver solver(const char* name, typename O::Options options, int steps = 1000) {
  return {name, [options](const std::vector<Tensor>& p) { return std::make_unique<O>(p, options); }, steps};
}

/// Every optimiser that moves by gradients alone, with and without what it can remember in addition.
inline std::vector<Solver> solvers(bool maximize = false) {
  using namespace optim;
  return {
      solver<Sgd>("sgd", {.lr = 0.05, .maximize = maximize}),
      solver<Sgd>("sgd, momentum", {.lr = 0.02, .momentum = 0.9, .dampening = 0.1, .maximize = maximize}),
      solver<Sgd>("sgd, nesterov", {.lr = 0.02, .momentum = 0.9, .nesterov = true, .maximize = maximize}),
      solver<Asgd>("asgd", {.lr = 0.1, .lambd = 1e-6, .t0 = 3, .maximize = maximize}),
      solver<Rprop>("rprop", {.maximize = maximize}, 300),
      solver<Adam>("adam", {.lr = 0.1, .maximize = maximize}),
      solver<Adam>("adam, amsgrad", {.lr = 0.1, .amsgrad = true, .maximize = maximize}),
      solver<AdamW>("adamw", {.lr = 0.1, .weight_decay = 1e-6, .maximize = maximize}),
      solver<AdamW>("adamw, amsgrad", {.lr = 0.1, .weight_decay = 1e-6, .amsgrad = true, .maximize = maximize}),
      solver<Adamax>("adamax", {.lr = 0.1, .maximize = maximize}),
      solver<NAdam>("nadam", {.lr = 0.1, .maximize = maximize}),
      solver<RAdam>("radam", {.lr = 0.1, .maximize = maximize}),
      solver<Adagrad>("adagrad", {.lr = 1, .maximize = maximize}),
      solver<Adadelta>("adadelta", {.lr = 1, .eps = 1e-2, .maximize = maximize}),
      solver<Rmsprop>("rmsprop", {.lr = 1e-3, .maximize = maximize}, 5000),
      solver<Rmsprop>("rmsprop, all", {.lr = 1e-4, .momentum = 0.9, .centered = true, .maximize = maximize}, 9000),
  };
}

}  // namespace weft::tests
