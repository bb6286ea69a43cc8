#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <weft/data/wordpiece.h>

/// Terms marked in a text, as tags of its words: B-drug begins a drug, I-drug goes on, O is none. Ramshaw and Marcus
/// (1995).
namespace weft::data {

/// The words [first, last) are a term of this type.
struct Span {
  std::string type;
  std::int64_t first = 0, last = 0;
  friend bool operator==(const Span&, const Span&) = default;
  friend auto operator<=>(const Span&, const Span&) = default;
};

/// The terms that tags mark. A term also begins at an I- that goes on no term of its type, as seqeval counts; where
/// `strict`, such tags are passed over. Throws ConfigError for a tag that is neither O nor B- or I- with a type.
std::vector<Span> bio_spans(std::span<const std::string> tags, bool strict = false);
/// The tags of n words with these terms. Throws ConfigError for spans that overlap or lie outside.
std::vector<std::string> bio_tags(std::span<const Span> spans, std::int64_t n);

struct SpanScore {
  std::int64_t truth = 0, predicted = 0, both = 0;
  double precision() const noexcept;  ///< both / predicted; 0 of none
  double recall() const noexcept;     ///< both / truth; 0 of none
  double f1() const noexcept;         ///< 2 both / (predicted + truth)
};
struct SpanScores {
  SpanScore all;                           ///< all types together (micro-average)
  std::map<std::string, SpanScore> types;  ///< of each type
};
/// How many terms are found whole, with their type. A text per entry. Throws ShapeError when the texts differ in
/// number. Tjong Kim Sang and De Meulder (2003).
SpanScores span_scores(std::span<const std::vector<Span>> truth, std::span<const std::vector<Span>> predicted);

/// Labels of words for the tokens that encode_words() made of them: the first token of each word has its label, all
/// others -100, which losses pass over. Throws ShapeError for fewer labels than words.
std::vector<std::int64_t> token_labels(const Encoding& encoding, std::span<const std::int64_t> word_labels);
/// The way back: what was predicted for the first token of each of n words; `missing` for words that were cut off.
std::vector<std::int64_t> word_labels(const Encoding& encoding, std::span<const std::int64_t> token_labels,
                                      std::int64_t n, std::int64_t missing = 0);

}  // namespace weft::data
