#include <doctest/doctest.h>

#include <thread>

#include <weft/tensor/packed.h>

#include "error_of.h"
#include "kernels_testing.h"

using namespace kernels_testing;
using kernels::Activation;
using kernels::Epilogue;
using tests::error_of;

namespace {

/// Numbers between -1 and 1.
Tensor noise(const Shape& shape, std::uint64_t seed) {
  Tensor x = empty(shape);
  kernels::random_fill(x, kernels::Distribution::uniform, -1, 1, seed, 0);
  return x;
}

double largest(const Tensor& x) {
  double most = 1;
  for (const double v : values(x)) most = std::max(most, std::abs(v));
  return most;
}
/// Within 1e-5 of the largest number, or of `scale` where the numbers were larger on the way.
void check_same(const Tensor& got, const Tensor& wanted, double scale = 0) {
  REQUIRE(got.shape() == wanted.shape());
  check_near(values(got), values(wanted), 0, 1e-5 * std::max(scale, largest(wanted)));
}

const Activation every_activation[] = {Activation::none, Activation::relu, Activation::gelu,   Activation::gelu_tanh,
                                       Activation::silu, Activation::tanh, Activation::sigmoid};

Tensor activated(const Tensor& x, Activation a) {
  using kernels::Unary;
  switch (a) {
    case Activation::none: return x;
    case Activation::relu: return kernels::unary(Unary::relu, x);
    case Activation::gelu: return kernels::unary(Unary::gelu, x);
    case Activation::gelu_tanh: return kernels::unary(Unary::gelu_tanh, x);
    case Activation::silu: return kernels::unary(Unary::silu, x);
    case Activation::tanh: return kernels::unary(Unary::tanh, x);
    case Activation::sigmoid: return kernels::unary(Unary::sigmoid, x);
  }
  return x;
}

/// What the plain operations give.
Tensor finished(const Tensor& y, const Epilogue& e) {
  return activated(e.residual ? kernels::binary(kernels::Binary::add, y, *e.residual) : y, e.activation);
}

/// With the library, without it, and under `deterministic`.
template <class Body>
void each_way(Body&& body) {
  const bool before = kernels::uses_onednn();
  for (const int way : {0, 1, 2}) {
    CAPTURE(way);
    kernels::use_onednn(before && way != 1);
    deterministic(way == 2);
    body();
  }
  kernels::use_onednn(before);
  deterministic(false);
}

/// The same numbers in memory that is neither dense nor in order.
Tensor scattered(const Tensor& x) { return layouts(x).back(); }

struct Window {
  const char* what;
  Int batch, channels, results, groups;
  Dims input, kernel, stride, before, dilation;
  kernels::Convolution shape() const {
    kernels::Convolution c{input, kernel, Dims::filled(input.size(), 0), stride, before, dilation, groups};
    for (int a = 0; a < input.size(); ++a)
      c.output[a] = (input[a] + 2 * before[a] - (kernel[a] - 1) * dilation[a] - 1) / stride[a] + 1;
    return c;
  }
  Shape joined(Int first, Int second, const Dims& rest) const {
    Shape s{first, second};
    for (const Int n : rest) s.push_back(n);
    return s;
  }
  Tensor x() const { return noise(joined(batch, channels, input), 1); }
  Tensor weight() const { return noise(joined(results, channels / groups, kernel), 2); }
};

const std::vector<Window>& windows() {
  static const std::vector<Window> all = {
      {"3 x 3, one image", 1, 32, 64, 1, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"3 x 3, many tiles", 4, 48, 32, 1, {18, 22}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"3 x 3, odd sizes", 3, 37, 45, 1, {13, 19}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"3 x 3, unpadded", 3, 40, 33, 1, {17, 15}, {3, 3}, {1, 1}, {0, 0}, {1, 1}},
      {"3 x 3, wide padding", 2, 64, 64, 1, {9, 10}, {3, 3}, {1, 1}, {2, 2}, {1, 1}},
      {"4 x 4 images", 8, 128, 64, 1, {4, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"stride", 2, 16, 32, 1, {15, 16}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
      {"stride that leaves a rest", 2, 16, 32, 1, {16, 16}, {3, 3}, {2, 2}, {0, 0}, {1, 1}},
      {"1 x 1", 2, 64, 128, 1, {8, 8}, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
      {"1 x 1 with stride", 2, 64, 128, 1, {8, 8}, {1, 1}, {2, 2}, {0, 0}, {1, 1}},
      {"colours", 2, 3, 64, 1, {32, 32}, {7, 7}, {2, 2}, {3, 3}, {1, 1}},
      {"groups", 2, 32, 64, 4, {10, 10}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"depthwise", 2, 48, 48, 48, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {"dilation", 2, 16, 24, 1, {20, 20}, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
      {"signal", 3, 12, 20, 1, {50}, {5}, {1}, {2}, {1}},
      {"volume", 2, 8, 16, 1, {8, 9, 10}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}},
      {"tiny", 1, 2, 3, 1, {4, 4}, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
  };
  return all;
}

kernels::Steps steps_of(kernels::Cell cell, Int batch, Int length, bool reverse, bool batch_first) {
  return {.cell = cell,
          .sizes = std::vector<Int>(static_cast<std::size_t>(length), batch),
          .reverse = reverse,
          .batch_first = batch_first};
}

}  // namespace

TEST_CASE("packed: linear layers equal the plain ones") {
  const Int sizes[][3] = {{1, 784, 512}, {3, 512, 10}, {8, 65, 129},  {17, 30, 70},
                          {64, 96, 48},  {130, 7, 33}, {200, 256, 1}, {5, 3, 2}};
  each_way([&] {
    for (const auto& size : sizes) {
      const Int rows = size[0], in = size[1], out = size[2];
      CAPTURE(rows);
      CAPTURE(in);
      CAPTURE(out);
      const Tensor x = noise({rows, in}, 1), w = noise({out, in}, 2), b = noise({out}, 3), r = noise({rows, out}, 4);
      for (const Tensor& bias : {b, Tensor()}) {
        const kernels::PackedLinear packed(w, bias);
        CHECK(packed.inputs() == in);
        CHECK(packed.outputs() == out);
        CHECK(packed.bytes() >= static_cast<std::size_t>(4 * in * out));
        const Tensor plain = kernels::linear(x, w, bias);
        for (const Activation a : every_activation)
          for (const Tensor* residual : {static_cast<const Tensor*>(nullptr), &r})
            check_same(packed(x, {a, residual}), finished(plain, {a, residual}));
        check_same(packed(scattered(x)), plain);
        check_same(kernels::PackedLinear(scattered(w), bias)(x), plain);
      }
    }
  });
}

TEST_CASE("packed: linear layers take any leading axes, none, empty ones, a residual in another order") {
  const Tensor w = noise({40, 60}, 1), b = noise({40}, 2), x = noise({2, 3, 4, 60}, 3), r = noise({2, 3, 4, 40}, 4);
  const kernels::PackedLinear packed(w, b);
  check_same(packed(x), kernels::linear(x, w, b));
  const Tensor turned = scattered(r);
  check_same(packed(x, {Activation::relu, &turned}), finished(kernels::linear(x, w, b), {Activation::relu, &r}));
  CHECK(packed(zeros({60})).shape() == Shape{40});
  CHECK(packed(zeros({0, 60})).shape() == Shape{0, 40});
  CHECK(packed(zeros({5, 0, 60}), {Activation::gelu, nullptr}).shape() == Shape{5, 0, 40});
  check_same(kernels::PackedLinear(zeros({4, 0}), noise({4}, 5))(zeros({3, 0})),
             kernels::linear(zeros({3, 0}), zeros({4, 0}), noise({4}, 5)));
  // Every second row as it lies.
  const Tensor every = view_as(x, {12, 60}, {120, 1});
  check_same(packed(every), kernels::linear(every, w, b));
}

TEST_CASE("packed: a linear layer keeps the weight that it was made from") {
  Tensor w = noise({64, 64}, 1);
  const Tensor x = noise({5, 64}, 2), before = kernels::linear(x, w, Tensor());
  const kernels::PackedLinear packed(w, Tensor());
  kernels::fill(w, 0);
  each_way([&] { check_same(packed(x), before); });
}

TEST_CASE("packed: convolutions equal the plain ones") {
  each_way([] {
    for (const Window& w : windows()) {
      CAPTURE(w.what);
      const kernels::Convolution c = w.shape();
      const Tensor x = w.x(), weight = w.weight(), bias = noise({w.results}, 3),
                   residual = noise(w.joined(w.batch, w.results, c.output), 4);
      const kernels::PackedConvolution packed(weight, bias, c), bare(weight, Tensor(), c);
      const Tensor plain = kernels::convolution(x, weight, bias, c);
      const Tensor y = packed(x);
      CHECK(kernels::is_channels_last(y));
      check_same(y, plain);
      check_same(bare(x), kernels::convolution(x, weight, Tensor(), c));
      for (const Activation a : every_activation)
        check_same(packed(x, {a, &residual}), finished(plain, {a, &residual}), largest(plain));
      check_same(packed(kernels::channels_last(x), {Activation::relu, nullptr}), activated(plain, Activation::relu),
                 largest(plain));
      check_same(packed(scattered(x)), plain);
    }
  });
}

TEST_CASE("packed: convolutions of other sizes and numbers of images share what is arranged") {
  const Window small = windows()[1];
  const kernels::Convolution c = small.shape();
  const Tensor w = small.weight();
  const kernels::PackedConvolution packed(w, Tensor(), c);
  packed.prepare(small.batch);
  for (const Int batch : {Int{0}, Int{1}, Int{3}, Int{20}}) {
    const Tensor x = noise(small.joined(batch, small.channels, small.input), 5);
    check_same(packed(x), kernels::convolution(x, w, Tensor(), c));
  }
  kernels::Convolution wide = c;
  wide.input = {31, 12};
  wide.output = {31, 12};
  const kernels::PackedConvolution other = packed.resized(wide.input, wide.output);
  const Tensor x = noise(small.joined(2, small.channels, wide.input), 6);
  check_same(other(x), kernels::convolution(x, w, Tensor(), wide));
  CHECK(other.bytes() == packed.bytes());
}

TEST_CASE("packed: the library's reference implementation, which is slow, is never used for common shapes") {
  const Tensor none = zeros({1});
  for (const Activation a : every_activation)
    for (const Tensor* residual : {static_cast<const Tensor*>(nullptr), &none}) {
      for (const Window& w : windows()) {
        CAPTURE(w.what);
        const std::string name =
            kernels::PackedConvolution(w.weight(), Tensor(), w.shape()).implementation(w.batch, {a, residual});
        CHECK_MESSAGE(name.find("ref") == std::string::npos, name);
      }
      for (const Int rows : {1, 4, 32, 512}) {
        const std::string name = kernels::PackedLinear(zeros({512, 784}), Tensor()).implementation(rows, {a, residual});
        CHECK_MESSAGE(name.find("ref") == std::string::npos, name);
      }
    }
}

TEST_CASE("packed: recurrent layers equal the plain ones") {
  using kernels::Cell;
  each_way([] {
    for (const Cell cell : {Cell::lstm, Cell::gru, Cell::tanh, Cell::relu})
      for (const bool reverse : {false, true})
        for (const Int batch : {1, 3, 11, 32})
          for (const Int hidden : {5, 70}) {
            CAPTURE(static_cast<int>(cell));
            CAPTURE(batch);
            CAPTURE(hidden);
            const Int length = 7, in = 9, rows = kernels::gates_of(cell) * hidden;
            const Tensor wi = noise({rows, in}, 1), wh = noise({rows, hidden}, 2), bi = noise({rows}, 3),
                         bh = noise({rows}, 4), x = noise({length * batch, in}, 5), h = noise({batch, hidden}, 6),
                         c = noise({batch, hidden}, 7);
            const kernels::PackedRecurrent packed(cell, wi, wh, bi, bh), bare(cell, wi, wh, Tensor(), Tensor());
            CHECK(packed.bytes() >= static_cast<std::size_t>(4 * rows * (in + hidden)));
            std::vector<kernels::Steps> ways = {steps_of(cell, batch, length, reverse, false),
                                                steps_of(cell, batch, length, reverse, true)};
            if (batch == 3) {  // sequences of 9, 8 and 4 steps
              ways.push_back(ways[0]);
              ways.back().sizes = {3, 3, 3, 3, 2, 2, 2, 2, 1};
            }
            for (const kernels::Steps& steps : ways) {
              const Tensor gates = kernels::linear(x, wi, bi);
              const std::vector<Tensor> wanted = kernels::recurrent(gates, wh, bh, h, c, steps, nullptr);
              const std::vector<Tensor> got = packed(x, h, c, steps);
              REQUIRE(got.size() == wanted.size());
              for (std::size_t i = 0; i < got.size(); ++i) check_same(got[i], wanted[i]);
              check_same(bare(x, h, c, steps)[0],
                         kernels::recurrent(kernels::linear(x, wi, Tensor()), wh, Tensor(), h, c, steps, nullptr)[0]);
            }
          }
  });
}

TEST_CASE("packed: recurrent layers of no sequences or no steps") {
  const kernels::PackedRecurrent packed(kernels::Cell::lstm, noise({16, 3}, 1), noise({16, 4}, 2), Tensor(), Tensor());
  const std::vector<Tensor> none =
      packed(zeros({0, 3}), zeros({0, 4}), zeros({0, 4}), steps_of(kernels::Cell::lstm, 0, 5, false, true));
  CHECK(none[0].shape() == Shape{0, 4});
  const Tensor h = noise({2, 4}, 3);
  const std::vector<Tensor> still = packed(zeros({0, 3}), h, h, steps_of(kernels::Cell::lstm, 2, 0, false, false));
  CHECK(values(still[1]) == values(h));
}

TEST_CASE("packed: a recurrent layer's threads agree with one") {
  const Int hidden = 256, batch = 1, length = 20;
  const Tensor wi = noise({4 * hidden, 16}, 1), wh = noise({4 * hidden, hidden}, 2), x = noise({length, 16}, 3),
               h = noise({batch, hidden}, 4), c = noise({batch, hidden}, 5);
  const kernels::PackedRecurrent packed(kernels::Cell::lstm, kernels::binary(kernels::Binary::mul, wi, Scalar(0.1)),
                                        kernels::binary(kernels::Binary::mul, wh, Scalar(0.1)), Tensor(), Tensor());
  const auto steps = steps_of(kernels::Cell::lstm, batch, length, false, true);
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<Tensor> one = packed(x, h, c, steps);
  set_num_threads(3);
  const std::vector<Tensor> three = packed(x, h, c, steps);
  set_num_threads(before);
  for (std::size_t i = 0; i < one.size(); ++i) check_same(three[i], one[i]);
}

TEST_CASE("packed: several threads use one object at once") {
  const Window w = windows()[1];
  const kernels::Convolution c = w.shape();
  const Tensor x = w.x(), weight = w.weight(), rows = noise({6, 96}, 1), matrix = noise({80, 96}, 2);
  const kernels::PackedConvolution convolution(weight, Tensor(), c);
  const kernels::PackedLinear linear(matrix, Tensor());
  const kernels::PackedRecurrent recurrent(kernels::Cell::gru, noise({96, 96}, 3), noise({96, 32}, 4), Tensor(),
                                           Tensor());
  kernels::ElementwiseChain chain(1);
  chain.step(kernels::Unary::tanh, chain.step(kernels::Binary::mul, chain.input(0), chain.number(2)));
  const auto steps = steps_of(kernels::Cell::gru, 2, 3, false, false);
  const Tensor h = noise({2, 32}, 5);
  const std::vector<Tensor> wanted = {kernels::convolution(x, weight, Tensor(), c),
                                      kernels::linear(rows, matrix, Tensor()), recurrent(rows, h, Tensor(), steps)[0],
                                      chain({{rows}})};
  std::vector<std::vector<Tensor>> got(4);
  std::vector<std::thread> threads;
  for (std::vector<Tensor>& mine : got)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i)
        mine = {convolution(x), linear(rows), recurrent(rows, h, Tensor(), steps)[0], chain({{rows}})};
    });
  for (std::thread& t : threads) t.join();
  for (const std::vector<Tensor>& each : got)
    for (std::size_t i = 0; i < each.size(); ++i) check_same(each[i], wanted[i]);
}

TEST_CASE("packed: errors name both sides") {
  const kernels::PackedLinear linear(zeros({4, 3}), zeros({4}));
  CHECK(error_of([&] {
          linear(zeros({2, 5}));
        }) == "ShapeError: packed_linear: x [2, 5] has 5 columns, the weight [4, 3] takes 3");
  CHECK(error_of([&] {
          linear(zeros({2, 3}, DType::float64));
        }) == "DtypeError: packed_linear: x is float64, not float32\n  help: convert it with to(x, DType::float32)");
  const Tensor wrong = zeros({4, 2}), whole = zeros({2, 4}, DType::int64);
  CHECK(error_of([&] {
          linear(zeros({2, 3}), {Activation::none, &wrong});
        }) == "ShapeError: packed_linear: the residual is [4, 2], the result [2, 4]");
  CHECK(error_of([&] {
          linear(zeros({2, 3}), {Activation::none, &whole});
        }) ==
        "DtypeError: packed_linear: the residual is int64, not float32\n"
        "  help: convert it with to(x, DType::float32)");
  CHECK(error_of([] { kernels::PackedLinear(zeros({3}), Tensor()); }) ==
        "ShapeError: packed_linear: weight has shape [3], not (outputs, inputs)");
  CHECK(error_of([] {
          kernels::PackedLinear(zeros({4, 3}), zeros({3}));
        }) == "ShapeError: packed_linear: bias has shape [3], weight [4, 3] gives 4 outputs");

  kernels::Convolution c{{5, 5}, {3, 3}, {5, 5}, {1, 1}, {1, 1}, {1, 1}};
  Tensor weight = zeros({4, 2, 3, 3});
  const kernels::PackedConvolution packed(weight, Tensor(), c);
  CHECK(error_of([&] {
          packed(zeros({1, 3, 5, 5}));
        }) == "ShapeError: packed_convolution: x is [1, 3, 5, 5], not [1, 2, 5, 5]");
  CHECK(error_of([&] { packed(zeros({5})); }) == "ShapeError: packed_convolution: x is [5], not [5, 2, 5, 5]");
  CHECK(error_of([&] { packed.resized({5}, {5}); }) ==
        "ShapeError: packed_convolution: input [5] and output [5] for 2 spatial axes");
  CHECK(
      error_of([&] {
        packed.resized({0, 5}, {5, 5});
      }) ==
      "ShapeError: packed_convolution: input [0, 5], window [3, 3] and output [5, 5] must not have an axis of size 0");
  CHECK(error_of([&] { kernels::PackedConvolution(weight, zeros({3}), c); }) ==
        "ShapeError: packed_convolution: bias [3] does not fit 4 outputs");
  CHECK(error_of([&] {
          kernels::PackedConvolution(zeros({4, 2, 3}), Tensor(), c);
        }) == "ShapeError: packed_convolution: weight [4, 2, 3] for 2 spatial axes");
  CHECK(error_of([&] {
          kernels::PackedConvolution(zeros({4, 2, 1, 3}), Tensor(), c);
        }) == "ShapeError: packed_convolution: weight [4, 2, 1, 3] for a window of [3, 3]");
  c.groups = 3;
  CHECK(error_of([&] { kernels::PackedConvolution(weight, Tensor(), c); }) ==
        "ShapeError: packed_convolution: weight [4, 2, 3, 3] has 4 outputs for 3 groups");
  c.groups = 1;
  c.stride = {1};
  CHECK(error_of([&] { kernels::PackedConvolution(weight, Tensor(), c); }) ==
        "ShapeError: packed_convolution: [1] numbers for 2 spatial axes");
  weight.mutable_data<float>()[0] = 1;
  CHECK(error_of([&] {
          packed(zeros({1, 2, 5, 5}));
        }) ==
        "ConfigError: packed_convolution: the weight has changed since it was packed\n"
        "  help: pack it again after training");

  using kernels::Cell;
  const kernels::PackedRecurrent lstm(Cell::lstm, zeros({8, 3}), zeros({8, 2}), Tensor(), Tensor());
  const Tensor h = zeros({1, 2}), x = zeros({4, 3});
  CHECK(error_of([] {
          kernels::PackedRecurrent(Cell::gru, zeros({8, 3}), zeros({8, 2}), Tensor(), Tensor());
        }) == "ShapeError: packed_recurrent: the weights are [8, 3] and [8, 2]\n  help: give (3 H, in) and (3 H, H)");
  CHECK(error_of([] {
          kernels::PackedRecurrent(Cell::lstm, zeros({8, 3}), zeros({8, 2}), zeros({7}), Tensor());
        }) == "ShapeError: packed_recurrent: a bias is [7], not [8]");
  CHECK(error_of([&] { lstm(x, h, h, steps_of(Cell::gru, 1, 4, false, false)); }) ==
        "ConfigError: packed_recurrent: the steps are of another kind of cell");
  CHECK(error_of([&] { lstm(x, h, Tensor(), steps_of(Cell::lstm, 1, 4, false, false)); }) ==
        "ShapeError: packed_recurrent: the state c is missing, not (rows, 2)");
  CHECK(error_of([&] { lstm(zeros({4}), h, h, steps_of(Cell::lstm, 1, 4, false, false)); }) ==
        "ShapeError: packed_recurrent: x is [4], not (rows, 3)");
  CHECK(error_of([&] { lstm(x, h, h, steps_of(Cell::lstm, 1, 5, false, false)); }) ==
        "ShapeError: packed_recurrent: the steps add up to 5 rows, x is [4, 3]");
  CHECK(error_of([&] { lstm(x, h, h, steps_of(Cell::lstm, 2, 2, false, false)); }) ==
        "ConfigError: packed_recurrent: 2 sequences at a step after 1 of a batch of 1");
}
