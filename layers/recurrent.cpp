#include <weft/layers/recurrent.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <weft/autograd/ops.h>
#include <weft/layers/initialize.h>
#include <weft/tensor/create.h>

namespace weft {
namespace {

Tensor weight(const Shape& shape, std::int64_t hidden, DType dtype) {
  Tensor w = empty(shape, dtype);
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(hidden, 1)));
  initialize::uniform(w, -bound, bound);
  return w.set_requires_grad();
}

RecurrentCell cell_of(Nonlinearity nonlinearity) {
  return nonlinearity == Nonlinearity::tanh ? RecurrentCell::tanh : RecurrentCell::relu;
}

/// Places in the batch from the longest sequence to the shortest.
std::vector<std::int64_t> longest_first(const Lengths& lengths) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return lengths[static_cast<std::size_t>(a)] > lengths[static_cast<std::size_t>(b)];
  });
  return order;
}
std::vector<std::int64_t> inverse(const std::vector<std::int64_t>& order) {
  std::vector<std::int64_t> places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    places[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return places;
}
/// How many sequences reach each step, up to the end of the longest.
std::vector<std::int64_t> sizes_of(const Lengths& lengths) {
  const std::int64_t longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(longest), 0);
  for (const std::int64_t n : lengths)
    for (std::int64_t t = 0; t < n; ++t) ++sizes[static_cast<std::size_t>(t)];
  return sizes;
}
void check_lengths(const std::string& name, const Lengths& lengths, std::int64_t batch, std::int64_t steps) {
  if (static_cast<std::int64_t>(lengths.size()) != batch)
    throw ShapeError(text(name, ": ", lengths.size(), " lengths for ", batch, " sequences"));
  for (std::size_t b = 0; b < lengths.size(); ++b)
    if (lengths[b] < 0 || lengths[b] > steps)
      throw ConfigError(text(name, ": sequence ", b, " has length ", lengths[b], " of ", steps, " steps"));
}
Tensor indices(const std::vector<std::int64_t>& places) {
  return from(places, {static_cast<std::int64_t>(places.size())});
}

}  // namespace

namespace detail {

Recurrent::Recurrent(const RecurrentOptions& o)
    : name_(o.name),
      cell_(o.cell),
      input_size_(o.input_size),
      hidden_size_(o.hidden_size),
      layers_(o.num_layers),
      directions_(o.bidirectional ? 2 : 1),
      output_size_(o.proj_size > 0 ? o.proj_size : o.hidden_size),
      batch_first_(o.batch_first),
      dropout_(o.dropout) {
  if (o.input_size < 1 || o.hidden_size < 1 || o.num_layers < 1)
    throw ConfigError(text(name_, ": input_size ", o.input_size, ", hidden_size ", o.hidden_size, ", num_layers ",
                           o.num_layers, "\n  help: choose 1 or more for each"));
  if (o.proj_size < 0 || o.proj_size >= o.hidden_size)
    throw ConfigError(
        text(name_, ": proj_size ", o.proj_size, " is not from 0 to hidden_size ", o.hidden_size, " - 1"));
  if (!(o.dropout >= 0 && o.dropout <= 1))
    throw ConfigError(text(name_, ": dropout is ", o.dropout, "\n  help: choose a probability from 0 to 1"));
  const std::int64_t rows = kernels::gates_of(o.cell) * o.hidden_size;
  for (std::int64_t l = 0; l < layers_; ++l)
    for (std::int64_t d = 0; d < directions_; ++d) {
      const std::int64_t width = l == 0 ? o.input_size : output_size_ * directions_;
      RecurrentWeights w;
      w.input = weight({rows, width}, o.hidden_size, o.dtype);
      w.hidden = weight({rows, output_size_}, o.hidden_size, o.dtype);
      if (o.bias) {
        w.input_bias = weight({rows}, o.hidden_size, o.dtype);
        w.hidden_bias = weight({rows}, o.hidden_size, o.dtype);
      }
      if (o.proj_size > 0) w.projection = weight({o.proj_size, o.hidden_size}, o.hidden_size, o.dtype);
      weights_.push_back(std::move(w));
    }
}

void Recurrent::visit(const std::string& name, Visitor& v) {
  const std::string prefix = name.empty() ? name : name + ".";
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const auto directions = static_cast<std::size_t>(directions_);
    const std::string end = text("_l", i / directions, i % directions == 1 ? "_reverse" : "");
    RecurrentWeights& w = weights_[i];
    v.parameter(prefix + "weight_ih" + end, w.input);
    v.parameter(prefix + "weight_hh" + end, w.hidden);
    if (w.input_bias.defined()) v.parameter(prefix + "bias_ih" + end, w.input_bias);
    if (w.hidden_bias.defined()) v.parameter(prefix + "bias_hh" + end, w.hidden_bias);
    if (w.projection.defined()) v.parameter(prefix + "weight_hr" + end, w.projection);
  }
  v.mode(mode_);
}

