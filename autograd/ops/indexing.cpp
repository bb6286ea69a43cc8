#include <weft/autograd/ops/indexing.h>

#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/scatter.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

/// Flat row-major places of indices along axes of these sizes, negative ones counted from the end.
Tensor flat_places(const char* op, const std::vector<Tensor>& indices, const Shape& sizes) {
  return record({"flat_places", {{"sizes", sizes}}}, indices,
                [op, sizes](const Inputs& in) { return kernels::flat_places(op, in.list(), sizes); });
}

/// Where a mask is true, as flat row-major places.
Tensor places_of(const Tensor& mask) {
  return record({"nonzero"}, {mask}, [](const Inputs& in) { return kernels::nonzero_flat(in[0]); });
}

using detail::as_index, detail::as_line;

Tensor checked_mask(const char* op, const Tensor& mask) {
  if (mask.dtype() != DType::boolean)
    throw DtypeError(text(op, ": the mask is ", mask.dtype(), "\n  help: convert it with to(mask, DType::boolean)"));
  return mask;
}

/// An index in two steps: numbers, slices and new axes give a view of x; tensors choose along axes of this view.
struct IndexPlan {
  Tensor x;  // the axes of each mask joined to one
  std::vector<IndexEntry> basic;
  std::vector<int> axes;
  std::vector<Tensor> places;  // int64, one for each of the axes
};

IndexPlan make_plan(const char* op, const Tensor& x, const std::vector<IndexEntry>& entries) {
  int named = 0, ellipses = 0;
  for (const IndexEntry& e : entries) {
    const Tensor* t = e.get<Tensor>();
    ellipses += e.get<Ellipsis>() != nullptr;
    named += t && t->dtype() == DType::boolean ? t->dim() : !e.get<Ellipsis>() && !e.get<NewAxis>();
  }
  if (ellipses > 1) throw ConfigError(text(op, ": there are ", ellipses, " ellipses\n  help: use one"));
  if (named > x.dim()) throw ShapeError(text(op, ": ", named, " axes are indexed, x ", x.shape(), " has ", x.dim()));

  IndexPlan plan;
  plan.x = x;
  int from = 0, to = 0, joined = 0;  // the next axis of plan.x and of the view; x has `joined` axes more before it
  const auto integer = [&](std::int64_t i) {
    const std::int64_t n = plan.x.shape()[from];
    if (i < -n || i >= n)
      throw ConfigError(text(op, ": index ", i, " is out of range for axis ", from + joined, " of size ", n));
    plan.basic.emplace_back(i);
    ++from;
  };
  const auto whole = [&](int count) {
    for (int i = 0; i < count; ++i, ++from, ++to) plan.basic.emplace_back(Slice{});
  };
  const auto choose = [&](const Tensor& places) {
    plan.axes.push_back(to);
    plan.places.push_back(places);
  };
  for (const IndexEntry& e : entries) {
    if (const auto* i = e.get<std::int64_t>()) {
      integer(*i);
    } else if (const auto* slice = e.get<Slice>()) {
      if (slice->step < 1) throw ConfigError(text(op, ": step ", slice->step, "\n  help: choose a step of 1 or more"));
      plan.basic.push_back(e);
      ++from, ++to;
    } else if (e.get<Ellipsis>()) {
      whole(x.dim() - named);
    } else if (const Tensor* t = e.get<Tensor>(); !t) {
      plan.basic.emplace_back(newaxis);
      ++to;
    } else if (t->dtype() != DType::boolean) {
      const Tensor places = as_index(op, *t);
      if (places.dim() == 0) {
        integer(to_vector<std::int64_t>(places)[0]);
      } else {
        choose(places);
        whole(1);
      }
    } else if (t->dim() == 0) {
      choose(places_of(reshape(*t, {1})));
      plan.basic.emplace_back(newaxis);
      ++to;
    } else {
      for (int axis = 0; axis < t->dim(); ++axis)
        if (t->shape()[axis] != plan.x.shape()[from + axis])
          throw ShapeError(
              text(op, ": the mask ", t->shape(), " does not fit axis ", from + joined + axis, " of x ", x.shape()));
      plan.x = flatten(plan.x, from, from + t->dim() - 1);
      joined += t->dim() - 1;
      choose(places_of(*t));
      whole(1);
    }
  }
  return plan;
}

