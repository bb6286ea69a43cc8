#include <weft/autograd/ops/indexing.h>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

void check_index(const char* op, const Tensor& index) {
  if (index.dtype() != DType::int64)
    throw DtypeError(text(op, ": the index is ", index.dtype(), "\n  help: convert it with to(index, DType::int64)"));
}

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  const int k = normalize_axis("index_select", axis, x.dim());
  check_index("index_select", index);
  return record({"index_select", {{"axis", k}}, saves::input(1)}, {x, index},
                [k](const Inputs& in) { return kernels::index_select(in[0], k, in[1]); },
                [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
                  return gradients(index_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
                });
}

Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis("index_add", axis, x.dim());
  check_index("index_add", index);
  return record({"index_add", {{"axis", k}}, saves::input(1)}, {x, index, src},
                [k](const Inputs& in) {
                  Tensor y = kernels::copy(in[0]);
                  kernels::index_add(y, k, in[1], in[2]);
                  return y;
                },
                [k](const Saved& s, const Tensor& dy) {
                  return gradients(dy, Tensor(), s.needs(2) ? index_select(dy, k, s.input(1)) : Tensor());
                });
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  const int k = normalize_axis("gather", axis, x.dim());
  check_index("gather", index);
  return record({"gather", {{"axis", k}}, saves::input(1)}, {x, index},
                [k](const Inputs& in) { return kernels::gather(in[0], k, in[1]); },
                [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
                  return gradients(scatter_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
                });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  const int k = normalize_axis("scatter_add", axis, x.dim());
  check_index("scatter_add", index);
  return record({"scatter_add", {{"axis", k}}, saves::input(1)}, {x, index, src},
                [k](const Inputs& in) {
                  Tensor y = kernels::copy(in[0]);
                  kernels::scatter_add(y, k, in[1], in[2]);
                  return y;
                },
                [k](const Saved& s, const Tensor& dy) {
                  return gradients(dy, Tensor(), s.needs(2) ? gather(dy, k, s.input(1)) : Tensor());
                });
}

Tensor embedding(const Tensor& weight, const Tensor& ids, std::int64_t padding) {
  if (weight.dim() != 2) throw ShapeError(text("embedding: the table is ", weight.shape(), ", not (entries, features)"));
  check_index("embedding", ids);
  const std::int64_t rows = weight.shape()[0], width = weight.shape()[1];
  if (padding < -1 || padding >= rows)
    throw ConfigError(text("embedding: padding ", padding, " is not a row of a table of ", rows));
  Shape shape = ids.shape();
  shape.push_back(width);
  const Tensor flat = reshape(ids, {ids.numel()});
  return record({"embedding", {{"padding_idx", padding}}, saves::input(1)}, {weight, flat},
                [&](const Inputs& in) { return reshape(kernels::index_select(in[0], 0, in[1]), shape); },
                [=](const Saved& s, const Tensor& dy) {
                  Tensor rows_dy = reshape(dy, {s.input(1).numel(), width});
                  if (padding >= 0) rows_dy = where(unsqueeze(ne(s.input(1), padding), 1), rows_dy, detail::zero_of(dy));
                  return gradients(index_add(zeros({rows, width}, dy.dtype()), 0, s.input(1), rows_dy));
                });
}

Tensor one_hot(const Tensor& ids, std::int64_t classes) {
  check_index("one_hot", ids);
  const Tensor inside = kernels::reduce(kernels::Reduce::all, logical_and(ge(ids, 0), lt(ids, classes)), {}, false);
  if (inside.item() == 0) {
    for (const std::int64_t id : to_vector<std::int64_t>(ids))
      if (id < 0 || id >= classes) throw ConfigError(text("one_hot: class ", id, " is not among ", classes));
  }
  return to(eq(unsqueeze(ids, -1), arange(0, static_cast<double>(classes))), DType::int64);
}

Tensor nonzero(const Tensor& mask) {
  if (mask.dim() != 1) throw ShapeError(text("nonzero: the mask is ", mask.shape(), "\n  help: pass one axis, as flatten(mask)"));
  return kernels::nonzero_flat(ne(mask, 0));
}

Tensor argsort(const Tensor& x, int axis, bool descending) { return kernels::argsort(x, axis, descending); }

}  // namespace weft
