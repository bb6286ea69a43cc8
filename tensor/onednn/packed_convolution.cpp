#include <cstring>
#include <vector>

#include <weft/tensor/onednn/packed.h>
#include <weft/tensor/onednn/post.h>
#include <weft/tensor/onednn/window.h>

namespace weft::kernels::onednn {
namespace {

struct Ready {
  dnnl::convolution_forward primitive;
  Desc x, weight, y, bias, scratch;
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

std::shared_ptr<const Ready> make(const PackedFilter& filter, const PackedWindow& w) {
  auto r = std::make_shared<Ready>();
  const Convolution& c = *w.shape;
  const Sizes s = sizes(w.batch, filter.channels, filter.results, c);
  if (!s.possible()) return r;
  try {
    const Tag last = channels_last_tag(c.input.size());
    r->x = Desc(s.x, f32, last);
    r->y = Desc(s.y, f32, last);
    if (w.bias) r->bias = Desc(s.bias, f32, Tag::a);
    const Desc any(s.weight, f32, Tag::any);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attributes.set_post_ops(post_operations(w.residual ? &r->y : nullptr, w.activation));
    using Forward = dnnl::convolution_forward;
    constexpr auto inference = dnnl::prop_kind::forward_inference;
    constexpr auto way = dnnl::algorithm::convolution_direct;
    const Forward::desc description =
        w.bias ? Forward::desc(inference, way, r->x, any, r->bias, r->y, s.stride, s.dilation, s.before, s.after)
               : Forward::desc(inference, way, r->x, any, r->y, s.stride, s.dilation, s.before, s.after);
    const Forward::primitive_desc chosen(description, attributes, engine());
    r->weight = chosen.weights_desc();
    r->scratch = chosen.scratchpad_desc();
    r->primitive = Forward(chosen);
    // The name belongs to the primitive, which lives as long as the entry.
    dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
    r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  } catch (const dnnl::error&) {
    r->usable = false;
  }
  return r;
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
    Arguments<6> arguments;
    arguments.add(DNNL_ARG_SRC, ready->x, w.x);
    arguments.add(DNNL_ARG_WEIGHTS, ready->weight, weight.memory.data);
    arguments.add(DNNL_ARG_DST, ready->y, w.y);
    if (w.bias) arguments.add(DNNL_ARG_BIAS, ready->bias, w.bias);
    if (w.residual) arguments.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, ready->y, w.residual);
    if (scratch.data) arguments.add(DNNL_ARG_SCRATCHPAD, ready->scratch, scratch.data);
    return arguments.execute(ready->primitive);
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const PackedFilter& filter, const PackedWindow& w) { return find(filter, w)->name; }

}  // namespace weft::kernels::onednn
