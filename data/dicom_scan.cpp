#include <weft/data/dicom_scan.h>

#include <string_view>

#include <weft/tensor/error.h>

namespace weft::data::detail {
namespace {

constexpr std::uint32_t endless = 0xffffffffU;
constexpr std::uint32_t item = 0xfffee000U, item_end = 0xfffee00dU, sequence_end = 0xfffee0ddU,
                        pixel_data = 0x7fe00010U;

class Scan {
 public:
  Scan(const std::string& where, std::string_view bytes) : where_(where), bytes_(bytes) {}

  DicomScan run() {
    at_ = 132;
    while (at_ + 2 <= bytes_.size() && number(at_, 2) == 2) {  // the file's own header: explicit, little-endian
      const Element e = element(false);
      if (e.tag == 0x00020010U) {
        out_.syntax = std::string(bytes_.substr(at_, e.size));
        while (!out_.syntax.empty() && (out_.syntax.back() == '\0' || out_.syntax.back() == ' '))
          out_.syntax.pop_back();
      }
      skip(e.size);
    }
    if (out_.syntax.empty()) wrong(" is damaged: it names no transfer syntax");
    const std::string_view known = "1.2.840.10008.1.2";
    if (!out_.syntax.starts_with(known) || out_.syntax == "1.2.840.10008.1.2.1.99") return out_;
    big_ = out_.syntax == "1.2.840.10008.1.2.2";
    levels_.push_back({bytes_.size(), false, out_.syntax == known});
    while (!levels_.empty()) step();
    return out_;
  }

 private:
  struct Element {
    std::uint32_t tag = 0, size = 0;
    bool sequence = false, unknown = false;
  };
  /// What encloses the elements at hand: the data set, a sequence or an item; `end` is 0 where a mark ends it.
  struct Level {
    std::uint64_t end = 0;
    bool sequence = false, implicit = false;
  };

  [[noreturn]] void wrong(const std::string& what) const { throw FileError(where_ + what); }
  [[noreturn]] void cut_short() const { wrong(text(" is cut short: it ends after ", bytes_.size(), " bytes")); }

  std::uint32_t number(std::uint64_t at, unsigned count) const {
    if (at + count > bytes_.size()) cut_short();
    std::uint32_t v = 0;
    for (unsigned i = 0; i < count; ++i)
      v = v << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(at) + (big_ ? i : count - 1 - i)]);
    return v;
  }
  void skip(std::uint64_t size) {
    if (size > bytes_.size() - at_) cut_short();
    at_ += size;
  }

  /// Tag and length; at_ is where the value begins.
  Element element(bool implicit) {
    Element e;
    e.tag = number(at_, 2) << 16 | number(at_ + 2, 2);
    if (implicit || e.tag >> 16 == 0xfffe) {
      e.size = number(at_ + 4, 4);
      at_ += 8;
      // Without a type there is no telling a sequence but by its first item, or by having no length.
      e.sequence = e.tag >> 16 != 0xfffe && (e.size == endless || starts_item(e.size));
      return e;
    }
    if (at_ + 6 > bytes_.size()) cut_short();
    const std::string_view type = bytes_.substr(at_ + 4, 2);
    for (const char c : type)
      if (c < 'A' || c > 'Z') wrong(text(" is damaged: byte ", at_, " begins no element"));
    constexpr std::string_view wide = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    if (wide.find(type) == wide.npos) {
      e.size = number(at_ + 6, 2);
      at_ += 8;
    } else {
      e.size = number(at_ + 8, 4);
      at_ += 12;
    }
    e.unknown = type == "UN";
    e.sequence = type == "SQ" || (e.unknown && e.size == endless);
    return e;
  }
  bool starts_item(std::uint32_t size) const {
    return size >= 8 && at_ + 4 <= bytes_.size() && (number(at_, 2) << 16 | number(at_ + 2, 2)) == item;
  }

  void push(std::uint32_t size, bool sequence, bool implicit) {
    if (levels_.size() > 2 * 64) wrong(" has sequences that lie more than 64 deep");
    if (size != endless && size > bytes_.size() - at_) cut_short();
    levels_.push_back({size == endless ? 0 : at_ + size, sequence, implicit});
  }

  void step() {
    const Level level = levels_.back();
    if (level.end != 0 && at_ >= level.end) {
      if (at_ > level.end) wrong(text(" is damaged: an element reaches beyond its sequence at byte ", level.end));
      levels_.pop_back();
      return;
    }
    const std::uint64_t begin = at_;
    const Element e = element(level.implicit);
    if (e.tag == (level.sequence ? sequence_end : item_end) && level.end == 0) {
      levels_.pop_back();
    } else if (level.sequence ? e.tag != item : e.tag >> 16 == 0xfffe) {
      wrong(text(" is damaged: byte ", begin, " begins no ", level.sequence ? "item" : "element"));
    } else if (level.sequence) {
      push(e.size, false, level.implicit);
    } else if (e.tag == pixel_data && e.size == endless) {
      if (levels_.size() == 1) out_.has_pixels = out_.in_fragments = true;
      pixel_fragments(levels_.size() == 1);
    } else if (e.sequence) {
      push(e.size, true, level.implicit || e.unknown);  // what is of unknown type has no types inside
    } else {
      if (e.size == endless) wrong(text(" is damaged: the element at byte ", begin, " has no length"));
      if (e.tag == pixel_data && levels_.size() == 1) out_.has_pixels = true;
      skip(e.size);
    }
  }

  void pixel_fragments(bool top) {
    for (bool table = true;; table = false) {
      const std::uint64_t begin = at_;
      const Element e = element(true);
      if (e.tag == sequence_end) return;
      if (e.tag != item || e.size == endless) wrong(text(" is damaged: byte ", begin, " begins no item"));
      const std::uint64_t at = at_;
      skip(e.size);
      if (!table && top) {
        out_.fragments.emplace_back(at, e.size);
        if (out_.syntax.starts_with("1.2.840.10008.1.2.4.")) check_jpeg(bytes_.substr(at, e.size));
      }
    }
  }

  /// DCMTK looks for the number of bits in a fragment's header, and does not move on from what is no part of one.
  void check_jpeg(std::string_view part) const {
    const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(part[i]); };
    // Several fragments make one frame only where there is but one frame: what goes on is looked at by nobody else.
    if (!part.starts_with("\xff\xd8") && out_.fragments.size() > 1) return;
    if (!part.starts_with("\xff\xd8")) wrong(" is damaged: a JPEG in it has a wrong header");
    for (std::size_t at = 2; at + 4 <= part.size();) {
      const unsigned kind = byte(at + 1), size = byte(at + 2) << 8U | byte(at + 3);
      if (byte(at) != 0xff || kind < 0xc0 || kind == 0xff || (kind >= 0xd0 && kind <= 0xd9) || size < 2)
        wrong(" is damaged: a JPEG in it has a wrong header");
      if (kind == 0xda) return;
      at += 2 + size;
    }
    wrong(" is damaged: a JPEG in it has a wrong header");
  }

  const std::string& where_;
  std::string_view bytes_;
  std::uint64_t at_ = 0;
  bool big_ = false;
  std::vector<Level> levels_;
  DicomScan out_;
};

}  // namespace

DicomScan scan_dicom(const std::string& where, const std::string& bytes) { return Scan(where, bytes).run(); }

}  // namespace weft::data::detail
