#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/autograd/ops/loss.h>
#include <weft/data/modalities.h>
#include <weft/layers/module.h>

/// Ways to bring several kinds of evidence into one decision, and to say how much each weighed.
///
/// A method is a plain struct (see layers/module.h) that maps encoded modalities to `Fused`. B samples,
/// M modalities, D the width of the shared space, C classes. What every method keeps to: a missing modality weighs
/// exactly 0 and its filler, NaN included, reaches neither an output nor a gradient; the weights of a row that has
/// something sum to 1; a row with nothing weighs 0 throughout and is flagged in `empty`.
namespace weft::fusion {

/// What a fusion gives back. A tensor is undefined where the method has no such thing.
struct Fused {
  Tensor features;             ///< (B, D) the shared representation; undefined for methods that fuse decisions
  Tensor decision;             ///< (B, C) log-probabilities of methods that fuse decisions
  Tensor weights;              ///< (B, M) how much each modality counts
  Tensor confidence;           ///< (B, M) in [0, 1]: how far each can be trusted; 0 where it is missing
  Tensor uncertainty;          ///< (B,) in [0, 1]: how little all the evidence says; 1 where nothing is present
  std::vector<Tensor> logits;  ///< M of (B, C): what each says alone, 0 where it is missing; or empty
  Tensor auxiliary;            ///< () a loss that needs no labels
  Tensor empty;                ///< (B,) bool: nothing that the method can use is present
  Tensor present;              ///< (B, M) bool: the mask that it was given
  /// (B, H, Q, K) who looks at whom in each of H heads, rows of sum 1; of methods with attention between tokens. K are
  /// the modalities, for "transformer" CLS and then the modalities; Q is the one query or CLS, for "cross" the
  /// modalities.
  Tensor attention{};
};

/// How the losses of the rows become one number. The weights of classes and rows enter the mean's denominator too.
/// All weights are 0 or more.
struct LossOptions {
  Tensor class_weights{};      ///< (C,) a weight per class; undefined: 1
  Tensor row_weights{};        ///< (B,) a weight per sample; undefined: 1
  Tensor modality_weights{};   ///< (M,) a factor for the losses that each modality has of its own; undefined: 1
  double label_smoothing = 0;  ///< in [0, 1]: this share of the target is spread over all classes
  double progress = 1;         ///< in [0, 1]: how much of the training is done, for losses that set in little by little
};

/// What all methods are made from; each takes what it needs.
struct Options {
  std::vector<std::string> names{};    ///< of the modalities, in their order
  std::vector<std::int64_t> widths{};  ///< of their encoded features, in the same order
  std::int64_t width = 32;             ///< D, of the shared space
  std::int64_t classes = 2;            ///< C, for methods that decide per modality
  std::int64_t hidden = 32;            ///< of the gates' networks
  double dropout = 0;                  ///< in the gates' networks
  double temperature = 1;              ///< of the softmax over modalities: larger is more even
  double auxiliary_weight = 1;         ///< factor of auxiliary_loss()
  double confidence_weight = 0.3;      ///< "gate": how much a wrong confidence counts in it
  double quality_weight = 0;           ///< "gate", "cross": power of Modalities::quality; 0: not looked at
  bool context = false;                ///< "gate": judge each modality in the light of all others
  std::vector<double> weights{};       ///< "static": one per modality, above 0; empty: equal ones
  std::string modality{};              ///< "single": which one; empty: the first
  std::int64_t layers = 2;             ///< "gated": gates one after the other; "transformer": its layers
  std::int64_t heads = 1;              ///< "transformer": of its attention; width is a multiple of it
  std::int64_t rank = 4;               ///< "lowrank": R
  std::int64_t factor_width = 0;       ///< "tensor": of each modality's part; 0: up to 8, as 4096 products allow
  std::vector<double> relevance{};     ///< "relevance": one per modality, in [0, 1]; empty: 1 for all
  double confidence_share = 0.6;       ///< "relevance": a, in [0, 1]
  double sparsity_weight = 1;          ///< "dynamics": of the L1 norm of the gates on features
  double ranking_weight = 0.1;         ///< "energy": of confidences in another order than the truth
  double annealing = 0.1;              ///< "evidential": share of the training until its penalty is full
  double balance_weight = 0.01;        ///< "experts": of uneven use
  DType dtype = DType::float32;
};

/// Any method, chosen at run time. Copies share tensors, clone() is deep, as with any model; parameters, save and
/// load see through it.
class Fusion {
 public:
  Fusion() = default;
  template <class Method>
  requires(!std::is_same_v<std::remove_cvref_t<Method>, Fusion>) explicit Fusion(Method method, std::string name = "")
      : held_(std::make_unique<Held<Method>>(std::move(method))), name_(std::move(name)) {}
  Fusion(const Fusion& other) : held_(other.held_ ? other.held_->copy() : nullptr), name_(other.name_) {}
  Fusion(Fusion&&) noexcept = default;
  Fusion& operator=(const Fusion& other) { return *this = Fusion(other); }
  Fusion& operator=(Fusion&&) noexcept = default;
  ~Fusion() = default;

