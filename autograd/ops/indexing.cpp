#include <weft/autograd/ops/indexing.h>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// A tensor of rank 0 is indexed as one of one element.
Tensor as_line(const Tensor& x) { return x.dim() == 0 ? reshape(x, {1}) : x; }

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& places) {
  const int k = normalize_axis("index_select", axis, x.dim());
  const Tensor index = detail::checked_index("index_select", places);
  if (x.dim() == 0) return reshape(index_select(as_line(x), 0, index), {});
  return record(
      {"index_select", {{"axis", k}}, saves::input(1)}, {x, index},
      [k](const Inputs& in) { return kernels::index_select(in[0], k, in[1]); },
      [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
        return gradients(index_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
      });
}

Tensor index_add(const Tensor& x, int axis, const Tensor& places, const Tensor& src) {
  const int k = normalize_axis("index_add", axis, x.dim());
  const Tensor index = detail::checked_index("index_add", places);
  if (x.dim() == 0) return reshape(index_add(as_line(x), 0, index, as_line(src)), {});
  return record(
      {"index_add", {{"axis", k}}, saves::input(1)}, {x, index, src},
      [k](const Inputs& in) {
        Tensor y = kernels::copy(in[0]);
        kernels::index_add(y, k, in[1], in[2]);
        return y;
      },
      [k](const Saved& s, const Tensor& dy) {
        return gradients(dy, Tensor(), s.needs(2) ? index_select(dy, k, s.input(1)) : Tensor());
      });
}

Tensor gather(const Tensor& x, int axis, const Tensor& places) {
  const int k = normalize_axis("gather", axis, x.dim());
  const Tensor index = detail::checked_index("gather", places);
  if (index.numel() == 0) return empty(index.shape(), x.dtype());
  if (x.dim() == 0) return reshape(gather(as_line(x), 0, as_line(index)), index.shape());
  return record(
      {"gather", {{"axis", k}}, saves::input(1)}, {x, index},
      [k](const Inputs& in) { return kernels::gather(in[0], k, in[1]); },
      [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
        return gradients(scatter_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
      });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& places, const Tensor& src) {
  const int k = normalize_axis("scatter_add", axis, x.dim());
  const Tensor index = detail::checked_index("scatter_add", places);
  if (index.numel() == 0) return copy(x);
  if (x.dim() == 0) return reshape(scatter_add(as_line(x), 0, as_line(index), as_line(src)), {});
  return record(
      {"scatter_add", {{"axis", k}}, saves::input(1)}, {x, index, src},
      [k](const Inputs& in) {
        Tensor y = kernels::copy(in[0]);
        kernels::scatter_add(y, k, in[1], in[2]);
        return y;
      },
      [k](const Saved& s, const Tensor& dy) {
        return gradients(dy, Tensor(), s.needs(2) ? gather(dy, k, s.input(1)) : Tensor());
      });
}

Tensor nonzero(const Tensor& mask) {
  if (mask.dim() != 1)
    throw ShapeError(text("nonzero: the mask is ", mask.shape(), "\n  help: pass one axis, as flatten(mask)"));
  return kernels::nonzero_flat(ne(mask, 0));
}

Tensor argwhere(const Tensor& x) {
  const Tensor flat = kernels::nonzero_flat(kernels::contiguous(ne(x, 0)));
  const std::vector<std::int64_t> places = to_vector<std::int64_t>(flat);
  const int rank = x.dim();
  std::vector<std::int64_t> rows(places.size() * static_cast<std::size_t>(rank));
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::int64_t rest = places[i];
    for (int axis = rank - 1; axis >= 0; --axis) {
      rows[i * static_cast<std::size_t>(rank) + static_cast<std::size_t>(axis)] = rest % x.shape()[axis];
      rest /= x.shape()[axis];
    }
  }
  return from(rows, {static_cast<std::int64_t>(places.size()), rank});
}

Tensor argsort(const Tensor& x, int axis, bool descending) { return kernels::argsort(x, axis, descending); }

}  // namespace weft
