#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include <weft/autograd/autocast.h>
#include <weft/autograd/checkpoint.h>
#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/basic.h>
#include <weft/optim/optimizer.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/parallel.h>
#include <weft/tensor/random.h>
#include <weft/tensor/warning.h>

#include "error_of.h"

using namespace weft;
using kernels::Precision;
using tests::error_of;

namespace {

/// bfloat16 is computed on any CPU while it lives.
struct Emulated {
  Emulated() { kernels::emulate_bfloat16(true); }
  ~Emulated() { kernels::emulate_bfloat16(false); }
};

/// Weft's own kernels alone while it lives.
struct WithoutLibrary {
  bool before = kernels::uses_onednn();
  WithoutLibrary() { kernels::use_onednn(false); }
  ~WithoutLibrary() { kernels::use_onednn(before); }
};

constexpr double unit = 1.0 / 256;  // the relative error of rounding to 8 significant bits, at most

bool same(const Tensor& a, const Tensor& b) { return to_vector<float>(detach(a)) == to_vector<float>(detach(b)); }

double norm(const Tensor& x) { return std::sqrt(sum(to(x * x, DType::float64)).item()); }

/// The root mean square of the error of a sum of products, by the root of the sum of their squares: 0.57 units where
/// both factors are rounded (a rounding error is uniform in half a unit of the last place; over the logarithms of the
/// numbers that comes to 0.4 units for one factor, and sqrt(2) of it for two).
double relative_error(const Tensor& got, const Tensor& exact, const Tensor& squares) {
  return norm(to(got, DType::float64) - exact) / std::sqrt(sum(squares).item()) / unit;
}

Tensor wide(const Tensor& x) { return to(detach(x), DType::float64); }
Tensor square_of(const Tensor& x) { return x * x; }

void check_error(double error) {
  CHECK(error > 0.45);
  CHECK(error < 0.7);
}

/// Gradients of sum(dy * f(x, w)) by x and w, the forward within the scope, backward outside of it.
template <class F>
std::vector<Tensor> gradients_of(const F& f, const Tensor& x, const Tensor& w, const Tensor& dy, DType type) {
  Tensor y;
  {
    const Autocast scope(type);
    y = f(x, w);
  }
  return grad({y}, {x, w}, {.output_gradients = {dy}});
}

void compare_with_float64(bool library) {
  CAPTURE(library);
  struct Side {
    bool before = kernels::uses_onednn();
    explicit Side(bool on) { kernels::use_onednn(on && before); }
    ~Side() { kernels::use_onednn(before); }
  } side(library);
  const Emulated emulated;
  manual_seed(5);
  for (const std::int64_t n : {24, 160}) {  // below and above what the library gets
    CAPTURE(n);
    const Tensor x = randn({n, n + 8}).set_requires_grad(), w = randn({n - 8, n + 8}).set_requires_grad(),
                 dy = randn({n, n - 8});
    const auto f = [](const Tensor& a, const Tensor& b) { return linear(a, b); };
    Tensor y;
    {
      const Autocast scope(DType::bfloat16);
      y = f(x, w);
    }
    check_error(
        relative_error(detach(y), matmul(wide(x), t(wide(w))), matmul(square_of(wide(x)), t(square_of(wide(w))))));
    const auto g = gradients_of(f, x, w, dy, DType::bfloat16);
    check_error(relative_error(g[0], matmul(wide(dy), wide(w)), matmul(square_of(wide(dy)), square_of(wide(w)))));
    check_error(relative_error(g[1], matmul(t(wide(dy)), wide(x)), matmul(t(square_of(wide(dy))), square_of(wide(x)))));
    // A batch, one side transposed and one broadcast.
    const Tensor a = randn({3, n, n - 8}), b = randn({n, n - 8});
    const Autocast scope(DType::bfloat16);
    const Tensor right = transpose(b, 0, 1);
    check_error(relative_error(matmul(a, right), matmul(wide(a), wide(right)),
                               matmul(square_of(wide(a)), square_of(wide(right)))));
  }
  for (const std::int64_t channels : {4, 32}) {
    CAPTURE(channels);
    const Tensor x = randn({2, channels, 10, 10}).set_requires_grad(),
                 w = randn({channels, channels, 3, 3}).set_requires_grad(), dy = randn({2, channels, 10, 10});
    const auto f = [](const Tensor& a, const Tensor& b) { return conv2d(a, b, Tensor(), {.padding = 1}); };
    Tensor y;
    {
      const Autocast scope(DType::bfloat16);
      y = f(x, w);
    }
    const auto exact = [&](const Tensor& a, const Tensor& b, const Tensor& d) {
      const Tensor p = detach(a).set_requires_grad(), q = detach(b).set_requires_grad();
      const Tensor r = f(p, q);
      auto all = grad({r}, {p, q}, {.output_gradients = {d}});
      all.push_back(detach(r));
      return all;
    };
    const auto g = gradients_of(f, x, w, dy, DType::bfloat16);
    const auto value = exact(wide(x), wide(w), wide(dy)),
               squares = exact(square_of(wide(x)), square_of(wide(w)), square_of(wide(dy)));
    check_error(relative_error(detach(y), value[2], squares[2]));
    check_error(relative_error(g[0], value[0], squares[0]));
    check_error(relative_error(g[1], value[1], squares[1]));
  }
}

}  // namespace

