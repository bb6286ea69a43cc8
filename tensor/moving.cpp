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

/// Adds n numbers of type T: in float32 for bfloat16.
template <class T>
void add_rows(void* y, const void* x, Int n) {
  T* out = static_cast<T*>(y);
  const T* in = static_cast<const T*>(x);
  for (Int i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<T, BFloat16>)
      out[i] = BFloat16(static_cast<float>(out[i]) + static_cast<float>(in[i]));
    else if constexpr (std::is_same_v<T, bool>)
      out[i] = out[i] || in[i];
    else if constexpr (std::is_same_v<T, Int>)
      out[i] = static_cast<Int>(static_cast<std::uint64_t>(out[i]) + static_cast<std::uint64_t>(in[i]));
    else if constexpr (std::is_integral_v<T>)
      out[i] = static_cast<T>(static_cast<Int>(out[i]) + static_cast<Int>(in[i]));
    else
      out[i] += in[i];
  }
}
using AddRows = void (*)(void*, const void*, Int);
AddRows adder(DType type) {
  switch (type) {
    case DType::boolean: return add_rows<bool>;
    case DType::uint8: return add_rows<std::uint8_t>;
    case DType::int8: return add_rows<std::int8_t>;
    case DType::int32: return add_rows<std::int32_t>;
    case DType::int64: return add_rows<Int>;
    case DType::bfloat16: return add_rows<BFloat16>;
    case DType::float32: return add_rows<float>;
    case DType::float64: return add_rows<double>;
  }
  return add_rows<float>;
}

void copy_item(char* to, const char* from, Int size) {
  switch (size) {
    case 1: std::memcpy(to, from, 1); break;
    case 2: std::memcpy(to, from, 2); break;
    case 4: std::memcpy(to, from, 4); break;
    default: std::memcpy(to, from, 8); break;
  }
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

/// index and src have x's rank, and do not exceed x's sizes except along the axis.
void check_gather(const char* op, const Tensor& x, int axis, const Tensor& index, const char* what) {
  const auto fail = [&] {
    throw ShapeError(text(op, ": index ", index.shape(), " does not fit ", what, " ", x.shape(), " along axis ", axis,
                          "\n  help: give it as many axes, and no larger sizes on the other axes"));
  };
  if (index.dim() != x.dim()) fail();
  for (int i = 0; i < x.dim(); ++i)
    if (i != axis && index.shape()[i] > x.shape()[i]) fail();
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
  const Tensor dense = contiguous(x), places = checked_index("index_select", index);
  const Around a = around(x.shape(), k);
  const Int* v = checked_values("index_select", places, a.along);
  const Int count = index.shape()[0], size = item_size(x.dtype()), row = a.behind * size;
  Shape shape = x.shape();
  shape[k] = count;
  Tensor y = empty(shape, x.dtype());
  const char* from = bytes(dense);
  char* to = bytes(y);
  if (y.numel() == 0) return y;
  parallel_for(a.before * count, 2 * grain / a.behind + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int o = i / count, j = v[i - o * count];
      const char* source = from + (o * a.along + (j < 0 ? j + a.along : j)) * row;
      if (a.behind == 1)
        copy_item(to + i * row, source, size);
      else
        std::memcpy(to + i * row, source, static_cast<std::size_t>(row));
    }
  });
  return y;
}

