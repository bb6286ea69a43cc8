#include <weft/tensor/onednn/onednn.h>

#include <cstring>

#include <weft/tensor/onednn/primitives.h>

namespace weft::kernels::onednn {
namespace {

/// A primitive ready to run. Its scratch memory is the caller's, so threads may share it.
struct Ready {
  dnnl::matmul primitive;
  dnnl::memory::desc a, b, c, bias, scratch;
  const char* name = "";
  bool usable = false;
};

std::shared_ptr<const Ready> make(const Matmul& p) {
  auto r = std::make_shared<Ready>();
  try {
    using Desc = dnnl::memory::desc;
    constexpr auto f32 = dnnl::memory::data_type::f32;
    r->a = Desc({p.m, p.k}, f32, dnnl::memory::dims{p.row_a, p.column_a});
    r->b = Desc({p.k, p.n}, f32, dnnl::memory::dims{p.row_b, p.column_b});
    r->c = Desc({p.m, p.n}, f32, dnnl::memory::dims{p.ld_c, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (p.bias) r->bias = Desc({1, p.n}, f32, dnnl::memory::dims{p.n, 1});
    const auto description =
        p.bias ? dnnl::matmul::desc(r->a, r->b, r->bias, r->c) : dnnl::matmul::desc(r->a, r->b, r->c);
    const dnnl::matmul::primitive_desc chosen(description, attributes, engine());
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

Cache<10, Ready>& cache() {
  static auto* c = new Cache<10, Ready>;  // never destroyed: other threads may still compute at exit
  return *c;
}

std::shared_ptr<const Ready> find(const Matmul& p) {
  return cache().get(
      {p.m, p.n, p.k, p.row_a, p.column_a, p.row_b, p.column_b, p.ld_c, p.bias != nullptr, threads_now()},
      [&] { return make(p); });
}

}  // namespace

bool product(const Matmul& p) {
  const auto ready = find(p);
  if (!ready->usable) return false;
  try {
    const Scratch scratch(ready->scratch.get_size());
    std::array<dnnl_exec_arg_t, 5> arguments;
    const dnnl::memory a = memory_at(ready->a, p.a), b = memory_at(ready->b, p.b), c = memory_at(ready->c, p.c);
    dnnl::memory bias, work;
    int count = 0;
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_SRC, a.get()};
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_WEIGHTS, b.get()};
    arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_DST, c.get()};
    if (p.bias) {
      bias = memory_at(ready->bias, p.bias);
      arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_BIAS, bias.get()};
    }
    if (scratch.data) {
      work = memory_at(ready->scratch, scratch.data);
      arguments[static_cast<std::size_t>(count++)] = {DNNL_ARG_SCRATCHPAD, work.get()};
    }
    return dnnl_primitive_execute(ready->primitive.get(), stream().get(), count, arguments.data()) == dnnl_success;
  } catch (const dnnl::error&) {
    return false;
  }
}

const char* implementation(const Matmul& p) { return find(p)->name; }

}  // namespace weft::kernels::onednn
