#include <weft/tensor/packed_shared.h>

namespace weft::kernels {

struct PackedRecurrent::State {
  Cell cell;
  PackedLinear input;
  HiddenWeight hidden;
};

PackedRecurrent::PackedRecurrent(Cell cell, const Tensor& weight_ih, const Tensor& weight_hh, const Tensor& bias_ih,
                                 const Tensor& bias_hh) {
  const Int gates = gates_of(cell);
  if (weight_ih.dim() != 2 || weight_hh.dim() != 2 || weight_ih.shape()[0] != weight_hh.shape()[0] ||
      weight_hh.shape()[0] != gates * weight_hh.shape()[1])
    throw ShapeError(text("packed_recurrent: the weights are ", weight_ih.shape(), " and ", weight_hh.shape(),
                          "\n  help: give (", gates, " H, in) and (", gates, " H, H)"));
  check_float32("packed_recurrent", "the hidden weight", weight_hh);
  for (const Tensor* bias : {&bias_ih, &bias_hh}) {
    if (!bias->defined()) continue;
    check_float32("packed_recurrent", "a bias", *bias);
    if (!(bias->shape() == Shape{weight_hh.shape()[0]}))
      throw ShapeError(text("packed_recurrent: a bias is ", bias->shape(), ", not [", weight_hh.shape()[0], "]"));
  }
  state_ =
      std::make_shared<State>(State{cell, PackedLinear(weight_ih, bias_ih), pack_hidden(weight_hh, bias_hh, cell)});
}

std::vector<Tensor> PackedRecurrent::operator()(const Tensor& x, const Tensor& h, const Tensor& c,
                                                const Steps& steps) const {
  const State& s = *state_;
  const bool lstm = s.cell == Cell::lstm;
  if (steps.cell != s.cell) throw ConfigError("packed_recurrent: the steps are of another kind of cell");
  if (x.dim() != 2)
    throw ShapeError(text("packed_recurrent: x is ", x.shape(), ", not (rows, ", s.input.inputs(), ")"));
  for (const Tensor* state : {&h, &c}) {
    if (state == &c && !lstm) continue;
    if (!state->defined() || state->dim() != 2 || state->shape()[1] != s.hidden.hidden ||
        state->shape()[0] != h.shape()[0])
      throw ShapeError(text("packed_recurrent: the state ", state == &h ? "h" : "c", " is ",
                            state->defined() ? text(state->shape()) : "missing", ", not (rows, ", s.hidden.hidden,
                            ")"));
    check_float32("packed_recurrent", "a state", *state);
  }
  Int rows = 0, before = h.shape()[0];
  for (const Int n : steps.sizes) {
    if (n < 0 || n > before || (steps.batch_first && n != before))
      throw ConfigError(
          text("packed_recurrent: ", n, " sequences at a step after ", before, " of a batch of ", h.shape()[0]));
    rows += n;
    before = n;
  }
  if (rows != x.shape()[0])
    throw ShapeError(text("packed_recurrent: the steps add up to ", rows, " rows, x is ", x.shape()));
  return recurrent(s.input(x), s.hidden, h, c, steps, nullptr);
}

std::size_t PackedRecurrent::bytes() const noexcept {
  const State& s = *state_;
  return s.input.bytes() + static_cast<std::size_t>(s.hidden.numbers.numel()) * sizeof(float);
}

}  // namespace weft::kernels
