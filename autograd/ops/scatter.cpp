#include <weft/autograd/ops/scatter.h>

#include <limits>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

using detail::as_index, detail::as_line;

/// The part of src that the index reaches.
Tensor reached(const char* op, const Tensor& src, const Tensor& index) {
  bool fits = src.dim() == index.dim();
  for (int i = 0; fits && i < src.dim(); ++i) fits = index.shape()[i] <= src.shape()[i];
  if (!fits)
    throw ShapeError(text(op, ": index ", index.shape(), " does not fit the source ", src.shape(),
                          "\n  help: give it as many axes, and no larger sizes"));
  Tensor part = src;
  for (int i = 0; i < src.dim(); ++i)
    if (index.shape()[i] < src.shape()[i]) part = slice(part, i, 0, index.shape()[i]);
  return part;
}

Tensor scattered(const char* op, const Tensor& x, int axis, const Tensor& index, const Tensor& src,
                 kernels::Scatter how) {
  Tensor y = kernels::copy(x);
  kernels::scatter(op, y, axis, index, src, how);
  return y;
}

/// x with src written at the index, for the operation that errors name.
Tensor assign(const char* op, const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  return record(
      {"scatter", {{"axis", axis}}, saves::input(1)}, {x, index, src},
      [=](const Inputs& in) { return scattered(op, in[0], axis, in[1], in[2], kernels::Scatter::assign); },
      [axis](const Saved& s, const Tensor& dy) {
        return gradients(s.needs(0) ? scatter(dy, axis, s.input(1), 0) : Tensor(), Tensor(),
                         s.needs(2) ? gather(dy, axis, s.input(1)) : Tensor());
      });
}

/// The same, added.
Tensor add_at(const char* op, const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  return record(
      {"scatter_add", {{"axis", axis}}, saves::input(1)}, {x, index, src},
      [=](const Inputs& in) { return scattered(op, in[0], axis, in[1], in[2], kernels::Scatter::add); },
      [axis](const Saved& s, const Tensor& dy) {
        return gradients(dy, Tensor(), s.needs(2) ? gather(dy, axis, s.input(1)) : Tensor());
      });
}

/// x as it is, but an error once it is differentiated.
Tensor without_derivative(const Tensor& x, const char* why) {
  return record(
      {"without_derivative"}, {x}, [](const Inputs& in) { return detach(in[0]); },
      [why](const Saved&, const Tensor&) -> Tensor { throw GradError(why); });
}

Tensor scatter_prod(const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  return record(
      {"scatter_reduce", {{"axis", axis}, {"reduce", "prod"}}, saves::inputs | saves::output}, {x, index, src},
      [axis](const Inputs& in) {
        return scattered("scatter_reduce", in[0], axis, in[1], in[2], kernels::Scatter::mul);
      },
      [axis](const Saved& s, const Tensor& dy) {
        // A factor's gradient is the product of the others: the whole divided by it, or, for the only zero, the whole
        // with 1 in its place. Several zeros leave nothing.
        const Tensor &a = s.input(0), &places = s.input(1), &b = s.input(2);
        Tensor da, db;
        if (s.needs(0)) {
          const Tensor zero = eq(a, 0), filled = where(zero, scalar(1, a.dtype()), a);
          da = dy * scatter_prod(filled, axis, places, b) / filled;
        }
        if (s.needs(2)) {
          const Tensor zero = eq(b, 0), counted = to(zero, DType::int64);
          const Tensor zeros_there =
              gather(scatter_add(zeros(a.shape(), DType::int64), axis, places, counted), axis, places);
          const Tensor only = logical_and(zero, eq(zeros_there, 1));
          const Tensor one = scalar(1, b.dtype());
          const Tensor without = gather(dy * scatter_prod(a, axis, places, where(only, one, b)), axis, places);
          db = where(only, without, gather(dy * s.output(), axis, places) / where(zero, one, b));
          if (grad_enabled() && kernels::reduce(kernels::Reduce::any, gt(zeros_there, 1), {}, false).item() != 0)
            db = without_derivative(
                db, "scatter_reduce: the second derivative of a product with several zeros at one place is not known");
        }
        return gradients(da, Tensor(), db);
      });
}

Tensor scatter_extreme(const Tensor& x, int axis, const Tensor& index, const Tensor& src, bool largest) {
  return record(
      {"scatter_reduce", {{"axis", axis}, {"reduce", largest ? "amax" : "amin"}}, saves::inputs | saves::output},
      {x, index, src},
      [=](const Inputs& in) {
        return scattered("scatter_reduce", in[0], axis, in[1], in[2],
                         largest ? kernels::Scatter::max : kernels::Scatter::min);
      },
      [axis](const Saved& s, const Tensor& dy) {
        const Tensor& places = s.input(1);
        const Tensor from_x = to(eq(s.input(0), s.output()), dy.dtype()),
                     from_src = to(eq(s.input(2), gather(s.output(), axis, places)), dy.dtype());
        const Tensor share = dy / scatter_add(from_x, axis, places, from_src);
        return gradients(s.needs(0) ? share * from_x : Tensor(), Tensor(),
                         s.needs(2) ? gather(share, axis, places) * from_src : Tensor());
      });
}

