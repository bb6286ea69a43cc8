#include <weft/tests/unit/kernels_testing.h>

#include <bit>

using namespace kernels_testing;
using kernels::Binary;
using kernels::Unary;

namespace {

/// The distance of a float from the exact value, in units of the exact value's last place.
double ulp_error(float got, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  if (std::isinf(rounded) || std::isinf(got))
    return got == rounded ? 0 : std::isinf(got) && std::fabs(exact) > 3.4028e38 ? 1 : 1e9;
  const double next = std::nextafter(std::fabs(rounded), std::numeric_limits<float>::infinity());
  double unit = static_cast<double>(std::nextafterf(std::fabs(rounded), std::numeric_limits<float>::infinity())) -
                static_cast<double>(std::fabs(rounded));
  (void)next;
  if (!(unit > 0) || std::isinf(unit)) unit = 0x1p104;
  return std::fabs(static_cast<double>(got) - exact) / unit;
}

/// Floats over a range: evenly in bits (all magnitudes) and evenly in value.
Tensor arguments(double low, double high) {
  std::vector<float> v;
  for (std::uint32_t u = 0; u < 0x7f800000U; u += 40009) {
    const auto x = std::bit_cast<float>(u);
    if (x >= low && x <= high) v.push_back(x);
    if (-x >= low && -x <= high) v.push_back(-x);
  }
  constexpr int steps = 60000;
  for (int i = 0; i <= steps; ++i) {
    const double bounded_low = low < -200 ? -200 : low, bounded_high = high > 200 ? 200 : high;
    v.push_back(static_cast<float>(bounded_low + (bounded_high - bounded_low) * i / steps));
  }
  return from(v);
}

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double gelu_tanh(double x) { return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }

double mish(double x) { return x * std::tanh(x > 30 ? x : std::log1p(std::exp(x))); }
double hardswish(double x) { return x * std::fmin(std::fmax(x + 3, 0.0), 6.0) / 6; }

struct Function {
  std::string name;
  Unary op;
  double (*exact)(double);
  double low, high;
  double ulp;  ///< the largest error allowed
};
constexpr double huge = 3.5e38;
const std::vector<Function> functions = {
    {"exp", Unary::exp, [](double x) { return std::exp(x); }, -huge, huge, 1.5},
    {"exp2", Unary::exp2, [](double x) { return std::exp2(x); }, -huge, huge, 1.5},
    {"expm1", Unary::expm1, [](double x) { return std::expm1(x); }, -huge, huge, 2.5},
    {"log", Unary::log, [](double x) { return std::log(x); }, 0, huge, 1.5},
    {"log2", Unary::log2, [](double x) { return std::log2(x); }, 0, huge, 2},
    {"log10", Unary::log10, [](double x) { return std::log10(x); }, 0, huge, 2.5},
    {"log1p", Unary::log1p, [](double x) { return std::log1p(x); }, -1, huge, 2},
    {"tanh", Unary::tanh, [](double x) { return std::tanh(x); }, -huge, huge, 2},
    {"sigmoid", Unary::sigmoid, sigmoid, -huge, huge, 3},
    {"softplus", Unary::softplus, [](double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }, -huge,
     huge, 3},
    {"log_sigmoid", Unary::log_sigmoid, [](double x) { return (x < 0 ? x : 0) - std::log1p(std::exp(-std::fabs(x))); },
     -huge, huge, 3},
    {"silu", Unary::silu, [](double x) { return x * sigmoid(x); }, -85, 1e30, 3.5},
    {"mish", Unary::mish, mish, -85, 1e30, 4.5},
    {"hardswish", Unary::hardswish, hardswish, -2.5, 1e30, 2},
    {"logit", Unary::logit, [](double x) { return std::log(x) - std::log1p(-x); }, 1e-38, 1, 3.5},
    {"erf", Unary::erf, [](double x) { return std::erf(x); }, -huge, huge, 2},
    {"erfc", Unary::erfc, [](double x) { return std::erfc(x); }, -huge, huge, 4},
    {"gelu", Unary::gelu, gelu, -12, 1e30, 5.7},
    {"gelu_tanh", Unary::gelu_tanh, gelu_tanh, -4, 1e10, 20},
    {"sin", Unary::sin, [](double x) { return std::sin(x); }, -1e6, 1e6, 1.5},
    {"cos", Unary::cos, [](double x) { return std::cos(x); }, -1e6, 1e6, 1.5},
    {"sqrt", Unary::sqrt, [](double x) { return std::sqrt(x); }, 0, huge, 0.5},
    {"rsqrt", Unary::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0, huge, 1.5},
    {"reciprocal", Unary::reciprocal, [](double x) { return 1 / x; }, -huge, huge, 0.5},
    {"atanh", Unary::atanh, [](double x) { return std::atanh(x); }, -1, 1, 2},
    {"lgamma", Unary::lgamma, [](double x) { return std::lgamma(x); }, -10.3, 1e30, 0.51},
};

}  // namespace

