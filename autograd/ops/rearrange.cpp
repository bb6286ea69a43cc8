#include <weft/autograd/ops/rearrange.h>

#include <algorithm>

#include <weft/autograd/ops/indexing.h>
#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

// ---- diagonals: taking one and laying one out are each other's transpose

Tensor diagonal_view(const Tensor& x, std::int64_t offset, int first, int second) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  const std::int64_t rows = shape[first] + std::min<std::int64_t>(offset, 0),
                     columns = shape[second] - std::max<std::int64_t>(offset, 0);
  const std::int64_t n = std::max<std::int64_t>(std::min(rows, columns), 0);
  const std::int64_t step = strides[first] + strides[second];
  const std::int64_t begin = offset < 0 ? -offset * strides[first] : offset * strides[second];
  shape.erase(std::max(first, second));
  strides.erase(std::max(first, second));
  shape.erase(std::min(first, second));
  strides.erase(std::min(first, second));
  shape.push_back(n);
  strides.push_back(step);
  return view_as(x, shape, strides, shape.product() == 0 ? 0 : begin);
}

Tensor record_diagonal(const Tensor& x, std::int64_t offset, int first, int second);

/// Zeros of `shape` with x on a diagonal.
Tensor lay_diagonal(const char* name, const Tensor& x, const Shape& shape, std::int64_t offset, int first, int second) {
  return record(
      {name, {{"shape", shape}, {"offset", offset}, {"dim1", first}, {"dim2", second}}}, {x},
      [=](const Inputs& in) {
        Tensor y = zeros(shape, in[0].dtype());
        kernels::copy_into(diagonal_view(y, offset, first, second), in[0]);
        return y;
      },
      [=](const Saved&, const Tensor& dy) { return record_diagonal(dy, offset, first, second); });
}

Tensor record_diagonal(const Tensor& x, std::int64_t offset, int first, int second) {
  return record(
      {"diagonal", {{"offset", offset}, {"dim1", first}, {"dim2", second}}}, {x},
      [=](const Inputs& in) { return diagonal_view(in[0], offset, first, second); },
      [=, shape = x.shape()](const Saved&, const Tensor& dy) {
        return lay_diagonal("diagonal_grad", dy, shape, offset, first, second);
      });
}

// ---- windows

Tensor unfold_view(const Tensor& x, int axis, std::int64_t size, std::int64_t step) {
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape.push_back(size);
  strides.push_back(strides[axis]);
  shape[axis] = (shape[axis] - size) / step + 1;
  if (shape[axis] > 1) strides[axis] *= step;  // a single window may be any step away from the next
  return view_as(x, shape, strides);
}

/// Zeros of `shape` with the windows added where they were: the transpose of unfold.
Tensor unfold_grad(const Tensor& dy, const Shape& shape, int axis, std::int64_t size, std::int64_t step) {
  return record(
      {"unfold_grad", {{"shape", shape}, {"axis", axis}, {"size", size}, {"step", step}}}, {dy},
      [=](const Inputs& in) {
        Tensor dx = zeros(shape, in[0].dtype());
        const Tensor windows = unfold_view(dx, axis, size, step);
        for (std::int64_t i = 0; i < size; ++i)  // windows overlap, but not in one and the same place of each
          kernels::accumulate(select(windows, -1, i), select(in[0], -1, i));
        return dx;
      },
      [=](const Saved&, const Tensor& d) { return unfold(d, axis, size, step); });
}

/// n * times, or an error for what no memory holds.
std::int64_t grown(const char* op, std::int64_t n, std::int64_t times) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(n, times, &product) || product > std::int64_t{1} << 48)
    throw ShapeError(text(op, ": ", n, " elements ", times, " times are too many"));
  return product;
}

Tensor triangle(const char* name, const Tensor& x, std::int64_t offset, bool upper) {
  if (x.dim() < 2) throw ShapeError(text(name, ": x ", x.shape(), " has fewer than two axes"));
  return record(
      {name, {{"diagonal", offset}}}, {x}, [=](const Inputs& in) { return kernels::triangle(in[0], offset, upper); },
      [=](const Saved&, const Tensor& dy) { return triangle(name, dy, offset, upper); });
}

}  // namespace

