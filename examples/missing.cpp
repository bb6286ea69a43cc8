// What to do when evidence is missing?
// Patients lack a kind of evidence: always (heart, miniacc) or because we take it away at a growing rate (rosmap,
// ham10000). The same gated fusion is trained five times, each time with some evidence taken away while it learns, and
// what differs is only what it is given in the gaps:
//   masks       nothing: a missing modality weighs 0
//   zeros       0, in the units of the data, as if it had been measured
//   means       the mean of the training patients
//   completion  what a variational autoencoder thinks it may look like, and how sure that is: a completed
//               modality counts as much less as it is unsure
//   unprepared  zeros, too, but nothing was missing while it learned
//   missing [--full] [--seeds SPLITS] [--seed FIRST] [--threads N]
// The default takes three splits; --full twenty, and ham10000 as well (five). Draws runs/missing_*.svg.
#include "missing_data.h"

#include "arguments.h"

constexpr DType f32 = DType::float32;
const std::vector<std::string> ways = {"masks", "zeros", "means", "completion", "unprepared"};
enum { masks, zeros_in, means_in, completion, unprepared };
/// What becomes of gaps before a network sees them.
using Fill = std::function<data::Modalities(const data::Modalities&)>;

/// So many epochs that about `steps` batches come together.
int epochs_for(std::int64_t rows, int batch, int steps) {
  return std::clamp(static_cast<int>(steps * batch / rows), 20, 60);
}
int batch_for(std::int64_t rows) { return rows > 2000 ? 128 : 32; }

fusion::Completion completing(const data::Modalities& x, const Tensor& y, std::uint64_t seed) {
  manual_seed(seed);
  fusion::Completion net(x, {.latent = 16, .hidden = {64}, .dropout = 0.2});
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.01});
  const int batch = batch_for(x.batch()), epochs = 2 * epochs_for(x.batch(), batch, 400);
  data::Loader loader(x, y, {.batch_size = batch, .seed = seed});
  Generator drops{seed, 1 << 20};
  std::int64_t step = 0;
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [all, unused] : loader) {
      net.bound(fusion::drop_modalities(all, 0.3, drops), all, {}, drops).loss(beta_warmup(step++, 200)).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

fusion::Classifier trained(const Patients& p, const data::Modalities& x, const Tensor& y, const Fill& fill,
                           double dropped, std::uint64_t seed) {
  manual_seed(seed);
  fusion::ClassifierOptions options{.names = p.kinds, .fusion = "gate", .classes = p.classes, .dropout = 0.3};
  options.method.quality_weight = 1;  // of a quality there is: completed evidence has one
  for (const Tensor& f : x.features)
    options.encoders.push_back({"mlp", {.in_features = f.size(1), .hidden = {32}, .dropout = 0.4}});
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 2e-3, .weight_decay = 0.05});
  const int batch = batch_for(x.batch()), epochs = epochs_for(x.batch(), batch, 400);
  data::Loader loader(x, y, {.batch_size = batch, .seed = seed});
  Generator drops{seed, 1 << 20};
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (auto& [all, target] : loader) {
      net.loss(net(fill(fusion::drop_modalities(all, dropped, drops))), target).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  eval(net);
  return net;
}

/// Accuracy and ROC AUC of one split, [way][rate].
struct Scores {
  std::array<Reals, 5> accuracy, auc;
};
Scores judged(const Patients& p, const data::Split& split, std::uint64_t seed) {
  data::Modalities all{
      p.kinds, {}, empty({p.tables[0].rows(), static_cast<std::int64_t>(p.kinds.size())}, DType::boolean)};
  std::vector<Tensor> zero, present;  // what 0 is after standardisation
  for (const data::Table& table : p.tables) {
    const auto coder =
        data::TableEncoder::fit(table, std::vector<std::string>{"*"}, split.train, {.unseen = data::Unseen::unknown});
    const data::Encoded encoded = coder.apply(table);
    all.features.push_back(encoded.features), present.push_back(encoded.present);
    Reals of_parts;
    for (const auto& part : coder.parts)
      for (std::size_t k = 0; k < std::max<std::size_t>(1, part.levels.size()); ++k)
        of_parts.push_back(part.categorical ? 0 : -part.mean / part.deviation);
    zero.push_back(from(of_parts));
  }
  all.present = stack(present, 1);
  const data::Modalities train = all.rows(split.train), test = all.rows(split.test);
  const Tensor target = from(p.labels), y = data::take_rows(target, split.train);
  const fusion::Completion net = completing(train, y, seed);
  Generator draws{seed, 1 << 21};
  const Fill fills[] = {
      [](const data::Modalities& x) { return x; },
      [&](const data::Modalities& x) { return fusion::filled_with(x, zero); },
      [&, mean = fusion::measure(train).mean](const data::Modalities& x) { return fusion::filled_with(x, mean); },
      [&](const data::Modalities& x) { return net.complete(x, 16, {}, draws).admitted(); },
      [&](const data::Modalities& x) { return fusion::filled_with(x, zero); }};
  Scores scores;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    const fusion::Classifier judge = trained(p, train, y, fills[way], way == unprepared ? 0 : 0.3, seed);
    for (const double rate : p.rates) {
      Generator gaps{seed, 1 << 22};  // the same gaps for all ways
      const NoGrad off;
      const Tensor said = softmax(judge(fills[way](fusion::drop_modalities(test, rate, gaps))).logits, 1);
      const auto answers = data::Predictions::of(data::take_rows(target, split.test), said);
      scores.accuracy[way].push_back(data::metric("accuracy").compute(answers));
      scores.auc[way].push_back(data::metric("roc_auc").compute(answers));
    }
  }
  return scores;
}

