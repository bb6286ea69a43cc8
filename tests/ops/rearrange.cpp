#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

using Place = std::vector<std::int64_t>;

/// A tensor of `shape` whose element at each place is f(place).
Tensor made(const Shape& shape, const std::function<double(const Place&)>& f) {
  std::vector<double> y;
  Place place(static_cast<std::size_t>(shape.size()));
  for (std::int64_t n = 0; n < shape.product(); ++n) {
    std::int64_t rest = n;
    for (int i = shape.size() - 1; i >= 0; --i) {
      place[static_cast<std::size_t>(i)] = rest % shape[i];
      rest /= shape[i];
    }
    y.push_back(f(place));
  }
  return from(y, shape);
}

/// Reads a tensor by places.
std::function<double(const Place&)> reader(const Tensor& x) {
  return [values = to_vector<double>(x), shape = x.shape()](const Place& place) {
    std::int64_t at = 0;
    for (int i = 0; i < shape.size(); ++i) at = at * shape[i] + place.at(static_cast<std::size_t>(i));
    return values.at(static_cast<std::size_t>(at));
  };
}

Tensor flipped(const Tensor& x, const std::vector<int>& axes) {
  const auto read = reader(x);
  return made(x.shape(), [&](Place place) {
    for (const int axis : axes) {
      const int k = normalize_axis("reference", axis, x.dim());
      auto& i = place[static_cast<std::size_t>(k)];
      i = x.shape()[k] - 1 - i;
    }
    return read(place);
  });
}

Outputs rolled(const Args& a) {
  const std::vector<std::int64_t> shifts = a.integers("shifts");
  const std::vector<int> axes = a.axes("dims");
  if (shifts.size() == 1 && axes.size() == 1) return roll(a.tensor("input"), shifts[0], axes[0]);
  return roll(a.tensor("input"), shifts, axes);
}

Tensor repeated(const Args& a) {
  const Tensor x = a.tensor("input");
  const auto read = reader(x);
  Place times = a.integers(a.has("repeats") ? "repeats" : "dims");
  while (static_cast<int>(times.size()) < x.dim()) times.insert(times.begin(), 1);
  Shape shape(std::span<const std::int64_t>(times.data(), times.size()));
  const int extra = shape.size() - x.dim();
  for (int i = 0; i < x.dim(); ++i) shape[extra + i] *= x.shape()[i];
  return made(shape, [&](const Place& place) {
    Place source;
    for (int i = 0; i < x.dim(); ++i) source.push_back(place[static_cast<std::size_t>(extra + i)] % x.shape()[i]);
    return read(source);
  });
}

Outputs interleaved(const Args& a) {
  const std::optional<int> axis = a.has("dim") ? std::optional<int>(a.axis("dim")) : std::nullopt;
  if (a.is_tensor("repeats")) return repeat_interleave(a.tensor("input"), a.tensor("repeats"), axis);
  return repeat_interleave(a.tensor("input"), a.integer("repeats"), axis);
}

Outputs interleaved_reference(const Args& a) {
  const Place times = a.is_tensor("repeats") ? to_vector<std::int64_t>(a.tensor("repeats")) : a.integers("repeats");
  const Tensor x = a.has("dim") ? a.tensor("input") : flatten(a.tensor("input"));
  return along(x, a.has("dim") ? a.axis("dim") : 0, [&](const std::vector<double>& line) {
    std::vector<double> y;
    for (std::size_t i = 0; i < line.size(); ++i)
      y.insert(y.end(), static_cast<std::size_t>(times[times.size() == 1 ? 0 : i]), line[i]);
    return y;
  });
}

Call along_diagonal(Tensor (*f)(const Tensor&, std::int64_t, int, int)) {
  return [f](const Args& a) { return f(a.tensor("input"), a.integer("offset"), a.axis("dim1"), a.axis("dim2")); };
}

Tensor part_of_matrices(const Args& a, bool upper) {
  const auto read = reader(a.tensor("input"));
  return made(a.tensor("input").shape(), [&](const Place& place) {
    const std::int64_t right = place.back() - place[place.size() - 2] - a.integer("diagonal");
    return (upper ? right >= 0 : right <= 0) ? read(place) : 0.0;
  });
}