Tensor flip(const Tensor& x, const std::vector<int>& axes) {
  Dims turned;
  for (const int axis : axes) {
    const int k = normalize_axis("flip", axis, x.dim());
    for (const std::int64_t other : turned)
      if (other == k) throw ShapeError(text("flip: axis ", k, " is named twice"));
    turned.push_back(k);
  }
  if (x.dim() == 0) return copy(x);
  return record(
      {"flip", {{"axes", turned}}}, {x},
      [=](const Inputs& in) {
        const std::vector<int> each(turned.begin(), turned.end());
        return kernels::flip(in[0], each);
      },
      [axes](const Saved&, const Tensor& dy) { return flip(dy, axes); });
}

Tensor fliplr(const Tensor& x) {
  if (x.dim() < 2) throw ShapeError(text("fliplr: x ", x.shape(), " has fewer than two axes"));
  return flip(x, {1});
}

Tensor flipud(const Tensor& x) {
  if (x.dim() < 1) throw ShapeError("flipud: a tensor of rank 0 has no axis to flip");
  return flip(x, {0});
}

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  const int k = normalize_axis("roll", axis, x.dim());
  const std::int64_t n = x.dim() ? x.shape()[k] : 1;
  if (n < 2) return copy(x);
  const std::int64_t from = ((n - shift % n) % n + n) % n;
  return cat({slice(x, k, from, n), slice(x, k, 0, from)}, k);
}

Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const std::vector<int>& axes) {
  if (axes.empty() && shifts.size() == 1) return reshape(roll(flatten(x), shifts[0], 0), x.shape());
  if (shifts.size() != axes.size())
    throw ShapeError(text("roll: ", shifts.size(), " shifts along ", axes.size(), " axes"));
  Tensor y = x;
  for (std::size_t i = 0; i < axes.size(); ++i) y = roll(y, shifts[i], axes[i]);
  return y;
}

Tensor rot90(const Tensor& x, int turns, int from, int to) {
  if (x.dim() < 2) throw ShapeError(text("rot90: x ", x.shape(), " has fewer than two axes"));
  const int a = normalize_axis("rot90", from, x.dim()), b = normalize_axis("rot90", to, x.dim());
  if (a == b) throw ShapeError(text("rot90: axis ", a, " cannot turn to itself"));
  switch ((turns % 4 + 4) % 4) {
    case 1: return transpose(flip(x, {b}), a, b);
    case 2: return flip(x, {a, b});
    case 3: return transpose(flip(x, {a}), a, b);
    default: return copy(x);
  }
}

Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& times) {
  const int rank = static_cast<int>(times.size());
  if (rank < x.dim())
    throw ShapeError(text("repeat: ", rank, " numbers for ", x.dim(), " axes\n  help: use tile, or give one per axis"));
  for (const std::int64_t n : times)
    if (n < 0) throw ConfigError(text("repeat: an axis cannot be repeated ", n, " times"));
  Shape shape = Shape::filled(rank, 1);
  for (int i = 0; i < x.dim(); ++i) shape[rank - x.dim() + i] = x.shape()[i];
  Tensor y = reshape(x, shape);
  for (int axis = rank - 1; axis >= 0; --axis) {  // one by one: cut into twice as many axes it could have too many
    const std::int64_t n = times[static_cast<std::size_t>(axis)];
    if (n == 1) continue;
    std::int64_t before = 1, behind = 1;
    for (int i = 0; i < rank; ++i) (i < axis ? before : behind) *= shape[i];
    grown("repeat", y.numel(), n);
    shape[axis] = grown("repeat", shape[axis], n);
    y = reshape(expand(reshape(y, {before, 1, behind}), {before, n, behind}), shape);
  }
  return y;
}

Tensor tile(const Tensor& x, const std::vector<std::int64_t>& times) {
  std::vector<std::int64_t> all = times;
  if (static_cast<int>(all.size()) < x.dim())
    all.insert(all.begin(), static_cast<std::size_t>(x.dim()) - all.size(), 1);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t times, std::optional<int> axis) {
  if (times < 0) throw ConfigError(text("repeat_interleave: an element cannot be repeated ", times, " times"));
  const Tensor line = axis ? detail::as_line(x) : flatten(x);
  const int k = normalize_axis("repeat_interleave", axis.value_or(0), line.dim());
  Shape shape = line.shape();
  std::int64_t before = 1, behind = 1;
  for (int i = 0; i < line.dim(); ++i) (i <= k ? before : behind) *= shape[i];
  grown("repeat_interleave", line.numel(), times);
  shape[k] = grown("repeat_interleave", shape[k], times);
  return reshape(expand(reshape(line, {before, 1, behind}), {before, times, behind}), shape);
}

