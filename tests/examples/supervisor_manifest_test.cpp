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

/// What is read of one file with this text.
Manifests read_text(const std::string& text, Options options = {}) {
    const TemporaryFolder folder;
    options.files = {folder.file("f", text)};
    Manifests manifests = read_manifests(options);
    for (Texts* lines : {&manifests.errors, &manifests.warnings})
        for (std::string& line : *lines)
            if (const std::size_t at = line.find(options.files[0]); at != std::string::npos)
                line.replace(at, options.files[0].size(), "f");
    return manifests;
}

/// An object that makes pods of one container.
std::string owner(const std::string& version, const std::string& kind, const std::string& name,
                  const std::string& spec = "", const std::string& pod = "") {
    return "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {" + name + "}\nspec: {" +
           spec + "template: {spec: {" + pod +
           "containers: [{name: c, image: i, command: [x]}]}}}\n";
}

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
                        pod("good") + "---\napiVersion: v1\nkind: Deployment\n---\nx: 1\n" +
                        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n");
    const std::string broken = folder.file("broken.yaml", "a: [\n");
    const Manifests manifests = read({bad, broken, "/does/not/exist"});
    REQUIRE(manifests.errors.size() == 8);
    CHECK(manifests.errors[0] == bad + ": line 11: no matches for kind \"Deployment\" in version "
                                       "\"v1\"");
    CHECK(manifests.errors[1] == bad + R"(: line 14: Object 'Kind' is missing in {"x":1})");
    CHECK(manifests.errors[2].starts_with(broken + ": line 1: "));
    CHECK(manifests.errors[3] == "/does/not/exist: No such file or directory");
    CHECK(manifests.errors[4] == "The Pod \"bad\" in " + bad + " is invalid:");
    CHECK(manifests.errors[5] == "spec.containers: Required value");
    CHECK(manifests.errors[6] == "The Deployment \"d\" in " + bad + " is invalid:");
    CHECK(manifests.errors[7] == "spec.template.spec.containers: Required value");
}

