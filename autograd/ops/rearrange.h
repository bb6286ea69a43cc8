#pragma once
#include <optional>
#include <vector>

#include <weft/tensor/tensor.h>

/// Elements in another order or repeated: flips, rolls, tiles, windows, diagonals, triangles, grids.
/// Gradients go back to where each element came from, added up where it appears several times.
namespace weft {

/// In reverse order along the axes.
Tensor flip(const Tensor& x, const std::vector<int>& axes);
/// In reverse order along the second axis (left and right of a matrix change places).
Tensor fliplr(const Tensor& x);
/// In reverse order along the first axis (up and down of a matrix change places).
Tensor flipud(const Tensor& x);
/// y[(i + shift) mod n] = x[i] along an axis.
Tensor roll(const Tensor& x, std::int64_t shift, int axis);
/// The same along several axes; without any over all elements in row-major order, by one shift.
Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const std::vector<int>& axes);
/// Turned by `turns` times 90 degrees from the first axis named to the second.
Tensor rot90(const Tensor& x, int turns = 1, int from = 0, int to = 1);
/// The whole tensor again and again: times[i] times along axis i; more numbers than axes add axes in front.
Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& times);
/// The same, where fewer numbers than axes count from the last one.
Tensor tile(const Tensor& x, const std::vector<std::int64_t>& times);
/// Each element (each slice along an axis) `times` times in a row; without an axis all elements in row-major order.
Tensor repeat_interleave(const Tensor& x, std::int64_t times, std::optional<int> axis = {});
/// The same, element i times[i] times: times (n) int64, or of one element. Throws ConfigError for a negative number.
Tensor repeat_interleave(const Tensor& x, const Tensor& times, std::optional<int> axis = {});
/// Windows of `size` elements every `step` along an axis, each as a line along a new last axis (a view):
/// (..., n, ...) -> (..., (n - size) / step + 1, ..., size). Throws ShapeError for a size beyond n.
Tensor unfold(const Tensor& x, int axis, std::int64_t size, std::int64_t step);

/// The elements x[..., i, ..., i + offset, ...] of two axes, which vanish, along a new last axis (a view).
Tensor diagonal(const Tensor& x, std::int64_t offset = 0, int first = 0, int second = 1);
/// The last axis laid out as a diagonal of two new axes, 0 elsewhere: the reverse of diagonal.
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0, int first = -2, int second = -1);
/// The diagonal of a matrix, or the matrix with this diagonal from a vector.
Tensor diag(const Tensor& x, std::int64_t offset = 0);
/// The sum of the diagonal of a matrix; int64 for integers.
Tensor trace(const Tensor& x);
/// Matrices (the last two axes) with 0 above the diagonal that lies `offset` to the right of the main one.
Tensor tril(const Tensor& x, std::int64_t offset = 0);
/// Matrices with 0 below the diagonal.
Tensor triu(const Tensor& x, std::int64_t offset = 0);
/// One number everywhere, in x's shape and type. Gradient: 0 to x, the sum of dy to a value of rank 0.
Tensor fill(const Tensor& x, const Scalar& value);
Tensor fill(const Tensor& x, const Tensor& value);

/// The order of a grid's first two axes: that of the parts, or columns (x) before rows (y).
enum class GridIndexing { ij, xy };
/// Each part (n_i), or a single number, repeated over the grid (n_0, n_1, ...) of all (views).
std::vector<Tensor> meshgrid(const std::vector<Tensor>& parts, GridIndexing indexing = GridIndexing::ij);
/// The rows of the product of several vectors: (n_0 * n_1 * ..., number of parts); one part comes back as it is.
Tensor cartesian_prod(const std::vector<Tensor>& parts);
/// All choices of r elements of a vector in their order: (number of choices, r); of 0 elements: (0).
Tensor combinations(const Tensor& x, int r = 2, bool with_replacement = false);

}  // namespace weft
