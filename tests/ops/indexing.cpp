#include <algorithm>
#include <functional>
#include <iterator>

#include "record.h"

namespace weft::tests {
namespace {

constexpr const char* only_places = "the result is whole numbers";

/// x[..., index[j], ...] element by element.
Tensor picked(const Tensor& x, int axis, const std::vector<std::int64_t>& index) {
  return along(x, axis, [&](const std::vector<double>& line) {
    std::vector<double> y;
    for (const std::int64_t i : index)
      y.push_back(line[static_cast<std::size_t>(i < 0 ? i + static_cast<std::int64_t>(line.size()) : i)]);
    return y;
  });
}

/// One entry of an index, as weft takes it. In index_put None stands for a whole axis, elsewhere for a new one.
IndexEntry entry(const Value& v, bool none_is_whole) {
  if (v.holds<std::monostate>()) return none_is_whole ? IndexEntry(weft::Slice{}) : IndexEntry(newaxis);
  if (v.holds<Ellipsis>()) return ellipsis;
  if (const auto* i = std::get_if<std::int64_t>(&v.is)) return *i;
  if (const auto* b = std::get_if<bool>(&v.is)) return scalar(*b, DType::boolean);
  if (const auto* s = std::get_if<Slice>(&v.is)) return weft::Slice{s->start, s->stop, s->step.value_or(1)};
  if (const auto* x = std::get_if<Tensor>(&v.is)) return *x;
  Shape shape;
  std::vector<std::int64_t> places;
  const std::function<void(const Value&, int)> collect = [&](const Value& each, int depth) {
    if (!each.holds<Value::List>()) {
      places.push_back(each.as<std::int64_t>());
      return;
    }
    const auto& list = each.as<Value::List>();
    if (shape.size() == depth) shape.push_back(std::ssize(list));
    for (const Value& one : list) collect(one, depth + 1);
  };
  collect(v, 0);
  return from(places, shape);
}

/// All entries: a list of whole numbers only is one list of places, any other one entry per axis.
std::vector<IndexEntry> entries_of(const Value& v, bool none_is_whole) {
  const auto* list = std::get_if<Value::List>(&v.is);
  bool places = list && !list->empty();
  for (std::size_t i = 0; places && i < list->size(); ++i) places = (*list)[i].holds<std::int64_t>();
  if (!list || places) return {entry(v, none_is_whole)};
  std::vector<IndexEntry> all;
  for (const Value& each : *list) all.push_back(entry(each, none_is_whole));
  return all;
}
std::vector<IndexEntry> entries(const Args& a, std::string_view name, bool none_is_whole = false) {
  return entries_of(a.value(name), none_is_whole);
}

struct Chosen {
  Shape shape;
  std::vector<std::size_t> places;  // of the elements in row-major order
};

/// What an index chooses, element by element: every entry becomes a function from the place in the result to one on its
/// axis.
Chosen chosen_by(const Shape& x, const Value& v, bool none_is_whole) {
  const std::vector<IndexEntry> all = entries_of(v, none_is_whole);
  int named = 0;
  for (const IndexEntry& e : all) {
    const auto* t = e.get<Tensor>();
    named += t && t->dtype() == DType::boolean ? t->dim() : !e.get<weft::Ellipsis>() && !e.get<NewAxis>();
  }
  struct Axis {
    std::int64_t size = 1, start = 0, step = 0;  // a run of places
    int of = -1;                                 // the axis of x, -1 for a new one
    bool kept = true;                            // it is an axis of the result
    std::vector<std::int64_t> list{};            // or: places by tensor
    Shape list_shape{};
    bool listed = false;
  };
  std::vector<Axis> axes;
  int next = 0;
  for (const IndexEntry& e : all) {
    if (const auto* number = e.get<std::int64_t>()) {
      axes.push_back({.start = *number < 0 ? *number + x[next] : *number, .of = next, .kept = false});
      ++next;
    } else if (const auto* s = e.get<weft::Slice>()) {
      const std::int64_t n = x[next];
      const auto clip = [n](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + n : at, 0, n); };
      const std::int64_t start = clip(s->start.value_or(0)), stop = clip(s->stop.value_or(n));
      axes.push_back({.size = stop > start ? (stop - start + s->step - 1) / s->step : 0,
                      .start = start,
                      .step = s->step,
                      .of = next++});
    } else if (e.get<weft::Ellipsis>()) {
      for (int i = 0; i < x.size() - named; ++i, ++next) axes.push_back({.size = x[next], .step = 1, .of = next});
    } else if (e.get<NewAxis>()) {
      axes.push_back({});
    } else {
      const Tensor& t = *e.get<Tensor>();
      if (t.dtype() == DType::boolean) {
        const std::vector<double> flags = to_vector<double>(t);
        std::vector<Axis> each(static_cast<std::size_t>(std::max(t.dim(), 1)));
        for (std::size_t n = 0; n < flags.size(); ++n) {
          std::int64_t rest = static_cast<std::int64_t>(n);
          for (int i = t.dim() - 1; flags[n] != 0 && i >= 0; --i) {
            each[static_cast<std::size_t>(i)].list.push_back(rest % t.shape()[i]);
            rest /= t.shape()[i];
          }
          if (flags[n] != 0 && t.dim() == 0) each[0].list.push_back(0);
        }
        for (Axis& axis : each) {
          axis.listed = true;
          axis.list_shape = {std::ssize(axis.list)};
          if (t.dim() > 0) axis.of = next++;
          axes.push_back(axis);
        }
      } else {
        Axis axis{.of = next, .list = to_vector<std::int64_t>(t), .list_shape = t.shape(), .listed = true};
        for (std::int64_t& i : axis.list) i += i < 0 ? x[next] : 0;
        if (t.dim() == 0) axis = {.start = axis.list[0], .of = next, .kept = false};
        ++next;
        axes.push_back(axis);
      }
    }
  }
  for (; next < x.size(); ++next) axes.push_back({.size = x[next], .step = 1, .of = next});

