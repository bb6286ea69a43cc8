#pragma once
#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <weft/data/tags.h>
#include <weft/data/wordpiece.h>
#include <weft/tensor/create.h>
#include <weft/tensor/random.h>

/// SIMULATED notes: sentences put together from templates, with the terms in them marked. No patient said any of this.
struct Note {
  std::vector<std::string> words;
  std::vector<std::int64_t> tags;  // places in tag_names
};
inline const std::vector<std::string> tag_names = {"O", "B-drug", "I-drug", "B-problem", "I-problem"};

inline const std::vector<std::string> drugs = {
    "metformin",     "aspirin",    "lisinopril",      "atorvastatin", "insulin glargine", "warfarin",
    "amoxicillin",   "prednisone", "furosemide",      "ibuprofen",    "metoprolol",       "vitamin d",
    "levothyroxine", "omeprazole", "gabapentin",      "sertraline",   "valproic acid",    "heparin",
    "ciprofloxacin", "albuterol",  "clopidogrel",     "amlodipine",   "folic acid",       "digoxin",
    "vancomycin",    "morphine",   "ferrous sulfate", "allopurinol",  "lorazepam",        "colchicine"};
inline const std::vector<std::string> problems = {"diabetes",
                                                  "hypertension",
                                                  "atrial fibrillation",
                                                  "pneumonia",
                                                  "chest pain",
                                                  "asthma",
                                                  "heart failure",
                                                  "migraine",
                                                  "back pain",
                                                  "anemia",
                                                  "gout",
                                                  "sepsis",
                                                  "hypothyroidism",
                                                  "acid reflux",
                                                  "neuropathy",
                                                  "depression",
                                                  "seizures",
                                                  "deep vein thrombosis",
                                                  "urinary tract infection",
                                                  "shortness of breath",
                                                  "stroke",
                                                  "angina",
                                                  "b12 deficiency",
                                                  "arrhythmia",
                                                  "cellulitis",
                                                  "postoperative pain",
                                                  "fatigue",
                                                  "kidney stones",
                                                  "anxiety",
                                                  "fever"};
inline const std::vector<std::string> templates = {"the patient was started on DRUG for PROBLEM",
                                                   "history of PROBLEM and PROBLEM",
                                                   "continue DRUG twice daily",
                                                   "denies PROBLEM today",
                                                   "PROBLEM improved after DRUG was given",
                                                   "DRUG was stopped because of PROBLEM",
                                                   "no PROBLEM since the dose of DRUG was raised",
                                                   "admitted with PROBLEM , takes DRUG and DRUG at home",
                                                   "allergic to DRUG , which caused PROBLEM",
                                                   "her mother had PROBLEM and was treated with DRUG"};

/// A note of the first `kinds` templates with the first `terms` drugs and problems.
inline Note write_note(std::size_t kinds, std::size_t terms, weft::Generator& g) {
  const auto any = [&](const std::vector<std::string>& from, std::size_t first) {
    return from[static_cast<std::size_t>(g.below(static_cast<std::int64_t>(std::min(first, from.size()))))];
  };
  Note note;
  std::istringstream sentence(any(templates, kinds));
  for (std::string word; sentence >> word;) {
    const bool drug = word == "DRUG";
    if (!drug && word != "PROBLEM") {
      note.words.push_back(word);
      note.tags.push_back(0);
      continue;
    }
    std::istringstream term(any(drug ? drugs : problems, terms));
    for (bool first = true; term >> word; first = false) {
      note.words.push_back(word);
      note.tags.push_back((drug ? 1 : 3) + (first ? 0 : 1));
    }
  }
  return note;
}

inline std::vector<Note> notes(int n, std::size_t kinds, std::size_t terms, weft::Generator& g) {
  std::vector<Note> all;
  for (int i = 0; i < n; ++i) all.push_back(write_note(kinds, terms, g));
  return all;
}

/// Notes side by side, with a tag for each token (-100: none).
inline std::pair<weft::data::TokenBatch, weft::Tensor> batch(const weft::data::WordPiece& tokens,
                                                             const std::vector<Note>& some) {
  std::vector<weft::data::Encoding> encodings;
  for (const Note& note : some) encodings.push_back(tokens.encode_words(note.words));
  const weft::data::TokenBatch b = tokens.batch(encodings);
  weft::Tensor tags = weft::full(b.ids.shape(), -100, weft::DType::int64);
  std::int64_t* row = tags.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < some.size(); ++i, row += b.ids.size(1)) {
    const auto labels = weft::data::token_labels(encodings[i], some[i].tags);
    std::copy(labels.begin(), labels.end(), row);
  }
  return {b, tags};
}
