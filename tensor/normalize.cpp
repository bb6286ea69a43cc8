#include <weft/tensor/dispatch.h>

/// Layer normalisation and its gradient.
namespace weft::kernels {
namespace {

struct Rows {
  Shape outer;       ///< the axes in front: the shape of mean and rstd
  Shape normalized;  ///< the last axes
  Int count = 1, length = 1;
};
Rows split(const char* op, const Tensor& x, int axes_count) {
  if (axes_count < 1 || axes_count > x.dim())
    throw ShapeError(text(op, ": ", axes_count, " axes to normalise over, but x has shape ", x.shape()));
  Rows r;
  for (int i = 0; i < x.dim(); ++i) {
    const Int n = x.shape()[i];
    if (i < x.dim() - axes_count) {
      r.outer.push_back(n);
      r.count *= n;
    } else {
      r.normalized.push_back(n);
      r.length *= n;
    }
  }
  return r;
}

Tensor parameter(const char* op, const char* name, const Tensor& p, const Rows& r, DType type) {
  if (!p.defined()) return Tensor();
  if (!(p.shape() == r.normalized))
    throw ShapeError(text(op, ": ", name, " has shape ", p.shape(), ", the normalised axes ", r.normalized));
  return contiguous(cast(p, type));
}
char* bytes_or_null(const Tensor& x) { return x.defined() ? bytes(x) : nullptr; }

}  // namespace

Tensor layer_norm(const Tensor& x, int axes_count, const Tensor& weight, const Tensor& bias, double eps, Tensor& mean,
                  Tensor& rstd) {
  check_floating("layer_norm", x);
  const Rows r = split("layer_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type));
  const Tensor w = parameter("layer_norm", "weight", weight, r, type),
               b = parameter("layer_norm", "bias", bias, r, type);
  Tensor y = empty(x.shape(), type);
  mean = empty(r.outer, type);
  rstd = empty(r.outer, type);
  if (x.numel() > 0) {
    const auto kernel = table().layer_norm[slot(compute_of(type))];
    const Int item = item_size(type);
    parallel_for(r.count, grain / r.length + 1, [&](Int begin, Int end) {
      const Int at = begin * r.length * item;
      kernel(bytes(y) + at, bytes(mean) + begin * item, bytes(rstd) + begin * item, bytes(in) + at, bytes_or_null(w),
             bytes_or_null(b), end - begin, r.length, eps);
    });
  }
  return cast(y, x.dtype());
}

void layer_norm_grad(const Tensor& dy, const Tensor& x, int axes_count, const Tensor& mean, const Tensor& rstd,
                     const Tensor& weight, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  check_same_shape("layer_norm", dy, x);
  check_floating("layer_norm", x);
  const Rows r = split("layer_norm", x, axes_count);
  const DType type = native(x.dtype());
  const Tensor in = contiguous(cast(x, type)), g = contiguous(cast(dy, type));
  const Tensor m = contiguous(cast(mean, type)), s = contiguous(cast(rstd, type));
  if (m.numel() != r.count || s.numel() != r.count)
    throw ShapeError(
        text("layer_norm: mean ", mean.shape(), " and rstd ", rstd.shape(), " do not match ", r.count, " rows"));
  const Tensor w = parameter("layer_norm", "weight", weight, r, type);
  const Tensor out = dx ? empty(x.shape(), type) : Tensor();

  // Sums over rows are taken per part (parts depend on the shape alone), then over the parts.
  const bool sums = dweight || dbias;
  const Int rows_per_part = sums ? (r.count + 15) / 16 > 32 ? (r.count + 15) / 16 : 32 : 1;
  const Int parts = (r.count + rows_per_part - 1) / rows_per_part;
  const Tensor weight_sums = dweight ? zeros({parts, r.length}, DType::float64) : Tensor();
  const Tensor bias_sums = dbias ? zeros({parts, r.length}, DType::float64) : Tensor();
  if (x.numel() > 0) {
    const auto kernel = table().layer_norm_grad[slot(compute_of(type))];
    const Int item = item_size(type);
    parallel_for(parts, grain / (r.length * rows_per_part) + 1, [&](Int begin, Int end) {
      for (Int p = begin; p < end; ++p) {
        const Int first = p * rows_per_part;
        const Int rows = r.count - first < rows_per_part ? r.count - first : rows_per_part;
        const Int at = first * r.length * item;
        double* ws = dweight ? reinterpret_cast<double*>(bytes(weight_sums)) + p * r.length : nullptr;
        double* bs = dbias ? reinterpret_cast<double*>(bytes(bias_sums)) + p * r.length : nullptr;
        kernel(dx ? bytes(out) + at : nullptr, ws, bs, bytes(g) + at, bytes(in) + at, bytes(m) + first * item,
               bytes(s) + first * item, bytes_or_null(w), rows, r.length);
      }
    });
  }
  const int first_axis = 0;
  const auto collect = [&](const Tensor& part_sums) {
    const Tensor total = reduce(Reduce::sum, part_sums, std::span<const int>(&first_axis, 1), false);
    return cast(view_as(total, r.normalized, row_major(r.normalized)), weight.defined() ? weight.dtype() : x.dtype());
  };
  if (dx) *dx = cast(out, x.dtype());
  if (dweight) *dweight = collect(weight_sums);
  if (dbias) *dbias = collect(bias_sums);
}

}  // namespace weft::kernels
