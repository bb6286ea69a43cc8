#include <doctest/doctest.h>

#include <weft/tensor/packed.h>

#include "error_of.h"
#include "kernels_testing.h"

using namespace kernels_testing;
using kernels::Binary;
using kernels::ElementwiseChain;
using kernels::Unary;
using tests::error_of;

namespace {

/// Numbers between 0.1 and 1.
Tensor noise(const Shape& shape, std::uint64_t seed) {
  Tensor x = empty(shape);
  kernels::random_fill(x, kernels::Distribution::uniform, 0.1, 1, seed, 0);
  return x;
}

/// sigmoid((a b + 1) 0.5 - b), as a chain and step by step.
ElementwiseChain five_steps() {
  ElementwiseChain c(2);
  const auto product = c.step(Binary::mul, c.input(0), c.input(1));
  const auto half = c.step(Binary::mul, c.step(Binary::add, product, c.number(1)), c.number(0.5));
  c.step(Unary::sigmoid, c.step(Binary::sub, half, c.input(1)));
  return c;
}
Tensor five_operations(const Tensor& a, const Tensor& b) {
  const Tensor half = kernels::binary(
      Binary::mul, kernels::binary(Binary::add, kernels::binary(Binary::mul, a, b), Scalar(1)), Scalar(0.5));
  return kernels::unary(Unary::sigmoid, kernels::binary(Binary::sub, half, b));
}

void check_same(const Tensor& got, const Tensor& wanted) {
  CHECK(got.shape() == wanted.shape());
  check_near(values(got), values(wanted), 1e-6, 1e-6);
}

}  // namespace

TEST_CASE("chain: equals its operations one by one, at every level") {
  const ElementwiseChain c = five_steps();
  CHECK(c.inputs() == 2);
  CHECK(c.steps() == 5);
  each_level([&] {
    for (const Int n : {0, 1, 7, 1024, 1025, 5000, 100000}) {
      CAPTURE(n);
      const Tensor a = noise({n}, 1), b = noise({n}, 2);
      check_same(c({{a, b}}), five_operations(a, b));
    }
  });
}

TEST_CASE("chain: broadcast inputs of every kind, in every layout") {
  const ElementwiseChain c = five_steps();
  struct Pair {
    Shape a, b;
  };
  const Pair pairs[] = {{{40, 100}, {100}},
                        {{40, 100}, {40, 1}},
                        {{40, 100}, {1}},
                        {{40, 100}, {}},
                        {{4, 1500}, {1500}},
                        {{3, 2048}, {2048}},
                        {{70, 32}, {32}},
                        {{2, 5, 30, 31}, {5, 1, 1}},
                        {{2, 5, 64, 64}, {1, 5, 1, 1}},
                        {{2, 5, 30}, {2, 1, 30}},
                        {{6, 1, 50}, {6, 40, 1}},
                        {{2, 3, 40}, {2, 3, 1}},
                        {{300}, {20, 1}},
                        {{1}, {1}},
                        {{}, {}},
                        {{1, 1}, {1}},
                        {{5, 1}, {1, 1000}},
                        {{3, 1, 4, 200}, {7, 1, 200}}};
  for (const Pair& p : pairs) {
    CAPTURE(p.a);
    CAPTURE(p.b);
    for (const Tensor& a : layouts(noise(p.a, 3)))
      for (const Tensor& b : layouts(noise(p.b, 4))) {
        check_same(c({{a, b}}), five_operations(a, b));
        check_same(c({{b, a}}), five_operations(b, a));
      }
  }
  // Images with their channels innermost keep that order.
  const Tensor image = kernels::channels_last(noise({2, 6, 20, 21}, 5)), bias = noise({6, 1, 1}, 6);
  const Tensor y = c({{image, bias}});
  CHECK(kernels::is_channels_last(y));
  check_same(y, five_operations(image, bias));
  // A number that is repeated by its strides.
  const Tensor repeated = view_as(noise({1}, 7), {30, 40}, {0, 0});
  check_same(c({{repeated, noise({30, 40}, 8)}}), five_operations(repeated, noise({30, 40}, 8)));
}

