#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <weft/tensor/codes.h>
#include <weft/tensor/convolution.h>
#include <weft/tensor/recurrent.h>
#include <weft/tensor/tensor.h>

/// Operations whose weights are arranged once and applied often, float32 and without gradients: what compiled programs
/// run. Each object is a handle to something immutable: copies are cheap, and several threads may use one at once.
/// Results are new dense tensors; those of convolution lie channels-last. Inputs may have any strides. Where oneDNN is
/// not used weft's own loops do the same. Numbers agree with the plain operations within 1e-5 of the largest.
namespace weft::kernels {

enum class Activation : std::uint8_t { none, relu, gelu, gelu_tanh, silu, tanh, sigmoid };

/// What is done to a result y before it is written: activation(y + residual).
struct Epilogue {
  Activation activation = Activation::none;
  const Tensor* residual = nullptr;  ///< float32, of the result's shape; null: none
};

/// y = x W^T + b.
class PackedLinear {
 public:
  /// weight (out, in), bias (out,) or undefined; both float32. Throws ShapeError or DtypeError for others.
  PackedLinear(const Tensor& weight, const Tensor& bias);
  /// x (..., in), float32 -> (..., out). Throws ShapeError or DtypeError.
  Tensor operator()(const Tensor& x, const Epilogue& epilogue = {}) const;
  std::int64_t inputs() const noexcept;
  std::int64_t outputs() const noexcept;
  /// What it holds: the arranged weights and the bias.
  std::size_t bytes() const noexcept;
  /// The name of the library's implementation for so many rows; "" where weft's own loops run.
  std::string implementation(std::int64_t rows, const Epilogue& epilogue = {}) const;

  struct State;

 private:
  std::shared_ptr<const State> state_;
};

/// Convolution over one to three axes. Which method computes it (Winograd's for 3 x 3 windows, products, direct)
/// follows from the sizes by measured rules; the weight is arranged for each method when that is first used.
class PackedConvolution {
 public:
  /// weight (O, C / groups, kernel...), bias (O,) or undefined, both float32; `shape` as in convolution(), for the
  /// input sizes that it will see. Throws ShapeError or DtypeError for what does not fit.
  PackedConvolution(const Tensor& weight, const Tensor& bias, const Convolution& shape);
  /// The same weights, arranged already, for other sizes of input and output.
  PackedConvolution resized(const Dims& input, const Dims& output) const;
  /// x (N, C, input...), float32 -> (N, O, output...). Throws ShapeError or DtypeError.
  Tensor operator()(const Tensor& x, const Epilogue& epilogue = {}) const;
  /// Arranges the weight now for so many images, so that the first call does not have to.
  void prepare(std::int64_t batch) const;
  /// What it holds so far.
  std::size_t bytes() const noexcept;
  /// The name of the library's implementation for so many images; "" where weft's own loops run.
  std::string implementation(std::int64_t batch, const Epilogue& epilogue = {}) const;

  struct State;

 private:
  explicit PackedConvolution(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// One layer and direction of a recurrent network over whole sequences.
class PackedRecurrent {
 public:
  /// G is gates_of(cell). weight_ih (G H, in), weight_hh (G H, H), biases (G H,) or undefined; all float32. Throws
  /// ShapeError or DtypeError for others.
  PackedRecurrent(Cell cell, const Tensor& weight_ih, const Tensor& weight_hh, const Tensor& bias_ih,
                  const Tensor& bias_hh);
  /// x (N, in) with its rows as `steps` tells (whose cell must be this one's), first h and, for an LSTM, c (B, H) ->
  /// {h of each step (N, H), the last h, for an LSTM the last c}. Throws ShapeError, DtypeError or ConfigError.
  std::vector<Tensor> operator()(const Tensor& x, const Tensor& h, const Tensor& c, const Steps& steps) const;
  std::size_t bytes() const noexcept;

  struct State;

 private:
  std::shared_ptr<const State> state_;
};

/// A small program of elementwise float32 operations, run tile by tile in the first-level cache on all threads, so that
/// memory is read and written once. Build it step by step, then call it as often as wanted:
///
///     ElementwiseChain chain(2);                                              // of two inputs
///     const auto product = chain.step(Binary::mul, chain.input(0), chain.input(1));
///     chain.step(Unary::sigmoid, chain.step(Binary::add, product, chain.number(1)));
///     const Tensor y = chain({{a, b}});                                       // sigmoid(a * b + 1)
class ElementwiseChain {
 public:
  /// What a step reads.
  struct Operand {
    enum class Kind : std::uint8_t { input, step, number } kind;
    int index;      ///< of the input or step
    double number;  ///< where it is one
  };

  explicit ElementwiseChain(int inputs);
  /// Throw ConfigError for an input or step that is not there, and for operations whose results are not float32.
  Operand input(int index) const;
  static Operand number(double value) noexcept { return {Operand::Kind::number, 0, value}; }
  Operand step(Unary op, const Operand& x);
  Operand step(Binary op, const Operand& a, const Operand& b);
  Operand clamp(const Operand& x, double low, double high);
  int inputs() const noexcept { return inputs_; }
  int steps() const noexcept { return static_cast<int>(steps_.size()); }

  /// The last step's result, float32, in the broadcast shape of the inputs and the memory order of the first that has
  /// it. Inputs are float32; those of that shape and order, single numbers, and those that repeat along rows or within
  /// channels are read as they lie, others are laid out first. Throws ShapeError, DtypeError or ConfigError.
  Tensor operator()(std::span<const Tensor> inputs) const;

 private:
  struct Step {
    enum class Kind : std::uint8_t { unary, binary, clamp } kind;
    Unary unary;
    Binary binary;
    Operand a, b;
    double low, high;
  };
  void check(const Operand& x) const;
  Operand add(Step step);

  int inputs_;
  std::vector<Step> steps_;
};

}  // namespace weft::kernels
