#include <cmath>

#include <weft/tensor/dispatch.h>

/// Elementwise operations: types, broadcasting and layouts here, the arithmetic in kernels/.
namespace weft::kernels {
namespace {

const char* const binary_names[binary_count] = {"add",
                                                "sub",
                                                "mul",
                                                "div",
                                                "floor_divide",
                                                "trunc_divide",
                                                "remainder",
                                                "fmod",
                                                "pow",
                                                "maximum",
                                                "minimum",
                                                "fmax",
                                                "fmin",
                                                "atan2",
                                                "hypot",
                                                "copysign",
                                                "xlogy",
                                                "polygamma",
                                                "elu",
                                                "elu_slope",
                                                "bitwise_and",
                                                "bitwise_or",
                                                "bitwise_xor",
                                                "bitwise_left_shift",
                                                "bitwise_right_shift",
                                                "logical_and",
                                                "logical_or",
                                                "logical_xor",
                                                "eq",
                                                "ne",
                                                "lt",
                                                "le",
                                                "gt",
                                                "ge",
                                                "relu_grad",
                                                "sigmoid_grad",
                                                "tanh_grad",
                                                "gelu_grad",
                                                "gelu_tanh_grad",
                                                "silu_grad",
                                                "softplus_grad",
                                                "mish_grad",
                                                "hardswish_grad"};
const char* name_of(Binary op) { return binary_names[static_cast<int>(op)]; }

constexpr bool is_test(Unary op) { return op == Unary::logical_not || op >= Unary::isnan; }
constexpr bool is_test(Binary op) { return op >= Binary::logical_and && op <= Binary::ge; }
constexpr bool takes_integers(Unary op) { return op <= Unary::trunc || op >= Unary::isnan; }
constexpr bool takes_integers(Binary op) {
  return op < Binary::div || (op >= Binary::floor_divide && op <= Binary::fmin) ||
         (op >= Binary::bitwise_and && op <= Binary::ge);
}
constexpr bool is_bitwise(Binary op) { return op >= Binary::bitwise_and && op <= Binary::right_shift; }
constexpr bool divides_whole(Binary op) { return op >= Binary::floor_divide && op <= Binary::fmod; }

/// The least number of elements worth a thread: a copy's grain for what memory bounds, less for what arithmetic does.
constexpr Int grain_of(Unary op) { return op >= Unary::exp && op < Unary::isnan ? grain / 4 : 2 * grain; }
constexpr Int grain_of(Binary op) {
  const bool heavy = (op >= Binary::floor_divide && op <= Binary::pow) || op == Binary::atan2 || op == Binary::hypot ||
                     (op >= Binary::xlogy && op <= Binary::elu_slope) || op >= Binary::gelu_grad;
  return heavy ? grain / 4 : 2 * grain;
}

/// A large operand whose innermost axis is not the result's is laid out anew first: reading it line
/// by line in tiles is several times faster than element by element.
Tensor aligned_to(const Tensor& result, const Tensor& x) {
  constexpr Int large = 4096;
  if (x.numel() < large || !(x.shape() == result.shape()) || x.strides() == result.strides()) return x;
  Loop loop(result.shape());
  loop.add(result);
  loop.add(x);
  loop.prepare();
  const Int step = loop.inner_step(1);
  if (step == item_size(x.dtype()) || step == 0) return x;
  Tensor dense = empty_like(result, x.dtype());
  copy_into(dense, x);
  return dense;
}

DType checked_type(Unary op, const Tensor& x) {
  const DType type = x.dtype();
  if (op == Unary::neg && type == DType::boolean)
    throw DtypeError("neg: takes numbers, not bool\n  help: use logical_not(x)");
  if (op == Unary::bitwise_not && is_floating(type))
    throw DtypeError(text("bitwise_not: takes bool and integer types, not ", type));
  if (is_floating(type) || takes_integers(op)) return type;
  return DType::float32;
}

/// Result types are promoted; integer division, and functions that leave the whole numbers, give float32.
DType checked_type(Binary op, DType type) {
  if (is_bitwise(op) && is_floating(type))
    throw DtypeError(text(name_of(op), ": takes bool and integer types, not ", type));
  if (op == Binary::sub && type == DType::boolean)
    throw DtypeError("sub: takes numbers, not bool and bool\n  help: use logical_xor(a, b)");
  if (is_floating(type) || takes_integers(op)) return type;
  return DType::float32;
}

void check_divisor(Binary op, const Tensor& b) {
  // b != 0 everywhere; a rare operation, so a pass of its own keeps the loops free of exceptions.
  const Tensor all_set = reduce(Reduce::all, b, {}, false);
  if (all_set.item() == 0)
    throw ConfigError(text(name_of(op), ": an integer is divided by 0 in b ", b.shape(),
                           "\n  help: divide floating types, or replace the zeros with where(b == 0, 1, b)"));
}

/// The shape and layout of the result: those of the first input of full size, else row-major.
Tensor make_result(const char* op, const Tensor& a, const Tensor& b, DType type) {
  if (a.shape() == b.shape()) return empty_like(a, type);
  const Shape shape = broadcast(op, a.shape(), b.shape());
  if (shape == a.shape()) return empty_like(a, type);
  if (shape == b.shape()) return empty_like(b, type);
  return empty(shape, type);
}

/// A number in the form that a kernel reads.
struct Number {
  alignas(8) char value[8];
  Number(const Scalar& s, Compute c) noexcept {
    if (c == Compute::f32) {
      const float v = static_cast<float>(s.real());
      std::memcpy(value, &v, sizeof v);
    } else if (c == Compute::f64) {
      const double v = s.real();
      std::memcpy(value, &v, sizeof v);
    } else {
      const Int v = s.integer();
      std::memcpy(value, &v, sizeof v);
    }
  }
};

void run_binary(Binary op, Compute c, const Tensor& y, const Tensor* a, const Tensor* b, const Scalar* number) {
  const auto kernel = table().binary[static_cast<int>(op)][slot(c)];
  Loop loop(y.shape());
  loop.add(y);
  const DType type = dtype_of_compute(c);
  const Number value(number ? *number : Scalar(0), c);
  for (const Tensor* x : {a, b}) {
    if (x)
      loop.add(*x);
    else
      loop.add_number(value.value, type);
  }
  loop.prepare();
  if (loop.elements() == 0) return;
  const DType wanted[] = {is_test(op) ? DType::boolean : type, type, type};
  constexpr Use uses[] = {Use::write, Use::read, Use::read};
  run_dense(loop, wanted, uses, grain_of(op),
            [&](char* const* p, const Int* step, Int n) { kernel(p[0], p[1], p[2], n, step[1], step[2]); });
}

Tensor binary_number(Binary op, const Tensor& x, const Scalar& number, bool number_first) {
  const DType type = checked_type(op, promote(x.dtype(), number));
  const Compute c = compute_of(type);
  if (op == Binary::pow && !number_first) {
    const double e = number.real();
    if (c == Compute::i64 && e < 0)
      throw ConfigError(text("pow: ", x.dtype(), " to the power ", number.integer(), " is not a whole number",
                             "\n  help: convert the base with to(x, DType::float32)"));
    const bool same = type == x.dtype();
    if (same && e == 2 && type != DType::boolean) return unary(Unary::square, x);
    if (same && e == 0.5 && c != Compute::i64) return unary(Unary::sqrt, x);
    if (same && e == -0.5 && c != Compute::i64) return unary(Unary::rsqrt, x);
    if (same && e == -1 && c != Compute::i64) return unary(Unary::reciprocal, x);
  }
  if (divides_whole(op) && c == Compute::i64) {
    if (number_first)
      check_divisor(op, x);
    else if (number.integer() == 0)
      throw ConfigError(
          text(name_of(op), ": an integer tensor ", x.shape(), " is divided by 0", "\n  help: divide floating types"));
  }
  const TensorBody& b = x.body();
  const DType result = is_test(op) ? DType::boolean : type;
  if (b.contiguous && b.numel <= grain_of(op) && b.dtype == dtype_of_compute(c) && type == b.dtype) {
    Tensor y = empty_like(x, result);
    const Number value(number, c);
    const auto kernel = table().binary[static_cast<int>(op)][slot(c)];
    if (number_first)
      kernel(y.body().data, value.value, b.data, b.numel, 0, 1);
    else
      kernel(y.body().data, b.data, value.value, b.numel, 1, 0);
    return y;
  }
  Tensor y = empty_like(x, result);
  const Tensor dense = aligned_to(y, x);
  if (number_first)
    run_binary(op, c, y, nullptr, &dense, &number);
  else
    run_binary(op, c, y, &dense, nullptr, &number);
  return y;
}

}  // namespace

Tensor unary(Unary op, const Tensor& x) {
  const DType type = checked_type(op, x);
  if (op == Unary::bitwise_not && type == DType::boolean) op = Unary::logical_not;
  const Compute c = compute_of(type);
  const auto kernel = table().unary[static_cast<int>(op)][slot(c)];
  const DType native_type = dtype_of_compute(c);
  const DType result = is_test(op) ? DType::boolean : type;
  Tensor y = empty_like(x, result);
  const TensorBody& b = x.body();
  if (b.contiguous && b.dtype == native_type && (is_test(op) || result == native_type) && b.numel <= grain_of(op)) {
    kernel(y.body().data, b.data, b.numel);
    return y;
  }
  if (b.numel == 0) return y;
  const Tensor dense = aligned_to(y, x);
  Loop loop(x.shape());
  loop.add(y);
  loop.add(dense);
  loop.prepare();
  const DType wanted[] = {is_test(op) ? DType::boolean : native_type, native_type};
  constexpr Use uses[] = {Use::write, Use::read};
  run_dense(loop, wanted, uses, grain_of(op), [&](char* const* p, const Int* step, Int n) {
    if (step[1] == 0) {  // a repeated number: once, then copied
      kernel(p[0], p[1], 1);
      const auto copy_one = table().convert[static_cast<int>(wanted[0])][static_cast<int>(wanted[0])];
      copy_one(p[0], 1, p[0], 0, n);
    } else {
      kernel(p[0], p[1], n);
    }
  });
  return y;
}

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  const TensorBody& x = a.body();
  const TensorBody& z = b.body();
  // Small dense tensors of one shape and type go to the kernel at once: this path is most of the cost of such an
  // operation.
  if (x.dtype == DType::float32 && z.dtype == DType::float32 && x.contiguous && z.contiguous && x.numel <= grain / 4 &&
      x.shape == z.shape && !is_bitwise(op)) {
    Tensor y = is_test(op) ? empty(x.shape, DType::boolean) : empty(x.shape, DType::float32);
    table().binary[static_cast<int>(op)][0](y.body().data, x.data, z.data, x.numel, 1, 1);
    return y;
  }
  const DType type = checked_type(op, promote_tensors(a, b));
  const Compute c = compute_of(type);
  if (divides_whole(op) && c == Compute::i64) check_divisor(op, b);
  Tensor y = make_result(name_of(op), a, b, is_test(op) ? DType::boolean : type);
  const Tensor left = aligned_to(y, a), right = aligned_to(y, b);
  run_binary(op, c, y, &left, &right, nullptr);
  return y;
}