const Family turns{
    Record{.name = "flip",
           .torch = {"flip(input, *dims)"},
           .call = [](const Args& a) { return flip(a.tensor("input"), a.axes("dims")); },
           .samples = {"x(3, 4), [0, 1]", "x(2, 3, 4), [0, -1]", "x(2, 3), []", "x(0, 3), [1]", "x(), []", "x(70), 0",
                       "x(2, 1, 3), [1]"},
           .reference = [](const Args& a) { return flipped(a.tensor("input"), a.axes("dims")); },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .errors = {{"x(2, 3), [0, -2]", "ShapeError: flip: axis 0 is named twice"},
                      {"x(2), [1]",
                       "ShapeError: flip: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{.name = "fliplr",
           .torch = {"fliplr(input)"},
           .call = unary(fliplr),
           .samples = {"x(3, 4)", "x(2, 3, 4)", "x(0, 3)"},
           .reference = [](const Args& a) { return flipped(a.tensor("input"), {1}); },
           .types = {DType::int64},
           .errors = {{"x(3)", "ShapeError: fliplr: x [3] has fewer than two axes"}}},
    Record{.name = "flipud",
           .torch = {"flipud(input)"},
           .call = unary(flipud),
           .samples = {"x(3, 4)", "x(5)", "x(0, 3)"},
           .reference = [](const Args& a) { return flipped(a.tensor("input"), {0}); },
           .types = {DType::int64},
           .errors = {{"x()", "ShapeError: flipud: a tensor of rank 0 has no axis to flip"}}},
    Record{.name = "roll",
           .torch = {"roll(input, shifts, dims=None)"},
           .call = rolled,
           .samples = {"x(3, 4), 1, 0", "x(3, 4), -5, 1", "x(3, 4), [2, 1], [0, 1]", "x(3, 4), 5", "x(), 3",
                       "x(), 3, 0", "x(0, 3), 7, 1", "x(4), 10000, -1", "x(3), [1, 1], [0, 0]"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const std::vector<std::int64_t> shifts = a.integers("shifts");
                 const auto turned = [](const Tensor& t, int axis, std::int64_t shift) {
                   return along(t, axis, [shift](const std::vector<double>& line) {
                     const auto n = static_cast<std::int64_t>(line.size());
                     std::vector<double> y(line.size());
                     for (std::int64_t i = 0; i < n; ++i)
                       y[static_cast<std::size_t>(((i + shift) % n + n) % n)] = line[static_cast<std::size_t>(i)];
                     return y;
                   });
                 };
                 if (!a.has("dims")) return reshape(turned(flatten(x), 0, shifts[0]), x.shape());
                 Tensor y = x;
                 for (std::size_t i = 0; i < shifts.size(); ++i) y = turned(y, a.axes("dims")[i], shifts[i]);
                 return y;
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), [1, 2], [0]", "ShapeError: roll: 2 shifts along 1 axes"},
                      {"x(3), [1, 2]", "ShapeError: roll: 2 shifts along 0 axes"}}},
    Record{.name = "rot90",
           .torch = {"rot90(input, k=1, dims=[0, 1])"},
           .call =
               [](const Args& a) {
                 const std::vector<int> axes = a.axes("dims");
                 if (axes.size() != 2) throw ConfigError("rot90: it takes two axes");
                 return rot90(a.tensor("input"), a.axis("k"), axes[0], axes[1]);
               },
           .samples = {"x(2, 3)", "x(2, 3), 2", "x(2, 3), -1", "x(2, 3, 4), 5, [1, 2]", "x(2, 3, 4), -4, [0, -1]",
                       "x(2, 3), 1, [1, 0]", "x(0, 3)"},
           .reference =
               [](const Args& a) {
                 Tensor y = a.tensor("input");
                 const std::vector<int> axes = a.axes("dims");
                 for (std::int64_t i = 0; i < ((a.integer("k") % 4) + 4) % 4; ++i)
                   y = flipped(transpose(y, axes[0], axes[1]), {axes[0]});
                 return y;
               },
           .types = {DType::int64},
           .errors = {{"x(3)", "ShapeError: rot90: x [3] has fewer than two axes"},
                      {"x(3, 2), 1, [1, -1]", "ShapeError: rot90: axis 1 cannot turn to itself"}}},
};

const Family repetitions{
    Record{
        .name = "repeat",
        .torch = {"repeat(input, *repeats)"},
        .call = [](const Args& a) { return repeat(a.tensor("input"), a.integers("repeats")); },
        .samples = {"x(2, 3), [2, 3]", "x(3), [2, 1, 2]", "x(), [2, 3]", "x(), []", "x(2), [0]", "x(0), [3]",
                    "x(1, 2, 1, 2, 1), [2, 1, 1, 2, 3]"},
        .reference = repeated,
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(2, 3), [2]", "ShapeError: repeat: 1 numbers for 2 axes\n  help: use tile, or give one per axis"},
                   {"x(2), [1000000000000000]", "ShapeError: repeat: 2 elements 1000000000000000 times are too many"},
                   {"x(2), [-1]", "ConfigError: repeat: an axis cannot be repeated -1 times"}}},
    Record{.name = "tile",
           .torch = {"tile(input, *dims)"},
           .call = [](const Args& a) { return tile(a.tensor("input"), a.integers("dims")); },
           .samples = {"x(2, 3), [2]", "x(2, 3), [2, 1, 2]", "x(), []", "x(2), [0, 2]", "x(0, 2), [3]"},
           .reference = repeated,
           .types = {DType::int64}},
    Record{.name = "repeat_interleave",
           .torch = {"repeat_interleave(input, repeats, dim=None, *, output_size=None)"},
           .call = interleaved,
           .samples = {"x(2, 3, 2), 2, 1", "x(2, 3), 2", "x(), 3", "x(3, 2), tensor([2, 0, 1], 'int64'), 0",
                       "x(2, 3), tensor([3], 'int64'), -1", "x(2, 2), tensor([1, 2, 0, 1], 'int32')", "x(3), 0",
                       "x(0, 2), 2, 0", "x(2), tensor(2, 'int64'), 0"},
           .reference = interleaved_reference,
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), -1", "ConfigError: repeat_interleave: an element cannot be repeated -1 times"},
                      {"x(2), tensor([1, -2], 'int64'), 0",
                       "ConfigError: repeat_interleave: an element cannot be repeated -2 times"},
                      {"x(3), tensor([1, 2], 'int64'), 0",
                       "ShapeError: repeat_interleave: 2 numbers for axis 0 of shape [3]"},
                      {"x(3), index(2, 2), 0",
                       "ShapeError: repeat_interleave: the numbers [2, 2] have more than one axis"},
                      {"x(2), x(2), 0",
                       "DtypeError: repeat_interleave: the index is float64\n  help: convert it with "
                       "to(index, DType::int64)"}}},
    Record{.name = "unfold",
           .torch = {"unfold(input, dimension, size, step)", "unfold_copy(input, dimension, size, step)"},
           .call =
               [](const Args& a) {
                 return unfold(a.tensor("input"), a.axis("dimension"), a.integer("size"), a.integer("step"));
               },
           .samples = {"x(7), 0, 3, 2", "x(2, 5, 3), 1, 3, 1", "x(4, 6), -1, 2, 4", "x(), 0, 1, 1", "x(), 0, 0, 1",
                       "x(3), 0, 0, 2", "x(0, 3), 1, 2, 1", "x(5), 0, 5, 3"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const std::int64_t size = a.integer("size"), step = a.integer("step");
                 if (x.dim() == 0) return made({size}, [&](const Place&) { return x.item(); });
                 const auto read = reader(x);
                 const int k = normalize_axis("reference", a.axis("dimension"), x.dim());
                 Shape shape = x.shape();
                 shape[k] = (shape[k] - size) / step + 1;
                 shape.push_back(size);
                 return made(shape, [&](Place place) {
                   place[static_cast<std::size_t>(k)] = place[static_cast<std::size_t>(k)] * step + place.back();
                   return read(place);
                 });
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), 0, 4, 1", "ShapeError: unfold: windows of 4 do not fit axis 0 of shape [3]"},
                      {"x(), 0, 2, 1", "ShapeError: unfold: windows of 2 do not fit axis 0 of shape []"},
                      {"x(3), 0, -1, 1", "ShapeError: unfold: windows of -1 do not fit axis 0 of shape [3]"},
                      {"x(3), 0, 2, 0", "ConfigError: unfold: step 0\n  help: choose a step of 1 or more"}}},
    Record{.name = "fill",
           .torch = {"fill(input, value)"},
           .call =
               [](const Args& a) {
                 return a.is_tensor("value") ? fill(a.tensor("input"), a.tensor("value"))
                                             : fill(a.tensor("input"), a.number("value"));
               },
           .samples = {"x(3, 2), 2.5", "x(), True", "x(0, 2), 1", "x(2, 3), x()", "x(), x()"},
           .reference =
               [](const Args& a) {
                 return made(a.tensor("input").shape(), [&](const Place&) { return a.real("value"); });
               },
           .types = {DType::bfloat16},
           .errors = {{"x(3), x(3)", "ShapeError: fill: the value [3] is not a single number"},
                      {"index(3), x()",
                       "DtypeError: fill: float64 values do not fit into a tensor of int64\n"
                       "  help: convert one of the two with to"},
                      {"index(3), 0.5",
                       "DtypeError: fill: 0.5 does not fit into a tensor of int64\n"
                       "  help: convert the tensor with to(x, DType::float32)"}}},
};

