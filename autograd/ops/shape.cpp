#include <weft/autograd/ops/shape.h>

#include <algorithm>
#include <limits>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

/// As many outputs as one node of the tape can have; what is cut into more parts gets a node for each.
constexpr std::size_t most_outputs = 65535;
/// Parts may be empty, so that their number is not bounded by the tensor's size.
constexpr std::int64_t most_parts = 1 << 24;
/// Elements that a view may show: enough for any memory, and few enough that sums of them do not overflow.
constexpr std::int64_t most_elements = std::int64_t{1} << 48;

/// Throws ShapeError where the sizes multiply up to more, each 0 counted as 1: strides are such products, too.
void check_count(const char* op, const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t n : shape)
    if (__builtin_mul_overflow(count, std::max<std::int64_t>(n, 1), &count) || count > most_elements)
      throw ShapeError(text(op, ": shape ", shape, " has too many elements"));
}

/// Strides under which `x` shows its elements in row-major order of `shape`, if there are any:
/// each run of axes that is dense in itself can be cut anew, nothing can straddle two runs.
bool strides_for(const Tensor& x, const Shape& shape, Strides& strides) {
  strides = row_major(shape);
  if (x.numel() == 0) return true;
  std::int64_t size[Dims::max_rank], step[Dims::max_rank];
  int i = -1;
  for (int axis = 0; axis < x.dim(); ++axis)
    if (x.shape()[axis] != 1) {  // an axis of size 1 constrains nothing
      size[++i] = x.shape()[axis];
      step[i] = x.strides()[axis];
    }
  int j = shape.size() - 1;
  while (i >= 0) {
    const std::int64_t unit = step[i];
    std::int64_t run = size[i];
    for (; i > 0 && step[i - 1] == step[i] * size[i]; --i) run *= size[i - 1];
    --i;
    std::int64_t filled = 1;
    for (; j >= 0 && filled < run; --j) {
      strides[j] = unit * filled;
      filled *= shape[j];
    }
    if (filled != run) return false;
  }
  return true;
}

Tensor slice_grad(const Tensor& dy, const Shape& shape, int axis, std::int64_t start, std::int64_t stop,
                  std::int64_t step);

Tensor slice_view(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape[axis] = stop > start ? (stop - start + step - 1) / step : 0;
  const std::int64_t offset = shape[axis] ? start * strides[axis] : 0;
  strides[axis] *= step;
  return view_as(x, shape, strides, offset);
}

Tensor record_slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  return record(
      {"slice", {{"axis", axis}, {"start", start}, {"stop", stop}, {"step", step}}}, {x},
      [=](const Inputs& in) { return slice_view(in[0], axis, start, stop, step); },
      [=, shape = x.shape()](const Saved&, const Tensor& dy) {
        return slice_grad(dy, shape, axis, start, stop, step);
      });
}

