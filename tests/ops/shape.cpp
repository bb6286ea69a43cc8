#include <algorithm>
#include <cmath>
#include <limits>

#include "record.h"

namespace weft::tests {
namespace {

/// Parts of a tensor in PyTorch's ways to say it: a size or sizes.
Outputs parts(const Args& a) {
  const Tensor x = a.tensor("input");
  const int axis = a.axis("dim");
  if (a.is_list("split_size_or_sections")) return split(x, a.integers("split_size_or_sections"), axis);
  std::vector<std::int64_t> sizes;
  const std::int64_t n = x.size(axis), each = a.integer("split_size_or_sections");
  if (each < 1) throw ConfigError(text("split: parts of ", each, " elements"));
  for (std::int64_t at = 0; at < n; at += each) sizes.push_back(std::min(each, n - at));
  return split(x, sizes, axis);
}

/// The slices along an axis, cut into `count` runs of which each is as long as `size` says.
Outputs cut(const Tensor& x, int axis, std::int64_t count, const std::function<std::int64_t(std::int64_t)>& size) {
  Outputs all;
  std::size_t begin = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto n = static_cast<std::size_t>(size(i));
    all.push_back(along(x, axis, [&](const std::vector<double>& line) {
      const auto first = line.begin() + static_cast<std::ptrdiff_t>(begin);
      return std::vector<double>(first, first + static_cast<std::ptrdiff_t>(n));
    }));
    begin += n;
  }
  return all;
}

Outputs squeezed(const Args& a) {
  const Tensor x = a.tensor("input");
  if (!a.has("dim")) return squeeze(x);
  std::vector<int> axes;  // PyTorch leaves other sizes alone, where weft says that it cannot
  for (const int axis : a.axes("dim"))
    if (x.dim() > 0 && x.size(axis) == 1) axes.push_back(axis);
  return squeeze(x, axes);
}

/// Elements of a tensor in row-major order by their places.
Tensor picked(const Tensor& x, const Shape& shape,
              const std::function<std::size_t(const std::vector<std::int64_t>&)>& at) {
  const std::vector<double> values = to_vector<double>(x);
  std::vector<double> y;
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.size()));
  for (std::int64_t n = 0; n < shape.product(); ++n) {
    std::int64_t rest = n;
    for (int i = shape.size() - 1; i >= 0; --i) {
      index[static_cast<std::size_t>(i)] = rest % shape[i];
      rest /= shape[i];
    }
    y.push_back(values.at(at(index)));
  }
  return from(y, shape);
}

