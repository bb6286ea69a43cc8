#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops.h>
#include <weft/layers/recurrent.h>
#include <weft/tensor/create.h>

#include "error_of.h"
#include "layers_help.h"

using namespace weft;
using weft::testing::allclose;
using weft::tests::check_gradients;
using weft::tests::error_of;
using weft::tests::normal;

namespace {

constexpr DType f64 = DType::float64;

// Two layers, both directions, so that what goes wrong at the end of a sequence shows.
const RNN rnn_of_two() {
  return RNN({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true, .dtype = f64});
}
const GRU gru_of_two() {
  return GRU({.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true, .dtype = f64});
}
const LSTM lstm_of_two() {
  return LSTM(
      {.input_size = 3, .hidden_size = 4, .num_layers = 2, .bidirectional = true, .proj_size = 2, .dtype = f64});
}

/// Output and last states, whatever the layer. `states` are those to begin with: none, {h}, or {h, c}.
template <class M>
std::vector<Tensor> call(const M& model, const Tensor& x, const std::vector<Tensor>& states = {},
                         const Lengths& lengths = {}) {
  const Tensor h = states.empty() ? Tensor() : states[0];
  if constexpr (std::is_same_v<M, LSTM>) {
    const LSTMResult r = model(x, {h, states.size() < 2 ? Tensor() : states[1]}, lengths);
    return {r.output, r.h, r.c};
  } else {
    const RecurrentResult r = model(x, h, lengths);
    return {r.output, r.h};
  }
}

/// States (4, B, size) to begin with.
template <class M>
std::vector<Tensor> first_states(std::int64_t batch) {
  if constexpr (std::is_same_v<M, LSTM>) return {normal({4, batch, 2}, 11), normal({4, batch, 4}, 12)};
  return {normal({4, batch, 4}, 11)};
}

void check_close(const Tensor& actual, const Tensor& expected) {
  const testing::Report report = allclose(actual, expected, {.atol = 1e-12, .rtol = 1e-12});
  CHECK_MESSAGE(report, report.message);
}

/// Each sequence of a padded batch gives what it gives alone: values, last states, gradients.
template <class M>
void check_lengths_of(M model) {
  const Lengths lengths{3, 5, 0, 4, 5};
  const std::int64_t steps = 6, batch = 5;  // a step more than the longest has
  const Tensor x = normal({steps, batch, 3}, 1);
  std::vector<Tensor> columns;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t n = lengths[static_cast<std::size_t>(b)];
    columns.push_back(cat({slice(select(x, 1, b), 0, 0, n), full({steps - n, 3}, NAN, f64)}));
  }
  Tensor padded = stack(columns, 1);
  padded.set_requires_grad();
  const std::vector<Tensor> states = first_states<M>(batch);
  const std::vector<Tensor> together = call(model, padded, states, lengths);
  const Tensor cotangent = normal(together[0].shape(), 2);
  (sum(together[0] * cotangent) + sum(together[1])).backward();
  std::vector<Tensor> gradients;
  for (Tensor p : parameters(model)) {
    gradients.push_back(p.grad());
    p.set_grad(Tensor());
  }
  for (std::int64_t b = 0; b < batch; ++b) {
    CAPTURE(b);
    const std::int64_t n = lengths[static_cast<std::size_t>(b)];
    Tensor alone = detach(slice(slice(x, 1, b, b + 1), 0, 0, n));
    alone.set_requires_grad();
    std::vector<Tensor> own;
    for (const Tensor& s : states) own.push_back(slice(s, 1, b, b + 1));
    const std::vector<Tensor> one = call(model, alone, own);
    if (n > 0) (sum(one[0] * slice(slice(cotangent, 1, b, b + 1), 0, 0, n)) + sum(one[1])).backward();
    check_close(slice(slice(together[0], 1, b, b + 1), 0, 0, n), one[0]);
    const Tensor behind = slice(slice(together[0], 1, b, b + 1), 0, n, steps);
    check_close(behind, zeros(behind.shape(), f64));
    for (std::size_t k = 1; k < one.size(); ++k) check_close(slice(together[k], 1, b, b + 1), one[k]);
    const Tensor dx = slice(padded.grad(), 1, b, b + 1);
    if (n > 0) check_close(slice(dx, 0, 0, n), alone.grad());
    check_close(slice(dx, 0, n, steps), zeros({steps - n, 1, 3}, f64));
    if (n == 0)
      for (std::size_t k = 1; k < one.size(); ++k) check_close(one[k], own[k - 1]);
  }
  const std::vector<Tensor> trained = parameters(model);
  for (std::size_t i = 0; i < trained.size(); ++i) check_close(gradients[i], trained[i].grad());
}

