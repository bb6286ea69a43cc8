#include <weft/tensor/allocator.h>
#include <weft/tensor/dispatch.h>
#include <weft/tensor/precision.h>

#ifdef WEFT_ONEDNN
#include <weft/tensor/onednn/onednn.h>
#endif

/// Products of matrices.
namespace weft::kernels {
namespace {

/// A matrix as it lies in memory.
struct View {
  const char* data = nullptr;
  Int row = 0, column = 1;  // strides in elements
};

/// c = a b (+ bias), c dense in its rows.
struct Product {
  char* c;
  Int ld_c;
  View a, b;
  Int m, n, k;
  const char* bias;
  Compute compute;
  bool bfloat16 = false;  // the factors (float32) are rounded
  Int item() const { return compute == Compute::f64 ? 8 : 4; }
};

/// What lies below this many multiplications is not worth another thread (or the call of a library).
constexpr Int smallest_for_threads = 80 * 80 * 80;

/// Up to here no blocking for the caches is needed (measured).
constexpr Int small_work = 128 * 128 * 128;

void run_block(const Product& p, Int row, Int rows, Int column, Int columns) {
  const Int item = p.item();
  // The way is chosen by the whole product, so that a block's numbers do not depend on the partition.
  const bool small = p.k <= gemm_small_depth && p.m * p.n * p.k <= small_work;
  const std::size_t bytes = static_cast<std::size_t>(gemm_scratch * item);
  void* scratch = small ? nullptr : allocate_memory(bytes);
  table().gemm[slot(p.compute)](p.c + (row * p.ld_c + column) * item, p.ld_c, p.a.data + row * p.a.row * item, p.a.row,
                                p.a.column, p.b.data + column * p.b.column * item, p.b.row, p.b.column, rows, columns,
                                p.k, p.bias ? p.bias + column * item : nullptr, scratch);
  if (scratch) deallocate_memory(scratch, bytes);
}

#ifdef WEFT_ONEDNN
onednn::Matmul library_product(const Product& p) {
  const auto numbers = [](const char* data) { return reinterpret_cast<const float*>(data); };
  return {reinterpret_cast<float*>(p.c),
          p.ld_c,
          numbers(p.a.data),
          p.a.row,
          p.a.column,
          numbers(p.b.data),
          p.b.row,
          p.b.column,
          p.m,
          p.n,
          p.k,
          numbers(p.bias)};
}
#endif

/// A matrix rounded to bfloat16, its rows or columns dense as they were.
class Rounded {
 public:
  Rounded(const View& x, Int rows, Int columns) : bytes_(static_cast<std::size_t>(rows * columns) * sizeof(float)) {
    data_ = static_cast<float*>(allocate_memory(bytes_));
    const bool by_rows = x.column == 1;
    const Int lines = by_rows ? rows : columns, length = by_rows ? columns : rows, step = by_rows ? x.row : x.column;
    const auto* from = reinterpret_cast<const float*>(x.data);
    for (Int i = 0; i < lines; ++i)
      for (Int j = 0; j < length; ++j) data_[i * length + j] = static_cast<float>(BFloat16(from[i * step + j]));
    view_ = {reinterpret_cast<const char*>(data_), by_rows ? length : 1, by_rows ? 1 : length};
  }
  Rounded(const Rounded&) = delete;
  ~Rounded() { deallocate_memory(data_, bytes_); }
  const View& view() const { return view_; }