/// Zeros of `shape` with dy in the slice: the transpose of slice, and slice is its transpose.
Tensor slice_grad(const Tensor& dy, const Shape& shape, int axis, std::int64_t start, std::int64_t stop,
                  std::int64_t step) {
  return record(
      {"slice_grad", {{"axis", axis}, {"start", start}, {"stop", stop}, {"step", step}}}, {dy},
      [=](const Inputs& in) {
        Tensor dx = zeros(shape, in[0].dtype());
        kernels::copy_into(slice_view(dx, axis, start, stop, step), in[0]);
        return dx;
      },
      [=](const Saved&, const Tensor& d) { return record_slice(d, axis, start, stop, step); });
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  Shape wanted = shape;
  int free = -1;
  std::int64_t known = 1;
  check_count("reshape", shape);
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      if (free >= 0) throw ShapeError(text("reshape: ", shape, " has more than one -1"));
      free = i;
    } else if (shape[i] < 0) {
      throw ShapeError(text("reshape: size ", shape[i], " in ", shape, " is negative"));
    } else {
      known *= shape[i];
    }
  }
  if (free >= 0) {
    if (known == 0 || x.numel() % known != 0)
      throw ShapeError(text("reshape: ", x.numel(), " elements of shape ", x.shape(), " do not divide into ", shape));
    wanted[free] = x.numel() / known;
  } else if (known != x.numel()) {
    throw ShapeError(text("reshape: shape ", x.shape(), " has ", x.numel(), " elements, ", shape, " has ", known));
  }
  if (wanted == x.shape()) return x;
  return record(
      {"reshape", {{"shape", wanted}}}, {x},
      [=](const Inputs& in) {
        Strides strides;
        if (in[0].is_contiguous()) return view_as(in[0], wanted, row_major(wanted));
        if (strides_for(in[0], wanted, strides)) return view_as(in[0], wanted, strides);
        return view_as(kernels::copy(in[0]), wanted, row_major(wanted));
      },
      [from = x.shape()](const Saved&, const Tensor& dy) { return reshape(dy, from); });
}

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  const int rank = x.dim();
  if (static_cast<int>(order.size()) != rank)
    throw ShapeError(text("permute: ", order.size(), " axes named, the tensor has ", rank));
  Dims forward = Dims::filled(rank, 0), back = Dims::filled(rank, -1);
  for (int i = 0; i < rank; ++i) {
    const int axis = normalize_axis("permute", order[static_cast<std::size_t>(i)], rank);
    if (back[axis] >= 0) throw ShapeError(text("permute: axis ", axis, " is named twice"));
    forward[i] = axis;
    back[axis] = i;
  }
  return record(
      {"permute", {{"order", forward}}}, {x},
      [=](const Inputs& in) {
        Shape shape = Shape::filled(rank, 0);
        Strides strides = shape;
        for (int i = 0; i < rank; ++i) {
          shape[i] = in[0].shape()[static_cast<int>(forward[i])];
          strides[i] = in[0].strides()[static_cast<int>(forward[i])];
        }
        return view_as(in[0], shape, strides);
      },
      [back](const Saved&, const Tensor& dy) {
        std::vector<int> order_back;
        for (const std::int64_t axis : back) order_back.push_back(static_cast<int>(axis));
        return permute(dy, order_back);
      });
}

Tensor transpose(const Tensor& x, int a, int b) {
  const int i = normalize_axis("transpose", a, x.dim()), j = normalize_axis("transpose", b, x.dim());
  if (x.dim() == 0) return x;
  return record(
      {"transpose", {{"a", i}, {"b", j}}}, {x},
      [=](const Inputs& in) {
        Shape shape = in[0].shape();
        Strides strides = in[0].strides();
        std::swap(shape[i], shape[j]);
        std::swap(strides[i], strides[j]);
        return view_as(in[0], shape, strides);
      },
      [=](const Saved&, const Tensor& dy) { return transpose(dy, i, j); });
}

Tensor movedim(const Tensor& x, const std::vector<int>& source, const std::vector<int>& destination) {
  if (source.size() != destination.size())
    throw ShapeError(text("movedim: ", source.size(), " axes to ", destination.size(), " places"));
  std::vector<int> order(static_cast<std::size_t>(x.dim()), -1);
  std::vector<bool> moved(order.size());
  for (std::size_t i = 0; x.dim() > 0 && i < source.size(); ++i) {
    const int from = normalize_axis("movedim", source[i], x.dim()),
              into = normalize_axis("movedim", destination[i], x.dim());
    if (moved[static_cast<std::size_t>(from)]) throw ShapeError(text("movedim: axis ", from, " is named twice"));
    if (order[static_cast<std::size_t>(into)] >= 0) throw ShapeError(text("movedim: place ", into, " is named twice"));
    moved[static_cast<std::size_t>(from)] = true;
    order[static_cast<std::size_t>(into)] = from;
  }
  std::size_t next = 0;
  for (int& each : order) {
    if (each >= 0) continue;
    while (moved[next]) ++next;
    each = static_cast<int>(next++);
  }
  return permute(x, order);
}

Tensor t(const Tensor& x) {
  if (x.dim() > 2)
    throw ShapeError(
        text("t: the tensor has ", x.dim(), " axes, shape ", x.shape(), "\n  help: use transpose(x, a, b)"));
  return x.dim() < 2 ? x : transpose(x, 0, 1);
}

Tensor squeeze(const Tensor& x, int axis) {
  const int k = normalize_axis("squeeze", axis, x.dim());
  if (x.dim() == 0) return x;
  if (x.shape()[k] != 1)
    throw ShapeError(text("squeeze: axis ", k, " of shape ", x.shape(), " has size ", x.shape()[k], ", not 1"));
  return record(
      {"squeeze", {{"axis", k}}}, {x},
      [k](const Inputs& in) {
        Shape shape = in[0].shape();
        Strides strides = in[0].strides();
        shape.erase(k);
        strides.erase(k);
        return view_as(in[0], shape, strides);
      },
      [k](const Saved&, const Tensor& dy) { return unsqueeze(dy, k); });
}

