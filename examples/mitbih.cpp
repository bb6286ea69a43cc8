// Which heart beats begin in the wrong place?
// Beats of 44 people (MIT-BIH): two leads of an ECG around each, the times between beats, age and sex. Normal beats (N)
// look and come as this person's others; one from the chambers (V) looks odd; one from the atria (S) looks nearly
// normal but comes too early: its shape says little, its time more, and both together most.
// The split is by patient (de Chazal 2004), the recipe was chosen by folds of whole records of the training half, as
// --validate repeats it, and intervals draw whole records: the beats of one patient are not independent.
//   mitbih [--full] [--validate] [--seeds N] [--seed FIRST] [--threads N]      data: $WEFT_DATA/mitbih_beats
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "arguments.h"
#include "mitbih_score.h"

/// A classifier from the named kinds of evidence.
fusion::Classifier untrained(const Names& names) {
  fusion::ClassifierOptions options{
      .names = names, .fusion = "concat", .classes = 4, .head = {64}, .dropout = 0.3, .method = {.width = 64}};
  for (const std::string& name : names) {
    fusion::EncoderChoice choice{.options = {.in_features = 3, .hidden = {8}}};
    if (name == "rhythm") choice.options = {.in_features = 9, .hidden = {32, 32}};
    if (name == "signal") {
      SignalCnn cnn(
          {.in_channels = 4, .channels = {16, 32, 64}, .kernel_size = 5, .dropout = 0.1, .pool = SignalPool::max});
      choice.own.width = cnn.width();
      choice.own.layers.add(std::move(cnn));
    }
    options.encoders.push_back(choice);
  }
  return fusion::Classifier(options);
}

fusion::Classifier trained(const Beats& b, const Names& names, std::int64_t epochs, std::uint64_t seed,
                           std::vector<double>& losses) {
  manual_seed(seed);
  fusion::Classifier net = untrained(names);
  constexpr std::int64_t batch = 128, steps = 94;  // in each epoch
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 1e-2});
  optim::Scheduler schedule(
      optimizer, optim::OneCycleLr{.max_lr = 2e-3, .total_steps = epochs * steps + 1, .cycle_momentum = false});
  optim::ModelAverage<fusion::Classifier> average(net, {.decay = 0.99});
  const std::vector<double> sums = drawing(b);
  const data::Modalities evidence = b.x.select(names);
  Generator random{seed, 1 << 20};
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const Rows rows = draw(sums, batch, random);
      Rows target;
      for (const std::int64_t row : rows) target.push_back(b.y[static_cast<std::size_t>(row)]);
      data::Modalities x = evidence.rows(rows);
      for (std::size_t m = 0; m < names.size(); ++m) {
        Tensor& each = x.features[m];
        if (names[m] == "signal")
          each = data::augment_signals(each, {.shift = 2, .stretch = 0.05, .scale = 0.15, .wander = 0.2, .noise = 0.05},
                                       random);
        else  // 22 people are few: nobody is to be known by their age
          each = each + randn(each.shape(), 0, names[m] == "rhythm" ? 0.3 : 0.5, DType::float32, random);
      }
      const Tensor loss = net.loss(net(x), from(target), {.label_smoothing = 0.05});
      loss.backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      average.update(net);
      total += loss.item() / steps;
    }
    losses.push_back(total);
  }
  eval(average.model);
  return average.model;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv, true);
  const bool validate = arguments.validate;
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), epochs = arguments.full || validate ? 6 : 3;
  const std::string folder = std::string(std::getenv("WEFT_DATA") ? std::getenv("WEFT_DATA") : ".") + "/mitbih_beats/";
  if (!std::filesystem::exists(folder + "train.npz"))
    return std::puts("skipped: no mitbih_beats/train.npz; set WEFT_DATA to the folder that holds mitbih_beats") < 0;
  const Beats train = read(folder, "train"), test = validate ? train : read(folder, "test");
  std::vector<std::pair<Beats, Beats>> parts;  // trained on, judged on
  Generator g{7};
  if (validate)
    for (const data::Split& fold : data::group_k_fold(train.record, 4, g, train.y))
      parts.emplace_back(pick(train, fold.train), pick(train, fold.test));
  else
    parts.emplace_back(train, test);
  const Names labels = {"all three", "signal", "rhythm", "person"};
  const std::vector<Names> choices = {{"signal", "rhythm", "person"}, {"signal"}, {"rhythm"}, {"person"}};
  std::vector<std::vector<std::map<std::int64_t, Counts>>> counts(choices.size());  // [choice][seed]
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (std::size_t c = 0; c < choices.size(); ++c)
    for (int seed = 1; seed <= seeds; ++seed) {
      counts[c].emplace_back();
      std::vector<double> losses;
      for (const auto& [seen, unseen] : parts)
        judge(trained(seen, choices[c], epochs, arguments.seed - 1 + static_cast<std::uint64_t>(seed), losses), unseen,
              choices[c], counts[c].back());
      if (seed == 1) curves.push_back({labels[c], losses});
      progress.update(++done, std::ssize(choices) * seeds, labels[c]);
    }
  progress.finish();

  std::printf("%s, %d seeds of %d epochs\n%straining loss: runs/mitbih.svg\n",
              validate ? "Folds of whole training records" : "22 test records", static_cast<int>(seeds),
              static_cast<int>(epochs), comparison(labels, counts, !validate).c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/mitbih.svg", curves,
                  {.title = "MIT-BIH beats", .x_label = "epoch", .y_label = "training loss"});
}