Tensor basic_view(const Tensor& x, const std::vector<IndexEntry>& basic) {
  Tensor y = x;
  int axis = 0;
  for (const IndexEntry& e : basic) {
    if (const auto* i = e.get<std::int64_t>()) {
      y = select(y, axis, *i);
    } else if (const auto* s = e.get<Slice>()) {
      if (s->start || s->stop || s->step != 1)
        y = slice(y, axis, s->start.value_or(0), s->stop.value_or(y.shape()[axis]), s->step);
      ++axis;
    } else {
      y = unsqueeze(y, axis++);
    }
  }
  return y;
}

/// x with `part` in place of the view.
Tensor replace(const Tensor& x, const std::vector<IndexEntry>& basic, const Tensor& part) {
  return record(
      {"index_put"}, {x, part},
      [=](const Inputs& in) {
        Tensor y = kernels::copy(in[0]);
        kernels::copy_into(basic_view(y, basic), in[1]);
        return y;
      },
      [basic, shape = part.shape()](const Saved& s, const Tensor& dy) {
        return gradients(s.needs(0) ? replace(dy, basic, zeros(shape, dy.dtype())) : Tensor(),
                         s.needs(1) ? basic_view(dy, basic) : Tensor());
      });
}

/// A view whose axes that are chosen along have become one, and its places there.
struct Rows {
  Tensor flat;             // the view with one axis for them
  Tensor places;           // as many as there are elements, in row-major order
  int axis = 0;            // of flat
  Shape shape;             // of what is chosen
  std::vector<int> order;  // the permutation of the view's axes before they were joined; empty for none
  Shape permuted;
};

Rows rows_of(const char* op, const Tensor& view, const IndexPlan& plan) {
  Rows rows;
  const int count = static_cast<int>(plan.axes.size());
  Tensor x = view;
  Shape sizes;
  for (const int axis : plan.axes) sizes.push_back(view.shape()[axis]);
  if (plan.axes.back() - plan.axes.front() + 1 == count) {
    rows.axis = plan.axes.front();
  } else {
    rows.order = plan.axes;
    for (int i = 0, next = 0; i < view.dim(); ++i)
      if (next < count && plan.axes[static_cast<std::size_t>(next)] == i)
        ++next;
      else
        rows.order.push_back(i);
    x = permute(view, rows.order);
  }
  const Tensor places = flat_places(op, plan.places, sizes);
  rows.places = reshape(places, {places.numel()});
  rows.permuted = x.shape();
  Shape joined;
  for (int i = 0; i < x.dim(); ++i) {
    if (i == rows.axis) {
      for (const std::int64_t n : places.shape()) rows.shape.push_back(n);
      joined.push_back(sizes.product());
    } else if (i < rows.axis || i >= rows.axis + count) {
      rows.shape.push_back(x.shape()[i]);
      joined.push_back(x.shape()[i]);
    }
  }
  rows.flat = reshape(x, joined);
  return rows;
}

/// `values` in `shape`, or an error that names both.
Tensor spread(const char* op, const Tensor& values, const Shape& shape) {
  bool fits = values.dim() <= shape.size();
  for (int i = 1; fits && i <= values.dim(); ++i) {
    const std::int64_t n = values.shape()[values.dim() - i];
    fits = n == 1 || n == shape[shape.size() - i];
  }
  if (!fits)
    throw ShapeError(text(op, ": values ", values.shape(), " cannot be repeated to the chosen elements ", shape));
  return expand(values, shape);
}

