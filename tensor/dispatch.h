#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>

#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>
#include <weft/tensor/kernels/table.h>
#include <weft/tensor/parallel.h>

/// Shared by the files that implement kernels.h; not part of the public interface.
namespace weft::kernels {

using Int = std::int64_t;

/// The table in use; null until the first operation.
extern std::atomic<const KernelTable*> current_table;
/// Chooses the level, or throws ConfigError when WEFT_ISA names none.
const KernelTable& choose_table();
/// The functions of the level in use.
inline const KernelTable& table() {
  const KernelTable* t = current_table.load(std::memory_order_acquire);
  return t ? *t : choose_table();
}

// ---- which type to compute in

constexpr Compute compute_of(DType type) noexcept {
  if (type == DType::float64) return Compute::f64;
  return is_floating(type) ? Compute::f32 : Compute::i64;
}
constexpr DType dtype_of_compute(Compute c) noexcept {
  return c == Compute::f32 ? DType::float32 : c == Compute::f64 ? DType::float64 : DType::int64;
}
/// The type that a kernel reads a tensor of `type` as.
constexpr DType native(DType type) noexcept { return dtype_of_compute(compute_of(type)); }
constexpr int slot(Compute c) noexcept { return static_cast<int>(c); }
constexpr int size_slot(DType type) noexcept {
  constexpr int slots[dtype_count] = {0, 0, 0, 2, 3, 1, 2, 3};
  return slots[static_cast<int>(type)];
}
inline Int item_size(DType type) noexcept { return static_cast<Int>(size_of(type)); }
/// Type promotion between tensors: one of rank 0 does not raise the type of another of its kind.
DType promote_tensors(const Tensor& a, const Tensor& b);

inline char* bytes(const Tensor& x) { return static_cast<char*>(x.body().data); }
/// Tells the tape that the numbers are about to change.
inline char* bytes_to_write(const Tensor& x) {
  ++x.body().storage->version;
  return bytes(x);
}

// ---- walking over tensors

/// Several operands of one shape, their axes sorted by the first operand's strides and merged where
/// every operand allows, so that most loops become one or two long ones.
class Loop {
 public:
  static constexpr int most = 4;

  explicit Loop(const Shape& shape) noexcept : shape_(shape) {}
  /// Adds a tensor whose shape broadcasts to the loop's.
  void add(const Tensor& x) noexcept;
  /// Adds a single number.
  void add_number(const void* value, DType type) noexcept;
  /// Sorts and merges. Call once after the last operand.
  void prepare() noexcept;

  Int elements() const noexcept { return elements_; }
  int rank() const noexcept { return rank_; }
  Int size(int axis) const noexcept { return sizes_[axis]; }
  Int step(int operand, int axis) const noexcept { return steps_[operand][axis]; }  ///< bytes
  Int inner_step(int operand) const noexcept { return steps_[operand][rank_ - 1]; }
  char* data(int operand) const noexcept { return data_[operand]; }
  DType dtype(int operand) const noexcept { return types_[operand]; }
  int operands() const noexcept { return count_; }

  /// Calls row(pointers, n) for runs of the innermost axis, over all threads when there are more
  /// than `smallest` elements.
  template <class Row>
  void run(Int smallest, Row&& row) const {
    if (elements_ <= smallest) {
      walk(0, elements_, row);
      return;
    }
    // Parts begin at multiples of 1024 elements, so that threads share no cache line of a dense result.
    constexpr Int unit = 1024;
    parallel_for((elements_ + unit - 1) / unit, (smallest + unit - 1) / unit,
                 [&](Int begin, Int end) { walk(begin * unit, end * unit < elements_ ? end * unit : elements_, row); });
  }

 private:
  template <class Row>
  void walk(Int begin, Int end, Row& row) const {
    if (begin >= end) return;
    const int inner = rank_ - 1;
    const Int width = sizes_[inner];
    Int index[Dims::max_rank];
    char* at[most];
    for (int k = 0; k < count_; ++k) at[k] = data_[k];
    Int rest = begin / width;
    Int column = begin - rest * width;
    for (int axis = inner - 1; axis >= 0; --axis) {
      const Int next = rest / sizes_[axis];
      index[axis] = rest - next * sizes_[axis];
      rest = next;
      for (int k = 0; k < count_; ++k) at[k] += index[axis] * steps_[k][axis];
    }
    for (;;) {
      const Int n = width - column < end - begin ? width - column : end - begin;
      if (column == 0) {
        row(static_cast<char* const*>(at), n);
      } else {
        char* moved[most];
        for (int k = 0; k < count_; ++k) moved[k] = at[k] + column * steps_[k][inner];
        row(static_cast<char* const*>(moved), n);
        column = 0;
      }
      begin += n;
      if (begin >= end) return;
      for (int axis = inner - 1; axis >= 0; --axis) {
        for (int k = 0; k < count_; ++k) at[k] += steps_[k][axis];
        if (++index[axis] < sizes_[axis]) break;
        for (int k = 0; k < count_; ++k) at[k] -= steps_[k][axis] * sizes_[axis];
        index[axis] = 0;
      }
    }
  }

