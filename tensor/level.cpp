#include <atomic>
#include <cstdlib>
#include <string>

#include <weft/tensor/dispatch.h>
#include <weft/tensor/precision.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/// Chooses among the tables that tensor/kernels/ was compiled into.
namespace weft::kernels {
namespace {

#if defined(__x86_64__)
/// The levels as the x86-64 psABI defines them. __builtin_cpu_supports also asks whether the system
/// saves the wide registers.
bool runs_v3() noexcept {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2"))
    return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  constexpr unsigned movbe = 1U << 22, f16c = 1U << 29;
  if ((c & movbe) == 0 || (c & f16c) == 0) return false;
  if (!__get_cpuid(0x80000001U, &a, &b, &c, &d)) return false;
  constexpr unsigned lzcnt = 1U << 5;
  return (c & lzcnt) != 0;
}
bool runs_v4() noexcept {
  return runs_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool multiplies_bfloat16() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1U << 22, avx512_bf16 = 1U << 5;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & amx_bf16) != 0) return true;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & avx512_bf16) != 0;
}
#endif

struct Level {
  const char* name = nullptr;
  KernelTable table{};
};

struct Levels {
  static constexpr int most = 3;
  Level level[most];
  const char* names[most];
  int count = 0;

  Levels() noexcept {
#if defined(__x86_64__)
    enter("v2", install_v2);
    if (runs_v3()) enter("v3", install_v3);
    if (runs_v4()) enter("v4", install_v4);
#else
    enter("generic", install_generic);
#endif
  }
  void enter(const char* name, void (*install)(KernelTable&)) noexcept {
    level[count].name = names[count] = name;
    install(level[count].table);
    ++count;
  }
  const Level* find(const char* name) const noexcept {
    for (int i = 0; i < count; ++i)
      if (std::strcmp(level[i].name, name) == 0) return &level[i];
    return nullptr;
  }
};

const Levels& levels() noexcept {
  static const Levels all;
  return all;
}

std::string listed() {
  std::string s;
  for (int i = 0; i < levels().count; ++i) s += (i ? ", " : "") + std::string(levels().names[i]);
  return s;
}

/// The best level, or the one that WEFT_ISA names.
const Level* choose() {
  const Level* chosen = &levels().level[levels().count - 1];
  if (const char* wanted = std::getenv("WEFT_ISA"); wanted && *wanted) {
    chosen = levels().find(wanted);
    if (!chosen)
      throw ConfigError(text("kernels: WEFT_ISA is \"", wanted, "\", but this machine runs ", listed(),
                             "\n  help: unset WEFT_ISA, or set it to one of these"));
  }
  current_table.store(&chosen->table, std::memory_order_release);
  return chosen;
}

const Level& active() {
  const KernelTable* t = current_table.load(std::memory_order_acquire);
  if (!t) return *choose();
  const Level* l = levels().level;
  while (&l->table != t) ++l;
  return *l;
}

std::atomic<bool>& onednn_allowed() noexcept {
  static std::atomic<bool> on = [] {
    const char* setting = std::getenv("WEFT_ONEDNN");
    return !setting || std::strcmp(setting, "0") != 0;
  }();
  return on;
}

}  // namespace

bool uses_onednn() noexcept { return onednn_allowed().load(std::memory_order_relaxed); }
void use_onednn(bool on) noexcept { onednn_allowed().store(on, std::memory_order_relaxed); }

bool cpu_has_bfloat16() noexcept {
#if defined(__x86_64__)
  static const bool has = runs_v4() && multiplies_bfloat16();
  return has;
#else
  return false;
#endif
}

std::atomic<const KernelTable*> current_table{nullptr};
const KernelTable& choose_table() { return choose()->table; }

const char* level() noexcept {
  try {
    return active().name;
  } catch (const Error&) {
    return "none";  // WEFT_ISA names no level; the first operation says so
  }
}

std::span<const char* const> available_levels() noexcept {
  return {levels().names, static_cast<std::size_t>(levels().count)};
}

void set_level(const char* level) {
  const Level* wanted = levels().find(level);
  if (!wanted)
    throw ConfigError(text("set_level: \"", level, "\" is not available, this machine runs ", listed(),
                           "\n  help: choose one of available_levels()"));
  current_table.store(&wanted->table, std::memory_order_release);
}

}  // namespace weft::kernels
