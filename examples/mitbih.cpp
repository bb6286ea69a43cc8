// Which heart beats begin in the wrong place?
// Beats of 44 people (MIT-BIH): two leads of an ECG around each, the times between beats, age and sex. Normal beats (N)
// look and come as this person's others; one from the chambers (V) looks odd; one from the atria (S) looks nearly
// normal but comes too early: its shape says little, its time more, and both together most.
// The split is by patient (de Chazal 2004). The recipe was chosen by folds of whole records of the training half, as
// --validate repeats it, and intervals draw whole records, since the beats of one patient are not independent.
//   mitbih [--full] [--validate] [--seeds N] [--threads N]      data: $WEFT_DATA/mitbih_beats
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <numeric>

#include <weft/autograd/grad.h>
#include <weft/data/split.h>
#include <weft/data/statistics.h>
#include <weft/fusion/classifier.h>
#include <weft/layers/signal.h>
#include <weft/optim/averaging.h>
#include <weft/optim/gradients.h>
#include <weft/optim/optimizer.h>
#include <weft/optim/schedule.h>
#include <weft/show/plot.h>
#include <weft/show/terminal.h>
#include <weft/tensor/parallel.h>

#include "mitbih_beats.h"

using Names = std::vector<std::string>;

/// A classifier from the named kinds of evidence.
fusion::Classifier untrained(const Names& names) {
  fusion::ClassifierOptions options{
      .names = names, .fusion = "concat", .classes = 4, .head = {64}, .dropout = 0.3, .method = {.width = 64}};
  for (const std::string& name : names) {
    fusion::EncoderChoice choice{.options = {.in_features = 3, .hidden = {8}}};
    if (name == "rhythm") choice.options = {.in_features = 9, .hidden = {32, 32}};
    if (name == "signal") {
      SignalCnn cnn({.in_channels = 4, .channels = {16, 32, 64}, .kernel_size = 5, .dropout = 0.1});
      choice.own.width = cnn.width();
      choice.own.layers.add(std::move(cnn));
    }
    options.encoders.push_back(choice);
  }
  return fusion::Classifier(options);
}

/// Nine of ten beats are normal, and some people have thousands of one kind: so training beats are drawn such that each
/// class has a fixed share, and a record's part in it grows with the root of its number of beats.
std::vector<double> drawing(const Beats& b) {
  constexpr std::array share = {0.6, 0.18, 0.2, 0.02};
  std::map<std::pair<std::int64_t, std::int64_t>, double> cells;
  for (std::size_t i = 0; i < b.y.size(); ++i) cells[{b.y[i], b.record[i]}] += 1;
  std::array<double, 5> roots{};
  for (const auto& [cell, n] : cells) roots[static_cast<std::size_t>(cell.first)] += std::sqrt(n);
  std::vector<double> sums;
  for (std::size_t i = 0; i < b.y.size(); ++i) {
    const auto c = static_cast<std::size_t>(b.y[i]);  // the 8 unclassifiable beats (Q) are left out
    const double p = c > 3 ? 0 : share[c] / roots[c] / std::sqrt(cells[{b.y[i], b.record[i]}]);
    sums.push_back((sums.empty() ? 0 : sums.back()) + p);
  }
  return sums;
}

fusion::Classifier trained(const Beats& b, const Names& names, int epochs, std::uint64_t seed,
                           std::vector<double>* losses = nullptr) {
  manual_seed(seed);
  fusion::Classifier net = untrained(names);
  constexpr std::int64_t batch = 128, steps = 94;
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 1e-2});
  optim::Scheduler schedule(
      optimizer, optim::OneCycleLr{.max_lr = 2e-3, .total_steps = epochs * steps + 1, .cycle_momentum = false});
  optim::ModelAverage<fusion::Classifier> average(net, {.decay = 0.99});
  const std::vector<double> sums = drawing(b);
  const data::Modalities evidence = b.x.select(names);
  Generator random{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      Rows rows, target;
      while (std::ssize(rows) < batch) {
        const auto at = std::upper_bound(sums.begin(), sums.end(), random.uniform() * sums.back()) - sums.begin();
        rows.push_back(std::min<std::int64_t>(at, std::ssize(sums) - 1));
        target.push_back(b.y[static_cast<std::size_t>(rows.back())]);
      }
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
    if (losses) losses->push_back(total);
  }
  eval(average.model);
  return average.model;
}

using Counts = std::array<std::array<double, 5>, 5>;  // [truth][decision]