const Family diagonals{
    Record{.name = "diagonal",
           .torch = {"diagonal(input, offset=0, dim1=0, dim2=1)"},
           .call = along_diagonal(diagonal),
           .samples = {"x(3, 4)", "x(3, 4), 2", "x(4, 3), -1", "x(2, 3, 4), 1, 1, 2", "x(2, 3, 4), -2, -1, 0",
                       "x(3, 4), 4", "x(3, 4), -9", "x(0, 3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const auto read = reader(x);
                 const int p = normalize_axis("reference", a.axis("dim1"), x.dim()),
                           q = normalize_axis("reference", a.axis("dim2"), x.dim());
                 const std::int64_t offset = a.integer("offset");
                 std::int64_t n = 0;
                 for (std::int64_t i = 0; i < x.shape()[p]; ++i) n += i + offset >= 0 && i + offset < x.shape()[q];
                 Shape shape;
                 for (int i = 0; i < x.dim(); ++i)
                   if (i != p && i != q) shape.push_back(x.shape()[i]);
                 shape.push_back(n);
                 return made(shape, [&](const Place& place) {
                   Place source;
                   std::size_t next = 0;
                   const std::int64_t i = place.back() + std::max<std::int64_t>(0, -offset);
                   for (int axis = 0; axis < x.dim(); ++axis)
                     source.push_back(axis == p ? i : axis == q ? i + offset : place[next++]);
                   return read(source);
                 });
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3)", "ShapeError: diagonal: x [3] has fewer than two axes"},
                      {"x(3, 3), 0, 1, -1", "ShapeError: diagonal: axis 1 is named twice"}}},
    Record{.name = "diag_embed",
           .torch = {"diag_embed(input, offset=0, dim1=-2, dim2=-1)"},
           .call = along_diagonal(diag_embed),
           .samples = {"x(3)", "x(2, 3), 1", "x(2, 3), -2", "x(2, 3, 2), 1, 0, 2", "x(2, 3), 0, 2, 0", "x(0)",
                       "x(0, 2), 1"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const auto read = reader(x);
                 const int p = normalize_axis("reference", a.axis("dim1"), x.dim() + 1),
                           q = normalize_axis("reference", a.axis("dim2"), x.dim() + 1);
                 const std::int64_t offset = a.integer("offset"), n = x.shape().back() + std::abs(offset);
                 Shape shape;
                 for (int axis = 0, next = 0; axis <= x.dim(); ++axis)
                   shape.push_back(axis == p || axis == q ? n : x.shape()[next++]);
                 return made(shape, [&](const Place& place) {
                   const std::int64_t i = place[static_cast<std::size_t>(p)], j = place[static_cast<std::size_t>(q)];
                   if (j - i != offset) return 0.0;
                   Place source;
                   for (int axis = 0; axis <= x.dim(); ++axis)
                     if (axis != p && axis != q) source.push_back(place[static_cast<std::size_t>(axis)]);
                   source.push_back(std::min(i, j));
                   return read(source);
                 });
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), -9223372036854775807",
                       "ShapeError: diag_embed: offset -9223372036854775807 asks for more elements than any memory "
                       "holds"},
                      {"x()", "ShapeError: diag_embed: a tensor of rank 0 has no axis to lay out"},
                      {"x(3), 0, 1, 1", "ShapeError: diag_embed: axis 1 is named twice"}}},
    Record{.name = "diag",
           .torch = {"diag(input, diagonal=0)"},
           .call = [](const Args& a) { return diag(a.tensor("input"), a.integer("diagonal")); },
           .samples = {"x(3)", "x(3), -1", "x(3, 4), 1", "x(4, 2)", "x(0)", "x(0, 2)"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(2, 3, 4)",
                       "ShapeError: diag: x [2, 3, 4] is neither a vector nor a matrix\n  help: use "
                       "diagonal or diag_embed"}}},
    Record{.name = "trace",
           .torch = {"trace(input)"},
           .call = unary(trace),
           .samples = {"x(3, 3)", "x(2, 4)", "x(0, 3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 double sum = 0;
                 for (std::int64_t i = 0; i < std::min(x.size(0), x.size(1)); ++i)
                   sum += to_vector<double>(x)[static_cast<std::size_t>(i * (x.size(1) + 1))];
                 return from(std::vector<double>{sum}, Shape{});
               },
           .types = {DType::int64},
           .errors = {{"x(3)", "ShapeError: trace: x [3] is not a matrix"}}},
    Record{.name = "tril",
           .torch = {"tril(input, diagonal=0)"},
           .call = [](const Args& a) { return tril(a.tensor("input"), a.integer("diagonal")); },
           .samples = {"x(4, 4)", "x(4, 3), -1", "x(3, 5), 2", "x(2, 3, 3), -7", "x(3, 3), 4000000000000000000",
                       "x(0, 3)", "x(2, 0)"},
           .reference = [](const Args& a) { return part_of_matrices(a, false); },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .errors = {{"x(3)", "ShapeError: tril: x [3] has fewer than two axes"}}},
    Record{.name = "tril/not finite",
           .weft = "tril(input, diagonal)",
           .call = [](const Args& a) { return tril(a.tensor("input"), a.integer("diagonal")); },
           .samples = {"tensor([[nan, inf], [nan, -inf]]), -1", "tensor([[nan, inf], [nan, -inf]]), 0"},
           .reference = [](const Args& a) { return part_of_matrices(a, false); },
           .no_gradient = "differences of NaN and infinity are none; the zeros are what counts here"},
    Record{.name = "triu",
           .torch = {"triu(input, diagonal=0)"},
           .call = [](const Args& a) { return triu(a.tensor("input"), a.integer("diagonal")); },
           .samples = {"x(4, 4)", "x(4, 3), 1", "x(5, 3), -2", "x(2, 3, 3), 7", "x(0, 3)"},
           .reference = [](const Args& a) { return part_of_matrices(a, true); },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .errors = {{"x()", "ShapeError: triu: x [] has fewer than two axes"}}},
};

