#include <weft/tests/unit/kernels_testing.h>

#include <algorithm>

using namespace kernels_testing;
using kernels::Reduce;

namespace {

/// Plain reduction in double over the axes in `mask` (bit i for axis i), of row-major values.
std::vector<double> plain(Reduce op, const std::vector<double>& x, const Shape& shape, unsigned mask) {
  Int out_size = 1;
  for (int i = 0; i < shape.size(); ++i)
    if (!(mask >> i & 1U)) out_size *= shape[i];
  std::vector<std::vector<double>> groups(static_cast<std::size_t>(out_size));
  for (std::size_t n = 0; n < x.size(); ++n) {
    Int rest = static_cast<Int>(n), at = 0, step = 1;
    for (int i = shape.size() - 1; i >= 0; --i) {
      const Int index = rest % shape[i];
      rest /= shape[i];
      if (!(mask >> i & 1U)) {
        at += index * step;
        step *= shape[i];
      }
    }
    groups[static_cast<std::size_t>(at)].push_back(x[n]);
  }
  std::vector<double> y;
  for (const auto& g : groups) {
    double sum = 0, squares = 0, product = 1, top = -INFINITY, bottom = INFINITY, any = 0, all = 1;
    for (const double v : g) {
      sum += v;
      squares += v * v;
      product *= v;
      top = std::isnan(v) || std::isnan(top) ? NAN : std::max(top, v);
      bottom = std::isnan(v) || std::isnan(bottom) ? NAN : std::min(bottom, v);
      any = any != 0 || v != 0;
      all = all != 0 && v != 0;
    }
    const double results[] = {sum, sum / static_cast<double>(g.size()), product, top, bottom, any, all, squares};
    y.push_back(results[static_cast<int>(op)]);
  }
  return y;
}

DType result_type(Reduce op, DType type) {
  if (op == Reduce::any || op == Reduce::all) return DType::boolean;
  if (op == Reduce::max || op == Reduce::min) return type;
  if (op == Reduce::mean) return is_floating(type) ? type : DType::float32;
  return is_floating(type) ? type : DType::int64;
}

}  // namespace

TEST_CASE("kernels: reductions over every set of axes, every type, level and layout") {
  each_level([] {
    for (const Shape& shape : {Shape{3, 4, 5, 6}, Shape{2, 70, 3}, Shape{150}, Shape{1, 5, 1}, Shape{}}) {
      CAPTURE(text(shape));
      for (const DType type : all_types()) {
        CAPTURE(name(type));
        const Tensor x = sample(shape, type, 3);
        const auto views = layouts(x);
        const auto in = values(x);
        for (unsigned mask = 1; mask < (1U << std::max(shape.size(), 1)); ++mask) {
          std::vector<int> axes;
          for (int i = 0; i < std::max(shape.size(), 1); ++i)
            if (mask >> i & 1U) axes.push_back(i % 2 ? i - shape.size() : i);
          for (int op = 0; op < kernels::reduce_count; ++op) {
            const auto o = static_cast<Reduce>(op);
            if (o == Reduce::prod && in.size() > 100) continue;
            const auto wanted = plain(o, in, shape, mask);
            CAPTURE(op);
            CAPTURE(mask);
            const Tensor& view = views[static_cast<std::size_t>(mask + static_cast<unsigned>(op)) % views.size()];
            const Tensor y = kernels::reduce(o, view, axes, op % 2 == 0);
            CHECK(y.dtype() == result_type(o, type));
            check_near(values(y), wanted, type == DType::bfloat16 ? 8e-3 : 1e-6, 1e-7);
          }
        }
      }
    }
  });
}

TEST_CASE("kernels: reductions of repeated and empty tensors") {
  each_level([] {
    const Tensor repeated = view_as(tensor({1, 2, 3}), {4, 3}, {0, 1});
    check_near(values(kernels::reduce(Reduce::sum, repeated, std::vector<int>{0}, false)), {4, 8, 12});
    CHECK(kernels::reduce(Reduce::sum, repeated, {}, false).item() == 24);
    const Tensor none = zeros({0, 3});
    CHECK(kernels::reduce(Reduce::sum, none, {}, false).item() == 0);
    CHECK(kernels::reduce(Reduce::prod, none, {}, false).item() == 1);
    CHECK(std::isnan(kernels::reduce(Reduce::mean, none, {}, false).item()));
    CHECK(kernels::reduce(Reduce::all, none, {}, false).item() == 1);
    CHECK(kernels::reduce(Reduce::any, none, {}, false).item() == 0);
    CHECK(kernels::reduce(Reduce::max, none, std::vector<int>{1}, false).shape() == Shape{0});
    CHECK(kernels::reduce(Reduce::sum, none, std::vector<int>{0}, true).shape() == Shape{1, 3});
    CHECK(starts(message<ShapeError>([&] { kernels::reduce(Reduce::max, none, {}, false); }),
                 "max: nothing to choose from in shape [0, 3]\n  help: "));
    CHECK(starts(message<ShapeError>([&] {
                   kernels::reduce(Reduce::sum, none, std::vector<int>{0, -2}, false);
                 }),
                 "sum: axis -2 is given twice"));
    CHECK(starts(message<ShapeError>([&] { kernels::reduce(Reduce::sum, none, std::vector<int>{2}, false); }),
                 "sum: axis 2 is out of range"));
    const Tensor with_nan = tensor({{1, NAN}, {3, 2}});
    check_near(values(kernels::reduce(Reduce::max, with_nan, std::vector<int>{0}, false)), {3, NAN});
    check_near(values(kernels::reduce(Reduce::min, with_nan, std::vector<int>{1}, false)), {NAN, 2});
  });
}

