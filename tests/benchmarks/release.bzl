"""A program as users deploy it, whatever configuration the build is in: as --config=release in .bazelrc."""

def _release_impl(settings, _attr):
    return {
        "//command_line_option:compilation_mode": "opt",
        "//command_line_option:copt": settings["//command_line_option:copt"] + ["-O3", "-DNDEBUG", "-Wno-error"],
    }

_release = transition(
    implementation = _release_impl,
    inputs = ["//command_line_option:copt"],
    outputs = [
        "//command_line_option:compilation_mode",
        "//command_line_option:copt",
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
        "_whitelist_function_transition": attr.label(
            default = "@bazel_tools//tools/whitelists/function_transition_whitelist",
        ),
    },
    executable = True,
)
