#pragma once
#include <algorithm>

#include <weft/tensor/onednn/primitives.h>

/// What all primitives with windows share.
namespace weft::kernels::onednn {

using Int = std::int64_t;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32, bf16 = dnnl::memory::data_type::bf16;

/// The sizes as the library wants them: dilation counts the gaps, and there is a padding on either side.
struct Sizes {
  dnnl::memory::dims x, weight, y, bias, stride, dilation, before, after;
  /// Not where windows end a step or more before the input does: the library has no way to say so.
  bool possible() const {
    const auto natural = [](const dnnl::memory::dims& d) {
      return std::all_of(d.begin(), d.end(), [](Int v) { return v >= 0; });
    };
    return natural(before) && natural(after);
  }
};

inline Sizes sizes(Int batch, Int channels, Int results, const Convolution& c) {
  Sizes s{{batch, channels}, {}, {batch, results}, {results}, {}, {}, {}, {}};
  if (c.groups > 1) s.weight = {c.groups};
  s.weight.push_back(results / c.groups);
  s.weight.push_back(channels / c.groups);
  for (int a = 0; a < c.input.size(); ++a) {
    s.x.push_back(c.input[a]);
    s.weight.push_back(c.kernel[a]);
    s.y.push_back(c.output[a]);
    s.stride.push_back(c.stride[a]);
    s.dilation.push_back(c.dilation[a] - 1);
    s.before.push_back(c.before[a]);
    const Int after =
        (c.output[a] - 1) * c.stride[a] + (c.kernel[a] - 1) * c.dilation[a] + 1 - c.input[a] - c.before[a];
    // What is left over because another step would not fit follows from the sizes.
    s.after.push_back(after < 0 && after > -c.stride[a] ? 0 : after);
  }
  return s;
}

inline Tag channels_last_tag(int axes) { return axes == 1 ? Tag::nwc : axes == 2 ? Tag::nhwc : Tag::ndhwc; }
inline Tag weight_tag(int axes, bool groups) {
  if (groups) return axes == 1 ? Tag::goiw : axes == 2 ? Tag::goihw : Tag::goidhw;
  return axes == 1 ? Tag::oiw : axes == 2 ? Tag::oihw : Tag::oidhw;
}

/// An array as weft holds it and as a primitive wants it, and the way between them.
struct Operand {
  Desc plain, wanted;
  dnnl::reorder convert;
  Desc scratch;
  bool converts = false;

  void prepare(const Desc& chosen, bool result, const dnnl::primitive_attr& attributes) {
    wanted = chosen;
    converts = wanted != plain;
    if (!converts) return;
    const dnnl::reorder::primitive_desc way(engine(), result ? wanted : plain, engine(), result ? plain : wanted,
                                            attributes);
    scratch = way.scratchpad_desc();
    convert = dnnl::reorder(way);
  }
};

/// One operand of a call: weft's memory, and the primitive's own where that is another.
class Bound {
 public:
  Bound(const Operand& operand, const void* data)
      : operand_(operand),
        own_(operand.converts ? operand.wanted.get_size() : 0),
        plain_(memory_at(operand.plain, data)),
        used_(operand.converts ? memory_at(operand.wanted, own_.data) : plain_) {}
  void move_to(const void* data) {
    plain_.set_data_handle(const_cast<void*>(data));
    if (!operand_.converts) used_.set_data_handle(const_cast<void*>(data));
  }
  const dnnl::memory& memory() const { return used_; }
  void read() const {
    if (operand_.converts) convert(plain_, used_);
  }
  void write() const {
    if (operand_.converts) convert(used_, plain_);
  }

 private:
  void convert(const dnnl::memory& from, const dnnl::memory& to) const {
    const Scratch scratch(operand_.scratch.get_size());
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(operand_.scratch, scratch.data);
    static_cast<const dnnl::primitive&>(operand_.convert).execute(stream(), arguments);
  }
  const Operand& operand_;
  const Scratch own_;
  dnnl::memory plain_, used_;
};

/// How many tiles of 4 x 4 outputs Winograd's method has to compute, 0 where it cannot be used: it exists for AVX-512
/// and wants channels in blocks of 16.
inline Int winograd_tiles(Int batch, Int channels, Int results, const Convolution& c) {
  if (c.input.size() != 2 || c.groups != 1 || std::min(channels, results) < 32) return 0;
  Int tiles = batch;
  for (int a = 0; a < 2; ++a) {
    if (c.kernel[a] != 3 || c.stride[a] != 1 || c.dilation[a] != 1) return 0;
    tiles *= (c.output[a] + 3) / 4;
  }
  return tiles;
}

/// How many images Winograd's method takes at a time: what is converted should stay in the cache. The weight's gradient
/// is computed of all at once, or the parts would have to be added up.
inline Int winograd_images(Int batch, Int channels, Int results, const Convolution& c, bool all) {
  constexpr Int most = Int{8} << 20;
  const Int image = 4 * (channels * c.input.product() + results * c.output.product());
  Int images = batch;
  if (!all)
    while (images % 2 == 0 && images * image > most) images /= 2;
  return images;
}

}  // namespace weft::kernels::onednn
