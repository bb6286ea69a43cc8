#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include <weft/tensor/tensor.h>

/// Helpers for tests, weft's own and those of its users: compare tensors, check gradient rules against differences.
///
///   const Report report = testing::gradcheck([](const auto& in) { return softmax(in[0], 1); }, {x});
///   CHECK_MESSAGE(report, report.message);
namespace weft::testing {

/// True when all is well; otherwise what is wrong, as text and as numbers.
struct Report {
  bool passed = true;
  std::string message{};
  Dims index{};            ///< of the worst entry
  double expected = 0;     ///< there
  double actual = 0;       ///< there
  std::int64_t count = 0;  ///< entries that differ
  explicit operator bool() const noexcept { return passed; }
};

struct Tolerance {
  double atol = 1e-6;
  double rtol = 1e-5;
  bool equal_nan = false;  ///< NaN equals NaN
};

/// Whether types and shapes are equal and |actual - expected| <= atol + rtol |expected| everywhere; infinities must be
/// the same. The report names the entry that misses its tolerance by the largest factor.
Report allclose(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance = {});

/// What is checked: a function of tensors that gives one tensor or several.
class Function {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Function>) Function(F f) {
    if constexpr (std::is_convertible_v<std::invoke_result_t<F, const std::vector<Tensor>&>, Tensor>)
      call_ = [f](const std::vector<Tensor>& in) { return std::vector<Tensor>{f(in)}; };
    else
      call_ = f;
  }
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const { return call_(inputs); }

 private:
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> call_;
};

struct GradcheckOptions {
  double step = 1.0 / 1024;  ///< of the difference; the function must be smooth within 2 steps of the inputs
  double atol = 1e-7;
  double rtol = 1e-6;
  int directions = 3;                ///< random projections per input and output
  std::int64_t full_jacobian = 400;  ///< up to this many pairs of an input and an output element, each is checked
  bool layouts = true;               ///< also inputs and gradients with other strides, and repeated ones
  std::uint64_t seed = 1;
};

/// Whether the gradient rules of `function` agree with differences of its values: v'Ju for random u and v, or each
/// entry of J where it is small. All float64 inputs are checked (only those that require a gradient, if any does);
/// integers and bool are passed on. The difference is the central one at one and two steps, extrapolated; how much the
/// two disagree tells whether it can be trusted, and a function that is not smooth there fails. Nothing is tried twice.
/// Then the same numbers are laid out otherwise in memory (axes reversed, with gaps, repeated with stride 0; the
/// output's gradient too), which must change neither values nor gradients. Throws DtypeError for a float32 or bfloat16
/// input: differences in float32 prove nothing.
Report gradcheck(const Function& function, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// gradcheck of the gradients themselves, as functions of the inputs and of the outputs' gradients; also that they are
/// the same when recorded (create_graph) and when not.
Report gradgradcheck(const Function& function, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// Ways to lay the same numbers out in memory.
enum class Layout {
  transposed,  ///< axes in reverse order
  gaps,        ///< every other element, beginning with the third
  repeated,    ///< other numbers: the first of the first axis longer than 1, repeated with stride 0
};
inline constexpr Layout layouts[] = {Layout::transposed, Layout::gaps, Layout::repeated};
const char* name(Layout layout) noexcept;
/// A new tensor like x (without history).
Tensor with_layout(const Tensor& x, Layout layout);

}  // namespace weft::testing
