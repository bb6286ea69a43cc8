#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <weft/data/csv.h>
#include <weft/data/modalities.h>

/// A simulated clinic: patients made by a process that is known, so that what a fusion weighs and answers can be judged
/// against the truth. Nobody in it exists, and nothing about medicine follows from it.
///
/// A patient was referred for one of three reasons (group), is ill or well (each half of the patients), and has four
/// kinds of evidence. For the ones with a reason image, ecg and laboratory show a finding or none. Where the reason
/// makes the modality relevant, the finding is there in 95 % of the ill and 5 % of the well; elsewhere in 65 % and 35
/// %.
///
///   image       a nodule in noise, spiculated (the finding) or round; blurred by a Gaussian, which wipes out spicules
///   ecg         two beats in white noise, with a lowered ST segment and a flat T wave (the finding) or without
///   note        the reason, and five topics, of which some are told; each of these is what it would be in the ill with
///               chance 0.7 in the ill and 0.3 in the well, the others are vague
///   laboratory  six values, of which one or more were measured, shifted up or down with the finding
///
/// How blurred, how noisy, how vague and how few: that is the quality of this modality of this patient, drawn evenly
/// from its levels. It is written nowhere in the evidence, but can be seen in it. Given diagnosis and group, the
/// modalities are independent; so the chance of being ill given everything is a short formula, and no
/// rule can be right more often than the likelier of the two.
namespace weft::data {

/// Who lacks a modality.
enum class ClinicMissing : std::uint8_t {
  none,
  random,      ///< anybody, with the same chance, whatever the patient has
  not_random,  ///< the well 1.5 times and the ill 0.5 times the rate: tests are made for who looks ill
};

struct ClinicOptions {
  std::int64_t patients = 2000;
  std::uint64_t seed = 0;
  ClinicMissing missing = ClinicMissing::none;
  double missing_rate = 0.3;  ///< mean chance that a patient lacks a modality, each by itself; in [0, 0.6]
};

/// N patients, M = 4 modalities in the order image, ecg, note, laboratory.
struct Clinic {
  /// image (N, 1, 16, 16); ecg (N, 1, 128); note (N, V): how often each word occurs; laboratory (N, 12): six values in
  /// deviations from the mean of all (0 where not measured), then 1 where measured. float32; NaN for who lacks it.
  Modalities evidence;
  std::vector<std::int64_t> diagnosis;  ///< (N,): 0 well, 1 ill
  std::vector<std::int64_t> group;      ///< (N,): the reason of the referral, see groups()
  std::vector<std::string> notes;       ///< the text; empty for who has none
  Tensor tokens;                        ///< (N, L) int64: the words in their order, 1 + place in words(); 0: none
  Table laboratory;                     ///< the six values in their units, NaN where not measured
  Tensor quality;                       ///< (N, M) float64 in [0, 1]; 0 for who lacks it
  /// (N, M) float64 in [0.5, 1): the chance that the best reader of this modality alone, who knows its quality
  /// and the group, is right about a patient such as this one. 0.5 for who lacks it.
  Tensor reliability;
  Tensor probability;                                ///< (N,) float64: of being ill, given all of the evidence
  std::vector<std::array<std::int64_t, 2>> edges{};  ///< patients found alike, i < j, ascending
  Tensor probability_with_edges;  ///< (N,) float64: the same, given the diagnoses of those found alike as well

  static const std::vector<std::string>& groups();  ///< "cough", "palpitations", "fatigue": of G = 3
  static const std::vector<std::string>& words();   ///< V of them, ascending
};

/// Patient i is the same for any number of patients and of threads. An edge joins a patient and one of the
/// same diagnosis with chance 0.8, and each patient looks for three; without missing modalities an edge is the only
/// thing that says something about two. Throws ConfigError for fewer than 4 patients (or more than 10 million) and a
/// rate out of range.
Clinic simulate_clinic(const ClinicOptions& options);

/// The best accuracy that any rule can have, by the names of the modalities that it may use (none: all of them): the
/// mean of max(p, 1 - p), where p is the chance of being ill given these, over 200,000 patients drawn from the process
/// (standard error below 0.0005). Patients and seed of the options do not matter. Who has none of them is guessed
/// at. Throws ConfigError for an unknown name and options as above.
double clinic_best_accuracy(const ClinicOptions& options, std::span<const std::string> names = {});

}  // namespace weft::data
