#include <cstring>

#include <weft/tensor/onednn/packed.h>
#include <weft/tensor/onednn/post.h>

namespace weft::kernels::onednn {
namespace {

using Int = std::int64_t;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;

/// A primitive ready to run. Its scratch memory is the caller's, so threads may share it.
struct Ready {
  dnnl::matmul primitive;
  Desc x, weight, y, bias, scratch;
  const char* name = "";
  bool usable = false;
};

std::shared_ptr<const Ready> make(Int rows, Int ld_x, Int in, Int out, bool bias, bool residual,
                                  Activation activation) {
  auto r = std::make_shared<Ready>();
  try {
    r->x = Desc({rows, in}, f32, dnnl::memory::dims{ld_x, 1});
    r->y = Desc({rows, out}, f32, Tag::ab);
    if (bias) r->bias = Desc({1, out}, f32, Tag::ab);
    const Desc any({in, out}, f32, Tag::any);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    attributes.set_post_ops(post_operations(residual ? &r->y : nullptr, activation));
    const auto description = bias ? dnnl::matmul::desc(r->x, any, r->bias, r->y) : dnnl::matmul::desc(r->x, any, r->y);
    const dnnl::matmul::primitive_desc chosen(description, attributes, engine());
    r->weight = chosen.weights_desc();
    r->scratch = chosen.scratchpad_desc();
    r->primitive = dnnl::matmul(chosen);
    // The name belongs to the primitive, which lives as long as the entry.
    dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &r->name);
    r->usable = std::strncmp(r->name, "ref", 3) != 0;  // the reference implementation is far slower than weft's own
  } catch (const dnnl::error&) {
    r->usable = false;
  }
  return r;
}

std::shared_ptr<const Ready> find(Int rows, Int ld_x, Int in, Int out, bool bias, bool residual,
                                  Activation activation) {
  static auto* cache = new Cache<8, Ready>;  // never destroyed: other threads may still compute at exit
  return cache->get({rows, ld_x, in, out, bias, residual, static_cast<Int>(activation), threads_now()},
                    [&] { return make(rows, ld_x, in, out, bias, residual, activation); });
}

}  // namespace

struct PackedMatrix {
  Int out, in;
  Desc layout;
  Scratch memory;
  PackedMatrix(Int o, Int i, const Desc& d) : out(o), in(i), layout(d), memory(d.get_size()) {}
};

std::shared_ptr<const PackedMatrix> pack(const float* weight, Int out, Int in, Int row, Int column) {
  // The layout is one for all numbers of rows; should a library see that differently, those are computed without it.
  constexpr Int typical_rows = 64;
  const auto ready = find(typical_rows, in, in, out, true, false, Activation::none);
  if (!ready->usable) return nullptr;
  try {
    auto packed = std::make_shared<PackedMatrix>(out, in, ready->weight);
    const Desc plain({in, out}, f32, dnnl::memory::dims{column, row});
    reorder(plain, weight, packed->layout, packed->memory.data);
    return packed;
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

std::size_t bytes_of(const PackedMatrix& weight) noexcept { return weight.memory.bytes; }

void unpack(const PackedMatrix& weight, float* to) {
  reorder(weight.layout, weight.memory.data, Desc({weight.in, weight.out}, f32, Tag::ba), to);
}

bool product(const PackedMatrix& weight, const PackedProduct& p) {
  const auto ready = find(p.rows, p.ld_x, weight.in, weight.out, p.bias, p.residual, p.activation);
  if (!ready->usable || ready->weight != weight.layout) return false;
  try {
    const Scratch scratch(ready->scratch.get_size());
    Arguments<6> arguments;
    arguments.add(DNNL_ARG_SRC, ready->x, p.x);
    arguments.add(DNNL_ARG_WEIGHTS, ready->weight, weight.memory.data);
    arguments.add(DNNL_ARG_DST, ready->y, p.y);
    if (p.bias) arguments.add(DNNL_ARG_BIAS, ready->bias, p.bias);
    if (p.residual) arguments.add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, ready->y, p.residual);
    if (scratch.data) arguments.add(DNNL_ARG_SCRATCHPAD, ready->scratch, scratch.data);
    return arguments.execute(ready->primitive);
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const PackedMatrix& weight, const PackedProduct& p) {
  const auto ready = find(p.rows, p.ld_x, weight.in, weight.out, p.bias, p.residual, p.activation);
  return ready->weight == weight.layout ? ready->name : "";
}

}  // namespace weft::kernels::onednn