void index_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis("index_add", axis, dst.dim());
  Shape wanted = dst.shape();
  if (dst.dim() > 0 && index.dim() == 1) wanted[k] = index.shape()[0];
  if (dst.dim() == 0 || index.dim() != 1 || !(src.shape() == wanted))
    throw ShapeError(text("index_add: source ", src.shape(), " and index ", index.shape(), " do not fit ", dst.shape(),
                          " along axis ", axis));
  const Tensor places = checked_index("index_add", index), from = contiguous(cast(src, dst.dtype()));
  const Around a = around(dst.shape(), k);
  const Int* v = checked_values("index_add", places, a.along);
  const Int count = index.shape()[0], row = a.behind * item_size(dst.dtype());
  const AddRows scalar_add = adder(dst.dtype());
  const bool floats = dst.dtype() == DType::float32 || dst.dtype() == DType::float64;
  const auto axpy = floats ? table().axpy[slot(compute_of(dst.dtype()))] : nullptr;
  change_dense(dst, [&](const Tensor& y) {
    // Serial along the index (rows may repeat), which also fixes the order of the additions.
    parallel_for(a.before, grain / (count * a.behind + 1) + 1, [&](Int begin, Int end) {
      for (Int o = begin; o < end; ++o)
        for (Int i = 0; i < count; ++i) {
          const Int j = v[i] < 0 ? v[i] + a.along : v[i];
          char* to = bytes(y) + (o * a.along + j) * row;
          const char* add = bytes(from) + (o * count + i) * row;
          if (axpy && a.behind >= 8)
            axpy(to, add, a.behind, 1.0);
          else
            scalar_add(to, add, a.behind);
        }
    });
  });
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  const int k = normalize_axis("gather", axis, x.dim());
  check_gather("gather", x, k, index, "x");
  const Tensor places = checked_index("gather", index);
  Tensor y = empty(index.shape(), x.dtype());
  if (y.numel() == 0) return y;
  const Int along = x.dim() == 0 ? 1 : x.shape()[k];
  const Int* v = checked_values("gather", places, along);
  const Int size = item_size(x.dtype());
  const TensorBody& b = x.body();
  parallel_for(y.numel(), grain, [&](Int begin, Int end) {
    const int rank = b.shape.size();
    Int at[Dims::max_rank];
    Int rest = begin;
    for (int i = rank - 1; i >= 0; --i) {
      const Int next = rest / index.shape()[i];
      at[i] = rest - next * index.shape()[i];
      rest = next;
    }
    for (Int n = begin; n < end; ++n) {
      Int place = 0;
      for (int i = 0; i < rank; ++i) place += (i == k ? (v[n] < 0 ? v[n] + along : v[n]) : at[i]) * b.strides[i];
      copy_item(bytes(y) + n * size, static_cast<const char*>(b.data) + place * size, size);
      for (int i = rank - 1; i >= 0; --i) {
        if (++at[i] < index.shape()[i]) break;
        at[i] = 0;
      }
    }
  });
  return y;
}

void scatter_add(const Tensor& dst, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis("scatter_add", axis, dst.dim());
  check_gather("scatter_add", dst, k, index, "the destination");
  check_gather("scatter_add", src, -1, index, "the source");
  const Tensor places = checked_index("scatter_add", index), from = contiguous(cast(src, dst.dtype()));
  const Int along = dst.dim() == 0 ? 1 : dst.shape()[k];
  const Int* v = checked_values("scatter_add", places, along);
  const Int size = item_size(dst.dtype());
  const AddRows add = adder(dst.dtype());
  bytes_to_write(dst);
  TensorBody& d = dst.body();
  const int rank = d.shape.size();
  Int at[Dims::max_rank] = {};
  for (Int n = 0; n < index.numel(); ++n) {
    Int to = 0, source = 0;
    for (int i = 0; i < rank; ++i) {
      to += (i == k ? (v[n] < 0 ? v[n] + along : v[n]) : at[i]) * d.strides[i];
      source += at[i] * from.strides()[i];
    }
    add(static_cast<char*>(d.data) + to * size, bytes(from) + source * size, 1);
    for (int i = rank - 1; i >= 0; --i) {
      if (++at[i] < index.shape()[i]) break;
      at[i] = 0;
    }
  }
}

Tensor nonzero_flat(const Tensor& mask) {
  const Tensor dense = contiguous(cast(mask, DType::boolean));
  const std::uint8_t* m = reinterpret_cast<const std::uint8_t*>(bytes(dense));
  const Int n = dense.numel();
  Int count = 0;
  for (Int i = 0; i < n; ++i) count += m[i];
  Tensor y = empty({count}, DType::int64);
  Int* to = reinterpret_cast<Int*>(bytes(y));
  for (Int i = 0; i < n; ++i)
    if (m[i]) *to++ = i;
  return y;
}

}  // namespace weft::kernels