TEST_CASE("a name can be used once in a namespace") {
    const TemporaryFolder folder;
    const std::string file = folder.file(
        "a.yaml", pod("a") + "---\n" + pod("a", ", namespace: other") + "---\n" + pod("a"));
    const Manifests manifests = read({file});
    CHECK(manifests.errors == Texts{file + ": line 11: pods \"a\" already exists: Pod \"a\" in " +
                                    file + ", then Pod \"a\" in " + file});
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
    CHECK(
        manifests.warnings ==
        Texts{"spec.containers[0].resources: not honoured by this supervisor (2 times: a/c, b/c)"});
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

TEST_CASE("manifests whose parts refer to each other many times are read at once, or refused") {
    const std::string begin =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "  - {name: c, image: i, command: [x]";
    const Texts too_long{
        "The Pod \"p\" in f is invalid:",
        "spec.containers[0].env: Too long: the variables of all pods take more than 64 MiB"};
    const auto numbered = [](int count, const std::string& before, const std::string& behind) {
        std::string text;
        for (int i = 0; i != count; ++i) text += before + std::to_string(i) + behind;
        return text;
    };
    const auto config = [](const std::string& data) {
        return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {" + data + "}\n---\n";
    };

    SECTION("kinds") {
        const Manifests manifests =
            read_text("apiVersion: v1\nkind: List\nitems:\n" +
                      numbered(20'000, "- {apiVersion: x/v1, kind: K", "}\n"));
        CHECK(manifests.errors == Texts{"no pods in the manifests given"});
        REQUIRE(manifests.warnings.size() == 20'000);
        CHECK(manifests.warnings[19'999] == "K19999 \"\": not run here");
    }
    SECTION("unknown fields") {
        const Manifests manifests = read_text(begin + numbered(20'000, ", u", ": 1") + "}\n");
        REQUIRE(manifests.errors.size() == 20'002);
        CHECK(manifests.errors[20'000] == "unknown field \"spec.containers[0].u19999\"");
    }
    SECTION("variables of ConfigMaps") {
        const std::string all =
            config("k: " + std::string(4'000'000, 'x') + numbered(3000, ", k", ": \"\"")) + begin +
            ", envFrom: [";
        CHECK(read_text(all + numbered(3000, "{prefix: p", "_, configMapRef: {name: m}},") + "]}\n")
                  .errors == too_long);
        // Keys that can be no variables, too.
        const std::string none = config(numbered(3000, "'=", "': \"\",")) + begin + ", envFrom: [";
        CHECK(
            read_text(none + numbered(3000, "{prefix: p", "_, configMapRef: {name: m}},") + "]}\n")
                .errors == too_long);
    }
    SECTION("one value, many times") {
        const std::string text = config("k: " + std::string(1'000'000, 'x')) + begin + ", env: [";
        CHECK(read_text(text +
                        numbered(2000, "{name: e",
                                 ", valueFrom: {configMapKeyRef: {name: m, key: k}}},") +
                        "]}\n")
                  .errors == too_long);
    }
    SECTION("labels") {
        std::string text =
            begin + ", env: [" +
            numbered(10'000, "{name: e",
                     ", valueFrom: {fieldRef: {fieldPath: \"metadata.labels['z']\"}}},") +
            "]}\n";
        const std::string name = "{name: p}";
        text.replace(text.find(name), name.size(),
                     "{name: p, labels: {" + numbered(10'000, "k", ": v,") + "}}");
        CHECK(read_text(text).errors == too_long);
    }
}

TEST_CASE("of what makes many pods one is run, named after it") {
    const Manifests manifests = read_text(
        owner("apps/v1", "Deployment", "name: web, namespace: shop", "replicas: 3, ") + "---\n" +
        owner("apps/v1", "StatefulSet", "name: db") + "---\n" +
        owner("extensions/v1beta1", "DaemonSet", "name: agent") + "---\n" +
        owner("apps/v1", "ReplicaSet", "name: set") + "---\n" +
        owner("v1", "ReplicationController", "name: old") + "---\n" +
        owner("batch/v1", "Job", "generateName: job-", "", "restartPolicy: Never, ") + "---\n" +
        owner("apps/v1", "Deployment", "name: unused", "replicas: 0, ") + "---\n" +
        owner("batch/v1", "Job", "name: later", "suspend: true, ", "restartPolicy: Never, ") +
        "---\n" + owner("batch/v1", "CronJob", "name: cron"));
    CHECK(manifests.errors == Texts{});
    CHECK(manifests.warnings == Texts{"Deployment \"web\" in f: replicas is 3: one pod is run",
                                      "Deployment \"unused\" in f: replicas is 0: no pod is run",
                                      "Job \"later\" in f: parallelism is 0: no pod is run",
                                      "CronJob \"cron\": not run here"});
    REQUIRE(manifests.pods.size() == 6);
    Texts read_names = names(manifests);
    CHECK(read_names.back().starts_with("job-"));
    CHECK(read_names.back().size() == 9);
    read_names.pop_back();
    CHECK(read_names == Texts{"web", "db-0", "agent", "set", "old"});
    CHECK(manifests.pods[0].name_space == "shop");
    CHECK(manifests.pods[0].origin.starts_with("Deployment \"web\" in "));
    CHECK(manifests.pods[0].object["kind"] == "Pod");
}

TEST_CASE("a program that runs nothing takes CronJobs, images without command and gRPC probes") {
    const std::string text =
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cron}\nspec: {jobTemplate: {spec: "
        "{template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: i, "
        "livenessProbe: {grpc: {port: 80}}}]}}}}}\n";
    const Manifests manifests = read_text(text, {.simulate = true});
    CHECK(manifests.errors == Texts{});
    CHECK(names(manifests) == Texts{"cron"});
    CHECK(read_text(text).errors == Texts{"no pods in the manifests given"});
}

TEST_CASE("what is not run is passed over in one line for each kind") {
    const std::string service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    CHECK(read_text(pod("a") + service).warnings == Texts{"Service \"s\": not run here"});
    const Manifests manifests = read_text(
        pod("a") + service + service +
        "---\napiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: v}\n---\n"
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Service, metadata: {name: "
        "t}}]\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n");
    CHECK(manifests.errors == Texts{});
    CHECK(manifests.warnings ==
          Texts{R"(Service "s", "s", "t": not run here (3 objects))", R"(Job "v": not run here)"});
    CHECK(read_text(service).errors == Texts{"no pods in the manifests given"});
}

TEST_CASE("a name that is taken is an error that names both") {
    CHECK(read_text(pod("web") + "---\n" + owner("apps/v1", "Deployment", "name: web"))
              .errors.at(0)
              .starts_with("f: line 6: pods \"web\" already exists: Pod \"web\" in "));
}

TEST_CASE("restart policies are those that the kind allows") {
    CHECK(
        read_text(owner("batch/v1", "Job", "name: j")).errors ==
        Texts{
            "The Job \"j\" in f is invalid:",
            R"(spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never")"});
    CHECK(
        read_text(
            owner("apps/v1", "Deployment", "name: d", "replicas: -1, ", "restartPolicy: Never, "))
            .errors ==
        Texts{
            "The Deployment \"d\" in f is invalid:",
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            R"(spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always")"});
}

TEST_CASE("fields that Kubernetes does not know are refused, named or passed over") {
    const std::string text =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "  - {name: c, image: i, command: [x], livenesProbe: null, resources: {limits: {cpu: 1}},\n"
        "     livenessProbe: {exec: {command: [x]}, periodSecond: 5, timeout: 2s, pacing: {foo: "
        "1}}}\n"
        "  restartPolicy: Always\n  restartPolicy: Never\n";
    const Texts fields{"unknown field \"spec.containers[0].livenesProbe\"",
                       "unknown field \"spec.containers[0].livenessProbe.periodSecond\"",
                       "unknown field \"spec.containers[0].livenessProbe.pacing.foo\""};
    const std::string key = "f: line 9: key \"restartPolicy\" already set in map";
    CHECK(read_text(text).errors ==
          Texts{key, "The Pod \"p\" in f is invalid:", fields[0], fields[1], fields[2],
                "--validate=warn and --validate=ignore take unknown fields and repeated keys"});

    const Texts honoured{
        "spec.containers[0].livenessProbe.timeout: our own: a cluster does not know this field "
        "(p/c)",
        "spec.containers[0].livenessProbe.pacing: our own: a cluster does not know this field "
        "(p/c)",
        "spec.containers[0].resources: not honoured by this supervisor (p/c)"};
    const Manifests warned = read_text(text, {.validate = Validation::warn});
    CHECK(warned.errors == Texts{});
    REQUIRE(warned.pods.size() == 1);
    CHECK(warned.pods[0].restart_policy == probekit::RestartPolicy::never); // the last one counts
    const std::string pod_name = "Pod \"p\" in f: ";
    REQUIRE(warned.warnings.size() == 7);
    CHECK(Texts{warned.warnings.begin(), warned.warnings.begin() + 4} ==
          Texts{key, pod_name + fields[0], pod_name + fields[1], pod_name + fields[2]});
    CHECK(Texts{warned.warnings.begin() + 4, warned.warnings.begin() + 7} == honoured);

    const Manifests ignored = read_text(text, {.validate = Validation::ignore});
    CHECK(ignored.errors == Texts{});
    CHECK(ignored.warnings.front() == honoured.back());
}

TEST_CASE(
    "each kind of field that is not honoured is one line, with its containers and variables") {
    std::string text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
                       "  - {name: b, image: i, command: [x], tty: true}\n"
                       "  - name: c\n    image: i\n    command: [x]\n    env:\n";
    for (int i = 0; i != 30; ++i)
        text += "    - {name: V" + std::to_string(i) +
                ", valueFrom: {configMapKeyRef: {name: m, key: k}}}\n";
    const Manifests manifests = read_text(text);
    CHECK(manifests.errors == Texts{});
    REQUIRE(manifests.warnings.size() == 2);
    CHECK(manifests.warnings[0] == "spec.containers[0].tty: not honoured by this supervisor (p/b)");
    CHECK(manifests.warnings[1].starts_with(
        "spec.containers[*].env[*].valueFrom.configMapKeyRef: not set, as no manifest given has "
        "this ConfigMap; set variables for the supervisor, whose environment containers inherit "
        "(30 times: p/c $V0 $V1 "));
}

TEST_CASE("what a cluster's own commands print is taken") {
    CHECK(read_text(R"(apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
  name: p
  ownerReferences: [{apiVersion: v1, kind: Node, name: n, uid: u}]
spec:
  containers:
  - name: c
    image: i
    command: [x]
    resources: {}
    startupProbe: {grpc: {port: 1, service: s}}
  os: {name: linux}
  schedulingGates: []
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule, minDomains: 2}]
status: {phase: Running, anything: [1]}
)",
                    {.simulate = true})
              .errors == Texts{});
}
