#include <doctest/doctest.h>

#include <weft/data/masking.h>
#include <weft/data/tags.h>
#include <weft/data/words.h>
#include <weft/tensor/create.h>

#include "error_of.h"

using namespace weft;
using namespace weft::data;
using tests::error_of;
using Ids = std::vector<std::int64_t>;
using Names = std::vector<std::string>;
using Spans = std::vector<Span>;

TEST_CASE("tags: terms begin where seqeval says") {
  CHECK(bio_spans(Names{"O", "B-drug", "I-drug", "O", "B-dose"}) == Spans{{"drug", 1, 3}, {"dose", 4, 5}});
  CHECK(bio_spans(Names{"B-a", "B-a", "I-a"}) == Spans{{"a", 0, 1}, {"a", 1, 3}});
  CHECK(bio_spans(Names{}).empty());
  // An I- that goes on nothing begins a term, unless strict.
  const Names loose = {"I-a", "I-a", "I-b", "O", "I-b", "B-a", "I-b"};
  CHECK(bio_spans(loose) == Spans{{"a", 0, 2}, {"b", 2, 3}, {"b", 4, 5}, {"a", 5, 6}, {"b", 6, 7}});
  CHECK(bio_spans(loose, true) == Spans{{"a", 5, 6}});
  CHECK(bio_spans(Names{"B-a", "I-b", "I-a"}, true) == Spans{{"a", 0, 1}});
  const Spans spans = {{"drug", 1, 3}, {"dose", 4, 5}};
  CHECK(bio_tags(spans, 6) == Names{"O", "B-drug", "I-drug", "O", "B-dose", "O"});
  CHECK(bio_spans(bio_tags(spans, 6)) == spans);
  CHECK(error_of([] {
          bio_spans(Names{"O", "X"});
        }) == "ConfigError: bio_spans: tag 1 is \"X\"\n  help: use O, B-type and I-type");
  CHECK(error_of([] { bio_spans(Names{"B-"}); }).starts_with("ConfigError: bio_spans: tag 0"));
  CHECK(error_of([&] { bio_tags(spans, 4); }) == "ConfigError: bio_tags: words 4 to 5 of 4");
  CHECK(error_of([] {
          bio_tags(Spans{{"a", 0, 2}, {"b", 1, 2}}, 3);
        }) == "ConfigError: bio_tags: word 1 is in two terms");
}

TEST_CASE("tags: whole terms of the right type count") {
  const std::vector<Spans> truth = {{{"drug", 0, 2}, {"dose", 3, 4}}, {{"drug", 1, 2}}};
  const std::vector<Spans> found = {{{"drug", 0, 1}, {"dose", 3, 4}, {"drug", 5, 6}}, {{"dose", 1, 2}}};
  const SpanScores s = span_scores(truth, found);
  CHECK(s.all.truth == 3);
  CHECK(s.all.predicted == 4);
  CHECK(s.all.both == 1);
  CHECK(s.all.precision() == doctest::Approx(0.25));
  CHECK(s.all.recall() == doctest::Approx(1.0 / 3));
  CHECK(s.all.f1() == doctest::Approx(2.0 / 7));
  CHECK(s.types.at("dose").f1() == doctest::Approx(2.0 / 3));
  CHECK(s.types.at("drug").f1() == 0);
  CHECK(span_scores({}, {}).all.f1() == 0);
  CHECK(error_of([&] { span_scores(truth, {}); }) == "ShapeError: span_scores: 2 texts have true spans, 0 predicted");
}

TEST_CASE("tags: labels of words and of their tokens") {
  Encoding e;
  e.ids = {2, 10, 11, 12, 13, 3};
  e.words = {-1, 0, 0, 1, 3, -1};
  CHECK(token_labels(e, Ids{5, 6, 7, 8}) == Ids{-100, 5, -100, 6, 8, -100});
  CHECK(word_labels(e, Ids{0, 1, 2, 3, 4, 0}, 5, 9) == Ids{1, 3, 9, 4, 9});
  CHECK(error_of([&] { token_labels(e, Ids{5, 6, 7}); }) == "ShapeError: token_labels: 3 labels, a token is of word 3");
  CHECK(error_of([&] { word_labels(e, Ids{5}, 3); }) == "ShapeError: word_labels: 1 labels for 6 tokens");
}

