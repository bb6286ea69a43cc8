#include <weft/tensor/dispatch.h>

/// Joining, picking and scattering.
namespace weft::kernels {
namespace {

/// Index tensors are int64; returned dense.
Tensor checked_index(const char* op, const Tensor& index) {
  if (index.dtype() != DType::int64)
    throw DtypeError(
        text(op, ": the index is ", index.dtype(), ", not int64\n  help: convert it with to(index, DType::int64)"));
  return contiguous(index);
}

[[noreturn]] void out_of_range(const char* op, Int value, Int position, Int size) {
  throw ConfigError(text(op, ": index ", value, " at position ", position, " is out of range for size ", size,
                         "\n  help: use indices from ", -size, " to ", size - 1));
}

/// Throws at the first index outside [-size, size).
const Int* checked_values(const char* op, const Tensor& index, Int size) {
  const Int* v = reinterpret_cast<const Int*>(bytes(index));
  const Int n = index.numel();
  for (Int i = 0; i < n; ++i)
    if (v[i] < -size || v[i] >= size) out_of_range(op, v[i], i, size);
  return v;
}

/// Arithmetic on two elements: bfloat16 in float32, whole numbers wrap around, bool as and / or.
struct Assigned {
  template <class T>
  static T apply(T, T b) {
    return b;
  }
};
struct Added {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, BFloat16>)
      return BFloat16(static_cast<float>(a) + static_cast<float>(b));
    else if constexpr (std::is_same_v<T, bool>)
      return a || b;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
    else
      return a + b;
  }
};
struct Multiplied {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, BFloat16>)
      return BFloat16(static_cast<float>(a) * static_cast<float>(b));
    else if constexpr (std::is_same_v<T, bool>)
      return a && b;
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    else
      return a * b;
  }
};
/// The larger or the smaller; NaN if either is.
template <bool larger>
struct Extreme {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      const float u = static_cast<float>(a), v = static_cast<float>(b);
      return BFloat16(apply(u, v));
    } else {
      if constexpr (std::is_floating_point_v<T>)
        if (a != a) return a;
      return (larger ? a >= b : a <= b) ? a : b;
    }
  }
};

/// Calls f with a value of the C++ type behind `type`.
template <class F>
auto by_type(DType type, F&& f) {
  switch (type) {
    case DType::boolean: return f(bool{});
    case DType::uint8: return f(std::uint8_t{});
    case DType::int8: return f(std::int8_t{});
    case DType::int32: return f(std::int32_t{});
    case DType::int64: return f(Int{});
    case DType::bfloat16: return f(BFloat16{});
    case DType::float64: return f(double{});
    case DType::float32: break;
  }
  return f(float{});
}
/// The same with an unsigned number of `size` bytes, for what only moves elements.
template <class F>
auto by_size(Int size, F&& f) {
  switch (size) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    default: return f(std::uint64_t{});
  }
}

using AddRows = void (*)(void*, const void*, Int);
AddRows adder(DType type) {
  return by_type(type, [](auto like) -> AddRows {
    return [](void* y, const void* x, Int n) {
      using T = decltype(like);
      T* out = static_cast<T*>(y);
      const T* in = static_cast<const T*>(x);
      for (Int i = 0; i < n; ++i) out[i] = Added::apply(out[i], in[i]);
    };
  });
}

/// dst may be any view: work on a dense copy and put it back.
template <class Change>
void change_dense(const Tensor& dst, Change&& change) {
  bytes_to_write(dst);
  if (dst.is_contiguous()) {
    change(dst);
    return;
  }
  const Tensor dense = copy(dst);
  change(dense);
  copy_into(dst, dense);
}

/// `index` has the rank of `x`, and does not exceed its sizes except along the axis.
void check_gather(const char* op, const Tensor& x, int axis, const Tensor& index, const char* what) {
  const auto fail = [&] {
    throw ShapeError(text(op, ": index ", index.shape(), " does not fit ", what, " ", x.shape(), " along axis ", axis,
                          "\n  help: give it as many axes, and no larger sizes on the other axes"));
  };
  if (index.dim() != x.dim()) fail();
  for (int i = 0; i < x.dim(); ++i)
    if (i != axis && index.shape()[i] > x.shape()[i]) fail();
}

/// A single number as one of one element.
Tensor as_line(const Tensor& x) { return x.dim() == 0 ? view_as(x, {1}, {1}) : x; }