/// The number that changes nothing when it is reduced with another.
Tensor neutral(ScatterReduce reduce, DType type) {
  if (reduce == ScatterReduce::sum || reduce == ScatterReduce::mean) return scalar(0, type);
  if (reduce == ScatterReduce::prod) return scalar(1, type);
  const bool largest = reduce == ScatterReduce::amax;
  if (is_floating(type)) return scalar(largest ? -HUGE_VAL : HUGE_VAL, type);
  const int bits = 8 * static_cast<int>(size_of(type));
  if (type == DType::boolean) return scalar(!largest, type);
  if (type == DType::uint8) return scalar(largest ? 0 : 255, type);
  const std::int64_t top = std::numeric_limits<std::int64_t>::max() >> (64 - bits);
  return scalar(largest ? -top - 1 : top, type);
}

}  // namespace

Tensor gather(const Tensor& x, int axis, const Tensor& places) {
  const int k = normalize_axis("gather", axis, x.dim());
  const Tensor index = as_index("gather", places);
  if (index.numel() == 0) return empty(index.shape(), x.dtype());
  if (x.dim() == 0 && index.dim() < 2) return reshape(gather(as_line(x), 0, as_line(index)), index.shape());
  return record(
      {"gather", {{"axis", k}}, saves::input(1)}, {x, index},
      [k](const Inputs& in) { return kernels::gather(in[0], k, in[1]); },
      [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
        return gradients(scatter_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
      });
}

Tensor scatter(const Tensor& x, int axis, const Tensor& places, const Tensor& values) {
  const int k = normalize_axis("scatter", axis, x.dim());
  const Tensor index = as_line(as_index("scatter", places));
  if (index.numel() == 0) return copy(x);
  if (x.dim() == 0) return reshape(scatter(as_line(x), 0, index, as_line(values)), {});
  const Tensor src = reached("scatter", detail::values_for("scatter", as_line(values), x.dtype()), index);
  return assign("scatter", x, k, index, src);
}

Tensor scatter(const Tensor& x, int axis, const Tensor& places, const Scalar& value) {
  return scatter(x, axis, places, expand(detail::value_for("scatter", value, x.dtype()), places.shape()));
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& places, const Tensor& values) {
  const int k = normalize_axis("scatter_add", axis, x.dim());
  const Tensor index = as_line(as_index("scatter_add", places));
  if (index.numel() == 0) return copy(x);
  if (x.dim() == 0) return reshape(scatter_add(as_line(x), 0, index, as_line(values)), {});
  const Tensor src = reached("scatter_add", detail::values_for("scatter_add", as_line(values), x.dtype()), index);
  return add_at("scatter_add", x, k, index, src);
}

Tensor scatter_reduce(const Tensor& x, int axis, const Tensor& places, const Tensor& values, ScatterReduce reduce,
                      bool include_self) {
  const int k = normalize_axis("scatter_reduce", axis, x.dim());
  const Tensor index = as_line(as_index("scatter_reduce", places));
  if (x.dim() == 0) return reshape(scatter_reduce(as_line(x), 0, index, as_line(values), reduce, include_self), {});
  const Tensor src = reached("scatter_reduce", detail::values_for("scatter_reduce", as_line(values), x.dtype()), index);
  const Tensor start =
      include_self ? x : assign("scatter_reduce", x, k, index, expand(neutral(reduce, x.dtype()), index.shape()));
  switch (reduce) {
    case ScatterReduce::sum: return add_at("scatter_reduce", start, k, index, src);
    case ScatterReduce::prod: return scatter_prod(start, k, index, src);
    case ScatterReduce::amax: return scatter_extreme(start, k, index, src, true);
    case ScatterReduce::amin: return scatter_extreme(start, k, index, src, false);
    case ScatterReduce::mean: break;
  }
  const Tensor total = add_at("scatter_reduce", start, k, index, src);
  const Tensor own = include_self ? ones(x.shape(), DType::int64) : zeros(x.shape(), DType::int64);
  const Tensor found = scatter_add(own, k, index, ones(index.shape(), DType::int64));
  const Tensor counts = detail::record_plain("maximum", kernels::Binary::maximum, found, Scalar(1));
  if (!is_floating(x.dtype()))
    return to(detail::record_plain("floor_divide", kernels::Binary::floor_divide, total, counts), x.dtype());
  return total / to(counts, total.dtype());
}

}  // namespace weft
