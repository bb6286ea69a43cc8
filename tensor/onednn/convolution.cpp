#include <weft/tensor/onednn/onednn.h>

#include <cstring>

#include <weft/tensor/onednn/primitives.h>

namespace weft::kernels::onednn {
namespace {

using Int = std::int64_t;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;

/// A primitive ready to run, and the conversion between the weight as weft holds it and as the primitive wants it.
struct Ready {
  dnnl::primitive primitive;
  dnnl::reorder convert;
  Desc x, weight, plain_weight, y, bias, scratch, convert_scratch;
  const char* name = "";
  bool usable = false, converts = false;
};

void convert(const Ready& r, const dnnl::memory& from, const dnnl::memory& to) {
  const Scratch scratch(r.convert_scratch.get_size());
  std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(r.convert_scratch, scratch.data);
  static_cast<const dnnl::primitive&>(r.convert).execute(stream(), arguments);
}

/// The sizes as the library wants them: dilation counts the gaps, and there is a padding on either side.
struct Sizes {
  dnnl::memory::dims x, weight, y, bias, stride, dilation, before, after;
};

Sizes sizes(const Window& w) {
  const Convolution& c = *w.shape;
  Sizes s{{w.batch, w.channels}, {}, {w.batch, w.results}, {w.results}, {}, {}, {}, {}};
  if (c.groups > 1) s.weight = {c.groups};
  s.weight.push_back(w.results / c.groups);
  s.weight.push_back(w.channels / c.groups);
  for (int a = 0; a < c.input.size(); ++a) {
    s.x.push_back(c.input[a]);
    s.weight.push_back(c.kernel[a]);
    s.y.push_back(c.output[a]);
    s.stride.push_back(c.stride[a]);
    s.dilation.push_back(c.dilation[a] - 1);
    s.before.push_back(c.before[a]);
    s.after.push_back((c.output[a] - 1) * c.stride[a] + (c.kernel[a] - 1) * c.dilation[a] + 1 - c.input[a] -
                      c.before[a]);
  }
  return s;
}

Tag channels_last_tag(int axes) { return axes == 1 ? Tag::nwc : axes == 2 ? Tag::nhwc : Tag::ndhwc; }
Tag weight_tag(int axes, bool groups) {
  if (groups) return axes == 1 ? Tag::goiw : axes == 2 ? Tag::goihw : Tag::goidhw;
  return axes == 1 ? Tag::oiw : axes == 2 ? Tag::oihw : Tag::oidhw;
}

template <class Chosen, class Primitive>
void enter(Ready& r, const Chosen& chosen, const Primitive& primitive) {
  r.scratch = chosen.scratchpad_desc();
  r.primitive = primitive;
}

std::shared_ptr<const Ready> make(const Window& w) {
  auto r = std::make_shared<Ready>();
  try {
    const Sizes s = sizes(w);
    const int axes = w.shape->input.size();
    for (const Int v : s.before)
      if (v < 0) return r;
    for (const Int v : s.after)
      if (v < 0) return r;  // positions of the input that no window reaches: the library has no way to say so
    const Tag last = channels_last_tag(axes);
    r->x = Desc(s.x, f32, last);
    r->y = Desc(s.y, f32, last);
    r->plain_weight = Desc(s.weight, f32, weight_tag(axes, w.shape->groups > 1));
    if (w.bias) r->bias = Desc(s.bias, f32, Tag::a);
    const Desc any(s.weight, f32, Tag::any);
    constexpr auto way = dnnl::algorithm::convolution_direct;
    constexpr auto training = dnnl::prop_kind::forward_training;
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    using Forward = dnnl::convolution_forward;
    const Forward::desc description =
        w.bias ? Forward::desc(training, way, r->x, any, r->bias, r->y, s.stride, s.dilation, s.before, s.after)
               : Forward::desc(training, way, r->x, any, r->y, s.stride, s.dilation, s.before, s.after);
    const Forward::primitive_desc forward(description, attributes, engine());
    switch (w.pass) {
      case ConvolutionPass::forward:
        r->weight = forward.weights_desc();
        enter(*r, forward, Forward(forward));
        break;
      case ConvolutionPass::input_grad: {
        using Data = dnnl::convolution_backward_data;
        const Data::primitive_desc chosen(Data::desc(way, r->x, any, r->y, s.stride, s.dilation, s.before, s.after),
                                          attributes, engine(), forward);
        r->weight = chosen.weights_desc();
        enter(*r, chosen, Data(chosen));
        break;
      }
      case ConvolutionPass::weight_grad: {
        using Weights = dnnl::convolution_backward_weights;
        const Weights::primitive_desc chosen(
            Weights::desc(way, r->x, any, r->y, s.stride, s.dilation, s.before, s.after), attributes, engine(),
            forward);
        r->weight = chosen.diff_weights_desc();
        enter(*r, chosen, Weights(chosen));
        break;
      }
    }
    r->converts = r->weight != r->plain_weight;
    if (r->converts) {
      const bool out = w.pass == ConvolutionPass::weight_grad;
      const Desc &from = out ? r->weight : r->plain_weight, &to = out ? r->plain_weight : r->weight;
      const dnnl::reorder::primitive_desc chosen(engine(), from, engine(), to, attributes);
      r->convert_scratch = chosen.scratchpad_desc();
      r->convert = dnnl::reorder(chosen);
    }
    // The name belongs to the primitive, which lives as long as the entry.
    dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
    r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  } catch (const dnnl::error&) {
    r->usable = false;
  }
  return r;
}

constexpr std::size_t key_numbers = 7 + 6 * 3;

std::shared_ptr<const Ready> find(const Window& w) {
  static auto* cache = new Cache<key_numbers, Ready>;  // never destroyed: other threads may still compute at exit
  const Convolution& c = *w.shape;
  std::array<Int, key_numbers> key{static_cast<Int>(w.pass), w.batch,      w.channels, w.results, c.groups,
                                   w.bias != nullptr,        threads_now()};
  std::size_t at = 7;
  for (const Dims* each : {&c.input, &c.kernel, &c.output, &c.stride, &c.before, &c.dilation})
    for (int a = 0; a < 3; ++a) key[at++] = a < each->size() ? (*each)[a] : -1;
  return cache->get(key, [&] { return make(w); });
}

}  // namespace

bool convolve(const Window& w) {
  const auto ready = find(w);
  if (!ready->usable) return false;
  try {
    const Scratch scratch(ready->scratch.get_size()), other(ready->converts ? ready->weight.get_size() : 0);
    const dnnl::memory x = memory_at(ready->x, w.x), y = memory_at(ready->y, w.y);
    dnnl::memory plain = memory_at(ready->plain_weight, w.weight);
    dnnl::memory weight = ready->converts ? memory_at(ready->weight, other.data) : plain;
    std::unordered_map<int, dnnl::memory> arguments;
    if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(ready->scratch, scratch.data);
    switch (w.pass) {
      case ConvolutionPass::forward:
        if (ready->converts) convert(*ready, plain, weight);
        arguments[DNNL_ARG_SRC] = x;
        arguments[DNNL_ARG_WEIGHTS] = weight;
        arguments[DNNL_ARG_DST] = y;
        if (w.bias) arguments[DNNL_ARG_BIAS] = memory_at(ready->bias, w.bias);
        ready->primitive.execute(stream(), arguments);
        break;
      case ConvolutionPass::input_grad:
        if (ready->converts) convert(*ready, plain, weight);
        arguments[DNNL_ARG_DIFF_SRC] = x;
        arguments[DNNL_ARG_WEIGHTS] = weight;
        arguments[DNNL_ARG_DIFF_DST] = y;
        ready->primitive.execute(stream(), arguments);
        break;
      case ConvolutionPass::weight_grad:
        arguments[DNNL_ARG_SRC] = x;
        arguments[DNNL_ARG_DIFF_WEIGHTS] = weight;
        arguments[DNNL_ARG_DIFF_DST] = y;
        ready->primitive.execute(stream(), arguments);
        if (ready->converts) convert(*ready, weight, plain);
        break;
    }
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const Window& w) { return find(w)->name; }

}  // namespace weft::kernels::onednn
