#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

/// other, times alpha where one is given.
Tensor scaled(const Args& a) {
  const Tensor other = a.is_tensor("other") ? a.tensor("other") : scalar(a.number("other"), a.tensor("input").dtype());
  return a.real("alpha") == 1 ? other : other * a.number("alpha");
}

#define WEFT_NOT_BROADCAST(op)                                                             \
  {                                                                                        \
    "x(2, 3), x(2)", "ShapeError: " op                                                     \
                     ": shapes [2, 3] and [2] do not broadcast: sizes 3 and 2 at axis 1\n" \
                     "  help: make the sizes equal, or one of them 1"                      \
  }

const Family two_arguments{
    Record{.name = "add",
           .torch = {"add(input, other, *, alpha=1)"},
           .call =
               [](const Args& a) {
                 if (!a.is_tensor("other")) return a.tensor("input") + a.number("other");
                 return a.tensor("input") + scaled(a);
               },
           .samples = WEFT_SAMPLES_OF_TWO("x"),
           .reference = [](double a, double b) { return a + b; },
           .types = {DType::bfloat16, DType::int64, DType::uint8},
           .errors = {WEFT_NOT_BROADCAST("add")}},
    Record{.name = "sub",
           .torch = {"sub(input, other, *, alpha=1)", "subtract(input, other, *, alpha=1)"},
           .call =
               [](const Args& a) {
                 if (!a.is_tensor("other")) return a.tensor("input") - a.number("other");
                 return a.tensor("input") - scaled(a);
               },
           .samples = WEFT_SAMPLES_OF_TWO("x"),
           .reference = [](double a, double b) { return a - b; },
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_NOT_BROADCAST("sub")}},
    Record{.name = "sub/from number",
           .torch = {"rsub(input, other, *, alpha=1)"},
           .call =
               [](const Args& a) {
                 if (!a.is_tensor("other")) return a.number("other") - a.tensor("input");
                 const Tensor x = a.tensor("input");
                 return a.tensor("other") - (a.real("alpha") == 1 ? x : x * a.number("alpha"));
               },
           .samples = {"x(3, 4), x(4)", "x(3, 4), 2.5", "x(0, 3), 1", "x(), -1.5"},
           .reference = [](double a, double b) { return b - a; },
           .types = {DType::bfloat16}},
    Record{.name = "mul",
           .torch = {"mul(input, other)", "multiply(input, other)"},
           .call = binary(mul, mul),
           .samples = WEFT_SAMPLES_OF_TWO("x"),
           .reference = [](double a, double b) { return a * b; },
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_NOT_BROADCAST("mul")}},
    Record{.name = "mul/number",
           .torch = {"mul(input, other)"},
           .call = binary(mul, mul),
           .samples = {"x(3, 4), 2", "x(0, 3), 1.5", "x(), -0.5"},
           .reference = [](double a, double b) { return a * b; }},
    Record{.name = "div",
           .torch = {"div/no_rounding_mode(input, other, *, rounding_mode=None)", "true_divide(input, other)",
                     "divide(input, other)"},
           .call = binary(div, div),
           .samples = WEFT_SAMPLES_OF_TWO("apart"),
           .reference = [](double a, double b) { return a / b; },
           .result = Result::floating,
           .types = {DType::bfloat16},
           .errors = {WEFT_NOT_BROADCAST("div")}},
    Record{.name = "div/number",
           .weft = "div(input, other, turned=False)",
           .call =
               [](const Args& a) {
                 return a.flag("turned") ? a.number("other") / a.tensor("input")
                                         : a.tensor("input") / a.number("other");
               },
           .samples = {"apart(3, 4), 2", "apart(3, 4), 2.5, True", "apart(0, 3), 2, True", "apart(), 4"},
           .result = Result::floating,
           .types = {DType::bfloat16}},
    Record{.name = "pow",
           .torch = {"pow(input, exponent)"},
           .call =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 return a.is_tensor("exponent") ? pow(x, a.tensor("exponent")) : pow(x, a.number("exponent"));
               },
           .samples = {"positive(3, 4), x(4)", "positive(2, 1), x(3)", "apart(3, 4), 3", "apart(5), 2", "apart(5), 1",
                       "apart(4), 0", "positive(6), -1.5", "positive(), x()", "positive(0, 3), x(3)"},
           .reference =
               [](const Args& a) {
                 const Tensor x = a.tensor("input");
                 const Tensor n =
                     a.is_tensor("exponent") ? a.tensor("exponent") : scalar(a.real("exponent"), DType::float64);
                 const Shape shape = broadcast("pow", x.shape(), n.shape());
                 return over(stack({expand(x, shape), expand(n, shape)}, -1), {-1}, false,
                             [](const std::vector<double>& v) { return std::pow(v[0], v[1]); });
               },
           .errors = {WEFT_NOT_BROADCAST("pow")}},
    Record{.name = "maximum",
           .torch = {"maximum(input, other)", "max/binary(input, other)"},
           .call = binary(maximum),
           .samples = {"distinct(3, 4), x(3, 4)", "x(3, 1), distinct(4)", "x(), x()", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return a > b ? a : b; },
           .types = {DType::bfloat16, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("maximum")}},
    Record{.name = "minimum",
           .torch = {"minimum(input, other)", "min/binary(input, other)"},
           .call = binary(minimum),
           .samples = {"distinct(3, 4), x(3, 4)", "x(3, 1), distinct(4)", "x(), x()", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return a < b ? a : b; },
           .types = {DType::bfloat16, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("minimum")}},
    Record{
        .name = "where",
        .torch = {"where(input, condition, other)"},  // the order of PyTorch's own test cases
        .call = [](const Args& a) { return where(a.tensor("condition"), a.tensor("input"), a.tensor("other")); },
        .samples = {"x(3, 4), mask(3, 4), x(3, 4)", "x(3, 1), mask(4), x()", "x(), mask(2, 3), x(3)",
                    "x(), mask(), x()", "x(0, 3), mask(3), x()"},
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3), x(3), x(3)",
                    "DtypeError: where: the condition is float64\n  help: make it bool, as in where(gt(x, 0), a, b)"}}},
    Record{
        .name = "clamp",
        .torch = {"clamp(input, min=None, max=None)", "clamp_min(input, min)", "clamp_max(input, max)"},
        .call =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              if (a.is_tensor("min") || a.is_tensor("max")) {
                return clamp(x, a.tensor("min"), a.tensor("max"));
              }
              if (!a.has("min") && !a.has("max")) return clamp(x, Tensor(), Tensor());
              return clamp(x, a.has("min") ? a.real("min") : -HUGE_VAL, a.has("max") ? a.real("max") : HUGE_VAL);
            },
        .samples = {"distinct(3, 4), -0.52, 0.83", "distinct(5), None, 0.01", "distinct(5), 0.01", "x(), -0.001, 0.001",
                    "x(0, 3), 0, 1", "distinct(3, 4), x(4), x(3, 1)", "distinct(2, 3), None, x()", "x(0, 3), x(3)"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              const auto bound = [&](const char* name, double none) {
                if (a.is_tensor(name)) return a.tensor(name);
                return scalar(a.has(name) ? a.real(name) : none, DType::float64);
              };
              const Tensor low = bound("min", -HUGE_VAL), high = bound("max", HUGE_VAL);
              const Shape shape = broadcast("", x.shape(), broadcast("", low.shape(), high.shape()));
              return over(stack({expand(x, shape), expand(low, shape), expand(high, shape)}, -1), {-1}, false,
                          [](const std::vector<double>& v) { return std::min(std::max(v[0], v[1]), v[2]); });
            },
        .errors = {{"x(3), 2, 1", "ConfigError: clamp: low 2 is above high 1"},
                   {"x(3)", "ConfigError: clamp: neither bound is given\n  help: pass low, high or both"}}},
};

const Family one_argument{
    Record{.name = "neg",
           .torch = {"neg(input)", "negative(input)"},
           .call = unary(neg),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return -x; },
           .types = {DType::bfloat16, DType::int64}},
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
    Record{.name = "erf",
           .torch = {"erf(input)"},
           .call = unary(erf),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return std::erf(x); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64}},
};

}  // namespace
}  // namespace weft::tests
