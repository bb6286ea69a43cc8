// A picture and a note: which of them to believe?
// SIMULATED patients with a blurred or sharp picture of a nodule and a note that may be vague; see docs/clinic.md. A
// gate weighs the two for each patient. It sees nothing but the pixels and the words, and has to find out by itself
// that what is blurred says little. We look at the weights by true quality, then blur all test pictures on purpose and
// look again: the weight should move to the notes, and the answers should suffer less than the pictures do.
//   gate [--full] [--seeds N] [--seed FIRST] [--threads N]      draws runs/gate.svg
#include <array>
#include <cstdio>
#include <filesystem>

#include "arguments.h"
#include "clinic_training.h"

constexpr std::size_t bands = 4;  // of quality, from the worst to the best

/// Each pixel becomes the mean of the 5 x 5 around it.
Tensor smeared(const Tensor& pictures) { return avg_pool2d(pictures, 5, {.stride = 1, .padding = 2}); }

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), epochs = arguments.full ? 10 : 8;
  const Names names = {"image", "note"}, image = {"image"}, note = {"note"};
  // Mean weight of the picture by its own quality and by the note's, one number per seed.
  std::array<std::vector<double>, bands> by_image, by_note;
  std::vector<double> alone[2], readers[2], both, before, after, still, related;
  show::Progress progress(stderr, false);
  for (int k = 0; k < seeds; ++k) {
    const std::uint64_t seed = 100 + arguments.seed + static_cast<std::uint64_t>(k);
    progress.update(k, seeds, "seeds");
    Patients patients(arguments.full ? 30000 : 18000, 9000, seed);
    // Patients with a cough: for them the picture is relevant, and its quality is all that matters about it.
    for (Rows* rows : {&patients.train, &patients.test})
      std::erase_if(*rows, [&](std::int64_t i) { return patients.clinic.group[static_cast<std::size_t>(i)] != 0; });
    const Tensor target = patients.target(patients.test);
    Tensor& pictures = patients.evidence.features[0];
    const Tensor smeared_all = smeared(pictures);
    // Every other patient to learn from has a picture smeared on purpose: degradation is part of how gates are trained.
    std::vector<float> spoiled;
    for (std::size_t i = 0; i < patients.clinic.diagnosis.size(); ++i)
      spoiled.push_back(static_cast<std::int64_t>(i) <= patients.train.back() && i % 2 == 1 ? 1.0F : 0.0F);
    pictures = where(gt(from(spoiled, {std::ssize(spoiled), 1, 1, 1}), 0.5), smeared_all, pictures);
    for (std::size_t m = 0; m < 2; ++m) {
      const Names& one = m == 0 ? image : note;
      alone[m].push_back(accuracy(answers(trained(patients, one, "single", epochs, seed), patients, one), target));
    }
    const fusion::Classifier net = trained(patients, names, "gate", epochs, seed);
    const fusion::Output out = answers(net, patients, names);
    both.push_back(accuracy(out, target));
    const Tensor weight = select(out.fused.weights, 1, 0);  // (B,) of the picture
    before.push_back(mean(weight).item());
    const Tensor quality = data::take_rows(patients.clinic.quality, patients.test);          // (B, 4)
    const Tensor reliability = data::take_rows(patients.clinic.reliability, patients.test);  // (B, 4)
    readers[0].push_back(mean(select(reliability, 1, 0)).item());
    readers[1].push_back(mean(select(reliability, 1, 2)).item());
    related.push_back(correlation(weight, select(reliability, 1, 0) - select(reliability, 1, 2)));
    const auto band_means = [&](std::int64_t modality, std::array<std::vector<double>, bands>& to) {
      std::array<double, bands> sums{}, counts{};
      const auto q = to_vector<double>(select(quality, 1, modality)), w = to_vector<double>(weight);
      for (std::size_t i = 0; i < q.size(); ++i) {
        const auto band = std::min(bands - 1, static_cast<std::size_t>(q[i] * bands));
        sums[band] += w[i], counts[band] += 1;
      }
      for (std::size_t b = 0; b < bands; ++b) to[b].push_back(sums[b] / counts[b]);
    };
    band_means(0, by_image);
    band_means(2, by_note);
    pictures = smeared_all;
    const fusion::Output worse = answers(net, patients, names);
    after.push_back(mean(select(worse.fused.weights, 1, 0)).item());
    still.push_back(accuracy(worse, target));
  }
  progress.finish();

  show::TextTable accuracies({"simulated patients with a cough", "test accuracy", "best reader"});
  accuracies.row({"image alone", with_interval(alone[0]), with_interval(readers[0])});
  accuracies.row({"note alone", with_interval(alone[1]), with_interval(readers[1])});
  accuracies.row({"gate", with_interval(both), ""}, true);
  accuracies.row({"gate, all pictures smeared", with_interval(still), ""});
  show::TextTable table({"weight of the image", "worst quarter", "second", "third", "best quarter"});
  const auto add = [&](const char* title, const std::array<std::vector<double>, bands>& values) {
    std::vector<std::string> cells = {title};
    for (const auto& each : values) cells.push_back(with_interval(each, 2));
    table.row(cells);
  };
  add("by quality of the image", by_image);
  add("by quality of the note", by_note);
  std::printf("%d seeds, mean with 95 %% interval\n%s\n%s\n", seeds, accuracies.str().c_str(), table.str().c_str());
  std::printf("smearing all pictures moves their weight from %s to %s\n", with_interval(before, 2).c_str(),
              with_interval(after, 2).c_str());
  std::printf("correlation of weight and true advantage in reliability: %s\n", with_interval(related, 2).c_str());

  show::Line of_image{"by quality of the image", {}, {}}, of_note{"by quality of the note", {}, {}};
  for (std::size_t b = 0; b < bands; ++b) {
    of_image.y.push_back(mean(from(by_image[b])).item());
    of_note.y.push_back(mean(from(by_note[b])).item());
  }
  std::filesystem::create_directories("runs");
  show::save_plot("runs/gate.svg", {of_image, of_note},
                  {.title = "Simulated clinic: weight of the image", .x_label = "quarter of quality"});
}
