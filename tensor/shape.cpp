#include <weft/tensor/shape.h>

#include <ostream>

namespace weft {

void Dims::too_many(std::size_t rank) {
  throw ShapeError(text("shape: ", rank, " axes, at most ", max_rank, " are supported"));
}

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '[';
  for (int i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
  return out << ']';
}

Strides row_major(const Shape& shape) noexcept {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i] > 0 ? shape[i] : 1;
  }
  return strides;
}

Shape broadcast(const char* op, const Shape& a, const Shape& b) {
  const int rank = a.size() > b.size() ? a.size() : b.size();
  Shape result = Shape::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t x = i <= a.size() ? a[a.size() - i] : 1, y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw ShapeError(text(op, ": shapes ", a, " and ", b, " do not broadcast: sizes ", x, " and ", y, " at axis ",
                            rank - i, "\n  help: make the sizes equal, or one of them 1"));
    result[rank - i] = x == 1 ? y : x;
  }
  return result;
}

int normalize_axis(const char* op, int axis, int rank) {
  const int n = rank == 0 ? 1 : rank;
  if (axis < -n || axis >= n)
    throw ShapeError(text(op, ": axis ", axis, " is out of range for ", rank, rank == 1 ? " axis" : " axes",
                          "\n  help: choose an axis from ", -n, " to ", n - 1));
  return axis < 0 ? axis + n : axis;
}

}  // namespace weft
