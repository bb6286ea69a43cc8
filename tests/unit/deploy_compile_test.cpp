#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/deploy/compile.h>
#include <weft/layers/basic.h>
#include <weft/layers/convolution.h>
#include <weft/layers/decoder.h>
#include <weft/layers/normalization.h>
#include <weft/layers/recurrent.h>
#include <weft/layers/resnet.h>
#include <weft/layers/transformer.h>
#include <weft/tensor/allocator.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using namespace weft::tests;
using deploy::compile;
using deploy::CompileOptions;
using deploy::Program;

namespace {

Tensor single(const Shape& shape, std::uint64_t seed) { return normal(shape, seed, DType::float32); }

/// What a program and a model give for x, compared.
template <class Model>
testing::Report same(const Program& program, const Model& model, const Tensor& x) {
  const NoGrad off;
  const Tensor expected = model(x);
  double largest = 0;
  for (const double v : to_vector<double>(expected)) largest = std::max(largest, std::abs(v));
  return testing::allclose(program(x), expected, {.atol = 1e-5 * largest, .rtol = 1e-5});
}

struct Perceptron {
  Linear hidden{20, 33};
  Linear out{33, 5};
  Tensor operator()(const Tensor& x) const { return out(gelu(hidden(x))); }
  void fields(auto&& f) { f("hidden", hidden, "out", out); }
};

/// A residual block and a head, with all that a convolution can be joined with.
struct SmallNet {
  Conv2d first{{.in_channels = 3, .out_channels = 8, .kernel_size = 3, .padding = 1, .bias = false}};
  BatchNorm norm{8};
  Conv2d second{{.in_channels = 8, .out_channels = 8, .kernel_size = 3, .padding = 1}};
  BatchNorm last_norm{8};
  Linear head{8, 4};
  Tensor operator()(const Tensor& x) const {
    const Tensor y = relu(norm(first(x)));
    const Tensor z = relu(last_norm(second(y)) + y);
    return head(mean(z, {2, 3}));
  }
  void fields(auto&& f) { f("first", first, "norm", norm, "second", second, "last_norm", last_norm, "head", head); }
};

struct NormedLinear {
  Linear in{6, 9};
  BatchNorm norm{9};
  Tensor operator()(const Tensor& x) const { return tanh(norm(in(x))); }
  void fields(auto&& f) { f("in", in, "norm", norm); }
};

struct Signals {
  LSTM lstm{{.input_size = 6, .hidden_size = 12, .num_layers = 2, .batch_first = true, .bidirectional = true}};
  Linear out{24, 3};
  Tensor operator()(const Tensor& x) const { return out(select(lstm(x).output, 1, -1)); }
  void fields(auto&& f) { f("lstm", lstm, "out", out); }
};

struct Sentences {
  Embedding words{50, 16};
  TransformerEncoder encoder{
      {.layer = {.d_model = 16, .nhead = 4, .dim_feedforward = 32, .batch_first = true}, .num_layers = 2}};
  Linear head{16, 3};
  Tensor operator()(const Tensor& ids) const { return head(mean(encoder(words(ids)), 1)); }
  void fields(auto&& f) { f("words", words, "encoder", encoder, "head", head); }
};

/// Batch norms as after training.
template <class Model>
void move_statistics(Model& model, const Tensor& x) {
  train(model);
  for (int i = 0; i < 3; ++i) model(x * (1.0 + i) + 0.5 * i);
  eval(model);
}

}  // namespace

TEST_CASE("compiled models give what the models give, for one row, many and none") {
  manual_seed(1);
  Perceptron net;
  const Program program = compile(net, single({7, 20}, 1));
  for (const std::int64_t rows : {7, 1, 64, 0}) CHECK(same(program, net, single({rows, 20}, 2)));
  CHECK(program.plans() == 4);
  CHECK(same(program, net, transpose(single({20, 7}, 3), 0, 1)));  // any strides
  CHECK(same(compile(net, single({2, 3, 20}, 4)), net, single({2, 3, 20}, 5)));
}

TEST_CASE("a compiled convolutional network: batch norm is folded, sums and activations are joined") {
  manual_seed(2);
  SmallNet net;
  const Tensor x = single({4, 3, 9, 11}, 1);
  move_statistics(net, x);
  const Program program = compile(net, x);
  CHECK(same(program, net, single({4, 3, 9, 11}, 2)));
  CHECK(same(program, net, single({1, 3, 16, 8}, 3)));
  CHECK(program.steps() == 4);  // two convolutions, the mean, the head
  const std::string summary = program.summary();
  CHECK(summary.find("conv2d + batch_norm + add + relu") != std::string::npos);
  CHECK(summary.find("second.weight") != std::string::npos);
  CHECK(program.dot().starts_with("digraph program {"));
  CHECK(program.dot().find("-> out0") != std::string::npos);

  const Program plain = compile(net, x, {.optimize = false});
  CHECK(plain.steps() > program.steps());
  CHECK(same(plain, net, x));
}

