#include <weft/tensor/packed.h>

#include <mutex>
#include <new>

#include <weft/tensor/packed_shared.h>

#ifdef WEFT_ONEDNN
#include <weft/tensor/onednn/packed.h>
#endif

namespace weft::kernels {

void check_float32(const char* op, const char* what, const Tensor& x) {
  if (x.dtype() != DType::float32)
    throw DtypeError(
        text(op, ": ", what, " is ", x.dtype(), ", not float32\n  help: convert it with to(x, DType::float32)"));
}

Tensor checked_residual(const char* op, const Epilogue& e, const Tensor& result) {
  if (!e.residual) return Tensor();
  const Tensor& r = *e.residual;
  check_float32(op, "the residual", r);
  if (!(r.shape() == result.shape()))
    throw ShapeError(text(op, ": the residual is ", r.shape(), ", the result ", result.shape()));
  if (r.strides() == result.strides()) return r;
  const Tensor same = view_as(empty(result.shape()), result.shape(), result.strides());
  copy_into(same, r);
  return same;
}

namespace {

Unary unary_of(Activation a) {
  switch (a) {
    case Activation::gelu: return Unary::gelu;
    case Activation::gelu_tanh: return Unary::gelu_tanh;
    case Activation::silu: return Unary::silu;
    case Activation::tanh: return Unary::tanh;
    case Activation::sigmoid: return Unary::sigmoid;
    default: return Unary::relu;
  }
}

}  // namespace

void finish_part(float* y, const float* residual, Int n, Activation activation) {
  const KernelTable& t = table();
  constexpr Int tile = 2048;  // what one pass leaves in the first-level cache the next one finds there
  for (Int first = 0; first < n; first += tile) {
    const Int count = n - first < tile ? n - first : tile;
    float* part = y + first;
    if (residual) t.binary[static_cast<int>(Binary::add)][0](part, part, residual + first, count, 1, 1);
    if (activation != Activation::none) t.unary[static_cast<int>(unary_of(activation))][0](part, part, count);
  }
}

void finish(float* y, const float* residual, Int n, Activation activation) {
  if (!residual && activation == Activation::none) return;
  parallel_for(n, grain / 4, [&](Int begin, Int end) {
    finish_part(y + begin, residual ? residual + begin : nullptr, end - begin, activation);
  });
}

struct PackedLinear::State {
  Int in, out;
  Tensor bias;
  mutable std::once_flag once;
  mutable Tensor plain;  ///< (out, in), where the library does not have the weight, or not for some call
#ifdef WEFT_ONEDNN
  std::shared_ptr<const onednn::PackedMatrix> matrix;
#endif

  const Tensor& weight() const {
#ifdef WEFT_ONEDNN
    std::call_once(once, [&] {
      if (plain.defined()) return;
      // Not where this thread's tensors happen to be placed now: it stays.
      const auto size = static_cast<std::size_t>(out * in) * sizeof(float);
      auto* const memory = static_cast<float*>(::operator new(size, std::align_val_t(64)));
      const Tensor own = adopt(
          memory, {out, in}, DType::float32, [](void* p) { ::operator delete(p, std::align_val_t(64)); }, memory);
      onednn::unpack(*matrix, memory);
      plain = own;
    });
#endif
    return plain;
  }
};

PackedLinear::PackedLinear(const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2)
    throw ShapeError(text("packed_linear: weight has shape ", weight.shape(), ", not (outputs, inputs)"));
  check_float32("packed_linear", "the weight", weight);
  if (bias.defined()) {
    check_float32("packed_linear", "the bias", bias);
    if (!(bias.shape() == Shape{weight.shape()[0]}))
      throw ShapeError(text("packed_linear: bias has shape ", bias.shape(), ", weight ", weight.shape(), " gives ",
                            weight.shape()[0], " outputs"));
  }
  auto state = std::make_shared<State>();
  state->in = weight.shape()[1];
  state->out = weight.shape()[0];
  if (bias.defined()) state->bias = copy(bias);
#ifdef WEFT_ONEDNN
  if (uses_onednn() && weight.numel() >= smallest_for_library) {
    const Tensor dense = weight.strides()[0] == 1 || weight.strides()[1] == 1 ? weight : copy(weight);
    state->matrix = onednn::pack(dense.data<float>(), state->out, state->in, dense.strides()[0], dense.strides()[1]);
  }
  if (!state->matrix) state->plain = copy(weight);
#else
  state->plain = copy(weight);
#endif
  state_ = std::move(state);
}

Tensor PackedLinear::operator()(const Tensor& x, const Epilogue& epilogue) const {
  const State& s = *state_;
  check_float32("packed_linear", "x", x);
  if (x.dim() == 0 || x.shape().back() != s.in)
    throw ShapeError(text("packed_linear: x ", x.shape(), " has ", x.dim() == 0 ? 0 : x.shape().back(),
                          " columns, the weight [", s.out, ", ", s.in, "] takes ", s.in));
#ifdef WEFT_ONEDNN
  if (s.matrix && uses_onednn() && !is_deterministic()) {
    const bool rows_as_they_lie = x.dim() == 2 && x.strides()[1] == 1 && x.strides()[0] >= s.in;
    const Tensor in = rows_as_they_lie ? x : contiguous(x);
    Shape shape = x.shape();
    shape.back() = s.out;
    Tensor y = empty(shape);
    if (y.numel() == 0) return y;
    const Tensor residual = checked_residual("packed_linear", epilogue, y);
    if (onednn::product(*s.matrix,
                        {y.mutable_data<float>(), in.data<float>(), rows_as_they_lie ? in.strides()[0] : s.in,
                         y.numel() / s.out, s.bias.defined() ? s.bias.data<float>() : nullptr,
                         residual.defined() ? residual.data<float>() : nullptr, epilogue.activation}))
      return y;
  }
#endif
  Tensor y = linear(x, s.weight(), s.bias);
  const Tensor residual = checked_residual("packed_linear", epilogue, y);
  finish(y.mutable_data<float>(), residual.defined() ? residual.data<float>() : nullptr, y.numel(),
         epilogue.activation);
  return y;
}

std::int64_t PackedLinear::inputs() const noexcept { return state_->in; }
std::int64_t PackedLinear::outputs() const noexcept { return state_->out; }

std::size_t PackedLinear::bytes() const noexcept {
  const State& s = *state_;
  std::size_t n = s.bias.defined() ? static_cast<std::size_t>(s.bias.numel()) * sizeof(float) : 0;
#ifdef WEFT_ONEDNN
  if (s.matrix) return n + onednn::bytes_of(*s.matrix);
#endif
  return n + static_cast<std::size_t>(s.plain.numel()) * sizeof(float);
}

std::string PackedLinear::implementation([[maybe_unused]] Int rows, [[maybe_unused]] const Epilogue& epilogue) const {
#ifdef WEFT_ONEDNN
  const State& s = *state_;
  if (!s.matrix) return "";
  const float any = 0;
  return onednn::implementation(*s.matrix, {nullptr, nullptr, s.in, rows, s.bias.defined() ? &any : nullptr,
                                            epilogue.residual ? &any : nullptr, epilogue.activation});
#else
  return "";
#endif
}

}  // namespace weft::kernels
