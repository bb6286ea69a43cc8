#include <weft/autograd/testing.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include <weft/autograd/grad.h>
#include <weft/autograd/ops/shape.h>
#include <weft/tensor/create.h>
#include <weft/tensor/kernels.h>

namespace weft::testing {
namespace {

Dims place(const Shape& shape, std::int64_t at) {
  Dims index = shape;
  for (int i = shape.size() - 1; i >= 0; --i) {
    index[i] = at % shape[i];
    at /= shape[i];
  }
  return index;
}

Report failure(std::string message) {
  Report r;
  r.passed = false;
  r.message = std::move(message);
  return r;
}

std::string number(double v) {
  std::ostringstream out;
  out.precision(10);
  out << v;
  return out.str();
}

using Tensors = std::vector<Tensor>;
using Numbers = std::vector<double>;

double dot(const Numbers& a, const Numbers& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

/// A function, where it is evaluated, and which inputs are moved.
class Check {
 public:
  Check(const char* op, const Function& function, const Tensors& inputs, const GradcheckOptions& options)
      : op_(op), function_(function), options_(options), generator_{options.seed, 0} {
    bool chosen = false;
    for (const Tensor& x : inputs) chosen |= x.requires_grad();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& x = inputs[i];
      inputs_.push_back(x.defined() ? detach(x) : x);
      if (!x.defined() || !is_floating(x.dtype()) || (chosen && !x.requires_grad())) continue;
      if (x.dtype() != DType::float64)
        throw DtypeError(text(op, ": input ", i, " is ", x.dtype(), "\n  help: convert it with to(x, DType::float64)"));
      moved_.push_back(i);
    }
  }

  Report run() {
    if (moved_.empty()) return failure(text(op_, ": no input is float64, so there is no gradient to check"));
    const Tensors y = evaluate(inputs_);
    const Tensors again = evaluate(inputs_);
    for (std::size_t k = 0; k < y.size(); ++k)
      if (Report r = allclose(again.at(k), y[k], {.atol = 0, .rtol = 0, .equal_nan = true}); !r)
        return failure(text(op_, ": two calls on the same inputs differ: ", r.message));
    for (std::size_t k = 0; k < y.size(); ++k) {
      if (!y[k].defined() || !is_floating(y[k].dtype())) continue;
      if (Report r = check_output(k, y[k].shape(), y[k].dtype()); !r) return r;
    }
    if (options_.layouts)
      for (const Layout layout : layouts)
        if (Report r = check_layout(layout); !r) return r;
    return {};
  }

 private:
  Tensors evaluate(const Tensors& inputs) const {
    const NoGrad off;
    return function_(inputs);
  }

  Numbers normal(std::int64_t n) {
    Numbers v(static_cast<std::size_t>(n));
    for (double& each : v) each = generator_.normal();
    return v;
  }

  /// Output k with input i moved by h * u.
  Numbers moved(std::size_t k, std::size_t i, const Numbers& u, double h) const {
    Tensors in = inputs_;
    Numbers x = to_vector<double>(inputs_[i]);
    for (std::size_t j = 0; j < x.size(); ++j) x[j] += h * u[j];
    in[i] = from(x, inputs_[i].shape());
    return to_vector<double>(evaluate(in).at(k));
  }

  struct Difference {
    Numbers value, error;
  };
  /// J u for output k and input i, and how far it may be off.
  Difference difference(std::size_t k, std::size_t i, const Numbers& u) const {
    const double h = options_.step;
    const Numbers p1 = moved(k, i, u, h), m1 = moved(k, i, u, -h), p2 = moved(k, i, u, 2 * h),
                  m2 = moved(k, i, u, -2 * h);
    Difference d{Numbers(p1.size()), Numbers(p1.size())};
    for (std::size_t r = 0; r < p1.size(); ++r) {
      const double near = (p1[r] - m1[r]) / (2 * h), far = (p2[r] - m2[r]) / (4 * h);
      d.value[r] = near + (near - far) / 3;
      d.error[r] = std::abs(near - far) / 3;
    }
    return d;
  }

  Tensors leaves(const Tensors& inputs) const {
    Tensors in = inputs;
    for (const std::size_t i : moved_) {
      in[i] = detach(inputs[i]);
      in[i].set_requires_grad();
    }
    return in;
  }

  /// The rule's gradients of <dy, output k> for the moved inputs, zeros where there are none.
  Report gradients(const Tensors& inputs, std::size_t k, const Tensor& dy, Tensors& result) const {
    const EnableGrad on;
    const Tensors in = leaves(inputs);
    const Tensors y = function_(in);
    Tensors wanted;
    for (const std::size_t i : moved_) wanted.push_back(in[i]);
    result.assign(wanted.size(), Tensor());
    if (y.at(k).requires_grad()) {
      try {
        result = grad({y[k]}, wanted, {.output_gradients = {dy}, .allow_unused = true});
      } catch (const Error& e) {
        return failure(text(op_, ": the rule of output ", k, " throws: ", e.what()));
      }
    }
    for (std::size_t j = 0; j < result.size(); ++j) {
      const Tensor& x = wanted[j];
      if (!result[j].defined()) result[j] = zeros(x.shape(), x.dtype());
      if (!(result[j].shape() == x.shape()))
        return failure(text(op_, ": input ", moved_[j], " is ", x.shape(), ", the rule of output ", k,
                            " gives it a gradient of shape ", result[j].shape()));
      if (result[j].dtype() != x.dtype())
        return failure(text(op_, ": input ", moved_[j], " is ", x.dtype(), ", the rule of output ", k,
                            " gives it a gradient of type ", result[j].dtype()));
    }
    return {};
  }

  bool close(double rule, double differences) const {
    return std::abs(rule - differences) <= options_.atol + options_.rtol * std::abs(differences);
  }
  /// Where halving the step changes the result this much, the function has an edge or a pole nearby.
  bool unreliable(const Difference& d, std::size_t r) const {
    return !std::isfinite(d.value[r]) || d.error[r] > 1e-3 * (1 + std::abs(d.value[r]));
  }

  Report check_output(std::size_t k, const Shape& shape, DType dtype) {
    const std::int64_t m = shape.product();
    std::int64_t n = 0;
    for (const std::size_t i : moved_) n += inputs_[i].numel();
    return n * m <= options_.full_jacobian ? check_entries(k, shape, dtype) : check_projections(k, shape, dtype);
  }

  Report check_entries(std::size_t k, const Shape& shape, DType dtype) {
    const std::int64_t m = shape.product();
    std::vector<Numbers> rule(moved_.size());  // (m, n) per input
    for (std::int64_t r = 0; r < m; ++r) {
      Numbers one(static_cast<std::size_t>(m));
      one[static_cast<std::size_t>(r)] = 1;
      Tensors dx;
      if (Report bad = gradients(inputs_, k, kernels::cast(from(one, shape), dtype), dx); !bad) return bad;
      for (std::size_t j = 0; j < dx.size(); ++j) {
        const Numbers row = to_vector<double>(dx[j]);
        rule[j].insert(rule[j].end(), row.begin(), row.end());
      }
    }
    for (std::size_t j = 0; j < moved_.size(); ++j) {
      const Shape& from_shape = inputs_[moved_[j]].shape();
      const std::int64_t n = from_shape.product();
      Report worst;
      double worst_excess = -1;
      for (std::int64_t c = 0; c < n; ++c) {
        Numbers u(static_cast<std::size_t>(n));
        u[static_cast<std::size_t>(c)] = 1;
        const Difference d = difference(k, moved_[j], u);
        for (std::int64_t r = 0; r < m; ++r) {
          const std::size_t at = static_cast<std::size_t>(r);
          const double ruled = rule[j][static_cast<std::size_t>(r * n + c)];
          const bool rough = unreliable(d, at);
          if (!rough && close(ruled, d.value[at])) continue;
          ++worst.count;
          const double excess = rough ? 0 : std::isfinite(ruled) ? std::abs(ruled - d.value[at]) : HUGE_VAL;
          if (excess <= worst_excess) continue;
          worst_excess = excess;
          worst.passed = false;
          worst.index = place(from_shape, c);
          worst.expected = d.value[at];
          worst.actual = ruled;
          worst.message = text(
              op_, ": the derivative of output ", k, " at ", place(shape, r), " by input ", moved_[j], " at ",
              worst.index, " is ", number(ruled), " by the rule, ", number(d.value[at]),
              rough ? " by differences, which are not to be trusted: the function is not smooth here (off by up to "
                    : " by differences (off by up to ",
              number(d.error[at]), ")");
        }
      }
      if (!worst) {
        worst.message += text("; ", worst.count, " of ", n * m, " entries differ");
        return worst;
      }
    }
    return {};
  }

  Report check_projections(std::size_t k, const Shape& shape, DType dtype) {
    for (int d = 0; d < options_.directions; ++d) {
      const Numbers v = normal(shape.product());
      Tensors dx;
      if (Report bad = gradients(inputs_, k, kernels::cast(from(v, shape), dtype), dx); !bad) return bad;
      for (std::size_t j = 0; j < moved_.size(); ++j) {
        Numbers u = normal(inputs_[moved_[j]].numel());
        const double length = std::sqrt(dot(u, u));  // no element moves by more than a step
        for (double& each : u) each /= length;
        const Difference diff = difference(k, moved_[j], u);
        const double ruled = dot(to_vector<double>(dx[j]), u), expected = dot(v, diff.value);
        Difference projected{{expected}, {0}};
        for (std::size_t r = 0; r < v.size(); ++r) projected.error[0] += std::abs(v[r]) * diff.error[r];
        const bool rough = unreliable(projected, 0);
        if (!rough && close(ruled, expected)) continue;
        Report r = failure(text(
            op_, ": the derivative of output ", k, " of shape ", shape, " by input ", moved_[j], " of shape ",
            inputs_[moved_[j]].shape(), ", projected at random, is ", number(ruled), " by the rule, ", number(expected),
            rough ? " by differences, which are not to be trusted: the function is not smooth here (off by up to "
                  : " by differences (off by up to ",
            number(projected.error[0]), ")"));
        r.expected = expected;
        r.actual = ruled;
        r.count = 1;
        return r;
      }
    }
    return {};
  }

  /// The same numbers in another layout give the same outputs and gradients.
  Report check_layout(Layout layout) {
    Tensors strided = inputs_, plain = inputs_;
    for (const std::size_t i : moved_) {
      strided[i] = with_layout(inputs_[i], layout);
      plain[i] = kernels::copy(strided[i]);
    }
    const auto what = text(op_, ": with inputs ", name(layout), " in memory, ");
    const Tensors y = evaluate(plain), other = evaluate(strided);
    const Tolerance tolerance{.atol = options_.atol, .rtol = options_.rtol, .equal_nan = true};
    for (std::size_t k = 0; k < y.size(); ++k) {
      if (!y[k].defined()) continue;
      if (Report r = allclose(other.at(k), y[k], tolerance); !r) {
        r.message = text(what, "output ", k, " differs: ", r.message);
        return r;
      }
      if (!is_floating(y[k].dtype())) continue;
      const Tensor dy = kernels::cast(from(normal(y[k].numel()), y[k].shape()), y[k].dtype());
      const Tensor dy_strided = with_layout(dy, layout);
      Tensors dx, dx_strided;
      if (Report r = gradients(plain, k, kernels::copy(dy_strided), dx); !r) return r;
      if (Report r = gradients(strided, k, dy_strided, dx_strided); !r) {
        r.message = text(what, r.message);
        return r;
      }
      for (std::size_t j = 0; j < dx.size(); ++j)
        if (Report r = allclose(dx_strided[j], dx[j], tolerance); !r) {
          r.message = text(what, "the gradient of input ", moved_[j], " differs: ", r.message);
          return r;
        }
    }
    return {};
  }

  const char* op_;
  const Function& function_;
  GradcheckOptions options_;
  Generator generator_;
  Tensors inputs_;
  std::vector<std::size_t> moved_;
};

}  // namespace

Report allclose(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (!actual.defined() || !expected.defined())
    return actual.defined() == expected.defined()
               ? Report{}
               : failure(actual.defined() ? "a tensor, expected an undefined one"
                                          : "an undefined tensor, expected a tensor");
  if (actual.dtype() != expected.dtype())
    return failure(text("type ", actual.dtype(), ", expected ", expected.dtype()));
  if (!(actual.shape() == expected.shape()))
    return failure(text("shape ", actual.shape(), ", expected ", expected.shape()));
  const Numbers a = to_vector<double>(actual), e = to_vector<double>(expected);
  Report worst;
  double worst_factor = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (tolerance.equal_nan && std::isnan(a[i]) && std::isnan(e[i]))) continue;
    const double allowed = tolerance.atol + tolerance.rtol * std::abs(e[i]), off = std::abs(a[i] - e[i]);
    if (off <= allowed && std::isfinite(e[i])) continue;
    ++worst.count;
    const double factor = std::isfinite(off) ? (allowed > 0 ? off / allowed : off + 1) : HUGE_VAL;
    if (factor <= worst_factor) continue;
    worst_factor = factor;
    worst.passed = false;
    worst.index = place(expected.shape(), static_cast<std::int64_t>(i));
    worst.expected = e[i];
    worst.actual = a[i];
  }
  if (!worst)
    worst.message = text(worst.count, " of ", a.size(), " entries differ; the worst at ", worst.index, ": ",
                         number(worst.actual), ", expected ", number(worst.expected));
  return worst;
}

