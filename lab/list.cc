// lab list: what there is to choose from.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "lab/command.h"
#include "lab/json.h"
#include "lab/output_flags.h"
#include "lab/program.h"
#include "lab/table.h"
#include "lab/version.h"
#include "lab/workload.h"
#include "plugins/flags.h"
#include "plugins/registry.h"
#include "runtime/engine.h"
#include "runtime/preemption_cost.h"

namespace gyre::lab {

namespace {

// Something to choose, of any kind.
struct Entry {
  std::string name;
  std::string help;
  std::string origin;  // of plug-ins
  std::vector<OptionSpec> options;
};

struct Section {
  std::string title;
  std::string key;  // in JSON
  std::vector<Entry> entries;
};

std::string TypeName(OptionType type) {
  switch (type) {
    case OptionType::kBool:
      return "switch";
    case OptionType::kInt:
      return "integer";
    case OptionType::kDouble:
      return "number";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kBytes:
      return "bytes";
    case OptionType::kChoice:
      return "choice";
    case OptionType::kString:
      return "text";
  }
  return "";
}

std::string Bound(OptionType type, int64_t value) {
  return type == OptionType::kDuration ? absl::FormatDuration(absl::Nanoseconds(value)) : absl::StrCat(value);
}

// The values that an option takes, in words.
std::string Values(const OptionSpec& option) {
  switch (option.type) {
    case OptionType::kBool:
      return "on or off";
    case OptionType::kChoice:
      return absl::StrJoin(option.choices, ", ");
    case OptionType::kString:
      return TypeName(option.type);
    case OptionType::kDouble:
    case OptionType::kInt:
    case OptionType::kDuration:
    case OptionType::kBytes:
      break;
  }
  const bool real = option.type == OptionType::kDouble;
  const bool above = real ? std::isfinite(option.real_min) : option.min != INT64_MIN;
  const bool below = real ? std::isfinite(option.real_max) : option.max != INT64_MAX;
  const std::string least = real ? absl::StrCat(option.real_min) : Bound(option.type, option.min);
  const std::string most = real ? absl::StrCat(option.real_max) : Bound(option.type, option.max);
  const std::string type = TypeName(option.type);
  if (above && below) return absl::StrCat(type, ", ", least, " to ", most);
  if (above) return absl::StrCat(type, ", ", least, " or more");
  if (below) return absl::StrCat(type, ", ", most, " or less");
  return type;
}

Section PluginSection(const char* title, const char* key, PluginKind kind) {
  Section section{title, key, {}};
  for (const PluginInfo& plugin : ListPlugins(kind)) {
    const std::string name = plugin.is_wrapper ? absl::StrCat(plugin.name, "(...)") : plugin.name;
    section.entries.push_back({name, plugin.help, plugin.origin, plugin.options});
  }
  return section;
}

// What the strategies that interrupt cost on this machine, behind their descriptions.
void AddCosts(Section* preemptions) {
  for (Entry& entry : preemptions->entries) {
    const auto strategy = MakePreemption(entry.name);
    if (!strategy.ok() || !strategy->plugin->traits().asynchronous) continue;
    const PreemptionMeans means =
        strategy->plugin->traits().on_stack ? PreemptionMeans::kCall : PreemptionMeans::kHandOver;
    const double cost = static_cast<double>(internal::CostOfPreemption(means)) / 1e3;
    const double finest = static_cast<double>(strategy->plugin->traits().finest_quantum) / 1e3;
    absl::StrAppendFormat(&entry.help, "; on this machine a preemption takes %.1f us, so a quantum may be %.0f us or more",
                          cost, std::max(finest, std::ceil(10 * cost)));
  }
}

std::vector<Section> Sections() {
  std::vector<Section> sections;
  Section engines{"Engines (--engine)", "engines", {}};
  for (const internal::EngineKind& engine : internal::ListEngines()) {
    engines.entries.push_back({engine.name, engine.help, "", engine.options});
  }
  sections.push_back(std::move(engines));
  sections.push_back(PluginSection("Schedulers (--scheduler)", "schedulers", PluginKind::kScheduler));
  sections.push_back(PluginSection("Stacks (--stack)", "stacks", PluginKind::kStack));
  sections.push_back(PluginSection("Preemption (--preemption)", "preemptions", PluginKind::kPreemption));
  AddCosts(&sections.back());
  sections.push_back(PluginSection("Exploration (explore --strategy)", "strategies", PluginKind::kStrategy));
  Section workloads{"Workloads", "workloads", {}};
  for (const Workload& workload : Workloads()) {
    workloads.entries.push_back({workload.name, workload.help, "", AllParameters(workload)});
  }
  sections.push_back(std::move(workloads));
  Section programs{"Programs (explore)", "programs", {}};
  for (const Program& program : Programs()) programs.entries.push_back({program.name, program.help, "", {}});
  sections.push_back(std::move(programs));
  return sections;
}

std::string Text(const std::vector<Section>& sections) {
  std::string text;
  for (const Section& section : sections) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", section.title, "\n");
    for (const Entry& entry : section.entries) {
      const bool built_in = entry.origin.empty() || entry.origin == "built in";
      absl::StrAppend(&text, "  ", entry.name, built_in ? "" : absl::StrCat(" (from ", entry.origin, ")"), "\n",
                      Wrap(entry.help, "      ", 120));
      for (const OptionSpec& option : entry.options) {
        absl::StrAppend(&text, "      ", option.name, "=", option.default_value, "\n",
                        Wrap(absl::StrCat(option.help, " (", Values(option), ")"), "          ", 120));
      }
    }
  }
  return text;
}

std::string Json(const std::vector<Section>& sections) {
  JsonWriter json;
  json.BeginObject();
  json.Key("gyre_lab").String("list");
  json.Key("format").Integer(1);
  json.Key("version").String(kVersion);
  for (const Section& section : sections) {
    json.Key(section.key).BeginArray();
    for (const Entry& entry : section.entries) {
      json.BeginObject();
      json.Key("name").String(entry.name);
      json.Key("help").String(entry.help);
      if (!entry.origin.empty()) json.Key("origin").String(entry.origin);
      json.Key("options").BeginArray();
      for (const OptionSpec& option : entry.options) {
        json.BeginObject();
        json.Key("name").String(option.name);
        json.Key("type").String(TypeName(option.type));
        json.Key("default").String(option.default_value);
        json.Key("help").String(option.help);
        if (option.type == OptionType::kChoice) {
          json.Key("choices").BeginArray();
          for (const std::string& choice : option.choices) json.String(choice);
          json.EndArray();
        }
        if (std::isfinite(option.real_min)) json.Key("min").Number(option.real_min);
        if (std::isfinite(option.real_max)) json.Key("max").Number(option.real_max);
        if (option.min != INT64_MIN) json.Key("min").Integer(option.min);
        if (option.max != INT64_MAX) json.Key("max").Integer(option.max);
        json.EndObject();
      }
      json.EndArray();
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  return json.text();
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("list takes no words, and there is \"", arguments.words[0], "\""));
  }
  // Loads the shared objects of --plugin.
  if (const absl::StatusOr<Config> config = ConfigFromFlags(); !config.ok()) return config.status();
  const std::vector<Section> sections = Sections();
  const std::string file = absl::GetFlag(FLAGS_json);
  if (file != "-") absl::PrintF("%s", Text(sections));
  if (!file.empty()) {
    if (absl::Status status = WriteOutput(file, Json(sections)); !status.ok()) return status;
  }
  return kExitOk;
}

}  // namespace

Command ListCommand() {
  return {
      .name = "list",
      .arguments = "[--json[=FILE]]",
      .summary = "shows the engines, schedulers, stacks, preemption and exploration strategies, workloads and programs, with their options",
      .description =
          "Each option is shown with its default. An option of a plug-in is written behind its name, with a colon:\n"
          "--scheduler=gmp:steal=one,runnext=off. A parameter of a workload is a word behind the workload's name:\n"
          "run skynet leaves=1000.\n",
      .flags = {kJsonFlag, {"plugin", "FILE,..."}},
      .run = Run,
  };
}

}  // namespace gyre::lab
