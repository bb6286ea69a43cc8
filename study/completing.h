#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include <weft/fusion/completion.h>
#include <weft/study/dataset.h>

/// Completion of missing modalities for the `weft` command: fitted on training rows, like everything else.
namespace weft::study {

/// Which numbers of each modality were measured: M of (N, F) bool, in the order of the preparation's features.
std::vector<Tensor> observed_numbers(const Dataset& dataset, const Preparation& preparation);
/// What 0 in the units of the data is after preparation: M of (F,).
std::vector<Tensor> prepared_zeros(const Preparation& preparation);

/// A completion of float32 modalities, trained on these rows with modalities taken away at random; of its epochs the
/// one is kept that explains a seventh of the rows, which it has not seen, best. `observed` as above, for the same
/// rows, or empty. Calls check_interrupt() after each epoch.
fusion::Completion fit_completion(const data::Modalities& rows, const std::vector<Tensor>& observed,
                                  std::uint64_t seed);

}  // namespace weft::study
