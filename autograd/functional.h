#pragma once
#include <functional>
#include <vector>

#include <weft/tensor/tensor.h>

/// Derivatives of functions: products with the Jacobian from either side, the Jacobian and the Hessian themselves.
/// The inputs are detached first, so history beyond them does not take part; with create_graph the results are
/// differentiable by tensors that the function captures. All throw GradError where an input is not of a floating type.
namespace weft {

using Function = std::function<Tensor(const Tensor&)>;
using ManyFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

struct Product {
  Tensor value;    ///< f(x)
  Tensor product;  ///< v^T J for vjp, of x's shape; J v for jvp, of f(x)'s
};
struct Products {
  std::vector<Tensor> values, products;
};

/// The vector-Jacobian product v^T J of f at x by one backward: v has f(x)'s shape (undefined: ones, for one element).
/// 0 where f does not depend on x. Throws ShapeError for a v of another shape.
Product vjp(const Function& f, const Tensor& x, const Tensor& v = Tensor(), bool create_graph = false);
Products vjp(const ManyFunction& f, const std::vector<Tensor>& xs, const std::vector<Tensor>& vs,
             bool create_graph = false);

/// The Jacobian-vector product J v of f at x, the derivative along v (of x's shape), by two backwards: the first is
/// linear in its cotangent, and the derivative by that cotangent along v is J v.
Product jvp(const Function& f, const Tensor& x, const Tensor& v, bool create_graph = false);
Products jvp(const ManyFunction& f, const std::vector<Tensor>& xs, const std::vector<Tensor>& vs,
             bool create_graph = false);

/// d f(x)_i / d x_j, of f(x)'s shape followed by x's: one backward per element of f(x).
Tensor jacobian(const Function& f, const Tensor& x, bool create_graph = false);
/// [k][i]: of output k by input i.
std::vector<std::vector<Tensor>> jacobian(const ManyFunction& f, const std::vector<Tensor>& xs,
                                          bool create_graph = false);

/// d^2 f(x) / d x_i d x_j of a function with one number as its value, of x's shape twice.
/// Throws ShapeError when f(x) has more than one element.
Tensor hessian(const Function& f, const Tensor& x, bool create_graph = false);

}  // namespace weft
