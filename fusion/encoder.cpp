#include <weft/fusion/encoder.h>

#include <algorithm>

#include <weft/autograd/ops.h>
#include <weft/layers/convolution.h>
#include <weft/layers/pooling.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::fusion {
namespace {

void known(const char* what, const std::string& name, std::initializer_list<std::string> all) {
  if (std::find(all.begin(), all.end(), name) == all.end())
    throw ConfigError(
        text("encoder: there is no ", what, " \"", name, "\"", closest(name, std::span(all.begin(), all.size()))));
}

void add_norm(Sequential& layers, const std::string& norm, std::int64_t width, DType dtype) {
  if (norm == "layer") layers.add(LayerNorm({.normalized_shape = {width}, .dtype = dtype}));
  if (norm == "batch") layers.add(SparseBatchNorm({.num_features = width, .dtype = dtype}));
}

void add_activation(Sequential& layers, const std::string& activation) {
  if (activation == "relu") layers.add(ReLU());
  if (activation == "gelu") layers.add(GELU());
  if (activation == "silu") layers.add(SiLU());
  if (activation == "tanh") layers.add(Tanh());
}

Sequential mlp(const EncoderOptions& o) {
  known("activation", o.activation, {"relu", "gelu", "silu", "tanh"});
  known("norm", o.norm, {"none", "layer", "batch"});
  Sequential layers;
  std::int64_t in = o.in_features;
  for (const std::int64_t width : o.hidden) {
    layers.add(Linear({.in_features = in, .out_features = width, .dtype = o.dtype}));
    add_norm(layers, o.norm, width, o.dtype);
    add_activation(layers, o.activation);
    if (o.dropout != 0) layers.add(Dropout(o.dropout));
    in = width;
  }
  return layers;
}

/// Rows of any shape as rows of this one.
struct Shaped {
  Shape row;
  Tensor operator()(const Tensor& x) const {
    Shape shape = row;
    shape.insert(0, x.size(0));
    return reshape(x, shape);
  }
  void fields(auto&& f) { f("row", row); }
};

/// Channels and then as many axes as the images or signals have. Throws ConfigError.
template <int axes>
std::vector<std::int64_t> checked_shape(const std::string& name, const EncoderOptions& o) {
  std::vector<std::int64_t> shape = o.shape;
  if (shape.size() == axes) shape.insert(shape.begin(), 1);
  double features = 1;
  for (const std::int64_t n : shape) features *= static_cast<double>(std::max<std::int64_t>(n, 0));
  if (shape.size() != axes + 1 || features != static_cast<double>(o.in_features))
    throw ConfigError(text("encoder: \"", name, "\" has the shape ", Shape(o.shape), " for rows of ", o.in_features,
                           " features\n  help: give shape, as in ",
                           axes == 2 ? "{channels, height, width}" : "{channels, steps}"));
  return shape;
}

template <int axes>
Sequential cnn(const std::string& name, const EncoderOptions& o) {
  known("activation", o.activation, {"relu", "gelu", "silu", "tanh"});
  known("norm", o.norm, {"none", "layer", "batch"});
  std::vector<std::int64_t> shape = checked_shape<axes>(name, o);
  constexpr std::int64_t window = axes == 2 ? 3 : 7;
  Sequential layers;
  layers.add(Shaped{Shape(shape)});
  for (std::size_t i = 0; i + 1 < o.hidden.size(); ++i) {
    layers.add(Conv<axes>({.in_channels = shape[0],
                           .out_channels = o.hidden[i],
                           .kernel_size = window,
                           .padding = window / 2,
                           .dtype = o.dtype}));
    shape[0] = o.hidden[i];
    if (o.norm == "layer") layers.add(GroupNorm({.num_groups = 1, .num_channels = shape[0], .dtype = o.dtype}));
    if (o.norm == "batch") layers.add(SparseBatchNorm({.num_features = shape[0], .dtype = o.dtype}));
    add_activation(layers, o.activation);
    // An axis of one pixel is not halved any more.
    const auto half = [&](std::size_t axis) { return shape[axis] > 1 ? std::int64_t{2} : std::int64_t{1}; };
    if constexpr (axes == 2)
      layers.add(MaxPool2d({half(1), half(2)}));
    else
      layers.add(MaxPool1d(half(1)));
    for (std::size_t a = 1; a < shape.size(); ++a) shape[a] /= half(a);
  }
  layers.add(Flatten());
  if (o.dropout != 0) layers.add(Dropout(o.dropout));
  std::int64_t features = 1;
  for (const std::int64_t n : shape) features *= n;
  layers.add(Linear({.in_features = features, .out_features = o.hidden.back(), .dtype = o.dtype}));
  add_activation(layers, o.activation);
  return layers;
}

/// Encodes the rows that are there and puts them back into zeros.
Tensor encode_present(const Encoder& encoder, const Tensor& x, const Tensor& who) {
  const std::int64_t batch = x.size(0);
  const Tensor rows = nonzero(who);  // (K,)
  if (rows.numel() == 0) return zeros({batch, encoder.width}, encoder.dtype);
  const bool everyone = rows.numel() == batch;
  const Tensor encoded = encoder(everyone ? x : index_select(x, 0, rows));  // (K, width)
  if (encoded.dim() != 2 || encoded.size(1) != encoder.width)
    throw ShapeError(text("encoder: its layers gave ", encoded.shape(), ", its width is ", encoder.width));
  return everyone ? encoded : index_add(zeros({batch, encoder.width}, encoded.dtype()), 0, rows, encoded);
}

}  // namespace