const Family grids{
    Record{.name = "meshgrid",
           .torch = {"meshgrid(*tensors, indexing='ij')"},
           .call =
               [](const Args& a) {
                 return meshgrid(a.tensors("tensors"),
                                 a.word("indexing") == "xy" ? GridIndexing::xy : GridIndexing::ij);
               },
           .samples = {"[x(2), x(3)]", "[x(2), x(3), x(2)], indexing='xy'", "[x(), x(2)]", "[x(3)], indexing='xy'",
                       "[x(0), x(2)]", "[x(2), x(3)], indexing='xy'"},
           .reference =
               [](const Args& a) {
                 const std::vector<Tensor> parts = a.tensors("tensors");
                 Shape shape;
                 for (const Tensor& p : parts) shape.push_back(p.numel());
                 const bool swap = a.word("indexing") == "xy" && parts.size() > 1;
                 if (swap) std::swap(shape[0], shape[1]);
                 Outputs all;
                 for (std::size_t i = 0; i < parts.size(); ++i)
                   all.push_back(made(shape, [&](const Place& place) {
                     return to_vector<double>(parts[i])[static_cast<std::size_t>(place[swap && i < 2 ? 1 - i : i])];
                   }));
                 return all;
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"[x(2), x(2, 2)]",
                       "ShapeError: meshgrid: part 1 has shape [2, 2]\n  help: pass vectors or single numbers"}}},
    Record{.name = "cartesian_prod",
           .torch = {"cartesian_prod(*tensors)"},
           .call = [](const Args& a) { return cartesian_prod(a.tensors("tensors")); },
           .samples = {"[x(2), x(3)]", "[x(2), x(1), x(3)]", "[x(4)]", "[x(0), x(2)]"},
           .reference = [](const Args& a) -> Tensor {
             const std::vector<Tensor> parts = a.tensors("tensors");
             std::vector<std::vector<double>> rows{{}};
             for (const Tensor& p : parts) {
               std::vector<std::vector<double>> longer;
               for (const auto& row : rows)
                 for (const double v : to_vector<double>(p)) {
                   longer.push_back(row);
                   longer.back().push_back(v);
                 }
               rows = longer;
             }
             std::vector<double> y;
             for (const auto& row : rows) y.insert(y.end(), row.begin(), row.end());
             const auto n = static_cast<std::int64_t>(rows.size()), m = static_cast<std::int64_t>(parts.size());
             return from(y, m == 1 ? Shape{n} : Shape{n, m});
           },
           .types = {DType::int64},
           .errors = {{"[]", "ShapeError: cartesian_prod: there is nothing to join"},
                      {"[x(2), x()]", "ShapeError: cartesian_prod: part 1 has shape [], not one axis"}}},
    Record{
        .name = "combinations",
        .torch = {"combinations(input, r=2, with_replacement=False)"},
        .call = [](const Args& a) { return combinations(a.tensor("input"), a.axis("r"), a.flag("with_replacement")); },
        .samples = {"x(4)", "x(5), 3", "x(3), 2, True", "x(2), 4, True", "x(2), 3", "x(0)", "x(3), 0", "x(3), 1",
                    "x(1), 2, True", "x(0), 2, True"},
        .reference = [](const Args& a) -> Tensor {
          const std::vector<double> v = to_vector<double>(a.tensor("input"));
          const auto r = static_cast<std::size_t>(a.integer("r"));
          if (r == 0) return from(std::vector<double>{}, Shape{0});
          std::vector<double> y;
          std::int64_t rows = 0;
          std::vector<std::size_t> chosen;
          const std::function<void(std::size_t)> choose = [&](std::size_t first) {
            if (chosen.size() == r) {
              for (const std::size_t i : chosen) y.push_back(v[i]);
              ++rows;
              return;
            }
            for (std::size_t i = first; i < v.size(); ++i) {
              chosen.push_back(i);
              choose(a.flag("with_replacement") ? i : i + 1);
              chosen.pop_back();
            }
          };
          choose(0);
          return from(y, {rows, static_cast<std::int64_t>(r)});
        },
        .types = {DType::int64},
        .errors = {{"x(2, 2)", "ShapeError: combinations: x [2, 2] is not one axis"},
                   {"x(60), 30", "ShapeError: combinations: the choices of 30 of 60 elements are too many"},
                   {"x(2), -1", "ConfigError: combinations: choices of -1 elements"}}},
};

}  // namespace
}  // namespace weft::tests
