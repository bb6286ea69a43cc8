#include <doctest/doctest.h>

#include <cmath>

#include <weft/autograd/anomaly.h>
#include <weft/autograd/checkpoint.h>
#include <weft/autograd/functional.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/testing.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::error_of;

namespace {

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator g{.seed = seed};
  return randn(shape, 0, 1, DType::float64, g);
}

/// (3,) -> (2,): (x0 x1, sin x2 + x0^2), whose Jacobian is known.
Tensor curve(const Tensor& x) {
  const Tensor a = select(x, 0, 0), b = select(x, 0, 1), c = select(x, 0, 2);
  return stack({a * b, sin(c) + square(a)});
}
Tensor slope(const Tensor& x) {
  const std::vector<double> v = to_vector<double>(x);
  return from(std::vector<double>{v[1], v[0], 0, 2 * v[0], 0, std::cos(v[2])}, {2, 3});
}

}  // namespace

TEST_CASE("vjp, jvp and jacobian agree with the derivative on paper") {
  const Tensor x = normal({3}, 1), v = normal({3}, 2), u = normal({2}, 3);
  const Tensor j = slope(x);
  CHECK(allclose(jacobian(curve, x), j));
  const Product left = vjp(curve, x, u), right = jvp(curve, x, v);
  CHECK(allclose(left.value, curve(x)));
  CHECK(allclose(right.value, curve(x)));
  CHECK(allclose(left.product, matmul(u, j)));
  CHECK(allclose(right.product, matmul(j, v)));
  CHECK_FALSE(left.product.requires_grad());
  CHECK_FALSE(right.value.requires_grad());
  CHECK_FALSE(x.requires_grad());
}

TEST_CASE("the Hessian of a quadratic form is the matrix and its transpose") {
  const Tensor a = normal({4, 4}, 1), x = normal({4}, 2);
  CHECK(allclose(hessian([&](const Tensor& v) { return matmul(v, matmul(a, v)); }, x), a + t(a)));
  CHECK(allclose(hessian([](const Tensor& v) { return sum(v * 3.0); }, x), zeros({4, 4}, DType::float64)));
  CHECK(error_of([&] { hessian([](const Tensor& v) { return v * 2.0; }, x); }) ==
        "ShapeError: hessian: the function gives [4], not one number\n  help: reduce it with sum(y)");
}

TEST_CASE("functions of several inputs and outputs; inputs that do not matter have derivative 0") {
  const ManyFunction f = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{matmul(in[0], in[1]), square(in[0])};
  };
  const Tensor a = normal({2, 3}, 1), b = normal({3}, 2);
  const auto j = jacobian(f, {a, b});
  REQUIRE(j.size() == 2);
  CHECK(j[0][0].shape() == Shape{2, 2, 3});
  CHECK(allclose(j[0][1], a));
  CHECK(j[1][1].shape() == Shape{2, 3, 3});
  CHECK(allclose(j[1][1], zeros({2, 3, 3}, DType::float64)));
  const Tensor va = normal({2, 3}, 3), vb = normal({3}, 4);
  const Products p = jvp(f, {a, b}, {va, vb});
  CHECK(allclose(p.products[0], matmul(va, b) + matmul(a, vb)));
  CHECK(allclose(p.products[1], a * va * 2.0));
  CHECK(error_of([&] { jvp(f, {a, b}, {va}); }) == "ShapeError: jvp: 2 inputs but 1 vectors");
  CHECK(error_of([&] { jvp(f, {a, b}, {vb, vb}); }) == "ShapeError: jvp: input 0 is [2, 3], its vector [3]");
  CHECK(error_of([&] {
          jacobian(curve, tensor({1, 2, 3}, DType::int64));
        }) ==
        "GradError: jacobian: input 0 is int64, which has no gradient\n  help: convert it with to(x, DType::float32)");
}

TEST_CASE("with create_graph a product can be differentiated by what the function captures") {
  const Tensor w = normal({3}, 5).set_requires_grad(), x = normal({3}, 6), v = normal({3}, 7);
  const Function f = [&](const Tensor& at) { return square(at * w); };
  sum(jvp(f, x, v, true).product).backward();  // sum 2 w^2 x v
  CHECK(allclose(w.grad(), detach(w) * x * v * 4.0));
  CHECK(allclose(jvp([](const Tensor& at) { return zeros(at.shape(), at.dtype()); }, x, v).product,
                 zeros({3}, DType::float64)));
}

