#include <weft/autograd/ops/attention.h>

#include <cmath>
#include <limits>

#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

constexpr const char* op = "scaled_dot_product_attention";

void check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  for (const Tensor* x : {&q, &k, &v}) {
    if (x->dim() < 2)
      throw ShapeError(text(op, ": q is ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
                            "\n  help: each needs positions and features as its last two axes"));
    if (!is_floating(x->dtype()) || x->dtype() != q.dtype())
      throw DtypeError(text(op, ": q is ", q.dtype(), ", k ", k.dtype(), ", v ", v.dtype(),
                            "\n  help: give all three one floating type"));
  }
  if (q.shape()[q.dim() - 1] != k.shape()[k.dim() - 1])
    throw ShapeError(text(op, ": q ", q.shape(), " and k ", k.shape(), " differ in their last axis"));
  if (k.shape()[k.dim() - 2] != v.shape()[v.dim() - 2])
    throw ShapeError(text(op, ": k ", k.shape(), " and v ", v.shape(), " differ in their number of positions"));
  if (o.is_causal && o.mask.defined())
    throw ConfigError(text(op, ": both a mask and is_causal\n  help: put the causal part into the mask"));
  if (o.mask.defined() && o.mask.dtype() != DType::boolean && !is_floating(o.mask.dtype()))
    throw DtypeError(text(op, ": the mask is ", o.mask.dtype(), "\n  help: use bool or a floating type"));
}

/// Repeats each head of x (..., H, S, E) until there are `heads`.
Tensor shared_among(const Tensor& x, std::int64_t heads) {
  const int axis = x.dim() - 3;
  const std::int64_t own = axis < 0 ? 0 : x.shape()[axis];
  if (own == 0 || heads % own != 0)
    throw ShapeError(text(op, ": ", heads, " heads of q cannot share ", own, " of ", x.shape()));
  const Tensor y = unsqueeze(x, axis + 1);
  Shape repeated = y.shape();
  repeated[axis + 1] = heads / own;
  return flatten(expand(y, repeated), axis, axis + 1);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& o) {
  check(q, key, value, o);
  Tensor k = key, v = value;
  if (o.grouped) {
    if (q.dim() < 3) throw ShapeError(text(op, ": q ", q.shape(), " has no axis of heads"));
    k = shared_among(key, q.shape()[q.dim() - 3]);
    v = shared_among(value, q.shape()[q.dim() - 3]);
  }
  const std::int64_t queries = q.shape()[q.dim() - 2], keys = k.shape()[k.dim() - 2], width = q.shape()[q.dim() - 1];
  const double scale = o.scale != 0 ? o.scale : width > 0 ? 1 / std::sqrt(static_cast<double>(width)) : 1;
  Tensor scores = matmul(q * scale, transpose(k, -2, -1));  // (..., T, S)
  Tensor seen;
  if (o.is_causal) {
    const Tensor at = arange(0, static_cast<double>(queries)), place = arange(0, static_cast<double>(keys));
    seen = ge(unsqueeze(at, 1), place);
  } else if (o.mask.defined() && o.mask.dtype() == DType::boolean) {
    seen = o.mask;
  } else if (o.mask.defined()) {
    seen = ne(detach(o.mask), -std::numeric_limits<double>::infinity());
    scores = scores + to(where(seen, o.mask, detail::zero_of(o.mask)), scores.dtype());
  }
  Tensor weights = seen.defined() ? masked_softmax(scores, seen, -1) : softmax(scores, -1);
  if (o.dropout > 0) weights = dropout(weights, o.dropout, true, o.generator ? *o.generator : default_generator());
  return matmul(weights, v);
}

}  // namespace weft
