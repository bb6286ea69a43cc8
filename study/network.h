#pragma once
#include <memory>
#include <string>
#include <vector>

#include <weft/fusion/classifier.h>
#include <weft/study/method.h>

/// The networks of a study (encoders, fusion, head) as methods.
namespace weft::study {

/// Everything as float32, which networks compute in.
data::Modalities as_float32(const data::Modalities& x);
/// One method per fusion that [compare] asks for.
Methods make_fusions(const Study& study);
/// The fusion called `name`, with the study's encoders and training.
std::unique_ptr<Method> make_fusion(const Study& study, const std::string& name);
/// What Fitted::save() kept: the networks, in eval mode, or what answers with their mean. Throws FileError for damaged
/// files.
std::vector<fusion::Classifier> load_classifiers(const Study& study, const std::string& fusion,
                                                 const std::string& path);
std::unique_ptr<Fitted> load_fitted(const Study& study, const std::string& fusion, const std::string& path);

}  // namespace weft::study
