#include <weft/tests/unit/kernels_testing.h>

using namespace kernels_testing;
using kernels::Binary;
using kernels::Unary;

namespace {

double floor_mod(double a, double b) { return a - b * std::floor(a / b); }

struct Case {
  Binary op;
  double (*reference)(double, double);
  bool integers;
};
const std::vector<Case> arithmetic = {
    {Binary::add, [](double a, double b) { return a + b; }, true},
    {Binary::mul, [](double a, double b) { return a * b; }, true},
    {Binary::maximum, [](double a, double b) { return a > b ? a : b; }, true},
    {Binary::minimum, [](double a, double b) { return a < b ? a : b; }, true},
    {Binary::div, [](double a, double b) { return a / b; }, false},
    {Binary::atan2, [](double a, double b) { return std::atan2(a, b); }, false},
    {Binary::hypot, [](double a, double b) { return std::hypot(a, b); }, false},
    {Binary::copysign, [](double a, double b) { return std::copysign(a, b); }, false},
};
const std::vector<Case> comparisons = {
    {Binary::eq, [](double a, double b) { return double(a == b); }, true},
    {Binary::ne, [](double a, double b) { return double(a != b); }, true},
    {Binary::lt, [](double a, double b) { return double(a < b); }, true},
    {Binary::le, [](double a, double b) { return double(a <= b); }, true},
    {Binary::gt, [](double a, double b) { return double(a > b); }, true},
    {Binary::ge, [](double a, double b) { return double(a >= b); }, true},
    {Binary::logical_and, [](double a, double b) { return double(a != 0 && b != 0); }, true},
    {Binary::logical_or, [](double a, double b) { return double(a != 0 || b != 0); }, true},
    {Binary::logical_xor, [](double a, double b) { return double((a != 0) != (b != 0)); }, true},
};

/// What a number becomes in a type (whole numbers only for integers).
double stored(double v, DType type) {
  switch (type) {
    case DType::boolean: return v != 0;
    case DType::uint8: return static_cast<double>(static_cast<std::uint8_t>(static_cast<Int>(v)));
    case DType::int8: return static_cast<double>(static_cast<std::int8_t>(static_cast<Int>(v)));
    default: return v;
  }
}

}  // namespace

TEST_CASE("kernels: binary operations agree with plain loops for every type, level and layout") {
  each_level([] {
    for (const Shape& shape : {Shape{3, 5, 7}, Shape{130}, Shape{}, Shape{0, 4}, Shape{33, 70}}) {
      CAPTURE(text(shape));
      for (const DType type : all_types()) {
        CAPTURE(name(type));
        const Tensor a = sample(shape, type, 1), b = sample(shape, type, 2);
        const auto x = values(a), z = values(b);
        const auto check = [&](const Case& c, DType result) {
          std::vector<double> wanted(x.size());
          for (std::size_t i = 0; i < x.size(); ++i) wanted[i] = stored(c.reference(x[i], z[i]), result);
          CAPTURE(static_cast<int>(c.op));
          for (const Tensor& left : layouts(a))
            for (const Tensor& right : layouts(b)) {
              const Tensor y = kernels::binary(c.op, left, right);
              CHECK(y.dtype() == result);
              CHECK(y.shape() == shape);
              check_near(values(y), wanted, tolerance(result), 1e-7);
            }
        };
        for (const Case& c : arithmetic) check(c, is_floating(type) || c.integers ? type : DType::float32);
        for (const Case& c : comparisons) check(c, DType::boolean);
      }
    }
  });
}

TEST_CASE("kernels: broadcasting reads repeated numbers and keeps the layout of the full-sized input") {
  each_level([] {
    const Tensor a = sample({4, 5, 6}, DType::float32, 3);
    for (const Shape& other : {Shape{6}, Shape{5, 1}, Shape{4, 1, 1}, Shape{1, 5, 6}, Shape{}}) {
      const Tensor b = sample(other, DType::float32, 4);
      const Tensor y = kernels::binary(Binary::sub, a, b), mirrored = kernels::binary(Binary::sub, b, a);
      const auto x = values(a), z = values(b);
      std::vector<double> wanted, negated;
      const Shape& s = b.shape();
      for (Int i = 0; i < 4; ++i)
        for (Int j = 0; j < 5; ++j)
          for (Int k = 0; k < 6; ++k) {
            Int at = 0;
            const Int index[] = {i, j, k};
            for (int axis = 0; axis < s.size(); ++axis)
              if (s[axis] != 1) at += index[3 - s.size() + axis] * b.strides()[axis];
            const double v = x[static_cast<std::size_t>((i * 5 + j) * 6 + k)] - z[static_cast<std::size_t>(at)];
            wanted.push_back(v);
            negated.push_back(-v);
          }
      check_near(values(y), wanted);
      check_near(values(mirrored), negated);
    }
    const Tensor column = sample({3, 1}, DType::int32, 1), row = sample({1, 4}, DType::int32, 2);
    const Tensor outer = kernels::binary(Binary::mul, column, row);
    CHECK(outer.shape() == Shape{3, 4});
    CHECK(values(outer)[5] == values(column)[1] * values(row)[1]);
    // Channels last stays channels last.
    const Tensor image = layouts(sample({2, 3, 4, 5}, DType::float32, 9))[1];
    CHECK(kernels::unary(Unary::relu, image).strides() == image.strides());
    CHECK(kernels::binary(Binary::add, image, sample({5}, DType::float32)).strides() == image.strides());
  });
}