TEST_CASE("batch norm behind a linear layer is folded too") {
  manual_seed(8);
  NormedLinear net;
  const Tensor x = single({12, 6}, 1);
  move_statistics(net, x);
  const Program program = compile(net, x);
  CHECK(program.steps() == 1);
  CHECK(program.summary().find("linear + batch_norm + tanh") != std::string::npos);
  CHECK(same(program, net, single({5, 6}, 2)));
}

TEST_CASE("compiled recurrent, attention and residual networks") {
  manual_seed(3);
  Signals signals;
  const Program on_signals = compile(signals, single({3, 10, 6}, 1));
  CHECK(same(on_signals, signals, single({3, 10, 6}, 2)));
  CHECK(same(on_signals, signals, single({1, 25, 6}, 3)));

  Sentences sentences;
  eval(sentences);
  Generator g{.seed = 4};
  const Tensor ids = randint(0, 50, {2, 20}, DType::int64, g);
  const Program on_sentences = compile(sentences, ids);
  CHECK(same(on_sentences, sentences, randint(0, 50, {2, 20}, DType::int64, g)));
  CHECK(same(on_sentences, sentences, randint(0, 50, {1, 7}, DType::int64, g)));

  ResNet2d resnet({.in_channels = 3, .num_classes = 5, .width = 8});
  const Tensor image = single({2, 3, 32, 32}, 5);
  move_statistics(resnet, image);
  CHECK(same(compile(resnet, image), resnet, single({2, 3, 32, 32}, 6)));
}

TEST_CASE("chains of elementwise operations become one step") {
  const deploy::Function f = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{sigmoid((in[0] * in[1] + 1.0) * 0.5 - in[1]), in[0] + 1.0};
  };
  const Tensor a = single({33, 17}, 1), b = single({33, 17}, 2);
  const Program program = compile(f, {a, b});
  CHECK(program.steps() == 2);
  const std::vector<Tensor> y = program.run({b, a}), expected = f({b, a});
  CHECK(testing::allclose(y[0], expected[0], {.atol = 1e-6, .rtol = 1e-6}));
  CHECK(testing::allclose(y[1], expected[1]));
}

TEST_CASE("what does not depend on the inputs is computed once, and results are the caller's own") {
  int calls = 0;
  const deploy::Function f = [&calls](const std::vector<Tensor>& in) {
    ++calls;
    const Tensor table = exp(arange(0, 4));
    return std::vector<Tensor>{in[0] + table, table * 2.0};
  };
  const Tensor x = single({3, 4}, 1);
  const Program program = compile(f, {x}, {.check = false});
  CHECK(calls == 1);
  std::vector<Tensor> y = program.run({x});
  CHECK(calls == 1);
  CHECK(program.steps() == 1);
  y[1].mutable_data<float>()[0] = 100;
  y[0].mutable_data<float>()[0] = 100;
  const std::vector<Tensor> again = program.run({x});
  CHECK(again[1].data<float>()[0] == doctest::Approx(2));
  CHECK(again[0].data<float>()[0] == doctest::Approx(x.data<float>()[0] + 1));
}

TEST_CASE("inputs passed twice, returned as they are, or equal to a parameter are told apart") {
  const deploy::Function difference = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{in[0] - in[1], in[0]};
  };
  const Tensor a = single({4}, 1), b = single({4}, 2);
  const Program program = compile(difference, {a, a});
  const std::vector<Tensor> y = program.run({a, b});
  CHECK(testing::allclose(y[0], a - b));
  CHECK(testing::allclose(y[1], a));
}

TEST_CASE("what a program cannot repeat is named") {
  const Tensor x = single({6}, 1);
  const auto compiled = [&](auto&& f) {
    return error_of([&] {
      compile([&](const std::vector<Tensor>& in) { return std::vector<Tensor>{f(in[0])}; }, std::vector<Tensor>{x});
    });
  };
  CHECK(
      compiled([](const Tensor& v) { return sum(v).item() > 0 ? v : -v; }) ==
      "ConfigError: compile: the model reads numbers of a tensor of shape [] (item() or to_vector(), after sum): what "
      "it does with them cannot be repeated\n  help: decide with where() instead, or keep the model eager "
      "(CompileOptions::or_eager)");
  CHECK(compiled([](const Tensor& v) { return masked_select(v, gt(v, 0)); }) ==
        "ConfigError: compile: the model chooses elements by a mask (nonzero), so that shapes follow from numbers\n  "
        "help: weigh with where(mask, x, 0) instead of choosing rows");
  CHECK(compiled([](const Tensor& v) { return dropout(v, 0.5, true); }) ==
        "ConfigError: compile: random numbers were drawn by or before dropout\n  help: call eval(model) first");
  CHECK(compiled([](const Tensor& v) { return v + randn({6}); }) ==
        "ConfigError: compile: random numbers were drawn by or before add\n  help: call eval(model) first");
  CHECK(compiled([](const Tensor& v) {
          Tensor y = v * 2.0;
          y.mutable_data<float>()[0] = 0;
          return y + 1.0;
        }) ==
        "ConfigError: compile: an input of add was changed in place, which a program cannot repeat\n  help: "
        "compute a new tensor instead");
  BatchNorm norm(3);
  CHECK(error_of([&] {
          compile(norm, single({4, 3}, 1));
        }) == "ConfigError: compile: batch_norm learns its statistics\n  help: call eval(model) first");
  // Numbers that leave unseen: found by the check.
  const std::string unseen = compiled([](const Tensor& v) { return v * static_cast<double>(v.data<float>()[0]); });
  CHECK(unseen.starts_with("ConfigError: compile: output 0 of the program is "));
  CHECK(unseen.find("does not follow from its inputs by weft's operations") != std::string::npos);
}

