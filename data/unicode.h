#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// What tokenizers ask about letters. Inside of data/: not installed. All but the first two throw ConfigError for what
/// is not ASCII where weft was built without utf8proc.
namespace weft::data::detail {

constexpr char32_t replacement_character = 0xfffd;

/// The code point of UTF-8 text at `at`, which moves behind it; replacement_character, and one byte further, for a byte
/// that begins none.
char32_t next_code_point(std::string_view text, std::size_t& at) noexcept;
void append_utf8(std::string& text, char32_t c);

enum class Letter : unsigned char { other, space, control, punctuation, mark };
/// space: Zs, Zl, Zp, tab, line ends; control: C*; punctuation: P* and every ASCII sign; mark: Mn.
Letter letter_kind(char32_t c);
/// Whether it is a Chinese ideograph, which stands for itself without spaces around it. (Hangul and kana are none.)
bool is_ideograph(char32_t c) noexcept;
/// Canonical combining class: 0 for what begins a letter.
int combining_class(char32_t c);
/// Adds the full canonical decomposition of c.
void append_decomposed(std::u32string& to, char32_t c);
/// Adds c in lower case, without regard to its neighbours.
void append_lower(std::u32string& to, char32_t c);

}  // namespace weft::data::detail