template <class M>
void check_forms_of(const M& model) {
  const Tensor x = normal({5, 2, 3}, 3);
  const std::vector<Tensor> states = first_states<M>(2), all = call(model, x, states);

  SUBCASE("a single sequence is a batch of one") {
    std::vector<Tensor> own;
    for (const Tensor& s : states) own.push_back(select(s, 1, 1));
    const std::vector<Tensor> one = call(model, select(x, 1, 1), own);
    for (std::size_t k = 0; k < all.size(); ++k) check_close(one[k], select(all[k], 1, 1));
  }
  SUBCASE("states begin at zero") {
    std::vector<Tensor> nothing;
    for (const Tensor& s : states) nothing.push_back(zeros(s.shape(), f64));
    check_close(call(model, x)[0], call(model, x, nothing)[0]);
    CHECK_FALSE(allclose(call(model, x)[0], all[0]));
  }
  SUBCASE("no steps: the states stay as they were") {
    const std::vector<Tensor> none = call(model, zeros({0, 2, 3}, f64), states);
    CHECK(none[0].shape() == Shape{0, 2, all[0].size(2)});
    for (std::size_t k = 0; k < states.size(); ++k) check_close(none[k + 1], states[k]);
    const std::vector<Tensor> ended = call(model, x, states, {0, 0});
    check_close(ended[0], zeros(all[0].shape(), f64));
    for (std::size_t k = 0; k < states.size(); ++k) check_close(ended[k + 1], states[k]);
  }
  SUBCASE("an empty batch") { CHECK(call(model, zeros({5, 0, 3}, f64))[0].shape() == Shape{5, 0, all[0].size(2)}); }
  SUBCASE("all lengths equal to T are as none") {
    const std::vector<Tensor> same = call(model, x, states, {5, 5});
    for (std::size_t k = 0; k < all.size(); ++k) check_close(same[k], all[k]);
  }
}

}  // namespace

TEST_CASE("recurrent: a padded batch gives what each sequence gives alone") {
  SUBCASE("rnn") { check_lengths_of(rnn_of_two()); }
  SUBCASE("gru") { check_lengths_of(gru_of_two()); }
  SUBCASE("lstm") { check_lengths_of(lstm_of_two()); }
}

TEST_CASE("recurrent: forms of input") {
  SUBCASE("rnn") { check_forms_of(rnn_of_two()); }
  SUBCASE("gru") { check_forms_of(gru_of_two()); }
  SUBCASE("lstm") { check_forms_of(lstm_of_two()); }
}

TEST_CASE("recurrent: a sequence may be run in parts, its state handed on") {
  const LSTM lstm({.input_size = 3, .hidden_size = 4, .num_layers = 2, .dtype = f64});
  const Tensor x = normal({6, 2, 3}, 4);
  const LSTMResult whole = lstm(x), first = lstm(slice(x, 0, 0, 2)),
                   second = lstm(slice(x, 0, 2, 6), {first.h, first.c});
  check_close(cat({first.output, second.output}), whole.output);
  check_close(second.h, whole.h);
  check_close(second.c, whole.c);
}