TEST_CASE("a model that cannot be captured may stay eager") {
  const deploy::Function f = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{sum(in[0]).item() > 0 ? in[0] : -in[0]};
  };
  const Program program = compile(f, {single({3}, 1)}, {.or_eager = true});
  CHECK(program.eager_reason().starts_with("compile: the model reads numbers"));
  CHECK(program.steps() == 0);
  CHECK(program.summary().starts_with("runs eagerly: "));
  CHECK(program(ones({3})).data<float>()[0] == 1);
  CHECK(program(ones({3}) * -1.0).data<float>()[0] == 1);
}

TEST_CASE("a program whose model was trained further is out of date") {
  Perceptron net;
  const Tensor x = single({2, 20}, 1);
  const Program program = compile(net, x);
  program(x);
  net.out.weight.mutable_data<float>()[0] += 1;
  CHECK(error_of([&] { program(x); }) ==
        "another error: run: a parameter of the compiled model has changed since\n  help: compile the model again");
}

TEST_CASE("errors of the model are the program's, and it goes on working") {
  Perceptron net;
  const Tensor x = single({2, 20}, 1);
  const Program program = compile(net, x);
  CHECK(error_of([&] {
          program(single({2, 19}, 1));
        }) == "ShapeError: linear: x [2, 19] has 19 features, the weight [33, 20] takes 20");
  CHECK(same(program, net, x));
  CHECK(error_of([&] { program.run({}); }) == "ConfigError: run: 0 inputs, the program takes 1");
  CHECK(error_of([&] { program(Tensor()); }) == "ConfigError: run: input 0 is an undefined tensor");
  CHECK(error_of([&] { compile(net, Tensor()); }) == "ConfigError: compile: input 0 is an undefined tensor");
}

TEST_CASE("several threads use one program, each with its own memory") {
  manual_seed(5);
  SmallNet net;
  const Tensor example = single({2, 3, 8, 8}, 1);
  move_statistics(net, example);
  const Program program = compile(net, example);
  std::vector<Tensor> inputs, expected;
  for (std::uint64_t i = 0; i < 6; ++i) {
    // Half of them have a shape that no thread has seen.
    inputs.push_back(single({2 + static_cast<std::int64_t>(i % 2), 3, 8, 8}, i));
    expected.push_back(program(inputs.back()));
  }
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int k = 0; k < 25; ++k) {
        const auto i = static_cast<std::size_t>(t + k) % inputs.size();
        wrong += !testing::allclose(program(inputs[i]), expected[i], {.atol = 1e-6, .rtol = 1e-5});
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("memory stays flat over many shapes, and only so many are remembered") {
  manual_seed(6);
  Perceptron net;
  const Program program = compile(net, single({1, 20}, 1), {.plans = 8});
  const auto all = [&] {
    for (std::int64_t rows = 1; rows <= 50; ++rows) program(single({rows, 20}, 1));
  };
  all();
  CHECK(program.plans() == 8);
  const std::size_t before = memory_statistics().live;
  for (int k = 0; k < 4; ++k) all();
  CHECK(memory_statistics().live <= before + 4096);
}

TEST_CASE("plans for many shapes share the arranged weights and the memory of runs") {
  manual_seed(7);
  Linear net(512, 512);
  const Program program = compile(net, single({1, 512}, 1));
  program(single({40, 512}, 2));  // the largest
  const std::size_t before = memory_statistics().live;
  for (std::int64_t rows = 2; rows < 40; ++rows) program(single({rows, 512}, 3));
  CHECK(program.plans() == 40);
  CHECK(memory_statistics().live < before + 512 * 512);  // a quarter of the weights
}

TEST_CASE("tensors of a run share one block") {
  const deploy::Function f = [](const std::vector<Tensor>& in) {
    Tensor y = in[0];
    for (int i = 0; i < 10; ++i) y = cumsum(y, 0);
    return std::vector<Tensor>{y};
  };
  const Program program = compile(f, {single({1000}, 1)});
  CHECK(program.steps() == 10);
  CHECK(program.planned_bytes() >= 4000);  // nine results of 4000 bytes, two of which live at a time
  CHECK(program.planned_bytes() <= 3 * 4096);
}
