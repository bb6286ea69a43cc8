#include <weft/tests/unit/kernels_testing.h>

using namespace kernels_testing;

namespace {

/// Applies `f` to every row along an axis of row-major values.
std::vector<double> by_rows(std::vector<double> x, const Shape& s, int axis,
                            const std::function<std::vector<double>(const std::vector<double>&)>& f) {
  Int behind = 1;
  for (int i = axis + 1; i < s.size(); ++i) behind *= s[i];
  const Int along = s.empty() ? 1 : s[axis];
  std::vector<double> y;
  std::vector<double> out = x;
  for (Int start = 0; start < static_cast<Int>(x.size()); ++start) {
    if (start / behind % along != 0) continue;
    std::vector<double> row;
    for (Int i = 0; i < along; ++i) row.push_back(x[static_cast<std::size_t>(start + i * behind)]);
    const auto result = f(row);
    if (result.size() == 1 && along != 1) {
      y.push_back(result[0]);
      continue;
    }
    for (Int i = 0; i < along; ++i)
      out[static_cast<std::size_t>(start + i * behind)] = result[static_cast<std::size_t>(i)];
  }
  return y.empty() ? out : y;
}
double log_sum_exp(const std::vector<double>& row) {
  double top = -INFINITY, sum = 0;
  for (const double v : row) top = std::max(top, v);
  for (const double v : row) sum += std::exp(v - top);
  return top + std::log(sum);
}
std::vector<double> plain_log_softmax(std::vector<double> row) {
  const double z = log_sum_exp(row);
  for (double& v : row) v -= z;
  return row;
}
std::vector<double> plain_softmax(std::vector<double> row) {
  row = plain_log_softmax(row);
  for (double& v : row) v = std::exp(v);
  return row;
}
double absolute(DType type) { return type == DType::bfloat16 ? 4e-2 : type == DType::float32 ? 2e-6 : 1e-12; }

}  // namespace

TEST_CASE("kernels: softmax family along every axis") {
  each_level([] {
    for (const DType type : float_types())
      for (const Shape& shape : {Shape{4, 5, 6}, Shape{3, 200}, Shape{200, 3}, Shape{2, 40, 150}, Shape{}}) {
        const Tensor x = sample(shape, type, 2);
        for (const Tensor& view : layouts(x))
          for (int axis = 0; axis < std::max(shape.size(), 1); ++axis) {
            const Tensor y = kernels::softmax(view, axis - std::max(shape.size(), 1)),
                         l = kernels::log_softmax(view, axis);
            check_near(values(y), by_rows(values(x), shape, axis, plain_softmax), tolerance(type), absolute(type));
            check_near(values(l), by_rows(values(x), shape, axis, plain_log_softmax), tolerance(type) * 4,
                       absolute(type));
            if (!shape.empty()) {
              const Tensor z = kernels::logsumexp(view, axis, false);
              CHECK(z.dim() == shape.size() - 1);
              check_near(
                  values(z),
                  by_rows(values(x), shape, axis, [](const auto& r) { return std::vector<double>{log_sum_exp(r)}; }),
                  tolerance(type) * 4, absolute(type));
            }
            // Gradients: the formulas in kernels.h, evaluated in double on the rounded outputs.
            const Tensor dy = sample(shape, type, 5);
            const auto g = values(dy), p = values(y), q = values(l);
            std::vector<double> gp(g.size()), sum_gp, sum_g;
            for (std::size_t i = 0; i < g.size(); ++i) gp[i] = g[i] * p[i];
            const auto spread_sum = [](const std::vector<double>& r) {
              double s = 0;
              for (const double v : r) s += v;
              return std::vector<double>(r.size(), s);
            };
            sum_gp = by_rows(gp, shape, axis, spread_sum);
            sum_g = by_rows(g, shape, axis, spread_sum);
            std::vector<double> a(g.size()), b(g.size());
            for (std::size_t i = 0; i < g.size(); ++i) {
              a[i] = p[i] * (g[i] - sum_gp[i]);
              b[i] = g[i] - std::exp(q[i]) * sum_g[i];
            }
            check_near(values(kernels::softmax_grad(layouts(dy).back(), y, axis)), a, tolerance(type) * 4,
                       absolute(type));
            check_near(values(kernels::log_softmax_grad(dy, l, axis)), b, tolerance(type) * 4, absolute(type) * 20);
          }
      }
    const double inf = std::numeric_limits<double>::infinity();
    CHECK(kernels::logsumexp(tensor({-inf, -inf}), 0, false).item() == -inf);
    CHECK(kernels::logsumexp(tensor({1, inf}), 0, false).item() == inf);
    check_near(values(kernels::softmax(tensor({1000, 1000, -inf}), 0)), {0.5, 0.5, 0});
    CHECK(kernels::softmax(zeros({0, 3}), 1).shape() == Shape{0, 3});
    CHECK(kernels::softmax(zeros({3, 0}), 1).shape() == Shape{3, 0});
    CHECK(starts(message<DtypeError>([] { kernels::softmax(tensor({1}, DType::int32), 0); }),
                 "softmax: takes floating types"));
  });
}