  Shape lists;
  std::vector<int> seen;  // where tensors stand among what the result keeps
  int position = 0;
  for (const Axis& axis : axes) {
    if (axis.listed) {
      lists = broadcast("reference", lists, axis.list_shape);
      seen.push_back(position);
    }
    position += axis.kept;
  }
  const bool together = seen.empty() || seen.back() - seen.front() + 1 == static_cast<int>(seen.size());
  const int where = seen.empty() ? -1 : together ? seen.front() : 0;
  Chosen chosen;
  std::vector<int> axis_of;  // the result's axes: an entry, or -1 for one of the lists' axes
  const auto put_lists = [&] {
    for (const std::int64_t n : lists) {
      chosen.shape.push_back(n);
      axis_of.push_back(-1);
    }
  };
  if (!together) put_lists();
  position = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (together && axes[i].kept && position == where) put_lists();
    position += axes[i].kept;
    if (axes[i].listed || !axes[i].kept) continue;
    chosen.shape.push_back(axes[i].size);
    axis_of.push_back(static_cast<int>(i));
  }
  for (std::int64_t n = 0; n < chosen.shape.product(); ++n) {
    std::vector<std::int64_t> run(axes.size()), list;
    std::int64_t rest = n;
    for (int i = chosen.shape.size() - 1; i >= 0; --i) {
      const int of = axis_of[static_cast<std::size_t>(i)];
      if (of < 0)
        list.insert(list.begin(), rest % chosen.shape[i]);
      else
        run[static_cast<std::size_t>(of)] = rest % chosen.shape[i];
      rest /= chosen.shape[i];
    }
    std::vector<std::int64_t> place(static_cast<std::size_t>(x.size()));
    for (std::size_t i = 0; i < axes.size(); ++i) {
      std::int64_t at = axes[i].start + axes[i].step * run[i];
      if (axes[i].listed) {
        std::int64_t flat = 0;
        const Shape& shape = axes[i].list_shape;
        for (int j = 0; j < shape.size(); ++j)
          flat = flat * shape[j] + (shape[j] == 1 ? 0 : list[list.size() - static_cast<std::size_t>(shape.size() - j)]);
        at = axes[i].list[static_cast<std::size_t>(flat)];
      }
      if (axes[i].of >= 0) place[static_cast<std::size_t>(axes[i].of)] = at;
    }
    std::int64_t flat = 0;
    for (int i = 0; i < x.size(); ++i) flat = flat * x[i] + place[static_cast<std::size_t>(i)];
    chosen.places.push_back(static_cast<std::size_t>(flat));
  }
  return chosen;
}