std::vector<Tensor> Recurrent::run(const Tensor& given, const std::vector<Tensor>& initial,
                                   const Lengths& lengths) const {
  if ((given.dim() != 2 && given.dim() != 3) || given.shape()[given.dim() - 1] != input_size_)
    throw ShapeError(text(name_, ": x is ", given.shape(), "\n  help: pass (", batch_first_ ? "B, T" : "T, B", ", ",
                          input_size_, ") or (T, ", input_size_, ")"));
  const bool single = given.dim() == 2;
  const Tensor x = single ? unsqueeze(given, batch_first_ ? 0 : 1) : given;  // (T, B, in), or (B, T, in)
  const std::int64_t steps = x.shape()[batch_first_ ? 1 : 0], batch = x.shape()[batch_first_ ? 0 : 1],
                     slots = layers_ * directions_;

  // (L * D, B, size) each; the state h first, then c
  std::vector<Tensor> states;
  for (std::size_t k = 0; k < initial.size(); ++k) {
    const std::int64_t size = k == 0 ? output_size_ : hidden_size_;
    const Shape full{slots, batch, size}, bare{slots, size};
    if (!initial[k].defined())
      states.push_back(zeros(full, x.dtype()));
    else if (initial[k].shape() == (single ? bare : full))
      states.push_back(single ? unsqueeze(initial[k], 1) : initial[k]);
    else
      throw ShapeError(text(name_, ": the initial ", k == 0 ? "h" : "c", " is ", initial[k].shape(), ", not ",
                            single ? bare : full));
  }

  PackedSequence packed;
  RecurrentSteps walk{.cell = cell_};
  Tensor back;  // from the order of lengths to the batch's own
  if (lengths.empty()) {
    packed.data = flatten(x, 0, 1);
    walk.sizes.assign(static_cast<std::size_t>(steps), batch);
    walk.batch_first = batch_first_;
  } else {
    check_lengths(name_, lengths, batch, steps);
    packed = pack_padded_sequence(x, lengths, batch_first_);
    walk.sizes = packed.batch_sizes;
    back = indices(inverse(packed.order));
    for (Tensor& s : states) s = index_select(s, 1, indices(packed.order));
  }

  std::vector<std::vector<Tensor>> last(states.size());
  for (std::int64_t l = 0; l < layers_; ++l) {
    std::vector<Tensor> outputs;
    for (std::int64_t d = 0; d < directions_; ++d) {
      const std::int64_t slot = l * directions_ + d;
      std::vector<Tensor> first;
      for (const Tensor& s : states) first.push_back(select(s, 0, slot));
      walk.reverse = d == 1;
      std::vector<Tensor> results = recurrent(packed.data, first, weights_[static_cast<std::size_t>(slot)], walk);
      outputs.push_back(std::move(results[0]));
      for (std::size_t k = 0; k < last.size(); ++k) last[k].push_back(std::move(results[k + 1]));
    }
    packed.data = outputs.size() == 1 ? outputs[0] : cat(outputs, -1);
    if (l + 1 < layers_) packed.data = dropout(packed.data, dropout_, mode_.training);
  }

  std::vector<Tensor> results;
  if (lengths.empty()) {
    Shape shape = x.shape();
    shape.back() = output_size_ * directions_;
    results.push_back(reshape(packed.data, shape));
  } else {
    results.push_back(pad_packed_sequence(packed, {.batch_first = batch_first_, .total_length = steps}).x);
  }
  for (const std::vector<Tensor>& each : last) {
    const Tensor state = stack(each);  // (L * D, B, size)
    results.push_back(back.defined() ? index_select(state, 1, back) : state);
  }
  if (single) {
    results[0] = squeeze(results[0], batch_first_ ? 0 : 1);
    for (std::size_t k = 1; k < results.size(); ++k) results[k] = squeeze(results[k], 1);
  }
  return results;
}

}  // namespace detail

