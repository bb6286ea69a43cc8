// What is asked for: an abbreviation, a description, a thing, a person, a place, a number?
// 5,452 questions to learn from, of ten words each: most words of a test question were seen a few times, or never. So a
// word is known by its own vector and by those of its parts ("inventor" looks like "invented"), and filters of two to
// four words look for what gives the kind away ("how many", "who was the"). What
// is used is the average of the last weights. Dropout and learning rates were chosen on a fifth of the training
// questions (--validate tries all five fifths).
//   trec6 [--full | --validate] [--seeds N] [--seed FIRST] [--threads N]      data: $WEFT_DATA/text_trec6/*.tsv
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <weft/weft.h>

#include "arguments.h"
#include "trec6_questions.h"

using namespace weft;

/// Trains one network; returns the probabilities (N, 6) that its average gives for questions unseen.
template <class Net>
Tensor probabilities(Net net, const Tensor& words, const Tensor& kinds, const Tensor& unseen, double lr, int epochs,
                     std::uint64_t seed, std::vector<double>* losses) {
  data::TensorLoader loader(words, kinds, {.batch_size = 64, .seed = seed});
  optim::AdamW optimizer(parameters(net), {.lr = lr, .weight_decay = 1e-2});
  optim::Scheduler schedule(
      optimizer, optim::OneCycleLr{.max_lr = lr, .total_steps = epochs * loader.steps() + 1, .cycle_momentum = false});
  optim::ModelAverage<Net> average(net, {.decay = 0.99});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (auto& [x, y] : loader) {
      const Tensor loss = cross_entropy(net(x), y, {.label_smoothing = 0.05});
      loss.backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      average.update(net);
      total += loss.item() / static_cast<double>(loader.steps());
    }
    if (losses) losses->push_back(total);
  }
  eval(average.model);
  const NoGrad off;
  return softmax(average.model(unseen), 1);
}

/// Accuracy of one network on questions unseen.
double accuracy(const std::string& kind, const Questions& seen, const Questions& unseen, std::uint64_t seed,
                std::vector<double>* losses) {
  const data::WordCoder coder = data::WordCoder::fit(seen.texts, {.buckets = 5000, .max_parts = 16});
  const Tensor words = coder.encode(seen.texts), others = coder.encode(unseen.texts), kinds = from(seen.kinds);
  const TextEmbeddingOptions embedding{.num_embeddings = coder.size(), .embedding_dim = 100};
  manual_seed(seed);
  const Tensor p =
      kind == "CNN"
          ? probabilities(
                TextCnn({.embedding = embedding, .out_features = 6, .widths = {2, 3, 4}, .embedding_dropout = 0.1}),
                words, kinds, others, 2e-3, 12, seed, losses)
          : probabilities(TextBag({.embedding = embedding, .out_features = 6, .dropout = 0.2}), words, kinds, others,
                          3e-3, 12, seed, losses);
  return mean(to(eq(argmax(p, 1), from(unseen.kinds)), DType::float32)).item();
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, true);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1);
  const std::string folder = std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/text_trec6/";
  if (!std::filesystem::exists(folder + "train.tsv"))
    return std::puts("skipped: no text_trec6/train.tsv; set WEFT_DATA to the folder that holds text_trec6") < 0;
  const Questions train = read(folder + "train.tsv"), test = read(folder + "test.tsv");
  std::vector<std::pair<Questions, Questions>> parts;
  Generator g{3};
  if (arguments.validate)
    for (const data::Split& fold : data::stratified_k_fold(train.kinds, 5, g))
      parts.emplace_back(pick(train, fold.train), pick(train, fold.test));
  else
    parts.emplace_back(train, test);
  show::TextTable table({"model", "accuracy", "deviation over seeds"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (const std::string kind : {"CNN", "mean of words"}) {
    std::vector<double> all, losses;
    for (int s = 0; s < seeds; ++s) {
      double right = 0;
      for (const auto& [seen, unseen] : parts) {
        right += accuracy(kind, seen, unseen, arguments.seed + static_cast<std::uint64_t>(s),
                          losses.empty() ? &losses : nullptr);
        progress.update(++done, 2 * seeds * std::ssize(parts), kind);
      }
      all.push_back(right / static_cast<double>(parts.size()));
    }
    curves.push_back({kind, losses});
    table.row(
        {kind, show::fixed(mean(from(all)).item()), show::fixed(seeds > 1 ? std::sqrt(var(from(all)).item()) : NAN)});
  }
  progress.finish();
  std::printf("%s, %d seeds (TF-IDF with logistic regression: 0.884 on the test questions)\n%s",
              arguments.validate ? "Five folds of the training questions" : "Test questions", seeds,
              table.str(show::Style::of(stdout)).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/trec6.svg", curves, {.title = "TREC-6", .x_label = "epoch", .y_label = "training loss"});
  std::puts("training loss by epoch: runs/trec6.svg");
}