  Shape shape_;
  int rank_ = 0, count_ = 0;
  Int elements_ = 0;
  Int sizes_[Dims::max_rank];
  Int steps_[most][Dims::max_rank];
  char* data_[most];
  DType types_[most];
};

/// From so many bytes on a result would only drive out of the caches what is still wanted there: it is written past
/// them, by way of a buffer in the first-level cache. Saves reading what is about to be overwritten, too.
constexpr Int streaming_bytes = Int{32} << 20;

/// Calls write(to, first, count) for `rows` rows of y, which lie `row_bytes` apart: once, or in parts that are
/// streamed.
template <class Write>
void write_rows(char* y, Int rows, Int row_bytes, bool streams, Write&& write) {
  constexpr Int room = 16384;
  if (!streams || row_bytes > room) {
    write(y, Int{0}, rows);
    return;
  }
  alignas(64) char buffer[static_cast<std::size_t>(room)];
  const Int some = room / row_bytes;
  for (Int first = 0; first < rows; first += some) {
    const Int count = rows - first < some ? rows - first : some;
    write(static_cast<char*>(buffer), first, count);
    table().stream(y + first * row_bytes, buffer, count * row_bytes);
  }
}

/// How a kernel uses an operand.
enum class Use : std::uint8_t { read, write, change };

/// Runs kernel(pointers, steps, n) over a prepared loop. Every operand appears dense and in the type
/// `wanted` (steps 1, or 0 for a repeated number that is read): what lies otherwise in memory
/// goes through small buffers that stay in the first-level cache.
template <class Kernel>
void run_dense(const Loop& loop, const DType* wanted, const Use* uses, Int smallest, Kernel&& kernel) {
  constexpr Int block = 1024;
  const int count = loop.operands();
  bool direct[Loop::most];
  bool repeated[Loop::most];
  bool all_direct = true;
  for (int k = 0; k < count; ++k) {
    const Int step = loop.inner_step(k), size = item_size(loop.dtype(k));
    repeated[k] = step == 0 && uses[k] == Use::read;
    direct[k] = loop.dtype(k) == wanted[k] && (step == size || repeated[k]);
    all_direct &= direct[k];
  }
  if (all_direct) {
    Int steps[Loop::most];
    for (int k = 0; k < count; ++k) steps[k] = repeated[k] ? 0 : 1;
    const Int item = item_size(loop.dtype(0));
    // Where arithmetic is the limit (such loops are spread sooner), the way through the buffer only costs.
    const bool streams = uses[0] == Use::write && smallest >= 2 * grain && loop.elements() * item >= streaming_bytes;
    loop.run(smallest, [&](char* const* at, Int n) {
      write_rows(at[0], n, item, streams, [&](char* to, Int first, Int some) {
        char* p[Loop::most];
        for (int k = 1; k < count; ++k) p[k] = at[k] + first * loop.inner_step(k);
        p[0] = to;
        kernel(static_cast<char* const*>(p), static_cast<const Int*>(steps), some);
      });
    });
    return;
  }
  const KernelTable& t = table();
  loop.run(smallest, [&](char* const* at, Int n) {
    alignas(64) char buffer[Loop::most][static_cast<std::size_t>(block) * 8];
    for (Int begin = 0; begin < n; begin += block) {
      const Int width = n - begin < block ? n - begin : block;
      char* p[Loop::most];
      Int steps[Loop::most];
      for (int k = 0; k < count; ++k) {
        const Int step = loop.inner_step(k), size = item_size(loop.dtype(k));
        char* from = at[k] + begin * step;
        steps[k] = repeated[k] ? 0 : 1;
        p[k] = direct[k] ? from : buffer[k];
        if (!direct[k] && uses[k] != Use::write)
          t.convert[static_cast<int>(wanted[k])][static_cast<int>(loop.dtype(k))](p[k], 1, from, step / size,
                                                                                  repeated[k] ? 1 : width);
      }
      kernel(static_cast<char* const*>(p), static_cast<const Int*>(steps), width);
      for (int k = 0; k < count; ++k) {
        if (direct[k] || uses[k] == Use::read) continue;
        const Int step = loop.inner_step(k), size = item_size(loop.dtype(k));
        t.convert[static_cast<int>(loop.dtype(k))][static_cast<int>(wanted[k])](at[k] + begin * step, step / size, p[k],
                                                                                1, width);
      }
    }
  });
}

/// Throws unless the tensors have one shape.
void check_same_shape(const char* op, const Tensor& a, const Tensor& b);
/// Throws DtypeError unless x is of a floating type.
void check_floating(const char* op, const Tensor& x);
/// The sizes before, along and behind an axis.
struct Around {
  Int before = 1, along = 1, behind = 1;
};
Around around(const Shape& shape, int axis) noexcept;

}  // namespace weft::kernels
