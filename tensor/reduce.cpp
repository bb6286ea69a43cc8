#include <limits>

#include <weft/tensor/dispatch.h>

/// Reductions. They are done in passes over axes in the order of memory, each pass in parts that
/// depend on the shape alone, so that the result does not depend on the number of threads.
namespace weft::kernels {
namespace {

const char* name_of(Reduce op) {
  constexpr const char* names[reduce_count] = {"sum", "mean", "prod", "max", "min", "any", "all", "sum_of_squares"};
  return names[static_cast<int>(op)];
}

DType result_type(Reduce op, DType x) {
  switch (op) {
    case Reduce::any:
    case Reduce::all: return DType::boolean;
    case Reduce::max:
    case Reduce::min: return x;
    case Reduce::mean: return is_floating(x) ? x : DType::float32;
    default: return is_floating(x) ? x : DType::int64;
  }
}

/// What is left to reduce: axes from the outermost in memory to the innermost, neighbours of one kind merged.
struct Work {
  Tensor owner;  // keeps the data alive
  const char* data = nullptr;
  Compute compute = Compute::f32;
  int rank = 0;
  Int size[Dims::max_rank + 1] = {};
  Int stride[Dims::max_rank + 1] = {};  // in elements
  bool reduced[Dims::max_rank + 1] = {};