TEST_CASE("autocast: products are off by what bfloat16's rounding predicts, by the library and without it") {
  compare_with_float64(true);
  compare_with_float64(false);
}

TEST_CASE("autocast: both ways give the products of the rounded factors") {
  const Emulated emulated;
  manual_seed(6);
  const Tensor a = randn({130, 140}), b = randn({140, 150}), bias = randn({150});
  const auto rounded = [](const Tensor& x) { return to(kernels::rounded_to_bfloat16(x), DType::float64); };
  const Tensor exact = matmul(rounded(a), rounded(b)) + to(bias, DType::float64);
  const auto worst = [&] {
    const Autocast scope(DType::bfloat16);
    return amax(abs(to(linear(a, t(b), bias), DType::float64) - exact)).item();
  };
  CHECK(worst() < 1e-4);  // what float32 sums of 140 products of about 1 are off by, not 140 roundings
  const WithoutLibrary own;
  CHECK(worst() < 1e-4);
}

TEST_CASE("autocast: attention rounds its factors, forward and backward") {
  const Emulated emulated;
  manual_seed(7);
  const auto make = [] { return randn({2, 3, 32, 16}).set_requires_grad(); };
  const Tensor q = make(), k = make(), v = make(), dy = randn({2, 3, 32, 16});
  const auto run = [&](DType type, const std::vector<Tensor>& in, const Tensor& d) {
    Tensor y;
    {
      const Autocast scope(type);
      y = scaled_dot_product_attention(in[0], in[1], in[2]);
    }
    std::vector<Tensor> all = grad({y}, in, {.output_gradients = {d}});
    all.push_back(detach(y));
    return all;
  };
  std::vector<Tensor> in;
  for (const Tensor& x : {q, k, v}) in.push_back(wide(x).set_requires_grad());
  const auto got = run(DType::bfloat16, {q, k, v}, dy), exact = run(DType::float32, in, wide(dy)),
             full = run(DType::float32, {q, k, v}, dy);
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].dtype() == DType::float32);
    // Scores of about 1 are off by about 0.6 units, and so the weights, relatively; values and dy by 0.4.
    const double error = norm(wide(got[i]) - exact[i]) / norm(exact[i]) / unit;
    CHECK(error > 0.1);
    CHECK(error < 2);
    CHECK(norm(wide(full[i]) - exact[i]) / norm(exact[i]) / unit < 0.01);
  }
}

TEST_CASE("autocast: a gradient rule multiplies as its forward did, wherever backward runs") {
  const Emulated emulated;
  manual_seed(8);
  const Tensor x = randn({20, 30}).set_requires_grad(), w = randn({10, 30}).set_requires_grad(), dy = randn({20, 10});
  const auto f = [](const Tensor& a, const Tensor& b) { return linear(a, b); };
  const auto full = gradients_of(f, x, w, dy, DType::float32), rounded = gradients_of(f, x, w, dy, DType::bfloat16);
  CHECK(norm(full[0] - rounded[0]) > 1e-3 * norm(full[0]));
  // Forward in full, backward inside of a scope: full.
  const Tensor y = f(x, w);
  const Autocast scope(DType::bfloat16);
  const auto inside = grad({y}, {x, w}, {.output_gradients = {dy}});
  CHECK(same(inside[0], full[0]));
  CHECK(same(inside[1], full[1]));
  // A checkpoint computes again what it computed.
  const Tensor z = checkpoint([&](const Tensor& a) { return f(a, w); }, x);
  const auto again = [&] {
    const Autocast off(DType::float32);
    return grad({z}, {x, w}, {.output_gradients = {dy}});
  }();
  CHECK(same(again[0], rounded[0]));
  CHECK(same(again[1], rounded[1]));
}