TEST_CASE("kernels: types are promoted, and rank 0 does not raise its own kind") {
  const Tensor f = sample({2}, DType::float32), d0 = scalar(2.5, DType::float64), i = sample({2}, DType::int32);
  CHECK(kernels::binary(Binary::add, f, d0).dtype() == DType::float32);
  CHECK(kernels::binary(Binary::add, d0, i).dtype() == DType::float64);
  CHECK(kernels::binary(Binary::add, i, scalar(1, DType::int64)).dtype() == DType::int32);
  CHECK(kernels::binary(Binary::add, sample({2}, DType::uint8), sample({2}, DType::int8)).dtype() == DType::int32);
  CHECK(kernels::binary(Binary::add, i, 2.5).dtype() == DType::float32);
  CHECK(kernels::binary(Binary::add, i, 2).dtype() == DType::int32);
  CHECK(kernels::binary(Binary::lt, i, 2.5).dtype() == DType::boolean);
  CHECK(kernels::binary(Binary::div, i, i).dtype() == DType::float32);
  CHECK(kernels::binary(Binary::add, sample({2}, DType::bfloat16), f).dtype() == DType::float32);
}

TEST_CASE("kernels: division and powers follow the divisor's sign") {
  each_level([] {
    for (const DType type : {DType::int8, DType::int32, DType::int64, DType::float32, DType::float64}) {
      CAPTURE(name(type));
      const Tensor a = kernels::cast(from(std::vector<double>{7, -7, 7, -7, 6, -6, 0}), type);
      const Tensor b = kernels::cast(from(std::vector<double>{3, 3, -3, -3, 3, -3, 5}), type);
      check_near(values(kernels::binary(Binary::floor_divide, a, b)), {2, -3, -3, 2, 2, 2, 0});
      check_near(values(kernels::binary(Binary::remainder, a, b)), {1, 2, -2, -1, 0, 0, 0});
      check_near(values(kernels::binary(Binary::fmod, a, b)), {1, -1, 1, -1, 0, 0, 0});
      check_near(values(kernels::binary(Binary::remainder, a, 4)), {3, 1, 3, 1, 2, 2, 0});
      for (const double v : values(kernels::binary(Binary::remainder, a, b))) CHECK(std::fabs(v) < 3);
      CHECK(floor_mod(-7, 3) == 2);
    }
    const std::vector<Int> extremes = {std::numeric_limits<Int>::min(), std::numeric_limits<Int>::max()};
    const Tensor e = from(extremes);
    CHECK(to_vector<Int>(kernels::binary(Binary::floor_divide, e, -1))[0] == extremes[0]);
    CHECK(to_vector<Int>(kernels::binary(Binary::remainder, e, -1))[0] == 0);
    CHECK(to_vector<Int>(kernels::binary(Binary::add, e, 1))[1] == extremes[0]);
    check_near(
        values(kernels::binary(Binary::pow, tensor({2, -3, 0, 1}, DType::int64), tensor({10, 3, 0, -4}, DType::int64))),
        {1024, -27, 1, 1});
    check_near(values(kernels::binary(Binary::pow, tensor({2, 9, 4}), 0.5)), {std::sqrt(2.0), 3, 2}, 1e-7);
    check_near(values(kernels::binary(Binary::pow, 2.0, tensor({-1, 0, 3}))), {0.5, 1, 8}, 1e-7);
    check_near(values(kernels::binary(Binary::pow, tensor({3, 4}, DType::int32), 2)), {9, 16});
    check_near(values(kernels::binary(Binary::bitwise_xor, tensor({6, 3}, DType::uint8), tensor({3, 3}, DType::uint8))),
               {5, 0});
    check_near(values(kernels::unary(Unary::bitwise_not, tensor({0, 5}, DType::uint8))), {255, 250});
    check_near(values(kernels::unary(Unary::bitwise_not, tensor({0, 1}, DType::boolean))), {1, 0});
  });
}

