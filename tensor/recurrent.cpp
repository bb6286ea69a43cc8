#include <weft/tensor/recurrent.h>

#include <algorithm>

#include <weft/tensor/dispatch.h>

namespace weft::kernels {
namespace {

/// The steps in the order in which they are computed.
struct Walk {
  std::vector<Int> row, count;  // of each step: its first row, how many sequences are there
  Int batch, hidden, gates, stride, item;
};

Walk walk(const Steps& s, const Tensor& weight, Int batch) {
  Walk w{{}, {}, batch, weight.shape()[1], gates_of(s.cell), 1, item_size(weight.dtype())};
  Int at = 0;
  for (const Int n : s.sizes) {
    w.row.push_back(at);
    w.count.push_back(n);
    at += s.batch_first ? 1 : n;
  }
  if (s.batch_first) w.stride = static_cast<Int>(s.sizes.size());
  if (s.reverse) {
    std::reverse(w.row.begin(), w.row.end());
    std::reverse(w.count.begin(), w.count.end());
  }
  return w;
}

/// Calls step(i, first sequence, last, first unit, last unit) so that each step is done for all units of a sequence
/// before its next one begins, and done(i, first sequence, last) in between. No sequence needs another: with enough of
/// them each thread takes some from end to end. Otherwise, or when the weights would not stay in each core's own cache,
/// the units of each step are spread.
template <class Step, class Done>
void for_steps(const Walk& w, Int steps, Step&& step, Done&& done) {
  constexpr Int fewest = 4, cached = Int{2} << 20, least_work = Int{1} << 18;
  const Int weights = w.gates * w.hidden * w.hidden, per_sequence = weights * steps + 1;
  const Int sequences = std::max(fewest, least_work / per_sequence);
  if (w.batch >= fewest * num_threads() && weights * w.item <= cached) {
    parallel_for(w.batch, sequences, [&](Int begin, Int end) {
      for (Int i = 0; i < steps; ++i) {
        step(i, begin, end, Int{0}, w.hidden);
        done(i, begin, end);
      }
    });
    return;
  }
  const Int blocks = (w.hidden + recurrent_units - 1) / recurrent_units;
  const Int smallest = least_work / (weights / blocks * w.batch + 1) + 1;
  for (Int i = 0; i < steps; ++i) {
    parallel_for(blocks, smallest, [&](Int begin, Int end) {
      step(i, Int{0}, w.batch, begin * recurrent_units, std::min(end * recurrent_units, w.hidden));
    });
    done(i, Int{0}, w.batch);
  }
}

/// How many of the sequences from `begin` to `end` are there when `count` are.
Int present(Int count, Int begin, Int end) { return std::clamp(count, begin, end) - begin; }

/// Between states (B, H), dense, and the rows of step i.
void copy_states(const Walk& w, Int i, Int begin, Int end, const Tensor& states, const Tensor& rows, bool to_states) {
  const auto bytes_each = static_cast<std::size_t>(w.hidden * w.item);
  const Int n = present(w.count[static_cast<std::size_t>(i)], begin, end);
  for (Int r = begin; r < begin + n; ++r) {
    char* state = bytes(states) + r * w.hidden * w.item;
    char* row = bytes(rows) + (w.row[static_cast<std::size_t>(i)] + r * w.stride) * w.hidden * w.item;
    std::memcpy(to_states ? state : row, to_states ? row : state, bytes_each);
  }
}

Tensor packed(const Walk& w, DType type, Int rows) {
  return empty({(w.hidden + recurrent_units - 1) / recurrent_units * recurrent_units, w.gates, rows}, type);
}

/// A new tensor with the numbers of x, or zeros.
Tensor own(const Tensor& x, const Tensor& like) { return x.defined() ? copy(x) : zeros(like.shape(), like.dtype()); }

}  // namespace

Int gates_of(Cell cell) noexcept { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

std::vector<Tensor> recurrent(const Tensor& gates, const Tensor& weight, const Tensor& bias, const Tensor& first_h,
                              const Tensor& first_c, const Steps& steps, RecurrentMemory* memory) {
  const Walk w = walk(steps, weight, first_h.shape()[0]);
  const DType type = weight.dtype();
  const int level = slot(compute_of(type));
  const bool lstm = steps.cell == Cell::lstm, keep = memory && (lstm || steps.cell == Cell::gru);
  const Tensor matrix = contiguous(weight), add = bias.defined() ? contiguous(bias) : bias;
  const Tensor y = empty({gates.shape()[0], w.hidden}, type), h = copy(first_h), c = lstm ? copy(first_c) : Tensor();
  if (keep) *memory = {gates, empty(y.shape(), type)};
  if (y.numel() > 0) {
    const Tensor pack = packed(w, type, w.hidden + 1);
    table().recurrent_pack[level](bytes(pack), bytes(matrix), add.defined() ? bytes(add) : nullptr, w.gates, w.hidden);
    const auto kernel = table().recurrent_step[level];
    for_steps(
        w, static_cast<Int>(w.row.size()),
        [&](Int i, Int begin, Int end, Int first, Int last) {
          const Int rows = present(w.count[static_cast<std::size_t>(i)], begin, end);
          if (rows == 0) return;
          const Int row = (w.row[static_cast<std::size_t>(i)] + begin * w.stride) * w.hidden * w.item,
                    state = begin * w.hidden * w.item;
          kernel({steps.cell, w.hidden, first, last, rows, w.stride, bytes(pack), bytes(h) + state,
                  bytes(gates) + row * w.gates, keep ? bytes(memory->extra) + row : nullptr, bytes(y) + row,
                  lstm ? bytes(c) + state : nullptr, keep});
        },
        [&](Int i, Int begin, Int end) { copy_states(w, i, begin, end, h, y, true); });
  }
  if (lstm) return {y, h, c};
  return {y, h};
}

RecurrentGradients recurrent_grad(const Tensor& given, const Tensor& last_dh, const Tensor& last_dc, const Tensor& y,
                                  const Tensor& weight, const Tensor& first_h, const RecurrentMemory& memory,
                                  const Steps& steps) {
  Walk w = walk(steps, weight, first_h.shape()[0]);
  const DType type = weight.dtype();
  const int level = slot(compute_of(type));
  const bool lstm = steps.cell == Cell::lstm;
  const auto count = static_cast<Int>(w.row.size());
  RecurrentGradients g;
  g.gates = empty({y.shape()[0], w.gates * w.hidden}, type);
  g.hidden = steps.cell == Cell::gru ? empty(g.gates.shape(), type) : g.gates;
  g.before = empty(y.shape(), type);
  g.h = own(last_dh, first_h);
  if (lstm) g.c = own(last_dc, first_h);
  if (y.numel() == 0) return g;

  const Tensor state = copy(first_h);
  for (Int i = 0; i < count; ++i) {
    copy_states(w, i, 0, w.batch, state, g.before, false);
    copy_states(w, i, 0, w.batch, state, y, true);
  }
  std::reverse(w.row.begin(), w.row.end());
  std::reverse(w.count.begin(), w.count.end());
  const Tensor dy = given.defined() ? contiguous(given) : given, matrix = contiguous(weight),
               pack = packed(w, type, w.hidden);
  table().recurrent_pack_grad[level](bytes(pack), bytes(matrix), w.gates, w.hidden);
  const auto kernel = table().recurrent_grad[level];
  const auto at = [](const Tensor& x, Int offset) { return x.defined() ? bytes(x) + offset : nullptr; };
  // Step i first takes what step i - 1 sends back through W_hh; one more takes that of the last.
  for_steps(
      w, count + 1,
      [&](Int i, Int begin, Int end, Int first, Int last) {
        const auto step = static_cast<std::size_t>(i);
        const auto rows = [&](std::size_t k) { return (w.row[k] + begin * w.stride) * w.hidden * w.item; };
        const Int row = i < count ? rows(step) : 0, own_rows = begin * w.hidden * w.item;
        kernel({steps.cell, w.hidden, first, last, i < count ? present(w.count[step], begin, end) : 0, w.stride,
                i > 0 ? present(w.count[step - 1], begin, end) : 0, bytes(pack),
                i > 0 ? bytes(g.hidden) + rows(step - 1) * w.gates : nullptr, at(dy, row),
                at(memory.gates, row * w.gates), at(memory.extra, row), at(g.before, row), at(y, row),
                at(g.h, own_rows), at(g.c, own_rows), at(g.gates, row * w.gates), at(g.hidden, row * w.gates)});
      },
      [](Int, Int, Int) {});
  return g;
}

}  // namespace weft::kernels