TEST_CASE("kernels: long sums keep their precision and do not depend on threads") {
  each_level([] {
    const Int n = 3'000'001;
    const Tensor x = full({n}, 0.1);
    const double exact = static_cast<double>(0.1F) * static_cast<double>(n);
    set_num_threads(1);
    const double one = kernels::reduce(Reduce::sum, x, {}, false).item();
    set_num_threads(3);
    const double three = kernels::reduce(Reduce::sum, x, {}, false).item();
    set_num_threads(0);
    CHECK(one == three);
    CHECK(std::fabs(one - exact) / exact < 1e-6);
    const Tensor m = kernels::copy(view_as(x, {3000, 1000}, {1000, 1}));
    for (const double v : values(kernels::reduce(Reduce::sum, m, std::vector<int>{0}, false)))
      REQUIRE(std::fabs(v - 100.0 * 3) < 3e-4);
    CHECK(kernels::reduce(Reduce::prod, full({200}, 1e-1), {}, false).item() == 0);  // below float32
    CHECK(std::fabs(kernels::reduce(Reduce::prod, tensor({1e30, 1e30, 1e-30, 1e-30}), {}, false).item() - 1) < 1e-6);
  });
}

TEST_CASE("kernels: sum_to undoes broadcasting") {
  each_level([] {
    const Tensor x = sample({4, 3, 5}, DType::float32, 2);
    for (const Shape& shape : {Shape{4, 3, 5}, Shape{5}, Shape{3, 1}, Shape{4, 1, 5}, Shape{1, 1, 1}, Shape{}}) {
      const Tensor y = kernels::sum_to(x, shape);
      CHECK(y.shape() == shape);
      unsigned mask = 0;
      for (int i = 0; i < 3; ++i)
        if (i < 3 - shape.size() || shape[i - 3 + shape.size()] == 1) mask |= 1U << i;
      check_near(values(y), plain(Reduce::sum, values(x), x.shape(), mask), 1e-6, 1e-6);
    }
    CHECK(starts(message<ShapeError>([&] { kernels::sum_to(x, {2}); }), "sum_to: shape [4, 3, 5]"));
  });
}

TEST_CASE("kernels: argmax and argmin take the first of equals, NaN first of all") {
  each_level([] {
    for (const DType type : all_types())
      for (const Shape& shape : {Shape{7, 40}, Shape{3, 50, 300}, Shape{90}}) {
        const Tensor x = sample(shape, type, 6);
        for (const Tensor& view : layouts(x))
          for (int axis = 0; axis < shape.size(); ++axis) {
            const auto in = values(x);
            Int behind = 1;
            for (int i = axis + 1; i < shape.size(); ++i) behind *= shape[i];
            const auto top = to_vector<Int>(kernels::argmax(view, axis, false)),
                       bottom = to_vector<Int>(kernels::argmin(view, axis, true));
            bool right = true;
            for (std::size_t o = 0; o < top.size(); ++o) {
              const Int first = static_cast<Int>(o) / behind * behind * shape[axis] + static_cast<Int>(o) % behind;
              Int best = 0, least = 0;
              for (Int i = 0; i < shape[axis]; ++i) {
                const auto at = [&](Int k) { return in[static_cast<std::size_t>(first + k * behind)]; };
                if (at(i) > at(best)) best = i;
                if (at(i) < at(least)) least = i;
              }
              right = right && top[o] == best && bottom[o] == least;
            }
            CHECK(right);
          }
      }
    const Tensor x = tensor({{1, NAN, 3}, {NAN, 2, NAN}});
    check_near(values(kernels::argmax(x, 1, false)), {1, 0});
    check_near(values(kernels::argmin(x, 0, false)), {1, 0, 1});
    CHECK(kernels::argmax(scalar(3), 0, false).item() == 0);
    CHECK(starts(message<ShapeError>([&] {
                   kernels::argmax(zeros({2, 0}), 1, false);
                 }),
                 "argmax: nothing to choose from"));
  });
}

TEST_CASE("kernels: cumsum along any axis") {
  each_level([] {
    for (const DType type : all_types()) {
      const Tensor x = sample({3, 4, 300}, type, 8);
      const auto in = values(x);
      for (const Tensor& view : layouts(x))
        for (int axis = 0; axis < 3; ++axis) {
          const Int steps[] = {1200, 300, 1};
          std::vector<double> wanted = in;
          const Int along = x.shape()[axis];
          for (Int n = 0; n < x.numel(); ++n)
            if (n / steps[axis] % along != 0)
              wanted[static_cast<std::size_t>(n)] += wanted[static_cast<std::size_t>(n - steps[axis])];
          const Tensor y = kernels::cumsum(view, axis);
          CHECK(y.dtype() == (is_floating(type) ? type : DType::int64));
          check_near(values(y), wanted, type == DType::bfloat16 ? 8e-3 : 1e-6, 1e-6);
        }
    }
  });
}
