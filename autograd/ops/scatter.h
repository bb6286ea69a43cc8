#pragma once
#include <weft/tensor/tensor.h>

/// Elements picked and placed one by one along an axis: the index (int64 or int32) has as many axes as x and src, and
/// is no larger than x on the other axes, than src on all. Negative indices count from the end. Throws ShapeError for
/// other shapes, ConfigError for an index out of range, DtypeError for another index type.
namespace weft {

/// out[i][j] = x[index[i][j]][j] for axis 0, and so on. Gradient: added up at the chosen places.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// x with src[i][j] (or one value) at [index[i][j]][j] for axis 0, and so on; the last of several for one place stays.
/// Gradient: dy with 0 at the places to x, the chosen dy to src.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Scalar& value);
/// x with src[i][j] added at [index[i][j]][j] for axis 0, and so on. Gradient: dy to x, the chosen dy to src.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);

enum class ScatterReduce { sum, prod, mean, amax, amin };
/// x with src[i][j] joined to what is at [index[i][j]][j] for axis 0, and so on; without include_self the elements of x
/// at these places do not count. The mean of integers is rounded down; NaN wins in amax and amin.
/// Gradient: through the sum, product or mean; amax and amin share it evenly among equals. GradError for a second
/// derivative of a product with several zeros of src at one place.
Tensor scatter_reduce(const Tensor& x, int axis, const Tensor& index, const Tensor& src, ScatterReduce reduce,
                      bool include_self = true);

}  // namespace weft
