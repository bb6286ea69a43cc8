#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <weft/study/init.h>

/// What drafts of CSVs and of folders share.
namespace weft::study {

/// A study of the NPY files of a folder: a file called y, target or label is the target, pairs *_train and *_test are a
/// split that comes with the data, groups and patients part the splits, and each other file with as many rows is a
/// modality. Throws as draft_study() does.
Draft draft_folder(const InitOptions& options, const std::string& path);

/// Letters and figures of a path's last part, for the name of a study and its file.
std::string study_name(const std::string& data);
/// How to write the way from a study file to something else.
std::string path_from(const std::string& study_file, const std::string& to);
/// [encoder], [fusion] and [train] for data of this size.
std::string training_text(std::int64_t rows, std::int64_t columns, std::size_t classes);
/// [compare]
std::string comparing_text(std::int64_t rows, const std::vector<std::string>& subgroups);

}  // namespace weft::study