RNN::RNN(const RNNOptions& o)
    : Recurrent({"rnn", cell_of(o.nonlinearity), o.input_size, o.hidden_size, o.num_layers, 0, o.bias, o.batch_first,
                 o.bidirectional, o.dropout, o.dtype}) {}
RecurrentResult RNN::operator()(const Tensor& x, const Tensor& h, const Lengths& lengths) const {
  std::vector<Tensor> r = run(x, {h}, lengths);
  return {r[0], r[1]};
}

LSTM::LSTM(const LSTMOptions& o)
    : Recurrent({"lstm", RecurrentCell::lstm, o.input_size, o.hidden_size, o.num_layers, o.proj_size, o.bias,
                 o.batch_first, o.bidirectional, o.dropout, o.dtype}) {}
LSTMResult LSTM::operator()(const Tensor& x, const LSTMState& state, const Lengths& lengths) const {
  std::vector<Tensor> r = run(x, {state.h, state.c}, lengths);
  return {r[0], r[1], r[2]};
}

GRU::GRU(const GRUOptions& o)
    : Recurrent({"gru", RecurrentCell::gru, o.input_size, o.hidden_size, o.num_layers, 0, o.bias, o.batch_first,
                 o.bidirectional, o.dropout, o.dtype}) {}
RecurrentResult GRU::operator()(const Tensor& x, const Tensor& h, const Lengths& lengths) const {
  std::vector<Tensor> r = run(x, {h}, lengths);
  return {r[0], r[1]};
}

namespace {

/// Fills the members of a cell.
template <class Cell>
void make_cell(const char* name, Cell& cell, RecurrentCell kind, const CellOptions& o) {
  if (o.input_size < 1 || o.hidden_size < 1)
    throw ConfigError(text(name, ": input_size ", o.input_size, ", hidden_size ", o.hidden_size,
                           "\n  help: choose 1 or more for each"));
  const std::int64_t rows = kernels::gates_of(kind) * o.hidden_size;
  cell.weight_ih = weight({rows, o.input_size}, o.hidden_size, o.dtype);
  cell.weight_hh = weight({rows, o.hidden_size}, o.hidden_size, o.dtype);
  if (!o.bias) return;
  cell.bias_ih = weight({rows}, o.hidden_size, o.dtype);
  cell.bias_hh = weight({rows}, o.hidden_size, o.dtype);
}

/// One step of a cell, with or without a batch axis.
template <class Cell>
std::vector<Tensor> step_cell(const char* name, const Cell& cell, RecurrentCell kind, const Tensor& x,
                              std::vector<Tensor> state) {
  const std::int64_t width = cell.weight_ih.shape()[1], hidden = cell.weight_hh.shape()[1];
  if ((x.dim() != 1 && x.dim() != 2) || x.shape()[x.dim() - 1] != width)
    throw ShapeError(text(name, ": x is ", x.shape(), "\n  help: pass (B, ", width, ") or (", width, ")"));
  Shape shape = x.shape();
  shape[x.dim() - 1] = hidden;
  const bool single = x.dim() == 1;
  for (Tensor& s : state) {
    if (!s.defined()) s = zeros(shape, x.dtype());
    if (!(s.shape() == shape)) throw ShapeError(text(name, ": the state is ", s.shape(), ", not ", shape));
    if (single) s = unsqueeze(s, 0);
  }
  std::vector<Tensor> next = recurrent_step(kind, single ? unsqueeze(x, 0) : x, state,
                                            {cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, Tensor()});
  for (Tensor& s : next)
    if (single) s = squeeze(s, 0);
  return next;
}

}  // namespace