/// Adds what `net` decides to the counts of each record.
void judge(const fusion::Classifier& net, const Beats& b, const Names& names, std::map<std::int64_t, Counts>& counts) {
  const NoGrad off;
  const data::Modalities evidence = b.x.select(names);
  for (std::int64_t begin = 0; begin < std::ssize(b.y); begin += 2048) {
    Rows rows(static_cast<std::size_t>(std::min<std::int64_t>(2048, std::ssize(b.y) - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const Rows said = to_vector<std::int64_t>(argmax(net(evidence.rows(rows)).logits, 1));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<std::size_t>(rows[i]);
      counts[b.record[at]][static_cast<std::size_t>(b.y[at])][static_cast<std::size_t>(said[i])] += 1;
    }
  }
}

struct Figures {
  double macro_f1 = 0, f1[3] = {}, sensitivity[3] = {}, precision[3] = {};
};
/// Of N, S and V, from the counts of the records drawn, as a mean over the seeds.
Figures figures(const std::vector<std::map<std::int64_t, Counts>>& seeds, const Rows& records) {
  Figures mean;
  for (const auto& counts : seeds)
    for (std::size_t k = 0; k < 3; ++k) {
      double both = 0, truly = 0, said = 0;
      for (const std::int64_t r : records)
        for (std::size_t j = 0; j < 5; ++j) {
          const Counts& c = counts.at(r);
          both += j == k ? c[k][k] : 0;
          truly += c[k][j];
          said += c[j][k];
        }
      const double n = static_cast<double>(seeds.size()), f1 = truly + said > 0 ? 2 * both / (truly + said) : 0;
      mean.macro_f1 += f1 / 3 / n;
      mean.f1[k] += f1 / n;
      mean.sensitivity[k] += truly > 0 ? both / truly / n : 0;
      mean.precision[k] += said > 0 ? both / said / n : 0;
    }
  return mean;
}

int main(int count, char** words) {
  int seeds = 1, epochs = 3;
  bool validate = false;
  for (int i = 1; i < count; ++i) {
    if (!std::strcmp(words[i], "--full")) seeds = 5, epochs = 6;
    if (!std::strcmp(words[i], "--validate")) validate = true, epochs = 6;
    if (!std::strcmp(words[i], "--seeds") && i + 1 < count) seeds = std::atoi(words[i + 1]);
    if (!std::strcmp(words[i], "--threads") && i + 1 < count) set_num_threads(std::atoi(words[i + 1]));
  }
  const char* data_folder = std::getenv("WEFT_DATA");
  const std::string folder = std::string(data_folder ? data_folder : ".") + "/mitbih_beats/";
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
        judge(trained(seen, choices[c], epochs, static_cast<std::uint64_t>(seed), &losses), unseen, choices[c],
              counts[c].back());
      if (seed == 1) curves.push_back({c == 0 ? "all three" : choices[c][0], losses});
      progress.update(++done, std::ssize(choices) * seeds, curves.back().name);
    }
  progress.finish();

  Rows records;
  for (const auto& [record, n] : counts[0][0]) records.push_back(record);
  const auto drawn = [&](std::span<const std::int64_t> index) {
    Rows all;
    for (const std::int64_t i : index) all.push_back(records[static_cast<std::size_t>(i)]);
    return all;
  };
  show::TextTable table(
      {"evidence", "macro-F1", "95 % interval", "F1 of N", "S", "V", "V sensitivity", "all three minus this"});
  for (std::size_t c = 0; c < choices.size(); ++c) {
    const Figures f = figures(counts[c], records);
    const auto interval = [&](auto&& statistic) { return data::bootstrap(std::ssize(records), statistic); };
    const data::Interval own = interval([&](auto index) { return figures(counts[c], drawn(index)).macro_f1; });
    const data::Interval gain = interval([&](auto index) {
      return figures(counts[0], drawn(index)).macro_f1 - figures(counts[c], drawn(index)).macro_f1;
    });
    table.row(
        {curves[c].name, show::fixed(f.macro_f1), show::fixed(own.low) + " to " + show::fixed(own.high),
         show::fixed(f.f1[0]), show::fixed(f.f1[1]), show::fixed(f.f1[2]), show::fixed(f.sensitivity[2]),
         c == 0 ? "-"
                : show::fixed(gain.estimate) + " (" + show::fixed(gain.low) + " to " + show::fixed(gain.high) + ")"});
  }
  // Random forests on the same test beats: sensitivity and precision of N, S, V as the data's README gives them.
  const auto forest = [&](const char* name, std::array<double, 6> figure) {
    std::vector<std::string> cells = {name, "", "-"};
    double macro = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      const double f1 = 2 * figure[2 * k] * figure[2 * k + 1] / (figure[2 * k] + figure[2 * k + 1]);
      macro += f1 / 3;
      cells.push_back(show::fixed(f1));
    }
    cells[1] = show::fixed(macro);
    cells.insert(cells.end(), {show::fixed(figure[4]), "-"});
    table.row(cells);
  };
  table.rule();
  if (!validate) forest("forest, both leads + RR", {0.9966, 0.9506, 0.0523, 0.5106, 0.9050, 0.9337});
  if (!validate) forest("forest, one lead + RR", {0.9767, 0.9518, 0.1029, 0.4335, 0.9137, 0.7620});
  std::printf("%s, %d seed%s of %d epochs\n", validate ? "Folds of whole training records" : "22 test records", seeds,
              seeds > 1 ? "s" : "", epochs);
  std::fputs(table.str().c_str(), stdout);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/mitbih.svg", curves,
                  {.title = "MIT-BIH beats", .x_label = "epoch", .y_label = "training loss"});
  std::puts("training loss by epoch: runs/mitbih.svg");
}