TEST_CASE("kernels: float32 functions are within a few units in the last place at every level") {
  each_level([] {
    for (const Function& f : functions) {
      const Tensor x = arguments(f.low, f.high);
      const auto in = to_vector<float>(x), out = to_vector<float>(kernels::unary(f.op, x));
      double worst = 0;
      float at = 0;
      for (std::size_t i = 0; i < in.size(); ++i) {
        const double e = ulp_error(out[i], f.exact(static_cast<double>(in[i])));
        if (e > worst) {
          worst = e;
          at = in[i];
        }
      }
      INFO(f.name, ": ", worst, " ulp at ", at);
      CHECK(worst <= f.ulp);
    }
  });
}

TEST_CASE("kernels: functions at their limits") {
  each_level([] {
    const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
    for (const DType type : {DType::float32, DType::float64}) {
      CAPTURE(name(type));
      const auto check = [&](Unary op, const std::vector<double>& x, const std::vector<double>& y) {
        CAPTURE(static_cast<int>(op));
        check_near(values(kernels::unary(op, kernels::cast(from(x), type))), y);
      };
      check(Unary::exp, {nan, inf, -inf, 0, 1000, -1000}, {nan, inf, 0, 1, inf, 0});
      check(Unary::exp2, {nan, inf, -inf, 10, 5000, -5000}, {nan, inf, 0, 1024, inf, 0});
      check(Unary::expm1, {nan, inf, -inf, 0}, {nan, inf, -1, 0});
      check(Unary::log, {nan, inf, -inf, 0, -1, 1}, {nan, inf, nan, -inf, nan, 0});
      check(Unary::log2, {nan, inf, 0, -1, 8, 0.25}, {nan, inf, -inf, nan, 3, -2});
      check(Unary::log1p, {nan, inf, -1, -2, 0}, {nan, inf, -inf, nan, 0});
      check(Unary::tanh, {nan, inf, -inf, 0}, {nan, 1, -1, 0});
      check(Unary::sigmoid, {nan, inf, -inf, 0}, {nan, 1, 0, 0.5});
      check(Unary::softplus, {nan, inf, -inf}, {nan, inf, 0});
      check(Unary::erf, {nan, inf, -inf, 0}, {nan, 1, -1, 0});
      check(Unary::erfc, {nan, inf, -inf}, {nan, 0, 2});
      check(Unary::gelu, {nan, inf, 0}, {nan, inf, 0});
      check(Unary::mish, {nan, inf, 0, -1000}, {nan, inf, 0, 0});
      check(Unary::hardswish, {nan, inf, -inf, 0}, {nan, inf, 0, 0});
      check(Unary::logit, {nan, 0, 1, -0.5, 1.5, 0.5}, {nan, -inf, inf, nan, nan, 0});
      check(Unary::erfinv, {nan, 1, -1, 1.5, 0}, {nan, inf, -inf, nan, 0});
      check(Unary::sin, {nan, inf, 0}, {nan, nan, 0});
      check(Unary::sqrt, {nan, inf, 0, -1}, {nan, inf, 0, nan});
    }
    // The sign of zero survives in odd functions.
    for (const Unary op : {Unary::tanh, Unary::erf, Unary::sin, Unary::expm1, Unary::log1p, Unary::erfinv})
      CHECK(std::signbit(to_vector<float>(kernels::unary(op, tensor({-0.0})))[0]));
  });
}

