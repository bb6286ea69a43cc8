#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#ifdef WEFT_WITH_ZLIB
#include <zlib.h>
#endif

#include <weft/data/file.h>
#include <weft/data/gzip.h>
#include <weft/data/npy.h>
#include <weft/data/npy_bytes.h>

/// ZIP as PKWARE's APPNOTE 6.3 describes it, as far as NumPy uses it.
namespace weft::data {
namespace {

using detail::ByteSource;

constexpr std::uint32_t local_mark = 0x04034b50, central_mark = 0x02014b50, end_mark = 0x06054b50;
constexpr std::uint32_t end64_mark = 0x06064b50, locator64_mark = 0x07064b50;
constexpr std::uint64_t no32 = 0xffffffff;

std::uint64_t number(const char* p, int bytes) noexcept {
  std::uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(p[i]);
  return value;
}
void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

struct Member {
  std::string name;
  std::uint64_t flags = 0, method = 0, crc = 0, packed = 0, size = 0, at = 0;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(const char* data, std::size_t size) : data_(data), size_(size) {}
  std::uint64_t size() const override { return size_; }
  void read(std::uint64_t at, void* to, std::size_t count) override { std::memcpy(to, data_ + at, count); }

 private:
  const char* data_;
  std::size_t size_;
};

class Archive {
 public:
  explicit Archive(const std::string& path) : file_("load_npz", path), where_("load_npz: " + path) {}

  std::map<std::string, Tensor> load() {
    std::map<std::string, Tensor> arrays;
    for (const Member& member : directory()) {
      const std::string where = where_ + ": member \"" + member.name + "\"";
      if (!member.name.ends_with(".npy")) throw FileError(where + " is not an array");
      const auto bytes = unpack(member, where);
      MemorySource source(bytes.get(), static_cast<std::size_t>(member.size));
      const std::string name = member.name.substr(0, member.name.size() - 4);
      if (!arrays.emplace(name, detail::parse_npy(source, where)).second) throw FileError(where + " is there twice");
    }
    return arrays;
  }

 private:
  [[noreturn]] void damaged(const char* what) const { throw FileError(where_ + ": " + what); }

  std::string bytes(std::uint64_t at, std::uint64_t count, const char* what) {
    if (at > file_.size() || count > file_.size() - at) damaged(what);
    std::string out(static_cast<std::size_t>(count), '\0');
    file_.read(at, out.data(), out.size());
    return out;
  }

  std::vector<Member> directory() {
    // The end record is 22 bytes and a comment of at most 65535.
    const std::uint64_t size = file_.size();
    const std::uint64_t tail = std::min<std::uint64_t>(size, 22 + 65535);
    const std::string end = bytes(size - tail, tail, "truncated");
    std::size_t at = end.size() < 22 ? end.npos : end.size() - 22;
    while (at != end.npos && number(&end[at], 4) != end_mark) at = at == 0 ? end.npos : at - 1;
    if (at == end.npos) damaged("not an NPZ file, or truncated: it has no ZIP directory");
    std::uint64_t count = number(&end[at + 10], 2), length = number(&end[at + 12], 4), begin = number(&end[at + 16], 4);
    if (count == 0xffff || length == no32 || begin == no32) {
      const std::uint64_t end_at = size - tail + at;
      if (end_at < 20) damaged("damaged ZIP directory");
      const std::string locator = bytes(end_at - 20, 20, "damaged ZIP directory");
      if (number(&locator[0], 4) != locator64_mark) damaged("damaged ZIP directory");
      const std::string end64 = bytes(number(&locator[8], 8), 56, "damaged ZIP directory");
      if (number(&end64[0], 4) != end64_mark) damaged("damaged ZIP directory");
      count = number(&end64[32], 8);
      length = number(&end64[40], 8);
      begin = number(&end64[48], 8);
    }
    return entries(bytes(begin, length, "truncated: its ZIP directory lies outside the file"), count);
  }

  std::vector<Member> entries(const std::string& raw, std::uint64_t count) const {
    if (count > raw.size() / 46) damaged("damaged ZIP directory");
    std::vector<Member> members;
    std::size_t at = 0;
    for (; count > 0; --count) {
      if (raw.size() - at < 46 || number(&raw[at], 4) != central_mark) damaged("damaged ZIP directory");
      const char* p = &raw[at];
      const std::size_t name = number(p + 28, 2), extra = number(p + 30, 2), comment = number(p + 32, 2);
      if (raw.size() - at - 46 < name + extra + comment) damaged("damaged ZIP directory");
      Member m{std::string(p + 46, name), number(p + 8, 2),  number(p + 10, 2), number(p + 16, 4),
               number(p + 20, 4),         number(p + 24, 4), number(p + 42, 4)};
      widen(m, std::string_view(p + 46 + name, extra));
      members.push_back(std::move(m));
      at += 46 + name + extra + comment;
    }
    return members;
  }

  /// Replaces 32-bit fields that say "too large" by those of the ZIP64 extra field.
  static void widen(Member& m, std::string_view extra) {
    while (extra.size() >= 4) {
      const std::uint64_t id = number(extra.data(), 2), length = number(extra.data() + 2, 2);
      extra.remove_prefix(4);
      std::string_view body = extra.substr(0, static_cast<std::size_t>(length));
      if (id == 1)
        for (std::uint64_t* field : {&m.size, &m.packed, &m.at})
          if (*field == no32 && body.size() >= 8) {
            *field = number(body.data(), 8);
            body.remove_prefix(8);
          }
      extra.remove_prefix(std::min<std::size_t>(extra.size(), static_cast<std::size_t>(length)));
    }
  }