TEST_CASE("kernels: cross entropy of rows, its gradient and its checks") {
  each_level([] {
    for (const DType type : {DType::float32, DType::float64}) {
      const Int rows = 7, classes = 11;
      const Tensor logits = sample({rows, classes}, type, 2), weight = kernels::cast(arange(1, 12), type);
      const Tensor target = from(std::vector<Int>{0, 3, -100, 10, 5, 5, 1});
      const auto t = to_vector<Int>(target);
      Tensor logs;
      const Tensor loss = kernels::cross_entropy_rows(layouts(logits)[1], target, weight, -100, logs);
      const auto q = by_rows(values(logits), logits.shape(), 1, plain_log_softmax);
      check_near(values(logs), q, 1e-5, 1e-6);
      std::vector<double> wanted, gradient(q.size(), 0.0);
      const Tensor scale = sample({rows}, type, 9);
      for (Int i = 0; i < rows; ++i) {
        const Int k = t[static_cast<std::size_t>(i)];
        wanted.push_back(k < 0 ? 0 : -q[static_cast<std::size_t>(i * classes + k)] * static_cast<double>(k + 1));
        for (Int j = 0; k >= 0 && j < classes; ++j) {
          const auto n = static_cast<std::size_t>(i * classes + j);
          gradient[n] =
              values(scale)[static_cast<std::size_t>(i)] * static_cast<double>(k + 1) * (std::exp(q[n]) - (j == k));
        }
      }
      check_near(values(loss), wanted, 1e-5, 1e-6);
      check_near(values(kernels::cross_entropy_rows_grad(scale, logs, target, weight, -100)), gradient, 1e-4, 1e-5);
      CHECK(kernels::cross_entropy_rows_grad(scalar(0.5), logs, target, Tensor(), -100).shape() == logits.shape());
    }
    Tensor logs;
    CHECK(starts(message<ConfigError>([&] {
                   kernels::cross_entropy_rows(zeros({2, 3}), from(std::vector<Int>{1, 3}), Tensor(), -100, logs);
                 }),
                 "cross_entropy: target 3 at position 1 is outside the 3 classes"));
    CHECK(starts(message<ShapeError>([&] {
                   kernels::cross_entropy_rows(zeros({2, 3}), from(std::vector<Int>{1}), Tensor(), -100, logs);
                 }),
                 "cross_entropy: target shape [1]"));
    CHECK(starts(message<DtypeError>([&] {
                   kernels::cross_entropy_rows(zeros({1, 3}), tensor({1}), Tensor(), -100, logs);
                 }),
                 "cross_entropy: targets are float32"));
  });
}