TEST_CASE("kernels: NaN and infinities pass as they should") {
  each_level([] {
    const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
    for (const DType type : float_types()) {
      const Tensor a = kernels::cast(from(std::vector<double>{nan, 1, nan, inf, -inf}), type);
      const Tensor b = kernels::cast(from(std::vector<double>{1, nan, nan, 1, 1}), type);
      check_near(values(kernels::binary(Binary::maximum, a, b)), {nan, nan, nan, inf, 1});
      check_near(values(kernels::binary(Binary::minimum, a, b)), {nan, nan, nan, 1, -inf});
      check_near(values(kernels::unary(Unary::relu, a)), {nan, 1, nan, inf, 0});
      check_near(values(kernels::unary(Unary::sign, a)), {nan, 1, nan, 1, -1});
      check_near(values(kernels::unary(Unary::isnan, a)), {1, 0, 1, 0, 0});
      check_near(values(kernels::unary(Unary::isinf, a)), {0, 0, 0, 1, 1});
      check_near(values(kernels::unary(Unary::isfinite, a)), {0, 1, 0, 0, 0});
      check_near(values(kernels::binary(Binary::eq, a, a)), {0, 1, 0, 1, 1});
      check_near(values(kernels::clamp(a, -2, 3)), {nan, 1, nan, 3, -2});
    }
    check_near(values(kernels::unary(Unary::round, tensor({0.5, 1.5, 2.5, -0.5, -1.5}))), {0, 2, 2, 0, -2});
    check_near(values(kernels::clamp(tensor({-5, 0, 9}, DType::int8), -1.5, 2.5)), {-1, 0, 2});
  });
}

TEST_CASE("kernels: conversions between all types, any layout") {
  each_level([] {
    for (const DType a : all_types())
      for (const DType b : all_types()) {
        CAPTURE(name(a));
        CAPTURE(name(b));
        const Tensor x = sample({5, 6}, a, 5);
        std::vector<double> wanted = values(x);
        for (double& v : wanted) v = b == DType::boolean ? v != 0 : is_floating(b) ? v : stored(std::trunc(v), b);
        for (const Tensor& view : layouts(x)) check_near(values(kernels::cast(view, b)), wanted);
      }
    check_near(values(kernels::cast(tensor({1e30, -1e30, std::nan("")}), DType::int32)),
               {2147483520, -2147483648.0, 0});
    CHECK(to_vector<Int>(kernels::cast(tensor({1e30, -1e30}), DType::int64))[1] == std::numeric_limits<Int>::min());
    CHECK(to_vector<Int>(full({1}, std::int64_t{9007199254740993}, DType::int64))[0] == 9007199254740993);
  });
}

TEST_CASE("kernels: copies, fills and accumulation through any strides") {
  each_level([] {
    for (const DType type : all_types()) {
      CAPTURE(name(type));
      for (const Shape& shape : {Shape{37, 53}, Shape{2, 3, 17, 19}, Shape{}, Shape{0}, Shape{200, 130}}) {
        const Tensor x = sample(shape, type, 7);
        for (const Tensor& view : layouts(x)) {
          check_near(values(kernels::copy(view)), values(x));
          CHECK(kernels::copy(view).is_contiguous());
          for (const Tensor& target : layouts(zeros(shape, type))) {
            kernels::copy_into(target, view);
            check_near(values(target), values(x));
            kernels::fill(target, 1);
            check_near(values(target), values(ones(shape, type)));
          }
        }
      }
    }
    for (const DType type : float_types()) {
      const Tensor x = sample({9, 11}, type, 1), d = sample({9, 11}, type, 2);
      std::vector<double> wanted = values(d);
      const auto add = values(x);
      for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += -0.5 * add[i];
      for (const Tensor& target : layouts(d))
        for (const Tensor& source : layouts(x)) {
          const Tensor mine = target.is_contiguous() ? kernels::copy(target) : target;
          kernels::copy_into(mine, d);
          const auto version = mine.body().storage->version;
          kernels::accumulate(mine, source, -0.5);
          CHECK(mine.body().storage->version > version);
          check_near(values(mine), wanted, tolerance(type));
        }
    }
    // A transpose onto itself.
    const Tensor m = sample({20, 20}, DType::float32, 3);
    const auto before = values(m);
    kernels::copy_into(m, view_as(m, {20, 20}, {1, 20}));
    CHECK(values(m)[1] == before[20]);
    CHECK(values(m)[399] == before[399]);
    // Broadcast source.
    const Tensor wide = zeros({3, 4});
    kernels::copy_into(wide, tensor({1, 2, 3, 4}, DType::int32));
    check_near(values(wide), {1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4});
  });
}

