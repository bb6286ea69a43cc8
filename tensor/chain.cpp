#include <algorithm>
#include <array>

#include <weft/tensor/allocator.h>
#include <weft/tensor/packed_shared.h>

/// Chains of elementwise operations. A tile is small enough that what one step writes the next finds in the first-level
/// cache; memory is read and written once.
namespace weft::kernels {
namespace {

constexpr Int tile = 1024;
constexpr std::size_t most_inputs = 16, most_steps = 64;

constexpr bool gives_numbers(Unary op) {
  return op != Unary::logical_not && op != Unary::bitwise_not && op < Unary::isnan;
}
constexpr bool gives_numbers(Binary op) { return op < Binary::bitwise_and || op > Binary::ge; }

/// Numbers of a tile: one after the other, or a single one for all.
struct Part {
  const float* data;
  Int step;
};

/// An input by the places of the result's memory: number p is data[p], data[p / inner % channels], or data[0].
struct Source {
  const float* data = nullptr;
  Int inner = 0, channels = 0;  ///< both 0: as long as the result
  bool single() const { return inner > 0 && channels == 1; }

  /// Numbers first to first + n - 1, in `room` where they do not lie so. `filled`: what `room` holds repeats and still
  /// holds.
  Part part(Int first, Int n, float* room, bool& filled) const {
    if (inner == 0) return {data + first, 1};
    if (channels == 1) return {data, 0};
    const Int at = first / inner % channels, within = first % inner;
    if (within + n <= inner) return {data + at, 0};
    if (inner == 1 && at + n <= channels) return {data + at, 1};
    if (filled) return {room, 1};
    Int channel = at, done = 0, left = inner - within;
    while (done < n) {
      if (inner == 1) {
        const Int count = std::min(channels - channel, n - done);
        std::copy_n(data + channel, count, room + done);
        done += count;
        channel = 0;
      } else {
        const Int count = std::min(left, n - done);
        std::fill_n(room + done, count, data[channel]);
        done += count;
        left = inner;
        channel = channel + 1 == channels ? 0 : channel + 1;
      }
    }
    filled = n == tile && tile % (inner * channels) == 0;  // every tile begins with the first channel
    return {room, 1};
  }
};

/// How x lies in the memory of the result y, if in a way that a Source can say.
bool describe(Source& s, const Tensor& x, const Tensor& y) {
  s.data = x.data<float>();
  if (x.shape() == y.shape() && x.strides() == y.strides()) return true;
  if (x.numel() == 1) {
    s.inner = s.channels = 1;
    return true;
  }
  int order[Dims::max_rank];  // y's axes, the innermost first
  int rank = 0;
  for (int a = y.dim() - 1; a >= 0; --a) {
    if (y.shape()[a] == 1) continue;
    int at = rank++;
    for (; at > 0 && y.strides()[a] < y.strides()[order[at - 1]]; --at) order[at] = order[at - 1];
    order[at] = a;
  }
  const int shift = y.dim() - x.dim();
  const auto step = [&](int i) {
    const int a = order[i] - shift;
    return a < 0 || x.shape()[a] == 1 ? 0 : x.strides()[a];
  };
  Int inner = 1, channels = 1;
  int i = 0;
  for (; i < rank && step(i) == 0; ++i) inner *= y.shape()[order[i]];
  for (; i < rank && step(i) == channels; ++i) channels *= y.shape()[order[i]];
  for (; i < rank; ++i)
    if (step(i) != 0) return false;
  if (inner == 1 && channels == y.numel()) return true;
  s.inner = inner;
  s.channels = channels;
  return true;
}

/// Memory of one thread.
class Room {
 public:
  explicit Room(Int numbers)
      : bytes_(static_cast<std::size_t>(numbers) * sizeof(float)),
        data_(static_cast<float*>(allocate_memory(bytes_))) {}
  Room(const Room&) = delete;
  ~Room() { deallocate_memory(data_, bytes_); }
  float* at(Int buffer) const { return data_ + buffer * tile; }

