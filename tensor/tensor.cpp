#include <weft/tensor/tensor.h>

#include <cmath>
#include <iomanip>
#include <new>
#include <ostream>

#include <weft/tensor/create.h>
#include <weft/tensor/pool.h>

namespace weft {

TensorBody* TensorBody::allocate() { return new (pool::allocate(sizeof(TensorBody))) TensorBody; }

void TensorBody::destroy(TensorBody* body) noexcept {
  if (body->slot) body->slot->release();
  if (body->storage) body->storage->drop();
  pool::deallocate(body, sizeof(TensorBody));
}

void Tensor::undefined() { throw Error("tensor: it is undefined\n  help: assign a result before using it"); }

void Tensor::wrong_type(DType wanted) const {
  throw DtypeError(text("data: the tensor is ", body_->dtype, ", not ", wanted,
                        "\n  help: convert it with to(x, DType::", wanted == DType::boolean ? "boolean" : name(wanted),
                        ")"));
}

std::int64_t Tensor::size(int axis) const {
  const Shape& s = shape();
  if (s.empty()) throw ShapeError(text("size: axis ", axis, " of a tensor of rank 0"));
  return s[normalize_axis("size", axis, s.size())];
}

namespace {

double element(const TensorBody& b, std::int64_t at) {
  switch (b.dtype) {
    case DType::boolean: return static_cast<const bool*>(b.data)[at];
    case DType::uint8: return static_cast<const std::uint8_t*>(b.data)[at];
    case DType::int8: return static_cast<const std::int8_t*>(b.data)[at];
    case DType::int32: return static_cast<const std::int32_t*>(b.data)[at];
    case DType::int64: return static_cast<double>(static_cast<const std::int64_t*>(b.data)[at]);
    case DType::bfloat16: return static_cast<float>(static_cast<const BFloat16*>(b.data)[at]);
    case DType::float32: return static_cast<const float*>(b.data)[at];
    case DType::float64: return static_cast<const double*>(b.data)[at];
  }
  return 0;
}

/// Prints one axis and what lies below it; long axes show three entries at each end.
void print(std::ostream& out, const TensorBody& b, int axis, std::int64_t at, int indent) {
  if (axis == b.shape.size()) {
    if (b.dtype == DType::boolean)
      out << (element(b, at) != 0 ? "true" : "false");
    else
      out << element(b, at);
    return;
  }
  constexpr std::int64_t ends = 3, longest = 8;
  const std::int64_t n = b.shape[axis];
  const bool last = axis == b.shape.size() - 1;
  out << '[';
  for (std::int64_t i = 0; i < n; ++i) {
    if (i > 0) {
      out << ',';
      if (last)
        out << ' ';
      else
        out << '\n' << std::string(static_cast<std::size_t>(indent + 1), ' ');
    }
    if (n > longest && i == ends) {
      out << "...";
      i = n - ends - 1;
      continue;
    }
    print(out, b, axis + 1, at + i * b.strides[axis], indent + 1);
  }
  out << ']';
}

}  // namespace

double Tensor::item() const {
  if (numel() != 1)
    throw ShapeError(text("item: the tensor has ", numel(), " elements, shape ", shape(),
                          "\n  help: select one element, or reduce with sum(x) or mean(x)"));
  if (detail::read_watch) [[unlikely]]
    detail::read_watch(*this);
  return element(*body_, 0);
}

constinit thread_local detail::ReadWatch detail::read_watch = nullptr;

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x.defined()) return out << "tensor(undefined)";
  const auto precision = out.precision(6);
  print(out, x.body(), 0, 0, 0);
  out.precision(precision);
  return out << " " << x.dtype() << " " << x.shape();
}

}  // namespace weft
