// New classes from a handful of samples: does what was learned from others help?
// Encoders learn digits 0 to 6 and stay as they are; 7, 8 and 9 are then told apart by the distance to the mean of k
// samples of each (prototypes). Encoders learn as a classifier does, or in episodes, where they do what will be asked
// of them. Beside them stand the same distances of plain measurements. And all are looked at in two ways:
//   plain    as they are
//   scaled   so that samples of one digit among 0 to 6 spread alike in all directions (shrinkage 0.5, 0.1 or 0.02)
// Which to use is chosen within digits 0 to 6 (--validate): four are learned, the other three are the new ones.
//   few_shot [--full] [--validate] [--seeds N] [--seed FIRST] [--threads N]
// The default takes one seed, --full ten. Draws runs/few_shot_*.svg. Data: $WEFT_DATA/mfeat_digits_6views and
// av_digits_mnist_fsdd.
#include "arguments.h"
#include "few_shot_data.h"

struct Space {
  std::string from, how;
  double shrinkage = 0;          // 0: as it is
  std::array<Reals, 4> right{};  // of k = 1, 2, 5, 10; one per seed
  std::string name() const { return from + ", " + how; }
};

/// Accuracy on `rare`, in 50 episodes of k samples each, of embeddings z (N, D) of all.
double few_shot(const Tensor& z, const Rows& labels, std::int64_t k, std::uint64_t seed) {
  Generator episodes{seed, 1 << 20};  // the same for all spaces
  double right = 0;
  for (int episode = 0; episode < 50; ++episode) {
    const data::Split split = fusion::few_shot_split(labels, k, episodes);
    const Tensor y = from(labels);
    const auto own = to_vector<std::int64_t>(data::take_rows(y, split.train));
    const fusion::Prototypes head(data::take_rows(z, split.train), own, 3);
    const Tensor said = argmax(head(data::take_rows(z, split.test)), 1);
    right += mean(to(eq(said, data::take_rows(y, split.test)), DType::float32)).item() / 50;
  }
  return right;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, true);
  const std::string root = std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : "";
  const std::string mfeat = root + "/mfeat_digits_6views/", av = root + "/av_digits_mnist_fsdd/";
  std::vector<Digits> sets;
  if (std::filesystem::exists(mfeat)) sets.push_back(measured(mfeat));
  if (std::filesystem::exists(av)) sets.push_back(seen_and_heard(av));
  if (sets.empty())
    return std::puts("skipped: set WEFT_DATA to a folder with mfeat_digits_6views/ or av_digits_mnist_fsdd/") < 0;
  const int seeds = arguments.seeds_or(arguments.full ? 10 : 1), steps = 200;
  const Rows ks = {1, 2, 5, 10};
  // Digits that are learned, and those that are new then.
  using Parts = std::vector<std::pair<Rows, Rows>>;
  const Parts within = {{{0, 1, 2, 3}, {4, 5, 6}}, {{3, 4, 5, 6}, {0, 1, 2}}, {{0, 2, 4, 6}, {1, 3, 5}}};
  const Parts parts = arguments.validate ? within : Parts{{{0, 1, 2, 3, 4, 5, 6}, {7, 8, 9}}};
  show::Progress progress(stderr, false);
  for (const Digits& raw : sets) {
    std::vector<Space> spaces;
    for (const char* from : {"measurements", "classifier", "episodes"})
      for (const auto& [how, shrinkage] :
           {std::pair("plain", 0.0), {"scaled 0.5", 0.5}, {"scaled 0.1", 0.1}, {"scaled 0.02", 0.02}})
        spaces.push_back({from, how, shrinkage});
    for (int s = 0; s < seeds; ++s) {
      const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
      for (auto& space : spaces)
        for (Reals& right : space.right) right.push_back(0);
      for (const auto& [common, rare] : parts) {
        const Digits d = prepared(raw, common);
        const Rows known = d.of(common, true), fresh = d.of(rare, arguments.validate), names = d.labels_of(known);
        Rows labels = d.labels_of(fresh);
        for (std::int64_t& y : labels) y = std::ranges::find(rare, y) - rare.begin();
        for (std::size_t i = 0; i < spaces.size(); i += 4) {  // four ways to look at each
          progress.update(s, seeds, raw.name + ", " + spaces[i].from);
          Tensor z_known = cat(d.all.rows(known).features, 1), z_new = cat(d.all.rows(fresh).features, 1);
          if (i > 0) {
            const fusion::Classifier net = learned(d, common, spaces[i].from == "episodes", steps, seed);
            z_known = fusion::embed(net, d.all.rows(known)), z_new = fusion::embed(net, d.all.rows(fresh));
          }
          for (std::size_t way = i; way < i + 4; ++way) {
            const double shrinkage = spaces[way].shrinkage;
            const Tensor z =
                shrinkage == 0 ? z_new : fusion::WithinClassScaling(z_known, names, {.shrinkage = shrinkage})(z_new);
            for (std::size_t k = 0; k < ks.size(); ++k)
              spaces[way].right[k].back() += few_shot(z, labels, ks[k], seed) / static_cast<double>(parts.size());
          }
        }
      }
    }
    progress.finish();
    show::TextTable table(
        {raw.name + (arguments.validate ? ", within 0 to 6" : ", 7, 8, 9"), "k = 1", "k = 2", "k = 5", "k = 10"});
    std::vector<show::Line> lines;
    for (const Space& space : spaces) {
      std::vector<std::string> row = {space.name()};
      lines.push_back({space.name(), {}, {ks.begin(), ks.end()}});
      for (const Reals& right : space.right) {
        const data::Interval i = data::mean_interval(right);
        lines.back().y.push_back(i.estimate);
        row.push_back(show::fixed(i.estimate) +
                      (seeds > 1 ? " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")" : ""));
      }
      table.row(row);
    }
    std::printf("%d seeds\n%s\n", seeds, table.str(show::Style::of(stdout)).c_str());
    std::filesystem::create_directories("runs");
    show::save_plot("runs/few_shot_" + raw.name + ".svg", lines,
                    {.title = "New digits, " + raw.name, .x_label = "samples of each", .y_label = "accuracy"});
  }
}
