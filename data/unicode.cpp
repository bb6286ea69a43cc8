#include <weft/data/unicode.h>

#ifdef WEFT_WITH_UTF8PROC
#include <utf8proc.h>
#endif

#include <weft/tensor/error.h>

namespace weft::data::detail {

char32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < more) return replacement_character;
  char32_t c = first & (0x3fU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xc0U) != 0x80) return replacement_character;
    c = c << 6 | (byte(at + i) & 0x3fU);
  }
  constexpr char32_t least[] = {0, 0x80, 0x800, 0x10000};  // below it is written with too many bytes
  if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return replacement_character;
  at += more;
  return c;
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0U | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xe0U | c >> 12);
    } else {
      put(0xf0U | c >> 18);
      put(0x80U | (c >> 12 & 0x3fU));
    }
    put(0x80U | (c >> 6 & 0x3fU));
  }
  put(0x80U | (c & 0x3fU));
}

bool is_ideograph(char32_t c) noexcept {
  constexpr char32_t blocks[][2] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
                                    {0x2b740, 0x2b81f}, {0x2b820, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};
  for (const auto& block : blocks)
    if (c >= block[0] && c <= block[1]) return true;
  return false;
}

namespace {

Letter ascii_kind(char32_t c) noexcept {
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return Letter::space;
  if (c < 32 || c == 127) return Letter::control;
  const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return word ? Letter::other : Letter::punctuation;
}

#ifndef WEFT_WITH_UTF8PROC
[[noreturn]] void no_tables(char32_t c) {
  throw ConfigError(text("wordpiece: the text has letter number ", static_cast<unsigned>(c),
                         ", and weft was built without Unicode tables\n  help: install utf8proc and build again"));
}
#endif

}  // namespace

#ifdef WEFT_WITH_UTF8PROC
Letter letter_kind(char32_t c) {
  if (c < 128) return ascii_kind(c);
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return Letter::space;
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO: return Letter::control;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return Letter::punctuation;
    case UTF8PROC_CATEGORY_MN: return Letter::mark;
    default: return Letter::other;
  }
}

int combining_class(char32_t c) {
  return c < 128 ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

void append_decomposed(std::u32string& to, char32_t c) {
  if (c < 128) {
    to += c;
    return;
  }
  utf8proc_int32_t parts[8];  // no letter has more than 4
  int boundary = 0;
  const utf8proc_ssize_t n =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 8, UTF8PROC_DECOMPOSE, &boundary);
  for (utf8proc_ssize_t i = 0; i < n; ++i) to += static_cast<char32_t>(parts[i]);
}

void append_lower(std::u32string& to, char32_t c) {
  constexpr char32_t capital_i_with_dot = 0x130, dot_above = 0x307;
  if (c < 128) {
    to += c >= 'A' && c <= 'Z' ? c + 32 : c;
  } else if (c == capital_i_with_dot) {  // the one letter whose lower case is two
    to += U'i';
    to += dot_above;
  } else {
    to += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  }
}
#else
Letter letter_kind(char32_t c) {
  if (c >= 128) no_tables(c);
  return ascii_kind(c);
}
int combining_class(char32_t) { return 0; }
void append_decomposed(std::u32string& to, char32_t c) { to += c; }
void append_lower(std::u32string& to, char32_t c) { to += c >= 'A' && c <= 'Z' ? c + 32 : c; }
#endif

}  // namespace weft::data::detail
