#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <weft/tensor/tensor.h>

/// Choosing elements by int64 (or int32) indices and by masks. Negative indices count from the end. Throws ConfigError
/// with the index and the size when one is out of range, DtypeError for another index type.
namespace weft {

/// Elements start, start + step, ... before stop of an axis; bounds may be negative and are clipped, step >= 1.
/// Slice{} is the whole axis, Slice{.step = 2} every second element.
struct Slice {
  std::optional<std::int64_t> start{}, stop{};
  std::int64_t step = 1;
};
struct Ellipsis {};
struct NewAxis {};
/// All the axes that the other entries of an index leave.
inline constexpr Ellipsis ellipsis{};
/// A new axis of size 1.
inline constexpr NewAxis newaxis{};

/// One entry of index(x, {...}): a number, a Slice, ellipsis, newaxis, or a tensor of whole numbers or bool.
class IndexEntry {
 public:
  IndexEntry(int place) : is_(std::int64_t{place}) {}
  IndexEntry(std::int64_t place) : is_(place) {}
  IndexEntry(bool) = delete;
  IndexEntry(const Slice& slice) : is_(slice) {}
  IndexEntry(Ellipsis) : is_(Ellipsis{}) {}
  IndexEntry(NewAxis) : is_(NewAxis{}) {}
  IndexEntry(Tensor places) : is_(std::move(places)) {}

  /// The entry as a T, or null.
  template <class T>
  const T* get() const noexcept {
    return std::get_if<T>(&is_);
  }

 private:
  std::variant<std::int64_t, Slice, Ellipsis, NewAxis, Tensor> is_;
};

/// Elements as in x[...] of NumPy and PyTorch: index(x, {0, Slice{1, 3}, ellipsis, newaxis, places}). Without tensors
/// among the entries the result is a view. Tensors of places are broadcast together, and their shape stands where the
/// axes were that they index; in front of all when another entry lies between them. A mask takes as many axes as it
/// has and gives the elements where it is true, one of rank 0 a new axis of size 0 or 1. Throws ShapeError for more
/// entries than axes and for a mask of another size. Gradient: added up at the chosen elements.
Tensor index(const Tensor& x, const std::vector<IndexEntry>& entries);
/// x with values, broadcast, at (or, to accumulate, added to) the elements that index(x, entries) chooses. Where an
/// element is chosen several times without accumulating, the last value stays.
/// Gradient: dy, without accumulating 0 at the chosen elements; the chosen dy to values.
Tensor index_put(const Tensor& x, const std::vector<IndexEntry>& entries, const Tensor& values,
                 bool accumulate = false);

/// out[..., j, ...] = x[..., index[j], ...] along an axis; index (K,). Gradient: added up at the chosen places.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);
/// x with src[..., j, ...] added at index[j] along an axis. Gradient: dy to x, the chosen dy to src.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
/// x with src[..., j, ...] at index[j] along an axis; the last of several for one place stays.
/// Gradient: dy with 0 at the places to x, the chosen dy to src.
Tensor index_copy(const Tensor& x, int axis, const Tensor& index, const Tensor& src);
/// x with one value at index[j] along an axis. Gradient: dy with 0 there to x, its sum there to a value of rank 0.
Tensor index_fill(const Tensor& x, int axis, const Tensor& index, const Scalar& value);
Tensor index_fill(const Tensor& x, int axis, const Tensor& index, const Tensor& value);
/// out[i] = the element index[i] of x in row-major order, in index's shape. Gradient: added up at the chosen elements.
Tensor take(const Tensor& x, const Tensor& index);
/// As gather, with the other axes broadcast.
Tensor take_along_dim(const Tensor& x, const Tensor& index, int axis);
/// As take.
Tensor take_along_dim(const Tensor& x, const Tensor& index);

/// x with one value where the mask (bool) is true; both broadcast. Gradient: dy where it is false to x, the sum of the
/// rest to a value of rank 0.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
/// The elements (K,) where the mask (bool) is true, in row-major order; both broadcast. Gradient: dy at these.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// x with the first elements of src, in row-major order, where the mask (bool) is true; x and mask broadcast. Throws
/// ShapeError when there are too few. Gradient: dy where it is false to x, the rest to the elements of src.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& src);

/// The places (K,) of the true elements of a 1-D mask (int64; no gradient).
Tensor nonzero(const Tensor& mask);
/// The places of the elements of x that are not zero: (K, rank), int64, in row-major order; no gradient.
Tensor argwhere(const Tensor& x);
/// The places that would sort x along an axis, stable (int64; no gradient).
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);

}  // namespace weft
