#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include <weft/tensor/random.h>

/// Ways to part samples 0 ... N-1. All index lists are ascending; all draws come from the generator passed, so
/// the same (seed, offset) gives the same parts on any machine.
namespace weft::data {

struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
};

/// One random part of size round(fraction * N) for testing with the classes in the proportions of all (largest
/// remainders; each class has at least one sample on either side). Throws ConfigError when the fraction is not
/// in (0, 1), there is one class only, or one has fewer than 2 members (naming class and counts).
Split stratified_split(std::span<const std::int64_t> labels, double test_fraction, Generator& generator);
/// `count` independent ones.
std::vector<Split> stratified_splits(std::span<const std::int64_t> labels, int count, double test_fraction,
                                     Generator& generator);
/// k parts of nearly equal size, each once the test part, with each class spread over them as evenly as whole
/// numbers allow. Throws ConfigError when k < 2, there is one class only, or one has fewer than k members.
std::vector<Split> stratified_k_fold(std::span<const std::int64_t> labels, int k, Generator& generator);

/// k-fold without classes (for regression). Throws ConfigError unless 2 <= k <= n.
std::vector<Split> k_fold(std::int64_t n, int k, Generator& generator);
/// round(fraction * n) random samples for testing, at least one on either side. Throws ConfigError.
Split random_split(std::int64_t n, double test_fraction, Generator& generator);

/// k-fold in which no group (patient, hospital) is in two folds: groups go, largest first, to the fold that
/// stays most balanced in size and, with `labels`, in classes. Throws ConfigError when there are fewer groups
/// than folds, ShapeError when labels and groups differ in number.
std::vector<Split> group_k_fold(std::span<const std::int64_t> groups, int k, Generator& generator,
                                std::span<const std::int64_t> labels = {});
/// Whole groups for testing, together as near to fraction * N samples as random filling comes and, with
/// `labels`, near it in each class. Throws ConfigError when there are fewer than 2 groups.
Split group_split(std::span<const std::int64_t> groups, double test_fraction, Generator& generator,
                  std::span<const std::int64_t> labels = {});

/// Each group (hospital) once as the test part, in ascending order: how a model does where it has never been. Throws
/// ConfigError when there is one group only.
std::vector<Split> leave_one_group_out(std::span<const std::int64_t> groups);
/// The latest round(fraction * N) rows for testing, with all others of the moment at which they begin, so that nothing
/// is trained on that came after, or with, what is tested on. Throws ConfigError for a fraction outside (0, 1), a time
/// that is not a number, and when nothing is left to train on.
Split time_split(std::span<const double> time, double test_fraction);

/// Parts a training set again, into what is trained on (.train) and what decides when to stop (.test): the indices
/// are those of `rows`, the classes stratified by labels[row], or whole groups when groups are given. `labels` may
/// be empty (regression). Throws as the splits above do.
Split validation_split(std::span<const std::int64_t> rows, std::span<const std::int64_t> labels, double fraction,
                       Generator& generator, std::span<const std::int64_t> groups = {});

}  // namespace weft::data