 private:
  std::size_t bytes_;
  float* data_;
  View view_;
};

/// run(p) for a product with rounded factors, which then are multiplied by `run` as any others.
template <class Run>
void run_rounded(const Product& p, Run&& run) {
#ifdef WEFT_ONEDNN
  if (p.m * p.n * p.k >= smallest_for_threads && uses_onednn() && !is_deterministic() &&
      onednn::product_bfloat16(library_product(p)))
    return;
#endif
  const Rounded a(p.a, p.m, p.k), b(p.b, p.k, p.n);
  Product full = p;
  full.a = a.view();
  full.b = b.view();
  full.bfloat16 = false;
  run(full);
}

/// The product on this thread alone.
void run_single(const Product& p) {
  if (p.bfloat16) [[unlikely]]
    return run_rounded(p, run_single);
#ifdef WEFT_ONEDNN
  if (p.compute == Compute::f32 && uses_onednn() && !is_deterministic() && onednn::product(library_product(p))) return;
#endif
  run_block(p, 0, p.m, 0, p.n);
}

/// A few rows times a transposed matrix, as when a layer is applied to a single case: the time goes into reading the
/// matrix once, so that threads pay earlier, and nothing that prepares it does.
bool reads_once(const Product& p) { return p.m <= 4 && p.a.column == 1 && p.b.row == 1; }

/// The product on all threads, unless it is small.
void run(const Product& p) {
  if (p.bfloat16) [[unlikely]]
    return run_rounded(p, run);
  const bool once = reads_once(p);
  if (p.m * p.n * p.k < (once ? smallest_for_threads / 4 : smallest_for_threads)) {
    run_block(p, 0, p.m, 0, p.n);
    return;
  }
#ifdef WEFT_ONEDNN
  if (!once && p.compute == Compute::f32 && uses_onednn() && !is_deterministic() && onednn::product(library_product(p)))
    return;
#endif
  // Blocks of the result: one per thread along the longer side, or, where results must not depend on
  // the number of threads, of a size that follows from the shape (each block packs the other operand anew).
  const bool by_rows = p.m >= p.n;
  const Int length = by_rows ? p.m : p.n;
  constexpr Int fixed_part = 128;
  Int part = (length + num_threads() - 1) / num_threads();
  part = is_deterministic() ? fixed_part : (part + 15) / 16 * 16;
  const Int parts = (length + part - 1) / part;
  parallel_for(parts, 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int first = i * part, size = length - first < part ? length - first : part;
      if (by_rows)
        run_block(p, first, size, 0, p.n);
      else
        run_block(p, 0, p.m, first, size);
    }
  });
}

/// A matrix of a batch whose rows or columns are dense and do not overlap can be multiplied as it lies.
bool usable(Int rows, Int columns, Int row, Int column) {
  const bool by_rows = (column == 1 || columns == 1) && (row >= columns || rows == 1);
  const bool by_columns = (row == 1 || rows == 1) && (column >= rows || columns == 1);
  return by_rows || by_columns;
}
/// Axes of size 1 may have any stride: gives them one that kernels take.
View tidy(const char* data, Int rows, Int columns, Int row, Int column) {
  if ((column == 1 || columns == 1) && (row >= columns || rows == 1)) return {data, rows == 1 ? columns : row, 1};
  return {data, 1, columns == 1 ? rows : column};
}

/// The last two axes of x, made usable (by a copy of x if need be).
struct Operand {
  Tensor x;
  Int rows, columns, row, column;
};
Operand operand(const Tensor& x) {
  const int r = x.dim();
  Operand o{x, x.shape()[r - 2], x.shape()[r - 1], x.strides()[r - 2], x.strides()[r - 1]};
  if (!usable(o.rows, o.columns, o.row, o.column)) {
    o.x = copy(x);
    o.row = o.columns;
    o.column = 1;
  }
  return o;
}

/// x (..., rows, columns) as one matrix of all rows: its stride between rows, or -1 when memory does not allow it.
Int joined_row_stride(const Tensor& x) {
  const int r = x.dim();
  Int stride = 0, expected = -1;
  for (int axis = r - 2; axis >= 0; --axis) {
    if (x.shape()[axis] == 1) continue;
    if (expected < 0)
      stride = x.strides()[axis];
    else if (x.strides()[axis] != expected)
      return -1;
    expected = x.strides()[axis] * x.shape()[axis];
  }
  return expected < 0 ? x.shape()[r - 1] : stride;
}

/// Whether the factors of a product computed in that type are rounded to bfloat16.
bool rounds(DType type) noexcept { return type == DType::float32 && product_precision() == Precision::bfloat16; }

/// y (rows, n) = x (..., k) b (+ bias), where all leading axes of x are rows.
Tensor multiply_rows(const Tensor& x, const View& b, Int n, const Tensor& bias, DType type) {
  Tensor in = x;
  const int last = x.dim() - 1;
  const Int k = x.shape()[last];
  Int rows = 1;
  Shape shape = x.shape();
  for (int i = 0; i < last; ++i) rows *= shape[i];
  shape[last] = n;
  Tensor y = empty(shape, type);
  if (y.numel() == 0) return y;
  Int row = joined_row_stride(in);
  if (row < 0 || !usable(rows, k, row, in.strides()[last])) {
    in = copy(in);
    row = k;
  }
  Product p{bytes(y),
            n,
            tidy(bytes(in), rows, k, row, in.strides()[last]),
            b,
            rows,
            n,
            k,
            bias.defined() ? bytes(bias) : nullptr,
            compute_of(type),
            rounds(type)};
  run(p);
  return y;
}