/// Places in row-major order where the mask is true, after x and mask are broadcast.
Tensor masked_places(const char* op, Tensor& x, const Tensor& mask) {
  const Shape shape = broadcast(op, x.shape(), checked_mask(op, mask).shape());
  x = expand(x, shape);
  return places_of(expand(mask, shape));
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<IndexEntry>& entries) {
  const IndexPlan plan = make_plan("index", x, entries);
  const Tensor view = basic_view(plan.x, plan.basic);
  if (plan.axes.empty()) return view;
  const Rows rows = rows_of("index", view, plan);
  return reshape(index_select(rows.flat, rows.axis, rows.places), rows.shape);
}

Tensor index_put(const Tensor& x, const std::vector<IndexEntry>& entries, const Tensor& values, bool accumulate) {
  const IndexPlan plan = make_plan("index_put", x, entries);
  const Tensor fitting = detail::values_for("index_put", values, x.dtype()), view = basic_view(plan.x, plan.basic);
  Tensor part;
  if (plan.axes.empty()) {
    part = spread("index_put", fitting, view.shape());
    if (accumulate) part = view + part;
  } else {
    const Rows rows = rows_of("index_put", view, plan);
    Shape shape = rows.flat.shape();
    shape[rows.axis] = rows.places.numel();
    const Tensor src = reshape(spread("index_put", fitting, rows.shape), shape);
    part = accumulate ? index_add(rows.flat, rows.axis, rows.places, src)
                      : index_copy(rows.flat, rows.axis, rows.places, src);
    part = reshape(part, rows.permuted);
    if (!rows.order.empty()) {
      std::vector<int> back(rows.order.size());
      for (std::size_t i = 0; i < back.size(); ++i) back[static_cast<std::size_t>(rows.order[i])] = static_cast<int>(i);
      part = permute(part, back);
    }
  }
  for (const IndexEntry& e : plan.basic) {
    const auto* s = e.get<Slice>();
    if (!s || s->start || s->stop || s->step != 1) return reshape(replace(plan.x, plan.basic, part), x.shape());
  }
  return plan.axes.empty() ? copy(part) : reshape(contiguous(part), x.shape());
}

Tensor index_select(const Tensor& x, int axis, const Tensor& places) {
  const int k = normalize_axis("index_select", axis, x.dim());
  const Tensor index = as_index("index_select", places);
  if (x.dim() == 0) return reshape(index_select(as_line(x), 0, index), {});
  return record(
      {"index_select", {{"axis", k}}, saves::input(1)}, {x, index},
      [k](const Inputs& in) { return kernels::index_select(in[0], k, in[1]); },
      [k, shape = x.shape()](const Saved& s, const Tensor& dy) {
        return gradients(index_add(zeros(shape, dy.dtype()), k, s.input(1), dy));
      });
}

