// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <iostream>
#include <numeric>
#include <utility>
#include <vector>

#include "common/base/json.hpp"
#include "common/base/text.hpp"
#include "common/tensor/safetensors.hpp"
#include "participant/commands.hpp"
#include "participant/prepared.hpp"
#include "participant/start_up.hpp"

namespace entente::participant {
namespace {

Result<data::Source> source_of(const plan::Plan& plan, const EvaluateOptions& options) {
  if (options.labels.empty()) return data::source_of(plan.data, options.data);
  if (!std::holds_alternative<data::Image>(plan.data.kind)) {
    return Error{Errc::invalid_argument,
                 "--labels: the plan's data are no images, and hold their own labels"};
  }
  data::Source source;
  source.images = options.data;
  source.labels = options.labels;
  return source;
}

// A plan that asks for no metrics still has some to be asked for.
std::shared_ptr<const plan::Plan> with_metrics(std::shared_ptr<const plan::Plan> plan) {
  if (!plan->rules.metrics.empty()) return plan;
  plan::Plan copy = *plan;
  copy.rules.metrics = {"loss"};
  if (plan->data.target().kind == data::Target::Kind::classes)
    copy.rules.metrics.insert(copy.rules.metrics.begin(), "accuracy");
  return std::make_shared<const plan::Plan>(std::move(copy));
}

constexpr std::size_t confusion_printed_max = 20;  // classes

bool is_printed(const training::Figures& figures) {
  return figures.confusion && figures.confusion->classes() <= confusion_printed_max;
}

// counts[label][predicted]
json::array confusion_of(const engine::ConfusionMatrix& matrix) {
  json::array rows;
  for (std::size_t label = 0; label < matrix.classes(); ++label) {
    json::array row;
    for (std::size_t predicted = 0; predicted < matrix.classes(); ++predicted)
      row.emplace_back(matrix.count(label, predicted));
    rows.push_back(std::move(row));
  }
  return rows;
}

// Of a text the classes are the tokens' numbers.
std::vector<std::string> class_names(const data::Schema& schema) {
  const auto* text = std::get_if<data::Text>(&schema.kind);
  if (text == nullptr) return schema.classes;
  std::vector<std::string> names{"<padding>", "<unknown>"};
  const auto& entries = text->vocabulary.entries;
  names.insert(names.end(), entries.begin(), entries.end());
  return names;
}

void print_confusion(const std::vector<std::string>& classes,
                     const engine::ConfusionMatrix& matrix) {
  std::size_t width = 7;
  for (const std::string& name : classes) width = std::max(width, name.size() + 1);
  std::cout << "rows by class, columns by prediction:\n" << std::string(width, ' ');
  for (std::size_t i = 0; i < classes.size(); ++i) std::cout << fmt::format("{:>8}", i);
  std::cout << "\n";
  for (std::size_t label = 0; label < classes.size(); ++label) {
    std::cout << fmt::format("{:<{}}", escaped(classes[label]), width);
    for (std::size_t predicted = 0; predicted < classes.size(); ++predicted)
      std::cout << fmt::format("{:>8}", matrix.count(label, predicted));
    std::cout << "\n";
  }
}

struct Evaluated {
  Digest model;
  training::Figures figures;
};

// The model in the file on all rows.
Result<Evaluated> evaluate_file(const Prepared& prepared, const std::filesystem::path& model) {
  tensor::ParameterBuffer parameters(prepared.network.parameter_count());
  const auto digest =
      tensor::read_safetensors(model, prepared.network.layout(), parameters.values());
  if (!digest) return as_usage(digest.error());
  std::vector<std::uint32_t> rows(prepared.dataset.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  auto figures = training::evaluate(prepared.setting(), rows, parameters.values());
  if (!figures) return in_context(model.string(), figures.error());
  return Evaluated{*digest, std::move(*figures)};
}

}  // namespace

Result<ExitCode> evaluate(const EvaluateOptions& options) {
  auto plan = read_any_plan(options.plan);
  if (!plan) return plan.error();
  const auto source = source_of(**plan, options);
  if (!source) return as_usage(source.error());
  const data::Limits limits;
  const auto prepared = prepare(with_metrics(*plan), *source, "evaluation", limits.memory_max_bytes,
                                data::Cells::told);
  if (!prepared) return as_usage(prepared.error());
  const auto evaluated =
      within_memory(**prepared, [&] { return evaluate_file(**prepared, options.model); });
  if (!evaluated) return evaluated.error();
  const auto& [digest, figures] = *evaluated;

  if (options.json) {
    json::object answer;
    answer["plan"] = (*plan)->digest.hex();
    answer["model"] = digest.hex();
    answer["examples"] = figures.examples;
    json::object metrics;
    for (const auto& [name, value] : figures.metrics) metrics[name] = value;
    answer["metrics"] = std::move(metrics);
    if (is_printed(figures)) answer["confusion"] = confusion_of(*figures.confusion);
    const auto line = canonical_json(answer);
    if (!line) return line.error();
    std::cout << *line << "\n";
    return ExitCode::done;
  }
  std::cout << "model " << digest.hex() << ", " << figures.examples << " rows\n";
  for (const auto& [name, value] : figures.metrics) std::cout << name << " " << value << "\n";
  for (const std::string& metric : (*prepared)->plan->rules.metrics) {
    if (!figures.metrics.contains(metric)) std::cout << metric << " is not defined by these rows\n";
  }
  if (is_printed(figures)) print_confusion(class_names((*plan)->data), *figures.confusion);
  return ExitCode::done;
}

}  // namespace entente::participant
