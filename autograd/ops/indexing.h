#pragma once
#include <weft/tensor/tensor.h>

/// Choosing elements by int64 (or int32) indices. Negative indices count from the end. Throws ConfigError
/// with the index and the size when one is out of range, DtypeError for another index type.
namespace weft {

/// out[..., j, ...] = x[..., index[j], ...] along an axis; index (K,). Gradient: added up at the chosen places.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
/// x with src[..., j, ...] added at index[j] along an axis. Gradient: dy to x, the chosen dy to src.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
/// out[i][j] = x[index[i][j]][j] for axis 0, and so on; index has x's rank. Gradient: added up at the chosen places.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// x with src[i][j] added at [index[i][j]][j] for axis 0, and so on. Gradient: dy to x, the chosen dy to src.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
/// The places (K,) of the true elements of a 1-D mask (int64; no gradient).
Tensor nonzero(const Tensor& mask);
/// The places of the elements of x that are not zero: (K, rank), int64, in row-major order; no gradient.
Tensor argwhere(const Tensor& x);
/// The places that would sort x along an axis, stable (int64; no gradient).
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);

}  // namespace weft