TEST_CASE("autocast: gradients agree with differences as far as rounding lets them") {
  // The loss is a step function of its float32 inputs, as wide as bfloat16's spacing, so that the difference goes over
  // a large step. f is linear in each of its inputs, where the central difference is exact but for rounding: 0.6 units
  // of the root of the sum of squares for each of two products, in f and in its gradient.
  const Emulated emulated;
  manual_seed(9);
  const Tensor x = randn({12, 16}).set_requires_grad(), w = randn({16, 16}).set_requires_grad(),
               v = randn({16, 16}).set_requires_grad(), dy = randn({12, 16});
  const auto f = [&](const Tensor& a, const Tensor& b, const Tensor& c) {
    const Autocast scope(DType::bfloat16);
    return sum(matmul(matmul(a, b), c) * dy);
  };
  const auto g = grad({f(x, w, v)}, {x, w, v});
  const Tensor* inputs[] = {&x, &w, &v};
  for (int i = 0; i < 3; ++i) {
    CAPTURE(i);
    const Tensor u = randn(inputs[i]->shape());
    const auto at = [&](double step) {
      Tensor in[3] = {detach(x), detach(w), detach(v)};
      in[i] = in[i] + u * step;
      return f(in[0], in[1], in[2]).item();
    };
    const double by_rule = sum(g[static_cast<std::size_t>(i)] * u).item(), difference = (at(1) - at(-1)) / 2;
    // |f|'s terms: 12 * 16 outputs, each a sum of 256 products of four numbers of about 1.
    const double spread = std::sqrt(12.0 * 16 * 256);
    CHECK(std::abs(by_rule - difference) < 4 * 0.6 * unit * spread * 2);
    CHECK(std::abs(by_rule) > 10 * 0.6 * unit * spread);  // so that the bound says something
  }
}

TEST_CASE("autocast: second derivatives go through the same products") {
  const Emulated emulated;
  manual_seed(10);
  const Tensor x = randn({6, 8}).set_requires_grad(), w = randn({8, 4}).set_requires_grad();
  const auto second = [&](DType type) {
    Tensor y;
    {
      const Autocast scope(type);
      y = sum(square(matmul(x, w)));
    }
    const Tensor g = grad({y}, {x}, {.create_graph = true})[0];
    return grad({sum(g * g)}, {w})[0];
  };
  const Tensor full = second(DType::float32), rounded = second(DType::bfloat16);
  const double error = norm(full - rounded) / norm(full) / unit;
  CHECK(error > 0.05);
  CHECK(error < 4);
}

TEST_CASE("autocast: scopes nest, hold for their thread and for float32 alone") {
  const Emulated emulated;
  const Tensor a = randn({8, 8}), b = randn({8, 8});
  const Tensor full = matmul(a, b);
  CHECK(autocast_dtype() == DType::float32);
  {
    const Autocast scope(DType::bfloat16);
    CHECK(autocast_dtype() == DType::bfloat16);
    CHECK_FALSE(same(matmul(a, b), full));
    CHECK(matmul(a, b).dtype() == DType::float32);
    {
      const Autocast inner(DType::float32);
      CHECK(same(matmul(a, b), full));
    }
    CHECK_FALSE(same(matmul(a, b), full));
    DType other = DType::bfloat16;
    std::thread([&] { other = autocast_dtype(); }).join();
    CHECK(other == DType::float32);
    // Of other types, and of other operations, nothing changes.
    const Tensor p = to(a, DType::float64), q = to(b, DType::float64);
    const Tensor exact = matmul(p, q);
    CHECK((a * b).dtype() == DType::float32);
    const Autocast off(DType::float32);
    CHECK(same(matmul(p, q), exact));
    CHECK(kernels::product_precision() == Precision::full);
  }
  CHECK(same(matmul(a, b), full));
  CHECK(error_of([] { const Autocast scope(DType::float64); }) ==
        "DtypeError: autocast: products in float64\n  help: choose bfloat16, or float32 for none");
}

TEST_CASE("autocast: where the CPU has no bfloat16 there is one warning, and float32") {
  struct Level {
    std::string before = kernels::level();
    Level() { kernels::set_level(kernels::available_levels().front()); }
    ~Level() {
      kernels::set_level(before.c_str());
      set_warning_handler({});
    }
  } lowest;  // as on an old CPU
  std::vector<std::string> lines;
  set_warning_handler([&](const std::string& line) { lines.push_back(line); });
  const Tensor a = randn({8, 8}), b = randn({8, 8}), full = matmul(a, b);
  for (int i = 0; i < 3; ++i) {
    const Autocast scope(DType::bfloat16);
    CHECK(autocast_dtype() == DType::float32);
    CHECK(same(matmul(a, b), full));
  }
  CHECK(lines == std::vector<std::string>{"autocast: there are no fast bfloat16 products here (they need AVX512_BF16 "
                                          "or AMX, and oneDNN): float32 is used"});
}

TEST_CASE("autocast: training keeps float32 parameters that move by less than bfloat16 could say") {
  const Emulated emulated;
  manual_seed(11);
  Linear net(8, 1);
  optim::Sgd optimizer(parameters(net), {.lr = 1e-3});
  const Tensor x = randn({64, 8}), truth = randn({8, 1}), y = matmul(x, truth);
  double first = 0, last = 0;
  for (int i = 0; i < 3000; ++i) {
    optimizer.zero_grad();
    Tensor loss;
    {
      const Autocast scope(DType::bfloat16);
      loss = mse_loss(net(x), y);
    }
    loss.backward();
    optimizer.step();
    (i == 0 ? first : last) = loss.item();
  }
  CHECK(net.weight.dtype() == DType::float32);
  CHECK(last < first * 1e-3);
}