Tensor binary(Binary op, const Tensor& a, const Scalar& b) { return binary_number(op, a, b, false); }
Tensor binary(Binary op, const Scalar& a, const Tensor& b) { return binary_number(op, b, a, true); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != DType::boolean)
    throw DtypeError(
        text("where: the condition is ", condition.dtype(), ", not bool\n  help: compare it, as in x != 0"));
  const DType type = promote_tensors(a, b);
  const Shape shape = broadcast("where", broadcast("where", condition.shape(), a.shape()), b.shape());
  const Tensor x = cast(a, type), z = cast(b, type);
  Tensor y = x.shape() == shape           ? empty_like(x)
             : z.shape() == shape         ? empty_like(z)
             : condition.shape() == shape ? empty_like(condition, type)
                                          : empty(shape, type);
  Loop loop(shape);
  loop.add(y);
  loop.add(condition);
  loop.add(x);
  loop.add(z);
  loop.prepare();
  if (loop.elements() == 0) return y;
  const auto kernel = table().where[size_slot(type)];
  const Int size = item_size(type);
  const Int sy = loop.inner_step(0) / size, sc = loop.inner_step(1), sa = loop.inner_step(2) / size,
            sb = loop.inner_step(3) / size;
  loop.run(2 * grain, [&](char* const* p, Int n) { kernel(p[0], sy, p[1], sc, p[2], sa, p[3], sb, n); });
  return y;
}

