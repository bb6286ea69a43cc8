#include <weft/autograd/ops/arithmetic.h>

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

Tensor fmax(const Tensor& a, const Tensor& b) {
  return record_broadcast({"fmax", {}, saves::inputs}, a, b, Binary::fmax, [](const Saved& s, const Tensor& dy) {
    const Tensor first = logical_or(ge(s.input(0), s.input(1)), isnan(s.input(1))), none = zero_of(dy);
    return gradients(where(first, dy, none), where(first, none, dy));
  });
}

Tensor fmin(const Tensor& a, const Tensor& b) {
  return record_broadcast({"fmin", {}, saves::inputs}, a, b, Binary::fmin, [](const Saved& s, const Tensor& dy) {
    const Tensor first = logical_or(le(s.input(0), s.input(1)), isnan(s.input(1))), none = zero_of(dy);
    return gradients(where(first, dy, none), where(first, none, dy));
  });
}

// ---- whole quotients and what remains

namespace {

Binary rounded(Rounding rounding) { return rounding == Rounding::floor ? Binary::floor_divide : Binary::trunc_divide; }
/// The steps of a quotient: flat where they are differentiable.
Tensor divided(const char* name, const Tensor& a, const Tensor& b, Rounding rounding) {
  return record_broadcast({name}, a, b, rounded(rounding), [](const Saved&, const Tensor& dy) {
    const Tensor flat = dy * 0.0;
    return gradients(flat, flat);
  });
}
Tensor divided(const char* name, const Tensor& a, const Scalar& b, Rounding rounding) {
  return record(
      {name, {{"other", b.real()}}}, {a},
      [=](const Inputs& in) { return kernels::binary(rounded(rounding), in[0], b); },
      [](const Saved&, const Tensor& dy) { return dy * 0.0; });
}
/// What a quotient rounded one way or the other leaves over.
Tensor remains(const char* name, const Tensor& a, const Tensor& b, Binary op, Rounding rounding) {
  return record_broadcast({name, {}, saves::inputs}, a, b, op, [rounding](const Saved& s, const Tensor& dy) {
    return gradients(dy, s.needs(1) ? neg(dy * div(s.input(0), s.input(1), rounding)) : Tensor());
  });
}
Tensor remains(const char* name, const Tensor& a, const Scalar& b, Binary op) {
  return record(
      {name, {{"other", b.real()}}}, {a}, [=](const Inputs& in) { return kernels::binary(op, in[0], b); },
      [](const Saved&, const Tensor& dy) { return dy; });
}

}  // namespace

Tensor div(const Tensor& a, const Tensor& b, Rounding rounding) {
  return divided(rounding == Rounding::floor ? "floor_divide" : "trunc_divide", a, b, rounding);
}
Tensor div(const Tensor& a, const Scalar& b, Rounding rounding) {
  return divided(rounding == Rounding::floor ? "floor_divide" : "trunc_divide", a, b, rounding);
}
Tensor floor_divide(const Tensor& a, const Tensor& b) { return div(a, b, Rounding::floor); }
Tensor floor_divide(const Tensor& a, const Scalar& b) { return div(a, b, Rounding::floor); }
Tensor remainder(const Tensor& a, const Tensor& b) {
  return remains("remainder", a, b, Binary::remainder, Rounding::floor);
}
Tensor remainder(const Tensor& a, const Scalar& b) { return remains("remainder", a, b, Binary::remainder); }
Tensor fmod(const Tensor& a, const Tensor& b) { return remains("fmod", a, b, Binary::fmod, Rounding::trunc); }
Tensor fmod(const Tensor& a, const Scalar& b) { return remains("fmod", a, b, Binary::fmod); }

// ---- angles, signs, mixtures

Tensor atan2(const Tensor& a, const Tensor& b) {
  return record_broadcast({"atan2", {}, saves::inputs}, a, b, Binary::atan2, [](const Saved& s, const Tensor& dy) {
    const Tensor share = dy / (square(s.input(0)) + square(s.input(1)));
    return gradients(share * s.input(1), neg(share * s.input(0)));
  });
}

Tensor hypot(const Tensor& a, const Tensor& b) {
  return record_broadcast({"hypot", {}, saves::inputs | saves::output}, a, b, Binary::hypot,
                          [](const Saved& s, const Tensor& dy) {
                            const Tensor& y = s.output();
                            return gradients(dy * (s.input(0) / y), dy * (s.input(1) / y));
                          });
}

Tensor copysign(const Tensor& a, const Tensor& b) {
  return record_broadcast(
      {"copysign", {}, saves::inputs}, a, b, Binary::copysign, [](const Saved& s, const Tensor& dy) {
        const Tensor one = scalar(1, dy.dtype());
        return gradients(dy * (sign(s.input(0)) * copysign(one, s.input(1))), s.needs(1) ? dy * 0.0 : Tensor());
      });
}
Tensor copysign(const Tensor& a, const Scalar& b) {
  return copysign(a, scalar(b, is_floating(a.dtype()) ? a.dtype() : DType::float32));
}

