#pragma once
#include <weft/data/csv.h>
#include <weft/fusion/completion.h>
#include <weft/study/commands.h>
#include <weft/study/dataset.h>

namespace weft::study {

/// A table with its missing values filled in by a completion of the study's modalities, and beside each column that had
/// some, how sure they are: "sd of NAME" for numbers, "probability of NAME" for categories; 0 and 1 where a value was
/// measured. Columns that belong to no modality stay as they are. `rows` are the table's modalities as load_rows() gave
/// them.
data::Table imputed(const data::Table& table, const Dataset& rows, const Preparation& preparation,
                    const fusion::Completion& completion, std::uint64_t seed);

/// Completes the rows of a CSV with a model of the study's training rows: those of a folder that weft train wrote, or
/// of a study file, where they are its split's or, without one, all its rows.
void run_impute(const CommandOptions& options);

}  // namespace weft::study
