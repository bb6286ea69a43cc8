#pragma once
#include <algorithm>

#include <weft/tensor/onednn/primitives.h>

/// What all primitives with windows share.
namespace weft::kernels::onednn {

using Int = std::int64_t;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;

/// The sizes as the library wants them: dilation counts the gaps, and there is a padding on either side.
struct Sizes {
  dnnl::memory::dims x, weight, y, bias, stride, dilation, before, after;
  /// Not where windows reach no further than somewhere within the input: the library has no way to say so.
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
    s.after.push_back((c.output[a] - 1) * c.stride[a] + (c.kernel[a] - 1) * c.dilation[a] + 1 - c.input[a] -
                      c.before[a]);
  }
  return s;
}

inline Tag channels_last_tag(int axes) { return axes == 1 ? Tag::nwc : axes == 2 ? Tag::nhwc : Tag::ndhwc; }
inline Tag weight_tag(int axes, bool groups) {
  if (groups) return axes == 1 ? Tag::goiw : axes == 2 ? Tag::goihw : Tag::goidhw;
  return axes == 1 ? Tag::oiw : axes == 2 ? Tag::oihw : Tag::oidhw;
}

}  // namespace weft::kernels::onednn
