#include <weft/tensor/dispatch.h>

/// The softmax family and cross entropy.
namespace weft::kernels {
namespace {

/// Calls use(row, column, count) over all threads: `count` dense rows from `row` on, or as many interleaved ones of
/// block `row`, from `column` on.
template <class Use>
void for_rows(const Around& a, Int cost, Use&& use) {
  if (a.behind == 1) {
    parallel_for(a.before, grain / ((a.along > 0 ? a.along : 1) * cost) + 1,
                 [&](Int begin, Int end) { use(begin, Int{0}, end - begin); });
    return;
  }
  constexpr Int strip = 128;
  const Int strips = (a.behind + strip - 1) / strip, width = a.behind < strip ? a.behind : strip;
  const Int elements = a.along * width > 0 ? a.along * width : 1;
  parallel_for(a.before * strips, grain / (elements * cost) + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int row = i / strips, first = i % strips * strip;
      use(row, first, a.behind - first < strip ? a.behind - first : strip);
    }
  });
}

/// float32 or float64, row-major; other floating types are computed in float32.
Tensor prepared(const char* op, const Tensor& x) {
  check_floating(op, x);
  return contiguous(cast(x, native(x.dtype())));
}

/// Rank 0 counts as one row of one element.
Around rows_of(const char* op, const Tensor& x, int axis) {
  const int k = normalize_axis(op, axis, x.dim());
  return around(x.shape(), k);
}

Tensor softmax_like(const char* op, const Tensor& x, int axis, SoftmaxKind kind) {
  const Around a = rows_of(op, x, axis);
  const Tensor in = prepared(op, x);
  Tensor y = empty(x.shape(), in.dtype());
  if (y.numel() > 0) {
    const auto kernel = table().softmax[slot(compute_of(in.dtype()))];
    const Int item = item_size(in.dtype());
    const char* from = bytes(in);
    char* to = bytes(y);
    for_rows(a, 4, [&](Int row, Int first, Int columns) {
      const Int at = (row * a.along * a.behind + first) * item;
      kernel(to + at, from + at, a.along, columns, a.behind, kind);
    });
  }
  return cast(y, x.dtype());
}

Tensor softmax_grad_like(const char* op, const Tensor& dy, const Tensor& y, int axis, SoftmaxKind kind) {
  check_same_shape(op, dy, y);
  const Around a = rows_of(op, y, axis);
  const Tensor out = prepared(op, y);
  check_floating(op, dy);
  const Tensor in = contiguous(cast(dy, out.dtype()));
  Tensor dx = empty(y.shape(), out.dtype());
  if (dx.numel() > 0) {
    const auto kernel = table().softmax_grad[slot(compute_of(out.dtype()))];
    const Int item = item_size(out.dtype());
    for_rows(a, kind == SoftmaxKind::softmax ? 1 : 4, [&](Int row, Int first, Int columns) {
      const Int at = (row * a.along * a.behind + first) * item;
      kernel(bytes(dx) + at, bytes(in) + at, bytes(out) + at, a.along, columns, a.behind, kind);
    });
  }
  return cast(dx, y.dtype());
}

template <class T>
double number_at(const Tensor& x, Int i) {
  return static_cast<double>(reinterpret_cast<const T*>(bytes(x))[i]);
}
double real_at(const Tensor& x, Int i) {
  return x.dtype() == DType::float64 ? number_at<double>(x, i) : number_at<float>(x, i);
}

/// Checks logits (N, C), targets (N,) and weight (C,); returns the targets, dense.
Tensor checked_targets(const char* op, const Tensor& logits, const Tensor& target, const Tensor& weight, Int ignore) {
  if (logits.dim() != 2) throw ShapeError(text(op, ": logits have shape ", logits.shape(), ", not (rows, classes)"));
  const Int rows = logits.shape()[0], classes = logits.shape()[1];
  if (target.dim() != 1 || target.shape()[0] != rows)
    throw ShapeError(text(op, ": target shape ", target.shape(), " does not match logits ", logits.shape(),
                          "\n  help: give one class number per row"));
  if (target.dtype() != DType::int64)
    throw DtypeError(
        text(op, ": targets are ", target.dtype(), ", not int64\n  help: convert them with to(target, DType::int64)"));
  if (weight.defined() && (weight.dim() != 1 || weight.shape()[0] != classes))
    throw ShapeError(text(op, ": weight shape ", weight.shape(), " does not match ", classes, " classes"));
  const Tensor dense = contiguous(target);
  const Int* t = reinterpret_cast<const Int*>(bytes(dense));
  for (Int i = 0; i < rows; ++i)
    if (t[i] != ignore && (t[i] < 0 || t[i] >= classes))
      throw ConfigError(text(op, ": target ", t[i], " at position ", i, " is outside the ", classes, " classes",
                             "\n  help: number classes from 0 to ", classes - 1));
  return dense;
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return softmax_like("softmax", x, axis, SoftmaxKind::softmax); }
Tensor log_softmax(const Tensor& x, int axis) { return softmax_like("log_softmax", x, axis, SoftmaxKind::log_softmax); }
Tensor softmax_grad(const Tensor& dy, const Tensor& y, int axis) {
  return softmax_grad_like("softmax_grad", dy, y, axis, SoftmaxKind::softmax);
}
Tensor log_softmax_grad(const Tensor& dy, const Tensor& y, int axis) {
  return softmax_grad_like("log_softmax_grad", dy, y, axis, SoftmaxKind::log_softmax);
}

