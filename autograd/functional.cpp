#include <weft/autograd/functional.h>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/arithmetic.h>
#include <weft/autograd/ops/reduction.h>
#include <weft/autograd/ops/shape.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft {
namespace {

std::vector<Tensor> leaves(const char* op, const std::vector<Tensor>& xs) {
  std::vector<Tensor> all;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!is_floating(xs[i].dtype()))
      throw GradError(text(op, ": input ", i, " is ", xs[i].dtype(),
                           ", which has no gradient"
                           "\n  help: convert it with to(x, DType::float32)"));
    all.push_back(detach(xs[i]).set_requires_grad());
  }
  return all;
}

void check(const char* op, const char* what, const std::vector<Tensor>& xs, const std::vector<Tensor>& vs) {
  if (xs.size() != vs.size()) throw ShapeError(text(op, ": ", xs.size(), ' ', what, "s but ", vs.size(), " vectors"));
  for (std::size_t i = 0; i < xs.size(); ++i)
    if (vs[i].defined() && !(vs[i].shape() == xs[i].shape()))
      throw ShapeError(text(op, ": ", what, ' ', i, " is ", xs[i].shape(), ", its vector ", vs[i].shape()));
}

/// As grad(), but 0 where there is no dependence.
std::vector<Tensor> gradients_of(const std::vector<Tensor>& ys, const std::vector<Tensor>& xs,
                                 const std::vector<Tensor>& cotangents, bool retain, bool create_graph) {
  std::vector<Tensor> from, weights, all(xs.size());
  for (std::size_t k = 0; k < ys.size(); ++k)
    if (ys[k].requires_grad()) {
      from.push_back(ys[k]);
      weights.push_back(cotangents[k]);
    }
  if (!from.empty())
    all =
        grad(from, xs,
             {.output_gradients = weights, .retain_graph = retain, .create_graph = create_graph, .allow_unused = true});
  for (std::size_t i = 0; i < xs.size(); ++i)
    if (!all[i].defined()) all[i] = zeros(xs[i].shape(), xs[i].dtype());
  return all;
}

std::vector<Tensor> detached(std::vector<Tensor> xs, bool keep_history) {
  if (!keep_history)
    for (Tensor& x : xs) x = detach(x);
  return xs;
}

ManyFunction many(const Function& f) {
  return [&f](const std::vector<Tensor>& xs) { return std::vector<Tensor>{f(xs[0])}; };
}

}  // namespace

Products vjp(const ManyFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& vs,
             bool create_graph) {
  const EnableGrad on;
  const std::vector<Tensor> xs = leaves("vjp", inputs);
  std::vector<Tensor> ys = f(xs);
  check("vjp", "output", ys, vs);
  std::vector<Tensor> dxs = gradients_of(ys, xs, vs, false, create_graph);
  return {detached(std::move(ys), create_graph), std::move(dxs)};
}

Product vjp(const Function& f, const Tensor& x, const Tensor& v, bool create_graph) {
  Products p = vjp(many(f), {x}, {v}, create_graph);
  return {p.values[0], p.products[0]};
}

Products jvp(const ManyFunction& f, const std::vector<Tensor>& inputs, const std::vector<Tensor>& vs,
             bool create_graph) {
  check("jvp", "input", inputs, vs);
  const EnableGrad on;
  const std::vector<Tensor> xs = leaves("jvp", inputs);
  std::vector<Tensor> ys = f(xs), cotangents;
  for (const Tensor& y : ys) cotangents.push_back(zeros(y.shape(), y.dtype()).set_requires_grad());
  // g(u) = u^T J is linear in u, whatever u is: its derivative along v is J v.
  const std::vector<Tensor> linear = gradients_of(ys, xs, cotangents, true, true);
  std::vector<Tensor> products = gradients_of(linear, cotangents, vs, true, create_graph);
  return {detached(std::move(ys), create_graph), std::move(products)};
}

Product jvp(const Function& f, const Tensor& x, const Tensor& v, bool create_graph) {
  Products p = jvp(many(f), {x}, {v}, create_graph);
  return {p.values[0], p.products[0]};
}

std::vector<std::vector<Tensor>> jacobian(const ManyFunction& f, const std::vector<Tensor>& inputs, bool create_graph) {
  const EnableGrad on;
  const std::vector<Tensor> xs = leaves("jacobian", inputs);
  const std::vector<Tensor> ys = f(xs);
  std::vector<std::vector<Tensor>> all;
  for (const Tensor& y : ys) {
    std::vector<std::vector<Tensor>> rows(xs.size());  // [input][element of y]
    for (std::int64_t e = 0; e < y.numel(); ++e) {
      Tensor unit = zeros(y.shape(), y.dtype());
      kernels::fill(select(reshape(unit, {y.numel()}), 0, e), 1);
      const std::vector<Tensor> row = gradients_of({y}, xs, {unit}, true, create_graph);
      for (std::size_t i = 0; i < xs.size(); ++i) rows[i].push_back(row[i]);
    }
    std::vector<Tensor> of_y;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      Shape shape = y.shape();
      for (int axis = 0; axis < xs[i].dim(); ++axis) shape.push_back(xs[i].shape()[axis]);
      of_y.push_back(rows[i].empty() ? zeros(shape, xs[i].dtype()) : reshape(stack(rows[i]), shape));
    }
    all.push_back(std::move(of_y));
  }
  return all;
}

Tensor jacobian(const Function& f, const Tensor& x, bool create_graph) {
  return jacobian(many(f), {x}, create_graph)[0][0];
}

Tensor hessian(const Function& f, const Tensor& x, bool create_graph) {
  const Function slope = [&f](const Tensor& at) {
    const Tensor y = f(at);
    if (y.numel() != 1)
      throw ShapeError(
          text("hessian: the function gives ", y.shape(), ", not one number\n  help: reduce it with sum(y)"));
    return gradients_of({y}, {at}, {ones(y.shape(), y.dtype())}, true, true)[0];
  };
  return jacobian(slope, x, create_graph);
}

}  // namespace weft
