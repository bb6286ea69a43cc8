#include <doctest/doctest.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include <weft/data/wordpiece.h>
#include <weft/tensor/random.h>

#include <weft/tests/unit/data_help.h>
#include <weft/tests/unit/error_of.h>

using namespace weft;
using data::Encoding, data::EncodeOptions, data::Truncation, data::WordPiece;
using tests::error_of;
using Ids = std::vector<std::int64_t>;

namespace {

#ifdef WEFT_WITH_UTF8PROC
constexpr bool unicode = true;
#else
constexpr bool unicode = false;
#endif

/// tests/text/reference.py's strings with their ids.
const nlohmann::json& reference() {
  static const auto json = nlohmann::json::parse(std::ifstream(WEFT_REFERENCE));
  return json;
}
WordPiece small(const data::WordPieceOptions& options = {}) {
  return WordPiece(reference()["small"].get<std::vector<std::string>>(), options);
}
std::string string_of(const nlohmann::json& one_case) {
  if (one_case.contains("text")) return one_case["text"];
  std::string out;
  const std::string hex = one_case["bytes"];
  for (std::size_t i = 0; i < hex.size(); i += 2) out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}
bool is_ascii(const std::string& s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

void check_reference(const WordPiece& tokens, const char* ids) {
  int seen = 0;
  for (const auto& each : reference()["cases"]) {
    const std::string s = string_of(each);
    if (!unicode && !is_ascii(s)) continue;
    CHECK_MESSAGE(tokens.encode(s).ids == each[ids].get<Ids>(), each.dump());
    ++seen;
  }
  CHECK(seen >= (unicode ? 200 : 60));
}

std::vector<std::string> names(const WordPiece& tokens, const Encoding& e) {
  std::vector<std::string> out;
  for (const auto id : e.ids) out.push_back(tokens.token(id));
  return out;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("wordpiece: awkward strings have the reference's ids with a small vocabulary") {
  check_reference(small(), "small");
}

TEST_CASE("wordpiece: awkward strings have the reference's ids with the vocabulary of bert-base-uncased") {
  const std::string path = folder_from("WEFT_DATA") + "/bert_wordpiece_vocab/vocab.txt";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no bert_wordpiece_vocab/vocab.txt in $WEFT_DATA");
    return;
  }
  const WordPiece tokens = WordPiece::load(path);
  CHECK(tokens.size() == 30522);
  check_reference(tokens, "base");
}

TEST_CASE("wordpiece: offsets are the bytes of each token, words count from 0") {
  const WordPiece tokens = small();
  const std::string s = "Fever, unaffable!";
  const Encoding e = tokens.encode(s);
  CHECK(names(tokens, e) == Names{"[CLS]", "fever", ",", "un", "##aff", "##able", "!", "[SEP]"});
  CHECK(e.words == Ids{-1, 0, 1, 2, 2, 2, 3, -1});
  CHECK(e.types == Ids(8, 0));
  const std::vector<std::pair<std::size_t, std::size_t>> offsets = {{0, 0},  {0, 5},   {5, 6},   {7, 9},
                                                                    {9, 12}, {12, 16}, {16, 17}, {0, 0}};
  CHECK(e.offsets == offsets);
  if (!unicode) return;
  // An accent belongs to its letter, removed letters to none.
  const Encoding accents = tokens.encode("x re\u0301sume\u0301\u200b\u4e2d", {.special_tokens = false});
  CHECK(names(tokens, accents) == Names{"x", "resume", "中"});
  CHECK(accents.offsets[1].first == 2);
  CHECK(accents.offsets[2] == std::pair<std::size_t, std::size_t>{15, 18});
}

TEST_CASE("wordpiece: pairs, truncation and special tokens") {
  const WordPiece tokens = small();
  const auto cut = [&](const EncodeOptions& o) { return names(tokens, tokens.encode("a b c d e", "x y z", o)); };
  CHECK(cut({}) == Names{"[CLS]", "a", "b", "c", "d", "e", "[SEP]", "x", "y", "z", "[SEP]"});
  CHECK(tokens.encode("a b", "c").types == Ids{0, 0, 0, 0, 1, 1});
  CHECK(cut({.special_tokens = false, .max_length = 7}) == Names{"a", "b", "c", "d", "x", "y", "z"});
  // The longer one first; what is odd stays with it.
  CHECK(cut({.max_length = 9}) == Names{"[CLS]", "a", "b", "c", "[SEP]", "x", "y", "z", "[SEP]"});
  CHECK(cut({.max_length = 8}) == Names{"[CLS]", "a", "b", "c", "[SEP]", "x", "y", "[SEP]"});
  CHECK(cut({.max_length = 6}) == Names{"[CLS]", "a", "b", "[SEP]", "x", "[SEP]"});
  CHECK(cut({.max_length = 8, .truncation = Truncation::only_first}) ==
        Names{"[CLS]", "a", "b", "[SEP]", "x", "y", "z", "[SEP]"});
  CHECK(cut({.max_length = 9, .truncation = Truncation::only_second}) ==
        Names{"[CLS]", "a", "b", "c", "d", "e", "[SEP]", "x", "[SEP]"});
  CHECK(cut({.max_length = 3}) == Names{"[CLS]", "[SEP]", "[SEP]"});
  CHECK(names(tokens, tokens.encode("a b c", {.max_length = 3})) == Names{"[CLS]", "a", "[SEP]"});
  CHECK(error_of([&] { cut({.max_length = 2}); }) ==
        "ConfigError: wordpiece: max_length 2 has no room for 3 special tokens");
  CHECK(error_of([&] { cut({.max_length = -1}); }) == "ConfigError: wordpiece: max_length -1, must be 0 or more");
  CHECK(error_of([&] { cut({.max_length = 5, .truncation = Truncation::only_first}); }) ==
        "ConfigError: wordpiece: the text that is to be kept has 3 tokens, max_length 5 leaves 2\n"
        "  help: cut the longer one (Truncation::longest_first)");
}

TEST_CASE("wordpiece: words given one by one keep their numbers") {
  const WordPiece tokens = small();
  const std::vector<std::string> words = {"unaffable", "", "fever."};
  const Encoding e = tokens.encode_words(words);
  CHECK(names(tokens, e) == Names{"[CLS]", "un", "##aff", "##able", "fever", ".", "[SEP]"});
  CHECK(e.words == Ids{-1, 0, 0, 0, 2, 2, -1});
}

TEST_CASE("wordpiece: a batch is filled up") {
  const WordPiece tokens = small();
  const std::vector<Encoding> two = {tokens.encode("a"), tokens.encode("a b", "c")};
  const data::TokenBatch b = tokens.batch(two);
  CHECK(b.ids.shape() == Shape{2, 6});
  CHECK(to_vector<std::int64_t>(b.ids) == Ids{2, 5, 3, 0, 0, 0, 2, 5, 6, 3, 7, 3});
  CHECK(to_vector<std::int64_t>(b.attention_mask) == Ids{1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  CHECK(to_vector<std::int64_t>(b.types) == Ids{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1});
  CHECK(tokens.batch(two, 8).ids.shape() == Shape{2, 8});
  CHECK(error_of([&] { tokens.batch({}); }) == "ConfigError: wordpiece: a batch of no encodings");
}

TEST_CASE("wordpiece: back to text") {
  const WordPiece tokens = small();
  const Encoding e = tokens.encode("The patients, unaffable [MASK]");
  CHECK(tokens.decode(e.ids) == "the patients , unaffable");
  CHECK(tokens.decode(e.ids, false) == "[CLS] the patients , unaffable [MASK] [SEP]");
  CHECK(
      error_of([&] { tokens.token(100000); }).starts_with("ConfigError: wordpiece: id 100000 is outside of the vocab"));
  CHECK(tokens.id("fever") == tokens.encode("fever").ids[1]);
  CHECK(tokens.id("no such token") == tokens.unknown());
}

TEST_CASE("wordpiece: options") {
  const WordPiece cased = small({.lower_case = false});
  CHECK(names(cased, cased.encode("fever Fever", {.special_tokens = false})) == Names{"fever", "[UNK]"});
  const WordPiece plain = small({.special_in_text = false});
  CHECK(names(plain, plain.encode("[MASK]", {.special_tokens = false})).size() == 6);
  const WordPiece brief = small({.max_word = 3});
  CHECK(names(brief, brief.encode("the fever", {.special_tokens = false})) == Names{"the", "[UNK]"});
  if (!unicode) {
    CHECK(error_of([&] { cased.encode("caf\u00e9"); }) ==
          "ConfigError: wordpiece: the text has letter number 233, and weft was built without Unicode tables\n"
          "  help: install utf8proc and build again");
    return;
  }
  CHECK(names(cased, cased.encode("caf\u00e9", {.special_tokens = false})) == Names{"[UNK]"});
  const WordPiece stripped = small({.lower_case = false, .strip_accents = true});
  CHECK(names(stripped, stripped.encode("caf\u00e9", {.special_tokens = false})) == Names{"cafe"});
  const WordPiece together = small({.split_ideographs = false});
  CHECK(names(together, together.encode("\u4e2d\u56fd", {.special_tokens = false})) == Names{"[UNK]"});
}

TEST_CASE("wordpiece: files and folders") {
  const TemporaryFolder folder;
  const std::string specials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  CHECK(error_of([&] { WordPiece::load(folder / ""); }) ==
        "FileError: wordpiece: " + (folder / "") +
            " has no vocab.txt\n  help: name a folder with a BERT model's files");
  const std::string path = folder.write("vocab.txt", specials + "a\r\nA\n##b");
  CHECK(WordPiece::load(folder / "").size() == 8);
  CHECK(WordPiece::load(path).encode("ab").ids == Ids{2, 5, 7, 3});
  const std::string config =
      folder.write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null})");
  CHECK(WordPiece::load(folder / "").encode("A").ids == Ids{2, 6, 3});
  CHECK(WordPiece::load(path).encode("A").ids == Ids{2, 5, 3});
  folder.write("tokenizer_config.json", R"({"do_lower_case": 1})");
  CHECK(error_of([&] { WordPiece::load(folder / ""); }) ==
        "FileError: wordpiece: " + (folder / "") + "/tokenizer_config.json: do_lower_case is 1, not true or false");
  folder.write("tokenizer_config.json", "[");
  CHECK(error_of([&] { WordPiece::load(folder / ""); }) ==
        "FileError: wordpiece: " + (folder / "") + "/tokenizer_config.json is not a JSON object");
  const auto refused = [&](const std::string& bytes) {
    return error_of([&] { WordPiece::load(folder.write("v", bytes)); });
  };
  const std::string start = "FileError: wordpiece: " + (folder / "v") + " is no vocabulary: ";
  CHECK(refused("") == start + "the vocabulary of 0 tokens has no [UNK]");
  CHECK(refused("{\"a\": 1}\n") == start + "the vocabulary of 1 tokens has no [UNK]");
  CHECK(refused(specials + "a\nb\na\n") == start + "\"a\" is both token 5 and 7");
  CHECK(refused(specials + std::string("a\0b", 3)) == start + "it has a zero byte");
  CHECK(error_of([&] { WordPiece::load(folder / "none"); }) ==
        "FileError: wordpiece: cannot open " + (folder / "none") + ": No such file or directory");
  CHECK(error_of([] { WordPiece({"a"}, {.max_word = 0}); }) == "ConfigError: wordpiece: max_word 0, must be 1 or more");
  CHECK(error_of([] { WordPiece({"a"}, {.unknown = ""}); }) == "ConfigError: wordpiece: a special token is empty");
}

TEST_CASE("wordpiece: any bytes are answered with tokens whose offsets lie in the text") {
  const WordPiece tokens = small();
  Generator g{5};
  // Letters of all kinds, so that not all of it is invalid.
  const std::vector<std::string> parts = {"a",      "fever",  " ",      "\u0301",  "\u0323", "\u4e2d",
                                          "\uac01", "[MASK]", "\u0130", "\u200d",  "\u0645", "\u064e",
                                          ".",      "\xf0",   "\x80",   "\xe4\xb8"};
  for (int run = 0; run < 3000; ++run) {
    std::string s;
    for (std::int64_t n = g.below(40); n > 0; --n)
      if (unicode && g.below(3) > 0)
        s += parts[static_cast<std::size_t>(g.below(std::ssize(parts)))];
      else
        s += static_cast<char>(g.below(unicode ? 256 : 128));
    const Encoding e = tokens.encode(s, {.special_tokens = false});
    REQUIRE(e.ids.size() == e.offsets.size());
    REQUIRE(e.ids.size() == e.words.size());
    REQUIRE(e.ids.size() == e.types.size());
    std::size_t before = 0;
    for (std::size_t i = 0; i < e.ids.size(); ++i) {
      const auto [first, last] = e.offsets[i];
      CHECK(first <= last);
      CHECK(last <= s.size());
      CHECK(before <= first);  // marks aside, which may be exchanged within one letter
      before = first;
      CHECK(!tokens.token(e.ids[i]).empty());
      if (i > 0) CHECK(e.words[i] - e.words[i - 1] <= 1);
    }
    // The text of a token alone gives the same token, unless it goes on within a word.
    for (std::size_t i = 0; i < e.ids.size(); ++i) {
      if (e.ids[i] == tokens.unknown() || tokens.token(e.ids[i]).starts_with("##")) continue;
      const auto [first, last] = e.offsets[i];
      const Encoding again = tokens.encode(s.substr(first, last - first), {.special_tokens = false});
      CHECK_MESSAGE((again.ids.size() >= 1 && again.ids[0] == e.ids[i]), s);
    }
  }
}