  /// Fuses encoded modalities (B, width_m) each. Throws ShapeError or ConfigError when they are not those that the
  /// method was made for, Error when there is no method.
  Fused operator()(const data::Modalities& encoded) const { return held().apply(encoded); }
  /// The part of the training loss that the method needs besides the loss of the decision, e.g. each modality's own
  /// cross-entropy; undefined where it needs none. target is (B,) int64. Trainers add it for every method.
  Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options = {}) const {
    return held().auxiliary_loss(fused, target, options);
  }
  /// Whether it gives a decision, so that no head is needed: methods say so by `static constexpr bool decides = true`.
  bool decides() const { return held().decides(); }
  /// The name it was made by; empty for a method put in by hand.
  const std::string& name() const noexcept { return name_; }
  void visit(const std::string& name, Visitor& v) {
    if (held_) held_->visit(name, v);
  }

 private:
  struct Any {
    virtual ~Any() = default;
    virtual Fused apply(const data::Modalities& encoded) const = 0;
    virtual Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const = 0;
    virtual bool decides() const = 0;
    virtual void visit(const std::string& name, Visitor& v) = 0;
    virtual std::unique_ptr<Any> copy() const = 0;
  };
  template <class Method>
  struct Held final : Any {
    explicit Held(Method m) : method(std::move(m)) {}
    Fused apply(const data::Modalities& encoded) const override { return method(encoded); }
    Tensor auxiliary_loss(const Fused& fused, const Tensor& target, const LossOptions& options) const override {
      if constexpr (requires { method.auxiliary_loss(fused, target, options); })
        return method.auxiliary_loss(fused, target, options);
      else
        return Tensor();
    }
    bool decides() const override {
      if constexpr (requires { Method::decides; })
        return Method::decides;
      else
        return false;
    }
    void visit(const std::string& name, Visitor& v) override { detail::visit_member(name, method, v); }
    std::unique_ptr<Any> copy() const override { return std::make_unique<Held>(method); }
    Method method;
  };
  const Any& held() const;

  std::unique_ptr<Any> held_;
  std::string name_;
};

/// The method called `name`, one of names(); docs/fusion.md has a paragraph on each.
/// Throws ConfigError for an unknown name (with the nearest one) and for options that make no sense.
Fusion make(std::string_view name, const Options& options);
/// The names that make() knows.
const std::vector<std::string>& names();
/// One sentence on a method, for lists and reports. Throws ConfigError for an unknown name.
std::string_view description(std::string_view name);

/// The row weight times the class weight of the target where `counts` ((B,) bool; undefined: everywhere) is true, else
/// 0: (B,) of `dtype`; undefined when all weigh 1. Throws ShapeError for row weights of another shape, ConfigError for
/// a negative one.
Tensor loss_weights(const Tensor& target, const LossOptions& options, const Tensor& counts, DType dtype);
/// sum(losses * loss_weights()) / sum(loss_weights()); undefined when these weigh nothing together. losses, target:
/// (B,). Throws as loss_weights().
Tensor mean_loss(const Tensor& losses, const Tensor& target, const LossOptions& options = {},
                 const Tensor& counts = Tensor());
/// The cross-entropy of logits (B, C) by mean_loss(). The class weights count as in weft::cross_entropy.
Tensor decision_loss(const Tensor& logits, const Tensor& target, const LossOptions& options = {},
                     const Tensor& counts = Tensor());
/// What options.modality_weights says of modality m of `count`: a single number, undefined where it is 1. Throws
/// ShapeError unless there is one for each modality, ConfigError for a negative one.
Tensor modality_weight(const LossOptions& options, std::size_t m, std::size_t count);
/// Each modality's own cross-entropy over the rows that have it, times its modality weight, summed over the modalities
/// that somebody has; undefined when nobody has any. Throws Error where the method gave no logits, and as
/// modality_weight().
Tensor modality_losses(const Fused& fused, const Tensor& target, const LossOptions& options = {});
/// `loss` + weight * sum_m modality weight * mean over the present of (confidence_m - the probability that modality m
/// alone gives to the true class)^2: confidences that foretell whether a decision will be right. The probability is a
/// fact of this step and gets no gradient. Corbière et al. (2019). Needs logits and confidence; an undefined `loss`
/// stays so.
Tensor with_foretelling(const Tensor& loss, double weight, const Fused& fused, const Tensor& target,
                        const LossOptions& options = {});

}  // namespace weft::fusion
