// Can one believe what a fusion says about whom it trusted?
// In a SIMULATED clinic it is known how reliable each modality of each patient is. Three accounts of what counted are
// held against one another, patient by patient: the weights that a method gives, its exact Shapley values (what each
// modality really did to the answer: the method is asked again with every subset of the evidence), and the truth.
// Weights that agree with Shapley values describe the decision; weights that do not are decoration. Neither has
// to agree with the truth: a fusion that trusts blindly describes itself quite correctly. Shapley values ask a network
// what it would say with less; "gaps" are networks that were trained on patients with less.
//   explain [--full] [--seeds N] [--seed FIRST] [--threads N]      draws runs/explain.svg
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "arguments.h"
#include "clinic_training.h"

struct Choice {
  std::string title, method;
  bool context = false;
  double gaps = 0;  // chance that a modality of a training row is taken away
  std::vector<double> accuracy{}, weights_truth{}, shapley_truth{}, weights_shapley{}, within{};  // one per seed
  std::vector<data::Interval> of_one_seed{};  // in the order of the last four, over the patients of the last seed
  double error = 0;                           // the largest by which Shapley values miss their sum
};

/// The mean over seeds with its interval; of a single seed, the interval over patients.
std::string cell(const std::vector<double>& values, const std::vector<data::Interval>& one, std::size_t k) {
  if (values.empty()) return "";
  if (values.size() > 1 || one.size() <= k) return with_interval(values, 2);
  return show::fixed(one[k].estimate, 2) + " (" + show::fixed(one[k].low, 2) + " to " + show::fixed(one[k].high, 2) +
         ")";
}

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const int seeds = arguments.seeds_or(arguments.full ? 5 : 1), epochs = arguments.full ? 10 : 5;
  const Names all = {"image", "ecg", "note", "laboratory"};
  std::vector<Choice> choices = {{"one vote per modality, weighted", "vote"},
                                 {"one weight per modality", "softmax"},
                                 {"gate", "gate"},
                                 {"gate, context", "gate", true},
                                 {"gate, context, gaps", "gate", true, 0.3},
                                 {"attention", "attention"},
                                 {"attention, gaps", "attention", false, 0.3},
                                 {"evidential", "evidential"},
                                 {"experts", "experts"}};
  if (arguments.full)
    for (const std::string name : {"query", "cross", "transformer", "gated", "dynamics"})
      choices.push_back({name, name});

  show::Progress progress(stderr, false);
  std::int64_t done = 0;
  std::vector<show::Line> lines = {{"weights", {}, {}}, {"|Shapley values|", {}, {}}};
  for (int k = 0; k < seeds; ++k) {
    const std::uint64_t seed = 101 + arguments.seed + static_cast<std::uint64_t>(k);
    const Patients patients(arguments.full ? 16000 : 6000, arguments.full ? 4000 : 2000, seed);
    const data::Modalities x = patients.clinic.evidence.rows(patients.test);
    const Tensor target = patients.target(patients.test),
                 truth = data::take_rows(patients.clinic.reliability, patients.test);
    for (Choice& choice : choices) {
      progress.update(done++, std::ssize(choices) * seeds, choice.title);
      const fusion::Classifier net = trained(patients, all, choice.method, epochs, seed, choice.context, choice.gaps);
      const fusion::Output out = answers(net, patients, all);
      const fusion::Shapley shapley = fusion::shapley(fusion::predictor(net), x);
      // How far they are from summing to what the model itself answers, with everything and with nothing.
      const NoGrad off;
      data::Modalities nothing = x;
      nothing.present = logical_and(x.present, logical_not(x.present));
      const Tensor change = softmax(out.log_probabilities, 1) - softmax(net(nothing).log_probabilities, 1);  // (B, C)
      const Tensor own = squeeze(gather(change, 1, unsqueeze(from(shapley.classes), 1)), 1);
      choice.error = std::max(choice.error, amax(abs(sum(shapley.values, 1) - own)).item());

      const Tensor size = abs(shapley.values), weights = to(out.fused.weights, DType::float64);
      choice.accuracy.push_back(accuracy(out, target));
      choice.of_one_seed.clear();
      const auto keep = [&](std::vector<double>& values, const std::optional<fusion::Agreement>& found) {
        if (found) values.push_back(found->overall.estimate);
        choice.of_one_seed.push_back(found ? found->overall : data::Interval{});
      };
      const auto between = fusion::agreement(weights, size, x.present);
      keep(choice.weights_truth, fusion::agreement(weights, truth, x.present));
      keep(choice.shapley_truth, fusion::agreement(size, truth, x.present));
      keep(choice.weights_shapley, between);
      if (between && between->within) {
        choice.within.push_back(between->within->estimate);
        choice.of_one_seed.push_back(*between->within);
      }
    }
  }
  progress.finish();

  show::TextTable table({"simulated clinic: rank correlation of", "accuracy", "weights ~ truth", "|Shapley| ~ truth",
                         "weights ~ |Shapley|", "within a patient"});
  double worst = 0;
  for (const Choice& c : choices) {
    table.row({c.title, with_interval(c.accuracy), cell(c.weights_truth, c.of_one_seed, 0),
               cell(c.shapley_truth, c.of_one_seed, 1), cell(c.weights_shapley, c.of_one_seed, 2),
               cell(c.within, c.of_one_seed, 3)});
    worst = std::max(worst, c.error);
    for (std::size_t i = 0; i < 2; ++i) {
      const std::vector<double>& values = i == 0 ? c.weights_truth : c.shapley_truth;
      lines[i].y.push_back(values.empty() ? 0 : mean(from(values)).item());
    }
  }
  std::printf(
      "%d seeds; 95 %% intervals over %s\n%sShapley values miss the difference of the answers by at most %.1e\n", seeds,
      seeds > 1 ? "seeds" : "patients", table.str().c_str(), worst);
  std::filesystem::create_directories("runs");
  show::save_plot("runs/explain.svg", lines,
                  {.title = "Simulated clinic: rank correlation with the true reliability",
                   .x_label = "method, in the order of the table",
                   .points = true});
  return worst < 1e-6 ? 0 : 1;
}