/// Mean over the rates, by the trapezoid rule: the area under the curve, per rate.
double area(const Reals& y) {
  double sum = 0;
  for (std::size_t i = 1; i < y.size(); ++i) sum += (y[i - 1] + y[i]) / 2 / static_cast<double>(y.size() - 1);
  return y.size() == 1 ? y[0] : sum;
}

void report(const Patients& p, const std::vector<Scores>& runs) {
  const auto mean_at = [&](std::size_t way, std::size_t rate, std::size_t first, std::size_t step) {
    Reals values;
    for (std::size_t i = first; i < runs.size(); i += step) values.push_back(runs[i].accuracy[way][rate]);
    return data::mean_interval(values).estimate;
  };
  std::vector<std::string> head = {p.name + ", accuracy"};
  for (const double rate : p.rates)
    if (p.rates.size() > 1) head.push_back(show::fixed(100 * rate, 0) + " %");
  head.insert(head.end(), p.sites.begin(), p.sites.end());
  head.insert(head.end(), {p.rates.size() > 1 ? "area" : "all", "95 % interval", "ROC AUC", "masks minus it",
                           "95 % interval", "p"});
  show::TextTable table(head);
  std::vector<show::Line> lines;
  // Splits share patients, so intervals are wider than those of a mean; hospitals do not share any.
  const double train = p.sites.empty() ? static_cast<double>(p.splits[0].train.size()) : 1;
  const double test = p.sites.empty() ? static_cast<double>(p.splits[0].test.size()) : 0;
  Reals of_masks;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    Reals areas, aucs;
    for (const Scores& s : runs) areas.push_back(area(s.accuracy[way])), aucs.push_back(area(s.auc[way]));
    if (way == masks) of_masks = areas;
    std::vector<std::string> row = {ways[way]};
    lines.push_back({ways[way], {}, p.rates});
    for (std::size_t r = 0; r < p.rates.size(); ++r) {
      lines.back().y.push_back(mean_at(way, r, 0, 1));
      if (p.rates.size() > 1) row.push_back(show::fixed(lines.back().y.back()));
    }
    for (std::size_t s = 0; s < p.sites.size(); ++s) row.push_back(show::fixed(mean_at(way, 0, s, p.sites.size())));
    const data::Interval i = data::resampled_mean_interval(areas, train, test);
    const data::Comparison c = data::corrected_paired_t(of_masks, areas, train, test);
    const auto span = [](double low, double high) { return show::fixed(low) + " to " + show::fixed(high); };
    row.insert(row.end(),
               {show::fixed(i.estimate), span(i.low, i.high), show::fixed(data::mean_interval(aucs).estimate)});
    if (way != masks)
      row.insert(row.end(), {show::fixed(c.difference), span(c.low, c.high), show::fixed(c.p_value, 4)});
    table.row(row);
  }
  std::printf("%s\n", table.str(show::Style::of(stdout)).c_str());
  if (p.rates.size() == 1) return;
  std::filesystem::create_directories("runs");
  show::save_plot("runs/missing_" + p.name + ".svg", lines,
                  {.title = p.name, .x_label = "missing rate", .y_label = "accuracy"});
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const char* root = std::getenv("WEFT_DATA");
  const int splits = arguments.seeds_or(arguments.full ? 20 : 3);
  const std::vector<Patients> all = everybody(root ? root : "", arguments.full, splits, arguments.seed);
  if (all.empty())
    return std::puts(
               "skipped: set WEFT_DATA to a folder with rosmap/, heart_disease_4sites/ or "
               "miniacc_missing_modalities/") < 0;
  show::Progress progress(stderr, false);
  for (const Patients& p : all) {
    std::vector<Scores> runs;
    const std::size_t times = p.sites.empty() ? 1 : arguments.full ? 5 : 1, total = times * p.splits.size();
    for (std::size_t i = 0; i < total; ++i) {
      progress.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(total), p.name);
      runs.push_back(judged(p, p.splits[i % p.splits.size()], arguments.seed + i));
    }
    progress.finish();
    report(p, runs);
  }
}