Tensor squeeze(const Tensor& x, const std::vector<int>& axes) {
  std::vector<bool> gone(Dims::max_rank);
  for (const int axis : axes) {
    const auto k = static_cast<std::size_t>(normalize_axis("squeeze", axis, x.dim()));
    if (gone[k]) throw ShapeError(text("squeeze: axis ", k, " is named twice"));
    gone[k] = true;
  }
  Tensor y = x;
  for (int i = x.dim() - 1; i >= 0; --i)
    if (gone[static_cast<std::size_t>(i)]) y = squeeze(y, i);
  return y;
}

Tensor squeeze(const Tensor& x) {
  Tensor y = x;
  for (int i = x.dim() - 1; i >= 0; --i)
    if (x.shape()[i] == 1) y = squeeze(y, i);
  return y;
}

Tensor unsqueeze(const Tensor& x, int axis) {
  const int k = normalize_axis("unsqueeze", axis, x.dim() + 1);
  return record(
      {"unsqueeze", {{"axis", k}}}, {x},
      [k](const Inputs& in) {
        Shape shape = in[0].shape();
        Strides strides = in[0].strides();
        const std::int64_t step = k < shape.size() ? shape[k] * strides[k] : 1;
        shape.insert(k, 1);
        strides.insert(k, step);
        return view_as(in[0], shape, strides);
      },
      [k](const Saved&, const Tensor& dy) { return squeeze(dy, k); });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  Shape wanted = shape;
  const int extra = shape.size() - x.dim();
  bool fits = extra >= 0;
  for (int i = 0; fits && i < shape.size(); ++i) {
    const std::int64_t have = i < extra ? 1 : x.shape()[i - extra];
    if (wanted[i] == -1 && i >= extra) wanted[i] = have;
    fits = wanted[i] >= 0 && (have == wanted[i] || have == 1);
  }
  if (!fits) throw ShapeError(text("expand: shape ", x.shape(), " cannot be repeated to ", shape));
  check_count("expand", wanted);
  if (wanted == x.shape()) return x;
  return record(
      {"expand", {{"shape", wanted}}}, {x},
      [=](const Inputs& in) {
        Strides strides = Strides::filled(wanted.size(), 0);
        for (int i = extra; i < wanted.size(); ++i)
          if (in[0].shape()[i - extra] == wanted[i]) strides[i] = in[0].strides()[i - extra];
        return view_as(in[0], wanted, strides);
      },
      [from = x.shape()](const Saved&, const Tensor& dy) { return sum_to(dy, from); });
}

Tensor flatten(const Tensor& x, int first, int last) {
  const int a = normalize_axis("flatten", first, x.dim()), b = normalize_axis("flatten", last, x.dim());
  if (a > b) throw ShapeError(text("flatten: first axis ", a, " comes after last axis ", b));
  if (x.dim() == 0) return reshape(x, {1});
  Shape shape;
  for (int i = 0; i < x.dim(); ++i) {
    if (i > a && i <= b)
      shape.back() *= x.shape()[i];
    else
      shape.push_back(x.shape()[i]);
  }
  return reshape(x, shape);
}

Tensor unflatten(const Tensor& x, int axis, const Shape& sizes) {
  if (x.dim() == 0) throw ShapeError("unflatten: a tensor of rank 0 has no axis to cut");
  const int k = normalize_axis("unflatten", axis, x.dim());
  Shape filled = sizes;
  int free = -1;
  std::int64_t known = 1;
  bool sane = true;
  for (int i = 0; i < sizes.size(); ++i)
    if (sizes[i] == -1 && free < 0)
      free = i;
    else
      sane &= !__builtin_mul_overflow(known, sizes[i], &known) && sizes[i] <= most_elements;
  const std::int64_t n = x.shape()[k];
  if (free >= 0 && known > 0 && n % known == 0) known *= filled[free] = n / known;
  bool fits = sane && known == n && !sizes.empty();
  for (const std::int64_t size : filled) fits &= size >= 0;
  if (!fits) throw ShapeError(text("unflatten: axis ", k, " of shape ", x.shape(), " does not divide into ", sizes));
  Shape shape;
  for (int i = 0; i < x.dim(); ++i) {
    if (i != k) shape.push_back(x.shape()[i]);
    for (int j = 0; i == k && j < filled.size(); ++j) shape.push_back(filled[j]);
  }
  return reshape(x, shape);
}