  std::unique_ptr<char[]> unpack(const Member& m, const std::string& where) {
    if (m.flags & 1U) throw FileError(where + " is encrypted");
    if (file_.size() < 30 || m.at > file_.size() - 30) throw FileError(where + " lies outside the file");
    char local[30];
    file_.read(m.at, local, sizeof local);
    if (number(local, 4) != local_mark) throw FileError(where + " has no ZIP header where the directory says");
    const std::uint64_t begin = m.at + 30 + number(local + 26, 2) + number(local + 28, 2);
    if (begin > file_.size() || m.packed > file_.size() - begin) throw FileError(where + " lies outside the file");

    std::unique_ptr<char[]> out;
    if (m.method == 0) {
      if (m.packed != m.size)
        throw FileError(text(where, " is stored in ", m.packed, " bytes but said to have ", m.size));
      out = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(m.size));
      file_.read(begin, out.get(), static_cast<std::size_t>(m.size));
    } else if (m.method == 8) {
      out = inflate_member(m, begin, where);
    } else {
      throw FileError(text(where, " is compressed by method ", m.method, ", known are 0 (stored) and 8 (deflated)"));
    }
    if (detail::checksum({out.get(), static_cast<std::size_t>(m.size)}) != m.crc)
      throw FileError(where + " is damaged: its checksum differs");
    return out;
  }

#ifdef WEFT_WITH_ZLIB
  std::unique_ptr<char[]> inflate_member(const Member& m, std::uint64_t begin, const std::string& where) {
    // Deflate shrinks by 1032 at most, so that a small file cannot ask for a huge block.
    if (m.size / 1032 > m.packed + 1)
      throw FileError(text(where, " claims ", m.size, " bytes from ", m.packed, ", which deflate cannot do"));
    auto out = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(m.size));
    z_stream stream = {};
    if (inflateInit2(&stream, -15) != Z_OK) throw FileError(where + ": zlib cannot start");
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    constexpr std::uint64_t step = 1 << 20;
    std::vector<char> block(static_cast<std::size_t>(std::min(m.packed, step)));
    std::uint64_t used = 0, made = 0;
    int state = Z_OK;
    unsigned char spare = 0;  // a place to write one byte too many, so that an overlong member is noticed
    while (state == Z_OK) {
      if (stream.avail_in == 0 && used < m.packed) {
        const std::uint64_t n = std::min(m.packed - used, step);
        file_.read(begin + used, block.data(), static_cast<std::size_t>(n));
        used += n;
        stream.next_in = reinterpret_cast<Bytef*>(block.data());
        stream.avail_in = static_cast<uInt>(n);
      }
      const std::uint64_t room = std::min<std::uint64_t>(m.size - made, 1U << 30);
      stream.next_out = room ? reinterpret_cast<Bytef*>(out.get() + made) : &spare;
      stream.avail_out = room ? static_cast<uInt>(room) : 1;
      const uInt before = stream.avail_out;
      state = inflate(&stream, Z_NO_FLUSH);
      made += before - stream.avail_out;
      if (made > m.size) break;
    }
    if (state != Z_STREAM_END || made != m.size)
      throw FileError(text(where, " is damaged: deflate gave ", made, " of ", m.size, " bytes"));
    return out;
  }
#else
  std::unique_ptr<char[]> inflate_member(const Member&, std::uint64_t, const std::string& where) {
    throw FileError(where + " is compressed, and this weft was built without zlib\n  help: save it with numpy.savez");
  }
#endif

  detail::FileSource file_;
  std::string where_;
};

}  // namespace

std::map<std::string, Tensor> load_npz(const std::string& path) { return Archive(path).load(); }

void save_npz(const std::string& path, const std::map<std::string, Tensor>& arrays) {
  std::string out, central;
  for (const auto& [key, tensor] : arrays) {
    const std::string name = key + ".npy";
    if (name.size() > 0xffff) throw FileError(text("save_npz: ", path, ": a name has ", name.size(), " bytes"));
    const std::string body = detail::format_npy(tensor);
    if (out.size() + body.size() + central.size() + 2 * name.size() + 200 > no32 || arrays.size() >= 0xffff)
      throw FileError(text("save_npz: ", path, " would be above 4 GiB\n  help: save the arrays with save_npy"));
    std::string common;  // the fields that both headers have
    put(common, 20, 2);
    put(common, 0x0800, 2);  // names are UTF-8
    put(common, 0, 2);       // stored
    put(common, 0, 2);
    put(common, 0x21, 2);  // 1980-01-01, so that equal arrays give equal files
    put(common, detail::checksum(body), 4);
    put(common, body.size(), 4);
    put(common, body.size(), 4);
    put(common, name.size(), 2);
    put(common, 0, 2);
    put(central, central_mark, 4);
    put(central, 20, 2);
    central += common;
    put(central, 0, 2);
    put(central, 0, 2);
    put(central, 0, 2);
    put(central, 0, 4);
    put(central, out.size(), 4);
    central += name;
    put(out, local_mark, 4);
    out += common;
    out += name;
    out += body;
  }
  const std::size_t begin = out.size();
  out += central;
  put(out, end_mark, 4);
  put(out, 0, 4);
  put(out, arrays.size(), 2);
  put(out, arrays.size(), 2);
  put(out, central.size(), 4);
  put(out, begin, 4);
  put(out, 0, 2);
  write_file("save_npz", path, out);
}

bool have_zlib() noexcept {
#ifdef WEFT_WITH_ZLIB
  return true;
#else
  return false;
#endif
}

}  // namespace weft::data