TEST_CASE("masking: 15 of 100 are chosen; of these 80 of 100 are masked, 10 others, 10 as they were") {
  Generator g{.seed = 4};
  const Tensor ids = randint(5, 1000, {200, 200}, DType::int64, g);
  Tensor with_special = full({200, 200}, 2, DType::int64);
  const MaskingOptions o{.mask = 4, .vocabulary = 1000, .never = {2}};
  const MaskedTokens m = mask_tokens(ids, o, g);
  const Ids before = to_vector<std::int64_t>(ids), after = to_vector<std::int64_t>(m.ids),
            labels = to_vector<std::int64_t>(m.labels);
  double chosen = 0, masked = 0, same = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (labels[i] == -100) {
      CHECK(before[i] == after[i]);
      continue;
    }
    CHECK(labels[i] == before[i]);
    ++chosen;
    masked += after[i] == 4;
    same += after[i] == before[i];
  }
  CHECK(chosen / 40000 == doctest::Approx(0.15).epsilon(0.05));
  CHECK(masked / chosen == doctest::Approx(0.8).epsilon(0.03));
  CHECK(same / chosen == doctest::Approx(0.1).epsilon(0.15));
  CHECK(to_vector<std::int64_t>(mask_tokens(with_special, o, g).ids) == Ids(40000, 2));
  Generator a{.seed = 1}, b{.seed = 1};
  CHECK(to_vector<std::int64_t>(mask_tokens(ids, o, a).ids) == to_vector<std::int64_t>(mask_tokens(ids, o, b).ids));
  CHECK(error_of([&] { mask_tokens(zeros({2}), o, g); }) ==
        "DtypeError: mask_tokens: ids are float32\n  help: convert them with to(ids, DType::int64)");
  CHECK(error_of([&] { mask_tokens(ids, {.mask = 4, .vocabulary = 9, .masked = 0.9, .random = 0.2}, g); }) ==
        "ConfigError: mask_tokens: probability 0.15, masked 0.9, random 0.2\n"
        "  help: each is from 0 to 1, the last two together at most 1");
  CHECK(error_of([&] { mask_tokens(ids, {.mask = 9, .vocabulary = 9}, g); }) ==
        "ConfigError: mask_tokens: the mask 9 is outside of the vocabulary of 9");
}

TEST_CASE("words: numbers by frequency, parts of words hashed") {
  CHECK(WordCoder::split("What's a caf\u00e9, 3.5 mg?") ==
        Names{"what", "'", "s", "a", "caf\u00e9", ",", "3", ".", "5", "mg", "?"});
  const Names texts = {"b a b", "B c"};
  const WordCoder coder = WordCoder::fit(texts);
  CHECK(coder.id("b") == 2);
  CHECK(coder.id("a") == 3);
  CHECK(coder.id("x") == 1);
  CHECK(coder.size() == 5);
  CHECK(to_vector<std::int64_t>(coder.encode(Names{"a x", "C b a b"})) == Ids{3, 1, 0, 0, 4, 2, 3, 2});
  CHECK(coder.encode(Names{"a b c"}, 2).shape() == Shape{1, 2});
  CHECK(WordCoder::fit(texts, {.min_count = 2}).words() == 3);
  const WordCoder parts = WordCoder::fit(texts, {.buckets = 50, .ngram_min = 2, .ngram_max = 3, .max_parts = 4});
  const Tensor x = parts.encode(Names{"ab", "b"});
  CHECK(x.shape() == Shape{2, 1, 5});
  const Ids ids = to_vector<std::int64_t>(x);
  CHECK(ids[0] == 1);  // <ab>: <a ab b> <ab, of at most 4
  CHECK((ids[1] >= 5 && ids[1] < 55 && ids[4] >= 5));
  CHECK(ids[5] == 2);       // <b>: <b b> <b>
  CHECK(ids[3] == ids[7]);  // b>
  CHECK(ids[9] == 0);
  CHECK(error_of([] { WordCoder::fit({}); }) == "ConfigError: WordCoder: 0 texts have no word that occurs 1 times");
  CHECK(error_of([&] { coder.encode({}); }) == "ConfigError: WordCoder: there is no text to encode");
  CHECK(error_of([&] { WordCoder::fit(texts, {.min_count = 0}); }) ==
        "ConfigError: WordCoder: min_count 0, buckets 0, parts of 3 to 5 letters, at most 24\n"
        "  help: each is 1 or more, buckets 0 or more");
}
