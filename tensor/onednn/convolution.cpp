#include <weft/tensor/onednn/onednn.h>

#include <algorithm>
#include <cstring>

#include <weft/tensor/onednn/window.h>

namespace weft::kernels::onednn {
namespace {

/// A primitive ready to run on `images` of the batch at a time.
struct Ready {
  dnnl::primitive primitive;
  Operand x, weight, y;
  Desc bias, scratch;
  Int images = 0;
  const char* name = "";
  bool usable = false;
};

/// Winograd's method pays for two conversions of images and one of the weight; measured on shapes of ResNet-18 with 1
/// to 64 images.
constexpr Int fewest_tiles = 64;

/// Throws dnnl::error where the library has no such primitive.
std::shared_ptr<const Ready> make(const Window& w, bool winograd) {
  auto r = std::make_shared<Ready>();
  Sizes s = sizes(w.batch, w.channels, w.results, *w.shape);
  const int axes = w.shape->input.size();
  if (!s.possible()) return r;
  r->images = s.x[0] = s.y[0] =
      winograd ? winograd_images(w.batch, w.channels, w.results, *w.shape, w.pass == ConvolutionPass::weight_grad)
               : w.batch;
  const Tag last = channels_last_tag(axes);
  r->x.plain = Desc(s.x, f32, last);
  r->y.plain = Desc(s.y, f32, last);
  r->weight.plain = Desc(s.weight, f32, weight_tag(axes, w.shape->groups > 1));
  if (w.bias) r->bias = Desc(s.bias, f32, Tag::a);
  // The factors of the pass are rounded as they are converted, its result is not.
  const auto factor = w.bfloat16 ? bf16 : f32;
  const auto type = [&](ConvolutionPass result) { return w.pass == result ? f32 : factor; };
  const Tag images = winograd ? Tag::any : last;
  const Desc any(s.weight, type(ConvolutionPass::weight_grad), Tag::any),
      x(s.x, type(ConvolutionPass::input_grad), images), y(s.y, type(ConvolutionPass::forward), images);
  const auto way = winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  constexpr auto training = dnnl::prop_kind::forward_training;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  using Forward = dnnl::convolution_forward;
  // The forward pass that a gradient belongs to: the library has none whose factors are float32 and bfloat16.
  const Desc from(s.x, factor, images), taps(s.weight, factor, Tag::any),
      to(s.y, type(ConvolutionPass::forward), images);
  const Forward::desc description =
      w.bias ? Forward::desc(training, way, from, taps, r->bias, to, s.stride, s.dilation, s.before, s.after)
             : Forward::desc(training, way, from, taps, to, s.stride, s.dilation, s.before, s.after);
  dnnl::primitive_attr then;  // not a copy: copies share what they hold
  then.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (w.shape->relu) {
    dnnl::post_ops after;
    after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    then.set_post_ops(after);
  }
  const Forward::primitive_desc forward(description, then, engine());
  const auto enter = [&](const auto& chosen, const Desc& chosen_x, const Desc& chosen_weight, const Desc& chosen_y,
                         dnnl::primitive primitive) {
    r->x.prepare(chosen_x, w.pass == ConvolutionPass::input_grad, attributes);
    r->weight.prepare(chosen_weight, w.pass == ConvolutionPass::weight_grad, attributes);
    r->y.prepare(chosen_y, w.pass == ConvolutionPass::forward, attributes);
    r->scratch = chosen.scratchpad_desc();
    r->primitive = std::move(primitive);
  };
  switch (w.pass) {
    case ConvolutionPass::forward:
      enter(forward, forward.src_desc(), forward.weights_desc(), forward.dst_desc(), Forward(forward));
      break;
    case ConvolutionPass::input_grad: {
      using Data = dnnl::convolution_backward_data;
      const Data::primitive_desc chosen(Data::desc(way, x, any, y, s.stride, s.dilation, s.before, s.after), attributes,
                                        engine(), forward);
      enter(chosen, chosen.diff_src_desc(), chosen.weights_desc(), chosen.diff_dst_desc(), Data(chosen));
      break;
    }
    case ConvolutionPass::weight_grad: {
      using Weights = dnnl::convolution_backward_weights;
      const Weights::primitive_desc chosen(Weights::desc(way, x, any, y, s.stride, s.dilation, s.before, s.after),
                                           attributes, engine(), forward);
      enter(chosen, chosen.src_desc(), chosen.diff_weights_desc(), chosen.diff_dst_desc(), Weights(chosen));
      break;
    }
  }
  // The name belongs to the primitive, which lives as long as the entry.
  dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
  r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  return r;
}

std::shared_ptr<const Ready> make(const Window& w) {
  for (const bool winograd : {true, false}) {
    if (winograd && (w.bfloat16 || winograd_tiles(w.batch, w.channels, w.results, *w.shape) < fewest_tiles)) continue;
    try {
      return make(w, winograd);
    } catch (const dnnl::error&) {
      // Without AVX-512 there is no Winograd; without either the caller has loops of its own.
    }
  }
  return std::make_shared<Ready>();
}

constexpr std::size_t key_numbers = 9 + 6 * 3;

std::shared_ptr<const Ready> find(const Window& w) {
  static auto* cache = new Cache<key_numbers, Ready>;  // never destroyed: other threads may still compute at exit
  const Convolution& c = *w.shape;
  std::array<Int, key_numbers> key{static_cast<Int>(w.pass), w.batch,       w.channels, w.results, c.groups,
                                   w.bias != nullptr,        threads_now(), c.relu,     w.bfloat16};
  std::size_t at = 9;
  for (const Dims* each : {&c.input, &c.kernel, &c.output, &c.stride, &c.before, &c.dilation})
    for (int a = 0; a < 3; ++a) key[at++] = a < each->size() ? (*each)[a] : -1;
  return cache->get(key, [&] { return make(w); });
}

}  // namespace

bool convolve(const Window& w) {
  const auto ready = find(w);
  if (!ready->usable) return false;
  try {
    const Scratch scratch(ready->scratch.get_size());
    Bound x(ready->x, w.x), y(ready->y, w.y);
    const Bound weight(ready->weight, w.weight);
    std::unordered_map<int, dnnl::memory> arguments;
    if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(ready->scratch, scratch.data);
    const bool forward = w.pass == ConvolutionPass::forward, to_input = w.pass == ConvolutionPass::input_grad,
               to_weight = w.pass == ConvolutionPass::weight_grad;
    arguments[to_input ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC] = x.memory();
    arguments[to_weight ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS] = weight.memory();
    arguments[forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST] = y.memory();
    if (w.bias) arguments[DNNL_ARG_BIAS] = memory_at(ready->bias, w.bias);
    if (!to_weight) weight.read();
    for (Int first = 0; first < w.batch; first += ready->images) {
      x.move_to(w.x + first * w.channels * w.shape->input.product());
      y.move_to(w.y + first * w.results * w.shape->output.product());
      if (!to_input) x.read();
      if (!forward) y.read();
      ready->primitive.execute(stream(), arguments);
      if (to_input) x.write();
      if (forward) y.write();
    }
    if (to_weight) weight.write();
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const Window& w) { return find(w)->name; }

}  // namespace weft::kernels::onednn