TEST_CASE("kernels: float64 functions and the rest of the table") {
  const std::vector<std::pair<Unary, double (*)(double)>> list = {
      {Unary::tan, [](double x) { return std::tan(x); }},
      {Unary::asin, [](double x) { return std::asin(x); }},
      {Unary::acos, [](double x) { return std::acos(x); }},
      {Unary::atan, [](double x) { return std::atan(x); }},
      {Unary::sinh, [](double x) { return std::sinh(x); }},
      {Unary::cosh, [](double x) { return std::cosh(x); }},
      {Unary::asinh, [](double x) { return std::asinh(x); }},
      {Unary::acosh, [](double x) { return std::acosh(x + 2); }},
      {Unary::neg, [](double x) { return -x; }},
      {Unary::abs, [](double x) { return std::fabs(x); }},
      {Unary::square, [](double x) { return x * x; }},
      {Unary::floor, [](double x) { return std::floor(x); }},
      {Unary::ceil, [](double x) { return std::ceil(x); }},
      {Unary::trunc, [](double x) { return std::trunc(x); }},
      {Unary::gelu, gelu},
      {Unary::gelu_tanh, gelu_tanh},
      {Unary::exp, [](double x) { return std::exp(x); }},
      {Unary::sigmoid, sigmoid},
  };
  each_level([&] {
    for (const DType type : {DType::float32, DType::float64})
      for (const auto& each : list) {
        const auto& op = each.first;
        const auto& exact = each.second;
        CAPTURE(static_cast<int>(op));
        std::vector<double> x;
        for (int i = -40; i <= 40; ++i) x.push_back(i / 41.0);
        const double shift = op == Unary::acosh ? 2 : 0;
        const Tensor in = kernels::cast(kernels::binary(Binary::add, from(x), shift), type);
        std::vector<double> wanted = values(in);
        for (double& v : wanted) v = exact(v - shift);
        check_near(values(kernels::unary(op, in)), wanted, type == DType::float32 ? 1e-6 : 1e-14, 1e-15);
      }
    const double euler = 0.57721566490153286061;
    check_near(values(kernels::unary(Unary::digamma, tensor({1, 2, 0.5, -0.5, 20}, DType::float64))),
               {-euler, 1 - euler, -euler - 2 * std::log(2.0), 0.03648997397857652056, 2.97052399224214905090}, 1e-12);
    CHECK(kernels::unary(Unary::exp, tensor({1, 2}, DType::int32)).dtype() == DType::float32);
    CHECK(kernels::unary(Unary::floor, tensor({1, 2}, DType::int32)).dtype() == DType::int32);
    CHECK(kernels::unary(Unary::exp, tensor({1}, DType::bfloat16)).dtype() == DType::bfloat16);
  });
}

TEST_CASE("kernels: fused derivatives agree with central differences") {
  struct Derivative {
    Binary op;
    double (*f)(double);
    bool of_output;
  };
  const std::vector<Derivative> list = {
      {Binary::sigmoid_grad, sigmoid, true},
      {Binary::tanh_grad, [](double x) { return std::tanh(x); }, true},
      {Binary::gelu_grad, gelu, false},
      {Binary::gelu_tanh_grad, gelu_tanh, false},
      {Binary::silu_grad, [](double x) { return x * sigmoid(x); }, false},
      {Binary::softplus_grad, [](double x) { return std::log1p(std::exp(x)); }, false},
      {Binary::mish_grad, mish, false},
      {Binary::hardswish_grad, hardswish, false},
      {Binary::relu_grad, [](double x) { return x > 0 ? x : 0; }, true},
  };
  each_level([&] {
    for (const DType type : {DType::float32, DType::float64})
      for (const auto& d : list) {
        CAPTURE(static_cast<int>(d.op));
        std::vector<double> x, v, wanted;
        for (int i = -50; i <= 50; ++i) {
          const double at = (i + 0.3) / 10;
          x.push_back(at);
          v.push_back(d.of_output ? d.f(at) : at);
          wanted.push_back(2 * (d.f(at + 1e-5) - d.f(at - 1e-5)) / 2e-5);
        }
        const Tensor dy = full({static_cast<Int>(x.size())}, 2, type);
        check_near(values(kernels::binary(d.op, dy, kernels::cast(from(v), type))), wanted, 1e-4,
                   type == DType::float32 ? 3e-6 : 1e-8);
      }
  });
}