TEST_CASE("kernels: where chooses with broadcasting") {
  each_level([] {
    for (const DType type : all_types()) {
      const Tensor c = sample({6, 70}, DType::boolean, 3), a = sample({6, 70}, type, 4), b = sample({70}, type, 5);
      const auto t = values(c), x = values(a), z = values(b);
      std::vector<double> wanted(t.size());
      for (std::size_t i = 0; i < t.size(); ++i) wanted[i] = t[i] != 0 ? x[i] : z[i % 70];
      for (const Tensor& condition : layouts(c))
        for (const Tensor& left : layouts(a)) check_near(values(kernels::where(condition, left, b)), wanted);
    }
    CHECK(kernels::where(tensor({1, 0}, DType::boolean), scalar(1, DType::int32), tensor({2, 3})).dtype() ==
          DType::float32);
  });
}

TEST_CASE("kernels: large operations are the same on one thread and on several") {
  const Tensor a = sample({700, 311}, DType::float32, 1), b = sample({311, 700}, DType::float32, 2);
  const Tensor turned = view_as(b, {700, 311}, {1, 700});
  set_num_threads(1);
  const auto one = values(kernels::binary(Binary::add, a, turned));
  set_num_threads(3);
  const auto three = values(kernels::binary(Binary::add, a, turned));
  set_num_threads(0);
  CHECK(one == three);
  const auto x = values(a), z = values(turned);
  std::vector<double> wanted(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) wanted[i] = x[i] + z[i];
  check_near(one, wanted);
}

TEST_CASE("kernels: elementwise errors say what and where") {
  const Tensor i = tensor({1, 2}, DType::int32), zero = tensor({1, 0}, DType::int32);
  CHECK(starts(message<ConfigError>([&] { kernels::binary(Binary::floor_divide, i, zero); }), "floor_divide: "));
  CHECK(starts(message<ConfigError>([&] { kernels::binary(Binary::remainder, i, 0); }), "remainder: "));
  CHECK(starts(message<ConfigError>([&] { kernels::binary(Binary::pow, i, -1); }), "pow: "));
  CHECK(starts(message<ShapeError>([&] {
                 kernels::binary(Binary::add, i, tensor({1, 2, 3}));
               }),
               "add: shapes [2] and [3]"));
  CHECK(starts(message<DtypeError>([&] { kernels::binary(Binary::bitwise_and, tensor({1}), tensor({1})); }),
               "bitwise_and: takes bool and integer types, not float32"));
  CHECK(starts(message<DtypeError>([&] { kernels::unary(Unary::neg, tensor({1}, DType::boolean)); }), "neg: "));
  CHECK(starts(message<DtypeError>([&] { kernels::where(i, i, i); }), "where: the condition is int32"));
  CHECK(starts(message<ShapeError>([&] { kernels::copy_into(i, tensor({1, 2, 3})); }), "copy_into: "));
  CHECK(starts(message<ShapeError>([&] { kernels::accumulate(tensor({1}), tensor({1, 2})); }), "accumulate: "));
  CHECK(starts(message<ConfigError>([&] { kernels::set_level("v9"); }), "set_level: \"v9\" is not available"));
}

TEST_CASE("kernels: results that are written past the caches are those of their parts") {
  // Rows of an odd length, more than 32 MiB in all.
  const Int rows = 8200, columns = 1031;
  const Tensor x = randn({rows, columns}), row = randn({columns}), scale = ones({columns});
  const auto part = [&](const Tensor& all, Int from) {
    return view_as(all, {3, columns}, {columns, 1}, from * columns);
  };
  each_level([&] {
    Tensor mean, rstd;
    const Tensor larger = kernels::unary(Unary::relu, x), sum = kernels::binary(Binary::add, x, row),
                 twice = kernels::binary(Binary::mul, x, 2.0),
                 normal = kernels::layer_norm(x, 1, scale, row, 1e-5, mean, rstd);
    for (const Int from : {Int{0}, Int{7}, Int{4099}, rows - 3}) {
      const Tensor few = part(x, from);
      CHECK(values(part(larger, from)) == values(kernels::unary(Unary::relu, few)));
      CHECK(values(part(sum, from)) == values(kernels::binary(Binary::add, few, row)));
      CHECK(values(part(twice, from)) == values(kernels::binary(Binary::mul, few, 2.0)));
      Tensor m, r;
      CHECK(values(part(normal, from)) == values(kernels::layer_norm(few, 1, scale, row, 1e-5, m, r)));
    }
    Int wrong = 0;
    const auto in = to_vector<float>(x), out = to_vector<float>(larger);
    for (std::size_t i = 0; i < in.size(); ++i) wrong += out[i] != (in[i] > 0 ? in[i] : 0);
    CHECK(wrong == 0);
  });
}
