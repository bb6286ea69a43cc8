#include <cmath>
#include <optional>

#include "record.h"

namespace weft::tests {
namespace {

/// By bisection.
double inverse_erf(double x) {
  const double t = std::abs(x);
  if (!(t < 1)) return t == 1 ? x * HUGE_VAL : std::nan("");
  double low = 0, high = 6;
  for (int i = 0; i < 2000 && low < high; ++i) {
    const double middle = low + 0.5 * (high - low);
    const bool below = t < 0.5 ? std::erf(middle) < t : std::erfc(middle) > 1 - t;
    (below ? low : high) = middle;
  }
  return std::copysign(high, x);
}

const Family powers{
    Record{.name = "abs",
           .torch = {"abs(input)", "absolute(input)"},
           .call = unary(abs),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return std::abs(x); },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "sign",
           .torch = {"sign(input)", "sgn(input)"},
           .call = unary(sign),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return x > 0   ? 1.0
                                              : x < 0 ? -1.0
                                                      : 0.0; },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "square",
           .torch = {"square(input)"},
           .call = unary(square),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x * x; },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "sqrt",
           .torch = {"sqrt(input)"},
           .call = unary(sqrt),
           .samples = WEFT_SAMPLES_OF_ONE("positive"),
           .reference = [](double x) { return std::sqrt(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "rsqrt",
           .torch = {"rsqrt(input)"},
           .call = unary(rsqrt),
           .samples = WEFT_SAMPLES_OF_ONE("positive"),
           .reference = [](double x) { return 1 / std::sqrt(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "reciprocal",
           .torch = {"reciprocal(input)"},
           .call = unary(reciprocal),
           .samples = WEFT_SAMPLES_OF_ONE("apart"),
           .reference = [](double x) { return 1 / x; },
           .result = Result::floating},
    Record{.name = "exp",
           .torch = {"exp(input)"},
           .call = unary(exp),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::exp(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "expm1",
           .torch = {"expm1(input)"},
           .call = unary(expm1),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::expm1(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "log",
           .torch = {"log(input)"},
           .call = unary(log),
           .samples = WEFT_SAMPLES_OF_ONE("positive"),
           .reference = [](double x) { return std::log(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "log1p",
           .torch = {"log1p(input)"},
           .call = unary(log1p),
           .samples = WEFT_SAMPLES_OF_ONE("unit"),
           .reference = [](double x) { return std::log1p(x); },
           .result = Result::floating},
    Record{
        .name = "exp2",
        .torch = {"exp2(input)", "special.exp2(input)"},
        .call = unary(exp2),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::exp2(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "log2",
        .torch = {"log2(input)"},
        .call = unary(log2),
        .samples = WEFT_SAMPLES_OF_ONE("positive"),
        .reference = [](double x) { return std::log2(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "log10",
        .torch = {"log10(input)"},
        .call = unary(log10),
        .samples = WEFT_SAMPLES_OF_ONE("positive"),
        .reference = [](double x) { return std::log10(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{.name = "logit",
           .torch = {"logit(input, eps=None)", "special.logit(input, eps=None)"},
           .call =
               [](const Args& a) {
                 return a.has("eps") ? logit(a.tensor("input"), a.real("eps")) : logit(a.tensor("input"));
               },
           .samples = {"probability(3, 4)", "probability()", "probability(0, 3)", "probability(70)", "unit(3, 4), 0.2",
                       "tensor([0.49, 0.5001, 0.9, 0.1])"},
           .reference =
               [](const Args& a) {
                 const double eps = a.has("eps") ? a.real("eps") : 0;
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false, [eps](const std::vector<double>& v) {
                   const double p = std::min(std::max(v[0], eps), 1 - eps);
                   return std::log(p) - std::log1p(-p);
                 });
               },
           .result = Result::floating,
           .types = {DType::boolean}},
};

const Family trigonometric{
    Record{.name = "sin",
           .torch = {"sin(input)"},
           .call = unary(sin),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::sin(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "cos",
           .torch = {"cos(input)"},
           .call = unary(cos),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::cos(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{
        .name = "tan",
        .torch = {"tan(input)"},
        .call = unary(tan),
        .samples = WEFT_SAMPLES_OF_ONE("unit"),
        .reference = [](double x) { return std::tan(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "asin",
        .torch = {"asin(input)", "arcsin(input)"},
        .call = unary(asin),
        .samples = WEFT_SAMPLES_OF_ONE("unit"),
        .reference = [](double x) { return std::asin(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "acos",
        .torch = {"acos(input)", "arccos(input)"},
        .call = unary(acos),
        .samples = WEFT_SAMPLES_OF_ONE("unit"),
        .reference = [](double x) { return std::acos(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "atan",
        .torch = {"atan(input)", "arctan(input)"},
        .call = unary(atan),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::atan(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "sinh",
        .torch = {"sinh(input)"},
        .call = unary(sinh),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::sinh(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "cosh",
        .torch = {"cosh(input)"},
        .call = unary(cosh),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::cosh(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "asinh",
        .torch = {"asinh(input)", "arcsinh(input)"},
        .call = unary(asinh),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::asinh(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "acosh",
        .torch = {"acosh(input)", "arccosh(input)"},
        .call = unary(acosh),
        .samples = {"tensor([[1.25, 2, 3.5], [40, 1e5, 7]])", "tensor(1.5)", "positive(0, 3)"},
        .reference = [](double x) { return std::acosh(x); },
        .result = Result::floating,
        .types = {DType::bfloat16},
    },
    Record{
        .name = "atanh",
        .torch = {"atanh(input)", "arctanh(input)"},
        .call = unary(atanh),
        .samples = WEFT_SAMPLES_OF_ONE("unit"),
        .reference = [](double x) { return std::atanh(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
};

const Family rounding{
    Record{
        .name = "floor",
        .torch = {"floor(input)"},
        .call = unary(floor),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::floor(x); },
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "ceil",
        .torch = {"ceil(input)"},
        .call = unary(ceil),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::ceil(x); },
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "trunc",
        .torch = {"trunc(input)", "fix(input)"},
        .call = unary(trunc),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::trunc(x); },
        .types = {DType::bfloat16, DType::int64},
    },
    Record{
        .name = "frac",
        .torch = {"frac(input)"},
        .call = unary(frac),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return x - std::trunc(x); },
        .types = {DType::bfloat16},
    },
    Record{.name = "round",
           .torch = {"round(input, *, decimals=0)", "round/decimals_0(input, *, decimals=0)",
                     "round/decimals_3(input, *, decimals=0)", "round/decimals_neg_3(input, *, decimals=0)"},
           .call = [](const Args& a) { return round(a.tensor("input"), static_cast<int>(a.integer("decimals"))); },
           .samples = {"distinct(3, 4)", "distinct()", "distinct(0, 3)", "distinct(2, 1, 3, 2)",
                       "tensor([0.12, 3.46, -2.31]), decimals=1", "tensor([7, 13, -14]), decimals=-1",
                       "tensor([1234.4, -15678.2]), decimals=-3"},
           .reference =
               [](const Args& a) {
                 const double unit = std::pow(10.0, static_cast<double>(a.integer("decimals")));
                 return over(unsqueeze(a.tensor("input"), -1), {-1}, false,
                             [unit](const std::vector<double>& v) { return std::nearbyint(v[0] * unit) / unit; });
               },
           .types = {DType::bfloat16}},
    Record{.name = "round/ties",
           .weft = "round(input)",
           .call = [](const Args& a) { return round(a.tensor("input")); },
           .samples = {"tensor([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, nan, inf, -inf])", "x(3, 4)"},
           .reference = [](double x) { return std::nearbyint(x); },
           .types = {DType::int64, DType::uint8},
           .no_gradient = "ties and infinities are no places to difference; the record round checks it"},
    Record{.name = "nan_to_num",
           .torch = {"nan_to_num(input, nan=0.0, posinf=None, neginf=None)"},
           .call =
               [](const Args& a) {
                 const auto given = [&](const char* name) {
                   return a.has(name) ? std::optional<double>(a.real(name)) : std::nullopt;
                 };
                 return nan_to_num(a.tensor("input"), a.has("nan") ? a.real("nan") : 0, given("posinf"),
                                   given("neginf"));
               },
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return x; },
           .types = {DType::bfloat16, DType::int64, DType::boolean}},
    Record{.name = "nan_to_num/special",
           .weft = "nan_to_num(input, hole, above, below)",
           .call =
               [](const Args& a) {
                 return nan_to_num(a.tensor("input"), a.real("hole"), a.real("above"), a.real("below"));
               },
           .samples = {"tensor([1, nan, inf, -inf, -2]), 5, 6, 7"},
           .reference = [](double x) { return std::isnan(x)   ? 5
                                              : std::isinf(x) ? (x > 0 ? 6 : 7)
                                                              : x; },
           .no_gradient = "there is nothing to difference at infinities; the record nan_to_num checks it"},
    Record{.name = "nan_to_num/largest",
           .weft = "nan_to_num(input)",
           .call = [](const Args& a) { return isfinite(nan_to_num(a.tensor("input"))); },
           .samples = {"tensor([1, nan, inf, -inf])"},
           .reference = [](double) { return 1.0; },
           .result = Result::boolean,
           .types = {DType::bfloat16},
           .no_gradient = "the result is bool"},
};

const Family special{
    Record{.name = "erf",
           .torch = {"erf(input)"},
           .call = unary(erf),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::erf(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{
        .name = "erfc",
        .torch = {"erfc(input)", "special.erfc(input)"},
        .call = unary(erfc),
        .samples = WEFT_SAMPLES_OF_ONE("x"),
        .reference = [](double x) { return std::erfc(x); },
        .result = Result::floating,
        .types = {DType::bfloat16, DType::int64},
    },
    Record{.name = "erfinv",
           .torch = {"erfinv(input)", "special.erfinv(input)"},
           .call = unary(erfinv),
           .samples = {"unit(3, 4)", "unit()", "unit(0, 3)", "unit(2, 1, 3, 2)", "unit(70)",
                       "tensor([1e-9, -0.5, 0.4999])"},
           .reference = inverse_erf,
           .result = Result::floating,
           .types = {DType::bfloat16, DType::boolean}},
    Record{.name = "erfinv/tails",
           .weft = "erfinv(input)",
           .call = unary(erfinv),
           .samples = {"tensor([0, 1e-200, 0.99, -0.999999, 1, -1, 1.5, nan])"},
           .reference = inverse_erf,
           .no_gradient = "the slope is too steep for differences here; the record erfinv checks it"},
    Record{.name = "sinc",
           .torch = {"sinc(input)", "special.sinc(input)"},
           .call = unary(sinc),
           .samples = {"x(3, 4)", "x()", "x(0, 3)", "x(2, 1, 3, 2)", "x(70)",
                       "tensor([0, 1e-9, -0.01, 0.0999, 0.1001, -0.5, 2.5])"},
           .reference = [](double x) { return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "lgamma",
           .torch = {"lgamma(input)", "special.gammaln(input)"},
           .call = unary(lgamma),
           .samples = {"apart(3, 4)", "positive()", "apart(0, 3)", "apart(70)", "tensor([30, 1000, 0.2, -3.5])"},
           .reference = [](double x) { return std::lgamma(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "digamma",
           .torch = {"digamma(input)", "special.digamma(input)", "special.psi(input)"},
           .call = unary(digamma),
           .samples = {"positive(3, 4)", "positive()", "positive(0, 3)", "positive(70)",
                       "tensor([30, 1000, 0.25, -3.4, -0.6])"},
           .reference =
               [](double x) {  // by the recurrence, far enough up for three terms of the series
                 double sum = 0;
                 for (; x < 200; x += 1) sum -= 1 / x;
                 const double z = 1 / (x * x);
                 return sum + std::log(x) - 0.5 / x - z / 12 + z * z / 120;
               },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
    Record{
        .name = "polygamma",
        .torch = {"polygamma(n, input)", "special.polygamma(n, input)"},
        .call = [](const Args& a) { return polygamma(static_cast<int>(a.integer("n")), a.tensor("input")); },
        .samples = {"1, positive(3, 4)", "0, positive(3)", "2, positive(3)", "3, positive(2, 2)", "1, positive()",
                    "2, positive(0, 3)", "1, tensor([30, 1000, 0.25, -3.4, -0.6])",
                    "2, tensor([30, 0.25, -3.4, -0.6])"},
        .reference =
            [](const Args& a) {
              const int n = static_cast<int>(a.integer("n"));
              if (n == 0) return digamma(a.tensor("input"));
              return over(unsqueeze(a.tensor("input"), -1), {-1}, false, [n](const std::vector<double>& v) {
                // The sum itself, and an integral for what is left of it.
                const int terms = 4000;
                double x = v[0], sum = 0;
                for (int k = 0; k < terms; ++k) sum += std::pow(x + k, -n - 1);
                sum += std::pow(x + terms - 0.5, -n) / n;
                return (n % 2 == 0 ? -1 : 1) * std::tgamma(n + 1) * sum;
              });
            },
        .result = Result::floating,
        .types = {DType::bfloat16},
        .errors = {{"-1, x(3)", "ConfigError: polygamma: n is -1\n  help: count derivatives from 0"},
                   {"2147483647, x(3)", "ConfigError: polygamma: n is 2147483647\n  help: choose at most 1073741824"}}},
    Record{.name = "polygamma/poles",
           .weft = "polygamma(input)",
           .call = [](const Args& a) -> Outputs {
             const Tensor x = a.tensor("input");
             return std::vector<Tensor>{polygamma(1, x), polygamma(2, x)};
           },
           .samples = {"tensor([0, -1, -5])"},
           .reference = [](const Args& a) -> Outputs {
             const Tensor x = a.tensor("input");
             return std::vector<Tensor>{full(x.shape(), HUGE_VAL, DType::float64),
                                        full(x.shape(), -HUGE_VAL, DType::float64)};
           },
           .no_gradient = "there is nothing to difference at a pole; the record polygamma checks it"},
};

}  // namespace
}  // namespace weft::tests
