#include <cstring>
#include <vector>

#include <weft/tensor/onednn/packed.h>
#include <weft/tensor/onednn/post.h>
#include <weft/tensor/onednn/window.h>
#include <weft/tensor/packed_shared.h>

namespace weft::kernels::onednn {
namespace {

/// A primitive ready to run on `images` of the batch at a time.
struct Ready {
  dnnl::convolution_forward primitive;
  Operand x, y;
  Desc weight, bias, scratch;
  Int images = 0;
  bool finishes = false;  ///< whether residual and activation are part of it
  const char* name = "";
  bool usable = false;
};

}  // namespace

struct PackedFilter {
  struct Layout {
    Desc desc;
    Scratch memory;
    explicit Layout(const Desc& d) : desc(d), memory(d.get_size()) {}
  };

  Tensor weight;
  Int channels, results;
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<const Layout>> layouts;  ///< those used so far; few, as sizes share them

  PackedFilter(const Tensor& w, Int groups) : weight(w), channels(w.shape()[1] * groups), results(w.shape()[0]) {}
  const Layout& in(const Desc& wanted, const Convolution& c) {
    const std::lock_guard lock(mutex);
    for (const auto& each : layouts)
      if (each->desc == wanted) return *each;
    auto made = std::make_unique<Layout>(wanted);
    reorder(Desc(sizes(1, channels, results, c).weight, f32, weight_tag(c.input.size(), c.groups > 1)),
            weight.data<float>(), wanted, made->memory.data);
    layouts.push_back(std::move(made));
    return *layouts.back();
  }
};

namespace {

/// Winograd's method converts images on the way in and out; the weight is ready, but 2 to 4 times as large. Measured on
/// shapes of ResNet-18 with 1 and 32 images: with fewer tiles it takes as long as the direct method.
bool winograd_pays(const PackedFilter& filter, const PackedWindow& w) {
  constexpr Int fewest_tiles = 16;
  return winograd_tiles(w.batch, filter.channels, filter.results, *w.shape) >= fewest_tiles;
}

/// Throws dnnl::error where the library has no such primitive.
std::shared_ptr<const Ready> make(const PackedFilter& filter, const PackedWindow& w, bool winograd, bool finishes) {
  auto r = std::make_shared<Ready>();
  const Convolution& c = *w.shape;
  Sizes s = sizes(w.batch, filter.channels, filter.results, c);
  if (!s.possible()) return r;
  r->images = s.x[0] = s.y[0] =
      winograd ? winograd_images(w.batch, filter.channels, filter.results, c, false) : w.batch;
  const Tag last = channels_last_tag(c.input.size());
  r->x.plain = Desc(s.x, f32, last);
  r->y.plain = Desc(s.y, f32, last);
  if (w.bias) r->bias = Desc(s.bias, f32, Tag::a);
  const Desc any(s.weight, f32, Tag::any), x = winograd ? Desc(s.x, f32, Tag::any) : r->x.plain,
                                           y = winograd ? Desc(s.y, f32, Tag::any) : r->y.plain;
  const auto way = winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr attributes, plain;
  for (dnnl::primitive_attr* each : {&attributes, &plain}) each->set_scratchpad_mode(dnnl::scratchpad_mode::user);
  r->finishes = finishes;
  if (finishes) attributes.set_post_ops(post_operations(w.residual ? &r->y.plain : nullptr, w.activation));
  using Forward = dnnl::convolution_forward;
  constexpr auto inference = dnnl::prop_kind::forward_inference;
  const Forward::desc description =
      w.bias ? Forward::desc(inference, way, x, any, r->bias, y, s.stride, s.dilation, s.before, s.after)
             : Forward::desc(inference, way, x, any, y, s.stride, s.dilation, s.before, s.after);
  const Forward::primitive_desc chosen(description, attributes, engine());
  r->x.prepare(chosen.src_desc(), false, plain);
  r->y.prepare(chosen.dst_desc(), true, plain);
  r->weight = chosen.weights_desc();
  r->scratch = chosen.scratchpad_desc();
  r->primitive = Forward(chosen);
  // The name belongs to the primitive, which lives as long as the entry.
  dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
  r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  return r;
}

std::shared_ptr<const Ready> make(const PackedFilter& filter, const PackedWindow& w) {
  // Winograd's method knows nothing but relu. A residual lies in weft's order, its result does not.
  const bool simple = !w.residual && (w.activation == Activation::none || w.activation == Activation::relu);
  struct Way {
    bool winograd, finishes;
  };
  for (const Way way : {Way{true, simple}, Way{false, true}, Way{false, false}}) {
    if (way.winograd && !winograd_pays(filter, w)) continue;
    try {
      if (auto ready = make(filter, w, way.winograd, way.finishes); ready->usable) return ready;
    } catch (const dnnl::error&) {
      // Without AVX-512 there is no Winograd, and not every method takes every residual and activation; without any the
      // caller has loops of its own.
    }
  }
  return std::make_shared<Ready>();
}

constexpr std::size_t key_numbers = 8 + 6 * 3;

std::shared_ptr<const Ready> find(const PackedFilter& filter, const PackedWindow& w) {
  static auto* cache = new Cache<key_numbers, Ready>;  // never destroyed: other threads may still compute at exit
  const Convolution& c = *w.shape;
  std::array<Int, key_numbers> key{
      w.batch,           filter.channels,       filter.results, c.groups,
      w.bias != nullptr, w.residual != nullptr, threads_now(),  static_cast<Int>(w.activation)};
  std::size_t at = 8;
  for (const Dims* each : {&c.input, &c.kernel, &c.output, &c.stride, &c.before, &c.dilation})
    for (int a = 0; a < 3; ++a) key[at++] = a < each->size() ? (*each)[a] : -1;
  return cache->get(key, [&] { return make(filter, w); });
}

}  // namespace

std::shared_ptr<PackedFilter> make_filter(const Tensor& weight, std::int64_t groups) {
  return std::make_shared<PackedFilter>(weight, groups);
}

std::size_t bytes_of(const PackedFilter& filter) noexcept {
  const std::lock_guard lock(filter.mutex);
  std::size_t n = 0;
  for (const auto& each : filter.layouts) n += each->memory.bytes;
  return n;
}

bool prepare(PackedFilter& filter, const PackedWindow& w) {
  const auto ready = find(filter, w);
  if (!ready->usable) return false;
  try {
    filter.in(ready->weight, *w.shape);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

bool convolve(PackedFilter& filter, const PackedWindow& w) {
  const auto ready = find(filter, w);
  if (!ready->usable) return false;
  try {
    const auto& weight = filter.in(ready->weight, *w.shape);
    const Scratch scratch(ready->scratch.get_size());
    Bound x(ready->x, w.x), y(ready->y, w.y);
    const Int from = filter.channels * w.shape->input.product(), to = filter.results * w.shape->output.product();
    for (Int first = 0; first < w.batch; first += ready->images) {
      x.move_to(w.x + first * from);
      y.move_to(w.y + first * to);
      x.read();
      Arguments<6> arguments;
      arguments.add(DNNL_ARG_SRC, x.memory());
      arguments.add(DNNL_ARG_WEIGHTS, ready->weight, weight.memory.data);
      arguments.add(DNNL_ARG_DST, y.memory());
      if (w.bias) arguments.add(DNNL_ARG_BIAS, ready->bias, w.bias);
      const float* residual = w.residual ? w.residual + first * to : nullptr;
      if (residual && ready->finishes)
        arguments.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, ready->y.plain, residual);
      if (scratch.data) arguments.add(DNNL_ARG_SCRATCHPAD, ready->scratch, scratch.data);
      if (!arguments.execute(ready->primitive)) return false;
      y.write();
      if (!ready->finishes) finish(w.y + first * to, residual, ready->images * to, w.activation);
    }
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const PackedFilter& filter, const PackedWindow& w) { return find(filter, w)->name; }

}  // namespace weft::kernels::onednn