 private:
  std::size_t bytes_;
  float* data_;
};

}  // namespace

ElementwiseChain::ElementwiseChain(int inputs) : inputs_(inputs) {
  if (inputs < 1 || inputs > static_cast<int>(most_inputs))
    throw ConfigError(text("chain: ", inputs, " inputs\n  help: choose 1 to ", most_inputs));
}

ElementwiseChain::Operand ElementwiseChain::input(int index) const {
  const Operand x{Operand::Kind::input, index, 0};
  check(x);
  return x;
}

void ElementwiseChain::check(const Operand& x) const {
  const bool input = x.kind == Operand::Kind::input;
  if (x.kind == Operand::Kind::number) return;
  const int count = input ? inputs_ : steps();
  if (x.index < 0 || x.index >= count)
    throw ConfigError(text("chain: ", input ? "input " : "step ", x.index, " of ", count));
}

ElementwiseChain::Operand ElementwiseChain::add(Step step) {
  check(step.a);
  check(step.b);
  if (steps_.size() == most_steps)
    throw ConfigError(text("chain: more than ", most_steps, " steps\n  help: break it in two"));
  steps_.push_back(step);
  return {Operand::Kind::step, steps() - 1, 0};
}

ElementwiseChain::Operand ElementwiseChain::step(Unary op, const Operand& x) {
  if (!gives_numbers(op)) throw ConfigError(text("chain: operation ", static_cast<int>(op), " gives no float32"));
  return add({Step::Kind::unary, op, {}, x, number(0), 0, 0});
}

ElementwiseChain::Operand ElementwiseChain::step(Binary op, const Operand& a, const Operand& b) {
  if (!gives_numbers(op)) throw ConfigError(text("chain: operation ", static_cast<int>(op), " gives no float32"));
  return add({Step::Kind::binary, {}, op, a, b, 0, 0});
}

ElementwiseChain::Operand ElementwiseChain::clamp(const Operand& x, double low, double high) {
  if (!(low <= high || low > high)) throw ConfigError(text("chain: bounds ", low, " and ", high, " are not numbers"));
  return add({Step::Kind::clamp, {}, {}, x, number(0), low, high});
}

Tensor ElementwiseChain::operator()(std::span<const Tensor> inputs) const {
  if (static_cast<int>(inputs.size()) != inputs_ || steps_.empty())
    throw ConfigError(text("chain: ", inputs.size(), " inputs for ", steps(), " steps on ", inputs_));
  Shape shape;
  for (const Tensor& x : inputs) {
    check_float32("chain", "an input", x);
    shape = broadcast("chain", shape, x.shape());
  }
  Tensor y;
  for (const Tensor& x : inputs)
    if (!y.defined() && x.shape() == shape) y = empty_like(x);
  if (!y.defined()) y = empty(shape);
  const Int n = y.numel();
  if (n == 0) return y;

  std::array<Source, most_inputs> sources;
  std::array<Tensor, most_inputs> laid_out;
  Int buffers = 0;
  std::array<Int, most_inputs> input_buffer{};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!describe(sources[i], inputs[i], y)) {
      laid_out[i] = view_as(empty(shape), shape, y.strides());
      copy_into(laid_out[i], inputs[i]);
      sources[i] = {laid_out[i].data<float>(), 0, 0};
    }
    if (sources[i].channels > 1) input_buffer[i] = buffers++;
  }

  // Where each step writes, and what is the same for all of a tile.
  const std::size_t count = steps_.size();
  std::array<std::size_t, most_steps> last_use{};
  std::array<Int, most_steps> buffer{};
  std::array<bool, most_steps> single{};
  std::array<float, most_steps * 3> numbers{};  // the operands of each step, and its result where that is a single one
  const auto is_single = [&](const Operand& x) {
    return x.kind == Operand::Kind::number ||
           (x.kind == Operand::Kind::input ? sources[static_cast<std::size_t>(x.index)].single()
                                           : single[static_cast<std::size_t>(x.index)]);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Step& s = steps_[i];
    single[i] = is_single(s.a) && (s.kind != Step::Kind::binary || is_single(s.b));
    numbers[3 * i] = static_cast<float>(s.a.number);
    numbers[3 * i + 1] = static_cast<float>(s.b.number);
    for (const Operand* x : {&s.a, &s.b})
      if (x->kind == Operand::Kind::step) last_use[static_cast<std::size_t>(x->index)] = i;
  }
  std::array<Int, most_steps> free{};
  std::size_t free_count = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Step& s = steps_[i];
    // A step may write where it reads, so what it reads last is free at once.
    for (const Operand* x : {&s.a, &s.b}) {
      const auto j = static_cast<std::size_t>(x->index);
      if (x->kind != Operand::Kind::step || last_use[j] != i || single[j]) continue;
      if (x == &s.b && s.a.kind == Operand::Kind::step && s.a.index == x->index) continue;
      free[free_count++] = buffer[j];
    }
    if (!single[i]) buffer[i] = free_count > 0 ? free[--free_count] : buffers++;
  }

  const KernelTable& t = table();
  const auto run = [&](std::size_t i, float* to, const Part& a, const Part& b, Int m) {
    const Step& s = steps_[i];
    if (s.kind == Step::Kind::unary)
      t.unary[static_cast<int>(s.unary)][0](to, a.data, m);
    else if (s.kind == Step::Kind::binary)
      t.binary[static_cast<int>(s.binary)][0](to, a.data, b.data, m, a.step, b.step);
    else
      t.clamp[0](to, a.data, m, s.low, s.high);
  };
  const auto number_part = [&](std::size_t i, const Operand& x, int which) -> Part {
    if (x.kind == Operand::Kind::number) return {&numbers[3 * i + static_cast<std::size_t>(which)], 0};
    const auto j = static_cast<std::size_t>(x.index);
    return {x.kind == Operand::Kind::input ? sources[j].data : &numbers[3 * j + 2], 0};
  };
  for (std::size_t i = 0; i < count; ++i)
    if (single[i]) run(i, &numbers[3 * i + 2], number_part(i, steps_[i].a, 0), number_part(i, steps_[i].b, 1), 1);

  float* const result = y.mutable_data<float>();
  const Int tiles = (n + tile - 1) / tile, smallest = grain / (tile * static_cast<Int>(count)) + 1;
  const bool streams = n * static_cast<Int>(sizeof(float)) >= streaming_bytes;
  const std::size_t last = count - 1;
  if (single[last]) {
    std::fill_n(result, n, numbers[3 * last + 2]);
    return y;
  }
  parallel_for(tiles, smallest, [&](Int begin, Int end) {
    const Room room((buffers + 1) * tile);
    std::array<bool, most_inputs> filled{};
    for (Int k = begin; k < end; ++k) {
      const Int first = k * tile, m = std::min(tile, n - first);
      std::array<Part, most_inputs> in;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        in[i] = sources[i].part(first, m, room.at(input_buffer[i]), filled[i]);
      for (std::size_t i = 0; i < count; ++i) {
        if (single[i]) continue;
        const auto part = [&](const Operand& x, int which) -> Part {
          const auto j = static_cast<std::size_t>(x.index);
          if (x.kind == Operand::Kind::input) return in[j];
          if (x.kind == Operand::Kind::step && !single[j]) return {room.at(buffer[j]), 1};
          return number_part(i, x, which);
        };
        Part a = part(steps_[i].a, 0);
        const Part b = part(steps_[i].b, 1);
        float* const to = i == last && !streams ? result + first : room.at(i == last ? buffers : buffer[i]);
        if (steps_[i].kind != Step::Kind::binary && a.step == 0) {  // one channel fills the tile
          std::fill_n(to, m, *a.data);
          a = {to, 1};
        } else if (steps_[i].kind == Step::Kind::binary && a.step == 0 && b.step == 0) {
          std::fill_n(to, m, *a.data);
          a = {to, 1};
        }
        run(i, to, a, b, m);
      }
      if (streams) t.stream(result + first, room.at(buffers), m * static_cast<Int>(sizeof(float)));
    }
  });
  return y;
}

}  // namespace weft::kernels
