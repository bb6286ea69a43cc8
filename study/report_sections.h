#pragma once
#include <weft/study/page.h>
#include <weft/study/report.h>

/// The sections of a report, one file each. All give HTML for below their heading, empty when there is nothing to say.
namespace weft::study {

/// What was asked, how good the answer is, how sure one can be, and what to beware of.
std::string summary_section(const Report& report);                                         // report_summary.cpp
std::string patients_section(const Report& report);                                        // report_patients.cpp
std::string methods_section(const Run& run, const Findings& findings);                     // report_methods.cpp
std::string splits_table(const Run& run, const Findings& findings);                        // report_methods.cpp
std::string trust_section(const Run& run, const Findings& findings);                       // report_trust.cpp
std::string parts_section(const Run& run, const Findings& findings);                       // report_trust.cpp
std::string weights_section(const Report& report);                                         // report_weights.cpp
std::string curves_section(const Report& report);                                          // report_curves.cpp
std::string model_section(const Trained& trained);                                         // report_curves.cpp
std::string robustness_section(const Robustness& run, const std::vector<Curves>& curves);  // robustness_report.cpp
std::string data_section(const Report& report);                                            // report.cpp
std::string origin_section(const Report& report);                                          // report.cpp

/// The rows of the table that pictures show: the chosen fusion, the reference, the best single modality and the best
/// other baseline, as far as there are such. Never empty when there are rows.
std::vector<const Summary*> leading(const Run& run, const Findings& findings);

}  // namespace weft::study