Tensor logsumexp(const Tensor& x, int axis, bool keep) {
  const int k = normalize_axis("logsumexp", axis, x.dim());
  const Around a = around(x.shape(), k);
  const Tensor in = prepared("logsumexp", x);
  Shape shape = x.shape();
  if (x.dim() > 0) {
    if (keep)
      shape[k] = 1;
    else
      shape.erase(k);
  }
  Tensor y = empty(shape, in.dtype());
  if (y.numel() > 0) {
    const auto kernel = table().logsumexp[slot(compute_of(in.dtype()))];
    const Int item = item_size(in.dtype());
    for_rows(a, 4, [&](Int row, Int first, Int columns) {
      kernel(bytes(y) + (row * a.behind + first) * item, bytes(in) + (row * a.along * a.behind + first) * item, a.along,
             columns, a.behind);
    });
  }
  return cast(y, x.dtype());
}

Tensor cross_entropy_rows(const Tensor& logits, const Tensor& target, const Tensor& weight, Int ignore,
                          Tensor& log_probabilities) {
  const Tensor targets = checked_targets("cross_entropy", logits, target, weight, ignore);
  check_floating("cross_entropy", logits);
  log_probabilities = log_softmax(logits, 1);
  const Tensor logs = contiguous(cast(log_probabilities, native(logits.dtype())));
  const Tensor weights = weight.defined() ? contiguous(cast(weight, logs.dtype())) : Tensor();
  const Int rows = logits.shape()[0], classes = logits.shape()[1];
  const Int* t = reinterpret_cast<const Int*>(bytes(targets));
  Tensor y = empty({rows}, logs.dtype());
  for (Int i = 0; i < rows; ++i) {
    double loss = 0;
    if (t[i] != ignore) {
      loss = -real_at(logs, i * classes + t[i]);
      if (weights.defined()) loss *= real_at(weights, t[i]);
    }
    if (y.dtype() == DType::float64)
      reinterpret_cast<double*>(bytes(y))[i] = loss;
    else
      reinterpret_cast<float*>(bytes(y))[i] = static_cast<float>(loss);
  }
  return cast(y, logits.dtype());
}

Tensor cross_entropy_rows_grad(const Tensor& scale, const Tensor& log_probabilities, const Tensor& target,
                               const Tensor& weight, Int ignore) {
  const Tensor targets = checked_targets("cross_entropy", log_probabilities, target, weight, ignore);
  const Tensor logs = prepared("cross_entropy", log_probabilities);
  const Int rows = logs.shape()[0], classes = logs.shape()[1];
  const bool one = scale.numel() == 1;
  if (!one && !(scale.shape() == Shape{rows}))
    throw ShapeError(text("cross_entropy: the gradient has shape ", scale.shape(), ", not [", rows, "] or one number"));
  const Tensor scales = contiguous(cast(scale, logs.dtype()));
  const Tensor weights = weight.defined() ? contiguous(cast(weight, logs.dtype())) : Tensor();
  const Int* t = reinterpret_cast<const Int*>(bytes(targets));
  const auto kernel = table().cross_entropy_grad[slot(compute_of(logs.dtype()))];
  const Int row_bytes = classes * item_size(logs.dtype());
  Tensor dx = empty({rows, classes}, logs.dtype());
  parallel_for(rows, grain / (4 * (classes > 0 ? classes : 1)) + 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      char* to = bytes(dx) + i * row_bytes;
      if (t[i] == ignore) {
        std::memset(to, 0, static_cast<std::size_t>(row_bytes));
        continue;
      }
      double factor = real_at(scales, one ? 0 : i);
      if (weights.defined()) factor *= real_at(weights, t[i]);
      kernel(to, bytes(logs) + i * row_bytes, classes, t[i], factor);
    }
  });
  return cast(dx, log_probabilities.dtype());
}

}  // namespace weft::kernels