Tensor Encoder::operator()(const Tensor& x) const { return layers(to(x, dtype)); }

Tensor SparseBatchNorm::operator()(const Tensor& x) const {
  if (norm.mode.training && x.numel() == x.size(1) && norm.running_mean.defined())
    return batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, false, 0, norm.eps);
  return norm(x);
}

Encoder make_encoder(std::string_view kind, const EncoderOptions& o) {
  const std::string name(kind);
  if (std::find(encoder_names().begin(), encoder_names().end(), name) == encoder_names().end())
    throw ConfigError(text("encoder: there is no \"", name, "\"", closest(name, encoder_names())));
  if (o.in_features < 1)
    throw ConfigError(text("encoder: in_features is ", o.in_features, "\n  help: choose 1 or more"));
  if (name == "identity") return {{}, o.in_features, o.dtype};
  if (o.hidden.empty())
    throw ConfigError(text("encoder: \"", name, "\" has no layer sizes\n  help: give hidden, as in {32}"));
  for (const std::int64_t width : o.hidden)
    if (width < 1)
      throw ConfigError(text("encoder: a layer of \"", name, "\" has ", width, " features\n  help: choose 1 or more"));
  if (name == "linear") {
    Sequential layers;
    layers.add(Linear({.in_features = o.in_features, .out_features = o.hidden.back(), .dtype = o.dtype}));
    return {std::move(layers), o.hidden.back(), o.dtype};
  }
  if (name == "cnn") return {cnn<2>(name, o), o.hidden.back(), o.dtype};
  if (name == "cnn1d") return {cnn<1>(name, o), o.hidden.back(), o.dtype};
  return {mlp(o), o.hidden.back(), o.dtype};
}

const std::vector<std::string>& encoder_names() {
  static const std::vector<std::string> all{"identity", "linear", "mlp", "cnn", "cnn1d"};
  return all;
}

data::Modalities encode(const std::vector<Encoder>& encoders, const data::Modalities& raw) {
  raw.check();
  if (encoders.size() != raw.features.size())
    throw ShapeError(text("encode: ", encoders.size(), " encoders for ", raw.features.size(), " modalities"));
  data::Modalities encoded{raw.names, {}, raw.present, raw.quality};
  for (std::size_t m = 0; m < encoders.size(); ++m)
    encoded.features.push_back(
        encode_present(encoders[m], raw.features[m], select(raw.present, 1, static_cast<std::int64_t>(m))));
  return encoded;
}

}  // namespace weft::fusion