Report gradcheck(const Function& function, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  return Check("gradcheck", function, inputs, options).run();
}

Report gradgradcheck(const Function& function, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  bool chosen = false;
  for (const Tensor& x : inputs) chosen |= x.requires_grad();
  std::vector<std::size_t> moved;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && is_floating(inputs[i].dtype()) && (!chosen || inputs[i].requires_grad()))
      moved.push_back(i);

  // The gradients are a function of the inputs and of one more input per output, its gradient.
  Generator generator{options.seed + 1, 0};
  Tensors all;
  for (const Tensor& x : inputs) all.push_back(x.defined() ? detach(x) : x);
  for (const std::size_t i : moved) all[i].set_requires_grad();
  std::vector<std::size_t> outputs;
  {
    const NoGrad off;
    const Tensors y = function(inputs);
    for (std::size_t k = 0; k < y.size(); ++k) {
      if (!y[k].defined() || !is_floating(y[k].dtype())) continue;
      outputs.push_back(k);
      Tensor dy = rand(y[k].shape(), 0.5, 1.5, y[k].dtype(), generator);
      all.push_back(dy.set_requires_grad());
    }
  }
  const auto gradients = [&](const Tensors& in, bool create_graph) -> Tensors {
    const EnableGrad on;
    Tensors x(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(inputs.size())), wanted;
    for (const std::size_t i : moved) {
      if (!x[i].requires_grad()) x[i] = detach(x[i]).set_requires_grad();  // a plain evaluation
      wanted.push_back(x[i]);
    }
    const Tensors y = function(x);
    Tensors dx(wanted.size());
    Tensors with_history, dys;
    for (std::size_t k = 0; k < outputs.size(); ++k)
      if (y.at(outputs[k]).requires_grad()) {
        with_history.push_back(y[outputs[k]]);
        dys.push_back(in[inputs.size() + k]);
      }
    if (!with_history.empty())
      dx = grad(with_history, wanted, {.output_gradients = dys, .create_graph = create_graph, .allow_unused = true});
    for (std::size_t j = 0; j < dx.size(); ++j)
      if (!dx[j].defined()) dx[j] = zeros(wanted[j].shape(), wanted[j].dtype());
    return dx;
  };

  const Tensors plain = gradients(all, false), recorded = gradients(all, true);
  for (std::size_t j = 0; j < plain.size(); ++j)
    if (Report r = allclose(recorded[j], plain[j], {.atol = options.atol, .rtol = options.rtol, .equal_nan = true});
        !r) {
      r.message = text("gradgradcheck: the gradient of input ", moved[j], " differs when it is recorded: ", r.message);
      return r;
    }
  return Check(
             "gradgradcheck", [&](const Tensors& in) { return gradients(in, true); }, all, options)
      .run();
}