TEST_CASE("kernels: layer norm and its gradients") {
  each_level([] {
    for (const DType type : {DType::float32, DType::float64})
      for (const auto& [shape, axes] :
           std::vector<std::pair<Shape, int>>{{{6, 50}, 1}, {{3, 4, 5}, 2}, {{130, 7}, 1}, {{2, 3000}, 1}}) {
        Shape inner;
        for (int i = shape.size() - axes; i < shape.size(); ++i) inner.push_back(shape[i]);
        const Int n = inner.product(), rows = shape.product() / n;
        const Tensor x = sample(shape, type, 1), w = sample(inner, type, 2), b = sample(inner, type, 3),
                     dy = sample(shape, type, 4);
        Tensor mean, rstd;
        const Tensor y = kernels::layer_norm(layouts(x)[1], axes, w, b, 1e-5, mean, rstd);
        const auto in = values(x), ww = values(w), bb = values(b), g = values(dy);
        std::vector<double> wanted(in.size()), dx(in.size()), dw(static_cast<std::size_t>(n)),
            db(static_cast<std::size_t>(n));
        for (Int r = 0; r < rows; ++r) {
          double m = 0, v = 0;
          const auto at = [&](Int j) { return static_cast<std::size_t>(r * n + j); };
          for (Int j = 0; j < n; ++j) m += in[at(j)] / static_cast<double>(n);
          for (Int j = 0; j < n; ++j) v += (in[at(j)] - m) * (in[at(j)] - m) / static_cast<double>(n);
          const double s = 1 / std::sqrt(v + 1e-5);
          double a = 0, c = 0;
          for (Int j = 0; j < n; ++j) {
            const auto k = static_cast<std::size_t>(j);
            const double h = (in[at(j)] - m) * s;
            wanted[at(j)] = h * ww[k] + bb[k];
            a += g[at(j)] * ww[k] / static_cast<double>(n);
            c += g[at(j)] * ww[k] * h / static_cast<double>(n);
            dw[k] += g[at(j)] * h;
            db[k] += g[at(j)];
          }
          for (Int j = 0; j < n; ++j)
            dx[at(j)] = s * (g[at(j)] * ww[static_cast<std::size_t>(j)] - a - (in[at(j)] - m) * s * c);
        }
        check_near(values(y), wanted, 1e-5, 2e-6);
        Tensor gx, gw, gb;
        kernels::layer_norm_grad(dy, x, axes, mean, rstd, w, &gx, &gw, &gb);
        CHECK(gw.shape() == inner);
        check_near(values(gx), dx, 1e-4, 1e-5);
        check_near(values(gw), dw, 1e-4, 1e-4);
        check_near(values(gb), db, 1e-5, 1e-5);
        Tensor only;
        kernels::layer_norm_grad(dy, x, axes, mean, rstd, Tensor(), &only, nullptr, nullptr);
        CHECK(only.shape() == shape);
        CHECK(kernels::layer_norm(x, axes, Tensor(), Tensor(), 1e-5, mean, rstd).shape() == shape);
      }
    Tensor m, s;
    CHECK(starts(message<ShapeError>([&] {
                   kernels::layer_norm(zeros({2, 3}), 1, zeros({2}), Tensor(), 1e-5, m, s);
                 }),
                 "layer_norm: weight has shape [2]"));
    CHECK(starts(message<ShapeError>([&] { kernels::layer_norm(zeros({2}), 2, Tensor(), Tensor(), 1e-5, m, s); }),
                 "layer_norm: 2 axes"));
  });
}

