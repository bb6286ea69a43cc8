#pragma once
#include <cmath>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shape.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

/// What several families of operations share. Not for users.
namespace weft {
enum class Reduction;
}
namespace weft::detail {

/// The losses of the single elements or rows brought together.
Tensor reduced(const Tensor& losses, Reduction reduction);

/// A gradient brought back to the shape and type of the input it belongs to.
inline Tensor fit(const Tensor& dy, const Shape& shape, DType dtype) {
  return dy.defined() ? to(sum_to(dy, shape), dtype) : dy;
}

/// Both in the type that holds both: a formula that uses each several times is then as exact as that type.
struct Pair {
  Tensor a, b;
};
inline Pair promoted(const Tensor& a, const Tensor& b) {
  const DType type = promote(a.dtype(), b.dtype());
  return {to(a, type), to(b, type)};
}

/// Records y = op(a, b) with broadcasting and promotion. `rule` gives both gradients in y's shape.
template <class Rule>
Tensor record_broadcast(const Call& call, const Tensor& a, const Tensor& b, kernels::Binary op, Rule rule) {
  const auto forward = [op](const Inputs& in) { return kernels::binary(op, in[0], in[1]); };
  if (a.shape() == b.shape() && a.dtype() == b.dtype()) [[likely]]
    return record(call, {a, b}, forward, rule);
  return record(
      call, {a, b}, forward,
      [rule, sa = a.shape(), sb = b.shape(), ta = a.dtype(), tb = b.dtype()](const Saved& s, const Tensor& dy) {
        const std::array<Tensor, 2> d = rule(s, dy);
        return gradients(fit(d[0], sa, ta), fit(d[1], sb, tb));
      });
}

/// The number 0 that stands for "no gradient here" inside where(); it broadcasts.
inline Tensor zero_of(const Tensor& dy) { return scalar(0, dy.dtype()); }

/// Records y = op(x) for the operations whose rule is given.
template <class Rule>
Tensor record_unary(const Call& call, const Tensor& x, kernels::Unary op, Rule rule) {
  return record(
      call, {x}, [op](const Inputs& in) { return kernels::unary(op, in[0]); }, rule);
}

/// What `choose(x, places)` takes along an axis of x, with the gradient added up at the places. Unless `keep` the axis,
/// of size 1, is dropped.
template <class Choose>
Selected selected(const char* name, const Tensor& x, int axis, bool keep, Choose choose) {
  const auto [values, indices] = record(
      {name, {{"axis", axis}}}, {x},
      [choose](const Inputs& in, Keep& kept) {
        Tensor places;
        const Tensor chosen = choose(in[0], places);
        kept(places);
        return std::array{chosen, places};
      },
      [axis, shape = x.shape()](const Saved& s, std::span<const Tensor> dys) {
        return scatter_add(zeros(shape, dys[0].dtype()), axis, s.kept(0), dys[0]);
      });
  if (keep || x.dim() == 0) return {values, indices};
  return {squeeze(values, axis), squeeze(indices, axis)};
}

/// Operations without a gradient, for captured graphs.
inline Tensor record_plain(const char* name, kernels::Binary op, const Tensor& a, const Tensor& b) {
  return record({name}, {a, b}, [op](const Inputs& in) { return kernels::binary(op, in[0], in[1]); });
}
inline Tensor record_plain(const char* name, kernels::Binary op, const Tensor& a, const Scalar& b) {
  return record({name, {{"other", b.real()}}}, {a},
                [op, b](const Inputs& in) { return kernels::binary(op, in[0], b); });
}
inline Tensor record_plain(const char* name, kernels::Unary op, const Tensor& x) {
  return record({name}, {x}, [op](const Inputs& in) { return kernels::unary(op, in[0]); });
}

/// x, but at least `low`. Gradient: dy, also where x was raised: the bound guards a division and is no part of the
/// function.
inline Tensor raised(const Tensor& x, double low) {
  return record(
      {"raised", {{"low", low}}}, {x}, [low](const Inputs& in) { return kernels::clamp(in[0], low, __builtin_inf()); },
      [](const Saved&, const Tensor& dy) { return dy; });
}

/// The fused first derivative op(dy, v) where nothing is recorded, else the same by `composite`,
/// which is made of operations and so can be differentiated again.
template <class Composite>
Tensor first_order(kernels::Binary op, const Tensor& dy, const Tensor& v, Composite composite) {
  return grad_enabled() ? composite() : kernels::binary(op, dy, v);
}

/// The gradient of y = relu(...) by what it was taken of: dy where y > 0, else 0.
Tensor relu_gradient(const Tensor& dy, const Tensor& y);

/// An index as int64; one without entries may have any type.
inline Tensor as_index(const char* op, const Tensor& index) {
  if (index.dtype() == DType::int64) return index;
  if (index.dtype() != DType::int32 && index.numel() != 0)
    throw DtypeError(text(op, ": the index is ", index.dtype(), "\n  help: convert it with to(index, DType::int64)"));
  return to(index, DType::int64);
}

/// A tensor of rank 0 is indexed as one of one element.
inline Tensor as_line(const Tensor& x) { return x.dim() == 0 ? reshape(x, {1}) : x; }

/// Values in the type of the tensor that they are written into. Throws DtypeError where fractions would be cut off.
inline Tensor values_for(const char* op, const Tensor& values, DType type) {
  if (is_floating(values.dtype()) && !is_floating(type))
    throw DtypeError(text(op, ": ", values.dtype(), " values do not fit into a tensor of ", type,
                          "\n  help: convert one of the two with to"));
  return to(values, type);
}

/// The same of a number, which may be a whole number in any form.
inline Tensor value_for(const char* op, const Scalar& value, DType type) {
  const double v = value.real();
  if (value.kind() == DType::float64 && !is_floating(type) && !(std::floor(v) == v && std::abs(v) < 0x1p63))
    throw DtypeError(text(op, ": ", v, " does not fit into a tensor of ", type,
                          "\n  help: convert the tensor with to(x, DType::float32)"));
  return scalar(value, type);
}

}  // namespace weft::detail
