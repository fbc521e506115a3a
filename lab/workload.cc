#include "lab/workload.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/spec.h"

namespace gyre::lab {

namespace {

std::vector<Workload>& Registered() {
  static std::vector<Workload> workloads;
  return workloads;
}

}  // namespace

bool RegisterWorkload(Workload workload) {
  std::vector<Workload>& all = Registered();
  const auto place = std::lower_bound(all.begin(), all.end(), workload.name,
                                      [](const Workload& a, const std::string& name) { return a.name < name; });
  if (place != all.end() && place->name == workload.name) {
    std::fprintf(stderr, "lab: two workloads are called %s\n", workload.name.c_str());
    std::abort();
  }
  all.insert(place, std::move(workload));
  return true;
}

const std::vector<Workload>& Workloads() {
  return Registered();
}

absl::StatusOr<const Workload*> FindWorkload(absl::string_view name) {
  std::vector<std::string> names;
  for (const Workload& workload : Workloads()) {
    if (workload.name == name) return &workload;
    names.push_back(workload.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no workload \"", name, "\"",
                                                 internal::DidYouMean(name, names),
                                                 "; there are: ", absl::StrJoin(names, ", ")));
}

std::vector<OptionSpec> AllParameters(const Workload& workload) {
  std::vector<OptionSpec> specs = workload.parameters;
  specs.push_back(
      StringOption("expect", "", "the right answer, in place of the one that the workload works out itself"));
  return specs;
}

absl::StatusOr<CheckedParameters> CheckParameters(const Workload& workload, const Parameters& written) {
  absl::StatusOr<PluginOptions> values =
      PluginOptions::Parse(absl::StrCat("workload ", workload.name), AllParameters(workload), written);
  if (!values.ok()) return values.status();
  if (workload.check) {
    if (absl::Status status = workload.check(*values); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("workload ", workload.name, ": ", status.message()));
    }
  }
  CheckedParameters checked{*std::move(values), {}};
  for (const OptionSpec& spec : AllParameters(workload)) {
    std::string value = spec.default_value;
    for (const auto& [name, text] : written) {
      if (name == spec.name) value = text;
    }
    if (spec.name != "expect" || checked.values.WasSet("expect")) checked.all.emplace_back(spec.name, value);
  }
  return checked;
}

}  // namespace gyre::lab
