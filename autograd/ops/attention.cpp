#include <weft/autograd/ops/attention.h>

#include <cmath>
#include <limits>

#include <weft/autograd/autocast.h>
#include <weft/autograd/ops/activation.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/composed.h>
#include <weft/autograd/ops/product.h>
#include <weft/autograd/ops/shared.h>
#include <weft/tensor/attention.h>

namespace weft {
namespace {

constexpr const char* attention_name = "scaled_dot_product_attention";

void check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  for (const Tensor* x : {&q, &k, &v}) {
    if (x->dim() < 2)
      throw ShapeError(text(attention_name, ": q is ", q.shape(), ", k ", k.shape(), ", v ", v.shape(),
                            "\n  help: each needs positions and features as its last two axes"));
    if (!is_floating(x->dtype()) || x->dtype() != q.dtype())
      throw DtypeError(text(attention_name, ": q is ", q.dtype(), ", k ", k.dtype(), ", v ", v.dtype(),
                            "\n  help: give all three one floating type"));
  }
  if (q.shape()[q.dim() - 1] != k.shape()[k.dim() - 1])
    throw ShapeError(text(attention_name, ": q ", q.shape(), " and k ", k.shape(), " differ in their last axis"));
  if (k.shape()[k.dim() - 2] != v.shape()[v.dim() - 2])
    throw ShapeError(
        text(attention_name, ": k ", k.shape(), " and v ", v.shape(), " differ in their number of positions"));
  if (!(o.dropout >= 0 && o.dropout <= 1))
    throw ConfigError(text(attention_name, ": dropout is ", o.dropout, "\n  help: choose a probability from 0 to 1"));
  if (o.is_causal && o.mask.defined())
    throw ConfigError(text(attention_name, ": both a mask and is_causal\n  help: put the causal part into the mask"));
  if (o.mask.defined() && o.mask.dtype() != DType::boolean && !is_floating(o.mask.dtype()))
    throw DtypeError(text(attention_name, ": the mask is ", o.mask.dtype(), "\n  help: use bool or a floating type"));
}

/// How many heads x (..., H, S, E) has to serve `heads` of q.
std::int64_t own_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t own = x.dim() < 3 ? 0 : x.shape()[x.dim() - 3];
  if (own == 0 || heads % own != 0)
    throw ShapeError(text(attention_name, ": ", heads, " heads of q cannot share ", own, " of ", x.shape()));
  return own;
}

/// What remains of the options once they are checked.
struct AttentionPlan {
  double scale, dropout;
  bool causal;
  Generator at;  ///< where dropout's numbers begin
};

/// The same made of operations, which hold all scores: can be differentiated as often as one likes.
Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, const AttentionPlan& p) {
  Tensor scores = matmul(q * p.scale, transpose(k, -2, -1));  // (..., T, S)
  Tensor seen;
  if (p.causal) {
    const Tensor at = arange(0, static_cast<double>(scores.shape()[scores.dim() - 2])),
                 place = arange(0, static_cast<double>(scores.shape().back()));
    seen = ge(unsqueeze(at, 1), place);
  } else if (mask.defined() && mask.dtype() == DType::boolean) {
    seen = mask;
  } else if (mask.defined()) {
    seen = ne(detach(mask), -std::numeric_limits<double>::infinity());
    scores = scores + to(where(seen, mask, detail::zero_of(mask)), scores.dtype());
  }
  Tensor weights = seen.defined() ? masked_softmax(scores, seen, -1) : softmax(scores, -1);
  if (p.dropout > 0) {
    Generator at = p.at;
    weights = dropout(weights, p.dropout, true, at);
  }
  return matmul(weights, v);
}

/// Whether the tiled kernel computes this. The gradient of a mask is that of all scores; few queries have few scores
/// and would leave most of a tile empty.
bool tiled(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  constexpr std::int64_t fewest_queries = 16;
  return (q.dtype() == DType::float32 || q.dtype() == DType::float64) && !(mask.requires_grad() && grad_enabled()) &&
         q.shape()[q.dim() - 2] >= fewest_queries && q.numel() > 0 && k.numel() > 0 && v.numel() > 0;
}

