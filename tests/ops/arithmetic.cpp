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

const Family quotients{
    Record{.name = "div/trunc",
           .torch = {"div/trunc_rounding(input, other, *, rounding_mode)"},
           .call =
               [](const Args& a) {
                 return a.is_tensor("other") ? div(a.tensor("input"), a.tensor("other"), Rounding::trunc)
                                             : div(a.tensor("input"), a.number("other"), Rounding::trunc);
               },
           .samples = {"x(3, 4), apart(3, 4), rounding_mode='trunc'", "x(3, 1), apart(4), rounding_mode='trunc'",
                       "x(), apart(2, 3), rounding_mode='trunc'", "x(0, 3), apart(1, 3), rounding_mode='trunc'",
                       "x(5), -2, rounding_mode='trunc'",
                       "tensor([-7, 7, -7, 7]), tensor([2, 2, -2, -2]), rounding_mode='trunc'"},
           .reference = [](double a, double b) { return std::trunc(a / b); },
           .types = {DType::int64, DType::int32},
           .errors = {{"index(3), tensor([1, 0, 2], 'int64'), rounding_mode='trunc'",
                       "ConfigError: trunc_divide: an integer is divided by 0 in b [3]\n"
                       "  help: divide floating types, or replace the zeros with where(b == 0, 1, b)"}}},
    Record{.name = "floor_divide",
           .torch = {"floor_divide(input, other)", "div/floor_rounding(input, other, *, rounding_mode)"},
           .call = binary(floor_divide, floor_divide),
           .samples = {"x(3, 4), apart(3, 4)", "x(3, 1), apart(4)", "x(), apart(2, 3)", "x(0, 3), apart(1, 3)",
                       "x(5), -2", "tensor([-7, 7, -7, 7]), tensor([2, 2, -2, -2])"},
           .reference = [](double a, double b) { return std::floor(a / b); },
           .types = {DType::int64, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("floor_divide")}},
    Record{.name = "remainder",
           .torch = {"remainder(input, other)"},
           .call = binary(remainder, operator%),
           .samples = {"x(3, 4), apart(3, 4)", "x(3, 1), apart(4)", "x(), apart(2, 3)", "x(0, 3), apart(1, 3)",
                       "x(5), -2", "tensor([-7.5, 7.5, -7.5, 7.5]), tensor([2, 2, -2, -2])"},
           .reference = [](double a, double b) { return a - b * std::floor(a / b); },
           .types = {DType::int64, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("remainder")}},
    Record{.name = "fmod",
           .torch = {"fmod(input, other)"},
           .call = binary(fmod, fmod),
           .samples = {"x(3, 4), apart(3, 4)", "x(3, 1), apart(4)", "x(), apart(2, 3)", "x(0, 3), apart(1, 3)",
                       "x(5), -2", "tensor([-7.5, 7.5, -7.5, 7.5]), tensor([2, 2, -2, -2])"},
           .reference = [](double a, double b) { return a - b * std::trunc(a / b); },
           .types = {DType::int64, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("fmod")}},
};

/// Three tensors that broadcast, element by element.
Tensor of_three(const Tensor& x, const Tensor& y, const Tensor& z,
                const std::function<double(double, double, double)>& f) {
  const Shape shape = broadcast("", x.shape(), broadcast("", y.shape(), z.shape()));
  return over(stack({expand(x, shape), expand(y, shape), expand(z, shape)}, -1), {-1}, false,
              [&f](const std::vector<double>& v) { return f(v[0], v[1], v[2]); });
}