Tensor atleast_1d(const Tensor& x) { return x.dim() < 1 ? reshape(x, {1}) : x; }
Tensor atleast_2d(const Tensor& x) { return x.dim() < 2 ? unsqueeze(atleast_1d(x), 0) : x; }
Tensor atleast_3d(const Tensor& x) { return x.dim() < 3 ? unsqueeze(atleast_2d(x), 2) : x; }

Tensor as_strided(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset) {
  if (shape.size() != strides.size())
    throw ShapeError(text("as_strided: shape ", shape, " and strides ", strides, " differ in length"));
  std::int64_t last = offset, count = 1;
  bool countable = true;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) throw ShapeError(text("as_strided: size ", shape[i], " in ", shape, " is negative"));
    if (strides[i] < 0) throw ConfigError(text("as_strided: stride ", strides[i], " in ", strides, " is negative"));
    countable &= !__builtin_mul_overflow(count, std::max<std::int64_t>(shape[i], 1), &count);
    std::int64_t reach = 0;
    if (shape[i] > 0 &&
        (__builtin_mul_overflow(shape[i] - 1, strides[i], &reach) || __builtin_add_overflow(last, reach, &last)))
      last = std::numeric_limits<std::int64_t>::max();
  }
  if (!countable || count > most_elements)
    throw ShapeError(text("as_strided: shape ", shape, " has too many elements"));
  const bool nothing = shape.product() == 0;
  if (offset < 0 || (!nothing && last >= x.numel()))
    throw ShapeError(text("as_strided: shape ", shape, " with strides ", strides, " from ", offset,
                          " reaches beyond the ", x.numel(), " elements"));
  return record(
      {"as_strided", {{"shape", shape}, {"strides", strides}, {"offset", offset}}}, {x},
      [=](const Inputs& in) { return view_as(kernels::contiguous(in[0]), shape, strides, nothing ? 0 : offset); },
      [=, from = x.shape()](const Saved&, const Tensor& dy) {
        const Tensor places = as_strided(arange(0, static_cast<double>(from.product())), shape, strides, offset);
        return reshape(index_add(zeros({from.product()}, dy.dtype()), 0, flatten(places), flatten(dy)), from);
      });
}

Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  if (x.dim() == 0) throw ShapeError("slice: a tensor of rank 0 has no axis to slice");
  const int k = normalize_axis("slice", axis, x.dim());
  if (step < 1) throw ConfigError(text("slice: step ", step, "\n  help: choose a step of 1 or more"));
  const std::int64_t n = x.shape()[k];
  const auto clip = [n](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + n : at, 0, n); };
  return record_slice(x, k, clip(start), std::max(clip(start), clip(stop)),
                      std::min(step, std::max<std::int64_t>(n, 1)));
}

Tensor select(const Tensor& x, int axis, std::int64_t index) {
  if (x.dim() == 0) throw ShapeError("select: a tensor of rank 0 has no axis to select from");
  const int k = normalize_axis("select", axis, x.dim());
  const std::int64_t n = x.shape()[k], i = index < 0 ? index + n : index;
  if (i < 0 || i >= n) throw ShapeError(text("select: index ", index, " is out of range for axis ", k, " of size ", n));
  return squeeze(record_slice(x, k, i, i + 1, 1), k);
}