Tensor repeat_interleave(const Tensor& x, const Tensor& times, std::optional<int> axis) {
  const Tensor counts = detail::as_index("repeat_interleave", times);
  if (counts.dim() > 1)
    throw ShapeError(text("repeat_interleave: the numbers ", times.shape(), " have more than one axis"));
  const Tensor line = axis ? detail::as_line(x) : flatten(x);
  const int k = normalize_axis("repeat_interleave", axis.value_or(0), line.dim());
  const std::vector<std::int64_t> each = to_vector<std::int64_t>(counts);
  const auto n = static_cast<std::size_t>(line.shape()[k]);
  if (each.size() != n && each.size() != 1)
    throw ShapeError(text("repeat_interleave: ", each.size(), " numbers for axis ", k, " of shape ", line.shape()));
  std::int64_t total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t count = each[each.size() == 1 ? 0 : i];
    if (count < 0) throw ConfigError(text("repeat_interleave: an element cannot be repeated ", count, " times"));
    total += grown("repeat_interleave", 1, count);
  }
  Tensor places = empty({total}, DType::int64);
  auto* next = places.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < n; ++i)
    next = std::fill_n(next, each[each.size() == 1 ? 0 : i], static_cast<std::int64_t>(i));
  return index_select(line, k, places);
}

Tensor unfold(const Tensor& x, int axis, std::int64_t size, std::int64_t step) {
  const int k = normalize_axis("unfold", axis, x.dim());
  const std::int64_t n = x.dim() ? x.shape()[k] : 1;
  if (size < 0 || size > n)
    throw ShapeError(text("unfold: windows of ", size, " do not fit axis ", k, " of shape ", x.shape()));
  if (step < 1) throw ConfigError(text("unfold: step ", step, "\n  help: choose a step of 1 or more"));
  if (x.dim() == 0) return slice(reshape(x, {1}), 0, 0, size);
  return record(
      {"unfold", {{"axis", k}, {"size", size}, {"step", step}}}, {x},
      [=](const Inputs& in) { return unfold_view(in[0], k, size, step); },
      [=, shape = x.shape()](const Saved&, const Tensor& dy) { return unfold_grad(dy, shape, k, size, step); });
}

Tensor diagonal(const Tensor& x, std::int64_t offset, int first, int second) {
  if (x.dim() < 2) throw ShapeError(text("diagonal: x ", x.shape(), " has fewer than two axes"));
  const int a = normalize_axis("diagonal", first, x.dim()), b = normalize_axis("diagonal", second, x.dim());
  if (a == b) throw ShapeError(text("diagonal: axis ", a, " is named twice"));
  // Beyond the corners there is nothing, however far.
  return record_diagonal(x, std::clamp(offset, -x.shape()[a], x.shape()[b]), a, b);
}

Tensor diag_embed(const Tensor& x, std::int64_t offset, int first, int second) {
  if (x.dim() < 1) throw ShapeError("diag_embed: a tensor of rank 0 has no axis to lay out");
  const int a = normalize_axis("diag_embed", first, x.dim() + 1), b = normalize_axis("diag_embed", second, x.dim() + 1);
  if (a == b) throw ShapeError(text("diag_embed: axis ", a, " is named twice"));
  constexpr std::int64_t most = std::int64_t{1} << 48;
  if (offset > most || offset < -most)
    throw ShapeError(text("diag_embed: offset ", offset, " asks for more elements than any memory holds"));
  const std::int64_t n = x.shape().back() + std::abs(offset);
  Shape shape = x.shape();
  shape.erase(x.dim() - 1);
  shape.insert(std::min(a, b), n);
  shape.insert(std::max(a, b), n);
  return lay_diagonal("diag_embed", x, shape, offset, a, b);
}

Tensor diag(const Tensor& x, std::int64_t offset) {
  if (x.dim() != 1 && x.dim() != 2)
    throw ShapeError(
        text("diag: x ", x.shape(), " is neither a vector nor a matrix\n  help: use diagonal or diag_embed"));
  return x.dim() == 1 ? diag_embed(x, offset) : diagonal(x, offset);
}

