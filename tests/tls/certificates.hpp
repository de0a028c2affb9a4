// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../tools/temporary_folder.hpp"

/// A folder with an authority and the certificates it has signed, made by the openssl command. It
/// is removed with this object.
class Certificates {
public:
    struct Pair {
        std::string certificate;
        std::string key;
    };

    Certificates() {
        make_authority("ca");
        make_authority("other-ca");
    }
    Certificates(const Certificates&) = delete;
    Certificates& operator=(const Certificates&) = delete;

    [[nodiscard]] std::string path(const std::string& file) const {
        return (folder_.path() / file).string();
    }
    [[nodiscard]] std::string authority() const { return path("ca.pem"); }
    [[nodiscard]] std::string other_authority() const { return path("other-ca.pem"); }

    /// `names`: as subjectAltName takes them, "DNS:a.example,IP:127.0.0.1". `days` from now,
    /// negative: expired.
    /// As make(), with these lines as the certificate's extensions, and by another signer: one of
    /// this folder's certificates with its key, PEM files of that name.
    [[nodiscard]] Pair make_with(const std::string& file, const std::string& extensions,
                                 const std::string& signer = "ca",
                                 const std::string& subject = "/CN=probekit-test") const {
        std::ofstream{path(file + ".ext")} << extensions << '\n';
        openssl("req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj '" +
                subject + "' -keyout " + path(file + ".key") + " -out " + path(file + ".csr"));
        openssl("x509 -req -in " + path(file + ".csr") + " -CA " + path(signer + ".pem") +
                " -CAkey " + path(signer + ".key") + " -CAcreateserial -days 30 -extfile " +
                path(file + ".ext") + " -out " + path(file + ".pem"));
        return {path(file + ".pem"), path(file + ".key")};
    }

    /// Puts certificates into one file, in this order.
    [[nodiscard]] std::string chain(const std::string& file,
                                    std::initializer_list<std::string> certificates) const {
        std::ofstream whole{path(file)};
        for (const std::string& one : certificates) whole << std::ifstream{path(one)}.rdbuf();
        return path(file);
    }

    [[nodiscard]] Pair make(
        const std::string& file, std::string_view names, int days = 30,
        const std::string& key_type = "ec -pkeyopt ec_paramgen_curve:prime256v1") const {
        std::ofstream{path(file + ".ext")} << "subjectAltName=" << names << '\n';
        openssl("req -new -nodes -newkey " + key_type + " -subj /CN=probekit-test -keyout " +
                path(file + ".key") + " -out " + path(file + ".csr"));
        // OpenSSL 3.4 and later refuse days before today, but let the validity be given; earlier
        // ones do not.
        const auto sign = [&](const std::string& validity) {
            return run("x509 -req -in " + path(file + ".csr") + " -CA " + path("ca.pem") +
                       " -CAkey " + path("ca.key") + " -CAcreateserial " + validity + " -extfile " +
                       path(file + ".ext") + " -out " + path(file + ".pem"));
        };
        if (!sign("-days " + std::to_string(days)) &&
            (days >= 0 || !sign("-not_before 20200101000000Z -not_after 20200102000000Z")))
            throw std::runtime_error{"openssl x509: " + log()};
        return {path(file + ".pem"), path(file + ".key")};
    }

    void openssl(const std::string& arguments) const {
        if (!run(arguments)) throw std::runtime_error{"openssl " + arguments + ": " + log()};
    }

private:
    [[nodiscard]] bool run(const std::string& arguments) const {
        const std::string command = "openssl " + arguments + " >" + path("log") + " 2>&1";
        return std::system(command.c_str()) == 0;
    }
    [[nodiscard]] std::string log() const {
        std::ifstream file{path("log")};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    void make_authority(const std::string& name) const {
        openssl("req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 30 -subj "
                "/CN=" +
                name + " -keyout " + path(name + ".key") + " -out " + path(name + ".pem"));
    }

    tools::TemporaryFolder folder_;
};
