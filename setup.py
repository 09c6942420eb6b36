"""Builds barewire._core from csrc/sources.txt; metadata is in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
PACKAGES = {
    # what we need: (pkg-config names, Debian/Ubuntu, Fedora, Homebrew)
    "libmongoc": (("mongoc2", "libmongoc-1.0"), "libmongoc-dev", "mongo-c-driver-devel", "mongo-c-driver"),
    "libbson": (("bson2", "libbson-1.0"), "libbson-dev", "libbson-devel", "mongo-c-driver"),
    "xxHash": (("libxxhash",), "libxxhash-dev", "xxhash-devel", "xxhash"),
    "libpq's header": (("libpq",), "libpq-dev", "libpq-devel", "libpq"),
}
# Called through pointers that are looked up at run time in the library that psycopg uses: two copies would not mix.
HEADERS_ONLY = frozenset(["libpq's header"])


def pkg_config(names: tuple[str, ...], option: str) -> list[str] | None:
    tool = os.environ.get("PKG_CONFIG") or shutil.which("pkg-config")
    if tool is None:
        sys.exit("barewire: pkg-config is missing: apt install pkg-config | dnf install pkgconf | brew install pkgconf")
    for name in names:
        found = subprocess.run([tool, option, name], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split()
    return None


def native_libraries() -> tuple[list[str], list[str]]:
    compile_flags: list[str] = []
    link_flags: list[str] = []
    for what, (names, debian, fedora, homebrew) in PACKAGES.items():
        flags = pkg_config(names, "--cflags")
        if flags is None:
            sys.exit(f"barewire: {what} is missing: apt install {debian} | dnf install {fedora} | brew install {homebrew}")
        # System headers: their warnings are not ours.
        compile_flags += [f.replace("-I", "-isystem", 1) if f.startswith("-I") else f for f in flags]
        if what not in HEADERS_ONLY:
            link_flags += pkg_config(names, "--libs") or []
    return compile_flags, link_flags


def sources() -> list[str]:
    found = []
    for line in (ROOT / "csrc" / "sources.txt").read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            layer, name = line.split()
            found.append(f"csrc/{layer}/{name}")
    return sorted(set(found))


class BuildExtension(build_ext):
    """Adds flags of the system libraries late, so that `--help` and sdist need none of them."""

    def build_extensions(self) -> None:
        compile_flags, link_flags = native_libraries()
        for extension in self.extensions:
            extension.extra_compile_args += compile_flags
            extension.extra_link_args += link_flags
        if self.compiler.compiler_type == "unix":
            compiler = os.environ.get("CXX", "c++").split()
            launcher = [shutil.which("ccache")] if shutil.which("ccache") else []
            self.compiler.set_executable("compiler_so", [*launcher, *compiler, "-fPIC"])
            self.compiler.set_executable("compiler_so_cxx", [*launcher, *compiler, "-fPIC"])
            self.compiler.set_executable("linker_so", [*compiler, *(["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"])])
            self.compiler.set_executable("linker_so_cxx", self.compiler.linker_so)
        self._compile_in_parallel()
        super().build_extensions()

    def _compile_in_parallel(self) -> None:
        """distutils compiles one file after the other; a pool over its own single-file step uses all cores."""
        from concurrent.futures import ThreadPoolExecutor

        compiler = self.compiler

        def compile_all(files, output_dir=None, macros=None, include_dirs=None, debug=0, extra_preargs=None,
                        extra_postargs=None, depends=None):
            macros, objects, extra, pp_opts, build = compiler._setup_compile(
                output_dir, macros, include_dirs, files, depends, extra_postargs)
            cc_args = compiler._get_cc_args(pp_opts, debug, extra_preargs)
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                jobs = [pool.submit(compiler._compile, o, *build[o], cc_args, extra, pp_opts) for o in objects if o in build]
                for job in jobs:
                    job.result()
            return objects

        compiler.compile = compile_all


macros = [("BAREWIRE_PUBLIC_INTERNALS", "1")] if os.environ.get("BAREWIRE_INTERNALS") == "public" else []
sanitizers = os.environ.get("BAREWIRE_SANITIZE", "")  # "address,undefined" | "thread": see tools/sanitize
sanitize_flags = [f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer", "-g", "-O1"] if sanitizers else []
optimise = [] if sanitizers else ["-O3", "-g1"]

setup(
    ext_modules=[
        Extension(
            "barewire._core",
            sources=sources(),
            include_dirs=["csrc"],
            define_macros=macros,
            language="c++",
            extra_compile_args=["-std=c++20", "-fvisibility=hidden", "-fno-strict-aliasing", "-pthread", "-Wall", "-Wextra",
                                "-Wno-missing-field-initializers", *optimise, *sanitize_flags],
            extra_link_args=["-pthread", *sanitize_flags],
            depends=["csrc/sources.txt", *map(str, (ROOT / "csrc").rglob("*.h"))],
        )
    ],
    cmdclass={"build_ext": BuildExtension},
)
