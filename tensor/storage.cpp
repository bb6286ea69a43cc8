#include <weft/tensor/storage.h>

#include <new>

#include <weft/tensor/error.h>
#include <weft/tensor/pool.h>

namespace weft {
namespace {

constexpr std::size_t header = 64;  // keeps the data behind it aligned
static_assert(sizeof(Storage) <= header);

struct Adopted : Storage {
  void (*release)(void*);
  void* context;
};

void destroy_inline(Storage* s) { pool::deallocate(s, header + s->bytes); }
void destroy_separate(Storage* s) {
  pool::deallocate(s->data, s->bytes);
  pool::deallocate(s, header);
}
void destroy_adopted(Storage* s) {
  auto* a = static_cast<Adopted*>(s);
  if (a->release) a->release(a->context);
  pool::deallocate(a, sizeof(Adopted));
}

}  // namespace

constinit thread_local StorageSource* storage_source = nullptr;

Storage* Storage::allocate(std::size_t bytes) {
  if (storage_source) [[unlikely]]
    if (Storage* placed = storage_source->allocate(bytes)) return placed;
  // Few numbers lie right behind the header: one block instead of two.
  if (bytes + header <= pool::small_limit) {
    auto* s = new (pool::allocate(header + bytes)) Storage;
    s->data = reinterpret_cast<char*>(s) + header;
    s->bytes = bytes;
    s->destroy = destroy_inline;
    return s;
  }
  void* data = nullptr;
  try {
    data = pool::allocate(bytes);
  } catch (const std::bad_alloc&) {
    throw Error(text("allocate: the system has no ", bytes,
                     " bytes for a tensor\n  help: choose smaller sizes or a smaller batch"));
  }
  auto* s = new (pool::allocate(header)) Storage;
  s->data = data;
  s->bytes = bytes;
  s->destroy = destroy_separate;
  return s;
}

Storage* Storage::adopt(void* data, std::size_t bytes, void (*release)(void*), void* context) {
  auto* s = new (pool::allocate(sizeof(Adopted))) Adopted;
  s->data = data;
  s->bytes = bytes;
  s->destroy = destroy_adopted;
  s->release = release;
  s->context = context;
  return s;
}

}  // namespace weft