Tensor clamp(const Tensor& x, double low, double high) {
  if (std::isnan(low) || std::isnan(high))
    throw ConfigError(text("clamp: bounds ", low, " and ", high, " are not numbers"));
  const Compute c = compute_of(x.dtype());
  Tensor y = empty_like(x);
  if (x.numel() == 0) return y;
  const auto kernel = table().clamp[slot(c)];
  Loop loop(x.shape());
  loop.add(y);
  loop.add(x);
  loop.prepare();
  const DType wanted[] = {dtype_of_compute(c), dtype_of_compute(c)};
  // A repeated input is written out (`change` is never a single number), as the kernel has no step.
  constexpr Use uses[] = {Use::write, Use::read};
  run_dense(loop, wanted, uses, 2 * grain, [&](char* const* p, const Int* step, Int n) {
    if (step[1] == 0) {
      for (Int i = 0; i < n; ++i) kernel(p[0] + i * item_size(wanted[0]), p[1], 1, low, high);
    } else {
      kernel(p[0], p[1], n, low, high);
    }
  });
  return y;
}

void accumulate(const Tensor& dst, const Tensor& src, double scale) {
  check_same_shape("accumulate", dst, src);
  check_floating("accumulate", dst);
  check_floating("accumulate", src);
  bytes_to_write(dst);
  if (dst.numel() == 0) return;
  const Compute c = compute_of(dst.dtype());
  const auto kernel = table().axpy[slot(c)];
  const Tensor from = aligned_to(dst, src);
  Loop loop(dst.shape());
  loop.add(dst);
  loop.add(from);
  loop.prepare();
  const DType type = dtype_of_compute(c);
  const DType wanted[] = {type, type};
  constexpr Use uses[] = {Use::change, Use::read};
  run_dense(loop, wanted, uses, 2 * grain, [&](char* const* p, const Int* step, Int n) {
    if (step[1] == 0) {
      for (Int i = 0; i < n; ++i) kernel(p[0] + i * item_size(type), p[1], 1, scale);
    } else {
      kernel(p[0], p[1], n, scale);
    }
  });
}

}  // namespace weft::kernels
