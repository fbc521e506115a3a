"""A program as users deploy it, whatever configuration the build is in: as --config=release in .bazelrc."""

def _without_sanitizers(options):
    return [option for option in options if "sanitize" not in option]

def _release_impl(settings, attr):
    copt = _without_sanitizers(settings["//command_line_option:copt"])
    return {
        "//command_line_option:compilation_mode": "opt",
        "//command_line_option:copt": copt + ["-O3", "-DNDEBUG", "-Wno-error"] + ["-D" + name for name in attr.defines],
        "//command_line_option:linkopt": _without_sanitizers(settings["//command_line_option:linkopt"]),
    }

_release = transition(
    implementation = _release_impl,
    inputs = [
        "//command_line_option:copt",
        "//command_line_option:linkopt",
    ],
    outputs = [
        "//command_line_option:compilation_mode",
        "//command_line_option:copt",
        "//command_line_option:linkopt",
    ],
)

def _release_binary_impl(ctx):
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = program, target_file = ctx.executable.binary, is_executable = True)
    return [DefaultInfo(executable = program, files = depset([program]))]

release_binary = rule(
    implementation = _release_binary_impl,
    doc = "`binary`, optimised and without assertions, under this target's name.",
    attrs = {
        "binary": attr.label(cfg = _release, executable = True, mandatory = True),
        "defines": attr.string_list(doc = "macros that the whole program is built with"),
        "_whitelist_function_transition": attr.label(
            default = "@bazel_tools//tools/whitelists/function_transition_whitelist",
        ),
    },
    executable = True,
)
