#pragma once
#include <initializer_list>
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
/// Drops these axes of size 1 (a view).
Tensor squeeze(const Tensor& x, const std::vector<int>& axes);
/// Drops every axis of size 1 (a view).
Tensor squeeze(const Tensor& x);
/// Puts axis source[i] of x at destination[i] of the result; the others follow in their order (a view).
Tensor movedim(const Tensor& x, const std::vector<int>& source, const std::vector<int>& destination);
/// Adds an axis of size 1 at `axis` of the result (a view).
Tensor unsqueeze(const Tensor& x, int axis);
/// Repeats axes of size 1 (and new leading axes) up to `shape` without copying; -1 keeps a size.
Tensor expand(const Tensor& x, const Shape& shape);
/// Joins the axes from `first` to `last` into one.
Tensor flatten(const Tensor& x, int first = 0, int last = -1);
/// Cuts one axis into several: the reverse of flatten. One size may be -1. Throws ShapeError when they do not multiply
/// up.
Tensor unflatten(const Tensor& x, int axis, const Shape& sizes);
/// At least one axis: a number becomes (1).
Tensor atleast_1d(const Tensor& x);
/// At least two axes: (n) becomes (1, n).
Tensor atleast_2d(const Tensor& x);
/// At least three axes: (n) becomes (1, n, 1), (n, m) becomes (n, m, 1).
Tensor atleast_3d(const Tensor& x);
/// y[i, j, ...] = element offset + i * strides[0] + j * strides[1] + ... of x in row-major order (a view where x is
/// dense). Elements may appear several times. Throws ShapeError when one lies outside of x, ConfigError for a negative
/// stride. Gradient: added up at each element.
Tensor as_strided(const Tensor& x, const Shape& shape, const Strides& strides, std::int64_t offset = 0);
/// x[..., start:stop:step, ...] along an axis (a view): bounds may be negative and are clipped, step >= 1.
Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);
/// x[..., index, ...]: the axis vanishes (a view). Throws ShapeError for an index out of range.
Tensor select(const Tensor& x, int axis, std::int64_t index);
/// Joins along an axis; all other sizes equal; types are promoted.
Tensor cat(const std::vector<Tensor>& parts, int axis = 0);
/// Joins along a new axis; all shapes equal.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0);
/// Joins along the second axis; vectors (n) are taken as columns (n, 1), numbers as (1, 1).
Tensor column_stack(const std::vector<Tensor>& parts);
/// Joins along the first axis; a number is taken as (1). Along the second where parts have more than one axis.
Tensor hstack(const std::vector<Tensor>& parts);
/// Joins along the first axis; vectors (n) are taken as rows (1, n).
Tensor vstack(const std::vector<Tensor>& parts);
/// Joins along the third axis; parts are taken as atleast_3d makes them.
Tensor dstack(const std::vector<Tensor>& parts);
/// Matrices one after the other along the diagonal, 0 elsewhere; vectors are taken as rows, types are promoted.
Tensor block_diag(const std::vector<Tensor>& parts);
/// Parts of the given sizes along an axis (views). Throws ShapeError when they do not add up.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis = 0);
/// At most `chunks` parts along an axis (views), all of one size but the last, which may be smaller.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int axis = 0);
/// Just `sections` parts along an axis (views); where they cannot be equal, the first ones are larger by 1.
std::vector<Tensor> tensor_split(const Tensor& x, std::int64_t sections, int axis = 0);
/// Parts cut before these places along an axis (views), as slices: x[:a], x[a:b], x[b:].
std::vector<Tensor> tensor_split(const Tensor& x, const std::vector<std::int64_t>& places, int axis = 0);
inline std::vector<Tensor> tensor_split(const Tensor& x, std::initializer_list<std::int64_t> places, int axis = 0) {
  return tensor_split(x, std::vector<std::int64_t>(places), axis);  // {2} is a place, 2 a number of parts
}
/// The slices x[0], x[1], ... along an axis, which vanishes (views).
std::vector<Tensor> unbind(const Tensor& x, int axis = 0);

/// x itself when it is dense and row-major, else such a copy.
Tensor contiguous(const Tensor& x);
/// x converted to another element type; x itself when it has it.
Tensor to(const Tensor& x, DType dtype);
/// A new tensor with the same numbers; its gradient flows to x.
Tensor copy(const Tensor& x);

}  // namespace weft