  void push(Int n, Int step, bool reduce) {
    if (n == 1) return;
    if (rank > 0 && reduced[rank - 1] == reduce && stride[rank - 1] == step * n) {
      size[rank - 1] *= n;
      stride[rank - 1] = step;
      return;
    }
    size[rank] = n;
    stride[rank] = step;
    reduced[rank++] = reduce;
  }
  bool done() const {
    for (int i = 0; i < rank; ++i)
      if (reduced[i]) return false;
    return true;
  }
};

constexpr Int part_length = 32768;  // elements that one call of a kernel reduces

/// One pass: reduces the innermost reduced axis. The result is dense and wide (float64 or int64).
Work pass(Reduce op, const Work& w) {
  const int i = static_cast<int>(op);
  const KernelTable& t = table();
  const bool by_rows = w.rank > 0 && w.reduced[w.rank - 1];
  // The axis to reduce. Columns may lie in front of other columns that memory keeps apart (a slice):
  // then (-1) every element stands alone, and the dense result is reduced by the next pass.
  const int inner = by_rows ? w.rank - 1 : w.rank >= 2 && w.reduced[w.rank - 2] ? w.rank - 2 : -1;
  const Int length = inner >= 0 ? w.size[inner] : 1;
  const Int columns = by_rows || w.rank == 0 ? 1 : w.size[w.rank - 1];
  const int outer_rank = inner >= 0 ? inner : w.rank > 0 ? w.rank - 1 : 0;
  Int outer = 1;
  for (int axis = 0; axis < outer_rank; ++axis) outer *= w.size[axis];

  // A long axis is cut into parts (multiples of 2048, the length of a kernel's own runs).
  Int part = length;
  if (length * columns > 2 * part_length) {
    part = part_length / columns;
    part = part < 64 ? 64 : by_rows ? (part + 2047) / 2048 * 2048 : part;
    if (part > length) part = length;
  }
  const Int parts = (length + part - 1) / part;
  // Few parts but many columns: cut the columns too.
  const Int strip = columns > 2 * part_length && parts * outer < 8 ? part_length : columns;
  const Int strips = (columns + strip - 1) / strip;

  const DType wide = w.compute == Compute::i64 ? DType::int64 : DType::float64;
  Work result;
  result.owner = empty({outer * parts * columns}, wide);
  result.data = bytes(result.owner);
  result.compute = compute_of(wide);
  for (int axis = 0; axis < outer_rank; ++axis) {
    Int step = parts * columns;
    for (int k = axis + 1; k < outer_rank; ++k) step *= w.size[k];
    result.push(w.size[axis], step, w.reduced[axis]);
  }
  result.push(parts, columns, true);
  result.push(columns, 1, false);

  const Int item = item_size(dtype_of_compute(w.compute));
  const auto row = t.reduce_rows[i][slot(w.compute)];
  if (by_rows && parts == 1 && outer_rank == 1) {  // evenly spaced rows: many in one call
    const Int rows = w.size[0], ld = w.stride[0];
    parallel_for(rows, 2 * grain / length + 1, [&](Int begin, Int end) {
      row(bytes(result.owner) + begin * 8, w.data + begin * ld * item, end - begin, length, ld);
    });
    return result;
  }
  const Int cost = (length < part ? length : part) * (columns < strip ? columns : strip);
  const auto column = t.reduce_columns[i][slot(w.compute)];
  char* to = bytes(result.owner);
  parallel_for(outer * parts * strips, 2 * grain / (cost > 0 ? cost : 1) + 1, [&](Int begin, Int end) {
    for (Int k = begin; k < end; ++k) {
      const Int s = k % strips, p = k / strips % parts, o = k / strips / parts;
      const char* from = w.data;
      Int rest = o;
      for (int axis = outer_rank - 1; axis >= 0; --axis) {
        const Int next = rest / w.size[axis];
        from += (rest - next * w.size[axis]) * w.stride[axis] * item;
        rest = next;
      }
      const Int first = p * part, n = length - first < part ? length - first : part;
      char* y = to + ((o * parts + p) * columns + s * strip) * 8;
      if (by_rows) {
        row(y, from + first * item, 1, n, n);
      } else {
        const Int ld = inner >= 0 ? w.stride[inner] : columns;
        const Int width = columns - s * strip < strip ? columns - s * strip : strip;
        column(y, from + (first * ld + s * strip) * item, n, width, ld);
      }
    }
  });
  return result;
}

/// Puts x's axes in the order of memory. `order` receives it.
Work layout(const Tensor& x, const bool* reduced, int* order) {
  const TensorBody& b = x.body();
  Work w;
  w.owner = x;
  w.data = static_cast<const char*>(b.data);
  w.compute = compute_of(b.dtype);
  const int rank = b.shape.size();
  for (int i = 0; i < rank; ++i) {
    int j = i;
    for (; j > 0 && b.strides[order[j - 1]] < b.strides[i] && b.shape[i] != 1; --j) order[j] = order[j - 1];
    order[j] = i;
  }
  for (int i = 0; i < rank; ++i) w.push(b.shape[order[i]], b.strides[order[i]], reduced[order[i]]);
  return w;
}

/// Kernels read along memory: the innermost axis must lie dense, and no axis may be repeated or reversed.
bool readable(const Work& w) {
  for (int i = 0; i < w.rank; ++i)
    if (w.stride[i] <= 0) return false;
  return w.rank == 0 || w.stride[w.rank - 1] == 1;
}

Tensor number(DType type, const Shape& shape, double value) { return full(shape, value, type); }

constexpr Int small_limit = 8192;

/// The usual small cases (everything, the last axes, the first axes) without the passes above, which
/// cost more than the sums themselves. Undefined when it is not one of them.
Tensor reduce_small(Reduce op, const Tensor& x, const bool* reduced, const Shape& shape, DType type, Int count) {
  constexpr Int most = 1024;
  const int rank = x.dim();
  int changes = 0;
  for (int i = 1; i < rank; ++i) changes += reduced[i] != reduced[i - 1];
  const Int results = x.numel() / count;
  if (changes > 1 || results > most) return Tensor();
  const Compute c = compute_of(x.dtype());
  const int o = static_cast<int>(op);
  alignas(64) double wide[most];  // or int64, which has the same size
  if (changes == 0 || !reduced[0])
    table().reduce_rows[o][slot(c)](wide, bytes(x), results, count, count);
  else
    table().reduce_columns[o][slot(c)](wide, bytes(x), count, results, results);
  DType made = c == Compute::i64 ? DType::int64 : DType::float64;
  if (op == Reduce::mean) {
    for (Int i = 0; i < results; ++i) {
      if (c == Compute::i64) {
        Int whole;
        std::memcpy(&whole, wide + i, sizeof whole);
        wide[i] = static_cast<double>(whole) / static_cast<double>(count);
      } else {
        wide[i] /= static_cast<double>(count);
      }
    }
    made = DType::float64;
  }
  Tensor y = empty(shape, type);
  table().convert[static_cast<int>(type)][static_cast<int>(made)](bytes(y), 1, wide, 1, results);
  return y;
}

}  // namespace

Tensor reduce(Reduce op, const Tensor& x, std::span<const int> axes, bool keep) {
  const char* name = name_of(op);
  const int rank = x.dim();
  bool reduced[Dims::max_rank] = {};
  for (const int axis : axes) {
    const int k = normalize_axis(name, axis, rank);
    if (rank == 0) continue;
    if (reduced[k]) throw ShapeError(text(name, ": axis ", axis, " is given twice for shape ", x.shape()));
    reduced[k] = true;
  }
  if (axes.empty())
    for (int i = 0; i < rank; ++i) reduced[i] = true;
  Shape kept, shape;
  Int count = 1;
  for (int i = 0; i < rank; ++i) {
    if (reduced[i]) {
      count *= x.shape()[i];
      if (keep) shape.push_back(1);
    } else {
      kept.push_back(x.shape()[i]);
      shape.push_back(x.shape()[i]);
    }
  }
  const DType type = result_type(op, x.dtype());
  if (x.numel() == 0) {
    if (count == 0 && (op == Reduce::max || op == Reduce::min) && shape.product() != 0)
      throw ShapeError(text(name, ": nothing to choose from in shape ", x.shape(),
                            "\n  help: give it at least one element, or choose an axis of non-zero size"));
    return number(type, shape,
                  op == Reduce::mean                        ? std::numeric_limits<double>::quiet_NaN()
                  : op == Reduce::prod || op == Reduce::all ? 1
                                                            : 0);
  }

  if (x.is_contiguous() && x.dtype() == native(x.dtype()) && x.numel() <= small_limit) {
    Tensor y = reduce_small(op, x, reduced, shape, type, count);
    if (y.defined()) return y;
  }

  Tensor dense = cast(x, native(x.dtype()));
  int order[Dims::max_rank];
  Work w = layout(dense, reduced, order);
  if (!readable(w)) {
    dense = copy(dense);
    w = layout(dense, reduced, order);
  }
  w = pass(op, w);
  const Reduce again = op == Reduce::sum_of_squares || op == Reduce::mean ? Reduce::sum : op;
  while (!w.done()) w = pass(again, w);

  // The wide results are in the order of memory of the kept axes; bring them into row-major order and type.
  if (op == Reduce::mean) {
    const double n = static_cast<double>(count);
    if (w.compute == Compute::f64) {
      double* v = reinterpret_cast<double*>(bytes(w.owner));
      for (Int i = 0; i < w.owner.numel(); ++i) v[i] /= n;
    } else {
      const Tensor real = cast(w.owner, DType::float64);
      double* v = reinterpret_cast<double*>(bytes(real));
      for (Int i = 0; i < real.numel(); ++i) v[i] /= n;
      w.owner = real;
    }
  }
  Strides strides = Strides::filled(kept.size(), 0);
  Int step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (reduced[order[i]]) continue;
    int place = 0;
    for (int k = 0; k < order[i]; ++k) place += !reduced[k];
    strides[place] = step;
    step *= kept[place];
  }
  Tensor y = empty(kept, type);
  copy_into(y, view_as(w.owner, kept, strides));
  return keep ? view_as(y, shape, row_major(shape)) : y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.dim() - shape.size();
  int axes[Dims::max_rank];
  std::size_t count = 0;
  bool fits = extra >= 0;
  for (int i = 0; fits && i < x.dim(); ++i) {
    const Int n = x.shape()[i], wanted = i < extra ? 1 : shape[i - extra];
    if (i < extra || (wanted == 1 && n != 1))
      axes[count++] = i;
    else
      fits = n == wanted;
  }
  if (!fits) throw ShapeError(text("sum_to: shape ", x.shape(), " cannot be summed down to ", shape));
  const Tensor y = count ? reduce(Reduce::sum, x, std::span<const int>(axes, count), true) : x;
  return cast(view_as(contiguous(y), shape, row_major(shape)), x.dtype());
}

