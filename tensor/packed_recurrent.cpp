#include <algorithm>

#include <weft/tensor/packed_shared.h>

namespace weft::kernels {

struct PackedRecurrent::State {
  Cell cell;
  PackedLinear input;
  HiddenWeight hidden;
};

namespace {

/// Sequences do not need each other: each thread takes some of them from end to end, a few steps at a time, so that
/// what the input gives to the gates is used while it is in the cache. All sequences are equally long.
std::vector<Tensor> by_sequences(const PackedRecurrent::State& s, const Tensor& given, const Tensor& first_h,
                                 const Tensor& first_c, const Steps& steps) {
  const Int batch = first_h.shape()[0], length = static_cast<Int>(steps.sizes.size()), units = s.hidden.hidden,
            width = s.input.inputs(), gates = s.hidden.gates;
  const bool lstm = s.cell == Cell::lstm;
  const Tensor x = contiguous(given);
  Tensor y = empty({batch * length, units}), h = copy(first_h), c = lstm ? copy(first_c) : Tensor();
  const float* const from = x.data<float>();
  float *const to = y.mutable_data<float>(), *const last = h.mutable_data<float>(),
               *const cells = lstm ? c.mutable_data<float>() : nullptr;
  const auto copy_row = [](float* a, const float* b, Int n) {
    std::memcpy(a, b, static_cast<std::size_t>(n) * sizeof(float));
  };
  parallel_for(batch, 1, [&](Int begin, Int end) {
    constexpr Int rows_at_a_time = 128;
    const Int rows = end - begin, some = std::clamp<Int>(rows_at_a_time / rows, 1, length);
    Tensor part = empty({some * rows, width}), states = empty({(some + 1) * rows, units});
    float *const in = part.mutable_data<float>(), *const out = states.mutable_data<float>();
    copy_row(out, last + begin * units, rows * units);
    for (Int first = 0; first < length; first += some) {
      const Int count = std::min(some, length - first);
      const auto row = [&](Int step, Int sequence) {
        const Int t = steps.reverse ? length - 1 - first - step : first + step;
        return steps.batch_first ? (begin + sequence) * length + t : t * batch + begin + sequence;
      };
      for (Int i = 0; i < count; ++i)
        for (Int b = 0; b < rows; ++b) copy_row(in + (i * rows + b) * width, from + row(i, b) * width, width);
      Tensor share = s.input(view_as(part, {count * rows, width}, {width, 1}));
      float* const sums = share.mutable_data<float>();
      for (Int i = 0; i < count; ++i)
        s.hidden.table->recurrent_step[0]({s.cell, units, 0, units, rows, 1, 1, bytes(s.hidden.numbers),
                                           out + i * rows * units, sums + i * rows * gates * units, nullptr,
                                           out + (i + 1) * rows * units, lstm ? cells + begin * units : nullptr,
                                           false});
      for (Int i = 0; i < count; ++i)
        for (Int b = 0; b < rows; ++b) copy_row(to + row(i, b) * units, out + ((i + 1) * rows + b) * units, units);
      copy_row(out, out + count * rows * units, rows * units);
    }
    copy_row(last + begin * units, out, rows * units);
  });
  if (lstm) return {y, h, c};
  return {y, h};
}

}  // namespace

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
  // As many sequences as keep all threads busy, and weights that stay in each core's own cache.
  constexpr Int fewest = 4, cached = Int{1} << 19;
  const bool even = !steps.sizes.empty() && steps.sizes.back() == h.shape()[0];
  if (even && h.shape()[0] >= fewest * num_threads() && s.hidden.numbers.numel() <= cached && x.numel() > 0 &&
      s.hidden.hidden > 0 && !is_deterministic())
    return by_sequences(s, x, h, c, steps);
  return recurrent(s.input(x), s.hidden, h, c, steps, nullptr);
}

std::size_t PackedRecurrent::bytes() const noexcept {
  const State& s = *state_;
  return s.input.bytes() + static_cast<std::size_t>(s.hidden.numbers.numel()) * sizeof(float);
}

}  // namespace weft::kernels
