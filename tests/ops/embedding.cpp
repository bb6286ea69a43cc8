#include "record.h"

namespace weft::tests {
namespace {

constexpr const char* only_places = "the result is whole numbers";

EmbeddingBagOptions bag_options(const Args& a) {
  const std::string& mode = a.word("mode");
  return {.offsets = a.tensor("offsets"),
          .mode = mode == "sum"   ? BagMode::sum
                  : mode == "max" ? BagMode::max
                                  : BagMode::mean,
          .weights = a.tensor("per_sample_weights"),
          .padding = a.has("padding_idx") ? a.integer("padding_idx") : -1,
          .include_last_offset = a.flag("include_last_offset")};
}

/// Bag by bag, in plain loops.
Tensor bagged(const Args& a) {
  const EmbeddingBagOptions o = bag_options(a);
  const Tensor table = a.tensor("weight"), ids = a.tensor("input");
  const std::vector<double> x = to_vector<double>(table);
  const std::vector<std::int64_t> id = to_vector<std::int64_t>(ids);
  const std::vector<double> weights =
      o.weights.defined() ? to_vector<double>(o.weights) : std::vector<double>(id.size(), 1);
  const std::size_t width = static_cast<std::size_t>(table.shape()[1]);
  std::vector<std::int64_t> ends;
  if (ids.dim() == 2) {
    for (std::int64_t b = 0; b <= ids.shape()[0]; ++b) ends.push_back(b * ids.shape()[1]);
  } else {
    ends = to_vector<std::int64_t>(o.offsets);
    if (!o.include_last_offset) ends.push_back(ids.numel());
  }
  std::vector<double> y;
  for (std::size_t b = 0; b + 1 < ends.size(); ++b)
    for (std::size_t j = 0; j < width; ++j) {
      double sum = 0, most = 0;
      int count = 0;
      for (auto i = static_cast<std::size_t>(ends[b]); i < static_cast<std::size_t>(ends[b + 1]); ++i) {
        if (id[i] == o.padding) continue;
        const double v = x[static_cast<std::size_t>(id[i]) * width + j] * weights[i];
        most = count++ == 0 ? v : std::max(most, v);
        sum += v;
      }
      y.push_back(o.mode == BagMode::max ? most : o.mode == BagMode::sum || count == 0 ? sum : sum / count);
    }
  return from(y, {static_cast<std::int64_t>(ends.size()) - 1, table.shape()[1]});
}

const Family embeddings{
    Record{.name = "embedding",
           .torch = {"nn.functional.embedding(weight, input, padding_idx=None, max_norm=None, norm_type=2.0,"
                     " scale_grad_by_freq=False, sparse=False)"},
           .call =
               [](const Args& a) {
                 return embedding(a.tensor("weight"), a.tensor("input"),
                                  a.has("padding_idx") ? a.integer("padding_idx") : -1);
               },
           .samples = {"x(6, 3), index(4, below=6)", "x(6, 3), index(2, 2, below=6)", "x(6, 3), index(below=6)",
                       "x(6, 3), index(0)", "x(6, 3), tensor([5, 0], 'int32')"},
           .errors = {{"x(3), index(2)", "ShapeError: embedding: the table is [3], not (entries, features)"},
                      {"x(3, 2), x(2)",
                       "DtypeError: embedding: the index is float64\n  help: convert it with to(index, DType::int64)"},
                      {"x(3, 2), index(2), 5", "ConfigError: embedding: padding 5 is not a row of a table of 3"},
                      {"x(3, 2), tensor([0, 2, -1], 'int64')",
                       "ConfigError: embedding: id -1 at position 2 is not a row of a table of 3\n"
                       "  help: use ids from 0 to 2"},
                      {"x(3, 2), tensor([[0, 3]], 'int32')",
                       "ConfigError: embedding: id 3 at position 1 is not a row of a table of 3\n"
                       "  help: use ids from 0 to 2"}}},
    Record{.name = "embedding/padding",
           .weft = "embedding(weight, input, padding)",
           .call = [](const Args& a) { return embedding(a.tensor("weight"), a.tensor("input"), a.integer("padding")); },
           .samples = {"x(6, 3), index(9, below=6), 2"},
           .no_gradient = "the padding row's gradient is 0 by intent; the tests of the tape cover it"},
    Record{.name = "one_hot",
           .torch = {"nn.functional.one_hot(input, num_classes=-1)"},
           .call = [](const Args& a) { return one_hot(a.tensor("input"), a.integer("num_classes")); },
           .samples = {"index(5, below=4), 4", "index(2, 3, below=3)", "index(below=2), 3", "index(0), 3"},
           .result = Result::int64,
           .no_gradient = only_places,
           .errors = {{"tensor([0, 4], 'int64'), 3", "ConfigError: one_hot: class 4 is not among 3"},
                      {"tensor([0, -1], 'int64'), 3", "ConfigError: one_hot: class -1 is not among 3"},
                      {"tensor([0, -1], 'int64')", "ConfigError: one_hot: class -1 is not among 1"},
                      {"index(3, below=3), 1099511627776",
                       "ConfigError: one_hot: 1099511627776 classes are more than 1099511627775"},
                      {"index(0)",
                       "ConfigError: one_hot: no ids to count the classes by\n  help: pass the number of classes"}}},
    Record{
        .name = "embedding_bag",
        .torch = {"nn.functional.embedding_bag(weight, input, offsets=None, max_norm=None, norm_type=2, "
                  "scale_grad_by_freq=False, mode='mean', sparse=False, per_sample_weights=None, "
                  "include_last_offset=False, padding_idx=None)"},
        .call = [](const Args& a) { return embedding_bag(a.tensor("weight"), a.tensor("input"), bag_options(a)); },
        .samples = {"distinct(6, 3), index(2, 4, below=6)", "x(6, 3), index(2, 4, below=6), mode='sum'",
                    "distinct(6, 3), index(2, 4, below=6), mode='max'",
                    "distinct(6, 3), index(7, below=6), tensor([0, 3, 3, 5], 'int64')",
                    "distinct(6, 3), index(7, below=6), tensor([0, 3, 3, 5], 'int64'), mode='max'",
                    "x(6, 3), index(7, below=6), tensor([0, 2], 'int32'), mode='sum', per_sample_weights=x(7)",
                    "x(6, 3), index(7, below=6), tensor([0, 2, 5], 'int64'), mode='sum', include_last_offset=True, "
                    "per_sample_weights=x(7)",
                    "x(6, 3), index(0), tensor([0, 0], 'int64')", "x(6, 3), index(0, 4)", "x(6, 3), index(2, 0)",
                    "x(6, 3), index(0), tensor([0, 0], 'int64'), mode='max'"},
        .reference = bagged,
        .errors = {{"x(3), index(2, 2)", "ShapeError: embedding_bag: the table is [3], not (entries, features)"},
                   {"x(3, 2), index(4, below=3)",
                    "ShapeError: embedding_bag: the ids are [4] without offsets\n  help: pass (B, L) without or (N,) "
                    "with offsets"},
                   {"x(3, 2), index(4, below=3), tensor([0, 3, 2], 'int64')",
                    "ConfigError: embedding_bag: bag 1 lasts from 3 to 2 of 4 ids"},
                   {"x(3, 2), index(4, below=3), tensor([1, 3], 'int64')",
                    "ConfigError: embedding_bag: the first offset is 1, not 0"},
                   {"x(3, 2), index(4, below=3), tensor([0, 9], 'int64')",
                    "ConfigError: embedding_bag: bag 0 lasts from 0 to 9 of 4 ids"},
                   {"x(3, 2), index(1, 2), per_sample_weights=x(1, 2)",
                    "ConfigError: embedding_bag: weights go with the sum only\n  help: set mode = BagMode::sum"},
                   {"x(3, 2), index(1, 2), mode='sum', per_sample_weights=x(2)",
                    "ShapeError: embedding_bag: the ids are [1, 2], their weights [2]"},
                   {"x(3, 2), index(1, 2), padding_idx=7",
                    "ConfigError: embedding_bag: padding 7 is not a row of a table of 3"},
                   {"x(3, 2), tensor([[2, -3]], 'int64'), padding_idx=2",
                    "ConfigError: embedding_bag: id -3 at position 1 is not a row of a table of 3\n"
                    "  help: use ids from 0 to 2"},
                   {"x(3, 2), tensor([0, 3], 'int64'), tensor([0], 'int64'), mode='max'",
                    "ConfigError: embedding_bag: id 3 at position 1 is not a row of a table of 3\n"
                    "  help: use ids from 0 to 2"}}},
    Record{.name = "embedding_bag/padding",
           .weft = "embedding_bag(weight, input, offsets=None, mode='mean', per_sample_weights=None, "
                   "include_last_offset=False, padding_idx=None)",
           .call = [](const Args& a) { return embedding_bag(a.tensor("weight"), a.tensor("input"), bag_options(a)); },
           .samples = {"distinct(6, 3), index(2, 4, below=6), padding_idx=2",
                       "distinct(6, 3), index(3, 4, below=6), mode='max', padding_idx=2",
                       "distinct(6, 3), index(2, 4, below=6), mode='sum', padding_idx=0, per_sample_weights=x(2, 4)",
                       "distinct(6, 3), tensor([[2, 2]], 'int64'), padding_idx=2"},
           .reference = bagged},
};

}  // namespace
}  // namespace weft::tests