TEST_CASE("recurrent: batch_first swaps the axes of input and output only") {
  const GRUOptions options{.input_size = 3, .hidden_size = 4, .dtype = f64};
  GRU steps_first(options);
  GRU batch_first({.input_size = 3, .hidden_size = 4, .batch_first = true, .dtype = f64});
  const std::vector<Tensor> shared = parameters(steps_first);
  tests::Replace put(shared, 0);
  walk(batch_first, put);
  const Tensor x = normal({5, 2, 3}, 5);
  const RecurrentResult a = steps_first(x, Tensor(), {2, 5}), b = batch_first(transpose(x, 0, 1), Tensor(), {2, 5});
  check_close(transpose(b.output, 0, 1), a.output);
  check_close(b.h, a.h);
}

TEST_CASE("recurrent: cells are one step of the layers") {
  const Tensor x = normal({2, 3}, 6);
  const auto share = [](auto& layer, auto& cell) {
    const std::vector<Tensor> weights = parameters(layer);
    tests::Replace replace(weights, 0);
    walk(cell, replace);
  };
  SUBCASE("rnn") {
    for (const Nonlinearity kind : {Nonlinearity::tanh, Nonlinearity::relu}) {
      RNN layer({.input_size = 3, .hidden_size = 4, .nonlinearity = kind, .dtype = f64});
      RNNCell cell({.input_size = 3, .hidden_size = 4, .nonlinearity = kind, .dtype = f64});
      share(layer, cell);
      const Tensor h = normal({2, 4}, 7);
      check_close(cell(x, h), select(layer(unsqueeze(x, 0), unsqueeze(h, 0)).output, 0, 0));
      check_close(cell(select(x, 0, 1)), select(select(layer(unsqueeze(x, 0)).output, 0, 0), 0, 1));
    }
  }
  SUBCASE("gru") {
    GRU layer({.input_size = 3, .hidden_size = 4, .dtype = f64});
    GRUCell cell({.input_size = 3, .hidden_size = 4, .dtype = f64});
    share(layer, cell);
    const Tensor h = normal({2, 4}, 7);
    check_close(cell(x, h), select(layer(unsqueeze(x, 0), unsqueeze(h, 0)).output, 0, 0));
    check_close(cell(select(x, 0, 1)), select(select(layer(unsqueeze(x, 0)).output, 0, 0), 0, 1));
  }
  SUBCASE("lstm") {
    LSTM layer({.input_size = 3, .hidden_size = 4, .bias = false, .dtype = f64});
    LSTMCell cell({.input_size = 3, .hidden_size = 4, .bias = false, .dtype = f64});
    share(layer, cell);
    const Tensor h = normal({2, 4}, 7), c = normal({2, 4}, 8);
    const LSTMResult whole = layer(unsqueeze(x, 0), {unsqueeze(h, 0), unsqueeze(c, 0)});
    const LSTMState step = cell(x, {h, c});
    check_close(step.h, select(whole.output, 0, 0));
    check_close(step.c, select(whole.c, 0, 0));
  }
}

TEST_CASE("recurrent: dropout stands between layers, while training") {
  RNN rnn({.input_size = 3, .hidden_size = 4, .num_layers = 2, .dropout = 1, .dtype = f64});
  const Tensor x = normal({5, 2, 3}, 9), y = normal({5, 2, 3}, 10);
  const Tensor trained = rnn(x).output;
  check_close(rnn(y).output, trained);        // nothing of the input reaches the second layer
  CHECK_FALSE(allclose(rnn(x).h, rnn(y).h));  // but the first
  eval(rnn);
  CHECK_FALSE(allclose(rnn(x).output, rnn(y).output));
}

