#include <algorithm>
#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

/// Parts of a tensor in PyTorch's four ways to say it: a size, sizes, a number of parts, or every slice.
Outputs parts(const Args& a) {
  const Tensor x = a.tensor("input");
  const int axis = a.axis("dim");
  const std::int64_t n = x.size(axis);
  std::vector<std::int64_t> sizes;
  if (a.is_list("split_size_or_sections")) {
    sizes = a.integers("split_size_or_sections");
  } else {
    const std::int64_t each =
        a.has("chunks") ? (n + a.integer("chunks") - 1) / a.integer("chunks") : a.integer("split_size_or_sections");
    for (std::int64_t at = 0; at < n; at += each) sizes.push_back(std::min(each, n - at));
  }
  return split(x, sizes, axis);
}

Outputs squeezed(const Args& a) {
  Tensor x = a.tensor("input");
  if (!a.has("dim")) return squeeze(x);
  std::vector<int> axes = a.axes("dim");
  for (int& axis : axes) axis = normalize_axis("squeeze", axis, x.dim());
  std::sort(axes.rbegin(), axes.rend());
  for (const int axis : axes)  // PyTorch leaves other sizes alone, where weft says that it cannot
    if (x.dim() > 0 && x.size(axis) == 1) x = squeeze(x, axis);
  return x;
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
           .errors = {{"x(3), [4]", "ShapeError: expand: shape [3] cannot be repeated to [4]"},
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
                 return slice(a.tensor("input"), a.axis("dim"), start, start + a.integer("length"));
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
                     "split_with_sizes(input, split_size_or_sections, dim=0)", "chunk(input, chunks, dim=0)"},
           .call = parts,
           .samples = {"x(5, 3), 2", "x(3, 5), [1, 3, 1], 1", "x(4), 4", "x(2, 0), [0, 0], 1"},
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(5), [2, 2]", "ShapeError: split: the sizes add up to 4, axis 0 of shape [5] does not"}}},
    Record{.name = "split/unbind",
           .torch = {"unbind(input, dim=0)"},
           .call =
               [](const Args& a) {
                 std::vector<Tensor> all;
                 const Tensor x = a.tensor("input");
                 for (std::int64_t i = 0; i < x.size(a.axis("dim")); ++i) all.push_back(select(x, a.axis("dim"), i));
                 return all;
               },
           .samples = {"x(3, 4)", "x(3, 4), -1", "x(2)"}},
};

}  // namespace
}  // namespace weft::tests