/// Pairs of elements: of a tensor that is indexed along an axis, and of one that lies as the index does. Lines are the
/// places on the other axes. Two entries can name the same element only within one line, so that lines are what
/// threads share, and the order within a line is that of the index.
class Lines {
 public:
  Lines(const Tensor& indexed, const Tensor& beside, const Tensor& index, int axis)
      : along_(indexed.shape()[axis]),
        length_(index.shape()[axis]),
        steps_along_{indexed.strides()[axis], beside.strides()[axis], index.strides()[axis]},
        indexed_(bytes(indexed)),
        beside_(bytes(beside)),
        index_(reinterpret_cast<const Int*>(bytes(index))) {
    for (int i = 0; i < index.dim(); ++i) {
      if (i == axis) continue;
      sizes_.push_back(index.shape()[i]);
      steps_[rank_][0] = indexed.strides()[i];
      steps_[rank_][1] = beside.strides()[i];
      steps_[rank_++][2] = index.strides()[i];
    }
    if (rank_ == 0) {
      sizes_.push_back(1);
      steps_[rank_][0] = steps_[rank_][1] = steps_[rank_][2] = 0;
      ++rank_;
    }
  }

  /// Calls f(element of the indexed tensor, element beside) for every entry.
  template <class T, class F>
  void each(F f) const {
    const int inner = rank_ - 1;
    parallel_for(sizes_.product(), grain / (length_ + 1) + 1, [&](Int begin, Int end) {
      Int at[Dims::max_rank], offset[3] = {};
      Int rest = begin;
      for (int axis = inner; axis >= 0; --axis) {
        const Int next = rest / sizes_[axis];
        at[axis] = rest - next * sizes_[axis];
        rest = next;
        for (int k = 0; k < 3; ++k) offset[k] += at[axis] * steps_[axis][k];
      }
      while (begin < end) {
        const Int left = sizes_[inner] - at[inner], n = left < end - begin ? left : end - begin;
        run(n, reinterpret_cast<T*>(indexed_) + offset[0], reinterpret_cast<T*>(beside_) + offset[1],
            index_ + offset[2], f);
        begin += n;
        at[inner] += n;
        for (int k = 0; k < 3; ++k) offset[k] += n * steps_[inner][k];
        for (int axis = inner; axis > 0 && at[axis] == sizes_[axis]; --axis) {
          for (int k = 0; k < 3; ++k) offset[k] += steps_[axis - 1][k] - at[axis] * steps_[axis][k];
          at[axis] = 0;
          ++at[axis - 1];
        }
      }
    });
  }

 private:
  /// n neighbouring lines, in the order in which the index lies in memory.
  template <class T, class F>
  void run(Int n, T* x, T* y, const Int* v, F f) const {
    const Int* next = steps_[rank_ - 1];
    const auto entry = [&](Int i, Int j) {
      const Int place = v[i * steps_along_[2] + j * next[2]];
      f(x[(place < 0 ? place + along_ : place) * steps_along_[0] + j * next[0]], y[i * steps_along_[1] + j * next[1]]);
    };
    if (steps_along_[2] < next[2]) {
      for (Int j = 0; j < n; ++j)
        for (Int i = 0; i < length_; ++i) entry(i, j);
    } else {
      for (Int i = 0; i < length_; ++i)
        for (Int j = 0; j < n; ++j) entry(i, j);
    }
  }

  Int along_, length_;
  Int steps_along_[3];
  Int steps_[Dims::max_rank][3];
  Dims sizes_;
  int rank_ = 0;
  char* indexed_;
  char* beside_;
  const Int* index_;
};

/// out = x at the places of an index that is checked already.
void pick(const Tensor& x, int axis, const Tensor& index, const Tensor& out) {
  const Lines lines(x, out, index, axis);
  by_size(item_size(x.dtype()),
          [&](auto like) { lines.each<decltype(like)>([](const auto& from, auto& to) { to = from; }); });
}

/// The same places (K,), in each line of `shape` along the axis.
Tensor for_each_line(const Tensor& places, const Shape& shape, int axis) {
  Strides steps = Strides::filled(shape.size(), 0);
  steps[axis] = 1;
  return view_as(places, shape, steps);
}

/// Rows shorter than this are moved element by element.
constexpr Int short_row = 8;

/// Calls body(outer, first, n) for runs of n columns from `first`, so that each thread has columns of its own.
template <class Body>
void column_runs(const Around& a, Int count, Body&& body) {
  constexpr Int width = 64;
  const Int blocks = (a.behind + width - 1) / width;
  const Int work = count * (a.behind < width ? a.behind : width);
  parallel_for(a.before * blocks, grain / (work + 1) + 1, [&](Int begin, Int end) {
    while (begin < end) {
      const Int outer = begin / blocks, block = begin - outer * blocks;
      const Int n = blocks - block < end - begin ? blocks - block : end - begin;
      const Int first = block * width, last = (block + n) * width;
      body(outer, first, (last < a.behind ? last : a.behind) - first);
      begin += n;
    }
  });
}

}  // namespace

