#include <doctest/doctest.h>

#include <cstdlib>

#include <weft/study/config.h>

using namespace weft;
using namespace weft::study;

namespace {

const std::string good =
    "[study]\n"                     // 1
    "target = 'y'\n"                // 2
    "[data]\n"                      // 3
    "file = 'x.csv'\n"              // 4
    "[[modality]]\n"                // 5
    "name = 'a'\n"                  // 6
    "columns = ['p*', 'q']\n"       // 7
    "encoder = { hidden = [8] }\n"  // 8
    "[[modality]]\n"                // 9
    "name = 'b'\n"                  // 10
    "rest = true\n";                // 11

std::string message(const std::string& source) {
  try {
    parse_study(source, "s/x.toml");
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::string with(std::string source, const std::string& from, const std::string& to) {
  return source.replace(source.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("study file: what is read and what is assumed") {
  const Study s = parse_study(good + "[train]\nlr = 1\nmetric = 'accuracy'\n", "s/x.toml");
  CHECK(s.name == "x");
  CHECK(s.target == "y");
  CHECK(s.data.file == "s/x.csv");
  REQUIRE(s.modalities.size() == 2);
  CHECK(s.modalities[0].columns == std::vector<std::string>{"p*", "q"});
  CHECK(s.modalities[0].encoder.hidden == std::vector<std::int64_t>{8});
  CHECK(s.modalities[1].rest);
  CHECK(s.modalities[1].place.str() == "s/x.toml:9");
  CHECK(s.train.lr == 1.0);
  CHECK(s.train.metric == "accuracy");
  CHECK(s.compare.metric == "roc_auc");
  CHECK(s.compare.splits == 30);
  CHECK(parse_study("[encoder]\ntype = 'linear'\n" + good, "x").modalities[1].encoder.type == "linear");
}

TEST_CASE("study file: options of a fusion") {
  const FusionConfig assumed = parse_study(good, "s/x.toml").fusion;
  CHECK(assumed.layers == 2);
  CHECK(assumed.confidence_share == 0.6);
  CHECK(assumed.relevance.empty());
  const FusionConfig f =
      parse_study(good +
                      "[fusion]\nname = 'relevance'\nwidth = 12\nlayers = 3\nheads = 4\nrank = 5\n"
                      "factor_width = 6\nrelevance = [1, 0.5]\nconfidence_share = 0.7\n"
                      "auxiliary_weight = 0.8\nconfidence_weight = 0.9\nsparsity_weight = 0.1\n"
                      "ranking_weight = 0.2\nannealing = 0.25\nbalance_weight = 0.05\ncontext = true\n",
                  "s/x.toml")
          .fusion;
  CHECK(f.name == "relevance");
  CHECK(f.layers == 3);
  CHECK(f.heads == 4);
  CHECK(f.rank == 5);
  CHECK(f.factor_width == 6);
  CHECK(f.relevance == std::vector<double>{1, 0.5});
  CHECK(f.confidence_share == 0.7);
  CHECK(f.auxiliary_weight == 0.8);
  CHECK(f.confidence_weight == 0.9);
  CHECK(f.sparsity_weight == 0.1);
  CHECK(f.ranking_weight == 0.2);
  CHECK(f.annealing == 0.25);
  CHECK(f.balance_weight == 0.05);
  CHECK(f.context);
  CHECK_FALSE(assumed.context);
  CHECK(message(good + "[fusion]\nwidth = 10\nheads = 4\n") ==
        "s/x.toml:14: [fusion] has width 10, which is not a multiple of heads 4");
  CHECK(message(good + "[fusion]\nrelevance = [1]\n") ==
        "s/x.toml:12: [fusion] gives 1 numbers of relevance for 2 modalities");
  CHECK(message(good + "[fusion]\nrelevance = [1, 2]\n") ==
        "s/x.toml:12: [fusion] gives \"b\" the relevance 2\n  help: choose a number from 0 to 1");
  CHECK(message(good + "[fusion]\nannealing = 2\n") == "s/x.toml:13: \"annealing\" in [fusion] is 2, outside 0 to 1");
}

TEST_CASE("study file: images and signals") {
  const ModalityConfig m = parse_study(with(good, "hidden = [8]",
                                            "type = 'cnn', shape = [1, 4, 4], hidden = [2, 3] }\n"
                                            "standardize = false\nindicators = true # "),
                                       "s/x.toml")
                               .modalities[0];
  CHECK(m.encoder.type == "cnn");
  CHECK(m.encoder.shape == std::vector<std::int64_t>{1, 4, 4});
  CHECK_FALSE(m.standardize);
  CHECK(m.indicators);
  const ModalityConfig assumed = parse_study(good, "s/x.toml").modalities[0];
  CHECK(assumed.standardize);
  CHECK_FALSE(assumed.indicators);
}

TEST_CASE("study file: messages with the line and the nearest name") {
  CHECK(message(good + "[train]\nepoch = 3\n") ==
        "s/x.toml:13: unknown key \"epoch\" in [train]; the closest name is \"epochs\"");
  CHECK(message(good + "[trian]\n") ==
        "s/x.toml:12: unknown key \"trian\" in the study file; the closest name is \"train\"");
  CHECK(
      message(good + "[fusion]\nname = 'gatte'\n")
          .starts_with(
              "s/x.toml:13: unknown fusion \"gatte\"; the closest name is \"gate\"\n  help: choose one of \"concat\""));
  CHECK(message(good + "[compare]\nfusions = ['late',\n 'sofmax']\n")
            .starts_with("s/x.toml:13: unknown fusion \"sofmax\"; the closest name is \"softmax\""));
  CHECK(message(good + "[train]\noptimizer = 'adamv'\n")
            .starts_with("s/x.toml:13: unknown optimizer \"adamv\"; the closest name is \"adam\""));
  CHECK(message(good + "[train]\nepochs = 'many'\n") ==
        "s/x.toml:13: \"epochs\" in [train] is string, not a whole number");
  CHECK(message(good + "[train]\nepochs = 0\n") == "s/x.toml:13: \"epochs\" in [train] is 0, outside 1 to 1000000");
  CHECK(message(good + "[train]\nfolds = 1\n") ==
        "s/x.toml:13: \"folds\" in [train] is 1: give 2 or more, or leave it out");
  CHECK(message(good + "[compare]\nmetric = 'roc_acu'\n")
            .starts_with("s/x.toml:13: unknown metric \"roc_acu\"; the closest name is \"roc_auc\""));
  CHECK(message(good + "[fusion]\nweights = [1, 2, 3]\n") == "s/x.toml:12: [fusion] gives 3 weights for 2 modalities");
  CHECK(message(with(good, "hidden = [8]", "hiden = [8]")) ==
        "s/x.toml:8: unknown key \"hiden\" in encoder of \"a\"; the closest name is \"hidden\"");
  CHECK(message(with(good, "rest = true", "")) ==
        "s/x.toml:9: modality \"b\" needs exactly one of columns, rest = true, files");
  CHECK(message(with(good, "name = 'b'", "name = 'a'")) == "s/x.toml:9: there are two modalities \"a\"");
  CHECK(message(with(good, "columns = ['p*', 'q']", "rest = true")) ==
        "s/x.toml:9: \"a\" and \"b\" both take the rest of the columns");
  CHECK(message(with(good, "target = 'y'", "")) ==
        "s/x.toml:1: [study] needs a target: a column, or a list of NPY files");
  CHECK(message("[study]\ntarget = 'y'\n") == "s/x.toml: there is no [[modality]]");
  CHECK(message("x = 1\n") == "s/x.toml: there is no [study] table with name and target");
  CHECK(message("[study\n").starts_with("s/x.toml:1: "));
}

TEST_CASE("study file: data that are elsewhere") {
  unsetenv("WEFT_TEST_DATA");
  const std::string source = with(good, "x.csv", "${WEFT_TEST_DATA}/x.csv");
  CHECK(message(source) ==
        "s/x.toml:4: data not found: ${WEFT_TEST_DATA}/x.csv\n"
        "  help: set WEFT_TEST_DATA to the folder that holds the data sets");
  CHECK_THROWS_AS(parse_study(source, "s/x.toml"), MissingData);
  CHECK(parse_study(source, "s/x.toml", Environment::optional).data.file == "${WEFT_TEST_DATA}/x.csv");
  const std::string folder = with(good, "[data]", "[data]\nfolder = '${WEFT_TEST_DATA}/one'");
  CHECK(parse_study(folder, "s/x.toml", Environment::optional).data.file == "${WEFT_TEST_DATA}/one/x.csv");
  setenv("WEFT_TEST_OTHER", "/other", 1);
  CHECK(unset_name("${WEFT_TEST_OTHER}/${WEFT_TEST_DATA}/x") == "WEFT_TEST_DATA");
  unsetenv("WEFT_TEST_OTHER");
  CHECK(unset_name("x/${/y") == "");
  CHECK(MissingData(Place{"x.toml", 3}, "${WEFT_TEST_DATA}/x").reason ==
        "data not found: ${WEFT_TEST_DATA}/x (set WEFT_TEST_DATA to the folder that holds the data sets)");
  setenv("WEFT_TEST_DATA", "/somewhere", 1);
  CHECK(parse_study(source, "s/x.toml").data.file == "/somewhere/x.csv");
  unsetenv("WEFT_TEST_DATA");
}
