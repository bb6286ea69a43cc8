// Knowledge for those who have little: a strong view teaches a weak one.
// 2,000 handwritten digits, seen in six ways, of which fifty are labelled. A classifier of all views learns from these
// and then tells a student, who has Zernike moments alone, what it thinks of the 1,550 others (distillation).
//   transfer [--full] [--seeds N] [--seed FIRST] [--threads N]
// The default takes three seeds, --full ten. Data: $WEFT_DATA/mfeat_digits_6views.
#include <filesystem>

#include "arguments.h"
#include "transfer_models.h"
int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* root = std::getenv("WEFT_DATA");
  const std::string at = root ? std::string(root) + "/mfeat_digits_6views/" : "";
  if (!root || !std::filesystem::exists(at))
    return std::puts("skipped: set WEFT_DATA to a folder with mfeat_digits_6views/") < 0;
  Rows fits(1600), judges(400);
  for (std::size_t i = 0; i < 2000; ++i) (i < 1600 ? fits[i] : judges[i - 1600]) = static_cast<std::int64_t>(i);
  const auto both = [&](const std::string& file) {
    return cat({to(data::load_npy(at + file + "_train.npy"), DType::float32),
                to(data::load_npy(at + file + "_test.npy"), DType::float32)},
               0);
  };
  std::vector<Tensor> features;
  for (const std::string& view : views) features.push_back(data::Standardizer::fit(both(view), fits).apply(both(view)));
  const data::Modalities all = data::Modalities::complete(views, features);
  const Tensor y = to(both("y"), DType::int64);
  const data::Modalities train = all.rows(fits), test = all.rows(judges);
  const Tensor y_train = slice(y, 0, 0, 1600), y_test = slice(y, 0, 1600, 2000);
  const Rows labels = to_vector<std::int64_t>(y_train);

  const int seeds = arguments.seeds_or(arguments.full ? 10 : 3), steps = arguments.full ? 1500 : 600;
  std::vector<Reals> taught(4);
  show::Progress progress(stderr, false);
  for (int s = 0; s < seeds; ++s) {
    progress.update(s, seeds, "seeds");
    const std::uint64_t seed = arguments.seed + static_cast<std::uint64_t>(s);
    manual_seed(seed);
    Generator g{seed};
    const Rows few = fusion::few_shot_split(labels, 5, g).train;
    const data::Modalities known = train.rows(few), small = train.select(weak);
    const Tensor y_few = data::take_rows(y_train, few);
    const auto by_labels = [](const Tensor& target) {
      return [target](const fusion::Output& out, const Tensor& rows) {
        return cross_entropy(out.logits, index_select(target, 0, rows));
      };
    };
    fusion::Classifier teacher = made(train, 10), alone = made(small, 10), student = made(small, 10),
                       best = made(small, 10);
    learn(teacher, known, steps / 2, seed, by_labels(y_few));
    learn(alone, known.select(weak), steps / 2, seed, by_labels(y_few));
    learn(best, small, steps, seed, by_labels(y_train));
    Tensor target = full({1600}, -100, DType::int64);  // no label but of the few
    for (const std::int64_t i : few) target.mutable_data<std::int64_t>()[i] = labels[static_cast<std::size_t>(i)];
    const Tensor says = [&] {
      const NoGrad off;
      return teacher(train).logits;
    }();
    learn(student, small, steps, seed, [&](const fusion::Output& out, const Tensor& rows) {
      return fusion::distillation_loss(out.logits, index_select(says, 0, rows), index_select(target, 0, rows),
                                       {.temperature = 2, .hard = 0.2});
    });

    const NoGrad off;
    const data::Modalities seen = test.select(weak);
    taught[0].push_back(accuracy(teacher(test).logits, y_test));
    taught[1].push_back(accuracy(alone(seen).logits, y_test));
    taught[2].push_back(accuracy(student(seen).logits, y_test));
    taught[3].push_back(accuracy(best(seen).logits, y_test));
  }
  progress.finish();
  show::TextTable table({"test accuracy, " + std::to_string(seeds) + " seeds", "mean (95 % interval)"});
  const char* names[] = {"teacher: all views, 50 labels", "Zernike alone, 50 labels",
                         "Zernike taught, 50 labels and 1,550 answers", "Zernike alone, 1,600 labels"};
  for (std::size_t i = 0; i < 4; ++i) table.row({names[i], shown(taught[i])});
  std::printf("%s", table.str().c_str());
}
