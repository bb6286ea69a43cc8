#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weft/tensor/tensor.h>

/// Text to numbers as BERT reads it: words, then the longest pieces of words that a vocabulary has.
namespace weft::data {

/// A text as ids into a vocabulary; all vectors have one entry per token.
struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> types;  ///< 0: first text, 1: second
  /// The bytes [first, second) of the given text that a token stands for; 0, 0 for a token that was added.
  std::vector<std::pair<std::size_t, std::size_t>> offsets;
  std::vector<std::int64_t> words;  ///< number of the word that a token belongs to, from 0 in each text; -1: added
};

/// Encodings of one length.
struct TokenBatch {
  Tensor ids;             ///< (B, T) int64
  Tensor types;           ///< (B, T) int64
  Tensor attention_mask;  ///< (B, T) int64: 1 for tokens, 0 for padding
};

/// What a text that is too long loses at its end.
enum class Truncation : std::uint8_t {
  longest_first,  ///< of two texts the longer loses tokens until both are equal, then both
  only_first,
  only_second,
};

struct WordPieceOptions {
  bool lower_case = true;
  std::optional<bool> strip_accents{};  ///< accents and other marks go away; nothing said: as lower_case
  bool split_ideographs = true;         ///< every Chinese ideograph is a word
  bool special_in_text = true;          ///< "[MASK]" in a text is that token, and not five
  std::int64_t max_word = 100;          ///< a word of more letters is unknown
  std::string unknown = "[UNK]", begin = "[CLS]", separator = "[SEP]", padding = "[PAD]", mask = "[MASK]";
};

struct EncodeOptions {
  bool special_tokens = true;   ///< [CLS] text [SEP], or [CLS] text [SEP] second [SEP]
  std::int64_t max_length = 0;  ///< with special tokens; 0: no limit
  Truncation truncation = Truncation::longest_first;
};

/// A tokenizer: control characters and invalid UTF-8 are removed, ideographs set apart, accents stripped after
/// canonical decomposition, capitals lowered letter by letter, text split at white space and at every punctuation
/// mark, and each word cut, from its beginning, into the longest pieces that the vocabulary has, those inside of a word
/// with ## before them; a word that cannot be cut so is one unknown token. Wu et al. (2016), Devlin et al. (2019).
/// Letters beyond ASCII need weft to be built with utf8proc; without it they are a ConfigError.
class WordPiece {
 public:
  /// Token i of the vocabulary has the id i. Throws ConfigError when it lacks a special token or has a token twice.
  explicit WordPiece(std::vector<std::string> vocabulary, const WordPieceOptions& options = {});
  /// From a file with a token per line, or a folder with vocab.txt, where tokenizer_config.json beside it, if any,
  /// decides lower_case, strip_accents and split_ideographs. Throws FileError when it is missing or no vocabulary.
  static WordPiece load(const std::string& path, const WordPieceOptions& options = {});

  /// Throws ConfigError for a max_length that the special tokens do not fit in.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode(std::string_view first, std::string_view second, const EncodeOptions& options = {}) const;
  /// A text already split into words, as labelled words come: `words` of the result counts these, offsets lie within
  /// the token's word.
  Encoding encode_words(std::span<const std::string> words, const EncodeOptions& options = {}) const;
  /// Encodings side by side, filled up with [PAD] to the longest, or to `length` if that is more. Throws ConfigError
  /// when there is none.
  TokenBatch batch(std::span<const Encoding> encodings, std::int64_t length = 0) const;

  /// Tokens joined again: pieces to words, spaces between words. Throws ConfigError for an id out of range.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special = true) const;

  std::int64_t size() const noexcept { return static_cast<std::int64_t>(vocabulary_.size()); }
  /// The id of a token, or of the unknown one.
  std::int64_t id(std::string_view token) const;
  /// Throws ConfigError for an id out of range.
  const std::string& token(std::int64_t id) const;
  std::int64_t unknown() const noexcept { return unknown_; }
  std::int64_t begin() const noexcept { return begin_; }
  std::int64_t separator() const noexcept { return separator_; }
  std::int64_t padding() const noexcept { return padding_; }
  std::int64_t mask() const noexcept { return mask_; }
  bool is_special(std::int64_t id) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>()(s); }
  };
  using Ids = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;
  struct Letters;

  void add_text(Encoding& to, std::string_view text, std::int64_t type, std::int64_t word) const;
  void add_part(Encoding& to, std::string_view text, std::size_t shift, std::int64_t type, std::int64_t word) const;
  void add_word(Encoding& to, const Letters& letters, std::size_t first, std::size_t last, std::size_t shift,
                std::int64_t type, std::int64_t word) const;
  Letters normalized(std::string_view text) const;
  Encoding joined(Encoding first, Encoding second, bool pair, const EncodeOptions& options) const;

  WordPieceOptions options_;
  std::vector<std::string> vocabulary_;
  Ids whole_, inside_;  ///< tokens that begin a word, and, without their ##, those that go on
  std::size_t longest_ = 0;
  std::int64_t unknown_ = 0, begin_ = 0, separator_ = 0, padding_ = 0, mask_ = 0;
};

}  // namespace weft::data