Tensor trace(const Tensor& x) {
  if (x.dim() != 2) throw ShapeError(text("trace: x ", x.shape(), " is not a matrix"));
  return sum(diagonal(x));
}

Tensor tril(const Tensor& x, std::int64_t offset) { return triangle("tril", x, offset, false); }
Tensor triu(const Tensor& x, std::int64_t offset) { return triangle("triu", x, offset, true); }

Tensor fill(const Tensor& x, const Scalar& value) { return fill(x, detail::value_for("fill", value, x.dtype())); }

Tensor fill(const Tensor& x, const Tensor& value) {
  if (value.dim() != 0) throw ShapeError(text("fill: the value ", value.shape(), " is not a single number"));
  return record(
      {"fill"}, {x, detail::values_for("fill", value, x.dtype())},
      [](const Inputs& in) {
        Tensor y = empty_like(in[0]);
        kernels::copy_into(y, in[1]);
        return y;
      },
      [](const Saved& s, const Tensor& dy) { return gradients(Tensor(), s.needs(1) ? sum(dy) : Tensor()); });
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& parts, GridIndexing indexing) {
  Shape grid;
  for (const Tensor& p : parts) {
    if (p.dim() > 1)
      throw ShapeError(
          text("meshgrid: part ", grid.size(), " has shape ", p.shape(), "\n  help: pass vectors or single numbers"));
    grid.push_back(p.numel());
  }
  const bool swap = indexing == GridIndexing::xy && parts.size() > 1;
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Shape line = Shape::filled(grid.size(), 1);
    line[static_cast<int>(i)] = parts[i].numel();
    const Tensor each = expand(reshape(parts[i], line), grid);
    all.push_back(swap ? transpose(each, 0, 1) : each);
  }
  return all;
}

Tensor cartesian_prod(const std::vector<Tensor>& parts) {
  if (parts.empty()) throw ShapeError("cartesian_prod: there is nothing to join");
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (parts[i].dim() != 1)
      throw ShapeError(text("cartesian_prod: part ", i, " has shape ", parts[i].shape(), ", not one axis"));
  if (parts.size() == 1) return parts[0];
  std::vector<Tensor> columns;
  for (const Tensor& each : meshgrid(parts)) columns.push_back(flatten(each));
  return stack(columns, 1);
}

/// Elements that combinations lists at most.
constexpr double most_choices = 1 << 28;

Tensor combinations(const Tensor& x, int r, bool with_replacement) {
  if (x.dim() != 1) throw ShapeError(text("combinations: x ", x.shape(), " is not one axis"));
  if (r < 0) throw ConfigError(text("combinations: choices of ", r, " elements"));
  if (r == 0) return slice(x, 0, 0, 0);
  const std::int64_t n = x.numel(), step = with_replacement ? 0 : 1;
  if (n == 0 || (r > n && !with_replacement)) return reshape(slice(x, 0, 0, 0), {0, r});
  double elements = r;  // times the number of choices, n over r
  const std::int64_t least = std::min<std::int64_t>(r, with_replacement ? n - 1 : n - r);
  for (std::int64_t i = 0; i < least && elements <= most_choices; ++i)
    elements *= static_cast<double>(n + (with_replacement ? r - 1 : 0) - i) / static_cast<double>(i + 1);
  if (elements > most_choices)
    throw ShapeError(text("combinations: the choices of ", r, " of ", n, " elements are too many"));
  const std::size_t count = static_cast<std::size_t>(r);
  std::vector<std::int64_t> choice, places;
  for (std::int64_t i = 0; i < r; ++i) choice.push_back(i * step);
  bool more = true;
  while (more) {
    places.insert(places.end(), choice.begin(), choice.end());
    more = false;
    for (std::size_t i = count; i-- > 0 && !more;) {  // the last element that can move on, and those behind it
      if (choice[i] + 1 + step * static_cast<std::int64_t>(count - 1 - i) >= n) continue;
      ++choice[i];
      for (std::size_t j = i + 1; j < count; ++j) choice[j] = choice[j - 1] + step;
      more = true;
    }
  }
  return reshape(index_select(x, 0, from(places)), {static_cast<std::int64_t>(places.size() / count), r});
}

}  // namespace weft
