#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <weft/study/dataset.h>
#include <weft/study/method.h>

/// What makes a comparison worthless without looking wrong, found before or while it runs. Every check throws
/// ConfigError that names the study's line, the rows or the column, and the way out. docs/evaluation.md says what these
/// checks cannot see.
namespace weft::study {

/// Learns how to prepare rows from some of them: Preparation::fit unless somebody brings their own.
using Prepare = std::function<Preparation(const Dataset&, std::span<const std::int64_t>)>;

using DuplicateRows = std::vector<std::pair<std::int64_t, std::int64_t>>;
/// Pairs of rows (the first of its kind, a later one) that are the same in all evidence, as far as they are more alike
/// than chance makes them: with columns taken as independent, less than one row in a hundred data sets of this size
/// would agree with the first in every value that it has.
DuplicateRows duplicate_rows(const Dataset& dataset);

/// How a column gives the class away (as a number by thresholds, as a category, or by being missing), judged on 20
/// values or more; empty where it does not. labels: one per row.
std::string telling(const data::Column& column, const std::vector<std::int64_t>& labels);

/// Throws when a single column tells the class of every row that has it without an error (as a number by thresholds,
/// as a category, or by being missing): it is the target under another name, or was made from it. Looks at columns with
/// 20 values or more that [split] trusted does not name.
void check_columns(const Study& study, const Dataset& dataset);

/// Throws when a row, a group or two rows that are the same are on both sides. `name`: of the split, for messages.
void check_split(const Study& study, const Dataset& dataset, const data::Split& split, const std::string& name,
                 const DuplicateRows& duplicates);

struct Splits;
/// check_columns(), and check_split() for every split, as [split] duplicates says.
void check_leaks(const Study& study, const Dataset& dataset, const Splits& splits);

/// Throws when a preparation was learned from rows that are not to train on: by its own account.
void check_preparation(const Preparation& preparation, const data::Split& split, const std::string& name);
/// Throws when what is prepared for training rows changes with the values of the others.
void check_prepare(const Prepare& prepare, const Dataset& dataset, const data::Split& split, const std::string& name);

/// Throws when the answer for a test row depends on which others are asked about with it, or is no answer at all.
void check_answers(const Fitted& fitted, const data::Modalities& test, const Outcome& outcome, std::int64_t classes,
                   const std::string& method);

}  // namespace weft::study
