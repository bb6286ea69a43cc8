#include <cmath>

#include "record.h"

namespace weft::tests {
namespace {

constexpr const char* no_gradient = "the result is bool";
constexpr DType all_kinds[] = {DType::bfloat16, DType::int64, DType::boolean};
const std::vector<DType> kinds(std::begin(all_kinds), std::end(all_kinds));

#define WEFT_COMPARED                                                                                           \
  {                                                                                                             \
    "tensor([[1, 2], [2, -1], [nan, inf]]), tensor([2, 2])", "x(3, 4), x(4)", "x(), 0", "tensor([1, 2, 3]), 2", \
        "x(0, 3), x(3)", "tensor([2]), tensor([2])"                                                             \
  }

const Family comparisons{
    Record{.name = "eq",
           .torch = {"eq(input, other)"},
           .call = binary(eq, eq),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a == b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "ne",
           .torch = {"ne(input, other)"},
           .call = binary(ne, ne),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a != b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "lt",
           .torch = {"lt(input, other)"},
           .call = binary(lt, lt),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a < b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "le",
           .torch = {"le(input, other)"},
           .call = binary(le, le),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a <= b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "gt",
           .torch = {"gt(input, other)"},
           .call = binary(gt, gt),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a > b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "ge",
           .torch = {"ge(input, other)"},
           .call = binary(ge, ge),
           .samples = WEFT_COMPARED,
           .reference = [](double a, double b) { return static_cast<double>(a >= b); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient,
           .errors = {{"x(2), x(3)",
                       "ShapeError: ge: shapes [2] and [3] do not broadcast: sizes 2 and 3 at axis 0\n"
                       "  help: make the sizes equal, or one of them 1"}}},
    Record{.name = "logical_and",
           .torch = {"logical_and(input, other)"},
           .call = binary(logical_and),
           .samples = {"tensor([0, 1, 0, 2, nan]), tensor([0, 0, 3, 1, 1])", "mask(3, 4), mask(4)", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return static_cast<double>(a != 0 && b != 0); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "logical_or",
           .torch = {"logical_or(input, other)"},
           .call = binary(logical_or),
           .samples = {"tensor([0, 1, 0, 2, nan]), tensor([0, 0, 3, 1, 0])", "mask(3, 4), mask(4)", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return static_cast<double>(a != 0 || b != 0); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "logical_xor",
           .torch = {"logical_xor(input, other)"},
           .call = binary(logical_xor),
           .samples = {"tensor([0, 1, 0, 2, nan]), tensor([0, 0, 3, 1, 0])", "mask(3, 4), mask(4)", "x(0, 3), x(3)"},
           .reference = [](double a, double b) { return static_cast<double>((a != 0) != (b != 0)); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "logical_not",
           .torch = {"logical_not(input)"},
           .call = unary(logical_not),
           .samples = {"tensor([0, 1, -2, nan, inf])", "mask(3, 4)", "x()", "x(0, 3)"},
           .reference = [](double x) { return static_cast<double>(x == 0); },
           .result = Result::boolean,
           .types = kinds,
           .no_gradient = no_gradient},
    Record{.name = "isnan",
           .torch = {"isnan(input)"},
           .call = unary(isnan),
           .samples = {"tensor([0, 1, -2, nan, inf, -inf])", "x(3, 4)", "x()", "x(0, 3)"},
           .reference = [](double x) { return static_cast<double>(std::isnan(x)); },
           .result = Result::boolean,
           .no_gradient = no_gradient},
    Record{.name = "isinf",
           .torch = {"isinf(input)"},
           .call = unary(isinf),
           .samples = {"tensor([0, 1, -2, nan, inf, -inf])", "x(3, 4)", "x()", "x(0, 3)"},
           .reference = [](double x) { return static_cast<double>(std::isinf(x)); },
           .result = Result::boolean,
           .no_gradient = no_gradient},
    Record{
        .name = "isclose",
        .torch = {"isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)"},
        .call =
            [](const Args& a) {
              return isclose(a.tensor("input"), a.tensor("other"), a.real("rtol"), a.real("atol"), a.flag("equal_nan"));
            },
        .samples =
            {"tensor([1, 1, 100, inf, inf, -inf, nan, 1]), tensor([1, 1.5, 101, inf, 1, inf, nan, inf]), 0.1, 0.2",
             "tensor([nan, nan]), tensor([nan, 1]), equal_nan=True", "x(3, 4), x(4), 0.5", "x(), x()", "x(0, 3), x(3)"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input"), y = a.tensor("other");
              const Shape shape = broadcast("", x.shape(), y.shape());
              const double rtol = a.real("rtol"), atol = a.real("atol");
              const bool equal_nan = a.flag("equal_nan");
              return over(stack({expand(x, shape), expand(y, shape)}, -1), {-1}, false,
                          [=](const std::vector<double>& v) {
                            if (std::isnan(v[0]) && std::isnan(v[1])) return equal_nan ? 1.0 : 0.0;
                            if (std::isinf(v[0]) || std::isinf(v[1])) return v[0] == v[1] ? 1.0 : 0.0;
                            return std::abs(v[0] - v[1]) <= atol + rtol * std::abs(v[1]) ? 1.0 : 0.0;
                          });
            },
        .result = Result::boolean,
        .types = {DType::int64, DType::boolean, DType::uint8},
        .no_gradient = no_gradient},
    Record{.name = "isfinite",
           .torch = {"isfinite(input)"},
           .call = unary(isfinite),
           .samples = {"tensor([0, 1, -2, nan, inf, -inf])", "x(3, 4)", "x()", "x(0, 3)"},
           .reference = [](double x) { return static_cast<double>(std::isfinite(x)); },
           .result = Result::boolean,
           .no_gradient = no_gradient},
};

}  // namespace
}  // namespace weft::tests