/// Matrices are multiplied in float32 or float64; integers in float64 (exact up to 2^53).
DType product_type(DType type) {
  return type == DType::float64 || !is_floating(type) ? DType::float64 : DType::float32;
}

Tensor batched(const Tensor& a, const Tensor& b, DType type) {
  Shape batch_a = a.shape(), batch_b = b.shape();
  for (Shape* s : {&batch_a, &batch_b}) {
    s->erase(s->size() - 1);
    s->erase(s->size() - 1);
  }
  Shape shape = broadcast("matmul", batch_a, batch_b);
  const Shape batch = shape;
  const Operand x = operand(a), z = operand(b);
  const Int m = x.rows, k = x.columns, n = z.columns;
  shape.push_back(m);
  shape.push_back(n);
  Tensor y = empty(shape, type);
  if (y.numel() == 0) return y;
  if (k == 0) {
    fill(y, 0);
    return y;
  }
  const Int items = batch.product();
  const Compute c = compute_of(type);
  const bool rounded = rounds(type);  // asked here: the threads below have a precision of their own
  const Int item = item_size(type);
  const auto offset = [&](const Tensor& t, Int index) {  // of matrix `index` of the broadcast batch
    const int rank = t.dim() - 2, shift = batch.size() - rank;
    Int at = 0;
    for (int axis = batch.size() - 1; axis >= 0; --axis) {
      const Int next = index / batch[axis], i = index - next * batch[axis];
      if (axis >= shift && t.shape()[axis - shift] != 1) at += i * t.strides()[axis - shift];
      index = next;
    }
    return at;
  };
  const auto product = [&](Int i) {
    return Product{bytes(y) + i * m * n * item,
                   n,
                   tidy(bytes(x.x) + offset(x.x, i) * item, m, k, x.row, x.column),
                   tidy(bytes(z.x) + offset(z.x, i) * item, k, n, z.row, z.column),
                   m,
                   n,
                   k,
                   nullptr,
                   c,
                   rounded};
  };
  const Int work = m * n * k;
  // Few large products: each on all threads. Many: each on one.
  if (items < num_threads() || work > 512 * 512 * 256) {
    for (Int i = 0; i < items; ++i) run(product(i));
    return y;
  }
  parallel_for(items, smallest_for_threads / 2 / work + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Product p = product(i);
      if (work < smallest_for_threads && !p.bfloat16)
        run_block(p, 0, m, 0, n);
      else
        run_single(p);
    }
  });
  return y;
}

}  // namespace