const Family indexing{
    Record{
        .name = "index_select",
        .torch = {"index_select(input, dim, index)"},
        .call = [](const Args& a) { return index_select(a.tensor("input"), a.axis("dim"), a.tensor("index")); },
        .samples = {"x(4, 3), 0, index(5, below=4)", "x(3, 4), 1, index(2, from=-4, below=4)",
                    "x(2, 4, 3), -2, index(3, below=4)", "x(3, 4), 0, index(0)", "x(5), 0, tensor([4, 4, 0], 'int32')",
                    "x(0, 3), 1, index(2)"},
        .reference =
            [](const Args& a) {
              return picked(a.tensor("input"), a.axis("dim"), to_vector<std::int64_t>(a.tensor("index")));
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3), 0, x(2)",
                    "DtypeError: index_select: the index is float64\n  help: convert it with to(index, DType::int64)"},
                   {"x(3), 0, tensor([0, 3], 'int64')",
                    "ConfigError: index_select: index 3 at position 1 is out of range for size 3\n  help: use indices "
                    "from -3 to 2"}}},
    Record{.name = "index_add",
           .torch = {"index_add(input, dim, index, source, *, alpha=1)"},
           .call =
               [](const Args& a) {
                 const Tensor source = a.tensor("source");
                 return index_add(a.tensor("input"), a.axis("dim"), a.tensor("index"),
                                  a.real("alpha") == 1 ? source : source * a.number("alpha"));
               },
           .samples = {"x(4, 3), 0, index(5, below=4), x(5, 3)", "x(3, 4), -1, index(2, below=4), x(3, 2)",
                       "x(3), 0, index(0), x(0)", "x(), 0, index(1, below=1), x(1)",
                       "x(5), 0, tensor([1, 1, -1], 'int64'), x(3)"},
           .types = {DType::bfloat16, DType::int64, DType::int8, DType::boolean},
           .errors = {{"index(3), 0, index(2), x(2)",
                       "DtypeError: index_add: float64 values do not fit into a tensor of int64\n"
                       "  help: convert one of the two with to"},
                      {"x(3), 0, index(2), x(3)",
                       "ShapeError: index_add: source [3] and index [2] do not fit [3] along axis 0"}}},
    Record{.name = "index_copy",
           .torch = {"index_copy(input, dim, index, source)"},
           .call =
               [](const Args& a) {
                 return index_copy(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("source"));
               },
           .samples = {"x(4, 3), 0, tensor([2, 0], 'int64'), x(2, 3)", "x(3, 4), -1, tensor([1, -1], 'int32'), x(3, 2)",
                       "x(3), 0, index(0), x(0)", "x(), 0, tensor([0], 'int64'), x()",
                       "x(2, 3, 40), 1, tensor([2], 'int64'), x(2, 1, 40)"},
           .reference =
               [](const Args& a) {
                 const std::vector<std::int64_t> places = to_vector<std::int64_t>(a.tensor("index"));
                 const Tensor x = a.tensor("input");
                 if (x.dim() == 0) return reshape(a.tensor("source"), {});
                 const std::int64_t n = x.size(a.axis("dim")), count = a.tensor("source").size(a.axis("dim"));
                 return along(
                     cat({x, a.tensor("source")}, a.axis("dim")), a.axis("dim"), [&](const std::vector<double>& both) {
                       std::vector<double> y(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(n));
                       for (std::int64_t i = 0; i < std::min<std::int64_t>(count, std::ssize(both) - n); ++i) {
                         const std::int64_t at = places[static_cast<std::size_t>(i)];
                         y[static_cast<std::size_t>(at < 0 ? at + n : at)] = both[static_cast<std::size_t>(n + i)];
                       }
                       return y;
                     });
               },
           .types = {DType::bfloat16, DType::int64, DType::boolean},
           .errors = {{"x(3), 0, index(2), x(3)",
                       "ShapeError: index_copy: source [3] and index [2] do not fit [3] along axis 0"},
                      {"x(3), 0, tensor([1, 3], 'int64'), x(2)",
                       "ConfigError: index_copy: index 3 at position 1 is out of range for size 3\n  help: use indices "
                       "from -3 to 2"},
                      {"index(3), 0, index(2), x(2)",
                       "DtypeError: index_copy: float64 values do not fit into a tensor of int64\n"
                       "  help: convert one of the two with to"}}},
    Record{
        .name = "index_fill",
        .torch = {"index_fill(input, dim, index, value)"},
        .call =
            [](const Args& a) {
              return a.is_tensor("value")
                         ? index_fill(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.tensor("value"))
                         : index_fill(a.tensor("input"), a.axis("dim"), a.tensor("index"), a.number("value"));
            },
        .samples = {"x(4, 3), 0, tensor([2, 0], 'int64'), 2.5", "x(3, 4), -1, tensor([1, -1, 1], 'int64'), x()",
                    "x(), 0, tensor([0], 'int64'), 3", "x(), 0, tensor(0, 'int64'), x()", "x(3), 0, index(0), x()"},
        .reference =
            [](const Args& a) {
              const std::vector<std::int64_t> places = to_vector<std::int64_t>(a.tensor("index"));
              return along(a.tensor("input"), a.axis("dim"), [&](std::vector<double> line) {
                for (const std::int64_t i : places)
                  line[static_cast<std::size_t>(i < 0 ? i + std::ssize(line) : i)] = a.real("value");
                return line;
              });
            },
        .types = {DType::bfloat16},
        .errors = {{"x(3), 0, index(2), x(2)", "ShapeError: index_fill: the value [2] is not a single number"},
                   {"index(3), 0, index(2), 0.5",
                    "DtypeError: index_fill: 0.5 does not fit into a tensor of int64\n"
                    "  help: convert the tensor with to(x, DType::float32)"},
                   {"x(3), 0, tensor([-4], 'int64'), 1",
                    "ConfigError: index_fill: index -4 at position 0 is out of range for size 3\n  help: use indices "
                    "from -3 to 2"}}},
    Record{
        .name = "take",
        .torch = {"take(input, index)"},
        .call = [](const Args& a) { return take(a.tensor("input"), a.tensor("index")); },
        .samples = {"x(3, 4), index(5, below=12)", "x(3, 4), index(2, 3, from=-12, below=12)",
                    "x(), tensor(0, 'int64')", "x(0), index(0)", "x(3), index(0)", "x(2, 2), tensor([3, 3], 'int32')"},
        .reference =
            [](const Args& a) {
              const Tensor index = a.tensor("index"), x = a.tensor("input");
              return reshape(picked(flatten(x), 0, to_vector<std::int64_t>(index)), index.shape());
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(0), index(1)", "ShapeError: take: x [0] has no elements"},
                   {"x(2, 2), tensor([0, 4], 'int64')",
                    "ConfigError: take: index 4 at position 1 is out of range for size 4\n  help: use indices from -4 "
                    "to 3"}}},
    Record{
        .name = "take_along_dim",
        .torch = {"take_along_dim(input, indices, dim=None)"},
        .call =
            [](const Args& a) {
              return a.has("dim") ? take_along_dim(a.tensor("input"), a.tensor("indices"), a.axis("dim"))
                                  : take_along_dim(a.tensor("input"), a.tensor("indices"));
            },
        .samples = {"x(3, 4), index(2, 4, below=3), 0", "x(1, 4), index(3, 2, below=4), -1",
                    "x(2, 3, 4), index(1, 5, 1, below=3), 1", "x(2, 3), index(4, below=6)", "x(3), index(0), 0",
                    "x(2, 3), index(2, 2, below=6)"},
        .reference =
            [](const Args& a) {
              Tensor x = a.tensor("input"), index = a.tensor("indices");
              if (!a.has("dim")) return picked(flatten(x), 0, to_vector<std::int64_t>(index));
              const int k = normalize_axis("reference", a.axis("dim"), x.dim());
              Shape wide = broadcast("reference", select(x, k, 0).shape(), sum(index, k).shape()), lines = wide;
              wide.insert(k, x.size(k));
              lines.insert(k, index.size(k));
              x = expand(x, wide);
              index = expand(index, lines);
              const Tensor both = cat({x, to(index, DType::float64)}, k);
              return along(both, k, [n = x.size(k)](const std::vector<double>& line) {
                std::vector<double> y;
                for (std::int64_t i = n; i < std::ssize(line); ++i)
                  y.push_back(line[static_cast<std::size_t>(line[static_cast<std::size_t>(i)])]);
                return y;
              });
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3, 4), index(3), 0", "ShapeError: take_along_dim: x [3, 4] and index [3] differ in rank"},
                   {"x(3, 4), index(2, 3), 0",
                    "ShapeError: take_along_dim: shapes [1, 4] and [1, 3] do not broadcast: sizes 4 and 3 at axis 1\n"
                    "  help: make the sizes equal, or one of them 1"}}},
    Record{
        .name = "nonzero",
        .weft = "nonzero(input)",
        .call = [](const Args& a) { return nonzero(a.tensor("input")); },
        .samples = {"mask(20)", "tensor([0, 2, nan, 0, -1])", "x(0)", "tensor([0, 0])"},
        .result = Result::int64,
        .no_gradient = only_places,
        .errors = {{"mask(2, 2)", "ShapeError: nonzero: the mask is [2, 2]\n  help: pass one axis, as flatten(mask)"}}},
    Record{.name = "argwhere",
           .torch = {"nonzero(input, *, as_tuple=False)", "argwhere(input)"},
           .call = [](const Args& a) { return argwhere(a.tensor("input")); },
           .samples = {"mask(3, 4)", "mask(2, 3, 2)", "mask(5)", "tensor(1)", "tensor(0)", "x(0, 3)"},
           .result = Result::int64,
           .no_gradient = only_places},
    Record{.name = "argsort",
           .torch = {"argsort(input, dim=-1, descending=False, stable=False)"},
           .call = [](const Args& a) { return argsort(a.tensor("input"), a.axis("dim"), a.flag("descending")); },
           .samples = {"distinct(3, 4)", "distinct(3, 4), 0, True", "x(2, 3, 4), 1", "tensor([2, 1, 2, 1, 0])",
                       "tensor([2, 1, 2, 1, 0]), 0, True", "x()", "x(0, 3)", "x(3, 0)"},
           .reference =
               [](const Args& a) {
                 const bool down = a.flag("descending");
                 return along(a.tensor("input"), a.axis("dim"), [down](const std::vector<double>& line) {
                   std::vector<double> order;
                   for (std::size_t i = 0; i < line.size(); ++i) order.push_back(static_cast<double>(i));
                   std::stable_sort(order.begin(), order.end(), [&](double i, double j) {
                     const double u = line[static_cast<std::size_t>(i)], v = line[static_cast<std::size_t>(j)];
                     return down ? u > v : u < v;
                   });
                   return order;
                 });
               },
           .result = Result::int64,
           .types = {DType::int64},
           .no_gradient = only_places,
           .places_in = "input",
           .errors = {{"x(3), 1",
                       "ShapeError: argsort: axis 1 is out of range for 1 axis\n  help: choose an axis from -1 to 0"}}},
};