TEST_CASE("chain: results used several times, single numbers, clamp, and steps that nobody reads") {
  const Tensor x = noise({3000}, 1), scale = noise({1}, 2);
  ElementwiseChain c(2);
  const auto root = c.step(Unary::sqrt, c.input(0)), inverse = c.step(Unary::reciprocal, c.input(1));
  c.step(Unary::exp, root);
  const auto square = c.step(Binary::mul, root, root), two = c.step(Binary::add, c.number(1), c.number(1));
  const auto low = c.clamp(square, 0.3, 0.7), all = c.step(Binary::add, low, c.step(Binary::mul, root, inverse));
  c.step(Binary::maximum, c.step(Binary::div, all, two), c.step(Binary::sub, c.number(1), square));
  const Tensor y = c({{x, scale}});
  const std::vector<double> v = values(x);
  const double s = values(scale)[0];
  std::vector<double> wanted;
  for (const double e : v) wanted.push_back(std::max((std::min(std::max(e, 0.3), 0.7) + std::sqrt(e) / s) / 2, 1 - e));
  check_near(values(y), wanted, 1e-5, 1e-6);

  ElementwiseChain alone(2);  // what it gives depends on the single number only
  alone.step(Unary::neg, alone.input(1));
  for (const double e : values(alone({{x, scale}}))) CHECK(e == doctest::Approx(-s));
  // One channel fills whole tiles.
  const Tensor rows = noise({3, 4096}, 3), column = noise({3, 1}, 4);
  ElementwiseChain wide(2);
  wide.step(Binary::mul, wide.step(Unary::neg, wide.input(1)), wide.step(Binary::mul, wide.input(1), wide.input(1)));
  const Tensor cubes = kernels::binary(Binary::mul, kernels::binary(Binary::mul, column, column), Scalar(-1));
  check_same(wide({{rows, column}}), kernels::binary(Binary::add, kernels::binary(Binary::mul, cubes, column),
                                                     kernels::binary(Binary::mul, rows, Scalar(0))));
}

TEST_CASE("chain: results past the caches") {
  const Int n = (Int{8} << 20) + 1000;  // a little more than 32 MiB
  const Tensor a = noise({n}, 1), b = noise({n}, 2), y = five_steps()({{a, b}}), wanted = five_operations(a, b);
  double worst = 0;
  for (Int i = 0; i < n; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(y.data<float>()[i] - wanted.data<float>()[i])));
  CHECK(worst < 1e-6);
}

TEST_CASE("chain: errors") {
  ElementwiseChain c = five_steps();
  const Tensor a = zeros({3}), b = zeros({4});
  CHECK(error_of([&] {
          c({{a, b}});
        }) ==
        "ShapeError: chain: shapes [3] and [4] do not broadcast: sizes 3 and 4 at axis 0\n"
        "  help: make the sizes equal, or one of them 1");
  CHECK(error_of([&] {
          c({{a, zeros({3}, DType::int64)}});
        }) == "DtypeError: chain: an input is int64, not float32\n  help: convert it with to(x, DType::float32)");
  CHECK(error_of([&] { c({{a}}); }) == "ConfigError: chain: 1 inputs for 5 steps on 2");
  CHECK(error_of([&] { ElementwiseChain(1)({{a}}); }) == "ConfigError: chain: 1 inputs for 0 steps on 1");
  CHECK(error_of([] { ElementwiseChain(17); }) == "ConfigError: chain: 17 inputs\n  help: choose 1 to 16");
  CHECK(error_of([&] { c.input(2); }) == "ConfigError: chain: input 2 of 2");
  CHECK(error_of([&] {
          c.step(Unary::neg, {ElementwiseChain::Operand::Kind::step, 5, 0});
        }) == "ConfigError: chain: step 5 of 5");
  CHECK(error_of([&] { c.step(Unary::isnan, c.input(0)); }).starts_with("ConfigError: chain: operation"));
  CHECK(error_of([&] { c.step(Binary::lt, c.input(0), c.input(1)); }).starts_with("ConfigError: chain: operation"));
  CHECK(error_of([&] { c.clamp(c.input(0), std::nan(""), 1); }) ==
        "ConfigError: chain: bounds nan and 1 are not numbers");
  CHECK(error_of([&] {
          for (int i = 0; i < 64; ++i) c.step(Unary::neg, c.input(0));
        }) == "ConfigError: chain: more than 64 steps\n  help: break it in two");
}
