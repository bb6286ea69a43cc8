// A signal and a record that was kept by hand: does the one add to the other?
// SIMULATED patients (docs/clinic.md): an ECG, and laboratory values that somebody wrote down now and then over a day,
// at odd hours, once or several times, the later the less disturbed. They are brought onto an hourly grid: the last
// value is carried forward, beside it stand a mask and the time since. A recurrent network makes 64 features of that, a
// convolutional one 128 of the ECG, and they are put side by side (feature-level fusion).
//   ecg_record [--full] [--seeds N] [--seed FIRST] [--threads N]      draws runs/ecg_record.svg
#include <cstdio>
#include <filesystem>

#include "arguments.h"
#include "clinic_training.h"

constexpr std::int64_t hours = 24, values = 6;

/// One to three entries for every value that was measured, anywhere in the day.
Tensor record_of(const data::Clinic& clinic, std::uint64_t seed) {
  Generator g{seed, 1ULL << 40U};
  const Tensor laboratory = clinic.evidence.features[3];  // (N, 12): six values, then whether they were measured
  std::vector<std::vector<data::Entries>> patients;
  for (std::int64_t i = 0; i < laboratory.size(0); ++i) {
    const float* own = laboratory.data<float>() + i * 2 * values;
    auto& variables = patients.emplace_back(values);
    for (std::int64_t v = 0; v < values; ++v) {
      if (own[values + v] == 0) continue;
      data::Entries& entries = variables[static_cast<std::size_t>(v)];
      for (std::int64_t n = 1 + g.below(3); n > 0; --n) {
        const double hour = hours * g.uniform();
        entries.times.push_back(hour);
        entries.values.push_back(own[v] + (1 - hour / hours) * g.normal());
      }
    }
  }
  const data::Aligned aligned = data::align(patients, data::time_grid(1, 1, hours));
  Tensor channels = aligned.channels();  // (N, 18, 24): values, masks, hours since
  const Tensor per_day = cat({ones({2 * values, 1}), full({values, 1}, 1.0 / hours)}, 0);
  return channels * per_day;
}

fusion::Classifier trained_on(const data::Modalities& x, const Tensor& y, int epochs, std::uint64_t seed,
                              std::vector<double>* losses) {
  manual_seed(seed);
  fusion::ClassifierOptions options{
      .names = x.names, .fusion = "concat", .head = {32}, .dropout = 0.3, .method = {.width = 64}};
  for (const std::string& name : x.names) {
    fusion::EncoderChoice& choice = options.encoders.emplace_back();
    if (name == "ecg")
      choice.own.layers.add(SignalCnn({.channels = {8, 16, 128}, .dropout = 0.1, .pool = SignalPool::max}));
    else
      choice.own.layers.add(SignalRnn({.in_channels = 3 * values, .hidden_size = 32}));
    choice.own.width = name == "ecg" ? 128 : 64;
  }
  fusion::Classifier net(options);
  optim::AdamW optimizer(parameters(net), {.lr = 3e-3, .weight_decay = 0.05});
  data::Loader loader(x, y, {.batch_size = 64, .seed = seed});
  optim::Scheduler schedule(
      optimizer,
      optim::OneCycleLr{.max_lr = 3e-3, .total_steps = epochs * loader.steps() + 1, .cycle_momentum = false});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    for (auto& [batch, target] : loader) {
      const Tensor loss = net.loss(net(batch), target);
      loss.backward();
      optim::clip_gradient_norm(parameters(net), 1);
      optimizer.step();
      optimizer.zero_grad();
      schedule.step();
      total += loss.item() / static_cast<double>(loader.steps());
    }
    losses->push_back(total);
  }
  eval(net);
  return net;
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), epochs = arguments.full ? 8 : 4;
  const std::vector<std::pair<std::string, Names>> choices = {
      {"ECG", {"ecg"}}, {"record", {"record"}}, {"both", {"ecg", "record"}}};
  show::TextTable table({"simulated patients", "seed", "AUC (95 % bootstrap)", "sensitivity", "specificity"});
  std::vector<show::Line> curves;
  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  for (int k = 0; k < seeds; ++k) {
    const std::uint64_t seed = 100 + arguments.seed + static_cast<std::uint64_t>(k);
    const Patients patients(arguments.full ? 6000 : 2000, 2000, seed);
    const data::Modalities all = data::Modalities::complete(
        {"ecg", "record"}, {patients.clinic.evidence.features[1], record_of(patients.clinic, seed)});
    std::vector<data::Predictions> predictions;
    for (const auto& [title, names] : choices) {
      progress.update(done++, std::ssize(choices) * seeds, title);
      std::vector<double> losses;
      const data::Modalities x = all.select(names);
      const fusion::Classifier net =
          trained_on(x.rows(patients.train), patients.target(patients.train), epochs, seed, &losses);
      const NoGrad off;
      const Tensor answers = softmax(net(x.rows(patients.test)).logits, 1);
      predictions.push_back(data::Predictions::of(patients.target(patients.test), answers));
      std::vector<std::string> cells = {title, std::to_string(seed)};
      for (const char* name : {"roc_auc", "sensitivity", "specificity"}) {
        const data::Interval i = data::bootstrap(predictions.back(), data::metric(name).compute);
        cells.push_back(show::fixed(i.estimate) + " (" + show::fixed(i.low) + " to " + show::fixed(i.high) + ")");
      }
      table.row(cells, title == "both");
      if (k == 0) curves.push_back({title, losses, {}});
    }
    const data::Comparison c = data::paired_bootstrap(predictions[2], predictions[0], data::metric("roc_auc").compute);
    table.row({"both - ECG", std::to_string(seed),
               show::fixed(c.difference) + " (" + show::fixed(c.low) + " to " + show::fixed(c.high) + ")", "", ""});
  }
  progress.finish();
  std::printf("%stest patients drawn again within each class; training loss: runs/ecg_record.svg\n",
              table.str().c_str());
  std::filesystem::create_directories("runs");
  show::save_plot("runs/ecg_record.svg", curves,
                  {.title = "Simulated patients", .x_label = "epoch", .y_label = "training loss"});
}