Tensor xlogy(const Tensor& a, const Tensor& b) {
  return record_broadcast({"xlogy", {}, saves::inputs}, a, b, Binary::xlogy, [](const Saved& s, const Tensor& dy) {
    const Tensor &x = s.input(0), &z = s.input(1);
    Tensor dx, dz;
    if (s.needs(0)) {
      const Tensor flat = logical_and(eq(x, 0), le(z, 0));
      dx = where(flat, zero_of(dy), xlogy(dy, where(flat, scalar(1, z.dtype()), z)));
    }
    if (s.needs(1)) dz = dy * (x / z);
    return gradients(dx, dz);
  });
}

Tensor heaviside(const Tensor& x, const Tensor& values) {
  const DType type = promote(x.dtype(), values.dtype());
  return where(eq(x, 0), to(values, type), to(gt(x, 0), type));
}

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  return record(
      {"lerp", {}, saves::inputs}, {a, b, weight},
      [](const Inputs& in) {
        using kernels::binary;
        const Tensor &x = in[0], &z = in[1], &w = in[2];
        // From the nearer end, so that both ends are met exactly.
        const Tensor way = binary(Binary::sub, z, x), rest = binary(Binary::sub, 1, w);
        return kernels::where(binary(Binary::lt, kernels::unary(Unary::abs, w), 0.5),
                              binary(Binary::add, x, binary(Binary::mul, w, way)),
                              binary(Binary::sub, z, binary(Binary::mul, rest, way)));
      },
      [](const Saved& s, const Tensor& dy) {
        const Tensor &x = s.input(0), &z = s.input(1), &w = s.input(2);
        Tensor dx, dz, dw;
        if (s.needs(0)) dx = detail::fit(dy * (1 - w), x.shape(), x.dtype());
        if (s.needs(1)) dz = detail::fit(dy * w, z.shape(), z.dtype());
        if (s.needs(2)) dw = detail::fit(dy * (z - x), w.shape(), w.dtype());
        return gradients(dx, dz, dw);
      });
}
Tensor lerp(const Tensor& a, const Tensor& b, double weight) {
  return lerp(a, b, scalar(weight, promote(promote(a.dtype(), b.dtype()), Scalar(weight))));
}

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return x + (value.real() == 1 ? a * b : a * value * b);
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return x + (value.real() == 1 ? a / b : a * value / b);
}

Tensor float_power(const Tensor& a, const Tensor& b) { return pow(to(a, DType::float64), to(b, DType::float64)); }
Tensor float_power(const Tensor& a, const Scalar& b) { return pow(to(a, DType::float64), b); }

// ---- bits

Tensor bitwise_and(const Tensor& a, const Tensor& b) {
  return detail::record_plain("bitwise_and", Binary::bitwise_and, a, b);
}
Tensor bitwise_and(const Tensor& a, const Scalar& b) {
  return detail::record_plain("bitwise_and", Binary::bitwise_and, a, b);
}
Tensor bitwise_or(const Tensor& a, const Tensor& b) {
  return detail::record_plain("bitwise_or", Binary::bitwise_or, a, b);
}
Tensor bitwise_or(const Tensor& a, const Scalar& b) {
  return detail::record_plain("bitwise_or", Binary::bitwise_or, a, b);
}
Tensor bitwise_xor(const Tensor& a, const Tensor& b) {
  return detail::record_plain("bitwise_xor", Binary::bitwise_xor, a, b);
}
Tensor bitwise_xor(const Tensor& a, const Scalar& b) {
  return detail::record_plain("bitwise_xor", Binary::bitwise_xor, a, b);
}
Tensor bitwise_not(const Tensor& x) { return detail::record_plain("bitwise_not", Unary::bitwise_not, x); }
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b) {
  return detail::record_plain("bitwise_left_shift", Binary::left_shift, a, b);
}
Tensor bitwise_left_shift(const Tensor& a, const Scalar& b) {
  return detail::record_plain("bitwise_left_shift", Binary::left_shift, a, b);
}
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b) {
  return detail::record_plain("bitwise_right_shift", Binary::right_shift, a, b);
}
Tensor bitwise_right_shift(const Tensor& a, const Scalar& b) {
  return detail::record_plain("bitwise_right_shift", Binary::right_shift, a, b);
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
Tensor operator%(const Tensor& a, const Tensor& b) { return remainder(a, b); }
Tensor operator%(const Tensor& a, const Scalar& b) { return remainder(a, b); }
Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
Tensor operator&(const Tensor& a, const Scalar& b) { return bitwise_and(a, b); }
Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }
Tensor operator|(const Tensor& a, const Scalar& b) { return bitwise_or(a, b); }
Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }
Tensor operator^(const Tensor& a, const Scalar& b) { return bitwise_xor(a, b); }
Tensor operator~(const Tensor& x) { return bitwise_not(x); }

Tensor neg(const Tensor& x) {
  return record_unary({"neg"}, x, Unary::neg, [](const Saved&, const Tensor& dy) { return neg(dy); });
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
