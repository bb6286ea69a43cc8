#include <weft/autograd/ops/product.h>

#include <weft/autograd/ops/shared.h>

namespace weft {
namespace {

void same_type(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw DtypeError(
        text(op, ": types differ: a is ", a.dtype(), ", b is ", b.dtype(), "\n  help: convert one with to(x, dtype)"));
}

/// Both of rank 2 or more.
Tensor product(const Tensor& a, const Tensor& b) {
  return record(
      {"matmul", {}, saves::inputs}, {a, b}, [](const Inputs& in) { return kernels::matmul(in[0], in[1]); },
      [](const Saved& s, const Tensor& dy) {
        const Tensor &x = s.input(0), &y = s.input(1);
        Tensor dx, dz;
        if (s.needs(0)) dx = sum_to(product(dy, transpose(y, -1, -2)), x.shape());
        if (s.needs(1)) dz = sum_to(product(transpose(x, -1, -2), dy), y.shape());
        return gradients(dx, dz);
      });
}

/// x of rank 2.
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return record(
      {"linear", {}, saves::input(0) | saves::input(1)}, {x, weight, bias},
      [](const Inputs& in) { return kernels::linear(in[0], in[1], in[2]); },
      [](const Saved& s, const Tensor& dy) {
        Tensor dx, dweight, dbias;
        if (s.needs(0)) dx = matmul(dy, s.input(1));
        if (s.needs(1)) dweight = matmul(t(dy), s.input(0));
        if (s.needs(2)) dbias = sum(dy, 0);
        return gradients(dx, dweight, dbias);
      });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0)
    throw ShapeError(text("matmul: shapes ", a.shape(), " and ", b.shape(),
                          ": a number is not a matrix\n  help: multiply with a * b"));
  same_type("matmul", a, b);
  const std::int64_t inner_a = a.shape().back(), inner_b = b.shape()[b.dim() == 1 ? 0 : b.dim() - 2];
  if (inner_a != inner_b) {
    const bool turned = b.dim() == 2 && b.shape()[1] == inner_a;
    throw ShapeError(text("matmul: inner sizes differ: a ", a.shape(), " has ", inner_a, " columns, b ", b.shape(),
                          " has ", inner_b, " rows", turned ? "\n  help: transpose b with t(b)" : ""));
  }
  const bool row = a.dim() == 1, column = b.dim() == 1;
  if (!row && !column) [[likely]]
    return product(a, b);
  Tensor y = product(row ? unsqueeze(a, 0) : a, column ? unsqueeze(b, 1) : b);
  if (column) y = squeeze(y, -1);
  if (row) y = squeeze(y, column ? -1 : -2);
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2) throw ShapeError(text("linear: the weight is ", weight.shape(), ", not (out, in)"));
  if (x.dim() == 0 || x.shape().back() != weight.shape()[1])
    throw ShapeError(text("linear: x ", x.shape(), " has ", x.dim() ? x.shape().back() : 0, " features, the weight ",
                          weight.shape(), " takes ", weight.shape()[1]));
  same_type("linear", x, weight);
  if (bias.defined()) {
    if (bias.dim() != 1 || bias.shape()[0] != weight.shape()[0])
      throw ShapeError(text("linear: the bias is ", bias.shape(), ", the weight ", weight.shape(), " gives ",
                            weight.shape()[0], " features"));
    same_type("linear", x, bias);
  }
  if (x.dim() == 2) [[likely]]
    return linear_rows(x, weight, bias);
  Shape shape = x.shape();
  shape.back() = weight.shape()[0];
  const std::int64_t features = weight.shape()[1];
  const std::int64_t rows = features ? x.numel() / features : shape.product() / (shape.back() ? shape.back() : 1);
  return reshape(linear_rows(reshape(x, {rows, features}), weight, bias), shape);
}

}  // namespace weft