namespace {

/// Two matrices of one floating type that can be multiplied as they lie: nothing to convert, copy or
/// broadcast, so nothing is spent but the result and the product.
bool plain_matrices(const TensorBody& a, const TensorBody& b) {
  return a.dtype == b.dtype && (a.dtype == DType::float32 || a.dtype == DType::float64) && a.shape.size() == 2 &&
         b.shape.size() == 2 && a.numel > 0 && b.numel > 0 &&
         usable(a.shape[0], a.shape[1], a.strides[0], a.strides[1]) &&
         usable(b.shape[0], b.shape[1], b.strides[0], b.strides[1]);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const TensorBody& p = a.body();
  const TensorBody& q = b.body();
  if (plain_matrices(p, q) && p.shape[1] == q.shape[0]) {
    const Int m = p.shape[0], k = p.shape[1], n = q.shape[1];
    Tensor y = empty({m, n}, p.dtype);
    run({bytes(y), n, tidy(bytes(a), m, k, p.strides[0], p.strides[1]),
         tidy(bytes(b), k, n, q.strides[0], q.strides[1]), m, n, k, nullptr, compute_of(p.dtype), rounds(p.dtype)});
    return y;
  }
  if (a.dim() == 0 || b.dim() == 0)
    throw ShapeError(text("matmul: shapes ", a.shape(), " and ", b.shape(), ": a single number has no rows",
                          "\n  help: multiply by it with a * b"));
  const DType result = promote(a.dtype(), b.dtype()), type = product_type(result);
  const Int inner_a = a.shape().back(), inner_b = b.shape()[b.dim() == 1 ? 0 : b.dim() - 2];
  if (inner_a != inner_b) {
    const bool fits_transposed = b.dim() == 2 && b.shape()[1] == inner_a;
    throw ShapeError(text("matmul: inner sizes differ: a ", a.shape(), " has ", inner_a, " columns, b ", b.shape(),
                          " has ", inner_b, " rows", fits_transposed ? "\n  help: transpose b with t(b)" : ""));
  }
  Tensor x = cast(a, type), z = cast(b, type);
  // A vector is a row on the left, a column on the right; its axis is taken away from the result.
  const bool vector_a = a.dim() == 1, vector_b = b.dim() == 1;
  if (vector_a) x = view_as(x, {1, inner_a}, {inner_a * x.strides()[0], x.strides()[0]});
  if (vector_b) z = view_as(z, {inner_b, 1}, {z.strides()[0], 1});

  Tensor y;
  if (z.dim() == 2) {
    const Operand right = operand(z);
    if (inner_a == 0) {
      Shape shape = x.shape();
      shape.back() = right.columns;
      y = zeros(shape, type);
    } else {
      y = multiply_rows(x, tidy(bytes(right.x), right.rows, right.columns, right.row, right.column), right.columns,
                        Tensor(), type);
    }
  } else {
    y = batched(x, z, type);
  }
  if (vector_a || vector_b) {
    Shape shape = y.shape();
    if (vector_b) shape.erase(shape.size() - 1);
    if (vector_a) shape.erase(shape.size() - (vector_b ? 1 : 2));
    y = view_as(y, shape, row_major(shape));
  }
  return cast(y, result);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const TensorBody& p = x.body();
  const TensorBody& q = weight.body();
  if (plain_matrices(p, q) && p.shape[1] == q.shape[1] &&
      (!bias.defined() || (bias.is_contiguous() && bias.dtype() == p.dtype && bias.shape() == Shape{q.shape[0]}))) {
    const Int m = p.shape[0], k = p.shape[1], n = q.shape[0];
    Tensor y = empty({m, n}, p.dtype);
    run({bytes(y), n, tidy(bytes(x), m, k, p.strides[0], p.strides[1]),
         tidy(bytes(weight), k, n, q.strides[1], q.strides[0]), m, n, k, bias.defined() ? bytes(bias) : nullptr,
         compute_of(p.dtype), rounds(p.dtype)});
    return y;
  }
  if (weight.dim() != 2) throw ShapeError(text("linear: weight has shape ", weight.shape(), ", not (outputs, inputs)"));
  const Int out = weight.shape()[0], in = weight.shape()[1];
  if (x.dim() == 0 || x.shape().back() != in)
    throw ShapeError(text("linear: x ", x.shape(), " has ", x.dim() == 0 ? 0 : x.shape().back(), " columns, weight ",
                          weight.shape(), " takes ", in));
  if (bias.defined() && !(bias.shape() == Shape{out}))
    throw ShapeError(
        text("linear: bias has shape ", bias.shape(), ", weight ", weight.shape(), " gives ", out, " outputs"));
  DType result = promote(x.dtype(), weight.dtype());
  if (bias.defined()) result = promote(result, bias.dtype());
  const DType type = product_type(result);
  const Tensor a = cast(x, type);
  const Operand w = operand(cast(weight, type));
  const Tensor add = bias.defined() ? contiguous(cast(bias, type)) : Tensor();
  if (in == 0) {
    Shape shape = x.shape();
    shape.back() = out;
    Tensor y = zeros(shape, type);
    if (add.defined()) copy_into(y, add);
    return cast(y, result);
  }
  // W^T: its rows are W's columns.
  const View right = tidy(bytes(w.x), in, out, w.column, w.row);
  return cast(multiply_rows(a, right, out, add, type), result);
}

std::string matmul_implementation([[maybe_unused]] const Tensor& a, [[maybe_unused]] const Tensor& b) {
#ifdef WEFT_ONEDNN
  const Operand x = operand(a), z = operand(b);
  return onednn::implementation(
      {nullptr, z.columns, nullptr, x.row, x.column, nullptr, z.row, z.column, x.rows, z.columns, x.columns, nullptr});
#else
  return "";
#endif
}

}  // namespace weft::kernels