/// The true elements of a mask once it and x are broadcast.
std::vector<bool> true_places(const Tensor& mask, const Shape& shape) {
  std::vector<bool> chosen;
  for (const double v : to_vector<double>(expand(mask, shape))) chosen.push_back(v != 0);
  return chosen;
}

const Family masks{
    Record{.name = "masked_fill",
           .torch = {"masked_fill(input, mask, value)"},
           .call =
               [](const Args& a) {
                 return a.is_tensor("value") ? masked_fill(a.tensor("input"), a.tensor("mask"), a.tensor("value"))
                                             : masked_fill(a.tensor("input"), a.tensor("mask"), a.number("value"));
               },
           .samples = {"x(3, 4), mask(3, 4), 2.5", "x(3, 4), mask(4), x()", "x(4), mask(3, 1), 1", "x(), mask(), x()",
                       "x(0, 3), mask(3), 1"},
           .reference =
               [](const Args& a) {
                 const Shape shape = broadcast("reference", a.tensor("input").shape(), a.tensor("mask").shape());
                 const std::vector<bool> chosen = true_places(a.tensor("mask"), shape);
                 std::vector<double> y = to_vector<double>(expand(a.tensor("input"), shape));
                 for (std::size_t i = 0; i < y.size(); ++i)
                   if (chosen[i]) y[i] = a.real("value");
                 return from(y, shape);
               },
           .types = {DType::bfloat16},
           .errors = {{"x(3), x(3), 1",
                       "DtypeError: masked_fill: the mask is float64\n"
                       "  help: convert it with to(mask, DType::boolean)"},
                      {"x(3), mask(3), x(3)", "ShapeError: masked_fill: the value [3] is not a single number"},
                      {"index(3), mask(3), inf",
                       "DtypeError: masked_fill: inf does not fit into a tensor of int64\n"
                       "  help: convert the tensor with to(x, DType::float32)"}}},
    Record{.name = "masked_select",
           .torch = {"masked_select(input, mask)"},
           .call = [](const Args& a) { return masked_select(a.tensor("input"), a.tensor("mask")); },
           .samples = {"x(3, 4), mask(3, 4)", "x(4), mask(3, 4)", "x(3, 1), mask(4)", "x(), mask(3)",
                       "x(), tensor(1, 'bool')", "x(0, 3), mask(3)", "x(3), tensor([0, 0, 0], 'bool')"},
           .reference =
               [](const Args& a) {
                 const Shape shape = broadcast("reference", a.tensor("input").shape(), a.tensor("mask").shape());
                 const std::vector<bool> chosen = true_places(a.tensor("mask"), shape);
                 const std::vector<double> x = to_vector<double>(expand(a.tensor("input"), shape));
                 std::vector<double> y;
                 for (std::size_t i = 0; i < x.size(); ++i)
                   if (chosen[i]) y.push_back(x[i]);
                 return from(y);
               },
           .types = {DType::bfloat16, DType::int64},
           .errors = {{"x(3), index(3)",
                       "DtypeError: masked_select: the mask is int64\n"
                       "  help: convert it with to(mask, DType::boolean)"}}},
    Record{
        .name = "masked_scatter",
        .torch = {"masked_scatter(input, mask, source)"},
        .call = [](const Args& a) { return masked_scatter(a.tensor("input"), a.tensor("mask"), a.tensor("source")); },
        .samples = {"x(3, 4), mask(3, 4), x(3, 4)", "x(3, 4), mask(4), x(20)", "x(4), mask(3, 1), x(3, 4)",
                    "x(), tensor(1, 'bool'), x(2)", "x(3), tensor([0, 0, 0], 'bool'), x(0)", "x(0, 3), mask(3), x(0)"},
        .reference =
            [](const Args& a) {
              const Shape shape = broadcast("reference", a.tensor("input").shape(), a.tensor("mask").shape());
              const std::vector<bool> chosen = true_places(a.tensor("mask"), shape);
              std::vector<double> y = to_vector<double>(expand(a.tensor("input"), shape));
              const std::vector<double> source = to_vector<double>(a.tensor("source"));
              std::size_t next = 0;
              for (std::size_t i = 0; i < y.size(); ++i)
                if (chosen[i]) y[i] = source[next++];
              return from(y, shape);
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"index(3), mask(3), x(3)",
                    "DtypeError: masked_scatter: float64 values do not fit into a tensor of int64\n"
                    "  help: convert one of the two with to"},
                   {"x(3), tensor([1, 0, 1], 'bool'), x(1)",
                    "ShapeError: masked_scatter: the mask has 2 true elements, the source [1] only 1"}}},
};

