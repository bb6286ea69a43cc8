#pragma once
#include <span>
#include <vector>

#include <weft/tensor/tensor.h>

/// Other views of the same numbers, joining, splitting, converting. Views share storage.
/// Gradients are dy brought back to the input's shape.
namespace weft {

/// The same elements in row-major order under another shape; one size may be -1. A view where the strides
/// allow it, else a copy. Throws ShapeError when the counts differ.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Axis i of the result is axis order[i] of x (a view).
Tensor permute(const Tensor& x, const std::vector<int>& order);
/// Swaps two axes (a view).
Tensor transpose(const Tensor& x, int a, int b);
/// The transpose of a matrix (a view); ShapeError for more than two axes.
Tensor t(const Tensor& x);
/// Drops an axis of size 1 (a view). Throws ShapeError when it has another size.
Tensor squeeze(const Tensor& x, int axis);
/// Drops every axis of size 1 (a view).
Tensor squeeze(const Tensor& x);
/// Adds an axis of size 1 at `axis` of the result (a view).
Tensor unsqueeze(const Tensor& x, int axis);
/// Repeats axes of size 1 (and new leading axes) up to `shape` without copying; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape);
/// Joins the axes from `first` to `last` into one.
Tensor flatten(const Tensor& x, int first = 0, int last = -1);
/// x[..., start:stop:step, ...] along an axis (a view): bounds may be negative and are clipped, step >= 1.
Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);
/// x[..., index, ...]: the axis vanishes (a view). Throws ShapeError for an index out of range.
Tensor select(const Tensor& x, int axis, std::int64_t index);
/// Joins along an axis; all other sizes equal; types are promoted.
Tensor cat(const std::vector<Tensor>& parts, int axis = 0);
/// Joins along a new axis; all shapes equal.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0);
/// Parts of the given sizes along an axis (views). Throws ShapeError when they do not add up.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis = 0);
/// x itself when it is dense and row-major, else such a copy.
Tensor contiguous(const Tensor& x);
/// x converted to another element type; x itself when it has it.
Tensor to(const Tensor& x, DType dtype);
/// A new tensor with the same numbers; its gradient flows to x.
Tensor copy(const Tensor& x);

}  // namespace weft
