#include <cstring>

#include <weft/tensor/onednn/onednn.h>
#include <weft/tensor/onednn/primitives.h>

/// Products of float32 matrices whose factors are rounded to bfloat16 on their way.
namespace weft::kernels::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Type = dnnl::memory::data_type;

/// A factor as it lies, and as the product wants it.
struct Factor {
  Desc plain, wanted, scratch;
  dnnl::reorder convert;

  void prepare(const Desc& chosen) {
    wanted = chosen;
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc way(engine(), plain, engine(), wanted, attributes);
    scratch = way.scratchpad_desc();
    convert = dnnl::reorder(way);
  }
};

struct Ready {
  dnnl::matmul primitive;
  Factor a, b;
  Desc c, bias, scratch;
  bool usable = false;
};

std::shared_ptr<const Ready> make(const Matmul& p) {
  auto r = std::make_shared<Ready>();
  try {
    r->a.plain = Desc({p.m, p.k}, Type::f32, dnnl::memory::dims{p.row_a, p.column_a});
    r->b.plain = Desc({p.k, p.n}, Type::f32, dnnl::memory::dims{p.row_b, p.column_b});
    r->c = Desc({p.m, p.n}, Type::f32, dnnl::memory::dims{p.ld_c, 1});
    const Desc a({p.m, p.k}, Type::bf16, dnnl::memory::dims{p.k, 1}),
        b({p.k, p.n}, Type::bf16, dnnl::memory::format_tag::any);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (p.bias) r->bias = Desc({1, p.n}, Type::f32, dnnl::memory::dims{p.n, 1});
    const auto description = p.bias ? dnnl::matmul::desc(a, b, r->bias, r->c) : dnnl::matmul::desc(a, b, r->c);
    const dnnl::matmul::primitive_desc chosen(description, attributes, engine());
    const char* name = "";
    r->scratch = chosen.scratchpad_desc();
    r->primitive = dnnl::matmul(chosen);
    r->a.prepare(chosen.src_desc());
    r->b.prepare(chosen.weights_desc());
    dnnl_primitive_desc_query(r->primitive.get_primitive_desc(), dnnl_query_impl_info_str, 0, &name);
    r->usable = std::strncmp(name, "ref", 3) != 0;  // the reference implementation is far slower than float32
  } catch (const dnnl::error&) {
    r->usable = false;
  }
  return r;
}

/// A factor in bfloat16, for the time of a call.
class Rounded {
 public:
  Rounded(const Factor& f, const void* data) : own_(f.wanted.get_size()), memory_(memory_at(f.wanted, own_.data)) {
    const Scratch scratch(f.scratch.get_size());
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_FROM, memory_at(f.plain, data)}, {DNNL_ARG_TO, memory_}};
    if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(f.scratch, scratch.data);
    static_cast<const dnnl::primitive&>(f.convert).execute(stream(), arguments);
  }
  const dnnl::memory& memory() const { return memory_; }

 private:
  const Scratch own_;
  dnnl::memory memory_;
};

}  // namespace

bool product_bfloat16(const Matmul& p) {
  static auto* cache = new Cache<10, Ready>;  // never destroyed: other threads may still compute at exit
  const auto ready =
      cache->get({p.m, p.n, p.k, p.row_a, p.column_a, p.row_b, p.column_b, p.ld_c, p.bias != nullptr, threads_now()},
                 [&] { return make(p); });
  if (!ready->usable) return false;
  try {
    const Rounded a(ready->a, p.a), b(ready->b, p.b);
    const Scratch scratch(ready->scratch.get_size());
    std::unordered_map<int, dnnl::memory> arguments{
        {DNNL_ARG_SRC, a.memory()}, {DNNL_ARG_WEIGHTS, b.memory()}, {DNNL_ARG_DST, memory_at(ready->c, p.c)}};
    if (p.bias) arguments[DNNL_ARG_BIAS] = memory_at(ready->bias, p.bias);
    if (scratch.data) arguments[DNNL_ARG_SCRATCHPAD] = memory_at(ready->scratch, scratch.data);
    ready->primitive.execute(stream(), arguments);
    return true;
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace weft::kernels::onednn
