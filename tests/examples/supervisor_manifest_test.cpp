#include "manifest/manifest.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "../tools/temporary_folder.hpp"

using namespace supervisor;
using tools::TemporaryFolder;
using Texts = std::vector<std::string>;

namespace {

std::string pod(const std::string& name, const std::string& rest = "") {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + rest +
           "}\nspec: {containers: [{name: c, image: i, command: [x]}]}\n";
}

Manifests read(Texts files) { return read_manifests({.files = std::move(files)}); }

Texts names(const Manifests& manifests) {
    Texts result;
    for (const PodSpec& one : manifests.pods) result.push_back(one.name);
    return result;
}

} // namespace

TEST_CASE("pods come from several files, documents and lists, in their order") {
    const TemporaryFolder folder;
    const auto read_back = read({
        folder.file("a.yaml", pod("a") + "---\n" + pod("b")),
        folder.file("c.json", R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"},
                                 "spec": {"containers": [{"name": "c", "image": "i", "command": ["x"]}]}})"),
        folder.file("list.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: "
                                 "Pod, metadata: {name: d}, "
                                 "spec: {containers: [{name: c, image: i, command: [x]}]}}\n"),
        folder.file("pods.json",
                    R"({"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "e"},
                                 "spec": {"containers": [{"name": "c", "image": "i", "command": ["x"]}]}}]})"),
    });
    CHECK(read_back.errors == Texts{});
    CHECK(names(read_back) == Texts{"a", "b", "c", "d", "e"});
}

TEST_CASE("mistakes of all files are listed, each pod's after a line that names it") {
    const TemporaryFolder folder;
    const std::string bad = folder.file(
        "bad.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {}\n---\n" +
                        pod("good") + "---\napiVersion: apps/v1\nkind: Deployment\n---\nx: 1\n");
    const std::string broken = folder.file("broken.yaml", "a: [\n");
    const Manifests manifests = read({bad, broken, "/does/not/exist"});
    REQUIRE(manifests.errors.size() == 6);
    CHECK(manifests.errors[0] == "The Pod \"bad\" in " + bad + " is invalid:");
    CHECK(manifests.errors[1] == "spec.containers: Required value");
    CHECK(manifests.errors[2] == bad + ": no matches for kind \"Deployment\" in version "
                                       "\"apps/v1\": only Pods and Lists of them are run");
    CHECK(manifests.errors[3] == bad + R"(: Object 'Kind' is missing in {"x":1})");
    CHECK(manifests.errors[4].starts_with(broken + ": line "));
    CHECK(manifests.errors[5] == "/does/not/exist: No such file or directory");
}

TEST_CASE("a name can be used once in a namespace") {
    const TemporaryFolder folder;
    const std::string file = folder.file(
        "a.yaml", pod("a") + "---\n" + pod("a", ", namespace: other") + "---\n" + pod("a"));
    const Manifests manifests = read({file});
    CHECK(manifests.errors == Texts{file + ": pods \"a\" already exists"});
}

TEST_CASE("what is not honoured is named once, however many pods have it") {
    const TemporaryFolder folder;
    const std::string text =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\n"
        "spec: {containers: [{name: c, image: i, command: [x], resources: {limits: {cpu: 1}}}]}\n";
    const auto named = [&](const char* name) {
        return std::string{text}.replace(text.find("NAME"), 4, name);
    };
    const Manifests manifests = read({folder.file("a.yaml", named("a") + "---\n" + named("b"))});
    CHECK(manifests.errors == Texts{});
    CHECK(manifests.warnings ==
          Texts{"spec.containers[0].resources: not honoured by this supervisor"});
}

TEST_CASE("manifests without pods, odd objects and odd files are mistakes") {
    const TemporaryFolder folder;
    CHECK(read({folder.file("empty.yaml", "# nothing\n")}).errors ==
          Texts{"no pods in the manifests given"});
    CHECK(read({folder.file("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n")}).errors ==
          Texts{"no pods in the manifests given"});
    for (const std::string text :
         {"- a\n", "text\n", "5\n", "apiVersion: v1\nkind: List\nitems: {}\n", "kind: Pod\n",
          "apiVersion: v1\nkind: [Pod]\n", "apiVersion: v2\nkind: Pod\n",
          "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List}]\n",
          "apiVersion: v1\nkind: List\nitems: [5]\n"}) {
        CAPTURE(text);
        CHECK(read({folder.file("odd.yaml", text)}).errors.size() == 1);
    }
    CHECK(read({std::filesystem::temp_directory_path().string()}).errors.size() == 1);
    CHECK(read({folder.file("big.yaml", std::string(17 * 1024 * 1024, ' '))})
              .errors.at(0)
              .ends_with("File too large"));
}