Tensor cat(std::span<const Tensor> parts, int axis) {
  if (parts.empty()) throw ShapeError("cat: there is nothing to join\n  help: give it at least one tensor");
  const Tensor& first = parts[0];
  const int k = normalize_axis("cat", axis, first.dim());
  if (first.dim() == 0) throw ShapeError("cat: a single number has no axis to join along\n  help: use stack");
  DType type = first.dtype();
  Shape shape = first.shape();
  shape[k] = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Shape& s = parts[i].shape();
    bool fits = s.size() == shape.size();
    for (int j = 0; fits && j < shape.size(); ++j) fits = j == k || s[j] == shape[j];
    if (!fits)
      throw ShapeError(text("cat: part ", i, " has shape ", s, ", part 0 ", first.shape(), ": they may differ at axis ",
                            k, " only"));
    shape[k] += s[k];
    type = promote(type, parts[i].dtype());
  }
  Tensor y = empty(shape, type);
  Int at = 0;
  for (const Tensor& part : parts) {
    copy_into(view_as(y, part.shape(), y.strides(), at * y.strides()[k]), part);
    at += part.shape()[k];
  }
  y.body().storage->version = 0;  // it is new
  return y;
}

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  const int k = normalize_axis("index_select", axis, x.dim());
  if (x.dim() == 0 || index.dim() != 1)
    throw ShapeError(
        text("index_select: x ", x.shape(), " and index ", index.shape(), ": the index has one axis, x at least one"));
  const Tensor places = checked_index("index_select", index);
  const Around a = around(x.shape(), k);
  const Int* v = checked_values("index_select", places, a.along);
  const Int count = index.shape()[0], size = item_size(x.dtype()), row = a.behind * size;
  Shape shape = x.shape();
  shape[k] = count;
  Tensor y = empty(shape, x.dtype());
  if (y.numel() == 0) return y;
  if (!x.is_contiguous() || a.behind == 1) {
    pick(x, k, for_each_line(places, shape, k), y);
    return y;
  }
  const char* from = bytes(x);
  char* to = bytes(y);
  parallel_for(a.before * count, 2 * grain / a.behind + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int o = i / count, j = v[i - o * count];
      std::memcpy(to + i * row, from + (o * a.along + (j < 0 ? j + a.along : j)) * row, static_cast<std::size_t>(row));
    }
  });
  return y;
}

namespace {

/// The index of a change to rows, checked, where `src` has as many rows.
Tensor checked_rows(const char* op, const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  Shape wanted = dst.shape();
  if (dst.dim() > 0 && index.dim() == 1) wanted[axis] = index.shape()[0];
  if (dst.dim() == 0 || index.dim() != 1 || !(src.shape() == wanted))
    throw ShapeError(text(op, ": source ", src.shape(), " and index ", index.shape(), " do not fit ", dst.shape(),
                          " along axis ", axis));
  const Tensor places = checked_index(op, index);
  checked_values(op, places, dst.shape()[axis]);
  return places;
}

}  // namespace

void index_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis("index_add", axis, dst.dim());
  const Tensor places = checked_rows("index_add", dst, k, index, src), from = contiguous(cast(src, dst.dtype()));
  const Around a = around(dst.shape(), k);
  const Int* v = reinterpret_cast<const Int*>(bytes(places));
  const Int count = index.shape()[0], size = item_size(dst.dtype());
  if (a.behind < short_row) {
    bytes_to_write(dst);
    const Lines lines(dst, from, for_each_line(places, from.shape(), k), k);
    if (from.numel() != 0)
      by_type(dst.dtype(), [&](auto like) {
        lines.each<decltype(like)>([](auto& to, const auto& value) { to = Added::apply(to, value); });
      });
    return;
  }
  const AddRows scalar_add = adder(dst.dtype());
  const bool floats = dst.dtype() == DType::float32 || dst.dtype() == DType::float64;
  const auto axpy = floats ? table().axpy[slot(compute_of(dst.dtype()))] : nullptr;
  change_dense(dst, [&](const Tensor& y) {
    // Rows may repeat: their order fixes that of the additions, whatever the number of threads.
    column_runs(a, count, [&](Int o, Int first, Int n) {
      for (Int i = 0; i < count; ++i) {
        const Int j = v[i] < 0 ? v[i] + a.along : v[i];
        char* to = bytes(y) + ((o * a.along + j) * a.behind + first) * size;
        const char* add = bytes(from) + ((o * count + i) * a.behind + first) * size;
        if (axpy && n >= 8)
          axpy(to, add, n, 1.0);
        else
          scalar_add(to, add, n);
      }
    });
  });
}