TEST_CASE("kernels: adam and sgd follow their formulas on any layout") {
  each_level([] {
    for (const DType type : {DType::float32, DType::float64})
      for (int variant = 0; variant < 4; ++variant) {
        const Shape shape{9, 13};
        const Tensor p0 = sample(shape, type, 1), g = sample(shape, type, 2);
        for (const Tensor& memory : layouts(zeros(shape, type))) {
          const Tensor p = kernels::copy(memory).is_contiguous() && memory.is_contiguous() ? kernels::copy(p0) : memory;
          kernels::copy_into(p, p0);
          const Tensor m = zeros(shape, type), v = zeros(shape, type);
          auto rp = values(p0);
          std::vector<double> rm(rp.size()), rv(rp.size());
          const auto rg = values(g);
          kernels::AdamStep s{0.01, 0.9, 0.999, 1e-8, variant % 2 ? 0.1 : 0, variant >= 2, 1};
          for (int step = 1; step <= 3; ++step) {
            s.step = step;
            kernels::adam(p, g, m, v, s);
            for (std::size_t i = 0; i < rp.size(); ++i) {
              double d = rg[i];
              if (s.decoupled)
                rp[i] *= 1 - s.lr * s.weight_decay;
              else
                d += s.weight_decay * rp[i];
              rm[i] = s.beta1 * rm[i] + (1 - s.beta1) * d;
              rv[i] = s.beta2 * rv[i] + (1 - s.beta2) * d * d;
              rp[i] -= s.lr / (1 - std::pow(s.beta1, step)) * rm[i] /
                       (std::sqrt(rv[i]) / std::sqrt(1 - std::pow(s.beta2, step)) + s.eps);
            }
          }
          check_near(values(p), rp, 1e-4, 1e-5);
          check_near(values(v), rv, 1e-4, 1e-6);
        }
        const Tensor p = kernels::copy(p0), velocity = full(shape, NAN, type);
        auto rp = values(p0);
        std::vector<double> rv(rp.size());
        const auto rg = values(g);
        kernels::SgdStep s{0.1, variant % 2 ? 0.9 : 0, 0.25, variant >= 2 ? 0.01 : 0, variant == 3, true};
        if (s.nesterov) s.dampening = 0;
        for (int step = 0; step < 3; ++step) {
          s.first = step == 0;
          kernels::sgd(p, g, s.momentum != 0 ? velocity : Tensor(), s);
          for (std::size_t i = 0; i < rp.size(); ++i) {
            double d = rg[i] + s.weight_decay * rp[i];
            if (s.momentum != 0) {
              rv[i] = step == 0 ? d : s.momentum * rv[i] + (1 - s.dampening) * d;
              d = s.nesterov ? d + s.momentum * rv[i] : rv[i];
            }
            rp[i] -= s.lr * d;
          }
        }
        check_near(values(p), rp, 1e-4, 1e-5);
      }
    const Tensor x = zeros({2});
    CHECK(starts(message<ShapeError>([&] {
                   kernels::adam(x, zeros({3}), x, x, {0.1, 0.9, 0.9, 1e-8, 0, false, 1});
                 }),
                 "adam: the gradient has shape [3]"));
    CHECK(starts(message<ConfigError>([&] {
                   kernels::sgd(x, x, Tensor(), {0.1, 0.9, 0, 0, false, true});
                 }),
                 "sgd: momentum is 0.9"));
    CHECK(starts(message<DtypeError>([&] {
                   kernels::sgd(zeros({2}, DType::int32), x, Tensor(), {0.1, 0, 0, 0, false, true});
                 }),
                 "sgd: the parameter is int32"));
  });
}