const Family views{
    Record{
        .name = "reshape",
        .torch = {"reshape(input, *shape)", "view(input, *shape)", "reshape_as(input, other)", "view_as(input, other)"},
        .call =
            [](const Args& a) {
              return reshape(a.tensor("input"), a.is_tensor("other") ? a.tensor("other").shape() : a.shape("shape"));
            },
        .samples = {"x(3, 4), 12", "x(3, 4), [2, -1]", "x(2, 3, 4), [6, 4]", "x(), 1", "x(1), []", "x(0, 3), [3, 0]",
                    "x(3, 4), [3, 4]", "x(2, 1, 3), [1, 6, 1]"},
        .types = {DType::bfloat16, DType::int64, DType::boolean},
        .errors = {{"x(3, 4), [5]", "ShapeError: reshape: shape [3, 4] has 12 elements, [5] has 5"},
                   {"x(3, 4), [4611686018427387907, 4]",
                    "ShapeError: reshape: shape [4611686018427387907, 4] has too many elements"},
                   {"x(0, 3), [9223372036854775807, 0]",
                    "ShapeError: reshape: shape [9223372036854775807, 0] has too many elements"},
                   {"x(3, 4), [-1, -1]", "ShapeError: reshape: [-1, -1] has more than one -1"},
                   {"x(3, 4), [-2, 6]", "ShapeError: reshape: size -2 in [-2, 6] is negative"},
                   {"x(3, 4), [5, -1]",
                    "ShapeError: reshape: 12 elements of shape [3, 4] do not divide into [5, -1]"}}},
    Record{
        .name = "permute",
        .torch = {"permute(input, *dims)"},
        .call = [](const Args& a) { return permute(a.tensor("input"), a.axes("dims")); },
        .samples = {"x(2, 3, 4), 2, 0, 1", "x(3, 4), [0, 1]", "x(), []", "x(2, 3, 4), [-1, 0, 1]", "x(0, 3), [1, 0]"},
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3, 4), [0]", "ShapeError: permute: 1 axes named, the tensor has 2"},
                   {"x(3, 4), [0, -2]", "ShapeError: permute: axis 0 is named twice"}}},
    Record{
        .name = "transpose",
        .torch = {"transpose(input, dim0, dim1)", "swapaxes(input, dim0, dim1)"},
        .call = [](const Args& a) { return transpose(a.tensor("input"), a.axis("dim0"), a.axis("dim1")); },
        .samples = {"x(2, 3, 4), 0, -1", "x(2, 3, 4), 1, 1", "x(), 0, 0", "x(0, 3), 0, 1"},
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3, 4), 0, 2",
                    "ShapeError: transpose: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"}}},
    Record{.name = "t",
           .torch = {"t(input)"},
           .call = unary(t),
           .samples = {"x(3, 4)", "x(3)", "x()", "x(0, 3)"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(2, 3, 4)",
                       "ShapeError: t: the tensor has 3 axes, shape [2, 3, 4]\n  help: use transpose(x, a, b)"}}},
    Record{
        .name = "squeeze",
        .torch = {"squeeze(input, dim=None)", "squeeze/multiple(input, dim)"},
        .call = squeezed,
        .samples = {"x(3, 1, 4), 1", "x(1, 3), -2", "x(1, 3, 1)", "x()", "x(1), 0", "x(0, 1), 1", "x(2, 1, 1), [1, 2]"},
        .types = {DType::bfloat16, DType::int64}},
    Record{.name = "squeeze/axis",
           .weft = "squeeze(input, dim)",
           .call = [](const Args& a) { return squeeze(a.tensor("input"), a.axis("dim")); },
           .samples = {"x(3, 1, 4), 1", "x(3, 1), -1", "x(), 0"},
           .errors = {{"x(3, 4), 1", "ShapeError: squeeze: axis 1 of shape [3, 4] has size 4, not 1"}}},
    Record{.name = "squeeze/axes",
           .weft = "squeeze(input, dim)",
           .call = [](const Args& a) { return squeeze(a.tensor("input"), a.axes("dim")); },
           .samples = {"x(3, 1, 4, 1), [1, -1]", "x(3, 1), []", "x(1, 0, 1), [2, 0]"},
           .errors = {{"x(1, 1), [0, -2]", "ShapeError: squeeze: axis 0 is named twice"}}},
    Record{.name = "movedim",
           .torch = {"movedim(input, source, destination)", "moveaxis(input, source, destination)"},
           .call = [](const Args& a) { return movedim(a.tensor("input"), a.axes("source"), a.axes("destination")); },
           .samples = {"x(2, 3, 4), 0, -1", "x(2, 3, 4), [0, 1], [2, 0]", "x(2, 3, 4, 1), [3, 0], [1, 2]", "x(), 0, 0",
                       "x(0, 3), [0, 1], [1, 0]", "x(2, 3), [], []"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(2, 3), [0], [0, 1]", "ShapeError: movedim: 1 axes to 2 places"},
                      {"x(2, 3), [0, 0], [0, 1]", "ShapeError: movedim: axis 0 is named twice"},
                      {"x(2, 3), [0, 1], [1, -1]", "ShapeError: movedim: place 1 is named twice"}}},
    Record{.name = "unflatten",
           .torch = {"unflatten(input, dim, sizes)"},
           .call = [](const Args& a) { return unflatten(a.tensor("input"), a.axis("dim"), a.shape("sizes")); },
           .samples = {"x(8), 0, [2, 4]", "x(3, 6, 2), 1, [2, -1]", "x(3, 6, 2), -2, [-1, 3, 1]", "x(4, 0), 0, [2, 2]",
                       "x(0, 2), 0, [0, 3]", "x(0, 2), 0, [3, -1]"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3, 6), 1, [4, -1]",
                       "ShapeError: unflatten: axis 1 of shape [3, 6] does not divide into [4, -1]"},
                      {"x(3, 6), 1, [-1, -1]",
                       "ShapeError: unflatten: axis 1 of shape [3, 6] does not divide into [-1, -1]"},
                      {"x(3, 6), 0, []", "ShapeError: unflatten: axis 0 of shape [3, 6] does not divide into []"},
                      {"x(), 0, [1]", "ShapeError: unflatten: a tensor of rank 0 has no axis to cut"}}},
    Record{.name = "atleast_1d",
           .torch = {"atleast_1d(input)"},
           .call = unary(atleast_1d),
           .samples = {"x()", "x(3)", "x(2, 3)", "x(0)"},
           .types = {DType::int64}},
    Record{.name = "atleast_2d",
           .torch = {"atleast_2d(input)"},
           .call = unary(atleast_2d),
           .samples = {"x()", "x(3)", "x(2, 3)", "x(0)", "x(2, 3, 4)"},
           .types = {DType::int64}},
    Record{.name = "atleast_3d",
           .torch = {"atleast_3d(input)"},
           .call = unary(atleast_3d),
           .samples = {"x()", "x(3)", "x(2, 3)", "x(0)", "x(2, 1, 2, 2)"},
           .types = {DType::int64}},
    Record{
        .name = "as_strided",
        .torch = {"as_strided(input, size, stride, storage_offset=0)"},
        .call =
            [](const Args& a) {
              return as_strided(a.tensor("input"), a.shape("size"), a.shape("stride"), a.integer("storage_offset"));
            },
        .samples = {"x(3, 3), [2, 2], [1, 2], 1", "x(16), [2, 1, 1, 2], [1, 7, 7, 1]", "x(6), [4, 3], [1, 1]",
                    "x(4), [3, 2], [0, 2], 1", "x(), [], []", "x(3), [0, 2], [5, 1], 2", "x(0), [0], [1]",
                    "x(2, 3), [6], [1]"},
        .reference =
            [](const Args& a) {
              const std::vector<std::int64_t> strides = a.integers("stride");
              return picked(a.tensor("input"), a.shape("size"), [&](const std::vector<std::int64_t>& index) {
                std::int64_t at = a.integer("storage_offset");
                for (std::size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
                return static_cast<std::size_t>(at);
              });
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3), [2], [1, 1]", "ShapeError: as_strided: shape [2] and strides [1, 1] differ in length"},
                   {"x(3), [4000000000, 4000000000], [0, 0]",
                    "ShapeError: as_strided: shape [4000000000, 4000000000] has too many elements"},
                   {"x(3), [-2], [1]", "ShapeError: as_strided: size -2 in [-2] is negative"},
                   {"x(3), [2], [-1], 2", "ConfigError: as_strided: stride -1 in [-1] is negative"},
                   {"x(2, 3), [2, 2], [4, 1], 1",
                    "ShapeError: as_strided: shape [2, 2] with strides [4, 1] from 1 reaches beyond the 6 elements"},
                   {"x(3), [3, 3], [9223372036854775807, 9223372036854775807]",
                    "ShapeError: as_strided: shape [3, 3] with strides [9223372036854775807, 9223372036854775807] from "
                    "0 reaches beyond the 3 elements"},
                   {"x(3), [1], [1], -1",
                    "ShapeError: as_strided: shape [1] with strides [1] from -1 reaches beyond the 3 elements"}}},
    Record{
        .name = "unsqueeze",
        .torch = {"unsqueeze(input, dim)"},
        .call = [](const Args& a) { return unsqueeze(a.tensor("input"), a.axis("dim")); },
        .samples = {"x(3, 4), 1", "x(3, 4), -1", "x(3, 4), 0", "x(), 0", "x(0, 3), 2"},
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3), 2",
                    "ShapeError: unsqueeze: axis 2 is out of range for 2 axes\n  help: choose an axis from -2 to 1"}}},
    Record{.name = "expand",
           .torch = {"expand(input, *size)", "broadcast_to(input, size)", "expand_as(input, other)"},
           .call =
               [](const Args& a) {
                 return expand(a.tensor("input"), a.is_tensor("other") ? a.tensor("other").shape() : a.shape("size"));
               },
           .samples = {"x(3, 1), [3, 4]", "x(4), [2, 3, 4]", "x(), [2, 2]", "x(3, 1), [2, -1, 4]", "x(3, 4), [3, 4]",
                       "x(1), [0]", "x(0, 3), [2, 0, 3]"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(1), [1099511627776, 4294967296]",
                       "ShapeError: expand: shape [1099511627776, 4294967296] has too many elements"},
                      {"x(3), [4]", "ShapeError: expand: shape [3] cannot be repeated to [4]"},
                      {"x(3, 4), [4]", "ShapeError: expand: shape [3, 4] cannot be repeated to [4]"}}},
    Record{.name = "flatten",
           .torch = {"flatten(input, start_dim=0, end_dim=-1)", "ravel(input)"},
           .call =
               [](const Args& a) {
                 return a.has("start_dim") ? flatten(a.tensor("input"), a.axis("start_dim"), a.axis("end_dim"))
                                           : flatten(a.tensor("input"));
               },
           .samples = {"x(2, 3, 4)", "x(2, 3, 4), 1", "x(2, 3, 4), 0, 1", "x(2, 3, 4), -1", "x()", "x(0, 3)"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(2, 3), 1, 0", "ShapeError: flatten: first axis 1 comes after last axis 0"}}},
    Record{.name = "slice",
           .torch = {"narrow(input, dim, start, length)"},
           .call =
               [](const Args& a) {
                 const std::int64_t start = a.integer("start");
                 std::int64_t end = 0;
                 if (__builtin_add_overflow(start, a.integer("length"), &end))
                   end = std::numeric_limits<std::int64_t>::max();
                 return slice(a.tensor("input"), a.axis("dim"), start, end);
               },
           .samples = {"x(5, 3), 0, 1, 3", "x(3, 5), -1, 2, 2", "x(3, 5), 1, 0, 0", "x(0, 3), 1, 1, 2"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(), 0, 0, 1", "ShapeError: slice: a tensor of rank 0 has no axis to slice"},
                      {"x(3), 1, 0, 1",
                       "ShapeError: slice: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
    Record{.name = "slice/step",
           .weft = "slice(input, dim, start, stop, step=1)",
           .call =
               [](const Args& a) {
                 return slice(a.tensor("input"), a.axis("dim"), a.integer("start"), a.integer("stop"),
                              a.integer("step"));
               },
           .samples = {"x(7, 2), 0, 1, 6, 2", "x(2, 7), 1, -5, 100, 3", "x(7), 0, 4, 2", "x(7), 0, -100, -1, 5"},
           .errors = {{"x(3), 0, 0, 3, 0", "ConfigError: slice: step 0\n  help: choose a step of 1 or more"}}},
    Record{.name = "select",
           .torch = {"select(input, dim, index)"},
           .call = [](const Args& a) { return select(a.tensor("input"), a.axis("dim"), a.integer("index")); },
           .samples = {"x(3, 4), 0, 1", "x(3, 4), -1, -2", "x(5), 0, 4", "x(2, 0, 3), 0, 1"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3, 4), 1, 4", "ShapeError: select: index 4 is out of range for axis 1 of size 4"},
                      {"x(), 0, 0", "ShapeError: select: a tensor of rank 0 has no axis to select from"}}},
    Record{.name = "contiguous",
           .torch = {"contiguous(input)"},
           .call = unary(contiguous),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x; },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "copy",
           .torch = {"clone(input, *, memory_format=None)"},
           .call = unary(copy),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x; },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "to",
           .weft = "to(input)",
           .call = [](const Args& a) { return to(a.tensor("input"), DType::int64); },
           .samples = {"tensor([[0.5, -2.75], [1.25, 3]])", "tensor(-1.5)", "x(0, 3)"},
           .reference =
               [](const Args& a) {
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                             [](const std::vector<double>& v) { return std::trunc(v[0]); });
               },
           .result = Result::int64,
           .types = {DType::bfloat16, DType::int32, DType::uint8, DType::boolean},
           .no_gradient = "whole numbers have none; the tests of the tape convert between float types"},
};