namespace {

Tensor arg(const char* name, int which, const Tensor& x, int axis, bool keep) {
  const int k = normalize_axis(name, axis, x.dim());
  const Around a = around(x.shape(), x.dim() == 0 ? 1 : k);
  Shape shape = x.shape();
  if (x.dim() > 0) {
    if (keep)
      shape[k] = 1;
    else
      shape.erase(k);
  }
  const Int n = x.dim() == 0 ? 1 : a.along;
  Tensor y = empty(shape, DType::int64);
  if (y.numel() == 0) return y;
  if (n == 0)
    throw ShapeError(text(name, ": nothing to choose from along axis ", axis, " of shape ", x.shape(),
                          "\n  help: choose an axis of non-zero size"));
  const Tensor dense = contiguous(cast(x, native(x.dtype())));
  const Compute c = compute_of(dense.dtype());
  const Int item = item_size(dense.dtype());
  const auto kernel = table().arg_columns[which][slot(c)];
  const Int before = x.dim() == 0 ? 1 : a.before, columns = x.dim() == 0 ? 1 : a.behind;
  constexpr Int strip = 256;
  const Int strips = (columns + strip - 1) / strip;
  const char* from = bytes(dense);
  Int* to = reinterpret_cast<Int*>(bytes(y));
  parallel_for(before * strips, grain / (n * (columns < strip ? columns : strip)) + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int o = i / strips, first = i % strips * strip;
      kernel(to + o * columns + first, from + (o * n * columns + first) * item, n,
             columns - first < strip ? columns - first : strip, columns);
    }
  });
  return y;
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keep) { return arg("argmax", 0, x, axis, keep); }
Tensor argmin(const Tensor& x, int axis, bool keep) { return arg("argmin", 1, x, axis, keep); }

}  // namespace weft::kernels