const Family expressions{
    Record{
        .name = "index",
        .torch = {"__getitem__(input, index)"},
        .call = [](const Args& a) { return index(a.tensor("input"), entries(a, "index")); },
        .samples = {"x(4, 3), [1, ...]",
                    "x(4, 3), [..., -1]",
                    "x(5, 3), [slice(1, 4), 2]",
                    "x(5, 3), slice(None, None, 2)",
                    "x(5, 3), [slice(-3, 100, 2), None, ...]",
                    "x(4, 3), [3, -3, ...]",
                    "x(4, 3), []",
                    "x(4), [slice(3, 1)]",
                    "x(4, 3), [0, 3]",
                    "x(4, 3, 2), [slice(), [0, -1], slice()]",
                    "x(4, 3, 5), [[0, 3, 0], [1, 2, 1]]",
                    "x(4, 3, 5), [[0, 3], slice(), [1, 4]]",
                    "x(4, 3, 5), [slice(), [0, 2], [1, 4]]",
                    "x(4, 3, 5), [slice(1, 3), 0, [1, 4]]",
                    "x(4, 3, 5), [0, slice(), [1, 4]]",
                    "x(4, 3, 5), [[0, 1], None, [2, 2]]",
                    "x(4, 3, 5), [index(2, 1, below=4), index(3, below=3)]",
                    "x(4, 3, 5), [index(2, 3, below=4), ..., index(1, 3, from=-5, below=5)]",
                    "x(4, 3), index(2, 2, below=4)",
                    "x(4, 3), tensor(2, 'int64')",
                    "x(5, 3), mask(5)",
                    "x(3, 4, 2), mask(3, 4)",
                    "x(3, 4, 2), [slice(), mask(4, 2)]",
                    "x(3, 4), [mask(3), [1]]",
                    "x(3, 4), [slice(), tensor([0, 1, 0, 0], 'bool')]",
                    "x(3), [tensor(1, 'bool')]",
                    "x(3), [tensor(0, 'bool'), ...]",
                    "x(), tensor(1, 'bool')",
                    "x(), [...]",
                    "x(), None",
                    "x(0, 3), [index(0)]",
                    "x(3, 4), [index(0, 2), 1]",
                    "x(4, 3), [tensor([], 'float32')]",
                    "x(2, 3, 2, 2), [0, [0, 2], slice(), 1]",
                    "x(2, 3, 2, 2), [[1, 0], [0, 2], slice(), [1, 1]]"},
        .reference =
            [](const Args& a) {
              const Chosen chosen = chosen_by(a.tensor("input").shape(), a.value("index"), false);
              const std::vector<double> x = to_vector<double>(a.tensor("input"));
              std::vector<double> y;
              for (const std::size_t at : chosen.places) y.push_back(x[at]);
              return from(y, chosen.shape);
            },
        .types = {DType::bfloat16, DType::int64, DType::boolean},
        .errors = {{"x(3, 4), [0, 1, 2, ...]", "ShapeError: index: 3 axes are indexed, x [3, 4] has 2"},
                   {"x(3), [..., 0, ...]", "ConfigError: index: there are 2 ellipses\n  help: use one"},
                   {"x(3, 4), [0, 4, ...]", "ConfigError: index: index 4 is out of range for axis 1 of size 4"},
                   {"x(3, 4), [..., -5]", "ConfigError: index: index -5 is out of range for axis 1 of size 4"},
                   {"x(3), tensor(3, 'int64')", "ConfigError: index: index 3 is out of range for axis 0 of size 3"},
                   {"x(3, 4), [slice(), [0, 1, 4]]",
                    "ConfigError: index: index 4 at position 2 is out of range for size 4\n  help: use indices from -4 "
                    "to 3"},
                   {"x(3), [slice(None, None, -1)]", "ConfigError: index: step -1\n  help: choose a step of 1 or more"},
                   {"x(3, 4), mask(4)", "ShapeError: index: the mask [4] does not fit axis 0 of x [3, 4]"},
                   {"x(3, 4), [[0, 1], [0, 1, 2]]",
                    "ShapeError: index: shapes [2] and [3] do not broadcast: sizes 2 and 3 at axis 0\n"
                    "  help: make the sizes equal, or one of them 1"},
                   {"x(3), x(3)",
                    "DtypeError: index: the index is float64\n  help: convert it with to(index, DType::int64)"}}},
    Record{.name = "index/in code",
           .weft = "index(input, places)",
           .call =
               [](const Args& a) {
                 return index(a.tensor("input"),
                              {newaxis, weft::Slice{1, 3}, ellipsis, -1, a.tensor("places"), weft::Slice{.step = 2}});
               },
           .samples = {"x(3, 2, 4, 3, 5), index(2, below=3)"},
           .reference =
               [](const Args& a) {
                 Tensor y = picked(a.tensor("input"), 3, to_vector<std::int64_t>(a.tensor("places")));
                 y = picked(picked(picked(y, 0, {1, 2}), 2, {3}), 4, {0, 2, 4});
                 return reshape(y, {1, 2, 2, 2, 3});
               },
           .types = {DType::int64}},
    Record{
        .name = "index_put",
        .torch = {"index_put(input, indices, values, accumulate=False)"},
        .call =
            [](const Args& a) {
              return index_put(a.tensor("input"), entries(a, "indices", true), a.tensor("values"),
                               a.flag("accumulate"));
            },
        .samples = {"x(5, 3), [tensor([4, 0], 'int64')], x(2, 3)", "x(5, 3), [index(4, below=5)], x(4, 3), True",
                    "x(4, 3), [[0, 2], [1, 1]], x(2)", "x(4, 3), [[0, 2], [1, 1]], x()",
                    "x(4, 3, 5), [[0, 3], slice(), [1, 4]], x(2, 3)", "x(4, 3, 5), [slice(1, 3), 0, [1, 4]], x(1, 2)",
                    "x(4, 3, 5), [slice(1, 3), [0, 0], [1, 1]], x(2, 2), True", "x(4, 3), [slice(0, 4, 2), ...], x(3)",
                    "x(4, 3), [slice(0, 4, 2), ...], x(2, 1), True", "x(4, 3), [...], x(4, 3)",
                    "x(4, 3), [1, 2, ...], x()", "x(3, 4), [mask(3, 4)], x()", "x(3, 4), [None, [0, 2]], x(3, 2)",
                    "x(3, 4), [mask(3)], x(4), True", "x(), [tensor(1, 'bool')], x(1)", "x(3), [index(0)], x(0)",
                    "x(3), [index(0)], x()", "x(2, 3), [slice(1, 1), ...], x(3)",
                    "x(2, 3, 2), [[1, 0], None, [1, 0]], x(2, 3)"},
        .reference =
            [](const Args& a) {
              const Tensor x = a.tensor("input");
              const Chosen chosen = chosen_by(x.shape(), a.value("indices"), true);
              const std::vector<double> values = to_vector<double>(expand(a.tensor("values"), chosen.shape));
              std::vector<double> y = to_vector<double>(x);
              for (std::size_t i = 0; i < values.size(); ++i)
                y[chosen.places[i]] = values[i] + (a.flag("accumulate") ? y[chosen.places[i]] : 0);
              return from(y, x.shape());
            },
        .types = {DType::bfloat16, DType::int64},
        .errors = {{"x(3, 4), [[0, 1]], x(3, 4)",
                    "ShapeError: index_put: values [3, 4] cannot be repeated to the chosen elements [2, 4]"},
                   {"x(3, 4), [slice(0, 2), ...], x(3)",
                    "ShapeError: index_put: values [3] cannot be repeated to the chosen elements [2, 4]"},
                   {"index(3), [[0, 1]], x(2)",
                    "DtypeError: index_put: float64 values do not fit into a tensor of int64\n"
                    "  help: convert one of the two with to"},
                   {"x(3), [[0, 3]], x()",
                    "ConfigError: index_put: index 3 at position 1 is out of range for size 3\n  help: use indices "
                    "from -3 to 2"}}},
};

}  // namespace
}  // namespace weft::tests