constexpr const char* new_numbers = "new numbers depend on nothing";

const Family creation{
    Record{.name = "zeros_like",
           .torch = {"zeros_like(input)"},
           .call = unary(zeros_like),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double) { return 0.0; },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .no_gradient = new_numbers},
    Record{.name = "ones_like",
           .torch = {"ones_like(input)"},
           .call = unary(ones_like),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double) { return 1.0; },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .no_gradient = new_numbers},
    Record{.name = "full_like",
           .torch = {"full_like(input, fill_value)"},
           .call = [](const Args& a) { return full_like(a.tensor("input"), a.number("fill_value")); },
           .samples = {"x(3, 4), 2.5", "x(), -1", "x(0, 2), 3", "x(2, 3), True"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 return from(std::vector<double>(static_cast<std::size_t>(x.numel()), a.real("fill_value")), x.shape());
               },
           .types = {DType::bfloat16, DType::int64},
           .no_gradient = new_numbers},
    Record{.name = "zeros",
           .torch = {"new_zeros(input, *size)"},
           .call = [](const Args& a) { return zeros(a.shape("size"), a.tensor("input").dtype()); },
           .samples = {"x(3), [2, 3]", "x(3, 4), []", "x(), [0, 2]"},
           .reference =
               [](const Args& a) {
                 const Shape shape = a.shape("size");
                 return from(std::vector<double>(static_cast<std::size_t>(shape.product())), shape);
               },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .no_gradient = new_numbers,
           .errors = {{"x(3), [-1]", "ShapeError: empty: a size in [-1] is negative"}}},
};