TEST_CASE("a checkpointed function has the gradients of the plain one, to second order, with all that it captures") {
  const Tensor w = normal({3, 3}, 1).set_requires_grad(), x = normal({2, 3}, 2).set_requires_grad();
  const Tensor scale = exp(w);  // a captured result with history of its own
  const Function f = [&](const Tensor& at) { return sigmoid(matmul(at, w)) * sum(scale) + tanh(at); };
  const auto plain = [&](const Tensor& at) { return f(at); };
  const auto thrifty = [&](const Tensor& at) { return checkpoint(f, at); };

  const std::vector<Tensor> expected = grad({sum(square(plain(x)))}, {x, w}, {.retain_graph = true});
  const std::vector<Tensor> actual = grad({sum(square(thrifty(x)))}, {x, w}, {.retain_graph = true});
  CHECK(allclose(actual[0], expected[0]));
  CHECK(allclose(actual[1], expected[1]));

  const auto penalty = [&](const std::function<Tensor(const Tensor&)>& g) {
    const Tensor dx = grad({sum(square(g(x)))}, {x}, {.create_graph = true})[0];
    return grad({sum(square(dx))}, {x, w}, {.retain_graph = true});
  };
  const std::vector<Tensor> second = penalty(plain), again = penalty(thrifty);
  CHECK(allclose(again[0], second[0]));
  CHECK(allclose(again[1], second[1]));
  const Function closed = [&](const Tensor& at) { return sigmoid(matmul(at, w)) + tanh(at); };
  CHECK(testing::gradgradcheck([&](const std::vector<Tensor>& in) { return checkpoint(closed, in[0]); },
                               {normal({2, 3}, 8)}));
}

TEST_CASE("a checkpoint draws the same random numbers again and leaves the generator where it was") {
  const Tensor x = ones({1000}, DType::float64).set_requires_grad();
  manual_seed(3);
  const Tensor y = checkpoint([](const Tensor& at) { return dropout(at, 0.5); }, x);
  const Tensor after = rand({4});
  manual_seed(3);
  const Tensor plain = dropout(detach(x), 0.5);
  CHECK(allclose(y, plain));
  CHECK(to_vector<float>(rand({4})) == to_vector<float>(after));
  const Generator before = default_generator();
  sum(y).backward();
  CHECK(default_generator().offset == before.offset);
  CHECK(allclose(x.grad(), plain));  // the mask over 0.5, twice the same
}

TEST_CASE("checkpoints nest, and several outputs may go unused") {
  const Tensor x = normal({3}, 1).set_requires_grad();
  const auto inner = [](const Tensor& at) { return exp(at); };
  const auto both = [&](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{checkpoint(inner, in[0]) * in[0], sin(in[0])};
  };
  const Tensor y = checkpoint(both, {x})[0];
  sum(y).backward();
  const Tensor plain = detach(x);
  CHECK(allclose(x.grad(), exp(plain) * (plain + 1.0)));
}

TEST_CASE("DetectAnomaly names the operation that first made a NaN, its inputs and its scope") {
  const Tensor x = tensor({1, -1}, DType::float64).set_requires_grad();
  const auto run = [&](DetectAnomaly::Options options) {
    return error_of([&] {
      const DetectAnomaly look(options);
      const Scope model("model"), layer("head");
      const Tensor y = x * 2.0;
      sum(log(y)).backward();
    });
  };
  const std::string message = run({});
  CHECK(message.starts_with(
      "GradError: log: made the first NaN, in call 2\n  input 0: float64 [2] from -2 to 2\n  scope: model > head"));
  CHECK(message.find("called from: ") != std::string::npos);
  log(x);  // no longer watched
}

TEST_CASE("DetectAnomaly names the operation whose gradient first made a NaN") {
  const Tensor x = tensor({0, 4}, DType::float64).set_requires_grad();
  const std::string message = error_of([&] {
    const DetectAnomaly look;
    Tensor y;
    {
      const Scope part("norm");
      y = sqrt(x);
    }
    sum(y * tensor({0, 1}, DType::float64)).backward();  // 0 * (1 / sqrt 0)
  });
  CHECK(
      message.starts_with("GradError: sqrt: its gradient made the first NaN\n  gradient of output 0: float64 [2] "
                          "from 0 to 1\n  gradient of input 0: float64 [2] from "));
  CHECK(message.find("scope: norm") != std::string::npos);
}

TEST_CASE("DetectAnomaly says when the data brought the NaN, and finds infinities when asked") {
  const Tensor bad = tensor({1, NAN}, DType::float64), zero = tensor({0}, DType::float64);
  CHECK(error_of([&] {
          const DetectAnomaly look;
          exp(bad);
        }).starts_with("GradError: exp: its input already holds NaN, in call 1"));
  {
    const DetectAnomaly look;
    CHECK(std::isinf(log(zero).item()));
  }
  CHECK(error_of([&] {
          const DetectAnomaly look({.infinities = true});
          log(zero);
        }).starts_with("GradError: log: made the first infinity, in call 1"));
}