Tensor index_add(const Tensor& x, int axis, const Tensor& places, const Tensor& values) {
  const int k = normalize_axis("index_add", axis, x.dim());
  const Tensor index = as_index("index_add", places), src = detail::values_for("index_add", values, x.dtype());
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

namespace {

/// x with src at some places of an axis; a src of rank 0 goes to all of them.
Tensor put_rows(const char* op, const Tensor& x, int axis, const Tensor& index, const Tensor& src) {
  return record(
      {op, {{"axis", axis}}, saves::input(1)}, {x, index, src},
      [op, axis](const Inputs& in) {
        Shape shape = in[0].shape();
        shape[axis] = in[1].numel();
        Tensor y = kernels::copy(in[0]);
        kernels::index_copy(op, y, axis, in[1], in[2].dim() == 0 && in[1].dim() == 1 ? expand(in[2], shape) : in[2]);
        return y;
      },
      [axis, number = src.dim() == 0](const Saved& s, const Tensor& dy) {
        Tensor dsrc;
        if (s.needs(2) && number) {  // a place that is named twice is filled once
          const Tensor line = zeros({dy.shape()[axis]}, DType::boolean);
          kernels::index_copy("index_fill", line, 0, s.input(1), ones(s.input(1).shape(), DType::boolean));
          dsrc = sum(index_select(dy, axis, kernels::nonzero_flat(line)));
        } else if (s.needs(2)) {
          dsrc = index_select(dy, axis, s.input(1));
        }
        return gradients(s.needs(0) ? index_fill(dy, axis, s.input(1), 0) : Tensor(), Tensor(), dsrc);
      });
}

}  // namespace

Tensor index_copy(const Tensor& x, int axis, const Tensor& places, const Tensor& src) {
  const int k = normalize_axis("index_copy", axis, x.dim());
  const Tensor index = as_line(as_index("index_copy", places));
  const Tensor fitting = detail::values_for("index_copy", src, x.dtype());
  if (x.dim() == 0) return reshape(put_rows("index_copy", as_line(x), 0, index, as_line(fitting)), {});
  return put_rows("index_copy", x, k, index, as_line(fitting));
}

Tensor index_fill(const Tensor& x, int axis, const Tensor& places, const Scalar& value) {
  return index_fill(x, axis, places, detail::value_for("index_fill", value, x.dtype()));
}

Tensor index_fill(const Tensor& x, int axis, const Tensor& places, const Tensor& value) {
  const int k = normalize_axis("index_fill", axis, x.dim());
  const Tensor index = as_line(as_index("index_fill", places));
  if (value.dim() != 0) throw ShapeError(text("index_fill: the value ", value.shape(), " is not a single number"));
  const Tensor fitting = detail::values_for("index_fill", value, x.dtype());
  return reshape(put_rows("index_fill", as_line(x), k, index, fitting), x.shape());
}

Tensor take(const Tensor& x, const Tensor& places) {
  const Tensor index = as_index("take", places);
  if (x.numel() == 0 && index.numel() != 0) throw ShapeError(text("take: x ", x.shape(), " has no elements"));
  return reshape(index_select(flatten(x), 0, reshape(flat_places("take", {index}, {x.numel()}), {-1})), index.shape());
}

Tensor take_along_dim(const Tensor& x, const Tensor& index) { return take_along_dim(flatten(x), flatten(index), 0); }

Tensor take_along_dim(const Tensor& x, const Tensor& index, int axis) {
  if (x.dim() != index.dim())
    throw ShapeError(text("take_along_dim: x ", x.shape(), " and index ", index.shape(), " differ in rank"));
  const int k = normalize_axis("take_along_dim", axis, x.dim());
  Shape source = x.shape(), wanted = index.shape();
  if (x.dim() > 0) {
    source[k] = wanted[k] = 1;
    source = wanted = broadcast("take_along_dim", source, wanted);
    source[k] = x.shape()[k];
    wanted[k] = index.shape()[k];
  }
  return gather(expand(x, source), k, expand(index, wanted));
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  return masked_fill(x, mask, detail::value_for("masked_fill", value, x.dtype()));
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  if (value.dim() != 0) throw ShapeError(text("masked_fill: the value ", value.shape(), " is not a single number"));
  return where(checked_mask("masked_fill", mask), detail::values_for("masked_fill", value, x.dtype()), x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  Tensor wide = x;
  const Tensor places = masked_places("masked_select", wide, mask);
  return index_select(flatten(wide), 0, places);
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src) {
  Tensor wide = x;
  const Tensor places = masked_places("masked_scatter", wide, mask);
  if (src.numel() < places.numel())
    throw ShapeError(text("masked_scatter: the mask has ", places.numel(), " true elements, the source ", src.shape(),
                          " only ", src.numel()));
  const Tensor first = slice(flatten(detail::values_for("masked_scatter", src, x.dtype())), 0, 0, places.numel());
  return reshape(index_copy(flatten(wide), 0, places, first), wide.shape());
}

Tensor nonzero(const Tensor& mask) {
  if (mask.dim() != 1)
    throw ShapeError(text("nonzero: the mask is ", mask.shape(), "\n  help: pass one axis, as flatten(mask)"));
  return places_of(ne(mask, 0));
}

Tensor argwhere(const Tensor& x) {
  const Tensor flat = places_of(ne(x, 0));
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

Tensor argsort(const Tensor& x, int axis, bool descending) {
  return record({"argsort", {{"axis", axis}, {"descending", descending}}}, {x},
                [=](const Inputs& in) { return kernels::argsort(in[0], axis, descending); });
}

}  // namespace weft