const Family joins{
    Record{.name = "cat",
           .torch = {"cat(tensors, dim=0)", "concat(tensors, dim=0)"},
           .call = [](const Args& a) { return cat(a.tensors("tensors"), a.axis("dim")); },
           .samples = {"[x(2, 3), x(4, 3)]", "[x(2, 3), x(2, 1), x(2, 0)], 1", "[x(3)], -1",
                       "[x(2, 3, 2), x(2, 2, 2)], -2", "[x(0, 3), x(0, 3)]"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"[]", "ShapeError: cat: there is nothing to join"},
                      {"[x(2), x(2, 2)]", "ShapeError: cat: shapes [2] and [2, 2] cannot be joined at axis 0"},
                      {"[x(2, 3), x(2, 2)]",
                       "ShapeError: cat: part 1 has shape [2, 2], part 0 [2, 3]: they may differ at axis 0 only"}}},
    Record{
        .name = "stack",
        .torch = {"stack(tensors, dim=0)"},
        .call = [](const Args& a) { return stack(a.tensors("tensors"), a.axis("dim")); },
        .samples = {"[x(2, 3), x(2, 3)]", "[x(2, 3), x(2, 3)], -1", "[x(), x()]", "[x(3)], 1", "[x(0, 3), x(0, 3)], 1"},
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"[]", "ShapeError: stack: there is nothing to join"},
                   {"[x(2), x(3)]", "ShapeError: stack: shapes [2] and [3] differ"}}},
    Record{.name = "split",
           .torch = {"split(input, split_size_or_sections, dim=0)",
                     "split_with_sizes(input, split_size_or_sections, dim=0)"},
           .call = parts,
           .samples = {"x(5, 3), 2", "x(3, 5), [1, 3, 1], 1", "x(4), 4", "x(2, 0), [0, 0], 1"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(5), [2, 2]", "ShapeError: split: the sizes add up to 4, axis 0 of shape [5] does not"}}},
    Record{.name = "chunk",
           .torch = {"chunk(input, chunks, dim=0)"},
           .call = [](const Args& a) { return chunk(a.tensor("input"), a.integer("chunks"), a.axis("dim")); },
           .samples = {"x(5, 3), 2", "x(3, 7), 3, -1", "x(2), 4", "x(0, 2), 3"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const std::int64_t n = x.size(a.axis("dim")), chunks = a.integer("chunks");
                 const std::int64_t each = n ? (n - 1) / chunks + 1 : 0;
                 return cut(x, a.axis("dim"), n ? (n - 1) / each + 1 : chunks,
                            [&](std::int64_t i) { return std::min(each, n - i * each); });
               },
           .types = {DType::int64},
           .errors = {{"x(0), 16777217", "ConfigError: chunk: 16777217 parts are more than 16777216"},
                      {"x(5), 0", "ConfigError: chunk: 0 parts\n  help: ask for 1 or more"},
                      {"x(), 1", "ShapeError: chunk: a tensor of rank 0 has no axis to cut"}}},
    Record{.name = "tensor_split",
           .torch = {"tensor_split(input, indices_or_sections, dim=0)"},
           .call = [](const Args& a) -> Outputs {
             const Tensor x = a.tensor("input");
             if (a.is_list("indices_or_sections"))
               return tensor_split(x, a.integers("indices_or_sections"), a.axis("dim"));
             if (a.is_tensor("indices_or_sections") && a.tensor("indices_or_sections").dim() == 1)
               return tensor_split(x, to_vector<std::int64_t>(a.tensor("indices_or_sections")), a.axis("dim"));
             return tensor_split(x, a.integer("indices_or_sections"), a.axis("dim"));
           },
           .samples = {"x(7, 3), 3", "x(3, 7), [2, 5], 1", "x(5), [3, 1, -1, 9]", "x(2), 3", "x(0, 2), 2", "x(3), []"},
           .types = {DType::int64},
           .errors = {{"x(5), 16777217", "ConfigError: tensor_split: 16777217 parts are more than 16777216"},
                      {"x(5), 0", "ConfigError: tensor_split: 0 parts\n  help: ask for 1 or more"},
                      {"x(), [1]", "ShapeError: tensor_split: a tensor of rank 0 has no axis to cut"},
                      {"x(), 1", "ShapeError: tensor_split: a tensor of rank 0 has no axis to cut"}}},
    Record{.name = "tensor_split/sections",
           .weft = "tensor_split(input, sections, dim)",
           .call = [](const Args& a) { return tensor_split(a.tensor("input"), a.integer("sections"), a.axis("dim")); },
           .samples = {"x(7, 2), 3, 0", "x(2, 8), 4, 1"},
           .reference =
               [](const Args& a) {
                 const std::int64_t n = a.tensor("input").size(a.axis("dim")), count = a.integer("sections");
                 return cut(a.tensor("input"), a.axis("dim"), count,
                            [&](std::int64_t i) { return (n - i + count - 1) / count; });
               },
           .types = {DType::int64}},
    Record{.name = "unbind",
           .torch = {"unbind(input, dim=0)"},
           .call = [](const Args& a) { return unbind(a.tensor("input"), a.axis("dim")); },
           .samples = {"x(3, 4)", "x(3, 4), -1", "x(2)", "x(2, 0)", "x(2, 3, 2), 1"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x()", "ShapeError: unbind: a tensor of rank 0 has no axis to cut"}}},
    Record{.name = "column_stack",
           .torch = {"column_stack(*tensors)"},
           .call = [](const Args& a) { return column_stack(a.tensors("tensors")); },
           .samples = {"[x(3), x(3, 2)]", "[x(), x(1, 2)]", "[x(2, 1, 3), x(2, 2, 3)]", "[x(0), x(0)]"},
           .types = {DType::int64},
           .errors = {{"[]", "ShapeError: column_stack: there is nothing to join"}}},
    Record{.name = "hstack",
           .torch = {"hstack(*tensors)"},
           .call = [](const Args& a) { return hstack(a.tensors("tensors")); },
           .samples = {"[x(3), x(2)]", "[x(), x(1)]", "[x(2, 1), x(2, 2)]", "[x(2, 1, 2), x(2, 0, 2)]"},
           .types = {DType::int64},
           .errors = {{"[]", "ShapeError: hstack: there is nothing to join"}}},
    Record{.name = "vstack",
           .torch = {"vstack(*tensors)"},
           .call = [](const Args& a) { return vstack(a.tensors("tensors")); },
           .samples = {"[x(3), x(2, 3)]", "[x(), x()]", "[x(2, 1, 2), x(1, 1, 2)]", "[x(0), x(0)]"},
           .types = {DType::int64},
           .errors = {{"[]", "ShapeError: vstack: there is nothing to join"}}},
    Record{.name = "dstack",
           .torch = {"dstack(*tensors)"},
           .call = [](const Args& a) { return dstack(a.tensors("tensors")); },
           .samples = {"[x(3), x(3)]", "[x(), x()]", "[x(2, 3), x(2, 3, 2)]", "[x(0), x(0)]"},
           .types = {DType::int64},
           .errors = {{"[]", "ShapeError: dstack: there is nothing to join"}}},
    Record{
        .name = "block_diag",
        .torch = {"block_diag(*tensors)"},
        .call = [](const Args& a) { return block_diag(a.tensors("tensors")); },
        .samples = {"[x(2, 3), x(1, 2)]", "[x(), x(2), x(2, 1)]", "[x(0, 2), x(1, 1), x(2, 0)]", "[x(3)]"},
        .reference =
            [](const Args& a) {
              std::int64_t rows = 0, columns = 0;
              for (const Tensor& part : a.tensors("tensors")) {
                rows += part.dim() < 2 ? 1 : part.size(0);
                columns += part.dim() < 1 ? 1 : part.size(-1);
              }
              std::vector<double> y(static_cast<std::size_t>(rows * columns));
              std::int64_t row = 0, column = 0;
              for (const Tensor& part : a.tensors("tensors")) {
                const std::int64_t width = part.dim() < 1 ? 1 : part.size(-1),
                                   height = part.dim() < 2 ? 1 : part.size(0);
                const std::vector<double> block = to_vector<double>(part);
                for (std::int64_t i = 0; i < part.numel(); ++i)
                  y[static_cast<std::size_t>((row + i / width) * columns + column + i % width)] =
                      block[static_cast<std::size_t>(i)];
                row += height;
                column += width;
              }
              return from(y, {rows, columns});
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"[]", "ShapeError: block_diag: there is nothing to join"},
                   {"[x(2), x(1, 2, 3)]", "ShapeError: block_diag: part 1 has shape [1, 2, 3], more than two axes"}}},
};

}  // namespace
}  // namespace weft::tests
