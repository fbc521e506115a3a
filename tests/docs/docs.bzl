"""What the pages say, built: each program of a page, and all of its snippets."""

_DEPS = [
    "//:gyre",
    "@com_google_absl//absl/base:core_headers",
    "@com_google_absl//absl/strings",
    "@com_google_absl//absl/strings:str_format",
]

def _extract(name, page, out, arguments):
    native.genrule(
        name = name,
        srcs = [page],
        outs = [out],
        cmd = "$(location //tests/docs:extract) $(location %s) %s > $@" % (page, arguments),
        tools = ["//tests/docs:extract"],
    )

def page_program(page, program):
    """A binary of the block of `page` that is tagged program=`program`."""
    _extract(program + "_source", page, program + ".cc", "program " + program)
    native.cc_binary(
        name = program,
        testonly = True,
        srcs = [program + ".cc"],
        deps = _DEPS,
    )

def page_snippets(name, page):
    """A library of all snippets of `page`: they compile."""
    _extract(name + "_source", page, name + ".cc", "snippets")
    native.cc_library(
        name = name,
        testonly = True,
        srcs = [name + ".cc"],
        # A snippet shows how to get something, and does not go on to use it.
        copts = ["-Wno-unused"],
        deps = _DEPS,
    )

def page_file(name, page, path, out):
    """The block of `page` that is tagged file=`path`, as a file."""
    _extract(name, page, out, "file " + path)

def _headers_impl(ctx):
    headers = depset(transitive = [dep[CcInfo].compilation_context.headers for dep in ctx.attr.deps])
    return [DefaultInfo(files = headers, runfiles = ctx.runfiles(transitive_files = headers))]

headers = rule(
    implementation = _headers_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
    doc = "The headers of libraries as files: for a test that calls the compiler.",
)