TEST_CASE("recurrent: names are PyTorch's") {
  LSTM lstm = lstm_of_two();
  std::vector<std::string> names;
  for (const auto& p : named_parameters(lstm)) names.push_back(p.first);
  const std::vector<std::string> of_one{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0"};
  REQUIRE(names.size() == 20);
  CHECK(std::equal(of_one.begin(), of_one.end(), names.begin()));
  CHECK(names[5] == "weight_ih_l0_reverse");
  CHECK(names[19] == "weight_hr_l1_reverse");
  LSTM copy = clone(lstm);
  CHECK(parameters(copy)[0].body_or_null() != parameters(lstm)[0].body_or_null());
}

TEST_CASE("recurrent: gradients of layers and cells") {
  const Lengths lengths{2, 0, 3};
  const std::vector<Tensor> inputs{normal({3, 3, 2}, 1), normal({2, 3, 3}, 2)};
  const auto all = [](const auto& r) { return std::vector<Tensor>{r.output, r.h}; };
  const auto check = [](const testing::Report& report) { CHECK_MESSAGE(report, report.message); };
  SUBCASE("lstm with lengths and projection") {
    const LSTM lstm({.input_size = 2, .hidden_size = 3, .bidirectional = true, .proj_size = 2, .dtype = f64});
    check(check_gradients(lstm, {inputs[0], normal({2, 3, 2}, 2), normal({2, 3, 3}, 3)},
                          [&](const LSTM& m, const std::vector<Tensor>& in) {
                            const LSTMResult r = m(in[0], {in[1], in[2]}, lengths);
                            return std::vector<Tensor>{r.output, r.h, r.c};
                          }));
  }
  SUBCASE("gru") {
    const GRU gru({.input_size = 2, .hidden_size = 3, .bidirectional = true, .dtype = f64});
    check(check_gradients(gru, inputs,
                          [&](const GRU& m, const std::vector<Tensor>& in) { return all(m(in[0], in[1], lengths)); }));
  }
  SUBCASE("rnn") {
    const RNN rnn({.input_size = 2, .hidden_size = 3, .num_layers = 2, .dtype = f64});
    check(check_gradients(rnn, inputs,
                          [&](const RNN& m, const std::vector<Tensor>& in) { return all(m(in[0], in[1])); }));
  }
}

TEST_CASE("recurrent: packing and padding") {
  const Lengths lengths{2, 4, 0, 3};
  const Tensor x = normal({5, 4, 2}, 1);
  const PackedSequence packed = pack_padded_sequence(x, lengths);
  CHECK(packed.order == std::vector<std::int64_t>{1, 3, 0, 2});
  CHECK(packed.batch_sizes == std::vector<std::int64_t>{3, 3, 2, 1});
  check_close(select(packed.data, 0, 0), select(select(x, 0, 0), 0, 1));
  check_close(select(packed.data, 0, 8), select(select(x, 0, 3), 0, 1));

  const PaddedSequence padded = pad_packed_sequence(packed);
  CHECK(padded.lengths == lengths);
  REQUIRE(padded.x.shape() == Shape{4, 4, 2});
  for (std::int64_t b = 0; b < 4; ++b) {
    const std::int64_t n = lengths[static_cast<std::size_t>(b)];
    check_close(slice(select(padded.x, 1, b), 0, 0, n), slice(select(x, 1, b), 0, 0, n));
    check_close(slice(select(padded.x, 1, b), 0, n, 4), zeros({4 - n, 2}, f64));
  }
  const PaddedSequence longer =
      pad_packed_sequence(packed, {.batch_first = true, .padding_value = -7, .total_length = 6});
  CHECK(longer.x.shape() == Shape{4, 6, 2});
  check_close(select(longer.x, 0, 2), full({6, 2}, -7, f64));
  const PackedSequence again = pack_padded_sequence(longer.x, lengths, true);
  check_close(again.data, packed.data);

  const PaddedSequence nothing = pad_packed_sequence(pack_padded_sequence(x, {0, 0, 0, 0}));
  CHECK(nothing.x.shape() == Shape{0, 4, 2});
  const testing::Report report = testing::gradcheck(
      [&](const std::vector<Tensor>& in) { return pad_packed_sequence(pack_padded_sequence(in[0], lengths)).x; }, {x});
  CHECK_MESSAGE(report, report.message);
}

TEST_CASE("recurrent: errors") {
  CHECK(error_of([] { RNN({.input_size = 0, .hidden_size = 4}); }) ==
        "ConfigError: rnn: input_size 0, hidden_size 4, num_layers 1\n  help: choose 1 or more for each");
  CHECK(error_of([] { LSTM({.input_size = 3, .hidden_size = 4, .proj_size = 4}); }) ==
        "ConfigError: lstm: proj_size 4 is not from 0 to hidden_size 4 - 1");
  CHECK(error_of([] { GRU({.input_size = 3, .hidden_size = 4, .dropout = 1.5}); }) ==
        "ConfigError: gru: dropout is 1.5\n  help: choose a probability from 0 to 1");
  CHECK(error_of([] { LSTMCell({.input_size = 3, .hidden_size = -1}); }) ==
        "ConfigError: lstm_cell: input_size 3, hidden_size -1\n  help: choose 1 or more for each");

  const LSTM lstm({.input_size = 3, .hidden_size = 4});
  const Tensor x = zeros({5, 2, 3});
  CHECK(error_of([&] {
          lstm(zeros({5, 2, 3}, DType::int64));
        }) == "DtypeError: recurrent: x is int64\n  help: convert it with to(x, DType::float32)");
  CHECK(error_of([&] {
          lstm(zeros({5, 2, 4}));
        }) == "ShapeError: lstm: x is [5, 2, 4]\n  help: pass (T, B, 3) or (T, 3)");
  CHECK(error_of([&] {
          lstm(x, {zeros({1, 3, 4}), Tensor()});
        }) == "ShapeError: lstm: the initial h is [1, 3, 4], not [1, 2, 4]");
  CHECK(error_of([&] {
          lstm(x, {Tensor(), zeros({1, 2, 5})});
        }) == "ShapeError: lstm: the initial c is [1, 2, 5], not [1, 2, 4]");
  CHECK(error_of([&] {
          lstm(select(x, 1, 0), {zeros({1, 1, 4}), Tensor()});
        }) == "ShapeError: lstm: the initial h is [1, 1, 4], not [1, 4]");
  CHECK(error_of([&] { lstm(x, {}, {5}); }) == "ShapeError: lstm: 1 lengths for 2 sequences");
  CHECK(error_of([&] { lstm(x, {}, {5, 6}); }) == "ConfigError: lstm: sequence 1 has length 6 of 5 steps");
  CHECK(error_of([&] { lstm(x, {}, {-1, 5}); }) == "ConfigError: lstm: sequence 0 has length -1 of 5 steps");

  const GRUCell cell({.input_size = 3, .hidden_size = 4});
  CHECK(error_of([&] { cell(zeros({2, 4})); }) == "ShapeError: gru_cell: x is [2, 4]\n  help: pass (B, 3) or (3)");
  CHECK(error_of([&] {
          cell(zeros({2, 3}), zeros({3, 4}));
        }) == "ShapeError: gru_cell: the state is [3, 4], not [2, 4]");

  CHECK(error_of([] { pack_padded_sequence(zeros({5}), {5}); }) ==
        "ShapeError: pack_padded_sequence: x is [5]\n  help: pass (T, B, ...)");
  CHECK(error_of([&] {
          pack_padded_sequence(x, {5, 6});
        }) == "ConfigError: pack_padded_sequence: sequence 1 has length 6 of 5 steps");
  const Tensor data = zeros({3, 2});
  CHECK(error_of([&] {
          pad_packed_sequence({data, {2, 1}, {0, 1}}, {.total_length = 1});
        }) == "ConfigError: pad_packed_sequence: total_length 1 is less than the longest sequence, 2");
  CHECK(error_of([&] {
          pad_packed_sequence({data, {1, 2}, {0, 1}});
        }) == "ConfigError: pad_packed_sequence: 2 sequences at step 1 after 1");
  CHECK(error_of([&] {
          pad_packed_sequence({data, {2, 1}, {0, 2}});
        }) == "ConfigError: pad_packed_sequence: place 2 in a batch of 2");
  CHECK(error_of([&] {
          pad_packed_sequence({data, {2, 2}, {0, 1}});
        }) == "ShapeError: pad_packed_sequence: the batch sizes add up to 4, the data is [3, 2]");
}
