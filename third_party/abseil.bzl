"""@com_google_absl over Debian's libabsl-dev, with the labels that Abseil's own Bazel build has.

Debian installs Abseil with one pkg-config file for each of its targets, hidden ones included, so what a target needs
is read from there and not repeated here. All that has to be written down is where Bazel's names and CMake's differ.
The libraries are the shared ones: a plug-in loaded with --plugin then shares its host's Abseil, and links are quick.

Debian configures Abseil so that any C++ standard can link it: absl::string_view, absl::optional, absl::any and
absl::variant are its own types, not names for the standard's. No sanitizer instrumented these libraries, so
ThreadSanitizer does not see what absl::Mutex and absl::Notification order; gyre's own threads use the standard's.
"""

load(":system_libraries.bzl", "require")

# Abseil's public targets, by package.
_PACKAGES = {
    "algorithm": ["algorithm", "container"],
    "base": ["base", "config", "core_headers", "dynamic_annotations", "endian", "log_severity"],
    "cleanup": ["cleanup"],
    "container": [
        "btree",
        "fixed_array",
        "flat_hash_map",
        "flat_hash_set",
        "inlined_vector",
        "node_hash_map",
        "node_hash_set",
    ],
    "debugging": ["failure_signal_handler", "leak_check", "stacktrace", "symbolize"],
    "flags": ["commandlineflag", "config", "flag", "marshalling", "parse", "reflection", "usage"],
    "functional": ["any_invocable", "bind_front", "function_ref"],
    "hash": ["hash"],
    "memory": ["memory"],
    "meta": ["type_traits"],
    "numeric": ["bits", "int128"],
    "random": ["bit_gen_ref", "distributions", "random", "seed_sequences"],
    "status": ["status", "statusor"],
    "strings": ["cord", "str_format", "strings"],
    "synchronization": ["synchronization"],
    "time": ["civil_time", "time"],
    "types": ["any", "compare", "optional", "span", "variant"],
    "utility": ["utility"],
}

def _module_of(package, target):
    """The pkg-config module of //absl/<package>:<target>, which is absl_<target> but for what CMake prefixes."""
    if package == "flags":
        return "absl_flags" if target == "flag" else "absl_flags_" + target
    if package == "random" or (package, target) == ("algorithm", "container"):
        return "absl_%s_%s" % (package, target)
    return "absl_" + target

_HEADER = """# Made by //third_party:abseil.bzl.
package(default_visibility = ["//visibility:public"])
"""

def _pkg_config_directory(repository_ctx):
    """Where this architecture's pkg-config files are, /usr/lib/<multiarch>/pkgconfig."""
    for entry in repository_ctx.path("/usr/lib").readdir():
        directory = str(entry) + "/pkgconfig"
        if repository_ctx.path(directory + "/absl_base.pc").exists:
            return directory
    require(repository_ctx, "/usr/include/absl/base/config.h")
    fail("\n\nlibabsl-dev is installed, but its pkg-config files are not under /usr/lib/*/pkgconfig.\n")

_ALIAS = """
alias(
    name = "%s",
    actual = "//:%s",
)
"""

def _library(name, text):
    """The target for a pkg-config module, from lines such as `Requires: absl_a = 1, absl_b = 1`, `Libs: -labsl_c`."""
    requires = []
    links = []
    for line in text.splitlines():
        if line.startswith("Requires:"):
            requires = [item.split("=")[0].strip() for item in line[len("Requires:"):].split(",") if item.strip()]
        elif line.startswith("Libs:"):
            # Only what a program really calls becomes a library that its start has to load.
            links = [
                "-Wl,--push-state,--as-needed,%s,--pop-state" % word
                for word in line.split(" ")
                if word.startswith("-labsl_")
            ]
    return """
cc_library(
    name = "%s",
    linkopts = %s,
    deps = %s,
)
""" % (name, repr(links), repr([":" + item for item in requires]))

def _debian_abseil_impl(repository_ctx):
    directory = _pkg_config_directory(repository_ctx)
    modules = _HEADER
    for entry in sorted([str(path) for path in repository_ctx.path(directory).readdir()]):
        file = entry.rpartition("/")[2]
        if file.startswith("absl_") and file.endswith(".pc"):
            modules += _library(file[:-len(".pc")], repository_ctx.read(entry))
    repository_ctx.file("BUILD.bazel", modules, executable = False)

    for package, targets in _PACKAGES.items():
        aliases = _HEADER
        for target in targets:
            aliases += _ALIAS % (target, _module_of(package, target))
        repository_ctx.file("absl/%s/BUILD.bazel" % package, aliases, executable = False)

debian_abseil = repository_rule(
    implementation = _debian_abseil_impl,
    doc = "Abseil as Debian installs it, under the labels of Abseil's own BUILD files.",
    local = True,
)
