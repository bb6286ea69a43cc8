#pragma once
#include <functional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "value.h"

/// The test record of an operation. One record drives everything that is checked about it:
/// - the conformance program finds PyTorch's cases by `.torch` and runs them through `.call`;
/// - every sample is run in float64 against `.reference`, and at each instruction-set level, in float32 and the other
///   `.types`, transposed, with gaps and expanded, against that;
/// - gradcheck and gradgradcheck on every sample, unless a reason is written down;
/// - every bad input of `.errors` must throw just that error with just that message.
///
///   Record{.name = "softmax",
///          .torch = {"softmax(input, dim)"},
///          .call = [](const Args& a) { return softmax(a.tensor("input"), a.axis("dim")); },
///          .samples = {"x(3, 4), 1", "x(0, 3), -1", "x(), 0"},
///          .errors = {{"x(3, 4), 2", "ShapeError: softmax: axis 2 is out of range for 2 axes\n  help: ..."}}}
namespace weft::tests {

/// What a call gives: one tensor or several.
struct Outputs : std::vector<Tensor> {
  using std::vector<Tensor>::vector;
  Outputs(Tensor x) { push_back(std::move(x)); }
  Outputs(std::vector<Tensor> all) : std::vector<Tensor>(std::move(all)) {}
};

using Call = std::function<Outputs(const Args&)>;

/// The result by the plainest means, in double: a function of one or two numbers for elementwise operations (inputs
/// are taken from the first arguments), else of the arguments.
class Reference {
 public:
  Reference() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Reference>) Reference(F f) {
    if constexpr (std::is_invocable_r_v<double, F, double>)
      call_ = [f](const Args& a) { return elementwise(a, f); };
    else if constexpr (std::is_invocable_r_v<double, F, double, double>)
      call_ = [f](const Args& a) { return elementwise(a, f); };
    else
      call_ = f;
  }
  explicit operator bool() const { return static_cast<bool>(call_); }
  Outputs operator()(const Args& a) const { return call_(a); }

 private:
  static Outputs elementwise(const Args& a, const std::function<double(double)>& f);
  static Outputs elementwise(const Args& a, const std::function<double(double, double)>& f);
  Call call_;
};

/// How the result's type follows from the inputs'.
enum class Result {
  same,      ///< the promoted type of the floating inputs and the numbers (integers stay integers)
  floating,  ///< the same, but float32 from integers and bool
  boolean,
  int64,
  float64,
};

struct BadInput {
  const char* arguments;
  const char* error;  ///< "ShapeError: matmul: inner sizes differ: ..."
};

struct Record {
  const char* name;
  /// PyTorch's names for it with their signatures ("max/binary(input, other)" where one name has several meanings);
  /// the samples are written for the first one.
  std::vector<const char*> torch{};
  /// The signature for the samples where PyTorch has no such operation.
  const char* weft = nullptr;
  Call call;
  std::vector<const char*> samples;
  Reference reference{};
  Result result = Result::same;
  /// Types to try besides float64 and float32. The samples' floating inputs are rounded to small whole numbers first.
  std::vector<DType> types{};
  /// The reason why there is no gradient (no second derivative) to check.
  const char* no_gradient = nullptr;
  const char* no_second_gradient = nullptr;
  /// Floating arguments that it is not differentiable by.
  std::vector<const char*> constant{};
  /// float32 may differ from float64 by this many times 1e-5 of the largest entry; more than 1 needs a reason.
  double looseness = 1;
  const char* looseness_reason = nullptr;
  /// Outputs that are places in this argument along "dim": another place is right where the values there are equal.
  const char* places_in = nullptr;
  std::vector<BadInput> errors{};

  const char* signature() const { return torch.empty() ? weft : torch.front(); }
};

/// All records, in the order of their families.
const std::vector<Record>& records();

/// A family registers its records when the program starts.
struct Family {
  Family(std::initializer_list<Record> records);
};

// ---- calls for the common forms
inline Call unary(Tensor (*f)(const Tensor&)) {
  return [f](const Args& a) { return f(a.tensor("input")); };
}
using TensorTensor = Tensor (*)(const Tensor&, const Tensor&);
using TensorScalar = Tensor (*)(const Tensor&, const Scalar&);
inline Call binary(TensorTensor f) {
  return [f](const Args& a) { return f(a.tensor("input"), a.tensor("other")); };
}
inline Call binary(TensorTensor f, TensorScalar with_number) {
  return [f, with_number](const Args& a) {
    return a.is_tensor("other") ? f(a.tensor("input"), a.tensor("other"))
                                : with_number(a.tensor("input"), a.number("other"));
  };
}

// ---- samples for the common forms
#define WEFT_SAMPLES_OF_ONE(maker) \
  { maker "(3, 4)", maker "()", maker "(0, 3)", maker "(2, 1, 3, 2)", maker "(70)" }
#define WEFT_SAMPLES_OF_TWO(maker)                                                                   \
  {                                                                                                  \
    maker "(3, 4), " maker "(3, 4)", maker "(3, 1), " maker "(4)", maker "(), " maker "(2, 3)",      \
        maker "(0, 3), " maker "(1, 3)", maker "(2, 1, 3), " maker "(2, 1)", maker "(), " maker "()" \
  }

// ---- references for the common forms
/// Each line of `x` along an axis through `f`, which gives a line of any one length (of length 1: the axis vanishes
/// unless `keep`).
Tensor along(const Tensor& x, int axis, const std::function<std::vector<double>(const std::vector<double>&)>& f,
             bool keep = true);
/// The elements that share a place on the axes that are not reduced, through `f` (no axes: all of them).
Tensor over(const Tensor& x, const std::vector<int>& axes, bool keep,
            const std::function<double(const std::vector<double>&)>& f);

}  // namespace weft::tests