RNNCell::RNNCell(const CellOptions& o) : nonlinearity(o.nonlinearity) {
  make_cell("rnn_cell", *this, cell_of(nonlinearity), o);
}
Tensor RNNCell::operator()(const Tensor& x, const Tensor& h) const {
  return step_cell("rnn_cell", *this, cell_of(nonlinearity), x, {h})[0];
}
LSTMCell::LSTMCell(const CellOptions& o) { make_cell("lstm_cell", *this, RecurrentCell::lstm, o); }
LSTMState LSTMCell::operator()(const Tensor& x, const LSTMState& state) const {
  std::vector<Tensor> r = step_cell("lstm_cell", *this, RecurrentCell::lstm, x, {state.h, state.c});
  return {r[0], r[1]};
}
GRUCell::GRUCell(const CellOptions& o) { make_cell("gru_cell", *this, RecurrentCell::gru, o); }
Tensor GRUCell::operator()(const Tensor& x, const Tensor& h) const {
  return step_cell("gru_cell", *this, RecurrentCell::gru, x, {h})[0];
}

PackedSequence pack_padded_sequence(const Tensor& given, const Lengths& lengths, bool batch_first) {
  if (given.dim() < 2)
    throw ShapeError(text("pack_padded_sequence: x is ", given.shape(), "\n  help: pass (T, B, ...)"));
  const Tensor x = batch_first ? transpose(given, 0, 1) : given;
  check_lengths("pack_padded_sequence", lengths, x.shape()[1], x.shape()[0]);
  PackedSequence packed{.data = Tensor(), .batch_sizes = sizes_of(lengths), .order = longest_first(lengths)};
  std::vector<std::int64_t> rows;  // of x with its first two axes joined
  for (std::size_t t = 0; t < packed.batch_sizes.size(); ++t)
    for (std::int64_t i = 0; i < packed.batch_sizes[t]; ++i)
      rows.push_back(static_cast<std::int64_t>(t) * x.shape()[1] + packed.order[static_cast<std::size_t>(i)]);
  packed.data = index_select(flatten(x, 0, 1), 0, indices(rows));
  return packed;
}

PaddedSequence pad_packed_sequence(const PackedSequence& packed, const PadPackedOptions& o) {
  const auto longest = static_cast<std::int64_t>(packed.batch_sizes.size()),
             batch = static_cast<std::int64_t>(packed.order.size()), steps = std::max(longest, o.total_length);
  if (o.total_length >= 0 && o.total_length < longest)
    throw ConfigError(
        text("pad_packed_sequence: total_length ", o.total_length, " is less than the longest sequence, ", longest));
  PaddedSequence padded{Tensor(), Lengths(packed.order.size(), 0)};
  std::vector<std::int64_t> rows;
  std::int64_t before = batch;
  for (std::int64_t t = 0; t < longest; ++t) {
    const std::int64_t n = packed.batch_sizes[static_cast<std::size_t>(t)];
    if (n < 0 || n > before)
      throw ConfigError(text("pad_packed_sequence: ", n, " sequences at step ", t, " after ", before));
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t b = packed.order[static_cast<std::size_t>(i)];
      if (b < 0 || b >= batch) throw ConfigError(text("pad_packed_sequence: place ", b, " in a batch of ", batch));
      rows.push_back(t * batch + b);
      ++padded.lengths[static_cast<std::size_t>(b)];
    }
    before = n;
  }
  if (packed.data.dim() < 1 || static_cast<std::int64_t>(rows.size()) != packed.data.shape()[0])
    throw ShapeError(
        text("pad_packed_sequence: the batch sizes add up to ", rows.size(), ", the data is ", packed.data.shape()));
  Shape joined{steps * batch}, full{steps, batch};
  for (int i = 1; i < packed.data.dim(); ++i) {
    joined.push_back(packed.data.shape()[i]);
    full.push_back(packed.data.shape()[i]);
  }
  const Tensor empty_rows = weft::full(joined, o.padding_value, packed.data.dtype());
  padded.x = reshape(index_copy(empty_rows, 0, indices(rows), packed.data), full);
  if (o.batch_first) padded.x = transpose(padded.x, 0, 1);
  return padded;
}

}  // namespace weft
