#pragma once
#include <string>

#include <weft/show/terminal.h>
#include <weft/study/compare.h>

namespace weft::study {

/// Text as HTML shows it.
std::string escape(const std::string& s);
/// One page of HTML that needs nothing else: the table with its intervals drawn, learning curves, weights per
/// modality by class, the splits, version and seed. Reads well on a phone and to a screen reader.
std::string html_report(const Run& run, const Findings& findings);

/// The table that `weft compare` prints.
std::string text_report(const Run& run, const Findings& findings, const show::Style& style);

/// Whether a method learns its weights: those of one modality alone, or equal or given ones, say nothing.
bool learns_weights(const Summary& row);
/// One line about the methods that have weights but do not learn them; empty when there is none.
std::string fixed_weights_note(const Findings& findings);

/// How rows were split, in a few words: "30 stratified splits 233/100".
std::string protocol_text(const Run& run);

/// "accuracy" -> "accuracy", "roc_auc" -> "ROC AUC".
std::string metric_title(const std::string& name);

}  // namespace weft::study