void index_copy(const char* op, const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis(op, axis, dst.dim());
  const Tensor places = checked_rows(op, dst, k, index, src), from = contiguous(cast(src, dst.dtype()));
  const Around a = around(dst.shape(), k);
  const Int* v = reinterpret_cast<const Int*>(bytes(places));
  const Int count = index.shape()[0], size = item_size(dst.dtype());
  if (a.behind < short_row) {
    bytes_to_write(dst);
    const Lines lines(dst, from, for_each_line(places, from.shape(), k), k);
    if (from.numel() != 0)
      by_size(size, [&](auto like) { lines.each<decltype(like)>([](auto& to, const auto& value) { to = value; }); });
    return;
  }
  change_dense(dst, [&](const Tensor& y) {
    column_runs(a, count, [&](Int o, Int first, Int n) {
      for (Int i = 0; i < count; ++i) {
        const Int j = v[i] < 0 ? v[i] + a.along : v[i];
        char* to = bytes(y) + ((o * a.along + j) * a.behind + first) * size;
        const char* row = bytes(from) + ((o * count + i) * a.behind + first) * size;
        std::memcpy(to, row, static_cast<std::size_t>(n * size));
      }
    });
  });
}

Tensor flat_places(const char* op, std::span<const Tensor> indices, const Shape& sizes) {
  Shape shape;
  for (const Tensor& index : indices) shape = broadcast(op, shape, index.shape());
  Tensor y = empty(shape, DType::int64);
  Int* out = reinterpret_cast<Int*>(bytes(y));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Int size = sizes[static_cast<int>(i)];
    const Tensor places = checked_index(op, indices[i]);
    checked_values(op, places, size);
    Tensor wide = places;
    if (!(places.shape() == shape)) copy_into(wide = empty(shape, DType::int64), places);
    const Int* v = reinterpret_cast<const Int*>(bytes(wide));
    for (Int n = 0; n < y.numel(); ++n) out[n] = (i ? out[n] * size : 0) + (v[n] < 0 ? v[n] + size : v[n]);
  }
  return y;
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  const int k = normalize_axis("gather", axis, x.dim());
  check_gather("gather", x, k, index, "x");
  const Tensor places = checked_index("gather", index), line = as_line(x);
  checked_values("gather", places, line.shape()[k]);
  Tensor y = empty(index.shape(), x.dtype());
  if (y.numel() != 0) pick(line, k, as_line(places), as_line(y));
  return y;
}

void scatter(const char* op, const Tensor& dst, int axis, const Tensor& index, const Tensor& src, Scatter how) {
  const int k = normalize_axis(op, axis, dst.dim());
  check_gather(op, dst, k, index, "the destination");
  check_gather(op, src, -1, index, "the source");
  const Tensor places = checked_index(op, index), from = as_line(cast(src, dst.dtype())), line = as_line(dst);
  checked_values(op, places, line.shape()[k]);
  bytes_to_write(dst);
  if (places.numel() == 0) return;
  const Lines lines(line, from, as_line(places), k);
  const auto run = [&](auto like, auto rule) {
    lines.each<decltype(like)>([rule](auto& to, const auto& value) { to = rule.apply(to, value); });
  };
  const DType type = dst.dtype();
  switch (how) {
    case Scatter::assign: by_size(item_size(type), [&](auto like) { run(like, Assigned{}); }); break;
    case Scatter::add: by_type(type, [&](auto like) { run(like, Added{}); }); break;
    case Scatter::mul: by_type(type, [&](auto like) { run(like, Multiplied{}); }); break;
    case Scatter::max: by_type(type, [&](auto like) { run(like, Extreme<true>{}); }); break;
    case Scatter::min: by_type(type, [&](auto like) { run(like, Extreme<false>{}); }); break;
  }
}

void scatter_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  scatter("scatter_add", dst, axis, index, src, Scatter::add);
}

Tensor nonzero_flat(const Tensor& mask) {
  const Tensor dense = contiguous(cast(mask, DType::boolean));
  const std::uint8_t* m = reinterpret_cast<const std::uint8_t*>(bytes(dense));
  const Int n = dense.numel();
  Int count = 0;
  for (Int i = 0; i < n; ++i) count += m[i];
  Tensor y = empty({count}, DType::int64);
  Int* to = reinterpret_cast<Int*>(bytes(y));
  for (Int i = 0, at = 0; at < count; ++i) {  // without a branch that depends on the numbers
    to[at] = i;
    at += m[i];
  }
  return y;
}

}  // namespace weft::kernels
