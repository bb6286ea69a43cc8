#include <weft/autograd/ops/recurrent.h>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/composed.h>
#include <weft/autograd/ops/elementary.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using States = std::vector<Tensor>;

void check(const char* op, const Tensor& x, const States& states, const RecurrentWeights& w, RecurrentCell cell) {
  const std::size_t wanted = cell == RecurrentCell::lstm ? 2 : 1;
  if (states.size() != wanted) throw ShapeError(text(op, ": ", states.size(), " states for a cell that has ", wanted));
  const auto matrix = [&](const Tensor& m) { return m.defined() && m.dim() == 2; };
  if (!matrix(w.input) || !matrix(w.hidden) || (w.projection.defined() && w.projection.dim() != 2) ||
      w.input.shape()[0] != w.hidden.shape()[0] || w.input.shape()[0] % kernels::gates_of(cell) != 0)
    throw ShapeError(text(op, ": the weights are ", w.input.defined() ? text(w.input.shape()) : "missing", " and ",
                          w.hidden.defined() ? text(w.hidden.shape()) : "missing", "\n  help: give (",
                          kernels::gates_of(cell), " H, in) and (", kernels::gates_of(cell), " H, H)"));
  const std::int64_t gates = w.input.shape()[0], units = gates / kernels::gates_of(cell);
  const std::int64_t width = w.projection.defined() ? w.projection.shape()[0] : units;
  if (w.projection.defined() && (cell != RecurrentCell::lstm || w.projection.shape()[1] != units))
    throw ShapeError(text(op, ": the projection is ", w.projection.shape(), " for ", units, " units of ",
                          cell == RecurrentCell::lstm ? "an LSTM" : "a cell that takes none"));
  if (w.hidden.shape()[1] != width)
    throw ShapeError(text(op, ": the hidden weight is ", w.hidden.shape(), ", not [", gates, ", ", width, "]"));
  if (x.dim() != 2 || x.shape()[1] != w.input.shape()[1])
    throw ShapeError(text(op, ": x is ", x.shape(), ", the input weight ", w.input.shape(), " takes (rows, ",
                          w.input.shape()[1], ")"));
  for (const Tensor* bias : {&w.input_bias, &w.hidden_bias})
    if (bias->defined() && !(bias->shape() == Shape{gates}))
      throw ShapeError(text(op, ": a bias is ", bias->shape(), ", not [", gates, "]"));
  for (std::size_t k = 0; k < states.size(); ++k)
    if (states[k].dim() != 2 || states[k].shape()[0] != states[0].shape()[0] ||
        states[k].shape()[1] != (k == 0 ? width : units))
      throw ShapeError(text(op, ": the state ", k == 0 ? "h" : "c", " is ", states[k].shape(), ", not (rows, ",
                            k == 0 ? width : units, ")"));
  if (!is_floating(x.dtype()))
    throw DtypeError(text(op, ": x is ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
  for (const Tensor* each :
       {&states[0], &states.back(), &w.input, &w.hidden, &w.input_bias, &w.hidden_bias, &w.projection})
    if (each->defined() && each->dtype() != x.dtype())
      throw DtypeError(text(op, ": x is ", x.dtype(), ", a weight or state ", each->dtype(),
                            "\n  help: give all of them one floating type"));
}

/// `gates` already holds what the input contributes.
States step(RecurrentCell cell, const Tensor& gates, const States& state, const RecurrentWeights& w) {
  const Tensor hidden = linear(state[0], w.hidden, w.hidden_bias);
  if (cell == RecurrentCell::tanh) return {tanh(gates + hidden)};
  if (cell == RecurrentCell::relu) return {relu(gates + hidden)};
  if (cell == RecurrentCell::gru) {
    const std::vector<Tensor> in = chunk(gates, 3, -1), h = chunk(hidden, 3, -1);
    const Tensor r = sigmoid(in[0] + h[0]), z = sigmoid(in[1] + h[1]), n = tanh(in[2] + r * h[2]);
    return {n + z * (state[0] - n)};
  }
  const std::vector<Tensor> part = chunk(gates + hidden, 4, -1);  // i, f, g, o
  const Tensor c = sigmoid(part[1]) * state[1] + sigmoid(part[0]) * tanh(part[2]);
  const Tensor h = sigmoid(part[3]) * tanh(c);
  return {w.projection.defined() ? linear(h, w.projection) : h, c};
}

/// The first n rows.
Tensor head(const Tensor& x, std::int64_t n) { return n == x.shape()[0] ? x : slice(x, 0, 0, n); }

/// All steps, made of operations: can be differentiated as often as one likes.
States composed(const Tensor& x, const States& initial, const RecurrentWeights& w, const RecurrentSteps& s) {
  const std::size_t steps = s.sizes.size();
  const std::int64_t batch = initial[0].shape()[0];
  if (steps == 0) {
    States all = initial;
    all.insert(all.begin(), zeros({0, initial[0].shape()[1]}, x.dtype()));
    return all;
  }
  const Tensor gates = linear(x, w.input, w.input_bias);
  const auto length = static_cast<std::int64_t>(steps);
  const std::vector<Tensor> parts =
      s.batch_first ? unbind(reshape(gates, {batch, length, gates.shape()[1]}), 1) : split(gates, s.sizes);
  States outputs(steps), state = initial;
  std::vector<States> ended(initial.size());  // the states of sequences that are over, last one first
  for (std::size_t i = 0; i < steps; ++i) {
    const std::size_t t = s.reverse ? steps - 1 - i : i;
    const std::int64_t rows = s.sizes[t], before = state[0].shape()[0];
    for (std::size_t k = 0; k < state.size(); ++k) {
      if (s.reverse && i == 0) state[k] = head(initial[k], rows);
      if (s.reverse && i > 0 && rows > before) state[k] = cat({state[k], slice(initial[k], 0, before, rows)});
      if (!s.reverse && rows < before) {
        ended[k].push_back(slice(state[k], 0, rows, before));
        state[k] = head(state[k], rows);
      }
    }
    state = step(s.cell, parts[t], state, w);
    outputs[t] = state[0];
  }
  const std::int64_t rows = state[0].shape()[0];
  for (std::size_t k = 0; k < state.size(); ++k) {
    States all{state[k]};
    all.insert(all.end(), ended[k].rbegin(), ended[k].rend());
    if (s.reverse && rows < batch) all.push_back(slice(initial[k], 0, rows, batch));  // of length 0
    if (all.size() > 1) state[k] = cat(all);
  }
  state.insert(state.begin(), s.batch_first ? flatten(stack(outputs, 1), 0, 1) : cat(outputs));
  return state;
}

void check_steps(const Tensor& x, std::int64_t batch, const RecurrentSteps& s) {
  std::int64_t rows = 0, before = batch;
  for (const std::int64_t n : s.sizes) {
    if (n < 0 || n > before || (s.batch_first && n != batch))
      throw ConfigError(text("recurrent: ", n, " sequences at a step after ", before, " of a batch of ", batch));
    rows += n;
    before = n;
  }
  if (rows != x.shape()[0]) throw ShapeError(text("recurrent: the steps add up to ", rows, " rows, x is ", x.shape()));
}

/// Inputs of the recorded call, by place.
enum Place { x_, weight_ih, weight_hh, bias_ih, bias_hh, first_h, first_c, places };

}  // namespace

States recurrent_step(RecurrentCell cell, const Tensor& x, const States& states, const RecurrentWeights& w) {
  check("recurrent_step", x, states, w, cell);
  return step(cell, linear(x, w.input, w.input_bias), states, w);
}

States recurrent(const Tensor& x, const States& states, const RecurrentWeights& w, const RecurrentSteps& s) {
  check("recurrent", x, states, w, s.cell);
  check_steps(x, states[0].shape()[0], s);
  if (w.projection.defined() || (x.dtype() != DType::float32 && x.dtype() != DType::float64))
    return composed(x, states, w, s);
  const Tensor c = s.cell == RecurrentCell::lstm ? states[1] : Tensor();
  const std::array<Tensor, places> each{x, w.input, w.hidden, w.input_bias, w.hidden_bias, states[0], c};
  const Inputs inputs{std::span<const Tensor>(each)};
  const bool keeps = detail::wants_gradient(inputs);
  return record(
      {"recurrent",
       {{"cell", static_cast<int>(s.cell)},
        {"reverse", s.reverse},
        {"batch_first", s.batch_first},
        {"equal_lengths", s.sizes.empty() || s.sizes.back() == s.sizes.front()}},
       saves::inputs | saves::output},
      inputs,
      [=](const Inputs& in, Keep& keep) {
        kernels::RecurrentMemory memory;
        const Tensor gates = kernels::linear(in[x_], in[weight_ih], in[bias_ih]);
        States all = kernels::recurrent(gates, in[weight_hh], in[bias_hh], in[first_h], in[first_c], s,
                                        keeps ? &memory : nullptr);
        if (memory.gates.defined()) keep(memory.gates, memory.extra);
        return all;
      },
      [s](const Saved& saved, std::span<const Tensor> dys) {
        const bool lstm = s.cell == RecurrentCell::lstm;
        if (grad_enabled())
          return detail::composed_gradients(saved, places, dys, [&](const std::vector<Tensor>& in) {
            return composed(in[x_], lstm ? States{in[first_h], in[first_c]} : States{in[first_h]},
                            {in[weight_ih], in[weight_hh], in[bias_ih], in[bias_hh], Tensor()}, s);
          });
        kernels::RecurrentMemory memory;
        if (lstm || s.cell == RecurrentCell::gru) memory = {saved.kept(0), saved.kept(1)};
        const kernels::RecurrentGradients g =
            kernels::recurrent_grad(dys[0], dys[1], lstm ? dys[2] : Tensor(), saved.output(0), saved.input(weight_hh),
                                    saved.input(first_h), memory, s);
        States found(places);
        if (saved.needs(x_)) found[x_] = kernels::matmul(g.gates, saved.input(weight_ih));
        if (saved.needs(weight_ih)) found[weight_ih] = matmul(t(g.gates), saved.input(x_));
        if (saved.needs(weight_hh)) found[weight_hh] = matmul(t(g.hidden), g.before);
        if (saved.needs(bias_ih)) found[bias_ih] = sum(g.gates, 0);
        if (saved.needs(bias_hh))
          found[bias_hh] = found[bias_ih].defined() && g.hidden.body_or_null() == g.gates.body_or_null()
                               ? found[bias_ih]
                               : sum(g.hidden, 0);
        if (saved.needs(first_h)) found[first_h] = g.h;
        if (saved.needs(first_c)) found[first_c] = g.c;
        return found;
      });
}

}  // namespace weft
