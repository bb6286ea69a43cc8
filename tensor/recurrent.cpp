#include <weft/tensor/recurrent.h>

#include <algorithm>

#include <weft/tensor/dispatch.h>
#include <weft/tensor/team.h>

namespace weft::kernels {
namespace {

/// The steps in the order in which they are computed.
struct Walk {
  std::vector<Int> row, count;  // of each step: its first row, how many sequences are there
  Int batch, hidden, gates, stride, item;
};

Walk walk(const Steps& s, Int hidden, DType type, Int batch) {
  Walk w{{}, {}, batch, hidden, gates_of(s.cell), 1, item_size(type)};
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
/// before its next one begins, and, if `between`, done(i, first sequence, last) before that. No sequence needs another:
/// with enough of them each thread takes some from end to end. Otherwise, or when the weights would not stay in each
/// core's own cache, the units of each step are spread.
template <class Step, class Done>
void for_steps(const Walk& w, Int steps, bool between, Step&& step, Done&& done) {
  constexpr Int fewest = 4, cached = Int{2} << 20, least_work = Int{1} << 18;
  const Int weights = w.gates * w.hidden * w.hidden, per_sequence = weights * steps + 1;
  const Int sequences = std::max(fewest, least_work / per_sequence);
  if (w.batch >= fewest * num_threads() && weights * w.item <= cached) {
    parallel_for(w.batch, sequences, [&](Int begin, Int end) {
      for (Int i = 0; i < steps; ++i) {
        step(i, begin, end, Int{0}, w.hidden);
        if (between) done(i, begin, end);
      }
    });
    return;
  }
  const Int blocks = (w.hidden + recurrent_units - 1) / recurrent_units;
  const Int smallest = least_work / 8 / (weights / blocks * w.batch + 1) + 1;
  run_team(blocks, smallest, [&](const Team& team) {
    const auto [begin, end] = team.share(blocks);
    for (Int i = 0; i < steps; ++i) {
      step(i, Int{0}, w.batch, begin * recurrent_units, std::min(end * recurrent_units, w.hidden));
      team.wait();
      if (!between) continue;
      if (team.first()) done(i, Int{0}, w.batch);
      team.wait();
    }
  });
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

HiddenWeight pack_hidden(const Tensor& weight, const Tensor& bias, Cell cell) {
  HiddenWeight p{{}, &table(), gates_of(cell), weight.shape()[1]};
  const Tensor matrix = contiguous(weight), add = bias.defined() ? contiguous(bias) : bias;
  const Int units = (p.hidden + recurrent_units - 1) / recurrent_units * recurrent_units;
  p.numbers = empty({units, p.gates, p.hidden + 1}, weight.dtype());
  if (p.hidden > 0)
    p.table->recurrent_pack[slot(compute_of(weight.dtype()))](bytes(p.numbers), bytes(matrix),
                                                              add.defined() ? bytes(add) : nullptr, p.gates, p.hidden);
  return p;
}

std::vector<Tensor> recurrent(const Tensor& gates, const HiddenWeight& weight, const Tensor& first_h,
                              const Tensor& first_c, const Steps& steps, RecurrentMemory* memory) {
  const DType type = weight.numbers.dtype();
  const Walk w = walk(steps, weight.hidden, type, first_h.shape()[0]);
  const bool lstm = steps.cell == Cell::lstm, keep = memory && (lstm || steps.cell == Cell::gru);
  const Tensor y = empty({gates.shape()[0], w.hidden}, type), h = copy(first_h), c = lstm ? copy(first_c) : Tensor();
  if (keep) *memory = {gates, empty(y.shape(), type)};
  if (y.numel() > 0) {
    const auto kernel = weight.table->recurrent_step[slot(compute_of(type))];
    const auto count = static_cast<Int>(w.row.size());
    // Where all sequences take part in all steps, each step reads what the one before wrote.
    const bool even = std::all_of(w.count.begin(), w.count.end(), [&](Int n) { return n == w.batch; });
    for_steps(
        w, count, !even,
        [&](Int i, Int begin, Int end, Int first, Int last) {
          const Int rows = present(w.count[static_cast<std::size_t>(i)], begin, end);
          if (rows == 0) return;
          const auto row_of = [&](Int k) {
            return (w.row[static_cast<std::size_t>(k)] + begin * w.stride) * w.hidden * w.item;
          };
          const Int row = row_of(i), state = begin * w.hidden * w.item;
          const bool follows = even && i > 0;
          kernel({steps.cell, w.hidden, first, last, rows, w.stride, follows ? w.stride : 1, bytes(weight.numbers),
                  follows ? bytes(y) + row_of(i - 1) : bytes(h) + state, bytes(gates) + row * w.gates,
                  keep ? bytes(memory->extra) + row : nullptr, bytes(y) + row, lstm ? bytes(c) + state : nullptr,
                  keep});
        },
        [&](Int i, Int begin, Int end) { copy_states(w, i, begin, end, h, y, true); });
    if (even) copy_states(w, count - 1, 0, w.batch, h, y, true);
  }
  if (lstm) return {y, h, c};
  return {y, h};
}

std::vector<Tensor> recurrent(const Tensor& gates, const Tensor& weight, const Tensor& bias, const Tensor& h,
                              const Tensor& c, const Steps& steps, RecurrentMemory* memory) {
  return recurrent(gates, pack_hidden(weight, bias, steps.cell), h, c, steps, memory);
}

RecurrentGradients recurrent_grad(const Tensor& given, const Tensor& last_dh, const Tensor& last_dc, const Tensor& y,
                                  const Tensor& weight, const Tensor& first_h, const RecurrentMemory& memory,
                                  const Steps& steps) {
  const DType type = weight.dtype();
  Walk w = walk(steps, weight.shape()[1], type, first_h.shape()[0]);
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
      w, count + 1, false,
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