kernels::Attention kernel_options(const Tensor& mask, const AttentionPlan& p) {
  return {mask.defined() ? detach(mask) : mask, p.causal, p.scale, p.dropout, p.at.seed, p.at.offset};
}

/// The tiled kernel on q, k and v with the same axes in front.
Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, const AttentionPlan& p) {
  const kernels::Precision precision = detail::autocast_precision;
  return record(
      {attention_name,
       {{"is_causal", p.causal},
        {"scale", p.scale},
        {"dropout", p.dropout},
        {"seed", static_cast<std::int64_t>(p.at.seed)},
        {"offset", static_cast<std::int64_t>(p.at.offset)}},
       saves::inputs | saves::output},
      {q, k, v, mask},
      [p, precision](const Inputs& in, Keep& keep) {
        const kernels::ProductPrecision in_use(precision);
        Tensor logsums;
        const Tensor y = kernels::attention(in[0], in[1], in[2], kernel_options(in[3], p), logsums);
        keep(logsums);
        return y;
      },
      [p, precision](const Saved& s, const Tensor& dy) {
        const detail::CastAs as_forward(precision);
        if (grad_enabled())
          return detail::composed_gradients(s, 4, {&dy, 1}, [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{composed(in[0], in[1], in[2], in[3], p)};
          });
        const kernels::ProductPrecision in_use(precision);
        const kernels::AttentionGradients d =
            kernels::attention_grad(dy, s.output(), s.kept(0), s.input(0), s.input(1), s.input(2),
                                    kernel_options(s.input(3), p), s.needs(0), s.needs(1) || s.needs(2));
        return std::vector<Tensor>{d.q, d.k, d.v, Tensor()};
      });
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& o) {
  check(query, key, value, o);
  Tensor q = query, k = key, v = value, mask = o.mask;
  const int rank = q.dim();
  if (o.grouped) {  // (..., heads, T, E) -> (..., own, heads / own, T, E)
    if (rank < 3) throw ShapeError(text(attention_name, ": q ", q.shape(), " has no axis of heads"));
    const std::int64_t heads = q.shape()[rank - 3], own = own_heads(k, heads);
    if (own_heads(v, heads) != own)
      throw ShapeError(text(attention_name, ": k ", k.shape(), " and v ", v.shape(), " differ in their heads"));
    q = unflatten(q, -3, {own, heads / own});
    k = unsqueeze(k, -3);
    v = unsqueeze(v, -3);
    if (mask.defined() && mask.dim() >= 3)
      mask = mask.shape()[mask.dim() - 3] == 1 ? unsqueeze(mask, -3) : unflatten(mask, -3, {own, heads / own});
  }
  const auto front = [](const Tensor& x) {
    Shape s = x.shape();
    s.erase(s.size() - 1);
    s.erase(s.size() - 1);
    return s;
  };
  const Shape batch = broadcast(attention_name, broadcast(attention_name, front(q), front(k)), front(v));
  const auto with = [&](std::int64_t rows, std::int64_t columns) {
    Shape s = batch;
    s.push_back(rows);
    s.push_back(columns);
    return s;
  };
  const std::int64_t queries = q.shape()[q.dim() - 2], keys = k.shape()[k.dim() - 2], width = q.shape().back();
  const Shape scores = with(queries, keys),
              masked = mask.defined() ? broadcast(attention_name, scores, mask.shape()) : scores;
  AttentionPlan p{o.scale != 0 ? o.scale
                  : width > 0  ? 1 / std::sqrt(static_cast<double>(width))
                               : 1,
                  o.dropout,
                  o.is_causal,
                  {}};
  if (p.dropout > 0) {
    Generator& generator = o.generator ? *o.generator : default_generator();
    p.at = generator;
    generator.take(static_cast<std::uint64_t>(masked.product()));
  }
  const Tensor y = masked == scores && tiled(q, k, v, mask)
                       ? fused(expand(q, with(queries, width)), expand(k, with(keys, width)),
                               expand(v, with(keys, v.shape().back())), mask, p)
                       : composed(q, k, v, mask, p);
  return o.grouped ? flatten(y, -4, -3) : y;
}

}  // namespace weft
