"""Repositories that stand for libraries which Debian has installed.

Their headers are in /usr/include, where the compiler finds them as system headers without being told, and which Bazel
counts as part of the toolchain. A target of such a repository therefore carries linker options and nothing else, which
is also what makes it cheap: no file is copied, linked or listed for a sandbox.
"""

def require(repository_ctx, path):
    """Stops with a sentence a newcomer can act on, rather than with a missing header some minutes later."""
    if not repository_ctx.path(path).exists:
        fail("\n\n%s is not installed (@%s needs it). Run ./bazelw, which installs the packages that are missing.\n" %
             (path, repository_ctx.name))

def _system_library_repository_impl(repository_ctx):
    require(repository_ctx, repository_ctx.attr.probe)
    repository_ctx.symlink(repository_ctx.attr.build_file, "BUILD.bazel")

system_library_repository = repository_rule(
    implementation = _system_library_repository_impl,
    attrs = {
        "build_file": attr.label(mandatory = True, doc = "The repository's only BUILD file."),
        "probe": attr.string(mandatory = True, doc = "A file that is there if and only if the library is installed."),
    },
    doc = "A repository whose targets are link options for an installed library.",
    local = True,
)
