#include <doctest/doctest.h>

#include <vector>

#include <weft/data/modalities.h>
#include <weft/tensor/create.h>

#include "data_help.h"

using namespace weft;
using namespace weft::data;
using Index = std::vector<std::int64_t>;

namespace {

Modalities example() {
  Modalities x = Modalities::complete(
      {"image", "blood"}, {from(std::vector<float>{0, 1, 10, 11, 20, 21}, {3, 2}), from(std::vector<double>{5, 6, 7})});
  x.present.mutable_data<bool>()[1 * 2 + 0] = false;  // sample 1 lacks the image
  return x;
}

}  // namespace

TEST_CASE("modalities: what is there and who has it") {
  const Modalities x = example();
  CHECK(x.batch() == 3);
  CHECK(x.count() == 2);
  CHECK(x.index_of("blood") == 1);
  CHECK(x.has(0, 0));
  CHECK_FALSE(x.has(1, 0));
  CHECK(x.present_rows(0) == Index{0, 2});
  CHECK(x.present_rows(1) == Index{0, 1, 2});
  CHECK_NOTHROW(x.check());
}

TEST_CASE("modalities: rows select features and presence alike") {
  const Modalities y = example().rows(Index{2, 1, 2});
  CHECK(y.names == std::vector<std::string>{"image", "blood"});
  CHECK(to_vector<float>(y.features[0]) == std::vector<float>{20, 21, 10, 11, 20, 21});
  CHECK(to_vector<double>(y.features[1]) == std::vector<double>{7, 6, 7});
  CHECK(truths(y.present) == std::vector<bool>{true, true, false, true, true, true});
  CHECK(example().rows(Index{}).batch() == 0);
  CHECK(message<ConfigError>([] { example().rows(Index{3}); }) == "take_rows: index 3 is outside the 3 rows");
  CHECK(message<ConfigError>([] { example().rows(Index{-1}); }) == "take_rows: index -1 is outside the 3 rows");
}

TEST_CASE("modalities: select by name") {
  const std::vector<std::string> wanted = {"blood", "image"};
  const Modalities y = example().select(wanted);
  CHECK(y.names == wanted);
  CHECK(truths(y.present) == std::vector<bool>{true, true, true, false, true, true});
  CHECK(y.features[0].body_or_null() != nullptr);
  CHECK(y.features[0].shape() == Shape{3});
}

TEST_CASE("modalities: the quality goes along with rows and names") {
  Modalities x = example();
  CHECK(!x.rows(Index{0}).quality.defined());
  x.quality = from(std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F, 0.5F, 0.6F}, {3, 2});
  CHECK_NOTHROW(x.check());
  CHECK(to_vector<float>(x.rows(Index{2, 0}).quality) == std::vector<float>{0.5F, 0.6F, 0.1F, 0.2F});
  const std::vector<std::string> wanted = {"blood"};
  CHECK(to_vector<float>(x.select(wanted).quality) == std::vector<float>{0.2F, 0.4F, 0.6F});
  x.quality = from(std::vector<float>{1, 1, 1});
  CHECK(message<ShapeError>([&] { x.check(); }) == "modalities: the quality is [3], the presence mask [3, 2]");
  CHECK(message<ShapeError>([&] { x.select(wanted); }) == "modalities: the quality is [3], the presence mask [3, 2]");
}

TEST_CASE("modalities: rows of a strided tensor come out dense") {
  const Tensor x = from(std::vector<float>{0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor columns = view_as(x, {3, 2}, {1, 3});  // its transpose
  CHECK(to_vector<float>(take_rows(columns, Index{2, 0})) == std::vector<float>{2, 5, 0, 3});
  CHECK(take_rows(columns, Index{2, 0}).is_contiguous());
  CHECK(message<ShapeError>([] { take_rows(from(std::vector<float>{1}, Shape{}), Index{0}); }) ==
        "take_rows: a tensor of rank 0 has no rows");
}

TEST_CASE("modalities: messages") {
  const Tensor two = from(std::vector<float>{1, 2}), three = from(std::vector<float>{1, 2, 3});
  CHECK(message<ConfigError>([] { example().index_of("imago"); }) ==
        "modalities: there is no \"imago\"; the closest name is \"image\"");
  CHECK(message<ShapeError>([] { example().has(3, 0); }) ==
        "modalities: sample 3, modality 0 is outside the mask [3, 2]");
  CHECK(message<ShapeError>([] { example().present_rows(2); }) == "modalities: modality 2 is outside the mask [3, 2]");
  CHECK(message<ShapeError>([&] { Modalities::complete({"a"}, {two, two}); }) == "modalities: 1 names for 2 features");
  CHECK(message<ShapeError>([&] {
          Modalities::complete({"a", "b"}, {two, three});
        }) == "modalities: \"b\" has 3 samples, \"a\" has 2");
  CHECK(message<ConfigError>([&] {
          Modalities::complete({"a", "a"}, {two, two});
        }) == "modalities: two are called \"a\"");
  CHECK(message<ShapeError>([&] { Modalities::complete({"a"}, {from(std::vector<float>{1}, Shape{})}); }) ==
        "modalities: \"a\" has rank 0, which leaves no axis for samples");
  Modalities x = example();
  x.present = three;
  CHECK(message<DtypeError>([&] { x.check(); }) == "modalities: the presence mask is float32, not bool");
  x.present = empty({2, 2}, DType::boolean);
  CHECK(message<ShapeError>([&] { x.check(); }) ==
        "modalities: the presence mask is [2, 2] for 3 samples and 2 modalities");
}
