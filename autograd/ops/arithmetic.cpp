#include <weft/autograd/ops/arithmetic.h>

#include <cmath>
#include <numbers>

#include <weft/autograd/ops/comparison.h>
#include <weft/autograd/ops/shared.h>

namespace weft {

using detail::record_broadcast;
using detail::record_unary;
using detail::zero_of;
using kernels::Binary;
using kernels::Unary;

Tensor add(const Tensor& a, const Tensor& b) {
  return record_broadcast({"add"}, a, b, Binary::add, [](const Saved&, const Tensor& dy) { return gradients(dy, dy); });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record_broadcast({"sub"}, a, b, Binary::sub, [](const Saved& s, const Tensor& dy) {
    return gradients(dy, s.needs(1) ? neg(dy) : Tensor());
  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record_broadcast({"mul", {}, saves::inputs}, a, b, Binary::mul, [](const Saved& s, const Tensor& dy) {
    return gradients(s.needs(0) ? dy * s.input(1) : Tensor(), s.needs(1) ? dy * s.input(0) : Tensor());
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return record_broadcast({"div", {}, saves::inputs}, a, b, Binary::div, [](const Saved& s, const Tensor& dy) {
    const Tensor da = dy / s.input(1);
    return gradients(da, s.needs(1) ? neg(da * (s.input(0) / s.input(1))) : Tensor());
  });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  return record_broadcast(
      {"pow", {}, saves::inputs | saves::output}, a, b, Binary::pow, [](const Saved& s, const Tensor& dy) {
        const Tensor &x = s.input(0), &n = s.input(1);
        Tensor dx, dn;
        // b * a^(b-1) is 0 * inf at a = 0, b = 0, where the power is constant.
        if (s.needs(0)) dx = where(eq(n, 0), zero_of(dy), dy * n * pow(x, n - 1));
        // The limit of a^b * log(a) at a = 0 is 0 for b >= 0; log of a harmless number keeps NaN out.
        if (s.needs(1)) {
          const Tensor flat = logical_and(eq(x, 0), ge(n, 0));
          dn = where(flat, zero_of(dy), dy * s.output() * log(where(flat, scalar(1, x.dtype()), x)));
        }
        return gradients(dx, dn);
      });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  return record_broadcast({"maximum", {}, saves::inputs}, a, b, Binary::maximum, [](const Saved& s, const Tensor& dy) {
    const Tensor &x = s.input(0), &y = s.input(1), half = dy * 0.5, none = zero_of(dy);
    return gradients(where(gt(x, y), dy, where(eq(x, y), half, none)),
                     where(lt(x, y), dy, where(eq(x, y), half, none)));
  });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return record_broadcast({"minimum", {}, saves::inputs}, a, b, Binary::minimum, [](const Saved& s, const Tensor& dy) {
    const Tensor &x = s.input(0), &y = s.input(1), half = dy * 0.5, none = zero_of(dy);
    return gradients(where(lt(x, y), dy, where(eq(x, y), half, none)),
                     where(gt(x, y), dy, where(eq(x, y), half, none)));
  });
}

// ---- with a number: its rule needs no second gradient and never broadcasts

Tensor add(const Tensor& a, const Scalar& b) {
  return record(
      {"add", {{"other", b.real()}}}, {a}, [b](const Inputs& in) { return kernels::binary(Binary::add, in[0], b); },
      [](const Saved&, const Tensor& dy) { return dy; });
}
Tensor sub(const Tensor& a, const Scalar& b) {
  return record(
      {"sub", {{"other", b.real()}}}, {a}, [b](const Inputs& in) { return kernels::binary(Binary::sub, in[0], b); },
      [](const Saved&, const Tensor& dy) { return dy; });
}
Tensor sub(const Scalar& a, const Tensor& b) {
  return record(
      {"rsub", {{"other", a.real()}}}, {b}, [a](const Inputs& in) { return kernels::binary(Binary::sub, a, in[0]); },
      [](const Saved&, const Tensor& dy) { return neg(dy); });
}
Tensor mul(const Tensor& a, const Scalar& b) {
  return record(
      {"mul", {{"other", b.real()}}}, {a}, [b](const Inputs& in) { return kernels::binary(Binary::mul, in[0], b); },
      [b](const Saved&, const Tensor& dy) { return dy * b; });
}
Tensor div(const Tensor& a, const Scalar& b) {
  return record(
      {"div", {{"other", b.real()}}}, {a}, [b](const Inputs& in) { return kernels::binary(Binary::div, in[0], b); },
      [b](const Saved&, const Tensor& dy) { return dy / b; });
}
Tensor div(const Scalar& a, const Tensor& b) {
  return record(
      {"rdiv", {{"other", a.real()}}, saves::input(0) | saves::output}, {b},
      [a](const Inputs& in) { return kernels::binary(Binary::div, a, in[0]); },
      [](const Saved& s, const Tensor& dy) { return neg(dy * (s.output() / s.input(0))); });
}
Tensor pow(const Tensor& a, const Scalar& b) {
  return record(
      {"pow", {{"exponent", b.real()}}, saves::input(0)}, {a},
      [b](const Inputs& in) { return kernels::binary(Binary::pow, in[0], b); },
      [b](const Saved& s, const Tensor& dy) {
        const double n = b.real();
        if (n == 0) return dy * 0.0;
        if (n == 1) return dy;
        if (n == 2) return dy * (s.input(0) * 2.0);
        return dy * (pow(s.input(0), n - 1) * n);
      });
}

Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator+(const Tensor& a, const Scalar& b) { return add(a, b); }
Tensor operator-(const Tensor& a, const Scalar& b) { return sub(a, b); }
Tensor operator*(const Tensor& a, const Scalar& b) { return mul(a, b); }
Tensor operator/(const Tensor& a, const Scalar& b) { return div(a, b); }
Tensor operator+(const Scalar& a, const Tensor& b) { return add(b, a); }
Tensor operator-(const Scalar& a, const Tensor& b) { return sub(a, b); }
Tensor operator*(const Scalar& a, const Tensor& b) { return mul(b, a); }
Tensor operator/(const Scalar& a, const Tensor& b) { return div(a, b); }
Tensor operator-(const Tensor& x) { return neg(x); }

// ---- of one argument

Tensor neg(const Tensor& x) {
  return record_unary({"neg"}, x, Unary::neg, [](const Saved&, const Tensor& dy) { return neg(dy); });
}
Tensor abs(const Tensor& x) {
  return record_unary({"abs", {}, saves::inputs}, x, Unary::abs,
                      [](const Saved& s, const Tensor& dy) { return dy * sign(s.input(0)); });
}
Tensor sign(const Tensor& x) {
  return record_unary({"sign"}, x, Unary::sign, [](const Saved&, const Tensor& dy) { return dy * 0.0; });
}
Tensor square(const Tensor& x) {
  return record_unary({"square", {}, saves::inputs}, x, Unary::square,
                      [](const Saved& s, const Tensor& dy) { return dy * (s.input(0) * 2.0); });
}
Tensor sqrt(const Tensor& x) {
  return record_unary({"sqrt", {}, saves::output}, x, Unary::sqrt,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.output() * 2.0); });
}
Tensor rsqrt(const Tensor& x) {
  return record_unary({"rsqrt", {}, saves::output}, x, Unary::rsqrt,
                      [](const Saved& s, const Tensor& dy) { return dy * (pow(s.output(), 3) * -0.5); });
}
Tensor reciprocal(const Tensor& x) {
  return record_unary({"reciprocal", {}, saves::output}, x, Unary::reciprocal,
                      [](const Saved& s, const Tensor& dy) { return neg(dy * square(s.output())); });
}
Tensor exp(const Tensor& x) {
  return record_unary({"exp", {}, saves::output}, x, Unary::exp,
                      [](const Saved& s, const Tensor& dy) { return dy * s.output(); });
}
Tensor expm1(const Tensor& x) {
  return record_unary({"expm1", {}, saves::output}, x, Unary::expm1,
                      [](const Saved& s, const Tensor& dy) { return dy * (s.output() + 1.0); });
}
Tensor log(const Tensor& x) {
  return record_unary({"log", {}, saves::inputs}, x, Unary::log,
                      [](const Saved& s, const Tensor& dy) { return dy / s.input(0); });
}
Tensor log1p(const Tensor& x) {
  return record_unary({"log1p", {}, saves::inputs}, x, Unary::log1p,
                      [](const Saved& s, const Tensor& dy) { return dy / (s.input(0) + 1.0); });
}
Tensor sin(const Tensor& x) {
  return record_unary({"sin", {}, saves::inputs}, x, Unary::sin,
                      [](const Saved& s, const Tensor& dy) { return dy * cos(s.input(0)); });
}
Tensor cos(const Tensor& x) {
  return record_unary({"cos", {}, saves::inputs}, x, Unary::cos,
                      [](const Saved& s, const Tensor& dy) { return neg(dy * sin(s.input(0))); });
}
Tensor erf(const Tensor& x) {
  return record_unary({"erf", {}, saves::inputs}, x, Unary::erf, [](const Saved& s, const Tensor& dy) {
    return dy * (exp(neg(square(s.input(0)))) * (2 * std::numbers::inv_sqrtpi));
  });
}

Tensor clamp(const Tensor& x, double low, double high) {
  if (low > high) throw ConfigError(text("clamp: low ", low, " is above high ", high));
  return record(
      {"clamp", {{"min", low}, {"max", high}}, saves::inputs}, {x},
      [=](const Inputs& in) { return kernels::clamp(in[0], low, high); },
      [=](const Saved& s, const Tensor& dy) {
        const Tensor inside = logical_and(ge(s.input(0), low), le(s.input(0), high));
        return where(inside, dy, zero_of(dy));
      });
}

Tensor clamp(const Tensor& x, const Tensor& low, const Tensor& high) {
  if (!low.defined() && !high.defined())
    throw ConfigError("clamp: neither bound is given\n  help: pass low, high or both");
  // Bounds are chosen strictly, so that x keeps its gradient on them.
  Tensor y = x;
  if (low.defined()) y = where(lt(y, low), low, y);
  if (high.defined()) y = where(gt(y, high), high, y);
  return y;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != DType::boolean)
    throw DtypeError(
        text("where: the condition is ", condition.dtype(), "\n  help: make it bool, as in where(gt(x, 0), a, b)"));
  return record(
      {"where", {}, saves::input(0)}, {condition, a, b},
      [](const Inputs& in) { return kernels::where(in[0], in[1], in[2]); },
      [sa = a.shape(), sb = b.shape(), ta = a.dtype(), tb = b.dtype()](const Saved& s, const Tensor& dy) {
        const Tensor none = zero_of(dy);
        Tensor da, db;
        if (s.needs(1)) da = detail::fit(where(s.input(0), dy, none), sa, ta);
        if (s.needs(2)) db = detail::fit(where(s.input(0), none, dy), sb, tb);
        return gradients(Tensor(), da, db);
      });
}

}  // namespace weft
