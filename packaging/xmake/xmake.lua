-- A package for xmake: add_repositories or include this file, then add_requires("probekit").
package("probekit")
    set_kind("library", {headeronly = true})
    set_homepage("https://github.com/probekit/probekit")
    set_description("Health probes for C++ programs, as exact as Kubernetes' kubelet")
    set_license("BSL-1.0")

    add_urls("https://github.com/probekit/probekit.git")
    add_versions("0.1.0", "v0.1.0")

    add_configs("kubernetes", {description = "Read and write Kubernetes Probe objects.", default = false, type = "boolean"})
    add_configs("tls", {description = "HTTPS probes.", default = false, type = "boolean"})

    add_deps("asio >=1.22.1")
    add_defines("ASIO_STANDALONE")
    add_syslinks("pthread")
    on_load(function (package)
        if package:config("kubernetes") then package:add("deps", "nlohmann_json >=3.11") end
        if package:config("tls") then package:add("deps", "openssl3") end
    end)

    on_install("linux", function (package)
        os.cp("include", package:installdir())
    end)

    on_test(function (package)
        assert(package:has_cxxtypes("probekit::HttpGetProbe",
            {includes = "probekit/probekit.hpp", configs = {languages = "c++20"}}))
    end)
package_end()