Tensor cat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw ShapeError("cat: there is nothing to join");
  const int k = normalize_axis("cat", axis, parts[0].dim());
  std::vector<std::int64_t> ends;
  std::vector<DType> types;
  std::int64_t end = 0;
  for (const Tensor& p : parts) {
    if (p.dim() != parts[0].dim() || p.dim() == 0)
      throw ShapeError(text("cat: shapes ", parts[0].shape(), " and ", p.shape(), " cannot be joined at axis ", k));
    ends.push_back(end += p.shape()[k]);
    types.push_back(p.dtype());
  }
  return record(
      {"cat", {{"axis", k}}}, parts, [k](const Inputs& in) { return kernels::cat(in.list(), k); },
      [k, ends, types](const Saved& s, const Tensor& dy) {
        std::vector<Tensor> each(ends.size());
        std::int64_t begin = 0;
        for (std::size_t i = 0; i < ends.size(); begin = ends[i++])
          if (s.needs(static_cast<int>(i))) each[i] = to(slice(dy, k, begin, ends[i]), types[i]);
        return each;
      });
}

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw ShapeError("stack: there is nothing to join");
  std::vector<Tensor> rows;
  for (const Tensor& p : parts) {
    if (!(p.shape() == parts[0].shape()))
      throw ShapeError(text("stack: shapes ", parts[0].shape(), " and ", p.shape(), " differ"));
    rows.push_back(unsqueeze(p, axis));
  }
  return cat(rows, normalize_axis("stack", axis, parts[0].dim() + 1));
}

Tensor column_stack(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("column_stack: there is nothing to join");
  std::vector<Tensor> columns;
  for (const Tensor& p : parts) columns.push_back(p.dim() < 2 ? reshape(p, {p.numel(), 1}) : p);
  return cat(columns, 1);
}

Tensor hstack(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("hstack: there is nothing to join");
  std::vector<Tensor> each;
  for (const Tensor& p : parts) each.push_back(atleast_1d(p));
  return cat(each, each[0].dim() == 1 ? 0 : 1);
}

Tensor vstack(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("vstack: there is nothing to join");
  std::vector<Tensor> each;
  for (const Tensor& p : parts) each.push_back(atleast_2d(p));
  return cat(each, 0);
}

Tensor dstack(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("dstack: there is nothing to join");
  std::vector<Tensor> each;
  for (const Tensor& p : parts) each.push_back(atleast_3d(p));
  return cat(each, 2);
}

Tensor block_diag(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("block_diag: there is nothing to join");
  std::vector<Tensor> blocks;
  std::vector<DType> types;
  std::vector<std::int64_t> rows{0}, columns{0};
  DType type = parts[0].dtype();
  for (const Tensor& p : parts) {
    if (p.dim() > 2)
      throw ShapeError(text("block_diag: part ", blocks.size(), " has shape ", p.shape(), ", more than two axes"));
    blocks.push_back(atleast_2d(p));
    types.push_back(p.dtype());
    type = promote(type, p.dtype());
    rows.push_back(rows.back() + blocks.back().shape()[0]);
    columns.push_back(columns.back() + blocks.back().shape()[1]);
  }
  return record(
      {"block_diag"}, blocks,
      [=](const Inputs& in) {
        Tensor y = zeros({rows.back(), columns.back()}, type);
        for (std::size_t i = 0; i < in.size(); ++i)
          kernels::copy_into(slice(slice(y, 0, rows[i], rows[i + 1]), 1, columns[i], columns[i + 1]), in[i]);
        return y;
      },
      [rows, columns, types](const Saved& s, const Tensor& dy) {
        std::vector<Tensor> each(types.size());
        for (std::size_t i = 0; i < each.size(); ++i)
          if (s.needs(static_cast<int>(i)))
            each[i] = to(slice(slice(dy, 0, rows[i], rows[i + 1]), 1, columns[i], columns[i + 1]), types[i]);
        return each;
      });
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  const int k = normalize_axis("split", axis, x.dim());
  std::int64_t total = 0;
  bool countable = true;
  for (const std::int64_t n : sizes) countable &= n >= 0 && !__builtin_add_overflow(total, n, &total);
  if (!countable || x.dim() == 0 || total != x.shape()[k])
    throw ShapeError(text("split: the sizes add up to ", total, ", axis ", k, " of shape ", x.shape(), " does not"));
  if (sizes.empty()) return {};
  if (sizes.size() > most_outputs) {
    std::vector<Tensor> parts;
    std::int64_t at = 0;
    for (const std::int64_t n : sizes) {
      parts.push_back(slice(x, k, at, at + n));
      at += n;
    }
    return parts;
  }
  const Dims attribute = sizes.size() <= Dims::max_rank ? Dims(std::span(sizes)) : Dims();
  return record(
      {"split", {{"axis", k}, {"sizes", attribute}}}, {x},
      [=](const Inputs& in) {
        std::vector<Tensor> parts;
        std::int64_t at = 0;
        for (const std::int64_t n : sizes) {
          parts.push_back(slice_view(in[0], k, at, at + n, 1));
          at += n;
        }
        return parts;
      },
      [k, sizes, shape = x.shape(), type = x.dtype()](const Saved&, std::span<const Tensor> dys) -> Tensor {
        std::vector<Tensor> parts;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
          Shape part = shape;
          part[k] = sizes[i];
          parts.push_back(dys[i].defined() ? dys[i] : zeros(part, type));
        }
        return cat(parts, k);
      });
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int axis) {
  const int k = normalize_axis("chunk", axis, x.dim());
  if (chunks < 1) throw ConfigError(text("chunk: ", chunks, " parts\n  help: ask for 1 or more"));
  if (chunks > most_parts) throw ConfigError(text("chunk: ", chunks, " parts are more than ", most_parts));
  if (x.dim() == 0) throw ShapeError("chunk: a tensor of rank 0 has no axis to cut");
  const std::int64_t n = x.shape()[k], each = n == 0 ? 0 : (n - 1) / chunks + 1;
  std::vector<std::int64_t> sizes;
  for (std::int64_t at = 0; at < n; at += each) sizes.push_back(std::min(each, n - at));
  if (n == 0) sizes.assign(static_cast<std::size_t>(chunks), 0);
  return split(x, sizes, k);
}