const char* name(Layout layout) noexcept {
  return layout == Layout::transposed ? "transposed" : layout == Layout::gaps ? "with gaps" : "repeated";
}

Tensor with_layout(const Tensor& x, Layout layout) {
  const int rank = x.dim();
  const auto filled = [&](const Tensor& y) {
    kernels::copy_into(y, x);
    return y;
  };
  if (layout == Layout::transposed) {
    Shape backwards = x.shape();
    std::reverse(backwards.begin(), backwards.end());
    const Tensor memory = empty(backwards, x.dtype());
    Strides strides = memory.strides();
    std::reverse(strides.begin(), strides.end());
    return filled(view_as(memory, x.shape(), strides));
  }
  if (layout == Layout::gaps) {
    const Tensor memory = zeros({2 * x.numel() + 2}, x.dtype());
    Strides strides = row_major(x.shape());
    for (std::int64_t& s : strides) s *= 2;
    return filled(view_as(memory, x.shape(), strides, 2));
  }
  for (int axis = 0; axis < rank; ++axis)
    if (x.shape()[axis] > 1) {
      Shape one = x.shape();
      one[axis] = 1;
      const Tensor first = kernels::copy(view_as(x, one, x.strides()));
      Strides strides = first.strides();
      strides[axis] = 0;
      return view_as(first, x.shape(), strides);
    }
  return kernels::copy(x);
}

}  // namespace weft::testing
