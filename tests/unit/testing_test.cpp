#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/ops.h>
#include <weft/autograd/record.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

#include "error_of.h"

// gradcheck is only worth something if it fails: here are rules that are wrong, each in its own way.

using namespace weft;
using testing::allclose;
using testing::gradcheck;
using testing::gradgradcheck;
using testing::Report;
using weft::tests::error_of;

namespace {

using Inputs1 = std::vector<Tensor>;

Tensor numbers(std::initializer_list<double> values) { return tensor(values, DType::float64); }
Tensor small_matrix() { return from(std::vector<double>{0.5, -1, 2, 1.5, 0.25, -0.75}, {2, 3}); }
Tensor large() {
  Generator g{3, 0};
  return randn({30, 20}, 0, 1, DType::float64, g);
}

/// y = x^2 with a rule of the test's choosing.
template <class Rule>
Tensor square_with(const Tensor& x, Rule rule) {
  return record(
      {"planted", {}, saves::inputs}, {x},
      [](const Inputs& in) { return kernels::unary(kernels::Unary::square, in[0]); }, rule);
}
template <class Rule>
auto planted(Rule rule) {
  return [rule](const Inputs1& in) { return square_with(in[0], rule); };
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("allclose accepts what is within tolerance and describes the worst entry") {
  CHECK(allclose(numbers({1, 2}), numbers({1, 2})));
  CHECK(allclose(numbers({1, 2.00001}), numbers({1, 2}), {.atol = 0, .rtol = 1e-5}));
  const Report r = allclose(small_matrix() + numbers({0, 0.5, 0.25}), small_matrix());
  CHECK_FALSE(r);
  CHECK(r.message == "4 of 6 entries differ; the worst at [1, 1]: 0.75, expected 0.25");
  CHECK(r.index == Dims{1, 1});
  CHECK(r.expected == 0.25);
  CHECK(r.actual == 0.75);
  CHECK(r.count == 4);
  CHECK(allclose(numbers({1}), tensor({1})).message == "type float64, expected float32");
  CHECK(allclose(numbers({1}), numbers({1, 2})).message == "shape [1], expected [2]");
  CHECK(allclose(Tensor(), numbers({1})).message == "an undefined tensor, expected a tensor");
  CHECK(allclose(numbers({1}), Tensor()).message == "a tensor, expected an undefined one");
  CHECK(allclose(Tensor(), Tensor()));
}

TEST_CASE("allclose treats NaN and infinity as what they are") {
  const double nan = std::nan(""), inf = HUGE_VAL;
  CHECK_FALSE(allclose(numbers({nan}), numbers({nan})));
  CHECK(allclose(numbers({nan}), numbers({nan}), {.equal_nan = true}));
  CHECK_FALSE(allclose(numbers({nan}), numbers({1}), {.equal_nan = true}));
  CHECK_FALSE(allclose(numbers({1}), numbers({nan}), {.equal_nan = true}));
  CHECK(allclose(numbers({inf, -inf}), numbers({inf, -inf})));
  CHECK_FALSE(allclose(numbers({inf}), numbers({-inf})));
  CHECK_FALSE(allclose(numbers({1e300}), numbers({inf})));
  CHECK_FALSE(allclose(numbers({inf}), numbers({1})));
  CHECK(allclose(zeros({0, 3}), zeros({0, 3})));
}

TEST_CASE("right rules pass, small and large, of one and several inputs and outputs") {
  CHECK(gradcheck([](const Inputs1& in) { return softmax(in[0], 1); }, {small_matrix()}));
  CHECK(gradgradcheck([](const Inputs1& in) { return softmax(in[0], 1); }, {small_matrix()}));
  CHECK(gradcheck([](const Inputs1& in) { return tanh(in[0]) * in[1]; }, {large(), numbers({3})}));
  CHECK(gradgradcheck([](const Inputs1& in) { return tanh(in[0]) * in[1]; }, {large(), numbers({3})}));
  const auto several = [](const Inputs1& in) {
    return std::vector<Tensor>{in[0] * in[1], exp(in[0]), argmax(in[0], 0)};
  };
  CHECK(gradcheck(several, {numbers({1, 2, 3}), numbers({4, 5, 6})}));
  CHECK(gradgradcheck(several, {numbers({1, 2, 3}), numbers({4, 5, 6})}));
  const auto chosen = [](const Inputs1& in) { return index_select(in[0], 0, in[1]); };
  CHECK(gradcheck(chosen, {small_matrix(), from(std::vector<std::int64_t>{1, 0, 1})}));  // integers are passed on
}

TEST_CASE("gradcheck catches a wrong factor and says where") {
  const auto wrong = planted([](const Saved& s, const Tensor& dy) { return dy * s.input(0); });
  const Report r = gradcheck(wrong, {numbers({1, 3})});
  CHECK_FALSE(r);
  CHECK(contains(r.message,
                 "gradcheck: the derivative of output 0 at [1] by input 0 at [1] is 3 by the rule, 6 by differences"));
  CHECK(contains(r.message, "; 2 of 4 entries differ"));
  CHECK(r.index == Dims{1});
  CHECK(r.actual == doctest::Approx(3));
  CHECK(r.expected == doctest::Approx(6));
  const Report projected = gradcheck(wrong, {large()});
  CHECK_FALSE(projected);
  CHECK(contains(projected.message, "of shape [30, 20], projected at random, is "));
}

TEST_CASE("gradcheck catches one wrong entry among many") {
  const auto wrong = planted([](const Saved& s, const Tensor& dy) {
    Tensor dx = kernels::copy(dy * s.input(0) * 2.0);
    dx.mutable_data<double>()[17] += 0.01;
    return dx;
  });
  CHECK_FALSE(gradcheck(wrong, {large()}));
}

TEST_CASE("gradcheck catches a gradient of the wrong shape or type") {
  const auto shape = planted([](const Saved& s, const Tensor& dy) { return sum(dy * s.input(0) * 2.0, 0, true); });
  CHECK(gradcheck(shape, {small_matrix()}).message ==
        "gradcheck: input 0 is [2, 3], the rule of output 0 gives it a gradient of shape [1, 3]");
  const auto type = planted([](const Saved& s, const Tensor& dy) { return to(dy * s.input(0) * 2.0, DType::float32); });
  CHECK(gradcheck(type, {small_matrix()}).message ==
        "gradcheck: input 0 is float64, the rule of output 0 gives it a gradient of type float32");
}

TEST_CASE("gradcheck catches a gradient that does not reach one input") {
  const auto forgets = [](const Inputs1& in) {
    return record(
        {"planted", {}, saves::inputs}, {in[0], in[1]},
        [](const Inputs& i) { return kernels::binary(kernels::Binary::mul, i[0], i[1]); },
        [](const Saved& s, const Tensor& dy) { return gradients(dy * s.input(1), Tensor()); });
  };
  const Report r = gradcheck(forgets, {numbers({1, 2}), numbers({3, 4})});
  CHECK_FALSE(r);
  CHECK(contains(r.message, "by input 1 at [1] is 0 by the rule, 2 by differences"));
  const auto detaches = [](const Inputs1& in) { return in[0] * detach(in[1]); };
  CHECK(contains(gradcheck(detaches, {numbers({1, 2}), numbers({3, 4})}).message, "by input 1"));
  const auto no_history = [](const Inputs1& in) { return detach(in[0]) * 2.0; };
  CHECK(contains(gradcheck(no_history, {numbers({1})}).message, "is 0 by the rule, 2 by differences"));
}

TEST_CASE("gradgradcheck catches what is wrong only in the second derivative") {
  // Right numbers, but the factor is taken as a constant.
  const auto frozen = planted([](const Saved& s, const Tensor& dy) { return dy * (detach(s.input(0)) * 2.0); });
  CHECK(gradcheck(frozen, {numbers({1, 3})}));
  const Report r = gradgradcheck(frozen, {numbers({1, 3})});
  CHECK_FALSE(r);
  CHECK(contains(r.message, "gradgradcheck: the derivative of output 0 at [0] by input 0 at [0] is 0 by the rule, "));
  // Another gradient when it is recorded than when it is not.
  const auto two_faced = planted([](const Saved& s, const Tensor& dy) {
    return grad_enabled() ? dy * (s.input(0) * 2.5) : dy * (s.input(0) * 2.0);
  });
  CHECK(gradcheck(two_faced, {numbers({1, 3})}));
  CHECK(contains(gradgradcheck(two_faced, {numbers({1, 3})}).message,
                 "the gradient of input 0 differs when it is recorded: 2 of 2 entries differ"));
  // A kernel called where an operation was due: nothing flows through dy.
  const auto kernel = planted([](const Saved& s, const Tensor& dy) {
    return kernels::binary(kernels::Binary::mul, dy, kernels::binary(kernels::Binary::mul, s.input(0), 2.0));
  });
  CHECK(gradcheck(kernel, {numbers({1, 3})}));
  CHECK_FALSE(gradgradcheck(kernel, {numbers({1, 3})}));
}

TEST_CASE("gradcheck catches rules that are wrong only for some layouts") {
  // Reads the numbers as if they lay one behind the other.
  const auto rowwise = [](const Tensor& x) {
    const Tensor plain = empty(x.shape(), DType::float64);
    for (std::int64_t i = 0; i < x.numel(); ++i)
      static_cast<double*>(plain.body().data)[i] = x.data<double>()[x.body().strides.back() == 0 ? 0 : i];
    return plain;
  };
  const auto input = planted([rowwise](const Saved& s, const Tensor& dy) { return dy * (rowwise(s.input(0)) * 2.0); });
  const Report by_input = gradcheck(input, {small_matrix()});
  CHECK(contains(by_input.message, "gradcheck: with inputs transposed in memory, the gradient of input 0 differs: "));
  const auto gradient =
      planted([rowwise](const Saved& s, const Tensor& dy) { return rowwise(dy) * (s.input(0) * 2.0); });
  CHECK(contains(gradcheck(gradient, {small_matrix()}).message, "in memory, the gradient of input 0 differs: "));
  CHECK(gradcheck(input, {small_matrix()}, {.layouts = false}));
  const auto repeated = planted([](const Saved& s, const Tensor& dy) {
    return s.input(0).strides()[0] == 0 ? dy * s.input(0) : dy * (s.input(0) * 2.0);
  });
  CHECK(contains(gradcheck(repeated, {small_matrix()}).message,
                 "with inputs repeated in memory, the gradient of input 0 differs"));
}

TEST_CASE("gradcheck does not trust differences at an edge, nor functions that change") {
  const Report edge = gradcheck([](const Inputs1& in) { return abs(in[0]); }, {numbers({1, 0.0005})});
  CHECK_FALSE(edge);
  CHECK(contains(edge.message, "by differences, which are not to be trusted: the function is not smooth here"));
  int call = 0;
  const Report changing =
      gradcheck([&](const Inputs1& in) { return in[0] * static_cast<double>(++call); }, {numbers({1, 2})});
  CHECK(contains(changing.message, "gradcheck: two calls on the same inputs differ: 2 of 2 entries differ"));
  const auto throws = planted([](const Saved& s, const Tensor& dy) { return dy * s.output(); });
  CHECK(gradcheck(throws, {numbers({1})}).message ==
        "gradcheck: the rule of output 0 throws: planted: its rule asks for output 0, which the call does not save");
}

TEST_CASE("gradcheck wants float64, and something to check") {
  CHECK(error_of([] {
          gradcheck([](const Inputs1& in) { return exp(in[0]); }, {tensor({1, 2})});
        }) == "DtypeError: gradcheck: input 0 is float32\n  help: convert it with to(x, DType::float64)");
  CHECK(gradcheck([](const Inputs1& in) { return in[0]; }, {zeros({2}, DType::int64)}).message ==
        "gradcheck: no input is float64, so there is no gradient to check");
  Tensor chosen = numbers({1, 2});
  chosen.set_requires_grad();
  const auto half_wrong = [](const Inputs1& in) { return in[0] * detach(in[1]); };
  CHECK(gradcheck(half_wrong, {chosen, numbers({1, 2})}));  // only the input that asks is checked
}

TEST_CASE("with_layout keeps the numbers and changes the memory") {
  const Tensor x = small_matrix();
  for (const testing::Layout layout : {testing::Layout::transposed, testing::Layout::gaps}) {
    const Tensor y = testing::with_layout(x, layout);
    CHECK(allclose(y, x, {.atol = 0, .rtol = 0}));
    CHECK_FALSE(y.is_contiguous());
  }
  const Tensor r = testing::with_layout(x, testing::Layout::repeated);
  CHECK(r.strides()[0] == 0);
  CHECK(to_vector<double>(r) == std::vector<double>{0.5, -1, 2, 0.5, -1, 2});
}
