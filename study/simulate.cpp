#include <weft/study/simulate.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include <weft/data/npy.h>
#include <weft/show/terminal.h>
#include <weft/study/output.h>
#include <weft/study/version.h>
#include <weft/tensor/create.h>
#include <weft/tensor/names.h>

namespace weft::study {
namespace {

using Json = nlohmann::ordered_json;
using Strings = std::vector<std::string>;

const Strings ways = {"none", "random", "not-random"};

/// How often the best of all rules is right, by what it may use.
Json best_accuracies(const data::ClinicOptions& o, const Strings& names) {
  Json best{{"all", data::clinic_best_accuracy(o)}};
  for (const std::string& name : names) {
    best["only " + name] = data::clinic_best_accuracy(o, std::vector{name});
    Strings rest = names;
    std::erase(rest, name);
    best["without " + name] = data::clinic_best_accuracy(o, rest);
  }
  return best;
}

constexpr const char* readme_head =
    "# A simulated clinic\n\n"
    "SIMULATED DATA: nobody in these files exists, and nothing about medicine follows from them. They are drawn from "
    "a\n"
    "process that is known, so that the weights and answers of a fusion can be judged against the truth.\n\n";

constexpr const char* readme_files =
    "| file | rows are patients, in one order |\n"
    "| --- | --- |\n"
    "| `study.toml` | the study: `weft compare study.toml` |\n"
    "| `simulated_diagnosis.npy` | (N,) 0 well, 1 ill |\n"
    "| `simulated_image.npy` | (N, 1, 16, 16) a nodule, spiculated or round, blurred, in noise |\n"
    "| `simulated_ecg.npy` | (N, 1, 128) two beats in noise |\n"
    "| `simulated_notes.csv` | the notes as text |\n"
    "| `simulated_note_words.npy` | (N, V) how often each word of `simulated_vocabulary.txt` occurs |\n"
    "| `simulated_note_tokens.npy` | (N, 20) the words in their order, 1 + line of the vocabulary; 0: none |\n"
    "| `simulated_laboratory.csv`, `.npy` | (N, 6) values in the units that the header says; empty, NaN: not measured "
    "|\n"
    "| `simulated_edges.csv` | pairs of patients found alike (from 0 on) |\n"
    "| `truth/simulated_reliability.npy` | (N, M) chance that the best reader of this modality alone is right; 0.5 who "
    "lacks it "
    "|\n"
    "| `truth/simulated_quality.npy` | (N, M) how sharp, clear, full, complete, from 0 to 1 |\n"
    "| `truth/simulated_present.npy` | (N, M) who has what |\n"
    "| `truth/simulated_patients.csv` | group, diagnosis, chance of being ill given all evidence, and given the edges "
    "too |\n"
    "| `truth/simulated_best.json` | best possible accuracies and how the clinic was made |\n\n"
    "M: image, ecg, note, laboratory. Rows of NaN: the patient lacks the modality. What is in truth/ is for judging; "
    "a\n"
    "study that reads it has seen the answers.\n\n";

std::string readme(const SimulateOptions& o, const Json& best) {
  std::string out = readme_head;
  out += text("Made by: weft simulate clinic --patients ", o.clinic.patients, " --seed ", o.clinic.seed, " --missing ",
              o.missing);
  if (o.missing != "none") out += text(" --missing-rate ", o.clinic.missing_rate);
  out += text(" (weft ", version, ")\n\n", readme_files, "Best possible accuracy, standard error below 0.0005:\n\n",
              "| may use | accuracy |\n| --- | --- |\n");
  for (const auto& [what, accuracy] : best.items())
    out += text("| ", what, " | ", show::fixed(accuracy.get<double>(), 4), " |\n");
  out +=
      "\nIt is the mean of max(p, 1 - p) over 200,000 patients drawn from the process, p being the chance of being ill "
      "given\n"
      "the evidence: a short formula, since the noise is Gaussian and the modalities are independent given diagnosis "
      "and\n"
      "group. The best rule knows each patient's blur and noise, which others have to see in the data.\n";
  return out;
}

std::string study_file(const SimulateOptions& o) {
  std::string out =
      "# SIMULATED DATA, made by weft simulate clinic: no real patients.\n"
      "[study]\n"
      "name = \"simulated-clinic\"\n"
      "title = \"Simulated clinic (no real patients): ill or well from image, ECG, note and laboratory\"\n"
      "target = \"simulated_diagnosis.npy\"\n"
      "classes = { 0 = \"well\", 1 = \"ill\" }\n"
      "positive = \"ill\"\n\n"
      "[data]\n"
      "folder = \".\"\n\n"
      "[[modality]]\n"
      "name = \"image\"\n"
      "file = \"simulated_image.npy\"\n"
      "standardize = false\n"
      "encoder = { type = \"cnn\", shape = [1, 16, 16], hidden = [8, 16, 32], norm = \"batch\", dropout = 0.3 }\n\n"
      "[[modality]]\n"
      "name = \"ecg\"\n"
      "file = \"simulated_ecg.npy\"\n"
      "standardize = false\n"
      "encoder = { type = \"cnn1d\", shape = [1, 128], hidden = [8, 16, 32], norm = \"batch\", dropout = 0.3 }\n\n"
      "[[modality]]\n"
      "name = \"note\"\n"
      "file = \"simulated_note_words.npy\"\n"
      "feature_names = \"simulated_vocabulary.txt\"\n"
      "standardize = false\n"
      "encoder = { type = \"linear\", hidden = [16] }\n\n"
      "[[modality]]\n"
      "name = \"laboratory\"\n"
      "file = \"simulated_laboratory.npy\"\n"
      "indicators = true  # how few values there are tells how far they can be trusted\n"
      "encoder = { type = \"mlp\", hidden = [32, 16], dropout = 0.0 }\n\n"
      "[fusion]\n"
      "name = \"gate\"\n"
      "context = true  # the note says what was looked for, and so which modality counts\n"
      "dropout = 0.3\n\n"
      "[train]\n"
      "lr = 0.003\n"
      "weight_decay = 0.1\n"
      "clip = 1\n"
      "batch = 64\n"
      "epochs = 12\n"
      "patience = 12\n"
      "average = 0.99\n"
      "metric = \"accuracy\"\n";
  if (o.missing != "none")
    out +=
        "modality_dropout = 0.2\n"
        "\n[split]\n"
        "duplicates = \"allow\"  # two patients of whom little is known may look the same\n";
  return out +
         "\n[compare]\n"
         "fusions = [\"late\", \"softmax\", \"attention\", \"gate\"]\n"
         "baselines = [\"single\", \"l2\", \"late_l2\"]\n"
         "reference = \"late_l2\"\n"
         "metric = \"accuracy\"\n"
         "splits = 5\n";
}

data::Column numbers(std::string name, const Tensor& x) {
  return data::Column::of_numbers(std::move(name), to_vector<double>(x));
}
data::Column row_numbers(std::int64_t n) { return numbers("simulated_patient", arange(0, static_cast<double>(n))); }

std::string truth_csv(const data::Clinic& c) {
  data::Table table;
  std::vector<std::string> groups, diagnoses;
  for (std::size_t i = 0; i < c.group.size(); ++i) {
    groups.push_back(data::Clinic::groups()[static_cast<std::size_t>(c.group[i])]);
    diagnoses.push_back(c.diagnosis[i] == 1 ? "ill" : "well");
  }
  table.columns = {row_numbers(std::ssize(groups)), data::Column::of_text("group", groups),
                   data::Column::of_text("diagnosis", diagnoses), numbers("probability", c.probability),
                   numbers("probability_with_edges", c.probability_with_edges)};
  return data::to_csv(table);
}

std::string notes_csv(const data::Clinic& c) {
  data::Table table;
  std::vector<std::string> labelled;
  for (const std::string& note : c.notes) labelled.push_back(note.empty() ? "" : "[simulated] " + note);
  table.columns = {row_numbers(std::ssize(labelled)), data::Column::of_text("note", labelled)};
  return data::to_csv(table);
}

std::string edges_csv(const data::Clinic& c) {
  std::string out = "simulated_patient,found_alike\n";
  for (const auto& [i, j] : c.edges) out += text(i, ',', j, '\n');
  return out;
}

}  // namespace

void run_simulate_clinic(const SimulateOptions& given) {
  SimulateOptions o = given;
  if (o.out.empty()) throw ConfigError("simulate: no folder is named\n  help: give one with --out");
  const auto way = std::ranges::find(ways, o.missing);
  if (way == ways.end())
    throw ConfigError(text("simulate: there is no way of missing \"", o.missing, "\"", closest(o.missing, ways)));
  o.clinic.missing = static_cast<data::ClinicMissing>(way - ways.begin());
  const data::Clinic clinic = data::simulate_clinic(o.clinic);
  const Json best = best_accuracies(o.clinic, clinic.evidence.names);

  OutputFolder truth("simulate", o.out + "/truth"), folder("simulate", o.out);
  data::Table laboratory = clinic.laboratory;
  laboratory.columns.insert(laboratory.columns.begin(), row_numbers(o.clinic.patients));
  const Strings values(clinic.laboratory.names());
  data::save_npy(folder.stage("simulated_diagnosis.npy"), from(clinic.diagnosis));
  data::save_npy(folder.stage("simulated_image.npy"), clinic.evidence.features[0]);
  data::save_npy(folder.stage("simulated_ecg.npy"), clinic.evidence.features[1]);
  data::save_npy(folder.stage("simulated_note_words.npy"), clinic.evidence.features[2]);
  data::save_npy(folder.stage("simulated_note_tokens.npy"), clinic.tokens);
  data::save_npy(folder.stage("simulated_laboratory.npy"), clinic.laboratory.matrix(values));
  std::string vocabulary;
  for (const std::string& word : data::Clinic::words()) vocabulary += word + '\n';
  folder.add("simulated_vocabulary.txt", vocabulary);
  folder.add("simulated_notes.csv", notes_csv(clinic));
  folder.add("simulated_laboratory.csv", data::to_csv(laboratory));
  folder.add("simulated_edges.csv", edges_csv(clinic));
  folder.add("study.toml", study_file(o));
  folder.add("README.md", readme(o, best));
  data::save_npy(truth.stage("simulated_reliability.npy"), clinic.reliability);
  data::save_npy(truth.stage("simulated_quality.npy"), clinic.quality);
  data::save_npy(truth.stage("simulated_present.npy"), clinic.evidence.present);
  truth.add("simulated_patients.csv", truth_csv(clinic));
  truth.add("simulated_best.json", Json{{"simulated", true},
                                        {"weft", version},
                                        {"patients", o.clinic.patients},
                                        {"seed", o.clinic.seed},
                                        {"missing", o.missing},
                                        {"missing_rate", o.missing == "none" ? 0 : o.clinic.missing_rate},
                                        {"modalities", clinic.evidence.names},
                                        {"best_accuracy", best}}
                                           .dump(1) +
                                       '\n');
  truth.commit();
  folder.commit();
  if (o.json)
    std::printf("%s\n", Json{{"patients", o.clinic.patients},
                             {"folder", o.out},
                             {"study", folder.path("study.toml")},
                             {"best_accuracy", best["all"]}}
                            .dump(1)
                            .c_str());
  else if (!o.quiet)
    std::printf("simulated clinic: %lld patients in %s, best possible accuracy %.3f\nweft compare %s\n",
                static_cast<long long>(o.clinic.patients), o.out.c_str(), best["all"].get<double>(),
                folder.path("study.toml").c_str());
}

}  // namespace weft::study
