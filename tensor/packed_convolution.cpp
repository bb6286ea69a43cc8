#include <mutex>

#include <weft/tensor/packed_shared.h>

#ifdef WEFT_ONEDNN
#include <weft/tensor/onednn/packed.h>
#endif

namespace weft::kernels {

namespace {

/// The weight, as given and as arranged; one for all sizes of the input.
struct Filter {
  Tensor weight, bias;
  std::uint32_t version;  ///< of the weight's storage
  Int groups;
#ifdef WEFT_ONEDNN
  std::shared_ptr<onednn::PackedFilter> packed;
#endif

  const float* bias_numbers() const { return bias.defined() ? bias.data<float>() : nullptr; }
};

}  // namespace

struct PackedConvolution::State {
  std::shared_ptr<const Filter> filter;
  Convolution shape;

  Int channels() const { return filter->weight.shape()[1] * shape.groups; }
  Int results() const { return filter->weight.shape()[0]; }
  /// Throws where the sizes do not belong together.
  void check() const {
    const Convolution& c = shape;
    const int axes = c.input.size();
    for (int a = 0; a < axes; ++a)
      if (c.input[a] < 1 || c.output[a] < 1 || c.kernel[a] < 1)
        throw ShapeError(text("packed_convolution: input ", c.input, ", window ", c.kernel, " and output ", c.output,
                              " must not have an axis of size 0"));
  }
};

PackedConvolution::PackedConvolution(const Tensor& weight, const Tensor& bias, const Convolution& shape) {
  const int axes = shape.input.size();
  if (axes < 1 || axes > 3 || weight.dim() != axes + 2)
    throw ShapeError(text("packed_convolution: weight ", weight.shape(), " for ", axes, " spatial axes"));
  check_float32("packed_convolution", "the weight", weight);
  for (const Dims* each : {&shape.kernel, &shape.output, &shape.stride, &shape.before, &shape.dilation})
    if (each->size() != axes)
      throw ShapeError(text("packed_convolution: ", *each, " numbers for ", axes, " spatial axes"));
  for (int a = 0; a < axes; ++a)
    if (shape.kernel[a] != weight.shape()[a + 2])
      throw ShapeError(text("packed_convolution: weight ", weight.shape(), " for a window of ", shape.kernel));
  if (shape.groups < 1 || weight.shape()[0] % shape.groups != 0)
    throw ShapeError(text("packed_convolution: weight ", weight.shape(), " has ", weight.shape()[0], " outputs for ",
                          shape.groups, " groups"));
  if (bias.defined()) {
    check_float32("packed_convolution", "the bias", bias);
    if (!(bias.shape() == Shape{weight.shape()[0]}))
      throw ShapeError(
          text("packed_convolution: bias ", bias.shape(), " does not fit ", weight.shape()[0], " outputs"));
  }
  auto filter = std::make_shared<Filter>();
  filter->weight = contiguous(weight);
  filter->version = filter->weight.body().storage->version;
  filter->groups = shape.groups;
  if (bias.defined()) filter->bias = copy(bias);
#ifdef WEFT_ONEDNN
  filter->packed = onednn::make_filter(filter->weight, shape.groups);
#endif
  auto state = std::make_shared<State>(State{std::move(filter), shape});
  state->shape.relu = false;
  state->check();
  state_ = std::move(state);
}

PackedConvolution PackedConvolution::resized(const Dims& input, const Dims& output) const {
  auto state = std::make_shared<State>(*state_);
  const int axes = state->shape.input.size();
  if (input.size() != axes || output.size() != axes)
    throw ShapeError(text("packed_convolution: input ", input, " and output ", output, " for ", axes, " spatial axes"));
  state->shape.input = input;
  state->shape.output = output;
  state->check();
  return PackedConvolution(std::move(state));
}

Tensor PackedConvolution::operator()(const Tensor& x, const Epilogue& epilogue) const {
  const State& s = *state_;
  const Convolution& c = s.shape;
  check_float32("packed_convolution", "x", x);
  Shape wanted{x.dim() > 0 ? x.shape()[0] : 0, s.channels()}, shape{wanted[0], s.results()};
  for (const Int n : c.input) wanted.push_back(n);
  for (const Int n : c.output) shape.push_back(n);
  if (!(x.shape() == wanted)) throw ShapeError(text("packed_convolution: x is ", x.shape(), ", not ", wanted));
  if (s.filter->weight.body().storage->version != s.filter->version)
    throw ConfigError(
        "packed_convolution: the weight has changed since it was packed\n  help: pack it again after training");
#ifdef WEFT_ONEDNN
  constexpr Int smallest = 32 * 32 * 32;
  if (uses_onednn() && !is_deterministic() && x.numel() > 0 &&
      shape.product() * c.kernel.product() * s.filter->weight.shape()[1] >= smallest) {
    const Tensor in = channels_last(x);
    Tensor y = empty_channels_last(shape, DType::float32);
    const Tensor residual = checked_residual("packed_convolution", epilogue, y);
    if (onednn::convolve(*s.filter->packed,
                         {shape[0], &c, y.mutable_data<float>(), in.data<float>(), s.filter->bias_numbers(),
                          residual.defined() ? residual.data<float>() : nullptr, epilogue.activation}))
      return y;
  }
#endif
  Tensor y = convolution(x, s.filter->weight, s.filter->bias, c);
  const Tensor residual = checked_residual("packed_convolution", epilogue, y);
  finish(y.mutable_data<float>(), residual.defined() ? residual.data<float>() : nullptr, y.numel(),
         epilogue.activation);
  return y;
}

void PackedConvolution::prepare([[maybe_unused]] Int batch) const {
#ifdef WEFT_ONEDNN
  const State& s = *state_;
  if (uses_onednn() && batch > 0)
    onednn::prepare(*s.filter->packed,
                    {batch, &s.shape, nullptr, nullptr, s.filter->bias_numbers(), nullptr, Activation::none});
#endif
}

std::size_t PackedConvolution::bytes() const noexcept {
  const Filter& f = *state_->filter;
  std::size_t n = f.bias.defined() ? static_cast<std::size_t>(f.bias.numel()) * sizeof(float) : 0;
#ifdef WEFT_ONEDNN
  n += onednn::bytes_of(*f.packed);
#endif
  return n;
}

std::string PackedConvolution::implementation([[maybe_unused]] Int batch,
                                              [[maybe_unused]] const Epilogue& epilogue) const {
#ifdef WEFT_ONEDNN
  const State& s = *state_;
  const float any = 0;
  return onednn::implementation(*s.filter->packed, {batch, &s.shape, nullptr, nullptr, s.filter->bias_numbers(),
                                                    epilogue.residual ? &any : nullptr, epilogue.activation});
#else
  return "";
#endif
}

}  // namespace weft::kernels