std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, int axis) {
  const int k = normalize_axis("tensor_split", axis, x.dim());
  if (sections < 1) throw ConfigError(text("tensor_split: ", sections, " parts\n  help: ask for 1 or more"));
  if (sections > most_parts) throw ConfigError(text("tensor_split: ", sections, " parts are more than ", most_parts));
  if (x.dim() == 0) throw ShapeError("tensor_split: a tensor of rank 0 has no axis to cut");
  const std::int64_t each = x.shape()[k] / sections, larger = x.shape()[k] % sections;
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < sections; ++i) sizes.push_back(each + (i < larger));
  return split(x, sizes, k);
}

std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& places, int axis) {
  const int k = normalize_axis("tensor_split", axis, x.dim());
  if (x.dim() == 0) throw ShapeError("tensor_split: a tensor of rank 0 has no axis to cut");
  const std::int64_t n = x.shape()[k];
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t stop : places) {
    parts.push_back(slice(x, k, start, stop));  // places need not be sorted
    start = stop;
  }
  parts.push_back(slice(x, k, start, n));
  return parts;
}

std::vector<Tensor> unbind(const Tensor& x, int axis) {
  const int k = normalize_axis("unbind", axis, x.dim());
  if (x.dim() == 0) throw ShapeError("unbind: a tensor of rank 0 has no axis to cut");
  const std::int64_t n = x.shape()[k];
  if (n == 0) return {};
  if (n > static_cast<std::int64_t>(most_outputs)) {
    std::vector<Tensor> parts;
    for (std::int64_t i = 0; i < n; ++i) parts.push_back(select(x, k, i));
    return parts;
  }
  Shape part = x.shape();
  part.erase(k);
  return record(
      {"unbind", {{"axis", k}}}, {x},
      [=](const Inputs& in) {
        Strides strides = in[0].strides();
        strides.erase(k);
        std::vector<Tensor> parts;
        for (std::int64_t i = 0; i < n; ++i)
          parts.push_back(view_as(in[0], part, strides, part.product() ? i * in[0].strides()[k] : 0));
        return parts;
      },
      [k, part, type = x.dtype()](const Saved&, std::span<const Tensor> dys) -> Tensor {
        std::vector<Tensor> parts;
        for (const Tensor& dy : dys) parts.push_back(dy.defined() ? dy : zeros(part, type));
        return stack(parts, k);
      });
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : copy(x); }

Tensor to(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return record(
      {"to", {{"dtype", name(dtype)}}}, {x}, [dtype](const Inputs& in) { return kernels::cast(in[0], dtype); },
      [from = x.dtype()](const Saved&, const Tensor& dy) { return to(dy, from); });
}

Tensor copy(const Tensor& x) {
  return record(
      {"copy"}, {x}, [](const Inputs& in) { return kernels::copy(in[0]); },
      [](const Saved&, const Tensor& dy) { return dy; });
}

}  // namespace weft
