#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/tensor/error.h>

/// Study files: what docs/studies.md describes, read from TOML and checked before anything runs.
namespace weft::study {

/// A line of the study file, for messages: "studies/x.toml:12".
struct Place {
  std::string file;
  std::int64_t line = 0;
  std::string str() const { return line > 0 ? text(file, ":", line) : file; }
};

/// f(), with the place in front of what a ConfigError of it says.
template <class F>
auto located(const Place& where, F&& f) {
  try {
    return f();
  } catch (const ConfigError& e) {
    throw ConfigError(text(where.str(), ": ", e.what()));
  }
}

/// Thrown when a study's data are not on this machine (as opposed to being wrong), so that a demonstration
/// may go on without them.
struct MissingData : FileError {
  MissingData(const Place& where, const std::string& missing);
  std::string reason;  ///< in one line, without the place
};
/// The first NAME of the ${NAME} in a path that the environment does not set; empty: there is none.
std::string unset_name(const std::string& path);

struct EncoderConfig {
  std::string type = "mlp";  ///< mlp | linear | identity | cnn | cnn1d
  std::vector<std::int64_t> hidden = {32};
  double dropout = 0.2;
  std::string norm = "none";        ///< none | layer | batch
  std::vector<std::int64_t> shape;  ///< of a row, for cnn and cnn1d
  Place place;
};

struct ModalityConfig {
  std::string name;
  std::vector<std::string> columns;      ///< patterns; empty with `rest` or `files`
  bool rest = false;                     ///< all columns that no other modality claims
  std::vector<std::string> exclude;      ///< patterns taken away again
  std::vector<std::string> categorical;  ///< patterns of columns that hold codes, not quantities
  /// NPY files, rows stacked in this order; "archive.npz:name" is an array of an archive.
  std::vector<std::string> files;
  std::string feature_names;              ///< a text file, one name a line
  std::vector<std::string> zero_missing;  ///< patterns of columns in which 0 stands for "not measured"
  std::vector<double> clip;               ///< empty, or the least and the largest value that a number may have
  bool log = false;                       ///< numbers x become log2(1 + x), after clipping
  bool standardize = true;                ///< each column by itself
  bool indicators = false;                ///< a 0/1 column beside each that had gaps in training
  /// A column of the CSV, or NPY files: how good each row's is known to be, from 0 to 1; empty: nobody knows.
  std::vector<std::string> quality;
  EncoderConfig encoder;
  Place place, columns_place, quality_place;
};

struct DataConfig {
  std::string file;                  ///< a CSV, path as opened from here; empty: NPY files only
  std::string folder;                ///< where `file` and `files` of modalities lie
  std::vector<std::string> exclude;  ///< columns that nobody uses
  std::vector<std::string> missing;  ///< words that stand for a missing value; empty: the reader's own
  char separator = ',', decimal = '.';
  bool header = true;
  std::int64_t skip_lines = 0;  ///< above the header
  std::string split_column;     ///< a column holding `train` or `test`
  bool fixed_split = false;     ///< of two stacked files, the first trains and the second tests
  Place place, source_place;    ///< source: of `file` or `folder`
};

struct FusionConfig {
  std::string name = "gate";
  std::int64_t width = 32;         ///< of the space that all modalities are brought into
  std::vector<std::int64_t> head;  ///< hidden layers between the fused features and the classes
  double dropout = 0.2;
  std::int64_t hidden = 32;        ///< of the networks that make the weights
  double temperature = 1;          ///< of the softmax over modalities
  std::vector<double> weights;     ///< for `static`, one per modality
  std::int64_t layers = 2;         ///< of `gated` and `transformer`
  std::int64_t heads = 1;          ///< of the attention of `transformer`
  std::int64_t rank = 4;           ///< of `lowrank`
  std::int64_t factor_width = 0;   ///< of each modality's part in `tensor`; 0: as wide as a limit allows
  std::vector<double> relevance;   ///< for `relevance`, one per modality
  double confidence_share = 0.6;   ///< of the weights of `relevance`
  double auxiliary_weight = 1;     ///< of each modality's own loss, where a fusion has one
  double confidence_weight = 0.3;  ///< of a wrong confidence
  double quality_weight = 1;       ///< power of the quality of completed modalities in the weights of `gate`
  double sparsity_weight = 1;      ///< of the L1 norm of the gates of `dynamics`
  double ranking_weight = 0.1;     ///< of wrongly ordered confidences of `energy`
  double annealing = 0.1;          ///< share of the training until the penalty of `evidential` is full
  double balance_weight = 0.01;    ///< of an uneven use of `experts`
  bool context = false;            ///< `gate`: each modality is judged in the light of all others
  Place place;
};

struct TrainConfig {
  std::string loss = "cross_entropy";
  double label_smoothing = 0;
  bool balanced = false;  ///< weigh classes by the inverse of their frequency
  std::string optimizer = "adamw";
  double lr = 1e-3;
  double momentum = 0.9;
  double weight_decay = 0.01;
  double l1 = 0;  ///< penalty on the encoders' first layers
  std::string schedule = "cosine";
  std::int64_t step_size = 30;
  double gamma = 0.1;
  std::int64_t epochs = 100;
  std::int64_t batch = 32;
  double clip = 0;  ///< largest gradient norm; 0: none
  std::int64_t patience = 20;
  double validation = 0.2;
  std::int64_t folds = 0;       ///< k > 1: k networks, each validated on the fold it has not seen, averaged
  std::string metric;           ///< what early stopping and the choice of a fusion look at
  double degradation = 0;       ///< chance that one modality of a training row is degraded
  double average = 0;           ///< decay of the weights' moving average, which is then what is kept; 0: none
  double modality_dropout = 0;  ///< chance that a modality of a training row is taken away
  std::uint64_t seed = 0;
  Place place;
};

/// How rows part into those to train on and those to test on.
struct SplitConfig {
  std::string kind = "stratified";    ///< stratified | grouped | site | time | file
  std::vector<std::string> group;     ///< a column of the CSV, or NPY files: whose rows stay on one side
  std::vector<std::string> site;      ///< `site`: each value once the test part
  std::vector<std::string> time;      ///< `time`: a column of numbers
  std::string file;                   ///< `file`: the splits.json of an earlier run
  std::string duplicates = "refuse";  ///< refuse | together | allow: rows that are the same in everything
  std::vector<std::string> trusted;   ///< patterns of columns that may tell the class without an error
  Place place;
};

/// Settings that are chosen by validation score, anew in each split and for each fusion: every combination is tried.
struct SelectConfig {
  /// Key and values; keys are selectable_keys().
  std::vector<std::pair<std::string, std::vector<double>>> grid;
  Place place;
};

struct CompareConfig {
  std::vector<std::string> fusions;    ///< empty: all there are
  bool committee = false;              ///< the mean of all these fusions' decisions is one more
  std::vector<std::string> baselines;  ///< empty: all there are
  std::string reference = "l1";        ///< what the chosen fusion is compared with
  std::int64_t splits = 30;
  std::int64_t seeds = 1;              ///< networks per fusion and split, each from its own seed
  std::int64_t given_seeds = 0;        ///< the same on the split that comes with the data; 0: as `seeds`
  std::vector<std::string> subgroups;  ///< columns of the CSV by whose values results are parted, or NPY files
  double refer = 0.2;                  ///< share of the least certain test rows that a human decides
  double test = 0.3;
  std::string metric;   ///< that the table is about
  double level = 0.95;  ///< of the intervals
  Place place;
};

struct Study {
  Place place;
  std::string name;
  std::string title;
  std::string task = "classification";
  std::string target;                     ///< a column of the CSV ...
  std::vector<std::string> target_files;  ///< ... or NPY files, stacked
  std::vector<std::string> leave_out;     ///< target values whose rows are not used; "": missing ones
  std::string follow_up;                  ///< a column of times: the target is then an event by `horizon`
  double horizon = 0;
  std::string positive;                            ///< the class that a probability is about; empty: the last one
  std::map<std::string, std::string> class_names;  ///< what to call the values found in the data
  Place target_place, positive_place, classes_place;
  DataConfig data;
  std::vector<ModalityConfig> modalities;
  FusionConfig fusion;
  TrainConfig train;
  SplitConfig split;
  SelectConfig select;
  CompareConfig compare;
  std::string source;  ///< the file's text
};

/// Names that a study file may use.
const std::vector<std::string>& fusion_names();
const std::vector<std::string>& baseline_names();
/// What [select] may choose: lr, weight_decay, l1, epochs, batch, average, degradation, modality_dropout,
/// label_smoothing, width, dropout, encoder_dropout, temperature.
const std::vector<std::string>& selectable_keys();
/// Sets one of them. Throws ConfigError for another key.
void set_selectable(Study& study, const std::string& key, double value);

/// Reads and checks a study file. Paths come back as they can be opened from here. Throws ConfigError beginning
/// with file and line (unknown key, wrong type, value out of range, unknown name: with the closest one),
/// FileError when the file cannot be read, MissingData when a path uses an environment variable that is not set.
Study load_study(const std::string& path);
/// Whether all ${NAME} in paths must be set. A kept model answers for new rows where its training data are not: with
/// `optional` such paths stay as they are written, and MissingData comes when one is opened.
enum class Environment : std::uint8_t { required, optional };
/// The same from memory; `path` is what messages and relative paths are about.
Study parse_study(const std::string& text, const std::string& path, Environment environment = Environment::required);

}  // namespace weft::study
