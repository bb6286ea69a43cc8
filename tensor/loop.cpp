#include <weft/tensor/dispatch.h>

namespace weft::kernels {

void Loop::add(const Tensor& x) noexcept {
  const TensorBody& b = x.body();
  const int shift = shape_.size() - b.shape.size();
  const Int size = item_size(b.dtype);
  for (int axis = 0; axis < shape_.size(); ++axis)
    steps_[count_][axis] = axis < shift || b.shape[axis - shift] == 1 ? 0 : b.strides[axis - shift] * size;
  data_[count_] = static_cast<char*>(b.data);
  types_[count_++] = b.dtype;
}

void Loop::add_number(const void* value, DType type) noexcept {
  for (int axis = 0; axis < shape_.size(); ++axis) steps_[count_][axis] = 0;
  data_[count_] = static_cast<char*>(const_cast<void*>(value));
  types_[count_++] = type;
}

void Loop::prepare() noexcept {
  elements_ = shape_.product();
  const auto wider = [&](int a, int b) {  // axis a belongs outside of axis b
    for (int k = 0; k < count_; ++k) {
      const Int x = steps_[k][a] < 0 ? -steps_[k][a] : steps_[k][a],
                y = steps_[k][b] < 0 ? -steps_[k][b] : steps_[k][b];
      if (x != y) return x > y;
    }
    return false;
  };
  int order[Dims::max_rank];
  int rank = 0;
  for (int axis = 0; axis < shape_.size(); ++axis) {
    if (shape_[axis] == 1) continue;
    int j = rank++;
    for (; j > 0 && wider(axis, order[j - 1]); --j) order[j] = order[j - 1];
    order[j] = axis;
  }
  Int steps[most][Dims::max_rank];
  rank_ = 0;
  for (int i = 0; i < rank; ++i) {
    const int axis = order[i];
    bool merge = rank_ > 0;
    for (int k = 0; merge && k < count_; ++k) merge = steps[k][rank_ - 1] == steps_[k][axis] * shape_[axis];
    if (merge) {
      sizes_[rank_ - 1] *= shape_[axis];
    } else {
      sizes_[rank_++] = shape_[axis];
    }
    for (int k = 0; k < count_; ++k) steps[k][rank_ - 1] = steps_[k][axis];
  }
  if (rank_ == 0) {
    sizes_[rank_++] = 1;
    for (int k = 0; k < count_; ++k) steps[k][0] = item_size(types_[k]);
  }
  for (int k = 0; k < count_; ++k)
    for (int i = 0; i < rank_; ++i) steps_[k][i] = steps[k][i];
}

DType promote_tensors(const Tensor& a, const Tensor& b) {
  const DType x = a.dtype(), y = b.dtype();
  if (x == y) return x;
  const auto kind = [](DType t) { return t == DType::boolean ? 0 : is_integer(t) ? 1 : 2; };
  if (a.dim() == 0 && b.dim() > 0 && kind(x) <= kind(y)) return y;
  if (b.dim() == 0 && a.dim() > 0 && kind(y) <= kind(x)) return x;
  return promote(x, y);
}

void check_same_shape(const char* op, const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) throw ShapeError(text(op, ": shapes ", a.shape(), " and ", b.shape(), " differ"));
}

void check_floating(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype()))
    throw DtypeError(
        text(op, ": takes floating types, not ", x.dtype(), "\n  help: convert it with to(x, DType::float32)"));
}

Around around(const Shape& shape, int axis) noexcept {
  Around a;
  for (int i = 0; i < shape.size(); ++i) {
    if (i < axis)
      a.before *= shape[i];
    else if (i == axis)
      a.along = shape[i];
    else
      a.behind *= shape[i];
  }
  return a;
}

}  // namespace weft::kernels