TEST_CASE("kernels: joining, picking and scattering") {
  each_level([] {
    for (const DType type : all_types()) {
      const Tensor a = sample({2, 3, 4}, type, 1), b = sample({2, 5, 4}, type, 2);
      const Tensor parts[] = {layouts(a)[1], layouts(b)[2]};
      const Tensor y = kernels::cat(parts, -2);
      CHECK(y.shape() == Shape{2, 8, 4});
      const auto va = values(a), vb = values(b), vy = values(y);
      bool right = true;
      for (std::size_t i = 0; i < 2; ++i)
        for (std::size_t j = 0; j < 8; ++j)
          for (std::size_t k = 0; k < 4; ++k)
            right = right && vy[(i * 8 + j) * 4 + k] == (j < 3 ? va[(i * 3 + j) * 4 + k] : vb[(i * 5 + j - 3) * 4 + k]);
      CHECK(right);
      const Tensor index = from(std::vector<Int>{4, 0, -1, 2});
      for (const Tensor& view : layouts(b)) {
        const auto picked = values(kernels::index_select(view, 1, index));
        const std::size_t rows[] = {4, 0, 4, 2};
        for (std::size_t i = 0; i < 2; ++i)
          for (std::size_t j = 0; j < 4; ++j)
            for (std::size_t k = 0; k < 4; ++k)
              right = right && picked[(i * 4 + j) * 4 + k] == vb[(i * 5 + rows[j]) * 4 + k];
      }
      CHECK(right);
    }
    for (const DType type : float_types()) {
      const Tensor index = from(std::vector<Int>{1, 1, -1, 0}), src = sample({3, 4, 9}, type, 3);
      for (const Tensor& dst : layouts(zeros({3, 5, 9}, type))) {
        kernels::fill(dst, 1);
        kernels::index_add(dst, 1, index, src);
        std::vector<double> wanted(3 * 5 * 9, 1.0);
        const std::size_t to[] = {1, 1, 4, 0};
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t j = 0; j < 4; ++j)
            for (std::size_t k = 0; k < 9; ++k) wanted[(i * 5 + to[j]) * 9 + k] += values(src)[(i * 4 + j) * 9 + k];
        check_near(values(dst), wanted, tolerance(type), 1e-6);
      }
      const Tensor x = sample({4, 5}, type, 1);
      const Tensor places = from(std::vector<Int>{0, 3, 1, -1, 2, 0}, Shape{2, 3});
      const auto v = values(x);
      for (const Tensor& view : layouts(x)) {
        check_near(values(kernels::gather(view, 0, places)), {v[0], v[16], v[7], v[15], v[11], v[2]});
        check_near(values(kernels::gather(view, 1, places)), {v[0], v[3], v[1], v[9], v[7], v[5]});
      }
      const Tensor dst = zeros({4, 5}, type), add = ones({2, 3}, type);
      kernels::scatter_add(dst, 1, places, add);
      CHECK(values(dst)[0] == 1);
      CHECK(values(dst)[9] == 1);
      CHECK(kernels::reduce(kernels::Reduce::sum, dst, {}, false).item() == 6);
    }
    check_near(values(kernels::nonzero_flat(tensor({{0, 1, 1}, {0, 0, 1}}, DType::boolean))), {1, 2, 5});
    check_near(values(kernels::argsort(tensor({3, NAN, 1, 3, -1}), 0, false)), {4, 2, 0, 3, 1});
    check_near(values(kernels::argsort(tensor({3, NAN, 1, 3, -1}), 0, true)), {1, 0, 3, 2, 4});
    check_near(values(kernels::argsort(tensor({{2, 1}, {1, 2}}, DType::int8), 0, false)), {1, 0, 0, 1});
    const Tensor x = zeros({3, 2}), index = from(std::vector<Int>{0, 3});
    CHECK(message<ConfigError>([&] { kernels::index_select(x, 0, index); }) ==
          "index_select: index 3 at position 1 is out of range for size 3\n  help: use indices from -3 to 2");
    CHECK(starts(message<ConfigError>([&] {
                   kernels::index_add(x, 0, index, zeros({2, 2}));
                 }),
                 "index_add: index 3 at position 1"));
    CHECK(starts(message<ConfigError>([&] {
                   kernels::gather(x, 0, view_as(index, {1, 2}, {2, 1}));
                 }),
                 "gather: index 3 at position 1"));
    CHECK(starts(message<ConfigError>([&] {
                   kernels::scatter_add(x, 0, view_as(index, {1, 2}, {2, 1}), x);
                 }),
                 "scatter_add: index 3"));
    CHECK(starts(message<DtypeError>([&] { kernels::index_select(x, 0, tensor({1})); }),
                 "index_select: the index is float32"));
    CHECK(
        starts(message<ShapeError>([&] { kernels::gather(x, 0, index); }), "gather: index [2] does not fit x [3, 2]"));
    const Tensor bad[] = {x, zeros({3, 3})};
    CHECK(starts(message<ShapeError>([&] { kernels::cat(bad, 0); }), "cat: part 1 has shape [3, 3]"));
    CHECK(starts(message<ShapeError>([&] { kernels::cat({}, 0); }), "cat: there is nothing to join"));
  });
}