const Family mixtures{
    Record{.name = "fmax",
           .torch = {"fmax(input, other)"},
           .call = binary(fmax),
           .samples = {"distinct(3, 4), x(3, 4)", "x(3, 1), distinct(4)", "x(), x()", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return std::fmax(a, b); },
           .types = {DType::bfloat16, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("fmax")}},
    Record{.name = "fmin",
           .torch = {"fmin(input, other)"},
           .call = binary(fmin),
           .samples = {"distinct(3, 4), x(3, 4)", "x(3, 1), distinct(4)", "x(), x()", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return std::fmin(a, b); },
           .types = {DType::bfloat16, DType::int32},
           .errors = {WEFT_NOT_BROADCAST("fmin")}},
    Record{.name = "fmax/NaN",
           .weft = "fmax(input, other)",
           .call = [](const Args& a) -> Outputs {
             return std::vector<Tensor>{fmax(a.tensor("input"), a.tensor("other")),
                                        fmin(a.tensor("input"), a.tensor("other"))};
           },
           .samples = {"tensor([1, nan, nan, -inf]), tensor([nan, 2, nan, nan])"},
           .reference = [](const Args& a) -> Outputs {
             const Tensor x = stack({a.tensor("input"), a.tensor("other")}, -1);
             const Tensor y = over(x, {-1}, false, [](const std::vector<double>& v) { return std::fmax(v[0], v[1]); });
             return std::vector<Tensor>{y, y};
           },
           .no_gradient = "there is nothing to difference at NaN; the records fmax and fmin check it"},
    Record{.name = "atan2",
           .torch = {"atan2(input, other)", "arctan2(input, other)"},
           .call = binary(atan2),
           .samples = WEFT_SAMPLES_OF_TWO("apart"),
           .reference = [](double a, double b) { return std::atan2(a, b); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_NOT_BROADCAST("atan2")}},
    Record{.name = "hypot",
           .torch = {"hypot(input, other)"},
           .call = binary(hypot),
           .samples = {"apart(3, 4), x(3, 4)", "apart(3, 1), x(4)", "apart(), x(2, 3)", "x(0, 3), x(1, 3)"},
           .reference = [](double a, double b) { return std::hypot(a, b); },
           .result = Result::floating,
           .types = {DType::bfloat16},
           .errors = {WEFT_NOT_BROADCAST("hypot")}},
    Record{.name = "hypot/extremes",
           .weft = "hypot(input, other)",
           .call = binary(hypot),
           .samples = {"tensor([3e200, 3e-200]), tensor([4e200, 4e-200])"},
           .reference = [](double a, double b) { return std::hypot(a, b); },
           .no_gradient = "the step of differences is too wide or too small here; the record hypot checks it"},
    Record{.name = "copysign",
           .torch = {"copysign(input, other)"},
           .call = binary(copysign, copysign),
           .samples = {"apart(3, 4), apart(3, 4)", "apart(3, 1), apart(4)", "apart(), apart(2, 3)", "x(0, 3), x(1, 3)",
                       "apart(4), -0.5"},
           .reference = [](double a, double b) { return std::copysign(a, b); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_NOT_BROADCAST("copysign")}},
    Record{.name = "xlogy",
           .torch = {"xlogy(input, other)"},
           .call = binary(xlogy),
           .samples = {"x(3, 4), positive(3, 4)", "x(3, 1), positive(4)", "x(), positive(2, 3)",
                       "x(0, 3), positive(1, 3)", "tensor([0, 1, 0]), tensor([2, 0.5, 0.25])"},
           .reference = [](double a, double b) { return a == 0 ? 0 : a * std::log(b); },
           .result = Result::floating,
           .types = {DType::bfloat16, DType::int64},
           .errors = {WEFT_NOT_BROADCAST("xlogy")}},
    Record{.name = "xlogy/at 0",
           .weft = "xlogy(input, other)",
           .call = binary(xlogy),
           .samples = {"tensor([0, 0, 0, 1, nan]), tensor([0, -1, nan, 0, 1])"},
           .reference = [](double a, double b) { return std::isnan(b) ? b
                                                        : a == 0      ? 0
                                                                      : a * std::log(b); },
           .no_gradient = "there is nothing to difference at infinities; the record xlogy checks it"},
    Record{.name = "heaviside",
           .torch = {"heaviside(input, other)"},
           .call = binary(heaviside),
           .samples = {"apart(3, 4), x(3, 4)", "apart(3, 1), x(4)", "apart(), x(2, 3)", "x(0, 3), x(1, 3)"},
           .reference = [](double a, double b) { return a == 0  ? b
                                                        : a > 0 ? 1
                                                                : 0; },
           .types = {DType::bfloat16, DType::int64}},
    Record{.name = "lerp",
           .torch = {"lerp(input, end, weight)"},
           .call =
               [](const Args& a) {
                 const Tensor x = a.tensor("input"), y = a.tensor("end");
                 return a.is_tensor("weight") ? lerp(x, y, a.tensor("weight")) : lerp(x, y, a.real("weight"));
               },
           .samples = {"x(3, 4), x(3, 4), 0.4", "x(3, 1), x(4), 0.75", "x(), x(), x()", "x(3, 4), x(4), x(3, 1)",
                       "x(2, 3), x(), x(3)", "x(0, 3), x(3), 2", "x(5), x(5), 1"},
           .reference =
               [](const Args& a) {
                 const Tensor w = a.is_tensor("weight") ? a.tensor("weight") : scalar(a.real("weight"), DType::float64);
                 return of_three(a.tensor("input"), a.tensor("end"), w,
                                 [](double x, double y, double t) { return x + t * (y - x); });
               },
           .types = {DType::bfloat16}},
    Record{.name = "addcmul",
           .torch = {"addcmul(input, tensor1, tensor2, *, value=1)"},
           .call =
               [](const Args& a) {
                 return addcmul(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"), a.number("value"));
               },
           .samples = {"x(3, 4), x(3, 4), x(3, 4)", "x(3, 4), x(3, 1), x(4), value=-2", "x(), x(2, 3), x(3)",
                       "x(), x(), x(), value=3", "x(0, 3), x(3), x(3)"},
           .reference =
               [](const Args& a) {
                 const double value = a.real("value");
                 return of_three(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"),
                                 [value](double x, double y, double z) { return x + value * y * z; });
               },
           .types = {DType::int64}},
    Record{.name = "addcdiv",
           .torch = {"addcdiv(input, tensor1, tensor2, *, value=1)"},
           .call =
               [](const Args& a) {
                 return addcdiv(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"), a.number("value"));
               },
           .samples = {"x(3, 4), x(3, 4), apart(3, 4)", "x(3, 4), x(3, 1), apart(4), value=-2",
                       "x(), x(2, 3), apart(3)", "x(), x(), apart(), value=3", "x(0, 3), x(3), apart(3)"},
           .reference =
               [](const Args& a) {
                 const double value = a.real("value");
                 return of_three(a.tensor("input"), a.tensor("tensor1"), a.tensor("tensor2"),
                                 [value](double x, double y, double z) { return x + value * y / z; });
               }},
    Record{.name = "float_power",
           .torch = {"float_power(input, other)"},
           .call = binary(float_power, float_power),
           .samples = {"positive(3, 4), x(4)", "positive(2, 1), x(3)", "apart(3, 4), 3", "positive(), x()",
                       "positive(0, 3), x(3)"},
           .reference = [](double a, double b) { return std::pow(a, b); },
           .result = Result::float64,
           .types = {DType::int64}},
};

constexpr const char* no_bits = "bits have no gradient";
std::int64_t whole(double x) { return static_cast<std::int64_t>(x); }

const Family bits{
    Record{.name = "bitwise_and",
           .torch = {"bitwise_and(input, other)"},
           .call = binary(operator&, operator&),
           .samples = {"tensor([12, -1, 7, 0], 'int64'), tensor([10, 5, -8, 3], 'int64')",
                       "tensor([[12], [3]], 'uint8'), index(3, below=9)", "mask(3, 4), mask(4)",
                       "tensor([12, -7], 'int32'), 6", "index(0, 3), index(3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3), x(3)", "DtypeError: bitwise_and: takes bool and integer types, not float64"}}},
    Record{.name = "bitwise_and/numbers",
           .weft = "bits(input, other)",
           .call = [](const Args& a) -> Outputs {
             const Tensor x = a.tensor("input"), y = a.tensor("other");
             return std::vector<Tensor>{x & y, x | y, x ^ y, ~x, bitwise_left_shift(x, y), bitwise_right_shift(x, y)};
           },
           .samples = {"tensor([12, -1, 7, 0], 'int64'), tensor([10, 5, 0, 3], 'int64')",
                       "tensor([[12], [-3]], 'int64'), tensor([1, 2], 'int64')"},
           .reference = [](const Args& a) -> Outputs {
             const Shape shape = broadcast("", a.tensor("input").shape(), a.tensor("other").shape());
             const Tensor pairs = stack({expand(a.tensor("input"), shape), expand(a.tensor("other"), shape)}, -1);
             const auto each = [&](std::int64_t (*f)(std::int64_t, std::int64_t)) {
               return to(
                   over(pairs, {-1}, false,
                        [f](const std::vector<double>& v) { return static_cast<double>(f(whole(v[0]), whole(v[1]))); }),
                   DType::int64);
             };
             using I = std::int64_t;
             const Tensor turned =
                 to(over(a.tensor("input"), {}, false, [](const std::vector<double>&) { return 0.0; }), DType::int64) -
                 a.tensor("input") - 1;
             return std::vector<Tensor>{
                 each([](I x, I y) { return x & y; }),           each([](I x, I y) { return x | y; }),
                 each([](I x, I y) { return x ^ y; }),           turned,
                 each([](I x, I y) { return x * (I{1} << y); }), each([](I x, I y) { return x >> y; })};
           },
           .no_gradient = no_bits},
    Record{.name = "bitwise_or",
           .torch = {"bitwise_or(input, other)"},
           .call = binary(operator|, operator|),
           .samples = {"tensor([12, -1, 7, 0], 'int64'), tensor([10, 5, -8, 3], 'int64')", "mask(3, 4), mask(4)",
                       "tensor([12, -7], 'int8'), 6", "index(0, 3), index(3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3), 2", "DtypeError: bitwise_or: takes bool and integer types, not float64"}}},
    Record{.name = "bitwise_xor",
           .torch = {"bitwise_xor(input, other)"},
           .call = binary(operator^, operator^),
           .samples = {"tensor([12, -1, 7, 0], 'int64'), tensor([10, 5, -8, 3], 'int64')", "mask(3, 4), mask(4)",
                       "tensor([12, -7], 'int8'), 6", "index(0, 3), index(3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3), x(3)", "DtypeError: bitwise_xor: takes bool and integer types, not float64"}}},
    Record{.name = "bitwise_not",
           .torch = {"bitwise_not(input)"},
           .call = unary(operator~),
           .samples = {"tensor([12, -1, 7, 0], 'int64')", "tensor([12, 255], 'uint8')", "mask(3, 4)", "index(0, 3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3)", "DtypeError: bitwise_not: takes bool and integer types, not float64"}}},
    Record{.name = "bitwise_left_shift",
           .torch = {"bitwise_left_shift(input, other)"},
           .call = binary(bitwise_left_shift, bitwise_left_shift),
           .samples = {"tensor([1, -1, 7, 3], 'int64'), tensor([10, 5, 64, -1], 'int64')", "tensor([100], 'int8'), 1",
                       "index(0, 3), index(3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3), 1", "DtypeError: bitwise_left_shift: takes bool and integer types, not float64"}}},
    Record{.name = "bitwise_right_shift",
           .torch = {"bitwise_right_shift(input, other)"},
           .call = binary(bitwise_right_shift, bitwise_right_shift),
           .samples = {"tensor([1024, -1, -7, 3], 'int64'), tensor([10, 5, 1, 64], 'int64')",
                       "tensor([-100], 'int8'), 1", "index(0, 3), index(3)"},
           .no_gradient = no_bits,
           .errors = {{"x(3), 1", "DtypeError: bitwise_right_shift: takes bool and integer types, not float64"}}},
};

const Family signs{
    Record{.name = "neg",
           .torch = {"neg(input)", "negative(input)"},
           .call = unary(neg),
           .samples = WEFT_SAMPLES_OF_ONE("x"),
           .reference = [](double x) { return -x; },
           .types = {DType::bfloat16, DType::int64}},
};

}  // namespace
}  // namespace weft::tests
