#include <weft/data/gzip.h>

#include <array>
#include <memory>

#ifdef WEFT_WITH_ZLIB
#include <zlib.h>
#endif

#include <weft/tensor/error.h>

namespace weft::data::detail {

#ifdef WEFT_WITH_ZLIB
namespace {
constexpr int gzip_form = 16 + MAX_WBITS;
constexpr std::size_t chunk = std::size_t{1} << 20;

/// Gives zlib the next part of the bytes when it has used up the last.
void feed(z_stream& stream, std::string_view bytes, std::size_t& used) {
  if (stream.avail_in != 0) return;
  const std::size_t n = std::min(chunk, bytes.size() - used);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + used));
  stream.avail_in = static_cast<uInt>(n);
  used += n;
}
}  // namespace

std::string gunzip(const char* operation, const std::string& path, std::string_view packed, std::size_t most) {
  z_stream stream = {};
  if (inflateInit2(&stream, gzip_form) != Z_OK) throw FileError(text(operation, ": ", path, ": zlib cannot start"));
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::string out;
  std::size_t used = 0;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= most) {
    feed(stream, packed, used);
    const std::size_t before = out.size(), room = std::min(chunk, most + 1 - before);
    out.resize(before + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + room - stream.avail_out);
    if (out.size() > most) return out;
  }
  if (state != Z_STREAM_END) throw FileError(text(operation, ": ", path, " is damaged: gzip cannot unpack it"));
  return out;
}

std::string gzip(const char* operation, const std::string& path, std::string_view bytes) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_form, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw FileError(text(operation, ": ", path, ": zlib cannot start"));
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, deflateEnd);
  std::string out;
  std::size_t used = 0;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    feed(stream, bytes, used);
    const std::size_t before = out.size();
    out.resize(before + chunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(chunk);
    state = deflate(&stream, used == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    out.resize(before + chunk - stream.avail_out);
  }
  return out;
}
#else
std::string gunzip(const char* operation, const std::string& path, std::string_view, std::size_t) {
  throw FileError(
      text(operation, ": ", path, " is packed by gzip, and this weft was built without zlib\n  help: gunzip it"));
}
std::string gzip(const char* operation, const std::string& path, std::string_view) {
  throw FileError(text(operation, ": cannot pack ", path,
                       ", this weft was built without zlib\n  help: leave out .gz at the end of the name"));
}
#endif

std::uint32_t checksum(std::string_view bytes, std::uint32_t before) noexcept {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1U ? 0xedb88320U ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t c = ~before;
  for (const char b : bytes) c = table[(c ^ static_cast<unsigned char>(b)) & 0xffU] ^ (c >> 8);
  return ~c;
}

}  // namespace weft::data::detail
