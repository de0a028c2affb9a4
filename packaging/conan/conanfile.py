# The recipe for a checkout: `conan create packaging/conan`. The one in index/ builds from a release; between the two lines
# of equals signs both are the same.
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

required_conan_version = ">=2.0"


class ProbekitConan(ConanFile):
    # ======================================================================================================
    name = "probekit"
    description = "Health probes for C++ programs, as exact as Kubernetes' kubelet"
    license = "BSL-1.0"
    homepage = "https://github.com/probekit/probekit"
    topics = ("health-check", "liveness", "readiness", "kubernetes", "supervisor", "asio", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    # An option adds what its component needs. All headers are packaged whatever the options, as all options share one
    # package id.
    options = {"kubernetes": [True, False], "tls": [True, False]}
    default_options = {"kubernetes": False, "tls": False}
    no_copy_source = True

    def requirements(self):
        self.requires("asio/[>=1.22.1 <2]")
        if self.options.kubernetes:
            self.requires("nlohmann_json/[>=3.11 <4]")
        if self.options.tls:
            self.requires("openssl/[>=3 <4]")

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("probekit runs on Linux only: it needs epoll, pidfd and clone")

    def build(self):
        pass

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "probekit")
        self.cpp_info.set_property("cmake_target_name", "probekit::all")  # probekit::probekit is a component
        self.cpp_info.set_property("pkg_config_name", "probekit")
        needs = {"probekit": ["asio::asio"], "kubernetes": ["probekit"], "tls": ["probekit"]}
        if self.options.kubernetes:
            needs["kubernetes"].append("nlohmann_json::nlohmann_json")
        if self.options.tls:
            needs["tls"].append("openssl::ssl")
        for name, requires in needs.items():
            if name != "probekit" and not self.options.get_safe(name):
                continue
            component = self.cpp_info.components[name]
            component.set_property("cmake_target_name", f"probekit::{name}")
            component.requires = requires
            component.bindirs = []
            component.libdirs = []
        self.cpp_info.components["probekit"].system_libs = ["pthread"]
    # ======================================================================================================
    url = "https://github.com/probekit/probekit"

    @property
    def _root(self):
        return os.path.dirname(os.path.dirname(self.recipe_folder))

    def set_version(self):
        text = load(self, os.path.join(self._root, "include", "probekit", "version.hpp"))
        self.version = re.search(r'#define PROBEKIT_VERSION "([^"]+)"', text).group(1)

    def export_sources(self):
        copy(self, "include/*", self._root, self.export_sources_folder)
        copy(self, "LICENSE", self._root, self.export_sources_folder)

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))
